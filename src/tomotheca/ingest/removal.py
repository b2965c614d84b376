"""Remove documents with their files, so that a crash at any moment leaves nothing half removed.

The order is: the decision (`layout.REMOVAL`, written whole), tombstones, documents, files, empty folders. A killed removal is finished
by whoever writes to the archive next. The decision goes when the catalogue has followed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tomotheca.desk import Deed, Tombstone, export_marks
from tomotheca.desk.audit import signed
from tomotheca.desk.desk import now
from tomotheca.errors import Finding, InvalidDocumentError
from tomotheca.ingest.withdrawal import Withdrawn, datasets, withdraw
from tomotheca.schema.core import Entity
from tomotheca.store import documents, layout, manifest, tree

if TYPE_CHECKING:
    from tomotheca.desk import Desk
    from tomotheca.schema.core import Document
    from tomotheca.store.files import Files

SPACING = "tomogram_voxel_spacing"


@dataclass(frozen=True, slots=True)
class Paper:
    """A document of the archive, with its model."""

    model: type[Document]
    key: str
    document: Mapping[str, Any] = field(repr=False)

    @property
    def place(self) -> layout.Place:
        """Give the place of the document."""
        return layout.locate(self.key)

    @property
    def kind(self) -> str:
        """Name of the kind: that of its row, else that of the document."""
        if issubclass(self.model, Entity):
            return self.model.kind
        return self.model.__name__.lower()

    @property
    def number(self) -> int | None:
        """Identifier of its row, if it has one."""
        found = self.document.get("id")
        if not issubclass(self.model, Entity) or not isinstance(found, int):
            return None
        return found

    @property
    def deposition(self) -> int | None:
        """Number of the deposition it came with; None for a run, which is its dataset's."""
        if self.place.deposition is not None:
            return self.place.deposition
        found = self.document.get("deposition_id")
        return found if isinstance(found, int) else None

    @property
    def name(self) -> str:
        """Say what it is: ``TM-12 (tomogram 100 of run TS_1, dataset 10001)``."""
        prefix = getattr(self.model, "prefix", "")
        return f"{prefix}{self.number} ({self.title})" if prefix and self.number is not None else self.title

    @property
    def title(self) -> str:
        """Say what it is without its identifier."""
        place = self.place
        if given := self.document.get(f"{self.kind}_title"):
            return str(given)
        if place.dataset is None or not place.run:
            return f"{self.kind} {self.number}"
        inside = f"run {place.run}, dataset {place.dataset}"
        if self.kind == "run":
            return inside
        return f"{self.kind}{'' if place.number is None else f' {place.number}'} of {inside}"

    @property
    def folder(self) -> str:
        """Folder that goes with it; empty for a document in a folder that has more than it."""
        return "" if self.kind in {"frames", "identifiedobjects"} else self.place.folder


@dataclass(frozen=True, slots=True)
class Goes:
    """A document that is to go, and what goes with it."""

    name: str
    kind: str
    id: int | None
    key: str
    files: int
    bytes: int
    places: tuple[str, ...]
    """Keys that go after the document: its folder, pictures, what the viewer reads."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed."""

    documents: int = 0
    files: int = 0
    bytes: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """Who removes something, and for what reason."""

    action: str
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)


# --- reading ----------------------------------------------------------------------------------------------------------


def read(files: Files, found: Iterable[tuple[type[Document], str]]) -> Iterator[Paper]:
    """Read documents; a broken one has no content, and can be removed all the same."""
    for model, key in found:
        try:
            yield Paper(model, key, documents.read(files, key))
        except InvalidDocumentError:
            yield Paper(model, key, {})


def within(files: Files, paper: Paper) -> list[Paper]:
    """Give a document and all that lie below it."""
    place = paper.place
    if paper.kind == "dataset" and place.dataset is not None:
        return list(read(files, tree.documents(files, place.dataset)))
    if paper.kind == "run" and place.dataset is not None:
        return list(read(files, tree.run_documents(files, layout.Run(place.dataset, place.run))))
    return [paper]


def refers(paper: Paper, other: Paper) -> bool:
    """Say whether a document names another one or its files."""
    return bool(other.folder) and paper.key != other.key and any(t.startswith(other.folder) for t in _texts(paper))


def _texts(paper: Paper) -> Iterator[str]:
    pending: list[Any] = [{k: v for k, v in paper.document.items() if k not in {"ids", "provenance"}}]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list) and value and not isinstance(value[0], int | float):
            pending += value


def dependents(going: Sequence[Paper], others: Iterable[Paper]) -> list[Paper]:
    """Give the documents that name something that goes, those that name these, and so on."""
    left = {p.key: p for p in others}
    found: list[Paper] = []
    pending = [p for p in going if p.folder]
    for paper in going:
        left.pop(paper.key, None)
    while pending:
        one = pending.pop()
        for key in [k for k, p in left.items() if refers(p, one)]:
            paper = left.pop(key)
            found.append(paper)
            pending.append(paper)
    return found


