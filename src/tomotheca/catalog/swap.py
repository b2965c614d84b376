"""Writing the catalogue: whole, beside the live one, or a part of the live one. Readers see nothing of it until it is complete."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog import postgres
from tomotheca.catalog.postgres import POINTER, SESSION, Session, quoted
from tomotheca.desk.address import reason
from tomotheca.errors import Finding, InvalidDocumentError

if TYPE_CHECKING:
    from tomotheca.catalog.tables import Tables

BATCH = 1000
FRESH = "fresh"
"""Set for a connection whose tables are new: nobody else sees them."""

WRITER = 0x63617461
"""Number of the lock that the one writer holds in PostgreSQL."""

PATIENCE = 10.0
"""Seconds to wait for those who still read an old catalogue; the next build clears it away if they take longer."""


@contextmanager
def writing(engine: sa.Engine, tables: Tables, *, whole: bool) -> Iterator[sa.Connection]:
    """Open a transaction that writes, alone. What it wrote is there for readers when the block ends, or not at all.

    Parameters
    ----------
    engine : Engine
        The catalogue's database.
    tables : Tables
        What is written.
    whole : bool
        Begin with empty tables without indexes; they take the place of those that there are.
    """
    with engine.connect().execution_options(writes=True) as connection:
        if engine.dialect.name == "sqlite":
            with connection.begin():
                if whole:
                    _drop_all(connection)
                    _create(connection, tables)
                yield connection
                if whole:
                    connection.exec_driver_sql("ANALYZE")
            return
        with _alone(connection), connection.begin():
            number = _begin_beside(connection, tables) if whole else 0
            yield connection
            if whole:
                _analyse(connection, tables)
                _make_live(connection, number)


def _drop_all(connection: sa.Connection) -> None:
    there = sa.MetaData()
    there.reflect(connection)
    there.drop_all(connection)


def _create(connection: sa.Connection, tables: Tables) -> None:
    for table in tables.metadata.sorted_tables:
        connection.execute(sa.schema.CreateTable(table))


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """Wait for other writers and keep them waiting; the table that names the live catalogue is there from now on."""
    driver: Any = connection.connection.driver_connection
    driver.execute(f"SELECT pg_advisory_lock({WRITER})")
    try:
        session: Session = connection.info[SESSION]
        driver.execute(f"CREATE TABLE IF NOT EXISTS {session.pointer} (number integer PRIMARY KEY)")
        yield
    finally:
        if not driver.closed:
            driver.execute(f"SELECT pg_advisory_unlock({WRITER})")


def _begin_beside(connection: sa.Connection, tables: Tables) -> int:
    """Make the tables in a schema of their own, which names mean from now on in this transaction."""
    session: Session = connection.info[SESSION]
    number = session.number + 1
    name = quoted(session.schema(number))
    connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {name} CASCADE")
    connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    connection.exec_driver_sql(f"SET LOCAL search_path TO {name}")
    connection.info[FRESH] = True
    _create(connection, tables)
    return number


def _analyse(connection: sa.Connection, tables: Tables) -> None:
    for table in tables.metadata.sorted_tables:
        connection.exec_driver_sql(f"ANALYZE {quoted(table.name)}")


def _make_live(connection: sa.Connection, number: int) -> None:
    session: Session = connection.info[SESSION]
    connection.exec_driver_sql(f"DELETE FROM {session.pointer}")
    connection.exec_driver_sql(f"INSERT INTO {session.pointer} VALUES ({number})")


def tidy(engine: sa.Engine, tables: Tables, *, whole: bool) -> None:
    """Clear old catalogues away and let counts come from indexes alone; in PostgreSQL, outside of transactions, since both wait for others."""
    if engine.dialect.name == "sqlite":
        return
    with engine.connect() as connection, _alone(connection):
        with connection.begin():  # names mean the live catalogue from here on
            pass
        driver: Any = connection.connection.driver_connection
        for table in tables.metadata.sorted_tables:
            driver.execute(f"VACUUM {'' if whole else '(ANALYZE)'} {quoted(table.name)}")
        _clear_old(driver, connection.info[SESSION])


def _clear_old(driver: Any, session: Session) -> None:
    live = session.schema(session.number)
    found = driver.execute(
        "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s) AND nspname <> %s ORDER BY nspname",
        (f"{session.home}_{POINTER}_", live),
    ).fetchall()
    if found and _nobody_reads_older(driver):
        for (name,) in found:
            driver.execute(f"DROP SCHEMA {quoted(name)} CASCADE")


def _nobody_reads_older(driver: Any) -> bool:
    """Wait, but not for ever, until every transaction that may have begun in an old catalogue has ended."""
    now, started = driver.execute("SELECT clock_timestamp()").fetchone()[0], time.monotonic()
    while time.monotonic() - started < PATIENCE:
        older = driver.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < %s"
            " AND wait_event IS DISTINCT FROM 'advisory' LIMIT 1",
            (now,),
        ).fetchone()
        if older is None:
            return True
        time.sleep(0.05)
    return False


def exists(connection: sa.Connection, table: sa.Table) -> bool:
    """Say whether the live catalogue has a table."""
    if connection.dialect.name == "sqlite":
        return sa.inspect(connection).has_table(table.name)
    return connection.execute(sa.select(sa.func.to_regclass(quoted(table.name)))).scalar() is not None


def insert(connection: sa.Connection, table: sa.Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows given as tuples in the order of names, in the fastest way that the database has.

    Raises
    ------
    IntegrityError
        If a row's identifier is there already.
    InvalidDocumentError
        If a value does not fit its column.
    """
    quote = connection.dialect.identifier_preparer.quote
    columns = f"{quote(table.name)} ({', '.join(map(quote, names))})"
    if connection.dialect.name == "sqlite":
        statement = f"INSERT INTO {columns} VALUES ({', '.join('?' * len(names))})"
        for start in range(0, len(rows), BATCH):
            connection.exec_driver_sql(statement, list(rows[start : start + BATCH]))
        return
    dbapi: Any = connection.dialect.dbapi
    statement = f"COPY {columns} FROM STDIN{' WITH (FREEZE)' if FRESH in connection.info else ''}"
    try:
        _copy(connection, statement, rows)
    except dbapi.IntegrityError as error:
        raise sa.exc.IntegrityError(statement, None, error) from error
    except dbapi.DataError as error:
        message = f"a value does not fit its column ({reason(error)}): correct the document that has it"
        raise InvalidDocumentError([Finding("error", table.name, message)]) from error


def _copy(connection: sa.Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        postgres.plain_numbers(cursor)
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
