"""A source tree, listed once: patterns are matched against names kept in memory, nothing outside the tree is reached."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.store.files import Files

MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells a file from its successor."""

    size: int
    mtime: int
    """Nanoseconds since 1970."""


@lru_cache(maxsize=4096)
def _pattern(segment: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(segment))


class Names:
    """Names of a tree, each folder listed once, and patterns matched against them. Paths are relative to its root, with ``/``.

    Parameters
    ----------
    scan
        Lists a folder: names, and whether they are folders themselves; nothing where there is none.
    """

    def __init__(self, scan: Callable[[str], Iterable[tuple[str, bool]]]) -> None:
        self._scan = scan
        self._folders: dict[str, dict[str, bool]] = {}

    def exists(self, path: str) -> bool:
        """Whether a path is there."""
        folder, _, name = path.rpartition("/")
        return name in self.folder(folder)

    def is_folder(self, path: str) -> bool:
        """Whether a path is a folder."""
        folder, _, name = path.rpartition("/")
        return self.folder(folder).get(name, False)

    def folder(self, path: str) -> dict[str, bool]:
        """List a folder: name to whether it is a folder itself, sorted; empty where there is none."""
        if path not in self._folders:
            self._folders[path] = dict(sorted(self._scan(path)))
        return self._folders[path]

    def glob(self, pattern: str) -> list[str]:
        """Find paths as `glob.glob(recursive=True)` does, sorted.

        Raises
        ------
        ValueError
            If the pattern steps out of the tree.
        """
        segments = segments_of(pattern)
        return sorted(set(self._match("", segments))) if segments else [""]

    def _match(self, folder: str, segments: list[str]) -> Iterator[str]:
        head, *rest = segments
        if head == "**":
            yield from self._match_deep(folder, rest)
            return
        here = self.folder(folder)
        if MAGIC.search(head):
            matches = _pattern(head).match
            found = [name for name in here if matches(name) and (head.startswith(".") or not name.startswith("."))]
        else:
            found = [head] if head in here else []
        for name in found:
            path = f"{folder}/{name}" if folder else name
            if not rest:
                yield path
            elif here[name]:
                yield from self._match(path, rest)

    def _match_deep(self, folder: str, rest: list[str]) -> Iterator[str]:
        if rest:
            yield from self._match(folder, rest)
        for name, is_folder in self.folder(folder).items():
            if name.startswith("."):
                continue
            path = f"{folder}/{name}" if folder else name
            if not rest:
                yield path
            if is_folder:
                yield from self._match_deep(path, rest)


def segments_of(pattern: str) -> list[str]:
    """Take a pattern apart.

    Raises
    ------
    ValueError
        If it steps out of its tree.
    """
    segments = [s for s in pattern.split("/") if s not in {"", "."}]
    if ".." in segments:
        message = "the pattern steps out of the source with '..'"
        raise ValueError(message)
    return segments


class Stored:
    """The archive, as `destination_glob` and `destination_filter` look into it: array directories are not looked into."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._names = Names(self._scan)

    def glob(self, pattern: str) -> list[str]:
        """Find keys, those of folders without their final slash; see `Names.glob`."""
        return self._names.glob(pattern)

    def _scan(self, path: str) -> Iterator[tuple[str, bool]]:
        folder = f"{path}/" if path else ""
        if folder and layout.is_array(folder):
            return
        found = self.files.scan(folder)
        for names, is_folder in ((found.files, False), (found.folders, True)):
            yield from ((n, is_folder) for n in names if not layout.is_private(folder + n))


class Listing:
    """Files below a directory. Paths are relative to it, with ``/``.

    Parameters
    ----------
    root
        The source: ``<source>/<source_prefix>``.
    prefix
        Put before a path when a regular expression is searched in it.
    """

    def __init__(self, root: Path, prefix: str = "") -> None:
        self.root = root
        self.prefix = "/" + "/".join(p for p in prefix.split("/") if p not in {"", "."})
        self.escaped: set[str] = set()
        """Links that lead out of the source or in a circle; they are not followed."""

        self._real = root.resolve()
        self._names = Names(self._scan)
        self.glob, self.folder = self._names.glob, self._names.folder
        self.exists, self.is_folder = self._names.exists, self._names.is_folder

    def full(self, path: str) -> str:
        """Give the path that regular expressions see: from the source's bucket on, whatever folder that lies in."""
        return f"{self.prefix.rstrip('/')}/{path}"

    def local(self, path: str) -> Path:
        """Give the place on the disk."""
        return self.root / path

    def _scan(self, path: str) -> Iterator[tuple[str, bool]]:
        try:
            with os.scandir(self.root / path) as entries:
                found = list(entries)
        except OSError:
            return
        for entry in found:
            if entry.is_symlink() and not self._follows(path, Path(entry.path)):
                self.escaped.add(f"{path}/{entry.name}".lstrip("/"))
                continue
            yield entry.name, entry.is_dir()

    def _follows(self, folder: str, link: Path) -> bool:
        """Say whether a link stays in the source, and does not lead to a folder around it, in which there is no end."""
        try:
            real = link.resolve()
        except (OSError, RuntimeError):  # it leads to itself
            return False
        around = (folder, *map(str, PurePosixPath(folder).parents))
        return real.is_relative_to(self._real) and real not in {(self.root / each).resolve() for each in around}

    def files(self, folder: str = "") -> Iterator[str]:
        """List every file below a folder; an array directory (``.zarr``) counts as one."""
        for name, is_folder in self.folder(folder).items():
            path = f"{folder}/{name}" if folder else name
            if is_folder and not name.endswith(".zarr"):
                yield from self.files(path)
            else:
                yield path

    def stamp(self, path: str) -> Stamp:
        """Give size and time of a file; for a folder the sum and the newest of what is in it.

        Raises
        ------
        OSError
            If it is gone.
        """
        if not self.is_folder(path):
            status = self.local(path).stat()
            return Stamp(status.st_size, status.st_mtime_ns)
        stamps = [p.stat() for p in self.local(path).rglob("*") if p.is_file()]
        return Stamp(sum(s.st_size for s in stamps), max((s.st_mtime_ns for s in stamps), default=0))
