"""IMOD's alignment files: ``.xf`` transforms, ``.tlt`` and ``.xtilt`` angles.

Source of the format: https://bio3d.colorado.edu/imod/doc/man/xfmodel.html and
https://bio3d.colorado.edu/imod/doc/man/newstack.html: each line is ``A11 A12 A21 A22 DX DY`` with
``x' = A11 (x - xc) + A12 (y - yc) + DX + xc`` and the same for y with ``A21 A22 DY``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.formats import rawtlt
from tomotheca.formats.files import Member, write_file
from tomotheca.formats.text import read_numbers

read_tlt = rawtlt.read
"""Refined tilt angles in degrees, one for each section."""

read_xtilt = rawtlt.read
"""Rotation of the section about the x axis in degrees, one for each section."""


@dataclass(frozen=True, slots=True)
class Transforms:
    """The linear transform of every section of a tilt series, from the raw to the aligned image."""

    matrices: npt.NDArray[np.float64]
    """Shape ``(n, 2, 2)``, acting on ``(x, y)``."""

    shifts: npt.NDArray[np.float64]
    """Shape ``(n, 2)``, ``(x, y)`` in pixels of the stack, applied after the matrix."""

    def __len__(self) -> int:
        """Count the sections."""
        return len(self.matrices)

    @property
    def rotations(self) -> npt.NDArray[np.float64]:
        """Rotation of each section in degrees, counter-clockwise: ``(n,)``, from -180 to 180."""
        return np.degrees(np.arctan2(self.matrices[:, 1, 0], self.matrices[:, 0, 0]))


def read_xf(path: Path) -> Transforms:
    """Read the transforms of all sections.

    Raises
    ------
    FormatError
        If a line has other than six numbers, or there is none.
    """
    table = np.array(read_numbers(path, columns=6), np.float64)
    return Transforms(table[:, :4].reshape(-1, 2, 2), table[:, 4:].copy())


def write_xf(path: Path, transforms: Transforms) -> Member:
    """Write transforms with IMOD's digits: seven for the matrix, three for the shift.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    lines = []
    for matrix, shift in zip(transforms.matrices, transforms.shifts, strict=True):
        numbers = "".join(f"{value:12.7f}" for value in matrix.ravel())
        lines.append(numbers + "".join(f"{value:12.3f}" for value in shift) + "\n")
    return write_file(path, "".join(lines).encode(), name=path.name)