def described(files: Files, paper: Paper) -> Goes:
    """Say what goes with a document."""
    place = paper.place
    extra: list[str] = []
    if place.spacing and place.number is not None and place.dataset is not None:
        spacing = layout.Run(place.dataset, place.run).spacing(float(place.spacing))
        if paper.kind == "tomogram":
            extra.append(spacing.tomogram(place.number).key_photo("original").rpartition("/")[0] + "/")
        inside = files.scan(spacing.viewer)
        shown = [spacing.viewer + n for n in inside.files] + [f"{spacing.viewer}{n}/" for n in inside.folders]
        extra += [key for key in shown if layout.manifest_folder(key) == paper.folder]
    entries = manifest.read(files, paper.folder) if paper.folder else ()
    extra += [e.key for e in entries if e.source is None and not e.key.startswith(paper.folder)]
    places = tuple(dict.fromkeys([*([paper.folder] if paper.folder else []), *extra]))
    count = sum(e.members or 1 for e in entries if e.source is None)
    size = sum(e.size for e in entries if e.source is None)
    return Goes(paper.name, paper.kind, paper.number, paper.key, count, size, places)


# --- doing ------------------------------------------------------------------------------------------------------------


def remove(
    files: Files, desk: Desk, papers: Sequence[Paper], why: Why, *, withdrawn: Sequence[Withdrawn] = ()
) -> Removed:
    """Remove documents with their files, manifests and folders; hold the archive's lock.

    What lies below a removed dataset or run must be among the documents. `withdrawn` is what a deposition has added to runs that stay.
    The catalogue is left to the caller; see `waiting`.
    """
    finish(files, desk)
    present = [p for p in {p.key: p for p in papers}.values() if files.exists(p.key)]
    going = {p.key for p in present}
    struck = [w for w in withdrawn if w.key not in going]
    if not present and not struck:
        return Removed()
    goes = [described(files, p) for p in present]
    places = _outermost(goes)
    runs = _trims(files, present)
    stones = [Tombstone(p.kind, p.number, p.title, why.reason, now()) for p in present if p.number is not None]
    stones += [
        Tombstone(SPACING, n, f"voxel spacing {s} Å of {_parent(k)}", why.reason, now())
        for k, s, n in (*runs, *_inside(present))
    ]
    count = sum(g.files for g in goes) + sum(w.members for w in struck)
    size = sum(g.bytes for g in goes) + sum(w.bytes for w in struck)
    done = Removed(len(goes), count, size, (*(g.name for g in goes), *(w.name for w in struck)))
    before = _intent(files)
    touched_now = {"datasets": _units(goes, "dataset"), "depositions": _units(goes, "deposition")}
    touched_now["datasets"] = sorted({*touched_now["datasets"], *datasets(struck)})
    touched = {kind: sorted({*before[kind], *numbers}) for kind, numbers in touched_now.items()}
    deeds = [asdict(signed(d)) for d in _deeds(goes, touched_now, why)]
    intent = {
        "documents": [g.key for g in goes],
        "places": places,
        "spacings": [(key, spacing) for key, spacing, _ in runs],
        "withdrawn": [w.plain() for w in struck],
        "tombstones": [asdict(s) for s in stones],
        "deeds": deeds,
        **touched,
    }
    files.write_bytes(layout.REMOVAL, _encoded(intent))
    _carry_out(files, desk, intent)
    return done


def finish(files: Files, desk: Desk) -> None:
    """Carry out what was decided when somebody was killed while doing it, and clear away unfinished writes of the program's own files."""
    files.recover(f"{layout.INTERNAL}/")
    intent = _intent(files)
    if intent["documents"] or intent["withdrawn"]:
        for folder in _outermost_of(
            {
                _parent(k)
                for k in (
                    *intent["places"],
                    *(key for key, _ in intent["spacings"]),
                    *(w["key"] for w in intent["withdrawn"]),
                )
            }
        ):
            files.recover(folder)
        _carry_out(files, desk, intent)


def _carry_out(files: Files, desk: Desk, intent: Mapping[str, Any]) -> None:
    """Do what was decided; it may be done again and again."""
    desk.restore_tombstones([Tombstone(**s) for s in intent["tombstones"]])
    desk.audit.note(Deed(**d) for d in intent["deeds"])
    export_marks(files, desk)
    for key in sorted(intent["documents"], key=lambda k: (_rank(k), k)):
        files.remove(key)
    for place in intent["places"]:
        files.remove(place)
        if place.endswith("/"):
            desk.journal.forget(place)
    _trim(files, intent["spacings"])
    withdraw(files, intent["withdrawn"])
    for key in (*intent["places"], *intent["documents"], *(k for w in intent["withdrawn"] for k in w["files"])):
        _prune(files, _parent(key))
    files.write_bytes(layout.REMOVAL, _encoded({name: intent[name] for name in ("datasets", "depositions")}))


