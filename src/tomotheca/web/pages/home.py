"""The home page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import sqlalchemy as sa

from tomotheca.web.address import Address
from tomotheca.web.format import plural
from tomotheca.web.page import Asked, Context
from tomotheca.web.pages.common import over, unknown
from tomotheca.web.pages.rows import DatasetRow, dataset_rows
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.web import summaries

CARDS = 6
TOP = 10
CONTRIBUTORS = 24
LISTING, RUNS = "/browse-data/datasets", "/browse-data/runs"


@dataclass(frozen=True, slots=True)
class Counter:
    """A number that leads to what it counts."""

    label: str
    value: int
    href: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A name with how often it occurs."""

    name: str
    count: int
    href: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Home(Context):
    """Everything on the home page."""

    shows_files: ClassVar[bool] = True
    tagline: str
    counters: tuple[Counter, ...]
    newest: tuple[DatasetRow, ...]
    objects: tuple[Topic, ...]
    organisms: tuple[Topic, ...]
    contributors: tuple[Topic, ...]
    """Who is author of most datasets and depositions."""

    empty: bool
    graphql: str
    hero: tuple[summaries.Picture, ...]


def home(asked: Asked) -> Home:
    """Make the home page."""
    catalog, viewer = asked.portal.catalog, asked.viewer
    organisms = _organisms(asked)
    numbers = {kind: catalog.count(kind, viewer) for kind in ("dataset", "run", "tiltseries", "tomogram", "annotation")}
    newest = catalog.find("dataset", viewer, order=[("release_date", "desc"), ("id", "desc")], limit=CARDS)
    overlay, ignored = over(asked)
    rows = dataset_rows(asked, [d["id"] for d in newest])
    settings = asked.portal.settings
    return Home(
        title=settings.site_name, description=settings.tagline, tagline=settings.tagline, overlay=overlay, canonical=f"{asked.origin}/",
        ignored=(*ignored, *unknown(asked.address, ())),
        counters=(
            Counter(say("Datasets"), numbers["dataset"], LISTING), Counter(say("Runs"), numbers["run"], RUNS),
            Counter(say("Tilt series"), numbers["tiltseries"], f"{RUNS}?files=tilt-series"),
            Counter(say("Tomograms"), numbers["tomogram"], f"{RUNS}?files=tomogram"),
            Counter(say("Annotations"), numbers["annotation"], "/browse-data/objects"),
            Counter(say("Species"), len({o.note or o.name for o in organisms}), f"{LISTING}?sort=organism"),
        ),
        newest=tuple(rows), objects=_objects(asked), organisms=organisms[:TOP], contributors=_contributors(asked), empty=not numbers["dataset"], graphql=f"{asked.origin}/graphql",
        hero=tuple(r.picture for r in rows if r.picture.src)[:3],
    )  # fmt: skip


def _organisms(asked: Asked) -> tuple[Topic, ...]:
    c = asked.portal.catalog.compiler(asked.viewer)
    row = c.table("dataset")
    number = sa.func.count().label("n")
    statement = sa.select(row.c.organism_name, sa.func.max(row.c.organism_taxid).label("taxid"), number).where(
        *c.visible("dataset", row), row.c.organism_name.is_not(None)
    )
    found = asked.portal.catalog.execute(
        statement.group_by(row.c.organism_name).order_by(number.desc(), row.c.organism_name)
    )
    return tuple(
        Topic(
            r["organism_name"],
            r["n"],
            str(Address(LISTING, (("organism", r["organism_name"]),))),
            str(r["taxid"] or ""),
        )
        for r in found
    )


def _objects(asked: Asked) -> tuple[Topic, ...]:
    c = asked.portal.catalog.compiler(asked.viewer)
    row = c.table("annotation")
    number = sa.func.count().label("n")
    statement = sa.select(row.c.object_name, number, sa.func.sum(row.c.object_count).label("instances")).where(
        *c.visible("annotation", row)
    )
    found = asked.portal.catalog.execute(
        statement.group_by(row.c.object_name).order_by(number.desc(), row.c.object_name).limit(TOP)
    )
    return tuple(
        Topic(
            r["object_name"], r["n"], str(Address(LISTING, (("object", r["object_name"]),))), _instances(r["instances"])
        )
        for r in found
    )


def _contributors(asked: Asked) -> tuple[Topic, ...]:
    """Give the authors of most datasets; one of the same name and ORCID is one."""
    c = asked.portal.catalog.compiler(asked.viewer)
    row = c.table("dataset_author")
    number = sa.func.count(row.c.dataset_id.distinct()).label("n")
    statement = sa.select(row.c.name, row.c.orcid, number).where(*c.visible("dataset_author", row))
    found = asked.portal.catalog.execute(
        statement.group_by(row.c.name, row.c.orcid).order_by(number.desc(), row.c.name).limit(CONTRIBUTORS)
    )
    return tuple(Topic(r["name"], r["n"], str(Address(LISTING, (("author", r["name"]),)))) for r in found)


def _instances(number: int | None) -> str:
    return plural(number, "instance") if number else ""
