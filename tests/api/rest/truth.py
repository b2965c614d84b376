"""What the catalogue itself says, in the form of the REST interface, and random clauses to ask both."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.api.graphql.conftest import WORDS

from tomotheca.api.rest.values import operators
from tomotheca.schema import SCHEMA
from tomotheca.schema.core import Column, camel, is_matrix

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.viewer import Viewer

KINDS = list(SCHEMA.kinds)
SIGNS = {"_like": "%embrane%", "_nlike": "R%", "_ilike": "%RIBO%", "_nilike": "%å%", "_regex": "^[Rr]", "_nregex": "80S$", "_iregex": "KINASE|ice", "_niregex": "^a"}  # fmt: skip


def public(kind: str) -> list[Column]:
    """Give the columns that anyone may ask for."""
    return [c for c in SCHEMA.columns(kind) if c.public]


def shown(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row of the catalogue as REST answers it."""
    found = {}
    for column in public(kind):
        value = None if column.personal else row[column.name]
        if value is None:
            value = column.missing
        found[column.name] = json.loads(value) if value is not None and is_matrix(kind, column) else value
    return found


def rows(catalog: Catalog, kind: str, viewer: Viewer, where: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Give the rows of a kind as REST answers them."""
    return [shown(kind, row) for row in catalog.find(kind, viewer, where=where)]


def value(draw: random.Random, column: Column, operator: str) -> Any:
    """Give something to compare with."""
    if operator == "_is_null":
        return draw.random() < 0.5
    if operator in {"_in", "_nin"}:
        return [_one(draw, column) for _ in range(draw.randrange(4))]
    return SIGNS.get(operator) or _one(draw, column)


def _one(draw: random.Random, column: Column) -> Any:
    if column.enum:
        return draw.choice(column.choices)
    if column.type is datetime:
        return f"201{draw.randrange(4)}-0{draw.randrange(1, 9)}-01"
    if column.type is int:
        return draw.randrange(30) if column.name.endswith("id") else draw.randrange(6)
    if column.type is float:
        return draw.choice([0.1 + 0.2, 1.5, 7.84, -3.0, 1e11])
    return draw.random() < 0.5 if column.type is bool else draw.choice([*WORDS, "s3://lab/10/run/1.mrc"])


def comparison(draw: random.Random, kind: str) -> tuple[str, str, Any]:
    """Give a column, an operator and something to compare with."""
    column = draw.choice([c for c in public(kind) if not is_matrix(kind, c)])
    operator = draw.choice(operators(column))
    return column.name, operator, value(draw, column, operator)


def clause(draw: random.Random, kind: str, depth: int = 3) -> dict[str, Any]:
    """Give a random clause."""
    found: dict[str, Any] = {}
    for _ in range(draw.randrange(1, 3)):
        name, operator, given = comparison(draw, kind)
        found.setdefault(name, {})[operator] = given
    relations = list(SCHEMA.relations(kind).values())
    if depth and relations and draw.random() < 0.6:
        relation = draw.choice(relations)
        if relation.many and draw.random() < 0.4:
            count = {
                "filter": clause(draw, relation.target, depth - 1),
                "predicate": {draw.choice(["_gt", "_eq", "_lt"]): draw.randrange(3)},
            }
            return {f"{relation.name}_aggregate": {"count": count}}
        return {relation.name: clause(draw, relation.target, depth - 1)}
    if depth and draw.random() < 0.4:
        parts = [clause(draw, kind, depth - 1) for _ in range(draw.randrange(3))]
        return {draw.choice(["_and", "_or"]): parts} if draw.random() < 0.7 else {"_not": clause(draw, kind, depth - 1)}
    return found


def in_graphql(found: Any) -> Any:
    """Give a clause with the names of the wire."""
    if isinstance(found, list):
        return [in_graphql(part) for part in found]
    if not isinstance(found, dict):
        return found
    return {(name if name.startswith("_") else camel(name)): in_graphql(part) for name, part in found.items()}
