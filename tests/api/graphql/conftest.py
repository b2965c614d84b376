"""A small catalogue with everything in it: nulls, hidden rows, odd text, addresses kept as they came."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tomotheca.api.graphql import GraphQL
from tomotheca.api.graphql.wire import is_matrix
from tomotheca.catalog import swap
from tomotheca.catalog.build import complete
from tomotheca.catalog.catalog import Catalog
from tomotheca.schema import SCHEMA
from tomotheca.settings import Settings

if TYPE_CHECKING:
    from tests.databases import Database

    from tomotheca.schema.core import Column

WORDS = (
    "ribosome",
    "Ribosome",
    "RIBOSOME 80S",
    "membrane",
    "Membrane_inner",
    "100% ice",
    "Ångström",
    "ångström",
    "a\nb",
    "",
    "mikrotubuľ",
    "Kinase 5",
)
COUNTS = {
    "deposition": 5, "dataset": 7, "run": 16, "tomogram_voxel_spacing": 18, "tiltseries": 14, "alignment": 12, "tomogram": 30, "annotation": 40,
    "annotation_shape": 50, "annotation_file": 70, "frame": 30, "per_section_parameters": 40, "annotation_author": 60,
}  # fmt: skip
STATES = {
    1: ("private", None),
    2: ("embargoed", "2999-01-01T00:00:00+00:00"),
    3: ("embargoed", "2001-01-01T00:00:00+00:00"),
}
"""Visibility of the first datasets and depositions by number; the others are public."""

PUBLIC = ("public", None)

HIDDEN = "only a curator knows"


def value(draw: random.Random, kind: str, column: Column) -> Any:
    """A value for a column, null where it may be."""
    if column.nullable and draw.random() < 0.25:
        return None
    if column.missing is not None and draw.random() < 0.25:
        return None
    if column.choices:
        return draw.choice(column.choices)
    if column.location:
        return draw.choice(["https://elsewhere.org/a.mrc", f"10/{kind}/{draw.randrange(4)}.mrc"])
    if is_matrix(kind, column):
        return json.dumps([[1.0, draw.random()], [0.5, -1.25]])
    if column.type is datetime:
        return f"20{draw.randrange(10, 14)}-0{draw.randrange(1, 9)}-01T00:00:00+00:00"
    return {
        int: lambda: draw.randrange(6), float: lambda: draw.choice([0.1 + 0.2, 1.5, 7.84, -3.0, 1e11]), bool: lambda: draw.random() < 0.5,
        str: lambda: draw.choice(WORDS), list: lambda: "[[1, 0], [0, 1]]",
    }[column.type]()  # fmt: skip


def rows() -> Iterator[tuple[str, dict[str, Any]]]:
    """All rows, with the columns that say who sees them."""
    draw = random.Random(4)
    made: dict[str, list[dict[str, Any]]] = {}
    for entity in SCHEMA:
        made[entity.kind] = []
        for number in range(1, COUNTS.get(entity.kind, 20) + 1):
            row: dict[str, Any] = {"id": number}
            parents = []
            for column in SCHEMA.columns(entity.kind)[1:]:
                if column.ref is None:
                    row[column.name] = value(draw, entity.kind, column)
                elif column.nullable and draw.random() < 0.15 and parents:
                    row[column.name] = None
                else:
                    parent = draw.choice(made[column.ref.kind])
                    row[column.name] = parent["id"]
                    if column.ref.kind != "deposition":
                        parents.append(parent)
            own = entity.kind in {"dataset", "deposition"}
            if entity.kind in {"deposition_author", "deposition_type"}:
                row |= {"_owner": row["deposition_id"], "_gate": None}
            else:
                row["_owner"] = number if own else parents[0]["_owner"]
                gates = [row.get("deposition_id"), *(p["_gate"] for p in parents)]
                row["_gate"] = None if entity.kind == "deposition" else next((g for g in gates if g), None)
            if own:
                state, until = STATES.get(number, PUBLIC) if (entity.kind, number) != ("deposition", 2) else PUBLIC
                row |= {"visibility_state": state, "visibility_until": until}
            if own and STATES.get(number, PUBLIC)[0] == "private":
                row["title"] = HIDDEN
            made[entity.kind].append(row)
            yield entity.kind, row


@pytest.fixture(scope="session")
def catalog(database: Database) -> Catalog:
    return database.keep("graphql", lambda: filled(database.new()))


def filled(url: str) -> Catalog:
    opened = Catalog(url, public_url="http://portal.test", bucket="lab")
    tables = opened.tables
    with swap.writing(opened.engine, tables, whole=True) as connection:
        for kind, row in rows():
            connection.execute(tables.kinds[kind].insert(), row)
        complete(connection, tables)
    return opened


@pytest.fixture(scope="session")
def service(catalog: Catalog) -> GraphQL:
    return GraphQL(catalog, Settings())
