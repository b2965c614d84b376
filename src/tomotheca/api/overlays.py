"""An annotation drawn over a plane: points as rings that shrink with their distance, masks as colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson
from PIL import Image, ImageDraw

from tomotheca.api.planes import Kept, Planes
from tomotheca.errors import FormatError, NotFoundError, QueryError
from tomotheca.web import slices
from tomotheca.web.pages.common import prefixed
from tomotheca.web.slices import AXES, Cut
from tomotheca.web.summaries import array_entries, key_of
from tomotheca.web.viewer import MASKS, PALETTE, POINTS, colours

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.formats.omezarr.grid import Grid
    from tomotheca.web.page import Asked

MOST_BYTES = 48 << 20
"""Bytes of a file of points that are read: of larger ones the first points are drawn."""

MOST_RINGS = 4000
KEPT_POINTS = 32 << 20
REACH = 120.0
"""Å from a point within which a slice shows it."""

SHARE = 0.012
"""The same as a share of the picture's width, where that is more."""

OPACITY = 0.45

_points: Kept[npt.NDArray[np.float32]] = Kept(KEPT_POINTS)


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the annotation that can be drawn."""

    key: str
    etag: str
    is_mask: bool
    is_instances: bool
    spacing: float
    """Å per voxel of its coordinates."""


@dataclass(frozen=True)
class Overlay:
    """What is drawn, in which colour."""

    parts: tuple[Part, ...]
    colour: str
    viewer: Viewer

    @property
    def tag(self) -> str:
        """What it looks like depends on."""
        return repr((self.parts, self.colour))


@dataclass(frozen=True, slots=True)
class Drawing:
    """The plane that is drawn on."""

    cut: Cut
    levels: tuple[Grid, ...]
    spacing: float
    """Å per voxel of level 0."""

    width: int
    """Voxels of the level along the picture's width."""


def find_overlay(asked: Asked, tomogram: Row, name: str) -> Overlay:
    """Find the files of an annotation that fit a tomogram.

    Raises
    ------
    NotFoundError
        If there is no such annotation.
    QueryError
        If nothing of it can be drawn on this tomogram.
    """
    number = prefixed(asked, "annotation", name)
    annotation = asked.get("annotation", number or 0)
    here = asked.name("tomogram", tomogram["id"])
    if annotation["run_id"] != tomogram["run_id"]:
        message = f"overlay: {name} belongs to another run than {here}"
        raise QueryError(message)
    drawable = [f for f in _files(asked, annotation) if f["shape"] in POINTS | MASKS]
    fitting = [f for f in drawable if f["alignment_id"] in {None, tomogram["alignment_id"]}]
    if drawable and not fitting:
        message = f"overlay: {name} was made under another alignment than {here} and would lie in the wrong place"
        raise QueryError(message)
    parts = _parts(asked, fitting)
    if not parts:
        message = f"overlay: {name} has no points or mask on this server that can be drawn"
        raise QueryError(message)
    return Overlay(parts, colours(asked).get(annotation["object_id"], PALETTE[0]), asked.viewer)


def _files(asked: Asked, annotation: Row) -> list[Row]:
    """Give the files in the formats that can be drawn, each with its shape and spacing."""
    catalog = asked.portal.catalog
    shapes = catalog.find("annotation_shape", asked.viewer, where={"annotation_id": {"_eq": annotation["id"]}})
    kinds = {s["id"]: s["shape_type"] for s in shapes}
    files = (
        catalog.find("annotation_file", asked.viewer, where={"annotation_shape_id": {"_in": list(kinds)}})
        if kinds
        else []
    )
    spacings = catalog.find("tomogram_voxel_spacing", asked.viewer, where={"run_id": {"_eq": annotation["run_id"]}})
    edges = {s["id"]: s["voxel_spacing"] for s in spacings}
    return [
        {**f, "shape": kinds[f["annotation_shape_id"]], "spacing": edges.get(f["tomogram_voxel_spacing_id"], 0.0)}
        for f in files if f["format"] == ("zarr" if kinds[f["annotation_shape_id"]] in MASKS else "ndjson")
    ]  # fmt: skip


def _parts(asked: Asked, files: Sequence[Row]) -> tuple[Part, ...]:
    """Keep the files that are here; points that were made from a mask are not drawn over it."""
    keys = {f["id"]: key_of(asked, f["s3_path"]) for f in files}
    found = array_entries(
        asked, [f"{keys[f['id']].rstrip('/')}/" if f["shape"] in MASKS else keys[f["id"]] for f in files]
    )
    parts = []
    for f in files:
        key = f"{keys[f['id']].rstrip('/')}/" if f["shape"] in MASKS else keys[f["id"]]
        if key in found:
            parts.append(
                Part(key, found[key], f["shape"] in MASKS, f["shape"] == "InstanceSegmentationMask", f["spacing"])
            )
    return tuple(parts)


