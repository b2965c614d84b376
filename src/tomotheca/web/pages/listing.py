"""What every listing is made of: filters, order, tabs, panel, and its rows as a table to take away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypedDict, TypeVar

from tomotheca.web import ascode, drawers, orders
from tomotheca.web import format as formats
from tomotheca.web.facets import Scope, matching
from tomotheca.web.filtering import OWN
from tomotheca.web.filters import Active, registry
from tomotheca.web.page import Asked, Context, Crumb, Moved
from tomotheca.web.pages.common import TABLE, over, unknown
from tomotheca.web.panel import Filtered, Panel, canonical, filtered, make_panel
from tomotheca.web.tables import Column, Order, Table, heads, make_pager, read_order, slice_page
from tomotheca.web.words import say

R = TypeVar("R")
CHUNK = 200
"""Rows that are read at a time for a table to take away."""

LEGACY_SORTS = {
    "dataset": {"asc": "title", "desc": "-title"},
    "deposition": {"asc": "deposition-date", "desc": "-deposition-date"},
}
MOST_SUGGESTIONS = 6


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What an empty list would show if one filter were taken away."""

    text: str
    href: str
    count: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What stands around the table of a listing."""

    tabs: tuple[Crumb, ...]
    panel: Panel
    side: str
    suggestions: tuple[Suggestion, ...]
    empty: bool


class Framed(TypedDict):
    """The fields of a Context that every listing fills alike."""

    title: str
    description: str
    crumbs: tuple[Crumb, ...]
    ignored: tuple[str, ...]
    noindex: bool
    canonical: str
    overlay: Any


@dataclass(frozen=True, kw_only=True)
class Browse(Context):
    """A listing page."""

    shows_files: ClassVar[bool] = True
    listing: Listing


@dataclass(frozen=True)
class Kind(Generic[R]):
    """One listing."""

    kind: str
    path: str
    noun: str
    columns: Sequence[Column]
    sorts: Mapping[str, orders.Key]
    order: Sequence[tuple[str, bool]]
    rows: Callable[[Asked, Sequence[int], Filtered], Sequence[R]]


@dataclass(frozen=True, kw_only=True)
class BrowsePage(Browse, Generic[R]):
    """A listing page with its table."""

    table: Table[R]


@dataclass(frozen=True)
class Listed:
    """The ids of a listing in order, and all that was read on the way."""

    found: Filtered
    order: Order
    ids: list[int]
    total: int


def listed(asked: Asked, kind: Kind[R]) -> Listed:
    """Give the identifiers of all rows that the filters leave, in order."""
    found = filtered(kind.kind, asked.address, asked.portal.catalog.schema)
    order = read_order(asked.address, kind.columns, kind.order)
    scope = Scope(asked.portal, kind.kind, asked.viewer, asked.version)
    ids = orders.arranged(scope, matching(scope, found.active), order, kind.sorts)
    return Listed(found, order, ids, int(scope.listed.sum()))


def page(asked: Asked, kind: Kind[R]) -> BrowsePage[R] | Moved:
    """Make the page of a listing."""
    if moved := _moved(asked, kind.kind):
        return moved
    found = listed(asked, kind)
    pager = make_pager(asked.address, len(found.ids))
    if pager.past:
        return Moved(pager.past)
    table = Table(
        kind.noun, heads(asked.address, kind.columns, found.order), tuple(kind.rows(asked, slice_page(found.ids, asked.address), found.found)), len(found.ids), found.total,
        pager,
    )  # fmt: skip
    frame = _frame(asked, kind.noun, found)
    frame["overlay"] = drawers.beside(asked, frame["overlay"], (asked.name(kind.kind, i) for i in found.ids))
    code = ascode.of_list(asked, kind.kind, found.found.active)
    return BrowsePage(listing=_listing(asked, kind.kind, found), **frame, table=table, code=code)


def rows(asked: Asked, kind: Kind[R]) -> Iterator[R]:
    """Give every row that the filters leave, in order, a few at a time."""
    found = listed(asked, kind)
    for begin in range(0, len(found.ids), CHUNK):
        yield from kind.rows(asked, found.ids[begin : begin + CHUNK], found.found)


def _moved(asked: Asked, kind: str) -> Moved | None:
    """Send older and longer forms of an address to its one form."""
    address = canonical(asked.address, registry(asked.portal.catalog.schema, kind))
    if (sort := LEGACY_SORTS.get(kind, {}).get(address.first("sort"))) is not None:
        address = address.set({"sort": sort})
    return Moved(str(address)) if address != asked.address else None


TABS = (
    ("dataset", "/browse-data/datasets", "Datasets"),
    ("run", "/browse-data/runs", "Runs"),
    ("object", "/browse-data/objects", "Objects"),
    ("deposition", "/browse-data/depositions", "Depositions"),
)
"""What is listed: kind, path, name."""


def tabs_of(asked: Asked, current: str, shown: int) -> tuple[Crumb, ...]:
    """Give the tabs; a link keeps the filters that the other tab knows."""
    schema, found = asked.portal.catalog.schema, []
    for kind, path, text in TABS:
        if path == current:
            found.append(Crumb(f"{say(text)} {formats.count(shown)}", ""))
            continue
        listing = "annotation" if kind == "object" else kind
        kept = asked.address.at(path).only({f.parameter for f in registry(schema, listing) if f.number not in OWN})
        number = ""
        if kind != "object":
            scope = Scope(asked.portal, kind, asked.viewer, asked.version)
            number = f" {formats.count(len(matching(scope, filtered(kind, kept, schema).active)))}"
        found.append(Crumb(say(text) + number, str(kept)))
    return tuple(found)


def _suggestions(asked: Asked, kind: str, active: Sequence[Active]) -> tuple[Suggestion, ...]:
    """Say which filter costs most, when nothing is left."""
    found = []
    for a in active[:MOST_SUGGESTIONS]:
        rest = [o for o in active if o is not a]
        number = len(matching(Scope(asked.portal, kind, asked.viewer, asked.version), rest))
        words = say(" or ").join(a.filter.words(v) for v in a.values)
        if number:
            found.append(
                Suggestion(
                    f"{say(a.filter.label)}: {words}", str(asked.address.without([a.filter.parameter, "page"])), number
                )
            )
    return tuple(sorted(found, key=lambda s: -s.count))


def _frame(asked: Asked, noun: str, listed: Listed) -> Framed:
    """Give title, crumbs and the like."""
    found, shown = listed.found, len(listed.ids)
    overlay, ignored = over(asked)
    said = ", ".join(f"{a.filter.words(v)}" for a in found.active for v in a.values)[:120]
    return Framed(
        title=f"{say(noun)}: {said} ({shown})" if said else say("Browse {}", say(noun).lower()),
        description=say("{} {} of cryo-electron tomography.", formats.count(shown), say(noun).lower()),
        crumbs=(Crumb(say("Home"), "/"), Crumb(say("All {}", say(noun).lower()))),
        ignored=(*found.ignored, *ignored, *unknown(asked.address, {*TABLE, *found.parameters})),
        noindex=bool(asked.address.pairs),
        canonical=asked.origin + asked.address.path,
        overlay=overlay,
    )


def _listing(asked: Asked, kind: str, listed: Listed) -> Listing:
    """Give tabs and panel, and advice where nothing is left."""
    shown = len(listed.ids)
    scope = Scope(asked.portal, kind, asked.viewer, asked.version)
    return Listing(
        tabs_of(asked, asked.address.path, shown),
        make_panel(scope, listed.found, asked.address),
        asked.portal.settings.filter_side,
        _suggestions(asked, kind, listed.found.active) if not shown else (),
        not listed.total,
    )
