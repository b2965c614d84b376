"""Quick queries are answered at once, others in threads: nobody sees which, and nobody waits for somebody else's."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.api.many import CHILDREN, FRAMES, PARENTS

from tomotheca.catalog import lanes

if TYPE_CHECKING:
    from tests.api.serving import Running

TOMOGRAMS = PARENTS * CHILDREN
WARM = 12


def ask(server: Running, query: str, **variables: Any) -> Any:
    told = httpx.post(f"{server.url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in told
    return told["data"]


def test_one_plan_with_few_and_many_rows(small: Running) -> None:
    wide = " ".join(f"name{number}: reconstructionSoftware" for number in range(60))
    query = f"query T($n: Int) {{ tomograms(limitOffset: {{limit: $n}}) {{ id {wide} }} }}"
    for number in [*range(1, WARM), 100, 700, TOMOGRAMS, 3, TOMOGRAMS + 1, 2]:
        rows = ask(small, query, n=number)["tomograms"]
        assert [row["id"] for row in rows] == list(range(1, min(number, TOMOGRAMS) + 1))
        assert {value for row in rows for name, value in row.items() if name != "id"} == {"x"}


def test_one_plan_that_is_quick_and_slow(small: Running) -> None:
    """The filter takes 30,000 calls of a function for the large number: more than a query that is answered at once may take."""
    query = "query F($n: Int, $p: String) { frames(where: {id: {_lt: $n}, s3FramePath: {_ilike: $p}}) { id } }"
    for number in [*range(2, WARM), FRAMES, 3, FRAMES + 1, 4]:
        assert ask(small, query, n=number, p=f"%nothing{number}%")["frames"] == []
        assert len(ask(small, query, n=number, p=f"%/{number - 1}.tiff")["frames"]) <= 1
    found = ask(small, query, n=FRAMES, p="%frames/77.TIFF")["frames"]
    assert found == [{"id": 77}]


@pytest.mark.parametrize("form", ["of all", "new"])
def test_small_queries_do_not_wait_for_large_ones(small: Running, form: str) -> None:
    """While others search all frames again and again, a small query takes no longer than a few of those searches."""
    ended, took = threading.Event(), []

    def searching(seed: int) -> None:
        number = 0
        while not ended.is_set():
            started = time.perf_counter()
            alias = f"x{number}_{seed}: " if form == "new" else ""
            patterns = ", ".join(f'{{s3FramePath: {{_ilike: "%no{seed}.{number}.{n}%"}}}}' for n in range(8))
            ask(small, f"{{ {alias}frames(where: {{_or: [{patterns}]}}) {{ id }} }}")
            took.append(time.perf_counter() - started)
            number += 1

    threads = [threading.Thread(target=searching, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    waits = []
    try:
        for number in range(24):
            started = time.perf_counter()
            ask(small, "query R($n: Int) { runs(where: {id: {_eq: $n}}) { id name } }", n=number)
            waits.append(time.perf_counter() - started)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert sorted(waits)[len(waits) // 2] < max(took)


def test_a_crowd_is_asked_to_connect_anew_and_one_visitor_is_not(small: Running) -> None:
    """Another process may be free; whoever comes alone keeps the connection."""
    many = 4 * lanes.CROWD
    begin, answers = threading.Barrier(many), []

    def visit(number: int) -> None:
        with httpx.Client(base_url=small.url, timeout=60) as client:
            begin.wait()
            answers.append(client.get("/browse-data/runs", params={"q": number}))

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(1, many + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    closed = [answer for answer in answers if answer.headers.get("connection") == "close"]
    assert 0 < len(closed) < many
    with httpx.Client(base_url=small.url) as alone:
        assert {"connection" in alone.get("/browse-data/runs").headers for _ in range(3)} == {False}
