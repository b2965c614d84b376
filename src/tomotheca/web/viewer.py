"""Viewer states, generated from the catalogue: which tomogram, which annotations, in which colours. Nothing is made by hand.

Coordinates: the viewer places voxel *i* of an OME-Zarr level with its centre on *i* (scale and translation of every level say so), which
is the frame that points are written in. So points of the same spacing need no shift, and precomputed annotations none either: their numbers
are those of the points, and they say of what spacing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from tomotheca.errors import NotFoundError
from tomotheca.schema.vocabulary import label
from tomotheca.store import layout
from tomotheca.web import coarse, layers, objects, precomputed
from tomotheca.web.format import number
from tomotheca.web.summaries import key_of, preference

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked

PALETTE = (
    "#56b4e9",
    "#ffb000",
    "#ff4fa3",
    "#00d0a8",
    "#9d8bff",
    "#fe6100",
    "#f0e442",
    "#a6d854",
    "#cc79a7",
    "#648fff",
    "#e0c29a",
    "#7fdbff",
)
"""Colours that stay apart for colour-blind eyes and on grey."""

ANGSTROM = 1e-10
MOST_POINTS = 10_000
MOST_BYTES = 60_000
"""Bytes of one layer's points; the whole state stays below 64 KiB where it can."""

FRAME = 1200
"""Bytes of a layer around its points."""

SMALL = 16_000
"""Bytes of a file of points up to which they stand in the state; more are opened piece by piece, where the archive has them so."""

MOST_LISTED = 60
"""Layers that are in the state although they are off; the page names the others."""

SOURCES = {"dataset_author": 0, "portal_standard": 1, "community": 2}
POINTS = frozenset({"Point", "OrientedPoint", "InstanceSegmentation"})
MASKS = frozenset({"SegmentationMask", "InstanceSegmentationMask"})
FORMATS = {**dict.fromkeys(POINTS, "ndjson"), **dict.fromkeys(MASKS, "zarr"), "Mesh": "glb"}
"""Which file of a shape is shown."""

IMAGE_SHADER = "#uicontrol invlerp contrast(range=[%s, %s])\nvoid main() {\n  emitGrayscale(contrast());\n}\n"
MASK_SHADER = """#uicontrol vec3 color color(default="%s")
void main() {
  float value = float(toRaw(getDataValue()));
  if (value <= 0.0) {
    emitTransparent();
  } else {
    emitRGBA(vec4(color, 0.6));
  }
}
"""
POINT_SHADER = """#uicontrol float size slider(min=2, max=24, default=10)
void main() {
  setColor(defaultColor());
  setPointMarkerSize(size);
  setPointMarkerBorderWidth(1.0);
  setLineWidth(2.5);
  setEndpointMarkerSize(0.0);
  setEndpointMarkerBorderWidth(0.0);
}
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a state is asked to show."""

    run: int
    tomogram: int | None = None
    annotation: int | None = None
    deposition: int | None = None
    at: tuple[float, float, float] | None = None
    """Where to look, x, y, z in Å."""


@dataclass(frozen=True)
class Shape:
    """One shape of an annotation with the file that can be shown."""

    annotation: Row
    shape: str
    file: Row
    spacing: float
    source: int
    folder: str = ""
    """Key of its precomputed annotations, if the archive has them."""

    meshes: str = ""
    """Key of the surfaces at its points, if the archive has them."""


def colours(asked: Asked) -> Mapping[str, str]:
    """Give the colour of every object: the same in every run, in the order in which objects were first annotated."""

    def answer() -> Mapping[str, str]:
        c = asked.portal.catalog.compiler(asked.viewer)
        row = c.table("annotation")
        first = sa.func.min(row.c.id).label("first")
        found = asked.portal.catalog.execute(
            sa.select(row.c.object_id, first)
            .where(*c.visible("annotation", row))
            .group_by(row.c.object_id)
            .order_by(first)
        )
        return {r["object_id"]: PALETTE[place % len(PALETTE)] for place, r in enumerate(found)}

    return asked.portal.memory.get(("colours", asked.viewer, asked.version), answer)


