"""Query text -> checked document, kept for the next query that differs only in its literals."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    Source,
    parse,
    recommended_rules,
    specified_rules,
    validate,
)

from tomotheca.api.graphql.lift import Lifted, lift, whole
from tomotheca.errors import QueryError

MAX_TOKENS = 20_000
LONG = 1 << 14
"""Characters from which on a text is not kept as it came: it is one of many that differ in long lists."""

RULES = tuple(
    dict.fromkeys(r for r in (*specified_rules, *recommended_rules) if r is not OverlappingFieldsCanBeMergedRule)
)
"""Rules of validation. Fields that cannot be merged are found while the selection is collected: graphql-core's rule takes quadratic time."""


K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values that were asked for last. Safe in threads: two that make one value at the same time keep the later one."""

    def __init__(self, size: int) -> None:
        self._size, self._kept = size, OrderedDict[K, V]()

    def get(self, key: K) -> V | None:
        """Give a value, if it is there."""
        found = self._kept.get(key)
        if found is not None:
            with suppress(KeyError):  # another thread has just made room
                self._kept.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> V:
        """Keep a value, and give it back."""
        self._kept[key] = value
        if len(self._kept) > self._size:
            with suppress(KeyError):
                self._kept.popitem(last=False)
        return value

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()


class RequestError(Exception):
    """A request that cannot be answered, as GraphQL errors."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(e.message for e in errors))


class FieldError(QueryError):
    """What is wrong with one field of a query."""

    def __init__(self, message: str, node: Any, path: Sequence[str | int] = ()) -> None:
        self.node, self.path = node, tuple(path)
        super().__init__(message)


class UnliftableError(Exception):
    """The plan of a text depends on its literals."""


@dataclass(frozen=True, eq=False)
class Document:
    """A checked document."""

    node: DocumentNode
    text: str
    literals: Mapping[int, int]
    """Number of the literal by its place in the text."""

    operations: Mapping[str, OperationDefinitionNode]
    fragments: Mapping[str, FragmentDefinitionNode]
    plans: dict[Any, Any] = field(default_factory=dict)
    """Plans made so far, by operation and shape of variables."""

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Give the operation of that name, or the only one.

        Raises
        ------
        RequestError
            If there is none.
        """
        if name:
            if name in self.operations:
                return self.operations[name]
            raise RequestError([GraphQLError(f"Unknown operation named '{name}'.")])
        if len(self.operations) != 1:
            raise RequestError([GraphQLError("Must provide operation name if query contains multiple operations.")])
        return next(iter(self.operations.values()))


class Documents:
    """The documents of one schema."""

    def __init__(self, schema: GraphQLSchema, *, size: int = 1000) -> None:
        self.schema = schema
        self._canonical: Recent[tuple[str, tuple[int, ...]], Document] = Recent(size)
        self._short: Recent[str, tuple[Document, Lifted]] = Recent(size)
        self._unliftable: set[str] = set()

    def known(self, text: str) -> tuple[Document, Lifted] | None:
        """Give what `get` gives if that takes next to no time: nothing need be parsed. None otherwise."""
        if len(text) >= LONG:
            return None
        if (found := self._short.get(text)) is not None:
            return found
        lifted = lift(text)
        if lifted.text in self._unliftable:
            return None
        document = self._canonical.get((lifted.text, lifted.places))
        return None if document is None else self._short.put(text, (document, lifted))

    def get(self, text: str) -> tuple[Document, Lifted]:
        """Give the document of a text, and the literals taken out of it.

        Raises
        ------
        RequestError
            If the text is not a valid query.
        """
        if len(text) >= LONG:
            return self._read(text)
        return self._short.get(text) or self._short.put(text, self._read(text))

    def whole(self, text: str) -> tuple[Document, Lifted]:
        """Give the document of a text with its literals in it, now and from now on."""
        if len(self._unliftable) < 1 << 12:
            self._unliftable.add(lift(text).text)
        self._short.clear()
        return self._document(text, ()), whole(text)

    def _read(self, text: str) -> tuple[Document, Lifted]:
        lifted = lift(text)
        if lifted.text in self._unliftable:
            lifted = whole(text)
        try:
            return self._document(lifted.text, lifted.places), lifted
        except RequestError:
            return self._document(text, ()), whole(text)

    def _document(self, text: str, places: tuple[int, ...]) -> Document:
        key = text, places
        return self._canonical.get(key) or self._canonical.put(key, self._make(text, places))

    def _make(self, text: str, places: tuple[int, ...]) -> Document:
        try:
            node = parse(text, max_tokens=MAX_TOKENS)
            errors = validate(self.schema, node, RULES, max_errors=20)
        except GraphQLError as error:
            raise RequestError([error]) from error
        except RecursionError as error:
            raise RequestError([GraphQLError("The query is nested too deeply.")]) from error
        if errors:
            raise RequestError(errors)
        operations = {
            d.name.value if d.name else "": d for d in node.definitions if isinstance(d, OperationDefinitionNode)
        }
        fragments = {d.name.value: d for d in node.definitions if isinstance(d, FragmentDefinitionNode)}
        return Document(node, text, {place: number for number, place in enumerate(places)}, operations, fragments)


def described(error: FieldError, text: str, lifted: Lifted) -> GraphQLError:
    """Give a field's error with its place in the original text."""
    source = Source(text)
    place = lifted.original(error.node.loc.start) if error.node is not None and error.node.loc else None
    return GraphQLError(
        str(error), source=source, positions=None if place is None else [place], path=list(error.path) or None
    )
