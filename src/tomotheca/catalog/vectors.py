"""Columns of the catalogue as arrays, so that filters can be combined and counted in memory.

What lists ask for most is put into a small table when the catalogue is built, in the same transaction: one row for each column. A server
process reads them all with one statement. Any other column is read from its own table when it is first asked for.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
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

Stored = tuple["NDArray[np.int32]", str | None]
"""Codes or identifiers, and the JSON list of the values that codes stand for."""
T = TypeVar("T")

NOTHING = -1
"""Stands for a null in an array of numbers."""

RECENT = 256
"""Questions to the database whose answers are kept."""

TERMS = 96
"""Conditions whose marks on rows are kept: pages ask for the same ones again and again."""

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
    """Put the columns that lists ask for, and those that tie kinds together, into the table of arrays."""
    table = tables.vector
    connection.execute(table.delete())
    for kind, row in tables.kinds.items():
        if kind in LINKED or any(c.counted for c in schema.columns(kind)):
            listed = [c.name for c in schema.columns(kind) if c.listed]
            numbers = ["id", *INTERNAL, *(c.name for c in schema.columns(kind) if c.ref)]
            found = connection.execute(sa.select(*(row.c[n] for n in (*numbers, *listed))).order_by(row.c.id)).all()
            columns = list(zip(*found, strict=True)) or [()] * (len(numbers) + len(listed))
            made: list[tuple[str, NDArray[Any], str | None]] = [
                (n, _numbers(c), None) for n, c in zip(numbers, columns, strict=False)
            ]
            coded = [(n, code(c)) for n, c in zip(listed, columns[len(numbers) :], strict=True)]
            made += [(n, c.codes, orjson.dumps(c.values).decode()) for n, c in coded]
            connection.execute(
                table.insert(),
                [
                    {"kind": kind, "name": n, "numbers": a.astype("<i4").tobytes(), "known": known}
                    for n, a, known in made
                ],
            )


LINKED = frozenset({"run", "identified_object", "alignment", "gain_file", "frame_acquisition_file"})
"""Kinds that have arrays although none of their columns is counted."""


def code(values: Sequence[Any]) -> Coded:
    """Give each different value of a column a number."""
    known: defaultdict[Any, int] = defaultdict()
    known.default_factory = known.__len__
    codes = np.fromiter(map(known.__getitem__, values), np.int32, len(values))
    return Coded(codes, tuple(known))


def _numbers(values: Sequence[int | None]) -> NDArray[np.int64]:
    if None not in values:
        return np.fromiter(values, np.int64, len(values))
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
    _terms: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
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
        """Answer a question to the database about this state; the answers to the last few are kept."""
        return self._lately(self._recent, RECENT, question, answer)

    def term(self, question: Hashable, answer: Callable[[], T]) -> T:
        """Answer which rows meet a condition; the answers to the last few are kept, and must not be changed."""
        return self._lately(self._terms, TERMS, question, answer)

    def _lately(self, kept: OrderedDict[Hashable, Any], most: int, question: Hashable, answer: Callable[[], T]) -> T:
        with self._lock:
            if question in kept:
                kept.move_to_end(question)
                known: T = kept[question]
                return known
        found = answer()
        with self._lock:
            kept[question] = found
            while len(kept) > most:
                kept.popitem(last=False)
        return found

    def ids(self, kind: str) -> NDArray[np.int64]:
        """Give the identifiers of a kind's rows, ascending."""
        return self.numbers(kind, "id")

    def numbers(self, kind: str, name: str) -> NDArray[np.int64]:
        """Give a column of identifiers; -1 where there is none."""
        return self.keep(("numbers", kind, name), lambda: self._numbers(kind, name))

    def column(self, kind: str, name: str) -> Coded:
        """Give a column's values."""
        return self.keep(("column", kind, name), lambda: self._coded(kind, name))

    def places(self, kind: str, name: str, target: str) -> NDArray[np.int64]:
        """Give for each row the place of the row that a reference points at; -1 where there is none."""
        return self.keep(("places", kind, name), lambda: place(self.numbers(kind, name), self.ids(target)))

    def has(self, kind: str) -> bool:
        """Say whether a kind has arrays: the others have many rows that no filter looks at one by one."""
        return kind in self._stored

    def _numbers(self, kind: str, name: str) -> NDArray[np.int64]:
        if (stored := self._stored.get(kind, {}).get(name)) is not None:
            return stored[0].astype(np.int64)
        return _numbers(self._values(kind, name))

    def _coded(self, kind: str, name: str) -> Coded:
        if (stored := self._stored.get(kind, {}).get(name)) is not None:
            numbers, known = stored
            return Coded(numbers, tuple(orjson.loads(known or "[]")))
        return code(self._values(kind, name))

    @property
    def _stored(self) -> Mapping[str, Mapping[str, Stored]]:
        """The arrays that were made when the catalogue was built, by kind and column, read together: a listing asks for most of them."""
        return self.keep("stored", self._load)

    def _load(self) -> Mapping[str, Mapping[str, Stored]]:
        v = self.catalog.tables.vector
        rows: Sequence[Any] = self.catalog.rows(sa.select(self._version, v.c.kind, v.c.name, v.c.numbers, v.c.known))
        self._require(rows)
        found: dict[str, dict[str, Stored]] = {}
        for _, kind, name, data, known in rows:
            found.setdefault(kind, {})[name] = np.frombuffer(data, "<i4"), known
        return found

    def _values(self, kind: str, name: str) -> list[Any]:
        row = self.catalog.tables.kinds[kind]
        rows: Sequence[Any] = self.catalog.rows(sa.select(self._version, row.c[name]).order_by(row.c.id))
        self._require(rows)
        return [r[1] for r in rows]

    @property
    def _version(self) -> sa.ScalarSelect[Any]:
        meta = self.catalog.tables.meta
        return sa.select(meta.c.value).where(meta.c.name == "version").scalar_subquery()

    def _require(self, rows: Sequence[Any]) -> None:
        if rows and int(rows[0][0] or 0) != self.version:
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
    if len(flat) == len(pair):
        return Pairs(tuple(values), None, codes.astype(np.int32), owner)
    wide = max(len(values), 1)
    return Pairs(tuple(values), pair.astype(np.int32), (flat % wide).astype(np.int32), flat // wide)


@dataclass(frozen=True)
class Grouped:
    """The rows that belong to each place, one place after the other: those of a few places are found without looking at all."""

    first: NDArray[np.int64]
    """Where the rows of each place begin."""

    many: NDArray[np.int64]
    """How many they are."""

    order: NDArray[np.int64] | None
    """The rows in that order; None where they stand in it."""

    def rows(self, marked: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Give the rows of the marked places."""
        places = np.flatnonzero(marked)
        many = self.many.take(places)
        ends = np.cumsum(many)
        found = np.arange(ends[-1] if len(ends) else 0)
        found += np.repeat(self.first.take(places) - ends + many, many)
        return found if self.order is None else self.order.take(found)


def grouped(at: NDArray[np.int64], number: int) -> Grouped:
    """Group rows by the place that each belongs to, of so many places; rows at -1 belong to none."""
    is_ascending = bool((at[1:] >= at[:-1]).all())
    order = None if is_ascending else np.argsort(at, kind="stable")
    many = np.bincount(at + 1, minlength=number + 1)
    return Grouped(np.cumsum(many)[:-1], many[1:], order)


@dataclass(frozen=True)
class Pairs:
    """Pairs of an owner and a value: which pair each row is, and the value of each pair."""

    values: tuple[Any, ...]
    pair: NDArray[np.int32] | None
    """None where each row is a pair of its own."""

    value_of: NDArray[np.int32]
    owner_of: NDArray[np.int64]

    def seen(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Mark the pairs that stand in the rows at some places."""
        found = np.zeros(len(self.value_of), bool)
        found[rows if self.pair is None else self.pair.take(rows)] = True
        return found

    def count(self, rows: NDArray[Any]) -> Iterator[tuple[Any, int]]:
        """Count the owners of each value among some rows."""
        seen = rows if self.pair is None else np.flatnonzero(self.seen(rows))
        counts = np.bincount(self.value_of.take(seen), minlength=len(self.values))
        return ((self.values[n], int(counts[n])) for n in np.flatnonzero(counts).tolist())
