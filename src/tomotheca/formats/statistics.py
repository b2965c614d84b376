"""Minimum, maximum, mean and deviation of blocks of voxels, exact enough to add up over a file of any size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

ROW = 8192
"""Voxels that are summed in the array's own precision before the sums are added as float64."""

PIECE = 32 * ROW

WIDEST = 1e15
"""Ranges above this are squared as float64."""


@dataclass(frozen=True, slots=True)
class Moments:
    """What blocks add up to; only finite values count, ``skipped`` says how many were not."""

    count: int = 0
    skipped: int = 0
    minimum: float = 0.0
    maximum: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    """Sum of squared differences from the mean."""

    @property
    def mean(self) -> float:
        """Mean of the finite values, 0 without any."""
        return self.total / self.count if self.count else 0.0

    @property
    def deviation(self) -> float:
        """Root mean square deviation from the mean: what MRC calls rms."""
        return math.sqrt(max(self.squares, 0.0) / self.count) if self.count else 0.0

    def __add__(self, other: Moments) -> Moments:
        """Join two blocks without loss of precision (Chan, Golub and LeVeque 1983)."""
        if not self.count or not other.count:
            full, skipped = (other if other.count else self), self.skipped + other.skipped
            return Moments(full.count, skipped, full.minimum, full.maximum, full.total, full.squares)
        count, gap = self.count + other.count, self.mean - other.mean
        return Moments(
            count,
            self.skipped + other.skipped,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
            self.total + other.total,
            self.squares + other.squares + gap * gap * self.count * other.count / count,
        )


def moments(block: npt.NDArray[np.generic]) -> Moments:
    """Measure one block of real numbers of any shape; NaN and infinities are left out and counted."""
    flat: npt.NDArray[Any] = block.reshape(-1)
    result = Moments()
    for start in range(0, flat.size, PIECE):
        result += _piece(flat[start : start + PIECE])
    return result


def _piece(piece: npt.NDArray[Any]) -> Moments:
    """Measure a piece that fits the processor's cache, about a mean of its own so that squares stay small."""
    low, high = float(piece.min()), float(piece.max())
    if not math.isfinite(low) or not math.isfinite(high):
        finite = piece[np.isfinite(piece)]
        inner = _piece(finite) if finite.size else Moments()
        return replace(inner, skipped=piece.size - finite.size)
    narrow = piece.dtype == np.float32 and high - low < WIDEST
    values = piece if narrow else piece.astype(np.float64)
    centre = values.dtype.type(values[:ROW].mean(dtype=np.float64))
    moved = values - centre
    whole = moved.size - moved.size % ROW
    rows, rest = moved[:whole].reshape(-1, ROW), moved[whole:].astype(np.float64)
    total = float(rows.sum(axis=1).sum(dtype=np.float64) + rest.sum())
    squares = float(np.einsum("ij,ij->i", rows, rows).sum(dtype=np.float64) + np.einsum("i,i", rest, rest))
    count = piece.size
    return Moments(count, 0, low, high, total + float(centre) * count, squares - total * total / count)
