"""Write what importers drafted: identifiers first, then manifest and document, in the one process that owns the archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from tomotheca.errors import Finding, InvalidDocumentError
from tomotheca.schema import SCHEMA
from tomotheca.schema.core import Document, Entity
from tomotheca.schema.rows import items
from tomotheca.store import documents, layout

if TYPE_CHECKING:
    from tomotheca.ingest.work import Draft
    from tomotheca.store.files import Files

GIVEN = {"dataset": "dataset_identifier", "deposition": "deposition_identifier"}
"""Kinds whose identifier stands in the configuration."""

VOLATILE = ("manifest", "last_updated_at")
TOOL = ("tool", "version", "configuration")


class Desk(Protocol):
    """What gives numbers out."""

    def reserve(self, kind: str, count: int = 1) -> range:
        """Take the next numbers of a kind."""

    def raise_above(self, kind: str, number: int) -> None:
        """Never give this number or one below it."""


AHEAD = 16
"""Documents for which numbers are taken from the desk at once."""


class Identifiers:
    """Numbers from the desk, taken for several documents of a kind at once: a transaction costs milliseconds."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._taken: dict[str, list[int]] = {}
        self.like = 1
        """Documents still to be written that are like the one being written, itself included."""

    def reserve(self, kind: str, count: int) -> list[int]:
        """Take numbers of a kind."""
        taken = self._taken.setdefault(kind, [])
        if len(taken) < count:
            taken += self._desk.reserve(kind, count * min(AHEAD, self.like) - len(taken))
        self._taken[kind] = taken[count:]
        return taken[:count]

    def raise_above(self, kind: str, number: int) -> None:
        """Never give this number or one below it."""
        self._desk.raise_above(kind, number)


@dataclass(frozen=True, slots=True)
class _Blank:
    """Context in which rows are made only for their natural keys."""

    folder: str
    document: Mapping[str, Any] = field(default_factory=dict)

    def child_id(self, kind: str, natural: str) -> int:
        """Give any number: there is none yet."""
        del kind, natural
        return 0


def commit(files: Files, identifiers: Identifiers, draft: Draft, *, previous: str = "") -> bool:
    """Write a draft, with the documents that go before it; whether anything was written.

    What stands in the document's folder and does not belong to it any more is removed afterwards, a document of another
    name (`previous`) with it.

    Raises
    ------
    InvalidDocumentError
        If the document breaks its schema: a mistake of ours, nothing is written.
    """
    wrote = [_write(files, identifiers, one, "") for one in draft.before]
    wrote.append(_write(files, identifiers, draft, previous))
    if draft.entries is not None:
        here = [e.key for e in draft.entries if e.source is None or e.members is not None]
        sweep(files, draft.key, here)
    return any(wrote)


def _write(files: Files, identifiers: Identifiers, draft: Draft, previous: str) -> bool:
    old = _read(files, draft.key) or (_read(files, previous) if previous else {})
    document = complete(draft, old, identifiers)
    _validate(draft.model, draft.key, document)
    return documents.write(files, draft.key, settled(document, old), draft.entries)


def _read(files: Files, key: str) -> dict[str, Any]:
    if not files.exists(key):
        return {}
    try:
        return documents.read(files, key)
    except InvalidDocumentError:
        return {}


def sweep(files: Files, key: str, kept: Sequence[str]) -> None:
    """Remove what lies in the folders of a document and is not among its files."""
    wanted = {key, *kept, *(_document_of_objects(k) for k in kept)}
    for folder, also in _folders(key):
        found = files.scan(folder)
        present = [folder + name for name in found.files] + [f"{folder}{name}/" for name in found.folders]
        for one in present:
            if one in wanted or one == also or layout.manifest_folder(one) != layout.manifest_folder(key):
                continue
            if not layout.is_private(one.rstrip("/")):
                files.remove(one)


def _document_of_objects(key: str) -> str:
    """Give the document that stands and goes with a list of identified objects; the key itself for any other file."""
    place = layout.locate(key)
    run = layout.Run(place.dataset or 0, place.run)
    return run.identified_objects_document if key == run.identified_objects else key


