"""Complete one document: identifiers that are missing, kept where it has them; nothing else of it changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tomotheca.errors import Finding, InvalidDocumentError, TomothecaError
from tomotheca.ingest.adopt.survey import listed
from tomotheca.ingest.commit import children, complete
from tomotheca.ingest.work import Draft
from tomotheca.schema import SCHEMA, Context, Dataset, Deposition, Frames, IdentifiedObjects, Run, TiltSeries
from tomotheca.schema.core import Entity
from tomotheca.schema.rows import items
from tomotheca.store import documents, layout

if TYPE_CHECKING:
    from tomotheca.ingest.adopt.survey import Sheet
    from tomotheca.ingest.commit import Identifiers
    from tomotheca.store.files import Files

SPACING, GAIN, FRAME = "tomogram_voxel_spacing", "gain_file", "frame"
OBJECTS = "objects"
"""Key under which the list of identified objects stands while it is looked at."""

PARENTS = {f"{kind}_id": 1 for kind in ("dataset", "run", SPACING)}


class UnusableError(Exception):
    """A document cannot be adopted; the text says why."""


class ContestedError(Exception):
    """A document and the archive give one thing two numbers; the text names both."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a document cannot know of itself."""

    deposition: int | None = None
    """That of the dataset."""

    spacings: tuple[str, ...] = ()
    """Voxel spacings of the run that have documents."""

    gains: tuple[str, ...] = ()
    """Names of the gain references of the run."""

    orders: tuple[int, ...] = ()
    """Orders of acquisition that sections of the run's tilt series name."""

    document: Mapping[str, Any] = field(default_factory=dict)


def read(files: Files, sheet: Sheet) -> dict[str, Any]:
    """Read a document; the one that is missing and needed is empty.

    Raises
    ------
    UnusableError
        If it is no JSON object.
    """
    if sheet.is_new:
        return {}
    try:
        return documents.read(files, sheet.key)
    except InvalidDocumentError as error:
        raise UnusableError(error.findings[0].message.partition(":")[0]) from error
    except TomothecaError as error:
        raise UnusableError(str(error)) from error


