"""The catalogue in PostgreSQL: sessions, and which of the catalogues in a database is the live one.

Every build of a whole catalogue is a schema of its own, and one small table names the live one by its number. A transaction reads
that number when it begins, and keeps to that schema: a new catalogue takes the place of the old one at once and for everybody who
comes later, and nobody waits for anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

from tomotheca.catalog.piped import Pipe
from tomotheca.catalog.together import ONE_STATE
from tomotheca.errors import SettingsError

if TYPE_CHECKING:
    import psycopg

POINTER = "tomotheca_catalog"
"""Table that names the live catalogue, and part of the name of every catalogue's schema."""

CANCELLED, UNDEFINED_TABLE, UNKNOWN_NAME = "57014", "42P01", "26000"
"""Codes of PostgreSQL's errors: a statement ran out of time; a table is not there; no prepared statement has that name."""

OPEN = 0
"""libpq's number for a connection that works."""

READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
SESSION = "session"
"""Where what is known of a connection is kept."""

OLDEST = 140000
"""PostgreSQL 14, as it numbers itself."""

PREPARE_AFTER, PREPARED = 2, 512
"""Runs after which a statement is kept prepared, and how many are kept."""

ABOUT = """
SELECT current_schema(), current_setting('server_encoding'), current_setting('server_version_num')::integer,
       to_regcollation('pg_catalog."und-x-icu"') IS NOT NULL
"""


@dataclass(slots=True)
class Session:
    """What is known of a connection."""

    home: str
    """Schema that holds the table of catalogues."""

    pipe: Pipe
    """Sends statements over the connection."""

    number: int = 0
    """Catalogue that the names in statements mean; 0 is none."""

    is_ending: bool = False
    """The end of a transaction was sent, and its answer is not read yet."""

    @property
    def pointer(self) -> str:
        """Name of the table of catalogues, as it stands in SQL."""
        return f"{quoted(self.home)}.{POINTER}"

    def schema(self, number: int) -> str:
        """Give the name of a catalogue's schema."""
        return f"{self.home}_{POINTER}_{number}" if number else self.home

    def begin(self, connection: psycopg.Connection[Any], opening: Sequence[str] = ("BEGIN",), asked: str = "") -> bool:
        """Begin a transaction in the live catalogue. Where there is none, names mean what the connection says.

        Parameters
        ----------
        connection : psycopg.Connection
            The connection.
        opening : sequence of str
            Statements that begin the transaction.
        asked : str
            A query for a truth value, which is asked in the same breath.

        Returns
        -------
        bool
            Its answer; where there is no catalogue to ask, true.
        """
        while True:
            more = f", ({asked})" if asked and self.number else ""
            question = f"SELECT (SELECT max(number) FROM {self.pointer}){more}"
            answer = self.pipe.ask([(text, ()) for text in (*opening, question)])[-1]
            if not isinstance(answer, Exception):
                (number, *answers) = answer.fetchone() or (0,)
            elif (state := getattr(answer, "sqlstate", "")) == UNDEFINED_TABLE:
                number, answers = 0, []
                connection.pgconn.exec_(b"ROLLBACK")
            elif state == UNKNOWN_NAME:
                self.pipe.forget()  # the driver drops all prepared statements when something is rolled back
                connection.pgconn.exec_(b"ROLLBACK")
                continue
            else:
                raise answer
            if (number or 0) == self.number:
                if isinstance(answer, Exception):
                    self.pipe.ask([(text, ()) for text in opening])
                return answers[0] is True if more else bool(asked)
            connection.pgconn.exec_(b"ROLLBACK")
            self.number = number or 0
            connection.execute(f"SET search_path TO {quoted(self.schema(self.number))}", prepare=False)

    def end(self, connection: psycopg.Connection[Any]) -> None:
        """End a transaction that only read, without waiting for the answer; a rollback by the driver would forget the prepared statements."""
        connection.pgconn.send_query(b"COMMIT")
        self.is_ending = True

    def finish(self, connection: psycopg.Connection[Any]) -> None:
        """Read the answer to the end of the last transaction, which does not end where its time was up just then."""
        if not self.is_ending:
            return
        while connection.pgconn.get_result() is not None:
            pass
        self.is_ending = False
        connection.rollback()


