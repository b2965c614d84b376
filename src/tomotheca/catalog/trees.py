"""A folder of files beside a loaded dump: what lies there, listed so that it can be served in place. Nothing outside is reached."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path

from tomotheca.errors import Finding
from tomotheca.store import keys, layout, manifest, members
from tomotheca.store.documents import public_bytes
from tomotheca.store.files import LocalFiles

Child = os.DirEntry[str]

LISTS = "members"
"""Folder of a loaded dump with the lists of members."""

PUBLIC = "public"
"""Folder of a loaded dump with documents as they may be served."""

LARGEST_DOCUMENT = 64 << 20
"""Bytes of a JSON file that is looked through for e-mail addresses."""


@dataclass
class Tree:
    """Lists the files of a folder."""

    root: Path
    staged: Path
    """Folder of the loaded dump, where lists and cleaned documents go."""

    arrays: Collection[str]
    """Keys, without a slash at the end, of folders that are one volume; those that end in .zarr are anyway."""

    covered: Callable[[str], bool]
    """Says whether something below a folder belongs to the dump."""

    digests: Callable[[str], str | None] = lambda _: None
    """Gives the digest of a key where it is known."""

    publish_emails: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def entries(self) -> Iterator[manifest.Entry]:
        """Give every file and volume in byte order of its key."""
        yield from self._folder(str(self.root), "")

    def findings(self) -> Iterator[Finding]:
        """Say what was left out."""
        for reason, number in self.left_out.items():
            yield Finding("warning", self.first[reason], f"left out, because it is {reason} ({number} in all)")

    def _folder(self, path: str, folder: str) -> Iterator[manifest.Entry]:
        for name, entry in self._children(path, folder):
            key = folder + name
            if name.endswith("/"):
                if not self.covered(key):
                    continue
                if name.endswith(".zarr/") or layout.is_array(key) or key[:-1] in self.arrays:
                    yield self._array(entry, key)
                else:
                    yield from self._folder(entry.path, key)
            elif not layout.is_private(key):
                yield self._file(Path(entry.path), key)

    def _children(self, path: str, folder: str) -> Iterator[tuple[str, Child]]:
        """Give what lies in a folder in byte order, as names with a slash for folders; without what cannot be served."""
        found: list[tuple[str, Child]] = []
        with os.scandir(path) as entries:
            for entry in entries:
                problem = self._problem(entry, folder + entry.name)
                if problem:
                    self.leave_out(problem, folder + entry.name)
                else:
                    found.append((entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name, entry))
        yield from sorted(found, key=itemgetter(0))

    def leave_out(self, reason: str, key: str) -> None:
        """Count what cannot be served."""
        self.left_out[reason] += 1
        self.first.setdefault(reason, key)

    def _problem(self, entry: Child, key: str) -> str:
        if keys.segment_problem(key):
            return "of a name that no key can have"
        if entry.is_symlink():
            return self._link_problem(Path(entry.path))
        plain = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
        return "" if plain else "neither a file nor a folder"

    def _link_problem(self, path: Path) -> str:
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return "a link that leads nowhere"
        if not target.is_relative_to(self.root):
            return "a link that leads out of the folder"
        return "" if target.is_file() else "a link to a folder"

    def _file(self, path: Path, key: str) -> manifest.Entry:
        found = path.stat()
        entry = manifest.Entry(
            key, found.st_size, self.digests(key), manifest.media_type(key), "", source=str(path.resolve()), mtime=found.st_mtime_ns
        )  # fmt: skip
        if key.endswith(".json") and found.st_size <= LARGEST_DOCUMENT:
            return self._without_emails(path, entry)
        return entry

    def _without_emails(self, path: Path, entry: manifest.Entry) -> manifest.Entry:
        """Keep a copy of a document that names e-mail addresses, without them; that is what is served."""
        stored = path.read_bytes()
        try:
            public = public_bytes(stored, publish_emails=self.publish_emails)
        except ValueError:  # not a document; nobody reads e-mail addresses out of what is no JSON object
            return entry
        if public == stored:
            return replace(entry, sha256=hashlib.sha256(stored).hexdigest())
        name = f"{PUBLIC}/{hashlib.sha256(entry.key.encode()).hexdigest()[:32]}.json"
        (self.staged / PUBLIC).mkdir(exist_ok=True)
        (self.staged / name).write_bytes(public)
        return replace(entry, size=len(public), sha256=hashlib.sha256(public).hexdigest(), source=name)

    def _array(self, found: Child, key: str) -> manifest.Entry:
        (self.staged / LISTS).mkdir(exist_ok=True)
        total = members.write_members(LocalFiles(self.staged), list_name(key), self._members(found.path, key, ""))
        return manifest.Entry(
            key, total.size, self.digests(key), manifest.media_type(key), "", members=total.count, source=found.path,
            mtime=found.stat(follow_symlinks=False).st_mtime_ns,
        )  # fmt: skip

    def _members(self, path: str, key: str, below: str) -> Iterator[members.Member]:
        for name, entry in self._children(path, key + below):
            if name.endswith("/"):
                yield from self._members(entry.path, key, below + name)
            elif entry.is_symlink():
                self.leave_out("a link inside a volume", key + below + name)
            else:
                found = entry.stat(follow_symlinks=False)
                word = self.digests(key + below + name) or f"{members.UNHASHED}{found.st_mtime_ns}"
                yield members.Member(below + name, found.st_size, word)


def list_name(key: str) -> str:
    """Give the name of a volume's list of members, in the folder of the loaded dump."""
    return f"{LISTS}/{hashlib.sha256(key.encode()).hexdigest()[:32]}"
