"""Lists of tilt angles: IMOD's ``.rawtlt``, ``.tlt`` and ``.xtilt``, one angle a line.

Source of the format: https://bio3d.colorado.edu/imod/doc/man/tilt.html (TILTFILE, XTILTFILE).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tomotheca.formats.files import Member, write_file
from tomotheca.formats.text import read_numbers


def read(path: Path) -> tuple[float, ...]:
    """Read the angles in degrees, one for each section, in the order of the stack.

    Raises
    ------
    FormatError
        If a line holds anything but one number, or there is none.
    """
    return tuple(row[0] for row in read_numbers(path, columns=1))


def write(path: Path, angles: Iterable[float]) -> Member:
    """Write angles in degrees; reading them gives the same numbers again.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    return write_file(path, dumps(angles).encode(), name=path.name)


def dumps(angles: Iterable[float]) -> str:
    """Give the text of a list of angles."""
    return "".join(f"{float(angle)!r}\n" for angle in angles)
