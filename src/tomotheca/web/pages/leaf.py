"""Pages of single records: tilt series, tomogram, annotation, alignment. The sections of the drawers, with pictures, tables and what belongs together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from starlette.responses import StreamingResponse
from starlette.routing import Route

from tomotheca.errors import NotFoundError
from tomotheca.web import downloads, drawers, links, meta, previews, summaries
from tomotheca.web import format as formats
from tomotheca.web.page import Asked, Context, Crumb, Moved, ask, guard
from tomotheca.web.pages import leafparts, leaftables
from tomotheca.web.pages.common import identifier, over, unknown
from tomotheca.web.people import find_people
from tomotheca.web.records import record
from tomotheca.web.words import say

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tomotheca.catalog.catalog import Row
    from tomotheca.web.format import Badge
    from tomotheca.web.pages.leaftables import Cells, Line
    from tomotheca.web.portal import Portal
    from tomotheca.web.tables import Table
    from tomotheca.web.values import Section

AUTHORED = frozenset({"tomogram", "annotation"})
"""Kinds that have authors of their own; others are credited to those of the dataset."""


@dataclass(frozen=True, kw_only=True)
class Leaf(Context):
    """Everything on the page of a single record."""

    shows_files: ClassVar[bool] = True
    kind: str
    id: int
    identifier: str
    heading: str
    badges: tuple[Badge, ...]
    preview: previews.Preview | None
    shots: tuple[previews.Shot, ...]
    picture: summaries.Picture
    lineage: tuple[Crumb, ...]
    sections: tuple[Section, ...]
    table: Table[Line] | None
    table_note: str
    exports: tuple[Crumb, ...]
    view: str
    view_text: str
    download: str
    cite: str
    run: Crumb
    dataset: Crumb


def leaf(kind: str) -> Callable[[Asked], Leaf | Moved]:
    """Give the page function of a kind of record."""

    def page(asked: Asked) -> Leaf | Moved:
        number = identifier(asked, kind)
        return number if isinstance(number, Moved) else _leaf(asked, kind, asked.get(kind, number))

    return page


def _leaf(asked: Asked, kind: str, row: Row) -> Leaf:
    run = asked.get("run", row["run_id"])
    dataset = asked.get("dataset", run["dataset_id"])
    name, overlay, entity = (
        asked.name(kind, row["id"]),
        over(asked, (kind, row["id"])),
        asked.portal.catalog.schema.kinds[kind],
    )
    steps = (
        Crumb(f"{asked.name('run', run['id'])} {run['name']}", links.page("run", run["id"])),
        Crumb(dataset["title"], links.page("dataset", dataset["id"])),
    )
    made = CELLS[kind](asked, row) if kind in CELLS else None
    best = row if kind == "tomogram" else leafparts.best_for(asked, row) if kind == "annotation" else None
    preview = leafparts.preview(asked, kind, row)
    shots = (
        previews.shots(asked, best, name, leafparts.middle(asked, row, best)) if kind == "annotation" and best else ()
    )
    picture = _picture(asked, kind, best, run)
    title = f"{say(entity.title)} {name}: {drawers.heading(kind, row)}"
    description = say("{} {} of run {}, {}", say(entity.title), name, run["name"], dataset["title"])[:300]
    parameters = (*(leaftables.PARAMETERS if made else ()), *(previews.PARAMETERS if preview else ()))
    parts = (*leafparts.first_sections(asked, kind, row), *record(asked, kind, row))
    return Leaf(
        title=title, description=description, about=_about(asked, kind, row, ((title, description), run, dataset, picture)),
        crumbs=(Crumb(say("All datasets"), "/browse-data/datasets"), Crumb(f"{asked.name('dataset', dataset['id'])} {dataset['title']}", steps[1].href), steps[0], Crumb(name)),
        ignored=(*overlay[1], *unknown(asked.address, parameters), *(preview.ignored if preview else ())), overlay=overlay[0],
        canonical=asked.origin + links.page(kind, row["id"]), kind=entity.title, id=row["id"], identifier=name, heading=drawers.heading(kind, row), badges=(*_badges(kind, row), *leafparts.problems(parts)),
        preview=preview, shots=shots, picture=picture if preview is None and not shots else summaries.Picture("", ""), lineage=leafparts.lineage(asked, kind, row),
        sections=parts,
        table=leaftables.table(asked, made) if made and made.rows else None, table_note=_note(kind, made), exports=_exports(kind, row, made),
        view=_view(asked, kind, row), view_text=say("View this annotation alone") if kind == "annotation" else say("View tomogram"),
        download=downloads.link(asked, kind, row["id"]) if kind in downloads.OFFERS else "", cite=drawers.cite_link(asked, kind, row["id"]), run=steps[0], dataset=steps[1],
    )  # fmt: skip


def _about(asked: Asked, kind: str, row: Row, around: tuple[tuple[str, str], Row, Row, summaries.Picture]) -> meta.Meta:
    words, run, dataset, picture = around
    owner = (kind, row["id"]) if kind in AUTHORED else ("dataset", dataset["id"])
    people = find_people(asked, owner[0], [owner[1]])[owner[1]]
    return meta.describe(
        asked, kind, row, words, people=people, picture=picture, part_of=("run", run), licence=dataset.get("licence")
    )


def _badges(kind: str, row: Row) -> tuple[Badge, ...]:
    match kind:
        case "tiltseries":
            return (formats.quality(row["tilt_series_quality"]),)
        case "tomogram":
            return tuple(badge for name, badge in leafparts.BADGES.items() if row[name])
        case "alignment" if row["is_portal_standard"]:
            return (leafparts.CANONICAL,)
        case "annotation" if row["ground_truth_status"]:
            return (formats.GROUND_TRUTH,)
    return ()


def _picture(asked: Asked, kind: str, best: Row | None, run: Row) -> summaries.Picture:
    """Give the key photo: on the page where nothing can be cut from the volume, and for cards elsewhere always."""
    if best is None:
        best = summaries.best_tomograms(asked, [run["id"]]).get(run["id"])
    if best is None or kind == "alignment":
        return summaries.Picture("", "" if kind != "tomogram" else say("No picture"))
    alt = say("Central slice of {}, {}", asked.name("tomogram", best["id"]), run["name"])
    return summaries.picture(
        asked, best["key_photo_url"] or best["key_photo_thumbnail_url"], alt, width=summaries.MIDDLE
    )


def _view(asked: Asked, kind: str, row: Row) -> str:
    if kind == "tomogram" and row["s3_omezarr_dir"]:
        return f"/view/tomograms/{row['id']}"
    return (
        f"/view/runs/{row['run_id']}?annotation={asked.name('annotation', row['id'])}" if kind == "annotation" else ""
    )


def _note(kind: str, made: Cells | None) -> str:
    if made is None:
        return ""
    if not made.rows:
        return say("No sections are recorded.")
    if kind == "annotation":
        return (
            say(
                "The first {} of {}, in voxels of the tomogram they were made on.",
                formats.plural(len(made.rows), "point"),
                formats.count(made.total),
            )
            if made.total > len(made.rows)
            else say("In voxels of the tomogram they were made on.")
        )
    return say("Not recorded: {}.", ", ".join(map(say, made.missing)).lower()) if made.missing else ""


def _exports(kind: str, row: Row, made: Cells | None) -> tuple[Crumb, ...]:
    if made is None or not made.rows:
        return ()
    return tuple(Crumb(form.upper(), f"{links.page(kind, row['id'])}.{form}") for form in leaftables.SEPARATORS)


CELLS: Mapping[str, Callable[[Asked, Row], Cells | None]] = {
    "tiltseries": leaftables.series_sections, "alignment": leaftables.alignment_sections, "annotation": leaftables.points,
}  # fmt: skip
"""What the table of a page holds, by kind of record."""


def table_routes(portal: Portal) -> list[Route]:
    """Give the routes of the tables as text."""

    def answer(kind: str, form: str) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            asked = ask(portal, request)
            number = request.path_params["id"]
            made = CELLS[kind](asked, asked.get(kind, number))
            if made is None:
                message = say("{} has no table.", asked.name(kind, number))
                raise NotFoundError(message)
            media_type = "text/csv" if form == "csv" else "text/tab-separated-values"
            name = f"{asked.name(kind, number)}_{made.noun.lower()}.{form}"
            headers = {"content-disposition": f'attachment; filename="{name}"'}
            return guard(
                StreamingResponse(
                    leaftables.written(made, form), headers=headers, media_type=f"{media_type}; charset=utf-8"
                )
            )

        return endpoint

    return [
        Route(f"{links.PATHS[kind]}/{{id:int}}.{form}", answer(kind, form))
        for kind in CELLS
        for form in leaftables.SEPARATORS
    ]
