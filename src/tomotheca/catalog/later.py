"""Values that are known only when a compiled statement runs, and lists of any length as one bound value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.sql.visitors import InternalTraversal

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


def as_array(value: Sequence[Any]) -> str:
    """Write a list as PostgreSQL reads arrays.

    Raises
    ------
    QueryError
        If it holds text that is not Unicode.
    """
    kinds = set(map(type, value))
    if str in kinds:
        return "{" + ",".join("NULL" if item is None else _quoted(item) for item in value) + "}"
    return f"{{{as_json(value)[1:-1]}}}"


def _quoted(item: Any) -> str:
    text = str(item).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


class Listing(sa.ColumnElement[Any]):
    """A list of any length as one bound value, in the form that each database takes apart fast."""

    inherit_cache = True
    _traverse_internals: list[tuple[str, InternalTraversal]] = [  # noqa: RUF012 - SQLAlchemy wants it so
        ("json", InternalTraversal.dp_clauseelement),
        ("array", InternalTraversal.dp_clauseelement),
        ("type", InternalTraversal.dp_type),
    ]

    def __init__(self, items: Any, type_: sa.types.TypeEngine[Any]) -> None:
        self.json = sa.literal(resolve(items, as_json), sa.Text())
        self.array = sa.literal(resolve(items, as_array), sa.types.NullType())
        self.type = type_


@compiles(Listing, "sqlite")
def _listing_sqlite(element: Listing, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.json, **options)})"


@compiles(Listing, "postgresql")
def _listing_postgresql(element: Listing, compiler: SQLCompiler, **options: Any) -> str:
    kind = compiler.dialect.type_compiler_instance.process(element.type).partition(" COLLATE ")[0]
    return f"CAST({compiler.process(element.array, **options)} AS {kind}[])"


ANY_LENGTH = "/* any length */"
"""Stands in statements of PostgreSQL that must be planned for the list they are given: a plan for ten items could take minutes for thousands."""


class Members(sa.BinaryExpression[bool]):
    """The condition that a value is in a list: thousands of items stay fast."""

    inherit_cache = True

    def __init__(self, left: sa.ColumnElement[Any], items: Any) -> None:
        within: operators.custom_op[bool] = operators.custom_op("IN", is_comparison=True)
        super().__init__(left, Listing(items, left.type), within, type_=sa.Boolean())


@compiles(Members, "sqlite")
def _members_sqlite(element: Members, compiler: SQLCompiler, **options: Any) -> str:
    left, listing = (compiler.process(part, **options) for part in (element.left, element.right))
    return f"{left} IN (SELECT value FROM {listing})"


@compiles(Members, "postgresql")
def _members_postgresql(element: Members, compiler: SQLCompiler, **options: Any) -> str:
    left, listing = (compiler.process(part, **options) for part in (element.left, element.right))
    return f"{left} = ANY ({listing} {ANY_LENGTH})"


def among(left: sa.ColumnElement[Any], items: Any) -> sa.ColumnElement[bool]:
    """Give the condition that a value is in a list."""
    return Members(left.self_group(), items)


class _Keys(GenericFunction[Any]):
    """A list as a table; see `keys_table`."""

    name = "tomo_keys"
    inherit_cache = True


@compiles(_Keys, "sqlite")
def _keys_sqlite(element: _Keys, compiler: SQLCompiler, **options: Any) -> str:
    (listing,) = element.clauses
    return compiler.process(listing, **options)


@compiles(_Keys, "postgresql")
def _keys_postgresql(element: _Keys, compiler: SQLCompiler, **options: Any) -> str:
    # Behind a SELECT the planner cannot count the items, so that one plan does for lists of every length.
    (listing,) = element.clauses
    array = f"(SELECT {compiler.process(listing, **options)})"
    return f"(SELECT key, value FROM unnest({array}) WITH ORDINALITY AS item(value, key))"


def keys_table(items: Any) -> sa.TableValuedAlias:
    """Give a list of whole numbers as a table: ``value`` is the number, and ``key`` rises with its place in the list."""
    listing = Listing(items, sa.Integer())
    return _Keys(listing).table_valued(sa.column("key", sa.Integer), sa.column("value", sa.Integer))


def has_lateral(dialect: sa.Dialect) -> bool:
    """Say whether a statement may run another one for each row of a table: PostgreSQL, where conditions that do so are slow."""
    return dialect.name == "postgresql"


def in_turn(keys: sa.TableValuedAlias, listed: sa.Select[Any]) -> sa.Select[Any]:
    """Run a statement for each key, where the database has lateral joins: rows come key by key, in the statement's order.

    Parameters
    ----------
    keys : TableValuedAlias
        Made by `keys_table`.
    listed : Select
        Statement with a condition on ``keys.c.value``.

    Returns
    -------
    Select
        The key, then the statement's columns.
    """
    page = listed.correlate(keys).subquery()
    numbered = sa.select(page, sa.func.row_number().over().label("_place")).lateral()
    return (
        sa.select(keys.c.value, *(numbered.c[c.name] for c in page.c))
        .select_from(keys.join(numbered, sa.true()))
        .order_by(keys.c.key, numbered.c._place)
    )


def among_keys(left: sa.ColumnElement[Any], items: Any) -> sa.ColumnElement[bool]:
    """Give the condition that a whole number is in a list that is never long, so that one plan does for all."""
    return left.in_(sa.select(keys_table(items).c.value))
