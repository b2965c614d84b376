"""What the page of a record shows besides its own fields: its preview, where it comes from, and what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tomotheca.web import format as formats
from tomotheca.web import links, previews, summaries
from tomotheca.web.format import Badge
from tomotheca.web.page import Asked, Crumb
from tomotheca.web.pages.leaftables import first_points
from tomotheca.web.pages.leftout import left_out
from tomotheca.web.placed import DRAWABLE, Placed, placed
from tomotheca.web.recordparts import FILES, to
from tomotheca.web.standing import DAMAGED
from tomotheca.web.values import MISSING, NONE, Grid, Section, Value, field, plain
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row

MOST_LINKS = 40
BADGES = {
    "is_portal_standard": Badge("Portal standard", "plain", "Its alignment is the portal's standard."),
    "is_author_submitted": Badge("Author submitted", "plain", "Submitted by the dataset's authors."),
    "is_visualization_default": Badge("Default in viewer", "plain", "The viewer opens this tomogram of the run."),
}
CANONICAL = Badge("Canonical", "plain", "The alignment of the portal's standard tomograms.")
PROBLEM = Badge("File problem", DAMAGED, "A file is missing or damaged; the table of files says which.")
POINTED = DRAWABLE["ndjson"]


def preview(asked: Asked, kind: str, row: Row) -> previews.Preview | None:
    """Give the preview of a tomogram or tilt series."""
    if kind == "tiltseries":
        return previews.of_series(asked, row)
    if kind != "tomogram":
        return None
    return previews.of_tomogram(
        asked, row, previews.drawable(asked, row["run_id"], row["alignment_id"]), href=f"/view/tomograms/{row['id']}"
    )


def best_for(asked: Asked, annotation: Row) -> Row | None:
    """Give the tomogram that an annotation is shown on: the preferred one of those it fits."""
    files = _files(asked, annotation)
    used = {f["alignment_id"] for f in files}
    found = asked.portal.catalog.find("tomogram", asked.viewer, where={"run_id": {"_eq": annotation["run_id"]}})
    drawn = {kind for kinds in DRAWABLE.values() for kind in kinds}
    if not any(f["shape_type"] in drawn for f in files):
        return None
    return min((t for t in found if None in used or t["alignment_id"] in used), key=summaries.preference, default=None)


def _files(asked: Asked, annotation: Row) -> list[Row]:
    """Give the files of an annotation with shape and spacing; several parts of a page need them."""

    def answer() -> list[Row]:
        catalog = asked.portal.catalog
        shapes = catalog.find("annotation_shape", asked.viewer, where={"annotation_id": {"_eq": annotation["id"]}})
        kinds = {s["id"]: s["shape_type"] for s in shapes}
        if not kinds:
            return []
        files = catalog.find("annotation_file", asked.viewer, where={"annotation_shape_id": {"_in": list(kinds)}})
        spacings = catalog.find("tomogram_voxel_spacing", asked.viewer, where={"run_id": {"_eq": annotation["run_id"]}})
        edges = {s["id"]: s["voxel_spacing"] for s in spacings}
        return [
            {**f, "shape_type": kinds[f["annotation_shape_id"]], "spacing": edges.get(f["tomogram_voxel_spacing_id"])}
            for f in files
        ]

    return asked.portal.memory.get(("files of", annotation["id"], asked.viewer, asked.version), answer)


def middle(asked: Asked, annotation: Row, tomogram: Row | None) -> tuple[float, float, float] | None:
    """Give a point where there is something of an annotation, x, y, z in voxels of a tomogram; None for the middle of the volume."""
    if tomogram is None:
        return None
    file = next((f for f in _files(asked, annotation) if f["shape_type"] in POINTED and f["format"] == "ndjson"), None)
    found = first_points(asked, summaries.key_of(asked, file["s3_path"])) if file else []
    if file is None or not found:
        return None
    scale = file["spacing"] / tomogram["voxel_spacing"] if file["spacing"] else 1.0
    x, y, z = (sorted(p[axis] for p in found)[len(found) // 2] for axis in "xyz")
    near = min(found, key=lambda p: (p["x"] - x) ** 2 + (p["y"] - y) ** 2 + (p["z"] - z) ** 2)
    return near["x"] * scale, near["y"] * scale, near["z"] * scale


def lineage(asked: Asked, kind: str, row: Row) -> tuple[Crumb, ...]:
    """Give the way from the frames to a record."""
    if kind not in {"tomogram", "alignment"}:
        return ()
    catalog, alignment = asked.portal.catalog, row if kind == "alignment" else None
    if kind == "tomogram" and row["alignment_id"]:
        alignment = next(
            iter(catalog.find("alignment", asked.viewer, where={"id": {"_eq": row["alignment_id"]}})), None
        )
    series = alignment["tiltseries_id"] if alignment else None
    frames = catalog.count("frame", asked.viewer, {"run_id": {"_eq": row["run_id"]}})
    tab = f"{links.page('run', row['run_id'])}?table-tab=frames"
    steps = [Crumb(formats.plural(frames, "frame"), tab) if frames else Crumb(say("Frames: not submitted"))]
    steps.append(
        Crumb(say("Tilt series {}", asked.name("tiltseries", series)), links.page("tiltseries", series))
        if series
        else Crumb(say("Tilt series: not recorded"))
    )
    if kind == "alignment":
        return (*steps, Crumb(say("Alignment {}", asked.name("alignment", row["id"]))))
    steps.append(
        Crumb(say("Alignment {}", asked.name("alignment", alignment["id"])), links.page("alignment", alignment["id"]))
        if alignment
        else Crumb(say("Alignment: not recorded"))
    )
    return (*steps, Crumb(say("Tomogram {}", asked.name("tomogram", row["id"]))))


def problems(parts: Sequence[Section]) -> tuple[Badge, ...]:
    """Say so at the head of a page if a file of the record is missing or damaged."""
    files = [row for s in parts if s.name == FILES and s.grid for row in s.grid.rows]
    bad = any(v.badge is not None and v.badge.tone == DAMAGED for row in files for v in row)
    return (PROBLEM,) if bad else ()


def first_sections(asked: Asked, kind: str, row: Row) -> tuple[Section, ...]:
    """Give the sections that say what goes with a record; they stand before its own fields."""
    match kind:
        case "tomogram":
            return (_valid(asked, row), *_levels(row))
        case "annotation":
            return (_shapes(asked, row), *_siblings(asked, row))
        case "alignment":
            return (_users(asked, row),)
        case "tiltseries":
            return (_alignments(asked, row),)
    return ()


def _valid(asked: Asked, tomogram: Row) -> Section:
    """Say which annotations lie where they should on a tomogram, and which were made under another alignment."""
    made = placed(asked, tomogram["run_id"])
    fit = [a for a in made if a.fits(tomogram["alignment_id"])]
    rest = [a for a in made if a.alignments and a not in fit]
    fields = [field("Fit this tomogram", _linked(asked, tomogram["run_id"], fit) or NONE)]
    if rest:
        why = plain(say("Made under another alignment: they would lie in the wrong place here."), style="missing")
        fields.append(field("Need a transform", [*_linked(asked, tomogram["run_id"], rest), why]))
    return Section("Annotations", tuple(fields))


def _linked(asked: Asked, run: int, found: Sequence[Placed]) -> list[Value]:
    """Link annotations by their objects; very many are counted and found on the run's page."""
    shown = [to(asked, "annotation", a.id, a.object_name) for a in found[:MOST_LINKS]]
    if len(found) > MOST_LINKS:
        more = f"{links.page('run', run)}?table-tab=annotations"
        shown.append(plain(say("{} more", formats.count(len(found) - MOST_LINKS)), href=more))
    return shown


