"""A volume seen with another number of voxels: local means, or the nearest voxel, box by box."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tomotheca.errors import Finding

Triple = tuple[int, int, int]
Vector = tuple[float, float, float]
Box = tuple[slice, slice, slice]
Array = npt.NDArray[Any]

PIECE = 64 << 20
"""Bytes of the source that are read at a time, about."""

TINY = 1e-9
"""Shares below this are rounding errors of the edges."""

MOST = 32
"""How many times more or fewer voxels an edge may have: beyond it two sizes are hardly of one volume."""


class Readable(Protocol):
    """What can be read in boxes, such as an MRC file or an OME-Zarr image."""

    path: Path
    shape: Triple
    dtype: np.dtype[Any]
    voxel_size: Vector
    notes: tuple[Finding, ...]

    def read(self, box: Box, *, out: memoryview | None = None) -> Array:
        """Read a box ``(z, y, x)``."""

    def close(self) -> None:
        """Close the file."""


class Resampled:
    """A volume that is read with another number of voxels over the same extent.

    The outer faces of the first and the last voxel of both grids lie on each other: voxel *i* of *n* covers the part from
    ``i / n`` to ``(i + 1) / n`` of an edge. ``shape`` is ``(z, y, x)``, ``voxel_size`` in Å, order ``(x, y, z)``.
    """

    def __init__(self, source: Readable, shape: Triple) -> None:
        self.source, self.shape, self.path = source, shape, source.path
        self.dtype = source.dtype
        x, y, z = (
            size * old / new for size, old, new in zip(source.voxel_size, source.shape[::-1], shape[::-1], strict=True)
        )
        self.voxel_size: Vector = (x, y, z)
        old, new = (" x ".join(str(n) for n in reversed(size)) for size in (source.shape, shape))
        self.notes = (*source.notes, Finding("note", str(source.path), f"Rescaled from {old} to {new} voxels."))

    def close(self) -> None:
        """Close the source."""
        self.source.close()

    def read(self, box: Box, *, out: memoryview | None = None) -> Array:
        """Read one box: slices in order z, y, x; the result is ``(z, y, x)``, C order, native.

        Raises
        ------
        FormatError
            As the source does.
        """
        result: Array = np.empty([part.stop - part.start for part in box], self.dtype)
        for piece in self._pieces(box):
            at = tuple(slice(p.start - b.start, p.stop - b.start) for p, b in zip(piece, box, strict=True))
            result[at] = self._resample(piece)
        return result

    def _pieces(self, box: Box) -> Iterator[Box]:
        """Cut a box along z, then y, then x, until what it needs of the source is small."""
        needed = math.prod(part.stop - part.start for part in self._behind(box)) * max(4, self.source.dtype.itemsize)
        axis = next((a for a, part in enumerate(box) if part.stop - part.start > 1), None)
        if needed <= PIECE or axis is None:
            yield box
            return
        part = box[axis]
        middle = (part.start + part.stop) // 2
        for half in (slice(part.start, middle), slice(middle, part.stop)):
            z, y, x = (half if a == axis else p for a, p in enumerate(box))
            yield from self._pieces((z, y, x))

    def _behind(self, box: Box) -> Box:
        """Give the voxels of the source behind a box."""
        z, y, x = (
            slice(part.start * old // new, min(old, -(-part.stop * old // new)))
            for part, old, new in zip(box, self.source.shape, self.shape, strict=True)
        )
        return z, y, x

    def _resample(self, box: Box) -> Array:
        """Take the voxel of the source in which the middle of each voxel lies; on a face between two, the later one."""
        behind = self._behind(box)
        picked = [
            (2 * np.arange(part.start, part.stop) + 1) * old // (2 * new) - b.start
            for part, b, old, new in zip(box, behind, self.source.shape, self.shape, strict=True)
        ]
        return self.source.read(behind)[np.ix_(*picked)]


class LocalMean(Resampled):
    """A volume whose voxels are the means of what they cover of the source's; float32.

    A voxel that is covered in part counts by that part, as in ``skimage.transform.resize_local_mean``.

    Parameters
    ----------
    label
        Take the mean not of the values but of where they have this one: the share of each voxel that the label covers.
    """

    def __init__(self, source: Readable, shape: Triple, *, label: int | None = None) -> None:
        super().__init__(source, shape)
        self.label = label
        self.dtype = np.dtype(np.float32)

    def _resample(self, box: Box) -> Array:
        behind = self._behind(box)
        values = self.source.read(behind)
        means: Array = values if self.label is None else values == self.label
        for axis, (part, b) in enumerate(zip(box, behind, strict=True)):
            means = _mean(means, axis, *_shares(part, b, self.source.shape[axis] / self.shape[axis]))
        return means


def _shares(part: slice, behind: slice, step: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Say which voxels of the source each voxel of a part covers, and the share of each; both ``(k, n)``, shares add up to 1."""
    edges = np.arange(part.start, part.stop + 1) * step
    covered = np.floor(edges[:-1]).astype(np.intp) + np.arange(math.ceil(step) + 1)[:, None]
    overlap = np.maximum(np.minimum(edges[1:], covered + 1) - np.maximum(edges[:-1], covered), 0)
    overlap[covered >= behind.stop] = 0
    rows = (overlap > TINY).any(axis=1)
    shares = (overlap / overlap.sum(axis=0))[rows]
    return np.clip(covered[rows] - behind.start, 0, behind.stop - behind.start - 1), shares.astype(np.float32)


def _mean(block: Array, axis: int, covered: npt.NDArray[np.intp], shares: npt.NDArray[np.float32]) -> Array:
    """Take the weighted mean of the voxels covered along one axis; float32."""
    form = [-1 if a == axis else 1 for a in range(3)]
    total: Array | None = None
    for rows, share in zip(covered, shares, strict=True):
        part = np.take(block, rows, axis=axis) * share.reshape(form)
        total = (
            part.astype(np.float32, copy=False)
            if total is None
            else np.add(total, part, out=total, casting="same_kind")
        )
    assert total is not None  # every voxel covers something
    return total
