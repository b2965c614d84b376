"""The names of the schema as the wire has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tomotheca.schema import Relation, Schema
from tomotheca.schema.core import Column, camel, is_matrix

__all__ = ["Field", "Wire", "is_matrix", "type_name"]

Field = Column | Relation

AGGREGATE = "Aggregate"
"""What a field that counts and sums is called, after the name of its list."""


def type_name(kind: str) -> str:
    """Give the GraphQL type of a kind (``tomogram_author`` -> ``TomogramAuthor``)."""
    name = camel(kind)
    return name[:1].upper() + name[1:]


@dataclass(frozen=True)
class Wire:
    """A schema with its wire names."""

    schema: Schema

    @cached_property
    def roots(self) -> Mapping[str, str]:
        """Kinds by name of their list."""
        return {entity.root: entity.kind for entity in self.schema}

    @cached_property
    def fields(self) -> Mapping[str, Mapping[str, Field]]:
        """Public columns and relations by wire name, for every kind, in wire order: a relation beside its key, ``id`` last."""
        return {entity.kind: self._fields(entity.kind) for entity in self.schema}

    def _fields(self, kind: str) -> dict[str, Field]:
        found: dict[str, Any] = {}
        relations = self.schema.relations(kind)
        identifier, *columns = (c for c in self.schema.columns(kind) if c.public)
        for column in columns:
            if column.ref and column.ref.forward in relations:
                found[camel(column.ref.forward)] = relations[column.ref.forward]
            found[column.graphql] = column
        found |= {camel(name): relation for name, relation in relations.items() if relation.many}
        return found | {identifier.graphql: identifier}

    @cached_property
    def counted(self) -> Mapping[str, str]:
        """Kinds by name of their aggregate."""
        return {name + AGGREGATE: kind for name, kind in self.roots.items()}

    @cached_property
    def tallies(self) -> Mapping[str, Mapping[str, Relation]]:
        """Relations to many by name of their aggregate, for every kind."""
        return {
            kind: {name + AGGREGATE: r for name, r in self.relations(kind).items() if r.many} for kind in self.fields
        }

    @cached_property
    def values(self) -> Mapping[str, Mapping[str, Column]]:
        """Columns that can be counted and grouped by wire name, for every kind: all but foreign keys."""
        return {kind: {n: c for n, c in self.columns(kind).items() if not c.ref} for kind in self.fields}

    @cached_property
    def numbers(self) -> Mapping[str, Mapping[str, Column]]:
        """Columns that can be summed."""
        return {k: {n: c for n, c in columns.items() if c.type in {int, float}} for k, columns in self.values.items()}

    @cached_property
    def extremes(self) -> Mapping[str, Mapping[str, Column]]:
        """Columns that have a least and a greatest value: numbers, text and dates."""
        return {
            kind: {
                name: c for name, c in columns.items() if c.type is not bool and not c.enum and not is_matrix(kind, c)
            }
            for kind, columns in self.values.items()
        }

    def columns(self, kind: str) -> dict[str, Column]:
        """Give the public columns of a kind by wire name."""
        return {name: f for name, f in self.fields[kind].items() if isinstance(f, Column)}

    def relations(self, kind: str) -> dict[str, Relation]:
        """Give the relations of a kind by wire name."""
        return {name: f for name, f in self.fields[kind].items() if isinstance(f, Relation)}
