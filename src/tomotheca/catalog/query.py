"""The one clause language -> SQL. GraphQL, REST and the page filters all compile here; visibility is added here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog.later import among, resolve, together
from tomotheca.catalog.patterns import check
from tomotheca.catalog.viewer import Viewer, visible
from tomotheca.errors import QueryError
from tomotheca.schema.rows import timestamp

if TYPE_CHECKING:
    from tomotheca.catalog.tables import Tables
    from tomotheca.schema import Relation, Schema
    from tomotheca.schema.core import Column

Clause = Mapping[str, Any]
Condition = sa.ColumnElement[bool]

TALLY = "_aggregate"
"""Ending of a relation's name where its rows are counted."""

MAX_FILTER_DEPTH = 4
"""Relations that one filter may follow, one after the other."""


def _nulls(c: sa.ColumnElement[Any], value: Any) -> Condition:
    return c.is_(None) if value else c.is_not(None)


OPERATORS: dict[str, Callable[[sa.ColumnElement[Any], Any], Condition]] = {
    "_eq": lambda c, v: c.is_(None) if v is None else c == v,
    "_neq": lambda c, v: c.is_not(None) if v is None else c != v,
    "_in": among,
    "_nin": lambda c, v: sa.and_(c.is_not(None), sa.not_(among(c, v))),
    "_gt": lambda c, v: c > v,
    "_gte": lambda c, v: c >= v,
    "_lt": lambda c, v: c < v,
    "_lte": lambda c, v: c <= v,
    "_is_null": _nulls,
    "_like": sa.func.tomo_like,
    "_nlike": lambda c, v: sa.not_(sa.func.tomo_like(c, v)),
    "_ilike": sa.func.tomo_ilike,
    "_nilike": lambda c, v: sa.not_(sa.func.tomo_ilike(c, v)),
    "_regex": sa.func.tomo_regex,
    "_nregex": lambda c, v: sa.not_(sa.func.tomo_regex(c, v)),
    "_iregex": sa.func.tomo_iregex,
    "_niregex": lambda c, v: sa.not_(sa.func.tomo_iregex(c, v)),
}
"""Comparators of the clause language. Text patterns are functions that the catalogue defines, the same on both databases."""


SAME = frozenset({"_eq", "_neq", "_in", "_nin", "_is_null"})
"""Comparators that ask for the same value: a key in the archive is compared without what its address begins with."""

LISTS = frozenset({"_in", "_nin"})
ORDERED = frozenset({"_gt", "_gte", "_lt", "_lte"})


