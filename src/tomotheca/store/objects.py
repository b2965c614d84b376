"""An archive in an object store that speaks S3: read as asked, written document by document."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.errors import ConflictError, NotFoundError, SettingsError, StorageError
from tomotheca.store import keys, layout
from tomotheca.store.branches import Branch, KeysBranch, Writable
from tomotheca.store.files import Children, Stat
from tomotheca.store.sources import Source, pieces, unreadable

if TYPE_CHECKING:
    from obstore.store import S3Store

PIECE = 4 << 20
"""Bytes of one request while a long stretch is streamed; the next piece is on its way while one is being sent."""

PART = 8 << 20
PARTS_AT_ONCE = 4
"""Bytes of one part of what is written, and how many are on their way: 32 MB of memory. S3 takes 10,000 parts."""

BLOCK = 1 << 16
MOST_BLOCKS = 512
"""Blocks of lists of members that are kept: 32 MB."""

RETRIES: dict[str, Any] = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
CLIENT: dict[str, Any] = {"connect_timeout": "5s", "timeout": "60s", "allow_http": True}
"""Plain HTTP is for stores in the same network; which one is used is said by the address that the operator gives."""

NO_STAGE = "ingest writes to folders only: ingest into a folder, copy it to the bucket (rclone copy), then run `tomotheca index`"
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
        self.url, self.lock_folder = url.rstrip("/"), lock_folder
        self._store = _connect(self.url, endpoint)
        self._listings = _Listings()

    def __repr__(self) -> str:
        return f"ObjectFiles({self.url!r})"

    def read_bytes(self, key: str) -> bytes:
        """Read a whole file."""
        with _store_errors(key):
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
        with _store_errors(key):
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
        with _store_errors(key):
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

        with _store_errors(key):
            return any(obstore.list(self._store, keys.check(key).rstrip("/"), chunk_size=1))

    def scan(self, folder: str) -> Children:
        """List what lies directly in a folder."""
        import obstore  # noqa: PLC0415 - an extra

        keys.check(folder, root=True)
        with _store_errors(folder):
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
        with _store_errors(folder):
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
        with _store_errors(key):
            obstore.put(self._store, keys.check(key), data)

    @contextmanager
    def writer(self, key: str) -> Iterator[Writable]:
        """Give a stream that is sent in parts while it is written; readers see the file when all of it is there.

        A crash leaves the old file or the new one, and parts that the store throws away by its own rules.
        """
        import obstore  # noqa: PLC0415 - an extra

        self.forget()
        with _store_errors(key):
            stream = obstore.open_writer(self._store, keys.check(key), buffer_size=PART, max_concurrency=PARTS_AT_ONCE)
        yield _Sent(stream, key)
        with _store_errors(key):
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

    def stage(self, key: str) -> AbstractContextManager[Path]:
        """Refuse: array directories cannot be put in place in one step here.

        Raises
        ------
        StorageError
            Always.
        """
        message = f"{self.url}/{key}: {NO_STAGE}"
        raise StorageError(message)

    def remove(self, key: str) -> None:
        """Remove a file, or everything below a key that ends in ``/``."""
        import obstore  # noqa: PLC0415 - an extra

        self.forget()
        with _store_errors(key):
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

        with _store_errors(""):
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
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = f"another process is writing to {self.url}: wait until it is done"
                raise ConflictError(message) from error
            yield
        finally:
            os.close(descriptor)

    def recover(self, prefix: str = "") -> tuple[str, ...]:
        """Do nothing: what is not written whole is not there."""
        return ()

    def forget(self) -> None:
        """Ask the store again for what may have changed."""
        self._listings = _Listings()


@dataclass(frozen=True, slots=True)
class _Sent:
    """A file on its way to the store."""

    stream: Any
    key: str

    def write(self, data: bytes | memoryview, /) -> None:
        """Send the next bytes."""
        with _store_errors(self.key):
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


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """Bytes of an object. What is short is one request; what is long is fetched piece by piece, so that a slow reader holds no connection open."""

    store: S3Store
    key: str
    size: int
    """Bytes that the catalogue knows; an object of another size is another object."""

    def path(self, size: int) -> None:
        """Give nothing: it is not on this machine."""

    async def read(self, start: int, stop: int) -> bytes:
        """Give the bytes from `start` to `stop`."""
        return (await self._fetch(start, stop))[0]

    async def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Give them in pieces; the next one is fetched while one is being sent."""
        tag: str | None = None
        ahead: asyncio.Task[tuple[bytes, str | None]] | None = None
        try:
            for a, b in pieces(start, stop, PIECE):
                data, tag = await (ahead or self._fetch(a, b, tag))
                ahead = asyncio.create_task(self._fetch(b, min(b + PIECE, stop), tag)) if b < stop else None
                yield data
        finally:
            if ahead is not None:
                ahead.cancel()

    async def _fetch(self, start: int, stop: int, tag: str | None = None) -> tuple[bytes, str | None]:
        """Read a stretch, of the object with this tag if one is given."""
        import obstore  # noqa: PLC0415 - an extra

        with _store_errors(self.key, listed=True):
            options: Any = {"range": (start, stop), **({"if_match": tag} if tag else {})}
            found = await obstore.get_async(self.store, self.key, options=options)
            if found.meta["size"] != self.size:
                raise unreadable(self.key)
            data = (await found.bytes_async()).to_bytes()
        if len(data) != stop - start:
            raise unreadable(self.key)
        return data, found.meta["e_tag"]


