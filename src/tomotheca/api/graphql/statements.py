"""The SQL of a plan: one statement for each list, written once, run with many values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.api.graphql.values import KEYS, NOW, at
from tomotheca.catalog.later import Later, among_keys, has_lateral, in_turn, keys_table

if TYPE_CHECKING:
    from tomotheca.api.graphql.clauses import Order
    from tomotheca.api.graphql.paging import Bounds, Paging
    from tomotheca.catalog.query import Clause, Compiler
    from tomotheca.schema import Relation

Reader = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text and what reads its parameters from the values of a request."""

    text: str
    readers: tuple[Reader, ...]

    def parameters(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Give the parameters of one run."""
        return tuple([read(values) for read in self.readers])


def compiled(selection: sa.Select[Any], dialect: sa.Dialect) -> Statement:
    """Compile a statement to text with positional parameters."""
    found: Any = selection.compile(dialect=dialect)
    return Statement(str(found), tuple(_reader(found.binds[name]) for name in found.positiontup or ()))


def _reader(bound: sa.BindParameter[Any]) -> Reader:
    if bound.callable is not None:
        return lambda values: values[NOW]
    value = bound.value
    return value.read if isinstance(value, Later) else lambda _: value


def positional(dialect: sa.Dialect) -> sa.Dialect:
    """Give a dialect whose statements take parameters by position, as `Catalog.reading` runs them."""
    return dialect if dialect.positional else type(dialect)(paramstyle="numeric_dollar")  # type: ignore[call-arg]  # DefaultDialect's argument


@dataclass
class Query:
    """What a list asks of a kind: conditions, order and columns. The first column of every answer is the key of the parent."""

    compiler: Compiler
    dialect: sa.Dialect
    kind: str
    where: Clause
    order: Sequence[Order] = ()
    columns: list[str] = field(default_factory=list)

    def root(self, limit: Any, offset: Any) -> Statement:
        """List rows of the kind."""
        row, terms, ordering = self._parts()
        found = sa.select(row.c.id, *self._columns(row)).where(*terms).order_by(*ordering)
        if limit is not None:
            found = found.limit(_number(limit))
        return compiled(found if offset is None else found.offset(_number(offset)), self.dialect)

    def count(self) -> Statement:
        """Count the rows of the kind."""
        row, terms, _ = self._parts()
        return compiled(sa.select(sa.func.count()).select_from(row).where(*terms), self.dialect)

    def by_id(self) -> Statement:
        """List the rows whose identifiers are the keys."""
        row, terms, _ = self._parts()
        return compiled(
            sa.select(row.c.id, *self._columns(row)).where(among_keys(row.c.id, at(KEYS)), *terms), self.dialect
        )

    def of_parent(self, relation: Relation, page: Page) -> Statement:
        """List a page of the rows that belong to the one parent whose identifier is the key."""
        row, terms, ordering = self._parts()
        key = row.c[relation.ref.column]
        found = (
            sa.select(key, *self._columns(row))
            .where(key == sa.literal(at(KEYS), sa.Integer()), *terms)
            .order_by(*ordering)
        )
        return compiled(page.cut(found), self.dialect)

    def of_parents(self, relation: Relation, page: Page) -> Statement:
        """List a page of the rows of each parent among the keys, parents together."""
        keys = keys_table(at(KEYS))
        inner, terms, ordering = self._parts()
        mine = [inner.c[relation.ref.column] == keys.c.value, *terms]
        if has_lateral(self.dialect):
            listed = page.cut(sa.select(*self._columns(inner)).where(*mine).order_by(*ordering))
            return compiled(in_turn(keys, listed), self.dialect)
        chosen = page.cut(sa.select(inner.c.id).where(*mine).order_by(*ordering))
        row = self.compiler.table(self.kind)
        joins, outer = self.compiler.order_through(self.kind, row, self.order)
        found = (
            sa.select(keys.c.value, *self._columns(row))
            .select_from(keys)
            .where(row.c.id.in_(chosen), *joins)
            .order_by(keys.c.key, *outer)
        )
        return compiled(found, self.dialect)

    def last_of_parents(self, relation: Relation, page: Page) -> Statement:
        """List the last rows of each parent's list; two more columns are each row's place, from 1, and the length of the list."""
        inner, terms, ordering = self._parts()
        key = inner.c[relation.ref.column]
        place = sa.func.row_number().over(partition_by=key, order_by=ordering).label("_place")
        total = sa.func.count().over(partition_by=key).label("_total")
        found = (
            sa.select(key.label("_key"), *self._columns(inner), place, total)
            .where(among_keys(key, at(KEYS)), *terms)
            .subquery()
        )
        end = sa.case((found.c._total < _number(page.end), found.c._total), else_=_number(page.end))
        kept = [found.c._place > _number(page.start), found.c._place <= end, found.c._place > end - _number(page.last)]
        return compiled(sa.select(found).where(*kept).order_by(found.c._key, found.c._place), self.dialect)

    def _parts(self) -> tuple[sa.FromClause, list[sa.ColumnElement[bool]], list[sa.ColumnElement[Any]]]:
        row = self.compiler.table(self.kind)
        joins, ordering = self.compiler.order_through(self.kind, row, self.order)
        return (
            row,
            [*self.compiler.visible(self.kind, row), *self.compiler.joined(self.kind, row, self.where), *joins],
            ordering,
        )

    def _columns(self, row: sa.FromClause) -> list[sa.ColumnElement[Any]]:
        return [row.c[name].label(f"_{number}") for number, name in enumerate(self.columns)]


@dataclass(frozen=True)
class Page:
    """The part of each list that a connection shows, as place-holders."""

    paging: Paging
    more: bool
    """One row more is read, to know whether there is one."""

    def _of(self, read: Callable[[Bounds], Any]) -> Later:
        return Later(lambda values: read(self.paging.bounds(values)))

    @property
    def start(self) -> Later:
        """Items before the page."""
        return self._of(lambda b: b.start)

    @property
    def end(self) -> Later:
        """Items before the end of the page."""
        return self._of(lambda b: b.end)

    @property
    def last(self) -> Later:
        """Items kept, counted from the end."""
        return self._of(lambda b: b.last)

    def cut(self, found: sa.Select[Any]) -> sa.Select[Any]:
        """Keep the page's rows."""
        found = found.limit(_number(self._of(lambda b: b.size + self.more)))
        return found if self.paging.after is None else found.offset(_number(self.start))


def _number(value: Any) -> sa.ColumnElement[int]:
    return sa.literal(value, sa.Integer())
