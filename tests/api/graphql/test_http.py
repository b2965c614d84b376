"""The endpoint as programs and browsers meet it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tomotheca.api.graphql.asked import MAX_BODY
from tomotheca.api.graphql.http import service_routes

if TYPE_CHECKING:
    from tomotheca.api.graphql import GraphQL


@pytest.fixture(scope="module")
def http(service: GraphQL) -> TestClient:
    return TestClient(Starlette(routes=service_routes(service)))


def test_post_and_get_answer_alike(http: TestClient) -> None:
    query, variables = "query A($n: Int) { runs(limitOffset: {limit: $n}) { id } } query B { __typename }", {"n": 2}
    posted = http.post("/graphql", json={"query": query, "variables": variables, "operationName": "A"})
    assert posted.headers["content-type"] == "application/json"
    assert posted.headers["content-length"] == str(len(posted.content))
    got = http.get("/graphql", params={"query": query, "variables": '{"n": 2}', "operationName": "A"})
    assert len(posted.json()["data"]["runs"]) == 2
    assert got.json() == posted.json()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'[{"query": "{__typename}"}]', b"{}", b'{"query": ""}', b'{"query": 5}', b'{"query": "{__typename}", "variables": [1]}', b'"x"', b"\xff"],
)  # fmt: skip
def test_what_is_no_query_is_400(http: TestClient, body: bytes) -> None:
    answer = http.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["data"] is None
    assert answer.json()["errors"][0]["message"]


def test_errors_of_queries_are_200(http: TestClient) -> None:
    answer = http.post("/graphql", json={"query": "{ nothing }"})
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["locations"] == [{"line": 1, "column": 3}]


def test_a_request_has_a_size(http: TestClient) -> None:
    assert http.post("/graphql", content=b" " * (MAX_BODY + 1)).status_code == 413


def test_get_without_a_query(http: TestClient) -> None:
    assert http.get("/graphql", headers={"accept": "application/json"}).status_code == 400
    page = http.get("/graphql", headers={"accept": "text/html,*/*"})
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"] == "default-src 'self'"
    assert not re.search(r"https?://|<script>|style=|onclick", page.text)
    addresses = re.findall(r'(?:src|href)="(/graphql/[^"]+)"', page.text)
    assert len(addresses) == 2
    for address in addresses:
        part = http.get(address)
        assert part.status_code == 200
        addresses += [f"/graphql/{name}" for name in re.findall(r'from "\./([^"]+)"', part.text)]
    assert len(set(addresses)) == 5
