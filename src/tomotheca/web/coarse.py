"""The coarsest level of a volume, read whole: small enough to measure while somebody waits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tomotheca.errors import TomothecaError
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

    try:
        path = zarr.read_levels(zarr.read_first(files.read_bytes, key, zarr.GROUPS))[-1]
        grid = zarr.read_grid(path, zarr.read_first(files.read_bytes, f"{key}{path}/", zarr.ARRAYS))
        if math.prod(grid.shape) * grid.dtype.itemsize > MOST or grid.chunk_bytes > MOST:
            return None
        return zarr.read_whole(grid, lambda name: files.read_bytes(key + name))
    except (TomothecaError, OSError):
        return None


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
