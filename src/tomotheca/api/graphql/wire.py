"""The names of the schema as the wire has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tomotheca.schema import Relation, Schema
from tomotheca.schema.core import Column, camel

Field = Column | Relation

MATRICES = frozenset({("per_section_alignment_parameters", "in_plane_rotation")})
"""JSON columns that are lists on the wire; all others are text."""


def is_matrix(kind: str, column: Column) -> bool:
    """Tell whether the wire has the column as a list of lists of numbers."""
    return (kind, column.name) in MATRICES


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

    def columns(self, kind: str) -> dict[str, Column]:
        """Give the public columns of a kind by wire name."""
        return {name: f for name, f in self.fields[kind].items() if isinstance(f, Column)}

    def relations(self, kind: str) -> dict[str, Relation]:
        """Give the relations of a kind by wire name."""
        return {name: f for name, f in self.fields[kind].items() if isinstance(f, Relation)}
