"""What answers must be, written the simple way: rows in dictionaries, filters in Python, graphql-core's own `execute`."""

from __future__ import annotations

import json
import math
import re
import statistics
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
        if isinstance(source, Tally | Group | Keys | Numbers):
            return source.resolve(name, info, given)
        if "kind" not in source:
            return source[name]
        kind = source["kind"]
        if kind == "" and name in self.wire.counted:
            target = self.wire.counted[name]
            return Tally(self, target, self.select(target, self.rows[target], given["where"], None), whole=True)
        if (relation := self.wire.tallies.get(kind, {}).get(name)) is not None:
            found = self.select(relation.target, self.related(source, relation), given["where"], None)
            return Tally(self, relation.target, found, whole=False)
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
        if (relation := self.wire.tallies[kind].get(name)) is not None:
            return value is None or self.tallies(relation, row, value["count"])
        field = self.wire.fields[kind][name]
        if isinstance(field, Relation):
            return any(self.holds(field.target, r, value or {}) for r in self.related(row, field))
        actual = row[field.name]
        return all(compares(field, operator, actual, wanted) for operator, wanted in value.items())

    def tallies(self, relation: Relation, row: Row, asked: Any) -> bool:
        found = self.select(relation.target, self.related(row, relation), asked.get("filter"), None)
        number = len(found)
        if asked.get("distinct"):
            column = self.wire.values[relation.target][asked["arguments"]].name
            number = len({r[column] for r in found} - {None})
        return all(compares(WHOLE, o, number, v) for o, v in (asked.get("predicate") or {}).items())


class Whole:
    """Stands for the column of a number that is counted."""

    type, enum, choices = int, "", ()


WHOLE: Any = Whole


class Tally:
    """An aggregate field: rows that are still to be grouped."""

    def __init__(self, oracle: Oracle, kind: str, rows: list[Row], *, whole: bool) -> None:
        self.oracle, self.kind, self.rows, self.whole = oracle, kind, rows, whole

    def resolve(self, _: str, info: GraphQLResolveInfo, __: Any) -> Any:
        keys: list[tuple[tuple[str, ...], str, Column]] = []
        paths: list[tuple[tuple[str, ...], str]] = []
        sets = [node.selection_set for node in info.field_nodes]
        grouped = [nodes for nodes in merged(sets, info).values() if nodes[0].name.value == "groupBy"]
        for nodes in grouped:
            self.collect((), self.kind, nodes, info, keys, paths)
        pairs: list[dict[tuple[str, ...], Row]] = [{(): row} for row in self.rows]
        for path, kind in dict.fromkeys(paths):
            relation = self.oracle.wire.schema.relations(kind)[path[-1]]
            pairs = [{**p, path: other} for p in pairs for other in self.oracle.related(p[path[:-1]], relation)]
        groups: dict[Any, list[Any]] = {}
        for pair in pairs:
            groups.setdefault(tuple(pair[path][column.name] for path, _, column in keys), []).append(pair)
        if not keys and self.whole:
            groups = {(): pairs}

        def order(values: Any) -> Any:
            ranks = [
                c.choices.index(v) if c.enum and v is not None else v for v, (_, _, c) in zip(values, keys, strict=True)
            ]
            return [(v is None, 0 if v is None else comparable(v)) for v in ranks]

        return [Group(self, groups[values]) for values in sorted(groups, key=order)]

    def collect(self, path: Any, kind: str, nodes: Any, info: Any, keys: Any, paths: Any) -> None:
        for below in merged([n.selection_set for n in nodes], info).values():
            name = below[0].name.value
            if name == "__typename":
                continue
            field = self.oracle.wire.fields[kind][name]
            if isinstance(field, Relation):
                paths.append(((*path, field.name), kind))
                self.collect((*path, field.name), field.target, below, info, keys, paths)
            else:
                keys.append((path, kind, field))


def merged(sets: Any, info: GraphQLResolveInfo) -> dict[str, list[Any]]:
    """Fields of selection sets by response key: fragments spread, directives obeyed."""
    found: dict[str, list[Any]] = {}

    def walk(selection_set: Any) -> None:
        for node in selection_set.selections:
            if not all(included(d, info) for d in node.directives or ()):
                continue
            if node.kind == "field":
                found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
            else:
                walk((info.fragments[node.name.value] if node.kind == "fragment_spread" else node).selection_set)

    for selection_set in sets:
        walk(selection_set)
    return found


def included(directive: Any, info: GraphQLResolveInfo) -> bool:
    value = directive.arguments[0].value
    given = info.variable_values.coerced[value.name.value] if value.kind == "variable" else value.value
    return bool(given) is (directive.name.value == "include")


class Group:
    """One item of ``aggregate``."""

    def __init__(self, tally: Tally, pairs: list[Any]) -> None:
        self.tally, self.pairs = tally, pairs

    def resolve(self, name: str, _: Any, given: Any) -> Any:
        if name == "groupBy":
            return Keys(self, (), self.tally.kind)
        if name != "count":
            return Numbers(self, name)
        if not given["columns"] or not given["distinct"]:
            return len(self.pairs)
        column = self.tally.oracle.wire.values[self.tally.kind][given["columns"]].name
        return len({p[()][column] for p in self.pairs} - {None})


class Keys:
    """What a group has in common."""

    def __init__(self, group: Group, path: tuple[str, ...], kind: str) -> None:
        self.group, self.path, self.kind = group, path, kind

    def resolve(self, name: str, _: Any, __: Any) -> Any:
        field = self.group.tally.oracle.wire.fields[self.kind][name]
        if isinstance(field, Relation):
            return Keys(self.group, (*self.path, field.name), field.target)
        value = self.group.pairs[0][self.path][field.name] if self.group.pairs else None
        return json.loads(value) if value is not None and is_matrix(self.kind, field) else value


class Numbers:
    """What a function makes of the columns of a group."""

    def __init__(self, group: Group, name: str) -> None:
        self.group, self.name = group, name

    def resolve(self, name: str, _: Any, __: Any) -> Any:
        column = self.group.tally.oracle.wire.values[self.group.tally.kind][name]
        values = [p[()][column.name] for p in self.group.pairs]
        values = [v for v in values if v is not None]
        if len(values) < (2 if self.name in {"stddev", "variance"} else 1):
            return None
        functions = {
            "sum": math.fsum,
            "avg": statistics.fmean,
            "stddev": statistics.stdev,
            "variance": statistics.variance,
        }
        if self.name in {"min", "max"}:
            return {"min": min, "max": max}[self.name](values, key=comparable)
        made = functions[self.name](values)
        return int(round(made, 9)) if column.type is int else float(made)


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
