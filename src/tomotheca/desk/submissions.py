"""Submissions: what people offer, how far it has come, and what was said about it."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from tomotheca.desk.tables import COUNTER, META, SUBMISSION, SUBMISSION_NOTE
from tomotheca.errors import ConflictError, NotFoundError

Transaction = Callable[[], AbstractContextManager[sa.Connection]]
Form = Mapping[str, tuple[str, ...]]
"""What was typed, by name of the field."""

CONTRIBUTOR, CURATOR = "contributor", "curator"
MOVES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "draft": {CONTRIBUTOR: ("submitted", "withdrawn")},
    "submitted": {CONTRIBUTOR: ("withdrawn",), CURATOR: ("in_review", "needs_changes", "accepted", "declined")},
    "in_review": {CONTRIBUTOR: ("withdrawn",), CURATOR: ("needs_changes", "accepted", "declined")},
    "needs_changes": {CONTRIBUTOR: ("submitted", "withdrawn"), CURATOR: ("in_review", "declined")},
    "accepted": {CONTRIBUTOR: ("withdrawn",), CURATOR: ("validating", "declined")},
    "validating": {CURATOR: ("problems_found", "ready")},
    "problems_found": {CONTRIBUTOR: ("withdrawn",), CURATOR: ("validating", "ready", "declined")},
    "ready": {CURATOR: ("embargoed", "released", "declined")},
    "embargoed": {CURATOR: ("released", "withdrawn")},
    "released": {CURATOR: ("withdrawn",)},
    "declined": {CURATOR: ("in_review",)},
    "withdrawn": {},
}
"""Every status, with those that each side may bring it to."""

EDITABLE = frozenset({"draft", "needs_changes"})
"""While a submission has one of these, its contributor may change the form."""

ACCEPTED = "accepted"
FIRST_DEPOSITION = 10_000
"""No deposition that is reserved here has this number or a smaller one."""

TOKEN_BYTES = 24
SECRET = "form_secret"


@dataclass(frozen=True, slots=True)
class Note:
    """One change of status, or one message."""

    at: str
    """Time, ISO 8601 in UTC."""

    side: str
    """contributor or curator."""

    who: str
    status: str
    """Status that the submission came to; nothing for a message alone."""

    message: str


@dataclass(frozen=True, slots=True)
class Submission:
    """What somebody offers."""

    id: int
    status: str
    title: str
    form: Form = field(repr=False)
    """Holds e-mail addresses, so it is never part of a log line."""

    deposition: int | None
    """Number that was reserved for it."""

    created_at: str
    changed_at: str
    submitted_at: str | None

    @property
    def reference(self) -> str:
        """What people call it."""
        return f"SUB-{self.id}"

    @property
    def editable(self) -> bool:
        """Whether the contributor may change the form."""
        return self.status in EDITABLE


class Submissions:
    """Submissions at the desk."""

    def __init__(self, writing: Transaction, reading: Transaction, insert: Callable[..., Any]) -> None:
        self._writing, self._reading, self._insert = writing, reading, insert

    def create(self, title: str, form: Form) -> tuple[Submission, str]:
        """Keep a new draft; give it with the token of its private address, which is not kept."""
        token, now = secrets.token_urlsafe(TOKEN_BYTES), _now()
        values = {
            "token": _digest(token),
            "status": "draft",
            "title": title,
            "form": _encode(form),
            "created_at": now,
            "changed_at": now,
        }
        with self._writing() as connection:
            number = connection.execute(sa.insert(SUBMISSION).values(**values).returning(SUBMISSION.c.id)).scalar_one()
            found = _get(connection, number)
        return found, token

    def of(self, token: str) -> Submission:
        """Give the submission of a private address, in a time that does not depend on how much of the token is right.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        digest = _digest(token)
        with self._reading() as connection:
            row = connection.execute(sa.select(SUBMISSION).where(SUBMISSION.c.token == digest)).one_or_none()
        if row is None or not hmac.compare_digest(row.token, digest):
            message = "There is no submission at this address; see that the whole address was copied."
            raise NotFoundError(message)
        return _made(row)

    def get(self, number: int) -> Submission:
        """Give a submission by its number.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        with self._reading() as connection:
            return _get(connection, number)

    def all(self, status: str = "") -> tuple[Submission, ...]:
        """Give all submissions, or those with a status, what changed last first."""
        wanted = sa.select(SUBMISSION).order_by(SUBMISSION.c.changed_at.desc(), SUBMISSION.c.id.desc())
        if status:
            wanted = wanted.where(SUBMISSION.c.status == status)
        with self._reading() as connection:
            return tuple(_made(row) for row in connection.execute(wanted))

    def notes(self, number: int) -> tuple[Note, ...]:
        """Give what happened to a submission, the oldest first."""
        n = SUBMISSION_NOTE.c
        wanted = sa.select(n.at, n.side, n.who, n.status, n.message).where(n.submission == number).order_by(n.id)
        with self._reading() as connection:
            return tuple(Note(*row) for row in connection.execute(wanted))

    def edit(self, number: int, title: str, form: Form) -> Submission:
        """Keep what was typed anew.

        Raises
        ------
        ConflictError
            If the contributor cannot change it any more.
        """
        with self._writing() as connection:
            known = _get(connection, number)
            if not known.editable:
                message = f"{known.reference} is with the curators and cannot be changed now; send a message instead."
                raise ConflictError(message)
            _change(connection, number, title=title, form=_encode(form))
            return _get(connection, number)

    def move(self, number: int, status: str, *, side: str, who: str = "", message: str = "") -> Submission:
        """Bring a submission to another status; what is accepted gets a deposition's number that nobody else gets.

        Raises
        ------
        ConflictError
            If that side cannot bring it there from where it is.
        """
        with self._writing() as connection:
            known = _get(connection, number)
            allowed = MOVES[known.status].get(side, ())
            if status not in allowed:
                words = " or ".join(a.replace("_", " ") for a in allowed) or "nothing else"
                sentence = f"{known.reference} is {known.status.replace('_', ' ')}; from there it can become {words}"
                raise ConflictError(sentence)
            changes: dict[str, Any] = {"status": status}
            if status == "submitted":
                changes["submitted_at"] = _now()
            if status == ACCEPTED and known.deposition is None:
                changes["deposition"] = self._reserve(connection)
            _change(connection, number, **changes)
            _note(connection, number, Note(_now(), side, who, status, message))
            return _get(connection, number)

    def say(self, number: int, message: str, *, side: str, who: str = "") -> None:
        """Add a message."""
        with self._writing() as connection:
            _change(connection, number)
            _note(connection, number, Note(_now(), side, who, "", message))

    def secret(self) -> bytes:
        """Give the secret with which forms are signed, the same for every process; it is made when it is first needed."""
        wanted = sa.select(META.c.value).where(META.c.name == SECRET)
        with self._reading() as connection:
            found = connection.execute(wanted).scalar()
        if found is None:
            with self._writing() as connection:
                given = self._insert(META).values(name=SECRET, value=secrets.token_hex(32))
                connection.execute(given.on_conflict_do_nothing(index_elements=["name"]))
                found = connection.execute(wanted).scalar_one()
        return str(found).encode()

    def _reserve(self, connection: sa.Connection) -> int:
        last = connection.execute(sa.select(COUNTER.c.last).where(COUNTER.c.kind == "deposition")).scalar() or 0
        number = max(last, FIRST_DEPOSITION) + 1
        given = self._insert(COUNTER).values(kind="deposition", last=number)
        connection.execute(given.on_conflict_do_update(index_elements=["kind"], set_={"last": number}))
        return number


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _encode(form: Form) -> str:
    return json.dumps({name: list(values) for name, values in form.items()}, ensure_ascii=False)


def _made(row: sa.Row[Any]) -> Submission:
    form = {name: tuple(values) for name, values in json.loads(row.form).items()}
    return Submission(
        row.id, row.status, row.title, form, row.deposition, row.created_at, row.changed_at, row.submitted_at
    )


def _get(connection: sa.Connection, number: int) -> Submission:
    row = connection.execute(sa.select(SUBMISSION).where(SUBMISSION.c.id == number)).one_or_none()
    if row is None:
        message = f"there is no submission SUB-{number}"
        raise NotFoundError(message)
    return _made(row)


def _change(connection: sa.Connection, number: int, **values: Any) -> None:
    connection.execute(sa.update(SUBMISSION).where(SUBMISSION.c.id == number).values(changed_at=_now(), **values))


def _note(connection: sa.Connection, number: int, note: Note) -> None:
    values = {"at": note.at, "side": note.side, "who": note.who, "status": note.status, "message": note.message}
    connection.execute(sa.insert(SUBMISSION_NOTE).values(submission=number, **values))
