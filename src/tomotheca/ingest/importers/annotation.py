"""Annotations: points as ndjson, masks as MRC and OME-Zarr, one document for all shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomotheca.errors import Finding, FormatError
from tomotheca.formats import ndjson
from tomotheca.formats.registry import FILTERED
from tomotheca.ingest import archive
from tomotheca.ingest.discover import Item, variables
from tomotheca.ingest.headers import Triple, look
from tomotheca.ingest.importers.common import Recipes, provenance
from tomotheca.ingest.importers.points import Frame, PointFile, outside, point_file
from tomotheca.ingest.importers.shown import Shown, show
from tomotheca.ingest.language import LocatedShape, SegmentationMaskShape
from tomotheca.ingest.template import UnknownVariableError, fill
from tomotheca.ingest.transfer import EmptyMaskError, Past, Volume, convert, hashed, kept
from tomotheca.ingest.work import Context, Draft, Input, Step
from tomotheca.schema import Annotation, Tomogram
from tomotheca.store import layout, manifest, names
from tomotheca.store.manifest import Entry

if TYPE_CHECKING:
    from tomotheca.formats.points import Points
    from tomotheca.ingest.importers.alignment import Aligned, Alignments
    from tomotheca.ingest.importers.tomogram import PlannedTomogram
    from tomotheca.ingest.scene import RunScene

ROW_TYPES: Mapping[str, ndjson.RowType] = {
    "Point": "point",
    "OrientedPoint": "orientedPoint",
    "InstanceSegmentation": "instancePoint",
}


@dataclass(frozen=True, slots=True)
class ShapeWork:
    """One shape of an annotation."""

    shape: str
    points: PointFile | None
    file: str
    """Key of the ndjson file; empty for a mask."""

    mask: Volume | None
    is_visualization_default: bool
    is_portal_standard: bool
    shown: str = ""
    """Key of the folder that the viewer opens; empty for a mask."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of its files."""
        return (self.mask.mrc, self.mask.zarr) if self.mask else (self.file,)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Keys of its files and of what the viewer opens."""
        return (*self.keys, self.shown) if self.shown else self.keys


@dataclass(frozen=True, slots=True)
class ShapeMade:
    """A shape that is in its place."""

    entries: tuple[Entry, ...]
    count: int
    written: int
    findings: tuple[Finding, ...] = ()


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
        made = [(shape, m) for shape in self.shapes if (m := _make(context, past, recipes, shape)) is not None]
        if not made:
            return None
        sources = hashed(dict.fromkeys(_source(shape) for shape, _ in made), past)
        files = [_file(shape, key) for shape, _ in made for key in shape.keys]
        points = [m.count for shape, m in made if shape.points]
        document = {
            "deposition_id": self.deposition,
            **self.metadata,
            "object_count": max(points) if points else self.metadata.get("object_count") or 1,
            "files": files,
            "alignment_metadata_path": self.alignment,
            "provenance": provenance(context.origin, sources, recipes),
        }
        entries = tuple(e for _, m in made for e in m.entries)
        findings = tuple(f for _, m in made for f in m.findings)
        return Draft(
            Annotation, self.key, document, entries, findings=findings, written=sum(m.written for _, m in made)
        )


def _source(shape: ShapeWork) -> Input:
    made_from = shape.points or shape.mask
    assert made_from is not None  # a shape is a mask or points
    return made_from.source


def _file(shape: ShapeWork, key: str) -> dict[str, Any]:
    path = key.rstrip("/")
    return {
        "format": path.rpartition(".")[2],
        "path": path,
        "shape": shape.shape,
        "is_visualization_default": shape.is_visualization_default,
        "is_portal_standard": shape.is_portal_standard,
    }


def _make(context: Context, past: Past, recipes: Recipes, shape: ShapeWork) -> ShapeMade | None:
    if shape.mask is not None:
        recipe = recipes.of(shape.mask)
        try:
            done = kept(context, past, shape.mask, recipe) or convert(context, shape.mask)
        except EmptyMaskError:
            recipes.made.pop(shape.mask.mrc)
            return None
        return ShapeMade(done.brought.entries, 1, done.brought.written, done.findings)
    return _points(context, past, recipes, (shape, shape.points)) if shape.points else None


def _points(context: Context, past: Past, recipes: Recipes, work: tuple[ShapeWork, PointFile]) -> ShapeMade | None:
    shape, file = work
    points = file.read(memory=context.memory)
    if context.progress:
        context.progress(file.source.size)
    if not len(points):
        return None
    row_type = ROW_TYPES[shape.shape]
    count = len(points) if row_type != "instancePoint" else points.instances
    rows, written = _rows(context, past, recipes, work, points)
    shown, more = show(context, past, recipes, Shown(shape.shown, file, row_type), points)
    return ShapeMade((rows, shown), count, written + more)


def _rows(
    context: Context, past: Past, recipes: Recipes, work: tuple[ShapeWork, PointFile], points: Points
) -> tuple[Entry, int]:
    """Write the ndjson file, unless it is there from the same points; its entry, and how many bytes were written."""
    shape, file = work
    recipe = recipes.note(shape.file, file.recipe)
    entry = past.entry(shape.file)
    if entry and past.unchanged([file.source]) and past.provenance.get("recipes", {}).get(shape.file) == recipe:
        return entry, 0
    with context.files.stage(shape.file) as path:
        made = ndjson.write(path, points, row_type=ROW_TYPES[shape.shape])
    return Entry(shape.file, made.size, made.sha256, manifest.media_type(shape.file), "annotation"), made.size


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
        inputs = tuple(dict.fromkeys(_source(s) for s in kept_shapes))
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
        source = self.run.scene.input(item.path)
        if source is None:
            return None
        finder = item.source.finder
        volume = self._volume(aligned)
        if isinstance(finder, SegmentationMaskShape):
            mask = self._mask(item, place, stem, volume)
            return (
                ShapeWork(item.source.shape, None, "", mask, finder.is_visualization_default, finder.is_portal_standard)
                if mask
                else None
            )
        if not isinstance(finder, LocatedShape):
            return None
        wanted = self._filter(item, finder.filter_value)
        if wanted is None:
            return None
        if wanted and finder.file_format not in FILTERED:
            self.run.add("note", item, f"filter_value is not used: a file of {finder.file_format} is of one tomogram.")
            wanted = ""
        file = point_file(source, item.source.shape, finder, wanted, Frame(float(self.spacing.spacing), volume))
        if not self._check(item, file, volume):
            return None
        key = place.shape(stem, item.source.shape, ".ndjson")
        shown = place.precomputed(stem, item.source.shape)
        return ShapeWork(
            item.source.shape, file, key, None, finder.is_visualization_default, finder.is_portal_standard, shown
        )

    def _filter(self, item: Item, wanted: str | None) -> str | None:
        try:
            return fill(wanted or "", variables(item, self.run.scene.maps))
        except UnknownVariableError as unknown:
            self.run.add("error", item, f"the variable {{{unknown.name}}} of filter_value is unknown.")
            return None

    def _check(self, item: Item, file: PointFile, volume: Triple | None) -> bool:
        """Read the points once: none is a note, some outside of the volume a warning."""
        try:
            points = file.read(memory=self.run.scene.memory)
        except FormatError as error:
            self.run.about("error", file.source.local, error.reason)
            return False
        if not len(points):
            reason = (
                f"no row of {file.filter_value} in {item.path}" if file.filter_value else f"{item.path} has no points"
            )
            self.run.add("note", item, f"{reason}: skipped.")
            return False
        if item.source.shape == "OrientedPoint" and points.rotations is None:
            self.run.about(
                "error", file.source.local, "has no angles: take it in as Point, or add the columns of angles."
            )
            return False
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
        return True

    def _mask(self, item: Item, place: layout.Annotation, stem: str, volume: Triple | None) -> Volume | None:
        source, finder = self.run.scene.input(item.path), item.source.finder
        assert isinstance(finder, SegmentationMaskShape)  # `_shape` looked
        if source is None or (seen := look(self.run, source)) is None:
            return None
        if volume and seen.shape != volume:
            sizes = [" x ".join(str(n) for n in reversed(shape)) for shape in (seen.shape, volume)]
            self.run.about("warning", source.local, f"the mask has {sizes[0]} voxels, its tomogram {sizes[1]}.")
        spacing = float(self.spacing.spacing)
        mrc, zarr = (place.shape(stem, item.source.shape, suffix) for suffix in (".mrc", ".zarr/"))
        return Volume(
            source, mrc, zarr, "annotation", (spacing, spacing, spacing), "mask", finder.mask_label, finder.threshold
        )

    def _volume(self, aligned: Aligned) -> Triple | None:
        """Give the size of the volume: that of a planned tomogram, else of one in the archive; z, y, x."""
        same = [t for t in self.tomograms if t.alignment == aligned.key] or list(self.tomograms)
        if same:
            return same[0].shape
        found = list(self.run.archive.of(Tomogram, self.spacing.folder))
        found = [e for e in found if e.document.get("alignment_metadata_path") == aligned.key] or found
        size = found[0].document.get("size") if found else None
        return (size["z"], size["y"], size["x"]) if isinstance(size, dict) else None
