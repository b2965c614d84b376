"""Schema -> GraphQL types of aggregates: what can be counted, summed and grouped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDefaultInput,
    GraphQLField,
    GraphQLFloat,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
)

from tomotheca.api.graphql.wire import AGGREGATE, is_matrix, type_name
from tomotheca.schema import Relation

if TYPE_CHECKING:
    from tomotheca.api.graphql.inputs import Inputs
    from tomotheca.schema.core import Column

MATRIX = GraphQLList(GraphQLNonNull(GraphQLList(GraphQLNonNull(GraphQLFloat))))

NUMERICAL = ("sum", "avg", "stddev", "variance")
EXTREME = ("min", "max")
COUNT, GROUP_BY = "count", "groupBy"


def bare_type(inputs: Inputs, kind: str, column: Column) -> Any:
    """Give the type of a column's value, which may be null."""
    return MATRIX if is_matrix(kind, column) else inputs.scalar(column)


class Aggregates:
    """The types of aggregates of one schema."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs, self.wire = inputs, inputs.wire
        self.groups = {kind: self._group(kind) for kind in self.wire.fields}
        self.types = {kind: self._aggregate(kind) for kind in self.wire.fields}

    def _aggregate(self, kind: str) -> GraphQLObjectType:
        name = type_name(kind) + AGGREGATE
        functions = GraphQLObjectType(
            f"{name}Functions",
            self._functions(kind),
            description="What is counted and computed of a group of items, or of all of them.",
        )
        return GraphQLObjectType(
            name,
            {AGGREGATE.lower(): GraphQLField(GraphQLList(GraphQLNonNull(functions)))},
            description="Counts and sums of a list: one item for each group.",
        )

    def _functions(self, kind: str) -> dict[str, GraphQLField]:
        numerical = self._scalars(kind, "NumericalColumns", self.wire.numbers[kind])
        extreme = self._scalars(kind, "MinMaxColumns", self.wire.extremes[kind])
        count = {
            "distinct": GraphQLArgument(GraphQLBoolean, default=GraphQLDefaultInput(False)),
            "columns": GraphQLArgument(self.inputs.counts[kind], default=GraphQLDefaultInput(None)),
        }
        return {
            **{name: GraphQLField(numerical) for name in NUMERICAL},
            **{name: GraphQLField(extreme) for name in EXTREME},
            GROUP_BY: GraphQLField(self.groups[kind]),
            COUNT: GraphQLField(GraphQLInt, count),
        }

    def _scalars(self, kind: str, suffix: str, columns: Mapping[str, Column]) -> GraphQLObjectType:
        fields = {name: GraphQLField(bare_type(self.inputs, kind, c)) for name, c in columns.items()}
        return GraphQLObjectType(type_name(kind) + suffix, fields)

    def _group(self, kind: str) -> GraphQLObjectType:
        def fields() -> dict[str, GraphQLField]:
            return {
                name: GraphQLField(
                    self.groups[f.target] if isinstance(f, Relation) else bare_type(self.inputs, kind, f)
                )
                for name, f in self.wire.fields[kind].items()
                if isinstance(f, Relation) or not f.ref
            }

        return GraphQLObjectType(f"{type_name(kind)}GroupByOptions", fields)
