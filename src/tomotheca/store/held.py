"""Bytes of a file outside the archive that must still be the one that was taken in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tomotheca.errors import ChangedSourceError
from tomotheca.store.sources import AT_ONCE, FileSource, in_place, pieces

NANO = 1e9


@dataclass(frozen=True, slots=True)
class HeldSource:
    """A file, or a stretch of one, as it was: another size or time of change and nothing of it is given."""

    file: FileSource
    whole: int
    """Bytes of the file."""

    mtime: float
    """Time of its last change in seconds since 1970, as the catalogue keeps it."""

    offset: int = 0
    """Where what is given begins."""

    def path(self, size: int) -> None:
        """Give nothing: nobody else may open it, who would not look whether it is the same."""

    def check(self) -> None:
        """Look whether the file is the one that was taken in.

        Raises
        ------
        ChangedSourceError
            If it is another one.
        StorageError
            If it is not there.
        """
        with self._open():
            pass

    async def read(self, start: int, stop: int) -> bytes:
        """Give the bytes from `start` to `stop`."""
        with self._open() as descriptor:
            if stop - start > AT_ONCE:
                return await asyncio.to_thread(self._exactly, descriptor, start, stop)
            return self._exactly(descriptor, start, stop)

    async def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give them in pieces, each only when the file has not changed until it was read."""
        with self._open() as descriptor:
            for a, b in pieces(start, stop, AT_ONCE):
                yield await asyncio.to_thread(self._exactly, descriptor, a, b)

    @contextmanager
    def _open(self) -> Iterator[int]:
        with self.file.held() as descriptor:
            self._compare(descriptor)
            yield descriptor

    def _exactly(self, descriptor: int, start: int, stop: int) -> bytes:
        data = self.file.exactly(descriptor, self.offset + start, self.offset + stop)
        self._compare(descriptor)
        return data

    def _compare(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if found.st_size != self.whole or found.st_mtime_ns / NANO != self.mtime:
            raise ChangedSourceError(self.file.key)


def held(key: str, path: str, whole: int, mtime: float) -> HeldSource:
    """Give the bytes of a file that had this size and time (seconds since 1970) when it was taken in."""
    return HeldSource(in_place(key, path), whole, mtime)


def stretch_of(source: HeldSource, offset: int) -> HeldSource:
    """Give the bytes from an offset on."""
    return replace(source, offset=offset)
