"""How many rows each option of the panel would leave.

What can be counted is read once for each version of the catalogue into arrays: for every row of a kind its run, the listed row it
counts for, and a number for the value of each counted column. A filter is asked of the catalogue by itself (which rows of its kind meet it?), and the answer
is kept; all combinations of filters are then a matter of masks. So the catalogue alone decides what a filter means and what a viewer sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import orjson
import sqlalchemy as sa

from tomotheca.web.filters import DATA_TYPES, Active, Filter, compose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.catalog.query import Clause, Compiler
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.web.portal import Portal

T = TypeVar("T")
Counts = Mapping[Any, int]
Mask = "NDArray[np.bool_]"
Numbers = "NDArray[np.int64]"

GROUPS = {"dataset": "run_id", "run": "run_id", "deposition": "deposition_id"}
"""Column that names what all conditions on parts of a run must hold for together."""

PARTS = ("annotation", "tomogram", "tiltseries")
COUNTED = frozenset({"list", "flag", "range"})
"""Widgets that show how often a value occurs."""


@dataclass(frozen=True)
class Scope:
    """What is listed, for whom, in which version of the catalogue, and where (inside one dataset, or everywhere)."""

    portal: Portal
    listing: str
    viewer: Viewer
    version: str
    within: int | None = None

    def keep(self, question: str, answer: Callable[[], T], clause: Any = None) -> T:
        """Answer a question once for each catalogue version, viewer and clause."""
        written = orjson.dumps(clause, option=orjson.OPT_SORT_KEYS)
        key = (question, self.listing, self.viewer, self.version, self.within, written)
        return self.portal.memory.get(key, answer)

    def read(
        self, kind: str, choose: Callable[[Compiler, Any], Sequence[Any]], clause: Clause | None = None
    ) -> list[Any]:
        """Read columns of all rows of a kind that the viewer sees and for which the clause holds."""
        c = self.portal.catalog.compiler(self.viewer)
        row = c.table(kind)
        inside = [] if self.within is None else [row.c["_owner"] == self.within]
        statement = sa.select(*choose(c, row)).where(*c.visible(kind, row), *c.where(kind, row, clause), *inside)
        return list(self.portal.catalog.rows(statement))

    def ids(self, kind: str, clause: Clause) -> NDArray[np.int64]:
        """Give the ids of the rows of a kind that meet a clause."""
        return self.keep(
            f"ids {kind}", lambda: _numbers(r[0] for r in self.read(kind, lambda _, row: [row.c.id], clause)), clause
        )


def _numbers(values: Iterable[int | None]) -> NDArray[np.int64]:
    return np.fromiter((-1 if v is None else v for v in values), np.int64)


@dataclass(frozen=True)
class Frame:
    """The listed rows and the groups, and which listed row each group counts for."""

    owners: NDArray[np.int64]
    groups: NDArray[np.int64]
    owner_of: NDArray[np.int64]

    @staticmethod
    def place(ids: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the place of each id among the known ones, which are sorted; one past the end where it is not."""
        at = np.searchsorted(known, ids)
        inside = np.minimum(at, max(len(known) - 1, 0))
        return np.where(known[inside] == ids, inside, len(known)) if len(known) else np.zeros(len(ids), np.int64)


@dataclass(frozen=True)
class Table:
    """The rows of one kind: ids, group, and a number for each value of each column."""

    ids: NDArray[np.int64]
    group: NDArray[np.int64]
    parent: NDArray[np.int64]
    """Id of the annotation, for shapes."""

    codes: Mapping[str, NDArray[np.int64]]
    values: Mapping[str, Sequence[Any]]


def count_options(scope: Scope, filters: Sequence[Filter], active: Sequence[Active]) -> dict[str, Counts]:
    """Give, for each counted filter, the number of rows that each option would leave."""
    counted = [f for f in filters if f.widget in COUNTED and (f.kind or f.parameter == "files")]
    frame = _frame(scope)
    columns: dict[str, list[str]] = {}
    for f in counted:
        columns.setdefault(f.kind, []).append(f.column)
    return {f.parameter: _count(_Counting(scope, frame, columns), f, active) for f in counted}


@dataclass(frozen=True)
class _Counting:
    """What counting one option needs besides the filters."""

    scope: Scope
    frame: Frame
    columns: Mapping[str, Sequence[str]]


