"""What the doctor found: when first, when last, since when no more, and what is to be left as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import sqlalchemy as sa

from tomotheca.desk.tables import DIAGNOSIS, WAIVER

Transaction = Callable[[], AbstractContextManager[sa.Connection]]
BATCH = 500
"""Rows that are changed by one statement."""


class Problem(Protocol):
    """What of a finding is kept."""

    @property
    def rule(self) -> str:
        """Name of the rule."""

    @property
    def severity(self) -> str:
        """Word for how bad it is."""

    @property
    def where(self) -> str:
        """Archive key."""

    @property
    def path(self) -> str:
        """Place inside the file."""

    @property
    def message(self) -> str:
        """What is wrong."""

    @property
    def mend(self) -> str:
        """What to do."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One finding over time."""

    rule: str
    where: str
    path: str
    severity: str
    message: str
    mend: str
    first_seen: str
    """Times are ISO 8601 in UTC."""

    last_seen: str
    resolved_at: str | None
    """Time of the first examination that did not find it any more."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """What somebody decided to leave as it is."""

    rule: str
    where: str
    """Archive key; with a final slash everything below."""

    reason: str
    since: str

    def covers(self, rule: str, where: str) -> bool:
        """Say whether a finding of a rule at a place is meant."""
        inside = self.where.endswith("/") and where.startswith(self.where)
        return rule == self.rule and (where == self.where or inside)


@dataclass(frozen=True, slots=True)
class Kept:
    """How an examination changed what is known."""

    new: int
    """Found for the first time, or again."""

    known: int
    resolved: int


class Diagnoses:
    """Findings of the doctor by rule and place."""

    def __init__(self, writing: Transaction, reading: Transaction, insert: Callable[..., Any]) -> None:
        self._writing, self._reading, self._insert = writing, reading, insert

    def keep(self, problems: Sequence[Problem], *, scopes: Sequence[str], rules: Iterable[str]) -> Kept:
        """Write down what an examination found; what it looked for and did not find is resolved.

        Parameters
        ----------
        problems
            Each rule at most once at each place.
        scopes
            Beginnings of the keys that were examined; an empty one stands for all.
        rules
            Names of the rules that were applied.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        applied = set(rules)
        with self._writing() as connection:
            rows = connection.execute(sa.select(DIAGNOSIS)).all()
            known = {(r.rule, r.where, r.path): r for r in rows}
            found = {(p.rule, p.where, p.path): p for p in problems}
            fresh = [_row(p, now) for place, p in found.items() if place not in known]
            again = [(known[place], p) for place, p in found.items() if place in known]
            gone = [
                r.id
                for place, r in known.items()
                if place not in found
                and r.resolved_at is None
                and r.rule in applied
                and any(r.where.startswith(scope) for scope in scopes)
            ]
            if fresh:
                connection.execute(sa.insert(DIAGNOSIS), fresh)
            for row, problem in again:
                values = {**_row(problem, now), "first_seen": row.first_seen}
                connection.execute(sa.update(DIAGNOSIS).where(DIAGNOSIS.c.id == row.id).values(**values))
            for start in range(0, len(gone), BATCH):
                some = gone[start : start + BATCH]
                connection.execute(sa.update(DIAGNOSIS).where(DIAGNOSIS.c.id.in_(some)).values(resolved_at=now))
        back = sum(row.resolved_at is not None for row, _ in again)
        return Kept(len(fresh) + back, len(again) - back, len(gone))

    def all(self) -> tuple[Diagnosis, ...]:
        """Give everything that was ever found, by rule and place."""
        wanted = sa.select(DIAGNOSIS).order_by(DIAGNOSIS.c.rule, DIAGNOSIS.c.where, DIAGNOSIS.c.path)
        with self._reading() as connection:
            rows = connection.execute(wanted).mappings().all()
        return tuple(_diagnosis(row) for row in rows)

    def open(self, prefix: str) -> tuple[Diagnosis, ...]:
        """Give the errors that are not resolved, at places whose key begins in some way; the newest first."""
        wanted = sa.select(DIAGNOSIS).where(
            DIAGNOSIS.c.resolved_at.is_(None), DIAGNOSIS.c.severity == "error", DIAGNOSIS.c.where.startswith(prefix, autoescape=True)
        )  # fmt: skip
        with self._reading() as connection:
            rows = connection.execute(wanted.order_by(DIAGNOSIS.c.last_seen.desc(), DIAGNOSIS.c.id)).mappings().all()
        return tuple(_diagnosis(row) for row in rows)

    def waive(self, rule: str, where: str, reason: str) -> None:
        """Leave what a rule says of a place as it is, from now on."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        given = self._insert(WAIVER).values(rule=rule, where=where, reason=reason, since=since)
        with self._writing() as connection:
            connection.execute(
                given.on_conflict_do_update(index_elements=["rule", "where"], set_={"reason": reason, "since": since})
            )

    def enforce(self, rule: str, where: str) -> bool:
        """Take a decision back; whether there was one."""
        with self._writing() as connection:
            done = connection.execute(sa.delete(WAIVER).where(WAIVER.c.rule == rule, WAIVER.c.where == where))
            return bool(done.rowcount)

    def waivers(self) -> tuple[Waiver, ...]:
        """Give every decision, by rule and place."""
        wanted = sa.select(WAIVER).order_by(WAIVER.c.rule, WAIVER.c.where)
        with self._reading() as connection:
            return tuple(Waiver(r.rule, r.where, r.reason, r.since) for r in connection.execute(wanted))


def _diagnosis(row: Mapping[Any, Any]) -> Diagnosis:
    return Diagnosis(**{name: value for name, value in row.items() if name != "id"})


def _row(problem: Problem, now: str) -> dict[str, Any]:
    return {
        "rule": problem.rule,
        "where": problem.where,
        "path": problem.path,
        "severity": problem.severity,
        "message": problem.message,
        "mend": problem.mend,
        "first_seen": now,
        "last_seen": now,
        "resolved_at": None,
    }
