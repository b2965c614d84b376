"""The page of a deposition: who brought what, and where it lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.schema.vocabulary import label
from tomotheca.web import downloads, drawers, links, meta, summaries
from tomotheca.web import format as formats
from tomotheca.web.page import Asked, Context, Crumb, Moved
from tomotheca.web.pages.common import identifier, over, unknown
from tomotheca.web.pages.dataset import Content
from tomotheca.web.pages.rows import DatasetRow, dataset_rows, hidden_note
from tomotheca.web.people import People, find_people
from tomotheca.web.tables import Pager, make_pager, natural, slice_page

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


@dataclass(frozen=True, slots=True)
class Method:
    """A distinct method with how often it was used."""

    count: int
    kind: str
    details: str
    software: str


@dataclass(frozen=True, slots=True)
class Place:
    """A run that holds items of the deposition."""

    name: str
    identifier: str
    href: str
    annotations: int
    tomograms: int
    objects: summaries.Objects
    view: str


@dataclass(frozen=True, slots=True)
class Group:
    """A dataset with the runs that hold items."""

    row: DatasetRow
    places: tuple[Place, ...]


@dataclass(frozen=True, kw_only=True)
class DepositionPage(Context):
    """Everything on the page of a deposition."""

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
    methods: tuple[Method, ...]
    reconstructions: tuple[Method, ...]
    groups: tuple[Group, ...]
    pager: Pager
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
    annotations, tomograms = (catalog.find(kind, asked.viewer, where=where) for kind in ("annotation", "tomogram"))
    overlay, ignored = over(asked, ("deposition", number))
    counts = {kind: catalog.count(kind, asked.viewer, where) for kind in KINDS}
    types = catalog.find("deposition_type", asked.viewer, where=where)
    name, runs = asked.name("deposition", number), _runs(asked, number)
    page = slice_page([r["id"] for r in runs], asked.address)
    people, picture = (
        find_people(asked, "deposition", [number])[number],
        summaries.pictures(asked, "deposition", [row], width=summaries.MIDDLE)[number],
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
        title=row["title"], description=row["description"][:300], crumbs=(Crumb("All depositions", "/browse-data/depositions"), Crumb(row["title"])),
        ignored=(*ignored, *unknown(asked.address, ("page", "per-page"))), overlay=overlay, canonical=asked.origin + links.page("deposition", number), id=number, identifier=name,
        licence=row["licence"] or "", deposited=formats.date(row["deposition_date"]), released=formats.date(row["release_date"]), modified=formats.date(row["last_modified_date"]),
        hidden=hidden_note(row), picture=picture, about=about,
        text=links.pieces(row["description"]), authors=people, publications=links.listed(row["deposition_publications"]),
        databases=links.listed(row["related_database_entries"]), types=tuple(label("deposition_types_enum", t["type"]) for t in types),
        contents=tuple(Content(NOUNS[k], formats.count(n), amount=n) for k, n in counts.items() if n), methods=_methods(annotations), reconstructions=_reconstructions(tomograms),
        groups=_groups(asked, [r for r in runs if r["id"] in set(page)], annotations, tomograms), pager=make_pager(asked.address, len(runs)), runs=len(runs),
        info=drawers.link(asked, "deposition"), cite=drawers.cite_link(asked, "deposition"), download=downloads.link(asked, "deposition", number),
    )  # fmt: skip


def _runs(asked: Asked, number: int) -> list[Row]:
    """Give the runs that hold anything of the deposition."""
    own = {"deposition_id": {"_eq": number}}
    anything = {
        "_or": [{relation: own} for relation in ("annotations", "tomograms", "tiltseries", "alignments", "frames")]
    }
    found = asked.portal.catalog.find("run", asked.viewer, where=anything)
    return sorted(found, key=lambda r: (r["dataset_id"], natural(r["name"]), r["id"]))


def _groups(
    asked: Asked, runs: Sequence[Row], annotations: Sequence[Row], tomograms: Sequence[Row]
) -> tuple[Group, ...]:
    best, objects = (
        summaries.best_tomograms(asked, [r["id"] for r in runs]),
        summaries.objects(asked, "run_id", [r["id"] for r in runs]),
    )
    counts = [Counter(x["run_id"] for x in things) for things in (annotations, tomograms)]
    made: dict[int, list[Place]] = {}
    for r in runs:
        i = r["id"]
        view = f"/view/runs/{i}?deposition={asked.path['id']}" if i in best else ""
        place = Place(
            r["name"],
            asked.name("run", i),
            links.page("run", i),
            counts[0][i],
            counts[1][i],
            objects.get(i, summaries.Objects()),
            view,
        )
        made.setdefault(r["dataset_id"], []).append(place)
    return tuple(Group(row, tuple(made[row.id])) for row in dataset_rows(asked, list(made)))


def _methods(rows: Sequence[Row]) -> tuple[Method, ...]:
    found = Counter((r["method_type"], r["annotation_method"], r["annotation_software"]) for r in rows)
    return tuple(
        Method(n, label("annotation_method_type_enum", k) if k else formats.NOT_RECORDED, m or "", s or "")
        for (k, m, s), n in found.most_common()
    )


def _reconstructions(rows: Sequence[Row]) -> tuple[Method, ...]:
    found = Counter(
        (r["reconstruction_method"], r["processing"], r["voxel_spacing"], r["reconstruction_software"]) for r in rows
    )
    return tuple(
        Method(
            n,
            label("tomogram_reconstruction_method_enum", m),
            f"{label('tomogram_processing_enum', p)}, {formats.quantity(v, 'Å')}",
            s,
        )
        for (m, p, v, s), n in found.most_common()
    )
