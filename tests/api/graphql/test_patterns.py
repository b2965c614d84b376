"""LIKE and regular expressions mean the same for every shape of pattern."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomotheca.catalog.patterns import check, like, regex, rewritten
from tomotheca.catalog.regular import fold
from tomotheca.errors import QueryError

text = st.text(alphabet="abAB%_\\.ä\n", max_size=8)


@given(pattern=text.filter(lambda p: not p.endswith("\\")), value=text)
def test_like_is_postgresqls(pattern: str, value: str) -> None:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    expression = "".join({"%": ".*", "_": "."}.get(p, re.escape(p.removeprefix("\\") or "\\")) for p in parts)
    assert like(pattern)(value) == bool(re.fullmatch(expression, value, re.DOTALL))
    assert like(fold(pattern))(fold(value)) == bool(re.fullmatch(expression, value, re.DOTALL | re.IGNORECASE))


def test_nothing_runs_for_ever() -> None:
    started = time.perf_counter()
    assert not like("%a" * 50 + "b")("a" * 5000)
    assert not regex(rewritten("(a*)*b"))("a" * 5000)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("operator", "pattern"),
    [("_regex", "(a"), ("_niregex", "(?=a)"), ("_regex", r"(a)\1"), ("_like", "a\\"), ("_ilike", "\\\\\\")],
)
def test_what_cannot_be_run_is_refused(operator: str, pattern: str) -> None:
    with pytest.raises(QueryError):
        check(operator, pattern)
