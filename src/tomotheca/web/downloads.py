"""The download dialog: what can be taken, exactly how much it is, and every way to take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomotheca.errors import NotFoundError
from tomotheca.export.citing import KINDS as CITED
from tomotheca.export.selection import MOST_DIGITS
from tomotheca.web import drawers, snippets
from tomotheca.web.offers import OFFERS
from tomotheca.web.once import once
from tomotheca.web.page import Asked, Crumb
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.web.address import Pairs
    from tomotheca.web.offers import Made
    from tomotheca.web.pieces import Group
    from tomotheca.web.snippets import Snippet

__all__ = ["OFFERS", "PARAMETERS", "Download", "link", "open_download", "overlay"]

PARAMETERS = frozenset(
    {
        "dl", "dl-step", "dl-what", "dl-format", "dl-shape", "dl-tomogram", "dl-dataset", "dl-frame", "dl-level", "dl-box", "dl-tab",
    }
)  # fmt: skip
"""Parameters of the dialog; no other part of a page has any of them."""

PREFIXES: Mapping[str, str] = {
    "DS": "dataset", "RN": "run", "TS": "tiltseries", "TM": "tomogram", "AN": "annotation", "CZCDP": "deposition",
}  # fmt: skip
"""Kinds by the letters of their identifiers; the site's own depositions come to them."""

SPEEDS = (10, 100, 1000)
"""Megabits a second for which the time is estimated."""

MINUTE, HOUR, DAY = 60, 3600, 86400


@dataclass(frozen=True, slots=True)
class Taken:
    """How often something was downloaded."""

    times: int
    size: int


@dataclass(frozen=True, slots=True)
class Download:
    """The open dialog."""

    kind: str
    identifier: str
    title: str
    lines: tuple[str, ...]
    warning: str
    groups: tuple[Group, ...]
    box: str
    """Box that is asked for; the question is there when `boxed` is."""

    boxed: str
    """What a box may be; empty where there is none."""

    problem: str
    """What is wrong with the choice."""

    hidden: Pairs
    action: str
    size: int
    files: int
    known: bool
    """Whether size and number are known before the file is made."""

    sha256: str
    times: tuple[str, ...]
    tabs: tuple[Crumb, ...]
    tab: str
    snippet: Snippet
    note: str
    licence: str
    cite: str
    close: str
    step: str
    """Step that is open: what, or how."""

    how: str
    """Address of the second step."""

    taken: Taken | None = None
    """For curators."""

    form: str = "download"


def link(asked: Asked, kind: str, identifier: int, **choices: str) -> str:
    """Give the address of this page with the dialog open."""
    base = asked.address.without({*PARAMETERS, "metadata", "metadata-id", "tab"})
    return str(base.set({"dl": asked.name(kind, identifier), **{f"dl-{k}": v for k, v in choices.items()}}))


def open_download(asked: Asked) -> tuple[Download | None, tuple[str, ...]]:
    """Give the dialog that the address asks for, and what of it could not be understood."""
    given = asked.address.first("dl").upper()
    if not given:
        return None, ()
    kind, digits = _parse(asked, given)
    if kind is None or not digits.isascii() or not digits.isdigit() or len(digits) > MOST_DIGITS:
        return None, (f"dl={given}"[:80],)
    asked = once(asked)
    try:
        return _dialog(asked, kind, OFFERS[kind](asked, asked.get(kind, int(digits)))), ()
    except NotFoundError:
        return None, (f"dl={given}"[:80],)


def _parse(asked: Asked, given: str) -> tuple[str | None, str]:
    """Give kind and digits of an identifier."""
    own = asked.portal.settings.deposition_prefix.upper()
    for prefix, kind in {own.rstrip("-"): "deposition", **PREFIXES}.items():
        if given.startswith(prefix) and given[len(prefix) :].lstrip("-")[:1].isdigit():
            return kind, given[len(prefix) :].lstrip("-")
    return None, ""


def _dialog(asked: Asked, kind: str, made: Made) -> Download:
    a, chosen, want = asked.address, asked.address.first("dl-tab", "cli"), made.want
    tab = chosen if chosen in snippets.TABS else "cli"
    tabs = tuple(
        Crumb(say(text), str(a.set({"dl-tab": name if name != "cli" else None})))
        for name, text in snippets.TABS.items()
    )
    asks = {*(g.name for g in made.groups), "dl-box", "metadata", "metadata-id", "tab"}
    hidden = tuple(p for p in a.pairs if p[0] not in asks)
    entity, snippet = asked.portal.catalog.schema.kinds[kind], snippets.WRITERS[tab](want)
    cite = drawers.cite_link(asked, kind, made.row["id"]) if kind in CITED else ""
    choices = any(len(g.picks) > 1 for g in made.groups) or bool(made.boxed)
    known, amount = made.known, snippet.delivered if snippet.delivered.size else want.amount
    return Download(
        say(entity.title), asked.name(kind, made.row["id"]), made.title, made.lines, made.warning, made.groups, a.first("dl-box"), made.boxed,
        made.problem, hidden, a.path, want.amount.size, want.amount.files, known, want.sha256, _times(amount.size) if known else (),
        tabs, say(snippets.TABS[tab]), snippet, made.note, made.dataset["licence"] or "", cite, str(a.without(PARAMETERS)),
        "how" if a.first("dl-step") == "how" or not choices else "what", str(a.set({"dl-step": "how"})),
        _taken(asked, kind, made.row["id"]),
    )  # fmt: skip


def _times(size: int) -> tuple[str, ...]:
    """Say how long the bytes take, if that is long enough to wonder."""
    if size * 8 < SPEEDS[0] * 1e6:
        return ()
    return tuple(say("{} at {} Mbit/s", _duration(size * 8 / (speed * 1e6)), speed) for speed in SPEEDS)


def _duration(seconds: float) -> str:
    if seconds < 1:
        return say("under 1 s")
    for unit, name in ((DAY, "days"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit * 1.5:
            return f"{seconds / unit:.0f} {say(name)}"
    return f"{seconds:.0f} s"


def _taken(asked: Asked, kind: str, identifier: int) -> Taken | None:
    counts = getattr(asked.portal.desk, "downloads", None)
    if not asked.viewer.curator or counts is None:
        return None
    found = counts.of(kind, identifier)
    return Taken(found.times, found.size)


def overlay(asked: Asked, drawer: Any, ignored: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
    """Give what lies over the page: the download dialog, else the drawer."""
    found, more = open_download(asked)
    return found or drawer, (*ignored, *more)
