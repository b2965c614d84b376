"""The page of a dataset: what it is, what it holds, its runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tomotheca.web import ascode, downloads, drawers, links, meta, orders, photos, summaries
from tomotheca.web import format as formats
from tomotheca.web.facets import Scope, held, matching
from tomotheca.web.filtering import OWN
from tomotheca.web.knowing import complete, completeness, file_bytes
from tomotheca.web.page import Asked, Context, Crumb, Moved
from tomotheca.web.pages import datasettables, plaintables
from tomotheca.web.pages.common import TABLE, identifier, over, unknown
from tomotheca.web.pages.rows import hidden_note
from tomotheca.web.panel import Filtered, Panel, canonical, filtered, make_panel
from tomotheca.web.people import People, find_people
from tomotheca.web.tables import (
    Column,
    Order,
    Table,
    heads,
    make_pager,
    read_order,
    slice_page,
)  # fmt: skip
from tomotheca.web.values import Field, Value, field, plain, sections
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.filters import Active
    from tomotheca.web.format import Badge

RUN_COLUMNS = (
    Column("Preview", style="preview"), Column("Run name", "run-name", also=(("ID", "id"),), style="name"), Column("Quality", "quality", help="Given by the dataset authors; compare only inside this dataset."),
    Column("Tilt series", "tilt-series", numeric=True, also=(("Tilt range", "tilt-range"),)), Column("Tomograms", "tomograms", numeric=True, also=(("Voxel spacing", "voxel-spacing"),)), Column("Annotations", "annotations", numeric=True), Column("Objects", "objects", style="objects"),
    Column("Complete", "completeness", numeric=True, help="Share of what is needed to work with a run: frames, gain, mdoc, tilt series, angles, dose, CTF, alignment, tomogram, annotations."),
    Column("Size", "size", numeric=True), Column("", style="actions"),
)  # fmt: skip
RUN_SORTS: Mapping[str, orders.Key] = {
    "run-name": orders.column("name"), "quality": orders.mean("tiltseries", "tilt_series_quality", without=0), "tilt-series": orders.counted("tiltseries"),
    "tilt-range": orders.most("tiltseries", "tilt_range"), "tomograms": orders.counted("tomogram"), "voxel-spacing": orders.least("tomogram", "voxel_spacing"),
    "annotations": orders.counted("annotation"), "objects": orders.distinct("annotation", "object_name"), "size": lambda scope: file_bytes(scope.masks),
    "completeness": lambda scope: completeness(scope.masks, scope.portal.settings.completeness).astype(np.float64),
}  # fmt: skip

CHUNK = 200
"""Runs that are read at a time for a table to take away."""

PREFIXED = tuple(f"{tab}-{name}" for tab in datasettables.MAKERS for name in TABLE)
CONTENTS = {
    "raw-frames": ("Frames", "Raw movies of the camera, one per tilt angle."), "gain": ("Gain reference", "Correction image of the camera."),
    "tilt-series": ("Tilt series", "Stack of projection images."), "ctf": ("CTF", "Defocus is recorded for the sections of the tilt series."),
    "tilt-series-alignment": ("Alignment", "How sections and volume relate."), "mdoc": ("mdoc", "File of the microscope that describes the acquisition."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Content:
    """One line of the contents panel."""

    label: str
    text: str
    help: str = ""
    amount: int = 0


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list."""

    id: int
    identifier: str
    href: str
    name: str
    picture: summaries.Picture
    quality: Badge
    tilt_series: int
    tilt_range: str
    tomograms: int
    voxels: str
    annotations: int
    objects: summaries.Objects
    completeness: int
    size: int
    view: str
    download: str


