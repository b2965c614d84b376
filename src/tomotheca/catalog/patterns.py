"""Text patterns with PostgreSQL's meaning: LIKE, and regular expressions that cannot run for ever.

Both databases are asked with the same pattern. Where case does not matter, pattern and text are folded first: SQLite calls our
functions, PostgreSQL its own operators on ``lower`` by Unicode's rules, whatever collation the database has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import re2
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from tomotheca.catalog.later import resolve
from tomotheca.catalog.regular import Parser, fold
from tomotheca.errors import QueryError

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

Matcher = Callable[[str], Any]
SIMPLE = 3
"""Parts of a pattern that plain comparisons can find."""


@lru_cache(512)
def like(pattern: str) -> Matcher:
    """Give the test for a PostgreSQL ``LIKE`` pattern: ``%`` any text, ``_`` one character, backslash quotes."""
    if "_" in pattern or "\\" in pattern:
        return _general(pattern)
    found = pattern.split("%")
    test = _simple(*found) if len(found) <= SIMPLE else None
    return _general(pattern) if test is None else test


def _simple(start: str, end: str | None = None, last: str | None = None) -> Matcher | None:
    """Give the test for what stands before, between and after percent signs, where plain comparisons are enough."""
    if end is None:
        return start.__eq__
    if last is None:
        least = len(start) + len(end)
        return lambda value: len(value) >= least and value.startswith(start) and value.endswith(end)
    return None if start or last else lambda value: end in value


def _general(pattern: str) -> Matcher:
    parts, quoted = [], False
    for char in pattern:
        if quoted or char not in "%_\\":
            parts.append(re2.escape(char))
        elif char != "\\":
            parts.append(".*" if char == "%" else ".")
        quoted = char == "\\" and not quoted
    compiled = _compile("".join(parts), pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _compile(expression: str, given: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error
        message = f"{given[:100]!r} is not a regular expression this server can run: {reason}"
        raise QueryError(message) from error


@lru_cache(512)
def rewritten(pattern: str, ignore_case: bool = False) -> str:
    """Give a regular expression as both databases read it.

    Raises
    ------
    QueryError
        If it is malformed, of a kind that could run for ever, or not the same in both.
    """
    found = Parser(pattern, ignore_case=ignore_case).rewrite()
    _compile(found, pattern)
    return found


@lru_cache(512)
def regex(pattern: str) -> Matcher:
    """Give the test for a rewritten regular expression, which may match anywhere."""
    compiled = _compile(pattern, pattern)
    return lambda value: compiled.search(value) is not None


FUNCTIONS = {
    "tomo_like": lambda value, pattern: None if value is None or pattern is None else like(pattern)(value),
    "tomo_ilike": lambda value, pattern: None if value is None or pattern is None else like(pattern)(fold(value)),
    "tomo_regex": lambda value, pattern: None if value is None or pattern is None else regex(pattern)(value),
    "tomo_iregex": lambda value, pattern: None if value is None or pattern is None else regex(pattern)(fold(value)),
}
"""Text patterns as functions of SQLite; a null never matches. Patterns come folded and rewritten."""

PREPARE: dict[str, Callable[[str], str]] = {
    "tomo_like": str,
    "tomo_ilike": fold,
    "tomo_regex": rewritten,
    "tomo_iregex": lambda pattern: rewritten(pattern, ignore_case=True),
}


class _Pattern(GenericFunction[bool]):
    """A test of text, a condition of both databases: ``sqlalchemy.func`` makes it by the name of a function of ours."""

    type = sa.Boolean()
    inherit_cache = True

    def __init__(self, text: Any, pattern: Any) -> None:
        super().__init__(text, sa.literal(resolve(pattern, PREPARE[self.name]), sa.Text()))


class tomo_like(_Pattern):  # noqa: N801 - the name that SQL has
    """``LIKE``."""

    inherit_cache = True


class tomo_ilike(_Pattern):  # noqa: N801 - the same
    """``ILIKE``."""

    inherit_cache = True


class tomo_regex(_Pattern):  # noqa: N801 - the same
    """``~``."""

    inherit_cache = True


class tomo_iregex(_Pattern):  # noqa: N801 - the same
    """``~*``."""

    inherit_cache = True


NATIVE = {
    "tomo_like": "({} LIKE {})", "tomo_ilike": "({} LIKE {})", "tomo_regex": "({} ~ {})", "tomo_iregex": "({} ~ {})",
}  # fmt: skip
FOLDED = "translate(lower({} COLLATE \"und-x-icu\"), 'ς', 'σ') COLLATE \"C\""


@compiles(_Pattern, "postgresql")
def _native(element: _Pattern, compiler: SQLCompiler, **options: Any) -> str:
    text, pattern = (compiler.process(part, **options) for part in element.clauses)
    if element.name in {"tomo_ilike", "tomo_iregex"}:
        text = FOLDED.format(text)
    return NATIVE[element.name].format(text, pattern)


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
        rewritten(value, "i" in operator.removesuffix("regex"))
    elif operator.endswith("like"):
        if (len(value) - len(value.rstrip("\\"))) % 2:
            message = f"the pattern {value!r} ends with a backslash, which quotes the next character; write two"
            raise QueryError(message)
        like(value)