async def draw(planes: Planes, picture: Image.Image, overlay: Overlay, drawing: Drawing) -> Image.Image:
    """Draw an annotation over a picture of a plane."""
    drawn = picture.convert("RGB")
    for part in overlay.parts:
        if part.is_mask:
            drawn = await _mask(planes, drawn, (part, overlay), drawing)
    for part in overlay.parts:
        if not part.is_mask:
            points = await _read_points(planes, part, overlay.viewer)
            drawn = await planes.run(partial(_rings, drawn, points, overlay.colour, (drawing, part.spacing)))
    return drawn


async def _mask(planes: Planes, drawn: Image.Image, what: tuple[Part, Overlay], drawing: Drawing) -> Image.Image:
    part, overlay = what
    try:
        volume = await planes.open(part.key, part.etag, overlay.viewer)
    except (FormatError, NotFoundError):
        return drawn
    axis, shapes = AXES.index(drawing.cut.axis), [g.shape for g in volume.levels]
    level = slices.level_for(shapes, drawing.cut.axis)
    relative = drawing.spacing / part.spacing if part.spacing else 1.0
    factor = round(shapes[0][axis] / shapes[level][axis])
    index = int(((drawing.cut.index or 0) + 0.5) * relative) // max(1, factor)
    if index >= shapes[level][axis]:
        return drawn
    labels = await planes.plane(volume, level, axis, index)
    # pixels of the picture for one pixel of the mask
    whole = slices.shown_edges(drawing.levels[0].shape, drawing.cut.axis)[1] * relative
    covered = slices.shown_edges(shapes[0], drawing.cut.axis)[1]
    scale = drawn.width / whole * covered / labels.shape[1]
    return await planes.run(lambda: _coloured(drawn, labels, scale, (overlay.colour, part.is_instances)))


def _coloured(drawn: Image.Image, labels: npt.NDArray[Any], scale: float, style: tuple[str, bool]) -> Image.Image:
    colour, is_instances = style
    there = labels > 0
    chosen = np.array([_rgb(c) for c in (PALETTE if is_instances else (colour,))], np.uint8)
    pixels = (
        chosen[(labels.astype(np.int64) - 1) % len(chosen)]
        if is_instances
        else np.broadcast_to(chosen[0], (*labels.shape, 3))
    )
    alpha = (there * round(255 * OPACITY)).astype(np.uint8)
    layer = Image.fromarray(np.dstack([np.ascontiguousarray(pixels), alpha]), "RGBA")
    size = (max(1, round(layer.width * scale)), max(1, round(layer.height * scale)))
    over = Image.new("RGBA", drawn.size)
    over.paste(layer.resize(size, Image.Resampling.NEAREST), (0, 0))
    return Image.alpha_composite(drawn.convert("RGBA"), over).convert("RGB")


async def _read_points(planes: Planes, part: Part, viewer: Viewer) -> npt.NDArray[np.float32]:
    """Read points, ``(n, 3)``, x, y, z in voxels of their spacing."""
    known = _points.get((part.key, part.etag))
    if known is not None:
        return known
    file = await planes.portal.lookup.find(part.key, viewer)
    data = await planes.bytes_of(file, 0, min(file.size, MOST_BYTES))
    found = await planes.run(lambda: parse_points(data))
    return _points.keep((part.key, part.etag), found, found.nbytes)


def parse_points(data: bytes) -> npt.NDArray[np.float32]:
    """Read lines of JSON; what is cut off or no point is left out."""
    found = []
    for line in data.splitlines():
        try:
            location = orjson.loads(line)["location"]
            found.append((float(location["x"]), float(location["y"]), float(location["z"])))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue
    return np.array(found, np.float32).reshape(-1, 3)


def _rings(
    drawn: Image.Image, points: npt.NDArray[np.float32], colour: str, where: tuple[Drawing, float]
) -> Image.Image:
    """Draw a ring where the slice cuts the ball around a point."""
    drawing, spacing = where
    relative = spacing / drawing.spacing if spacing else 1.0
    across = 2 - AXES.index(drawing.cut.axis)  # x, y, z: the other way round
    right, down = {"z": (0, 1), "y": (0, 2), "x": (2, 1)}[drawing.cut.axis]
    pixels = drawn.width / slices.shown_edges(drawing.levels[0].shape, drawing.cut.axis)[1]
    reach = max(REACH / drawing.spacing, SHARE * drawn.width / pixels)
    placed = points * np.float32(relative)
    distance = np.abs(placed[:, across] - (drawing.cut.index or 0))
    near = np.flatnonzero(distance < reach)
    near = near[np.argsort(distance[near], kind="stable")][:MOST_RINGS]
    pen = ImageDraw.Draw(drawn)
    for i in near[::-1]:
        radius = max(3.0, float(np.sqrt(reach**2 - distance[i] ** 2)) * pixels)
        x, y = float(placed[i, right] + 0.5) * pixels, float(placed[i, down] + 0.5) * pixels
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2)
    return drawn


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
