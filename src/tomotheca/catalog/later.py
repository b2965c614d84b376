"""Values that are known only when a compiled statement runs, and lists of any length as one bound value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from tomotheca.errors import QueryError

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler


@dataclass(frozen=True, eq=False, slots=True)
class Later:
    """A place-holder for a value: statements with place-holders are compiled once and run with many values."""

    read: Callable[[Sequence[Any]], Any]
    """Takes the value out of the values of one request."""

    def then(self, step: Callable[[Any], Any]) -> Later:
        """Give the place-holder of the value after one more step."""
        read = self.read
        return Later(lambda values: step(read(values)))


def resolve(value: Any, step: Callable[[Any], Any]) -> Any:
    """Apply a step to a value now, or to a place-holder's value when it is there."""
    return value.then(step) if isinstance(value, Later) else step(value)


def together(items: Iterable[Any]) -> Any:
    """Give a list, or the place-holder of one if any item is a place-holder."""
    found = list(items)
    if not any(isinstance(item, Later) for item in found):
        return found
    return Later(lambda values: [item.read(values) if isinstance(item, Later) else item for item in found])


def as_json(value: Any) -> str:
    """Write a list as the database reads it.

    Raises
    ------
    QueryError
        If it holds text that is not Unicode.
    """
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        message = f"a list in the query cannot be used: {error}"
        raise QueryError(message) from error


class Members(sa.ColumnElement[Any]):
    """The items of a list, bound as one JSON text, for the right side of ``IN``: thousands of them stay fast."""

    inherit_cache = False

    def __init__(self, items: Any, type_: sa.types.TypeEngine[Any]) -> None:
        self.items = sa.literal(resolve(items, as_json), sa.Text())
        self.type = type_


@compiles(Members, "sqlite")
def _members_sqlite(element: Members, compiler: SQLCompiler, **options: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.items, **options)}))"


@compiles(Members)
def _members(element: Members, compiler: SQLCompiler, **options: Any) -> str:
    kind = compiler.dialect.type_compiler_instance.process(element.type)
    return f"(SELECT CAST(value AS {kind}) FROM json_array_elements_text(CAST({compiler.process(element.items, **options)} AS JSON)))"


def among(left: sa.ColumnElement[Any], items: Any) -> sa.ColumnElement[bool]:
    """Give the condition that a value is in a list."""
    return left.op("IN", is_comparison=True, return_type=sa.Boolean())(Members(items, left.type))
