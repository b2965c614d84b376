"""Schema -> GraphQL output types and roots. A field added to an entity appears here by itself."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLDefaultInput,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
)

from tomotheca.api.graphql.aggregate_types import Aggregates, bare_type
from tomotheca.api.graphql.inputs import LIMIT_OFFSET, Inputs
from tomotheca.api.graphql.wire import Wire, type_name
from tomotheca.schema import Relation, Schema

if TYPE_CHECKING:
    from tomotheca.schema.core import Column, Entity

IDENTITY = {
    "_id": GraphQLField(GraphQLNonNull(GraphQLID), description="Identifier of this object in the whole schema.")
}
NODE = GraphQLInterfaceType("Node", IDENTITY, description="An object with an identifier.")
ENTITY = GraphQLInterfaceType(
    "EntityInterface", IDENTITY, interfaces=[NODE], description="A kind of row of the portal."
)

PAGE_INFO = GraphQLObjectType(
    "PageInfo",
    {
        "hasNextPage": GraphQLField(
            GraphQLNonNull(GraphQLBoolean), description="Whether there are more items after this page."
        ),
        "hasPreviousPage": GraphQLField(
            GraphQLNonNull(GraphQLBoolean), description="Whether there are items before this page."
        ),
        "startCursor": GraphQLField(GraphQLString, description="Cursor of the first item of this page."),
        "endCursor": GraphQLField(GraphQLString, description="Cursor of the last item of this page."),
    },
    description="Where a page stands in its list.",
)


def build(schema: Schema) -> GraphQLSchema:
    """Make the GraphQL schema: a list per kind of entity, relations as connections, filters and orders."""
    return _Types(Wire(schema)).schema


class _Types:
    """The output types of one schema."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.inputs = Inputs(wire)
        self.objects = {entity.kind: self._object(entity) for entity in wire.schema}
        self.connections = {kind: self._connection(kind) for kind in self.objects}
        self.aggregates = Aggregates(self.inputs)

    @cached_property
    def schema(self) -> GraphQLSchema:
        roots = {name: self._root(kind) for name, kind in self.wire.roots.items()}
        roots |= {name: self._tally(kind, root=True) for name, kind in self.wire.counted.items()}
        query = GraphQLObjectType("Query", roots, description="Lists of everything the portal holds.")
        return GraphQLSchema(query, types=[ENTITY, NODE, *self.objects.values()])

    def _root(self, kind: str) -> GraphQLField:
        items = GraphQLNonNull(GraphQLList(GraphQLNonNull(self.objects[kind])))
        return GraphQLField(
            items,
            {**self._selecting(kind), "limitOffset": GraphQLArgument(LIMIT_OFFSET, default=GraphQLDefaultInput(None))},
        )

    def _object(self, entity: type[Entity]) -> GraphQLObjectType:
        described = " ".join((entity.__doc__ or "").split())
        return GraphQLObjectType(
            type_name(entity.kind),
            lambda: self._fields(entity.kind),
            interfaces=[ENTITY, NODE],
            description=described or None,
        )

    def _fields(self, kind: str) -> dict[str, GraphQLField]:
        fields = dict(IDENTITY)
        for name, field in self.wire.fields[kind].items():
            fields[name] = self._relation(field) if isinstance(field, Relation) else self._scalar(kind, field)
        return fields | {name: self._tally(r.target) for name, r in self.wire.tallies[kind].items()}

    def _scalar(self, kind: str, column: Column) -> GraphQLField:
        bare = bare_type(self.inputs, kind, column)
        return GraphQLField(bare if column.nullable else GraphQLNonNull(bare), description=_described(column))

    def _relation(self, relation: Relation) -> GraphQLField:
        if not relation.many:
            return GraphQLField(self.objects[relation.target], self._selecting(relation.target))
        return GraphQLField(
            GraphQLNonNull(self.connections[relation.target]), {**self._selecting(relation.target), **PAGING}
        )

    def _tally(self, kind: str, *, root: bool = False) -> GraphQLField:
        found: Any = self.aggregates.types[kind]
        return GraphQLField(GraphQLNonNull(found) if root else found, self._filtering(kind))

    def _filtering(self, kind: str) -> dict[str, GraphQLArgument]:
        return {"where": GraphQLArgument(self.inputs.wheres[kind], default=GraphQLDefaultInput(None))}

    def _selecting(self, kind: str) -> dict[str, GraphQLArgument]:
        order = GraphQLList(GraphQLNonNull(self.inputs.orders[kind]))
        return {**self._filtering(kind), "orderBy": GraphQLArgument(order, default=GraphQLDefaultInput([]))}

    def _connection(self, kind: str) -> GraphQLObjectType:
        name = type_name(kind)
        edge = GraphQLObjectType(
            f"{name}Edge",
            {
                "cursor": GraphQLField(GraphQLNonNull(GraphQLString), description="Place of the item in its list."),
                "node": GraphQLField(GraphQLNonNull(self.objects[kind]), description="The item."),
            },
            description="An item of a list and its place.",
        )
        fields = {
            "pageInfo": GraphQLField(GraphQLNonNull(PAGE_INFO), description="Where this page stands."),
            "edges": GraphQLField(
                GraphQLNonNull(GraphQLList(GraphQLNonNull(edge))), description="The items of this page."
            ),
        }
        return GraphQLObjectType(f"{name}Connection", fields, description="A page of a list of items.")


PAGING = {
    "before": GraphQLArgument(
        GraphQLString, default=GraphQLDefaultInput(None), description="Give items before this cursor."
    ),
    "after": GraphQLArgument(
        GraphQLString, default=GraphQLDefaultInput(None), description="Give items after this cursor."
    ),
    "first": GraphQLArgument(
        GraphQLInt, default=GraphQLDefaultInput(None), description="Give that many items from the beginning."
    ),
    "last": GraphQLArgument(
        GraphQLInt, default=GraphQLDefaultInput(None), description="Give that many items from the end."
    ),
}


def _described(column: Column) -> str | None:
    text = column.description
    return f"{text} Unit: {column.unit}." if text and column.unit else text or None
