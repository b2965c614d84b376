"""The public catalogue as files: one SQLite database, and NDJSON and Parquet for each kind. Made once for each state of the catalogue.

Run as a program it makes them in a process of its own, so that a server answers meanwhile.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca import __version__
from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.database import connect
from tomotheca.catalog.dump import Snapshot, snapshot
from tomotheca.catalog.writers import WRITERS
from tomotheca.errors import MissingExtraError, TomothecaError
from tomotheca.schema import SCHEMA
from tomotheca.store import disk
from tomotheca.store.keys import TEMPORARY

if TYPE_CHECKING:
    from tomotheca.catalog.writers import Field

LISTING = "listing.json"
DATABASE = "catalog.sqlite"
FORMATS = ("ndjson", "parquet")
MEDIA_TYPES = {".sqlite": "application/vnd.sqlite3", **{w.extension: w.media_type for w in WRITERS.values()}}
KEPT = 3600.0
"""Seconds for which files of an older state stay, for those who are reading them."""

AT_ONCE = 2000
SQL_TYPES: dict[type, str] = {int: "INTEGER", float: "REAL", bool: "BOOLEAN"}
"""Types of columns; everything else is text."""


@dataclass(frozen=True)
class Published:
    """One file of the public catalogue."""

    name: str
    size: int
    sha256: str
    media_type: str


@dataclass(frozen=True)
class Wanted:
    """Which state of which catalogue is published where."""

    url: str
    public_url: str
    bucket: str
    stamp: str
    root: str

    @property
    def folder(self) -> Path:
        """Folder of the files of this state: another address, bucket or program gives other files."""
        told = f"{self.public_url}\0{self.bucket}\0{__version__}"
        return Path(self.root) / f"{self.stamp}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"

    def listed(self) -> dict[str, Published] | None:
        """Give the files by name, or None while they are not made."""
        try:
            found = json.loads((self.folder / LISTING).read_bytes())
        except FileNotFoundError:
            return None
        return {f["name"]: Published(**f) for f in found}


def publish(wanted: Wanted) -> None:
    """Make the files unless they are there; one process does, and others wait for it.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    with disk.storage_errors(wanted.root), _alone(Path(wanted.root)):
        if wanted.listed() is not None:
            return
        staged = wanted.folder.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
        staged.mkdir()
        try:
            _write(wanted, staged)
            disk.sync_tree(staged)
            disk.replace_tree(staged, wanted.folder)
        finally:
            disk.discard(staged)
        _sweep(wanted.folder)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    disk.make_folders(root)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(current: Path) -> None:
    """Remove the files of states that are over, and what interrupted processes left."""
    for folder in current.parent.iterdir():
        if folder.is_dir() and folder != current and time.time() - folder.stat().st_mtime > KEPT:
            shutil.rmtree(folder, ignore_errors=True)


def _write(wanted: Wanted, folder: Path) -> None:
    catalog = Catalog(wanted.url, public_url=wanted.public_url, bucket=wanted.bucket)
    engine = connect(wanted.url)
    try:
        with snapshot(catalog, engine) as seen:
            for kind in catalog.schema.kinds:
                for form in FORMATS:
                    write_kind(seen, kind, form, folder)
            write_database(seen, folder / DATABASE, wanted)
    finally:
        engine.dispose()
    names = sorted(p.name for p in folder.iterdir())
    listing = [asdict(_described(folder / name)) for name in names]
    (folder / LISTING).write_text(json.dumps(listing, indent=1), encoding="utf-8")


def write_kind(seen: Snapshot, kind: str, form: str, folder: Path) -> None:
    """Write one kind in one format; nothing where what the format needs is not installed."""
    writer = WRITERS[form]
    try:
        pieces = writer.write(seen.fields(kind), seen.rows(kind))
    except MissingExtraError:
        return
    with (folder / f"{kind}{writer.extension}").open("wb") as out:
        for piece in pieces:
            out.write(piece)


def write_database(seen: Snapshot, path: Path, wanted: Wanted) -> None:
    """Write every kind into one SQLite database, with an index on each foreign key."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=OFF")
        database.execute("PRAGMA synchronous=OFF")
        database.execute("BEGIN")
        database.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT)")
        about = {"server": wanted.public_url, "software": f"tomotheca {__version__}", "version": wanted.stamp}
        database.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        for kind in seen.catalog.schema.kinds:
            _write_table(database, seen, kind)
        database.execute("COMMIT")


def _write_table(database: sqlite3.Connection, seen: Snapshot, kind: str) -> None:
    fields = seen.fields(kind)
    database.execute(f'CREATE TABLE "{kind}" ({", ".join(map(_column, fields))})')
    rows = seen.rows(kind)
    marks = ", ".join("?" * len(fields))
    while some := [tuple(row) for row in islice(rows, AT_ONCE)]:
        database.executemany(f'INSERT INTO "{kind}" VALUES ({marks})', some)
    for ref in seen.catalog.schema.kinds[kind].refs:
        database.execute(f'CREATE INDEX "{kind}_{ref.column}" ON "{kind}" ("{ref.column}")')


def _column(field: Field) -> str:
    key = " PRIMARY KEY" if field.name == "id" else ""
    return f'"{field.name}" {SQL_TYPES.get(field.type, "TEXT")}{key}'


def _described(path: Path) -> Published:
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    return Published(path.name, path.stat().st_size, digest, MEDIA_TYPES[path.suffix])


def names() -> list[str]:
    """Give the name of every file that there is when everything is installed."""
    return [DATABASE, *(f"{kind}{WRITERS[form].extension}" for kind in SCHEMA.kinds for form in FORMATS)]


def main() -> int:
    """Read what is wanted from the standard input, make it, and say in a sentence what went wrong."""
    os.nice(5)
    try:
        publish(Wanted(**json.load(sys.stdin)))
    except TomothecaError as error:
        sys.stdout.write(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
