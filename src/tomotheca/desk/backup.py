"""Backups of the desk: one file that is a desk itself, taken while others write."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.errors import SettingsError, StorageError

if TYPE_CHECKING:
    import sqlalchemy as sa


def backup(database: sa.Engine, path: Path) -> None:
    """Copy an SQLite desk to a file, whole and checked; an older copy there is replaced when the new one is on the disk.

    To restore it, stop the server and put the file in the place of ``desk.sqlite``, without the ``-wal`` and ``-shm`` files beside that.

    Raises
    ------
    SettingsError
        If the desk is not SQLite: its database has its own tools.
    StorageError
        If the copy cannot be written or is damaged.
    """
    if database.dialect.name != "sqlite":
        message = f"the desk is in {database.dialect.name}: back it up with that database's own tool, such as pg_dump"
        raise SettingsError(message)
    temporary = path.with_name(f".tmp-{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _copy(database, temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        message = f"the desk cannot be copied to {path}: {error}"
        raise StorageError(message) from error


def _copy(database: sa.Engine, path: Path) -> None:
    source = sqlite3.connect(f"{Path(str(database.url.database)).as_uri()}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(path)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
        if (verdict := target.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(verdict)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
