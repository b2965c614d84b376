"""Bytes on their way out, wherever they lie: in memory, in a file of this machine, in an object store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tomotheca.errors import NotFoundError, StorageError
from tomotheca.store import disk

AT_ONCE = 1 << 20
"""Bytes that are read in one go; longer stretches are streamed in pieces of this size."""


class Source(Protocol):
    """Bytes that can be given whole or in part."""

    def path(self, size: int) -> str | None:
        """Give the path of the file that has them all, if there is one on this machine; StorageError if it is not that long."""

    async def read(self, start: int, stop: int) -> bytes:
        """Give the bytes from `start` to `stop`, all of them; StorageError if they are not there."""

    def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give them in pieces, so that a volume is never in memory whole."""


@dataclass(frozen=True, slots=True)
class MemorySource:
    """Bytes that are in memory."""

    data: bytes

    def path(self, size: int) -> None:
        """Give nothing."""

    async def read(self, start: int, stop: int) -> bytes:
        """Give the bytes from `start` to `stop`."""
        return self.data[start:stop]

    async def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give them in one piece."""
        yield self.data[start:stop]


@dataclass(frozen=True, slots=True)
class FileSource:
    """Bytes of a file of this machine.

    A short stretch is read where the request is answered: it is almost always in the page cache, where reading takes a few
    microseconds and handing it to a thread takes twenty times as long. Long ones are read by threads; streams, piece by piece.
    """

    key: str
    opened: Callable[[], AbstractContextManager[int]]
    """Opens the file and gives its descriptor."""

    by_path: bool = True
    """Whether somebody else may open it by its path, after we have."""

    def path(self, size: int) -> str | None:
        """Give the file's real path, with every link followed."""
        if not self.by_path or not disk.OPEN_FILES.is_dir():
            return None
        with self.held() as descriptor:
            if os.fstat(descriptor).st_size != size:
                raise unreadable(self.key)
            return disk.path_of(descriptor)

    async def read(self, start: int, stop: int) -> bytes:
        """Give the bytes from `start` to `stop`."""
        with self.held() as descriptor:
            if stop - start > AT_ONCE:
                return await asyncio.to_thread(self.exactly, descriptor, start, stop)
            return self.exactly(descriptor, start, stop)

    async def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give them in pieces."""
        with self.held() as descriptor:
            for a, b in pieces(start, stop, AT_ONCE):
                yield await asyncio.to_thread(self.exactly, descriptor, a, b)

    @contextmanager
    def held(self) -> Iterator[int]:
        """Open the file and give its descriptor; StorageError if it cannot be."""
        try:
            with self.opened() as descriptor:
                yield descriptor
        except (OSError, NotFoundError) as error:
            raise error if isinstance(error, StorageError) else unreadable(self.key) from error

    def exactly(self, descriptor: int, start: int, stop: int) -> bytes:
        """Read the bytes from `start` to `stop` of the open file; StorageError if they are not all there."""
        data = disk.read(descriptor, start, stop - start)
        if len(data) < stop - start:
            raise unreadable(self.key)
        return data


def at_path(key: str, path: Path | str) -> FileSource:
    """Give the bytes of a path, which may lie outside the archive."""

    @contextmanager
    def opened() -> Iterator[int]:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    return FileSource(key, opened)


def in_place(key: str, path: str) -> FileSource:
    """Give the bytes of a path that was without links when the catalogue was built; one that was put there since is not followed."""
    source = at_path(key, path)

    @contextmanager
    def opened() -> Iterator[int]:
        with source.opened() as descriptor:
            if disk.OPEN_FILES.is_dir() and disk.path_of(descriptor) != path:
                raise unreadable(key)
            yield descriptor

    return FileSource(key, opened, by_path=False)


def unreadable(key: str) -> StorageError:
    """Say that a file is not as the catalogue has it."""
    return StorageError(
        f"{key} is listed but cannot be read from the archive; its operator can run `tomotheca index` or restore it"
    )


def pieces(start: int, stop: int, length: int) -> Iterator[tuple[int, int]]:
    """Cut a stretch into pieces of at most `length`."""
    for a in range(start, stop, length):
        yield a, min(a + length, stop)
