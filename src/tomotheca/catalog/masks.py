"""Clauses -> marks on rows, in memory. The same language and the same answers as `query.Compiler`, which a test compares.

What is asked of a column is asked of its different values once, and what is asked of related rows is carried along the arrays that tie
kinds together. What arrays cannot answer is asked of the database, and the answer is kept as long as the catalogue stays as it is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import sqlalchemy as sa

from tomotheca.catalog.patterns import FUNCTIONS, PREPARE, check
from tomotheca.catalog.query import LISTS, ORDERED, TALLY, moment
from tomotheca.catalog.vectors import World, place
from tomotheca.catalog.viewer import Hidden, seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.catalog.query import Clause
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.schema import Relation
    from tomotheca.schema.core import Column

Mask = "NDArray[np.bool_]"

COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {
    "_eq": operator.eq, "_neq": operator.ne, "_gt": operator.gt, "_gte": operator.ge, "_lt": operator.lt, "_lte": operator.le,
}  # fmt: skip
MATCHED: Mapping[str, tuple[str, bool]] = {
    f"_{'n' if negated else ''}{name}": (f"tomo_{name}", negated)
    for name in ("like", "ilike", "regex", "iregex")
    for negated in (False, True)
}


@dataclass(frozen=True)
class Masks:
    """Marks the rows that a viewer sees and for which a clause holds.

    Parameters
    ----------
    world : World
        A state of the catalogue.
    viewer : Viewer
        Who is looking.
    hidden : Hidden
        What is hidden at the moment.
    """

    world: World
    viewer: Viewer
    hidden: Hidden

    def visible(self, kind: str) -> NDArray[np.bool_]:
        """Mark the rows that the viewer sees."""
        world = self.world
        return world.keep(
            ("visible", kind, self.viewer.curator, self.hidden),
            lambda: seen(kind, world.numbers(kind, "_owner"), world.numbers(kind, "_gate"), self.viewer, self.hidden),
        )

    def where(self, kind: str, clause: Clause | None) -> NDArray[np.bool_]:
        """Mark the rows that the viewer sees and for which every condition of a clause holds."""
        return self.visible(kind) & self.holds(kind, clause)

    def ids(self, kind: str, clause: Clause | None) -> NDArray[np.int64]:
        """Give the identifiers of the rows that `where` marks."""
        found: NDArray[np.int64] = self.world.ids(kind)[self.where(kind, clause)]
        return found

    def holds(self, kind: str, clause: Clause | None) -> NDArray[np.bool_]:
        """Mark the rows for which a clause holds, whoever looks. The marks may be kept for others: they must not be changed."""
        terms = [self._term(kind, name, value) for name, value in (clause or {}).items()]
        return reduce(np.logical_and, terms) if terms else self._all(kind)

    def count(self, relation: Relation, kind: str, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count the marked related rows of each row of a kind."""
        at = self.world.places(relation.target, relation.ref.column, kind)[rows]
        return np.bincount(at[at >= 0], minlength=len(self.world.ids(kind)))

    def _term(self, kind: str, name: str, value: Any) -> NDArray[np.bool_]:
        if name == "_and":
            return reduce(np.logical_and, (self.holds(kind, c) for c in value)) if value else self._all(kind)
        if name == "_or":
            return reduce(np.logical_or, (self.holds(kind, c) for c in value), ~self._all(kind))
        if name == "_not":
            return ~self.holds(kind, value)
        if name == "id":  # there may be very many
            return self._compared(kind, name, value)
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=repr)
        question = (kind, name, self.viewer.curator, self.hidden, written)
        return self.world.term(question, lambda: self._answered(kind, name, value))

    def _answered(self, kind: str, name: str, value: Any) -> NDArray[np.bool_]:
        relations = self.world.catalog.schema.relations(kind)
        if name in relations:
            return self._related(kind, relations[name], value)
        if (relation := relations.get(name.removesuffix(TALLY))) and relation.many:
            return self._counted(kind, relation, value)
        return self._compared(kind, name, value)

    def _all(self, kind: str) -> NDArray[np.bool_]:
        return np.ones(len(self.world.ids(kind)), bool)

    def _related(self, kind: str, relation: Relation, clause: Clause | None) -> NDArray[np.bool_]:
        if not self.world.has(relation.target):
            return self._asked(kind, {relation.name: clause})
        other = self.where(relation.target, clause)
        if relation.many:
            found = np.zeros(len(self.world.ids(kind)) + 1, bool)
            found[self.world.places(relation.target, relation.ref.column, kind)[other]] = True
            return found[:-1]
        at = self.world.places(kind, relation.ref.column, relation.target)
        return np.append(other, False)[at]

    def _counted(self, kind: str, relation: Relation, value: Clause) -> NDArray[np.bool_]:
        asked = value["count"]
        if not self.world.has(relation.target) or asked.get("arguments"):
            return self._asked(kind, {relation.name + TALLY: value})
        number = self.count(relation, kind, self.where(relation.target, asked.get("filter")))
        found = self._all(kind)
        for op, v in (asked.get("predicate") or {}).items():
            if op not in COMPARED:
                return self._asked(kind, {relation.name + TALLY: value})
            found &= COMPARED[op](number, v)
        return found

    def _compared(self, kind: str, name: str, comparisons: Mapping[str, Any]) -> NDArray[np.bool_]:
        column = self.world.catalog.schema.by_name[kind].get(name)
        plain = column is not None and column.type is not list and not (column.location or column.personal)
        if column is None or not plain or not isinstance(comparisons, Mapping):
            return self._asked(kind, {name: comparisons})  # which says what is wrong, if something is
        if any(op not in SIMPLE or (column.enum and op in ORDERED) for op in comparisons):
            return self._asked(kind, {name: comparisons})
        if name == "id" or column.ref:
            return self._number(kind, column, comparisons)
        coded = self.world.column(kind, name)
        held = np.ones(len(coded.values), bool)
        values = [column.missing if v is None else v for v in coded.values]
        for op, given in comparisons.items():
            held &= _test(column, op, given, values)
        return held[coded.codes] if len(held) else self._all(kind)

    def _number(self, kind: str, column: Column, comparisons: Mapping[str, Any]) -> NDArray[np.bool_]:
        numbers = self.world.numbers(kind, column.name)
        found = self._all(kind)
        for op, given in comparisons.items():
            if op == "_is_null":
                found &= (numbers < 0) == bool(given)
            elif op in LISTS:
                found &= (np.isin(numbers, np.array(list(given), np.int64)) == (op == "_in")) & (numbers >= 0)
            elif given is None:
                found &= (numbers < 0) == (op == "_eq")
            elif op in COMPARED:
                found &= COMPARED[op](numbers, given) & (numbers >= 0)
            else:
                return self._asked(kind, {column.name: comparisons})
        return found

    def _asked(self, kind: str, clause: Clause) -> NDArray[np.bool_]:
        """Ask the database."""
        world = self.world

        def answer() -> NDArray[np.bool_]:
            c = world.catalog.compiler(self.viewer)
            row = c.table(kind)
            rows = world.catalog.rows(sa.select(row.c.id).where(*c.where(kind, row, clause)))
            marked = np.zeros(len(world.ids(kind)) + 1, bool)
            marked[place(np.fromiter((r[0] for r in rows), np.int64, len(rows)), world.ids(kind))] = True
            return marked[:-1]

        written = orjson.dumps(clause, option=orjson.OPT_SORT_KEYS)
        return world.recent(("asked", kind, self.viewer.curator, self.hidden, written), answer)


