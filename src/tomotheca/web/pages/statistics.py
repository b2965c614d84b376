"""Statistics: how much there is of what, since when, and how well it is described."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from tomotheca.web import format as formats
from tomotheca.web.address import Address
from tomotheca.web.page import Asked, Context, Crumb
from tomotheca.web.pages.common import unknown
from tomotheca.web.values import title
from tomotheca.web.words import current, label, say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.catalog.masks import Masks
    from tomotheca.schema.core import Column

PATH = "/statistics"
DATASETS = "/browse-data/datasets"
NOT_RECORDED = "Not recorded"
SHOWN = 12
"""Lines of a table before the rest is folded."""

TOTALS = ("dataset", "run", "tiltseries", "tomogram", "annotation", "deposition")
CHARTS = (
    ("organisms", "dataset", "organism_name"), ("sample-types", "dataset", "sample_type"), ("objects", "annotation", "object_name"),
    ("shapes", "annotation_shape", "shape_type"), ("methods", "annotation", "method_type"), ("microscopes", "tiltseries", "microscope_model"),
    ("cameras", "tiltseries", "camera_model"), ("reconstruction-methods", "tomogram", "reconstruction_method"),
)  # fmt: skip
"""What is counted by value: name of the table, kind and column."""

FILLED = ("dataset", "run", "tiltseries", "tomogram", "annotation", "deposition")
PARAMETERS = {("annotation", "object_name"): "object"}
"""Filters of columns that are no facet of their own."""

FULL = 100.0


@dataclass(frozen=True, slots=True)
class Line:
    """One thing and its number."""

    label: str
    number: int
    text: str
    """The number as it is read."""

    share: float
    """Length of the bar, from 0 to 100."""

    href: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A table with a bar in each line."""

    id: str
    title: str
    what: str
    """What the numbers count."""

    lines: tuple[Line, ...]
    more: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """What was released in a month, and how much there was at its end."""

    month: str
    datasets: int
    runs: int
    all_datasets: int
    all_runs: int
    x: float
    height: float
    """Place and height of its column, in units of the drawing."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A line of the table that can be taken away."""

    table: str
    label: str
    number: int
    share: float | None
    note: str


@dataclass(frozen=True, kw_only=True)
class Statistics(Context):
    """Everything on the page."""

    totals: tuple[Line, ...]
    months: tuple[Month, ...]
    wide: float
    """Width of a month's column."""

    charts: tuple[Chart, ...]
    filled: tuple[Chart, ...]
    storage: Chart
    downloads: Line | None


@dataclass(frozen=True, slots=True)
class Counted:
    """What follows from one state of the catalogue as one visitor sees it."""

    totals: tuple[Line, ...]
    months: tuple[Month, ...]
    wide: float
    charts: tuple[Chart, ...]
    filled: tuple[Chart, ...]
    storage: Chart


def statistics(asked: Asked) -> Statistics:
    """Make the page."""
    masks = _masks(asked)
    question = ("statistics", current().language, masks.viewer.curator, masks.hidden)
    c = masks.world.keep(question, lambda: _counted(asked))
    return Statistics(
        title=say("Statistics"), description=say("How much there is of what, since when, and how well it is described."), crumbs=(Crumb(say("Statistics")),),
        ignored=unknown(asked.address, ()), canonical=asked.origin + PATH, totals=c.totals, months=c.months, wide=c.wide, charts=c.charts,
        filled=c.filled, storage=c.storage, downloads=_downloads(asked),
    )  # fmt: skip


def _counted(asked: Asked) -> Counted:
    months, wide = _months(asked)
    charts = tuple(_chart(asked, *chart) for chart in CHARTS)
    return Counted(
        tuple(_totals(asked)),
        months,
        wide,
        charts,
        tuple(_filled(asked, kind) for kind in FILLED),
        _storage(asked),
    )