@dataclass(frozen=True, kw_only=True)
class DatasetPage(Context):
    """Everything on the page of a dataset."""

    shows_files: ClassVar[bool] = True
    id: int
    identifier: str
    licence: str
    released: str
    modified: str
    hidden: str
    picture: summaries.Picture
    text: tuple[links.Piece, ...]
    authors: People
    publications: tuple[links.Piece, ...]
    databases: tuple[links.Piece, ...]
    sample: tuple[Field, ...]
    acquisition: tuple[Field, ...]
    contents: tuple[Content, ...]
    size: int
    files: int
    tabs: tuple[Crumb, ...]
    tab: str
    table: Table[Any]
    panel: Panel
    side: str
    deposition: Crumb | None
    """The deposition that the table is limited to, with the address that does away with the limit."""

    info: str
    cite: str
    download: str


def dataset(asked: Asked) -> DatasetPage | Moved:
    """Make the page of a dataset."""
    number = identifier(asked, "dataset")
    if isinstance(number, Moved):
        return number
    row = asked.get("dataset", number)
    found = filtered("run", asked.address, asked.portal.catalog.schema)
    if (address := canonical(asked.address, found.filters)) != asked.address:
        return Moved(str(address))
    overlay, ignored = over(asked, ("dataset", number))
    name, size = (
        asked.name("dataset", number),
        summaries.file_sizes(asked, "dataset_id", [number]).get(number, summaries.Bytes()),
    )
    people, picture = (
        find_people(asked, "dataset", [number])[number],
        photos.key_photo(asked, "dataset", row),
    )
    about = meta.describe(
        asked,
        "dataset",
        row,
        (row["title"], row["description"][:5000]),
        people=people,
        picture=picture,
        licence=row["licence"],
    )
    tab = _tab(asked)
    table = (
        _table(asked, number, found)
        if tab == "runs"
        else plaintables.table(asked, datasettables.MAKERS[tab](asked, number))
    )
    if table.pager.past:
        return Moved(table.pager.past)
    code = ascode.of_list(asked, "run", found.active, dataset_id=number) if tab == "runs" else ascode.of_table(asked)
    overlay = drawers.beside(asked, overlay, (r.identifier for r in table.rows if r.identifier))
    return DatasetPage(
        title=row["title"], description=row["description"][:300], crumbs=(Crumb(say("All datasets"), _back(asked, found)), Crumb(row["title"])),
        ignored=(*found.ignored, *ignored, *unknown(asked.address, {*TABLE, "table-tab", *PREFIXED, *found.parameters})), canonical=asked.origin + links.page("dataset", number),
        overlay=overlay, id=number, identifier=name, licence=row["licence"] or "", released=formats.date(row["release_date"]),
        modified=formats.date(row["last_modified_date"]), hidden=hidden_note(row),
        picture=picture, about=about, code=code,
        text=links.pieces(row["description"]), authors=people, publications=links.listed(row["dataset_publications"]),
        databases=links.listed(row["related_database_entries"]), sample=_sample(asked, row), acquisition=_acquisition(asked, number),
        contents=_contents(asked, number), size=size.size, files=size.files, table=table, tab=tab, tabs=_tabs(asked, tab),
        panel=make_panel(Scope(asked.portal, "run", asked.viewer, asked.version, number), found, asked.address), side=asked.portal.settings.filter_side,
        deposition=_limited(asked, found), info=drawers.link(asked, "dataset"), cite=drawers.cite_link(asked, "dataset"), download=downloads.link(asked, "dataset", number),
    )  # fmt: skip


def rows(asked: Asked) -> Iterator[Any] | Moved:
    """Give every row of the open tab."""
    number = identifier(asked, "dataset")
    if isinstance(number, Moved):
        return number
    asked.get("dataset", number)
    tab = _tab(asked)
    if tab != "runs":
        return plaintables.exported(asked, datasettables.MAKERS[tab](asked, number))
    found = filtered("run", asked.address, asked.portal.catalog.schema)
    ids, _, _ = _listed(asked, number, found)
    chunks = range(0, len(ids), CHUNK)
    return (row for begin in chunks for row in run_rows(asked, ids[begin : begin + CHUNK], found.active))


def _tab(asked: Asked) -> str:
    given = asked.address.first("table-tab").lower()
    return given if given in datasettables.MAKERS else "runs"


