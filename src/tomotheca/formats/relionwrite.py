"""Particles as RELION 5 reads them.

Source: https://relion.readthedocs.io/en/release-5.0/Reference/Conventions.html and ``ParticleSet`` in RELION's
``src/jaz/tomography/particle_set.cpp``, as in `tomotheca.formats.relion`, which reads what is written here.

Positions. ``rlnCenteredCoordinateX/Y/ZAngst`` is ``(voxel - size / 2) * spacing`` for each axis: Å from the middle of the tomogram, whose
first voxel is 0. ``rlnCoordinateX/Y/Z`` is in units of ``rlnImagePixelSize`` from the centre of the first voxel.

Angles. The matrix M that turns the reference into the particle is the inverse of ``A = Rz(rot) Ry(tilt) Rz(psi)``, so that with
``A = M^T``: ``cos tilt = A22``, ``rot = atan2(A12, A02)``, ``psi = atan2(A21, -A20)``; where sin tilt is 0 only the sum (or difference) of
rot and psi matters, and rot is 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tomotheca.formats import rotation
from tomotheca.formats.relion import ANGLES, CENTRED, COORDINATES, GROUP, TOMOGRAM

__all__ = ["ANGLES", "CENTRED", "COORDINATES", "GROUP", "TOMOGRAM", "matrices_to_euler"]

Floats = npt.NDArray[np.float64]

FLAT = 1e-7
"""Sine of a tilt that is taken for none."""


def matrices_to_euler(matrices: Floats) -> Floats:
    """Give RELION's angles of rotations, the other way round than `tomotheca.formats.relion.euler_to_matrices`.

    Parameters
    ----------
    matrices
        Shape ``(n, 3, 3)``, acting on columns ``(x, y, z)``: they turn the reference into the particle.

    Returns
    -------
    npt.NDArray[np.float64]
        Shape ``(n, 3)``: rot, tilt, psi in degrees; tilt is in 0 to 180.
    """
    a = rotation.inverse(matrices)
    sine = np.hypot(a[:, 0, 2], a[:, 1, 2])
    tilt = np.arctan2(sine, a[:, 2, 2])
    flat = sine < FLAT
    rot = np.where(flat, 0.0, np.arctan2(a[:, 1, 2], a[:, 0, 2]))
    psi = np.where(flat, np.arctan2(a[:, 1, 0], a[:, 1, 1]), np.arctan2(a[:, 2, 1], -a[:, 2, 0]))
    angles: Floats = np.degrees(np.stack((rot, tilt, psi), axis=1)) + 0.0
    return angles
