"""Variables and literals: what a plan depends on (their shape) and what it is run with (their values)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    StringValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_variable_values,
    type_from_ast,
)

from tomotheca.api.graphql.documents import Document, RequestError
from tomotheca.api.graphql.lift import LIMIT
from tomotheca.catalog.later import Later, together

NOW, KEYS, FIRST = 0, 1, 2
"""Places in the values of a request: the moment, the keys of the parents, then literals and variables."""

ABSENT, DEFAULT, LEAF = "absent", "default", "leaf"
Shape = Any


class _UnusualError(Exception):
    """A value that needs graphql-core's full coercion."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of an operation."""

    name: str
    type: Any
    default: ValueNode | None


class Variables:
    """The variables of one operation."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self.schema, self.operation = schema, operation
        self.all = [
            Variable(d.variable.name.value, type_from_ast(schema, d.type), d.default_value)
            for d in operation.variable_definitions or ()
        ]

    def read(self, given: Mapping[str, Any]) -> tuple[Shape, list[Any]]:
        """Take given variables apart into their shape and the values in it.

        Raises
        ------
        RequestError
            If a value does not fit its type.
        """
        try:
            return self._read(given)
        except _UnusualError:
            coerced = get_variable_values(
                self.schema, self.operation.variable_definitions or (), dict(given), max_errors=20
            )
            if isinstance(coerced, list):
                raise RequestError(coerced) from None
            return self._read(coerced.coerced)

    def _read(self, given: Mapping[str, Any]) -> tuple[Shape, list[Any]]:
        values: list[Any] = []
        shapes = []
        for variable in self.all:
            if variable.name in given:
                shapes.append(_shape(variable.type, given[variable.name], values))
            elif variable.default is not None:
                shapes.append(DEFAULT)
            elif isinstance(variable.type, GraphQLNonNull):
                raise _UnusualError
            else:
                shapes.append(ABSENT)
        return tuple(shapes), values


def _shape(kind: Any, value: Any, values: list[Any]) -> Shape:
    """Give the shape of a value and put its leaves into a list. Booleans, enums and nulls belong to the shape."""
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
        if value is None:
            raise _UnusualError
    if value is None:
        return None
    if isinstance(kind, GraphQLInputObjectType):
        return _object_shape(kind, value, values)
    if isinstance(kind, GraphQLList):
        items = value if isinstance(value, list) else [value]
        inner = kind.of_type.of_type if isinstance(kind.of_type, GraphQLNonNull) else kind.of_type
        if isinstance(inner, GraphQLInputObjectType | GraphQLList):
            return ("list", *(_shape(kind.of_type, item, values) for item in items))
        _check_list(inner, items)
        values.append(items)
        return LEAF
    _check(kind, value)
    if isinstance(kind, GraphQLEnumType) or kind is GraphQLBoolean:
        return ("is", value)
    values.append(value)
    return LEAF


def _object_shape(kind: GraphQLInputObjectType, value: Any, values: list[Any]) -> Shape:
    fields = kind.fields
    if not isinstance(value, dict) or not value.keys() <= fields.keys():
        raise _UnusualError
    if any(isinstance(f.type, GraphQLNonNull) and name not in value for name, f in fields.items()):
        raise _UnusualError
    names = [name for name in fields if name in value] if len(value) > 1 else value
    return ("object", *((name, _shape(fields[name].type, value[name], values)) for name in names))


def _check(kind: Any, value: Any) -> None:
    if kind is GraphQLInt:
        fits = type(value) is int and -LIMIT <= value < LIMIT
    elif kind is GraphQLFloat:
        fits = type(value) in {int, float} and math.isfinite(value)
    elif kind is GraphQLBoolean:
        fits = type(value) is bool
    elif isinstance(kind, GraphQLEnumType):
        fits = type(value) is str and value in kind.values
    else:
        fits = type(value) is str
    if not fits:
        raise _UnusualError


def _check_list(kind: Any, items: list[Any]) -> None:
    types = set(map(type, items))
    if kind is GraphQLInt and types == {int} and min(items) >= -LIMIT and max(items) < LIMIT:
        return
    for item in items:
        _check(kind, item)


@dataclass(frozen=True, slots=True)
class Scope:
    """What literals and variables stand for while a plan is made."""

    variables: Mapping[str, Any]
    literals: Mapping[int, int]

    def evaluate(self, node: ValueNode | None, kind: Any) -> Any:
        """Give the value of a node: place-holders where it is known only when the plan runs, `Undefined` for an absent variable."""
        if isinstance(node, VariableNode):
            return self.variables.get(node.name.value, Undefined)
        if node is None or isinstance(node, NullValueNode):
            return None
        if isinstance(kind, GraphQLNonNull):
            return self.evaluate(node, kind.of_type)
        if isinstance(kind, GraphQLList):
            if not isinstance(node, ListValueNode):
                return together([self.evaluate(node, kind.of_type)])
            if (lifted := self._lifted(node)) is not None:
                return lifted
            items = [self.evaluate(item, kind.of_type) for item in node.values]
            return together(None if item is Undefined else item for item in items)
        if isinstance(kind, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
            return self._object(node, kind)
        lifted = self._lifted(node)
        return _constant(node) if lifted is None else lifted

    def _lifted(self, node: ValueNode) -> Later | None:
        number = self.literals.get(node.loc.start) if node.loc else None
        return None if number is None else at(FIRST + number)

    def _object(self, node: ObjectValueNode, kind: GraphQLInputObjectType) -> dict[str, Any]:
        given = {f.name.value: f.value for f in node.fields}
        found = {name: self.evaluate(given[name], f.type) for name, f in kind.fields.items() if name in given}
        return {name: value for name, value in found.items() if value is not Undefined}


def at(index: int) -> Later:
    """Give the place-holder of one of a request's values."""
    return Later(lambda values: values[index])


def _constant(node: ValueNode) -> Any:
    match node:
        case IntValueNode():
            return int(node.value)
        case FloatValueNode():
            return float(node.value)
        case StringValueNode() | BooleanValueNode() | EnumValueNode():
            return node.value
    message = f"unexpected {node.kind}"
    raise TypeError(message)


def scope(document: Document, variables: Variables, shape: Shape) -> Scope:
    """Give what literals and variables of that shape stand for."""
    places = iter(range(FIRST + len(document.literals), 1 << 30))
    constants = Scope({}, document.literals)
    found: dict[str, Any] = {}
    for variable, part in zip(variables.all, shape, strict=True):
        if part == DEFAULT:
            found[variable.name] = constants.evaluate(variable.default, variable.type)
        elif part != ABSENT:
            found[variable.name] = _template(part, places)
    return Scope(found, document.literals)


def _template(shape: Shape, places: Iterator[int]) -> Any:
    if shape is None:
        return None
    if shape == LEAF:
        return at(next(places))
    kind, *parts = shape
    if kind == "is":
        return parts[0]
    if kind == "list":
        return [_template(part, places) for part in parts]
    return {name: _template(part, places) for name, part in parts}
