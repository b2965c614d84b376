"""Which reader takes which ``file_format`` of an annotation source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tomotheca.errors import FormatError
from tomotheca.formats import points, relion
from tomotheca.formats.points import Options, Points

READERS: dict[str, Callable[[Path, Options], Points]] = {
    "csv": points.read_csv,
    "csv_with_header": points.read_csv_with_header,
    "tsv": points.read_csv,
    "relion3_star": relion.read,
    "relion4_star": relion.read,
}

PLANNED = ("mod", "tomoman_relion_star", "stopgap_star", "copick", "tardis", "dynamo_tbl")
"""Formats that configurations may name and this version does not read."""


def read_points(path: Path, file_format: str, options: Options | None = None) -> Points:
    """Read the points of an annotation.

    Raises
    ------
    FormatError
        If the format is unknown or not yet read, or the file is not what its format says.
    """
    if file_format in PLANNED:
        raise FormatError(path, f"the file format {file_format} is not yet read by this version: convert it to csv.")
    if file_format not in READERS:
        known = ", ".join(READERS)
        raise FormatError(path, f"there is no file format {file_format!r} for points; known are {known}.")
    return READERS[file_format](path, options or Options())
