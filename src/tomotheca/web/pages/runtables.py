"""The tables of annotations and of tomograms on a run's page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.web import downloads, drawers, links, previews, summaries
from tomotheca.web import format as formats
from tomotheca.web.pages.leafparts import BADGES
from tomotheca.web.pages.plaintables import Actions, Made, Tab
from tomotheca.web.people import People, find_people
from tomotheca.web.tables import Column, Order
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.format import Badge
    from tomotheca.web.page import Asked


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
    alignments: tuple[links.Piece, ...]
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
    annotations: int
    files: str
    actions: Actions


ANNOTATION_TAB = Tab(
    "annotations", "Annotations", "annotation", (("truth", True), ("deposition-date", True), ("annotation", True))
)
TOMOGRAM_TAB = Tab("tomograms", "Tomograms", "tomogram", (("standard", True), ("author", True), ("number", True)))


ANNOTATIONS = (
    Column("Object", "object-name", style="name"), Column("Object ID", "object-id"), Column("Shape", "shape-type"), Column("Method", "method-type", also=(("Software", "software"),)),
    Column("Count", "count", numeric=True), Column("Precision", "precision", numeric=True), Column("Recall", "recall", numeric=True),
    Column("Deposited", "deposition-date", also=(("Deposition", "deposition"),)), Column("Alignment", "alignment"), Column("Formats and size", "size"), Column("", style="actions"),
)  # fmt: skip


def annotation_table(asked: Asked, run: int, found: Sequence[Row]) -> Made:
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
    rows = [_sortable(by_id[s["annotation_id"]], s, files.get(s["id"], ())) for s in shapes]
    shaped = {s["annotation_id"] for s in shapes}
    rows += [_sortable(a, {"id": -a["id"], "shape_type": None}, ()) for a in found if a["id"] not in shaped]
    truths = sum(bool(r["truth"]) for r in rows)
    groups = {True: say("{} ground truth", truths), False: say("{} other", len(rows) - truths)}

    def draw(page: Sequence[Any], order: Order) -> list[AnnotationRow]:
        authors = find_people(asked, "annotation", list({r["row"]["id"] for r in page}))
        shown, seen = [], ""
        for r in page:
            group = "" if order.chosen or not truths else groups[r["truth"]]
            shown.append(_annotation(asked, run, r, (authors[r["row"]["id"]], group if group != seen else "")))
            seen = group
        return shown

    return Made(ANNOTATION_TAB, ANNOTATIONS, rows, draw)


def _sortable(a: Row, shape: Mapping[str, Any], files: Sequence[Row]) -> Row:
    return {
        "id": shape["id"], "row": a, "shape-type": shape["shape_type"], "object-name": a["object_name"], "object-id": a["object_id"], "method-type": a["method_type"],
        "count": a["object_count"], "precision": a["confidence_precision"], "recall": a["confidence_recall"], "deposition-date": a["deposition_date"],
        "deposition": a["deposition_id"], "truth": bool(a["ground_truth_status"]), "annotation": a["id"], "number": a["id"],
        "software": a["annotation_software"] or None, "files": files, "size": sum(f["file_size"] or 0 for f in files) or None,
        "alignment": min((f["alignment_id"] for f in files if f["alignment_id"] is not None), default=None),
    }  # fmt: skip


def _formats(files: Sequence[Row]) -> str:
    return ", ".join(
        f"{f['format']} {formats.size(f['file_size'])}" if f["file_size"] is not None else f["format"] for f in files
    )


def _annotation(asked: Asked, run: int, r: Row, around: tuple[People, str]) -> AnnotationRow:
    a, files, (people, group) = r["row"], _formats(r["files"]), around
    i, truth = a["id"], bool(a["ground_truth_status"])
    used = sorted({f["alignment_id"] for f in r["files"] if f["alignment_id"] is not None})
    aligned = tuple(links.Piece(asked.name("alignment", n), links.page("alignment", n)) for n in used)
    return AnnotationRow(
        asked.name("annotation", i), links.page("annotation", i), a["object_name"], people, formats.date(a["deposition_date"]), a["object_id"],
        links.ontology(a["object_id"]), label("annotation_file_shape_type_enum", r["shape-type"]) if r["shape-type"] else say(formats.NOT_RECORDED),
        label("annotation_method_type_enum", a["method_type"]) if a["method_type"] else say(formats.NOT_RECORDED), a["annotation_software"] or "", a["object_count"],
        formats.confidence(a["confidence_precision"], ground_truth=truth), formats.confidence(a["confidence_recall"], ground_truth=truth), truth,
        asked.name("deposition", a["deposition_id"]) if a["deposition_id"] else "", links.page("deposition", a["deposition_id"]) if a["deposition_id"] else "", aligned, files,
        Actions(drawers.link(asked, "annotation", i), f"/view/runs/{run}?annotation={asked.name('annotation', i)}", downloads.link(asked, "annotation", i)), group,
    )  # fmt: skip


TOMOGRAMS = (
    Column("Preview", style="preview"), Column("Tomogram", "name", style="name"), Column("Voxel spacing", "voxel-spacing", numeric=True), Column("Size", "size", numeric=True),
    Column("Method", "method", also=(("Software", "software"),)), Column("Processing", "processing"), Column("CTF corrected", "ctf-corrected"), Column("Alignment", "alignment"),
    Column("Annotations", "annotations", numeric=True, help="Annotations made under the same alignment."), Column("Deposited", "deposition-date"),
    Column("Formats and size", "bytes"), Column("", style="actions"),
)  # fmt: skip


def tomograms(asked: Asked, run: int, found: Sequence[Row]) -> Made:
    """Make the table of tomograms."""
    counted = annotated(asked, [t["alignment_id"] for t in found if t["alignment_id"] is not None])
    rows = [
        {
            "id": t["id"], "row": t, "name": t["name"], "voxel-spacing": t["voxel_spacing"], "size": t["size_x"] * t["size_y"] * t["size_z"], "method": t["reconstruction_method"],
            "processing": t["processing"], "ctf-corrected": t["ctf_corrected"], "alignment": t["alignment_id"], "deposition-date": t["deposition_date"],
            "number": t["id"], "standard": bool(t["is_portal_standard"]), "author": bool(t["is_author_submitted"]),
            "software": t["reconstruction_software"] or None, "annotations": counted[t["alignment_id"]], "bytes": sum(t[c] or 0 for _, c in FORMATS) or None,
        }
        for t in found
    ]  # fmt: skip

    def draw(page: Sequence[Any], _: Order) -> list[TomogramRow]:
        authors = find_people(asked, "tomogram", [r["id"] for r in page])
        return [_tomogram(asked, run, r, authors[r["id"]]) for r in page]

    return Made(TOMOGRAM_TAB, TOMOGRAMS, rows, draw)


def annotated(asked: Asked, alignments: Sequence[int]) -> Counter[int | None]:
    """Count the annotations that have files made under each alignment."""
    c = asked.portal.catalog.compiler(asked.viewer)
    file, shape = c.table("annotation_file"), c.table("annotation_shape")
    statement = (
        sa.select(file.c.alignment_id, sa.func.count(shape.c.annotation_id.distinct()).label("n"))
        .where(file.c.annotation_shape_id == shape.c.id, file.c.alignment_id.in_(set(alignments)))
        .where(*c.visible("annotation_file", file))
        .group_by(file.c.alignment_id)
    )
    return Counter({r["alignment_id"]: r["n"] for r in asked.portal.catalog.execute(statement)} if alignments else {})


FORMATS = (("MRC", "file_size_mrc"), ("OME-Zarr", "file_size_omezarr"))


def _tomogram(asked: Asked, run: int, r: Row, people: People) -> TomogramRow:
    t = r["row"]
    i = t["id"]
    sizes = [f"{n} {formats.size(t[c])}" for n, c in FORMATS if t[c] is not None]
    view = f"/view/runs/{run}?tomogram={asked.name('tomogram', i)}" if t["s3_omezarr_dir"] else ""
    return TomogramRow(
        asked.name("tomogram", i), links.page("tomogram", i), t["name"] or asked.name("tomogram", i),
        summaries.picture(asked, t["key_photo_url"] or t["key_photo_thumbnail_url"], say("Central slice of {}, {}", asked.name('tomogram', i), t['name'])),
        tuple(b for n, b in BADGES.items() if t[n]), people, formats.date(t["deposition_date"]), asked.name("alignment", t["alignment_id"]) if t["alignment_id"] else "",
        links.page("alignment", t["alignment_id"]) if t["alignment_id"] else "", formats.quantity(t["voxel_spacing"], "Å"),
        formats.vector((t["size_x"], t["size_y"], t["size_z"]), "px"), label("tomogram_reconstruction_method_enum", t["reconstruction_method"]),
        label("tomogram_processing_enum", t["processing"]), formats.boolean(t["ctf_corrected"]), t["reconstruction_software"], r["annotations"], ", ".join(sizes),
        Actions(drawers.link(asked, "tomogram", i), view, downloads.link(asked, "tomogram", i), links.page("tomogram", i) + previews.ANCHOR if view else ""),
    )  # fmt: skip
