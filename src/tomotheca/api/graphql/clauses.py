"""Filters and orders of the wire -> the catalogue's clause language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tomotheca.catalog.query import TALLY
from tomotheca.catalog.sizes import check_size
from tomotheca.errors import QueryError
from tomotheca.schema import Relation

if TYPE_CHECKING:
    from tomotheca.api.graphql.wire import Wire

Order = tuple[tuple[str, ...], str]


def clause(wire: Wire, kind: str, where: Mapping[str, Any] | None) -> dict[str, Any]:
    """Translate a ``where`` into a clause.

    Raises
    ------
    QueryError
        If it is too large.
    """
    found = _clause(wire, kind, where or {})
    check_size(wire.schema, kind, found)
    return found


def _clause(wire: Wire, kind: str, where: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in where.items():
        if name in {"_and", "_or"}:
            if value is not None:
                found[name] = [_clause(wire, kind, part) for part in value]
        elif name == "_not":
            if value is not None:
                found[name] = _clause(wire, kind, value)
        elif (relation := wire.tallies[kind].get(name)) is not None:
            if value is not None:
                found[relation.name + TALLY] = {"count": _tally(wire, relation.target, value["count"])}
        else:
            field = wire.fields[kind][name]
            found[field.name] = _clause(wire, field.target, value or {}) if isinstance(field, Relation) else value
    return found


def _tally(wire: Wire, kind: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a condition on the number of related rows.

    Raises
    ------
    QueryError
        If different values are to be counted of no column.
    """
    column = asked.get("arguments")
    if asked.get("distinct") and column is None:
        message = "count: distinct needs arguments, the column whose different values are counted"
        raise QueryError(message)
    return {
        "arguments": wire.values[kind][column].name if column else None,
        "distinct": asked.get("distinct"),
        "filter": _clause(wire, kind, asked.get("filter") or {}),
        "predicate": asked.get("predicate"),
    }


def order(wire: Wire, kind: str, clauses: list[Mapping[str, Any]] | None) -> list[Order]:
    """Translate an ``orderBy`` into pairs of a path and a direction."""
    return [pair for c in clauses or () for pair in _order(wire, kind, c)]


def _order(wire: Wire, kind: str, given: Mapping[str, Any]) -> Iterator[Order]:
    for name, value in given.items():
        field = wire.fields[kind][name]
        if value is None:
            continue
        if isinstance(field, Relation):
            yield from (((field.name, *path), way) for path, way in _order(wire, field.target, value))
        else:
            yield (field.name,), value