def _count(counting: _Counting, f: Filter, active: Sequence[Active]) -> Counts:
    scope, frame = counting.scope, counting.frame
    others = [a for a in active if a.filter.parameter != f.parameter]
    owners = _owners(scope, frame, others)
    if f.parameter == "files":
        chosen = next((a.values for a in active if a.filter.parameter == "files"), ())
        return _count_files(scope, frame, _groups(scope, frame, others) & owners[frame.owner_of], chosen)
    if f.level in {"dataset", "deposition"}:
        held = owners & _holding(frame, _groups(scope, frame, others)) if _on_groups(others) else owners
        return _tally([_taken(_table(counting, f.kind), f.column, len(frame.owners), held)])
    groups = _groups(scope, frame, others, skip=f.level) & owners[frame.owner_of]
    table = _table(counting, f.kind)
    rows = _grouped(groups, table) & _own(scope, table, f, others)
    found = [_seen(frame, table, f.column, rows)]
    if f.identified and scope.listing != "deposition" and not any(a.filter.level == f.level for a in others):
        table = _table(counting, "identified_object", (f.column,))
        found.append(_seen(frame, table, f.column, _grouped(groups, table)))
    return _tally(found)


def _on_groups(active: Sequence[Active]) -> bool:
    return any(a.filter.level not in {"dataset", "deposition"} for a in active)


def _frame(scope: Scope) -> Frame:
    def answer() -> Frame:
        owners = np.sort(scope.ids(scope.listing, {}))
        if scope.listing != "dataset":
            return Frame(owners, owners, np.arange(len(owners)))
        runs = np.array(
            [tuple(r) for r in scope.read("run", lambda _, row: [row.c.id, row.c.dataset_id])], np.int64
        ).reshape(-1, 2)
        runs = runs[np.argsort(runs[:, 0])]
        return Frame(owners, runs[:, 0], Frame.place(runs[:, 1], owners))

    return scope.keep("frame", answer)


def _table(counting: _Counting, kind: str, given: Sequence[str] = ()) -> Table:
    """Read the counted columns of a kind into arrays."""
    scope, frame, names = counting.scope, counting.frame, given or counting.columns[kind]

    def choose(c: Compiler, row: Any) -> list[Any]:
        parent = row.c.annotation_id if kind == "annotation_shape" else sa.null()
        return [row.c.id, _group_column(scope, c, kind, row), parent, *(row.c[n] for n in names)]

    def answer() -> Table:
        rows = scope.read(kind, choose)
        parts = list(zip(*rows, strict=True)) or [()] * (3 + len(names))
        coded = {name: _coded(values) for name, values in zip(names, parts[3:], strict=True)}
        known = frame.owners if kind in (scope.listing, "deposition_type") else frame.groups
        group = Frame.place(_numbers(parts[1]), known)
        return Table(
            _numbers(parts[0]),
            group,
            _numbers(parts[2]),
            {n: c[0] for n, c in coded.items()},
            {n: c[1] for n, c in coded.items()},
        )

    return scope.keep(f"table {kind} {','.join(names)}", answer)


def _group_column(scope: Scope, c: Compiler, kind: str, row: Any) -> Any:
    name = GROUPS[scope.listing]
    if kind in {scope.listing, "run"}:
        return row.c.id
    if name in row.c:
        return row.c[name]
    annotation = c.table("annotation")
    return sa.select(annotation.c[name]).where(annotation.c.id == row.c.annotation_id).scalar_subquery()


