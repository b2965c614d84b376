"""Fill in the digests of files that stay in their place: each is read once, and its manifest and document say so."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tomotheca.errors import InvalidDocumentError
from tomotheca.store import documents, layout, manifest, tree
from tomotheca.store.members import UNHASHED, Member, list_members
from tomotheca.store.stretches import Stretch, stretch

if TYPE_CHECKING:
    from tomotheca.store.files import Files
    from tomotheca.store.manifest import Entry


@dataclass(frozen=True, slots=True)
class Filled:
    """What was hashed."""

    files: int
    bytes: int
    datasets: tuple[int, ...]
    """Datasets whose documents were written again."""

    left: tuple[str, ...]
    """Keys of files that cannot be hashed: gone, changed, or at a URL."""


def fill(files: Files, datasets: Sequence[int], progress: Callable[[str], None] = lambda _: None) -> Filled:
    """Hash every file whose manifest has no digest; only while holding the archive's lock.

    A file whose size or time is not that of its manifest is left: it is another one.

    Raises
    ------
    StorageError
        If the archive cannot be written.
    """
    done, size, touched, left = 0, 0, [], list[str]()
    for dataset in datasets:
        for key, entries in _bare(files, dataset):
            filled = []
            for entry in entries:
                found = entry
                if entry.members is not None and entry.source is not None and not Path(entry.source).is_dir():
                    found = _with_sections(files, entry, progress)
                elif entry.sha256 is None:
                    progress(entry.key)
                    found = _hashed(entry) if entry.members is None else _with_members(files, entry)
                    if found is entry:
                        left.append(entry.key)
                    else:
                        done, size = done + 1, size + entry.size
                filled.append(found)
            if filled != list(entries) and documents.write(files, key, documents.read(files, key), filled):
                touched.append(dataset)
    return Filled(done, size, tuple(dict.fromkeys(touched)), tuple(left))


def _bare(files: Files, dataset: int) -> Iterator[tuple[str, Sequence[Entry]]]:
    """Give every document with a manifest that lacks a digest."""
    for _, key in tree.documents(files, dataset):
        folder = key.rpartition("/")[0] + "/"
        if layout.manifest_folder(key) != folder:
            continue
        try:
            entries = manifest.read(files, folder)
            documents.read(files, key)
        except InvalidDocumentError:
            continue  # the examination says so
        if any(entry.sha256 is None for entry in entries):  # arrays in place stand beside such a file
            yield key, entries


def _with_members(files: Files, entry: Entry) -> Entry:
    """Give the entry of an array directory that stays in its place with the digest of every file in its list."""
    if not entry.source or "://" in entry.source:
        return entry
    filled = []
    for member in list_members(files, entry):
        found = _hashed(_as_entry(entry, member)) if member.sha256.startswith(UNHASHED) else None
        if found is not None and found.sha256 is None:
            return entry
        filled.append(member if found is None else replace(member, sha256=found.sha256 or ""))
    described = manifest.describe_members(files, entry.key, entry.role, filled)
    return replace(entry, sha256=described.sha256)


def _as_entry(entry: Entry, member: Member) -> Entry:
    """Give a file of an array directory that stays in its place as a file by itself."""
    mtime = int(member.sha256.removeprefix(UNHASHED))
    return replace(
        entry, size=member.size, sha256=None, members=None, source=f"{entry.source}/{member.path}", mtime=mtime
    )


def _with_sections(files: Files, entry: Entry, progress: Callable[[str], None]) -> Entry:
    """Give the entry of an array whose finest level stays in its place with the digest of every section in its list."""
    parts = [(member, stretch(member)) for member in list_members(files, entry)]
    if not any(part is not None and part.sha256 is None for _, part in parts):
        return entry
    progress(entry.key)
    try:
        with Path(entry.source or "").open("rb") as stream:
            filled = [_section(stream, member, part) for member, part in parts]
    except OSError:
        return entry
    if any(member is None for member in filled):
        return entry
    described = manifest.describe_members(files, entry.key, entry.role, [m for m in filled if m is not None])
    return replace(entry, sha256=described.sha256)


def _section(stream: BinaryIO, member: Member, part: Stretch | None) -> Member | None:
    """Hash the stretch that a member is; None if the file is another one than was taken in."""
    if part is None or part.sha256 is not None:
        return member
    data = os.pread(stream.fileno(), member.size, part.offset)
    found = os.fstat(stream.fileno())
    if (found.st_size, found.st_mtime_ns) != (part.whole, part.mtime) or len(data) != member.size:
        return None
    return replace(member, sha256=replace(part, sha256=hashlib.sha256(data).hexdigest()).word)


def _hashed(entry: Entry) -> Entry:
    """Give an entry with its digest, or the same one where its file cannot be read or is another now."""
    source = entry.source or ""
    if not source or "://" in source:
        return entry
    try:
        with Path(source).open("rb") as stream:
            before = Path(source).stat()
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            after = Path(source).stat()
    except OSError:
        return entry
    unchanged = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if not unchanged or after.st_size != entry.size or entry.mtime not in {None, after.st_mtime_ns}:
        return entry
    return replace(entry, sha256=digest)
