"""A plan: what is asked of the database, list by list, and how the answer is put together. Making it is the planner's work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from tomotheca.api.graphql.documents import FieldError
from tomotheca.api.graphql.paging import WHOLE
from tomotheca.api.graphql.values import KEYS
from tomotheca.errors import QueryError

if TYPE_CHECKING:
    from tomotheca.api.graphql.project import Node, Row
    from tomotheca.api.graphql.selection import Selected
    from tomotheca.api.graphql.statements import Page, Query, Statement
    from tomotheca.catalog.reading import Cursor, Reading
    from tomotheca.schema import Relation

CHUNK = 500
"""Rows of a root list that are answered together."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement with its parameters."""

    statement: Statement
    parameters: tuple[Any, ...]
    selected: Selected
    is_long: bool = False
    """Its rows may be very many."""


@dataclass(slots=True)
class Run:
    """One run of a plan."""

    connection: Reading
    values: list[Any]
    left: int
    """Rows that the answer may still have."""

    max_rows: int

    def ask(self, statement: Statement, selected: Selected, keys: Any = None, *, is_long: bool = False) -> Sent:
        """Give a statement with its parameters, for the parents whose keys are given."""
        self.values[KEYS] = keys
        try:
            return Sent(statement, statement.parameters(self.values), selected, is_long)
        except QueryError as error:
            raise FieldError(str(error), selected.node, selected.path) from error

    def ahead(self, asked: Iterable[Sent | None]) -> None:
        """Say which statements come next."""
        beginning = self.connection.beginning
        self.connection.ahead(
            [(beginning(s.statement.text) if s.is_long else s.statement.text, s.parameters) for s in asked if s]
        )

    def open(self, sent: Sent) -> Cursor:
        """Run a statement, and give the cursor over its rows."""
        run = self.connection.stream if sent.is_long else self.connection.execute
        try:
            return run(sent.statement.text, sent.parameters)
        except QueryError as error:
            raise FieldError(str(error), sent.selected.node, sent.selected.path) from error

    def take(self, cursor: Cursor, number: int, selected: Selected) -> list[Row]:
        """Take rows from a cursor.

        Raises
        ------
        FieldError
            If the answer has too many rows.
        """
        try:
            rows: list[Row] = cursor.fetchmany(min(number, self.left + 1))
        except QueryError as error:
            raise FieldError(str(error), selected.node, selected.path) from error
        self.left -= len(rows)
        if self.left < 0:
            message = f"The answer has more than {self.max_rows} rows; ask for less with where, limitOffset or first."
            raise FieldError(message, selected.node, selected.path)
        return rows

    def all(self, sent: Sent) -> list[Row]:
        """Give all rows of a statement."""
        return self.take(self.open(sent), self.left + 1, sent.selected)


@dataclass(slots=True)
class View:
    """One selection of fields of the rows of a list."""

    build: Callable[..., list[Node]]
    ones: list[One] = field(default_factory=list)
    """Relations to one, which are answered first: `build` puts them into place."""

    manys: list[Many | Tallied] = field(default_factory=list)


@dataclass(slots=True)
class Level:
    """A list of rows with every selection of them."""

    selected: Selected
    query: Query
    keyed: bool
    """The first column of the rows is their own identifier, not that of a parent."""

    views: list[View] = field(default_factory=list)

    def nodes(self, run: Run, rows: list[Row]) -> list[list[Node]]:
        """Make the nodes of rows, one list for each view, with everything below them."""
        if not rows:
            return [[] for _ in self.views]
        asked = [
            ([one.ask(run, rows) for one in v.ones], [many.ask(run, rows) for many in v.manys]) for v in self.views
        ]
        run.ahead(sent for ones, manys in asked for sent in (*ones, *(s for many in manys for s in many)))
        made = []
        for view, (ones, manys) in zip(self.views, asked, strict=True):
            nodes = view.build(rows, *[one.found(run, sent) for one, sent in zip(view.ones, ones, strict=True)])
            for many, sent in zip(view.manys, manys, strict=True):
                many.fill(run, nodes, rows, sent)
            made.append(nodes)
        return made


