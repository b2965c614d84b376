"""Clauses answered by arrays in memory against the same clauses as SQL."""

from __future__ import annotations

import random
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tomotheca.catalog.query import OPERATORS, ORDERED
from tomotheca.catalog.vectors import ChangedError, World
from tomotheca.catalog.viewer import ANONYMOUS, CURATOR, Viewer
from tomotheca.schema import SCHEMA

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog

KINDS = ("dataset", "run", "tiltseries", "tomogram", "annotation", "deposition", "identified_object")
CLAUSES = 40


def literal(draw: random.Random, known: list[Any], column: Any) -> Any:
    """A value that may be in the column, or not."""
    if column.choices:
        return draw.choice(column.choices)
    if column.type is datetime:
        return f"20{draw.randrange(10, 14)}-0{draw.randrange(1, 9)}-01"
    found = [v for v in known if v is not None]
    if found and draw.random() < 0.8:
        return draw.choice(found)
    return {int: 3, float: 1.5, bool: True, str: "ribosome"}.get(column.type, "x")


def comparison(draw: random.Random, catalog: Catalog, kind: str) -> dict[str, Any]:
    columns = [c for c in SCHEMA.columns(kind) if not c.location and c.type is not list and not c.personal]
    column = draw.choice(columns)
    known = [r[column.name] for r in catalog.find(kind, CURATOR)]
    op = draw.choice(sorted(OPERATORS))
    text = column.type is str and not column.choices
    if op.endswith(("like", "regex")) and not text:
        op = "_eq"
    if op in ORDERED and column.type is bool:
        op = "_neq"
    if op == "_is_null":
        return {column.name: {op: draw.random() < 0.5}}
    if op in {"_in", "_nin"}:
        return {column.name: {op: [literal(draw, known, column) for _ in range(draw.randrange(4))]}}
    given = literal(draw, known, column)
    if op.endswith("regex"):
        given = draw.choice(["ribo", "^m", "[0-9]", "å"])
    if op.endswith("like"):
        given = draw.choice(["%ibo%", "M%", "_a%", "100\\%%"])
    if op in {"_eq", "_neq"} and draw.random() < 0.1:
        given = None
    return {column.name: {op: given}}


def clause(draw: random.Random, catalog: Catalog, kind: str, depth: int = 0) -> dict[str, Any]:
    relations = SCHEMA.relations(kind)
    what = draw.random()
    if depth < 3 and what < 0.2:
        return {
            draw.choice(["_and", "_or"]): [clause(draw, catalog, kind, depth + 1) for _ in range(draw.randrange(4))]
        }
    if depth < 3 and what < 0.3:
        return {"_not": clause(draw, catalog, kind, depth + 1)}
    if depth < 3 and what < 0.6:
        name = draw.choice(sorted(relations))
        return {name: clause(draw, catalog, relations[name].target, depth + 1)}
    many = sorted(n for n, r in relations.items() if r.many)
    if many and depth < 2 and what < 0.7:
        name = draw.choice(many)
        inner = clause(draw, catalog, relations[name].target, depth + 2)
        return {
            f"{name}_aggregate": {
                "count": {"filter": inner, "predicate": {draw.choice(["_gte", "_eq"]): draw.randrange(3)}}
            }
        }
    return comparison(draw, catalog, kind) | (comparison(draw, catalog, kind) if draw.random() < 0.3 else {})


@pytest.mark.parametrize("viewer", [ANONYMOUS, CURATOR], ids=["visitor", "curator"])
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_mark_the_rows_that_the_database_finds(catalog: Catalog, kind: str, viewer: Viewer) -> None:
    draw = random.Random(f"{kind} {viewer.curator}")
    masks = catalog.masks(viewer, catalog.watch.stamp(viewer))
    found = 0
    for _ in range(CLAUSES):
        asked = clause(draw, catalog, kind)
        rows = sorted(r["id"] for r in catalog.find(kind, viewer, where=asked))
        assert masks.ids(kind, asked).tolist() == rows, asked
        found += bool(rows)
    assert found > CLAUSES / 5


def test_a_state_that_has_gone_is_not_mixed_with_the_next(catalog: Catalog) -> None:
    with pytest.raises(ChangedError):
        World(catalog, 99).ids("run")
