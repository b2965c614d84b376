"""Points of an annotation as the archive keeps them: one JSON object a line.

The rows are those of the public CryoET Data Portal: ``point``, ``orientedPoint`` with ``xyz_rotation_matrix``,
``instancePoint`` with ``instance_id``; locations are in voxels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson

from tomotheca.errors import FormatError
from tomotheca.formats.files import Member, writing
from tomotheca.formats.points import Points

RowType = Literal["point", "orientedPoint", "instancePoint"]
Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line."""

    type: RowType
    location: tuple[float, float, float]
    """x, y, z in voxels."""

    rotation: Matrix | None = None
    """Rows of the matrix that acts on columns ``(x, y, z)``; for ``orientedPoint``."""

    instance_id: int | None = None
    """For ``instancePoint``."""


def rows(path: Path) -> Iterator[Row]:
    """Read line by line, so that a file of any size fits in memory; empty lines are skipped.

    Raises
    ------
    FormatError
        If the file cannot be read, or a line is no row of a known type; the message names the line.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _row(path, number, line)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error


def read(path: Path) -> Points:
    """Read a whole file; rotations and ids are given when every row has them.

    Raises
    ------
    FormatError
        As ``rows`` does.
    """
    found = list(rows(path))
    rotations = [row.rotation for row in found if row.rotation is not None]
    ids = [row.instance_id for row in found if row.instance_id is not None]
    return Points(
        np.array([row.location for row in found], np.float64).reshape(-1, 3),
        np.array(rotations, np.float64) if found and len(rotations) == len(found) else None,
        np.array(ids, np.int64) if found and len(ids) == len(found) else None,
    )


def write(path: Path, points: Points, *, row_type: RowType) -> Member:
    """Write all points as rows of one type, hashing as it goes.

    Raises
    ------
    FormatError
        If the type needs rotations or ids that the points lack.
    StorageError
        If the disk refuses.
    """
    digest, size = hashlib.sha256(), 0
    with writing(path), path.open("wb") as file:
        for document in _documents(path, points, row_type):
            line = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
            digest.update(line)
            size += file.write(line)
    return Member(path.name, size, digest.hexdigest())


def _documents(path: Path, points: Points, row_type: RowType) -> Iterator[dict[str, Any]]:
    """Make the objects to write, one after the other."""
    if row_type == "orientedPoint" and points.rotations is None:
        raise FormatError(path, "oriented points need a rotation for each point: the source has none.")
    if row_type == "instancePoint" and points.ids is None:
        raise FormatError(path, "instance points need an instance number for each point: the source has none.")
    for index, (x, y, z) in enumerate(points.locations.tolist()):
        document: dict[str, Any] = {"type": row_type, "location": {"x": x, "y": y, "z": z}}
        if row_type == "orientedPoint" and points.rotations is not None:
            document["xyz_rotation_matrix"] = points.rotations[index].tolist()
        if row_type == "instancePoint" and points.ids is not None:
            document["instance_id"] = int(points.ids[index])
        yield document


def _row(path: Path, number: int, line: bytes) -> Row:
    """Read one line."""
    try:
        document = orjson.loads(line)
        kind: RowType = document["type"]
        place = document["location"]
        location = (float(place["x"]), float(place["y"]), float(place["z"]))
        if kind == "point":
            return Row(kind, location)
        if kind == "instancePoint":
            return Row(kind, location, None, int(document["instance_id"]))
        if kind == "orientedPoint":
            return Row(kind, location, _matrix(document["xyz_rotation_matrix"]))
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(path, f"line {number} is no row of an annotation: {error!r}.") from error
    raise FormatError(path, f"line {number} has the type {kind!r}; point, orientedPoint and instancePoint are read.")


def _matrix(value: list[list[float]]) -> Matrix:
    """Check and type a matrix."""
    (a, b, c), (d, e, f), (g, h, i) = value
    return (float(a), float(b), float(c)), (float(d), float(e), float(f)), (float(g), float(h), float(i))
