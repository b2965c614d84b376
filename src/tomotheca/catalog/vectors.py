"""Columns of the catalogue as arrays, so that filters can be combined and counted in memory.

What filters ask for most is put into a small table when the catalogue is built, in the same transaction: one row for each column, which a
server process reads in a millisecond. Any other column is read from its own table when it is first asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import orjson
import sqlalchemy as sa

from tomotheca.errors import StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.tables import Tables
    from tomotheca.schema import Schema

Numbers = "NDArray[np.int64]"
T = TypeVar("T")

NOTHING = -1
"""Stands for a null in an array of numbers."""

RECENT = 256
"""Questions to the database whose answers are kept."""

INTERNAL = ("_owner", "_gate")


class ChangedError(StorageError):
    """The catalogue is not the one any more whose columns were being read."""


@dataclass(frozen=True)
class Coded:
    """A column: for each row the place of its value."""

    codes: NDArray[np.int32]
    values: tuple[Any, ...]
    """The different values; None is one of them where it occurs."""


def pack(connection: sa.Connection, tables: Tables, schema: Schema) -> None:
    """Put the columns that are counted by value, and those that tie kinds together, into the table of arrays."""
    table = tables.vector
    connection.execute(table.delete())
    for kind, row in tables.kinds.items():
        counted = [c.name for c in schema.columns(kind) if c.counted]
        if counted or kind in LINKED:
            numbers = ["id", *INTERNAL, *(c.name for c in schema.columns(kind) if c.ref)]
            found = connection.execute(sa.select(*(row.c[n] for n in (*numbers, *counted))).order_by(row.c.id)).all()
            columns = list(zip(*found, strict=True)) or [()] * (len(numbers) + len(counted))
            made: list[tuple[str, NDArray[Any], str | None]] = [
                (n, _numbers(c), None) for n, c in zip(numbers, columns, strict=False)
            ]
            coded = [(n, code(c)) for n, c in zip(counted, columns[len(numbers) :], strict=True)]
            made += [(n, c.codes, orjson.dumps(c.values).decode()) for n, c in coded]
            connection.execute(
                table.insert(),
                [
                    {"kind": kind, "name": n, "numbers": a.astype("<i4").tobytes(), "known": known}
                    for n, a, known in made
                ],
            )


LINKED = frozenset({"run", "identified_object"})
"""Kinds that have arrays although none of their columns is counted."""


def code(values: Sequence[Any]) -> Coded:
    """Give each different value of a column a number."""
    known: dict[Any, int] = {}
    codes = np.fromiter((known.setdefault(v, len(known)) for v in values), np.int32, len(values))
    return Coded(codes, tuple(known))


def _numbers(values: Iterable[int | None]) -> NDArray[np.int64]:
    return np.fromiter((NOTHING if v is None else v for v in values), np.int64)


@dataclass
class World:
    """One state of the catalogue as arrays. Whoever works on rows has them in the order of their identifiers.

    Parameters
    ----------
    catalog : Catalog
        Where the columns are read.
    version : int
        Version of the catalogue; columns of another are refused with `ChangedError`.
    """

    catalog: Catalog
    version: int
    _kept: dict[Hashable, Any] = field(default_factory=dict)
    _recent: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    _lock: RLock = field(default_factory=RLock)

    def keep(self, question: Hashable, answer: Callable[[], T]) -> T:
        """Answer a question about this state once."""
        if question not in self._kept:
            with self._lock:
                if question not in self._kept:
                    self._kept[question] = answer()
        found: T = self._kept[question]
        return found

    def recent(self, question: Hashable, answer: Callable[[], T]) -> T:
        """Answer a question about this state; the answers to the last few are kept."""
        with self._lock:
            if question in self._recent:
                self._recent.move_to_end(question)
                known: T = self._recent[question]
                return known
        found = answer()
        with self._lock:
            self._recent[question] = found
            while len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return found

    def ids(self, kind: str) -> NDArray[np.int64]:
        """Give the identifiers of a kind's rows, ascending."""
        return self.numbers(kind, "id")

    def numbers(self, kind: str, name: str) -> NDArray[np.int64]:
        """Give a column of identifiers; -1 where there is none."""
        return self.keep(("numbers", kind, name), lambda: self._read(kind, name)[0])

    def column(self, kind: str, name: str) -> Coded:
        """Give a column's values."""
        return self.keep(("column", kind, name), lambda: self._coded(kind, name))

    def places(self, kind: str, name: str, target: str) -> NDArray[np.int64]:
        """Give for each row the place of the row that a reference points at; -1 where there is none."""
        return self.keep(("places", kind, name), lambda: place(self.numbers(kind, name), self.ids(target)))

    def _coded(self, kind: str, name: str) -> Coded:
        numbers, known = self._read(kind, name)
        return Coded(numbers.astype(np.int32), tuple(known or ()))

    def _read(self, kind: str, name: str) -> tuple[NDArray[np.int64], Sequence[Any] | None]:
        tables = self.catalog.tables
        meta, vector, row = tables.meta, tables.vector, tables.kinds[kind]
        version = sa.select(meta.c.value).where(meta.c.name == "version").scalar_subquery()
        stored = sa.select(version, vector.c.numbers, vector.c.known)
        found: Sequence[Any] = self.catalog.rows(stored.where(vector.c.kind == kind, vector.c.name == name))
        if found:
            ((number, data, known),) = found
            self._require(number)
            return np.frombuffer(data, "<i4").astype(np.int64), None if known is None else orjson.loads(known)
        rows: Sequence[Any] = self.catalog.rows(sa.select(version, row.c[name]).order_by(row.c.id))
        if rows:
            self._require(rows[0][0])
        values = [r[1] for r in rows]
        if name == "id" or name in INTERNAL or self._is_reference(kind, name):
            return _numbers(values), None
        coded = code(values)
        return coded.codes.astype(np.int64), coded.values

    def _is_reference(self, kind: str, name: str) -> bool:
        return any(c.name == name and c.ref for c in self.catalog.schema.columns(kind))

    def _require(self, version: str | None) -> None:
        if int(version or 0) != self.version:
            message = "the catalogue has just changed; ask again"
            raise ChangedError(message)


