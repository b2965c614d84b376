"""The wire schema of the installed official client is in ours: types, fields, arguments, defaults, nullability, enum values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Annotated, Any, ClassVar

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)
from graphql.utilities import print_type
from graphql.utilities.print_schema import print_input_value

from tomotheca.api.graphql.types import build
from tomotheca.schema import ENTITIES, SCHEMA, Schema
from tomotheca.schema.markers import Enum, Internal
from tomotheca.schema.run import Run


@pytest.fixture(scope="module")
def theirs() -> GraphQLSchema:
    return build_schema((files("cryoet_data_portal") / "data" / "schema.graphql").read_text())


@pytest.fixture(scope="module")
def ours() -> GraphQLSchema:
    return build(SCHEMA)


def reachable(schema: GraphQLSchema) -> set[str]:
    """Names of the types that a query can meet."""
    found: set[str] = set()
    waiting = [schema.query_type.name]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += re.findall(
            r"\w+", re.sub(r'""".*?"""|"[^"\n]*"', "", print_type(schema.type_map[name]), flags=re.DOTALL)
        )
        waiting = [w for w in waiting if w in schema.type_map]
    return found


def differences(theirs: GraphQLNamedType, ours: Any) -> Iterator[str]:
    """Everything of a type that the other does not have."""
    if type(theirs) is not type(ours):
        yield f"{theirs.name}: {ours!r}"
    elif isinstance(theirs, GraphQLEnumType):
        yield from (f"{theirs.name}.{value}" for value in theirs.values if value not in ours.values)
    elif isinstance(theirs, GraphQLInputObjectType):
        for name, field in theirs.fields.items():
            yield from compare(f"{theirs.name}.{name}", field, ours.fields.get(name))
    elif isinstance(theirs, GraphQLObjectType | GraphQLInterfaceType):
        yield from (
            f"{theirs.name}: {i.name}" for i in theirs.interfaces if i.name not in {o.name for o in ours.interfaces}
        )
        yield from (d for name in theirs.fields for d in compare_field(theirs, ours, name))


def compare_field(theirs: GraphQLObjectType | GraphQLInterfaceType, ours: Any, name: str) -> Iterator[str]:
    """Type and arguments of a field."""
    field, other = theirs.fields[name], ours.fields.get(name)
    if other is None or str(field.type) != str(other.type):
        yield f"{theirs.name}.{name}: {field.type}, ours {other and other.type}"
        return
    for argument, value in field.args.items():
        yield from compare(f"{theirs.name}.{name}({argument})", value, other.args.get(argument))


def compare(
    where: str, theirs: GraphQLArgument | GraphQLInputField, ours: GraphQLArgument | GraphQLInputField | None
) -> Iterator[str]:
    """Type and default of an argument or input field."""
    wanted, found = print_input_value("x", theirs), ours and print_input_value("x", ours)
    if wanted != found:
        yield f"{where}: {wanted}, ours {found}"


def test_everything_in_the_clients_schema_is_in_ours(theirs: GraphQLSchema, ours: GraphQLSchema) -> None:
    names = reachable(theirs)
    assert {
        "Tiltseries",
        "Tiltseries_microscope_manufacturer_enumEnumComparators",
        "PageInfo",
        "RunOrderByClause",
        "orderBy",
    } <= names
    assert len([n for n in names if n.endswith("WhereClause") and "Aggregate" not in n]) == 23
    assert len([n for n in names if n.endswith("AggregateFunctions")]) == 23
    assert len(theirs.query_type.fields) == 46
    assert len([n for n in names if n.endswith("Connection")]) >= 18
    assert [d for name in sorted(names) for d in differences(theirs.type_map[name], ours.type_map.get(name))] == []


def test_there_is_nothing_to_write(ours: GraphQLSchema) -> None:
    assert ours.mutation_type is None
    assert ours.subscription_type is None


def test_columns_for_pages_only_are_not_on_the_wire(ours: GraphQLSchema) -> None:
    assert "visibilityState" not in ours.type_map["Dataset"].fields
    assert "visibilityState" not in ours.type_map["DatasetWhereClause"].fields


class StrangeRun(Run):
    """A run with fields that no portal has."""

    kind: ClassVar = "run"

    ice_thickness: float | None = None
    """Thickness of the ice."""

    weather: Annotated[str | None, Enum("weather_enum")] = None
    """Weather outside."""

    secret: Annotated[str | None, Internal] = None
    """For pages only."""


def test_a_new_field_appears_in_type_filter_and_order_by_itself() -> None:
    ours = build(Schema([StrangeRun if e is Run else e for e in ENTITIES]))
    assert str(ours.type_map["Run"].fields["iceThickness"].type) == "Float"
    assert ours.type_map["Run"].fields["iceThickness"].description == "Thickness of the ice."
    assert str(ours.type_map["RunWhereClause"].fields["iceThickness"].type) == "FloatComparators"
    assert str(ours.type_map["RunOrderByClause"].fields["iceThickness"].type) == "orderBy"
    assert str(ours.type_map["RunNumericalColumns"].fields["iceThickness"].type) == "Float"
    assert str(ours.type_map["RunGroupByOptions"].fields["weather"].type) == "weather_enum"
    assert "iceThickness" in ours.type_map["RunCountColumns"].values
    assert "secret" not in ours.type_map["Run"].fields
