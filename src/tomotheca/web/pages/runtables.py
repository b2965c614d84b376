"""The tables of a run's page, one per tab."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tomotheca.catalog.catalog import Row
from tomotheca.schema.vocabulary import label
from tomotheca.web import downloads, drawers, links, summaries
from tomotheca.web import format as formats
from tomotheca.web.format import Badge
from tomotheca.web.page import Asked
from tomotheca.web.people import People, find_people
from tomotheca.web.recordparts import to
from tomotheca.web.tables import Column, Order, Table, heads, make_pager, rank, read_order, slice_page
from tomotheca.web.values import Value, plain, value_of


@dataclass(frozen=True, slots=True)
class Actions:
    """Links at the end of a row."""

    info: str = ""
    view: str = ""
    download: str = ""


@dataclass(frozen=True, slots=True)
class AnnotationRow:
    """One shape of an annotation."""

    identifier: str
    href: str
    name: str
    authors: People
    deposited: str
    object_id: str
    object_href: str
    shape: str
    method: str
    software: str
    count: int | None
    precision: Badge
    recall: Badge
    ground_truth: bool
    deposition: str
    deposition_href: str
    files: str
    actions: Actions
    group: str = ""
    """Heading above this row."""


@dataclass(frozen=True, slots=True)
class TomogramRow:
    """A tomogram."""

    identifier: str
    href: str
    name: str
    picture: summaries.Picture
    badges: tuple[Badge, ...]
    authors: People
    deposited: str
    alignment: str
    alignment_href: str
    voxel: str
    extent: str
    method: str
    processing: str
    ctf: str
    software: str
    files: str
    actions: Actions


@dataclass(frozen=True, slots=True)
class PlainRow:
    """A row of cells, and what one can do with it."""

    identifier: str
    href: str
    cells: tuple[Value, ...]
    actions: Actions


@dataclass(frozen=True, slots=True)
class Tab:
    """What is fixed about a table."""

    prefix: str
    """Prefix of its parameters."""

    noun: str
    kind: str
    default: tuple[tuple[str, bool], ...]
    """Order when none is chosen."""


ANNOTATION_TAB = Tab(
    "annotations", "Annotations", "annotation", (("truth", True), ("deposition-date", True), ("annotation", True))
)
TOMOGRAM_TAB = Tab("tomograms", "Tomograms", "tomogram", (("standard", True), ("author", True), ("number", True)))
SERIES_TAB = Tab("tiltseries", "Tilt series", "tiltseries", (("id", False),))
ALIGNMENT_TAB = Tab("alignments", "Alignments", "alignment", (("portal-standard", True), ("id", False)))
FRAME_TAB = Tab("frames", "Frames", "frame", (("order", False),))
FILE_TAB = Tab("files", "Files", "file", (("path", False),))

Made = tuple[list[Row], Order, Callable[[Sequence[Any]], Table[Any]]]


def make(asked: Asked, tab: Tab, columns: Sequence[Column], rows: Sequence[Row]) -> Made:
    """Sort and page rows that are already read; give those of the page, their order, and what makes the table."""
    prefix = tab.prefix
    order = read_order(asked.address, columns, tab.default, prefix=prefix)
    ranked = rank(rows, order)
    wanted = slice_page([r["id"] for r in ranked], asked.address, prefix=prefix)
    by_id = summaries.by_id(ranked)

    def table(shown: Sequence[Any]) -> Table[Any]:
        return Table(
            tab.noun,
            heads(asked.address, columns, order, prefix=prefix),
            tuple(shown),
            len(rows),
            len(rows),
            make_pager(asked.address, len(rows), prefix=prefix),
        )

    return [by_id[i] for i in wanted], order, table


ANNOTATIONS = (
    Column("Object", "object-name", style="name"), Column("Object ID", "object-id"), Column("Shape", "shape-type"), Column("Method", "method-type"),
    Column("Count", "count", numeric=True), Column("Precision", "precision", numeric=True), Column("Recall", "recall", numeric=True),
    Column("Deposited", "deposition-date"), Column("Deposition", "deposition"), Column("Formats and size"), Column("", style="actions"),
)  # fmt: skip


def annotation_table(asked: Asked, run: int, found: Sequence[Row]) -> Table[Any]:
    """Make the table of annotations, one row per shape."""
    catalog, ids = asked.portal.catalog, [a["id"] for a in found]
    shapes = catalog.find("annotation_shape", asked.viewer, where={"annotation_id": {"_in": ids}}) if ids else []
    files: dict[int, list[Row]] = {}
    for f in (
        catalog.find("annotation_file", asked.viewer, where={"annotation_shape_id": {"_in": [s["id"] for s in shapes]}})
        if shapes
        else []
    ):
        files.setdefault(f["annotation_shape_id"], []).append(f)
    by_id = summaries.by_id(found)
    rows = [_sortable(by_id[s["annotation_id"]], s) for s in shapes]
    shaped = {s["annotation_id"] for s in shapes}
    rows += [_sortable(a, {"id": -a["id"], "shape_type": None}) for a in found if a["id"] not in shaped]
    page, order, table = make(asked, ANNOTATION_TAB, ANNOTATIONS, rows)
    authors = find_people(asked, "annotation", list({r["row"]["id"] for r in page}))
    shown, seen = [], ""
    truths = sum(bool(r["truth"]) for r in rows)
    for r in page:
        group = (
            ""
            if order.chosen or not truths
            else f"{truths} ground truth"
            if r["truth"]
            else f"{len(rows) - truths} other"
        )
        shown.append(
            _annotation(
                asked,
                run,
                r,
                (authors[r["row"]["id"]], _formats(files.get(r["id"], ())), group if group != seen else ""),
            )
        )
        seen = group
    return table(shown)


def _sortable(a: Row, shape: Mapping[str, Any]) -> Row:
    return {
        "id": shape["id"], "row": a, "shape-type": shape["shape_type"], "object-name": a["object_name"], "object-id": a["object_id"], "method-type": a["method_type"],
        "count": a["object_count"], "precision": a["confidence_precision"], "recall": a["confidence_recall"], "deposition-date": a["deposition_date"],
        "deposition": a["deposition_id"], "truth": bool(a["ground_truth_status"]), "annotation": a["id"],
    }  # fmt: skip


def _formats(files: Sequence[Row]) -> str:
    return ", ".join(
        f"{f['format']} {formats.size(f['file_size'])}" if f["file_size"] is not None else f["format"] for f in files
    )


def _annotation(asked: Asked, run: int, r: Row, around: tuple[People, str, str]) -> AnnotationRow:
    a, (people, files, group) = r["row"], around
    i, truth = a["id"], bool(a["ground_truth_status"])
    return AnnotationRow(
        asked.name("annotation", i), links.page("annotation", i), a["object_name"], people, formats.date(a["deposition_date"]), a["object_id"],
        links.ontology(a["object_id"]), label("annotation_file_shape_type_enum", r["shape-type"]) if r["shape-type"] else formats.NOT_RECORDED,
        label("annotation_method_type_enum", a["method_type"]) if a["method_type"] else formats.NOT_RECORDED, a["annotation_software"] or "", a["object_count"],
        formats.confidence(a["confidence_precision"], ground_truth=truth), formats.confidence(a["confidence_recall"], ground_truth=truth), truth,
        asked.name("deposition", a["deposition_id"]) if a["deposition_id"] else "", links.page("deposition", a["deposition_id"]) if a["deposition_id"] else "", files,
        Actions(drawers.link(asked, "annotation", i), f"/view/runs/{run}?annotation={asked.name('annotation', i)}", downloads.link(asked, "annotation", i)), group,
    )  # fmt: skip


TOMOGRAMS = (
    Column("Preview", style="preview"), Column("Tomogram", "name", style="name"), Column("Voxel spacing", "voxel-spacing", numeric=True), Column("Size", "size", numeric=True),
    Column("Method", "method"), Column("Processing", "processing"), Column("CTF corrected", "ctf-corrected"), Column("Alignment", "alignment"),
    Column("Deposited", "deposition-date"), Column("Formats and size"), Column("", style="actions"),
)  # fmt: skip


def tomograms(asked: Asked, run: int, found: Sequence[Row]) -> Table[Any]:
    """Make the table of tomograms."""
    rows = [
        {
            "id": t["id"], "row": t, "name": t["name"], "voxel-spacing": t["voxel_spacing"], "size": t["size_x"] * t["size_y"] * t["size_z"], "method": t["reconstruction_method"],
            "processing": t["processing"], "ctf-corrected": t["ctf_corrected"], "alignment": t["alignment_id"], "deposition-date": t["deposition_date"],
            "number": t["id"], "standard": bool(t["is_portal_standard"]), "author": bool(t["is_author_submitted"]),
        }
        for t in found
    ]  # fmt: skip
    page, _, table = make(asked, TOMOGRAM_TAB, TOMOGRAMS, rows)
    authors = find_people(asked, "tomogram", [r["id"] for r in page])
    return table([_tomogram(asked, run, r["row"], authors[r["id"]]) for r in page])


BADGES = {
    "is_portal_standard": Badge("Portal standard", "plain", "Its alignment is the portal's standard."),
    "is_author_submitted": Badge("Author submitted", "plain", "Submitted by the dataset's authors."),
    "is_visualization_default": Badge("Default", "plain", "The viewer opens this tomogram."),
}


def _tomogram(asked: Asked, run: int, t: Row, people: People) -> TomogramRow:
    i = t["id"]
    sizes = [
        f"{n} {formats.size(t[c])}"
        for n, c in (("MRC", "file_size_mrc"), ("OME-Zarr", "file_size_omezarr"))
        if t[c] is not None
    ]
    view = f"/view/runs/{run}?tomogram={asked.name('tomogram', i)}" if t["s3_omezarr_dir"] else ""
    return TomogramRow(
        asked.name("tomogram", i), links.page("tomogram", i), t["name"] or asked.name("tomogram", i),
        summaries.picture(asked, t["key_photo_url"] or t["key_photo_thumbnail_url"], f"Central slice of {asked.name('tomogram', i)}, {t['name']}"),
        tuple(b for n, b in BADGES.items() if t[n]), people, formats.date(t["deposition_date"]), asked.name("alignment", t["alignment_id"]) if t["alignment_id"] else "",
        links.page("alignment", t["alignment_id"]) if t["alignment_id"] else "", formats.quantity(t["voxel_spacing"], "Å"),
        formats.vector((t["size_x"], t["size_y"], t["size_z"]), "px"), label("tomogram_reconstruction_method_enum", t["reconstruction_method"]),
        label("tomogram_processing_enum", t["processing"]), formats.boolean(t["ctf_corrected"]), t["reconstruction_software"], ", ".join(sizes),
        Actions(drawers.link(asked, "tomogram", i), view, downloads.link(asked, "tomogram", i)),
    )  # fmt: skip


Cells = Sequence[tuple[Column, Callable[[Asked, Row], Value], Callable[[Row], Any]]]


def _of(kind: str, names: Sequence[str]) -> Callable[[Asked], Cells]:
    """Give columns of a table straight from columns of the schema."""

    def cells(asked: Asked) -> Cells:
        made = []
        for name in names:
            c = asked.portal.catalog.schema.column(kind, name)
            head = Column(
                c.label.strip(),
                c.label.strip().lower().replace(" ", "-"),
                numeric=c.type in {int, float} and not c.enum,
            )
            made.append((head, lambda _, row, c=c: value_of(c, row), lambda row, name=name: row[name]))
        return made

    return cells


def _plain_table(asked: Asked, tab: Tab, rows: Sequence[Row], cells: Cells) -> Table[Any]:
    """Make a table of plain cells."""
    noun, kind = tab.noun, tab.kind
    own = kind in links.PATHS
    columns = (
        *((Column(noun, "id", style="name"),) if own else ()),
        *(c for c, _, _ in cells),
        *((Column("", style="actions"),) if own else ()),
    )
    sortable = [{"id": r["id"], "row": r} | {c.key: key(r) for c, _, key in cells} for r in rows]
    page, _, table = make(asked, tab, columns, sortable)
    return table([_plain_row(asked, kind, r["row"], cells) for r in page])


def _plain_row(asked: Asked, kind: str, row: Row, cells: Cells) -> PlainRow:
    values = tuple(show(asked, row) for _, show, _ in cells)
    if kind not in links.PATHS:
        return PlainRow("", "", values, Actions())
    downloadable = kind in downloads.OFFERS
    actions = Actions(
        drawers.link(asked, kind, row["id"]), "", downloads.link(asked, kind, row["id"]) if downloadable else ""
    )
    return PlainRow(asked.name(kind, row["id"]), links.page(kind, row["id"]), values, actions)


SERIES = (
    "tilt_series_quality",
    "tilt_range",
    "tilt_step",
    "size_z",
    "tilting_scheme",
    "pixel_spacing",
    "total_flux",
    "microscope_model",
    "camera_model",
    "is_aligned",
)


def tilt_series(asked: Asked, run: int, found: Sequence[Row]) -> Table[Any]:
    """Make the table of tilt series."""
    del run
    return _plain_table(asked, SERIES_TAB, found, _of("tiltseries", SERIES)(asked))


def alignments(asked: Asked, run: int, found: Sequence[Row]) -> Table[Any]:
    """Make the table of alignments."""
    del run
    counted = summaries.counts(asked, "tomogram", "alignment_id", [a["id"] for a in found])
    cells = [
        *_of(
            "alignment",
            ("alignment_type", "alignment_method", "is_portal_standard", "tilt_offset", "x_rotation_offset"),
        )(asked)
    ]
    cells.append(
        (
            Column("Tilt series", "tilt-series"),
            lambda a, r: to(a, "tiltseries", r["tiltseries_id"]),
            lambda r: r["tiltseries_id"],
        )
    )
    cells.append(
        (
            Column("Tomograms", "tomograms", numeric=True),
            lambda _, r: plain(formats.count(counted[r["id"]])),
            lambda r: counted[r["id"]],
        )
    )
    return _plain_table(asked, ALIGNMENT_TAB, found, cells)


def frames(asked: Asked, run: int, found: Sequence[Row]) -> Table[Any]:
    """Make the table of frames."""
    del found
    rows = asked.portal.catalog.find("frame", asked.viewer, where={"run_id": {"_eq": run}})
    cells = [*_of("frame", ("acquisition_order", "exposure_dose", "accumulated_dose", "is_gain_corrected"))(asked)]
    cells.append((Column("File", "file"), _frame_file, lambda r: r["s3_frame_path"]))
    cells.append(
        (
            Column("Size", "size", numeric=True),
            lambda _, r: plain(formats.size(r["file_size"])),
            lambda r: r["file_size"],
        )
    )
    return _plain_table(asked, FRAME_TAB, rows, cells)


def _frame_file(asked: Asked, row: Row) -> Value:
    key = summaries.key_of(asked, row["s3_frame_path"])
    return plain(key.rpartition("/")[2], href=f"/files/{key}") if key else plain("Not submitted", style="missing")


def files(asked: Asked, run: int, found: Sequence[Row]) -> Table[Any]:
    """Make the table of files."""
    del found
    f = asked.portal.catalog.tables.file
    c = asked.portal.catalog.compiler(asked.viewer)
    listed = asked.portal.catalog.execute(f.select().where(f.c.run_id == run, *c.visible("file", f)).order_by(f.c.key))
    rows = [{"id": place, **r} for place, r in enumerate(listed)]
    cells: Cells = [
        (Column("Path", "path"), _path, lambda r: r["key"]), (Column("Kind", "kind"), lambda _, r: plain(r["role"].replace("_", " ")), lambda r: r["role"]),
        (Column("Size", "size", numeric=True), lambda _, r: plain(formats.size(r["size"]), help=f"{formats.count(r['size'])} bytes"), lambda r: r["size"]),
        (Column("SHA-256"), lambda _, r: plain((r["sha256"] or "–")[:12], style="code", help=r["sha256"] or ""), lambda r: r["sha256"]),
    ]  # fmt: skip
    return _plain_table(asked, FILE_TAB, rows, cells)


def _path(asked: Asked, row: Row) -> Value:
    del asked
    short = row["key"].split("/", 2)[-1]
    return (
        plain(f"{short} ({formats.plural(row['members'], 'file')})")
        if row["members"] is not None
        else plain(short, href=f"/files/{row['key']}")
    )


MAKERS: Mapping[str, Callable[[Asked, int, Sequence[Row]], Table[Any]]] = {
    "annotations": annotation_table, "tomograms": tomograms, "tilt-series": tilt_series, "alignments": alignments, "frames": frames, "files": files,
}  # fmt: skip
