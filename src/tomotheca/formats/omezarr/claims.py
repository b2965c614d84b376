"""What a chunk claims to unpack to, looked at before anything is allocated, and codecs that are known.

Sources: RFC 8878 (zstd frames and blocks), the 16 bytes before every Blosc chunk (c-blosc's README_CHUNK_FORMAT), and numcodecs, whose
LZ4 has the size in four bytes first. Streams that do not say their size (gzip, zlib, bz2, lzma) are unpacked up to the limit.
Codecs that are in none of the lists here are refused: some run what a file says.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numcodecs

from tomotheca.formats import blosc

SLACK = 1 << 20
"""Bytes that a chunk may have more, its frame included."""

MOST = 1 << 30
"""Bytes that no chunk has."""

BLOCK = 1 << 17
"""Most bytes of a zstd block."""

ZSTD, SKIPPED = 0xFD2FB528, 0x184D2A5
"""How zstd frames begin, and, but for the last four bits, those that hold no data."""

FILTERS = frozenset({"delta", "quantize", "fixedscaleoffset", "packbits", "astype", "shuffle", "bitround"})
CHECKSUMS = frozenset({"crc32", "crc32c", "adler32", "jenkins_lookup3", "fletcher32"})
STRUCTURE = frozenset({"bytes", "transpose", "sharding_indexed"})
SAME = FILTERS | CHECKSUMS | STRUCTURE
"""Codecs that give about as many bytes as they take."""

DAMAGED = (RuntimeError, ValueError, TypeError, OSError, EOFError, zlib.error, lzma.LZMAError)
"""What codecs raise when a chunk is damaged."""


class TooLargeError(ValueError):
    """A chunk claims more bytes than its array has."""


def known(name: str, names: frozenset[str]) -> None:
    """Raise ValueError for a codec that is none of those that are known."""
    if name not in names:
        message = f"its codec {name[:40]!r} is not read here"
        raise ValueError(message)


def unpack(data: bytes, limit: int, config: Mapping[str, Any]) -> bytes:
    """Unpack a chunk of one compressor, of those in `UNPACKED`.

    Raises
    ------
    DAMAGED
        If it cannot be, or has more bytes than the limit.
    """
    found = UNPACKED[config["id"]](memoryview(data), limit, config)
    return bytes(numcodecs.get_codec(dict(config)).decode(data)) if found is None else found


def _claimed(size: int, limit: int) -> None:
    if size > limit:
        message = f"a chunk unpacks to {size} bytes or more, its array is for {limit} at most"
        raise TooLargeError(message)


def _blosc(raw: memoryview, limit: int, _: Any) -> None:
    """Compare the length that the header says with the bytes there are: the library believes it and reads beyond them."""
    if len(raw) < blosc.HEADER.size or int.from_bytes(raw[12:16], "little") > len(raw):
        message = "a chunk is cut short"
        raise ValueError(message)
    _claimed(int.from_bytes(raw[4:8], "little"), limit)


def _lz4(raw: memoryview, limit: int, _: Any) -> None:
    _claimed(int.from_bytes(raw[:4], "little"), limit)


def _zstd(raw: memoryview, limit: int, _: Any) -> None:
    """Add up frames: their sizes where they say them, what their blocks can hold where not; the codec tells what is damaged."""
    at = total = 0
    while at + 6 <= len(raw):
        magic = int.from_bytes(raw[at : at + 4], "little")
        if magic >> 4 == SKIPPED:
            at += 8 + int.from_bytes(raw[at + 4 : at + 8], "little")
            continue
        if magic != ZSTD:
            return
        at, said, checked = _frame(raw, at + 4)
        if said is not None:
            _claimed(total + said, limit)
        at, held = _blocks(raw, at, limit)
        total += held if said is None else said
        _claimed(total, limit)
        at += 4 * checked


def _frame(raw: memoryview, at: int) -> tuple[int, int | None, bool]:
    """Read the header of a frame: give where its blocks begin, the size it says, and whether a checksum follows them."""
    flags = raw[at]
    single = bool(flags & 0x20)
    at += 1 + (not single) + (0, 1, 2, 4)[flags & 3]
    width = (1 if single else 0, 2, 4, 8)[flags >> 6]
    size = int.from_bytes(raw[at : at + width], "little") + (256 if width == 2 else 0)
    return at + width, size if width else None, bool(flags & 4)


def _blocks(raw: memoryview, at: int, limit: int) -> tuple[int, int]:
    """Walk the blocks of a frame: give where they end, and how many bytes they hold at most."""
    held, is_last = 0, False
    while not is_last and at + 3 <= len(raw) and held <= limit:
        header = int.from_bytes(raw[at : at + 3], "little")
        is_last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        held += BLOCK if kind == 2 else size  # compressed
        at += 3 + (1 if kind == 1 else size)
    return at, held


def _stream(make: Callable[[Any], Any]) -> Callable[[memoryview, int, Any], bytes]:
    """Unpack streams that follow each other, as far as the limit."""

    def unpack(raw: memoryview, limit: int, config: Any) -> bytes:
        parts, total, left = [], 0, bytes(raw)
        while left:
            state = make(config)
            parts.append(state.decompress(left, limit + 1 - total))
            total += len(parts[-1])
            _claimed(total, limit)
            if not state.eof:
                message = "a chunk is cut short"
                raise ValueError(message)
            left = state.unused_data.lstrip(b"\0")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    return unpack


def _lzma(config: Any) -> lzma.LZMADecompressor:
    kind = config.get("format", lzma.FORMAT_XZ)
    if kind == lzma.FORMAT_RAW:
        return lzma.LZMADecompressor(kind, filters=config.get("filters"))
    return lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=MOST)


UNPACKED: dict[str, Callable[[memoryview, int, Any], bytes | None]] = {
    "blosc": _blosc,
    "lz4": _lz4,
    "zstd": _zstd,
    "gzip": _stream(lambda _: zlib.decompressobj(16 + zlib.MAX_WBITS)),
    "zlib": _stream(lambda _: zlib.decompressobj()),
    "bz2": _stream(lambda _: bz2.BZ2Decompressor()),
    "lzma": _stream(_lzma),
}
"""What unpacks a chunk, or looks at what it claims and leaves it to its codec."""
