"""Connections to the catalogue's database: SQLite, or PostgreSQL by the driver psycopg."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

from tomotheca.catalog import postgres
from tomotheca.catalog.clock import STEPS, Clock
from tomotheca.catalog.moments import AGGREGATES
from tomotheca.catalog.patterns import FUNCTIONS
from tomotheca.desk.address import create_engine, database_url, readable, reason, shown
from tomotheca.errors import QueryError, QueryTimeoutError, StorageError

if TYPE_CHECKING:
    import sqlite3

CLOCK = "clock"
"""Where a connection's time limit is kept."""


def connect(url: str, *, seconds: float = 0) -> sa.Engine:
    """Open a database, with our functions and settings.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` or ``postgresql://user@host/database``.
    seconds : float
        Time that the statements of one transaction may take together; 0 is no limit.

    Raises
    ------
    SettingsError
        If the address cannot be used.
    """
    address = database_url(url, "catalogue")
    if address.get_backend_name() == "sqlite":
        # GraphQL plans are many statements; the driver keeps them prepared.
        engine = create_engine(readable(address), connect_args={"cached_statements": 512})
        _prepare_sqlite(engine, seconds)
    else:
        engine = create_engine(address, use_native_hstore=False, pool_reset_on_return=None)
        postgres.prepare(engine, seconds)
    if address.get_backend_name() == "postgresql":
        _say_who_does_not_answer(engine)

    @event.listens_for(engine, "handle_error")
    def failed(context: sa.engine.ExceptionContext) -> None:
        if (said := sentence(engine, context.original_exception, seconds)) is not None:
            raise said from context.original_exception

    return engine


def _prepare_sqlite(engine: sa.Engine, seconds: float) -> None:
    @event.listens_for(engine, "connect")
    def opened(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # the driver's own idea of transactions leaves out DDL
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "cache_size=-8192"):
            connection.execute(f"PRAGMA {pragma}")
        for name, function in FUNCTIONS.items():
            connection.create_function(name, 2, function, deterministic=True)
        for name, aggregate in AGGREGATES.items():
            connection.create_aggregate(name, 1, aggregate)  # type: ignore[arg-type]  # typeshed wants a result of int
        clock = record.info[CLOCK] = Clock(seconds)
        connection.set_progress_handler(clock.is_over, STEPS)

    @event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
        clock: Clock = connection.info[CLOCK]
        clock.wind()
        clock.start()


def _say_who_does_not_answer(engine: sa.Engine) -> None:
    @event.listens_for(engine, "do_connect")
    def connects(dialect: Any, _: Any, given: Any, named: Any) -> Any:
        try:
            return dialect.connect(*given, **named)
        except dialect.dbapi.OperationalError as error:
            raise unreachable(engine, error) from error


TOO_LARGE = (
    "parser stack overflow",
    "at most 64 tables in a join",
    "Expression tree is too large",
    "too many SQL variables",
)
"""What SQLite says of statements beyond its limits."""


def sentence(engine: sa.Engine, error: BaseException, seconds: float) -> Exception | None:
    """Give the error of ours that stands for one of the driver's, or None where it is a bug.

    Parameters
    ----------
    engine : Engine
        Database that raised it.
    error : exception
        What the driver raised.
    seconds : float
        Time limit that was set.
    """
    dbapi: Any = engine.dialect.dbapi
    if is_timeout(error):
        return QueryTimeoutError(seconds)
    if str(error).startswith(TOO_LARGE):
        return QueryError(
            f"the query is more than the database can work on at once ({error}); ask for less in one query"
        )
    if engine.dialect.name == "postgresql" and isinstance(error, dbapi.DataError):
        return QueryError(f"a value in the query is not one that a database can hold ({reason(error)})")
    if engine.dialect.name == "postgresql" and isinstance(error, dbapi.OperationalError | dbapi.InterfaceError):
        return unreachable(engine, error)
    return None


def is_timeout(error: BaseException) -> bool:
    """Say whether a statement was stopped because of its time."""
    return str(error) == "interrupted" or getattr(error, "sqlstate", None) == postgres.CANCELLED


def unreachable(engine: sa.Engine, error: BaseException) -> StorageError:
    """Make the error of a database that does not answer."""
    return StorageError(
        f"the catalogue at {shown(engine.url)} cannot be reached ({reason(error)}): see that the database runs and the address is right"
    )
