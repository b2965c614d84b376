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

from tomotheca.errors import FormatError
from tomotheca.formats import jsonpoints
from tomotheca.formats.points import Options, Points, arranged, turned, voxel_spacing
from tomotheca.formats.rotation import check_rotations


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
    places = [_location(path, i, point) for i, point in enumerate(points)]
    locations = jsonpoints.array(path, places, (3,), "location")
    if document.get("trust_orientation") is False:
        return Points(arranged(locations, options, scale=spacing), None, _instances(path, points))
    matrices = jsonpoints.array(path, [_transformation(point) for point in points], (4, 4), "transformation_ of 4 x 4")
    rotations = np.ascontiguousarray(matrices[:, :3, :3])
    check_rotations(path, rotations)
    moved = arranged(locations + matrices[:, :3, 3], options, scale=spacing)
    return Points(moved, turned(rotations, options), _instances(path, points))


def _load(path: Path, options: Options) -> dict[str, Any]:
    """Read the file, if it is not too large for memory."""
    document = jsonpoints.load(path, options.memory)
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
