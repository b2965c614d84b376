"""Planes of volumes wherever their bytes lie: only the chunks that a plane goes through, and of those only the blocks that hold it.

A chunk is a file, or a part of one (`Piece`), where the index of the file says which.
"""

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
    from tomotheca.formats.omezarr.shards import Place

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
INDEXED = 16 << 20
"""Bytes of indices of files that hold several chunks."""

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


@dataclass(frozen=True, slots=True)
class Piece:
    """Where the bytes of a chunk are."""

    file: FileRow
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.stop - self.start

    @property
    def name(self) -> tuple[str, str, int]:
        """Tell it from every other, and from what was there before."""
        return self.file.key, self.file.etag, self.start


class Planes:
    """Reads planes for one server process; everything it keeps is bounded."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="slices")
        self._grids: Kept[tuple[Grid, ...]] = Kept(MOST_VOLUMES)
        self._decoded: Kept[Array | bytes] = Kept(DECODED_BYTES)
        self._indices: Kept[tuple[Place | None, ...]] = Kept(INDEXED)

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
            pieces = await self._pieces(volume, grid, batch)
            parts = await asyncio.gather(*(self._part(grid, piece, (axis, index)) for piece in pieces))
            for where, part in zip(batch, parts, strict=True):
                if part is not None:
                    _place(out, part, grid, where, axis)
        return out if axis <= 1 else out.T

    async def _pieces(self, volume: Volume, grid: Grid, chunks: Sequence[Triple]) -> list[Piece | None]:
        """Find chunks; None for one that is not stored. The index of a file is read once, however many of its chunks are wanted."""
        keys = [volume.key + grid.key(where) for where in chunks]
        names = list(dict.fromkeys(keys))
        found = await asyncio.gather(*(self._file(grid, name, volume.viewer) for name in names))
        known = dict(zip(names, found, strict=True))
        pieces: list[Piece | None] = []
        for where, key in zip(chunks, keys, strict=True):
            file, places = known[key]
            place = places[grid.shard.number_of(where) if grid.shard else 0] if file else None
            pieces.append(Piece(file, *place) if file and place else None)
        return pieces

    async def _file(self, grid: Grid, key: str, viewer: Viewer) -> tuple[FileRow | None, Sequence[Place | None]]:
        """Find a file of an image, and where its chunks are in it."""
        try:
            file = await self.portal.lookup.find(key, viewer)
        except NotFoundError:
            return None, ()
        if grid.shard is None:
            return file, [(0, file.size)]
        name = (file.key, file.etag)
        places = self._indices.get(name)
        if places is None:
            index = await self.bytes_of(file, *grid.shard.index_in(file.size))
            places = self._indices.keep(name, grid.shard.places(index, file.size), grid.shard.index_bytes)
        return file, places

    async def _part(self, grid: Grid, piece: Piece | None, cut: tuple[int, int]) -> Array | None:
        """Give what a plane cuts out of a chunk; None for one that is not stored."""
        if piece is None:
            return None
        axis, offset = cut[0], cut[1] % grid.chunks[cut[0]]
        if _in_sections(grid, axis):
            return await self._section(grid, piece, offset)
        chunk = self._decoded.get(piece.name)
        if chunk is None:
            if piece.size > grid.most_bytes:
                raise FormatError(piece.file.key, "has a chunk that is too long: the image is damaged.")
            data = await self._read(piece, 0, piece.size)
            chunk = await self.run(lambda: grid.decoded(data))
            self._decoded.keep(piece.name, chunk, grid.chunk_bytes)
        assert isinstance(chunk, np.ndarray)
        part: Array = np.take(chunk, offset, axis)
        return part

    async def _read(self, piece: Piece, start: int, stop: int) -> bytes:
        """Read a part of a chunk as it is stored."""
        return await self.bytes_of(piece.file, piece.start + start, piece.start + stop)

    async def _section(self, grid: Grid, piece: Piece, offset: int) -> Array:
        """Give one section of a chunk without reading the others."""
        section = grid.chunk_bytes // grid.chunks[0]
        start, stop = offset * section, (offset + 1) * section
        if grid.codec is None:
            return _shaped(grid, await self._read(piece, start, stop) if stop <= piece.size else b"")
        probe = await self._read(piece, 0, min(PROBE, piece.size))
        frame = blosc.read_frame(probe)
        if frame is None or frame.size != grid.chunk_bytes or frame.stored != piece.size:
            raise FormatError(piece.file.key, "is a chunk that cannot be decoded: the image is damaged.")
        if frame.is_plain:
            return _shaped(grid, await self._read(piece, blosc.HEADER.size + start, blosc.HEADER.size + stop))
        wanted = frame.covering(start, stop)
        name = (*piece.name, wanted.start, wanted.stop)
        data = self._decoded.get(name)
        if data is None:
            data = await self._blocks(piece, (frame, probe), wanted)
            self._decoded.keep(name, data, len(data))
        assert isinstance(data, bytes)
        first = wanted.start * frame.block
        return _shaped(grid, data[start - first : stop - first])

    async def _blocks(self, piece: Piece, head: tuple[blosc.Frame, bytes], wanted: range) -> bytes:
        frame, probe = head
        start, stop = frame.places
        places = probe[start:stop] if stop <= len(probe) else await self._read(piece, start, stop)
        parts = {}
        for i, (a, b) in blosc.stretches(frame, places, wanted).items():
            parts[i] = probe[a:b] if b <= len(probe) else await self._read(piece, a, b)
        return await self.run(lambda: blosc.decode_blocks(frame, wanted, parts))


def _in_sections(grid: Grid, axis: int) -> bool:
    """Whether a section can be read without the rest of its chunk."""
    return axis == 0 and grid.order == "C" and (grid.codec is None or grid.is_blosc)


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
