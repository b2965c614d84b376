"""Random valid queries."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLSchema, get_named_type

from tomotheca.api.graphql.wire import Wire, type_name
from tomotheca.schema import Relation

if TYPE_CHECKING:
    import random

TEXTS = ("ribosome", "Ribosome", "%ribo%", "%RIBO%", "_embrane%", "Å%", "100%", "a%b", "", 'quo"te', "^R", "[a-m]brane", "mikrotubuľ", "s3://lab/10/run/1.mrc", "https://elsewhere.org/a.mrc",
         "http://portal.test/files/10/frame/2.mrc", "10/run/1.mrc")  # fmt: skip


class Bare(str):
    """A name without quotes: an enum's value."""

    __slots__ = ()


class Writer:
    """Writes one query."""

    def __init__(self, draw: random.Random, schema: GraphQLSchema, wire: Wire) -> None:
        self.draw, self.schema, self.wire = draw, schema, wire
        self.variables: dict[str, Any] = {}
        self.declared: list[str] = []
        self.fragments: list[str] = []

    def query(self) -> tuple[str, dict[str, Any]]:
        roots = self.draw.sample(sorted(self.wire.roots), self.draw.choice([1, 1, 2]))
        fields = [
            f"r{n}: {name}{self.arguments('Query', name, 0.6)}{self.node(self.wire.roots[name], 3)}"
            for n, name in enumerate(roots)
        ]
        for n, name in enumerate(self.draw.sample(sorted(self.wire.counted), self.draw.choice([0, 0, 1]))):
            fields.append(f"a{n}: {name}{self.arguments('Query', name, 0.4)}{self.tally(self.wire.counted[name])}")
        head = f"({', '.join(self.declared)})" if self.declared else ""
        return (
            f"query Q{head} {{ {' '.join([*fields, *self.chance(0.2, '__typename')])} }} {' '.join(self.fragments)}",
            self.variables,
        )

    def chance(self, share: float, text: str) -> list[str]:
        return [text] if self.draw.random() < share else []

    def node(self, kind: str, depth: int) -> str:
        fields = self.wire.fields[kind]
        columns = [n for n, f in fields.items() if not isinstance(f, Relation)]
        chosen = self.draw.sample(columns, min(len(columns), self.draw.randrange(1, 5)))
        parts = [self.directed(self.draw.choice(["", f"x{i}: "]) + name) for i, name in enumerate(chosen)]
        parts += [
            *self.chance(0.2, "_id"),
            *self.chance(0.2, "t: __typename"),
            *self.chance(0.1, "... on Node { g: _id }"),
            *self.chance(0.1, f"... on {type_name(kind)} {{ id }}"),
        ]
        relations = [n for n, f in fields.items() if isinstance(f, Relation)]
        if depth and relations:
            parts += [
                self.relation(kind, name, depth - 1, f"k{i}")
                for i, name in enumerate(self.draw.choices(relations, k=self.draw.randrange(3)))
            ]
        tallies = list(self.wire.tallies[kind].items())
        if depth and tallies and self.draw.random() < 0.25:
            name, relation = self.draw.choice(tallies)
            parts.append(f"n0: {name}{self.arguments(type_name(kind), name, 0.3)}{self.tally(relation.target)}")
        self.draw.shuffle(parts)
        if self.draw.random() < 0.15:
            name = f"F{len(self.fragments)}"
            self.fragments.append("")
            self.fragments[int(name[1:])] = f"fragment {name} on {type_name(kind)} {{ {' '.join(parts)} }}"
            parts = [f"...{name}", *self.chance(0.5, "id")]
        return "{ " + " ".join(parts) + " }"

    def tally(self, kind: str) -> str:
        """The selection of an aggregate field."""
        parts = ["aggregate " + self.functions(kind), *self.chance(0.1, "__typename")]
        parts += [f"more: aggregate {self.functions(kind)}"] if self.draw.random() < 0.1 else []
        return "{ " + " ".join(parts) + " }"

    def functions(self, kind: str) -> str:
        parts = [*self.chance(0.8, "count"), *self.chance(0.1, "__typename")]
        if self.draw.random() < 0.3:
            column = self.draw.choice(sorted(self.wire.values[kind]))
            parts.append(f"c2: count(columns: {column}, distinct: {self.literal(self.draw.random() < 0.7, 'Boolean')})")
        for name in self.draw.sample(
            ["sum", "avg", "stddev", "variance", "min", "max"], self.draw.choice([0, 0, 1, 2])
        ):
            columns = (self.wire.extremes if name in {"min", "max"} else self.wire.numbers)[kind]
            chosen = self.draw.sample(sorted(columns), min(len(columns), 2))
            parts.append(f"{name} {{ {' '.join(self.directed(c) for c in chosen)} __typename }}")
        if self.draw.random() < 0.5:
            parts.append(f"groupBy {self.group(kind, 2)}")
        if all(p.startswith("groupBy") for p in parts):
            parts.append("count")
        self.draw.shuffle(parts)
        return "{ " + " ".join(parts) + " }"

    def group(self, kind: str, depth: int) -> str:
        columns = sorted(self.wire.values[kind])
        relations = sorted(self.wire.relations(kind).items())
        parts = [self.directed(c) for c in self.draw.sample(columns, self.draw.choice([0, 1, 1, 2]))]
        if depth and relations:
            for name, relation in self.draw.sample(relations, self.draw.choice([0, 1])):
                parts.append(f"{name} {self.group(relation.target, depth - 1)}")
        return "{ " + " ".join([*(parts or ["id"]), *self.chance(0.1, "__typename")]) + " }"

    def directed(self, field: str) -> str:
        if self.draw.random() > 0.1:
            return field
        return f"{field} @{self.draw.choice(['include', 'skip'])}(if: {self.literal(self.draw.random() < 0.5, 'Boolean!')})"

    def relation(self, kind: str, name: str, depth: int, key: str) -> str:
        field = self.wire.fields[kind][name]
        assert isinstance(field, Relation)
        arguments = self.arguments(type_name(kind), name, 0.3)
        if not field.many:
            return f"{key}: {name}{arguments}{self.node(field.target, depth)}"
        edge = [*self.chance(0.3, "cursor"), *self.chance(0.1, "__typename")]
        edge += [f"node {self.node(field.target, depth)}"] if self.draw.random() < 0.9 else []
        edge += [f"second: node {self.node(field.target, 0)}"] if self.draw.random() < 0.05 else []
        page = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor __typename }"
        inside = [
            *self.chance(0.4, page),
            f"edges {{ {' '.join(edge or ['cursor'])} }}",
            *self.chance(0.05, "other: edges { cursor }"),
        ]
        return f"{key}: {name}{arguments} {{ {' '.join(inside)} }}"

    def arguments(self, parent: str, name: str, share: float) -> str:
        found = []
        for argument, definition in self.schema.type_map[parent].fields[name].args.items():
            if self.draw.random() > (share if argument != "limitOffset" else 0.3):
                continue
            kind = get_named_type(definition.type)
            if argument == "after" and any(f.startswith("before") for f in found):
                continue  # what a page outside its own bounds says of its neighbours is nobody's business
            if argument == "where":
                value: Any = self.where(kind, 2)
            elif argument == "orderBy":
                value = [self.order(kind, 1) for _ in range(self.draw.randrange(3))]
            elif argument == "limitOffset":
                value = {
                    "limit": self.draw.randrange(12),
                    **({"offset": self.draw.randrange(5)} if self.draw.random() < 0.5 else {}),
                }
            elif argument in {"first", "last"}:
                value = self.draw.randrange(1, 6)
            else:
                value = b64encode(f"arrayconnection:{self.draw.randrange(1, 5)}".encode()).decode()
            found.append(f"{argument}: {self.literal(value, str(definition.type))}")
        return f"({', '.join(found)})" if found else ""

    def where(self, kind: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in self.draw.sample(sorted(kind.fields), self.draw.choice([0, 1, 1, 2])):
            inner = get_named_type(kind.fields[name].type)
            if name in {"_and", "_or"}:
                found[name] = [self.where(inner, depth - 1) for _ in range(self.draw.randrange(3))] if depth else []
            elif inner.name.endswith("AggregateWhereClause"):
                if depth:
                    found[name] = {"count": self.count(inner.fields["count"].type.of_type, depth)}
            elif inner.name.endswith("WhereClause"):
                if depth:
                    found[name] = self.where(inner, depth - 1)
            else:
                found[name] = self.comparison(inner)
        return found

    def count(self, kind: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.draw.random() < 0.4:
            found["arguments"] = Bare(self.draw.choice(sorted(kind.fields["arguments"].type.values)))
            found["distinct"] = self.draw.random() < 0.7
        if self.draw.random() < 0.4:
            found["filter"] = self.where(kind.fields["filter"].type, depth - 1)
        if self.draw.random() < 0.9:
            operator = self.draw.choice(["_eq", "_neq", "_gt", "_gte", "_lt", "_lte", "_in", "_nin"])
            value: Any = self.draw.randrange(4)
            found["predicate"] = {operator: [value, 0] if operator.endswith("in") else value}
        return found

    def comparison(self, kind: GraphQLInputObjectType) -> dict[str, Any]:
        operator = self.draw.choice(sorted(kind.fields))
        inner = kind.fields[operator].type
        if operator == "_is_null":
            return {operator: self.draw.random() < 0.5}
        if operator in {"_eq", "_neq"} and self.draw.random() < 0.15:
            return {operator: None}
        if isinstance(inner, GraphQLList):
            return {operator: [self.scalar(get_named_type(inner)) for _ in range(self.draw.randrange(4))]}
        value = self.scalar(inner)
        return {operator: "^[a-z]ibo|5$" if "regex" in operator and "quo" in value else value}

    def scalar(self, kind: Any) -> Any:
        if isinstance(kind, GraphQLEnumType):
            return Bare(self.draw.choice(sorted(kind.values)))
        return {
            "Int": lambda: self.draw.randrange(-1, 20), "Float": lambda: self.draw.choice([1.5, 7.84, 2, -3.0, 0.1 + 0.2]), "Boolean": lambda: self.draw.random() < 0.5,
            "String": lambda: self.draw.choice(TEXTS), "DateTime": lambda: self.draw.choice(["2011-05-01", "2012-03-01T00:00:00Z", "2010-01-01T00:00:00+00:00"]),
        }[kind.name]()  # fmt: skip

    def order(self, kind: GraphQLInputObjectType, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in self.draw.sample(sorted(kind.fields), min(len(kind.fields), self.draw.choice([1, 1, 2]))):
            inner = get_named_type(kind.fields[name].type)
            if isinstance(inner, GraphQLEnumType):
                found[name] = Bare(self.draw.choice(sorted(inner.values)))
            elif depth:
                found[name] = self.order(inner, depth - 1)
        return found

    def literal(self, value: Any, kind: str) -> str:
        """Write a value into the query, or declare a variable for it."""
        if self.draw.random() > 0.35:
            return written(value)
        name = f"v{len(self.variables) + len(self.declared)}"
        default = "" if kind.endswith("!") or self.draw.random() < 0.7 else f" = {written(value)}"
        self.declared.append(f"${name}: {kind}{default}")
        if not default:
            self.variables[name] = json.loads(json.dumps(value))
        return f"${name}"


def written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return value if isinstance(value, Bare) else json.dumps(value, ensure_ascii=False)
