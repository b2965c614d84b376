"""Sources in an object store: they are listed once, and what readers ask for is fetched, stretch by stretch.

A `FarPath` stands in for a `pathlib.Path` wherever a source is read. It is no path of this machine: what insists on one (a library that
opens files by itself) is refused with a sentence.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from tempfile import gettempdir
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from tomotheca.errors import FormatError, NotFoundError, SettingsError, StorageError
from tomotheca.ingest.listing import Listing, Names, Stamp
from tomotheca.store.connection import connect, store_errors
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from obstore.store import S3Store

    from tomotheca.formats.files import Aside
    from tomotheca.store.files import Files

BUFFER = 1 << 20
"""Bytes that are fetched at once while a file is read from its beginning."""

PIECE = 32 << 20
"""Bytes of one request for a long stretch."""

CHANGED = "changed while it was read: keep the source still and run again."


@lru_cache(maxsize=8)
def _store(url: str, endpoint: str | None) -> S3Store:
    return connect(url, endpoint)


@dataclass(frozen=True, slots=True)
class FarPath:
    """A file or folder of a bucket."""

    url: str = ""
    """``s3://bucket/prefix`` that keys are below."""

    endpoint: str | None = None
    key: str = ""
    size: int | None = None
    """Bytes as listed; None where that is not known yet."""

    mtime: int = 0
    tag: str | None = field(default=None)
    """Entity tag as listed: what is read must have it."""

    def __str__(self) -> str:
        return f"{self.url}/{self.key}" if self.key else self.url

    def __truediv__(self, name: str) -> FarPath:
        return self.joinpath(name)

    def __fspath__(self) -> NoReturn:
        raise FormatError(
            str(self), "can only be read from a folder: copy it there (rclone copy), and name that as the source."
        )

    def joinpath(self, *names: str) -> FarPath:
        """Give what lies below."""
        return FarPath(self.url, self.endpoint, "/".join(n for n in (self.key, *names) if n))

    @property
    def name(self) -> str:
        """Last part."""
        return PurePosixPath(self.key).name

    @property
    def suffix(self) -> str:
        """Ending of the name."""
        return PurePosixPath(self.key).suffix

    @property
    def stem(self) -> str:
        """Name without its ending."""
        return PurePosixPath(self.key).stem

    def relative_to(self, other: FarPath) -> PurePosixPath:
        """Give the rest of the path below another."""
        return PurePosixPath(self.key).relative_to(other.key)

    @property
    def store(self) -> S3Store:
        """Connection of this process."""
        return _store(self.url, self.endpoint)

    def is_dir(self) -> bool:
        """Whether anything lies below."""
        import obstore  # noqa: PLC0415 - an extra

        if self.size is not None:
            return False
        with store_errors(str(self)):
            return any(obstore.list(self.store, f"{self.key}/" if self.key else None, chunk_size=1))

    def is_file(self) -> bool:
        """Whether there is an object of this name."""
        return self.size is not None or self._head() is not None

    def exists(self) -> bool:
        """Whether there is an object of this name, or something below it."""
        return self.is_file() or self.is_dir()

    def stat(self) -> Any:
        """Give size and time as `os.stat` does; FileNotFoundError if there is none."""
        if self.size is not None:
            return SimpleNamespace(st_size=self.size, st_mtime_ns=self.mtime)
        found = self._head()
        if found is None:
            raise FileNotFoundError(2, "there is no such file", str(self))
        return SimpleNamespace(st_size=found["size"], st_mtime_ns=_nanoseconds(found))

    def _head(self) -> Any:
        import obstore  # noqa: PLC0415 - an extra

        if not self.key:
            return None
        try:
            return obstore.head(self.store, self.key)
        except FileNotFoundError:
            return None

    def rglob(self, _: str) -> Iterator[FarPath]:
        """Give every file below."""
        yield from files(FarPath(self.url, self.endpoint), self.key).values()

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open it for reading bytes; FileNotFoundError if there is none."""
        if mode != "rb":
            raise FormatError(str(self), "is a source: it is read and nothing else.")
        return io.BufferedReader(_Stretches(self), BUFFER)

    def read_bytes(self) -> bytes:
        """Read it whole."""
        with self.open() as file:
            return file.read()

    def ranges(self) -> _Stretches:
        """Give what fills buffers from any place, from several threads at once."""
        return _Stretches(self)

    def zarr_store(self) -> Any:
        """Give the folder as zarr reads it."""
        from zarr.storage import ObjectStore  # noqa: PLC0415 - takes half a second, and only images need it

        return ObjectStore(connect(str(self), self.endpoint), read_only=True)


class _Stretches(io.RawIOBase):
    """An object that is read by ranges."""

    descriptor = -1
    """There is no open file on this machine."""

    def __init__(self, path: FarPath) -> None:
        super().__init__()
        self.path = path
        self.size = int(path.stat().st_size)
        self.offset = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.offset, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            message = "a place before the beginning"
            raise ValueError(message)
        self.offset = start + offset
        return self.offset

    def tell(self) -> int:
        return self.offset

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        got = self.fill(view, self.offset)
        self.offset += got
        return got

    def fill(self, buffer: memoryview, offset: int, aside: Aside = nullcontext) -> int:
        """Fill a buffer from a place in the file; give the number of bytes, fewer at its end. ``aside`` is entered while that waits."""
        got, end = 0, min(offset + len(buffer), self.size)
        while offset + got < end:
            stop = min(offset + got + PIECE, end)
            with aside():
                data = self._fetch(offset + got, stop)
            buffer[got : got + len(data)] = data
            got += len(data)
        return got

    def _fetch(self, start: int, stop: int) -> bytes:
        import obstore  # noqa: PLC0415 - an extra

        options: Any = {"range": (start, stop), **({"if_match": self.path.tag} if self.path.tag else {})}
        try:
            with store_errors(str(self.path)):
                found = obstore.get(self.path.store, self.path.key, options=options)
                data = bytes(found.bytes())
        except NotFoundError as error:
            raise FormatError(str(self.path), "is gone: put it back and run again.") from error
        except StorageError as error:
            if "listed but cannot be read" in str(error):
                raise FormatError(str(self.path), CHANGED) from error
            raise
        if len(data) != stop - start or found.meta["size"] != self.size:
            raise FormatError(str(self.path), CHANGED)
        return data

    def expect(self, offset: int, size: int) -> None:
        """Do nothing: what is fetched ahead would have to be kept."""

    def stamp(self) -> tuple[int, int]:
        """Give what tells this state of the file from another; each answer is held against it anyway."""
        return self.size, self.path.mtime


def at(url: str, endpoint: str | None = None) -> FarPath:
    """Give the root of a source in a bucket.

    Raises
    ------
    SettingsError
        If the address cannot be used, or the package for object stores is not installed.
    """
    scheme, _, rest = url.partition("://")
    if scheme != "s3" or not rest.strip("/"):
        message = f"source {url}: a source is a folder or s3://bucket/prefix"
        raise SettingsError(message)
    root = FarPath(url.rstrip("/"), endpoint)
    try:
        _ = root.store
    except SettingsError as error:
        raise SettingsError(str(error).replace("archive ", "source ", 1)) from error
    return root


def source(text: str, endpoint: str | None = None) -> Path:
    """Give a source by what somebody wrote: a folder, or the address of a bucket."""
    return at(text, endpoint) if "://" in text else Path(text)  # type: ignore[return-value]  # stands in for a path


def files(root: FarPath, below: str = "") -> dict[str, FarPath]:
    """List every file below a folder: by key, from one listing of the store.

    Raises
    ------
    StorageError
        If the store does not answer.
    """
    import obstore  # noqa: PLC0415 - an extra

    with store_errors(str(root)):
        found = [item for chunk in obstore.list(root.store, f"{below}/" if below else None) for item in chunk]
    kept = (item for item in found if not str(item["path"]).endswith("/"))
    return {
        str(i["path"]): FarPath(root.url, root.endpoint, str(i["path"]), i["size"], _nanoseconds(i), i["e_tag"])
        for i in kept
    }


def _nanoseconds(item: Any) -> int:
    return int(item["last_modified"].timestamp() * 1e9)


class FarListing(Listing):
    """Files below a prefix of a bucket, listed once and kept."""

    def __init__(self, root: FarPath, prefix: str = "") -> None:
        self.root = root  # type: ignore[assignment]  # stands in for a path
        self.prefix = "/" + "/".join(p for p in prefix.split("/") if p not in {"", "."})
        self.escaped = set()
        head = f"{root.key}/" if root.key else ""
        self._files = {key.removeprefix(head): path for key, path in files(root, root.key).items()}
        self._children: dict[str, dict[str, bool]] = {}
        for path in self._files:
            parts = path.split("/")
            for depth, name in enumerate(parts):
                inner = self._children.setdefault("/".join(parts[:depth]), {})
                inner[name] = inner.get(name, False) or depth < len(parts) - 1
        self._names = Names(self._scan)
        self.glob, self.folder = self._names.glob, self._names.folder
        self.exists, self.is_folder = self._names.exists, self._names.is_folder

    def local(self, path: str) -> Path:
        """Give what stands in for the place on a disk."""
        return self._files.get(path) or self.root / path  # type: ignore[return-value]  # stands in for a path

    def _scan(self, path: str) -> Iterator[tuple[str, bool]]:
        yield from self._children.get(path, {}).items()

    def stamp(self, path: str) -> Stamp:
        """Give size and time of a file; for a folder the sum and the newest of what is in it."""
        if not self.is_folder(path):
            if path not in self._files:
                raise FileNotFoundError(2, "there is no such file", str(self.root / path))
            one = self._files[path]
            return Stamp(one.size or 0, one.mtime)
        some = [f for p, f in self._files.items() if p.startswith(f"{path}/")]
        return Stamp(sum(f.size or 0 for f in some), max((f.mtime for f in some), default=0))


def listing(root: Path | FarPath, prefix: str = "") -> Listing:
    """List a source, wherever it is.

    Raises
    ------
    StorageError
        If the store does not answer.
    """
    return FarListing(root, prefix) if isinstance(root, FarPath) else Listing(root, prefix)


def files_of(root: Path | FarPath) -> Files:
    """Give a source as the files of an archive are given: to the rules that hold for both."""
    if not isinstance(root, FarPath):
        return LocalFiles(root)
    from tomotheca.store.objects import ObjectFiles  # noqa: PLC0415 - only for those who have one

    return ObjectFiles(str(root), endpoint=root.endpoint, lock_folder=Path(gettempdir()))