def rows(asked: Asked) -> Iterator[Cell]:
    """Give every number as a line of one table."""
    page = statistics(asked)
    for total in page.totals:
        yield Cell("totals", total.label, total.number, None, "")
    for month in page.months:
        yield Cell("datasets released", month.month, month.datasets, None, "")
        yield Cell("runs released", month.month, month.runs, None, "")
    for chart in (*page.charts, page.storage):
        for line in (*chart.lines, *chart.more):
            yield Cell(chart.title, line.label, line.number, None, line.note)
    for chart in page.filled:
        for line in (*chart.lines, *chart.more):
            yield Cell(chart.title, line.label, line.number, line.share, line.note)


def _masks(asked: Asked) -> Masks:
    return asked.portal.catalog.masks(asked.viewer, asked.version)


def _totals(asked: Asked) -> Iterator[Line]:
    masks, names = _masks(asked), asked.portal.catalog.schema.kinds
    for kind in TOTALS:
        number = int(masks.visible(kind).sum())
        text = names[kind].title
        yield Line(text if text.endswith("s") else f"{text}s", number, formats.count(number), 0.0)


def _months(asked: Asked) -> tuple[tuple[Month, ...], float]:
    """Count datasets and runs by the month in which their dataset was released; months without any are there too."""
    masks = _masks(asked)
    world = masks.world
    released = world.column("dataset", "release_date")
    names = [str(v)[:7] if v is not None else "" for v in released.values]
    datasets = np.bincount(released.codes[masks.visible("dataset")], minlength=len(names))
    at = world.places("run", "dataset_id", "dataset")[masks.visible("run")]
    runs = np.bincount(released.codes[at[at >= 0]], minlength=len(names))
    found: dict[str, tuple[int, int]] = {}
    for name, d, r in zip(names, datasets.tolist(), runs.tolist(), strict=True):
        if name and d:
            before = found.get(name, (0, 0))
            found[name] = (before[0] + d, before[1] + r)
    calendar = list(_calendar(sorted(found)))
    total_runs, total_datasets, made = sum(r for _, r in found.values()), 0, []
    wide, sum_runs = FULL / max(len(calendar), 1), 0
    for place, name in enumerate(calendar):
        d, r = found.get(name, (0, 0))
        total_datasets, sum_runs = total_datasets + d, sum_runs + r
        height = FULL * sum_runs / max(total_runs, 1)
        made.append(Month(name, d, r, total_datasets, sum_runs, round(place * wide, 3), round(height, 3)))
    return tuple(made), round(wide * 0.85, 3)


def _calendar(months: Sequence[str]) -> Iterator[str]:
    """Give every month from the first to the last."""
    if not months:
        return
    year, month = (int(part) for part in months[0].split("-"))
    while (name := f"{year:04}-{month:02}") <= months[-1]:
        yield name
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)  # noqa: PLR2004 - months of a year


def _column(asked: Asked, kind: str, name: str) -> Column:
    return asked.portal.catalog.schema.by_name[kind][name]


def _chart(asked: Asked, identifier: str, kind: str, name: str) -> Chart:
    """Count the rows of a kind by the values of a column."""
    masks, column = _masks(asked), _column(asked, kind, name)
    coded = masks.world.column(kind, name)
    marked: NDArray[np.bool_] = masks.visible(kind)
    if kind == "annotation_shape":
        marked = (
            marked
            & np.append(masks.visible("annotation"), False)[masks.world.places(kind, "annotation_id", "annotation")]
        )
    counts = np.bincount(coded.codes[marked], minlength=len(coded.values)).tolist()
    ordered = sorted(
        ((n, v) for v, n in zip(coded.values, counts, strict=True) if n), key=lambda p: (p[1] is None, -p[0], str(p[1]))
    )
    most = max((n for n, _ in ordered), default=1)
    parameter = PARAMETERS.get((kind, name)) or (column.facet.parameter if column.facet else "")
    lines = tuple(_line(column, v, n, most, parameter) for n, v in ordered)
    entity = asked.portal.catalog.schema.kinds[kind].title.lower()
    text = "Object" if name == "object_name" else title(column)
    return Chart(identifier, text, say(entity if entity.endswith("s") else f"{entity}s"), lines[:SHOWN], lines[SHOWN:])


