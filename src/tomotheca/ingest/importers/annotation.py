"""Annotations: one document for all shapes of one thing; points here, masks, meshes and captions beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tomotheca.errors import FormatError
from tomotheca.formats import ndjson
from tomotheca.formats.registry import FILTERED
from tomotheca.ingest import archive
from tomotheca.ingest.discover import Item, variables
from tomotheca.ingest.importers import atpoints, captions, masks, meshes
from tomotheca.ingest.importers.captions import CaptionFile
from tomotheca.ingest.importers.common import Recipes, provenance
from tomotheca.ingest.importers.meshes import MeshFile
from tomotheca.ingest.importers.points import Frame, PointFile, outside, point_file
from tomotheca.ingest.importers.shapes import Bench, Setting, ShapeMade, ShapeWork
from tomotheca.ingest.importers.shown import Shown, show
from tomotheca.ingest.language_shapes import (
    AnnotationCaptionShape,
    GlobalCaptionShape,
    InstanceSegmentationMaskShape,
    LocatedShape,
    MeshShape,
    SegmentationMaskShape,
    Shape,
)
from tomotheca.ingest.template import UnknownVariableError, fill
from tomotheca.ingest.transfer import Past, Volume, hashed
from tomotheca.ingest.work import Context, Draft, Step
from tomotheca.schema import Annotation, Tomogram
from tomotheca.store import layout, manifest, names
from tomotheca.store.manifest import Entry

if TYPE_CHECKING:
    from tomotheca.formats.points import Points
    from tomotheca.ingest.headers import Triple
    from tomotheca.ingest.importers.alignment import Aligned, Alignments
    from tomotheca.ingest.importers.tomogram import PlannedTomogram
    from tomotheca.ingest.scene import RunScene

ROW_TYPES: Mapping[str, ndjson.RowType] = {
    "Point": "point",
    "OrientedPoint": "orientedPoint",
    "InstanceSegmentation": "instancePoint",
}


@dataclass(frozen=True, slots=True)
class AnnotationWork:
    """What one annotation is made from."""

    key: str
    metadata: Mapping[str, Any]
    deposition: int
    alignment: str
    shapes: tuple[ShapeWork, ...]

    def draft(self, context: Context) -> Draft | None:
        """Write the files of all shapes; None if none has anything in it."""
        past = Past(context, self.key)
        recipes = Recipes()
        bench = Bench(context, past, recipes)
        made = [(shape, m) for shape in self.shapes if (m := _make(bench, shape)) is not None]
        if not made:
            return None
        sources = hashed(dict.fromkeys(s for shape, _ in made for s in shape.sources), past)
        files = [_file(shape, key) for shape, _ in made for key in shape.keys]
        counts = [m.count for _, m in made if m.count is not None]
        document = {
            "deposition_id": self.deposition,
            **self.metadata,
            "object_count": max(counts) if counts else self.metadata.get("object_count") or 1,
            "files": files,
            "alignment_metadata_path": self.alignment,
            "provenance": provenance(context.origin, sources, recipes),
        }
        entries = tuple(e for _, m in made for e in m.entries)
        findings = tuple(f for _, m in made for f in m.findings)
        return Draft(
            Annotation, self.key, document, entries, findings=findings, written=sum(m.written for _, m in made)
        )


def _file(shape: ShapeWork, key: str) -> dict[str, Any]:
    path = key.rstrip("/")
    return {
        "format": path.rpartition(".")[2],
        "path": path,
        "shape": shape.shape,
        "is_visualization_default": shape.is_visualization_default,
        "is_portal_standard": shape.is_portal_standard,
    }


def _make(bench: Bench, shape: ShapeWork) -> ShapeMade | None:
    """Bring the files of a shape to their places; None if there is nothing in it."""
    match shape.made_from:
        case Volume() as volume:
            return masks.make(bench, volume)
        case MeshFile() as mesh:
            return meshes.make(bench, shape, mesh)
        case CaptionFile() as caption:
            return captions.make(bench, shape, caption)
        case PointFile() as file:
            return _points(bench, shape, file)


def _points(bench: Bench, shape: ShapeWork, file: PointFile) -> ShapeMade | None:
    points = file.read(memory=bench.context.memory)
    if bench.context.progress:
        bench.context.progress(file.source.size)
    if not len(points):
        return None
    row_type = ROW_TYPES[shape.shape]
    count = len(points) if row_type != "instancePoint" else points.instances
    rows, written = _rows(bench, shape, file, points)
    wanted = Shown(shape.shown, file, row_type)
    shown, more = show(bench.context, bench.past, bench.recipes, wanted, points)
    if not shape.shown_at_points:
        return ShapeMade((rows, shown), written + more, count)
    placed, most = atpoints.make(bench, shape.shown_at_points, file, points)
    return ShapeMade((rows, shown, placed), written + more + most, count)


def _rows(bench: Bench, shape: ShapeWork, file: PointFile, points: Points) -> tuple[Entry, int]:
    """Write the ndjson file, unless it is there from the same points; its entry, and how many bytes were written."""
    (key,) = shape.keys
    recipe = bench.recipes.note(key, file.recipe)
    if entry := bench.known(key, recipe, file.source):
        return entry, 0
    with bench.context.files.stage(key) as path:
        made = ndjson.write(path, points, row_type=ROW_TYPES[shape.shape])
    return Entry(key, made.size, made.sha256, manifest.media_type(key), "annotation"), made.size


class Annotations:
    """Plans the annotations of one voxel spacing."""

    def __init__(
        self, run: RunScene, spacing: layout.Spacing, alignments: Alignments, tomograms: Sequence[PlannedTomogram]
    ) -> None:
        self.run, self.spacing, self.alignments, self.tomograms = run, spacing, alignments, tomograms
        self._numbers = archive.Numbers(run.archive.of(Annotation, spacing.folder), archive.annotation)

    def plan(self, items: Sequence[Item]) -> list[Step]:
        """Plan all annotations: the shapes of one entry are one."""
        entries = dict.fromkeys(i.entry for i in items)
        planned = [self._plan([i for i in items if i.entry is entry]) for entry in entries]
        return [step for step in planned if step is not None]

    def _plan(self, items: Sequence[Item]) -> Step | None:
        first = items[0]
        metadata = self.run.metadata(first)
        aligned = self.alignments.choose(first, self.spacing)
        if metadata is None or aligned is None:
            return None
        natural = (self.run.deposition, aligned.key, metadata["annotation_ingest_id"])
        place = self.spacing.annotation(self._numbers.of(natural))
        stem = names.annotation_stem(metadata["annotation_object"], metadata.get("version") or "1.0")
        shapes = [self._shape(item, place, stem, aligned) for item in self._each_once(items)]
        kept_shapes = tuple(s for s in shapes if s is not None)
        if not kept_shapes:
            return None
        work = AnnotationWork(place.document(stem), metadata, self.run.deposition, aligned.key, kept_shapes)
        inputs = tuple(dict.fromkeys(i for s in kept_shapes for i in s.sources))
        said = f"run {self.run.name}, {self.spacing.spacing} Å, {metadata['annotation_ingest_id']}"
        outputs = tuple(k for s in kept_shapes for k in s.outputs)
        return Step("annotation", work.key, said, work, inputs, outputs, previous=self._numbers.document(natural))

    def _each_once(self, items: Sequence[Item]) -> list[Item]:
        """Leave out a second source of one shape, with a finding."""
        found: dict[str, Item] = {}
        for item in items:
            name = layout.shape_name(item.source.shape)
            if name in found:
                self.run.add(
                    "error",
                    item,
                    f"{found[name].path} and {item.path} are both {item.source.shape} of one annotation: tell them apart with parent_filters.",
                )
                continue
            if len(item.paths) > 1:
                self.run.add(
                    "error",
                    item,
                    f"{item.paths[0]} and {item.paths[1]} both match one shape of an annotation: make the pattern narrower.",
                )
                continue
            found[name] = item
        return list(found.values())

    def _shape(self, item: Item, place: layout.Annotation, stem: str, aligned: Aligned) -> ShapeWork | None:
        finder, volume = item.source.finder, self._volume(aligned)
        setting = Setting(self.run, item, place, stem, aligned, volume)
        found = self._found(setting)
        if found is None or not isinstance(finder, Shape):
            return None
        made_from, keys = found
        shown = place.precomputed(stem, item.source.shape) if isinstance(made_from, PointFile | MeshFile) else ""
        placed = place.precomputed(stem, layout.MESHES_AT_POINTS) if getattr(made_from, "mesh", None) else ""
        default, standard = finder.is_visualization_default, finder.is_portal_standard
        return ShapeWork(item.source.shape, made_from, keys, default, standard, shown, placed)

    def _found(self, setting: Setting) -> tuple[PointFile | Volume | MeshFile | CaptionFile, tuple[str, ...]] | None:
        """Look at the source of a shape; what to make it from, and the keys of its files."""
        match setting.item.source.finder:
            case SegmentationMaskShape() | InstanceSegmentationMaskShape():
                mask = masks.plan(setting)
                return (mask, (mask.mrc, mask.zarr)) if mask else None
            case MeshShape() as shape:
                mesh = meshes.plan(setting, shape)
                return (mesh, (setting.key(".glb"),)) if mesh else None
            case GlobalCaptionShape() | AnnotationCaptionShape():
                caption = captions.plan(setting)
                return (caption[0], (caption[1],)) if caption else None
            case LocatedShape() as shape:
                points = self._located(setting, shape)
                return (points, (setting.key(".ndjson"),)) if points else None
        return None

    def _located(self, setting: Setting, shape: LocatedShape) -> PointFile | None:
        item = setting.item
        source, wanted = self.run.scene.input(item.path), self._filled(item, "filter_value", shape.filter_value)
        if source is None or wanted is None:
            return None
        if wanted and shape.file_format not in FILTERED:
            self.run.add("note", item, f"filter_value is not used: a file of {shape.file_format} is of one tomogram.")
            wanted = ""
        file = point_file(source, item.source.shape, shape, wanted, Frame(setting.spacing, setting.volume))
        count = self._check(item, file, setting.volume)
        path = self._filled(item, "mesh_source_path", getattr(shape, "mesh_source_path", None))
        return replace(file, mesh=atpoints.plan(setting, path, count)) if count and path is not None else None

    def _filled(self, item: Item, name: str, text: str | None) -> str | None:
        """Fill variables into a text of a shape; None, with a finding, where one is unknown."""
        try:
            return fill(text or "", variables(item, self.run.scene.maps))
        except UnknownVariableError as unknown:
            self.run.add("error", item, f"the variable {{{unknown.name}}} of {name} is unknown.")
            return None

    def _check(self, item: Item, file: PointFile, volume: Triple | None) -> int:
        """Read the points once and count them, 0 where they cannot be taken in: none is a note, some outside of the volume a warning."""
        try:
            points = file.read(memory=self.run.scene.memory)
        except FormatError as error:
            self.run.about("error", file.source.local, error.reason)
            return 0
        if not len(points):
            reason = (
                f"no row of {file.filter_value} in {item.path}" if file.filter_value else f"{item.path} has no points"
            )
            self.run.add("note", item, f"{reason}: skipped.")
            return 0
        if item.source.shape == "OrientedPoint" and points.rotations is None:
            self.run.about(
                "error", file.source.local, "has no angles: take it in as Point, or add the columns of angles."
            )
            return 0
        rows = outside(points.locations, volume).tolist() if volume else []
        if rows:
            x, y, z = points.locations[rows[0]]
            size = " x ".join(str(n) for n in reversed(volume or ()))
            where = f"the first is point {rows[0] + 1} at {x:.1f}, {y:.1f}, {z:.1f}"
            line = f":{points.lines[rows[0]]}" if points.lines is not None else ""
            self.run.about(
                "warning",
                f"{file.source.local}{line}",
                f"run {self.run.name}: {len(rows)} of {len(points)} points are outside the volume of {size} voxels, {where}; they are kept.",
            )
        return len(points)

    def _volume(self, aligned: Aligned) -> Triple | None:
        """Give the size of the volume: that of a planned tomogram, else of one in the archive; z, y, x."""
        same = [t for t in self.tomograms if t.alignment == aligned.key] or list(self.tomograms)
        if same:
            return same[0].shape
        found = list(self.run.archive.of(Tomogram, self.spacing.folder))
        found = [e for e in found if e.document.get("alignment_metadata_path") == aligned.key] or found
        size = found[0].document.get("size") if found else None
        return (size["z"], size["y"], size["x"]) if isinstance(size, dict) else None
