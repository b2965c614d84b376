"""One read-only transaction, by the driver itself: GraphQL runs thousands of statements a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tomotheca.catalog import postgres
from tomotheca.catalog.clock import NEVER, Clock
from tomotheca.catalog.database import CLOCK, sentence
from tomotheca.errors import QueryTimeoutError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from tomotheca.catalog.piped import Asked, Pipe, Rows

Row = tuple[Any, ...]
Failure = Callable[[BaseException], Exception | None]

FIRST = 500
"""Rows of a long list that PostgreSQL is asked for at first; only a list that is longer gets a cursor in the server."""


class Cursor:
    """The rows of a statement, read while the clock runs."""

    __slots__ = ("_reading", "_rows")

    def __init__(self, reading: Reading, rows: Any) -> None:
        self._reading, self._rows = reading, rows

    def fetchone(self) -> Row | None:
        """Give the next row."""
        found: Row | None = self._reading.work(self._rows.fetchone)
        return found

    def fetchmany(self, size: int) -> list[Row]:
        """Give the next rows."""
        found: list[Row] = self._reading.work(self._rows.fetchmany, size)
        return found

    def fetchall(self) -> list[Row]:
        """Give the rows that are left."""
        found: list[Row] = self._reading.work(self._rows.fetchall)
        return found


class Reading:
    """A transaction that sees one state of the catalogue and has a time limit.

    Parameters
    ----------
    connection : connection
        The driver's own, in a transaction.
    clock : Clock
        Time for all statements together.
    failure : callable
        Gives the error of ours for one of the driver's, or None.
    hidden : str
        SQL that asks whether anything is hidden now.
    """

    def __init__(self, connection: Any, clock: Clock, failure: Failure, hidden: str) -> None:
        self.connection, self._clock, self._failure, self._hidden = connection, clock, failure, hidden

    @cached_property
    def all_open(self) -> bool:
        """Nothing is hidden in this state of the catalogue, so that statements need not ask for each row."""
        ((hidden,),) = self.execute(self._hidden).fetchall()
        return not hidden

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run a statement.

        Raises
        ------
        QueryTimeoutError
            If the transaction's time is up.
        """
        return Cursor(self, self.work(self.run, text, parameters))

    def stream(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run a statement whose rows may be more than memory holds."""
        return self.execute(text, parameters)

    def run(self, text: str, parameters: Sequence[Any]) -> Any:
        """Let the driver run a statement."""
        return self.connection.execute(text, parameters)

    def ahead(self, asked: Sequence[Asked]) -> None:
        """Say which statements will be run, as far as it is known now, where that saves time."""

    def beginning(self, text: str) -> str:
        """Give the statement that `stream` runs first."""
        return text

    def relax(self) -> None:
        """Give the rest of the transaction the time that the catalogue gives to every one."""
        self._clock.wind()

    def work(self, step: Callable[..., Any], *given: Any) -> Any:
        """Do something in the database while the clock runs."""
        clock = self._clock
        try:
            if clock.left <= 0:
                raise QueryTimeoutError(clock.seconds)
            clock.start()
            try:
                return step(*given)
            finally:
                clock.stop()
        except QueryTimeoutError:
            raise
        except Exception as error:
            if (said := self._failure(error)) is None:
                raise
            raise said from error


class PostgresReading(Reading):
    """The same in PostgreSQL: statements have numbered parameters and are kept prepared.

    Each question to the server costs more than most answers, so that a transaction begins with one (see `postgres.Session.begin`), what
    does not wait for one another is asked together (`piped`), and its end is sent without waiting for the answer.
    """

    _cursors = 0
    is_open = True
    """Until the transaction has ended, after which the connection is somebody else's."""

    def __init__(self, connection: Any, clock: Clock, failure: Failure, pipe: Pipe) -> None:
        super().__init__(connection, clock, failure, "")
        self._pipe = pipe
        self._answered: dict[tuple[str, tuple[Any, ...]], Rows | Exception] = {}

    def relax(self) -> None:
        """Give the rest of the transaction the time that the catalogue gives to every one."""
        shortened = self._clock.is_shortened
        super().relax()
        if shortened and self.is_open:
            self.work(self.connection.pgconn.exec_, _limit(self._clock).encode())

    def stream(self, text: str, parameters: Sequence[Any] = ()) -> Cursor:
        """Run a statement whose rows may be more than memory holds."""
        return Cursor(self, self.work(_Long, self, text, parameters))

    def run(self, text: str, parameters: Sequence[Any]) -> Any:
        """Run a statement, or give what was answered ahead."""
        found = self._answered.pop((text, tuple(parameters)), None) if self._answered else None
        if found is None:
            (found,) = self._pipe.ask([(text, parameters)])
        if isinstance(found, Exception):
            raise found
        return found

    def ahead(self, asked: Sequence[Asked]) -> None:
        """Run statements together; what they find is given when they are run one by one."""
        if len(asked) > 1:
            found = self.work(self._pipe.ask, asked)
            self._answered |= {(text, tuple(values)): rows for (text, values), rows in zip(asked, found, strict=True)}

    def beginning(self, text: str) -> str:
        """Give the statement that `stream` runs first."""
        return f"SELECT * FROM ({text}) AS beginning LIMIT {FIRST + 1}"

    def plainly(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        """Run a statement that will not come again."""
        from psycopg import RawCursor  # noqa: PLC0415 - the driver is an extra

        return RawCursor(self.connection).execute(text, parameters, prepare=False)

    def declare(self, text: str, parameters: Sequence[Any]) -> str:
        """Open a cursor in the server behind the first rows of a list, and give its name."""
        self._cursors += 1
        name = f"list_{self._cursors}"
        self.plainly(f"DECLARE {name} NO SCROLL CURSOR FOR {text}", parameters)
        self.plainly(f"MOVE {FIRST} FROM {name}")
        return name


class _Long:
    """A list whose beginning is read by an ordinary, prepared statement, and whose rest, if there is one, from a cursor in the server."""

    def __init__(self, reading: PostgresReading, text: str, parameters: Sequence[Any]) -> None:
        self._reading, self._text, self._parameters = reading, text, parameters
        self._rows: list[Row] = reading.run(reading.beginning(text), parameters).fetchall()
        self._more = len(self._rows) > FIRST
        del self._rows[FIRST:]
        self._cursor = ""

    def fetchmany(self, size: int) -> list[Row]:
        """Give the next rows."""
        found, self._rows = self._rows[:size], self._rows[size:]
        if len(found) < size and self._more:
            found += self._fetch(str(size - len(found)))
        return found

    def fetchone(self) -> Row | None:
        """Give the next row."""
        return next(iter(self.fetchmany(1)), None)

    def fetchall(self) -> list[Row]:
        """Give the rows that are left."""
        found, self._rows = self._rows, []
        return found + self._fetch("ALL") if self._more else found

    def _fetch(self, number: str) -> list[Row]:
        if not self._cursor:
            self._cursor = self._reading.declare(self._text, self._parameters)
        found: list[Row] = self._reading.plainly(f"FETCH {number} FROM {self._cursor}").fetchall()
        return found


@contextmanager
def reading(engine: sa.Engine, seconds: float, hidden: str, *, shorter: float | None = None) -> Iterator[Reading]:
    """Open a transaction that sees one state of the catalogue.

    Parameters
    ----------
    engine : Engine
        The catalogue's database.
    seconds : float
        Its time limit; 0 is none.
    hidden : str
        SQL that asks whether anything is hidden now.
    shorter : float, optional
        A shorter one.

    Raises
    ------
    StorageError
        If the database cannot be reached.
    """
    pooled = engine.raw_connection()
    try:
        connection: Any = pooled.driver_connection
        if engine.dialect.name == "sqlite":
            clock: Clock = pooled.info[CLOCK]
            clock.wind(shorter)
            connection.execute("BEGIN")
            yield Reading(connection, clock, lambda error: sentence(engine, error, clock.seconds), hidden)
        else:
            clock = Clock(seconds)
            clock.wind(shorter)
            session: postgres.Session = pooled.info[postgres.SESSION]
            made = PostgresReading(
                connection, clock, lambda error: sentence(engine, error, clock.seconds), session.pipe
            )
            yield from _in_postgres(made, session, clock, hidden)
    finally:
        pooled.close()


def _in_postgres(made: PostgresReading, session: postgres.Session, clock: Clock, hidden: str) -> Iterator[Reading]:
    opening = (postgres.READING, _limit(clock)) if clock.is_shortened else (postgres.READING,)
    made.all_open = not made.work(session.begin, made.connection, opening, hidden)
    try:
        yield made
    finally:
        made.is_open = False
    session.end(made.connection)


def _limit(clock: Clock) -> str:
    """Write the time limit of a transaction's statements."""
    return f"SET LOCAL statement_timeout = {0 if clock.seconds == NEVER else max(round(clock.seconds * 1000), 1)}"
