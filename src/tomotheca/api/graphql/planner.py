"""Selected fields -> a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from graphql import (
    DocumentNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    execute_sync,
)

from tomotheca.api.graphql import clauses
from tomotheca.api.graphql.documents import Document, FieldError, RequestError
from tomotheca.api.graphql.paging import Paging, limits
from tomotheca.api.graphql.plan import Constant, Level, Listed, Many, One, Plan, Tallied, View
from tomotheca.api.graphql.project import Projection, connection
from tomotheca.api.graphql.statements import Page, Query
from tomotheca.api.graphql.tallying import Tallier
from tomotheca.api.graphql.wire import Wire, type_name
from tomotheca.errors import QueryError
from tomotheca.schema import Relation

if TYPE_CHECKING:
    import sqlalchemy as sa

    from tomotheca.api.graphql.selection import Collector, Selected
    from tomotheca.api.graphql.values import Scope
    from tomotheca.catalog.query import Compiler


@dataclass(frozen=True)
class Planner:
    """Makes plans for one viewer's queries of one document."""

    schema: GraphQLSchema
    wire: Wire
    compiler: Compiler
    dialect: sa.Dialect
    document: Document
    scope: Scope
    collector: Collector
    given: Mapping[str, Any] = field(default_factory=dict)
    """Variables as they came, for questions about the schema itself."""

    def plan(self, operation: OperationDefinitionNode) -> Plan:
        """Plan an operation.

        Raises
        ------
        FieldError
            If a field cannot be answered as asked.
        """
        query = self.schema.query_type
        fields = self.collector.collect([operation.selection_set], query, ()) if query else {}
        return Plan([self._root(operation, selected) for selected in fields.values()])

    def _root(self, operation: OperationDefinitionNode, selected: Selected) -> Listed | Tallied | Constant:
        if selected.name == "__typename":
            return Constant(selected.key, b'"Query"')
        if (kind := self.wire.counted.get(selected.name)) is not None:
            return Tallier(self).plan(kind, selected, "Query")
        if selected.name not in self.wire.roots:
            return Constant(selected.key, self._introspect(operation, selected))
        kind = self.wire.roots[selected.name]
        arguments = self.arguments(selected, "Query")
        level, finish = self._level(kind, selected, arguments, keyed=True)
        finish([self._view(level, self.below(selected, type_name(kind)))])
        try:
            limit, offset = limits(arguments["limitOffset"])
            return Listed(selected.key, level, level.query.root(limit, offset), limit)
        except QueryError as error:
            raise FieldError(str(error), selected.node, selected.path) from error

    def _introspect(self, operation: OperationDefinitionNode, selected: Selected) -> bytes:
        """Let graphql-core answer a question about the schema itself."""
        only = OperationDefinitionNode(
            operation=operation.operation, variable_definitions=operation.variable_definitions, directives=(),
            selection_set=SelectionSetNode(selections=tuple(selected.nodes)),
        )  # fmt: skip
        answer = execute_sync(
            self.schema,
            DocumentNode(definitions=(only, *self.document.fragments.values())),
            variable_values=dict(self.given),
        )
        if answer.errors or answer.data is None:
            raise RequestError(answer.errors or [])
        return orjson.dumps(answer.data[selected.key])

    def below(self, selected: Selected, name: str) -> dict[str, Selected]:
        """Collect the fields selected below a field whose type has that name."""
        return self.collector.below(selected, self._object(name))

    def _object(self, name: str) -> GraphQLObjectType:
        found = self.schema.type_map[name]
        if not isinstance(found, GraphQLObjectType):
            raise TypeError(name)
        return found

    def arguments(self, selected: Selected, parent: str) -> dict[str, Any]:
        """Give the arguments of a field of a type, place-holders where they are known later and None where they are absent."""
        definitions = self._object(parent).fields[selected.name].args
        given = {a.name.value: a.value for a in selected.node.arguments or ()}
        found = {}
        for name, definition in definitions.items():
            value = self.scope.evaluate(given[name], definition.type) if name in given else Undefined
            found[name] = None if value is Undefined else value
        return found

    def _level(
        self, kind: str, selected: Selected, arguments: Mapping[str, Any], *, keyed: bool
    ) -> tuple[Level, Callable[[list[_Unfinished]], None]]:
        try:
            where = clauses.clause(self.wire, kind, arguments["where"])
            query = Query(
                self.compiler, self.dialect, kind, where, clauses.order(self.wire, kind, arguments["orderBy"])
            )
        except QueryError as error:
            raise FieldError(str(error), selected.node, selected.path) from error
        self.collector.take_list(selected)
        level = Level(selected, query, keyed)

        def finish(views: list[_Unfinished]) -> None:
            level.views = [View(v.projection.build(), v.ones, v.manys) for v in views]

        return level, finish

    def _view(self, level: Level, fields: Mapping[str, Selected]) -> _Unfinished:
        kind = level.query.kind
        made = _Unfinished(
            Projection(kind, level.query.columns, self.compiler.prefixes, self.compiler.private, level.keyed)
        )
        for key, selected in fields.items():
            if selected.name == "__typename":
                made.projection.constant(key, type_name(kind))
            elif selected.name == "_id":
                made.projection.identifier(key)
            elif (relation := self.wire.tallies[kind].get(selected.name)) is not None:
                made.projection.constant(key, None)
                index = made.projection.index("id")
                made.manys.append(Tallier(self).plan(relation.target, selected, type_name(kind), relation, index))
            elif isinstance(found := self.wire.fields[kind][selected.name], Relation):
                self._link(made, found, selected)
            else:
                made.projection.scalar(key, found)
        return made

    def _link(self, made: _Unfinished, relation: Relation, selected: Selected) -> None:
        arguments = self.arguments(selected, type_name(relation.source))
        level, finish = self._level(relation.target, selected, arguments, keyed=not relation.many)
        try:
            if relation.many:
                made.projection.constant(selected.key, None)
                made.manys.append(self._many(made.projection.index("id"), relation, level, finish, arguments))
                return
            finish([self._view(level, self.below(selected, type_name(relation.target)))])
            made.ones.append(One(made.projection.one(selected.key, relation.ref.column), level, level.query.by_id()))
        except FieldError:
            raise
        except QueryError as error:
            raise FieldError(str(error), selected.node, selected.path) from error

    def _many(self, index: int, relation: Relation, level: Level, finish: Any, arguments: Mapping[str, Any]) -> Many:
        kind, selected = relation.target, level.selected
        fields = self.below(selected, f"{type_name(kind)}Connection")
        edges = [(k, self.below(f, f"{type_name(kind)}Edge")) for k, f in fields.items() if f.name == "edges"]
        pages = {k: self.below(f, "PageInfo") for k, f in fields.items() if f.name == "pageInfo"}
        finish(
            [
                self._view(level, self.below(f, type_name(kind)))
                for _, chosen in edges
                for f in chosen.values()
                if f.name == "node"
            ]
        )
        more = any(f.name == "hasNextPage" for page in pages.values() for f in page.values())
        paging = Paging(*(arguments[name] for name in ("first", "last", "before", "after")))
        many = Many(selected.key, index, level, relation, Page(paging, more), connection(fields, edges, pages, kind))
        many.of_several  # noqa: B018 - compiled now, so that what is wrong with it is said whether or not there are rows
        return many


@dataclass
class _Unfinished:
    """A view whose columns are still being collected."""

    projection: Projection
    ones: list[One] = field(default_factory=list)
    manys: list[Many | Tallied] = field(default_factory=list)
