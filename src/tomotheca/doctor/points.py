"""Lists of points, looked through once: how many, where they lie, what their rotations are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from tomotheca.errors import FormatError

if TYPE_CHECKING:
    from tomotheca.doctor.look import Look
    from tomotheca.doctor.values import Triple

ORTHONORMAL = 1e-3
"""How far R Rᵀ may be from the identity and det R from 1: four digits in a file are enough."""


@dataclass(frozen=True, slots=True)
class Points:
    """What a list of points is like."""

    count: int
    types: frozenset[str]
    outside: int
    """Points outside the tomogram: further than half a voxel beyond its first and last voxels."""

    first_outside: str
    rotations: int
    """Rows with a rotation."""

    skewed: int
    """Rotations that are no rotations: not orthonormal, or with a determinant other than 1."""

    instances: int
    """Different instance numbers."""


@dataclass(slots=True)
class _Sum:
    count: int = 0
    outside: int = 0
    first: str = ""
    rotations: int = 0
    skewed: int = 0


def read(look: Look, key: str, shapes: Sequence[Triple]) -> Points:
    """Look through a file of points; ``shapes`` are sizes of tomograms, z, y, x, the largest of which counts.

    Raises
    ------
    FormatError
        If a line is no point.
    """
    limit = np.max([shape[::-1] for shape in shapes], axis=0) - 0.5 if shapes else None
    total, types, instances = _Sum(), set[str](), set[int]()
    line = 0
    for piece in look.pieces(key):
        rows, line = _rows(key, piece, line)
        types.update(_types(key, rows))
        _places(key, rows, limit, total)
        _turned(key, rows, total)
        instances.update(_instances(key, rows))
    return Points(
        total.count, frozenset(types), total.outside, total.first, total.rotations, total.skewed, len(instances)
    )


def _rows(key: str, piece: bytes, before: int) -> tuple[list[Any], int]:
    lines = piece.split(b"\n")
    given = [one for one in lines if one.strip()]
    try:
        return orjson.loads(b"[" + b",".join(given) + b"]"), before + len(lines)
    except orjson.JSONDecodeError:
        pass
    for number, one in enumerate(lines, before + 1):
        if one.strip():
            try:
                orjson.loads(one)
            except orjson.JSONDecodeError as error:
                raise FormatError(key, f"line {number} is not JSON ({error.msg})") from error
    raise FormatError(key, f"the lines {before + 1} to {before + len(lines)} are no JSON objects, one a line")


def _checked(key: str, what: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        message = f"a row has no {what} as rows of points have it ({type(error).__name__}: {error})"
        raise FormatError(key, message[:200]) from error


def _types(key: str, rows: list[Any]) -> set[str]:
    return {str(t) for t in _checked(key, "type", lambda: {row["type"] for row in rows})}


def _places(key: str, rows: list[Any], limit: Any, total: _Sum) -> None:
    def make() -> Any:
        flat = [value for row in rows for place in (row["location"],) for value in (place["x"], place["y"], place["z"])]
        return np.array(flat, np.float64).reshape(-1, 3)

    places = _checked(key, "location", make)
    if not np.isfinite(places).all():
        raise FormatError(key, "a row has a location that is no number")
    if limit is not None:
        out = np.flatnonzero(((places < -0.5) | (places > limit)).any(axis=1))  # noqa: PLR2004 - half a voxel
        if len(out) and not total.outside:
            x, y, z = places[out[0]]
            total.first = f"row {total.count + int(out[0]) + 1} at {x:.1f}, {y:.1f}, {z:.1f}"
        total.outside += len(out)
    total.count += len(rows)


def _turned(key: str, rows: list[Any], total: _Sum) -> None:
    given = [row["xyz_rotation_matrix"] for row in rows if "xyz_rotation_matrix" in row]
    if not given:
        return
    matrices = _checked(key, "rotation", lambda: np.array(given, np.float64).reshape(-1, 3, 3))
    with np.errstate(all="ignore"):
        squares = matrices @ matrices.transpose(0, 2, 1)
        bad = np.abs(squares - np.eye(3)).max(axis=(1, 2)) > ORTHONORMAL
        bad |= np.abs(np.linalg.det(matrices) - 1) > ORTHONORMAL
    bad |= ~np.isfinite(matrices).all(axis=(1, 2))
    total.rotations += len(given)
    total.skewed += int(bad.sum())


def _instances(key: str, rows: list[Any]) -> set[int]:
    def make() -> set[int]:
        found = {row["instance_id"] for row in rows if "instance_id" in row}
        if not all(isinstance(n, int) or (isinstance(n, float) and math.isfinite(n)) for n in found):
            message = "an instance is no number"
            raise ValueError(message)
        return {int(n) for n in found}

    return set(_checked(key, "instance_id", make))
