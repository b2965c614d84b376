"""Make a block of voxels coarser: true means, majorities and modes, borders included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Triple = tuple[int, int, int]
Method = Literal["mean", "majority", "mode"]
Array = npt.NDArray[Any]

CACHED = 1 << 20
"""Bytes of float32 that are halved at a time: they stay in the processor's cache."""

HALF = 0.5 - 1e-6
"""A fraction of exactly one half may come out a rounding error below it."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many voxels of level 0 stand behind the voxels of a block; everything in order ``(z, y, x)``."""

    step: Triple
    """1 or 2: how many voxels become one along each axis."""

    full: Triple
    """Voxels of level 0 behind one voxel of the block."""

    last: Triple
    """The same for the last voxel along each axis, which may reach over the border."""


def coverage(shape: Triple, full: Triple, stop: Triple, step: Triple) -> Coverage:
    """Say what stands behind a block that ends before voxel ``stop`` of its level; ``shape`` is that of level 0."""
    z, y, x = (min(f, n - (e - 1) * f) for n, f, e in zip(shape, full, stop, strict=True))
    return Coverage(step, full, (z, y, x))


def halve(block: Array, cover: Coverage, *, method: Method) -> Array:
    """Make a block coarser by ``cover.step``.

    Parameters
    ----------
    block
        Shape ``(z, y, x)``. For ``mean`` and ``majority`` values of level 0 or float32 from a call before; for ``mode``
        integer labels.

    Returns
    -------
    Array
        Shape ``ceil(n / step)``. ``mean`` and ``majority``: float32 means weighted by coverage, so that after any
        number of calls each is the mean of all voxels of level 0 behind it (in single precision). ``mode``: the
        commonest of the labels in the block, of equally common ones the largest.
    """
    if method == "mode":
        return _mode(block, cover.step)
    out = np.empty(_coarse(block.shape, cover.step), np.float32)
    planes = max(1, CACHED // max(1, block[0].size * 4 * cover.step[0]))
    for start in range(0, len(out), planes):
        stop = min(start + planes, len(out))
        part: Array = block[start * cover.step[0] : stop * cover.step[0]].astype(np.float32, copy=False)
        for axis in range(3):
            at_end = axis > 0 or stop == len(out)
            if cover.step[axis] == 2:
                part = _pairs(part, axis, cover.full[axis], cover.last[axis] if at_end else cover.full[axis])
        out[start:stop] = part
    return out


def finished(values: Array, method: Method, dtype: np.dtype[Any]) -> Array:
    """Turn what ``halve`` carries from level to level into what is stored: rounded, or 1 from one half on."""
    if method == "majority":
        return (values >= HALF).astype(dtype)
    if method == "mean" and dtype.kind in "iu" and values.dtype.kind == "f":
        return np.rint(values).astype(dtype)
    return values.astype(dtype, copy=False)


def _pairs(block: Array, axis: int, full: int, last: int) -> Array:
    """Average neighbours along one axis; a voxel without neighbour stays."""
    block = np.moveaxis(block, axis, 0)
    count = len(block) // 2
    first, second = block[: 2 * count : 2], block[1 : 2 * count : 2]
    out = np.moveaxis(np.empty(_coarse(np.moveaxis(block, 0, axis).shape, _one(axis)), np.float32), axis, 0)
    np.add(first, second, out=out[:count])
    out[:count] *= np.float32(0.5)
    if len(block) % 2:
        out[count] = block[-1]
    elif full != last:
        out[count - 1] = (first[-1] * np.float32(full) + second[-1] * np.float32(last)) / np.float32(full + last)
    return np.moveaxis(out, 0, axis)


def _mode(block: Array, step: Triple) -> Array:
    """Take the commonest of up to eight labels; a border voxel stands in for the neighbour that it lacks."""
    odd = [(0, -n % f) for n, f in zip(block.shape, step, strict=True)]
    if any(after for _, after in odd):
        block = np.pad(block, odd, mode="edge")
    corners = [
        block[k :: step[0], j :: step[1], i :: step[2]]
        for k in range(step[0])
        for j in range(step[1])
        for i in range(step[2])
    ]
    best = np.ascontiguousarray(corners[0])
    mixed = best != corners[1] if len(corners) > 1 else np.zeros(best.shape, bool)
    for corner in corners[2:]:
        mixed |= best != corner
    if mixed.any():
        best[mixed] = _commonest(np.stack([corner[mixed] for corner in corners]))
    return best


def _commonest(labels: Array) -> Array:
    """Take the commonest label of each column, of equally common ones the largest."""
    ordered = np.sort(labels, axis=0)
    best: Array = ordered[-1].copy()
    for run in range(2, len(ordered) + 1):
        for start in range(len(ordered) - run + 1):
            same = ordered[start] == ordered[start + run - 1]
            best[same] = ordered[start][same]
    return best


def _coarse(shape: tuple[int, ...], step: Triple) -> Triple:
    """Shape after one step."""
    z, y, x = (-(-n // f) for n, f in zip(shape, step, strict=True))
    return z, y, x


def _one(axis: int) -> Triple:
    """Step of 2 along one axis alone."""
    return (2 if axis == 0 else 1, 2 if axis == 1 else 1, 2 if axis == 2 else 1)
