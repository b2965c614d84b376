"""What every writer shares: hashed members, errors of the disk, one sync for a whole tree."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tomotheca.errors import StorageError

Aside = Callable[[], AbstractContextManager[object]]
"""Entered by a thread while it waits for the disk. Copying from or to the page cache is no wait."""

NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
"""Asks Linux for what is in the page cache alone."""

SOON: int | None = getattr(os, "POSIX_FADV_WILLNEED", None)
"""Has the system read ahead."""


class Digest(Protocol):
    """What hashlib's digests can do."""

    def update(self, data: memoryview, /) -> None:
        """Take more bytes."""


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One written file, as a manifest lists it."""

    path: str
    """Relative to the directory it belongs to, with ``/``; the bare name for a single file."""

    size: int
    """Bytes."""

    sha256: str


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn every refusal of the disk into one sentence that names the path.

    Raises
    ------
    StorageError
        For any ``OSError`` in the block; ``errno`` is kept.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise refused(path, error) from error


def refused(path: Path, error: OSError) -> StorageError:
    """Make the error that says which path could not be written, why, and what to do."""
    hint = {
        errno.ENOSPC: "free some space, then run the same command again",
        errno.EDQUOT: "raise the quota or free some space, then run the same command again",
        errno.EROFS: "the file system is read-only: choose another place",
        errno.EACCES: "this user may not write here: change the owner or choose another place",
    }.get(error.errno or 0, "nothing that was there before is lost: mend it and run the same command again")
    failure = StorageError(f"{path}: cannot be written: {error.strerror or error}; {hint}.")
    failure.errno = error.errno
    return failure


def write_file(
    path: Path, data: bytes, *, name: str, write: Callable[[Path, int, memoryview], None] | None = None
) -> Member:
    """Write one file in one go and say what was written; ``write`` may do the writing in its own way.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    with writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            if write is None:
                write_all(descriptor, memoryview(data), 0)
            else:
                write(path, descriptor, memoryview(data))
        finally:
            os.close(descriptor)
    return Member(name, len(data), hashlib.sha256(data).hexdigest())


def write_all(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset``: the kernel may take less than it was offered."""
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def read_all(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Fill ``buffer`` from ``offset``; the number of bytes got is smaller only at the end of the file."""
    got = 0
    while got < len(buffer):
        step = os.preadv(descriptor, [buffer[got : got + (1 << 30)]], offset + got)
        if not step:
            break
        got += step
    return got


def read_cached(descriptor: int, buffer: memoryview, offset: int) -> int:
    """Fill as much of ``buffer`` as is in memory already, without waiting; 0 where the system cannot say."""
    if NOWAIT is None:
        return 0
    try:
        return os.preadv(descriptor, [buffer[: 1 << 30]], offset, NOWAIT)
    except OSError:
        return 0


def fill(descriptor: int, buffer: memoryview, offset: int, aside: Aside) -> int:
    """Fill ``buffer`` as `read_all` does; ``aside`` is entered for what is not in memory already."""
    got = read_cached(descriptor, buffer, offset)
    if got == len(buffer):
        return got
    with aside():
        return got + read_all(descriptor, buffer[got:], offset + got)


class Ranges(Protocol):
    """An open file that gives any stretch of it."""

    descriptor: int
    """Of the open file; -1 where it is not one of this machine."""

    def fill(self, buffer: memoryview, offset: int, aside: Aside = nullcontext) -> int:
        """Fill a buffer from a place in the file; give the number of bytes, fewer at its end. ``aside`` is entered while that waits."""

    def expect(self, offset: int, size: int) -> None:
        """Say that a stretch is read soon, so that it may be on its way while others are read."""

    def stamp(self) -> tuple[int, int]:
        """Give size and time of change."""

    def close(self) -> None:
        """Close it."""


class LocalRanges:
    """An open file of this machine."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def fill(self, buffer: memoryview, offset: int, aside: Aside = nullcontext) -> int:
        """Fill a buffer; see `fill`."""
        return fill(self.descriptor, buffer, offset, aside)

    def expect(self, offset: int, size: int) -> None:
        """Have the disk read a stretch, where the system takes such advice."""
        if SOON is not None:
            with suppress(OSError):
                os.posix_fadvise(self.descriptor, offset, size, SOON)

    def stamp(self) -> tuple[int, int]:
        """Give size and time of change."""
        status = os.fstat(self.descriptor)
        return status.st_size, status.st_mtime_ns

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)


def ranges(path: Path) -> Ranges:
    """Open a file to read stretches of it; a path that is not of this machine gives them itself."""
    own: Ranges | None = path.ranges() if hasattr(path, "ranges") else None
    return own or LocalRanges(path)


def hash_into(digest: Digest, descriptor: int, offset: int, buffer: memoryview) -> None:
    """Add an open file to a digest, from ``offset`` to its end, a buffer at a time."""
    while got := read_all(descriptor, buffer, offset):
        digest.update(buffer[:got])
        offset += got


def sync_tree(path: Path) -> None:
    """Bring everything written below ``path`` to the disk with one call, however many files there are.

    The whole file system that holds ``path`` is synced (``syncfs``); where that call does not exist, all of them are.

    Raises
    ------
    StorageError
        If the disk reports that something could not be written.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    with writing(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if syncfs(descriptor):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))
        finally:
            os.close(descriptor)
