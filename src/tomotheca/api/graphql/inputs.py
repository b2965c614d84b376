"""Schema -> GraphQL input types: filters, orders, comparators and enums."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLString,
)

from tomotheca.api.graphql.wire import AGGREGATE, Wire, is_matrix, type_name
from tomotheca.schema import Relation
from tomotheca.schema.core import Column

WAYS = ("asc", "asc_nulls_first", "asc_nulls_last", "desc", "desc_nulls_first", "desc_nulls_last")
DATE_TIME = GraphQLScalarType(
    "DateTime", parse_value=str, description="Date with time, as `YYYY-MM-DDTHH:MM:SS+00:00`."
)
ORDER_BY = GraphQLEnumType(
    "orderBy", {way: way for way in WAYS}, description="Direction of an order, and where nulls go."
)
LIMIT_OFFSET = GraphQLInputObjectType(
    "LimitOffsetClause",
    {"limit": GraphQLInputField(GraphQLInt), "offset": GraphQLInputField(GraphQLInt)},
    description="Part of a list; a limit of 0 is no limit.",
)

SCALARS: dict[type, GraphQLScalarType] = {
    int: GraphQLInt, float: GraphQLFloat, str: GraphQLString, bool: GraphQLBoolean, datetime: DATE_TIME, list: GraphQLString,
}  # fmt: skip

EQUAL = ("_eq", "_neq", "_in", "_nin")
COMPARED = ("_gt", "_gte", "_lt", "_lte")
PATTERNS = ("_like", "_nlike", "_ilike", "_nilike", "_regex", "_nregex", "_iregex", "_niregex")


def _comparators(name: str, kind: Any, operators: tuple[str, ...]) -> GraphQLInputObjectType:
    listed = GraphQLList(GraphQLNonNull(kind))
    fields = {o: GraphQLInputField(listed if o in {"_in", "_nin"} else kind) for o in operators}
    return GraphQLInputObjectType(name, {**fields, "_is_null": GraphQLInputField(GraphQLBoolean)})


COMPARATORS: dict[type, GraphQLInputObjectType] = {
    int: _comparators("IntComparators", GraphQLInt, EQUAL + COMPARED),
    float: _comparators("FloatComparators", GraphQLFloat, EQUAL + COMPARED),
    str: _comparators("StrComparators", GraphQLString, EQUAL + COMPARED + PATTERNS),
    bool: _comparators("BoolComparators", GraphQLBoolean, EQUAL),
    datetime: _comparators("DatetimeComparators", DATE_TIME, EQUAL + COMPARED),
}
COMPARATORS[list] = COMPARATORS[str]


class Inputs:
    """The input types of one schema."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        kinds = list(wire.schema.kinds)
        self.counts = {kind: self._count(kind) for kind in kinds}
        self.tallies = {kind: self._tally(kind) for kind in kinds}
        self.wheres = {kind: self._where(kind) for kind in kinds}
        self.orders = {kind: self._order(kind) for kind in kinds}

    @cached_property
    def enums(self) -> dict[str, GraphQLEnumType]:
        """Enums by name."""
        columns = (c for kind in self.wire.schema.kinds for c in self.wire.columns(kind).values() if c.enum)
        choices: dict[str, dict[str, str]] = {}
        for column in columns:
            choices.setdefault(column.enum, {}).update({code: code for code in column.choices})
        return {name: GraphQLEnumType(name, values) for name, values in choices.items()}

    @cached_property
    def enum_comparators(self) -> dict[str, GraphQLInputObjectType]:
        """Comparators of enums, by name of the enum."""
        return {
            name: _comparators(f"{name[:1].upper()}{name[1:]}EnumComparators", enum, EQUAL + COMPARED)
            for name, enum in self.enums.items()
        }

    def scalar(self, column: Column) -> GraphQLEnumType | GraphQLScalarType:
        """Give the type of a column."""
        return self.enums[column.enum] if column.enum else SCALARS[column.type]

    def _where(self, kind: str) -> GraphQLInputObjectType:
        def fields() -> dict[str, GraphQLInputField]:
            found = {
                name: GraphQLInputField(self._condition(f))
                for name, f in self.wire.fields[kind].items()
                if not _unfiltered(kind, f)
            }
            found |= {name: GraphQLInputField(self.tallies[r.target]) for name, r in self.wire.tallies[kind].items()}
            several = GraphQLInputField(GraphQLList(GraphQLNonNull(self.wheres[kind])))
            return {**found, "_and": several, "_or": several, "_not": GraphQLInputField(self.wheres[kind])}

        return GraphQLInputObjectType(f"{type_name(kind)}WhereClause", fields)

    def _count(self, kind: str) -> GraphQLEnumType:
        """Give the columns that can be counted."""
        return GraphQLEnumType(f"{type_name(kind)}CountColumns", {name: name for name in self.wire.values[kind]})

    def _tally(self, kind: str) -> GraphQLInputObjectType:
        """Give the condition on a number of related rows."""
        name = f"{type_name(kind)}{AGGREGATE}WhereClause"
        count = GraphQLInputObjectType(
            f"{name}Count",
            lambda: {
                "arguments": GraphQLInputField(self.counts[kind]),
                "distinct": GraphQLInputField(GraphQLBoolean),
                "filter": GraphQLInputField(self.wheres[kind]),
                "predicate": GraphQLInputField(COMPARATORS[int]),
            },
        )
        return GraphQLInputObjectType(name, {"count": GraphQLInputField(GraphQLNonNull(count))})

    def _condition(self, field: Column | Relation) -> GraphQLInputObjectType:
        if isinstance(field, Relation):
            return self.wheres[field.target]
        return self.enum_comparators[field.enum] if field.enum else COMPARATORS[field.type]

    def _order(self, kind: str) -> GraphQLInputObjectType:
        def fields() -> dict[str, GraphQLInputField]:
            found = {}
            for name, field in self.wire.fields[kind].items():
                if isinstance(field, Relation) and not field.many:
                    found[name] = GraphQLInputField(self.orders[field.target])
                elif isinstance(field, Column) and not field.ref:
                    found[name] = GraphQLInputField(ORDER_BY)
            return found

        return GraphQLInputObjectType(f"{type_name(kind)}OrderByClause", fields)


def _unfiltered(kind: str, field: Column | Relation) -> bool:
    return isinstance(field, Column) and is_matrix(kind, field)
