"""Points of annotations: positions, orientations, instance numbers, as every reader gives them."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.text import read_text, to_floats

Order = Literal["xyz", "zyx"]
DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Positions in one tomogram, in voxels of its voxel spacing; a voxel's centre is at its index."""

    locations: npt.NDArray[np.float64]
    """Shape ``(n, 3)``, order x, y, z."""

    rotations: npt.NDArray[np.float64] | None = None
    """Shape ``(n, 3, 3)``, acting on columns ``(x, y, z)``."""

    ids: npt.NDArray[np.int64] | None = None
    """Shape ``(n,)``: which instance each point belongs to."""

    def __len__(self) -> int:
        """Count the points."""
        return len(self.locations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a configuration says of a file of points."""

    binning: float = 1.0
    """Coordinates are divided by it to become voxels."""

    order: Order = "xyz"
    """Order of the coordinates in the file."""

    filter_value: str = ""
    """Name of the tomogram or micrograph whose rows are taken; empty takes all."""

    delimiter: str = ""
    """Between the columns of a csv file; left out, it is found: comma, semicolon, tab or blanks."""


def read_csv(path: Path, options: Options) -> Points:
    """Read a table without a header; the first three columns are the coordinates.

    Raises
    ------
    FormatError
        If a line has fewer than three columns or no numbers in them; the message names the line.
    """
    return _read(path, options, skip=0)


def read_csv_with_header(path: Path, options: Options) -> Points:
    """Read a table whose first line names the columns; the first three columns are the coordinates.

    Raises
    ------
    FormatError
        If a line has fewer than three columns or no numbers in them; the message names the line.
    """
    return _read(path, options, skip=1)


def arranged(locations: npt.NDArray[np.float64], options: Options) -> npt.NDArray[np.float64]:
    """Bring coordinates of a file, ``(n, 3)``, to voxels in order x, y, z."""
    flipped = locations[:, ::-1] if options.order == "zyx" else locations
    return np.ascontiguousarray(flipped / options.binning)


def _read(path: Path, options: Options, *, skip: int) -> Points:
    """Read the coordinates below ``skip`` lines of header."""
    lines = [
        (number, line)
        for number, line in enumerate(read_text(path).split("\n"), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ][skip:]
    delimiter = options.delimiter.replace("\\t", "\t") or _delimiter(lines)
    rows: list[list[float]] = []
    for number, line in lines:
        words = _columns(line, delimiter)
        if len(words) < 3:
            raise FormatError(path, f"line {number} has {len(words)} columns, three coordinates are needed.")
        if not rows and not skip and not any(map(_is_number, words[:3])):
            raise FormatError(path, f"line {number} is a header: give the file format csv_with_header.")
        rows.append(to_floats(path, number, words[:3]))
    return Points(arranged(np.array(rows, np.float64).reshape(-1, 3), options))


def _delimiter(lines: list[tuple[int, str]]) -> str:
    """Find what stands between the columns of the first line; a blank means any number of them."""
    first = lines[0][1] if lines else ""
    return next((mark for mark in DELIMITERS if first.count(mark) >= 2), " ")


def _columns(line: str, delimiter: str) -> list[str]:
    """Split one line."""
    if delimiter.isspace() and delimiter != "\t":
        return line.split()
    if len(delimiter) > 1:
        return [word.strip() for word in line.split(delimiter)]
    return [word.strip() for word in next(csv.reader(io.StringIO(line), delimiter=delimiter, skipinitialspace=True))]


def _is_number(word: str) -> bool:
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", word) is not None
