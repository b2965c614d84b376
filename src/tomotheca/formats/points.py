"""Points of annotations: positions, orientations, instance numbers, as every reader gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.delimited import First, read_numbers_of

Order = Literal["xyz", "zyx"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Positions in one tomogram, in voxels of its voxel spacing; a voxel's centre is at its index."""

    locations: Floats
    """Shape ``(n, 3)``, order x, y, z."""

    rotations: Floats | None = None
    """Shape ``(n, 3, 3)``, acting on columns ``(x, y, z)``: they turn the reference into the particle."""

    ids: npt.NDArray[np.int64] | None = None
    """Shape ``(n,)``: which instance each point belongs to."""

    lines: npt.NDArray[np.int64] | None = None
    """Shape ``(n,)``: line of the file on which each point stands, where there are lines."""

    def __len__(self) -> int:
        """Count the points."""
        return len(self.locations)

    @property
    def instances(self) -> int:
        """Count the instances; without their numbers every point is one."""
        return len(self) if self.ids is None else len(np.unique(self.ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a configuration says of a file of points, and what is known of the tomogram they lie in."""

    binning: float | None = None
    """Coordinates are divided by it to become voxels; left out, 1, and for formats in Å the voxel spacing."""

    order: Order = "xyz"
    """Order of the coordinates in the file."""

    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Coordinates x, y, z that the file gives to the centre of the first voxel."""

    filter_value: str = ""
    """Name or number of the tomogram or micrograph whose rows are taken; empty takes all."""

    delimiter: str = ""
    """Between the columns of a csv file; left out, it is found: comma, semicolon, tab or blanks."""

    spacing: float | None = None
    """Voxel spacing of the tomogram in Å."""

    size: tuple[int, int, int] | None = None
    """Voxels of the tomogram, x, y, z."""

    memory: int = 1 << 30
    """Bytes that a reader may take."""

    rotations: bool = True
    """Whether rotations are wanted; positions are had faster without."""


def read_csv(path: Path, options: Options) -> Points:
    """Read a table without a header; the first three columns are the coordinates.

    Units are voxels times ``binning``, the order of the columns is ``order``; there are no rotations.

    Raises
    ------
    FormatError
        If a line has fewer than three columns or no numbers in them; the message names the line.
    """

    def choose(first: First) -> Sequence[int]:
        if not any(map(_is_number, first.words[:3])) and len(first.words) >= 3:
            raise FormatError(path, f"line {first.line} is a header: give the file format csv_with_header.")
        return (0, 1, 2)

    table = read_numbers_of(path, choose, delimiter=_delimiter(options))
    return Points(arranged(table.values, options), lines=table.lines)


def read_csv_with_header(path: Path, options: Options) -> Points:
    """Read a table whose first line names the columns.

    Columns named x, y and z, in any usual spelling (``X``, ``pos_x``, ``x (px)``, ``rlnCoordinateX``, napari's
    ``axis-0`` for z), are the coordinates wherever they stand; without such names the first three columns are, in
    the order that ``order`` says. Units are voxels times ``binning``; there are no rotations.

    Raises
    ------
    FormatError
        If only one or two of the three are named, or a line lacks one of them or has no number there.
    """
    by_name = False

    def choose(first: First) -> Sequence[int]:
        nonlocal by_name
        named = coordinate_columns(path, first)
        by_name = named is not None and options.order == "xyz"
        return (0, 1, 2) if named is None else named if by_name else sorted(named)

    table = read_numbers_of(path, choose, delimiter=_delimiter(options), header=True)
    return Points(arranged(table.values, options), lines=table.lines)


def coordinate_columns(path: Path, first: First) -> tuple[int, int, int] | None:
    """Find the columns of x, y and z in a header by their names; None if they are the first three, or not named.

    Raises
    ------
    FormatError
        If some are named, elsewhere than among the first three, and some are not.
    """
    found: dict[str, int] = {}
    for index, word in enumerate(first.words):
        found.setdefault(_axis(word), index)
    found.pop("", None)
    if not found:
        return None
    if any(all(order.index(axis) == index for axis, index in found.items()) for order in ("xyz", "zyx")):
        return None if len(found) < 3 else (found["x"], found["y"], found["z"])
    if missing := {"x", "y", "z"} - found.keys():
        raise FormatError(
            path, f"line {first.line} names {' and '.join(sorted(found))} and no {' and no '.join(sorted(missing))}."
        )
    return found["x"], found["y"], found["z"]


def arranged(locations: Floats, options: Options, *, scale: float | None = None) -> Floats:
    """Bring coordinates of a file, ``(n, 3)``, to voxels in order x, y, z.

    ``scale`` is what they are divided by when the configuration gives no binning.
    """
    flipped = locations[:, ::-1] if options.order == "zyx" else locations
    divisor = options.binning if options.binning is not None else scale or 1.0
    return np.ascontiguousarray((flipped - options.origin) / divisor)


def turned(rotations: Floats, options: Options) -> Floats:
    """Bring rotations of a file, ``(n, 3, 3)``, to the order x, y, z of both axes."""
    return np.ascontiguousarray(rotations[:, ::-1, ::-1]) if options.order == "zyx" else rotations


def voxel_spacing(path: Path, options: Options, why: str) -> float:
    """Give what coordinates in Å are divided by: the binning of the configuration, else the voxel spacing.

    Raises
    ------
    FormatError
        If neither is known.
    """
    spacing = options.binning if options.binning is not None else options.spacing
    if spacing is None:
        raise FormatError(path, f"{why}: give the voxel spacing as binning.")
    return spacing


def _delimiter(options: Options) -> str:
    return options.delimiter.replace("\\t", "\t")


NOT_NAMES = re.compile(
    r"\(.*?\)|\[.*?\]|coordinates?|coords?|positions?|pos|locations?|loc|cent(er|re)|points?|voxels?|vox|pixels?|px|orig|rln|[^a-z0-9]"
)
"""What is taken from a column's name until the axis is left: units in brackets and the usual words."""

LONGEST_NAME = 80
"""Characters of a column's name that are looked at."""

NAPARI = {"axis0": "z", "axis1": "y", "axis2": "x"}


def _axis(word: str) -> str:
    """Say which coordinate a column's name means; empty if none."""
    left = NOT_NAMES.sub("", word.strip().lower()[:LONGEST_NAME])
    left = NAPARI.get(left, left)
    return left if left in {"x", "y", "z"} else ""


def _is_number(word: str) -> bool:
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", word.strip()) is not None