def place(ids: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the place of each identifier among known ones, which are ascending; -1 where it is not one of them."""
    if not len(known):
        return np.full(len(ids), NOTHING)
    at = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    found: NDArray[np.int64] = np.where(known[at] == ids, at, NOTHING)
    return found


def pairs_of(owners: Sequence[NDArray[np.int64]], columns: Sequence[Coded]) -> Pairs:
    """Give each different pair of an owner and a value a number, over several columns of one meaning."""
    values: dict[Any, int] = {}
    coded = []
    for column in columns:
        own = np.fromiter((values.setdefault(v, len(values)) for v in column.values), np.int64, len(column.values))
        coded.append(own[column.codes] if len(own) else column.codes.astype(np.int64))
    owner, codes = np.concatenate(owners), np.concatenate(coded)
    flat, pair = np.unique(owner * max(len(values), 1) + codes, return_inverse=True)
    wide = max(len(values), 1)
    return Pairs(tuple(values), pair.astype(np.int32), (flat % wide).astype(np.int32), flat // wide)


@dataclass(frozen=True)
class Pairs:
    """Pairs of an owner and a value: which pair each row is, and the value of each pair."""

    values: tuple[Any, ...]
    pair: NDArray[np.int32]
    value_of: NDArray[np.int32]
    owner_of: NDArray[np.int64]

    def seen(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Mark the pairs that stand in some rows."""
        found = np.zeros(len(self.value_of), bool)
        found[self.pair[rows]] = True
        return found

    def count(self, rows: NDArray[np.bool_]) -> Iterator[tuple[Any, int]]:
        """Count the owners of each value among some rows."""
        seen = self.seen(rows)
        counts = np.bincount(self.value_of[seen], minlength=len(self.values))
        return ((v, int(n)) for v, n in zip(self.values, counts, strict=True) if n)
