"""One dataset or deposition of the archive -> the rows of the catalogue that come out of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tomotheca.errors import Finding, InvalidDocumentError
from tomotheca.schema import (
    Alignment,
    Annotation,
    Context,
    Dataset,
    Deposition,
    Document,
    Frames,
    IdentifiedObjects,
    Run,
    Schema,
    Tomogram,
)
from tomotheca.schema.core import Entity
from tomotheca.store import documents, layout, manifest, tree

if TYPE_CHECKING:
    from tomotheca.store.files import Files

Row = dict[str, Any]

LOOSE = (Frames.__name__.lower(), IdentifiedObjects.__name__.lower())
"""Documents whose files stand in the manifest of their run."""

OBJECTS = "identified_objects.json"
"""The list of identified objects stands in a file of its own, beside its document."""


@dataclass(frozen=True, slots=True)
class Read:
    """A document that has been read."""

    model: type[Document]
    key: str
    document: Mapping[str, Any]
    stored: bytes
    entries: tuple[manifest.Entry, ...]


@dataclass(frozen=True)
class Unit:
    """What is replaced as a whole: the rows of one dataset or deposition."""

    kind: str
    id: int
    rows: Mapping[str, list[Row]]
    files: list[Row]
    findings: tuple[Finding, ...] = ()


@dataclass
class _Gathered:
    """Rows and facts of one unit while its documents are walked."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    files: list[Row] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    gates: dict[str, int] = field(default_factory=dict)
    """Deposition of each file that somebody added to another's folder, and of each voxel spacing that is one's alone."""


def read_all(files: Files, found: Iterable[tuple[type[Document], str]], findings: list[Finding]) -> Iterator[Read]:
    """Read documents with the manifests that belong to them; one that cannot be read is a finding."""
    seen: set[str] = set()
    for model, key in found:
        stored = files.read_bytes(key)
        try:
            document = documents.parse(stored, key)
        except InvalidDocumentError as error:
            findings.extend(error.findings)
            continue
        if model is IdentifiedObjects:
            document = {**document, "objects": _objects(files, key)}
        folder = layout.manifest_folder(key)
        entries = () if folder in seen else manifest.read(files, folder)
        seen.add(folder)
        yield Read(model, key, document, stored, entries)


def _objects(files: Files, key: str) -> Any:
    beside = f"{key.rpartition('/')[0]}/{OBJECTS}"
    return json.loads(files.read_bytes(beside)) if files.exists(beside) else []


def dataset(schema: Schema, files: Files, identifier: int, *, publish_emails: bool = False) -> Unit:
    """Give all rows of one dataset.

    Raises
    ------
    InvalidDocumentError
        If the dataset's own document cannot be used. A broken document below it is a finding: the rest is still indexed.
    """
    gathered = _Gathered()
    reads = list(read_all(files, tree.documents(files, identifier), gathered.findings))
    if not reads or reads[0].model is not Dataset:
        gone = Finding(
            "error", f"{identifier}/", "no readable dataset_metadata.json: ingest the dataset again or restore it"
        )
        raise InvalidDocumentError([*gathered.findings, gone])
    for read in reads:
        _take_files(gathered, read, publish_emails=publish_emails)
    _gate_spacings(gathered, reads)
    gathered.sizes[""] = sum(f["size"] for f in gathered.files)
    base = Context(
        key="", owner=identifier, parents={"dataset_id": identifier}, ids=gathered.ids, sizes=gathered.sizes,
        dataset_deposition=reads[0].document.get("deposition_id"),
        standard_alignments=frozenset(r.key for r in reads if r.model is Alignment and r.document.get("is_portal_standard")),
    )  # fmt: skip
    return _unit("dataset", schema, gathered, reads, base, publish_emails=publish_emails)


def deposition(schema: Schema, files: Files, identifier: int, *, publish_emails: bool = False) -> Unit:
    """Give all rows of one deposition's own document."""
    key = layout.Deposition(identifier).document
    gathered = _Gathered()
    reads = list(read_all(files, [(Deposition, key)], gathered.findings))
    for read in reads:
        _take_files(gathered, read, publish_emails=publish_emails)
    base = Context(key="", owner=identifier, sizes=gathered.sizes)
    return _unit("deposition", schema, gathered, reads, base, publish_emails=publish_emails)


def _unit(  # noqa: PLR0913 - what both kinds of unit have gathered
    kind: str, schema: Schema, gathered: _Gathered, reads: list[Read], base: Context, *, publish_emails: bool
) -> Unit:
    _take_rows(schema, gathered, reads, base)
    if not publish_emails:
        _withhold(schema, gathered.rows)
    return Unit(kind, base.owner, gathered.rows, _with_places(gathered, base.owner), tuple(gathered.findings))


