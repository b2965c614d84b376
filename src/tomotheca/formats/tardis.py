"""Instances of TARDIS: a csv file with the columns ``IDs``, ``X``, ``Y``, ``Z``, one line for each point.

Source: https://smlc-nysbc.github.io/TARDIS. ``IDs`` are whole numbers that say which instance (microtubule, membrane)
a point belongs to. Coordinates are in Å when the header says so (``X [A]``), else in voxels; the first voxel is at 0.
There are no rotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tomotheca.errors import FormatError
from tomotheca.formats.delimited import First, read_numbers_of
from tomotheca.formats.points import Options, Points, arranged, coordinate_columns, voxel_spacing

ANGSTROM = ("[a]", "(a)", "[å]", "(å)", "[angstrom]", "(angstrom)")
LARGEST = 1 << 53
"""Up to here a number that was written with a decimal point is a whole number for certain."""


def read(path: Path, options: Options) -> Points:
    """Read all points with the numbers of their instances.

    Raises
    ------
    FormatError
        If the header lacks one of the columns, or a line has no number in one of them or no whole one as ``IDs``.
    """
    scale = 1.0

    def choose(first: First) -> Sequence[int]:
        nonlocal scale
        names = [word.strip().lower() for word in first.words]
        number = next((index for index, name in enumerate(names) if name in {"ids", "id"}), None)
        columns = coordinate_columns(path, First(first.line, tuple(names)))
        if number is None or columns is None:
            raise FormatError(path, f"line {first.line} is no header with IDs, X, Y and Z: is it a file of TARDIS?")
        if names[columns[0]].endswith(ANGSTROM):
            scale = voxel_spacing(path, options, "has coordinates in Å")
        return (number, *columns)

    table = read_numbers_of(path, choose, header=True)
    if not len(table):
        return Points(np.empty((0, 3)), None, np.empty(0, np.int64))
    ids = table.values[:, 0]
    wrong = np.flatnonzero((ids != np.round(ids)) | (np.abs(ids) > LARGEST))
    if len(wrong):
        raise FormatError(
            path, f"line {table.lines[wrong[0]]} has the instance {ids[wrong[0]]:g}: IDs are whole numbers."
        )
    return Points(arranged(table.values[:, 1:], options, scale=scale), None, ids.astype(np.int64), table.lines)
