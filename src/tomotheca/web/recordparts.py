"""Sections of a record that come from other records: acquisition, tilt series, tomograms, alignment, objects, files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.web import format as formats
from tomotheca.web import links, methods, summaries
from tomotheca.web.address import Address
from tomotheca.web.pages import leaftables
from tomotheca.web.standing import Standing
from tomotheca.web.values import MISSING, NONE, Field, Grid, Section, Value, field, plain, sections, title, value_of
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked


def to(asked: Asked, kind: str, identifier: int | None, text: str = "") -> Value:
    """Give a link to the page of a record."""
    if identifier is None:
        return MISSING
    name = asked.name(kind, identifier)
    return plain(f"{text} ({name})" if text else name, href=links.page(kind, identifier))


def varying(asked: Asked, kind: str, rows: Sequence[Row], wanted: Sequence[str]) -> tuple[Section, ...]:
    """Give sections over several rows: one value where all agree, else each value with how many have it."""
    by_section: dict[str, list[Field]] = {}
    for column in asked.portal.catalog.schema.columns(kind):
        if column.drawer and column.drawer.section in wanted:
            by_section.setdefault(column.drawer.section, []).append(Field(title(column), _varying(column, rows)))
    return tuple(Section(name, tuple(fields)) for name, fields in by_section.items())


def _varying(column: Any, rows: Sequence[Row]) -> tuple[Value, ...]:
    shown = [value_of(column, r) for r in rows]
    found = Counter("".join(p.text for p in v.pieces) for v in shown)
    if len(found) <= 1:
        return tuple(shown[:1]) or (MISSING,)
    return (plain(say("varies: {}", ", ".join(f"{text} ({n})" for text, n in found.most_common()))),)


def _more_dataset(asked: Asked, row: Row) -> tuple[Section, ...]:
    series = asked.portal.catalog.find("tiltseries", asked.viewer, where={"run": {"dataset_id": {"_eq": row["id"]}}})
    if not series:
        return (Section("Acquisition", note=say("No tilt series have been released for this dataset.")),)
    return varying(asked, "tiltseries", series, ("Microscope", "Camera"))


def _more_run(asked: Asked, row: Row) -> tuple[Section, ...]:
    schema, catalog = asked.portal.catalog.schema, asked.portal.catalog
    dataset = asked.get("dataset", row["dataset_id"])
    sample = sections(schema.columns("dataset"), dataset).get("Sample and experiment", [])
    made = [Section("Sample and experiment", tuple(sample), open=False)]
    series = catalog.find("tiltseries", asked.viewer, where={"run_id": {"_eq": row["id"]}})
    for s in series:
        flat = [f for fields in sections(schema.columns("tiltseries"), s).values() for f in fields]
        made.append(Section(say("Tilt series {}", asked.name("tiltseries", s["id"])), tuple(flat)))
    if not series:
        made.append(Section("Tilt series", note=say("No tilt series was submitted for this run.")))
    return (*made, _tomograms_of(asked, row))


def _tomograms_of(asked: Asked, row: Row) -> Section:
    found = asked.portal.catalog.find("tomogram", asked.viewer, where={"run_id": {"_eq": row["id"]}})
    if not found:
        return Section("Tomograms", note=say("No tomogram was submitted for this run."))
    spacings = sorted({t["voxel_spacing"] for t in found})
    columns = [c for c in asked.portal.catalog.schema.columns("tomogram") if c.name in SUMMED]
    best = min(found, key=summaries.preference)
    aligned = [_matrix(asked, best)] if best["alignment_id"] else []
    return Section(
        "Tomograms",
        (
            field("Total tomograms", len(found)), field("Smallest available voxel spacing", formats.quantity(spacings[0], "Å")),
            field("All spacings", ", ".join(formats.quantity(s, "Å") for s in spacings)), *(Field(title(c), _varying(c, found)) for c in columns),
            field("Size (x, y, z)", [plain(text) for text in dict.fromkeys(formats.vector((t["size_x"], t["size_y"], t["size_z"]), "px") for t in found)]),
            *aligned,
        ),
    )  # fmt: skip


SUMMED = frozenset(
    {
        "reconstruction_software",
        "reconstruction_method",
        "processing",
        "processing_software",
        "fiducial_alignment_status",
        "ctf_corrected",
    }
)


def _matrix(asked: Asked, tomogram: Row) -> Field:
    found = asked.portal.catalog.find("alignment", asked.viewer, where={"id": {"_eq": tomogram["alignment_id"]}})
    column = asked.portal.catalog.schema.column("alignment", "affine_transformation_matrix")
    return Field(title(column), (value_of(column, found[0]) if found else MISSING,))


def _more_tomogram(asked: Asked, row: Row) -> tuple[Section, ...]:
    catalog = asked.portal.catalog
    found = (
        catalog.find("alignment", asked.viewer, where={"id": {"_eq": row["alignment_id"]}})
        if row["alignment_id"]
        else []
    )
    spacing = row["voxel_spacing"] / formats.ANGSTROM_PER_NANOMETRE
    physical = formats.vector([row[f"size_{a}"] * spacing for a in "xyz"], "nm")
    made = [Section("Physical size", (field("Size", physical),))]
    for a in found:
        fields = [f for group in sections(catalog.schema.columns("alignment"), a).values() for f in group]
        made.append(
            Section(
                "Alignment",
                (
                    field("Alignment ID", to(asked, "alignment", a["id"])),
                    field("Tilt series", to(asked, "tiltseries", a["tiltseries_id"])),
                    *fields,
                ),
            )
        )
    if not found:
        made.append(Section("Alignment", note=say("No alignment is recorded for this tomogram.")))
    return (*made, files_section(asked, "tomogram", row["id"]))


def _more_files(kind: str) -> Callable[[Asked, Row], tuple[Section, ...]]:
    return lambda asked, row: (files_section(asked, kind, row["id"]),)


FILES = "Files"
"""Name of the section that lists files."""


def files_section(asked: Asked, kind: str, identifier: int) -> Section:
    """List the files of a record with size and digest."""
    f = asked.portal.catalog.tables.file
    c = asked.portal.catalog.compiler(asked.viewer)
    rows = asked.portal.catalog.execute(
        f.select().where(f.c.kind == kind, f.c.entity_id == identifier, *c.visible("file", f)).order_by(f.c.key)
    )
    stand = Standing(asked, rows)
    made = tuple(
        (
            _file_link(r),
            plain(formats.size(r["size"]), help=say("{} bytes", formats.count(r["size"]))),
            _digest(r),
            stand.value(r),
        )
        for r in rows
    )
    return (
        Section(FILES, grid=Grid(("File", "Size", "SHA-256", "Status"), made))
        if made
        else Section(FILES, note=say("No files are registered."))
    )


def _file_link(row: Row) -> Value:
    name = row["key"].rstrip("/").rpartition("/")[2]
    return (
        plain(f"{name}/ ({formats.plural(row['members'], 'file')})")
        if row["members"] is not None
        else plain(name, href=f"/files/{row['key']}")
    )


def _digest(row: Row) -> Value:
    return plain(row["sha256"][:12] + "…", style="code", help=row["sha256"]) if row["sha256"] else MISSING


def _objects(asked: Asked, row: Row) -> tuple[Section, ...]:
    """Say which objects are annotated, which only identified."""
    where = {"run_id": {"_eq": row["id"]}}
    annotated = asked.portal.catalog.find("annotation", asked.viewer, where=where)
    identified = asked.portal.catalog.find("identified_object", asked.viewer, where=where)
    labelled, present = {a["object_name"] for a in annotated}, {i["object_name"] for i in identified}
    groups = (
        (say("Identified and annotated"), labelled & present), (say("Identified, not annotated"), present - labelled),
        (say("Annotated, not in the identified list"), labelled - present),
    )  # fmt: skip
    return tuple(
        Section(
            name, tuple(_object(n, annotated, identified) for n in sorted(names)), note="" if names else say("None.")
        )
        for name, names in groups
    )


def _object(name: str, annotated: Sequence[Row], identified: Sequence[Row]) -> Field:
    mine = [a for a in annotated if a["object_name"] == name]
    row = (mine or [i for i in identified if i["object_name"] == name])[0]
    target = links.ontology(row["object_id"])
    values = [plain(row["object_id"], href=target, external=bool(target))]
    values += [plain(text) for text in (row["object_state"], row["object_description"]) if text]
    if mine:
        counted = sum(a["object_count"] or 0 for a in mine)
        values.append(plain(f"{formats.plural(len(mine), 'annotation')}, {formats.plural(counted, 'instance')}"))
    if any(a["ground_truth_status"] for a in mine):
        values.append(Value((), badge=formats.GROUND_TRUTH))
    return Field(name, tuple(values))


def _sections_table(asked: Asked, row: Row) -> tuple[Section, ...]:
    """List the sections of a tilt series, with the dose of their frames and how they are aligned."""
    cells = leaftables.series_sections(asked, row)
    if not cells.rows:
        return (Section("Sections", note=say("No sections are recorded.")),)
    grid = Grid(tuple(c.label for c in cells.columns), tuple(cells.show(r) for r in cells.rows))
    empty = ", ".join(say(text).lower() for text in cells.missing)
    path = links.page("tiltseries", row["id"])
    files = [plain(form.upper(), href=f"{path}.{form}") for form in leaftables.SEPARATORS]
    return (
        Section(
            "Sections", (field("Table as", files),), grid=grid, note=say("Not recorded: {}.", empty) if empty else ""
        ),
    )


def _more_deposition(asked: Asked, row: Row) -> tuple[Section, ...]:
    """Say what a deposition holds."""
    i, catalog, runs = row["id"], asked.portal.catalog, methods.runs_of(asked, row["id"])
    own = (("deposition-id", str(i)),)
    total = sum(map(len, runs.values()))
    amounts = {
        "Runs": plain(formats.count(total), href=str(Address("/browse-data/runs", own))),
        "Datasets": plain(formats.count(len(runs)), href=str(Address("/browse-data/datasets", own))),
    }
    counted = {name: catalog.count(kind, asked.viewer, {"deposition_id": {"_eq": i}}) for name, kind in HELD.items()}
    organisms = (
        {
            d["organism_name"]
            for d in catalog.find("dataset", asked.viewer, where={"id": {"_in": sorted(runs)}})
            if d["organism_name"]
        }
        if runs
        else set()
    )
    objects = summaries.objects_of_deposition(asked, [i]).get(i, summaries.Objects())
    names = [
        plain(o.name, href=str(Address("/browse-data/runs", (*own, ("object", o.name)))))
        for o in (*objects.few, *objects.more)
    ]
    shapes = asked.portal.catalog.execute(_shapes(asked, i))
    words = sorted(label("annotation_file_shape_type_enum", s["shape_type"]) for s in shapes)
    return (
        Section(
            "Contents",
            (
                *(field(name, formats.count(n)) for name, n in counted.items()), *(field(name, v) for name, v in amounts.items()),
                field("Annotated organisms", [plain(name) for name in sorted(organisms)] or NONE), field("Annotated objects", names or NONE),
                field("Shape types", [plain(text) for text in words] or NONE),
            ),
        ),
    )  # fmt: skip


HELD = {"Annotations": "annotation", "Tomograms": "tomogram", "Tilt series": "tiltseries"}


def _shapes(asked: Asked, deposition: int) -> sa.Select[Any]:
    c = asked.portal.catalog.compiler(asked.viewer)
    row, shape = c.table("annotation"), c.table("annotation_shape")
    return (
        sa.select(shape.c.shape_type)
        .where(shape.c.annotation_id == row.c.id, row.c.deposition_id == deposition, *c.visible("annotation", row))
        .distinct()
    )


MORE: Mapping[str, Callable[[Asked, Row], tuple[Section, ...]]] = {
    "dataset": _more_dataset, "run": _more_run, "tomogram": _more_tomogram, "annotation": _more_files("annotation"),
    "tiltseries": _more_files("tiltseries"), "alignment": _more_files("alignment"), "deposition": _more_deposition,
}  # fmt: skip
EXTRA: Mapping[str, Callable[[Asked, Row], tuple[Section, ...]]] = {
    "objectOverview": _objects,
    "sections": _sections_table,
    "methodSummary": methods.sections,
}
