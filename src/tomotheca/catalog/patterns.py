"""Text patterns with PostgreSQL's meaning: LIKE, and regular expressions that cannot run for ever."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

from tomotheca.errors import QueryError


def like_pattern(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Compile a PostgreSQL ``LIKE`` pattern: ``%`` any text, ``_`` one character, backslash quotes."""
    parts, quoted = [], False
    for char in pattern:
        if quoted or char not in "%_\\":
            parts.append(re.escape(char))
        elif char != "\\":
            parts.append(".*" if char == "%" else ".")
        quoted = char == "\\" and not quoted
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


@lru_cache(512)
def _like(pattern: str, *, ignore_case: bool) -> Any:
    return like_pattern(pattern, ignore_case=ignore_case)


@lru_cache(512)
def _regex(pattern: str, *, ignore_case: bool) -> Any:
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else error
        message = f"{pattern!r} is not a regular expression this server can run: {reason}"
        raise QueryError(message) from error


FUNCTIONS = {
    "tomo_like": lambda value, pattern: (
        None if value is None or pattern is None else bool(_like(pattern, ignore_case=False).fullmatch(value))
    ),
    "tomo_ilike": lambda value, pattern: (
        None if value is None or pattern is None else bool(_like(pattern, ignore_case=True).fullmatch(value))
    ),
    "tomo_regex": lambda value, pattern: (
        None if value is None else bool(_regex(pattern, ignore_case=False).search(value))
    ),
    "tomo_iregex": lambda value, pattern: (
        None if value is None else bool(_regex(pattern, ignore_case=True).search(value))
    ),
}
"""Text patterns with PostgreSQL's meaning, as functions of SQLite; a null never matches."""


def check(operator: str, value: object) -> None:
    """Refuse a pattern that cannot be run, before any row is looked at.

    Raises
    ------
    QueryError
        If the regular expression is malformed or of a kind that could run for ever.
    """
    if operator.endswith("regex") and isinstance(value, str):
        _regex(value, ignore_case="i" in operator.removesuffix("regex"))
