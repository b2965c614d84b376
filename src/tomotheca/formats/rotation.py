"""Matrices of rotations, and products of rotations about the axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError

Floats = npt.NDArray[np.float64]

PIECE = 1 << 16
"""Rotations that are multiplied at a time, so that no more than the result is in memory."""

TOLERANCE = 1e-3
"""How far a matrix may be from a rotation: files have as few as four digits."""


def about(axis: str, degrees: Floats) -> Floats:
    """Give right-handed rotations about a fixed axis.

    Parameters
    ----------
    axis
        ``x``, ``y`` or ``z``.
    degrees
        Shape ``(n,)``; positive turns y towards z, z towards x, x towards y.

    Returns
    -------
    npt.NDArray[np.float64]
        Shape ``(n, 3, 3)``, acting on columns ``(x, y, z)``.
    """
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrices = np.tile(np.eye(3), (len(degrees), 1, 1))
    matrices[:, first, first] = matrices[:, second, second] = cosine
    matrices[:, first, second], matrices[:, second, first] = -sine, sine
    return matrices


def product(axes: str, degrees: Floats) -> Floats:
    """Multiply rotations as they are written: ``product("zyx", angles)`` is ``Rz Ry Rx``, so x acts first.

    ``degrees`` has shape ``(n, len(axes))``, one column for each axis; the result has shape ``(n, 3, 3)``.
    """
    found = np.empty((len(degrees), 3, 3))
    for start in range(0, len(degrees), PIECE):
        part = degrees[start : start + PIECE]
        matrices = about(axes[0], part[:, 0])
        for index, axis in enumerate(axes[1:], start=1):
            matrices = matrices @ about(axis, part[:, index])
        found[start : start + PIECE] = matrices
    return found


def inverse(matrices: Floats) -> Floats:
    """Invert rotations, shape ``(n, 3, 3)``."""
    return np.ascontiguousarray(np.swapaxes(matrices, -1, -2))


def angles_about_zyx(matrices: Floats) -> Floats:
    """Take rotations, shape ``(n, 3, 3)``, apart: ``product("zyx", angles)`` gives them again.

    The result has shape ``(n, 3)``, degrees about z, y, x; that about y is from -90 to 90. At its ends that about x is 0.
    """
    down = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0])
    about_y = np.arctan2(-matrices[:, 2, 0], down)
    locked = down < TOLERANCE**2
    about_z = np.where(
        locked, np.arctan2(-matrices[:, 0, 1], matrices[:, 1, 1]), np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    )
    about_x = np.where(locked, 0.0, np.arctan2(matrices[:, 2, 1], matrices[:, 2, 2]))
    angles: Floats = np.degrees(np.stack([about_z, about_y, about_x], axis=1))
    return angles


def check_rotations(path: Path, matrices: Floats, what: str = "point") -> None:
    """Check that matrices, shape ``(n, 3, 3)``, are rotations: orthonormal, and no mirror images.

    Raises
    ------
    FormatError
        If one is not; the message names the point, or ``what`` the matrices are of.
    """
    errors = np.abs(matrices @ inverse(matrices) - np.eye(3)).max(axis=(1, 2), initial=0)
    wrong = np.flatnonzero(~(errors <= TOLERANCE) | ~(np.linalg.det(matrices) > 0))
    if len(wrong):
        mirrored = errors[wrong[0]] <= TOLERANCE
        how = "mirrors the reference" if mirrored else "is not orthonormal"
        raise FormatError(path, f"{what} {wrong[0] + 1} has a matrix that is no rotation: it {how}.")
