"""How a deposition's data were made: each distinct method once, with what it was used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.web import format as formats
from tomotheca.web.address import Address
from tomotheca.web.links import web_address
from tomotheca.web.values import MISSING, Field, Section, Value, plain, title, value_of
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.schema.core import Column
    from tomotheca.web.page import Asked


@dataclass(frozen=True, slots=True)
class Summary:
    """Methods of one kind of data: what is distinct about them, and what they are counted in."""

    name: str
    kind: str
    noun: str
    columns: tuple[str, ...]


SUMMARIES: Mapping[str, Summary] = {
    "annotations": Summary("Annotation methods", "annotation", "Annotations", ("method_type", "annotation_method", "annotation_software")),
    "tomograms": Summary(
        "Tomogram methods", "tomogram", "Tomograms",
        ("voxel_spacing", "reconstruction_method", "processing", "ctf_corrected", "reconstruction_software", "processing_software"),
    ),
    "acquisition": Summary(
        "Acquisition methods", "tiltseries", "Tilt series",
        ("microscope_manufacturer", "microscope_model", "camera_manufacturer", "camera_model", "tilting_scheme", "pixel_spacing", "microscope_energy_filter", "microscope_phase_plate", "acceleration_voltage"),
    ),
    "experimentalConditions": Summary("Experimental conditions", "dataset", "Runs", ("sample_type", "sample_preparation", "grid_preparation")),
}  # fmt: skip
"""By value of the parameter `method-summary-tab`."""


@dataclass(frozen=True, slots=True)
class Method:
    """A distinct method: what was made by it, how often, and its fields."""

    noun: str
    count: int
    href: str
    fields: tuple[Field, ...]


def summary(asked: Asked, deposition: int, name: str) -> tuple[Method, ...]:
    """Give the distinct methods of one kind of data, the most frequent first; what none of them has is left out."""
    made = SUMMARIES[name]
    schema = asked.portal.catalog.schema
    columns = [schema.column(made.kind, c) for c in made.columns]
    found = _conditions(asked, deposition, made) if made.kind == "dataset" else _counted(asked, deposition, made)
    linked = _linked(asked, deposition, made) if name == "annotations" and found else {}
    known = [c for c in columns if c.name == "method_type" or any(r[c.name] not in {None, ""} for r in found)]
    href = str(Address("/browse-data/runs", (("deposition-id", str(deposition)),)))
    return tuple(
        Method(made.noun, r["n"], href, _fields(known, r, linked.get(tuple(r[c] for c in made.columns), ())))
        for r in sorted(found, key=lambda r: -r["n"])
    )


def _fields(columns: Sequence[Column], row: Row, linked: Sequence[Value]) -> tuple[Field, ...]:
    more = (Field("Method links", tuple(linked)),) if linked else ()
    return (*(Field(title(c), (value_of(c, row),)) for c in columns), *more)


def _counted(asked: Asked, deposition: int, made: Summary) -> list[Row]:
    c = asked.portal.catalog.compiler(asked.viewer)
    row = c.table(made.kind)
    columns = [row.c[name] for name in made.columns]
    statement = (
        sa.select(*columns, sa.func.count().label("n"))
        .where(row.c.deposition_id == deposition, *c.visible(made.kind, row))
        .group_by(*columns)
    )
    return asked.portal.catalog.execute(statement)


def _conditions(asked: Asked, deposition: int, made: Summary) -> list[Row]:
    """Give the samples of the datasets that hold anything of the deposition, with the runs that do."""
    runs = runs_of(asked, deposition)
    wanted = {"id": {"_in": sorted(runs)}}
    found: dict[tuple[Any, ...], Row] = {}
    for d in asked.portal.catalog.find("dataset", asked.viewer, where=wanted) if runs else ():
        values = tuple(d[name] for name in made.columns)
        row = found.setdefault(values, {**dict(zip(made.columns, values, strict=True)), "n": 0})
        row["n"] += len(runs[d["id"]])
    return list(found.values())


def runs_of(asked: Asked, deposition: int) -> dict[int, list[int]]:
    """Give, for each dataset, the runs that hold anything of a deposition."""
    masks = asked.portal.catalog.masks(asked.viewer, asked.version)
    own = {"deposition_id": {"_eq": deposition}}
    parts = ("annotations", "tomograms", "tiltseries", "alignments", "frames")
    marked = masks.where("run", {"_or": [{relation: own} for relation in parts]})
    found: dict[int, list[int]] = {}
    numbers = masks.world.numbers("run", "dataset_id")[marked].tolist()
    for run, dataset in zip(masks.world.ids("run")[marked].tolist(), numbers, strict=True):
        found.setdefault(dataset, []).append(run)
    return found


LINK_ORDER = ("source_code", "models_weights", "website", "documentation")
"""Kinds of link that stand before others."""


def link_value(row: Row) -> Value:
    """Give a link to how something was made."""
    text = f"{label('annotation_method_link_type_enum', row['link_type'])}: {row['name'] or row['link']}"
    return plain(text, href=web_address(row["link"]), external=True)


def link_rank(row: Row) -> tuple[int, str]:
    """Order links: by kind, then by name."""
    kind = str(row["link_type"]).lower()
    return (LINK_ORDER.index(kind) if kind in LINK_ORDER else len(LINK_ORDER), str(row["name"] or "").lower())


def _linked(asked: Asked, deposition: int, made: Summary) -> dict[tuple[Any, ...], tuple[Value, ...]]:
    """Give the links of each method."""
    c = asked.portal.catalog.compiler(asked.viewer)
    row, link = c.table("annotation"), c.table("annotation_method_link")
    columns = [row.c[name] for name in made.columns]
    statement = (
        sa.select(*columns, link.c.link_type, link.c.name, link.c.link)
        .where(link.c.annotation_id == row.c.id, row.c.deposition_id == deposition)
        .where(*c.visible("annotation", row), *c.visible("annotation_method_link", link))
        .distinct()
    )
    found: dict[tuple[Any, ...], list[Row]] = {}
    for r in asked.portal.catalog.execute(statement):
        found.setdefault(tuple(r[name] for name in made.columns), []).append(r)
    return {method: tuple(link_value(r) for r in sorted(rows, key=link_rank)) for method, rows in found.items()}


def sections(asked: Asked, row: Row) -> tuple[Section, ...]:
    """Give all methods of a deposition as sections, one for each."""
    made = []
    for name, kind in SUMMARIES.items():
        found = summary(asked, row["id"], name)
        for place, method in enumerate(found, 1):
            number = f" {place}" if len(found) > 1 else ""
            used = plain(formats.count(method.count), href=method.href)
            fields = tuple(f for f in method.fields if f.values != (MISSING,) or f.label == "Method type")
            made.append(Section(say(kind.name) + number, (Field(method.noun, (used,)), *fields)))
    return tuple(made) or (Section("Methods", note=say("No methods are recorded.")),)
