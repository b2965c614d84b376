"""Browse datasets, depositions, runs and objects: one table each, with the filter panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tomotheca.web import format as formats
from tomotheca.web import links, orders, summaries
from tomotheca.web.address import Address
from tomotheca.web.knowing import completeness
from tomotheca.web.page import Asked, Moved
from tomotheca.web.pages import listing
from tomotheca.web.pages.dataset import RUN_SORTS, RunRow, run_rows
from tomotheca.web.pages.rows import DatasetRow, DepositionRow, dataset_rows, deposition_rows
from tomotheca.web.summaries import find_in_order
from tomotheca.web.tables import Column

if TYPE_CHECKING:
    from tomotheca.web.facets import Scope
    from tomotheca.web.panel import Filtered

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

RUN_COLUMNS = (
    Column("Preview", style="preview"), Column("Run name", "run-name", also=(("ID", "id"),), style="name"), Column("Dataset", "dataset", also=(("Organism", "organism"),)),
    Column("Quality", "quality", help="Given by the dataset authors; compare only inside one dataset."), Column("Tilt series", "tilt-series", numeric=True, also=(("Tilt range", "tilt-range"),)),
    Column("Pixel size", "pixel-size", numeric=True, also=(("Dose", "dose"),)),
    Column("Tomograms", "tomograms", numeric=True, also=(("Voxel", "voxel-spacing"), ("Annotations", "annotations"))), Column("Objects", "objects", style="objects"),
    Column("Complete", "completeness", numeric=True, help="Share of what is needed to work with a run: frames, gain, mdoc, tilt series, angles, dose, CTF, alignment, tomogram, annotations."),
    Column("Size", "size", numeric=True, also=(("Released", "released"),)), Column("", style="actions"),
)  # fmt: skip


def _complete(scope: Scope) -> Any:
    return completeness(scope.masks, scope.portal.settings.completeness).astype(np.float64)


BROWSED_SORTS: Mapping[str, orders.Key] = {
    **RUN_SORTS, "dataset": orders.related("dataset", orders.column("title")), "organism": orders.related("dataset", orders.column("organism_name")),
    "pixel-size": orders.least("tiltseries", "pixel_spacing"), "dose": orders.most("tiltseries", "total_flux"), "completeness": _complete,
    "released": orders.related("dataset", orders.column("release_date")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BrowsedRow:
    """A run among those of all datasets."""

    id: int
    run: RunRow
    dataset: str
    dataset_href: str
    organism: str
    organism_href: str
    pixel: str
    dose: str
    completeness: int
    released: str


def browsed_rows(asked: Asked, ids: Sequence[int], found: Filtered) -> list[BrowsedRow]:
    """Give runs as Browse runs shows them."""
    runs = {r["id"]: r for r in find_in_order(asked, "run", ids)}
    datasets = {d["id"]: d for d in find_in_order(asked, "dataset", sorted({r["dataset_id"] for r in runs.values()}))}
    masks = asked.portal.catalog.masks(asked.viewer, asked.version)
    shares = completeness(masks, asked.portal.settings.completeness)
    complete = shares[np.searchsorted(masks.world.ids("run"), np.array(ids, np.int64))].tolist()
    measured = {
        r["owner"]: r
        for r in summaries.group(
            asked, "tiltseries", "run_id", ids, ("min", "pixel_spacing"), ("max", "pixel_spacing"), ("min", "total_flux"), ("max", "total_flux")
        )
    }  # fmt: skip
    out = []
    for row, share in zip(run_rows(asked, ids, found.active), complete, strict=True):
        d, t = datasets[runs[row.id]["dataset_id"]], measured.get(row.id)
        organism = d["organism_name"] or ""
        out.append(
            BrowsedRow(
                row.id, row, d["title"], links.page("dataset", d["id"]), organism, str(Address("/browse-data/runs", (("organism", organism),))),
                formats.span([t["min_pixel_spacing"], t["max_pixel_spacing"]], "Å/px") if t else "",
                formats.span([t["min_total_flux"], t["max_total_flux"]], "e⁻/Å²") if t else "", share, formats.date(d["release_date"]),
            )
        )  # fmt: skip
    return out


DATASETS = listing.Kind[DatasetRow](
    "dataset", "/browse-data/datasets", "Datasets", DATASET_COLUMNS, DATASET_SORTS, DATASET_ORDER, dataset_rows
)
DEPOSITIONS = listing.Kind[DepositionRow](
    "deposition", "/browse-data/depositions", "Depositions", DEPOSITION_COLUMNS, DEPOSITION_SORTS, DEPOSITION_ORDER, deposition_rows
)  # fmt: skip
RUNS = listing.Kind[BrowsedRow](
    "run",
    "/browse-data/runs",
    "Runs",
    RUN_COLUMNS,
    BROWSED_SORTS,
    (("released", True), ("run-name", False)),
    browsed_rows,
)


def browse(asked: Asked) -> Moved:
    """Send the bare address to the datasets."""
    return Moved(str(asked.address.at("/browse-data/datasets")))


def datasets(asked: Asked) -> listing.BrowsePage[DatasetRow] | Moved:
    """Make Browse datasets."""
    return listing.page(asked, DATASETS)


def depositions(asked: Asked) -> listing.BrowsePage[DepositionRow] | Moved:
    """Make Browse depositions."""
    return listing.page(asked, DEPOSITIONS)


def runs(asked: Asked) -> listing.BrowsePage[BrowsedRow] | Moved:
    """Make Browse runs."""
    return listing.page(asked, RUNS)
