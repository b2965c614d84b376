"""The coarsest level of a volume, read whole: small enough to measure while somebody waits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tomotheca.errors import FormatError, NotFoundError, TomothecaError
from tomotheca.formats import contrast
from tomotheca.formats.omezarr import grid as zarr

if TYPE_CHECKING:
    import numpy.typing as npt

    from tomotheca.web.page import Asked

    Array = npt.NDArray[Any]

MOST = 16 << 20
"""Decoded bytes of a level that is read."""

EDGE = 64
"""Voxels along the longest edge of what is kept of a mask."""


def read(asked: Asked, key: str) -> Array | None:
    """Read the coarsest level of the image in an array directory, ``(z, y, x)``; None where it cannot be."""
    files = asked.portal.files
    if files is None:
        return None

    def first(folder: str, names: tuple[str, ...]) -> bytes:
        for name in names[:-1]:
            try:
                return files.read_bytes(folder + name)
            except NotFoundError:
                continue
        return files.read_bytes(folder + names[-1])

    try:
        path = zarr.read_levels(first(key, zarr.GROUPS))[-1]
        grid = zarr.read_grid(path, first(f"{key}{path}/", zarr.ARRAYS))
        if math.prod(grid.shape) * grid.dtype.itemsize > MOST or grid.chunk_bytes > MOST:
            return None
        out = np.full(grid.shape, grid.fill, grid.dtype.newbyteorder("="))
        for index in np.ndindex(*(-(-n // c) for n, c in zip(grid.shape, grid.chunks, strict=True))):
            where = (index[0], index[1], index[2])
            try:
                chunk = grid.decoded(files.read_bytes(key + grid.key(where)))
            except NotFoundError:
                continue
            place = tuple(
                slice(i * c, min((i + 1) * c, n)) for i, c, n in zip(where, grid.chunks, grid.shape, strict=True)
            )
            out[place] = chunk[tuple(slice(0, p.stop - p.start) for p in place)]
    except (FormatError, TomothecaError, OSError):
        return None
    return out


def ends(asked: Asked, key: str) -> contrast.Range | None:
    """Give what becomes black and white of a volume that was not measured at ingest; None where it cannot be read."""

    def answer() -> contrast.Range | None:
        values = read(asked, key)
        low, high = (0.0, 0.0) if values is None else contrast.percentiles(values)
        return (low, high) if high > low else None

    return asked.portal.memory.get(("ends", key, asked.version), answer)


def mask(asked: Asked, key: str) -> Array | None:
    """Give where a mask is set, ``(z, y, x)``, thinned out to a small size; None where it cannot be read."""

    def answer() -> tuple[tuple[int, ...], bytes] | None:
        values = read(asked, key)
        if values is None:
            return None
        step = -(-max(values.shape) // EDGE)
        there = values[::step, ::step, ::step] > 0
        return there.shape, np.packbits(there).tobytes()

    kept = asked.portal.memory.get(("mask", key, asked.version), answer)
    if kept is None:
        return None
    shape, packed = kept
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=math.prod(shape)).reshape(shape).astype(bool)
