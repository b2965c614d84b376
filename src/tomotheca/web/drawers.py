"""Metadata drawers: the same sections as a panel over a page, and as the page of a single record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tomotheca.catalog.catalog import Row
from tomotheca.errors import NotFoundError
from tomotheca.schema.vocabulary import label
from tomotheca.web import format as formats
from tomotheca.web import links, summaries
from tomotheca.web.page import Asked, Crumb
from tomotheca.web.people import find_people
from tomotheca.web.values import MISSING, NONE, Field, Grid, Section, Value, field, plain, sections, title, value_of

PARAMETERS = frozenset({"metadata", "metadata-id", "tab"})
KINDS: Mapping[str, str] = {
    "dataset": "dataset", "run": "run", "tilt-series": "tiltseries", "tomogram": "tomogram", "annotation": "annotation",
    "alignment": "alignment", "deposition": "deposition",
}  # fmt: skip
"""Value of the parameter `metadata` -> kind of entity."""


@dataclass(frozen=True, slots=True)
class Drawer:
    """An open drawer."""

    kind: str
    label: str
    identifier: str
    title: str
    tabs: tuple[Crumb, ...]
    tab: str
    sections: tuple[Section, ...]
    close: str
    page: str
    form: str = "drawer"


def link(asked: Asked, kind: str, identifier: int | None = None) -> str:
    """Give the address of this page with the drawer of something open."""
    word = next(w for w, k in KINDS.items() if k == kind)
    name = asked.name(kind, identifier) if identifier is not None else None
    return str(asked.address.without({"dl", "dl-tab", "dl-what", "dl-format"}).set({"metadata": word, "metadata-id": name, "tab": None}))


def open_drawer(asked: Asked, own: tuple[str, int] | None = None) -> tuple[Drawer | None, tuple[str, ...]]:
    """Give the drawer that the address asks for, and what of it could not be understood.

    Parameters
    ----------
    own : (str, int)
        Kind and id of the page's own entity, for an address that names no id.
    """
    word = asked.address.first("metadata")
    if not word:
        return None, ()
    kind, given = KINDS.get(word), asked.address.first("metadata-id")
    digits = "".join(c for c in given if c.isascii() and c.isdigit())[:10]
    identifier = int(digits) if digits else own[1] if own and own[0] == kind and not given else None
    if kind is None or identifier is None:
        return None, (f"metadata={word} {given}".strip()[:80],)
    try:
        row = asked.get(kind, identifier)
    except NotFoundError:
        return None, (f"metadata-id={given}"[:80],)
    return _drawer(asked, kind, row), ()


def _drawer(asked: Asked, kind: str, row: Row) -> Drawer:
    chosen = asked.address.first("tab")
    tabs = TABS.get(kind, ())
    tab = chosen if any(t == chosen for t, _ in tabs) else "metadata"
    shown = tuple(Crumb(text, str(asked.address.set({"tab": name if name != "metadata" else None}))) for name, text in tabs)
    made = record(asked, kind, row) if tab == "metadata" else EXTRA[tab](asked, row)
    entity = asked.portal.catalog.schema.kinds[kind]
    closed = str(asked.address.without(PARAMETERS))
    current = next((text for name, text in tabs if name == tab), "")
    return Drawer(kind, entity.title, asked.name(kind, row["id"]), heading(kind, row), shown, current, made, closed, links.page(kind, row["id"]))


def heading(kind: str, row: Row) -> str:
    """Give the name of a record."""
    match kind:
        case "dataset" | "deposition":
            return str(row["title"])
        case "annotation":
            return str(row["object_name"])
        case "tomogram":
            return f"{row['name'] or 'Tomogram'}, {formats.quantity(row['voxel_spacing'], 'Å')}"
        case "tiltseries":
            return formats.tilt_range(row["tilt_range"], row["tilt_min"], row["tilt_max"])
        case "alignment":
            return label("alignment_type_enum", row["alignment_type"] or "Alignment")
    return str(row["name"])


TABS: Mapping[str, Sequence[tuple[str, str]]] = {
    "run": (("metadata", "Metadata"), ("objectOverview", "Object overview")),
    "tiltseries": (("metadata", "Metadata"), ("sections", "Sections")),
}


FIRST = frozenset({"Name", "Title"})
"""Labels that stand at the head of their section."""


def record(asked: Asked, kind: str, row: Row) -> tuple[Section, ...]:
    """Give all sections of one record: what it belongs to, every field of the schema, what belongs to it."""
    own = sections(asked.portal.catalog.schema.columns(kind), row)
    around = AROUND.get(kind, _around_nothing)(asked, row)
    found = {name: sorted([*around.pop(name, ()), *fields], key=lambda f: f.label not in FIRST) for name, fields in own.items()}
    made = [Section(name, tuple(fields)) for name, fields in found.items()]
    placed = [Section(name, tuple(fields)) for name, fields in around.items()]
    return (*(s for s in placed if s.name == "Overview"), *made, *(s for s in placed if s.name != "Overview"), *MORE.get(kind, _no_more)(asked, row))


def _around_nothing(asked: Asked, row: Row) -> dict[str, list[Field]]:
    del asked, row
    return {}


def _no_more(asked: Asked, row: Row) -> tuple[Section, ...]:
    del asked, row
    return ()


def to(asked: Asked, kind: str, identifier: int | None, text: str = "") -> Value:
    """Give a link to the page of a record."""
    if identifier is None:
        return MISSING
    name = asked.name(kind, identifier)
    return plain(f"{text} ({name})" if text else name, href=links.page(kind, identifier))


def deposition(asked: Asked, identifier: int | None) -> Value:
    """Give a link to a deposition with its title, if the viewer sees it."""
    if identifier is None:
        return MISSING
    found = asked.portal.catalog.find("deposition", asked.viewer, where={"id": {"_eq": identifier}})
    return to(asked, "deposition", identifier, found[0]["title"]) if found else plain(asked.name("deposition", identifier))


def authors(asked: Asked, kind: str, identifier: int) -> Field:
    people = find_people(asked, kind, [identifier])[identifier]
    return Field("Author(s)", (Value((), people=people),) if people.everyone else (MISSING,))


def _around_dataset(asked: Asked, row: Row) -> dict[str, list[Field]]:
    catalog = asked.portal.catalog
    grants = catalog.find("dataset_funding", asked.viewer, where={"dataset_id": {"_eq": row["id"]}})
    paid = [plain(" · ".join(filter(None, (g["funding_agency_name"], g["grant_id"])))) for g in grants]
    pair = catalog.tables.deposition_dataset
    others = catalog.execute(pair.select().where(pair.c.dataset_id == row["id"], pair.c.deposition_id != row["deposition_id"]))
    seen = catalog.find("deposition", asked.viewer, where={"id": {"_in": [r["deposition_id"] for r in others]}})
    total = summaries.file_sizes(asked, "dataset_id", [row["id"]]).get(row["id"], summaries.Bytes())
    size = plain(f"{formats.size(total.size)} in {formats.plural(total.files, 'file')}", help=f"{formats.count(total.size)} bytes")
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
    words = [plain(f"{role.replace('_', ' ').capitalize()}: {formats.size(b.size)} in {formats.plural(b.files, 'file')}") for role, b in sorted(sizes.items())]
    return {
        "Run": [
            field("Run ID", asked.name("run", row["id"])), field("Dataset", to(asked, "dataset", dataset["id"], dataset["title"])),
            field("Size", words or MISSING),
        ]
    }  # fmt: skip


def _around_tiltseries(asked: Asked, row: Row) -> dict[str, list[Field]]:
    run = asked.get("run", row["run_id"])
    return {
        "Overview": [
            field("Tilt series ID", asked.name("tiltseries", row["id"])), field("Run", to(asked, "run", run["id"], run["name"])),
            field("Deposition", deposition(asked, row["deposition_id"])),
        ]
    }  # fmt: skip


def _around_tomogram(asked: Asked, row: Row) -> dict[str, list[Field]]:
    return {
        "Overview": [
            field("Tomogram ID", asked.name("tomogram", row["id"])), authors(asked, "tomogram", row["id"]),
            field("Deposition", deposition(asked, row["deposition_id"])),
        ]
    }  # fmt: skip


def _around_annotation(asked: Asked, row: Row) -> dict[str, list[Field]]:
    catalog = asked.portal.catalog
    made = catalog.find("annotation_method_link", asked.viewer, where={"annotation_id": {"_eq": row["id"]}}, order=[("link_type", "asc"), ("name", "asc")])
    linked = [plain(f"{label('annotation_method_link_type_enum', m['link_type'])}: {m['name'] or m['link']}", href=web_address(m["link"]), external=True) for m in made]
    shapes = catalog.find("annotation_shape", asked.viewer, where={"annotation_id": {"_eq": row["id"]}})
    words = [plain(label("annotation_file_shape_type_enum", s["shape_type"])) for s in shapes]
    return {
        "Overview": [
            field("Annotation ID", asked.name("annotation", row["id"])), authors(asked, "annotation", row["id"]),
            field("Deposition", deposition(asked, row["deposition_id"])), field("Method links", linked or NONE), *_fits(asked, row),
        ],
        "Object": [field("Shape types", words or MISSING)],
    }  # fmt: skip


def web_address(text: str | None) -> str:
    """Give an address that may be linked: of the web, nothing else."""
    return text if text and text.lower().startswith(("http://", "https://")) else ""


def _fits(asked: Asked, row: Row) -> list[Field]:
    """Say under which alignment an annotation was made and which tomograms share it."""
    catalog = asked.portal.catalog
    files = catalog.find("annotation_file", asked.viewer, where={"annotation_shape": {"annotation_id": {"_eq": row["id"]}}})
    used = sorted({f["alignment_id"] for f in files if f["alignment_id"] is not None})
    tomograms = catalog.find("tomogram", asked.viewer, where={"run_id": {"_eq": row["run_id"]}})
    fit = [to(asked, "tomogram", t["id"]) for t in tomograms if t["alignment_id"] in used]
    rest = [to(asked, "tomogram", t["id"]) for t in tomograms if t["alignment_id"] not in used]
    found = [field("Alignment ID", [to(asked, "alignment", i) for i in used] or MISSING), field("Fits tomograms", fit or NONE)]
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
    return (plain("varies: " + ", ".join(f"{text} ({n})" for text, n in found.most_common())),)


def _more_dataset(asked: Asked, row: Row) -> tuple[Section, ...]:
    series = asked.portal.catalog.find("tiltseries", asked.viewer, where={"run": {"dataset_id": {"_eq": row["id"]}}})
    if not series:
        return (Section("Acquisition", note="No tilt series have been released for this dataset."),)
    return varying(asked, "tiltseries", series, ("Microscope", "Camera"))


def _more_run(asked: Asked, row: Row) -> tuple[Section, ...]:
    schema, catalog = asked.portal.catalog.schema, asked.portal.catalog
    dataset = asked.get("dataset", row["dataset_id"])
    sample = sections(schema.columns("dataset"), dataset).get("Sample and experiment", [])
    made = [Section("Sample and experiment", tuple(sample), open=False)]
    series = catalog.find("tiltseries", asked.viewer, where={"run_id": {"_eq": row["id"]}})
    for s in series:
        flat = [f for fields in sections(schema.columns("tiltseries"), s).values() for f in fields]
        made.append(Section(f"Tilt series {asked.name('tiltseries', s['id'])}", tuple(flat)))
    if not series:
        made.append(Section("Tilt series", note="No tilt series was submitted for this run."))
    return (*made, _tomograms_of(asked, row))


def _tomograms_of(asked: Asked, row: Row) -> Section:
    found = asked.portal.catalog.find("tomogram", asked.viewer, where={"run_id": {"_eq": row["id"]}})
    if not found:
        return Section("Tomograms", note="No tomogram was submitted for this run.")
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


SUMMED = frozenset({"reconstruction_software", "reconstruction_method", "processing", "processing_software", "fiducial_alignment_status", "ctf_corrected"})


def _matrix(asked: Asked, tomogram: Row) -> Field:
    found = asked.portal.catalog.find("alignment", asked.viewer, where={"id": {"_eq": tomogram["alignment_id"]}})
    column = asked.portal.catalog.schema.column("alignment", "affine_transformation_matrix")
    return Field(title(column), (value_of(column, found[0]) if found else MISSING,))


def _more_tomogram(asked: Asked, row: Row) -> tuple[Section, ...]:
    catalog = asked.portal.catalog
    found = catalog.find("alignment", asked.viewer, where={"id": {"_eq": row["alignment_id"]}}) if row["alignment_id"] else []
    spacing = row["voxel_spacing"] / formats.ANGSTROM_PER_NANOMETRE
    physical = formats.vector([row[f"size_{a}"] * spacing for a in "xyz"], "nm")
    made = [Section("Physical size", (field("Size", physical),))]
    for a in found:
        fields = [f for group in sections(catalog.schema.columns("alignment"), a).values() for f in group]
        made.append(Section("Alignment", (field("Alignment ID", to(asked, "alignment", a["id"])), field("Tilt series", to(asked, "tiltseries", a["tiltseries_id"])), *fields)))
    if not found:
        made.append(Section("Alignment", note="No alignment is recorded for this tomogram."))
    return (*made, files_section(asked, "tomogram", row["id"]))


def _more_files(kind: str) -> Callable[[Asked, Row], tuple[Section, ...]]:
    return lambda asked, row: (files_section(asked, kind, row["id"]),)


def files_section(asked: Asked, kind: str, identifier: int) -> Section:
    """List the files of a record with size and digest."""
    f = asked.portal.catalog.tables.file
    c = asked.portal.catalog.compiler(asked.viewer)
    rows = asked.portal.catalog.execute(f.select().where(f.c.kind == kind, f.c.entity_id == identifier, *c.visible("file", f)).order_by(f.c.key))
    made = tuple((_file_link(r), plain(formats.size(r["size"]), help=f"{formats.count(r['size'])} bytes"), _digest(r)) for r in rows)
    return Section("Files", grid=Grid(("File", "Size", "SHA-256"), made)) if made else Section("Files", note="No files are registered.")


def _file_link(row: Row) -> Value:
    name = row["key"].rstrip("/").rpartition("/")[2]
    return plain(f"{name}/ ({formats.plural(row['members'], 'file')})") if row["members"] is not None else plain(name, href=f"/files/{row['key']}")


def _digest(row: Row) -> Value:
    return plain(row["sha256"][:12] + "…", style="code", help=row["sha256"]) if row["sha256"] else MISSING


def _objects(asked: Asked, row: Row) -> tuple[Section, ...]:
    """Say which objects are annotated, which only identified."""
    where = {"run_id": {"_eq": row["id"]}}
    annotated = asked.portal.catalog.find("annotation", asked.viewer, where=where)
    identified = asked.portal.catalog.find("identified_object", asked.viewer, where=where)
    labelled, present = {a["object_name"] for a in annotated}, {i["object_name"] for i in identified}
    groups = (
        ("Identified and annotated", labelled & present), ("Identified, not annotated", present - labelled),
        ("Annotated, not in the identified list", labelled - present),
    )  # fmt: skip
    return tuple(Section(name, tuple(_object(n, annotated, identified) for n in sorted(names)), note="" if names else "None.") for name, names in groups)


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
    """List the sections of a tilt series."""
    catalog = asked.portal.catalog
    columns = [c for c in catalog.schema.columns("per_section_parameters") if c.drawer]
    columns.sort(key=lambda c: c.name != "z_index")
    rows = catalog.find("per_section_parameters", asked.viewer, where={"tiltseries_id": {"_eq": row["id"]}}, order=[("z_index", "asc")])
    grid = Grid(tuple(title(c) for c in columns), tuple(tuple(value_of(c, r) for c in columns) for r in rows))
    return (Section("Sections", grid=grid) if rows else Section("Sections", note="No sections are recorded."),)


Around = Callable[[Asked, Row], dict[str, list[Field]]]
AROUND: Mapping[str, Around] = {
    "dataset": _around_dataset, "run": _around_run, "tiltseries": _around_tiltseries, "tomogram": _around_tomogram,
    "annotation": _around_annotation, "alignment": _around_alignment, "deposition": _around_deposition,
}  # fmt: skip
MORE: Mapping[str, Callable[[Asked, Row], tuple[Section, ...]]] = {
    "dataset": _more_dataset, "run": _more_run, "tomogram": _more_tomogram, "annotation": _more_files("annotation"),
    "tiltseries": _more_files("tiltseries"), "alignment": _more_files("alignment"),
}  # fmt: skip
EXTRA: Mapping[str, Callable[[Asked, Row], tuple[Section, ...]]] = {"objectOverview": _objects, "sections": _sections_table}


def with_address(drawer: Drawer, close: str) -> Drawer:
    return replace(drawer, close=close)
