"""Tables of single records: sections of a tilt series, of an alignment, points of an annotation. Sortable, paged, and whole as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from tomotheca.errors import TomothecaError
from tomotheca.web import format as formats
from tomotheca.web.pages.leftout import first_alignment, marked
from tomotheca.web.summaries import by_id, key_of
from tomotheca.web.tables import Column, Table, heads, make_pager, rank, read_order, slice_page
from tomotheca.web.values import Value, plain, value_of

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.schema.core import Column as Field
    from tomotheca.web.page import Asked

PARAMETERS = ("page", "sort", "per-page")
FIRST_POINTS = 100
POINT_BYTES = 128 << 10
"""Bytes that the first points of a file are looked for in."""

SEPARATORS = {"csv": ",", "tsv": "\t"}
MATRIX = "xyz_rotation_matrix"


@dataclass(frozen=True, slots=True)
class Line:
    """A row of cells."""

    cells: tuple[Value, ...]


@dataclass(frozen=True)
class Cells:
    """Rows with what is shown of each and what it is sorted by; a raw value is what a program reads."""

    noun: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    """Raw values by the key of their column, with an ``id``."""

    show: Callable[[Row], tuple[Value, ...]]
    total: int = 0
    """Rows there are in all, where not all are here."""

    missing: tuple[str, ...] = ()
    """Labels of columns that no row has."""


def table(asked: Asked, cells: Cells) -> Table[Line]:
    """Sort and page rows."""
    order = read_order(asked.address, cells.columns, ())
    ranked = rank(cells.rows, order)
    wanted, found = slice_page([r["id"] for r in ranked], asked.address), by_id(ranked)
    lines = tuple(Line(cells.show(found[i])) for i in wanted)
    amount = len(cells.rows)
    return Table(
        cells.noun,
        heads(asked.address, cells.columns, order),
        lines,
        amount,
        cells.total or amount,
        make_pager(asked.address, amount),
    )


def written(cells: Cells, form: str) -> Iterator[str]:
    """Write all rows as lines of text, values as they are stored."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=SEPARATORS[form], lineterminator="\r\n")
    writer.writerow([c.key for c in cells.columns])
    for row in cells.rows:
        writer.writerow(["" if row[c.key] is None else row[c.key] for c in cells.columns])
    yield out.getvalue()


def series_sections(asked: Asked, series: Row) -> Cells:
    """Give the sections of a tilt series with the dose of their frames and how they are aligned."""
    catalog = asked.portal.catalog
    sections = catalog.find(
        "per_section_parameters",
        asked.viewer,
        where={"tiltseries_id": {"_eq": series["id"]}},
        order=[("z_index", "asc")],
    )
    frames = by_id(catalog.find("frame", asked.viewer, where={"run_id": {"_eq": series["run_id"]}})) if sections else {}
    aligned = _aligned(asked, series) if sections else {}
    sections = marked(sections, aligned)
    rows = [
        {"per_section_parameters": s, "frame": frames.get(s["frame_id"]), "per_section_alignment_parameters": aligned.get(s["z_index"])}
        for s in sections
    ]  # fmt: skip
    kinds = ("per_section_parameters", "frame", "per_section_alignment_parameters")
    columns = [(kind, f) for kind in kinds for f in _fields(asked, kind) if kind == kinds[0] or f.name != "z_index"]
    columns.sort(key=lambda kf: FIRST.index(kf[1].name) if kf[1].name in FIRST else len(FIRST))
    return _joined("Sections", columns, rows)


FIRST = ("z_index", "acquisition_order", "raw_angle", "excluded", "exposure_dose", "accumulated_dose")
"""What identifies a section stands before what was measured on it."""


def _aligned(asked: Asked, series: Row) -> dict[int, Row]:
    """Give the shifts and rotations of each section by the first alignment of the series, the portal's standard before others."""
    catalog = asked.portal.catalog
    found = catalog.find("alignment", asked.viewer, where={"tiltseries_id": {"_eq": series["id"]}})
    first = first_alignment(found)
    if first is None:
        return {}
    rows = catalog.find("per_section_alignment_parameters", asked.viewer, where={"alignment_id": {"_eq": first["id"]}})
    return {r["z_index"]: r for r in rows}