def _tabs(asked: Asked, current: str) -> tuple[Crumb, ...]:
    base = asked.address.without([*drawers.PARAMETERS, *downloads.PARAMETERS])
    names = {"runs": say("Runs"), "objects": say("Objects"), "depositions": say("Depositions"), "files": say("Files")}
    return tuple(
        Crumb(text, "" if tab == current else str(base.set({"table-tab": tab if tab != "runs" else None})))
        for tab, text in names.items()
    )


def _limited(asked: Asked, found: Filtered) -> Crumb | None:
    """Name the depositions that the runs are limited to."""
    active = next((a for a in found.active if a.filter.parameter == "deposition-id"), None)
    if active is None:
        return None
    words = say(" or ").join(active.filter.words(v) for v in active.values)
    return Crumb(words, str(asked.address.without(["deposition-id", "page"])))


def _back(asked: Asked, found: Filtered) -> str:
    return str(
        asked.address.at("/browse-data/datasets").only(
            {a.filter.parameter for a in found.active if a.filter.number not in OWN}
        )
    )


def _sample(asked: Asked, row: Row) -> tuple[Field, ...]:
    """Give the recorded fields of the sample, the long ones left to the drawer."""
    found = sections(asked.portal.catalog.schema.columns("dataset"), row).get("Sample and experiment", [])
    return tuple(
        f
        for f in found
        if f.values[0].style not in {"missing", "long"}
        and f.label not in {"Sample preparation", "Grid preparation", "Other setup"}
    )


ACQUIRED = (
    "microscope_manufacturer", "microscope_model", "camera_manufacturer", "camera_model", "acceleration_voltage", "tilting_scheme",
    "pixel_spacing", "total_flux",
)  # fmt: skip
"""What is told of a dataset's tilt series."""


def _acquisition(asked: Asked, dataset: int) -> tuple[Field, ...]:
    """Give what all tilt series share, or how it varies."""
    series = summaries.group(asked, "tiltseries", "_owner", [dataset], *ACQUIRED, ("min", "id"))
    if not series:
        return ()
    series.sort(key=lambda s: s["min_id"])
    spans = {"pixel_spacing": "Å/px", "total_flux": "e⁻/Å²"}
    lines = [
        field("Microscope", _together(f"{s['microscope_manufacturer']} {s['microscope_model']}" for s in series)),
        field("Camera", _together(f"{s['camera_manufacturer']} {s['camera_model']}" for s in series)),
        field("Voltage", _together(formats.quantity(s["acceleration_voltage"] / formats.KILO, "kV") for s in series)),
        field("Tilting scheme", _together(s["tilting_scheme"] for s in series)),
    ]
    names = {c.name: c.label for c in asked.portal.catalog.schema.columns("tiltseries")}
    return (
        *lines,
        *(field(names[n], formats.span([s[n] for s in series if s[n] is not None], unit)) for n, unit in spans.items()),
    )


def _together(values: Iterable[str]) -> Value:
    found = list(dict.fromkeys(values))
    return plain(found[0]) if len(found) == 1 else plain(say("varies: {}", ", ".join(found)))


def _contents(asked: Asked, number: int) -> tuple[Content, ...]:
    """Count what the dataset holds: runs, tomograms, annotations, and in how many runs each type of data is."""
    scope = Scope(asked.portal, "run", asked.viewer, asked.version, number)
    runs = int(scope.listed.sum())
    having = {name: int((scope.listed & mask).sum()) for name, mask in held(scope.masks).items()}
    annotations = summaries.group(asked, "annotation", "_owner", [number], "ground_truth_status", ("count", ""))
    total, truth = sum(a["n"] for a in annotations), sum(a["n"] for a in annotations if a["ground_truth_status"])
    volumes = summaries.counts(asked, "tomogram", "_owner", [number])[number]
    words = f"{formats.count(total)}" + (say(" ({} ground truth)", formats.count(truth)) if truth else "")
    first = (Content("Runs", formats.count(runs), "Physical locations that were imaged.", runs), Content("Tomograms", formats.count(volumes), "Reconstructed volumes.", volumes),
             Content("Annotations", words, "Labels, each for one kind of object.", total))  # fmt: skip
    return (
        *first,
        *(
            Content(text, _share(having[name], runs), meaning, having[name])
            for name, (text, meaning) in CONTENTS.items()
        ),
    )


