"""Some blocks of a Blosc frame without the others: a plane of a chunk needs a small part of it.

A frame is 16 bytes of header, the places of its blocks as 32-bit numbers, and the blocks, each compressed by itself (README_CHUNK_FORMAT of
C-Blosc 1). Blocks that follow each other become a frame of their own here, which the library decodes like any other.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from numcodecs import blosc

from tomotheca.errors import FormatError

HEADER = struct.Struct("<4B3I")
VERSIONS = (1, 2)
STORED = 0x2
"""Flag of a frame whose bytes are not compressed."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of a frame."""

    words: tuple[int, int, int, int]
    """Version of the format, version of the compressor, flags, bytes of an element."""

    size: int
    """Bytes once decoded."""

    block: int
    """Bytes of a block once decoded; the last one may be shorter."""

    stored: int
    """Bytes of the frame."""

    @property
    def is_plain(self) -> bool:
        """Whether the bytes follow the header as they are."""
        return bool(self.words[2] & STORED)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self.size // self.block)

    @property
    def places(self) -> tuple[int, int]:
        """Where the places of the blocks stand."""
        return HEADER.size, HEADER.size + 4 * self.blocks

    def covering(self, start: int, stop: int) -> range:
        """Give the blocks that hold the decoded bytes from `start` to `stop`; a last one that is shorter never stands alone."""
        first = start // self.block
        alone = first == self.blocks - 1 and first > 0 and self.size % self.block
        return range(first - 1 if alone else first, -(-stop // self.block))


def read_frame(data: bytes) -> Frame | None:
    """Read the header of a frame; None if it is none that is understood here."""
    if len(data) < HEADER.size:
        return None
    *words, size, block, stored = HEADER.unpack_from(data)
    frame = Frame((words[0], words[1], words[2], words[3]), size, block, stored) if block else None
    if (
        frame is None
        or words[0] not in VERSIONS
        or not 0 < block <= size
        or stored < (HEADER.size + size if frame.is_plain else frame.places[1])
    ):
        return None
    return frame


def stretches(frame: Frame, places: bytes, wanted: range) -> dict[int, tuple[int, int]]:
    """Give first and last byte in the frame of each wanted block: they need not lie in order."""
    starts = struct.unpack(f"<{frame.blocks}I", places)
    ordered = [*sorted(starts), frame.stored]
    following = dict(itertools.pairwise(ordered))
    return {i: (starts[i], following[starts[i]]) for i in wanted}


def decode_blocks(frame: Frame, wanted: range, parts: Mapping[int, bytes]) -> bytes:
    """Decode blocks that follow each other.

    Raises
    ------
    FormatError
        If they cannot be decoded.
    """
    size = min(wanted.stop * frame.block, frame.size) - wanted.start * frame.block
    place, places = HEADER.size + 4 * len(wanted), []
    for i in wanted:
        places.append(place)
        place += len(parts[i])
    head = HEADER.pack(*frame.words, size, frame.block, place)
    return decode(b"".join((head, struct.pack(f"<{len(places)}I", *places), *(parts[i] for i in wanted))))


def decode(data: bytes) -> bytes:
    """Decode a whole frame.

    The library believes what the header says of the frame's length and reads as far, so it is compared first.

    Raises
    ------
    FormatError
        If it cannot be decoded, or is shorter or longer than it says.
    """
    frame = read_frame(data)
    if frame is None or frame.stored != len(data):
        raise FormatError("chunk", "cannot be decoded: it is no whole Blosc frame.")
    try:
        return bytes(blosc.decompress(data))
    except (RuntimeError, ValueError, TypeError) as error:
        raise FormatError("chunk", f"cannot be decoded: {error}.") from error
