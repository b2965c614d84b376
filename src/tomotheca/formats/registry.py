"""Which reader takes which ``file_format`` of an annotation source, for each shape of points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from tomotheca.errors import FormatError
from tomotheca.formats import cets, copick, dynamo, imodmodel, points, relion, stopgap, tardis
from tomotheca.formats.points import Options, Points

Reader = Callable[[Path, Options], Points]

PARTICLES: Mapping[str, Reader] = {
    "relion3_star": partial(relion.read, dialect=relion.RELION_3),
    "relion4_star": partial(relion.read, dialect=relion.RELION_4),
    "relion5_star": partial(relion.read, dialect=relion.RELION_5),
    "tomoman_relion_star": partial(relion.read, dialect=relion.TOMOMAN),
    "stopgap_star": stopgap.read,
    "dynamo_tbl": dynamo.read,
    "copick": copick.read,
    "cets": cets.read,
}
"""Formats that have positions and rotations in one."""

FILTERED = frozenset(PARTICLES) - {"copick"}
"""Formats whose files hold several tomograms, or sets of points, of which ``filter_value`` names one."""

READERS: Mapping[str, Mapping[str, Reader]] = {
    "Point": {
        "csv": points.read_csv,
        "csv_with_header": points.read_csv_with_header,
        "tsv": points.read_csv,
        "mod": imodmodel.read_points,
        **PARTICLES,
    },
    "OrientedPoint": {"mod": imodmodel.read_oriented, **PARTICLES},
    "InstanceSegmentation": {"tardis": tardis.read, "copick": copick.read},
}
"""Readers by shape and format."""


def read_points(path: Path, file_format: str, options: Options | None = None, *, shape: str = "Point") -> Points:
    """Read the points of an annotation.

    Raises
    ------
    FormatError
        If the shape is not read from this format, or the file is not what its format says.
    """
    readers = READERS.get(shape, {})
    if file_format not in readers:
        known = ", ".join(readers) or "none"
        raise FormatError(path, f"there is no file format {file_format!r} for {shape}; known are {known}.")
    with np.errstate(over="ignore", invalid="ignore"):
        points = readers[file_format](path, options or Options())
    if not np.isfinite(points.locations).all():
        raise FormatError(path, "has coordinates that are too large to be places in a tomogram.")
    return points
