"""The journal of ingest: which steps are done, so that an interrupted one goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from tomotheca.desk.tables import JOURNAL

Transaction = Callable[[], AbstractContextManager[sa.Connection]]


class Journal:
    """Fingerprints of finished steps by key."""

    def __init__(self, writing: Transaction, reading: Transaction, insert: Callable[..., Any]) -> None:
        self._writing, self._reading, self._insert = writing, reading, insert

    def done(self, key: str) -> str | None:
        """Give the fingerprint that a step was finished with, or None when it was not."""
        with self._reading() as connection:
            return connection.execute(sa.select(JOURNAL.c.fingerprint).where(JOURNAL.c.key == key)).scalar()

    def all_done(self, prefix: str = "") -> dict[str, str]:
        """Give the fingerprints of all finished steps whose key begins with a prefix: one question for a whole plan."""
        with self._reading() as connection:
            found = connection.execute(
                sa.select(JOURNAL.c.key, JOURNAL.c.fingerprint).where(_begins(prefix)).order_by(JOURNAL.c.key)
            )
            return {row.key: row.fingerprint for row in found}

    def mark(self, key: str, fingerprint: str) -> None:
        """Write down that a step is finished."""
        self.mark_all({key: fingerprint})

    def mark_all(self, fingerprints: Mapping[str, str]) -> None:
        """Write down several finished steps at once."""
        done_at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._writing() as connection:
            for key, fingerprint in fingerprints.items():
                values = {"fingerprint": fingerprint, "done_at": done_at}
                given = self._insert(JOURNAL).values(key=key, **values)
                connection.execute(given.on_conflict_do_update(index_elements=["key"], set_=values))

    def forget(self, prefix: str) -> int:
        """Strike out all steps whose key begins with a prefix, and give their number."""
        with self._writing() as connection:
            return connection.execute(sa.delete(JOURNAL).where(_begins(prefix))).rowcount


def _begins(prefix: str) -> sa.ColumnElement[bool]:
    # Not LIKE: SQLite's ignores case.
    return sa.and_(JOURNAL.c.key >= prefix, sa.func.substr(JOURNAL.c.key, 1, len(prefix)) == prefix)