@dataclass(slots=True)
class One:
    """A relation to one."""

    index: int
    """Place of the foreign key in the parent's rows."""

    level: Level
    statement: Statement

    def ask(self, run: Run, rows: list[Row]) -> Sent | None:
        """Ask for the related rows of some rows."""
        index = self.index
        keys = {row[index] for row in rows}
        keys.discard(None)
        return run.ask(self.statement, self.level.selected, list(keys)) if keys else None

    def found(self, run: Run, sent: Sent | None) -> dict[int, Node]:
        """Give the related nodes by identifier."""
        if sent is None:
            return {}
        related = run.all(sent)
        return dict(zip([row[0] for row in related], self.level.nodes(run, related)[0], strict=True))


@dataclass
class Many:
    """A relation to many: a connection for every parent."""

    key: str
    index: int
    """Place of the identifier in the parent's rows."""

    level: Level
    relation: Relation
    page: Page
    make: Callable[[list[list[Node]], int, int, bool, bool], Node]

    @cached_property
    def of_one(self) -> Statement:
        """Statement for a single parent."""
        return self.level.query.of_parent(self.relation, self.page)

    @cached_property
    def of_several(self) -> Statement:
        """Statement for any number of parents."""
        make = self.level.query.last_of_parents if self.page.paging.backwards else self.level.query.of_parents
        return make(self.relation, self.page)

    def ask(self, run: Run, rows: list[Row]) -> list[Sent]:
        """Ask for the rows of some parents."""
        index, selected = self.index, self.level.selected
        if len(rows) == 1 and not self.page.paging.backwards:
            return [run.ask(self.of_one, selected, rows[0][index])]
        return [run.ask(self.of_several, selected, [row[index] for row in rows])]

    def fill(self, run: Run, nodes: list[Node], rows: list[Row], asked: list[Sent]) -> None:
        """Put the connection into every node."""
        index, key = self.index, self.key
        bounds = WHOLE if self.page.paging.plain else self.page.paging.bounds(run.values)
        (related,) = (run.all(sent) for sent in asked)
        groups = (
            self._last(related)
            if self.page.paging.backwards
            else _groups(related, bounds.start, bounds.size if self.page.more else None)
        )
        kept = groups.rows
        made = self.level.nodes(run, kept)
        whole, make = len(groups.spans) == 1, self.make
        found = {
            parent: make(
                made if whole else [nodes[begin : begin + count] for nodes in made], start, count, after, start > 0
            )
            for parent, begin, count, start, after in groups.spans
        }
        empty = make([[] for _ in made], bounds.start, 0, False, bounds.start > 0)
        for node, row in zip(nodes, rows, strict=True):
            node[key] = found.get(row[index], empty)

    @staticmethod
    def _last(rows: list[Row]) -> Groups:
        """Group rows that end with their place and the length of the list."""
        groups = _groups(rows, 0, None)
        spans = [(k, b, n, rows[b][-2] - 1, rows[b + n - 1][-2] < rows[b][-1]) for k, b, n, _, _ in groups.spans]
        return Groups([row[:-2] for row in rows], spans)


@dataclass(slots=True)
class Part:
    """One ``aggregate`` of an aggregate field."""

    selected: Selected
    statement: Statement
    build: Callable[[list[Row]], list[Node]]
    grouped: bool = False


