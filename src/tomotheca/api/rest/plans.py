"""Queries -> SQL, written once for each form of a query and run with many values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.api.graphql.statements import Statement, compiled, positional
from tomotheca.api.graphql.values import FIRST, at
from tomotheca.catalog.later import Later
from tomotheca.catalog.query import LISTS, OPERATORS
from tomotheca.catalog.viewer import Viewer, now
from tomotheca.catalog.writers import Named
from tomotheca.schema.core import is_matrix

if TYPE_CHECKING:
    from tomotheca.api.rest.names import Path
    from tomotheca.api.rest.query import Key, Query
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.query import Compiler
    from tomotheca.catalog.reading import Reading

MAX_PLANS = 1000

Rows = dict[tuple[Any, ...], tuple[str, Any]]
"""Kind and table of each related record, by the relations that lead there."""


@dataclass(frozen=True)
class Form:
    """What a statement depends on; everything else is a value."""

    kind: str
    paths: tuple[str, ...]
    order: tuple[tuple[str, bool], ...]
    clause: Any
    after: tuple[bool, ...]
    """For each sort key whether the cursor has a value; empty without a cursor."""

    limited: bool
    curator: bool
    all_open: bool
    """Nothing is hidden."""


@dataclass(frozen=True)
class Asked:
    """Who asks for which part of a list."""

    viewer: Viewer
    after: Sequence[Any] = ()
    """Values of the sort keys behind which the part begins."""

    limit: int | None = None


@dataclass(frozen=True)
class Plan:
    """The statements of a list."""

    fields: tuple[Named, ...]
    page: Statement
    """Rows of the fields, then of the sort keys."""

    total: Statement
    """Number of rows, without cursor and limit."""

    most: Statement
    """The same, but no more than the last value says."""


@dataclass(frozen=True)
class Bound:
    """A plan with the values of one request."""

    plan: Plan
    values: list[Any]

    def parameters(self, statement: Statement, *more: Any) -> tuple[Any, ...]:
        """Give the parameters of one of the statements."""
        return statement.parameters([*self.values, *more])


class Plans:
    """The plans of one catalogue."""

    def __init__(self, catalog: Catalog, *, emails: bool, size: int = MAX_PLANS) -> None:
        self.catalog = catalog
        self.private = frozenset() if emails else catalog.schema.personal
        self._size = size
        self._made: dict[Form, Plan] = {}

    def bind(self, query: Query, asked: Asked, reading: Reading) -> Bound:
        """Give the plan of a query, and the values of this one: the moment, those of filters, of the cursor, and the limit."""
        values: list[Any] = [now(), None]
        order = tuple((k.path.name, k.descending) for k in query.order)
        viewer, after, limit = asked.viewer, asked.after, asked.limit
        form = Form(
            query.kind, tuple(p.name for p in query.paths), order, _lifted(query.clause, values), tuple(v is not None for v in after),
            limit is not None, viewer.curator, reading.all_open and not viewer.curator,
        )  # fmt: skip
        values += after
        if limit is not None:
            values.append(limit)
        plan = self._made.get(form)
        if plan is None:
            if len(self._made) >= self._size:
                self._made.clear()
            plan = self._made[form] = self._make(form, query)
        return Bound(plan, values)

    def compiler(self, viewer: Viewer) -> Compiler:
        """Give the compiler of clauses for a viewer."""
        return replace(self.catalog.compiler(viewer), private=self.private)

    def _make(self, form: Form, query: Query) -> Plan:
        c = replace(self.compiler(Viewer(curator=form.curator)), all_open=form.all_open)
        template: list[Any] = [None] * FIRST
        clause = _template(query.clause, template)
        row = c.table(query.kind)
        rows: Rows = {(): (query.kind, row)}
        source = row
        for path in (*query.paths, *(k.path for k in query.order)):
            source = _reach(c, rows, source, path)
        terms = [*c.visible(query.kind, row), *c.joined(query.kind, row, clause)]
        keys = [_Sorted(c, rows, key) for key in query.order]
        shown = [c.shown(p.column, rows[p.relations][1]) for p in query.paths]
        columns = [x.label(f"_{n}") for n, x in enumerate([*shown, *(k.term for k in keys)])]
        page = sa.select(*columns).select_from(source).where(*terms).order_by(*(k.ordering for k in keys))
        if form.after:
            page = page.where(*_beyond(keys, form.after, len(template)))
        if form.limited:
            page = page.limit(sa.literal(at(len(template) + len(form.after)), sa.Integer()))
        dialect = positional(self.catalog.engine.dialect)
        counted = sa.select(sa.func.count()).select_from(row).where(*terms)
        end = sa.literal(Later(lambda values: values[-1]), sa.Integer())
        most = sa.select(sa.func.count()).select_from(sa.select(row.c.id).where(*terms).limit(end).subquery())
        fields = tuple(Named(p.name, _written(query.kind, p)) for p in query.paths)
        return Plan(fields, compiled(page, dialect), compiled(counted, dialect), compiled(most, dialect))


def _written(kind: str, path: Path) -> type:
    """Give the type that a field has in the answer: a JSON column that is text on the wire is text."""
    matrix = is_matrix(path.kind or kind, path.column)
    return str if path.column.type is list and not matrix else path.column.type


def _leaf(name: str, value: Any) -> bool:
    return name in OPERATORS and value is not None and not isinstance(value, bool)


def _lifted(clause: Any, values: list[Any], name: str = "") -> Any:
    """Give the form of a clause, and put what it compares with into a list."""
    if _leaf(name, clause):
        values.append(clause)
        return "list" if name in LISTS else "value"
    if isinstance(clause, dict):
        return tuple((key, _lifted(value, values, key)) for key, value in clause.items())
    if isinstance(clause, list):
        return ("list", *(_lifted(value, values) for value in clause))
    return ("is", clause)


def _template(clause: Any, places: list[Any], name: str = "") -> Any:
    """Give a clause with place-holders where `_lifted` takes values."""
    if _leaf(name, clause):
        places.append(None)
        return at(len(places) - 1)
    if isinstance(clause, dict):
        return {key: _template(value, places, key) for key, value in clause.items()}
    return [_template(value, places) for value in clause] if isinstance(clause, list) else clause


def _reach(c: Compiler, rows: Rows, source: Any, path: Path) -> Any:
    """Join the related records that a path leads to; a row without one, or whose is hidden, has nulls there."""
    for end, relation in enumerate(path.relations, 1):
        here = path.relations[:end]
        if here not in rows:
            other = c.table(relation.target)
            tie = [c.join(relation, rows[here[:-1]][1], other), *c.visible(relation.target, other)]
            rows[here] = relation.target, other
            source = source.outerjoin(other, sa.and_(*tie))
    return source


class _Sorted:
    """A sort key in SQL. Nulls come last, whichever way it is sorted."""

    def __init__(self, c: Compiler, rows: Rows, key: Key) -> None:
        kind, row = rows[key.path.relations]
        column = key.path.column
        self.term = c.sort_key(kind, row, column.name)
        self.descending = key.descending
        self.nullable = bool(column.nullable or key.path.relations or column.name in c.private)

    @property
    def ordering(self) -> sa.ColumnElement[Any]:
        """The term of ``ORDER BY``."""
        found = self.term.desc() if self.descending else self.term.asc()
        return found.nulls_last() if self.nullable else found

    def value(self, place: int) -> sa.ColumnElement[Any]:
        """Give the value in the cursor."""
        return sa.literal(at(place), self.term.type)


def _beyond(keys: Sequence[_Sorted], present: Sequence[bool], first: int) -> Iterator[sa.ColumnElement[bool]]:
    """Give the condition that a row comes after the cursor's place."""
    found: sa.ColumnElement[bool] = sa.false()
    for number in reversed(range(len(keys))):
        key, value = keys[number], keys[number].value(first + number)
        if not present[number]:
            found = sa.and_(key.term.is_(None), found)
            continue
        past = key.term < value if key.descending else key.term > value
        if key.nullable:
            past = sa.or_(past, key.term.is_(None))
        found = sa.or_(past, sa.and_(key.term == value, found))
    yield found
    if present[0] and not keys[0].nullable:  # the same again, so that an index can be entered where the page begins
        yield keys[0].term <= keys[0].value(first) if keys[0].descending else keys[0].term >= keys[0].value(first)
