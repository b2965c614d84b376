"""Lists: one page of items, or all rows as a stream."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tomotheca.api.rest.cursors import decode, digest, encode
from tomotheca.api.rest.plans import Asked
from tomotheca.api.rest.query import MAX_PAGE, PAGE, Query
from tomotheca.catalog.writers import WRITERS, objects
from tomotheca.errors import NotFoundError, QueryError

if TYPE_CHECKING:
    from tomotheca.api.rest.plans import Bound, Plans
    from tomotheca.catalog.reading import Reading, Row
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.web.portal import Memory

CHUNK = 500
"""Rows of a stream that are read together."""


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    items: list[dict[str, Any]]
    cursor: str | None
    """Where the next page begins; None on the last one."""

    total: int | None
    """Rows of the whole list; None if nobody asked."""


@dataclass(frozen=True)
class Stream:
    """An answer that is still being read from the catalogue."""

    first: bytes
    rest: Generator[bytes]

    def pieces(self) -> Iterator[bytes]:
        """Give the answer."""
        yield self.first
        yield from self.rest

    def close(self) -> None:
        """End the transaction."""
        self.rest.close()


@dataclass(frozen=True)
class Lists:
    """Answers queries."""

    plans: Plans
    max_rows: int
    totals: Memory | None = None
    """Numbers of rows that were counted since the catalogue changed; None counts anew for each page."""

    def page(self, query: Query, viewer: Viewer) -> Page:
        """Give a page.

        Raises
        ------
        QueryError
            If the limit is too high or the cursor of another list.
        """
        limit = query.limit or PAGE
        if limit > MAX_PAGE:
            message = f"limit: a page has at most {MAX_PAGE} items; follow `next`, or ask for .ndjson, .csv or .parquet, which have all"
            raise QueryError(message)
        stamp = self.plans.catalog.watch.stamp(viewer)
        asked = Asked(viewer, decode(query) if query.cursor else (), limit + 1)
        with self.plans.catalog.reading() as reading:
            bound = self.plans.bind(query, asked, reading)
            rows = _all(reading, bound)
            whole = len(rows) <= limit and not query.cursor
            total = len(rows) if whole else self._kept(query, viewer, stamp, partial(self._total, reading, bound))
        kept = rows[:limit]
        width = len(bound.plan.fields)
        items = list(objects(bound.plan.fields, [r[:width] for r in kept]))
        return Page(
            items, encode(query, kept[-1][width:]) if len(rows) > limit else None, total if query.total else None
        )

    def _kept(self, query: Query, viewer: Viewer, stamp: str, count: Callable[[], int]) -> int | None:
        """Count, or give what was counted for another page of the list."""
        if not query.total or self.totals is None:
            return count() if query.total else None
        return self.totals.get((stamp, viewer.curator, digest(query)), count)

    @staticmethod
    def _total(reading: Reading, bound: Bound) -> int:
        statement = bound.plan.total
        ((found,),) = reading.execute(statement.text, bound.parameters(statement)).fetchall()
        return int(found)

    def item(self, query: Query, viewer: Viewer) -> dict[str, Any]:
        """Give the only item of a list.

        Raises
        ------
        NotFoundError
            If there is none that the viewer sees.
        """
        with self.plans.catalog.reading() as reading:
            bound = self.plans.bind(query, Asked(viewer, limit=1), reading)
            rows = _all(reading, bound)
        if not rows:
            raise NotFoundError(query.kind)
        return next(objects(bound.plan.fields, [rows[0][: len(bound.plan.fields)]]))

    def total(self, query: Query, viewer: Viewer) -> int:
        """Count the rows of a list."""
        with self.plans.catalog.reading() as reading:
            return self._total(reading, self.plans.bind(query, Asked(viewer), reading))

    def check(self, query: Query, viewer: Viewer) -> None:
        """Make sure that a list can be streamed.

        Raises
        ------
        QueryError
            If it has more rows than an answer may have.
        """
        with self.plans.catalog.reading() as reading:
            self._ready(reading, query, viewer)

    def stream(self, query: Query, viewer: Viewer, form: str) -> Stream:
        """Give all rows in a format, piece by piece; the first piece is made now, so that errors are answers of their own.

        Raises
        ------
        QueryError
            If there are more rows than an answer may have.
        """
        pieces = self._pieces(query, viewer, form)
        return Stream(next(pieces, b""), pieces)

    def _pieces(self, query: Query, viewer: Viewer, form: str) -> Generator[bytes]:
        with self.plans.catalog.reading() as reading:
            bound = self._ready(reading, query, viewer)
            width = len(bound.plan.fields)
            yield from WRITERS[form].write(bound.plan.fields, (row[:width] for row in _rows(reading, bound)))

    def _ready(self, reading: Reading, query: Query, viewer: Viewer) -> Bound:
        bound = self.plans.bind(query, Asked(viewer, decode(query) if query.cursor else (), query.limit), reading)
        if query.limit is None or query.limit > self.max_rows:
            self._check_rows(reading, bound)
        return bound

    def _check_rows(self, reading: Reading, bound: Bound) -> None:
        statement = bound.plan.most
        ((found,),) = reading.execute(statement.text, bound.parameters(statement, self.max_rows + 1)).fetchall()
        if found > self.max_rows:
            message = f"The answer would have more than {self.max_rows} rows; ask for less with filters, or give a limit and a cursor."
            raise QueryError(message)


def _all(reading: Reading, bound: Bound) -> list[Row]:
    page = bound.plan.page
    return reading.execute(page.text, bound.parameters(page)).fetchall()


def _rows(reading: Reading, bound: Bound) -> Iterator[Row]:
    page = bound.plan.page
    cursor = reading.stream(page.text, bound.parameters(page))
    while rows := cursor.fetchmany(CHUNK):
        yield from rows
