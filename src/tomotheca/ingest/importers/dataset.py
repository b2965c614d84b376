"""Datasets and depositions: their documents and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from tomotheca.errors import FormatError
from tomotheca.ingest import render
from tomotheca.ingest.importers.common import provenance
from tomotheca.ingest.pictures import PictureProblem
from tomotheca.ingest.transfer import Brought, Past, hashed, put
from tomotheca.ingest.work import Context, Draft, Input, Step
from tomotheca.schema import Dataset, Deposition, Tomogram
from tomotheca.store import documents, layout, tree

if TYPE_CHECKING:
    from tomotheca.ingest.discover import Item
    from tomotheca.ingest.scene import Scene
    from tomotheca.store.files import Files

Place = layout.Dataset | layout.Deposition
SIZES = ("snapshot", "thumbnail")
WIDEST = {"snapshot": 1024, "thumbnail": 268}


@dataclass(frozen=True, slots=True)
class PageWork:
    """What the document of a dataset or deposition is made from."""

    place: Place
    metadata: Mapping[str, Any]
    deposition: int
    pictures: tuple[tuple[str, Input], ...]
    """Size and source of the pictures that the configuration names."""

    datasets: tuple[int, ...]
    """Where to look for a tomogram's pictures otherwise."""

    private: bool

    def draft(self, context: Context) -> Draft:
        """Bring the pictures and write the document."""
        past = Past(context, self.place.document)
        photos = self._photos(context.files)
        kept = {entry.key for entry in photos.entries}
        is_dataset = isinstance(self.place, layout.Dataset)
        document = {
            **({"deposition_id": self.deposition} if is_dataset else {}),
            **self.metadata,
            "key_photos": {size: key for size in SIZES if (key := self.place.image(f"{size}.png")) in kept}
            if kept
            else None,
            "visibility": visibility(self.metadata, past.document, private=self.private),
            "provenance": provenance(context.origin, hashed([source for _, source in self.pictures], past)),
        }
        model = Dataset if is_dataset else Deposition
        return Draft(model, self.place.document, document, photos.entries, written=photos.written)

    def _photos(self, files: Files) -> Brought:
        made = {size: render.png(source.local, WIDEST[size]) for size, source in self.pictures}
        if made:
            given = dict(self.pictures)
            for size in SIZES:
                if size not in made:
                    made[size] = render.png(next(iter(given.values())).local, WIDEST[size])
        else:
            made = self._of_tomogram(files)
        return put(files, {self.place.image(f"{size}.png"): data for size, data in sorted(made.items())}, "image")

    def _of_tomogram(self, files: Files) -> dict[str, bytes]:
        """Take the pictures of the first tomogram: of this deposition if it brought one, one that the viewer opens first."""
        best: tuple[int, Mapping[str, Any]] | None = None
        for document in self._tomograms(files):
            own = isinstance(self.place, layout.Dataset) or document.get("deposition_id") == self.deposition
            rank = 2 * (not own) + (not document.get("is_visualization_default"))
            if best is None or rank < best[0]:
                best = (rank, document)
            if rank == 0:
                break
        photo = (best[1].get("key_photo") or {}) if best else {}
        return {size: files.read_bytes(key) for size in SIZES if (key := photo.get(size)) and files.exists(key)}

    def _tomograms(self, files: Files) -> Iterator[Mapping[str, Any]]:
        for dataset in self.datasets:
            for run in tree.runs(files, dataset):
                for model, key in tree.run_documents(files, run):
                    if model is Tomogram:
                        yield documents.read(files, key)


def visibility(metadata: Mapping[str, Any], before: Mapping[str, Any], *, private: bool) -> dict[str, Any]:
    """Decide who may see a dataset or deposition.

    The command's `--private` goes first, then the configuration, then what is in the archive (what was published stays
    so, what was hidden too); else the release date: until then embargoed, from then on public.
    """
    if private:
        return {"state": "private", "until": None}
    if given := metadata.get("visibility"):
        return {"state": given.get("state", "public"), "until": given.get("until")}
    old = before.get("visibility") or {}
    if old.get("state") in {"public", "private"}:
        return dict(old)
    released = date.fromisoformat(str(metadata["dates"]["release_date"])[:10])
    if released <= datetime.now(UTC).date():
        return {"state": "public", "until": None}
    return {"state": "embargoed", "until": released.isoformat()}


def plan(scene: Scene, item: Item, datasets: tuple[int, ...]) -> Step | None:
    """Plan the document of a dataset or deposition that the configuration describes; None for one it refers to."""
    metadata = scene.metadata(item.entry)
    if not metadata:
        return None
    number = int(item.name)
    is_dataset = item.kind == "dataset"
    identifier = metadata["dataset_identifier" if is_dataset else "deposition_identifier"]
    if identifier != number:
        scene.add("error", item, f"the source says {number}, the metadata {identifier}: give both the same number.")
        return None
    place: Place = layout.Dataset(number) if is_dataset else layout.Deposition(number)
    deposition = item.ancestor("deposition")
    pictures = _pictures(scene, item)
    work = PageWork(place, metadata, int(deposition.name) if deposition else number, pictures, datasets, scene.private)
    inputs = tuple(source for _, source in pictures)
    return Step(
        item.kind, place.document, f"{item.kind} {number}", work, inputs, stage=2 if is_dataset else 3, always=True
    )


def _pictures(scene: Scene, item: Item) -> tuple[tuple[str, Input], ...]:
    found: dict[str, Input] = {}
    container = f"{item.kind}_keyphotos"
    for photo in scene.discovery.of(item, container):
        if photo.referred:
            continue
        source = _source(scene, photo)
        if source is None:
            continue
        try:
            render.picture(source.local)
        except FormatError as error:
            scene.add("error", photo, f"{source.path} {error.reason}")
            continue
        size = photo.name if photo.name in SIZES else next((s for s in SIZES if s not in found), "")
        if size:
            found[size] = source
    return tuple(sorted(found.items()))


def _source(scene: Scene, photo: Item) -> Input | None:
    """Find a picture below the source or elsewhere; None, with a note, if it is not to be had."""
    path = photo.path or _below(scene, photo.picture or "")
    if path is not None:
        return scene.input(path)
    if not photo.picture:
        return None
    try:
        return scene.elsewhere.find(photo.picture)
    except PictureProblem as problem:
        scene.add("note", photo, f"{photo.picture} {problem}; the first tomogram's picture is taken.")
        return None


def _below(scene: Scene, address: str) -> str | None:
    """Find a picture that is named from the bucket on, or below the source prefix."""
    if not address or "://" in address:
        return None
    prefix = (scene.configuration.standard.source_prefix if scene.configuration.standard else "").strip("/")
    candidates = [address.strip("/")]
    if prefix and f"{prefix}/" in address:
        candidates.append(address.partition(f"{prefix}/")[2])
    return next((c for c in candidates if ".." not in c.split("/") and scene.listing.exists(c)), None)
