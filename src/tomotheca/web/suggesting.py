"""What somebody may mean who has typed the beginning of something: a few identifiers, objects, organisms, datasets and authors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tomotheca.search.concepts import concepts
from tomotheca.search.library import library
from tomotheca.search.text import tokens
from tomotheca.web.address import Address
from tomotheca.web.format import plural
from tomotheca.web.hits import annotated, object_page
from tomotheca.web.links import PATHS, author_page, page
from tomotheca.web.pages.common import only, prefixed
from tomotheca.web.resolving import numbered
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.search.engine import Outcome
    from tomotheca.web.page import Asked

SHORTEST, LONGEST = 2, 100
MOST = 10
SHARES = {"Identifiers": 3, "Objects": 4, "Organisms": 2, "Datasets": 3, "Authors": 2}
"""Groups in their order, and how many items each may have."""


@dataclass(frozen=True, slots=True)
class Item:
    """A suggestion."""

    text: str
    detail: str
    href: str


@dataclass(frozen=True, slots=True)
class Group:
    """Suggestions of one sort."""

    label: str
    items: tuple[Item, ...]


def suggest(asked: Asked, text: str) -> list[Group]:
    """Give at most ten suggestions."""
    text = " ".join(text.split())
    if not SHORTEST <= len(text) <= LONGEST:
        return []
    outcome = library(asked.portal.catalog).answer(text, asked.viewer).outcome
    found = {
        "Identifiers": _identifiers(asked, text), "Objects": _objects(asked, outcome), "Organisms": _organisms(asked, text),
        "Datasets": _datasets(asked, outcome), "Authors": _authors(outcome),
    }  # fmt: skip
    groups, left = [], MOST
    for label, share in SHARES.items():
        items = tuple(item for item, _ in zip(found[label], range(min(share, left)), strict=False))
        left -= len(items)
        if items:
            groups.append(Group(say(label), items))
    return groups


def _identifiers(asked: Asked, text: str) -> Iterator[Item]:
    catalog = asked.portal.catalog
    for kind in PATHS:
        number = None if text.isdigit() else prefixed(asked, kind, text)
        if number is not None and catalog.count(kind, asked.viewer, {"id": {"_eq": number}}):
            yield Item(asked.name(kind, number), say(catalog.schema.kinds[kind].title), page(kind, number))
    for place in numbered(asked, text):
        yield Item(place.identifier, place.kind, place.href)


def _objects(asked: Asked, outcome: Outcome) -> Iterator[Item]:
    frame = outcome.view.frame
    names = [frame.names[n] for n in frame.ids[outcome.best("object", limit=SHARES["Objects"])].tolist()]
    numbers = annotated(asked, [n.words[0] for n in names]) if names else {}
    for name in {n.words[0]: n for n in names}:
        number = numbers.get(name, (0, 0))[0]
        yield Item(name, plural(number, "annotation") if number else say("identified"), object_page(name))


def _organisms(asked: Asked, text: str) -> Iterator[Item]:
    """Give the organisms of which a name begins with the words."""
    wanted = tokens(text)
    catalog = asked.portal.catalog
    c = catalog.compiler(asked.viewer)
    row = c.table("dataset")
    listed = (
        sa.select(row.c.organism_name, sa.func.count().label("number"))
        .where(row.c.organism_name.is_not(None), *c.visible("dataset", row))
        .group_by(row.c.organism_name)
        .order_by(sa.func.count().desc(), row.c.organism_name)
    )
    others = {concept.name: concept.names for concept in concepts()}
    for found in catalog.rows(listed):
        name, number = found.organism_name, found.number
        known = tokens(" ".join(others.get(name, (name,))))
        if wanted and all(any(k.startswith(w) for k in known) for w in wanted):
            yield Item(name, plural(number, "dataset"), str(Address("/browse-data/datasets", (("organism", name),))))


def _datasets(asked: Asked, outcome: Outcome) -> Iterator[Item]:
    ids = outcome.view.frame.ids[outcome.best("dataset", limit=SHARES["Datasets"])].tolist()
    rows = {r["id"]: r for r in asked.portal.catalog.find("dataset", asked.viewer, where=only(ids))} if ids else {}
    for number in ids:
        yield Item(rows[number]["title"], asked.name("dataset", number), page("dataset", number))


def _authors(outcome: Outcome) -> Iterator[Item]:
    frame = outcome.view.frame
    for number in frame.ids[outcome.best("author", limit=SHARES["Authors"])].tolist():
        name, orcid = frame.names[number].words
        yield Item(name, orcid, author_page(name, orcid))