@dataclass(frozen=True)
class Compiler:
    """Compiles clauses for one viewer."""

    schema: Schema
    tables: Tables
    viewer: Viewer
    prefixes: Mapping[str, str]
    """What stands before an archive key in an address, by location: ``s3`` and ``https``."""

    private: frozenset[str] = frozenset()
    """Columns that are null for everybody, so that a filter or an order cannot tell what the answer does not."""

    all_open: bool = False
    """Nothing is hidden while the statements run, so that they need not ask."""

    def table(self, kind: str) -> sa.FromClause:
        """Give a kind's table under a name of its own."""
        return self.tables.kinds[kind].alias()

    def counts(self, kind: str, column: Column) -> sa.FromClause | None:
        """Give a table of how often each value of a column stands in a kind's rows (``_count``), if there is one.

        Its rows are visible under the same conditions as those that they count.
        """
        found = self.tables.value_counts.get((kind, column.name))
        return None if found is None or column.name in self.private else found.alias()

    def visible(self, kind: str, row: sa.FromClause) -> list[Condition]:
        """Give the conditions under which the viewer sees a row."""
        return visible(self.tables, kind, row, self.viewer, all_open=self.all_open)

    def where(self, kind: str, row: sa.FromClause, clause: Clause | None, *, depth: int = 0) -> list[Condition]:
        """Compile a clause: every condition in it must hold for the row.

        Parameters
        ----------
        kind : str
            Kind of entity the row is of.
        row : sa.FromClause
            Table or alias of that kind.
        clause : mapping
            ``{"field": {"_eq": 1}, "relation": {...}, "_or": [{...}]}``, names in snake_case. Conditions inside a relation to many
            hold for one and the same row.

        Raises
        ------
        QueryError
            If a name is unknown, an operator does not fit, or the clause is too deep.
        """
        self._check_depth(depth)
        return [term for name, value in (clause or {}).items() for term in self._term(kind, row, name, value, depth)]

    def joined(self, kind: str, row: sa.FromClause, clause: Clause | None, *, depth: int = 0) -> list[Condition]:
        """Compile a clause for the ``WHERE`` of a statement that selects from the row: the same rows, but relations to one are joined.

        The database then chooses where to begin. The conditions must not be negated or be alternatives of others.
        """
        terms: list[Condition] = []
        for name, value in (clause or {}).items():
            relation = self.schema.relations(kind).get(name)
            if name == "_and":
                terms += (term for c in value for term in self.joined(kind, row, c, depth=depth))
            elif relation is None or relation.many:
                terms += self.where(kind, row, {name: value}, depth=depth)
            else:
                self._check_depth(depth + 1)
                other = self.table(relation.target)
                terms += self.join(relation, row, other), *self.visible(relation.target, other)
                terms += self.joined(relation.target, other, value, depth=depth + 1)
        return terms

    @staticmethod
    def _check_depth(depth: int) -> None:
        if depth > MAX_FILTER_DEPTH:
            message = f"Max filter depth exceeded: a filter may follow {MAX_FILTER_DEPTH} relations"
            raise QueryError(message)

    def _term(self, kind: str, row: sa.FromClause, name: str, value: Any, depth: int) -> Iterator[Condition]:
        relations = self.schema.relations(kind)
        if name == "_and":
            yield from (sa.and_(sa.true(), *self.where(kind, row, c, depth=depth)) for c in value)
        elif name == "_or":
            yield sa.or_(sa.false(), *(sa.and_(sa.true(), *self.where(kind, row, c, depth=depth)) for c in value))
        elif name == "_not":
            # A comparison with a null is neither true nor false; `_not` gives every row for which the clause does not hold.
            yield sa.not_(sa.func.coalesce(sa.and_(sa.true(), *self.where(kind, row, value, depth=depth)), sa.false()))
        elif name in relations:
            yield self.related(relations[name], row, value, depth=depth + 1)
        elif (relation := relations.get(name.removesuffix(TALLY))) and relation.many:
            yield self._counted(relation, row, value, depth + 1)
        else:
            yield from self._compare(kind, row, name, value)

    def related(self, relation: Relation, row: sa.FromClause, clause: Clause | None, *, depth: int = 1) -> Condition:
        """Give the condition that a related row exists which a viewer sees and for which the clause holds."""
        other = self.table(relation.target)
        terms = [self.join(relation, row, other), *self.visible(relation.target, other)]
        return sa.exists().where(*terms, *self.joined(relation.target, other, clause, depth=depth))

    def _counted(self, relation: Relation, row: sa.FromClause, value: Clause, depth: int) -> Condition:
        asked = value["count"]
        other = self.table(relation.target)
        counted = sa.func.count()
        if asked.get("arguments") and asked.get("distinct"):
            counted = sa.func.count(
                sa.distinct(self.missing(self.schema.by_name[relation.target][asked["arguments"]], other))
            )
        terms = [self.join(relation, row, other), *self.visible(relation.target, other)]
        terms += self.joined(relation.target, other, asked.get("filter"), depth=depth)
        number = sa.select(counted).select_from(other).where(*terms).scalar_subquery()
        return sa.and_(sa.true(), *(OPERATORS[op](number, v) for op, v in (asked.get("predicate") or {}).items()))

    @staticmethod
    def join(relation: Relation, row: sa.FromClause, other: sa.FromClause) -> Condition:
        """Give the condition that ties a related row to this one."""
        if relation.many:
            return other.c[relation.ref.column] == row.c.id
        return other.c.id == row.c[relation.ref.column]

    def _compare(self, kind: str, row: sa.FromClause, name: str, comparisons: Clause) -> Iterator[Condition]:
        column = self.schema.by_name[kind].get(name)
        if column is None:
            message = f"{kind} has no field {name!r}"
            raise QueryError(message)
        if comparisons is None:
            message = f"{kind}.{name}: a comparison cannot be null; leave it out or compare with _is_null"
            raise QueryError(message)
        for operator, value in comparisons.items():
            if operator not in OPERATORS:
                message = f"{kind}.{name}: unknown operator {operator!r}"
                raise QueryError(message)
            if value is None and operator not in {"_eq", "_neq", "_is_null"}:
                message = f"{kind}.{name}: {operator} needs a value"
                raise QueryError(message)
            yield self._operate(column, row, operator, value)

    def _operate(self, column: Column, row: sa.FromClause, operator: str, value: Any) -> Condition:
        left = self.shown(column, row) if operator not in SAME else self.missing(column, row)
        if isinstance(value, list | tuple):
            value = together(value)
        if operator != "_is_null" and (
            column.type is datetime or column.location or operator.endswith(("like", "regex"))
        ):
            step = partial(self._convert, column, operator)
            value = resolve(value, (lambda items: [step(item) for item in items]) if operator in LISTS else step)
        if column.enum and operator in ORDERED:
            left, value = rank(column, left), resolve(value, column.choices.index)
        return OPERATORS[operator](left, value)

    def _convert(self, column: Column, operator: str, value: Any) -> Any:
        """Turn a value of a clause into one that compares with the stored ones."""
        check(operator, value)
        if value is None:
            return None
        if column.type is datetime:
            return moment(column, value)
        if column.location and operator in SAME:
            prefix = self.prefixes[column.location]
            return value.removeprefix(prefix) if value.startswith(prefix) or "://" in value else f"://{value}"
        return value

    def order(self, kind: str, row: sa.FromClause, keys: Sequence[tuple[str, str]]) -> list[sa.ColumnElement[Any]]:
        """Compile ``(field, direction)`` pairs; nulls as PostgreSQL has them, ``id`` last."""
        terms = [self.sorted(kind, row, name, way) for name, way in keys]
        return [*terms, *_last(row, [name for name, _ in keys])]

    def order_through(
        self, kind: str, row: sa.FromClause, keys: Sequence[tuple[Sequence[str], str]]
    ) -> tuple[list[Condition], list[sa.ColumnElement[Any]]]:
        """Compile ``(path, direction)`` pairs, where a path may lead over relations to one.

        Returns
        -------
        tuple of lists
            Conditions for the statement's ``WHERE``, which join the related rows (a row without one is left out), and ordering terms.
        """
        joins: list[Condition] = []
        rows: dict[tuple[str, ...], tuple[str, sa.FromClause]] = {(): (kind, row)}
        terms = []
        for (*path, name), way in keys:
            for end in range(1, len(path) + 1):
                here, last = tuple(path[:end]), tuple(path[: end - 1])
                if here not in rows:
                    relation = self.schema.relations(rows[last][0])[path[end - 1]]
                    other = self.table(relation.target)
                    joins += self.join(relation, rows[last][1], other), *self.visible(relation.target, other)
                    rows[here] = relation.target, other
            terms.append(self.sorted(*rows[tuple(path)], name, way))
        return joins, [*terms, *_last(row, [name for (*path, name), _ in keys if not path])]

    def sorted(self, kind: str, row: sa.FromClause, name: str, way: str) -> sa.ColumnElement[Any]:
        """Give an ordering term; nulls come last ascending and first descending unless said otherwise."""
        value = self.sort_key(kind, row, name)
        ordered = value.desc() if way.startswith("desc") else value.asc()
        if not self.schema.by_name[kind][name].nullable:
            return ordered  # an index can give it
        first = way.endswith("nulls_first") or way == "desc"
        return ordered.nulls_first() if first else ordered.nulls_last()

    def sort_key(self, kind: str, row: sa.FromClause, name: str) -> sa.ColumnElement[Any]:
        """Give what a column is ordered by: what the wire shows, enums as they are declared."""
        column = self.schema.by_name[kind].get(name)
        if column is None:
            message = f"{kind} cannot be ordered by {name!r}"
            raise QueryError(message)
        return rank(column, row.c[name]) if column.enum else self.shown(column, row)

    def shown(self, column: Column, row: sa.FromClause) -> sa.ColumnElement[Any]:
        """Give a column's value as the wire shows it: an address for a key, a number for one that is missing."""
        return (
            address(row.c[column.name], self.prefixes[column.location])
            if column.location
            else self.missing(column, row)
        )

    def missing(self, column: Column, row: sa.FromClause) -> sa.ColumnElement[Any]:
        """Give a column; where the wire answers a value for a null, that value."""
        if column.name in self.private:
            return sa.cast(sa.null(), row.c[column.name].type)
        value: sa.ColumnElement[Any] = row.c[column.name]
        return value if column.missing is None else sa.func.coalesce(value, sa.literal_column(str(column.missing)))


def moment(column: Column, value: Any) -> str:
    """Give a date as the catalogue writes moments.

    Raises
    ------
    QueryError
        If it is none.
    """
    try:
        return timestamp(value)
    except (ValueError, OverflowError) as error:
        message = f"{column.name}: {value!r} is not a date; write YYYY-MM-DD"
        raise QueryError(message) from error


def rank(column: Column, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Give the place of an enum's code in its declaration, so that enums order as declared."""
    return sa.case(*((value == code, place) for place, code in enumerate(column.choices)), else_=None)


def address(key: sa.ColumnElement[Any], prefix: str) -> sa.ColumnElement[Any]:
    """Give the address of a stored key; a value with ``://`` was loaded as it is."""
    return sa.case((key.contains("://"), key), else_=sa.literal(prefix) + key)


def _last(row: sa.FromClause, names: Sequence[str]) -> list[sa.ColumnElement[Any]]:
    """Give the term that decides between rows that are equal in everything that was asked."""
    return [] if "id" in names else [row.c.id.asc()]