def _folders(key: str) -> Iterator[tuple[str, str]]:
    """Give the folders in which a document has files, each with another document that stays in it."""
    place = layout.locate(key)
    if place.dataset is None:
        yield layout.Deposition(place.deposition or 0).image(""), ""
    elif not place.run:
        yield layout.Dataset(place.dataset).image(""), ""
    elif place.number is None:
        run = layout.Run(place.dataset, place.run)
        objects = run.identified_objects_document
        yield from (
            (run.frame(""), run.frames_document),
            (run.gain(""), ""),
            (objects.rpartition("/")[0] + "/", ""),
        )
    else:
        yield place.folder, ""
    if place.kind not in {"tomogram", "annotation"}:
        return
    spacing = layout.Run(place.dataset or 0, place.run).spacing(float(place.spacing))
    yield spacing.viewer, ""
    if place.kind == "tomogram":
        yield spacing.tomogram(place.number or 0).key_photo("original").rpartition("/")[0] + "/", ""


def complete(draft: Draft, old: Mapping[str, Any], identifiers: Identifiers) -> dict[str, Any]:
    """Give a document its identifiers: those it had, and new ones for what is new."""
    document = dict(draft.document)
    ids = _child_ids(draft, old.get("ids") or {}, identifiers)
    document.pop("ids", None)
    head: dict[str, Any] = {"schema_version": "1"}
    if issubclass(draft.model, Entity):
        head = {"id": _own_id(draft.model, document, old, identifiers), **head}
    provenance = document.pop("provenance", {})
    return {**head, **document, "ids": ids, "provenance": provenance}


def _own_id(model: type[Entity], document: Mapping[str, Any], old: Mapping[str, Any], identifiers: Identifiers) -> int:
    if model.kind in GIVEN:
        number = int(document[GIVEN[model.kind]])
        identifiers.raise_above(model.kind, number)
        return number
    known = old.get("id")
    return known if isinstance(known, int) else identifiers.reserve(model.kind, 1)[0]


def _child_ids(
    draft: Draft, old: Mapping[str, Mapping[str, int]], identifiers: Identifiers
) -> dict[str, dict[str, int]]:
    wanted: dict[str, list[str]] = {}
    for kind, natural in children(draft.model, draft.document, draft.key):
        names = wanted.setdefault(kind, [])
        if natural not in names:
            names.append(natural)
    for kind, given in (draft.document.get("ids") or {}).items():
        wanted[kind] = list(dict.fromkeys([*wanted.get(kind, ()), *given])) if given else wanted.get(kind, [])
    ids: dict[str, dict[str, int]] = {}
    for kind, names in wanted.items():
        known = old.get(kind) or {}
        fresh = iter(identifiers.reserve(kind, count) if (count := sum(n not in known for n in names)) else ())
        ids[kind] = {name: known[name] if name in known else next(fresh) for name in names}
    return {kind: found for kind, found in ids.items() if found}


def children(model: type[Document], document: Mapping[str, Any], key: str) -> Iterator[tuple[str, str]]:
    """Give kind and natural key of every row that comes out of a document, besides its own."""
    for _, kind, item in items(model, document, _Blank(key.rpartition("/")[0], document)):
        yield kind, SCHEMA.kinds[kind].natural(item)


def settled(document: dict[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what an unchanged document says of the tool and configuration that made it, so that it stays as it is."""
    said, before = document.get("provenance", {}), old.get("provenance") or {}
    kept = {**document, "provenance": {**said, **{name: before[name] for name in TOOL if name in before}}}
    same = {k: v for k, v in kept.items() if k not in VOLATILE} == {k: v for k, v in old.items() if k not in VOLATILE}
    return kept if same else document


def _validate(model: type[Document], key: str, document: Mapping[str, Any]) -> None:
    try:
        model.model_validate(document)
    except ValidationError as error:
        findings = [
            Finding(
                "error", key, f"{e['msg']} (a mistake of the program, please report it)", ".".join(map(str, e["loc"]))
            )
            for e in error.errors()
        ]
        raise InvalidDocumentError(findings) from error
