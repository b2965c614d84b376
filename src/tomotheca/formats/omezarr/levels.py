"""Which levels a pyramid has, how large each is, and where its voxels lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

Triple = tuple[int, int, int]
Vector = tuple[float, float, float]
Box = tuple[slice, slice, slice]

SMALLEST = 128
"""Levels are added until the largest edge that is halved is at most this."""

ALWAYS = 3
"""Levels that every image has, however small."""

BLOCK: Triple = (2, 2, 2)
"""How much coarser each level of a volume is, order ``(z, y, x)``."""

SECTION: Triple = (1, 2, 2)
"""The same for a tilt series: images are not mixed."""


@dataclass(frozen=True, slots=True)
class Level:
    """One array of a pyramid; everything in order ``(z, y, x)``."""

    number: int
    shape: Triple
    chunks: Triple
    scale: Vector
    """Å from one voxel's centre to the next."""

    translation: Vector
    """Å from the centre of level 0's first voxel to the centre of this level's: ``s * (2**k - 1) / 2``."""

    factors: Triple
    """Voxels of level 0 along each axis in one voxel of this level."""

    @property
    def path(self) -> str:
        """Name of the array inside the image's directory."""
        return str(self.number)


def plan_levels(
    shape: Triple, spacing: Vector, *, step: Triple = BLOCK, chunks: Triple = (128, 128, 128)
) -> list[Level]:
    """Lay out a pyramid: 3 levels, and more until the largest edge that is halved is at most 128.

    Parameters
    ----------
    shape, spacing
        Of level 0, order ``(z, y, x)``; the spacing in Å.
    step
        1 or 2 for each axis: what the next level is coarser by.
    chunks
        Largest chunk; a smaller array is one chunk.
    """
    levels: list[Level] = []
    while len(levels) < ALWAYS or max(_halved(levels[-1].shape, step), default=0) > SMALLEST:
        number = len(levels)
        factors = triple(f**number for f in step)
        size = triple(-(-n // f) for n, f in zip(shape, factors, strict=True))
        levels.append(
            Level(
                number,
                size,
                triple(min(c, n) for c, n in zip(chunks, size, strict=True)),
                _vector(s * f for s, f in zip(spacing, factors, strict=True)),
                _vector(s * (f - 1) / 2 for s, f in zip(spacing, factors, strict=True)),
                factors,
            )
        )
    return levels


def _halved(shape: Triple, step: Triple) -> list[int]:
    """Edges along the axes that become coarser."""
    return [n for n, f in zip(shape, step, strict=True) if f > 1]


def grid(shape: Triple, block: Triple) -> Iterator[Triple]:
    """Give the index of every block in a grid that covers ``shape``."""
    for index in np.ndindex(*(-(-n // b) for n, b in zip(shape, block, strict=True))):
        yield triple(index)


def box_of(index: Triple, block: Triple, shape: Triple) -> Box:
    """Give the voxels of a block of the grid, cut at the border of ``shape``."""
    z, y, x = (slice(i * b, min((i + 1) * b, n)) for i, b, n in zip(index, block, shape, strict=True))
    return z, y, x


def triple(values: Iterable[int]) -> Triple:
    """Check that there are three."""
    z, y, x = values
    return z, y, x


def _vector(values: Iterable[float]) -> Vector:
    z, y, x = values
    return float(z), float(y), float(x)