def state(asked: Asked, wanted: Wanted) -> dict[str, Any]:
    """Generate the state of the viewer for one run.

    Raises
    ------
    NotFoundError
        If the viewer sees no such run, or it has no tomogram that can be shown.
    """
    asked.get("run", wanted.run)
    tomogram = choose_tomogram(asked, wanted)
    shapes = find_shapes(asked, wanted)
    spacing = tomogram["voxel_spacing"]
    dimensions = {axis: [spacing * ANGSTROM, "m"] for axis in "xyz"}
    size = [tomogram[f"size_{axis}"] for axis in "xyz"]
    image = _image(asked, tomogram)
    made = [image, *_annotations(asked, (shapes, layers.choose(asked, shapes, wanted, tomogram)), tomogram)]
    return {
        "title": asked.name("tomogram", tomogram["id"]),
        "dimensions": dimensions,
        "position": _position(asked, wanted, (tomogram, shapes)) or [(n - 1) / 2 for n in size],
        "crossSectionScale": max(size[:2]) / 360,
        "projectionScale": max(size) * 1.3,
        "layers": made,
        "selectedLayer": {"visible": False, "layer": image["name"]},
        "layout": "4panel",
        "showSlices": True,
        "showAxisLines": False,
        "crossSectionBackgroundColor": "#0f1519",
        "projectionBackgroundColor": "#0f1519",
    }


def choose_tomogram(asked: Asked, wanted: Wanted) -> Row:
    """Give the tomogram asked for, else the run's preferred one; for one annotation the preferred one of those it fits.

    Raises
    ------
    NotFoundError
        If there is none that the viewer can show.
    """
    found = find_tomograms(asked, wanted.run)
    if wanted.tomogram is not None:
        found = [t for t in found if t["id"] == wanted.tomogram]
    elif wanted.annotation is not None:
        used = {s.file["alignment_id"] for s in find_shapes(asked, wanted)}
        found = [t for t in found if t["alignment_id"] in used] or found
    if not found:
        message = f"{asked.name('run', wanted.run)} has no tomogram that the viewer can show."
        raise NotFoundError(message)
    return found[0]


def find_tomograms(asked: Asked, run: int) -> list[Row]:
    """Give the tomograms of a run that the viewer can show: the preferred one first."""
    found = asked.portal.catalog.find("tomogram", asked.viewer, where={"run_id": {"_eq": run}})
    return sorted((t for t in found if key_of(asked, t["s3_omezarr_dir"])), key=preference)


