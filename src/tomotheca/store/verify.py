"""Whether the files of an archive are what their manifests say."""

from __future__ import annotations

import hashlib
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.errors import Finding, NotFoundError
from tomotheca.store import layout
from tomotheca.store.members import Member, digest, digest_or_time, list_members
from tomotheca.store.stretches import kept_here, stretch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomotheca.store.files import Files
    from tomotheca.store.manifest import Entry

MEND = "run the ingest again"


def verify(files: Files, entry: Entry, *, thorough: bool = False) -> Finding | None:
    """Compare one entry with what is there; the first difference is given.

    Sizes are always compared, those of every member too; with `thorough` everything is read and hashed. A source at a URL is
    not looked at.
    """
    if entry.source is not None:
        return _verify_source(files, entry, thorough=thorough)
    if entry.members is not None:
        return _verify_tree(files, entry, thorough=thorough)
    try:
        found = files.stat(entry.key)
    except NotFoundError:
        return _error(entry.key, f"missing: {MEND}")
    return _compare(files, entry.key, found.size, entry, thorough=thorough)


def _compare(files: Files, key: str, size: int, wanted: Entry | Member, *, thorough: bool) -> Finding | None:
    if size != wanted.size:
        return _error(key, f"size differs: {size} bytes, and {wanted.size} when it was written: {MEND}")
    if thorough and wanted.sha256 is not None and digest(files, key)[1] != wanted.sha256:
        return _error(key, f"sha256 differs: the content is not what was written: {MEND}")
    return None


def _verify_tree(files: Files, entry: Entry, *, thorough: bool) -> Finding | None:
    listing = layout.members_key(entry.key)
    if not files.exists(entry.key) or not files.exists(listing):
        return _error(entry.key if files.exists(listing) else listing, f"missing: {MEND}")
    if digest(files, listing)[1] != entry.sha256:
        return _error(listing, f"sha256 differs from that in the manifest: {MEND}")
    present: Iterator[str] = (key.removeprefix(entry.key) for key in files.walk(entry.key))
    for path, member in zip_longest(present, _kept(files, entry)):
        if member is None or (path is not None and path < member.path):
            return _error(entry.key + str(path), f"not in the list of members: {MEND}")
        key = entry.key + member.path
        if path != member.path:
            return _error(key, f"missing: {MEND}")
        if finding := _compare(files, key, files.stat(key).size, member, thorough=thorough):
            return finding
    return None


def _kept(files: Files, entry: Entry) -> Iterator[Member]:
    """Give the members that lie in the archive: all of them, or those that an array with a source says are here."""
    if entry.source is None:
        return list_members(files, entry)
    return (here for member in list_members(files, entry) if (here := kept_here(member)) is not None)


def _verify_source(files: Files, entry: Entry, *, thorough: bool) -> Finding | None:
    source = entry.source or ""
    if "://" in source:
        return None
    path = Path(source)
    if not path.exists():
        return _error(source, f"missing: {entry.key} has its bytes there")
    if path.is_dir():
        return _verify_outside(files, entry, path, thorough=thorough)
    if entry.members is not None:
        return _verify_tree(files, entry, thorough=thorough) or _verify_stretches(files, entry, path.stat().st_size)
    if path.stat().st_size != entry.size:
        return _error(
            source, f"size differs: {path.stat().st_size} bytes, and {entry.size} when it was ingested as {entry.key}"
        )
    if thorough and entry.sha256 is not None:
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != entry.sha256:
                return _error(source, f"sha256 differs: the content is not what was ingested as {entry.key}")
    return None


def _verify_outside(files: Files, entry: Entry, folder: Path, *, thorough: bool) -> Finding | None:
    """Compare an array directory that stays in its place with the list of its members."""
    for member in list_members(files, entry):
        path = folder / member.path
        if not path.is_file():
            return _error(str(path), f"missing: {entry.key} has its bytes there")
        if path.stat().st_size != member.size:
            words = f"{path.stat().st_size} bytes, and {member.size} when it was taken in with {entry.key}"
            return _error(str(path), f"size differs: {words}")
        known, _ = digest_or_time(member)
        if thorough and known is not None:
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != known:
                    return _error(str(path), f"sha256 differs: the content is not what was taken in with {entry.key}")
    return None


def _verify_stretches(files: Files, entry: Entry, size: int) -> Finding | None:
    """See that every stretch of a source lies in it."""
    for member in list_members(files, entry):
        part = stretch(member)
        if part is not None and (part.whole != size or part.offset + member.size > size):
            return _error(entry.key + member.path, f"does not fit its source, which has {size} bytes: {MEND}")
    return None


def _error(where: str, message: str) -> Finding:
    return Finding("error", where, message)