def _take_files(gathered: _Gathered, read: Read, *, publish_emails: bool) -> None:
    shown = documents.public_bytes(read.stored, publish_emails=publish_emails)
    kind, identifier = _entity(read)
    common = {
        "kind": kind,
        "entity_id": identifier,
        "_gate": _gate(read),
        "source": None,
        "members": None,
        "listing": None,
    }
    gathered.files.append(
        {
            **common, "key": read.key, "size": len(shown), "sha256": hashlib.sha256(shown).hexdigest(), "stored_size": len(read.stored),
            "stored_sha256": hashlib.sha256(read.stored).hexdigest(), "media_type": "application/json", "role": "document",
            "mtime": read.document.get("last_updated_at"),
        }
    )  # fmt: skip
    for e in read.entries:
        gathered.files.append(
            {
                **common, **({} if e.deposition is None else {"_gate": e.deposition}), "key": e.key, "size": e.size, "sha256": e.sha256, "stored_size": e.size, "stored_sha256": e.sha256,
                "media_type": e.media_type, "role": e.role, "mtime": e.mtime / 1e9 if e.mtime else None if e.source else read.document.get("last_updated_at"), "members": e.members, "source": e.source,
            }
        )  # fmt: skip
        gathered.sizes[e.key.rstrip("/")] = e.size
        if e.deposition is not None:
            gathered.gates[e.key] = e.deposition
    if kind in LOOSE and (gate := _gate(read)) is not None:
        _gate_folder(gathered, read.key.rpartition("/")[0] + "/", gate)
    if identifier is not None:
        gathered.ids[read.key] = identifier
        gathered.ids.update({read.document[n]: identifier for n in ("mrc_file", "omezarr_dir") if read.document.get(n)})


def _gate_folder(gathered: _Gathered, folder: str, gate: int) -> None:
    """Give the files that a document describes its gate: they stand in the manifest one level up, read before."""
    for file in gathered.files:
        if file["_gate"] is None and str(file["key"]).startswith(folder):
            file["_gate"] = gathered.gates[str(file["key"])] = gate


def _gate_spacings(gathered: _Gathered, reads: Iterable[Read]) -> None:
    """Give a voxel spacing the gate of everything in it, if that is one."""
    found: dict[str, set[int | None]] = {}
    for read in reads:
        place = layout.locate(read.key)
        if read.model in {Tomogram, Annotation} and place.dataset is not None:
            folder = layout.Run(place.dataset, place.run).spacing(float(place.spacing)).folder
            found.setdefault(folder, set()).add(_gate(read))
    for folder, gates in found.items():
        if len(gates) == 1 and (gate := next(iter(gates))) is not None:
            gathered.gates[folder] = gate


def _entity(read: Read) -> tuple[str, int | None]:
    if issubclass(read.model, Entity):
        return read.model.kind, read.document.get("id")
    return read.model.__name__.lower(), None


def _gate(read: Read) -> int | None:
    if issubclass(read.model, Entity) and read.model.kind == "deposition":
        return None
    gate = read.document.get("deposition_id")
    return None if gate is None else int(gate)


def _take_rows(schema: Schema, gathered: _Gathered, reads: list[Read], base: Context) -> None:
    context = base
    frames: Mapping[int, int] = {}
    spacings: Mapping[str, int] = {}
    for read in reads:
        if read.model is Run:
            context, frames, spacings = base.of({"run_id": read.document.get("id") or 0}), {}, _spacings(read)
        if read.model is Frames:
            frames = {int(k): v for k, v in read.document.get("ids", {}).get("frame", {}).items()}
        here = replace(context, key=read.key, frames=frames, gate=_gate(read))
        if read.model in {Tomogram, Annotation}:
            place = layout.locate(read.key)
            here = here.of({"tomogram_voxel_spacing_id": spacings.get(place.spacing or "", 0)})
        try:
            made = list(schema.rows(read.model, read.document, here))
        except InvalidDocumentError as error:
            if read.model is Dataset:
                raise
            gathered.findings.extend(error.findings)
            continue
        except (KeyError, TypeError, ValueError) as error:
            gathered.findings.append(
                Finding("error", read.key, f"cannot be read as {read.model.__name__}: {error}; ingest it again")
            )
            continue
        for kind, row in made:
            gate = here.gate if here.gate is not None or not gathered.gates else _gate_of_file(gathered, row)
            gathered.rows.setdefault(kind, []).append({**row, "_owner": here.owner, "_gate": gate})


def _gate_of_file(gathered: _Gathered, row: Row) -> int | None:
    """Give the gate of the file that a row is about, such as a gain reference."""
    gates = (gathered.gates.get(value) for value in row.values() if isinstance(value, str))
    return next((gate for gate in gates if gate is not None), None)


def _withhold(schema: Schema, rows: Mapping[str, list[Row]]) -> None:
    """Leave personal data out, so that no query, filter or order can give it away."""
    for kind, found in rows.items():
        for column in schema.columns(kind):
            if column.personal:
                for row in found:
                    row[column.name] = None


def _spacings(read: Read) -> Mapping[str, int]:
    found: Mapping[str, int] = read.document.get("ids", {}).get("tomogram_voxel_spacing", {})
    return found


def _with_places(gathered: _Gathered, owner: int) -> list[Row]:
    """Give each file its dataset, run and owner."""
    runs = {r["name"]: r["id"] for r in gathered.rows.get("run", [])}
    out = []
    for file in sorted(gathered.files, key=lambda f: str(f["key"]).encode()):
        place = layout.locate(file["key"])
        out.append({**file, "dataset_id": place.dataset, "run_id": runs.get(place.run), "_owner": owner})
    return out
