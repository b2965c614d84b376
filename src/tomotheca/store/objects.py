"""An archive in an object store that speaks S3: read as asked, written file by file."""

from __future__ import annotations

import os
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tomotheca.errors import NotFoundError
from tomotheca.store import disk, keys, layout
from tomotheca.store.branches import Branch, KeysBranch, Writable
from tomotheca.store.connection import connect, store_errors
from tomotheca.store.files import Children, Stat
from tomotheca.store.objectsource import ObjectSource

if TYPE_CHECKING:
    from tomotheca.store.sources import Source

STAGING = "staging"
"""Folder beside the lock with files that are on their way to the store."""

PART = 16 << 20
PARTS_AT_ONCE = 4
"""Bytes of one part of what is written, and how many are on their way: 64 MB of memory. S3 takes 10,000 parts: 160 GB."""

BLOCK = 1 << 16
MOST_BLOCKS = 512
"""Blocks of lists of members that are kept: 32 MB."""

BEHIND_THE_END = "416 "


class ObjectFiles:
    """An archive in a bucket, below a prefix.

    Parameters
    ----------
    url : str
        ``s3://bucket`` or ``s3://bucket/prefix``.
    endpoint : str, optional
        Address of the store; AWS, or what ``AWS_ENDPOINT_URL`` says, when there is none. Keys and region come from the usual ``AWS_...`` variables.
    lock_folder : Path
        Local folder for the lock that keeps two commands of this machine from writing at once.

    Raises
    ------
    SettingsError
        If the address cannot be used, or the package for object stores is not installed.
    """

    def __init__(self, url: str, *, endpoint: str | None, lock_folder: Path) -> None:
        self.url, self.endpoint, self.lock_folder = url.rstrip("/"), endpoint, lock_folder
        self._store = connect(self.url, endpoint)
        self._listings = _Listings()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as an address: it makes a connection of its own."""
        return partial(ObjectFiles, endpoint=self.endpoint, lock_folder=self.lock_folder), (self.url,)

    def __repr__(self) -> str:
        return f"ObjectFiles({self.url!r})"

    def read_bytes(self, key: str) -> bytes:
        """Read a whole file."""
        with store_errors(key):
            return self._get(keys.check(key)).bytes().to_bytes()  # type: ignore[no-any-return]  # obstore's stub has no types here

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Read up to `length` bytes from `start`; pieces of lists of members are remembered."""
        if f"/{layout.MEMBERS}/" not in key:
            return self._range(key, start, length)
        parts = []
        for number in range(start // BLOCK, (start + max(length, 1) - 1) // BLOCK + 1):
            place = (key, number)
            block = self._listings.blocks.get(place)
            if block is None:
                block = self._listings.keep(place, self._range(key, number * BLOCK, BLOCK))
            parts.append(block)
            if len(block) < BLOCK:
                break
        offset = start % BLOCK
        return b"".join(parts)[offset : offset + length]

    def _range(self, key: str, start: int, length: int) -> bytes:
        if length <= 0:
            return b""
        with store_errors(key):
            try:
                return self._get(keys.check(key), range=(start, start + length)).bytes().to_bytes()  # type: ignore[no-any-return]  # the same
            except OSError:
                raise
            except Exception as error:
                if BEHIND_THE_END in str(error):
                    return b""
                raise

    def _get(self, key: str, **options: Any) -> Any:
        import obstore  # noqa: PLC0415 - an extra

        return obstore.get(self._store, key, options=options or None)  # type: ignore[arg-type]  # options are a TypedDict

    def stat(self, key: str) -> Stat:
        """Look at a file or folder; a folder is there when something lies in it."""
        import obstore  # noqa: PLC0415 - an extra

        if key in self._listings.stats:
            return self._listings.stats[key]
        if key.endswith("/"):
            if not self._is_folder(key):
                message = f"{key}: no such folder in the archive"
                raise NotFoundError(message)
            return Stat(0, 0, is_dir=True)
        with store_errors(key):
            found = obstore.head(self._store, keys.check(key))
        stat = Stat(found["size"], int(found["last_modified"].timestamp() * 1e9))
        if f"/{layout.MEMBERS}/" in key:
            self._listings.stats[key] = stat
        return stat

    def exists(self, key: str) -> bool:
        """Say whether there is a file or folder of that name."""
        try:
            self.stat(key)
        except NotFoundError:
            return False
        return True

    def _is_folder(self, key: str) -> bool:
        import obstore  # noqa: PLC0415 - an extra

        with store_errors(key):
            return any(obstore.list(self._store, keys.check(key).rstrip("/"), chunk_size=1))

    def scan(self, folder: str) -> Children:
        """List what lies directly in a folder."""
        import obstore  # noqa: PLC0415 - an extra

        keys.check(folder, root=True)
        with store_errors(folder):
            found = obstore.list_with_delimiter(self._store, folder.rstrip("/") or None)
        files = (str(item["path"]).rpartition("/")[2] for item in found["objects"])
        folders = (str(name).rstrip("/").rpartition("/")[2] for name in found["common_prefixes"])
        return Children(
            tuple(sorted(n for n in files if not n.startswith(keys.TEMPORARY))),
            tuple(sorted(n for n in folders if folder or n != layout.INTERNAL)),
        )

    def walk(self, prefix: str = "") -> Iterator[str]:
        """Give every key that begins with `prefix`, in byte order."""
        folder, slash, start = prefix.rpartition("/")
        here = self.scan(folder + slash)
        names = [*here.files, *(f"{name}/" for name in here.folders)]
        for name in sorted(n for n in names if n.startswith(start)):
            if name.endswith("/"):
                yield from self.walk(folder + slash + name)
            else:
                yield folder + slash + name

    def stats(self, folder: str = "") -> Iterator[tuple[str, Stat]]:
        """Give every file below a folder with what is known of it, in byte order; the names are in memory for a moment."""
        import obstore  # noqa: PLC0415 - an extra

        keys.check(folder, root=True)
        with store_errors(folder):
            found = [
                (str(item["path"]), Stat(item["size"], int(item["last_modified"].timestamp() * 1e9)))
                for chunk in obstore.list(self._store, folder.rstrip("/") or None)
                for item in chunk
            ]
        hidden = () if folder else (f"{layout.INTERNAL}/",)
        yield from sorted((f for f in found if not f[0].startswith(hidden)), key=lambda f: f[0].encode())

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write a file: one request, after which readers see the new one and never half of it."""
        import obstore  # noqa: PLC0415 - an extra

        self.forget()
        with store_errors(key):
            obstore.put(self._store, keys.check(key), data)

    @contextmanager
    def writer(self, key: str) -> Iterator[Writable]:
        """Give a stream that is sent in parts while it is written; readers see the file when all of it is there.

        A crash leaves the old file or the new one, and parts that the store throws away by its own rules.
        """
        import obstore  # noqa: PLC0415 - an extra

        self.forget()
        with store_errors(key):
            stream = obstore.open_writer(self._store, keys.check(key), buffer_size=PART, max_concurrency=PARTS_AT_ONCE)
        yield _Sent(stream, key)
        with store_errors(key):
            stream.close()

    @contextmanager
    def branch(self, key: str) -> Iterator[Branch]:
        """Take a directory in file by file; what was there and was not written again goes in the end.

        Each file is the old one or the new one. The directory is not replaced in one step: what is served of it is what the list of
        its members says, which is written after it.
        """
        branch = KeysBranch(self, key)
        yield branch
        branch.sweep((found for found, _ in self.stats(key)), self.remove)

    @contextmanager
    def stage(self, key: str) -> Iterator[Path]:
        """Give a temporary path on this machine, and send what was written there in the end.

        It is for what a reader or writer must have on a disk: volumes are streamed, see `writer` and `branch`.
        """
        keys.check(key)
        folder = self.lock_folder / STAGING
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=f"{os.getpid()}-") as temporary:
            path = Path(temporary) / "new"
            if not key.endswith("/"):
                yield path
                self._send(path, self.writer(key))
                return
            path.mkdir()
            yield path
            with self.branch(key) as branch:
                for file in sorted(p for p in path.rglob("*") if p.is_file()):
                    self._send(file, branch.writer(file.relative_to(path).as_posix()))

    def _send(self, path: Path, writer: AbstractContextManager[Writable]) -> None:
        with path.open("rb") as source, writer as stream:
            while block := source.read(PART):
                stream.write(block)

    def remove(self, key: str) -> None:
        """Remove a file, or everything below a key that ends in ``/``."""
        import obstore  # noqa: PLC0415 - an extra

        self.forget()
        with store_errors(key):
            if not key.endswith("/"):
                obstore.delete(self._store, keys.check(key))
                return
            for chunk in obstore.list(self._store, keys.check(key).rstrip("/")):
                obstore.delete(self._store, [item["path"] for item in chunk])

    def local_path(self, key: str) -> Path | None:
        """Give None: nothing of a bucket is on this machine."""
        return None

    @property
    def present(self) -> bool:
        """Whether there is anything in the archive."""
        import obstore  # noqa: PLC0415 - an extra

        with store_errors(""):
            return any(obstore.list(self._store, chunk_size=1))

    def source(self, key: str, size: int) -> Source:
        """Give the bytes of a key for sending."""
        return ObjectSource(self._store, keys.check(key), size)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other commands of this machine from writing; other machines must be kept from it by their operator.

        Raises
        ------
        ConflictError
            If another process holds it.
        """
        self.lock_folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.lock_folder / "archive.lock", os.O_RDWR | os.O_CREAT, 0o664)
        with disk.alone(descriptor, f"writing to {self.url}"):
            yield

    def recover(self, prefix: str = "") -> tuple[str, ...]:
        """Clear away what processes that are gone had on its way; in the store, what is not written whole is not there."""
        folder = self.lock_folder / STAGING
        left = [p for p in folder.iterdir() if not _lives(p.name.partition("-")[0])] if folder.is_dir() else []
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        return tuple(path.name for path in left)

    def forget(self) -> None:
        """Ask the store again for what may have changed."""
        self._listings = _Listings()


def _lives(process: str) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True, slots=True)
class _Sent:
    """A file on its way to the store."""

    stream: Any
    key: str

    def write(self, data: bytes | memoryview, /) -> None:
        """Send the next bytes."""
        with store_errors(self.key):
            self.stream.write(data)


@dataclass
class _Listings:
    """What is remembered of lists of members, which are searched for every chunk of an array."""

    blocks: OrderedDict[tuple[str, int], bytes] = field(default_factory=OrderedDict)
    stats: dict[str, Stat] = field(default_factory=dict)

    def keep(self, place: tuple[str, int], block: bytes) -> bytes:
        self.blocks[place] = block
        if len(self.blocks) > MOST_BLOCKS:
            self.blocks.popitem(last=False)
        return block
