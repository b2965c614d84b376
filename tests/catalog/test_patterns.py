"""Patterns mean the same on both databases, or are refused on both."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.patterns import check
from tomotheca.errors import QueryError

if TYPE_CHECKING:
    from tests.databases import Server

OPERATORS = {
    "_like": sa.func.tomo_like, "_ilike": sa.func.tomo_ilike, "_regex": sa.func.tomo_regex, "_iregex": sa.func.tomo_iregex,
}  # fmt: skip

CHARACTERS = "abAB1 _-ä\nÄßσςΣİıKſ.%"
text = st.text(
    st.one_of(st.sampled_from(CHARACTERS), st.characters(codec="utf-8", exclude_characters="\0")), max_size=8
)

literal = st.one_of(
    st.sampled_from([*"abAB1ÄσΣ %-]}", r"\.", r"\*", r"\_", r"\\", r"\t", r"\n", ".", "{", "{x}"]),
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]).filter(lambda c: c not in "^$.|?*+()[]{}\\"),
)
member = st.sampled_from(
    [*"abBÄ1 _.σΣ^", "a-c", "A-C", "à-ÿ", "[:alpha:]", "[:upper:]", "[:space:]", r"\d", r"\W", r"\]", r"\-"]
)
bracket = st.builds(
    lambda negated, first, members: f"[{'^' if negated else ''}{first}{''.join(members)}]",
    st.booleans(), st.sampled_from(["", "]", "-", "a"]), st.lists(member, min_size=1, max_size=4),
)  # fmt: skip
atom = st.one_of(literal, bracket, st.sampled_from([r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", "^", "$", r"\A"]))
quantifier = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{1,3}?"])


def combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeated = st.builds(str.__add__, inner, quantifier)
    return st.one_of(
        st.lists(repeated, max_size=4).map("".join),
        st.lists(inner, max_size=3).map("|".join),
        st.builds(lambda kind, part, times: f"({kind}{part}){times}", st.sampled_from(["", "?:"]), inner, quantifier),
    )


patterns = st.recursive(st.builds(str.__add__, atom, quantifier), combine, max_leaves=8)


class Both:
    """The two databases, asked the same."""

    def __init__(self, *catalogs: Catalog) -> None:
        self.catalogs = catalogs

    def ask(self, operator: str, pattern: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
        tests = [OPERATORS[operator](sa.literal(v, sa.Text()), pattern).label(f"t{n}") for n, v in enumerate(values)]
        return [tuple(map(bool, catalog.rows(sa.select(*tests))[0])) for catalog in self.catalogs]


@pytest.fixture(scope="module")
def both(postgresql: Server) -> Iterator[Both]:
    made = Both(Catalog("sqlite://"), Catalog(postgresql.new()))
    yield made
    for catalog in made.catalogs:
        catalog.close()


@settings(max_examples=400, suppress_health_check=[HealthCheck.filter_too_much])
@given(operator=st.sampled_from(["_regex", "_iregex"]), pattern=patterns, values=st.lists(text, min_size=1, max_size=8))
@example(operator="_iregex", pattern="ΣΊΣΥΦΟΣ|i̇", values=["σίσυφος", "ΣΊΣΥΦΟΣ", "İ"])
@example(operator="_regex", pattern=r"^[^a]\s$", values=["\v\v", "\n\n", "b\r", "a "])
@example(operator="_iregex", pattern="[A-Z]{2}[^K]", values=["Kk1", "ſsk", "xyK"])
@example(operator="_regex", pattern="a$", values=["a\n", "a", "b\na"])
def test_an_accepted_regular_expression_finds_the_same(
    both: Both, operator: str, pattern: str, values: list[str]
) -> None:
    try:
        check(operator, pattern)
    except QueryError:
        assume(False)
    sqlite, postgresql = both.ask(operator, pattern, values)
    assert sqlite == postgresql


@settings(max_examples=200)
@given(operator=st.sampled_from(["_like", "_ilike"]), pattern=text, values=st.lists(text, min_size=1, max_size=8))
@example(operator="_ilike", pattern="%Σ", values=["ΟΔΟΣ", "οδος", "οδοσ"])
@example(operator="_like", pattern=r"\%_\_", values=["%a_", "%ä_", "aa_"])
def test_like_finds_the_same(both: Both, operator: str, pattern: str, values: list[str]) -> None:
    assume((len(pattern) - len(pattern.rstrip("\\"))) % 2 == 0)
    sqlite, postgresql = both.ask(operator, pattern, values)
    assert sqlite == postgresql


@settings(max_examples=200)
@given(st.text(max_size=20))
def test_any_text_is_a_pattern_or_is_refused_with_a_sentence(text: str) -> None:
    with suppress(QueryError):
        check("_iregex", text)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a", "not closed"), ("a)", "no opening"), ("[a", "not closed"), ("a**", "repeated"), ("*a", "nothing that"), ("^*", "cannot be repeated"),
        (r"\bword\b", "does not mean the same"), (r"(a)\1", "does not mean the same"), (r"\x41", "does not mean the same"), (r"\pL", "does not mean the same"),
        ("(?=a)", "only (?: is known"), ("(?i)a", "write _iregex"), ("[[:<:]]", "there is no class"), ("[[.a.]]", "not known"), ("a{2,1}", "ends before"),
        ("a{300}", "more than 255"), ("[b-a]", "ends before"), ("((a{200}){200}){200}", "too large"), ("a" * 1001, "longer than"), ("***=a", "nothing that"),
        ("(" * 60 + ")" * 60, "in one another"), ("a\\", "ends with a backslash"), ("a{1", "is written"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("operator", ["_regex", "_niregex"])
def test_what_the_engines_do_not_share_is_refused(operator: str, pattern: str, reason: str) -> None:
    with pytest.raises(QueryError, match="is not a regular expression this server can run") as refused:
        check(operator, pattern)
    assert reason in str(refused.value)


def test_a_pattern_means_what_it_says(both: Both) -> None:
    found = both.ask(
        "_iregex", "^(mito|MEMB)[a-z]*_?(inner|outer){0,1}$", ["Membrane_inner", "MITO", "membrane 2", "xmito"]
    )
    assert found == [(True, True, False, False)] * 2
    assert both.ask("_regex", "ribo", ["Ribosome", "a ribosome"]) == [(False, True)] * 2
    assert both.ask("_ilike", "%ÅNG_TRÖM", ["ångström", "an Ångström", "angstrom"]) == [(True, True, False)] * 2


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+$", "(a?){100}a{100}", ".*.*.*x", "(x+x+)+y"])
def test_no_pattern_runs_for_ever(both: Both, pattern: str) -> None:
    started = time.perf_counter()
    both.ask("_regex", pattern, ["a" * 2000, "x" * 2000 + "!"])
    assert time.perf_counter() - started < 10, "linear time, with much room for a busy machine"
