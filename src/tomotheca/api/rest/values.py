"""Values of filters: what each type of column can be compared with, read from text and from JSON."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tomotheca.api.graphql.inputs import COMPARED, EQUAL, PATTERNS
from tomotheca.api.rest.names import quoted
from tomotheca.catalog.query import LISTS
from tomotheca.errors import QueryError
from tomotheca.schema.rows import timestamp

if TYPE_CHECKING:
    from tomotheca.schema.core import Column

LARGEST = (1 << 31) - 1
WHOLE = re.compile(r"-?[0-9]{1,15}")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,4})?")
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,12})?)?([Zz]|[-+][0-9]{2}:[0-9]{2})?)?"
)
ITEM = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*)"(?=,|$)|([^,]*))')
TRUTHS = {"true": True, "false": False}
NULLS = "_is_null"

_ORDERED = (*EQUAL, *COMPARED, NULLS)


def operators(column: Column) -> tuple[str, ...]:
    """Give the operators that a column can be compared with, the same as in GraphQL."""
    if column.type is bool:
        return (*EQUAL, NULLS)
    return _ORDERED if column.enum or column.type not in {str, list} else (*_ORDERED, *PATTERNS)


def from_text(column: Column, operator: str, text: str, place: str) -> Any:
    """Read what a parameter is compared with.

    Raises
    ------
    QueryError
        If the column cannot have such a value.
    """
    if operator == NULLS:
        return _truth(text, place)
    if operator in LISTS:
        return [_one(column, part, place) for part in _parts(text)]
    return _one(column, text, place)


def from_json(column: Column, operator: str, value: Any, place: str) -> Any:
    """Check what a comparison in a clause compares with.

    Raises
    ------
    QueryError
        If the column cannot have such a value.
    """
    if operator == NULLS:
        if not isinstance(value, bool):
            _refuse(place, value, "true or false")
        return value
    if value is None and operator in {"_eq", "_neq"}:
        return None
    if operator in LISTS:
        if not isinstance(value, list):
            _refuse(place, value, "a list")
        return [_checked(column, item, place) for item in value]
    return _checked(column, value, place)


def _checked(column: Column, value: Any, place: str) -> Any:
    if column.type is bool:
        fits = isinstance(value, bool)
    elif column.type in {int, float}:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if fits:
            return _number(column, value, str(value), place)
    else:
        fits = isinstance(value, str)
        if fits:
            return _text(column, value, place)
    if not fits:
        _refuse(place, value, _wanted(column))
    return value


def _one(column: Column, text: str, place: str) -> Any:
    if column.type is bool:
        return _truth(text, place)
    if column.type is int:
        return (
            _number(column, int(text), text, place) if WHOLE.fullmatch(text) else _refuse(place, text, _wanted(column))
        )
    if column.type is float:
        found = NUMBER.fullmatch(text)
        return _number(column, float(text), text, place) if found else _refuse(place, text, _wanted(column))
    return _text(column, text, place)


def _number(column: Column, value: float, text: str, place: str) -> float:
    if column.type is int:
        if not isinstance(value, int) or abs(value) > LARGEST:
            _refuse(place, text, _wanted(column))
        return value
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        _refuse(place, text, _wanted(column))
    return found


def _text(column: Column, text: str, place: str) -> str:
    if column.type is datetime:
        return _moment(text, place)
    if column.enum and text not in column.choices:
        _refuse(place, text, f"one of {', '.join(column.choices)}")
    if "\x00" in text:
        _refuse(place, text, "text without null characters")
    return text


def _moment(text: str, place: str) -> str:
    plain = (
        re.sub(r" (?=[0-9]{2}:[0-9]{2}$)", "+", text) if text.count(":") > 1 else text
    )  # a plus that was not encoded
    try:
        if not MOMENT.fullmatch(plain):
            raise ValueError(text)
        return timestamp(plain.upper())
    except (ValueError, OverflowError):
        return str(_refuse(place, text, "a date: YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SS+00:00"))


def _truth(text: str, place: str) -> bool:
    return TRUTHS[text] if text in TRUTHS else bool(_refuse(place, text, "true or false"))


def _wanted(column: Column) -> str:
    return {
        int: f"a whole number between -{LARGEST} and {LARGEST}", float: "a number", bool: "true or false",
    }.get(column.type, "text")  # fmt: skip


def _parts(text: str) -> list[str]:
    """Cut a list at its commas; a value with a comma stands in quotes, as in CSV."""
    if not text:
        return []
    return [quoted.replace('""', '"') if quoted or not plain else plain for quoted, plain in ITEM.findall(text)]


def _refuse(place: str, value: Any, wanted: str) -> Any:
    message = (
        f"{place}: {quoted(value) if isinstance(value, str) else quoted(str(value))} cannot be used; give {wanted}"
    )
    raise QueryError(message)
