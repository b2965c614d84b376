"""What the local disk must promise: data that is there after a power cut, replacement in one step, errors in one sentence."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tomotheca.errors import ConflictError, NotFoundError, StorageError
from tomotheca.store.keys import TEMPORARY

REASONS = {
    errno.ENOSPC: "the disk is full: make room and run the command again",
    errno.EDQUOT: "the disk quota is used up: make room and run the command again",
    errno.EROFS: "the file system is read-only: remount it or choose another folder",
    errno.EACCES: "permission is denied: give this user access to it",
    errno.EPERM: "permission is denied: give this user access to it",
    errno.EIO: "the disk reports an input/output error: look at the system's log",
    errno.ESTALE: "the file server has lost it: check the mount",
    errno.EMFILE: "this program has too many files open: raise the limit (ulimit -n)",
    errno.ENFILE: "the system has too many files open",
}
ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}
EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
HERE = -100  # AT_FDCWD
OPEN_FILES = Path("/proc/self/fd")
"""Where Linux tells the real path of an open file."""

ASIDE = f"{TEMPORARY}old-"
"""Beginning of the name that a replaced directory has for a moment where the two cannot be exchanged."""


def storage_error(error: OSError, key: str) -> StorageError:
    """Say what the disk refused."""
    reason = REASONS.get(error.errno or 0, error.strerror or str(error))
    return StorageError(f"{key or 'the archive'}: {reason}")


def concerns(error: OSError, folder: Path) -> bool:
    """Say whether an error is about this folder, and not about a source that was being read."""
    return error.filename is None or Path(os.fsdecode(error.filename)).is_relative_to(folder)


@contextmanager
def storage_errors(key: str) -> Iterator[None]:
    """Turn what the operating system says about a key into our errors.

    Raises
    ------
    NotFoundError
        If there is nothing of that name.
    StorageError
        If the disk refuses for any other reason.
    """
    try:
        yield
    except (StorageError, NotFoundError):
        raise
    except OSError as error:
        if error.errno in ABSENT:
            message = f"{key}: no such file in the archive"
            raise NotFoundError(message) from error
        raise storage_error(error, key) from error


@contextmanager
def alone(descriptor: int, doing: str) -> Iterator[None]:
    """Hold an open file, in which the number of this process is written, until the block ends or the process does; the file is closed.

    Raises
    ------
    ConflictError
        If another process holds it.
    """
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            message = f"another process{f' ({holder})' if holder else ''} is {doing}: wait until it is done"
            raise ConflictError(message) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Flush one file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Flush everything below a directory at once: one call, however many files it has."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):
        os.sync()
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if library.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


def make_folders(path: Path) -> None:
    """Make a folder and its parents, and flush the names of the new ones."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def replace_tree(new: Path, target: Path) -> None:
    """Put a finished directory in the place of another, which may exist.

    Where the system can exchange two names, readers and crashes see the old one or the new one and nothing else.
    Elsewhere the old one stands aside for a moment under a name that `restore_aside` knows.
    """
    if target.is_dir():
        if not exchange(new, target):
            replace_in_two_steps(new, target)
    else:
        new.rename(target)
    sync(target.parent)
    shutil.rmtree(new, ignore_errors=True)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; false where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0)


def replace_in_two_steps(new: Path, target: Path) -> None:
    """Move the old directory aside, the new one in, and remove the old one."""
    aside = target.with_name(ASIDE + target.name)
    shutil.rmtree(aside, ignore_errors=True)
    target.rename(aside)
    new.rename(target)
    sync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def restore_aside(aside: Path) -> bool:
    """Put a directory that was set aside back in its place; false when a newer one stands there."""
    target = aside.with_name(aside.name.removeprefix(ASIDE))
    if target.exists():
        return False
    aside.rename(target)
    sync(target.parent)
    return True


def discard(path: Path) -> None:
    """Remove a file or a directory that may be there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def read(descriptor: int, start: int, length: int) -> bytes:
    """Read up to `length` bytes from `start` of an open file; fewer at its end."""
    first = os.pread(descriptor, length, start)
    if len(first) == length or not first:
        return first
    parts, got = [first], len(first)
    while got < length and (part := os.pread(descriptor, length - got, start + got)):
        parts.append(part)
        got += len(part)
    return b"".join(parts)


def path_of(descriptor: int) -> str:
    """Give the real path of an open file; only on Linux."""
    return os.readlink(f"{OPEN_FILES}/{descriptor}")  # noqa: PTH115 - a third of the time of Path.readlink, for every chunk
