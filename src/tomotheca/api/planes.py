"""Planes of volumes wherever their bytes lie: only the chunks that a plane goes through, and of those only the blocks that hold it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from tomotheca.api.blob import blob_of
from tomotheca.errors import FormatError, NotFoundError
from tomotheca.formats import blosc
from tomotheca.formats.omezarr import grid as zarr

if TYPE_CHECKING:
    from tomotheca.api.portal import Portal
    from tomotheca.catalog.files import FileRow
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.formats.omezarr.grid import Grid
    from tomotheca.formats.omezarr.levels import Triple

Array = npt.NDArray[Any]
T = TypeVar("T")

PROBE = 4096
"""Bytes read first of a chunk: its header, and where its blocks are."""

MOST_DOCUMENT = 1 << 20
AT_ONCE = 8
IN_FLIGHT = 64 << 20
"""Chunks, and bytes of whole ones, that are fetched together; they are decoded before the next are fetched, so that memory stays bounded."""

WORKERS = 2
DECODED_BYTES = 64 << 20
MOST_VOLUMES = 256


class Kept(Generic[T]):
    """The last few things of a sort, up to so many bytes."""

    def __init__(self, most: int) -> None:
        self.most, self.size = most, 0
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """Give what is kept under a key."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: Hashable, value: T, size: int) -> T:
        """Keep something; the least recently used make room."""
        if size <= self.most // 2:
            self.size += size - self._kept.pop(key, (value, 0))[1]
            self._kept[key] = value, size
            while self.size > self.most:
                self.size -= self._kept.popitem(last=False)[1][1]
        return value


@dataclass(frozen=True)
class Volume:
    """An OME-Zarr image of the archive."""

    key: str
    """Of its directory, with the slash at the end."""

    etag: str
    viewer: Viewer
    levels: tuple[Grid, ...]


