"""Documents: one JSON file per entity beside its data, written last, and written only when something changed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from tomotheca.errors import Finding, InvalidDocumentError
from tomotheca.schema import SCHEMA
from tomotheca.schema.core import Entity
from tomotheca.store import layout, manifest, tree

if TYPE_CHECKING:
    from tomotheca.store.files import Files

ADDITIONS = "additions"
"""Key of a run's document under which the names of what others have added stand."""


def read(files: Files, key: str) -> dict[str, Any]:
    """Read a document.

    Raises
    ------
    NotFoundError
        If there is none.
    InvalidDocumentError
        If it is not a JSON object.
    """
    return parse(files.read_bytes(key), key)


def parse(data: bytes, key: str) -> dict[str, Any]:
    """Read the bytes of a document; see `read`."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        finding = Finding("error", f"{key}:{error.lineno}", f"not JSON ({error.msg}): mend it or run the ingest again")
        raise InvalidDocumentError([finding]) from error
    if not isinstance(found, dict):
        raise InvalidDocumentError([Finding("error", key, "not a JSON object: mend it or run the ingest again")])
    return found


def encode(document: Mapping[str, Any]) -> bytes:
    """Give the bytes of a document: UTF-8, two spaces, keys as given, a newline at the end.

    Raises
    ------
    ValueError
        If it has what JSON cannot hold, such as NaN.
    """
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2).encode() + b"\n"


def write(files: Files, key: str, document: Mapping[str, Any], entries: Iterable[manifest.Entry] | None = None) -> bool:
    """Write a manifest and then the document that names it; nothing when both are there already.

    The files that `entries` describe must be in their places before. A document without a manifest of its own (those in ``Frames/`` and
    ``IdentifiedObjects/``, whose files the run's manifest lists) is written without `entries`; so is one whose files stay.

    Parameters
    ----------
    files : Files
        The archive.
    key : str
        Key of the document.
    document : mapping
        The document; `manifest` and `last_updated_at` are set here.
    entries : iterable of Entry, optional
        All files of the document's folder; None leaves the manifest alone.

    Returns
    -------
    bool
        Whether the document was written.
    """
    folder = key.rpartition("/")[0] + "/"
    listed = None if entries is None else tuple(entries)
    if listed is not None and layout.manifest_folder(key) != folder:
        message = f"{key} has no manifest of its own: its files are listed in that of {layout.manifest_folder(key)}"
        raise ValueError(message)
    sha256 = _manifest_digest(files, folder) if listed is None else manifest.write(files, folder, listed)
    content = json.loads(encode({**document, "manifest": sha256, "last_updated_at": None}))
    if unchanged := files.exists(key) and {**_readable(files, key), "last_updated_at": None} == content:
        _sweep(files, folder, listed)
        return not unchanged
    files.write_bytes(key, encode({**content, "last_updated_at": round(time.time(), 3)}))
    _sweep(files, folder, listed)
    return True


def _sweep(files: Files, folder: str, entries: tuple[manifest.Entry, ...] | None) -> None:
    if entries is not None:
        manifest.sweep(files, folder, entries)


def _readable(files: Files, key: str) -> dict[str, Any]:
    """Read what is there; a broken document is as good as none, since it is written anew."""
    try:
        return read(files, key)
    except InvalidDocumentError:
        return {}


def _manifest_digest(files: Files, folder: str) -> str | None:
    key = folder + layout.MANIFEST
    return hashlib.sha256(files.read_bytes(key)).hexdigest() if files.exists(key) else None


def public_bytes(data: bytes, *, publish_emails: bool = False) -> bytes:
    """Give the bytes of a document as the world may see it: without e-mail addresses, unless the site publishes them.

    What depositions have added to somebody else's run (`additions`) is left out too: they may be hidden, and have rows of their own.

    The answer depends on the bytes alone, so size and digest of what is served can be kept; it is `data` itself when nothing is left out.
    """
    plain = b"\\u" not in data
    personal = not publish_emails and not (plain and not any(f'"{name}"'.encode() in data for name in SCHEMA.personal))
    if not personal and plain and f'"{ADDITIONS}"'.encode() not in data:
        return data
    document = parse(data, "document")
    public = _without_additions(_without_emails(document) if personal else document)
    return data if public == document else orjson.dumps(public, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _without_emails(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_emails(inner) for name, inner in value.items() if name not in SCHEMA.personal}
    if isinstance(value, list):
        return [_without_emails(inner) for inner in value]
    return value


def _without_additions(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out the names of what others have added to a run, and the sources that it came from."""
    added = document.get(ADDITIONS)
    if not isinstance(added, dict):
        return document
    names = [(kind, name) for one in added.values() for kind, found in one.items() for name in found]
    ids = {k: {n: i for n, i in v.items() if (k, n) not in names} for k, v in (document.get("ids") or {}).items()}
    provenance = dict(document.get("provenance") or {})
    provenance["sources"] = [s for s in provenance.get("sources") or () if "deposition" not in s]
    kept = {name: value for name, value in document.items() if name != ADDITIONS}
    return {**kept, "ids": ids, "provenance": provenance}


def highest_ids(files: Files) -> dict[str, int]:
    """Give the highest identifier of each kind that any document of the archive has, to rebuild a lost desk."""
    highest: dict[str, int] = {}

    def note(kind: str, number: Any) -> None:
        if isinstance(number, int):
            highest[kind] = max(number, highest.get(kind, 0))

    for number in tree.depositions(files):
        note("deposition", number)
        _note_rows(note, read(files, layout.Deposition(number).document))
    for number in tree.datasets(files):
        note("dataset", number)
        for model, key in tree.documents(files, number):
            document = read(files, key)
            if issubclass(model, Entity):
                note(model.kind, document.get("id"))
            _note_rows(note, document)
    return highest


def _note_rows(note: Any, document: Mapping[str, Any]) -> None:
    for kind, numbers in (document.get("ids") or {}).items():
        for number in numbers.values():
            note(kind, number)
