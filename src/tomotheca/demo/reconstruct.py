"""From a tilt series back to a volume: alignment, weighted back-projection, deconvolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

from tomotheca.demo.geometry import Alignment, centre, to_aligned
from tomotheca.demo.microscope import Microscope, Series, contrast_transfer

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grid:
    """The voxels of a reconstruction."""

    shape: tuple[int, int, int]
    """Voxels, z, y, x."""

    binning: int = 1
    """Voxel edge in pixels of the tilt series."""


def aligned_stack(series: Series, alignment: Alignment, size: tuple[int, int]) -> Floats:
    """Bring a series into the aligned frame, each image as relative contrast about 0.

    Returns
    -------
    ndarray
        Axes ``(section, y, u)``; NaN where the raw image has nothing.
    """
    means = series.images.mean(axis=(1, 2), dtype=np.float64)
    flat = (series.images / means[:, None, None] - 1).astype(np.float32)
    return np.stack([to_aligned(image, alignment, section, size) for section, image in enumerate(flat)])


def blend(stacks: list[Floats]) -> Floats:
    """Join the aligned stacks of the tiles of a montage: the mean where they overlap, 0 where there is nothing."""
    if len(stacks) == 1:
        return np.nan_to_num(stacks[0])
    known = np.sum([np.isfinite(stack) for stack in stacks], axis=0)
    total = np.sum([np.nan_to_num(stack) for stack in stacks], axis=0)
    return np.asarray(total / np.maximum(known, 1), dtype=np.float32)


def ramp(stack: Floats, tilts: Doubles) -> Floats:
    """Weight each image for back-projection: ramp filter along u with a Gaussian fall-off, times the cosine of its tilt.

    The fall-off begins at 0.35 of the sampling frequency, as in IMOD's ``tilt`` (RADIAL 0.35 0.05).
    """
    padded = fft.next_fast_len(2 * stack.shape[2], real=True)
    frequency = fft.rfftfreq(padded)
    weight = np.maximum(frequency, 0.25 / padded) * np.exp(-(np.maximum(frequency - 0.35, 0) ** 2) / (2 * 0.05**2))
    filtered = fft.irfft(fft.rfft(stack, padded, axis=2) * weight.astype(np.float32), padded, axis=2)[
        ..., : stack.shape[2]
    ]
    return np.asarray(filtered * np.cos(np.deg2rad(tilts))[:, None, None], dtype=np.float32)


def smear(tilts: Doubles, depth: int, width: int) -> sparse.csr_array:
    """Build the back-projector of all tilts: each voxel of an x, z plane reads every image by linear interpolation.

    Returns
    -------
    csr_array
        Shape ``(depth * width, tilts * width)``, float32.
    """
    z, x = np.mgrid[:depth, :width].reshape(2, -1) - np.array([[centre(depth)], [centre(width)]])
    radians = np.deg2rad(tilts)
    u = x[:, None] * np.cos(radians) + z[:, None] * np.sin(radians) + centre(width)
    left = np.floor(u).astype(np.int32)
    part = (u - left).astype(np.float32)
    columns = np.stack([left, left + 1], axis=2)
    weights = np.stack([1 - part, part], axis=2)
    weights[(columns < 0) | (columns >= width)] = 0
    columns = np.clip(columns, 0, width - 1) + (np.arange(tilts.size, dtype=np.int32) * width)[None, :, None]
    pointers = np.arange(0, columns.size + 1, 2 * tilts.size)
    return sparse.csr_array((weights.ravel(), columns.ravel(), pointers), shape=(depth * width, tilts.size * width))


def back_project(stack: Floats, tilts: Doubles, grid: Grid) -> Floats:
    """Reconstruct a volume by weighted back-projection.

    Parameters
    ----------
    stack
        Aligned images ``(section, y, u)``, about 0, at the pixel size of the series.
    tilts
        Degrees, one for each image.
    grid
        Voxels wanted; with a binning of ``b`` images are first averaged over ``b x b`` pixels.

    Returns
    -------
    ndarray
        Axes ``(z, y, x)``, float32; protein is darker (lower) than ice.
    """
    sections, ny, nu = stack.shape
    b = grid.binning
    binned = stack.reshape(sections, ny // b, b, nu // b, b).mean(axis=(2, 4)) if b > 1 else stack
    filtered = ramp(np.asarray(binned, dtype=np.float32), tilts)
    depth, height, width = grid.shape
    lines = np.ascontiguousarray(filtered.transpose(0, 2, 1)).reshape(sections * width, height)
    volume = (smear(tilts, depth, width) @ lines).reshape(depth, width, height)
    return np.ascontiguousarray(volume.transpose(0, 2, 1) * np.float32(np.pi / sections))


def deconvolve(volume: Floats, scope: Microscope, pixel: float, *, strength: float = 1.0) -> Floats:
    """Denoise with a Wiener filter made from the contrast transfer at the mean defocus.

    The signal-to-noise ratio is assumed to fall exponentially with frequency, as in Warp's deconvolution
    (Tegunov and Cramer 2019); slow gradients are taken out.

    Parameters
    ----------
    volume
        Axes ``(z, y, x)``.
    scope
        The microscope of the series.
    pixel
        Voxel edge in Å.
    strength
        1 is balanced, more is smoother in appearance and stronger in contrast.
    """
    axes = [fft.fftfreq(n) for n in volume.shape[:2]] + [fft.rfftfreq(volume.shape[2])]
    frequency = np.sqrt(sum(np.square(axis) for axis in np.ix_(*axes))) / pixel
    ratio = 10 ** (2.6 * strength) * np.exp(-frequency * 150) * (1 - np.exp(-((frequency * 1400) ** 2)))
    transfer = np.abs(contrast_transfer(frequency, scope.defocus * 1e4, scope))
    wiener = (transfer * ratio / (transfer**2 * ratio + 1)).astype(np.float32)
    return np.asarray(fft.irfftn(fft.rfftn(volume) * wiener, volume.shape), dtype=np.float32)


def quantise(volume: Floats, kind: str) -> NDArray[np.generic]:
    """Store a volume as a lab does: ``int8`` and ``int16`` about 0 with 24 or 1000 steps a standard deviation.

    Parameters
    ----------
    volume
        Any values.
    kind
        ``int8``, ``int16`` or ``float32``; the last is scaled to unit variance.
    """
    centred = (volume - volume.mean()) / volume.std()
    if kind == "float32":
        return np.asarray(centred, dtype=np.float32)
    steps, limit = {"int8": (24, 127), "int16": (1000, 32767)}[kind]
    return np.asarray(np.clip(np.round(centred * steps), -limit, limit), dtype=kind)