def _coded(values: Sequence[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    numbers: dict[Any, int] = {}
    codes = np.fromiter((numbers.setdefault(v, len(numbers)) for v in values), np.int64, len(values))
    return codes, list(numbers)


def _owners(scope: Scope, frame: Frame, active: Sequence[Active]) -> NDArray[np.bool_]:
    """Mark the listed rows that the filters on them leave; one more place, for what belongs to none."""
    here = [a for a in active if a.filter.level in {"dataset", "deposition"}]
    marked = np.zeros(len(frame.owners) + 1, bool)
    marked[:-1] = not here
    if here:
        marked[Frame.place(scope.ids(scope.listing, compose(scope.listing, here)), frame.owners)] = True
        marked[-1] = False
    return marked


def _groups(scope: Scope, frame: Frame, active: Sequence[Active], *, skip: str = "") -> NDArray[np.bool_]:
    """Mark the groups that meet every filter on runs and their parts, one level left out."""
    marked = np.ones(len(frame.groups), bool)
    for a in active:
        if a.filter.level == "run":
            marked &= _mark(frame, scope.ids("run", a.filter.clause(a.values)))
    for level in PARTS:
        here = [a for a in active if a.filter.level == level]
        if here and level != skip:
            marked &= _with_part(scope, frame, level, here)
    return marked


def _mark(frame: Frame, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    marked = np.zeros(len(frame.groups) + 1, bool)
    marked[Frame.place(groups, frame.groups)] = True
    return marked[:-1]


def _with_part(scope: Scope, frame: Frame, kind: str, active: Sequence[Active]) -> NDArray[np.bool_]:
    """Mark the groups with one part that meets all the filters."""
    clause: Clause = {"_and": [a.filter.clause(a.values) for a in active]}
    found = _mark(frame, _group_ids(scope, kind, clause))
    if scope.listing != "deposition" and all(a.filter.identified for a in active):
        found |= _mark(frame, _group_ids(scope, "identified_object", clause))
    return found


def _group_ids(scope: Scope, kind: str, clause: Clause) -> NDArray[np.int64]:
    name = GROUPS[scope.listing]
    return scope.keep(
        f"groups {kind}",
        lambda: np.unique(_numbers(r[0] for r in scope.read(kind, lambda _, row: [row.c[name]], clause))),
        clause,
    )


def _own(scope: Scope, table: Table, f: Filter, active: Sequence[Active]) -> NDArray[np.bool_]:
    """Mark the rows that meet the other filters of their own level."""
    here = [a for a in active if a.filter.level == f.level]
    if not here:
        return np.ones(len(table.ids), bool)
    wanted = scope.ids(f.level, {"_and": [a.filter.clause(a.values) for a in here]})
    return np.isin(table.parent if f.kind == "annotation_shape" else table.ids, wanted)


def _grouped(groups: NDArray[np.bool_], table: Table) -> NDArray[np.bool_]:
    return np.append(groups, False)[table.group]


def _holding(frame: Frame, groups: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the listed rows that have one of the groups."""
    marked = np.zeros(len(frame.owners) + 1, bool)
    marked[frame.owner_of[groups]] = True
    return marked


Seen = tuple[Sequence[Any], "NDArray[np.bool_]"]
"""Values of a column, and for each a mark at every listed row where it occurs."""


def _seen(frame: Frame, table: Table, column: str, rows: NDArray[np.bool_]) -> Seen:
    values = table.values[column]
    marked = np.zeros((len(values), len(frame.owners) + 1), bool)
    marked[table.codes[column][rows], frame.owner_of[table.group[rows]]] = True
    return values, marked[:, :-1]


def _taken(table: Table, column: str, number: int, owners: NDArray[np.bool_]) -> Seen:
    values = table.values[column]
    marked = np.zeros((len(values), number + 1), bool)
    rows = owners[table.group]
    marked[table.codes[column][rows], table.group[rows]] = True
    return values, marked[:, :-1]


def _tally(found: Sequence[Seen]) -> Counts:
    """Count the listed rows of each value; a value seen twice in one counts once."""
    merged: dict[Any, Any] = {}
    for values, marked in found:
        for value, row in zip(values, marked, strict=True):
            merged[value] = merged[value] | row if value in merged else row
    return {value: int(row.sum()) for value, row in merged.items() if row.any()}


def _count_files(scope: Scope, frame: Frame, groups: NDArray[np.bool_], chosen: Sequence[str]) -> Counts:
    """Count the rows that one more required data type would leave."""

    def answer() -> Any:
        rows = scope.read("run", lambda c, row: [row.c.id, *present(c, row)])
        marked = np.zeros((len(frame.groups) + 1, len(DATA_TYPES)), bool)
        for row, place in zip(rows, Frame.place(_numbers(r[0] for r in rows), frame.groups), strict=True):
            marked[place] = row[1:]
        return marked[:-1]

    held, names = scope.keep("contents", answer), list(DATA_TYPES)
    required = groups & np.all(held[:, [names.index(n) for n in chosen]], axis=1)
    return {name: len(np.unique(frame.owner_of[required & held[:, i]])) for i, name in enumerate(names)}


def present(c: Compiler, run: sa.FromClause) -> Iterable[sa.ColumnElement[bool]]:
    """Give, for a run, whether each type of data is there."""
    relations = c.schema.relations("run")
    return [
        c.related(relations[relation], run, clause).label(name) for name, (_, relation, clause) in DATA_TYPES.items()
    ]
