"""The rows of a table as the query that gives them: for the public client library, for Python alone, for curl. Tests run what is shown.

What the client library can ask is asked through it; everything else goes to the REST interface, or where that has no such list to the table of the
page itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tomotheca.web.address import Address
from tomotheca.web.filters import compose
from tomotheca.web.links import PATHS
from tomotheca.web.snippets import BEARER, CLASSES, TOKEN, literal, shell

if TYPE_CHECKING:
    from tomotheca.catalog.query import Clause
    from tomotheca.schema import Schema
    from tomotheca.web.filters import Active
    from tomotheca.web.page import Asked

OURS = frozenset({"licence", "identified_objects"})
"""Fields and relations that the client library does not have."""

INFIX = {"_eq": "==", "_neq": "!=", "_gt": ">", "_gte": ">=", "_lt": "<", "_lte": "<="}
METHODS = {"_in": "_in", "_is_null": "is_null", "_like": "like", "_ilike": "ilike"}
"""Comparisons of the client library: as operators, and as methods."""

PASSING = frozenset({"page", "per-page", "metadata", "metadata-id", "tab"})
"""Parameters that choose no rows."""


@dataclass(frozen=True, slots=True)
class Code:
    """The query that gives all rows of a table, as programs ask it."""

    python: str
    curl: str
    api: str = ""
    """Address of the same list in the REST interface, where it has one."""


class _Inexpressible(Exception):
    """The client library has no words for a condition."""


def of_list(asked: Asked, kind: str, active: Sequence[Active] = (), **conditions: int) -> Code:
    """Give the query for the records of a kind that filters leave, with fields that have one value."""
    address = _rest(asked, kind, active, conditions)
    api = f"{asked.origin}{address}"
    lines = str(address.at(f"{address.path}.ndjson"))
    try:
        python = _client(asked, kind, active, conditions)
    except _Inexpressible:
        python = _reading(asked, lines, "json", "rows = [json.loads(line) for line in answer]", 'row["id"]')
    return Code(python, _curl(asked, lines), api)


def of_table(asked: Asked) -> Code:
    """Give the query for a table that only its page has."""
    kept = [n for n in asked.address.names if not (n in PASSING or n.startswith("dl") or n.endswith("-page"))]
    path = str(asked.address.only(kept).at(f"{asked.address.path}.csv"))
    rows = 'rows = list(csv.DictReader(io.TextIOWrapper(answer, "utf-8", newline="")))'
    return Code(_reading(asked, path, "csv, io", rows, "row"), _curl(asked, path))


def _rest(asked: Asked, kind: str, active: Sequence[Active], conditions: Mapping[str, int]) -> Address:
    path = PATHS.get(kind) or f"/{asked.portal.catalog.schema.kinds[kind].root}"
    pairs = [(a.filter.parameter, text) for a in active for text in a.texts]
    return Address(f"/api/v1{path}", (*((n, str(v)) for n, v in conditions.items()), *pairs))


def _curl(asked: Asked, path: str) -> str:
    return f"curl -fsS {BEARER if asked.viewer.curator else ''}{shell(asked.origin + path)}"


def _reading(asked: Asked, path: str, modules: str, rows: str, shown: str) -> str:
    """Write a script of the standard library that reads a table."""
    curious = asked.viewer.curator
    names = sorted([*modules.split(", "), *(["os"] if curious else [])])
    url = literal(asked.origin + path)
    opened = f"urlopen({url})" if not curious else "urlopen(asked)"
    head = [
        *(f"import {name}" for name in names),
        f"from urllib.request import {'Request, ' if curious else ''}urlopen",
        "",
    ]
    if curious:
        head.append(f'asked = Request({url}, headers={{"Authorization": "Bearer " + os.environ["{TOKEN}"]}})')
    return "\n".join([*head, f"with {opened} as answer:", f"    {rows}", "for row in rows:", f"    print({shown})"])


def _client(asked: Asked, kind: str, active: Sequence[Active], conditions: Mapping[str, int]) -> str:
    """Write a script for the client library.

    Raises
    ------
    _Inexpressible
        If it cannot ask this.
    """
    if kind not in CLASSES or asked.viewer.curator or any(a.filter.rows for a in active):
        raise _Inexpressible
    clause: Clause = {
        "_and": [{n: {"_eq": v}} for n, v in conditions.items()] + ([compose(kind, active)] if active else [])
    }
    name = CLASSES[kind]
    terms = list(_Terms(asked.portal.catalog.schema).of(kind, clause))
    asks = "".join(f"    {name}.{term},\n" for term in terms)
    return "\n".join([
        f"from cryoet_data_portal import Client, {name}  # pip install cryoet-data-portal", "", f"client = Client({literal(asked.origin + '/graphql')})",
        f"rows = {name}.find(client, [\n{asks}])" if terms else f"rows = {name}.find(client)", "for row in rows:", "    print(row.id)",
    ])  # fmt: skip


@dataclass
class _Terms:
    """Writes a clause as terms that all hold, of which those on one relation hold for one and the same related record."""

    schema: Schema
    made: set[str] = field(default_factory=set)

    def of(self, kind: str, clause: Clause, path: str = "") -> Iterator[str]:
        for name, value in clause.items():
            if name == "_and":
                for part in value:
                    yield from self.of(kind, part, path)
            elif name in OURS or not value:
                raise _Inexpressible
            elif relation := self.schema.relations(kind).get(name):
                if relation.many:
                    self._once(path + name)
                yield from self.of(relation.target, value, f"{path}{name}.")
            elif (column := self.schema.by_name[kind].get(name)) and column.public:
                yield from self._compared(path + name, value)
            else:
                raise _Inexpressible

    def _compared(self, path: str, comparisons: Mapping[str, Any]) -> Iterator[str]:
        for operator, value in comparisons.items():
            self._once(f"{path} {operator}")
            if operator in INFIX:
                yield f"{path} {INFIX[operator]} {_written(value)}"
            elif operator in METHODS:
                yield f"{path}.{METHODS[operator]}({_written(value)})"
            else:
                raise _Inexpressible

    def _once(self, place: str) -> None:
        """Refuse what is there twice: the library would join two conditions that mean two records."""
        if place in self.made:
            raise _Inexpressible
        self.made.add(place)


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    return literal(value) if isinstance(value, str) else repr(value)
