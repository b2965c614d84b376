"""Write points, lines and instances as precomputed annotations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.files import Member, write_file, writing
from tomotheca.formats.precomputed.grid import LIMIT, Box, Level, levels
from tomotheca.formats.precomputed.shards import Sharding, Values, sharding_of_rows, write_pieces, write_shard

if TYPE_CHECKING:
    from tomotheca.formats.points import Points

VERSION = 1
"""Raised when the same points are written in another way."""

ANGSTROM = 1e-10
"""Metres."""

ARROWS = 40
"""An arrow is the longer side of the volume, divided by this."""

AT_A_TIME = 1 << 16
"""Annotations that are encoded at once."""

POINT = np.dtype([("at", "<f4", 3)])
LINE = np.dtype([("at", "<f4", 3), ("tip", "<f4", 3)])
INSTANCE: list[tuple[str, str]] = [("instance", "<u4")]

Kind = Literal["point", "orientedPoint", "instancePoint"]
Records = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Frame:
    """The volume that points lie in."""

    spacing: float
    """Voxel spacing in Å, the same for all axes."""

    shape: tuple[int, int, int] | None = None
    """Voxels, order z, y, x; None if nothing is known of it."""


def write(folder: Path, points: Points, frame: Frame, *, kind: Kind, limit: int = LIMIT) -> tuple[Member, ...]:
    """Write annotations into an empty folder and list its files in byte order.

    Coordinates are those of the points: x, y, z in voxels of ``frame.spacing``, a voxel's centre at its index, as
    little-endian float32. The key of an annotation is its row, counted from 0. ``point`` gives points; ``orientedPoint`` gives one line for each, from
    the location along the particle's own z axis; ``instancePoint`` gives points with the property ``instance`` (uint32).

    Raises
    ------
    FormatError
        If the kind needs rotations or ids that the points lack, or a coordinate is not a finite float32.
    StorageError
        If the disk refuses.
    """
    records = _records(folder, points, frame, kind)
    box = _box(records, frame)
    with writing(folder):
        made = [_write_by_id(folder, records)]
        spatial: list[dict[str, Any]] = []
        ends = records["tip"].astype(np.float64) if kind == "orientedPoint" else None
        for level in levels(box, records["at"].astype(np.float64), ends, limit=limit):
            key = f"spatial{len(spatial)}"
            spatial.append(_describe(key, level))
            made.append(_write_level(folder, key, level, records))
    info = _info(box, frame, kind, spatial) | {"by_id": _by_id(len(records))}
    made.append(write_file(folder / "info", json.dumps(info, indent=1).encode() + b"\n", name="info"))
    return tuple(sorted(made, key=lambda member: member.path.encode()))


def _records(path: Path, points: Points, frame: Frame, kind: Kind) -> Records:
    """Give annotations as they are encoded, in the order of the points."""
    dtype = LINE if kind == "orientedPoint" else POINT
    if kind == "instancePoint":
        if points.ids is None:
            raise FormatError(path, "instance points need an instance number for each point: the source has none.")
        dtype = np.dtype([*POINT.descr, *INSTANCE])
    records = np.zeros(len(points), dtype)
    with np.errstate(over="ignore"):
        records["at"] = points.locations
        if kind == "orientedPoint":
            records["tip"] = points.locations + _arrows(path, points, frame)
    if points.ids is not None and kind == "instancePoint":
        records["instance"] = _instances(points.ids)
    if not all(np.isfinite(records[name]).all() for name in ("at", "tip") if name in (dtype.names or ())):
        raise FormatError(path, "a point has a coordinate that is not finite: it cannot be shown.")
    return records


def _arrows(path: Path, points: Points, frame: Frame) -> npt.NDArray[np.float64]:
    """Give the vectors from locations to tips, ``(n, 3)`` in voxels: the image of z under each rotation, all of one length."""
    if points.rotations is None:
        raise FormatError(path, "oriented points need a rotation for each point: the source has none.")
    sides = frame.shape[1:] if frame.shape else points.locations[:, :2].max(axis=0, initial=0)
    arrows: npt.NDArray[np.float64] = points.rotations[:, :, 2] * (max(*sides, ARROWS) / ARROWS)
    return arrows


def _instances(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """Give instance numbers that fit the property: as they are, else counted from 0 in ascending order."""
    if ids.min(initial=0) < 0 or ids.max(initial=0) > np.iinfo(np.uint32).max:
        ids = np.unique(ids, return_inverse=True)[1]
    return ids.astype(np.uint32)


def _box(records: Records, frame: Frame) -> Box:
    """Give the volume, widened to what lies outside of it; a voxel reaches half a voxel to all sides of its index."""
    ends = [records[name].astype(np.float64) for name in ("at", "tip") if name in (records.dtype.names or ())]
    lowest = np.min([end.min(axis=0, initial=0) for end in ends], axis=0)
    highest = np.max([end.max(axis=0, initial=0) for end in ends], axis=0)
    size = np.array(frame.shape[::-1] if frame.shape else (1, 1, 1), np.float64)
    inside = (lowest >= -0.5).all() and (highest <= size - 0.5).all()
    if inside:
        return Box(np.full(3, -0.5), size - 0.5)
    return Box(np.minimum(-0.5, np.floor(lowest) - 0.5), np.maximum(size - 0.5, np.ceil(highest) + 0.5))


def _info(box: Box, frame: Frame, kind: Kind, spatial: list[dict[str, Any]]) -> dict[str, Any]:
    properties = [{"id": "instance", "type": "uint32", "description": "Which instance the point belongs to"}]
    return {
        "@type": "neuroglancer_annotations_v1",
        "dimensions": {axis: [frame.spacing * ANGSTROM, "m"] for axis in "xyz"},
        "lower_bound": box.lower.tolist(),
        "upper_bound": box.upper.tolist(),
        "annotation_type": "line" if kind == "orientedPoint" else "point",
        "properties": properties if kind == "instancePoint" else [],
        "relationships": [],
        "spatial": spatial,
    }


def _by_id(count: int) -> dict[str, Any]:
    return {"key": "by_id", "sharding": sharding_of_rows(count).describe()}


def _write_by_id(folder: Path, records: Records) -> Member:
    keys = np.arange(len(records), dtype=np.uint64)
    sizes = np.full(len(records), records.dtype.itemsize, np.uint64)
    pieces = (records[start : start + AT_A_TIME].tobytes() for start in range(0, len(records), AT_A_TIME))
    return write_shard(folder, "by_id", sharding_of_rows(len(records)), Values(keys, sizes, pieces))


def _describe(key: str, level: Level) -> dict[str, Any]:
    said: dict[str, Any] = {"key": key, "grid_shape": level.shape.tolist(), "chunk_size": level.chunk.tolist()}
    said["limit"] = int(np.unique(level.codes, return_counts=True)[1].max())
    return said if _is_one(level) else {**said, "sharding": Sharding().describe()}


def _is_one(level: Level) -> bool:
    return int(level.shape.prod()) == 1


def _write_level(folder: Path, key: str, level: Level, records: Records) -> Member:
    """Write one level: a grid of one cell as a file, any other as a shard."""
    codes, begins, counts = np.unique(level.codes, return_index=True, return_counts=True)
    values = _encoded(level, records, begins, counts)
    if _is_one(level):
        (folder / key).mkdir()
        return write_pieces(folder / key / "0_0_0", values, name=f"{key}/0_0_0")
    sizes = (8 + counts * (records.dtype.itemsize + 8)).astype(np.uint64)
    return write_shard(folder, key, Sharding(), Values(codes, sizes, values))


def _encoded(
    level: Level, records: Records, begins: npt.NDArray[np.intp], counts: npt.NDArray[np.intp]
) -> Iterator[bytes]:
    """Give the annotations of each cell: how many, each of them, the key of each."""
    for begin, count in zip(begins.tolist(), counts.tolist(), strict=True):
        rows = level.rows[begin : begin + count]
        yield np.uint64(count).astype("<u8").tobytes()
        yield records[rows].tobytes()
        yield rows.astype("<u8").tobytes()
