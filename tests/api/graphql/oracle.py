"""What answers must be, written the simple way: rows in dictionaries, filters in Python, graphql-core's own `execute`."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from graphql import GraphQLResolveInfo, execute_sync, parse, validate

from tomotheca.api.graphql.types import build
from tomotheca.api.graphql.wire import Wire, is_matrix, type_name
from tomotheca.schema import Relation
from tomotheca.schema.rows import timestamp

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.schema.core import Column

Row = dict[str, Any]


class Oracle:
    """Answers of one viewer."""

    def __init__(self, catalog: Catalog, viewer: Viewer) -> None:
        self.schema, self.wire = build(catalog.schema), Wire(catalog.schema)
        self.rows = {kind: [self.shown(kind, r) for r in catalog.find(kind, viewer)] for kind in catalog.schema.kinds}
        self.by_id = {kind: {r["id"]: r for r in rows} for kind, rows in self.rows.items()}

    def shown(self, kind: str, row: Row) -> Row:
        for column in self.wire.schema.columns(kind):
            if column.missing is not None and row[column.name] is None:
                row[column.name] = column.missing
            if column.name == "email":
                row["email"] = None
        return {**row, "kind": kind}

    def answer(self, text: str, variables: dict[str, Any]) -> Any:
        document = parse(text)
        assert validate(self.schema, document) == [], text
        result = execute_sync(
            self.schema, document, {"kind": ""}, variable_values=variables, field_resolver=self.resolve
        )
        assert result.errors is None, (text, result.errors)
        return result.data

    def resolve(self, source: Any, info: GraphQLResolveInfo, **given: Any) -> Any:
        name = info.field_name
        if "kind" not in source:
            return source[name]
        kind = source["kind"]
        if kind == "":
            return self.root(self.wire.roots[name], **given)
        if name == "_id":
            return b64encode(f"{type_name(kind)}:{source['id']}".encode()).decode()
        field = self.wire.fields[kind][name]
        if isinstance(field, Relation):
            return self.many(source, field, **given) if field.many else self.one(source, field, **given)
        value = source[field.name]
        return json.loads(value) if value is not None and is_matrix(kind, field) else value

    def root(self, kind: str, where: Any, orderBy: Any, limitOffset: Any) -> list[Row]:  # noqa: N803 - the wire's names
        found = self.select(kind, self.rows[kind], where, orderBy)
        offset, limit = (limitOffset or {}).get("offset") or 0, (limitOffset or {}).get("limit")
        return found[offset : offset + limit] if limit else found[offset:]

    def one(self, source: Row, relation: Relation, where: Any, orderBy: Any) -> Row | None:  # noqa: N803
        found = self.select(relation.target, self.related(source, relation), where, orderBy)
        return found[0] if found else None

    def many(self, source: Row, relation: Relation, **given: Any) -> Any:
        found = list(
            enumerate(self.select(relation.target, self.related(source, relation), given["where"], given["orderBy"]))
        )
        before, after, first, last = (given[name] for name in ("before", "after", "first", "last"))
        begin = int(b64decode(after).decode().split(":")[1]) + 1 if after else 0
        end = int(b64decode(before).decode().split(":")[1]) if before else len(found)
        end = min(end, len(found))
        if first is not None:
            end = min(end, begin + first)
        elif last is None:
            end = min(end, begin + 100)
        if last is not None:
            begin = max(begin, end - last)
        part = found[begin:end] if end > begin else []
        cursors = [b64encode(f"arrayconnection:{place}".encode()).decode() for place, _ in part]
        page = {
            "hasNextPage": end < len(found) and begin < len(found), "hasPreviousPage": begin > 0, "startCursor": (cursors or [None])[0], "endCursor": (cursors or [None])[-1],
        }  # fmt: skip
        return {
            "pageInfo": page,
            "edges": [{"cursor": c, "node": row} for c, (_, row) in zip(cursors, part, strict=True)],
        }

    def related(self, source: Row, relation: Relation) -> list[Row]:
        if relation.many:
            return [r for r in self.rows[relation.target] if r[relation.ref.column] == source["id"]]
        found = self.by_id[relation.target].get(source[relation.ref.column])
        return [found] if found else []

    def select(self, kind: str, rows: list[Row], where: Any, order: Any) -> list[Row]:
        found = sorted((r for r in rows if self.holds(kind, r, where or {})), key=lambda r: r["id"])
        for clause in reversed(order or []):
            for path, way in reversed(list(self.paths(kind, clause))):
                found = self.sort(kind, found, path, way)
        return found

    def paths(self, kind: str, clause: Any) -> Any:
        for name in self.wire.fields[kind]:
            value = clause.get(name)
            if isinstance(value, dict):
                field = self.wire.fields[kind][name]
                yield from (([field, *path], way) for path, way in self.paths(field.target, value))
            elif value:
                yield [self.wire.fields[kind][name]], value

    def sort(self, kind: str, rows: list[Row], path: list[Any], way: str) -> list[Row]:
        *relations, column = path
        keyed = []
        for row in rows:
            end: Any = row
            for relation in relations:
                end = end and (self.related(end, relation) or [None])[0]
            if end:
                value = end[column.name]
                keyed.append((column.choices.index(value) if column.enum and value is not None else value, row))
        first = way.endswith("nulls_first") or way == "desc"
        sign = -1 if way.startswith("desc") else 1

        def compare(a: Any, b: Any) -> int:
            x, y = a[0], b[0]
            if x is None or y is None:
                return 0 if x is y else (-1 if (x is None) == first else 1)
            return sign * ((comparable(x) > comparable(y)) - (comparable(x) < comparable(y)))

        return [row for _, row in sorted(keyed, key=cmp_to_key(compare))]

    def holds(self, kind: str, row: Row, where: Any) -> bool:
        return all(self.condition(kind, row, name, value) for name, value in where.items())

    def condition(self, kind: str, row: Row, name: str, value: Any) -> bool:
        if name == "_and":
            return all(self.holds(kind, row, v) for v in value or [])
        if name == "_or":
            return value is None or any(self.holds(kind, row, v) for v in value)
        if name == "_not":
            return value is None or not self.holds(kind, row, value)
        field = self.wire.fields[kind][name]
        if isinstance(field, Relation):
            return any(self.holds(field.target, r, value or {}) for r in self.related(row, field))
        actual = row[field.name]
        return all(compares(field, operator, actual, wanted) for operator, wanted in value.items())


def comparable(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def compares(column: Column, operator: str, actual: Any, wanted: Any) -> bool:
    if operator == "_is_null":
        return (actual is None) is wanted
    if operator in {"_eq", "_neq"} and wanted is None:
        return (actual is None) is (operator == "_eq")
    if actual is None:
        return False
    if column.type.__name__ == "datetime":
        wanted = [timestamp(w) for w in wanted] if isinstance(wanted, list) else timestamp(wanted)
    if column.enum and operator in {"_gt", "_gte", "_lt", "_lte"}:
        actual, wanted = column.choices.index(actual), column.choices.index(wanted)
    if "like" in operator:
        pattern = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in wanted)
        found = re.fullmatch(pattern, actual, re.DOTALL | (re.IGNORECASE if "ilike" in operator else 0)) is not None
        return found is not operator.startswith("_n")
    if "regex" in operator:
        found = re.search(wanted, actual, re.IGNORECASE if "iregex" in operator else 0) is not None
        return found is not operator.startswith("_n")
    a, b = comparable(actual), wanted if isinstance(wanted, list) else comparable(wanted)
    return {
        "_eq": lambda: a == b, "_neq": lambda: a != b, "_in": lambda: actual in b, "_nin": lambda: actual not in b,
        "_gt": lambda: a > b, "_gte": lambda: a >= b, "_lt": lambda: a < b, "_lte": lambda: a <= b,
    }[operator]()  # fmt: skip
