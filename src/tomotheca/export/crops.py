"""Boxes of volumes as MRC files that are made while they are sent.

A box is given in voxels of level 0, from the first voxel to the one behind the last, ``x0:x1,y0:y1,z0:z1``. At a coarser level it is the
box of all voxels that touch it. The header's origin is the centre of the first voxel in Å, counted from the centre of the first voxel of
level 0 (voxel centres are at whole indices): ``translation of the level + index * spacing of the level``.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from tomotheca.errors import QueryError
from tomotheca.formats.mrc.header import HEADER_BYTES
from tomotheca.formats.mrc.writer import Layout, storable, streamed_header
from tomotheca.store.sources import AT_ONCE

if TYPE_CHECKING:
    from tomotheca.export.volumes import Level, Triple, Vector, Volume
    from tomotheca.formats.mrc.reader import Box as Slices

SPAN = re.compile(r"\s*(\d{1,7})\s*:\s*(\d{1,7})\s*")
BLOCK = 64 << 20
"""Bytes of voxels that are in memory for one answer."""


@dataclass(frozen=True, slots=True)
class Box:
    """Voxels from ``start`` to the one behind the last, ``stop``; x, y, z."""

    start: Triple
    stop: Triple

    @property
    def size(self) -> Triple:
        """Voxels along each axis."""
        x, y, z = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return x, y, z

    def __str__(self) -> str:
        return ",".join(f"{a}:{b}" for a, b in zip(self.start, self.stop, strict=True))


def parse_box(text: str, size: Triple) -> Box:
    """Read a box inside a volume of a size; without a text it is the whole volume.

    Raises
    ------
    QueryError
        If it is none, or lies outside.
    """
    if not text.strip():
        return Box((0, 0, 0), size)
    found = [SPAN.fullmatch(part) for part in text.split(",")]
    spans = [(int(m[1]), int(m[2])) for m in found if m]
    if len(spans) != len(size) or len(found) != len(size):
        message = f"box: {text[:60]!r} is none; write x, y and z like 100:228,0:128,40:168"
        raise QueryError(message)
    for axis, (a, b), n in zip("xyz", spans, size, strict=True):
        if not a < b <= n:
            message = f"box: {axis} {a}:{b} is not inside 0:{n}, from the first voxel to the one behind the last"
            raise QueryError(message)
    x, y, z = spans
    return Box((x[0], y[0], z[0]), (x[1], y[1], z[1]))


@dataclass(frozen=True)
class Crop:
    """A box of one level as an MRC file; a `Source` of its bytes."""

    volume: Volume
    level: Level
    asked: Box
    """In voxels of level 0."""

    labels: tuple[str, ...] = ()

    @cached_property
    def box(self) -> Box:
        """The box in voxels of the level."""
        full, own = self.volume.levels[0].size, self.level.size
        factors = [max(1, round(self.level.spacing[i] / self.volume.levels[0].spacing[i])) for i in range(3)]
        start = [min(a // f, n - 1) for a, f, n in zip(self.asked.start, factors, own, strict=True)]
        stop = [
            n if b == whole else min(-(-b // f), n)
            for b, f, n, whole in zip(self.asked.stop, factors, own, full, strict=True)
        ]
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))

    @cached_property
    def origin(self) -> Vector:
        """Centre of the first voxel in Å, x, y, z."""
        x, y, z = (
            float(f"{o + a * s:.9g}")
            for o, a, s in zip(self.level.origin, self.box.start, self.level.spacing, strict=True)
        )
        return x, y, z

    @cached_property
    def layout(self) -> Layout:
        """What the MRC file holds."""
        x, y, z = self.box.size
        labels = (*self.labels, f"Level {self.level.number}; box in voxels of level 0, x, y, z: {self.asked}")
        labels = (*labels, "Origin: A from the centre of level 0's first voxel; voxel centres at whole indices")
        return Layout(
            shape=(z, y, x), dtype=storable(self.level.dtype).newbyteorder("<"), voxel_size=self.level.spacing,
            origin=self.origin, labels=labels,
        )  # fmt: skip

    @cached_property
    def size(self) -> int:
        """Bytes of the file."""
        return HEADER_BYTES + math.prod(self.box.size) * self.layout.dtype.itemsize

    @cached_property
    def tag(self) -> str:
        """Digest of everything that the bytes depend on."""
        return sha256(f"{self.volume.tag} {self.level} {self.asked} {self.layout}".encode()).hexdigest()

    def sha256(self) -> str:
        """Give the digest of the file; every voxel is read for it."""
        made = sha256(streamed_header(self.layout))
        for _, slices in self._blocks(0, self.size):
            made.update(self._block(slices))
        return made.hexdigest()

    def path(self, size: int) -> None:
        """Give nothing: there is no such file."""

    async def read(self, start: int, stop: int) -> bytes:
        """Give the bytes from `start` to `stop`."""
        return b"".join([piece async for piece in self.stream(start, stop)])

    async def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give them in pieces; a block of voxels is in memory at a time."""
        if start < HEADER_BYTES:
            yield streamed_header(self.layout)[start:stop]
        for at, slices in self._blocks(start, stop):
            data = await asyncio.to_thread(self._block, slices)
            for piece in range(max(0, start - at), min(len(data), stop - at), AT_ONCE):
                yield bytes(data[piece : min(piece + AT_ONCE, stop - at)])

    def _block(self, slices: Slices) -> memoryview:
        values = self.volume.read(self.level.number, slices)
        return np.ascontiguousarray(values, self.layout.dtype).reshape(-1).view(np.uint8).data

    def _blocks(self, start: int, stop: int) -> Iterator[tuple[int, Slices]]:
        """Give the blocks that a range of bytes touches, each with the place of its first byte."""
        nx, ny, nz = self.box.size
        line = nx * self.layout.dtype.itemsize
        rows = max(1, min(ny, BLOCK // line))
        depth = max(1, min(self.volume.depth(self.level.number), BLOCK // (line * ny))) if rows == ny else 1
        x, y, z = self.box.start
        done = HEADER_BYTES
        for plane in range(0, nz, depth):
            thick = min(depth, nz - plane)
            for row in range(0, ny, rows):
                high = min(rows, ny - row)
                length = thick * high * line
                if done < stop and done + length > start:
                    yield done, (slice(z + plane, z + plane + thick), slice(y + row, y + row + high), slice(x, x + nx))
                done += length
