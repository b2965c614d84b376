"""How often things were downloaded, by day. Of who it was nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tomotheca.desk.tables import DOWNLOAD

Transaction = Callable[[], AbstractContextManager[sa.Connection]]


@dataclass(frozen=True, slots=True)
class Taken:
    """How often, and how many bytes."""

    times: int = 0
    size: int = 0


class Downloads:
    """Counts at the desk."""

    def __init__(self, writing: Transaction, reading: Transaction, insert: Callable[..., Any]) -> None:
        self._writing, self._reading, self._insert = writing, reading, insert

    def add(self, counts: Iterable[tuple[str, int, str, int, int]]) -> None:
        """Add to what is known: kind, identifier, day (YYYY-MM-DD), times, bytes."""
        with self._writing() as connection:
            for kind, identifier, day, times, size in counts:
                given = self._insert(DOWNLOAD).values(kind=kind, id=identifier, day=day, times=times, size=size)
                more = {"times": DOWNLOAD.c.times + times, "size": DOWNLOAD.c.size + size}
                connection.execute(given.on_conflict_do_update(index_elements=["kind", "id", "day"], set_=more))

    def of(self, kind: str, identifier: int) -> Taken:
        """Give the total of one thing."""
        return self._sum(DOWNLOAD.c.kind == kind, DOWNLOAD.c.id == identifier)

    def total(self) -> Taken:
        """Give the total of everything."""
        return self._sum()

    def by_day(self) -> dict[str, Taken]:
        """Give the total of each day, the oldest first."""
        d = DOWNLOAD.c
        wanted = sa.select(d.day, sa.func.sum(d.times).label("times"), sa.func.sum(d.size).label("size"))
        with self._reading() as connection:
            rows = connection.execute(wanted.group_by(d.day).order_by(d.day)).all()
        return {row.day: Taken(int(row.times), int(row.size)) for row in rows}

    def _sum(self, *terms: sa.ColumnElement[bool]) -> Taken:
        wanted = sa.select(sa.func.sum(DOWNLOAD.c.times), sa.func.sum(DOWNLOAD.c.size)).where(*terms)
        with self._reading() as connection:
            times, size = connection.execute(wanted).one()
        return Taken(int(times or 0), int(size or 0))