class Planes:
    """Reads planes for one server process; everything it keeps is bounded."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="slices")
        self._grids: Kept[tuple[Grid, ...]] = Kept(MOST_VOLUMES)
        self._decoded: Kept[Array | bytes] = Kept(DECODED_BYTES)

    async def run(self, work: Callable[[], T]) -> T:
        """Do work of the processor beside the event loop, at most two at a time."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)

    async def open(self, key: str, etag: str, viewer: Viewer) -> Volume:
        """Read what an image says of itself.

        Raises
        ------
        FormatError
            If it cannot be shown.
        NotFoundError
            If it has no such documents.
        """
        grids = self._grids.get((key, etag))
        if grids is None:
            text = await self._document(key, zarr.GROUPS, viewer)
            found = [
                zarr.read_grid(path, await self._document(f"{key}{path}/", zarr.ARRAYS, viewer))
                for path in zarr.read_levels(text)
            ]
            grids = self._grids.keep((key, etag), tuple(found), 1)
        return Volume(key, etag, viewer, grids)

    async def _document(self, folder: str, names: Sequence[str], viewer: Viewer) -> bytes:
        for name in names:
            try:
                file = await self.portal.lookup.find(folder + name, viewer)
            except NotFoundError:
                continue
            return await self.bytes_of(file, 0, min(file.size, MOST_DOCUMENT))
        message = f"{folder} is no image that can be shown."
        raise NotFoundError(message)

    async def bytes_of(self, file: FileRow, start: int, stop: int) -> bytes:
        """Read a part of a file of the archive."""
        return await (await blob_of(file, self.portal.files)).source.read(start, stop)

    async def plane(self, volume: Volume, level: int, axis: int, index: int) -> Array:
        """Read a plane: ``(y, x)`` across z, ``(z, x)`` across y, ``(y, z)`` across x.

        Parameters
        ----------
        axis
            0 for z, 1 for y, 2 for x.
        index
            Of the plane in this level.
        """
        grid = volume.levels[level]
        out = np.full([n for a, n in enumerate(grid.shape) if a != axis], grid.fill, grid.dtype.newbyteorder("="))
        touched = list(grid.touched(axis, index))
        many = AT_ONCE if _in_sections(grid, axis) else max(1, min(AT_ONCE, IN_FLIGHT // (2 * grid.chunk_bytes)))
        for start in range(0, len(touched), many):
            batch = touched[start : start + many]
            parts = await asyncio.gather(*(self._part(volume, grid, where, (axis, index)) for where in batch))
            for where, part in zip(batch, parts, strict=True):
                if part is not None:
                    _place(out, part, grid, where, axis)
        return out if axis <= 1 else out.T

    async def _part(self, volume: Volume, grid: Grid, where: Triple, cut: tuple[int, int]) -> Array | None:
        """Give what a plane cuts out of a chunk; None for one that is not stored."""
        axis, offset = cut[0], cut[1] % grid.chunks[cut[0]]
        try:
            file = await self.portal.lookup.find(volume.key + grid.key(where), volume.viewer)
        except NotFoundError:
            return None
        if _in_sections(grid, axis):
            return await self._section(grid, file, offset)
        name = (file.key, file.etag)
        chunk = self._decoded.get(name)
        if chunk is None:
            data = await self.bytes_of(file, 0, file.size)
            chunk = await self.run(lambda: _checked(grid, data))
            self._decoded.keep(name, chunk, grid.chunk_bytes)
        assert isinstance(chunk, np.ndarray)
        part: Array = np.take(chunk, offset, axis)
        return part

    async def _section(self, grid: Grid, file: FileRow, offset: int) -> Array:
        """Give one section of a chunk without reading the others."""
        section = grid.chunk_bytes // grid.chunks[0]
        start, stop = offset * section, (offset + 1) * section
        if grid.codec is None:
            return _shaped(grid, await self.bytes_of(file, start, stop))
        probe = await self.bytes_of(file, 0, min(PROBE, file.size))
        frame = blosc.read_frame(probe)
        if frame is None or frame.size != grid.chunk_bytes or frame.stored != file.size:
            raise FormatError(file.key, "is a chunk that cannot be decoded: the image is damaged.")
        if frame.is_plain:
            return _shaped(grid, await self.bytes_of(file, blosc.HEADER.size + start, blosc.HEADER.size + stop))
        wanted = frame.covering(start, stop)
        name = (file.key, file.etag, wanted.start, wanted.stop)
        data = self._decoded.get(name)
        if data is None:
            data = await self._blocks(file, (frame, probe), wanted)
            self._decoded.keep(name, data, len(data))
        assert isinstance(data, bytes)
        first = wanted.start * frame.block
        return _shaped(grid, data[start - first : stop - first])

    async def _blocks(self, file: FileRow, head: tuple[blosc.Frame, bytes], wanted: range) -> bytes:
        frame, probe = head
        start, stop = frame.places
        places = probe[start:stop] if stop <= len(probe) else await self.bytes_of(file, start, stop)
        parts = {}
        for i, (a, b) in blosc.stretches(frame, places, wanted).items():
            parts[i] = probe[a:b] if b <= len(probe) else await self.bytes_of(file, a, b)
        return await self.run(lambda: blosc.decode_blocks(frame, wanted, parts))


def _in_sections(grid: Grid, axis: int) -> bool:
    """Whether a section can be read without the rest of its chunk."""
    return axis == 0 and grid.order == "C" and (grid.codec is None or grid.is_blosc)


def _checked(grid: Grid, data: bytes) -> Array:
    """Decode a chunk that says it has the size it should have."""
    frame = blosc.read_frame(data) if grid.is_blosc else None
    if grid.is_blosc and (frame is None or frame.size != grid.chunk_bytes):
        raise FormatError(grid.path, "has a chunk that cannot be decoded: the image is damaged.")
    return grid.decoded(data)


def _shaped(grid: Grid, data: bytes) -> Array:
    if len(data) != grid.chunk_bytes // grid.chunks[0]:
        raise FormatError(grid.path, "has a chunk that is too short: the image is damaged.")
    return np.frombuffer(data, grid.dtype).reshape(grid.chunks[1:])


def _place(out: Array, part: Array, grid: Grid, where: Triple, axis: int) -> None:
    """Copy what was cut out of a chunk to its place in the plane; chunks reach over the far borders."""
    rows, columns = (a for a in range(3) if a != axis)
    top, left = where[rows] * grid.chunks[rows], where[columns] * grid.chunks[columns]
    target = out[top : top + part.shape[0], left : left + part.shape[1]]
    target[...] = part[: target.shape[0], : target.shape[1]]