def waiting(files: Files) -> tuple[list[int], list[int]]:
    """Give datasets and depositions from which something was removed and that the catalogue has to follow."""
    intent = _intent(files)
    return intent["datasets"], intent["depositions"]


def settle(files: Files) -> None:
    """Forget what the catalogue has followed."""
    if files.exists(layout.REMOVAL):
        files.remove(layout.REMOVAL)


def _intent(files: Files) -> dict[str, Any]:
    empty: dict[str, Any] = {n: [] for n in ("documents", "places", "spacings", "withdrawn", "tombstones", "deeds")}
    empty |= {"datasets": [], "depositions": []}
    if not files.exists(layout.REMOVAL):
        return empty
    try:
        return {**empty, **documents.read(files, layout.REMOVAL)}
    except InvalidDocumentError as error:
        message = "not readable: remove it, and run `tomotheca doctor` to see what is left of a removal"
        raise InvalidDocumentError([Finding("error", layout.REMOVAL, message)]) from error


def _encoded(intent: Mapping[str, Any]) -> bytes:
    return json.dumps(intent, ensure_ascii=False, indent=1).encode() + b"\n"


def _deeds(goes: Sequence[Goes], touched: Mapping[str, list[int]], why: Why) -> Iterator[Deed]:
    for kind, numbers in (("dataset", touched["datasets"]), ("deposition", touched["depositions"])):
        for number in numbers:
            mine = [g for g in goes if getattr(layout.locate(g.key), kind) == number]
            counts = {"documents": len(mine), "files": sum(g.files for g in mine), "bytes": sum(g.bytes for g in mine)}
            details = {**why.details, "reason": why.reason, "removed": [g.name for g in mine], **counts}
            yield Deed(why.action, kind, number, details)


def _units(goes: Sequence[Goes], kind: str) -> list[int]:
    found = {getattr(layout.locate(g.key), kind) for g in goes}
    return sorted(number for number in found if number is not None)


def _outermost(goes: Sequence[Goes]) -> list[str]:
    return _outermost_of({place for g in goes for place in g.places})


def _outermost_of(places: Iterable[str]) -> list[str]:
    """Give the places that lie in no other one."""
    kept: list[str] = []
    for place in sorted(places):
        if not (kept and (not kept[-1] or kept[-1].endswith("/")) and place.startswith(kept[-1])):
            kept.append(place)
    return kept


def _rank(key: str) -> int:
    """Tell what hides most when it goes: dataset, run, what names others, what is named."""
    place = layout.locate(key)
    order = ("dataset", "run", "annotation", "tomogram", "alignment")
    return order.index(place.kind) if place.kind in order else len(order)


def _trims(files: Files, papers: Sequence[Paper]) -> list[tuple[str, str, int]]:
    """List voxel spacings of runs that stay and that have nothing left: key of the run, spacing, identifier."""
    going = {p.key for p in papers}
    found = []
    for dataset, name in sorted(
        {(p.place.dataset, p.place.run) for p in papers if p.place.dataset and p.place.spacing}
    ):
        run = layout.Run(dataset or 0, name)
        if run.document in going or not files.exists(run.document):
            continue
        left = {layout.locate(k).spacing for _, k in tree.run_documents(files, run) if k not in going}
        known = documents.read(files, run.document).get("ids", {}).get(SPACING, {})
        touched = {p.place.spacing for p in papers if (p.place.dataset, p.place.run) == (dataset, name)}
        found += [(run.document, s, int(n)) for s, n in known.items() if s in touched and s not in left]
    return found


def _inside(papers: Sequence[Paper]) -> Iterator[tuple[str, str, int]]:
    """List the voxel spacings that go with their runs."""
    for paper in papers:
        if paper.kind == "run":
            yield from ((paper.key, s, int(n)) for s, n in paper.document.get("ids", {}).get(SPACING, {}).items())


def _trim(files: Files, spacings: Iterable[Sequence[str]]) -> None:
    """Take voxel spacings that have nothing left out of the documents of their runs."""
    for key, spacing in spacings:
        if not files.exists(key):
            continue
        document = documents.read(files, key)
        ids = {
            k: {n: i for n, i in v.items() if (k, n) != (SPACING, spacing)} for k, v in document.get("ids", {}).items()
        }
        documents.write(files, key, {**document, "ids": {k: v for k, v in ids.items() if v}})


def _prune(files: Files, folder: str) -> None:
    """Remove folders that have become empty, outwards."""
    while folder:
        inside = files.scan(folder)
        if inside.files or inside.folders:
            return
        files.remove(folder)
        folder = _parent(folder)


def _parent(key: str) -> str:
    head, slash, _ = key.rstrip("/").rpartition("/")
    return head + slash
