"""How many nodes a query would make, estimated before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.api.graphql.documents import FieldError
from tomotheca.api.graphql.paging import MAX_PAGE
from tomotheca.api.graphql.plan import Listed, Plan, Tallied
from tomotheca.api.graphql.statements import compiled
from tomotheca.catalog.later import Later
from tomotheca.errors import QueryError

if TYPE_CHECKING:
    from tomotheca.api.graphql.plan import Level, Many
    from tomotheca.api.graphql.selection import Selected
    from tomotheca.api.graphql.statements import Query, Statement
    from tomotheca.catalog.reading import Reading

GROUPS = 100
"""Most groups that an aggregate is taken for; nothing is known of a column's values before they are read."""

Count = Callable[["Query"], float]
Values = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Share:
    """The nodes at one place of a query."""

    selected: Selected
    nodes: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Walks a plan.

    A relation to many counts with the mean number of children, at most the page; a node of a relation to one counts wherever it appears, because
    it is written wherever it appears.
    """

    count: Count
    values: Values | None
    """Values of the request; without them every limit is the highest."""

    def shares(self, plan: Plan) -> Iterator[Share]:
        """Give the nodes of every list and relation."""
        for root in plan.roots:
            if isinstance(root, Listed):
                rows = self.count(root.level.query)
                limit = self._read(root.limit)
                yield from self.level(root.level, rows if limit is None or limit < 0 else min(rows, limit))
            elif isinstance(root, Tallied):
                yield from self._tallied(root, 1, GROUPS)

    def level(self, level: Level, nodes: float) -> Iterator[Share]:
        """Give the nodes of a list that has so many, and of everything below them."""
        yield Share(level.selected, nodes * max(1, len(level.views)))
        for view in level.views:
            for one in view.ones:
                yield from self.level(one.level, nodes)
            for many in view.manys:
                if isinstance(many, Tallied):
                    yield from self._tallied(many, nodes, self._groups(many, level))
                else:
                    yield from self.level(many.level, nodes * self._children(many, level))

    def _children(self, many: Many, parent: Level) -> float:
        """Give the mean number of children on a page."""
        parents = self.count(replace(parent.query, where={}, order=(), columns=[]))
        page: float = MAX_PAGE
        if self.values is not None:
            try:
                bounds = many.page.paging.bounds(self.values)
            except QueryError:  # said when the list is read
                return 0.0
            page = bounds.size if bounds.last is None else min(bounds.last, bounds.size)
        return min(self.count(many.level.query) / max(1.0, parents), page)

    def _groups(self, tallied: Tallied, parent: Level) -> float:
        """Give the most groups of a parent's rows: as many as there are rows."""
        if tallied.relation is None or not any(part.grouped for part in tallied.parts):
            return 1.0
        parents = replace(parent.query, where={}, order=(), columns=[])
        return min(self.count(replace(parents, kind=tallied.relation.target)) / max(1.0, self.count(parents)), GROUPS)

    @staticmethod
    def _tallied(tallied: Tallied, parents: float, groups: float) -> Iterator[Share]:
        for part in tallied.parts:
            yield Share(part.selected, parents * (groups if part.grouped else 1))

    def _read(self, value: Any) -> Any:
        if isinstance(value, Later):
            return None if self.values is None else value.read(self.values)
        return value


@dataclass(frozen=True, slots=True)
class Weight:
    """What a plan makes at most, whatever the values of a request are, for each row of its root lists."""

    stamp: str
    """State of the catalogue that this holds for."""

    fixed: float
    """Nodes of everything but lists."""

    lists: tuple[tuple[Any, float, float], ...]
    """Limit, rows and nodes for each row of every root list."""

    counted: dict[int, Statement] = field(default_factory=dict)
    """Statements that count what root lists let through, by the place of the root, once they have been wanted."""

    def nodes(self, values: Values, let_through: Sequence[float] = ()) -> float:
        """Give the most nodes that a request can make, with all rows or with those that the filters of its root lists let through."""
        total = self.fixed
        for place, (limit, rows, each) in enumerate(self.lists):
            most = let_through[place] if let_through else rows
            given = limit.read(values) if isinstance(limit, Later) else limit
            total += each * (most if given is None or given < 0 else min(most, given))
        return total


