"""The spatial index: grids of cells, each finer than the one before, over which annotations are dealt out.

A coarse level holds few of all annotations, evenly thinned; what it does not hold is in a finer one. Each annotation is in one level alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LIMIT = 20_000
"""Annotations of one cell."""

MOST_LEVELS = 9
"""The last level takes whatever is left, so that many annotations in one place come to an end."""

AT_A_TIME = 1 << 17
"""Lines that are looked at together."""

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Box:
    """What the grids cover, x, y, z in voxels."""

    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Level:
    """One grid and what its cells hold."""

    shape: Rows
    """Cells along x, y and z."""

    chunk: Floats
    """Size of a cell in voxels, x, y, z."""

    cells: Rows
    """``(m, 3)``: the cell of each annotation that the level holds, x, y, z; those of one cell stand together, ordered by code."""

    rows: Rows
    """``(m,)``: which annotation it is; in random order within a cell. A line is there once for each cell that it touches."""

    codes: npt.NDArray[np.uint64]
    """``(m,)``: compressed Morton code of the cell."""


def levels(box: Box, starts: Floats, ends: Floats | None = None, *, limit: int = LIMIT) -> Iterator[Level]:
    """Deal annotations out over levels of a grid, coarse to fine.

    Parameters
    ----------
    box
        All annotations lie in it.
    starts
        ``(n, 3)``, x, y, z in voxels: the points, or where lines begin.
    ends
        ``(n, 3)``: where lines end.
    limit
        Annotations of one cell, those left out that only reach into it from another.
    """
    left = shuffled(len(starts))
    shape = np.ones(3, np.int64)
    reach = 0.0 if ends is None else float(np.abs(ends - starts).max(initial=0))
    for number in range(MOST_LEVELS):
        chunk = (box.upper - box.lower) / shape
        last = number == MOST_LEVELS - 1 or chunk.max() <= max(1.0, 2 * reach)
        homes = np.ravel_multi_index(tuple(_cells(box, chunk, shape, starts[left]).T), tuple(shape))
        order = np.argsort(homes, kind="stable")
        taken = _taken(homes[order], len(left) if last else limit)
        rows = left[order]
        yield _level(box, shape, chunk, (rows[taken], starts, ends))
        left = rows[~taken]
        if not len(left):
            return
        shape = shape * np.where(chunk > chunk.max() / np.sqrt(2), 2, 1)


def shuffled(count: int) -> Rows:
    """Give the numbers below ``count`` in an order as good as random, always the same (splitmix64)."""
    mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable").astype(np.int64)


def morton(cells: Rows, shape: Rows) -> npt.NDArray[np.uint64]:
    """Give the compressed Morton code of cells ``(m, 3)``: their bits in turn, x first, as many of each as its axis needs."""
    codes = np.zeros(len(cells), np.uint64)
    place = 0
    for bit in range(MOST_LEVELS):
        for axis in range(3):
            if (int(shape[axis]) - 1) >> bit:
                codes |= ((cells[:, axis] >> bit) & 1).astype(np.uint64) << np.uint64(place)
                place += 1
    return codes


def _cells(box: Box, chunk: Floats, shape: Rows, places: Floats) -> Rows:
    found: Rows = np.clip(np.floor((places - box.lower) / chunk).astype(np.int64), 0, shape - 1)
    return found


def _taken(homes: Rows, limit: int) -> npt.NDArray[np.bool_]:
    """Choose the same part of every cell's annotations, so that the fullest has ``limit``; ``homes`` is sorted."""
    begins = np.flatnonzero(np.diff(homes, prepend=-1))
    counts = np.diff(begins, append=len(homes))
    most = int(counts.max())
    kept = counts if most <= limit else counts * limit // most
    ranks = np.arange(len(homes)) - np.repeat(begins, counts)
    chosen: npt.NDArray[np.bool_] = ranks < np.repeat(kept, counts)
    return chosen


def _level(box: Box, shape: Rows, chunk: Floats, held: tuple[Rows, Floats, Floats | None]) -> Level:
    rows, starts, ends = held
    cells = _cells(box, chunk, shape, starts[rows])
    if ends is not None:
        parts = [rows[n : n + AT_A_TIME] for n in range(0, len(rows), AT_A_TIME)]
        found = [_touched(box, chunk, shape, (part, starts, ends)) for part in parts]
        rows, cells = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    codes = morton(cells, shape)
    order = np.argsort(codes, kind="stable")
    return Level(shape, chunk, cells[order], rows[order], codes[order])


def _touched(box: Box, chunk: Floats, shape: Rows, held: tuple[Rows, Floats, Floats]) -> tuple[Rows, Rows]:
    """Give each line with every cell that it touches."""
    rows, starts, ends = held
    a, b = starts[rows], ends[rows]
    low, high = (_cells(box, chunk, shape, pick(a, b)) for pick in (np.minimum, np.maximum))
    spans = high - low + 1
    counts = spans.prod(axis=1)
    which = np.repeat(np.arange(len(rows)), counts)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    width, height = spans[which, 0], spans[which, 1]
    steps = np.stack([nth % width, nth // width % height, nth // (width * height)], axis=1)
    cells = low[which] + steps
    touching = _crosses((a[which], b[which]), box.lower + cells * chunk, chunk)
    return rows[which[touching]], cells[touching]


def _crosses(lines: tuple[Floats, Floats], lower: Floats, size: Floats) -> npt.NDArray[np.bool_]:
    """Say which lines meet their boxes, by the part of the line that is between the two planes of each axis."""
    start, step = lines[0], lines[1] - lines[0]
    flat = step == 0
    safe = np.where(flat, 1.0, step)
    slack = 1e-9 * size
    near, far = (lower - slack - start) / safe, (lower + size + slack - start) / safe
    first = np.where(flat, 0.0, np.minimum(near, far)).max(axis=1)
    last = np.where(flat, 1.0, np.maximum(near, far)).min(axis=1)
    met: npt.NDArray[np.bool_] = np.maximum(first, 0.0) <= np.minimum(last, 1.0)
    return met