def wanted(files: Files, sheet: Sheet, document: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """Give a document as it is completed, but for identifiers.

    Raises
    ------
    UnusableError
        If the list of identified objects cannot be read.
    """
    found = {name: value for name, value in document.items() if not (name == "id" and value is None)}
    if "deposition_id" in sheet.model.model_fields and sheet.model not in {Dataset, Deposition} and facts.deposition:
        found.setdefault("deposition_id", facts.deposition)
    if sheet.model is Run:
        ids = dict(found.get("ids") or {})
        for kind, names in ((SPACING, facts.spacings), (GAIN, facts.gains)):
            ids[kind] = {**dict.fromkeys(names, 0), **(ids.get(kind) or {})}
        found["ids"] = ids
    if sheet.model is Frames:
        found |= _with_frames(found, facts.orders)
    if sheet.model is IdentifiedObjects:
        found[OBJECTS] = _objects(files, sheet.key)
    return found


def _with_frames(document: Mapping[str, Any], orders: Iterable[int]) -> dict[str, Any]:
    """Give every section its frame: one that nobody kept is a frame without a file."""
    frames = list(document.get("frames") or [])
    known = {frame.get("acquisition_order") for frame in frames if isinstance(frame, dict)}
    missing = [{"acquisition_order": n, "path": None} for n in sorted(set(orders)) if n not in known]
    if not missing:
        return {}
    return {"is_gain_corrected": document.get("is_gain_corrected", False), "frames": [*frames, *missing]}


def orders(document: Mapping[str, Any]) -> Iterator[int]:
    """Give the orders of acquisition that the sections of a tilt series name."""
    for _, _, item in items(TiltSeries, document, Context("")):
        order = item.get("frame_acquisition_order")
        if isinstance(order, int):
            yield order


def _objects(files: Files, key: str) -> Any:
    place = layout.locate(key)
    beside = layout.Run(place.dataset or 0, place.run).identified_objects
    try:
        return json.loads(files.read_bytes(beside)) if files.exists(beside) else []
    except ValueError as error:
        message = f"{beside} is not JSON"
        raise UnusableError(message) from error


def given(model: Any, document: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Give every identifier that a document has: kind and number.

    Raises
    ------
    UnusableError
        If one is no number.
    """
    if issubclass(model, Entity) and document.get("id") is not None:
        yield model.kind, _number(document["id"])
    for kind, numbers in (document.get("ids") or {}).items():
        for number in (numbers or {}).values():
            yield kind, _number(number)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        message = f"it has the identifier {value!r}, which is no number"
        raise UnusableError(message)
    return value


def merged(document: Mapping[str, Any], known: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Give the identifiers of a document: its own, and those that the archive has given it before.

    Raises
    ------
    ContestedError
        If the two differ.
    """
    own, old = document.get("ids") or {}, known.get("ids") or {}
    pairs = [("its row", document.get("id"), known.get("id"))]
    pairs += [
        (f"{kind} {name}", n, old.get(kind, {}).get(name)) for kind, found in own.items() for name, n in found.items()
    ]
    for what, mine, theirs in pairs:
        if mine and theirs and mine != theirs:
            message = f"it gives {what} the number {mine}, and {where} has {theirs} for it"
            raise ContestedError(message)
    ids = {kind: {**old.get(kind, {}), **{n: i for n, i in own.get(kind, {}).items() if i}} for kind in {**old, **own}}
    return {"id": document.get("id") or known.get("id"), "ids": ids}


def finished(
    sheet: Sheet, content: Mapping[str, Any], known: Mapping[str, Any], identifiers: Identifiers
) -> dict[str, Any]:
    """Give a document with all its identifiers."""
    made = complete(Draft(sheet.model, sheet.key, content, None), known, identifiers)
    if sheet.model is IdentifiedObjects:
        made.pop(OBJECTS, None)
    return made


def problems(sheet: Sheet, content: Mapping[str, Any]) -> Iterator[str]:
    """Say why rows cannot be made of a document."""
    place = layout.locate(sheet.key)
    for model, field_, number in (
        (Dataset, "dataset_identifier", place.dataset),
        (Deposition, "deposition_identifier", place.deposition),
    ):
        if sheet.model is model and content.get(field_, number) != number:
            yield f"its {field_} is {content[field_]}, and the folder is that of {number}"
    try:
        natural = list(children(sheet.model, content, sheet.key))
        twice = (
            next((n for i, n in enumerate(natural) if n in set(natural[:i])), None)
            if len(set(natural)) < len(natural)
            else None
        )
        if twice:
            yield f"{twice[0].replace('_', ' ')} {twice[1]!r} stands twice in it"
            return
        made = finished(sheet, content, {}, Nobody())  # type: ignore[arg-type]  # gives numbers like one
        document = {**made, OBJECTS: content[OBJECTS]} if sheet.model is IdentifiedObjects else made
        frames = dict.fromkeys(orders(document), 1) if sheet.model is TiltSeries else {}
        context = Context(sheet.key, PARENTS, frames=frames)
        list(SCHEMA.rows(sheet.model, document, context))
    except InvalidDocumentError as error:
        yield error.findings[0].message.partition(":")[0]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield f"it cannot be read as {sheet.model.__name__} ({type(error).__name__}: {error})"


class Nobody:
    """Gives numbers that nobody keeps."""

    like = 1

    def reserve(self, kind: str, count: int) -> range:
        """Give any numbers."""
        del kind
        return range(1, count + 1)

    def raise_above(self, kind: str, number: int) -> None:
        """Do nothing."""


def absent(files: Files, sheet: Sheet, document: Mapping[str, Any]) -> Iterator[Finding]:
    """Name the files and documents of the same dataset that a document speaks of and that are not there."""
    head = sheet.key.partition("/")[0] + "/"
    if not head[:-1].isdecimal():
        head = sheet.key[: len(layout.DEPOSITIONS) + 1]
    away = {e.key.rstrip("/") for e in listed(files, sheet.folder).values() if e.source} if sheet.folder else set()
    for text in dict.fromkeys(_texts(document)):
        if text.startswith(head) and text.rstrip("/") not in away and "\n" not in text and not _is_there(files, text):
            yield Finding("warning", sheet.key, f"it names {text}, which is not there.")


def _texts(document: Mapping[str, Any]) -> Iterator[str]:
    pending: list[Any] = [{k: v for k, v in document.items() if k not in {"ids", "provenance"}}]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            pending += reversed(value.values())
        elif isinstance(value, list) and value and not isinstance(value[0], int | float):
            pending += reversed(value)


def _is_there(files: Files, key: str) -> bool:
    try:
        return files.exists(key.rstrip("/")) or files.exists(key.rstrip("/") + "/")
    except TomothecaError:
        return False