SIMPLE = frozenset({*COMPARED, *MATCHED, *LISTS, "_is_null"})


def _test(column: Column, op: str, given: Any, values: list[Any]) -> NDArray[np.bool_]:
    """Compare each value of a column; a null is neither."""
    known = _marks(v is not None for v in values)
    if op == "_is_null" or (given is None and op in {"_eq", "_neq"}):
        wanted = bool(given) if op == "_is_null" else op == "_eq"
        return ~known if wanted else known
    for one in given if op in LISTS else [given]:
        check(op, one)
    if column.type is datetime:
        given = [moment(column, v) for v in given] if op in LISTS else moment(column, given)
    if op in LISTS:
        chosen = set(given)
        return _marks((v in chosen) == (op == "_in") for v in values) & known
    if op in MATCHED:
        function, negated = MATCHED[op]
        matches: Callable[[str, str], Any] = FUNCTIONS[function]
        pattern = PREPARE[function](given)
        return _marks(v is not None and bool(matches(v, pattern)) != negated for v in values)
    compare = COMPARED[op]
    if column.type in {str, datetime}:
        raw = str(given).encode()
        return _marks(v is not None and compare(v.encode(), raw) for v in values)
    numbers = np.fromiter((np.nan if v is None else v for v in values), np.float64, len(values))
    return np.asarray(compare(numbers, given)) & known


def _marks(values: Iterable[bool]) -> NDArray[np.bool_]:
    return np.fromiter(values, np.bool_)
