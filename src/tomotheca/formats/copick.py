"""Picks of copick: one JSON file for each object, user and session of a run.

Source: ``CopickPicksFile`` in https://github.com/copick/copick, and its page on geometry conventions.

Positions. ``location`` plus the translation of ``transformation_``, in Å from the centre of the first voxel; the voxel
spacing turns them into voxels, or the configuration's ``binning`` where it is given.

Rotations. The upper left 3 × 3 of ``transformation_`` maps the object to the tomogram, acting on columns ``(x, y, z)``: it
is the matrix that is kept. A mirror image is refused.

Instances. ``instance_id`` numbers filaments from 1; a file in which all are 0 (not assigned) gives each point its own, from 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from tomotheca.errors import FormatError
from tomotheca.formats.points import Options, Points, arranged, turned, voxel_spacing
from tomotheca.formats.rotation import check_rotations

GROWTH = 8
"""Times as large as its file the content is in memory."""

Floats = npt.NDArray[np.float64]


def read(path: Path, options: Options) -> Points:
    """Read all points, with rotations unless the file says that they mean nothing (``trust_orientation`` false).

    Raises
    ------
    FormatError
        If the file is no JSON of picks, is not in Å, or a point has no location or a matrix that is no rotation.
    """
    document = _load(path, options)
    points = _list(path, document)
    spacing = voxel_spacing(path, options, "has coordinates in Å")
    locations = _array(path, [_location(path, i, point) for i, point in enumerate(points)], (3,))
    if document.get("trust_orientation") is False:
        return Points(arranged(locations, options, scale=spacing), None, _instances(path, points))
    matrices = _array(path, [_transformation(point) for point in points], (4, 4))
    rotations = np.ascontiguousarray(matrices[:, :3, :3])
    check_rotations(path, rotations)
    moved = arranged(locations + matrices[:, :3, 3], options, scale=spacing)
    return Points(moved, turned(rotations, options), _instances(path, points))


def _load(path: Path, options: Options) -> dict[str, Any]:
    """Read the file, if it is not too large for memory."""
    try:
        size = path.stat().st_size
        if size * GROWTH > options.memory:
            limit = options.memory // GROWTH >> 20
            raise FormatError(
                path, f"has {size >> 20} MiB, more than {limit} MiB are not read as JSON: use a star file."
            )
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise FormatError(path, f"is no JSON: {error}.") from error
    if not isinstance(document, dict) or "points" not in document:
        raise FormatError(path, "has no points: is it a file of copick picks?")
    if (unit := document.get("unit", "angstrom")) != "angstrom":
        raise FormatError(path, f"has coordinates in {str(unit)[:40]!r}, only angstrom is read.")
    return document


def _list(path: Path, document: dict[str, Any]) -> list[Any]:
    """Give the points."""
    points = document["points"] or []
    if isinstance(points, list):
        return points
    raise FormatError(path, "has points that are no list: is it a file of copick picks?")


def _location(path: Path, index: int, point: Any) -> tuple[Any, Any, Any]:
    """Give the three coordinates of a point."""
    try:
        place = point["location"]
        return place["x"], place["y"], place["z"]
    except (KeyError, TypeError, IndexError):
        raise FormatError(path, f"point {index + 1} has no location with x, y and z.") from None


IDENTITY = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]


def _transformation(point: dict[str, Any]) -> Any:
    return point.get("transformation_") or IDENTITY


def _array(path: Path, values: list[Any], shape: tuple[int, ...]) -> Floats:
    """Turn the values of all points into an array, shape ``(n, *shape)``."""
    if not values:
        return np.empty((0, *shape))
    try:
        array = np.array(values, np.float64)
    except (ValueError, TypeError):
        array = np.empty(0)
    if array.shape == (len(values), *shape) and np.isfinite(array).all():
        return array
    wrong = next((i for i, value in enumerate(values) if not _is_numeric(value, shape)), 0)
    what = "location" if shape == (3,) else "transformation_ of 4 x 4"
    raise FormatError(path, f"point {wrong + 1} has a {what} that is not all finite numbers.")


def _is_numeric(value: Any, shape: tuple[int, ...]) -> bool:
    try:
        array = np.array(value, np.float64)
    except (ValueError, TypeError):
        return False  # words, nothing, or lists of different lengths
    return array.shape == shape and bool(np.isfinite(array).all())


def _instances(path: Path, points: list[Any]) -> npt.NDArray[np.int64]:
    """Give the numbers of instances."""
    found = [point.get("instance_id") or 0 for point in points]
    wrong = next(
        (i for i, number in enumerate(found) if not isinstance(number, int) or not 0 <= number < 1 << 63), None
    )
    if wrong is not None:
        raise FormatError(path, f"point {wrong + 1} has the instance_id {str(found[wrong])[:40]}: give a whole number.")
    ids = np.array(found, np.int64)
    return ids if ids.any() else np.arange(1, len(ids) + 1)
