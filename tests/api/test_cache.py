"""Kept answers to identical GraphQL requests: as good as new ones, and never somebody else's."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from tests.api.serving import HIDDEN, PUBLIC, TOKEN, Running, World, run_cli, serving

LIST = {"query": "query L($n: Int) { datasets(limitOffset: {limit: $n}) { id title } }", "variables": {"n": 5}}
CURATOR = {"authorization": f"Bearer {TOKEN}"}


def ask(url: str, request: dict[str, Any], **headers: str) -> httpx.Response:
    return httpx.post(f"{url}/graphql", json=request, headers=headers)


def unlike(number: int) -> dict[str, Any]:
    """Give a request like no other."""
    return {"query": f"{{ datasets {{ id field{number}: title }} }}"}


def test_the_second_answer_is_the_first(server: Running) -> None:
    first, second = (ask(server.url, unlike(1), origin="http://else.where") for _ in range(2))
    assert [a.headers["x-cache"] for a in (first, second)] == ["miss", "hit"]
    assert first.content == second.content
    assert first.json()["data"]["datasets"] == [{"id": PUBLIC, "field1": f"Dataset {PUBLIC}"}]
    names = ("content-type", "content-length", "access-control-allow-origin", "content-security-policy")
    assert [first.headers[n] for n in names] == [second.headers[n] for n in names]
    assert len({first.headers["x-request-id"], second.headers["x-request-id"]}) == 2


def test_another_request_is_another_answer(server: Running) -> None:
    requests = [{**LIST, "variables": {"n": n}} for n in (1, 2)] + [
        {"query": "query A { a: __typename } query B { b: __typename }", "operationName": n} for n in "AB"
    ]
    for _ in range(2):
        bodies = [ask(server.url, request).json()["data"] for request in requests]
        assert bodies[2:] == [{"a": "Query"}, {"b": "Query"}]
        assert len(bodies[0]["datasets"]) == 1


def test_the_form_of_a_request_counts(server: Running) -> None:
    text = '{"query": "{ __typename }"}'
    assert httpx.post(f"{server.url}/graphql", content=text).json() == {"data": {"__typename": "Query"}}
    as_query = httpx.post(f"{server.url}/graphql", content=text, headers={"content-type": "application/graphql"})
    assert "Syntax Error" in as_query.json()["errors"][0]["message"]
    in_address = httpx.get(f"{server.url}/graphql", params={"query": "{ cached: __typename }"})
    again = httpx.get(f"{server.url}/graphql", params={"query": "{ cached: __typename }"})
    assert [a.headers["x-cache"] for a in (in_address, again)] == ["miss", "hit"]


def test_errors_are_not_kept(server: Running) -> None:
    for request in ({"query": "{ nothing }"}, {"query": "{ datasets(limitOffset: {offset: 1}) { id } }"}):
        answers = [ask(server.url, request) for _ in range(3)]
        assert all(a.headers["x-cache"] == "miss" and "errors" in a.json() for a in answers)


def test_a_curator_and_a_visitor_have_their_own(server: Running) -> None:
    request = unlike(2)
    for order in ((CURATOR, {}), ({}, CURATOR), ({}, CURATOR)):
        for headers in order:
            told = ask(server.url, request, **headers)
            assert (f"Dataset {HIDDEN}" in told.text) == bool(headers)
    assert told.headers["x-cache"] == "hit"


def test_publishing_ends_what_is_kept(moving: Running) -> None:
    before = [ask(moving.url, LIST, **headers) for headers in ({}, {}, CURATOR, CURATOR)]
    assert [a.headers["x-cache"] for a in before] == ["miss", "hit", "miss", "hit"]
    assert HIDDEN not in [row["id"] for row in before[1].json()["data"]["datasets"]]
    run_cli("publish", f"DS-{HIDDEN}", "--root", moving.world.root, check=True)
    end = time.monotonic() + 10
    while f"Dataset {HIDDEN}" not in (after := ask(moving.url, LIST)).text:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert after.headers["x-cache"] in {"hit", "miss"}
    assert f"Dataset {HIDDEN}" in ask(moving.url, LIST).text


def test_an_answer_is_never_older_than_the_catalogue(moving: Running) -> None:
    """Titles are counted up while clients ask; none may see a number go back, nor an old one once the change is a while ago."""
    ended, wrong = threading.Event(), []

    def client() -> None:
        last = -1
        with httpx.Client() as http:
            while not ended.is_set():
                told = http.post(f"{moving.url}/graphql", json=LIST).json()["data"]["datasets"][0]["title"]
                number = int(told) if told.isdecimal() else 0
                if number < last:
                    wrong.append((last, number))
                last = number

    threads = [threading.Thread(target=client) for _ in range(3)]
    for thread in threads:
        thread.start()
    catalogue = sqlite3.connect(moving.world.root / "state/catalog.sqlite", isolation_level=None)
    try:
        for number in range(1, 40):
            catalogue.execute("BEGIN IMMEDIATE")
            catalogue.execute("UPDATE dataset SET title = ?", [str(number)])
            catalogue.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'version'")
            catalogue.execute("COMMIT")
            time.sleep(0.03)
        time.sleep(0.2)
        assert ask(moving.url, LIST).json()["data"]["datasets"][0]["title"] == "39"
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        catalogue.close()
    assert wrong == []


def test_many_ask_the_same_at_once(server: Running) -> None:
    for number in range(100, 110):
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _, n=number: ask(server.url, unlike(n)), range(8)))
        assert len({a.content for a in answers}) == 1
        assert "errors" not in answers[0].json()
        assert {a.headers["x-cache"] for a in answers} <= {"hit", "miss"}
        with ThreadPoolExecutor(4) as clients:
            wrong = list(clients.map(lambda _, n=number: ask(server.url, {"query": f"{{ nothing{n} }}"}), range(4)))
        assert all("errors" in a.json() and a.headers["x-cache"] == "miss" for a in wrong)


def test_memory_is_bounded(world: World) -> None:
    with serving(world, TOMOTHECA_RESPONSE_CACHE_BYTES="3000") as server:
        for number in range(20):
            assert ask(server.url, unlike(number)).headers["x-cache"] == "miss"
        assert ask(server.url, unlike(19)).headers["x-cache"] == "hit"
        assert ask(server.url, unlike(0)).headers["x-cache"] == "miss"


def test_it_can_be_switched_off(world: World) -> None:
    with serving(world, TOMOTHECA_RESPONSE_CACHE="0") as server:
        answers = [ask(server.url, LIST) for _ in range(5)]
        assert all("x-cache" not in a.headers for a in answers)
        assert len({a.content for a in answers}) == 1


def test_long_requests_are_told_apart(server: Running) -> None:
    numbers = list(range(1, PUBLIC))
    some = {"query": f"{{ datasets(where: {{id: {{_in: {[*numbers, PUBLIC]}}}}}) {{ id }} }}"}
    none = {"query": f"{{ datasets(where: {{id: {{_in: {[*numbers, PUBLIC + 9]}}}}}) {{ id }} }}"}
    for expected in ("miss", "hit"):
        answers = [ask(server.url, request) for request in (some, none)]
        assert [len(a.json()["data"]["datasets"]) for a in answers] == [1, 0]
        assert {a.headers["x-cache"] for a in answers} == {expected}