def prepare(engine: sa.Engine, seconds: float) -> None:
    """Set up every connection of an engine.

    Parameters
    ----------
    engine : Engine
        Of PostgreSQL by psycopg.
    seconds : float
        Time that a statement may take; 0 is no limit.
    """

    @event.listens_for(engine, "connect", insert=True)
    def opened(connection: psycopg.Connection[Any], record: Any) -> None:
        connection.autocommit = True  # transactions are begun below
        connection.prepare_threshold, connection.prepared_max = PREPARE_AFTER, PREPARED
        record.info[SESSION] = Session(_check(engine, connection.execute(ABOUT).fetchone()), Pipe(connection))
        connection.execute(f"SET jit = off; SET statement_timeout = {round(seconds * 1000)}", prepare=False)
        _adapt(connection)

    @event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        opening = READING if connection.get_execution_options().get(ONE_STATE) else "BEGIN"
        connection.info[SESSION].begin(connection.connection.driver_connection, (opening,))

    @event.listens_for(engine, "checkout")
    def taken(connection: psycopg.Connection[Any], record: Any, _: Any) -> None:
        record.info[SESSION].finish(connection)
        # An idle connection that has something to say was closed by the server; the pool then opens new ones.
        if connection.pgconn.status != OPEN or record.info[SESSION].pipe.has_news:
            raise sa.exc.InvalidatePoolError

    @event.listens_for(engine, "reset")
    def given_back(connection: psycopg.Connection[Any], record: Any, _: Any) -> None:
        if not record.info[SESSION].is_ending:
            connection.rollback()


def _check(engine: sa.Engine, about: Any) -> str:
    """See that a database can hold a catalogue, and give the schema that is its home."""
    # A connection to a database without an encoding gives bytes.
    texts: list[Any] = [x.decode() if isinstance(x, bytes) else x for x in about]
    home, encoding, version, icu = texts
    wrong = ""
    if version < OLDEST:
        wrong = f"is version {version // 10000} and must be 14 or later"
    elif encoding != "UTF8":
        wrong = f"has the encoding {encoding}; make one with ENCODING 'UTF8' TEMPLATE template0"
    elif not icu:
        wrong = "has no ICU collations; use a build of PostgreSQL with ICU"
    elif home is None:
        wrong = "has no schema for its user; create one or set the user's search_path"
    if wrong:
        message = f"the PostgreSQL database {engine.url.database} {wrong}"
        raise SettingsError(message)
    return str(home)


def _adapt(connection: psycopg.Connection[Any]) -> None:
    """Send whole numbers without a type, so that a statement is prepared once, and read numerics as SQLite gives numbers."""
    from psycopg.adapt import Loader  # noqa: PLC0415 - the driver is an extra
    from psycopg.types.numeric import IntDumper  # noqa: PLC0415 - the same

    class Number(Loader):
        def load(self, data: Any) -> int | float:
            text = bytes(data)
            return int(text) if text.removeprefix(b"-").isdigit() else float(text)

    class Untyped(IntDumper):
        oid = 0

        def upgrade(self, obj: int, format: Any) -> Untyped:
            return self

        def get_key(self, obj: int, format: Any) -> type:
            return self.cls

        def dump(self, obj: int) -> bytes:
            return b"%d" % obj

    connection.adapters.register_loader("numeric", Number)
    connection.adapters.register_dumper(int, Untyped)


def plain_numbers(cursor: Any) -> None:
    """Let a cursor write whole numbers in the driver's own, fast way."""
    from psycopg.types.numeric import IntDumper  # noqa: PLC0415 - the driver is an extra

    cursor.adapters.register_dumper(int, IntDumper)


def quoted(name: str) -> str:
    """Write a name as it stands in SQL."""
    return '"' + name.replace('"', '""') + '"'
