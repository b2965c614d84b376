"""Motive lists of STOPGAP (star files with ``data_stopgap_motivelist``).

Source: ``sg_get_motl_fields.m`` and ``sg_euler2matrix.m`` of https://github.com/wan-lab-vanderbilt/STOPGAP.

Positions. ``orig_x/y/z + x_shift/y_shift/z_shift`` in voxels of the tomogram from which the particles were cut. STOPGAP
counts voxels from 1, as MATLAB does; the numbers are taken as they are unless the configuration's ``origin`` is 1.

Rotations. ``phi``, ``the``, ``psi`` in degrees turn the reference about the fixed z axis, then x, then z, right-handed:
the matrix that turns the reference into the particle is ``Rz(psi) Rx(the) Rz(phi)``.

Rows. ``tomo_num`` numbers the tomogram.
"""

from __future__ import annotations

from pathlib import Path

from tomotheca.errors import FormatError
from tomotheca.formats import rotation
from tomotheca.formats.numbered import rows_of
from tomotheca.formats.points import Options, Points, arranged, turned
from tomotheca.formats.starcolumns import Wanted, read_columns

TOMOGRAM = "tomo_num"
POSITIONS = ("orig_x", "orig_y", "orig_z")
SHIFTS = ("x_shift", "y_shift", "z_shift")
ANGLES = ("psi", "the", "phi")
"""In the order in which their matrices are written."""

WANTED = Wanted(numbers=frozenset((TOMOGRAM, *POSITIONS, *SHIFTS, *ANGLES)), words=frozenset())


def read(path: Path, options: Options) -> Points:
    """Read the particles of the tomogram with the number ``options.filter_value``.

    Raises
    ------
    FormatError
        If there is no motive list, a number is none, or rows of several tomograms and no ``filter_value``.
    """
    table = next((t for t in read_columns(path, WANTED) if t.has(*POSITIONS)), None)
    if table is None:
        raise FormatError(path, "has no data block with _orig_x, y and z: is it a STOPGAP motive list?")
    table = table.take(rows_of(path, table.floats(TOMOGRAM), options.filter_value))
    locations = arranged(table.vectors(POSITIONS) + table.vectors(SHIFTS), options)
    rotations = turned(rotation.product("zxz", table.vectors(ANGLES)), options) if options.rotations else None
    return Points(locations, rotations, lines=table.lines)
