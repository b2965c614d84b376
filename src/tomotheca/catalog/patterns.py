"""Text patterns with PostgreSQL's meaning: LIKE, and regular expressions that cannot run for ever."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from tomotheca.errors import QueryError

Matcher = Callable[[str], Any]
SIMPLE = 3
"""Parts of a pattern that plain comparisons can find."""


@lru_cache(512)
def like(pattern: str, ignore_case: bool = False) -> Matcher:
    """Give the test for a PostgreSQL ``LIKE`` pattern: ``%`` any text, ``_`` one character, backslash quotes."""
    if "_" in pattern or "\\" in pattern:
        return _general(pattern, ignore_case=ignore_case)
    found = (pattern.lower() if ignore_case else pattern).split("%")
    test = _simple(*found) if len(found) <= SIMPLE else None
    if test is None:
        return _general(pattern, ignore_case=ignore_case)
    return (lambda value: test(value.lower())) if ignore_case else test


def _simple(start: str, end: str | None = None, last: str | None = None) -> Matcher | None:
    """Give the test for what stands before, between and after percent signs, where plain comparisons are enough."""
    if end is None:
        return start.__eq__
    if last is None:
        least = len(start) + len(end)
        return lambda value: len(value) >= least and value.startswith(start) and value.endswith(end)
    return None if start or last else lambda value: end in value


def _general(pattern: str, *, ignore_case: bool) -> Matcher:
    parts, quoted = [], False
    for char in pattern:
        if quoted or char not in "%_\\":
            parts.append(re2.escape(char))
        elif char != "\\":
            parts.append(".*" if char == "%" else ".")
        quoted = char == "\\" and not quoted
    compiled = _compile("(?s)" + "".join(parts), pattern, ignore_case=ignore_case)
    return lambda value: compiled.fullmatch(value) is not None


def _compile(expression: str, given: str, *, ignore_case: bool) -> Any:
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        message = f"{given!r} is not a regular expression this server can run: {error}"
        raise QueryError(message) from error


@lru_cache(512)
def regex(pattern: str, ignore_case: bool = False) -> Matcher:
    """Give the test for a regular expression, which may match anywhere.

    Raises
    ------
    QueryError
        If the expression is malformed or of a kind that could run for ever.
    """
    compiled = _compile(pattern, pattern, ignore_case=ignore_case)
    return lambda value: compiled.search(value) is not None


FUNCTIONS = {
    "tomo_like": lambda value, pattern: None if value is None or pattern is None else like(pattern)(value),
    "tomo_ilike": lambda value, pattern: None if value is None or pattern is None else like(pattern, True)(value),
    "tomo_regex": lambda value, pattern: None if value is None or pattern is None else regex(pattern)(value),
    "tomo_iregex": lambda value, pattern: None if value is None or pattern is None else regex(pattern, True)(value),
}
"""Text patterns with PostgreSQL's meaning, as functions of SQLite; a null never matches."""


def check(operator: str, value: object) -> None:
    """Refuse a pattern that cannot be run, before any row is looked at.

    Raises
    ------
    QueryError
        If the regular expression is malformed or of a kind that could run for ever, or a ``LIKE`` pattern ends with a backslash.
    """
    if not isinstance(value, str):
        return
    if operator.endswith("regex"):
        regex(value, "i" in operator.removesuffix("regex"))
    elif operator.endswith("like"):
        if (len(value) - len(value.rstrip("\\"))) % 2:
            message = f"the pattern {value!r} ends with a backslash, which quotes the next character; write two"
            raise QueryError(message)
        like(value, "i" in operator.removesuffix("like"))