def _position(asked: Asked, wanted: Wanted, shown: tuple[Row, Sequence[Shape]]) -> list[float]:
    """Give where to look, in voxels: where the address says, else the middle point of the one annotation asked for."""
    tomogram, shapes = shown
    if wanted.at is not None:
        return [round(a / tomogram["voxel_spacing"], 2) for a in wanted.at]
    first = next((s for s in shapes if s.shape in POINTS), None)
    if wanted.annotation is None or first is None:
        return []
    points = [p["location"] for p in precomputed.read_points(asked, key_of(asked, first.file["s3_path"]))]
    if not points:
        return []
    scale = first.spacing / tomogram["voxel_spacing"] if first.spacing else 1.0
    middle = {axis: sorted(float(p[axis]) for p in points)[len(points) // 2] for axis in "xyz"}
    near = min(points, key=lambda p: sum((float(p[a]) - middle[a]) ** 2 for a in "xyz"))
    return [round(float(near[axis]) * scale, 2) for axis in "xyz"]


def _image(asked: Asked, tomogram: Row) -> dict[str, Any]:
    name = f"{tomogram['name'] or 'Tomogram'} ({asked.name('tomogram', tomogram['id'])})"
    layer: dict[str, Any] = {
        "type": "image",
        "name": name,
        "source": objects.image(asked, key_of(asked, tomogram["s3_omezarr_dir"])),
        "opacity": 1,
        "blend": "additive",
    }
    low, high = tomogram["statistics_p1"], tomogram["statistics_p99"]
    if low is None or high is None or not high > low:
        low, high = coarse.ends(asked, f"{key_of(asked, tomogram['s3_omezarr_dir']).rstrip('/')}/") or (None, None)
    if low is not None and high is not None:
        layer["shader"] = IMAGE_SHADER % (f"{low:.6g}", f"{high:.6g}")
    return layer


def _annotations(
    asked: Asked, chosen: tuple[Sequence[Shape], Sequence[layers.Layer]], tomogram: Row
) -> Iterator[dict[str, Any]]:
    """Give the layers that are on, then as many of the others as there is room for, all in the order of preference."""
    shapes, decided = chosen
    room = MOST_BYTES
    found: dict[int, dict[str, Any]] = {}
    on, off = [d.place for d in decided if d.on], [d.place for d in decided if not d.on]
    for place in (*on, *off[:MOST_LISTED]):
        small = (shapes[place].file["file_size"] or 0) <= SMALL or bool(shapes[place].folder)
        if place not in on and not small and shapes[place].shape in POINTS:
            continue
        share = room // (len(on) - len(found)) if place in on else MOST_BYTES
        layer = _layer(asked, shapes[place], tomogram, share)
        size = len(orjson.dumps(layer)) if layer else 0
        if layer is not None and size <= room:
            room -= size
            found[place] = {**layer, "visible": place in on, "archived": False}
    for place in sorted(found):
        if shapes[place].meshes:
            yield {**_meshes_layer(asked, shapes[place]), "visible": place in on, "archived": False}
        yield found[place]


def _meshes_layer(asked: Asked, s: Shape) -> dict[str, Any]:
    """Make the layer of the surfaces at the points of a shape."""
    a = s.annotation
    colour = colours(asked).get(a["object_id"], PALETTE[0])
    name = f"{a['object_name']} · meshes at points ({asked.name('annotation', a['id'])})"
    return {**objects.mesh_layer(s.meshes, colour=colour), "name": name}


def find_shapes(asked: Asked, wanted: Wanted) -> list[Shape]:
    """Give the shapes of a run, or of what is asked for, that can be shown: in the order of preference."""
    catalog = asked.portal.catalog
    where: dict[str, Any] = {"run_id": {"_eq": wanted.run}}
    where |= {"id": {"_eq": wanted.annotation}} if wanted.annotation is not None else {}
    where |= {"deposition_id": {"_eq": wanted.deposition}} if wanted.deposition is not None else {}
    annotations = {a["id"]: a for a in catalog.find("annotation", asked.viewer, where=where)}
    if not annotations:
        return []
    kinds = {
        s["id"]: s
        for s in catalog.find("annotation_shape", asked.viewer, where={"annotation_id": {"_in": list(annotations)}})
    }
    spacings = {
        s["id"]: s["voxel_spacing"]
        for s in catalog.find("tomogram_voxel_spacing", asked.viewer, where={"run_id": {"_eq": wanted.run}})
    }
    files = (
        catalog.find("annotation_file", asked.viewer, where={"annotation_shape_id": {"_in": list(kinds)}})
        if kinds
        else []
    )
    found = []
    for f in files:
        kind = kinds[f["annotation_shape_id"]]
        if FORMATS.get(kind["shape_type"]) == f["format"] and key_of(asked, f["s3_path"]):
            spacing = spacings.get(f["tomogram_voxel_spacing_id"], 0.0)
            found.append(
                Shape(
                    annotations[kind["annotation_id"]],
                    kind["shape_type"],
                    f,
                    spacing,
                    SOURCES.get(f["source"], len(SOURCES)),
                )
            )
    return sorted(_with_folders(asked, found), key=_order)


def _with_folders(asked: Asked, found: Sequence[Shape]) -> list[Shape]:
    keys = [key_of(asked, s.file["s3_path"]) for s in found]
    folders = ["" if s.shape in MASKS else precomputed.folder_of(k, s.shape) for k, s in zip(keys, found, strict=True)]
    placed = [
        precomputed.folder_of(k, s.shape, of=layout.MESHES_AT_POINTS) if s.shape == "OrientedPoint" else ""
        for k, s in zip(keys, found, strict=True)
    ]
    have = precomputed.there(asked, [*folders, *placed])
    return [
        replace(s, folder=f if f in have else "", meshes=m if m in have else "")
        for s, f, m in zip(found, folders, placed, strict=True)
    ]


def _order(s: Shape) -> tuple[Any, ...]:
    """Put first what shows best: chosen by authors, ground truth, author's, precise, newest; points before masks and meshes."""
    a = s.annotation
    return (
        not s.file["is_visualization_default"], not a["ground_truth_status"], s.source, -(a["confidence_precision"] or 0), _newest(a), s.shape not in POINTS, s.shape != "OrientedPoint",
        a["id"], s.file["id"],
    )  # fmt: skip


def _newest(annotation: Row) -> int:
    return -int((annotation["deposition_date"] or "0")[:10].replace("-", ""))


def _layer(asked: Asked, s: Shape, tomogram: Row, room: int) -> dict[str, Any] | None:
    a = s.annotation
    name = f"{a['object_name']} · {label('annotation_file_shape_type_enum', s.shape).lower()} ({asked.name('annotation', a['id'])})"
    if s.spacing and s.spacing != tomogram["voxel_spacing"] and s.shape in MASKS:
        name += f" {number(s.spacing)} Å"
    colour = colours(asked).get(a["object_id"], PALETTE[0])
    if s.shape == "Mesh":
        return {**objects.mesh_layer(s.folder, colour=colour), "name": name} if s.folder else None
    if s.shape == "InstanceSegmentationMask":
        return {**objects.label_layer(asked, key_of(asked, s.file["s3_path"]), a["object_count"]), "name": name}
    if s.shape in MASKS:
        shader = MASK_SHADER % colour
        return {
            "type": "image",
            "name": name,
            "source": objects.image(asked, key_of(asked, s.file["s3_path"])),
            "shader": shader,
            "opacity": 0.75,
            "blend": "default",
        }
    return _points_layer(asked, s, tomogram, name, room)


def _points_layer(asked: Asked, s: Shape, tomogram: Row, name: str, room: int) -> dict[str, Any] | None:
    a, colour = s.annotation, colours(asked).get(s.annotation["object_id"], PALETTE[0])
    if s.folder and (s.shape == "InstanceSegmentation" or (s.file["file_size"] or 0) > min(SMALL, room)):
        made = precomputed.layer(asked, s.folder, colour=colour)
        if made is not None:
            return {**made, "name": name}
    points = precomputed.read_points(asked, key_of(asked, s.file["s3_path"]))
    scale = s.spacing / tomogram["voxel_spacing"] if s.spacing else 1.0
    marks = _fitting(list(_marks(points[:MOST_POINTS], scale, tomogram)), room - FRAME)
    if not marks:
        return None
    cut = (s.file["file_size"] or 0) > precomputed.POINT_BYTES
    shown, total = sum(m["type"] == "point" for m in marks), max(len(points), (a["object_count"] or 0) if cut else 0)
    name += f" first {number(shown)} of {number(total)}" if shown < total else ""
    spacing = {axis: [tomogram["voxel_spacing"] * ANGSTROM, "m"] for axis in "xyz"}
    return {
        "type": "annotation", "name": name, "source": {"url": "local://annotations", "transform": {"outputDimensions": spacing}},
        "annotations": marks, "annotationColor": colour, "shader": POINT_SHADER, "crossSectionAnnotationSpacing": 1,
    }  # fmt: skip


def _fitting(marks: list[dict[str, Any]], room: int) -> list[dict[str, Any]]:
    """Keep what fits into so many bytes: first the lines go, then the last points."""
    size = len(orjson.dumps(marks))
    if size <= room:
        return marks
    points = [m for m in marks if m["type"] == "point"]
    size = len(orjson.dumps(points))
    return points if size <= room else points[: max(1, len(points) * room // size)]


def _marks(points: Sequence[Mapping[str, Any]], scale: float, tomogram: Row) -> Iterator[dict[str, Any]]:
    """Give a point for each, and for oriented ones a short line along their own z axis."""
    reach = max(tomogram["size_x"], tomogram["size_y"]) / 40
    for place, point in enumerate(points):
        at = [round(float(point["location"][axis]) * scale, 2) for axis in "xyz"]
        yield {"type": "point", "id": str(place), "point": at}
        rotation = point.get("xyz_rotation_matrix")
        if rotation:
            tip = [round(at[i] + float(rotation[i][2]) * reach, 2) for i in range(3)]
            yield {"type": "line", "id": f"{place}z", "pointA": at, "pointB": tip}
