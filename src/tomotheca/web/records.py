"""All sections of one record: every field that the schema puts into its drawer, what it belongs to, what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from tomotheca.catalog.catalog import Row
from tomotheca.web import format as formats
from tomotheca.web import methods, summaries
from tomotheca.web.knowing import complete
from tomotheca.web.page import Asked
from tomotheca.web.people import find_people
from tomotheca.web.recordparts import MORE, to
from tomotheca.web.values import MISSING, NONE, Field, Section, Value, field, plain, sections, title, value_of
from tomotheca.web.words import label, say

FIRST = frozenset({"Name", "Title"})
"""Labels that stand at the head of their section."""


def record(asked: Asked, kind: str, row: Row) -> tuple[Section, ...]:
    """Give all sections of one record: what it belongs to, every field of the schema, what belongs to it."""
    own = sections(asked.portal.catalog.schema.columns(kind), row)
    around = AROUND.get(kind, _around_nothing)(asked, row)
    found = {
        name: sorted([*around.pop(name, ()), *fields], key=lambda f: f.label not in FIRST)
        for name, fields in own.items()
    }
    made = [Section(name, tuple(fields)) for name, fields in (*found.items(), *around.items())]
    made.sort(key=lambda s: s.name != "Overview")
    return (*made, *MORE.get(kind, _no_more)(asked, row))


def _around_nothing(asked: Asked, row: Row) -> dict[str, list[Field]]:
    del asked, row
    return {}


def _no_more(asked: Asked, row: Row) -> tuple[Section, ...]:
    del asked, row
    return ()


def deposition(asked: Asked, identifier: int | None) -> Value:
    """Give a link to a deposition with its title, if the viewer sees it."""
    if identifier is None:
        return MISSING
    found = asked.portal.catalog.find("deposition", asked.viewer, where={"id": {"_eq": identifier}})
    return (
        to(asked, "deposition", identifier, found[0]["title"]) if found else plain(asked.name("deposition", identifier))
    )


def authors(asked: Asked, kind: str, identifier: int) -> Field:
    """Give the authors of a record."""
    people = find_people(asked, kind, [identifier])[identifier]
    return Field("Author(s)", (Value((), people=people),) if people.everyone else (MISSING,))


def _around_dataset(asked: Asked, row: Row) -> dict[str, list[Field]]:
    catalog = asked.portal.catalog
    grants = catalog.find("dataset_funding", asked.viewer, where={"dataset_id": {"_eq": row["id"]}})
    paid = [plain(" · ".join(filter(None, (g["funding_agency_name"], g["grant_id"])))) for g in grants]
    pair = catalog.tables.deposition_dataset
    others = catalog.execute(
        pair.select().where(pair.c.dataset_id == row["id"], pair.c.deposition_id != row["deposition_id"])
    )
    seen = catalog.find("deposition", asked.viewer, where={"id": {"_in": [r["deposition_id"] for r in others]}})
    total = summaries.file_sizes(asked, "dataset_id", [row["id"]]).get(row["id"], summaries.Bytes())
    size = plain(
        say("{} in {}", formats.size(total.size), formats.plural(total.files, "file")),
        help=say("{} bytes", formats.count(total.size)),
    )
    return {
        "Dataset": [
            authors(asked, "dataset", row["id"]), field("Original deposition", deposition(asked, row["deposition_id"])),
            field("Additional contributions", [to(asked, "deposition", d["id"], d["title"]) for d in seen] or NONE),
            field("Funding", paid or MISSING), field("Total size", size),
        ]
    }  # fmt: skip


def _around_run(asked: Asked, row: Row) -> dict[str, list[Field]]:
    dataset = asked.get("dataset", row["dataset_id"])
    sizes = summaries.file_roles(asked, "run_id", [row["id"]]).get(row["id"], {})
    words = [
        plain(
            say(
                "{}: {} in {}",
                say(role.replace("_", " ").capitalize()),
                formats.size(b.size),
                formats.plural(b.files, "file"),
            )
        )
        for role, b in sorted(sizes.items())
    ]
    return {
        "Run": [
            field("Run ID", asked.name("run", row["id"])), field("Dataset", to(asked, "dataset", dataset["id"], dataset["title"])),
            *_dates(asked, dataset), field("Size", words or MISSING), *_completeness(asked, row["id"]),
        ]
    }  # fmt: skip


def _dates(asked: Asked, dataset: Row) -> list[Field]:
    """Give the dates of the dataset, labelled so: a run has none of its own."""
    names = ("release_date", "last_modified_date")
    found = [asked.portal.catalog.schema.column("dataset", name) for name in names]
    return [Field(say("{} (dataset)", say(title(c))), (value_of(c, dataset),)) for c in found]


def _completeness(asked: Asked, run: int) -> list[Field]:
    masks, weights = asked.portal.catalog.masks(asked.viewer, asked.version), asked.portal.settings.completeness
    found = complete(masks, [run], weights)[run]
    lacking = [plain(say(text)) for text in found.lacking]
    return [field("Completeness", f"{found.share} %"), field("Missing", lacking or NONE)]


def _around_tiltseries(asked: Asked, row: Row) -> dict[str, list[Field]]:
    run = asked.get("run", row["run_id"])
    return {
        "Overview": [
            field("Tilt series ID", asked.name("tiltseries", row["id"])), field("Run", to(asked, "run", run["id"], run["name"])),
            field("Deposition", deposition(asked, row["deposition_id"])),
        ],
        "Exposure": _doses(asked, row),
    }  # fmt: skip


def _doses(asked: Asked, row: Row) -> list[Field]:
    """Give the least and the largest dose of the sections of a tilt series."""
    c = asked.portal.catalog.compiler(asked.viewer)
    section, frame = c.table("per_section_parameters"), c.table("frame")
    dose = frame.c.exposure_dose
    statement = sa.select(sa.func.min(dose).label("least"), sa.func.max(dose).label("most")).where(
        section.c.tiltseries_id == row["id"], section.c.frame_id == frame.c.id, *c.visible("frame", frame)
    )
    found = asked.portal.catalog.execute(statement)[0]
    unit = asked.portal.catalog.schema.column("frame", "exposure_dose").unit
    if found["least"] is None:
        return [field("Dose per section", MISSING)]
    return [field("Dose per section", formats.span([found["least"], found["most"]], unit))]


def _around_tomogram(asked: Asked, row: Row) -> dict[str, list[Field]]:
    return {
        "Overview": [
            field("Tomogram ID", asked.name("tomogram", row["id"])), authors(asked, "tomogram", row["id"]),
            field("Deposition", deposition(asked, row["deposition_id"])), *_publications(asked, row),
        ]
    }  # fmt: skip


def _publications(asked: Asked, row: Row) -> list[Field]:
    """Give the publications of the dataset where a tomogram has none of its own."""
    if row["publications"]:
        return []
    run = asked.get("run", row["run_id"])
    dataset = asked.get("dataset", run["dataset_id"])
    column = asked.portal.catalog.schema.column("dataset", "dataset_publications")
    return [Field("Publications of the dataset", (value_of(column, dataset),))] if dataset[column.name] else []


def _around_annotation(asked: Asked, row: Row) -> dict[str, list[Field]]:
    catalog = asked.portal.catalog
    made = catalog.find("annotation_method_link", asked.viewer, where={"annotation_id": {"_eq": row["id"]}})
    linked = [methods.link_value(m) for m in sorted(made, key=methods.link_rank)]
    shapes = catalog.find("annotation_shape", asked.viewer, where={"annotation_id": {"_eq": row["id"]}})
    words = [plain(label("annotation_file_shape_type_enum", s["shape_type"])) for s in shapes]
    return {
        "Overview": [
            field("Annotation ID", asked.name("annotation", row["id"])), authors(asked, "annotation", row["id"]),
            field("Deposition", deposition(asked, row["deposition_id"])), field("Method links", linked or NONE), *_fits(asked, row),
        ],
        "Object": [field("Shape types", words or MISSING)],
    }  # fmt: skip


def _fits(asked: Asked, row: Row) -> list[Field]:
    """Say under which alignment an annotation was made and which tomograms share it."""
    catalog = asked.portal.catalog
    files = catalog.find(
        "annotation_file", asked.viewer, where={"annotation_shape": {"annotation_id": {"_eq": row["id"]}}}
    )
    used = sorted({f["alignment_id"] for f in files if f["alignment_id"] is not None})
    tomograms = catalog.find("tomogram", asked.viewer, where={"run_id": {"_eq": row["run_id"]}})
    fit = [to(asked, "tomogram", t["id"]) for t in tomograms if t["alignment_id"] in used]
    rest = [to(asked, "tomogram", t["id"]) for t in tomograms if t["alignment_id"] not in used]
    found = [
        field("Alignment ID", [to(asked, "alignment", i) for i in used] or MISSING),
        field("Fits tomograms", fit or NONE),
    ]
    return [*found, field("Needs a transform for", rest)] if rest else found


def _around_alignment(asked: Asked, row: Row) -> dict[str, list[Field]]:
    found = asked.portal.catalog.find("tomogram", asked.viewer, where={"alignment_id": {"_eq": row["id"]}})
    return {
        "Alignment": [
            field("Alignment ID", asked.name("alignment", row["id"])), field("Run", to(asked, "run", row["run_id"])),
            field("Tilt series", to(asked, "tiltseries", row["tiltseries_id"])), field("Tomograms", [to(asked, "tomogram", t["id"]) for t in found] or NONE),
        ]
    }  # fmt: skip


def _around_deposition(asked: Asked, row: Row) -> dict[str, list[Field]]:
    kinds = asked.portal.catalog.find("deposition_type", asked.viewer, where={"deposition_id": {"_eq": row["id"]}})
    words = [plain(label("deposition_types_enum", k["type"])) for k in kinds]
    return {"Overview": [authors(asked, "deposition", row["id"]), field("Types", words or MISSING)]}


Around = Callable[[Asked, Row], dict[str, list[Field]]]
AROUND: Mapping[str, Around] = {
    "dataset": _around_dataset, "run": _around_run, "tiltseries": _around_tiltseries, "tomogram": _around_tomogram,
    "annotation": _around_annotation, "alignment": _around_alignment, "deposition": _around_deposition,
}  # fmt: skip