def _line(column: Column, value: Any, number: int, most: int, parameter: str) -> Line:
    share = round(FULL * number / most, 2)
    if value is None:
        return Line(say(NOT_RECORDED), number, formats.count(number), share)
    text = label(column.enum, value) if column.enum else str(value)
    href = str(Address(DATASETS, ((parameter, str(value)),))) if parameter else ""
    return Line(text, number, formats.count(number), share, href)


def _filled(asked: Asked, kind: str) -> Chart:
    """Count for each field of a kind in how many records it is recorded."""
    counts = _recorded(asked, kind)
    total = counts[0]
    lines = []
    for column, number in zip(_described(asked, kind), counts[1:], strict=True):
        share = FULL * number / total if total else 0.0
        shown = 0.1 if 0 < share < 0.1 else round(share, 1)  # noqa: PLR2004 - what is there is never shown as nothing
        lines.append(
            Line(
                title(column),
                number,
                f"{shown:g} %",
                shown,
                note=say("{} of {}", formats.count(number), formats.count(total)),
            )
        )
    lines.sort(key=lambda line: (-line.share, line.label))
    entity = asked.portal.catalog.schema.kinds[kind].title
    return Chart(
        f"filled-{kind}",
        entity if entity.endswith("s") else f"{entity}s",
        say("recorded"),
        tuple(lines[:SHOWN]),
        tuple(lines[SHOWN:]),
    )


def _described(asked: Asked, kind: str) -> tuple[Column, ...]:
    """Give the fields of a kind that somebody records: those of its drawer."""
    found = asked.portal.catalog.schema.columns(kind)
    return tuple(c for c in found if c.public and c.drawer and not c.location and not c.ref and not c.personal)


def _recorded(asked: Asked, kind: str) -> tuple[int, ...]:
    compiler = asked.portal.catalog.compiler(asked.viewer)
    row = compiler.table(kind)
    columns = [sa.func.count(row.c[c.name]) for c in _described(asked, kind)]
    found = asked.portal.catalog.rows(
        sa.select(sa.func.count(), *columns).select_from(row).where(*compiler.visible(kind, row))
    )
    return tuple(int(n) for n in found[0])


def _storage(asked: Asked) -> Chart:
    """Add up the bytes of files by the kind they belong to."""
    t, compiler = asked.portal.catalog.tables.file_total, asked.portal.catalog.compiler(asked.viewer)
    size = sa.func.sum(t.c.size)
    wanted = sa.select(t.c.kind, size.label("size"), sa.func.sum(t.c.files).label("files"))
    found = asked.portal.catalog.rows(
        wanted.where(t.c.owner_kind == "dataset", *compiler.visible("file", t))
        .group_by(t.c.kind)
        .order_by(size.desc(), t.c.kind)
    )
    most = max((int(r.size or 0) for r in found), default=0) or 1
    names = asked.portal.catalog.schema.kinds
    lines = tuple(
        Line(
            names[r.kind].title if r.kind in names else say(str(r.kind).replace("_", " ").capitalize()), int(r.size or 0), formats.size(int(r.size or 0)),
            round(FULL * int(r.size or 0) / most, 2), note=formats.plural(int(r.files or 0), "file"),
        )
        for r in found
    )  # fmt: skip
    return Chart("storage", "Storage", say("size"), lines, ())


def _downloads(asked: Asked) -> Line | None:
    """Give the total of downloads; no one is counted, only times and bytes."""
    desk: Any = asked.portal.desk
    if desk is None:
        return None
    total = desk.downloads.total()
    return Line(say("Downloads"), total.times, formats.count(total.times), 0.0, note=formats.size(total.size))
