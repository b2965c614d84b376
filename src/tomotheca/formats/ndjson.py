"""Points of an annotation as the archive keeps them: one JSON object a line.

The rows are those of the public CryoET Data Portal: ``point``, ``orientedPoint`` with ``xyz_rotation_matrix``,
``instancePoint`` with ``instance_id``; locations are in voxels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import orjson

from tomotheca.errors import FormatError
from tomotheca.formats.files import Member, writing
from tomotheca.formats.points import Points

BYTES_AT_A_TIME = 1 << 22
"""Of a file that is read."""

AT_A_TIME = 1 << 14
"""Rows that are written at once."""

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
    pieces = list(read_pieces(path))
    if not pieces:
        return Points(np.empty((0, 3)))
    rotations = [piece.rotations for piece in pieces if piece.rotations is not None]
    ids = [piece.ids for piece in pieces if piece.ids is not None]
    return Points(
        np.concatenate([piece.locations for piece in pieces]),
        np.concatenate(rotations) if len(rotations) == len(pieces) else None,
        np.concatenate(ids) if len(ids) == len(pieces) else None,
    )


def read_pieces(path: Path) -> Iterator[Points]:
    """Read many rows at a time, so that a file of any size fits in memory and a million rows take seconds.

    Raises
    ------
    FormatError
        As ``rows`` does.
    """
    first = 1
    try:
        with path.open("rb") as file:
            while lines := file.readlines(BYTES_AT_A_TIME):
                if points := _piece(path, first, lines):
                    yield points
                first += len(lines)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error


def parse_lines(path: Path, first: int, lines: list[bytes]) -> Points | None:
    """Read some lines of a file that is not on this machine's disk; None if they are empty.

    Parameters
    ----------
    path
        For messages.
    first
        Number of the first line.

    Raises
    ------
    FormatError
        As ``rows`` does.
    """
    return _piece(path, first, lines)


def write(path: Path, points: Points, *, row_type: RowType) -> Member:
    """Write all points as rows of one type, hashing as it goes.

    Raises
    ------
    FormatError
        If the type needs rotations or ids that the points lack, or a number is not finite.
    StorageError
        If the disk refuses.
    """
    digest, size = hashlib.sha256(), 0
    parts = _parts(path, points, row_type)
    with writing(path), path.open("wb") as file:
        for start in range(0, len(points), AT_A_TIME):
            text = _text([(before, values[start : start + AT_A_TIME]) for before, values in parts])
            digest.update(text)
            size += file.write(text)
    return Member(path.name, size, digest.hexdigest())


def _parts(path: Path, points: Points, row_type: RowType) -> list[tuple[bytes, npt.NDArray[Any]]]:
    """Give what stands in a row: for each number of it, the text before it and its value in all rows, ``(n,)``."""
    if row_type == "orientedPoint" and points.rotations is None:
        raise FormatError(path, "oriented points need a rotation for each point: the source has none.")
    if row_type == "instancePoint" and points.ids is None:
        raise FormatError(path, "instance points need an instance number for each point: the source has none.")
    start = f'{{"type":"{row_type}","location":{{'
    parts: list[tuple[str, npt.NDArray[Any]]] = [
        (text, points.locations[:, index]) for index, text in enumerate((f'{start}"x":', ',"y":', ',"z":'))
    ]
    if row_type == "orientedPoint" and points.rotations is not None:
        texts = ('},"xyz_rotation_matrix":[[', ",", ",", "],[", ",", ",", "],[", ",", ",")
        matrices = points.rotations.reshape(-1, 9)
        parts += [(text, matrices[:, index]) for index, text in enumerate(texts)]
    if row_type == "instancePoint" and points.ids is not None:
        parts.append(('},"instance_id":', points.ids))
    if not all(np.isfinite(values).all() for _, values in parts):
        raise FormatError(path, "a point has a number that is not finite: it cannot be written.")
    return [(text.encode(), values) for text, values in parts]


ENDS = {4: b"}\n", 3: b"}}\n", 12: b"]]}\n"}
"""Ends of rows, by how many numbers they have."""


def _text(parts: list[tuple[bytes, npt.NDArray[Any]]]) -> bytes:
    """Write rows without a loop over them: what stands before a number is the same in all."""
    width, count = len(parts), len(parts[0][1])
    words: list[bytes] = [b""] * (2 * width * count)
    for index, (before, values) in enumerate(parts):
        opening = before if index else ENDS[width] + before
        words[2 * index :: 2 * width] = [opening] * count
        column = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
        words[2 * index + 1 :: 2 * width] = column[1:-1].split(b",")
    words[0] = parts[0][0]
    return b"".join(words) + ENDS[width]


def _piece(path: Path, first: int, lines: list[bytes]) -> Points | None:
    """Read some lines at once; whatever is odd about them is found line by line."""
    said = [line for line in lines if line.strip()]
    if not said:
        return None
    try:
        documents = orjson.loads(b"[" + b",".join(said) + b"]")
        types = {document["type"] for document in documents}
        if len(documents) == len(said) and len(types) == 1:
            return _alike(documents, types.pop())
    except (ValueError, KeyError, TypeError, OverflowError):
        pass  # the loop below says which line it is
    found = [_row(path, number, line) for number, line in enumerate(lines, start=first) if line.strip()]
    rotations = [row.rotation for row in found if row.rotation is not None]
    ids = [row.instance_id for row in found if row.instance_id is not None]
    return Points(
        np.array([row.location for row in found], np.float64).reshape(-1, 3),
        np.array(rotations, np.float64) if len(rotations) == len(found) else None,
        np.array(ids, np.int64) if len(ids) == len(found) else None,
    )


def _alike(documents: list[dict[str, Any]], kind: str) -> Points:
    """Turn rows of one type into points."""
    if kind not in get_args(RowType):
        raise ValueError(kind)
    places = [document["location"] for document in documents]
    locations = np.array([(place["x"], place["y"], place["z"]) for place in places], np.float64)
    if kind == "orientedPoint":
        matrices = np.array([document["xyz_rotation_matrix"] for document in documents], np.float64)
        return Points(locations, matrices.reshape(-1, 3, 3))
    if kind == "instancePoint":
        return Points(locations, None, np.array([document["instance_id"] for document in documents], np.int64))
    return Points(locations)


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
            return Row(kind, location, None, _instance(document["instance_id"]))
        if kind == "orientedPoint":
            return Row(kind, location, _matrix(document["xyz_rotation_matrix"]))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise FormatError(path, f"line {number} is no row of an annotation: {error!r}.") from error
    raise FormatError(path, f"line {number} has the type {kind!r}; point, orientedPoint and instancePoint are read.")


def _instance(value: float) -> int:
    """Give the number of an instance, if it has no more than 64 bits."""
    number = int(value)
    if abs(number) >= 1 << 63:
        message = f"instance_id {number} is too large"
        raise ValueError(message)
    return number


def _matrix(value: list[list[float]]) -> Matrix:
    """Check and type a matrix."""
    (a, b, c), (d, e, f), (g, h, i) = value
    return (float(a), float(b), float(c)), (float(d), float(e), float(f)), (float(g), float(h), float(i))
