"""Manifests: which files a folder has, with size, digest and role; an array directory is one entry with a list of members.

A manifest is ``manifest.ndjson`` in the folder of a document, one entry per line, sorted by key: same content, same bytes. The members
of an array directory stand in ``manifest.members/<name>``, lines ``path size sha256`` sorted by path, so that one of a million is
found by bisection. Documents are in no manifest: they are served without e-mail addresses, so their size is not that on disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.errors import ConflictError, Finding, InvalidDocumentError, NotFoundError
from tomotheca.store import layout
from tomotheca.store.members import Member, digest, find_member, list_members, tree_digest, walk_members, write_members

if TYPE_CHECKING:
    from tomotheca.store.files import Files

__all__ = [
    "Entry", "Member", "check", "decode", "describe", "describe_members", "encode", "find", "find_member", "list_members", "media_type", "read",
    "sweep", "tree_digest", "write",
]  # fmt: skip

OPTIONAL = ("members", "source", "mtime", "deposition")

TEXT = "text/plain; charset=utf-8"
MEDIA_TYPES = {
    ".json": "application/json", ".ndjson": "application/x-ndjson", ".csv": "text/csv; charset=utf-8", ".zarr": "application/vnd+zarr",
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
    ".tif": "image/tiff", ".tiff": "image/tiff", ".glb": "model/gltf-binary", ".obj": "model/obj", ".stl": "model/stl",
    ".mdoc": TEXT, ".rawtlt": TEXT, ".tlt": TEXT, ".xf": TEXT, ".xtilt": TEXT, ".tltx": TEXT, ".com": TEXT, ".aln": TEXT, ".txt": TEXT,
    ".star": TEXT, ".tomostar": TEXT, ".xml": TEXT,
    "info": "application/json", "provenance": "application/json", ".zattrs": "application/json", ".zgroup": "application/json",
    ".zarray": "application/json", ".zmetadata": "application/json",
}  # fmt: skip
"""Media type by suffix, or by whole name where there is none."""

OTHER = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a directory of array chunks, and where its bytes are."""

    key: str
    """Archive key; that of an array directory ends in ``/``."""

    size: int
    """Bytes, of all members together for an array directory."""

    sha256: str | None
    """Digest of the file, or of the list of members; None for an in-place file that was not hashed yet."""

    media_type: str
    role: str
    """What the file is for: tilt_series, tomogram, annotation, image, frame, gain, mdoc, angles, alignment, ctf, viewer, objects."""

    members: int | None = None
    """Number of files in an array directory; None for a file."""

    source: str | None = None
    """Path or URL where the bytes are, when not in the archive."""

    mtime: int | None = None
    """Time of the source's last change in nanoseconds, while it stays in place."""

    deposition: int | None = None
    """Deposition that brought the file into the folder of somebody else's document: it must be visible for the file to be."""


def media_type(key: str) -> str:
    """Give the media type of a key by its suffix."""
    name = key.rstrip("/").rpartition("/")[2]
    found = MEDIA_TYPES.get(name) or MEDIA_TYPES.get("." + name.rpartition(".")[2].lower() if "." in name else "")
    return found or OTHER


def encode(entries: Iterable[Entry]) -> bytes:
    """Give the bytes of a manifest."""
    return b"".join(_line(entry) for entry in sorted(entries, key=lambda e: e.key))


def _line(entry: Entry) -> bytes:
    fields: dict[str, object] = {
        "key": entry.key, "size": entry.size, "sha256": entry.sha256, "media_type": entry.media_type, "role": entry.role,
    }  # fmt: skip
    fields |= {name: value for name in OPTIONAL if (value := getattr(entry, name)) is not None}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def check(folder: str, entries: Iterable[Entry]) -> None:
    """See that entries can stand in the manifest of a folder.

    Raises
    ------
    ConflictError
        If two entries have one key, or one name for their lists of members.
    ValueError
        If an entry belongs to the manifest of another folder, or is a document (a mistake of the caller).
    """
    seen: set[str] = set()
    for entry in entries:
        if layout.manifest_folder(entry.key) != folder or entry.role == "document":
            message = f"{entry.key} ({entry.role}) does not belong into the manifest of {folder}"
            raise ValueError(message)
        claims = [entry.key] if entry.members is None else [entry.key, layout.members_key(entry.key)]
        if taken := seen.intersection(claims):
            message = f"two files claim the place {min(taken)}: rename one of them"
            raise ConflictError(message)
        seen.update(claims)


def write(files: Files, folder: str, entries: Iterable[Entry]) -> str:
    """Write the manifest of a folder, unless it is there already, and give its sha256."""
    entries = tuple(entries)
    check(folder, entries)
    data = encode(entries)
    key = folder + layout.MANIFEST
    if not files.exists(key) or files.read_bytes(key) != data:
        files.write_bytes(key, data)
    return hashlib.sha256(data).hexdigest()


def sweep(files: Files, folder: str, entries: Iterable[Entry]) -> None:
    """Remove the lists of members that no entry of a folder names any more."""
    wanted = {layout.members_key(entry.key) for entry in entries if entry.members is not None}
    for name in files.scan(f"{folder}{layout.MEMBERS}/").files:
        if (key := f"{folder}{layout.MEMBERS}/{name}") not in wanted:
            files.remove(key)


def read(files: Files, folder: str) -> tuple[Entry, ...]:
    """Read the manifest of a folder; empty where there is none.

    Raises
    ------
    InvalidDocumentError
        If a line is not an entry.
    """
    key = folder + layout.MANIFEST
    try:
        data = files.read_bytes(key)
    except NotFoundError:
        return ()
    return decode(data, where=key)


def decode(data: bytes, *, where: str = layout.MANIFEST) -> tuple[Entry, ...]:
    """Read the bytes of a manifest; see `read`."""
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            found.append(Entry(**json.loads(line)))
        except (ValueError, TypeError, RecursionError) as error:
            finding = Finding(
                "error",
                f"{where}:{number}",
                f"not an entry of a manifest ({error}): run the ingest again to write it anew",
            )
            raise InvalidDocumentError([finding]) from error
    return tuple(found)


def find(files: Files, key: str) -> tuple[Entry, Member | None] | None:
    """Find the entry that a key is, or the entry and the member that it lies in, with the manifests alone."""
    outer = layout.array_key(key)
    entries = {entry.key: entry for entry in read(files, layout.manifest_folder(key))}
    if outer is None or outer == key:
        entry = entries.get(key)
        return (entry, None) if entry else None
    entry = entries.get(outer)
    member = find_member(files, outer, key.removeprefix(outer)) if entry else None
    return (entry, member) if entry and member else None


def describe(files: Files, key: str, role: str) -> Entry:
    """Make the entry of a file or array directory that lies in the archive, by reading all of it.

    For an array directory the list of members is written too, so do this after the directory is in its place.
    """
    if key.endswith("/"):
        return describe_members(files, key, role, walk_members(files, key))
    size, sha256 = digest(files, key)
    return Entry(key, size, sha256, media_type(key), role)


def describe_members(files: Files, key: str, role: str, members: Iterable[Member]) -> Entry:
    """Make the entry of an array directory whose members are known, in byte order of their paths; writes their list."""
    found = write_members(files, layout.members_key(key), members)
    return Entry(key, found.size, found.sha256, media_type(key), role, members=found.count)
