"""Functions that turn rows into answers, written as Python source for each selection and compiled once."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orjson import Fragment

from tomotheca.api.graphql.paging import cursor
from tomotheca.api.graphql.wire import is_matrix, type_name

if TYPE_CHECKING:
    from tomotheca.api.graphql.selection import Selected
    from tomotheca.schema.core import Column

Row = tuple[Any, ...]
Node = dict[str, Any]

TRUTH = {None: None, 0: False, 1: True}


@dataclass
class Projection:
    """Builds the source of a function from rows to nodes."""

    kind: str
    columns: list[str]
    """Columns of the rows after the first, which is the key; it grows as fields need more."""

    prefixes: Mapping[str, str]
    private: frozenset[str] = frozenset()
    keyed: bool = False
    """The rows' key is their own identifier."""

    related: int = 0
    """Relations to one; the function takes the related nodes of each by identifier."""

    items: list[str] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)

    def index(self, column: str) -> int:
        """Give the place of a column in the rows."""
        if self.keyed and column == "id":
            return 0
        if column not in self.columns:
            self.columns.append(column)
        return self.columns.index(column) + 1

    def constant(self, key: str, value: Any) -> None:
        """Answer a constant."""
        self.items.append(f"{key!r}: {value!r}")

    def identifier(self, key: str) -> None:
        """Answer the global identifier."""
        self.names["base64"] = b2a_base64
        self.items.append(
            f"{key!r}: base64(b'{type_name(self.kind)}:%d' % c{self.index('id')}, newline=False).decode()"
        )

    def one(self, key: str, column: str) -> int:
        """Answer the related node, and give the place of the foreign key."""
        index = self.index(column)
        self.items.append(f"{key!r}: found{self.related}.get(c{index})")
        self.related += 1
        return index

    def scalar(self, key: str, column: Column) -> None:
        """Answer a column's value."""
        if column.name in self.private:
            self.constant(key, None)
            return
        value = shown(self.kind, column, f"c{self.index(column.name)}", self.names, self.prefixes)
        self.items.append(f"{key!r}: {value}")

    def build(self) -> Callable[..., list[Node]]:
        """Compile the function of rows and related nodes. Columns must not be added any more."""
        row = ", ".join(f"c{i}" for i in range(len(self.columns) + 1))
        given = ", ".join(["rows", *(f"found{i}" for i in range(self.related))])
        function: Callable[..., list[Node]] = compiled(
            f"lambda {given}: [{{{', '.join(self.items)}}} for ({row},) in rows]", self.names
        )
        return function


def shown(kind: str, column: Column, value: str, names: dict[str, Any], prefixes: Mapping[str, str]) -> str:
    """Give the source that makes what the wire shows of a column's value; names that it uses are added."""
    if column.location:
        names[column.location] = prefixes[column.location]
        nothing = f"{value} is None or " if column.nullable else ""
        return f"{value} if {nothing}'://' in {value} else {column.location} + {value}"
    if column.missing is not None:
        return f"{column.missing!r} if {value} is None else {value}"
    if is_matrix(kind, column):
        names["Fragment"] = Fragment
        return f"None if {value} is None else Fragment({value})"
    if column.type is bool:
        names["TRUTH"] = TRUTH
        return f"TRUTH[{value}]"
    return value


def compiled(source: str, names: Mapping[str, Any]) -> Any:
    """Compile an expression. Everything in it is ours or the name of a GraphQL field."""
    return eval(source, dict(names))


def connection(
    fields: Mapping[str, Selected],
    edges: Sequence[tuple[str, Mapping[str, Selected]]],
    pages: Mapping[str, Mapping[str, Selected]],
    kind: str,
) -> Any:
    """Compile the function that makes a connection from its nodes.

    Parameters
    ----------
    fields : mapping
        What is selected of the connection, by response key.
    edges : sequence
        Response keys of fields ``edges``, each with what is selected of an edge.
    pages : mapping
        What is selected of ``pageInfo``, by response key.
    kind : str
        Kind of the nodes.

    Returns
    -------
    callable
        Takes views (for each ``node`` selected a list of nodes), place of the first, number, whether there are items after and before.
    """
    chosen, views, items = dict(edges), iter(range(1 << 20)), []
    for key, selected in fields.items():
        if selected.name == "edges":
            items.append(f"{key!r}: {_edges(chosen[key], views, type_name(kind))}")
        elif selected.name == "pageInfo":
            items.append(f"{key!r}: {{{', '.join(f'{k!r}: {PAGE[f.name]}' for k, f in pages[key].items())}}}")
        else:
            items.append(f"{key!r}: {type_name(kind) + 'Connection'!r}")
    return compiled(f"lambda views, start, count, after, before: {{{', '.join(items)}}}", {"cursor": cursor})


PAGE = {
    "hasNextPage": "after",
    "hasPreviousPage": "before",
    "startCursor": "cursor(start) if count else None",
    "endCursor": "cursor(start + count - 1) if count else None",
    "__typename": "'PageInfo'",
}


def _edges(fields: Mapping[str, Selected], views: Any, name: str) -> str:
    items = []
    for key, selected in fields.items():
        match selected.name:
            case "cursor":
                items.append(f"{key!r}: cursor(start + i)")
            case "node":
                items.append(f"{key!r}: views[{next(views)}][i]")
            case _:
                items.append(f"{key!r}: {name + 'Edge'!r}")
    if len(items) == 1 and "views" in items[0]:
        key, view = items[0].split(": ", 1)
        return f"[{{{key}: n}} for n in {view.removesuffix('[i]')}]"
    return f"[{{{', '.join(items)}}} for i in range(count)]"
