"""Where things are: centres, tilt schemes, and the in-plane transforms that align a raw image.

Conventions, the same in every module of the demo. A voxel's centre is its index; the centre of ``n`` voxels is
``(n - 1) / 2``. The specimen is turned about +y, right-handed, so that a point at ``(x, y, z)`` from the centre is
seen at ``u = x cos a + z sin a`` and ``v = y`` in the aligned image of tilt ``a``. An IMOD transform takes a raw
image to the aligned one: ``aligned - c_aligned = M (raw - c_raw) + d``, both in x, y order and pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


def centre(length: int) -> float:
    """Give the index of the middle of ``length`` samples."""
    return (length - 1) / 2


@dataclass(frozen=True, slots=True)
class Scheme:
    """Which tilts are taken, and in which order."""

    name: str
    """As in the metadata: ``dose-symmetric`` or ``bidirectional``."""

    limit: float
    """Largest tilt in degrees; the series runs from minus to plus this."""

    step: float
    """Increment in degrees."""

    def angles(self) -> Doubles:
        """Give the nominal tilts in ascending order, the order of the sections of the stack; degrees."""
        count = round(self.limit / self.step)
        return np.arange(-count, count + 1, dtype=np.float64) * self.step

    def acquisition(self) -> NDArray[np.intp]:
        """Give the sections in the order they were recorded: ``acquisition()[k]`` is the section of exposure ``k``."""
        angles = self.angles()
        if self.name == "dose-symmetric":
            return np.lexsort((angles < 0, np.abs(angles)))
        first = np.flatnonzero(angles >= 0)
        return np.concatenate([first, np.flatnonzero(angles < 0)[::-1]])


@dataclass(frozen=True, slots=True)
class Alignment:
    """Transforms of the sections of one tilt series to the aligned stack."""

    matrix: Doubles
    """``M`` of each section, shape ``(sections, 2, 2)``, x, y order."""

    shift: Doubles
    """``d`` of each section, shape ``(sections, 2)``, x, y, pixels of the series."""

    tilt: Doubles
    """Refined tilt of each section in degrees, shape ``(sections,)``."""

    def rows(self) -> Doubles:
        """Give the six columns of an IMOD ``.xf`` file: A11 A12 A21 A22 DX DY."""
        return np.hstack([self.matrix.reshape(-1, 4), self.shift])


def wobble(rng: np.random.Generator, scheme: Scheme, *, axis: float, pixels: float, offset: float = 0.0) -> Alignment:
    """Draw the small errors of a stage: shifts, rotations and tilts that differ from section to section.

    Parameters
    ----------
    rng
        Source of randomness.
    scheme
        The tilt scheme.
    axis
        Tilt axis in degrees from the vertical, anticlockwise (the ``RotationAngle`` of SerialEM).
    pixels
        Standard deviation of the shifts in pixels.
    offset
        Distance of the image's centre from the centre of the specimen along x, in pixels at zero tilt: it shrinks
        with the cosine of the tilt, as for the tiles of a montage.
    """
    nominal = scheme.angles()
    drift = np.cumsum(rng.normal(0, pixels / 3, (nominal.size, 2)), axis=0)
    shift = drift - drift.mean(0) + rng.normal(0, pixels / 2, drift.shape)
    turn = np.deg2rad(-axis + rng.normal(0, 0.15, nominal.size) + 0.004 * nominal)
    cosine, sine = np.cos(turn), np.sin(turn)
    matrix = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], axis=1)
    tilt = nominal + rng.normal(0, 0.03, nominal.size)
    shift[:, 0] += offset * np.cos(np.deg2rad(tilt))
    return Alignment(np.round(matrix, 7), np.round(shift, 3), np.round(tilt, 2))


def to_raw(aligned: Floats, alignment: Alignment, section: int, size: tuple[int, int]) -> Floats:
    """Resample an aligned image onto the raw image of one section (the inverse of what alignment does).

    Parameters
    ----------
    aligned
        Image with axes ``(y, x)``; y is periodic.
    alignment
        Its transforms.
    section
        Which section.
    size
        ``(ny, nx)`` of the raw image.
    """
    matrix = alignment.matrix[section][::-1, ::-1]
    inside, outside = np.array([centre(n) for n in aligned.shape]), np.array([centre(n) for n in size])
    offset = inside + alignment.shift[section][::-1] - matrix @ outside
    raw = ndimage.affine_transform(aligned, matrix, offset=offset, output_shape=size, order=3, mode="grid-wrap")
    return np.asarray(raw, dtype=np.float32)


def to_aligned(raw: Floats, alignment: Alignment, section: int, size: tuple[int, int]) -> Floats:
    """Resample a raw image onto the aligned stack; what lies outside of the raw image becomes NaN.

    Parameters
    ----------
    raw
        Image with axes ``(y, x)``.
    alignment
        Its transforms.
    section
        Which section.
    size
        ``(ny, nx)`` of the aligned image.
    """
    inverse = np.linalg.inv(alignment.matrix[section])[::-1, ::-1]
    inside, outside = np.array([centre(n) for n in size]), np.array([centre(n) for n in raw.shape])
    offset = outside - inverse @ (inside + alignment.shift[section][::-1])
    aligned = ndimage.affine_transform(raw, inverse, offset=offset, output_shape=size, order=1, cval=np.nan)
    return np.asarray(aligned, dtype=np.float32)
