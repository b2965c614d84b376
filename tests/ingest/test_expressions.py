"""Regular expressions of configurations: what could run for ever is refused, what is only slow is stopped, what curators write is taken."""

import re
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tomotheca.ingest import expressions

RUNS = "|".join(f"pda2021-06-24-{i}" for i in range(500))


@pytest.mark.parametrize(
    "pattern",
    [
        r"(TS_(a+)+$)", r"(a*)*", r"(a?b?)*", r"(a|ab|b)*c", r"(?:\w+_?)+$", r"(\w+\s?)*$", r"(x+x+)+y", r"((a|b)|[ab])+", r"(?=(a+)+b)",
        r"(a{1,20}){1,20}", r"(.*)*", r"(.*,)*$", r"(?i)(?:a|A[^b])*c", r"([^/]+/?)+$", r"(?:\d|\w\.?)+-", r"(é|[^a])*a", r"(a+?)*b", r"(?:(?:a|b)*c?)*d",
    ],
)  # fmt: skip
def test_what_could_run_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="would take for ever"):
        expressions.check(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r".*", r"(.*)", r"(.*)\.st$", r".*/rawdata/[^\._].*\.(mrc|st|ali)$", r"(TS_\d+)_.*", r"(?:[a-z]+_)+(\d+)", r"^(.+?)(?:_(?:rec|bin\d+))*\.mrc$",
        r"(\d{4}-?){2}", r"(a|b|c)+", r"(?:[^/]+/)*(TS_[0-9]+)", r"(a)\1+", r"(?P<x>a)?(?(x)b|c)", r"(?:(?!_bin)[^/])+", r"(.*)_(.*)_(.*)\.mrc",
        f"({RUNS})", f"(?:{RUNS}|(.*)x)$", r"\Ats[-_ ]?(\d{1,3})(?i:\.MRC)", r"(?:\d{2}[A-Za-z]{3}\d{2}_)*x", "",
    ],
)  # fmt: skip
def test_what_curators_write_is_taken(pattern: str) -> None:
    assert expressions.check(pattern).pattern == pattern


ATOMS = st.sampled_from(["a", "b", "[ab]", ".", r"\w", "[^a]", "ab"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{1,2}"])).map(lambda two: f"(?:{two[0]}){two[1]}"),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(PATTERNS)
@example("(?:a|b)*(?:a|b)*")
def test_what_is_taken_does_not_run_for_ever(pattern: str) -> None:
    """Against Python's engine itself: what is taken fails soon on every text that makes it try."""
    try:
        compiled = re.compile(expressions.check(pattern).pattern + "$(?<=c)")
    except ValueError:
        return
    for text in ("a" * 40, "ab" * 20, "b" * 40, "aab" * 13):
        began = time.process_time()
        assert expressions.match(compiled, text + "c!") is None
        assert time.process_time() < began + 1


def test_what_is_slow_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "SECONDS", 0.05)
    for pattern in ("a?" * 40 + "a" * 40 + "b", "(.*a)" * 12 + "b"):
        with pytest.raises(expressions.ExpressionError, match="takes more than"):
            expressions.match(expressions.check(pattern), "a" * 60)
    time.sleep(0.1)  # nothing comes after


@pytest.mark.parametrize("where", ["name", "exclude", "filter"])
def test_what_is_slow_is_a_sentence_with_its_line(lab: Any, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "SECONDS", 0.05)
    lab.add("TS_" + "a" * 60)
    slow = "(TS_" + "a?" * 40 + "a" * 40 + "b)"
    source = lab.config["runs"][0]["sources"][0]
    if where == "name":
        source["source_glob"]["name_regex"] = slow
    elif where == "exclude":
        source["exclude"] = [slow]
    else:
        lab.config["tomograms"][0]["sources"][0]["parent_filters"] = {"include": {"run": [slow]}}
    text = lab.refused()
    assert "write it more simply" in text
    assert f"{lab.path}:" in text
