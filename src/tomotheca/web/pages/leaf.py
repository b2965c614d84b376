"""Pages of single records: tilt series, tomogram, annotation, alignment. The same sections as the drawers, with a picture and links."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.web import downloads, drawers, links, summaries
from tomotheca.web import format as formats
from tomotheca.web.page import Asked, Context, Crumb, Moved
from tomotheca.web.pages.common import identifier, over, unknown
from tomotheca.web.recordparts import EXTRA
from tomotheca.web.records import record

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.format import Badge
    from tomotheca.web.values import Section


@dataclass(frozen=True, kw_only=True)
class Leaf(Context):
    """Everything on the page of a single record."""

    kind: str
    id: int
    identifier: str
    heading: str
    badges: tuple[Badge, ...]
    picture: summaries.Picture
    sections: tuple[Section, ...]
    view: str
    download: str
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
    name, overlay = asked.name(kind, row["id"]), over(asked, (kind, row["id"]))
    steps = (
        Crumb(f"{asked.name('run', run['id'])} {run['name']}", links.page("run", run["id"])),
        Crumb(dataset["title"], links.page("dataset", dataset["id"])),
    )
    entity = asked.portal.catalog.schema.kinds[kind]
    made = (*record(asked, kind, row), *(EXTRA["sections"](asked, row) if kind == "tiltseries" else ()))
    return Leaf(
        title=f"{entity.title} {name}: {drawers.heading(kind, row)}", description=f"{entity.title} {name} of run {run['name']}, {dataset['title']}"[:300],
        crumbs=(Crumb("All datasets", "/browse-data/datasets"), Crumb(f"{asked.name('dataset', dataset['id'])} {dataset['title']}", steps[1].href), steps[0], Crumb(name)),
        ignored=(*overlay[1], *unknown(asked.address, ())), overlay=overlay[0], canonical=asked.origin + links.page(kind, row["id"]), kind=entity.title, id=row["id"],
        identifier=name, heading=drawers.heading(kind, row), badges=_badges(kind, row), picture=_picture(asked, kind, row, run), sections=made,
        view=_view(asked, kind, row), download=downloads.link(asked, kind, row["id"]) if kind in downloads.OFFERS else "", run=steps[0], dataset=steps[1],
    )  # fmt: skip


def _badges(kind: str, row: Row) -> tuple[Badge, ...]:
    if kind == "tiltseries":
        return (formats.quality(row["tilt_series_quality"]),)
    return (formats.GROUND_TRUTH,) if kind == "annotation" and row["ground_truth_status"] else ()


def _picture(asked: Asked, kind: str, row: Row, run: Row) -> summaries.Picture:
    if kind in {"alignment", "tiltseries"}:
        return summaries.Picture("", "")
    best = row if kind == "tomogram" else summaries.best_tomograms(asked, [run["id"]]).get(run["id"])
    if best is None:
        return summaries.Picture("", "No picture")
    alt = f"Central slice of {asked.name('tomogram', best['id'])}, {run['name']}"
    return summaries.picture(
        asked, best["key_photo_url"] or best["key_photo_thumbnail_url"], alt, width=summaries.MIDDLE
    )


def _view(asked: Asked, kind: str, row: Row) -> str:
    if kind == "tomogram" and row["s3_omezarr_dir"]:
        return f"/view/tomograms/{row['id']}"
    return (
        f"/view/runs/{row['run_id']}?annotation={asked.name('annotation', row['id'])}" if kind == "annotation" else ""
    )
