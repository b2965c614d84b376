"""The form for offers, and the private page of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from tomotheca.errors import NotFoundError
from tomotheca.export.texts import licence_address
from tomotheca.web.contribution import asking, checking, drawing, typed
from tomotheca.web.contribution.stages import STAGES
from tomotheca.web.format import Badge
from tomotheca.web.page import Asked, Context, Crumb
from tomotheca.web.pages.common import LARGEST, prefixed, unknown
from tomotheca.web.words import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomotheca.desk.submissions import Note, Submission
    from tomotheca.web.contribution.checking import Problem
    from tomotheca.web.contribution.typed import Typed

PATH = "/contribute"
EMPTY = typed.read(())
HANDED_OVER = frozenset({"accepted", "validating", "problems_found"})


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened."""

    at: str
    who: str
    status: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Tracking(Context):
    """How far an offer has come."""

    action: str
    csrf: str
    reference: str
    heading: str
    """Title of what is offered."""

    status: Badge
    meaning: str
    next: str
    received: bool
    """It has just been sent."""

    address: str
    lines: tuple[Line, ...]
    answers: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    deposition: str
    folder: str
    """Name of the folder that the data are to be handed over in."""

    can_withdraw: bool
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Contribute(Context):
    """The form."""

    form: drawing.Form
    action: str = PATH
    csrf: str = ""
    reference: str = ""
    licence: str
    licence_href: str
    latest: str
    """Last day of an embargo."""

    focus: str = ""
    """Field that was added last."""

    track: Tracking | None = None
    """How far the offer has come, once it is kept."""


def contribute(asked: Asked) -> Contribute:
    """Make the empty form."""
    return draw(asked, EMPTY)


def draw(asked: Asked, filled: Typed, problems: Sequence[Problem] = (), **more: Any) -> Contribute:
    """Make the form with what was typed.

    Raises
    ------
    NotFoundError
        If the site takes no offers by a form of its own.
    """
    settings = asked.portal.settings
    if settings.contribute_mode == "off":
        message = say("This site takes no contributions.")
        raise NotFoundError(message)
    latest = checking.months_after(today(), settings.embargo_max_months)
    title = say("{} to mend – Contribute", len(problems)) if problems else say("Contribute")
    return Contribute(
        title=title, description=say("Contributions are welcome: offer datasets, tomograms or annotations."), crumbs=(Crumb(say("Contribute")),),
        ignored=unknown(asked.address, ("saved", "sent")), canonical=asked.origin + PATH, form=drawing.draw(filled, problems),
        licence=settings.contribute_licence, licence_href=licence_address(settings.contribute_licence), latest=str(latest), **more,
    )  # fmt: skip


def check(asked: Asked, filled: Typed) -> tuple[Problem, ...]:
    """Hold what was typed against the rules and the catalogue."""
    months = asked.portal.settings.embargo_max_months
    rules = checking.Rules(
        lambda kind, number: exists(asked, kind, number),
        lambda text: identified(asked, text),
        checking.months_after(today(), months),
        today(),
    )
    return checking.check(filled, rules)


def today() -> date:
    """Give this day in UTC."""
    return datetime.now(UTC).date()


def exists(asked: Asked, kind: str, number: int) -> bool:
    """Say whether there is a record that the visitor sees."""
    return bool(asked.portal.catalog.count(kind, asked.viewer, {"id": {"_eq": number}}))


def identified(asked: Asked, text: str) -> tuple[str, int] | None:
    """Read the identifier of a dataset or run; a number alone is a dataset's."""
    for kind in ("dataset", "run"):
        number = prefixed(asked, kind, text)
        if number is not None and 0 < number <= LARGEST:
            return kind, number
    return None


def track(asked: Asked, submission: Submission, notes: Sequence[Note], **more: Any) -> Tracking:
    """Make the private page of an offer that was sent."""
    settings, stage = asked.portal.settings, STAGES[submission.status]
    deposition = asked.name("deposition", submission.deposition) if submission.deposition is not None else ""
    words = {"days": settings.contribute_reply_days, "deposition": deposition}
    answers = drawing.answers(typed.stored(submission.form), asking.PERSONAL)
    handing = submission.deposition is not None and submission.status in HANDED_OVER
    return Tracking(
        title=f"{submission.reference}: {say(stage.name)}", crumbs=(Crumb(say("Contribute"), PATH), Crumb(submission.reference)), noindex=True,
        ignored=unknown(asked.address, ("saved", "sent")), reference=submission.reference, heading=submission.title,
        status=Badge(stage.name, stage.style), meaning=say(stage.meaning).format(**words), next=say(stage.next).format(**words),
        lines=tuple(Line(n.at[:16].replace("T", " ") + " UTC", _side(n), STAGES[n.status].name if n.status else "", n.message) for n in notes),
        answers=answers, deposition=deposition, folder=submission.reference if handing else "", address=asked.origin + asked.address.path,
        **more,
    )  # fmt: skip


def _side(note: Note) -> str:
    return say("You") if note.side == "contributor" else say("Curator")
