"""The desk itself: identifiers are given here, once and never again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tomotheca.desk import backup, engine
from tomotheca.desk.address import reason, shown
from tomotheca.desk.audit import Audit
from tomotheca.desk.diagnoses import Diagnoses
from tomotheca.desk.downloads import Downloads
from tomotheca.desk.journal import Journal
from tomotheca.desk.submissions import Submissions
from tomotheca.desk.tables import COUNTER, FINDING, META, TOMBSTONE
from tomotheca.errors import ConflictError, Finding, Severity, StorageError
from tomotheca.schema import SCHEMA

if TYPE_CHECKING:
    from types import TracebackType

LARGEST = 2**31 - 1
"""Identifiers are 32-bit numbers on the wire."""

CONFIGURED = {"dataset", "deposition"}
"""Kinds whose identifiers come from configurations."""

VERSION = "catalogue_version"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of something that was removed."""

    kind: str
    id: int
    title: str
    reason: str
    buried_at: str
    """Time of the removal, ISO 8601 in UTC."""


class Desk:
    """Counters, tombstones, journal, findings and the catalogue's version; safe with several processes and threads.

    Open one per process: it must not be carried over a fork.
    """

    def __init__(self, database: sa.Engine) -> None:
        self._database = database
        inserts: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
        self._insert = inserts[database.dialect.name]
        self.journal = Journal(self.writing, self.reading, self._insert)
        self.diagnoses = Diagnoses(self.writing, self.reading, self._insert)
        self.audit = Audit(self.writing, self.reading, self._insert)
        self.downloads = Downloads(self.writing, self.reading, self._insert)
        self.submissions = Submissions(self.writing, self.reading, self._insert)

    @classmethod
    def open(cls, where: str | Path) -> Self:
        """Open a desk, make it if need be, and run its migrations; see `tomotheca.desk.engine.connect` for what is raised."""
        return cls(engine.connect(where))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._database.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one state."""
        with _storage_errors(self._database), self._database.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection that alone may write until the block ends."""
        with _storage_errors(self._database), self._database.execution_options(writes=True).begin() as connection:
            yield connection

    # --- identifiers ---------------------------------------------------------------------------------------------

    def reserve(self, kind: str, count: int = 1) -> range:
        """Take the next identifiers of a kind; nobody else gets them, and they are not given again when they stay unused.

        Raises
        ------
        ConflictError
            If 32 bits are used up.
        ValueError
            If the kind is unknown, or its identifiers come from configurations (a mistake of the caller).
        """
        if kind in CONFIGURED:
            message = f"identifiers of a {kind} come from its configuration"
            raise ValueError(message)
        with self.writing() as connection:
            first = self._last(connection, kind) + 1
            self._raise(connection, kind, first + count - 1)
        return range(first, first + count)

    def raise_above(self, kind: str, number: int) -> None:
        """Make sure that a number and all below it are never given (again)."""
        with self.writing() as connection:
            if number > self._last(connection, kind):
                self._raise(connection, kind, number)

    def high_water(self) -> dict[str, int]:
        """Give the highest identifier given so far, by kind."""
        with self.reading() as connection:
            found = connection.execute(sa.select(COUNTER).order_by(COUNTER.c.kind))
            return {row.kind: row.last for row in found}

    def _last(self, connection: sa.Connection, kind: str) -> int:
        if kind not in SCHEMA.kinds:
            message = f"{kind!r} is no kind of entity"
            raise ValueError(message)
        return connection.execute(sa.select(COUNTER.c.last).where(COUNTER.c.kind == kind)).scalar() or 0

    def _raise(self, connection: sa.Connection, kind: str, last: int) -> None:
        if last > LARGEST:
            message = f"there are no more identifiers for {kind}: 32 bits are used up"
            raise ConflictError(message)
        given = self._insert(COUNTER).values(kind=kind, last=last)
        connection.execute(given.on_conflict_do_update(index_elements=["kind"], set_={"last": last}))

    # --- what was removed ----------------------------------------------------------------------------------------

    def bury(self, kind: str, identifier: int, title: str, reason: str) -> None:
        """Remember that something was removed; its identifier is never given again. The first burial counts."""
        self.restore_tombstones([Tombstone(kind, identifier, title, reason, now())])

    def restore_tombstones(self, tombstones: Sequence[Tombstone]) -> None:
        """Take over tombstones, those of a lost desk for example."""
        with self.writing() as connection:
            for stone in tombstones:
                if stone.id > self._last(connection, stone.kind):
                    self._raise(connection, stone.kind, stone.id)
                given = self._insert(TOMBSTONE).values(
                    kind=stone.kind, id=stone.id, title=stone.title, reason=stone.reason, buried_at=stone.buried_at
                )
                connection.execute(given.on_conflict_do_nothing())

    def tombstone(self, kind: str, identifier: int) -> Tombstone | None:
        """Give the tombstone of an identifier, or None when nothing of that number was removed."""
        if abs(identifier) > LARGEST:
            return None
        wanted = sa.select(TOMBSTONE).where(TOMBSTONE.c.kind == kind, TOMBSTONE.c.id == identifier)
        with self.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else Tombstone(row.kind, row.id, row.title, row.reason, row.buried_at)

    def tombstones(self) -> tuple[Tombstone, ...]:
        """Give all tombstones, by kind and identifier."""
        wanted = sa.select(TOMBSTONE).order_by(TOMBSTONE.c.kind, TOMBSTONE.c.id)
        with self.reading() as connection:
            return tuple(Tombstone(r.kind, r.id, r.title, r.reason, r.buried_at) for r in connection.execute(wanted))

    # --- findings ------------------------------------------------------------------------------------------------

    def keep_findings(self, scope: str, findings: Sequence[Finding]) -> None:
        """Put findings in the place of those that a scope had, such as ``10900`` or ``ingest 10900``."""
        found_at = now()
        rows: list[Mapping[str, Any]] = [
            {
                "scope": scope,
                "severity": f.severity,
                "where": f.where,
                "message": f.message,
                "path": f.path,
                "found_at": found_at,
            }
            for f in findings
        ]
        with self.writing() as connection:
            connection.execute(sa.delete(FINDING).where(FINDING.c.scope == scope))
            if rows:
                connection.execute(sa.insert(FINDING), rows)

    def findings(self, scope: str) -> tuple[Finding, ...]:
        """Give the findings of a scope in the order in which they were found."""
        wanted = sa.select(FINDING).where(FINDING.c.scope == scope).order_by(FINDING.c.id)
        with self.reading() as connection:
            rows = connection.execute(wanted).mappings().all()
        return tuple(
            Finding(cast("Severity", row["severity"]), row["where"], row["message"], row["path"]) for row in rows
        )

    # --- the catalogue's version ---------------------------------------------------------------------------------

    def version(self) -> int:
        """Give the version of the catalogue; it changes whenever an answer may change."""
        with self.reading() as connection:
            return _version(connection)

    def raise_version(self) -> int:
        """Give the catalogue a version that it never had, not even with a desk that was lost: it is never behind the clock."""
        with self.writing() as connection:
            number = max(_version(connection) + 1, int(time.time()))
            given = self._insert(META).values(name=VERSION, value=str(number))
            connection.execute(given.on_conflict_do_update(index_elements=["name"], set_={"value": str(number)}))
        return number

    def backup(self, path: Path) -> None:
        """Copy the desk to a file while it is in use; see `tomotheca.desk.backup.backup`."""
        backup.backup(self._database, Path(path))


def _version(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(META.c.value).where(META.c.name == VERSION)).scalar() or 0)


def now() -> str:
    """Give the time as the desk writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _storage_errors(database: sa.Engine) -> Iterator[None]:
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InternalError) as error:  # the second where PostgreSQL may only read
        where = shown(database.url)
        message = (
            f"the desk at {where} cannot be used ({reason(error.orig)}): look at its disk and who else writes to it"
        )
        raise StorageError(message) from error
