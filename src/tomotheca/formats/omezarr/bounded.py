"""Chunks that unpack to no more than their array says: what they claim is looked at before anything is allocated.

Sources: RFC 8878 (zstd frames and blocks), the 16 bytes before every Blosc chunk (c-blosc's README_CHUNK_FORMAT), and numcodecs, whose
LZ4 has the size in four bytes first. Streams that do not say their size (gzip, zlib, bz2, lzma) are unpacked up to the limit.
Codecs that are in none of the lists here are refused: some run what a file says.
"""

from __future__ import annotations

import asyncio
import bz2
import lzma
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import zarr
from numcodecs.abc import Codec as Numcodec
from zarr.abc.codec import BytesBytesCodec

from tomotheca.formats import blosc

SLACK = 1 << 20
"""Bytes that a chunk may have more, its frame included."""

FILTERED = 8
"""Times as large a chunk may be before filters: whole numbers may be kept as wider ones, bits as bytes."""

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


class TooLargeError(ValueError):
    """A chunk claims more bytes than its array has."""


def bounded(array: Any) -> Any:
    """Give an array again, whose chunks are refused where they unpack to far more than the array says.

    Raises
    ------
    ValueError
        If a codec is none of those that are known.
    """
    metadata, inner = array.metadata, array.async_array
    if metadata.zarr_format == 2:
        for each in metadata.filters or ():
            _known(each.codec_id, SAME)
        if metadata.compressor is None:
            return array
        times = FILTERED if metadata.filters else 1
        limit = _limit(metadata.chunks, array.dtype.itemsize, times)
        metadata = replace(metadata, compressor=Compressor(metadata.compressor, limit))
    else:
        metadata = replace(metadata, codecs=tuple(map(_codec, metadata.codecs)))
    return zarr.Array(type(inner)(metadata=metadata, store_path=inner.store_path, config=inner.config))


def _limit(shape: tuple[int, ...], itemsize: int, times: int = 1) -> int:
    return min(times * math.prod(shape) * itemsize + SLACK, MOST)


def _known(name: str, names: frozenset[str]) -> None:
    if name not in names:
        message = f"its codec {name[:40]!r} is not read here"
        raise ValueError(message)


def _codec(codec: Any) -> Any:
    """Bound one codec of Zarr v3."""
    name = codec.to_dict()["name"].removeprefix("numcodecs.")
    if name == "sharding_indexed":
        kept = {key: tuple(map(_codec, getattr(codec, key))) for key in ("codecs", "index_codecs")}
        return type(codec)(chunk_shape=codec.chunk_shape, index_location=codec.index_location, **kept)
    if isinstance(codec, BytesBytesCodec) and name in UNPACKED:
        return Bounded(codec, name)
    _known(name, SAME)
    return codec


class Compressor(Numcodec):  # type: ignore[misc]  # numcodecs has no types
    """A compressor of Zarr v2 with a limit."""

    codec_id = "bounded"

    def __init__(self, inner: Any, limit: int) -> None:
        _known(inner.codec_id, frozenset(UNPACKED) | SAME)
        self.inner, self.limit, self.codec_id = inner, limit, inner.codec_id

    def encode(self, buf: Any) -> Any:
        """Pack."""
        return self.inner.encode(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Unpack, within the limit."""
        if self.codec_id in UNPACKED:
            unpacked = UNPACKED[self.codec_id](memoryview(buf).cast("B"), self.limit, self.inner.get_config())
            if unpacked is not None:
                return unpacked
        return self.inner.decode(buf, out)

    def get_config(self) -> dict[str, Any]:
        """Give what describes it."""
        config: dict[str, Any] = self.inner.get_config()
        return config


@dataclass(frozen=True)
class Bounded(BytesBytesCodec):
    """A compressor of Zarr v3 with a limit, which the size of the chunk gives."""

    inner: Any
    name: str

    is_fixed_size = False

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        limit = _limit(chunk_spec.shape, chunk_spec.dtype.to_native_dtype().itemsize, FILTERED)
        raw = memoryview(chunk_data.as_numpy_array()).cast("B")
        config = getattr(self.inner, "codec_config", {})
        unpacked = await asyncio.to_thread(UNPACKED[self.name], raw, limit, config)
        if unpacked is not None:
            return chunk_spec.prototype.buffer.from_bytes(unpacked)
        (found,) = await self.inner.decode([(chunk_data, chunk_spec)])
        return found

    def to_dict(self) -> dict[str, Any]:
        """Give what describes it."""
        found: dict[str, Any] = self.inner.to_dict()
        return found

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Give the size of what is packed, where it is known."""
        size: int = self.inner.compute_encoded_size(input_byte_length, chunk_spec)
        return size


# --- what a chunk says -----------------------------------------------------------------------------------------------


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
