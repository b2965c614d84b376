"""Browse datasets and depositions: one table each, with the filter panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from tomotheca.web import format as formats
from tomotheca.web import orders
from tomotheca.web.facets import Scope, matching
from tomotheca.web.filters import Active, registry
from tomotheca.web.page import Asked, Context, Crumb, Moved
from tomotheca.web.pages.common import TABLE, over, unknown
from tomotheca.web.pages.rows import DatasetRow, DepositionRow, dataset_rows, deposition_rows
from tomotheca.web.panel import Filtered, Panel, canonical, filtered, make_panel
from tomotheca.web.tables import (
    Column,
    Order,
    Table,
    heads,
    make_pager,
    page_number,
    page_size,
    read_order,
    slice_page,
)  # fmt: skip

DATASET_COLUMNS = (
    Column("Preview", style="preview"), Column("Dataset name", "title", also=(("ID", "id"),), style="name"), Column("Organism", "organism", also=(("Sample type", "sample"),)),
    Column("EMPIAR ID", "empiar"), Column("Objects", "objects", style="objects"), Column("Runs", "runs", numeric=True),
    Column("Tomograms", "tomograms", numeric=True, also=(("Annotations", "annotations"),)), Column("Voxel spacing", "voxel", numeric=True),
    Column("Quality", "quality", help="Given by the dataset authors; compare only inside one dataset."), Column("Size", "size", numeric=True), Column("Released", "released"),
)  # fmt: skip
DATASET_SORTS: Mapping[str, orders.Key] = {
    "title": orders.column("title"), "empiar": orders.column("related_database_entries"), "organism": orders.column("organism_name"),
    "sample": orders.column("sample_type"), "runs": orders.counted("run"), "objects": orders.distinct("annotation", "object_name"),
    "annotations": orders.counted("annotation"), "tomograms": orders.counted("tomogram"), "voxel": orders.least("tomogram", "voxel_spacing"),
    "quality": orders.mean("tiltseries", "tilt_series_quality", without=0), "size": orders.column("file_size"), "released": orders.column("release_date"),
}  # fmt: skip
"""What each sort key sorts by."""

DATASET_ORDER = (("released", True), ("title", False))

DEPOSITION_COLUMNS = (
    Column("Preview", style="preview"), Column("Deposition name", "title", also=(("ID", "id"),), style="name"), Column("Deposition date", "deposition-date"), Column("Release date", "release-date"), Column("Types"),
    Column("Annotations", "annotations", numeric=True), Column("Tomograms", "tomograms", numeric=True), Column("Datasets", "datasets", numeric=True), Column("Objects", "objects"),
)  # fmt: skip
DEPOSITION_SORTS: Mapping[str, orders.Key] = {
    "title": orders.column("title"), "deposition-date": orders.column("deposition_date"), "release-date": orders.column("release_date"),
    "annotations": orders.counted("annotation"), "tomograms": orders.counted("tomogram"), "datasets": orders.counted("dataset"),
    "objects": orders.distinct("annotation", "object_name"),
}  # fmt: skip
DEPOSITION_ORDER = (("deposition-date", True), ("id", True))

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

    listing: Listing


@dataclass(frozen=True, kw_only=True)
class BrowseDatasets(Browse):
    """Browse datasets."""

    table: Table[DatasetRow]


@dataclass(frozen=True, kw_only=True)
class BrowseDepositions(Browse):
    """Browse depositions."""

    table: Table[DepositionRow]


@dataclass(frozen=True)
class Listed:
    """The ids of a listing in order, and all that was read on the way."""

    found: Filtered
    order: Order
    ids: list[int]
    total: int


def browse(asked: Asked) -> Moved:
    """Send the bare address to the datasets."""
    return Moved(str(asked.address.at("/browse-data/datasets")))


def _moved(asked: Asked, kind: str) -> Moved | None:
    """Send older and longer forms of an address to its one form."""
    address = canonical(asked.address, registry(asked.portal.catalog.schema, kind))
    if (sort := LEGACY_SORTS[kind].get(address.first("sort"))) is not None:
        address = address.set({"sort": sort})
    return Moved(str(address)) if address != asked.address else None


def _list(
    asked: Asked,
    kind: str,
    columns: Sequence[Column],
    sorts: Mapping[str, orders.Key],
    default: Sequence[tuple[str, bool]],
) -> Listed:
    found = filtered(kind, asked.address, asked.portal.catalog.schema)
    order = read_order(asked.address, columns, default)
    scope = Scope(asked.portal, kind, asked.viewer, asked.version)
    ids = orders.arranged(scope, matching(scope, found.active), order, sorts)
    return Listed(found, order, ids, int(scope.listed.sum()))


def _past_the_end(asked: Asked, shown: int) -> Moved | None:
    pages = max(1, -(-shown // page_size(asked.address)))
    return (
        Moved(str(asked.address.set({"page": pages if pages > 1 else None})))
        if page_number(asked.address) > pages
        else None
    )


def _tabs(asked: Asked, current: str, shown: int) -> tuple[Crumb, ...]:
    """Give the tabs; a link keeps the filters that the other tab knows."""
    schema, found = asked.portal.catalog.schema, []
    for kind, path, text in (
        ("dataset", "/browse-data/datasets", "Datasets"),
        ("deposition", "/browse-data/depositions", "Depositions"),
    ):
        if kind == current:
            found.append(Crumb(f"{text} {formats.count(shown)}", ""))
            continue
        kept = asked.address.at(path).only({f.parameter for f in registry(schema, kind)})
        scope = Scope(asked.portal, kind, asked.viewer, asked.version)
        found.append(
            Crumb(f"{text} {formats.count(len(matching(scope, filtered(kind, kept, schema).active)))}", str(kept))
        )
    return tuple(found)


def _suggestions(asked: Asked, kind: str, active: Sequence[Active]) -> tuple[Suggestion, ...]:
    """Say which filter costs most, when nothing is left."""
    found = []
    for a in active[:MOST_SUGGESTIONS]:
        rest = [o for o in active if o is not a]
        number = len(matching(Scope(asked.portal, kind, asked.viewer, asked.version), rest))
        words = " or ".join(a.filter.words(v) for v in a.values)
        if number:
            found.append(
                Suggestion(
                    f"{a.filter.label}: {words}", str(asked.address.without([a.filter.parameter, "page"])), number
                )
            )
    return tuple(sorted(found, key=lambda s: -s.count))


def datasets(asked: Asked) -> BrowseDatasets | Moved:
    """Make Browse datasets."""
    if moved := _moved(asked, "dataset"):
        return moved
    listed = _list(asked, "dataset", DATASET_COLUMNS, DATASET_SORTS, DATASET_ORDER)
    if moved := _past_the_end(asked, len(listed.ids)):
        return moved
    rows = dataset_rows(asked, slice_page(listed.ids, asked.address), listed.found)
    table = Table(
        "Datasets",
        heads(asked.address, DATASET_COLUMNS, listed.order),
        tuple(rows),
        len(listed.ids),
        listed.total,
        make_pager(asked.address, len(listed.ids)),
    )
    return BrowseDatasets(listing=_listing(asked, "dataset", listed), **_frame(asked, "dataset", listed), table=table)


def depositions(asked: Asked) -> BrowseDepositions | Moved:
    """Make Browse depositions."""
    if moved := _moved(asked, "deposition"):
        return moved
    listed = _list(asked, "deposition", DEPOSITION_COLUMNS, DEPOSITION_SORTS, DEPOSITION_ORDER)
    if moved := _past_the_end(asked, len(listed.ids)):
        return moved
    rows = deposition_rows(asked, slice_page(listed.ids, asked.address))
    table = Table(
        "Depositions",
        heads(asked.address, DEPOSITION_COLUMNS, listed.order),
        tuple(rows),
        len(listed.ids),
        listed.total,
        make_pager(asked.address, len(listed.ids)),
    )
    return BrowseDepositions(
        listing=_listing(asked, "deposition", listed), **_frame(asked, "deposition", listed), table=table
    )


def _frame(asked: Asked, kind: str, listed: Listed) -> Framed:
    """Give title, crumbs and the like."""
    noun = "Datasets" if kind == "dataset" else "Depositions"
    found, shown = listed.found, len(listed.ids)
    overlay, ignored = over(asked)
    said = ", ".join(f"{a.filter.words(v)}" for a in found.active for v in a.values)[:120]
    return Framed(
        title=f"{noun}: {said} ({shown})" if said else f"Browse {noun.lower()}",
        description=f"{formats.count(shown)} {noun.lower()} of cryo-electron tomography.",
        crumbs=(Crumb("Home", "/"), Crumb(f"All {noun.lower()}")),
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
        _tabs(asked, kind, shown),
        make_panel(scope, listed.found, asked.address),
        asked.portal.settings.filter_side,
        _suggestions(asked, kind, listed.found.active) if not shown else (),
        not listed.total,
    )
