"""The fields that an operation selects: fragments spread, directives obeyed, equal names merged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLBoolean,
    GraphQLObjectType,
    SelectionNode,
    SelectionSetNode,
    print_ast,
)

from tomotheca.api.graphql.documents import Document, FieldError, UnliftableError

if TYPE_CHECKING:
    from tomotheca.api.graphql.values import Scope

MAX_FIELDS = 2000
"""Most fields that one query may select."""

MAX_LISTS = 200
"""Most lists and relations that one query may select."""


@dataclass(slots=True)
class Selected:
    """A selected field: every place in the query that asks for it under one name."""

    key: str
    name: str
    path: tuple[str, ...]
    nodes: list[FieldNode]

    @property
    def node(self) -> FieldNode:
        """The first place."""
        return self.nodes[0]


@dataclass(slots=True)
class Collector:
    """Collects the fields of selection sets."""

    document: Document
    scope: Scope
    max_depth: int
    count: int = field(default=0)
    lists: int = field(default=0)

    def below(self, selected: Selected, kind: GraphQLObjectType) -> dict[str, Selected]:
        """Collect the fields selected below a field."""
        return self.collect((n.selection_set for n in selected.nodes), kind, selected.path)

    def collect(
        self, sets: Iterable[SelectionSetNode | None], kind: GraphQLObjectType, path: tuple[str, ...]
    ) -> dict[str, Selected]:
        """Collect the fields that selection sets ask of a type.

        Raises
        ------
        FieldError
            If the query is too deep or too broad, or if two fields of one name differ.
        """
        found: dict[str, Selected] = {}
        seen: set[str] = set()
        conditions = {kind.name, *(i.name for i in kind.interfaces)}
        for node in self._fields(sets, conditions, seen):
            key = node.alias.value if node.alias else node.name.value
            if key in found:
                self._merge(found[key], node)
                continue
            found[key] = Selected(key, node.name.value, (*path, key), [node])
            self._measure(found[key])
        return found

    def _fields(
        self, sets: Iterable[SelectionSetNode | None], conditions: set[str], seen: set[str]
    ) -> Iterable[FieldNode]:
        for selection in (s for chosen in sets if chosen for s in chosen.selections):
            if not self._included(selection):
                continue
            if isinstance(selection, FieldNode):
                yield selection
                continue
            fragment: Any = selection
            if isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name in seen:
                    continue
                seen.add(name)
                fragment = self.document.fragments[name]
            condition = fragment.type_condition
            if condition is None or condition.name.value in conditions:
                yield from self._fields([fragment.selection_set], conditions, seen)

    def _included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            wanted = {"include": True, "skip": False}.get(directive.name.value)
            if (
                wanted is not None
                and self.scope.evaluate((directive.arguments or ())[0].value, GraphQLBoolean) is not wanted
            ):
                return False
        return True

    def _merge(self, found: Selected, node: FieldNode) -> None:
        arguments = [{a.name.value: print_ast(a.value) for a in n.arguments or ()} for n in (found.node, node)]
        if any(arguments) and self.document.literals:
            raise UnliftableError
        if found.name != node.name.value or arguments[0] != arguments[1]:
            message = f"Fields '{found.key}' conflict because they ask for different things. Use different aliases on the fields."
            raise FieldError(message, node, found.path)
        found.nodes.append(node)
        self._measure(found)

    def take_list(self, selected: Selected) -> None:
        """Count a list.

        Raises
        ------
        FieldError
            If there are too many.
        """
        self.lists += 1
        if self.lists > MAX_LISTS:
            message = f"The query asks for more than {MAX_LISTS} lists and relations; ask in several queries."
            raise FieldError(message, selected.node, selected.path)

    def _measure(self, selected: Selected) -> None:
        self.count += 1
        if self.count > MAX_FIELDS:
            message = f"The query selects more than {MAX_FIELDS} fields; ask for less at once."
            raise FieldError(message, selected.node, selected.path)
        if len(selected.path) > self.max_depth:
            message = f"The query is nested deeper than {self.max_depth} fields; ask in several queries."
            raise FieldError(message, selected.node, selected.path)
