"""Files of several chunks (Zarr v3, ``sharding_indexed``): the chunks one after the other, and an index that says where each begins.

Source: https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/index.html. The index has two 64-bit numbers for each chunk in C
order, where it begins and how many bytes it has, both at their highest for a chunk that is not stored, and a CRC32C of them behind it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numcodecs.checksum32 import CRC32C

from tomotheca.errors import FormatError

if TYPE_CHECKING:
    from tomotheca.formats.omezarr.levels import Triple

MISSING = (1 << 64) - 1
MOST = 1 << 16
"""Chunks that a shard has at most: its index is read as a whole."""

PLACE, CHECKSUM = 16, 4
"""Bytes of the index for each chunk, and of its checksum."""

Place = tuple[int, int]
"""First byte of a chunk in its file, and the one behind its last."""


@dataclass(frozen=True, slots=True)
class Shard:
    """How the files of an array hold its chunks."""

    counts: Triple
    """Chunks along z, y and x."""

    at_end: bool = True
    """Whether the index follows the chunks, or stands before them."""

    checked: bool = True
    """Whether a checksum follows the index."""

    @property
    def index_bytes(self) -> int:
        """Bytes of the index."""
        return PLACE * math.prod(self.counts) + CHECKSUM * self.checked

    def file_of(self, chunk: Triple) -> Triple:
        """Give the file that a chunk of the array is in."""
        z, y, x = (i // n for i, n in zip(chunk, self.counts, strict=True))
        return z, y, x

    def number_of(self, chunk: Triple) -> int:
        """Give the number of a chunk of the array in its file."""
        z, y, x = (i % n for i, n in zip(chunk, self.counts, strict=True))
        return (z * self.counts[1] + y) * self.counts[2] + x

    def index_in(self, size: int) -> Place:
        """Give where the index of a file of so many bytes is.

        Raises
        ------
        FormatError
            If the file is too short to have one.
        """
        if size < self.index_bytes:
            raise FormatError("shard", f"has {size} bytes, fewer than its index: the image is damaged.")
        return (size - self.index_bytes, size) if self.at_end else (0, self.index_bytes)

    def places(self, index: bytes, size: int) -> tuple[Place | None, ...]:
        """Read an index: where each chunk is in a file of so many bytes, in C order; None for one that is not stored.

        Raises
        ------
        FormatError
            If the checksum is wrong, or a chunk lies outside the file.
        """
        try:
            plain = bytes(CRC32C().decode(index)) if self.checked else index
        except (RuntimeError, ValueError) as error:
            raise FormatError("shard", "has an index that was changed: the image is damaged.") from error
        numbers = np.frombuffer(plain, "<u8").tolist()
        found: list[Place | None] = []
        for begin, length in zip(numbers[::2], numbers[1::2], strict=True):
            if (begin, length) == (MISSING, MISSING):
                found.append(None)
            elif begin + length > size:
                raise FormatError("shard", "has an index that leads out of it: the image is damaged.")
            else:
                found.append((begin, begin + length))
        return tuple(found)


def check_count(count: int) -> None:
    """Raise ValueError if a shard would have more chunks than any has."""
    if count > MOST:
        message = f"its files hold {count} chunks each, more than {MOST} are not read"
        raise ValueError(message)


def pack(chunks: Iterable[bytes | None]) -> bytes:
    """Make a file of chunks, given in C order, with the index at its end; None is a chunk that is not stored."""
    given = list(chunks)
    ends = [0, *itertools.accumulate(len(chunk or b"") for chunk in given)]
    places = [(MISSING, MISSING) if chunk is None else (at, len(chunk)) for at, chunk in zip(ends, given, strict=False)]
    return b"".join([*filter(None, given), CRC32C().encode(np.array(places, "<u8"))])
