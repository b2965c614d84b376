"""Search: results in tabs, and suggestions while somebody types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import orjson
from starlette.responses import Response
from starlette.routing import Route

from tomotheca.search.engine import WHOLE_NAME
from tomotheca.search.library import library
from tomotheca.search.marking import Piece
from tomotheca.web.address import Address
from tomotheca.web.bundled import pages_of
from tomotheca.web.hits import Hit, Maker
from tomotheca.web.page import Asked, Context, Page, ask, attending, guard
from tomotheca.web.pages.common import unknown
from tomotheca.web.resolving import Place, numbered
from tomotheca.web.suggesting import suggest
from tomotheca.web.tables import Pager, make_pager, page_number, page_size
from tomotheca.web.words import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from tomotheca.search.engine import Outcome
    from tomotheca.search.library import Answer
    from tomotheca.web.portal import Portal

TABS: Mapping[str, str] = {
    "datasets": "dataset", "runs": "run", "objects": "object", "authors": "author", "depositions": "deposition", "docs": "doc",
}  # fmt: skip
"""Tabs of the page, and the kind of document that each shows."""

LABELS = {
    "all": "All",
    "datasets": "Datasets",
    "runs": "Runs",
    "objects": "Objects",
    "authors": "Authors",
    "depositions": "Depositions",
    "docs": "Docs",
}
ORDER = ("datasets", "objects", "authors", "depositions", "runs", "docs")
"""Groups of the first tab."""

BEST = 5
"""Hits of each kind on the first tab."""

PARAMETERS = ("q", "table-tab", "page", "per-page", "verbatim")


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab with its number of hits."""

    name: str
    label: str
    count: int
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The best hits of one kind."""

    name: str
    label: str
    count: int
    href: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """Something else to try."""

    text: str
    href: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Results(Context):
    """Everything on the page."""

    shows_files: ClassVar[bool] = True
    query: str
    total: int
    tabs: tuple[Tab, ...] = ()
    groups: tuple[Group, ...] = ()
    pager: Pager | None = None
    corrected: tuple[Piece, ...] = ()
    """The query that was answered in place of the one that was asked, what was changed marked."""

    instead: str = ""
    """Address of the search for exactly what was asked."""

    partial: bool = False
    ways: tuple[Way, ...] = ()
    places: tuple[Place, ...] = ()
    """Records whose number was asked for."""


def search(asked: Asked) -> Results:
    """Make the page."""
    address = asked.address
    text = address.first("q")
    title = say("Search: {}", text) if text else say("Search")
    ignored = unknown(address, PARAMETERS)
    if not text:
        return Results(title=title, ignored=ignored, noindex=True, query="", total=0)
    answer = library(asked.portal.catalog).answer(text, asked.viewer, verbatim=bool(address.first("verbatim")))
    outcome, tab = answer.outcome, address.first("table-tab", "all")
    if tab not in LABELS:
        tab, ignored = "all", (*ignored, f"table-tab={tab[:80]}")
    maker = Maker(asked, outcome)
    groups = tuple(_groups(maker, address)) if tab == "all" else (_group(maker, tab, asked),)
    pager = None if tab == "all" else _pager(asked, outcome, tab)
    return Results(
        title=title, ignored=ignored, noindex=True, query=text, total=outcome.total, tabs=tuple(_tabs(outcome, address, tab)), groups=groups, pager=pager,
        corrected=_corrected(answer), instead=str(address.without(["page"]).put(verbatim="true")) if answer.corrected else "",
        partial=outcome.partial, ways=tuple(_ways(answer, address)), places=numbered(asked, text),
    )  # fmt: skip


def _corrected(answer: Answer) -> tuple[Piece, ...]:
    if not answer.corrected:
        return ()
    before = set(answer.asked.lower().split())
    changed = {w for w in answer.corrected.lower().split() if w not in before}
    pieces: list[Piece] = []
    for place, word in enumerate(answer.corrected.split()):
        pieces += [Piece(" ")] * bool(place) + [Piece(word, word.lower() in changed)]
    return tuple(pieces)


def _tabs(outcome: Outcome, address: Address, current: str) -> Iterator[Tab]:
    for name, label in LABELS.items():
        number = outcome.total if name == "all" else outcome.counts[TABS[name]]
        href = str(address.without(["page"]).set({"table-tab": None if name == "all" else name}))
        yield Tab(name, label, number, href, name == current)


def _groups(maker: Maker, address: Address) -> Iterator[Group]:
    """Give the best of each kind; kinds where something is called exactly so come first."""
    outcome, found = maker.outcome, []
    for place, name in enumerate(ORDER):
        docs = outcome.best(TABS[name], limit=BEST).tolist()
        if docs:
            found.append((float(outcome.scores[docs[0]]) < WHOLE_NAME, place, name, docs))
    for *_, name, docs in sorted(found):
        hits = maker.hits(TABS[name], docs)
        href = str(address.without(["page"]).set({"table-tab": name}))
        yield Group(name, LABELS[name], outcome.counts[TABS[name]], href, hits)


def _group(maker: Maker, name: str, asked: Asked) -> Group:
    size = page_size(asked.address)
    pages = max(-(-maker.outcome.counts[TABS[name]] // size), 1)
    number = min(page_number(asked.address), pages)
    docs = maker.outcome.best(TABS[name], limit=size, offset=(number - 1) * size).tolist()
    return Group(name, LABELS[name], maker.outcome.counts[TABS[name]], "", maker.hits(TABS[name], docs))


def _pager(asked: Asked, outcome: Outcome, name: str) -> Pager:
    return make_pager(asked.address, outcome.counts[TABS[name]])


def _ways(answer: Answer, address: Address) -> Iterator[Way]:
    for text, number in answer.without:
        yield Way(text, str(Address(address.path, (("q", text),))), number)


def routes(portal: Portal, pages: Sequence[Page]) -> list[Route]:
    """Give the route of suggestions, and let search know the pages of documentation."""
    library(portal.catalog).pages = pages_of(portal, pages)
    library(portal.catalog).prefixes[portal.settings.deposition_prefix.rstrip("-").lower()] = "deposition"

    def suggestions(request: Request) -> Response:
        asked = ask(portal, request)
        with attending(portal, request), portal.catalog.together():
            body = orjson.dumps({"query": asked.address.first("q"), "groups": suggest(asked, asked.address.first("q"))})
        return guard(Response(body, media_type="application/json"))

    return [Route("/search/suggest", portal.lanes.taking(suggestions))]
