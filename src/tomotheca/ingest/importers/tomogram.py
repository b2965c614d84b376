"""Tomograms: a volume with its pyramid, and its key photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tomotheca.errors import FormatError
from tomotheca.ingest import archive, inplace, render
from tomotheca.ingest.discover import Item, variables
from tomotheca.ingest.fetched import middle
from tomotheca.ingest.headers import Look, Triple, compare, look
from tomotheca.ingest.importers.common import Recipes, provenance
from tomotheca.ingest.importers.points import Frame, PointFile, point_file
from tomotheca.ingest.language_shapes import OrientedPointShape, PointShape
from tomotheca.ingest.template import UnknownVariableError, fill
from tomotheca.ingest.transfer import Brought, Past, Volume, put
from tomotheca.ingest.work import Context, Draft, Input, Step
from tomotheca.schema import Tomogram
from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.ingest.importers.alignment import Alignments
    from tomotheca.ingest.scene import RunScene

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp", ".bmp")


@dataclass(frozen=True, slots=True)
class PhotoWork:
    """What the key photos are made from."""

    place: layout.Tomogram
    picture: Input | None
    overlays: tuple[PointFile, ...]


@dataclass(frozen=True, slots=True)
class TomogramWork:
    """What one tomogram is made from."""

    key: str
    volume: Volume
    photo: PhotoWork
    metadata: Mapping[str, Any]
    deposition: int
    run: str
    alignment: str

    def draft(self, context: Context) -> Draft:
        """Convert the volume, then make pictures of a coarse level of it."""
        past = Past(context, self.key)
        recipes = Recipes()
        recipe = recipes.of(self.volume)
        converted = inplace.bring(context, past, self.volume, recipe)
        photos = self._photos(context, past, recipes)
        place = self.photo.place
        document = {
            "deposition_id": self.deposition,
            "run_name": self.run,
            **self.metadata,
            **converted.facts,
            "voxel_spacing": self.volume.spacing[0],
            "key_photo": {size: place.key_photo(size) for size in ("snapshot", "thumbnail")},
            "neuroglancer_config_path": None,
            "alignment_metadata_path": self.alignment,
            "provenance": provenance(context.origin, inplace.recorded(self.volume, past, converted), recipes),
        }
        entries = (*converted.brought.entries, *photos.entries)
        written = converted.brought.written + photos.written
        return Draft(Tomogram, self.key, document, entries, findings=converted.findings, written=written)

    def _photos(self, context: Context, past: Past, recipes: Recipes) -> Brought:
        place = self.photo.place
        keys = {size: place.key_photo(size) for size in layout.PHOTO_SIZES}
        made_from = [recipes.made[self.volume.mrc], self.volume.source.size, self.volume.source.mtime]
        picture, overlays = self.photo.picture, self.photo.overlays
        recipe = recipes.note(
            keys["original"],
            [made_from, _stamp(picture), [[_stamp(o.source), o.recipe] for o in overlays]],
        )
        entries = [past.entry(key) for key in keys.values()]
        if past.provenance.get("recipes", {}).get(keys["original"]) == recipe and all(entries):
            return Brought(tuple(e for e in entries if e is not None))
        if picture is not None:
            made = render.from_picture(picture.local)
        else:
            drawn = [render.Overlay(o.read(memory=context.memory, bare=True).locations) for o in overlays]
            made = render.photos(self._slab(context), drawn)
        return put(context.files, {key: made[size] for size, key in keys.items()}, "image")

    def _slab(self, context: Context) -> render.Slab:
        """Read the slab that pictures show, from the source where that can be: no chunk has to be fetched and decoded then."""
        spacing = self.volume.spacing[0]
        if slab := render.slab_of_source(self.volume.source.local, spacing):
            return slab
        with middle(context.files, self.volume.zarr) as zarr:
            return render.slab_of_zarr(zarr, spacing)


def _stamp(source: Input | None) -> list[Any] | None:
    return [source.path, source.size, source.mtime] if source else None


@dataclass(frozen=True, slots=True)
class PlannedTomogram:
    """A tomogram as it was planned."""

    item: Item
    place: layout.Tomogram
    shape: Triple
    """z, y, x."""

    alignment: str
    metadata: Mapping[str, Any] = field(repr=False)
    look: Look


class Tomograms:
    """Plans the tomograms of one voxel spacing."""

    def __init__(self, run: RunScene, item: Item, alignments: Alignments) -> None:
        self.run, self.item, self.alignments = run, item, alignments
        self.spacing = run.place.spacing(float(item.name))
        self._numbers = archive.Numbers(run.archive.of(Tomogram, self.spacing.folder), archive.tomogram)

    def plan(self) -> list[PlannedTomogram]:
        """Look at every tomogram and decide where it goes."""
        planned: dict[archive.Natural, PlannedTomogram] = {}
        for item in self.run.of("tomograms", self.item):
            one = self._plan(item)
            if one is None:
                continue
            natural = archive.tomogram(
                {"deposition_id": self.run.deposition, "alignment_metadata_path": one.alignment, **one.metadata}
            )
            if natural in planned:
                other = planned[natural].item.path
                message = f"{other} and {item.path} are one tomogram by alignment, method, processing and software: correct the metadata of one, or keep one."
                self.run.add("error", item, message)
                continue
            planned[natural] = one
        return list(planned.values())

    def _plan(self, item: Item) -> PlannedTomogram | None:
        metadata, source = self.run.metadata(item), self.run.scene.input(item.path)
        if metadata is None or source is None or not self._is_here(item, float(metadata["voxel_spacing"])):
            return None
        seen = look(self.run, source)
        aligned = self.alignments.choose(item, self.spacing)
        if seen is None or aligned is None:
            return None
        spacing = float(self.spacing.spacing)
        compare(self.run, source, seen, spacing)
        if aligned.volume is None:
            z, y, x = seen.shape
            aligned.volume = (round(x * spacing, 3), round(y * spacing, 3), round(z * spacing, 3))
        natural = archive.tomogram(
            {"deposition_id": self.run.deposition, "alignment_metadata_path": aligned.key, **metadata}
        )
        return PlannedTomogram(
            item, self.spacing.tomogram(self._numbers.of(natural)), seen.shape, aligned.key, metadata, seen
        )

    def _is_here(self, item: Item, wanted: float) -> bool:
        """Whether a tomogram belongs to this spacing: its metadata may name another one of the run."""
        here = float(self.spacing.spacing)
        others = [float(i.name) for i in self.run.of("voxel_spacings")]
        if any(abs(other - wanted) < abs(here - wanted) for other in others):
            self.run.add("note", item, f"{item.path} has the voxel spacing {wanted:g} Å: not taken for {here:g} Å.")
            return False
        if abs(wanted - here) > 0.0015:  # noqa: PLR2004  # what three decimals lose
            self.run.add(
                "warning", item, f"{item.path} has the voxel spacing {wanted:g} Å in its metadata: {here:g} Å is taken."
            )
        return True

    def step(self, one: PlannedTomogram, shapes: Sequence[tuple[Item, str]]) -> Step | None:
        """Plan one tomogram; ``shapes`` are sources of default points with the alignment they belong to."""
        source = self.run.scene.input(one.item.path)
        if source is None:
            return None
        place, spacing = one.place, float(self.spacing.spacing)
        plain = Volume(source, place.mrc(), place.zarr(), "tomogram", (spacing, spacing, spacing))
        volume = inplace.placed(self.run, one.item, plain, one.look)
        frame = Frame(spacing, one.shape)
        overlays = [p for item, alignment in shapes if alignment == one.alignment and (p := self._overlay(item, frame))]
        photo = PhotoWork(place, self._picture(one.item), tuple(overlays))
        work = TomogramWork(
            place.document, volume, photo, one.metadata, self.run.deposition, self.run.name, one.alignment
        )
        outputs = (*inplace.outputs(volume), *(place.key_photo(size) for size in layout.PHOTO_SIZES))
        inputs = (source, *((photo.picture,) if photo.picture else ()))
        return Step(
            "tomogram",
            place.document,
            f"run {self.run.name}, {self.spacing.spacing} Å, {one.item.path}",
            work,
            inputs,
            outputs,
        )

    def _overlay(self, item: Item, frame: Frame) -> PointFile | None:
        finder, source = item.source.finder, self.run.scene.input(item.path)
        if (
            source is None
            or not isinstance(finder, PointShape | OrientedPointShape)
            or not finder.is_visualization_default
        ):
            return None
        try:
            wanted = fill(finder.filter_value or "", variables(item, self.run.scene.maps))
            file = point_file(source, item.source.shape, finder, wanted, frame)
            return file if len(file.read(memory=self.run.scene.memory, bare=True)) else None
        except (FormatError, UnknownVariableError):
            return None

    def _picture(self, tomogram: Item) -> Input | None:
        """Give the picture that the configuration names for a tomogram, if it names one."""
        for item in self.run.of("key_images", tomogram):
            if item.path.lower().endswith(PICTURES) and (source := self.run.scene.input(item.path)):
                try:
                    render.picture(source.local)
                except FormatError as error:
                    self.run.about("error", source.local, error.reason)
                else:
                    return source
            elif item.path:
                self.run.add(
                    "note",
                    item,
                    f"{item.path} is no picture that is read ({', '.join(PICTURES)}): one is made from the volume.",
                )
        return None
