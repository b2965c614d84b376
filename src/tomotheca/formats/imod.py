"""IMOD's alignment files: ``.xf`` transforms, ``.tlt`` and ``.xtilt`` angles, ``tilt.com``.

Source of the format: https://bio3d.colorado.edu/imod/doc/man/xfmodel.html and
https://bio3d.colorado.edu/imod/doc/man/newstack.html: each line is ``A11 A12 A21 A22 DX DY`` with
``x' = A11 (x - xc) + A12 (y - yc) + DX + xc`` and the same for y with ``A21 A22 DY``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats import rawtlt
from tomotheca.formats.files import Member, write_file
from tomotheca.formats.text import SHOWN, read_numbers, read_text, to_floats

EXCLUDE = re.compile(r"^[ \t]*EXCLUDELIST2?[ \t]+(.*)$", re.IGNORECASE | re.MULTILINE)
RANGE = re.compile(r"(\d{1,6})(?:\s*-\s*(\d{1,6}))?")
LARGEST = 1e9
"""No shift is larger."""

MOST = 100_000
"""Views of one list; more is a mistake."""

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

    def inverse(self, path: Path) -> Transforms:
        """Give the transforms from the aligned to the raw image, in the same form.

        With ``aligned = A raw + d`` about the centres these are ``A^-1`` and ``-A^-1 d``. For rotations ``A^-1`` is the
        transpose, and its angle is that of the tilt axis to the y axis.

        Raises
        ------
        FormatError
            If a matrix flattens the image; ``path`` names the file.
        """
        if (np.abs(self.matrices) > LARGEST).any() or (np.abs(self.shifts) > LARGEST).any():
            raise FormatError(path, "has a number beyond all sizes of images: is it the right file?")
        flat = np.abs(np.linalg.det(self.matrices)) < 1e-6  # no image is left
        if flat.any():
            raise FormatError(path, f"the transform of section {int(flat.argmax()) + 1} has no inverse: mend the file.")
        matrices = np.linalg.inv(self.matrices).astype(np.float64)
        return Transforms(matrices, -np.einsum("nij,nj->ni", matrices, self.shifts))


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


@dataclass(frozen=True, slots=True)
class TiltCom:
    """What a ``tilt.com`` says beside the files it names."""

    excluded: tuple[int, ...] = ()
    """Sections that are left out of the volume, from 0."""

    offset: float = 0.0
    """OFFSET: degrees that are added to every tilt."""

    x_axis_tilt: float = 0.0
    """XAXISTILT: degrees by which the volume is turned about x."""


def read_tilt_com(path: Path) -> TiltCom:
    """Read the command file of IMOD's `tilt`.

    Source of the format: https://bio3d.colorado.edu/imod/doc/man/tilt.html. Lists of views count from 1 and have ranges: ``1-3,7``.

    Raises
    ------
    FormatError
        If the file is no text, or says something else than numbers where they belong.
    """
    text = read_text(path)
    found: set[int] = set()
    named = 0
    for match in EXCLUDE.finditer(text):
        for word in re.split(r"[, ]+", re.sub(r" ?- ?", "-", " ".join(match[1].split()))):
            given = RANGE.fullmatch(word)
            first, last = (int(given[1]), int(given[2] or given[1])) if given else (0, 0)
            if not 1 <= first <= last <= MOST:
                raise FormatError(path, f"{word[:SHOWN]!r} in EXCLUDELIST is neither a view nor a range of views.")
            named += last - first + 1
            if named > MOST:
                raise FormatError(path, f"names more than {MOST} views in EXCLUDELIST: is it the right file?")
            found.update(range(first - 1, last))
    return TiltCom(tuple(sorted(found)), _said(path, text, "OFFSET"), _said(path, text, "XAXISTILT"))


def _said(path: Path, text: str, name: str) -> float:
    """Give the number behind a keyword, the last where it stands twice; 0 where it does not stand."""
    value = 0.0
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if len(words) > 1 and words[0].upper() == name:
            (value,) = to_floats(path, number, words[1:2])
    return value