@dataclass(slots=True)
class Tallied:
    """An aggregate: of a whole list at the root, or of the list of every parent."""

    key: str
    index: int
    """Place of the parent's identifier in its rows."""

    parts: list[Part]
    make: Callable[[list[list[Node]]], Node]
    relation: Relation | None = None
    """From the parent to the rows, if there is a parent."""

    def pieces(self, run: Run, asked: list[Sent]) -> Iterator[bytes]:
        """Give the answer of the root field."""
        yield orjson.dumps(self.make([part.build(run.all(sent)) for part, sent in self._paired(asked)]))

    def ask(self, run: Run, rows: Sequence[Row] = ()) -> list[Sent]:
        """Ask for what is counted, of the whole list or of some parents."""
        keys = [row[self.index] for row in rows]
        return [run.ask(part.statement, part.selected, keys) for part in self.parts]

    def fill(self, run: Run, nodes: list[Node], rows: list[Row], asked: list[Sent]) -> None:
        """Put the answer into every node."""
        index, key, make = self.index, self.key, self.make
        found = [_by_parent(part, run.all(sent)) for part, sent in self._paired(asked)]
        for node, row in zip(nodes, rows, strict=True):
            node[key] = make([groups.get(row[index], []) for groups in found])

    def _paired(self, asked: list[Sent]) -> Iterator[tuple[Part, Sent]]:
        return zip(self.parts, asked, strict=True)


def _by_parent(part: Part, rows: list[Row]) -> dict[int, list[Node]]:
    groups: dict[int, list[Node]] = {}
    for row, node in zip(rows, part.build(rows), strict=True):
        groups.setdefault(row[0], []).append(node)
    return groups


Span = tuple[int, int, int, int, bool]
"""Parent, place of its first row, number of rows, place of the first in the whole list, whether there are more."""


@dataclass(slots=True)
class Groups:
    """Rows of several parents."""

    rows: list[Row]
    spans: list[Span]


def _groups(rows: list[Row], start: int, size: int | None) -> Groups:
    """Find where the rows of each parent begin; with a size, keep so many of each and note where there are more."""
    spans: list[Span] = []
    kept: list[Row] = []
    begin, total = 0, len(rows)
    while begin < total:
        parent = rows[begin][0]
        end = begin + 1
        while end < total and rows[end][0] == parent:
            end += 1
        count = end - begin if size is None else min(end - begin, size)
        spans.append((parent, begin if size is None else len(kept), count, start, end - begin > count))
        if size is not None:
            kept += rows[begin : begin + count]
        begin = end
    return Groups(rows if size is None else kept, spans)


@dataclass(slots=True)
class Listed:
    """A root list."""

    key: str
    level: Level
    statement: Statement
    limit: Any = None
    """Most rows, or the place-holder of that; None or less than none is no limit."""

    def ask(self, run: Run) -> list[Sent]:
        """Ask for the rows."""
        return [run.ask(self.statement, self.level.selected, is_long=True)]

    def pieces(self, run: Run, asked: list[Sent]) -> Iterator[bytes]:
        """Give the answer piece by piece."""
        (cursor,) = (run.open(sent) for sent in asked)
        before = b"["
        while rows := run.take(cursor, CHUNK, self.level.selected):
            yield before
            yield orjson.dumps(self.level.nodes(run, rows)[0])[1:-1]
            if len(rows) < CHUNK:
                break
            before = b","
        yield b"[]" if not rows and before == b"[" else b"]"


@dataclass(slots=True)
class Constant:
    """A root field whose answer is known."""

    key: str
    answer: bytes

    def ask(self, _: Run) -> list[Sent]:
        """Ask for nothing."""
        return []

    def pieces(self, _: Run, __: list[Sent]) -> Iterator[bytes]:
        """Give the answer."""
        yield self.answer


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one operation asks."""

    roots: Sequence[Listed | Tallied | Constant]

    def pieces(self, run: Run) -> Iterator[bytes]:
        """Give the answer piece by piece."""
        before = b'{"data":{'
        asked = [root.ask(run) for root in self.roots]
        run.ahead(sent for statements in asked for sent in statements)
        for root, statements in zip(self.roots, asked, strict=True):
            yield before + orjson.dumps(root.key) + b":"
            yield from root.pieces(run, statements)
            before = b","
        yield b"}}" if self.roots else b'{"data":{}}'
