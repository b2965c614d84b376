"""Queries with what they must find among the first five (Q11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.search.world import lines

if TYPE_CHECKING:
    from starlette.testclient import TestClient

BEST = 5
REQUIRED = 0.95
LEAST = 100
SORTS = {"words", "synonym", "typo", "id", "author", "ontology"}


def found(http: TestClient, query: str, tab: str) -> list[set[str]]:
    """Give what each of the first hits is called: its words, identifier and address."""
    answer = http.get("/search.json", params={"q": query, "table-tab": tab})
    assert answer.status_code == 200
    return [names(hit) for group in answer.json()["groups"] for hit in group["hits"]][:BEST]


def names(hit: dict[str, Any]) -> set[str]:
    return {"".join(p["text"] for p in hit["title"]), hit["identifier"], hit["href"]}


def test_q11_the_queries_find_what_they_should_among_the_first_five(http: TestClient) -> None:
    queries = list(lines("queries.tsv"))
    missed = []
    for sort, query, tab, expected in queries:
        best = found(http, query, tab)
        lacking = [e for e in expected.split("|") if not any(e in hit for hit in best)]
        if lacking:
            missed.append(f"{sort}: {query} lacks {lacking}, found {[sorted(b)[-1] for b in best]}")
    rate = 1 - len(missed) / len(queries)
    assert rate >= REQUIRED, "\n".join([f"{rate:.1%}", *missed])


def test_q11_the_queries_are_many_and_of_every_sort() -> None:
    queries = list(lines("queries.tsv"))
    assert len({q for _, q, *_ in queries}) >= LEAST
    assert {sort for sort, *_ in queries} >= SORTS