def _connect(url: str, endpoint: str | None) -> S3Store:
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        message = f"archive {url}: an archive is a folder or s3://bucket/prefix"
        raise SettingsError(message)
    try:
        from obstore.store import S3Store  # noqa: PLC0415 - an extra
    except ImportError as error:
        message = f"archive {url}: object stores need the extra `s3`: run `pip install 'tomotheca[s3]'`"
        raise SettingsError(message) from error
    given = {"endpoint": endpoint.rstrip("/")} if endpoint else {}
    try:
        return S3Store(bucket, prefix=prefix or None, client_options=CLIENT, retry_config=RETRIES, **given)  # type: ignore[arg-type]  # the dictionaries above
    except Exception as error:
        message = f"archive {url}: it cannot be used: {_first_line(error)}"
        raise SettingsError(message) from error


@contextmanager
def _store_errors(key: str, *, listed: bool = False) -> Iterator[None]:
    """Turn what the store says about a key into our errors; one that the catalogue lists must be there.

    Raises
    ------
    NotFoundError
        If there is nothing of that name.
    StorageError
        If the store refuses for any other reason.
    """
    from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError  # noqa: PLC0415 - an extra

    try:
        yield
    except FileNotFoundError as error:
        if listed:
            raise unreadable(key) from error
        message = f"{key}: no such file in the archive"
        raise NotFoundError(message) from error
    except PreconditionError as error:
        raise unreadable(key) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        if listed:
            raise _away(key) from error
        message = f"{key or 'the archive'}: the object store refuses its key: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise StorageError(message) from error
    except (BaseError, OSError) as error:
        if isinstance(error, StorageError):
            raise
        if listed:
            raise _away(key) from error
        message = f"{key or 'the archive'}: the object store does not answer as it should: {_first_line(error)}"
        raise StorageError(message) from error


def _away(key: str) -> StorageError:
    """Say to visitors that the store does not answer; why is in the log."""
    return StorageError(
        f"{key} cannot be read now: the object store that holds it does not answer as it should; try again later"
    )


def _first_line(error: Exception) -> str:
    """Give what a store says in one line, without its XML and its address, which is nobody's business but the operator's."""
    line = str(error).partition("\n")[0].partition("<?xml")[0].strip().rstrip(":")
    return re.sub(r"https?://\S+", "it", line)[:300]
