"""Cursors: where a page of a list ended, as the values of its last row that it is sorted by.

A cursor names a place between rows, not a row or a number: rows that come or go elsewhere do not move it.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from tomotheca.api.rest.values import LARGEST
from tomotheca.errors import QueryError

if TYPE_CHECKING:
    from tomotheca.api.rest.query import Key, Query

LONGEST = 1 << 15


def fingerprint(query: Query) -> str:
    """Give a word for the list that a cursor belongs to: its kind, filters and order."""
    return digest(query, [(k.path.name, k.descending) for k in query.order], size=6)


def digest(query: Query, *more: Any, size: int = 16) -> str:
    """Give a word for the rows that a query asks for."""
    written = orjson.dumps([query.kind, *more, query.clause], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(written, digest_size=size).hexdigest()


def encode(query: Query, values: Sequence[Any]) -> str:
    """Write the cursor behind a row."""
    return urlsafe_b64encode(orjson.dumps([fingerprint(query), *values])).decode().rstrip("=")


def decode(query: Query) -> tuple[Any, ...]:
    """Give the values in the cursor of a query.

    Raises
    ------
    QueryError
        If it is none, or belongs to another list.
    """
    text = query.cursor
    try:
        padded = text + "=" * (-len(text) % 4)
        found = orjson.loads(urlsafe_b64decode(padded.encode("ascii"))) if len(text) < LONGEST else None
    except (binascii.Error, ValueError):
        found = None
    if not isinstance(found, list) or not found or not isinstance(found[0], str):
        message = "cursor: this is no cursor of this server; take it from `next` of the page before"
        raise QueryError(message)
    name, *values = found
    if name != fingerprint(query) or len(values) != len(query.order):
        message = "cursor: this one belongs to a list with other filters or another order; begin again without it"
        raise QueryError(message)
    if not all(_fits(key, value) for key, value in zip(query.order, values, strict=True)):
        message = "cursor: this is no cursor of this server; take it from `next` of the page before"
        raise QueryError(message)
    return tuple(values)


def _fits(key: Key, value: Any) -> bool:
    column = key.path.column
    if value is None:
        return key.path.name != "id"
    if column.enum or column.type is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    if column.type is float:
        return isinstance(value, float | int) and not isinstance(value, bool) and abs(value) < float("inf")
    if column.type is bool:
        return isinstance(value, bool | int) and value in {0, 1}
    return isinstance(value, str) and "\x00" not in value
