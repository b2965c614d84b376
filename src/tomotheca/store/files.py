"""Files of an archive behind one interface: a local folder here, an object store in `objects`."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from tomotheca.errors import ConflictError, NotFoundError, UnsafePathError
from tomotheca.store import disk, keys, layout
from tomotheca.store.branches import Branch, FolderBranch, Writable
from tomotheca.store.sources import FileSource, Source


@dataclass(frozen=True, slots=True)
class Stat:
    """What is known of a file or folder without reading it."""

    size: int
    """Bytes; 0 for a folder."""

    mtime_ns: int
    """Time of the last change, in nanoseconds since 1970."""

    is_dir: bool = False


@dataclass(frozen=True, slots=True)
class Children:
    """Names of what lies directly in a folder, each in byte order, without unfinished writes."""

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


class Files(Protocol):
    """Everything the program does to an archive. Every key is checked; see `tomotheca.store.keys.check`."""

    def read_bytes(self, key: str) -> bytes:
        """Read a whole file; NotFoundError if there is none."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Read up to `length` bytes from `start`; fewer at the end of the file."""

    def stat(self, key: str) -> Stat:
        """Look at a file or folder; NotFoundError if there is none."""

    def exists(self, key: str) -> bool:
        """Say whether there is a file or folder of that name."""

    def scan(self, folder: str) -> Children:
        """List what lies directly in a folder; nothing for a folder that is not there."""

    def walk(self, prefix: str = "") -> Iterator[str]:
        """Give every key that begins with `prefix`, in byte order. Into array directories too: never at request time."""

    def stats(self, folder: str = "") -> Iterator[tuple[str, Stat]]:
        """Give every file below a folder with what is known of it, in byte order; a bucket is asked once, however many there are."""

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write a file so that a crash leaves the old one or the new one; on the disk when this returns."""

    def writer(self, key: str) -> AbstractContextManager[Writable]:
        """Give a stream for a file of any size; it is in its place, whole, when the block ends, and not at all when that fails."""

    def branch(self, key: str) -> AbstractContextManager[Branch]:
        """Take a directory in file by file: what it held before goes; whole or not at all where the store can do that."""

    def stage(self, key: str) -> AbstractContextManager[Path]:
        """Give a temporary path for a file, or for a directory when the key ends in ``/``; put it in place at the end."""

    def remove(self, key: str) -> None:
        """Remove a file, or a directory when the key ends in ``/``; nothing happens when there is none."""

    def local_path(self, key: str) -> Path | None:
        """Give the path of a file on this machine, or None where there is none."""

    def source(self, key: str, size: int) -> Source:
        """Give the bytes of a file of a known size for sending; whether they are there shows when they are read."""

    @property
    def present(self) -> bool:
        """Whether there is an archive at all."""

    def forget(self) -> None:
        """Forget what is remembered of an archive that somebody may have written to."""

    def lock(self) -> AbstractContextManager[None]:
        """Hold the archive for writing; ConflictError when another process does."""

    def recover(self, prefix: str = "") -> tuple[str, ...]:
        """Clear away what interrupted writes left; only while holding the lock."""


class LocalFiles:
    """An archive in a folder of this machine."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute().resolve()
        self._tells_paths = disk.OPEN_FILES.is_dir()

    def __repr__(self) -> str:
        return f"LocalFiles({str(self.root)!r})"

    def read_bytes(self, key: str) -> bytes:
        """Read a whole file."""
        with disk.storage_errors(key), self.open(key) as descriptor:
            return disk.read(descriptor, 0, os.fstat(descriptor).st_size)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Read up to `length` bytes from `start`, without moving through the file."""
        with disk.storage_errors(key), self.open(key) as descriptor:
            return disk.read(descriptor, start, length)

    @contextmanager
    def open(self, key: str) -> Iterator[int]:
        """Open a file for reading and see that what was opened lies inside: one question to the system instead of one per folder."""
        path = f"{self.root}/{keys.check(key)}" if self._tells_paths else self._existing(key)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ELOOP:
                self._existing(key)
            raise
        try:
            if self._tells_paths and not disk.path_of(descriptor).startswith(f"{self.root}/"):
                raise _leads_out(key)
            yield descriptor
        finally:
            os.close(descriptor)

    def stat(self, key: str) -> Stat:
        """Look at a file or folder."""
        path = self._existing(key)
        with disk.storage_errors(key):
            found = path.stat()
        is_dir = stat.S_ISDIR(found.st_mode)
        if key.endswith("/") and not is_dir:
            message = f"{key}: no such folder in the archive"
            raise NotFoundError(message)
        return Stat(0 if is_dir else found.st_size, found.st_mtime_ns, is_dir)

    def exists(self, key: str) -> bool:
        """Say whether there is a file or folder of that name."""
        path = self._existing(key)
        with disk.storage_errors(key):
            return path.is_dir() if key.endswith("/") else path.exists()

    def scan(self, folder: str) -> Children:
        """List what lies directly in a folder."""
        found = list(self._entries(folder))
        return Children(
            files=tuple(sorted(name for name in found if not name.endswith("/"))),
            folders=tuple(sorted(name[:-1] for name in found if name.endswith("/"))),
        )

    def walk(self, prefix: str = "") -> Iterator[str]:
        """Give every key that begins with `prefix`, in byte order."""
        folder, slash, start = prefix.rpartition("/")
        for name in sorted(n for n in self._entries(folder + slash) if n.startswith(start)):
            if name.endswith("/"):
                yield from self.walk(folder + slash + name)
            else:
                yield folder + slash + name

    def stats(self, folder: str = "") -> Iterator[tuple[str, Stat]]:
        """Give every file below a folder with what is known of it, in byte order."""
        for name in sorted(self._entries(folder)):
            if name.endswith("/"):
                yield from self.stats(folder + name)
            else:
                yield folder + name, self.stat(folder + name)

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write a file: temporary name, fsync, rename, fsync of the folder."""
        with self.stage(key) as path:
            path.write_bytes(data)

    @contextmanager
    def writer(self, key: str) -> Iterator[Writable]:
        """Give a stream for a file of any size; see `stage`."""
        with self.stage(key) as path, path.open("wb") as stream:
            yield stream

    @contextmanager
    def branch(self, key: str) -> Iterator[Branch]:
        """Take a directory in file by file, synced once and put in its place whole; see `stage`."""
        with self.stage(key) as path:
            yield FolderBranch(path)

    @contextmanager
    def stage(self, key: str) -> Iterator[Path]:
        """Give a temporary path beside the target; put what was written there in its place, or remove it on failure.

        A key that ends in ``/`` is a directory: it exists already, it is synced once, and it replaces the old one whole.
        A crash leaves the old one or the new one, and perhaps a temporary name that `recover` clears away.

        Raises
        ------
        StorageError
            If the disk refuses: full, read-only, broken.
        """
        target = self._target(key)
        temporary = target.with_name(f"{keys.TEMPORARY}{secrets.token_hex(8)}")
        try:
            disk.make_folders(target.parent)
            if key.endswith("/"):
                temporary.mkdir()
            yield temporary
            self._place(key, temporary, target)
        except OSError as error:
            disk.discard(temporary)
            if error.errno in disk.REASONS and disk.concerns(error, target.parent):
                raise disk.storage_error(error, key) from error
            raise
        except BaseException:
            disk.discard(temporary)
            raise

    def _place(self, key: str, temporary: Path, target: Path) -> None:
        is_dir = key.endswith("/")
        if target.exists() and target.is_dir() is not is_dir:
            message = f"{key}: a {'file' if is_dir else 'folder'} stands in its place: remove it first"
            raise ConflictError(message)
        if is_dir:
            disk.sync_tree(temporary)
            disk.replace_tree(temporary, target)
            return
        disk.sync(temporary)
        temporary.replace(target)
        disk.sync(target.parent)

    def remove(self, key: str) -> None:
        """Remove a file, or a directory in one step when the key ends in ``/``."""
        target = self._target(key)
        with disk.storage_errors(key):
            if not key.endswith("/"):
                target.unlink(missing_ok=True)
            elif target.is_dir():
                aside = target.with_name(f"{keys.TEMPORARY}{secrets.token_hex(8)}")
                target.rename(aside)
                disk.sync(target.parent)
                disk.discard(aside)

    def local_path(self, key: str) -> Path | None:
        """Give the path of a file or folder on this machine; it need not exist."""
        return self._existing(key)

    def source(self, key: str, size: int) -> Source:
        """Give the bytes of a file for sending."""
        return FileSource(key, partial(self.open, key))

    @property
    def present(self) -> bool:
        """Whether the folder is there."""
        return self.root.is_dir()

    def forget(self) -> None:
        """Do nothing: the disk is asked each time."""

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the archive for writing, until the block ends or the process does.

        Raises
        ------
        ConflictError
            If another process holds it.
        """
        path = self._target(layout.LOCK)
        with disk.storage_errors(layout.LOCK):
            disk.make_folders(path.parent)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o664)
        with disk.alone(descriptor, f"writing to {self.root}"):
            yield

    def recover(self, prefix: str = "") -> tuple[str, ...]:
        """Clear away what interrupted writes left below a folder, and give the names of what was cleared.

        A directory that was set aside and has no successor goes back to its place. Array directories are not entered: they are
        staged whole, so nothing unfinished is inside. Call this only while holding the lock.
        """
        found: list[str] = []
        pending = [prefix]
        while pending:
            folder = pending.pop()
            base = self._existing(folder)
            if not base.is_dir():
                continue
            for entry in sorted(base.iterdir()):
                if entry.name.startswith(keys.TEMPORARY):
                    if not (entry.name.startswith(disk.ASIDE) and disk.restore_aside(entry)):
                        disk.discard(entry)
                    found.append(folder + entry.name)
                elif entry.is_dir() and not entry.is_symlink() and not layout.is_array(f"{folder}{entry.name}/"):
                    pending.append(f"{folder}{entry.name}/")
        return tuple(found)

    def _entries(self, folder: str) -> Iterator[str]:
        """Names directly in a folder, those of folders with a final ``/``. Linked folders and links that leave are left out."""
        if folder and not folder.endswith("/"):
            folder += "/"
        base = self._existing(folder)
        try:
            with os.scandir(base) as entries:
                for entry in entries:
                    if entry.name.startswith(keys.TEMPORARY) or (not folder and entry.name == layout.INTERNAL):
                        continue
                    if entry.is_symlink() and not self._is_file_inside(Path(entry.path)):
                        continue
                    yield entry.name + "/" if entry.is_dir() else entry.name
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise disk.storage_error(error, folder) from error

    def _is_file_inside(self, path: Path) -> bool:
        return path.is_file() and path.resolve().is_relative_to(self.root)

    def _existing(self, key: str) -> Path:
        """Path of a key with every link followed."""
        checked = keys.check(key, root=True)
        return self._without_links(checked) or self._inside(key, self.root / checked)

    def _without_links(self, key: str) -> Path | None:
        """Path of what is there, when no link leads to it: three questions to the system instead of one for each folder."""
        if not self._tells_paths:
            return None
        path = f"{self.root}/{key}".rstrip("/")
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return Path(path) if disk.path_of(descriptor) == path else None
        finally:
            os.close(descriptor)

    def _target(self, key: str) -> Path:
        """Path of a key with the links of its folder followed: what is written replaces a link, not what it points at."""
        path = self.root / keys.check(key)
        return self._inside(key, path.parent) / path.name

    def _inside(self, key: str, path: Path) -> Path:
        try:
            real = path.resolve()
        except (OSError, RuntimeError) as error:
            message = f"{key!r} cannot be followed: {error}"
            raise UnsafePathError(message) from error
        if real != self.root and not real.is_relative_to(self.root):
            raise _leads_out(key)
        return real


def _leads_out(key: str) -> UnsafePathError:
    return UnsafePathError(f"{key!r} leads out of the archive through a link")