def alignment_sections(asked: Asked, alignment: Row) -> Cells:
    """Give the sections of an alignment."""
    kind = "per_section_alignment_parameters"
    rows = asked.portal.catalog.find(
        kind, asked.viewer, where={"alignment_id": {"_eq": alignment["id"]}}, order=[("z_index", "asc")]
    )
    return _joined("Sections", [(kind, f) for f in _fields(asked, kind)], [{kind: r} for r in rows])


def _fields(asked: Asked, kind: str) -> list[Field]:
    return [c for c in asked.portal.catalog.schema.columns(kind) if c.drawer]


def _joined(noun: str, columns: Sequence[tuple[str, Field]], rows: Sequence[Mapping[str, Row | None]]) -> Cells:
    """Make cells of rows that consist of records of several kinds; a column that no row has is left out and named."""

    def has(kind: str, f: Field) -> bool:
        return any((part := r[kind]) is not None and part[f.name] is not None for r in rows)

    known = [(kind, f) for kind, f in columns if has(kind, f)]
    raw = [
        {"id": n, "parts": r, **{f.name: (r[kind] or {}).get(f.name) for kind, f in known}} for n, r in enumerate(rows)
    ]

    def show(row: Row) -> tuple[Value, ...]:
        return tuple(_in_a_line(value_of(f, row["parts"][kind] or {f.name: None})) for kind, f in known)

    return Cells(
        noun, tuple(Column(f.label.strip(), f.name, numeric=f.type in {int, float}) for _, f in known), tuple(raw), show,
        missing=tuple(f.label.strip() for kind, f in columns if (kind, f) not in known),
    )  # fmt: skip


def _in_a_line(value: Value) -> Value:
    """Write a matrix in one line: rows of a table stay low."""
    if value.style != "matrix":
        return value
    return plain("; ".join(" ".join(row.split()) for row in value.pieces[0].text.split("\n")), style="code")


def points(asked: Asked, annotation: Row) -> Cells | None:
    """Give the first points of an annotation; None for one without points, or whose file is not here."""
    catalog = asked.portal.catalog
    where = {"annotation_shape": {"annotation_id": {"_eq": annotation["id"]}}, "format": {"_eq": "ndjson"}}
    for file in catalog.find("annotation_file", asked.viewer, where=where, order=[("id", "asc")]):
        found = first_points(asked, key_of(asked, file["s3_path"]))
        if found:
            return _points(found, (annotation["object_count"] or 0) if len(found) == FIRST_POINTS else 0)
    return None


def first_points(asked: Asked, key: str) -> list[dict[str, Any]]:
    """Read the first points of a file; none if it cannot be read."""
    if asked.portal.files is None or not key:
        return []
    try:
        data = asked.portal.files.read_range(key, 0, POINT_BYTES)
    except (TomothecaError, OSError):
        return []
    lines = data.splitlines() if len(data) < POINT_BYTES else data.splitlines()[:-1]
    found = []
    for line in lines[:FIRST_POINTS]:
        try:
            point = orjson.loads(line)
            found.append(
                {
                    "x": float(point["location"]["x"]),
                    "y": float(point["location"]["y"]),
                    "z": float(point["location"]["z"]),
                    "instance_id": point.get("instance_id"),
                    MATRIX: point.get(MATRIX),
                    "type": point.get("type"),
                }
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue
    return found


def _points(found: Sequence[Mapping[str, Any]], total: int) -> Cells:
    """Make cells of points; what none of them has is left out."""
    labels = {"number": "Point", "x": "x", "y": "y", "z": "z", "instance_id": "Instance", MATRIX: "Rotation matrix"}
    known = [n for n in labels if n == "number" or any(p[n] is not None for p in found)]
    rows = [
        {"id": n, "number": n + 1, **{k: orjson.dumps(v).decode() if k == MATRIX and v else v for k, v in p.items()}}
        for n, p in enumerate(found)
    ]

    def show(row: Row) -> tuple[Value, ...]:
        return tuple(_point_value(row[n]) for n in known)

    columns = tuple(Column(labels[n], n, numeric=n != MATRIX) for n in known)
    return Cells("Points", columns, tuple(rows), show, total=max(total, len(rows)))


def _point_value(value: Any) -> Value:
    if value is None:
        return plain("–", style="missing")
    if isinstance(value, str):
        rows = orjson.loads(value)
        return plain("; ".join(" ".join(formats.number(float(n), 2) for n in row) for row in rows), style="code")
    return plain(formats.number(value))
