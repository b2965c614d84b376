"""Several questions in one transaction: they see one state of the catalogue, and the database is told once where they begin and end."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy as sa

ONE_STATE = "one_state"
"""Execution option of connections whose transactions see one state."""


class Together:
    """A transaction that begins with its first statement.

    Parameters
    ----------
    engine : Engine
        The catalogue's.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._open = ExitStack()
        self._connection: sa.Connection | None = None
        self._known: dict[tuple[sa.Executable, str], Sequence[sa.Row[Any]]] = {}
        """Answers to statements with values: in one state, the same question has the same answer."""

    def rows(self, statement: sa.Executable, values: Mapping[str, Any] | None = None) -> Sequence[sa.Row[Any]]:
        """Run a statement and give its rows; after one that fails the next begins a new transaction."""
        question = (statement, repr(values))
        if values is not None and question in self._known:
            return self._known[question]
        try:
            if self._connection is None:
                self._connection = self._open.enter_context(self.engine.execution_options(**{ONE_STATE: True}).begin())
            found = self._connection.execute(statement, values).all()
        except BaseException:
            self.end()
            raise
        if values is not None:
            self._known[question] = found
        return found

    def end(self) -> None:
        """End the transaction, as it ends where an error is on its way."""
        self._connection = None
        self._known = {}
        self._open.__exit__(*sys.exc_info())


current: ContextVar[Together | None] = ContextVar("together", default=None)
"""The transaction of whoever asks now."""


def shared_by(engine: sa.Engine) -> Together | None:
    """Give the transaction that statements to an engine share now."""
    found = current.get()
    return found if found is not None and found.engine is engine else None


@contextmanager
def together(engine: sa.Engine) -> Iterator[None]:
    """Let all statements of a block that go to an engine share a transaction; a block within a block shares that of the outer one."""
    if shared_by(engine) is not None:
        yield
        return
    shared = Together(engine)
    token = current.set(shared)
    try:
        yield
    finally:
        current.reset(token)
        shared.end()