def _share(number: int, runs: int) -> str:
    if not number:
        return say("Not submitted")
    return (
        say("All {} runs", formats.count(runs))
        if number == runs > 1
        else say("1 run")
        if number == runs
        else say("{} of {} runs", formats.count(number), formats.count(runs))
    )


def _listed(asked: Asked, number: int, found: Filtered) -> tuple[list[int], Order, int]:
    """Give the runs that the filters leave, in order, and how many there are without filters."""
    order = read_order(asked.address, RUN_COLUMNS, (("run-name", False),))
    scope = Scope(asked.portal, "run", asked.viewer, asked.version, number)
    return (
        orders.arranged(scope, matching(scope, found.active), order, RUN_SORTS),
        order,
        int(scope.listed.sum()),
    )


def _table(asked: Asked, number: int, found: Filtered) -> Table[RunRow]:
    ids, order, total = _listed(asked, number, found)
    rows = run_rows(asked, slice_page(ids, asked.address), found.active)
    return Table(
        "Runs",
        heads(asked.address, RUN_COLUMNS, order),
        tuple(rows),
        len(ids),
        total,
        make_pager(asked.address, len(ids)),
    )


def run_rows(asked: Asked, ids: Sequence[int], active: Sequence[Active] = ()) -> list[RunRow]:
    """Give runs as lists show them."""
    series = summaries.group(
        asked, "tiltseries", "run_id", ids, "tilt_series_quality", "tilt_range", "tilt_min", "tilt_max", ("count", "")
    )
    volumes = {
        r["owner"]: r
        for r in summaries.group(
            asked, "tomogram", "run_id", ids, ("count", ""), ("min", "voxel_spacing"), ("max", "voxel_spacing")
        )
    }
    annotations, objects = summaries.counts(asked, "annotation", "run_id", ids), summaries.objects(asked, "run_id", ids)
    sizes, best = summaries.file_sizes(asked, "run_id", ids), summaries.best_tomograms(asked, ids)
    carried = asked.address.only({a.filter.parameter for a in active if a.filter.level in {"annotation", "tomogram"}})
    shares = complete(asked.portal.catalog.masks(asked.viewer, asked.version), ids, asked.portal.settings.completeness)
    out = []
    for r in summaries.find_in_order(asked, "run", ids):
        i, t, v = r["id"], best.get(r["id"]), volumes.get(r["id"])
        mine = [s for s in series if s["owner"] == i]
        alt = (
            say("Central slice of {}, {}", asked.name("tomogram", t["id"]), r["name"])
            if t
            else say("Run {}", r["name"])
        )
        out.append(
            RunRow(
                i, asked.name("run", i), str(carried.at(links.page("run", i))), r["name"], summaries.picture(asked, _photo(t), alt),
                formats.run_quality([s["tilt_series_quality"] for s in mine for _ in range(s["n"])]), sum(s["n"] for s in mine),
                "; ".join(dict.fromkeys(formats.tilt_range(s["tilt_range"], s["tilt_min"], s["tilt_max"]) for s in mine)), v["n"] if v else 0,
                formats.span([v["min_voxel_spacing"], v["max_voxel_spacing"]], "Å") if v else "", annotations[i], objects.get(i, summaries.Objects()), shares[i].share,
                sizes.get(i, summaries.Bytes()).size, f"/view/runs/{i}" if t else "", downloads.link(asked, "run", i),
            )
        )  # fmt: skip
    return out


def _photo(tomogram: Row | None) -> str | None:
    return (tomogram["key_photo_url"] or tomogram["key_photo_thumbnail_url"]) if tomogram else None