def _levels(tomogram: Row) -> tuple[Section, ...]:
    """List the levels of the pyramid."""
    rows = tuple(
        (
            plain(str(n)), plain(formats.vector([level["size"][a] for a in "xyz"], "px")), plain(formats.quantity(level["spacing"]["x"], "Å")),
            plain(formats.size(level["bytes"]), help=say("{} bytes", formats.count(level["bytes"]))),
        )
        for n, level in enumerate(previews.levels_of(tomogram))
    )  # fmt: skip
    return (Section("Pyramid levels", grid=Grid(("Level", "Size", "Voxel spacing", "Stored"), rows)),) if rows else ()


def _shapes(asked: Asked, annotation: Row) -> Section:
    """List the files of an annotation by shape."""
    rows = []
    for f in _files(asked, annotation):
        key = summaries.key_of(asked, f["s3_path"])
        name = (key or str(f["s3_path"])).rstrip("/").rpartition("/")[2]
        spacing = plain(formats.quantity(f["spacing"], "Å")) if f["spacing"] else MISSING
        size = plain(formats.size(f["file_size"])) if f["file_size"] is not None else MISSING
        rows.append((
            plain(label("annotation_file_shape_type_enum", f["shape_type"])), plain(name, href=f"/files/{key}" if key and f["format"] != "zarr" else ""), size, spacing,
            to(asked, "alignment", f["alignment_id"]),
        ))  # fmt: skip
    heads = ("Shape", "File", "Size", "Voxel spacing", "Alignment")
    return (
        Section("Shapes", grid=Grid(heads, tuple(rows)))
        if rows
        else Section("Shapes", note=say("No files are registered."))
    )


def _siblings(asked: Asked, annotation: Row) -> tuple[Section, ...]:
    """Link the other annotations of the same object in the run."""
    run = annotation["run_id"]
    others = [a for a in placed(asked, run) if a.object_name == annotation["object_name"] and a.id != annotation["id"]]
    return (Section("Same object in this run", (field("Annotations", _linked(asked, run, others)),)),) if others else ()


def _users(asked: Asked, alignment: Row) -> Section:
    """Link the tomograms and annotations made under an alignment."""
    catalog = asked.portal.catalog
    tomograms = catalog.find(
        "tomogram", asked.viewer, where={"alignment_id": {"_eq": alignment["id"]}}, order=[("id", "asc")]
    )
    used = [a for a in placed(asked, alignment["run_id"]) if alignment["id"] in a.alignments]
    shown = [to(asked, "tomogram", t["id"], formats.quantity(t["voxel_spacing"], "Å")) for t in tomograms]
    return Section(
        "Used by",
        (field("Tomograms", shown or NONE), field("Annotations", _linked(asked, alignment["run_id"], used) or NONE)),
    )


def _alignments(asked: Asked, series: Row) -> Section:
    """Link the alignments of a tilt series."""
    found = asked.portal.catalog.find(
        "alignment", asked.viewer, where={"tiltseries_id": {"_eq": series["id"]}}, order=[("id", "asc")]
    )
    shown = [to(asked, "alignment", a["id"], label("alignment_type_enum", a["alignment_type"] or "")) for a in found]
    known = left_out(asked, series["run_id"], found).get(series["id"])
    words = MISSING if known is None else plain(known.words) if known.sections else NONE
    return Section("Alignments", (field("Alignments", shown or NONE), field("Sections left out", words)))
