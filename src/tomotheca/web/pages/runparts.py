"""The other tables of a run's page: tilt series, alignments, frames, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tomotheca.web import format as formats
from tomotheca.web import links, previews, summaries
from tomotheca.web.pages import runtables
from tomotheca.web.pages.plaintables import Cells, Made, Tab, of_schema, plain_table
from tomotheca.web.recordparts import to
from tomotheca.web.standing import Standing
from tomotheca.web.tables import Column
from tomotheca.web.values import MISSING, Value, plain
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.filters import Active
    from tomotheca.web.page import Asked

SERIES_TAB = Tab("tiltseries", "Tilt series", "tiltseries", (("id", False),))
ALIGNMENT_TAB = Tab("alignments", "Alignments", "alignment", (("portal-standard", True), ("id", False)))
FRAME_TAB = Tab("frames", "Frames", "frame", (("order", False),))
FILE_TAB = Tab("files", "Files", "file", (("path", False),))

SERIES = (
    "tilt_series_quality", "tilt_range", "tilt_step", "size_z", "tilting_scheme", "pixel_spacing", "total_flux", "microscope_model", "camera_model", "is_aligned",
)  # fmt: skip
VOLUME = ("dimension", "offset")


def number_cell(
    name: str, key: str, numbers: Mapping[int, int]
) -> tuple[Column, Callable[[Asked, Row], Value], Callable[[Row], int]]:
    """Give a column of counts."""
    return (Column(name, key, numeric=True), lambda _, r: plain(formats.count(numbers.get(r["id"], 0))), lambda r: numbers.get(r["id"], 0))  # fmt: skip


def size_cell(name: str = "Size") -> tuple[Column, Callable[[Asked, Row], Value], Callable[[Row], int | None]]:
    """Give a column of bytes: ``size`` of a row."""

    def show(_: Asked, row: Row) -> Value:
        return (
            plain(formats.size(row["size"]), help=say("{} bytes", formats.count(row["size"])))
            if row["size"]
            else MISSING
        )

    return Column(name, "size", numeric=True), show, lambda r: r["size"] or None


def tilt_series(asked: Asked, run: int, found: Sequence[Row]) -> Made:
    """Make the table of tilt series."""
    del run
    ids = [s["id"] for s in found]
    measured = {
        r["owner"]: r
        for r in summaries.group(
            asked, "per_section_parameters", "tiltseries_id", ids, ("min", "major_defocus"), ("max", "major_defocus"), ("min", "max_resolution")
        )
    }  # fmt: skip
    empty = {"min_major_defocus": None, "max_major_defocus": None, "min_max_resolution": None}
    rows = [
        s | empty | measured.get(s["id"], {}) | {"id": s["id"], "size": int((s["file_size_mrc"] or 0) + (s["file_size_omezarr"] or 0))}
        for s in found
    ]  # fmt: skip
    section = {c.name: c for c in asked.portal.catalog.schema.columns("per_section_parameters")}
    resolution = section["max_resolution"]

    def defocus(_: Asked, r: Row) -> Value:
        low, high = r["min_major_defocus"], r["max_major_defocus"]
        if low is None:
            return MISSING
        text = formats.defocus(low) if low == high else say("{} to {}", formats.defocus(low), formats.defocus(high))
        return plain(text, help=say("{} to {}", formats.number(low), formats.quantity(high, "Å")))

    def best(_: Asked, r: Row) -> Value:
        value = r["min_max_resolution"]
        return MISSING if value is None else plain(formats.quantity(value, resolution.unit))

    aligned = summaries.counts(asked, "alignment", "tiltseries_id", ids)
    cells = [
        *of_schema(asked, "tiltseries", SERIES), (Column("Defocus", "defocus", numeric=True), defocus, lambda r: r["min_major_defocus"]),
        (Column("Best resolution", "best-resolution", numeric=True), best, lambda r: r["min_max_resolution"]),
        number_cell("Alignments", "alignments", aligned), size_cell(),
    ]  # fmt: skip
    return plain_table(asked, SERIES_TAB, rows, cells, lambda page: previews.of_rows(asked, page))


def alignments(asked: Asked, run: int, found: Sequence[Row]) -> Made:
    """Make the table of alignments."""
    del run
    ids = [a["id"] for a in found]
    sections = summaries.counts(asked, "per_section_alignment_parameters", "alignment_id", ids)

    def vector(what: str) -> tuple[Column, Callable[[Asked, Row], Value], Callable[[Row], float | None]]:
        names = [f"volume_{axis}_{what}" for axis in "xyz"]
        unit = asked.portal.catalog.schema.column("alignment", names[0]).unit

        def show(_: Asked, row: Row) -> Value:
            values = [row[n] for n in names]
            return MISSING if values == [None] * len(names) else plain(formats.vector(values, unit))

        return Column(f"Volume {what}", f"volume-{what}"), show, lambda r: r[names[0]]

    cells = [
        *of_schema(asked, "alignment", ("alignment_type", "alignment_method", "format", "is_portal_standard")),
        (Column("Tilt series", "tilt-series"), lambda a, r: to(a, "tiltseries", r["tiltseries_id"]), lambda r: r["tiltseries_id"]),
        *(vector(what) for what in VOLUME), number_cell("Sections", "sections", sections),
        number_cell("Tomograms", "tomograms", summaries.counts(asked, "tomogram", "alignment_id", ids)),
        number_cell("Annotations", "annotations", {i: n for i, n in runtables.annotated(asked, ids).items() if i is not None}),
    ]  # fmt: skip
    return plain_table(asked, ALIGNMENT_TAB, found, cells)


def frames(asked: Asked, run: int, found: Sequence[Row]) -> Made:
    """Make the table of frames, with what is known of the section that each became."""
    del found
    catalog, where = asked.portal.catalog, {"run_id": {"_eq": run}}
    sections = {s["frame_id"]: s for s in catalog.find("per_section_parameters", asked.viewer, where=where)}
    names = ("raw_angle", "major_defocus", "max_resolution")
    rows = [
        r | {n: (sections.get(r["id"]) or {}).get(n) for n in names} | {"size": int(r["file_size"] or 0)}
        for r in catalog.find("frame", asked.viewer, where=where)
    ]
    own = of_schema(asked, "frame", ("acquisition_order", "exposure_dose", "accumulated_dose", "is_gain_corrected"))
    of_section = of_schema(asked, "per_section_parameters", names)
    file = (Column("File", "file"), _frame_file, lambda r: r["s3_frame_path"])
    return plain_table(
        asked, FRAME_TAB, rows, [*own[:1], of_section[0], *own[1:3], *of_section[1:], own[3], file, size_cell()]
    )


def _frame_file(asked: Asked, row: Row) -> Value:
    key = summaries.key_of(asked, row["s3_frame_path"])
    return plain(key.rpartition("/")[2], href=f"/files/{key}") if key else plain(say("Not submitted"), style="missing")


ATTACHED = (("gain_file", "s3_file_path"), ("frame_acquisition_file", "s3_mdoc_path"))


def attached(asked: Asked, run: int) -> tuple[links.Piece, ...]:
    """Link the gain references and mdoc files that belong to the frames of a run."""
    keys = [
        summaries.key_of(asked, row[column])
        for kind, column in ATTACHED
        for row in asked.portal.catalog.find(kind, asked.viewer, where={"run_id": {"_eq": run}})
    ]
    return tuple(links.Piece(key.rpartition("/")[2], f"/files/{key}") for key in keys if key)


def present(asked: Asked, run: int, active: Sequence[Active]) -> tuple[links.Piece, ...]:
    """Give the objects that filters ask for and that the authors say are in a run."""
    wanted = [a.filter.clause(a.values) for a in active if a.filter.identified]
    if not wanted:
        return ()
    found = asked.portal.catalog.find(
        "identified_object", asked.viewer, where={"_and": [{"run_id": {"_eq": run}}, *wanted]}
    )
    named = {f"{r['object_name']} ({r['object_id']})": links.ontology(r["object_id"]) for r in found}
    return tuple(links.Piece(text, href, external=bool(href)) for text, href in sorted(named.items()))


def files(asked: Asked, run: int, found: Sequence[Row]) -> Made:
    """Make the table of files."""
    del found
    f = asked.portal.catalog.tables.file
    c = asked.portal.catalog.compiler(asked.viewer)
    listed = asked.portal.catalog.execute(f.select().where(f.c.run_id == run, *c.visible("file", f)).order_by(f.c.key))
    rows = [{"id": place, **r} for place, r in enumerate(listed)]
    stand, everywhere = Standing(asked, rows), _asks_for_all(asked)
    if everywhere:
        stand.every()
    cells: Cells = [
        (Column("Path", "path"), _path, lambda r: r["key"]), (Column("Kind", "kind"), lambda _, r: plain(kind_of_file(r["role"])), lambda r: r["role"]),
        (Column("Format", "format"), lambda _, r: plain(_format(r) or "–"), _format), size_cell(),
        (Column("SHA-256", "sha-256"), lambda _, r: plain((r["sha256"] or "–")[:12], style="code", help=r["sha256"] or ""), lambda r: r["sha256"]),
        (Column("Status", "status"), lambda _, r: stand.value(r), lambda r: stand.of(r).text if everywhere else None),
    ]  # fmt: skip
    return plain_table(asked, FILE_TAB, rows, cells)


def _asks_for_all(asked: Asked) -> bool:
    """Tell whether the status of every file is wanted, not only of those that a page shows."""
    order = asked.address.first(f"{FILE_TAB.prefix}-sort").removeprefix("-")
    return order == "status" or not asked.address.path.rpartition("/")[2].isdigit()


def kind_of_file(role: str) -> str:
    """Say in words what a file is for."""
    text = role.replace("_", " ")
    return say(text[:1].upper() + text[1:])


def _format(row: Row) -> str | None:
    name = row["key"].rstrip("/").rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else None


def _path(asked: Asked, row: Row) -> Value:
    del asked
    short = row["key"].split("/", 2)[-1]
    if row["members"] is not None:
        return plain(f"{short} ({formats.plural(row['members'], 'file')})")
    return plain(short, href=f"/files/{row['key']}")


MAKERS: Mapping[str, Callable[[Asked, int, Sequence[Row]], Made]] = {
    "annotations": runtables.annotation_table, "tomograms": runtables.tomograms, "tilt-series": tilt_series, "alignments": alignments, "frames": frames, "files": files,
}  # fmt: skip
"""By tab: what makes its table."""
