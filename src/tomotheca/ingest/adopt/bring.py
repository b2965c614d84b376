"""The files of an adopted document: hashed where they are, listed where they stay, or copied; with the entries of its manifest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.errors import Finding, TomothecaError
from tomotheca.ingest.adopt.survey import OTHER, listed
from tomotheca.store import layout, manifest
from tomotheca.store.manifest import Entry
from tomotheca.store.members import HASH_BLOCK, UNHASHED, Member, digest, list_members

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from tomotheca.ingest.adopt.plan import Options
    from tomotheca.ingest.adopt.survey import Item, Sheet
    from tomotheca.store.branches import Branch, Writable
    from tomotheca.store.files import Files

BATCH = 512
"""Members of an array directory that are hashed or copied at once."""


class ChangedError(Exception):
    """Files are not what the tree's own manifest says; the text names the first."""


@dataclass
class Bringer:
    """Brings the files of one document after the other."""

    options: Options
    files: Files
    advance: Callable[[int], None]
    pool: ThreadPoolExecutor
    written: int = 0
    """Bytes that were copied."""

    def entries(self, sheet: Sheet) -> tuple[Entry, ...]:
        """Bring the files of a document and give its manifest.

        Raises
        ------
        ChangedError
            If a file is not what a manifest of the tree says.
        """
        theirs = listed(self.options.tree, sheet.folder)
        ours = theirs if self.options.mode == "same" else listed(self.files, sheet.folder)
        found = {item.key: self._entry(item, theirs.get(item.key), ours.get(item.key)) for item in sheet.items}
        away = {
            e.key: e for e in theirs.values() if e.source is not None and e.key not in found and self._is_ours(e, sheet)
        }
        return tuple({**away, **found}.values())

    def _is_ours(self, entry: Entry, sheet: Sheet) -> bool:
        """Whether a file that stays elsewhere is listed where it belongs."""
        return layout.manifest_folder(entry.key) == sheet.folder and (
            entry.members is None or self.options.mode == "same"
        )

    def _entry(self, item: Item, theirs: Entry | None, ours: Entry | None) -> Entry:
        if self.options.mode != "same" and theirs is not None and theirs.source is not None:
            message = (
                f"the bytes of {item.key} are not all in the folder but in {theirs.source}: take that in from there"
            )
            raise ChangedError(message)
        if ours is not None and self._stands(item, ours):
            self.advance(item.size)
            made = ours
        elif self.options.mode == "same":
            made = self._described(item, theirs)
        elif self.options.mode == "in place" and item.role != "objects":
            made = self._in_place(item, theirs)
        else:
            made = self._copied(item)
        if (
            theirs is not None
            and None not in {theirs.sha256, made.sha256}
            and theirs.sha256 != made.sha256
            and made is not ours
        ):
            if self.options.mode == "copy":
                self.files.remove(item.key)
            message = f"{item.key} is not what the manifest beside it says (its SHA-256 differs): restore it, or remove that manifest"
            raise ChangedError(message)
        known = theirs or ours
        return replace(
            made,
            role=known.role if known and made.role == OTHER else made.role,
            deposition=known.deposition if known else None,
        )

    def _stands(self, item: Item, entry: Entry) -> bool:
        """Whether the archive has a file already as it is in the tree."""
        if self.options.mode == "same" and entry.source is not None:
            return entry.members == item.members or not Path(entry.source).is_dir()
        if (entry.size, entry.members) != (item.size, item.members) or (
            entry.members is not None and not self.files.exists(layout.members_key(entry.key))
        ):
            return False
        if self.options.mode == "same":
            return entry.sha256 is not None
        if self.options.mode == "in place" and item.role != "objects":
            known = entry.sha256 is not None or not self.options.hashed
            return known and (entry.source, entry.mtime) == (self._source(item), item.mtime)
        if entry.source is not None or not self.files.exists(entry.key):
            return False
        return self._newest(entry) >= item.mtime

    def _newest(self, entry: Entry) -> int:
        if entry.members is None:
            return self.files.stat(entry.key).mtime_ns
        return max((stat.mtime_ns for _, stat in self.files.stats(entry.key)), default=0)

    def _source(self, item: Item) -> str:
        found = self.options.tree.local_path(item.key)
        return str(found) if found is not None else ""

    def _described(self, item: Item, theirs: Entry | None) -> Entry:
        """Hash what lies in the archive already."""
        role = theirs.role if theirs else item.role
        if item.members is not None:
            return manifest.describe_members(self.files, item.key, role, self._members(item, self._hash))
        size, sha256 = self._digest(item.key)
        return Entry(item.key, size, sha256, manifest.media_type(item.key), role)

    def _in_place(self, item: Item, theirs: Entry | None) -> Entry:
        """List what stays where it is, with its digest or with the time of its last change."""
        source = self._source(item)
        if item.members is not None:
            known = self._known(item, theirs)
            look = self._hash if self.options.hashed else lambda key: self._look(key, known)
            made = manifest.describe_members(self.files, item.key, item.role, self._members(item, look))
            bare = not self.options.hashed and not known
            return replace(made, source=source, mtime=item.mtime, sha256=None if bare else made.sha256)
        sha256 = self._digest(item.key)[1] if self.options.hashed else theirs.sha256 if theirs else None
        if not self.options.hashed:
            self.advance(item.size)
        return Entry(
            item.key, item.size, sha256, manifest.media_type(item.key), item.role, source=source, mtime=item.mtime
        )

    def _known(self, item: Item, theirs: Entry | None) -> Mapping[str, str]:
        """Give the digests of the members of an array directory by the tree's own list."""
        if theirs is None or self.options.hashed:
            return {}
        try:
            return {m.path: m.sha256 for m in list_members(self.options.tree, theirs)}
        except TomothecaError:
            return {}

    def _look(self, key: str, known: Mapping[str, str]) -> tuple[int, str]:
        found = self.options.tree.stat(key)
        self.advance(found.size)
        inside = key.removeprefix(layout.array_key(key) or "")
        return found.size, known.get(inside) or f"{UNHASHED}{found.mtime_ns}"

    def _copied(self, item: Item) -> Entry:
        if item.members is None:
            with self.files.writer(item.key) as stream:
                size, sha256 = self._copy(item.key, stream)
            made = Entry(item.key, size, sha256, manifest.media_type(item.key), item.role)
        else:
            with self.files.branch(item.key) as branch:
                members = list(self._members(item, lambda key: self._copy_member(branch, item.key, key)))
            made = manifest.describe_members(self.files, item.key, item.role, members)
        self.written += made.size
        return made

    def _members(self, item: Item, look: Callable[[str], tuple[int, str]]) -> Iterator[Member]:
        """Look at the members of an array directory, several at once, in byte order."""
        keys = (key for key, _ in self.options.tree.stats(item.key))
        while some := tuple(islice(keys, BATCH)):
            for key, (size, sha256) in zip(some, self.pool.map(look, some), strict=True):
                yield Member(key.removeprefix(item.key), size, sha256)

    def _hash(self, key: str) -> tuple[int, str]:
        return self._digest(key)

    def _digest(self, key: str) -> tuple[int, str]:
        found = digest(self.options.tree, key)
        self.advance(found[0])
        return found

    def _copy_member(self, branch: Branch, folder: str, key: str) -> tuple[int, str]:
        with branch.writer(key.removeprefix(folder)) as stream:
            return self._copy(key, stream)

    def _copy(self, key: str, stream: Writable) -> tuple[int, str]:
        """Copy a file, hashing it on the way."""
        state, size = hashlib.sha256(), 0
        while block := self.options.tree.read_range(key, size, HASH_BLOCK):
            state.update(block)
            stream.write(block)
            size += len(block)
            self.advance(len(block))
            if len(block) < HASH_BLOCK:
                break
        return size, state.hexdigest()


def missing_sources(entries: Iterable[Entry]) -> Iterator[Finding]:
    """Name the files that a manifest says stay elsewhere and that are not there."""
    for entry in entries:
        if entry.source and "://" not in entry.source and not os.path.exists(entry.source):  # noqa: PTH110 - a path of anybody's
            yield Finding(
                "warning", entry.key, f"its bytes are said to be in {Path(entry.source)}, which is not there."
            )
