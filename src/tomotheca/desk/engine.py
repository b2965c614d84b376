"""The database behind the desk: connections, transactions, and the migrations that run when it is opened."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import event

from tomotheca.desk.address import create_engine, database_url, readable, reason, shown
from tomotheca.desk.location import refuse_network
from tomotheca.errors import ConflictError, StorageError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

HEAD = "0005"
"""Revision of the last migration."""

PATIENCE = 60
"""Seconds to wait for another process that writes."""

WRITER = 0x746F6D6F
"""Number of the lock that the one writer holds in PostgreSQL."""


def connect(where: str | Path) -> sa.Engine:
    """Open a database, make it if need be, and bring it up to date. Two processes may do so at once.

    Parameters
    ----------
    where : str or Path
        A database URL (``sqlite:////var/lib/tomotheca/desk.sqlite``, ``postgresql://user@host/database``) or the path of an SQLite file.

    Raises
    ------
    SettingsError
        If the URL cannot be used or the file would lie on a network file system.
    ConflictError
        If a newer version of the program made it.
    StorageError
        If the file cannot be opened or is not a database.
    """
    url = database_url(where)
    if url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}:
        path = Path(str(url.database)).absolute()
        refuse_network(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"the folder of the desk cannot be made: {error.strerror}: {path.parent}"
            raise StorageError(message) from error
        url = url.set(database=str(path))
    try:
        engine = _engine(url)
        upgrade(engine)
    except sa.exc.DBAPIError as error:
        advice = (
            "check the path, or restore a backup"
            if url.get_backend_name() == "sqlite"
            else "see that the database runs and the address is right"
        )
        message = f"the desk at {shown(url)} cannot be opened ({reason(error.orig)}): {advice}"
        raise StorageError(message) from error
    return engine


def _engine(url: URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return _postgresql(url)
    engine = sa.create_engine(readable(url), connect_args={"timeout": PATIENCE})

    @event.listens_for(engine, "connect")
    def prepare(connection: sa.engine.interfaces.DBAPIConnection, _: object) -> None:
        connection.isolation_level = None  # transactions are begun below, so that they hold for DDL too
        for pragma in (f"busy_timeout={PATIENCE * 1000}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def _postgresql(url: URL) -> sa.Engine:
    engine = create_engine(url, pool_pre_ping=True, use_native_hstore=False)

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("writes"):
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITER)))

    return engine


def upgrade(engine: sa.Engine) -> None:
    """Run the migrations that are missing, all in one transaction that nobody else can enter."""
    if revision(engine) == HEAD:
        return
    with engine.execution_options(writes=True).begin() as connection:
        if _revision(connection) == HEAD:
            return
        _migrate(connection)


def _migrate(connection: sa.Connection) -> None:
    # Alembic takes a tenth of a second to import, and is needed once per release.
    command = importlib.import_module("alembic.command")
    config = importlib.import_module("alembic.config").Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except importlib.import_module("alembic.util").CommandError as error:
        message = f"the desk was made by a newer version of tomotheca ({error}): upgrade the program"
        raise ConflictError(message) from error


def revision(engine: sa.Engine) -> str | None:
    """Give the revision that a database is at; None for an empty one."""
    with engine.connect() as connection:
        return _revision(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)
