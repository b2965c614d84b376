"""The page of a run: its picture, its tilt series, and everything made from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from tomotheca.web import ascode, downloads, drawers, links, meta, previews, summaries
from tomotheca.web import format as formats
from tomotheca.web.filters import compose
from tomotheca.web.filterset import DATA_TYPES
from tomotheca.web.knowing import Complete, complete
from tomotheca.web.page import Asked, Context, Crumb, Moved
from tomotheca.web.pages import plaintables, runparts
from tomotheca.web.pages.common import identifier, over, unknown
from tomotheca.web.pages.dataset import CONTENTS, Content
from tomotheca.web.pages.leftout import left_out
from tomotheca.web.pages.rows import hidden_note
from tomotheca.web.panel import filtered
from tomotheca.web.people import find_people
from tomotheca.web.tables import Table, natural
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.format import Badge

TABS = ("annotations", "tomograms", "tilt-series", "alignments", "frames", "files")
PREFIXES = {
    "annotations": "annotations",
    "tomograms": "tomograms",
    "tilt-series": "tiltseries",
    "alignments": "alignments",
    "frames": "frames",
    "files": "files",
}
KINDS = {
    "annotations": "annotation",
    "tomograms": "tomogram",
    "tilt-series": "tiltseries",
    "alignments": "alignment",
    "frames": "frame",
    "files": "file",
}
FILTERED = frozenset({"annotations", "tomograms"})
"""Tabs that filters narrow."""

TITLES = {
    "annotations": "Annotations",
    "tomograms": "Tomograms",
    "tilt-series": "Tilt series",
    "alignments": "Alignments",
    "frames": "Frames",
    "files": "Files",
}
ROLES = {
    "raw-frames": "frame",
    "gain": "gain",
    "tilt-series": "tilt_series",
    "tilt-series-alignment": "alignment",
    "mdoc": "mdoc",
    "tomogram": "tomogram",
    "annotation": "annotation",
}


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """A tilt series on the first screen."""

    identifier: str
    href: str
    info: str
    quality: Badge
    tilt_range: str
    step: str
    scheme: str
    pixel: str
    dose: str
    left_out: str
    """Sections that were left out of the reconstruction, by angle."""


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """An object of the run."""

    name: str
    count: int | None
    ground_truth: bool
    annotated: bool


@dataclass(frozen=True, kw_only=True)
class RunPage(Context):
    """Everything on the page of a run."""

    shows_files: ClassVar[bool] = True
    id: int
    identifier: str
    dataset: Crumb
    dataset_identifier: str
    released: str
    """Day on which the dataset was released; a run has none of its own."""

    hidden: str
    picture: summaries.Picture
    preview: previews.Preview | None
    quality: Badge
    series: tuple[SeriesSummary, ...]
    voxels: tuple[str, ...]
    processing: tuple[str, ...]
    objects: tuple[ObjectSummary, ...]
    contents: tuple[Content, ...]
    notes: tuple[str, ...]
    size: int
    files: int
    view: str
    download: str
    info: str
    cite: str
    previous: Crumb | None
    next: Crumb | None
    tabs: tuple[Crumb, ...]
    tab: str
    table: Table[Any]
    total: int
    """Rows of the open tab without filters."""

    complete: Complete
    attached: tuple[links.Piece, ...]
    """Gain references and mdoc files."""

    present: tuple[links.Piece, ...]
    """Objects that the filters ask for and that are in the run, where none of them is annotated."""

    everything: str
    """Address without the filters of the open tab, where they leave nothing."""


def run(asked: Asked) -> RunPage | Moved:
    """Make the page of a run."""
    number = identifier(asked, "run")
    if isinstance(number, Moved):
        return number
    row = asked.get("run", number)
    dataset = asked.get("dataset", row["dataset_id"])
    overlay, ignored = over(asked, ("run", number))
    things = _things(asked, number)
    tab = _tab(asked, things)
    best = min(things["tomogram"], key=summaries.preference, default=None)
    carried = filtered("run", asked.address, asked.portal.catalog.schema)
    home = str(
        asked.address.at(links.page("dataset", dataset["id"])).only({a.filter.parameter for a in carried.active})
    )
    sizes = summaries.file_roles(asked, "run_id", [number]).get(number, {})
    around = _neighbours(asked, row)
    made, misread = _made(asked, number, tab, things)
    narrowed = filtered(KINDS[tab], asked.address, asked.portal.catalog.schema).active if tab in FILTERED else ()
    code = ascode.of_table(asked) if tab == "files" else ascode.of_list(asked, KINDS[tab], narrowed, run_id=number)
    table = plaintables.table(asked, made)
    if table.pager.past:
        return Moved(table.pager.past)
    view = f"/view/runs/{number}" if best and best["s3_omezarr_dir"] else ""
    preview = _preview(asked, number, best, view)
    if isinstance(overlay, drawers.Drawer) and overlay.kind == "run":
        steps = [Crumb(c.text, f"{c.href}?metadata=run") if c else None for c in around]
        overlay = replace(overlay, previous=steps[0], next=steps[1])
    else:
        overlay = drawers.beside(asked, overlay, (r.identifier for r in table.rows))
    alt = (
        say("Central slice of {}, {}", asked.name("tomogram", best["id"]), row["name"])
        if best
        else say("Run {}", row["name"])
    )
    picture = summaries.picture(asked, _photo(best), alt, width=summaries.MIDDLE)
    return RunPage(
        title=row["name"], description=say("Run {} of {}", row["name"], dataset["title"])[:300],
        crumbs=(Crumb(say("All datasets"), "/browse-data/datasets"), Crumb(f"{asked.name('dataset', dataset['id'])} {dataset['title']}", home), Crumb(f"{asked.name('run', number)} {row['name']}")),
        ignored=(*ignored, *misread, *unknown(asked.address, _known(tab, asked) | set(previews.PARAMETERS)), *(preview.ignored if preview else ())), canonical=asked.origin + links.page("run", number), overlay=overlay, id=number,
        identifier=asked.name("run", number), dataset=Crumb(dataset["title"], home), dataset_identifier=asked.name("dataset", dataset["id"]),
        released=formats.date(dataset["release_date"]), hidden=hidden_note(dataset), picture=picture, about=_about(asked, row, dataset, picture), code=code,
        quality=formats.run_quality([s["tilt_series_quality"] for s in things["tiltseries"]]), series=_series(asked, number, things),
        voxels=tuple(formats.quantity(v, "Å") for v in sorted({t["voxel_spacing"] for t in things["tomogram"]})),
        processing=tuple(dict.fromkeys(label("tomogram_processing_enum", t["processing"]) for t in things["tomogram"])),
        objects=_objects(things), contents=_contents(asked, number, things, sizes), notes=_notes(things),
        size=sum(b.size for b in sizes.values()), files=sum(b.files for b in sizes.values()),
        view=view, preview=preview, download=downloads.link(asked, "run", number), info=drawers.link(asked, "run"), cite=drawers.cite_link(asked, "run"),
        previous=around[0], next=around[1], tabs=_tabs(asked, number, things, sizes), tab=tab, table=table,
        total=len(things.get(KINDS[tab], ())) or table.total, complete=complete(asked.portal.catalog.masks(asked.viewer, asked.version), [number], asked.portal.settings.completeness)[number],
        attached=runparts.attached(asked, number) if tab == "frames" else (),
        present=runparts.present(asked, number, narrowed) if not table.rows else (),
        everything=str(asked.address.without([a.filter.parameter for a in narrowed])) if narrowed and not table.rows else "",
    )  # fmt: skip


def _things(asked: Asked, number: int) -> dict[str, list[Row]]:
    """Read what a run holds."""
    kinds = ("tiltseries", "tomogram", "annotation", "alignment", "identified_object")
    return {kind: asked.portal.catalog.find(kind, asked.viewer, where={"run_id": {"_eq": number}}) for kind in kinds}


def _preview(asked: Asked, number: int, best: Row | None, view: str) -> previews.Preview | None:
    """Give the slices of the preferred tomogram, with the annotations that can be drawn on it."""
    if best is None:
        return None
    return previews.of_tomogram(asked, best, previews.drawable(asked, number, best["alignment_id"]), href=view)


def _about(asked: Asked, row: Row, dataset: Row, picture: summaries.Picture) -> meta.Meta:
    people = find_people(asked, "dataset", [dataset["id"]])[dataset["id"]]
    words = (f"{row['name']} ({asked.name('run', row['id'])})", say("Run {} of {}", row["name"], dataset["title"]))
    return meta.describe(
        asked,
        "run",
        row,
        words,
        people=people,
        picture=picture,
        part_of=("dataset", dataset),
        licence=dataset.get("licence"),
    )


def _photo(tomogram: Row | None) -> str | None:
    return (tomogram["key_photo_url"] or tomogram["key_photo_thumbnail_url"]) if tomogram else None


def _tab(asked: Asked, things: Mapping[str, Sequence[Row]]) -> str:
    given = asked.address.first("table-tab").lower()
    if given in TABS:
        return given
    return "annotations" if things["annotation"] or not things["tomogram"] else "tomograms"


def _known(tab: str, asked: Asked) -> set[str]:
    """Give the parameters of a run's page: the tabs', and the filters of the open tab and of the way back."""
    names = {f"{p}-{n}" for p in PREFIXES.values() for n in ("page", "sort", "per-page")}
    schema = asked.portal.catalog.schema
    filters = {f.parameter for f in filtered("run", asked.address, schema).filters}
    return {
        "table-tab",
        *names,
        *(filters - {"run-name", "run-id"}),
        *(f.parameter for f in filtered(KINDS[tab], asked.address, schema).filters),
    }


def _neighbours(asked: Asked, row: Row) -> tuple[Crumb | None, Crumb | None]:
    """Give the runs before and after in the natural order of names."""
    c = asked.portal.catalog.compiler(asked.viewer)
    r = c.table("run")
    rows = asked.portal.catalog.execute(
        sa.select(r.c.id, r.c.name).where(r.c.dataset_id == row["dataset_id"], *c.visible("run", r))
    )
    rows.sort(key=lambda x: (natural(x["name"]), x["id"]))
    place = next(i for i, x in enumerate(rows) if x["id"] == row["id"])
    crumbs = [Crumb(x["name"], links.page("run", x["id"])) for x in rows]
    return crumbs[place - 1] if place else None, crumbs[place + 1] if place + 1 < len(crumbs) else None


def _series(asked: Asked, number: int, things: Mapping[str, Sequence[Row]]) -> tuple[SeriesSummary, ...]:
    found = left_out(asked, number, things["alignment"]) if things["tiltseries"] else {}
    words = {i: known.words for i, known in found.items()}
    return tuple(_one_series(asked, s, words.get(s["id"], say(formats.NOT_RECORDED))) for s in things["tiltseries"])


def _one_series(asked: Asked, s: Row, left_out: str) -> SeriesSummary:
    return SeriesSummary(
        asked.name("tiltseries", s["id"]), links.page("tiltseries", s["id"]), drawers.link(asked, "tiltseries", s["id"]), formats.quality(s["tilt_series_quality"]),
        formats.tilt_range(s["tilt_range"], s["tilt_min"], s["tilt_max"]), formats.quantity(s["tilt_step"], "°"), s["tilting_scheme"],
        formats.quantity(s["pixel_spacing"], "Å/px"), formats.quantity(s["total_flux"], "e⁻/Å²"), left_out,
    )  # fmt: skip


def _objects(things: Mapping[str, Sequence[Row]]) -> tuple[ObjectSummary, ...]:
    """Give the objects: annotated first, then those only identified."""
    found: dict[str, list[Row]] = {}
    for a in things["annotation"]:
        found.setdefault(a["object_name"], []).append(a)
    annotated = [
        ObjectSummary(name, max((r["object_count"] for r in rows if r["object_count"] is not None), default=None), any(r["ground_truth_status"] for r in rows), annotated=True)
        for name, rows in sorted(found.items(), key=lambda nr: nr[0].lower())
    ]  # fmt: skip
    others = sorted({i["object_name"] for i in things["identified_object"]} - set(found), key=str.lower)
    return (*annotated, *(ObjectSummary(name, None, ground_truth=False, annotated=False) for name in others))


def _contents(
    asked: Asked, number: int, things: Mapping[str, Sequence[Row]], sizes: Mapping[str, summaries.Bytes]
) -> tuple[Content, ...]:
    counts = {"tilt-series": len(things["tiltseries"]), "tilt-series-alignment": len(things["alignment"])}
    relations = asked.portal.catalog.schema.relations("run")
    for name in CONTENTS.keys() - counts.keys():
        _, relation, clause = DATA_TYPES[name]
        where = {"run_id": {"_eq": number}, **clause}
        counts[name] = asked.portal.catalog.count(relations[relation].target, asked.viewer, where)
    truth = sum(bool(a["ground_truth_status"]) for a in things["annotation"])
    words = formats.count(len(things["annotation"])) + (say(" ({} ground truth)", truth) if truth else "")
    first = [
        Content(
            say("Tomograms"),
            _sized(formats.count(len(things["tomogram"])), sizes.get("tomogram")),
            say("Reconstructed volumes."),
            len(things["tomogram"]),
        ),
        Content(
            say("Annotations"),
            _sized(words, sizes.get("annotation")),
            say("Labels, each for one kind of object."),
            len(things["annotation"]),
        ),
    ]
    for name, (text, meaning) in CONTENTS.items():
        number_of = counts[name]
        shown = (
            say("Not submitted")
            if not number_of
            else say("{} sections", formats.count(number_of))
            if name == "ctf"
            else formats.count(number_of)
        )
        first.append(Content(text, _sized(shown, sizes.get(ROLES.get(name, ""))), meaning, number_of))
    return tuple(first)


def _sized(text: str, size: summaries.Bytes | None) -> str:
    return f"{text} · {formats.size(size.size)}" if size else text


def _notes(things: Mapping[str, Sequence[Row]]) -> tuple[str, ...]:
    """Say what is missing, without blaming anyone."""
    notes = []
    if things["tomogram"] and not things["annotation"]:
        notes.append(say("No annotations yet. The tomogram is here to be labelled."))
    if not things["tomogram"]:
        notes.append(
            say("No tomogram was submitted for this run. The tilt series can be downloaded and reconstructed.")
        )
    if len({t["alignment_id"] for t in things["tomogram"]}) > 1:
        notes.append(
            say(
                "The tomograms of this run were made under different alignments: a point of one is misplaced in another."
            )
        )
    return tuple(notes)


def _tabs(
    asked: Asked, number: int, things: Mapping[str, Sequence[Row]], sizes: Mapping[str, summaries.Bytes]
) -> tuple[Crumb, ...]:
    files = sum(b.files for b in sizes.values())
    frames = asked.portal.catalog.count("frame", asked.viewer, {"run_id": {"_eq": number}})
    counts = {"frames": frames, "files": files} | {
        tab: len(things[kind]) for tab, kind in KINDS.items() if kind in things
    }
    base = asked.address.without([*drawers.PARAMETERS, *downloads.PARAMETERS])
    return tuple(
        Crumb(f"{say(TITLES[tab])} {formats.count(counts[tab])}", str(base.set({"table-tab": tab}))) for tab in TABS
    )


def _made(
    asked: Asked, number: int, tab: str, things: Mapping[str, Sequence[Row]]
) -> tuple[plaintables.Made, tuple[str, ...]]:
    """Make the table of the open tab; filters of the address narrow it where the tab has them."""
    kind = KINDS[tab]
    if tab not in FILTERED:
        return runparts.MAKERS[tab](asked, number, things.get(kind, ())), ()
    found = filtered(kind, asked.address, asked.portal.catalog.schema)
    rows = things[kind]
    if found.active:
        rows = asked.portal.catalog.find(
            kind, asked.viewer, where={"_and": [{"run_id": {"_eq": number}}, compose(kind, found.active)]}
        )
    return runparts.MAKERS[tab](asked, number, rows), found.ignored


def rows(asked: Asked) -> Iterator[Row] | Moved:
    """Give every row of the open tab, values as they are stored."""
    number = identifier(asked, "run")
    if isinstance(number, Moved):
        return number
    asked.get("run", number)
    things = _things(asked, number)
    return plaintables.exported(asked, _made(asked, number, _tab(asked, things), things)[0])
