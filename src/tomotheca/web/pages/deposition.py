"""The page of a deposition: who brought what, and where it lies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tomotheca.web import ascode, downloads, drawers, links, meta, methods, photos, summaries
from tomotheca.web import format as formats
from tomotheca.web.page import Asked, Context, Crumb, Moved
from tomotheca.web.pages.common import identifier, over, unknown
from tomotheca.web.pages.dataset import Content
from tomotheca.web.pages.deposited import KINDS as BROUGHT
from tomotheca.web.pages.deposited import KNOWN, Deposited, chosen, deposited
from tomotheca.web.pages.rows import hidden_note
from tomotheca.web.people import People, find_people
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row

KINDS = ("dataset", "tiltseries", "alignment", "tomogram", "annotation")
NOUNS = {
    "dataset": "Datasets",
    "tiltseries": "Tilt series",
    "alignment": "Alignments",
    "tomogram": "Tomograms",
    "annotation": "Annotations",
}


GROUP_PAGE = re.compile(r"(group|run)-\d{1,9}-page")


@dataclass(frozen=True, slots=True)
class Methods:
    """The methods by which one kind of data was made."""

    tabs: tuple[Crumb, ...]
    tab: str
    noun: str
    labels: tuple[str, ...]
    rows: tuple[methods.Method, ...]


@dataclass(frozen=True, kw_only=True)
class DepositionPage(Context):
    """Everything on the page of a deposition."""

    shows_files: ClassVar[bool] = True
    id: int
    identifier: str
    licence: str
    deposited: str
    released: str
    modified: str
    hidden: str
    picture: summaries.Picture
    text: tuple[links.Piece, ...]
    authors: People
    publications: tuple[links.Piece, ...]
    databases: tuple[links.Piece, ...]
    types: tuple[str, ...]
    contents: tuple[Content, ...]
    methods: Methods | None
    data: Deposited | None
    runs: int
    info: str
    cite: str
    download: str


def deposition(asked: Asked) -> DepositionPage | Moved:
    """Make the page of a deposition."""
    number = identifier(asked, "deposition")
    if isinstance(number, Moved):
        return number
    row = asked.get("deposition", number)
    catalog, where = asked.portal.catalog, {"deposition_id": {"_eq": number}}
    overlay, ignored = over(asked, ("deposition", number))
    counts = {kind: catalog.count(kind, asked.viewer, where) for kind in KINDS}
    types = catalog.find("deposition_type", asked.viewer, where=where)
    name, runs = asked.name("deposition", number), methods.runs_of(asked, number)
    found = deposited(asked, number, counts)
    if found and found.table and found.table.pager.past:
        return Moved(found.table.pager.past)
    people, picture = (
        find_people(asked, "deposition", [number])[number],
        photos.key_photo(asked, "deposition", row),
    )
    about = meta.describe(
        asked,
        "deposition",
        row,
        (row["title"], row["description"][:5000]),
        people=people,
        picture=picture,
        licence=row["licence"],
    )
    return DepositionPage(
        title=row["title"], description=row["description"][:300], crumbs=(Crumb(say("All depositions"), "/browse-data/depositions"), Crumb(row["title"])),
        ignored=(*ignored, *_unknown(asked)), overlay=overlay, canonical=asked.origin + links.page("deposition", number), id=number, identifier=name,
        licence=row["licence"] or "", deposited=formats.date(row["deposition_date"]), released=formats.date(row["release_date"]), modified=formats.date(row["last_modified_date"]),
        hidden=hidden_note(row), picture=picture, about=about, code=_code(asked, found, number),
        text=links.pieces(row["description"]), authors=people, publications=links.listed(row["deposition_publications"]),
        databases=links.listed(row["related_database_entries"]), types=tuple(label("deposition_types_enum", t["type"]) for t in types),
        contents=tuple(Content(NOUNS[k], formats.count(n), amount=n) for k, n in counts.items() if n), methods=_methods(asked, number), data=found, runs=sum(map(len, runs.values())),
        info=drawers.link(asked, "deposition"), cite=drawers.cite_link(asked, "deposition"), download=downloads.link(asked, "deposition", number),
    )  # fmt: skip


def _code(asked: Asked, found: Deposited | None, number: int) -> ascode.Code | None:
    return ascode.of_list(asked, BROUGHT[found.tab].kind, deposition_id=number) if found else None


def rows(asked: Asked) -> Iterator[Row] | Moved:
    """Give every item of the open tab."""
    number = identifier(asked, "deposition")
    if isinstance(number, Moved):
        return number
    asked.get("deposition", number)
    found = chosen(asked, number)
    return found.written() if found else iter(())


def _methods(asked: Asked, number: int) -> Methods | None:
    """Give the methods of the open tab; tabs without any are left out."""
    found = {name: methods.summary(asked, number, name) for name in methods.SUMMARIES}
    found = {name: rows for name, rows in found.items() if rows}
    if not found:
        return None
    given = asked.address.first("method-summary-tab")
    tab = given if given in found else next(iter(found))
    tabs = tuple(
        Crumb(methods.SUMMARIES[name].name, "" if name == tab else str(asked.address.set({"method-summary-tab": name})))
        for name in found
    )
    labels = tuple(dict.fromkeys(f.label for m in found[tab] for f in m.fields))
    return Methods(tabs, tab, found[tab][0].noun, labels, found[tab])


def _unknown(asked: Asked) -> tuple[str, ...]:
    groups = {n for n in asked.address.names if GROUP_PAGE.fullmatch(n)}
    return unknown(asked.address, {"method-summary-tab", *KNOWN, *groups})
