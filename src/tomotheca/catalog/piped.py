"""Statements to PostgreSQL in libpq's pipeline mode: what does not wait for one another travels together.

A question to the server on the same machine costs more than most answers: two processes wake up for it, and a cursor of the driver is made.
Here a list of statements is one message, what has been asked is kept prepared, and rows are read by the driver's own loaders.
"""

from __future__ import annotations

import select
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tomotheca.catalog.later import ANY_LENGTH

if TYPE_CHECKING:
    import psycopg

Row = tuple[Any, ...]
Asked = tuple[str, Sequence[Any]]
"""A statement with numbered parameters, and their values."""

Shape = tuple[str, tuple[int, ...]]
"""A statement and the types of its parameters."""

KEPT = 512
"""Statements that are kept prepared for a connection."""

COMMAND, TUPLES = 1, 2
"""libpq's numbers: a command was carried out, a result has rows."""

FINE = frozenset({COMMAND, TUPLES})


class Rows:
    """The rows of one statement, read from the server's answer when they are wanted."""

    __slots__ = ("_at", "_number", "_reader")

    def __init__(self, connection: psycopg.Connection[Any], result: Any) -> None:
        from psycopg.adapt import Transformer  # noqa: PLC0415 - the driver is an extra

        self._reader = Transformer(connection)
        self._reader.set_pgresult(result)
        self._at, self._number = 0, result.ntuples

    def fetchmany(self, size: int) -> list[Row]:
        """Give the next rows."""
        begin, self._at = self._at, min(self._at + size, self._number)
        found: list[Row] = self._reader.load_rows(begin, self._at, tuple)
        return found

    def fetchone(self) -> Row | None:
        """Give the next row."""
        return next(iter(self.fetchmany(1)), None)

    def fetchall(self) -> list[Row]:
        """Give the rows that are left."""
        return self.fetchmany(self._number)


class Pipe:
    """Sends statements over one connection.

    Parameters
    ----------
    connection : psycopg.Connection
        The connection; when something is asked, it is in a transaction.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection, self._pgconn = connection, connection.pgconn
        self._names: OrderedDict[Shape, bytes] = OrderedDict()
        self._dropped: list[bytes] = []
        self._made = 0
        self._waiting = select.poll()
        self._waiting.register(connection.pgconn.socket, select.POLLIN)

    @property
    def has_news(self) -> bool:
        """The server says something that it was not asked, or is gone."""
        return bool(self._waiting.poll(0))

    def ask(self, asked: Sequence[Asked]) -> list[Rows | Exception]:
        """Run statements, one after another in one message.

        Returns
        -------
        list
            The rows of each statement; for one that fails, and for those behind it, which are not run, the driver's error.
        """
        pgconn = self._pgconn
        written = [(text, *self._values(values)) for text, values in asked]
        pgconn.enter_pipeline_mode()
        steps = [self._send(*one) for one in written]
        dropped, self._dropped = self._dropped, []
        for name in dropped:  # behind the rest, since the first statement may be one that begins a transaction
            pgconn.send_query_params(b"DEALLOCATE " + name, None)
        pgconn.pipeline_sync()
        self._flush()
        found = [self._result(shape) for shape in steps]
        self._dropped += [name for name in dropped if self._answer().status != COMMAND]
        self._next()  # the end of the pipeline
        pgconn.exit_pipeline_mode()
        failed = next((place for place, result in enumerate(found) if result.status not in FINE), len(found))
        given: list[Rows | Exception] = [Rows(self._connection, result) for result in found[:failed]]
        if failed < len(found):
            from psycopg.errors import error_from_result  # noqa: PLC0415 - the driver is an extra

            given += [error_from_result(found[failed])] * (len(found) - failed)
        return given

    def _send(self, text: str, values: list[bytes | None], types: tuple[int, ...]) -> Shape | None:
        """Send one statement; where it is prepared first, give what it will be known by."""
        if ANY_LENGTH in text:
            self._pgconn.send_query_params(text.encode(), values, param_types=types or None)
            return None
        shape = (text, types)
        name = self._names.get(shape)
        if known := name is not None:
            self._names.move_to_end(shape)
        else:
            name = self._prepare(shape)
        self._pgconn.send_query_prepared(name, values)
        return None if known else shape

    def _prepare(self, shape: Shape) -> bytes:
        self._made += 1
        self._names[shape] = name = b"asked_%d" % self._made
        self._pgconn.send_prepare(name, shape[0].encode(), param_types=shape[1] or None)
        if len(self._names) > KEPT:
            self._dropped.append(self._names.popitem(last=False)[1])
        return name

    def forget(self) -> None:
        """Know that the server has no prepared statements any more."""
        self._names.clear()
        self._dropped.clear()

    def _result(self, fresh: Shape | None) -> Any:
        """Read the answer to one statement, and before it the one to its preparation."""
        if fresh is not None:
            prepared = self._answer()
            if prepared.status != COMMAND:
                self._names.pop(fresh, None)
                self._answer()  # to the statement that was to be prepared
                return prepared
        return self._answer()

    def _answer(self) -> Any:
        found = self._next()
        while self._next() is not None:
            pass
        return found

    def _next(self) -> Any:
        pgconn = self._pgconn
        while pgconn.is_busy():
            self._waiting.poll()
            pgconn.consume_input()
        return pgconn.get_result()

    def _flush(self) -> None:
        """Send everything; the server may want to be rid of answers first."""
        pgconn = self._pgconn
        while pgconn.flush():
            waiting = select.poll()
            waiting.register(pgconn.socket, select.POLLIN | select.POLLOUT)
            if waiting.poll()[0][1] & ~select.POLLOUT:
                pgconn.consume_input()

    def _values(self, values: Sequence[Any]) -> tuple[list[bytes | None], tuple[int, ...]]:
        """Write parameters as text. The types of whole numbers and text the server finds out by their place."""
        found: list[bytes | None] = []
        for value in values:
            if type(value) is int:
                found.append(b"%d" % value)
            elif type(value) is str and "\0" not in value:
                found.append(value.encode())
            elif value is None:
                found.append(None)
            else:
                return self._written(values)
        return found, ()

    def _written(self, values: Sequence[Any]) -> tuple[list[bytes | None], tuple[int, ...]]:
        """Let the driver write parameters."""
        from psycopg.adapt import PyFormat, Transformer  # noqa: PLC0415 - the driver is an extra

        writer = Transformer(self._connection)
        found = writer.dump_sequence(values, [PyFormat.TEXT] * len(values))
        return [None if w is None else bytes(w) for w in found], tuple(writer.types or ())
