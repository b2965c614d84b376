"""Tables of Dynamo (``.tbl``): numbers between blanks, at least 26 columns.

Sources: https://wiki.dynamo.biozentrum.unibas.ch/w/index.php/Table_convention and ``Euler_angles_convention`` there.

Positions. Columns 24 to 26 (x, y, z) plus columns 4 to 6 (dx, dy, dz), in voxels of the tomogram from which the particles
were cut. Dynamo counts voxels from 1, as MATLAB does; the numbers are taken as they are unless the configuration's
``origin`` is 1.

Rotations. Columns 7 to 9 (tdrot, tilt, narot) in degrees turn the template *clockwise* about z, then its new x, then its
new z, to align it with the particle: the matrix that turns the reference into the particle is
``Rz(-tdrot) Rx(-tilt) Rz(-narot)``, the transpose of what ``dynamo_euler2matrix`` gives.

Rows. Column 20 numbers the tomogram.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tomotheca.errors import FormatError
from tomotheca.formats import rotation
from tomotheca.formats.delimited import BLANK, First, read_numbers_of
from tomotheca.formats.numbered import rows_of
from tomotheca.formats.points import Options, Points, arranged, turned

SHIFTS, ANGLES, POSITIONS = (4, 5, 6), (7, 8, 9), (24, 25, 26)
TOMOGRAM = 20
"""Columns, counted from 1 as Dynamo does."""


def read(path: Path, options: Options) -> Points:
    """Read the particles of the tomogram with the number ``options.filter_value``.

    Raises
    ------
    FormatError
        If a row has fewer than 26 columns, a number is none, or there are several tomograms and no ``filter_value``.
    """

    def choose(first: First) -> Sequence[int]:
        if len(first.words) < POSITIONS[-1]:
            raise FormatError(
                path, f"line {first.line} has {len(first.words)} columns, a Dynamo table has {POSITIONS[-1]} and more."
            )
        return [column - 1 for column in (*SHIFTS, *ANGLES, *POSITIONS, TOMOGRAM)]

    table = read_numbers_of(path, choose, delimiter=BLANK)
    if not len(table):
        return Points(table.values)
    chosen = rows_of(path, table.values[:, 9], options.filter_value)
    values = table.values[chosen]
    locations = arranged(values[:, 6:9] + values[:, 0:3], options)
    rotations = turned(rotation.product("zxz", -values[:, 3:6]), options) if options.rotations else None
    return Points(locations, rotations, lines=table.lines[chosen])
