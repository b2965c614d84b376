"""How many rows each option of the panel would leave: a few DISTINCT statements, kept until the catalogue changes.

For every kind of entity with counted columns, one statement reads the distinct combinations of those columns with the row they count
for. Options are then counted over the combinations. Filters on the dataset itself are applied to the result, not to the statement, so
that they cost nothing new.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from tomotheca.web.filters import DATA_TYPES, Active, Filter, compose, run_terms

if TYPE_CHECKING:
    from tomotheca.catalog.query import Clause, Compiler
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.web.portal import Portal

Counts = Mapping[Any, int]
Combination = tuple[Any, ...]

COUNTED = frozenset({"list", "flag", "range"})
"""Widgets that show how often a value occurs."""

OWNERS = {"dataset": "_owner", "run": "run_id", "deposition": "deposition_id"}
"""Column that says for which listed row something counts."""


@dataclass(frozen=True)
class Scope:
    """What is listed, for whom, in which version of the catalogue, and where (inside one dataset, or everywhere)."""

    portal: Portal
    listing: str
    viewer: Viewer
    version: int
    within: int | None = None

    def keep(self, question: str, clause: Any, answer: Any) -> Any:
        """Answer a question once for each catalogue version, viewer and clause."""
        written = orjson.dumps(clause, option=orjson.OPT_SORT_KEYS)
        return self.portal.memory.get((question, self.listing, self.viewer, self.version, self.within, written), answer)


def count_options(scope: Scope, filters: Sequence[Filter], active: Sequence[Active]) -> dict[str, Counts]:
    """Give, for each counted filter, the number of rows that each option would leave."""
    counted = [f for f in filters if f.widget in COUNTED and (f.kind or f.parameter == "files")]
    return {
        f.parameter: _count_files(scope, active) if f.parameter == "files" else _count(scope, f, counted, active)
        for f in counted
    }


def _count(scope: Scope, f: Filter, counted: Sequence[Filter], active: Sequence[Active]) -> Counts:
    others = [a for a in active if a.filter.parameter != f.parameter]
    allowed = _allowed(scope, others)
    kinds = [(f.kind, f.level)]
    if f.identified and scope.listing != "deposition" and not any(a.filter.level == "annotation" for a in others):
        kinds.append(("identified_object", "annotation"))
    found: dict[Any, set[int]] = defaultdict(set)
    for kind, level in kinds:
        columns = [c.column for c in counted if c.kind == kind] or [f.column]
        place = columns.index(f.column) + 1
        for combination in _combinations(scope, kind, columns, _inside(kind, level, others)):
            if allowed is None or combination[0] in allowed:
                found[combination[place]].add(combination[0])
    return {value: len(rows) for value, rows in found.items()}


def _inside(kind: str, level: str, others: Sequence[Active]) -> Clause:
    """Give the condition on a row of the counted kind: its own level's filters, and the rest on its run."""
    if level in {"dataset", "deposition"}:
        return {}
    if level == "run":
        rest = run_terms(others)
        return {"_and": rest} if rest else {}
    own = [] if kind == "identified_object" else [a.filter.clause(a.values) for a in others if a.filter.level == level]
    rest = run_terms(others, skip=level)
    terms = [*own, *([{"run": {"_and": rest}}] if rest else [])]
    if not terms:
        return {}
    return {"annotation": {"_and": terms}} if kind == "annotation_shape" else {"_and": terms}


def _allowed(scope: Scope, others: Sequence[Active]) -> set[int] | None:
    """Give the rows that filters on the dataset (or deposition) leave; None for all.

    Where the counted thing hangs on the dataset itself, the run-level filters must be in here too: they always are, since
    asking twice is cheap and never wrong.
    """
    if not others:
        return None
    clause = compose(scope.listing, others)

    def answer() -> set[int]:
        c = scope.portal.catalog.compiler(scope.viewer)
        row = c.table(scope.listing)
        terms = [*c.visible(scope.listing, row), *c.where(scope.listing, row, clause), *_narrow(scope, row)]
        return {r["id"] for r in scope.portal.catalog.execute(sa.select(row.c.id).where(*terms))}

    kept: set[int] = scope.keep("allowed", clause, answer)
    return kept


def _narrow(scope: Scope, row: sa.FromClause) -> list[sa.ColumnElement[bool]]:
    return [] if scope.within is None else [row.c["_owner"] == scope.within]


def _combinations(scope: Scope, kind: str, columns: Sequence[str], clause: Clause) -> list[Combination]:
    def answer() -> list[Combination]:
        c = scope.portal.catalog.compiler(scope.viewer)
        row = c.table(kind)
        statement = sa.select(_owner(scope, c, kind, row), *(row.c[name] for name in columns)).distinct()
        statement = statement.where(*c.visible(kind, row), *c.where(kind, row, clause), *_narrow(scope, row))
        return _rows(scope, statement)

    kept: list[Combination] = scope.keep(f"combinations {kind} {columns}", clause, answer)
    return kept


def _rows(scope: Scope, statement: sa.Executable) -> list[Combination]:
    with scope.portal.catalog.engine.connect() as connection:
        return [tuple(r) for r in connection.execute(statement)]


def _owner(scope: Scope, c: Compiler, kind: str, row: sa.FromClause) -> sa.ColumnElement[Any]:
    """Give the column that names the listed row."""
    name = OWNERS[scope.listing]
    if kind == scope.listing:
        return row.c.id
    if name in row.c:
        return row.c[name]
    parent = c.table("annotation")
    return sa.select(parent.c[name]).where(parent.c.id == row.c.annotation_id).scalar_subquery()


def _count_files(scope: Scope, active: Sequence[Active]) -> Counts:
    chosen = next((a.values for a in active if a.filter.parameter == "files"), ())
    others = [a for a in active if a.filter.parameter != "files"]
    allowed = _allowed(scope, others)
    rest = run_terms(others)
    found: dict[str, set[int]] = {name: set() for name in DATA_TYPES}
    for owner, *flags in _contents(scope, {"_and": rest} if rest else {}):
        if allowed is not None and owner not in allowed:
            continue
        present = {name for name, flag in zip(DATA_TYPES, flags, strict=True) if flag}
        if present.issuperset(chosen):
            for name in present:
                found[name].add(owner)
    return {name: len(rows) for name, rows in found.items()}


def _contents(scope: Scope, clause: Clause) -> list[Combination]:
    def answer() -> list[Combination]:
        c = scope.portal.catalog.compiler(scope.viewer)
        row = c.table("run")
        statement = sa.select(_owner(scope, c, "run", row), *present(c, row)).distinct()
        return _rows(scope, statement.where(*c.visible("run", row), *c.where("run", row, clause), *_narrow(scope, row)))

    kept: list[Combination] = scope.keep("contents", clause, answer)
    return kept


def present(c: Compiler, run: sa.FromClause) -> Iterable[sa.ColumnElement[bool]]:
    """Give, for a run, whether each type of data is there."""
    relations = c.schema.relations("run")
    return [
        c.related(relations[relation], run, clause).label(name) for name, (_, relation, clause) in DATA_TYPES.items()
    ]
