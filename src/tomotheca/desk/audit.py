"""The audit record: who did what to a dataset or deposition, and when."""

from __future__ import annotations

import getpass
import json
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from tomotheca.desk.tables import AUDIT

Transaction = Callable[[], AbstractContextManager[sa.Connection]]


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that was done to one dataset or deposition."""

    action: str
    """ingest, publish or remove."""

    kind: str
    """dataset or deposition."""

    id: int
    details: Mapping[str, Any] = field(default_factory=dict)
    """What of it is known: configuration and its SHA-256, counts, what was removed and why."""

    who: str = ""
    """User and machine."""

    at: str = ""
    """Time, ISO 8601 in UTC."""

    token: str = ""
    """What tells the deed from all others."""


def signed(deed: Deed) -> Deed:
    """Say in a deed who does it and when, unless it is said."""
    return replace(
        deed,
        who=deed.who or doer(),
        at=deed.at or datetime.now(UTC).isoformat(timespec="milliseconds"),
        token=deed.token or secrets.token_hex(8),
    )


def doer() -> str:
    """Give user and machine of this process: ``ada@microscope``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user identifier without a name, as in containers
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


class Audit:
    """Deeds at the desk."""

    def __init__(self, writing: Transaction, reading: Transaction, insert: Callable[..., Any]) -> None:
        self._writing, self._reading, self._insert = writing, reading, insert

    def note(self, deeds: Iterable[Deed]) -> tuple[Deed, ...]:
        """Write deeds down, signed; one whose token is there already takes its place."""
        made = tuple(signed(deed) for deed in deeds)
        with self._writing() as connection:
            for deed in made:
                row = _row(deed)
                given = self._insert(AUDIT).values(**row)
                connection.execute(given.on_conflict_do_update(index_elements=["token"], set_=row))
        return made

    def restore(self, deeds: Iterable[Deed]) -> None:
        """Take over deeds that are not known, those of a lost desk for example."""
        known = {deed.token for deed in self.all()}
        if missing := [_row(deed) for deed in deeds if deed.token not in known]:
            with self._writing() as connection:
                connection.execute(sa.insert(AUDIT), missing)

    def all(self, kind: str = "", number: int | None = None) -> tuple[Deed, ...]:
        """Give all deeds, or those of one dataset or deposition, the oldest first."""
        wanted = sa.select(AUDIT).order_by(AUDIT.c.at, AUDIT.c.token)
        if kind:
            wanted = wanted.where(AUDIT.c.kind == kind)
        if number is not None:
            wanted = wanted.where(AUDIT.c.id == number)
        with self._reading() as connection:
            rows = connection.execute(wanted).mappings().all()
        return tuple(Deed(**{**row, "details": json.loads(row["details"])}) for row in rows)


def _row(deed: Deed) -> dict[str, Any]:
    return {**asdict(deed), "details": json.dumps(dict(deed.details), ensure_ascii=False, sort_keys=True)}


def encode(deeds: Iterable[Deed]) -> bytes:
    """Give the bytes of deeds, one in a line."""
    return b"".join(json.dumps(asdict(deed), ensure_ascii=False, sort_keys=True).encode() + b"\n" for deed in deeds)


def decode(data: bytes) -> tuple[Deed, ...]:
    """Read the bytes of deeds.

    Raises
    ------
    ValueError, TypeError, KeyError
        If a line is no deed.
    """
    return tuple(Deed(**json.loads(line)) for line in data.splitlines())
