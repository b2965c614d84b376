"""Points of an annotation as tables that other programs read: CSV and RELION 5 STAR, in a frame of the reader's choice.

The archive keeps points in voxels; a voxel's centre is at its index. The frames are

- ``voxel``: as kept;
- ``angstrom``: ``voxel * spacing``, Å from the centre of the first voxel;
- ``centred-angstrom``: ``(voxel - size / 2) * spacing``, Å from the middle of the tomogram, as RELION 5 counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import orjson

from tomotheca.errors import QueryError
from tomotheca.formats import ndjson
from tomotheca.formats.relionwrite import ANGLES, CENTRED, COORDINATES, GROUP, TOMOGRAM, matrices_to_euler

if TYPE_CHECKING:
    from tomotheca.formats.points import Points

Floats = npt.NDArray[np.float64]

FRAMES: Mapping[str, str] = {
    "voxel": "Voxels",
    "angstrom": "Å from the first voxel",
    "centred-angstrom": "Å from the middle",
}
"""Frames by their names, with the words for a visitor."""

MATRIX = tuple(f"r{row}{column}" for row in "123" for column in "123")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the numbers of a table refer to."""

    frame: str
    spacing: float
    """Voxel spacing in Å."""

    size: tuple[int, int, int] | None = None
    """Voxels of the tomogram, x, y, z."""

    run: str
    """Name of the run, which RELION knows the tomogram by."""

    about: tuple[str, ...] = ()
    """Lines that say what the points are and where they came from."""

    optics: Mapping[str, float] | None = None
    """Columns of RELION's optics table with their values, as far as they are known."""


def setting_allowed(frame: str, size: tuple[int, int, int] | None) -> None:
    """Check a frame.

    Raises
    ------
    QueryError
        If there is no such frame, or it needs a tomogram's size that is not known.
    """
    if frame not in FRAMES:
        message = f"frame: {frame[:40]!r} is not offered; there are {', '.join(FRAMES)}"
        raise QueryError(message)
    if frame == "centred-angstrom" and size is None:
        message = "frame: centred-angstrom needs a tomogram under the annotation's alignment, and there is none"
        raise QueryError(message)


def placed(locations: Floats, setting: Setting) -> Floats:
    """Bring locations, ``(n, 3)`` in voxels, into the frame."""
    match setting.frame:
        case "angstrom":
            return locations * setting.spacing
        case "centred-angstrom" if setting.size is not None:
            return (locations - np.array(setting.size) / 2) * setting.spacing
    return locations


def parsed(key: str, blocks: Iterable[list[bytes]]) -> Iterator[Points]:
    """Read the lines of an ndjson file, many at a time.

    Raises
    ------
    FormatError
        If a line is no point.
    """
    first = 1
    for lines in blocks:
        if (points := ndjson.parse_lines(Path(key), first, lines)) is not None:
            yield points
        first += len(lines)


def comments(setting: Setting) -> list[str]:
    """Say what the numbers are."""
    spacing, size = f"{setting.spacing:g}", setting.size
    told = {
        "voxel": f"Coordinates x, y, z in voxels of {spacing} Å; a voxel's centre is at its index.",
        "angstrom": f"Coordinates x, y, z in Å from the centre of the first voxel: voxel * {spacing}.",
        "centred-angstrom": f"Coordinates x, y, z in Å from the middle of the tomogram: (voxel - size / 2) * {spacing}, size {size}.",
    }
    return [*setting.about, told[setting.frame]]


def as_csv(pieces: Iterable[Points], setting: Setting) -> Iterator[bytes]:
    """Write comments, a header and one line a point; numbers are the shortest that read back as they were."""
    head = comments(setting)
    first = True
    for points in pieces:
        columns = ["x", "y", "z"]
        parts = [placed(points.locations, setting)]
        if points.rotations is not None:
            columns += MATRIX
            parts.append(points.rotations.reshape(-1, 9))
        if first:
            if points.rotations is not None:
                head.append(
                    "r11 to r33 are the rows of the matrix that turns the reference into the particle, on columns x, y, z."
                )
            columns += ["instance_id"] if points.ids is not None else []
            yield "".join(f"# {line}\n" for line in head).encode() + (",".join(columns) + "\n").encode()
            first = False
        yield rows_of(np.concatenate(parts, axis=1), b",", ends=points.ids)
    if first:
        yield "".join(f"# {line}\n" for line in head).encode() + b"x,y,z\n"


def as_star(pieces: Iterable[Points], setting: Setting) -> Iterator[bytes]:
    """Write a particle file of RELION 5; see `tomotheca.formats.relionwrite`."""
    centred = setting.frame == "centred-angstrom"
    unit = setting.spacing if setting.frame == "voxel" else 1.0
    optics = {**(setting.optics or {}), **({} if centred else {"rlnImagePixelSize": unit})}
    told = "".join(f"# {line}\n" for line in comments(setting)).replace("Å", "Angstrom")
    yield told.encode("ascii", "replace")
    yield _loop("optics", (GROUP, "rlnOpticsGroupName", *optics))
    yield " ".join(["1", "opticsGroup1", *(f"{value:g}" for value in optics.values())]).encode() + b"\n\n"
    name, columns = _word(setting.run), (TOMOGRAM, GROUP, *(CENTRED if centred else COORDINATES))
    first = True
    for points in pieces:
        parts = [placed(points.locations, setting)]
        if points.rotations is not None:
            parts.append(matrices_to_euler(points.rotations))
        if first:
            yield _loop("particles", (*columns, *(ANGLES if points.rotations is not None else ())))
            first = False
        yield rows_of(np.concatenate(parts, axis=1), b" ", start=f"{name} 1 ".encode())
    if first:
        yield _loop("particles", columns)


def rows_of(values: Floats, between: bytes, *, start: bytes = b"", ends: npt.NDArray[np.int64] | None = None) -> bytes:
    """Write an array, ``(n, m)``, as lines, without a loop over its numbers."""
    text = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[2:-2]
    lines = text.split(b"],[") if text else []
    if between != b",":
        lines = [line.replace(b",", between) for line in lines]
    if ends is not None:
        lines = [line + between + b"%d" % end for line, end in zip(lines, ends.tolist(), strict=True)]
    return b"".join(start + line + b"\n" for line in lines)


def _loop(block: str, columns: Iterable[str]) -> bytes:
    names = "".join(f"_{column} #{number}\n" for number, column in enumerate(columns, start=1))
    return f"data_{block}\n\nloop_\n{names}".encode()


def _word(name: str) -> str:
    """Quote a name for STAR; one that has both kinds of quotes loses the double ones."""
    plain = name and not any(c.isspace() for c in name) and name[0] not in "_#'\";$[]"
    return (
        name if plain else "'" + name.replace('"', "") + "'" if "'" not in name else '"' + name.replace('"', "") + '"'
    )