@dataclass
class Costs:
    """Refuses queries that would make too many nodes.

    Rows are counted at most once for each kind and state of the catalogue. A query that passes with all rows of each kind, whoever may see them,
    needs nothing more. For one that does not, the rows of its root lists are counted that the viewer sees and that their filters let through;
    only if it does not pass with these either, those of all lists.
    """

    most: int
    _stamp: str = ""
    _totals: dict[str, float] = field(default_factory=dict)

    def weigh(self, plan: Plan, reading: Reading, stamp: str) -> Weight:
        """Weigh a plan in a state of the catalogue."""
        if stamp != self._stamp:
            self._stamp, self._totals = stamp, {}
        estimate = Estimate(_Totals(self._totals, reading), None)
        lists = [
            (root.limit, estimate.count(root.level.query), _total(estimate.level(root.level, 1)))
            for root in plan.roots
            if isinstance(root, Listed)
        ]
        fixed = _total(estimate.shares(Plan([root for root in plan.roots if not isinstance(root, Listed)])))
        return Weight(stamp, fixed, tuple(lists))

    def check(self, plan: Plan, weight: Weight, values: Values, reading: Reading) -> None:
        """Check a request before anything is read for it.

        Raises
        ------
        FieldError
            If it would make too many nodes; the place that makes most of them is named.
        """
        if weight.nodes(values) <= self.most:
            return
        if weight.nodes(values, _let_through(plan, weight, values, reading)) <= self.most:
            return
        if _total(Estimate(_Totals(self._totals, reading), values).shares(plan)) <= self.most:
            return
        shares = list(Estimate(_Seen(values, reading), values).shares(plan))
        if (total := _total(shares)) > self.most:
            raise self._refusal(shares, total)

    def _refusal(self, shares: list[Share], total: float) -> FieldError:
        largest = max(shares, key=lambda s: s.nodes)
        path = ".".join(largest.selected.path)
        message = (
            f"The query would make about {_rounded(total)} nodes, {_rounded(largest.nodes)} of them at {path}; "
            f"at most {self.most:,} are answered. Ask for less with where, "
            f"with limitOffset at {largest.selected.path[0]} or with first at the lists below it."
        )
        return FieldError(message, largest.selected.node, largest.selected.path)


@dataclass(frozen=True, slots=True)
class _Totals:
    """Counts all rows of a kind, whoever may see them. What is counted here is never told."""

    known: dict[str, float]
    reading: Reading

    def __call__(self, query: Query) -> float:
        found = self.known.get(query.kind)
        if found is None:
            statement = sa.select(sa.func.count()).select_from(query.compiler.tables.kinds[query.kind])
            found = self.known[query.kind] = _number(compiled(statement, query.dialect), (), self.reading)
        return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """Counts the rows that a viewer sees and that a list's filter lets through."""

    values: Values
    reading: Reading
    known: dict[str, float] = field(default_factory=dict)

    def __call__(self, query: Query) -> float:
        key = repr((query.kind, query.where))
        if key not in self.known:
            self.known[key] = _number(query.count(), self.values, self.reading)
        return self.known[key]


def _let_through(plan: Plan, weight: Weight, values: Values, reading: Reading) -> list[float]:
    """Count the rows of every root list that a viewer sees and that its filter lets through; all rows where it has none."""
    found, roots = [], [root.level.query for root in plan.roots if isinstance(root, Listed)]
    for place, (query, (_, rows, _)) in enumerate(zip(roots, weight.lists, strict=True)):
        if not query.where:
            found.append(rows)
            continue
        statement = weight.counted.get(place)
        if statement is None:
            statement = weight.counted[place] = query.count()
        found.append(_number(statement, values, reading))
    return found


def _number(statement: Statement, values: Values, reading: Reading) -> float:
    row = reading.execute(statement.text, statement.parameters(values)).fetchone()
    return float(row[0]) if row else 0.0


def _total(shares: Iterator[Share] | list[Share]) -> float:
    return sum(share.nodes for share in shares)


def _rounded(nodes: float) -> str:
    """Give a number with two digits that count, the rest zeros."""
    zeros = max(len(str(int(nodes))) - 2, 0)
    return f"{round(nodes, -zeros):,.0f}"
