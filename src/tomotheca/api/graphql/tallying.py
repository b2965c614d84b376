"""Selected aggregates -> what they ask of the database and how they are answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import FieldNode

from tomotheca.api.graphql import clauses
from tomotheca.api.graphql.aggregate_types import COUNT, EXTREME, GROUP_BY
from tomotheca.api.graphql.documents import FieldError
from tomotheca.api.graphql.plan import Part, Tallied
from tomotheca.api.graphql.project import compiled
from tomotheca.api.graphql.tally import Tally
from tomotheca.api.graphql.wire import AGGREGATE, type_name
from tomotheca.errors import QueryError
from tomotheca.schema import Relation
from tomotheca.schema.core import Column

if TYPE_CHECKING:
    import sqlalchemy as sa

    from tomotheca.api.graphql.planner import Planner
    from tomotheca.api.graphql.selection import Selected
    from tomotheca.api.graphql.tally import Path

NOTHING_ASKED = "No aggregate functions selected"


@dataclass(frozen=True)
class Tallier:
    """Plans the aggregate fields of one query."""

    planner: Planner

    def plan(
        self, kind: str, selected: Selected, parent: str, relation: Relation | None = None, index: int = 0
    ) -> Tallied:
        """Plan an aggregate: of a whole kind, or of the rows that a relation leads to from each parent.

        Parameters
        ----------
        kind : str
            Kind of the rows that are counted.
        selected : Selected
            The field.
        parent : str
            GraphQL type that has the field.
        relation : Relation
            From the parent to the rows, if there is a parent.
        index : int
            Place of the parent's identifier in its rows.
        """
        try:
            return self._plan(kind, selected, parent, relation, index)
        except FieldError:
            raise
        except QueryError as error:
            raise FieldError(str(error), selected.node, selected.path) from error

    def _plan(self, kind: str, selected: Selected, parent: str, relation: Relation | None, index: int) -> Tallied:
        planner = self.planner
        planner.collector.take_list(selected)
        where = clauses.clause(planner.wire, kind, planner.arguments(selected, parent)["where"])
        parts: list[Part] = []
        items: list[str] = []
        for key, below in planner.below(selected, type_name(kind) + AGGREGATE).items():
            if below.name == "__typename":
                items.append(f"{key!r}: {type_name(kind) + AGGREGATE!r}")
                continue
            items.append(f"{key!r}: parts[{len(parts)}]")
            counts = None if where or relation else self._counts(kind, below)
            tally = Tally(planner.compiler, planner.dialect, kind, where, counts=counts)
            source = self._functions(tally, below)
            statement = tally.of_all() if relation is None else tally.of_parents(relation)
            parts.append(Part(below, statement, tally.build(source), bool(tally.groups)))
        make = compiled(f"lambda parts: {{{', '.join(items)}}}", {})
        return Tallied(selected.key, index, parts, make, relation)

    def _counts(self, kind: str, selected: Selected) -> sa.FromClause | None:
        """Give the table of counts that answers one item, where it only asks how many rows have each value of one column."""
        columns = []
        for node in (n for chosen in selected.nodes for n in _fields(chosen)):
            if (
                node is None
                or node.name.value not in {COUNT, GROUP_BY}
                or (node.name.value == COUNT and node.arguments)
            ):
                return None
            if node.name.value == GROUP_BY:
                columns += [
                    None if n is None else self.planner.wire.fields[kind].get(n.name.value) for n in _fields(node)
                ]
        column = columns[0] if columns else None
        if not isinstance(column, Column) or any(other is not column for other in columns):
            return None
        return self.planner.compiler.counts(kind, column)

    def _functions(self, tally: Tally, selected: Selected) -> str:
        """Give the source of one item of ``aggregate``."""
        name = f"{type_name(tally.kind)}{AGGREGATE}Functions"
        fields = self.planner.below(selected, name)
        if {f.name for f in fields.values()} == {GROUP_BY}:
            raise FieldError(NOTHING_ASKED, selected.node, selected.path)
        return _source((key, self._function(tally, name, below)) for key, below in fields.items())

    def _function(self, tally: Tally, parent: str, selected: Selected) -> str:
        values = self.planner.wire.values[tally.kind]
        match selected.name:
            case "__typename":
                return repr(parent)
            case name if name == COUNT:
                given = self.planner.arguments(selected, parent)
                return tally.count(
                    values[given["columns"]] if given["columns"] else None, distinct=bool(given["distinct"])
                )
            case name if name == GROUP_BY:
                return self._group(tally, (), tally.kind, selected)
        return self._columns(tally, selected, values)

    def _columns(self, tally: Tally, selected: Selected, values: Mapping[str, Any]) -> str:
        name = type_name(tally.kind) + ("MinMaxColumns" if selected.name in EXTREME else "NumericalColumns")
        fields = self.planner.below(selected, name)
        return _source(
            (key, repr(name) if f.name == "__typename" else tally.compute(selected.name, values[f.name]))
            for key, f in fields.items()
        )

    def _group(self, tally: Tally, path: Path, kind: str, selected: Selected) -> str:
        name = f"{type_name(kind)}GroupByOptions"
        fields = self.planner.below(selected, name)
        return _source((key, self._key(tally, path, kind, name, f)) for key, f in fields.items())

    def _key(self, tally: Tally, path: Path, kind: str, parent: str, selected: Selected) -> str:
        if selected.name == "__typename":
            return repr(parent)
        found = self.planner.wire.fields[kind][selected.name]
        if not isinstance(found, Relation):
            return tally.group(path, found)
        self.planner.collector.take_list(selected)
        return self._group(tally, tally.follow(path, found), found.target, selected)


def _fields(node: FieldNode) -> Iterator[FieldNode | None]:
    """Give the fields that are selected below one, None for what is not a plain field."""
    for chosen in node.selection_set.selections if node.selection_set else ():
        yield chosen if isinstance(chosen, FieldNode) and not chosen.directives else None


def _source(items: Iterator[tuple[str, str]]) -> str:
    return f"{{{', '.join(f'{key!r}: {value}' for key, value in items)}}}"
