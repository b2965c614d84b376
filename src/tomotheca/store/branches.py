"""Whole directories on their way into an archive, file by file, from several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Writable(Protocol):
    """Takes bytes one after the other."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take the next bytes."""


class Branch(Protocol):
    """A directory that is being written; every path is inside it."""

    def write_bytes(self, path: str, data: bytes | memoryview) -> None:
        """Write a file."""

    def writer(self, path: str) -> AbstractContextManager[Writable]:
        """Give a stream for a file of any size."""


@dataclass(frozen=True, slots=True)
class FolderBranch:
    """A directory in a folder of this machine; whoever gives it syncs it once and puts it in its place whole."""

    folder: Path

    def write_bytes(self, path: str, data: bytes | memoryview) -> None:
        """Write a file."""
        with self.writer(path) as stream:
            stream.write(data)

    @contextmanager
    def writer(self, path: str) -> Iterator[Writable]:
        """Give a stream for a file of any size."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            yield stream


class Files(Protocol):
    """What of a bucket is needed here."""

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write a file."""

    def writer(self, key: str) -> AbstractContextManager[Writable]:
        """Give a stream for a file of any size."""


@dataclass(frozen=True, slots=True)
class KeysBranch:
    """A directory of a bucket: files are in their places at once, and what lay there before and was not written again goes in the end."""

    files: Files
    key: str
    """Key of the directory, with its final slash."""

    written: set[str] = field(default_factory=set)

    def write_bytes(self, path: str, data: bytes | memoryview) -> None:
        """Write a file."""
        self.written.add(self.key + path)
        self.files.write_bytes(self.key + path, bytes(data))

    def writer(self, path: str) -> AbstractContextManager[Writable]:
        """Give a stream for a file of any size."""
        self.written.add(self.key + path)
        return self.files.writer(self.key + path)

    def sweep(self, present: Iterator[str], remove: Callable[[str], None]) -> None:
        """Remove what was not written."""
        for key in present:
            if key not in self.written:
                remove(key)
