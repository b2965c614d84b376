"""Counts, sums and groups of a list: one statement for all parents, and the function that makes answers of its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.api.graphql.project import compiled as function
from tomotheca.api.graphql.project import shown
from tomotheca.api.graphql.statements import Statement, compiled
from tomotheca.api.graphql.values import KEYS, at
from tomotheca.catalog.later import among_keys

if TYPE_CHECKING:
    from tomotheca.api.graphql.project import Node, Row
    from tomotheca.catalog.query import Clause, Compiler
    from tomotheca.schema import Relation
    from tomotheca.schema.core import Column

FUNCTIONS: dict[str, Callable[[Any], sa.ColumnElement[Any]]] = {
    "sum": sa.func.sum,
    "avg": sa.func.avg,
    "stddev": sa.func.stddev_samp,
    "variance": sa.func.var_samp,
    "min": sa.func.min,
    "max": sa.func.max,
}
"""SQL of the functions; deviation and variance are those of a sample."""

DIGITS = 9
"""Decimals that are looked at before a number is cut off, so that 1.9999999999 is 2."""

Path = tuple[str, ...]


@dataclass
class Tally:
    """What one ``aggregate`` selects, while it is collected. The first column of the rows is the key of the parent."""

    compiler: Compiler
    dialect: sa.Dialect
    kind: str
    where: Clause
    columns: list[sa.ColumnElement[Any]] = field(default_factory=list)
    groups: list[sa.ColumnElement[Any]] = field(default_factory=list)
    order: list[sa.ColumnElement[Any]] = field(default_factory=list)
    terms: list[sa.ColumnElement[bool]] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    """Names that the function of the answer uses."""

    counts: sa.FromClause | None = None
    """Where the rows have been counted by value already, and nothing else is asked: those counts."""

    def __post_init__(self) -> None:
        row = self.compiler.table(self.kind) if self.counts is None else self.counts
        self.rows: dict[Path, tuple[str, sa.FromClause]] = {(): (self.kind, row)}
        self.terms += self.compiler.visible(self.kind, row)
        self.terms += self.compiler.joined(self.kind, row, self.where)

    def count(self, column: Column | None, *, distinct: bool) -> str:
        """Count rows, or the different values of a column that are not null."""
        if column is None or not distinct:
            return self._take(sa.func.count() if self.counts is None else sa.func.sum(self.counts.c._count))
        return self._take(sa.func.count(sa.distinct(self.compiler.missing(column, self.rows[()][1]))))

    def compute(self, name: str, column: Column) -> str:
        """Apply a function to a column. What is computed of whole numbers is a whole number, cut off."""
        row = self.rows[()][1]
        whole = {"min": self.compiler.shown, "max": self.compiler.shown}.get(name, self.compiler.missing)
        value = self._take(FUNCTIONS[name](whole(column, row)))
        if column.type not in {int, float}:
            return value
        made = f"float({value})" if column.type is float else f"int(round({value}, {DIGITS}))"
        return f"None if {value} is None else {made}"

    def follow(self, path: Path, relation: Relation) -> Path:
        """Join the rows of a relation: one row for every pair. Rows without a related one are left out."""
        further = (*path, relation.name)
        if further not in self.rows:
            other = self.compiler.table(relation.target)
            self.terms += (
                self.compiler.join(relation, self.rows[path][1], other),
                *self.compiler.visible(relation.target, other),
            )
            self.rows[further] = relation.target, other
        return further

    def group(self, path: Path, column: Column) -> str:
        """Group by a column of the rows themselves or of related ones."""
        kind, row = self.rows[path]
        value = self.compiler.missing(column, row)
        self.groups.append(value)
        self.order.append(self.compiler.sorted(kind, row, column.name, "asc"))
        return shown(kind, column, self._take(value), self.names, self.compiler.prefixes)

    def _take(self, value: sa.ColumnElement[Any]) -> str:
        self.columns.append(value)
        return f"c{len(self.columns)}"

    def of_all(self) -> Statement:
        """Tally the whole list."""
        return self._statement(sa.literal_column("0"), self.groups, self.order)

    def of_parents(self, relation: Relation) -> Statement:
        """Tally the list of each parent among the keys."""
        key = self.rows[()][1].c[relation.ref.column]
        self.terms.append(among_keys(key, at(KEYS)))
        return self._statement(key, [key, *self.groups], [key, *self.order])

    def _statement(self, key: Any, groups: Sequence[Any], order: Sequence[Any]) -> Statement:
        if not self.columns:
            self.count(None, distinct=False)  # the statement must be one that puts rows together
        named = [value.label(f"_{number}") for number, value in enumerate(self.columns)]
        found = sa.select(key.label("_key"), *named).select_from(self.rows[()][1]).where(*self.terms)
        return compiled(found.group_by(*groups).order_by(*order) if groups else found, self.dialect)

    def build(self, source: str) -> Callable[[list[Row]], list[Node]]:
        """Compile the function of rows whose items are made by an expression."""
        row = ", ".join(f"c{i}" for i in range(len(self.columns) + 1))
        made: Callable[[list[Row]], list[Node]] = function(f"lambda rows: [{source} for ({row},) in rows]", self.names)
        return made
