"""How the files of a table stand: what the archive has at this moment, and what the doctor has found in them and nobody has mended since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from os.path import commonpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.errors import NotFoundError, StorageError, UnsafePathError
from tomotheca.web.format import Badge, count
from tomotheca.web.values import Value, badge_value
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.desk.diagnoses import Diagnosis
    from tomotheca.web.page import Asked

OK = Badge("ok", "good", "The file is there with its size.")
PRESENT = Badge("ok", "good", "The directory is there; `tomotheca doctor` compares each of its files.")
ELSEWHERE = Badge("Not checked", "none", "The file lies on another server.")
UNKNOWN = Badge("Not checked", "none", "The storage does not answer.")
MISSING = Badge("missing", "poor", "The file is not in the archive.")
DAMAGED = "poor"

OF_DOCUMENTS = frozenset({"document.readable", "manifest.files"})
"""Rules that speak of a document as a file; the others speak of what it says."""

WORD = "missing"
"""How the doctor's sentence on a file begins that was not there."""

NANO = 1e9
AT_ONCE = 8
"""Files that are looked at together."""


@dataclass(frozen=True)
class Standing:
    """The standing of some files of the catalogue."""

    asked: Asked
    rows: Sequence[Mapping[str, Any]]
    known: dict[str, Badge] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Note that the answer is about more than the catalogue."""
        self.asked.beyond.add("archive")

    def every(self) -> None:
        """Look at all files, several at a time: a bucket takes its time for each."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self.of, self.rows))

    def value(self, row: Mapping[str, Any]) -> Value:
        """Give what a cell shows."""
        return badge_value(self.of(row))

    def of(self, row: Mapping[str, Any]) -> Badge:
        """Say how a file stands."""
        if row["key"] not in self.known:
            self.known[row["key"]] = self._of(row)
        return self.known[row["key"]]

    def _of(self, row: Mapping[str, Any]) -> Badge:
        seen = self._seen(row)
        found = next((d for d in self._found if _concerns(d, row)), None)
        if found is None or seen.tone == DAMAGED or (found.where == row["key"] and found.message.startswith(WORD)):
            return seen
        return Badge("damaged", DAMAGED, say("Found {}: {}", found.last_seen[:10], found.message))

    def _seen(self, row: Mapping[str, Any]) -> Badge:
        """Look at the archive."""
        files, source = self.asked.portal.files, row["source"] or ""
        if files is None or "://" in source:
            return ELSEWHERE if source else UNKNOWN
        try:
            if source:
                return _of_source(Path(source), row)
            found = files.stat(row["key"])
        except (NotFoundError, UnsafePathError, FileNotFoundError, NotADirectoryError):
            return MISSING
        except (StorageError, OSError):
            return UNKNOWN
        if found.is_dir:
            return PRESENT if row["members"] is not None else MISSING
        size = row["stored_size"] or row["size"]
        return OK if found.size == size else _other_size(found.size, size)

    @cached_property
    def _found(self) -> tuple[Diagnosis, ...]:
        desk, keys = self.asked.portal.desk, [row["key"] for row in self.rows]
        return desk.diagnoses.open(commonpath(keys)) if desk is not None and keys else ()


def _of_source(path: Path, row: Mapping[str, Any]) -> Badge:
    """Look at a file that stays in its place."""
    found = path.stat()
    if row["members"] is not None:
        return PRESENT
    if found.st_size != row["size"]:
        return _other_size(found.st_size, row["size"])
    if row["mtime"] and found.st_mtime_ns / NANO != row["mtime"]:
        return Badge("damaged", DAMAGED, "The file has changed since it was taken in.")
    return OK


def _other_size(size: int, recorded: int) -> Badge:
    return Badge("damaged", DAMAGED, say("The file has {} bytes, and {} are recorded.", count(size), count(recorded)))


def _concerns(found: Diagnosis, row: Mapping[str, Any]) -> bool:
    """Tell whether a finding is about a file, or about what lies in an array directory."""
    if row["role"] == "document" and found.rule not in OF_DOCUMENTS:
        return False
    key = row["key"]
    return found.where == key or (row["members"] is not None and found.where.startswith(key))
