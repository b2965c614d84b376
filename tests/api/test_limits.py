"""What one request and one client may ask for, through a real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api.serving import Running, World, serving

from tomotheca.api.limit import client
from tomotheca.api.who import Identity
from tomotheca.settings import Settings

LIMITED = "12"
BACK = 5
"""Parts of a share that may come back while a test runs: one in five seconds."""


def error(server: Running, query: str, **more: Any) -> dict[str, Any]:
    """Give the one error of a query."""
    answer = httpx.post(f"{server.url}/graphql", json={"query": query, **more})
    assert answer.status_code == 200
    (told,) = answer.json()["errors"]
    assert answer.json()["data"] is None
    return dict(told)


def test_depth(server: Running) -> None:
    query = "{ runs { " + "dataset { runs { edges { node { " * 5 + "id" + " } } } }" * 5 + " } }"
    told = error(server, query)
    assert told["message"] == "The query is nested deeper than 16 fields; ask in several queries."
    assert len(told["path"]) == 17
    assert told["locations"][0]["line"] == 1


def test_depth_is_a_setting(world: World) -> None:
    query = "{ runs { dataset { runs { edges { node { id } } } } } }"
    with serving(world, TOMOTHECA_MAX_DEPTH="4") as small:
        told = error(small, query)
        assert told["message"] == "The query is nested deeper than 4 fields; ask in several queries."
        assert told["path"] == ["runs", "dataset", "runs", "edges", "node"]


def test_depth_through_fragments(server: Running) -> None:
    query = (
        "{ runs { ...A } } fragment A on Run { dataset { ...B } } fragment B on Dataset { "
        + "runs { edges { node { dataset { " * 4
        + "id"
        + " } } } }" * 4
        + " }"
    )
    assert "nested deeper than 16 fields" in error(server, query)["message"]


def test_breadth(server: Running) -> None:
    fields = " ".join(f"f{number}: name" for number in range(2001))
    told = error(server, f"{{ runs {{ {fields} }} }}")
    assert told["message"] == "The query selects more than 2000 fields; ask for less at once."
    assert told["path"][0] == "runs"
    lists = " ".join(f"l{number}: runs {{ id }}" for number in range(201))
    told = error(server, f"{{ {lists} }}")
    assert told["message"] == "The query asks for more than 200 lists and relations; ask in several queries."
    assert told["path"] == ["l200"]


def test_tokens(server: Running) -> None:
    told = error(server, "{ runs { " + "id " * 20_001 + "} }")
    assert "20000 tokens" in told["message"]


def test_a_long_list_is_not_many_tokens(server: Running) -> None:
    numbers = list(range(30_000))
    answer = httpx.post(
        f"{server.url}/graphql", json={"query": f"{{ runs(where: {{id: {{_in: {numbers}}}}}) {{ id }} }}"}
    )
    assert "errors" not in answer.json()


def test_comparisons(server: Running) -> None:
    many = ", ".join(f"{{id: {{_eq: {number}}}}}" for number in range(401))
    told = error(server, f"{{ runs(where: {{_or: [{many}]}}) {{ id }} }}")
    assert "at most 400 comparisons" in told["message"]
    assert told["path"] == ["runs"]


def test_pages(server: Running) -> None:
    told = error(server, "{ datasets { runs(first: 101) { edges { node { id } } } } }")
    assert told["message"] == "Argument 'first' cannot be higher than 100."
    assert told["path"] == ["datasets", "runs"]


def test_the_size_of_a_request(server: Running) -> None:
    body = b'{"query": "{ __typename }", "more": "' + b" " * (8 << 20) + b'"}'
    answer = httpx.post(f"{server.url}/graphql", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert (
        answer.json()["errors"][0]["message"] == f"the request is longer than {8 << 20} bytes; ask in several requests"
    )
    assert httpx.post(f"{server.url}/graphql", json={"query": "{ __typename }"}).status_code == 200


def test_what_another_method_gets(server: Running) -> None:
    answer = httpx.put(f"{server.url}/graphql")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    asked = httpx.options(f"{server.url}/graphql", headers={"origin": "http://else.where"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "*")
    assert "Content-Type" in asked.headers["access-control-allow-headers"]


# --- a share for each client


@pytest.fixture(scope="module")
def limited(world: World) -> Iterator[Running]:
    with serving(
        world, "--workers", "2", TOMOTHECA_RATE_LIMIT=LIMITED, TOMOTHECA_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8"
    ) as running:
        yield running


def spend(server: Running, address: str, times: int, path: str = "/catalog/version.json") -> list[httpx.Response]:
    """Make requests, each over a connection of its own, so that both processes answer."""
    return [httpx.get(server.url + path, headers={"x-forwarded-for": address}) for _ in range(times)]


def is_spent(answers: list[httpx.Response]) -> bool:
    """Say whether a share was used up: no more passed than it has, and the few parts of it that came back meanwhile."""
    return sum(answer.status_code != 429 for answer in answers) <= int(LIMITED) + BACK


def test_n8_all_processes_count_together_and_say_when_to_come_back(limited: Running) -> None:
    answers = spend(limited, "192.0.2.1", 30)
    passed = [a for a in answers if a.status_code == 200]
    refused = [a for a in answers if a.status_code == 429]
    assert len(passed) + len(refused) == 30
    assert int(LIMITED) <= len(passed)
    assert is_spent(answers)
    wait = int(refused[-1].headers["retry-after"])
    assert 0 < wait <= 60
    assert refused[-1].json()["error"].startswith("Too many requests; try again in ")
    assert refused[-1].headers["x-request-id"]


def test_clients_have_their_own_share(limited: Running) -> None:
    assert is_spent(spend(limited, "192.0.2.2", 40))
    assert spend(limited, "192.0.2.3", 1)[0].status_code == 200
    assert is_spent(spend(limited, "2001:db8::1", 40))
    neighbour = spend(limited, "2001:db8::2", int(LIMITED))
    assert 429 in {a.status_code for a in neighbour}  # one client has the whole network
    assert spend(limited, "2001:db8:1::1", 1)[0].status_code == 200


def test_what_a_client_says_of_itself_is_not_believed(limited: Running) -> None:
    answers = [spend(limited, f"198.51.100.{n}, 192.0.2.4, 10.1.2.3", 1)[0] for n in range(40)]
    assert is_spent(answers)


def test_health_is_not_counted(limited: Running) -> None:
    assert is_spent(spend(limited, "192.0.2.5", 40))
    for path in ("/healthz", "/readyz"):
        assert spend(limited, "192.0.2.5", 1, path)[0].status_code == 200


def test_graphql_and_pages_count(limited: Running) -> None:
    for number, path in enumerate(("/graphql?query={__typename}", "/", "/api/v1/datasets")):
        assert is_spent(spend(limited, f"192.0.2.{10 + number}", 40, path))


def test_a_client_behind_no_proxy_cannot_choose_its_address(world: World) -> None:
    with serving(world, TOMOTHECA_RATE_LIMIT=LIMITED) as server:
        assert any(spend(server, f"192.0.2.{n}", 1)[0].status_code == 429 for n in range(40))


def test_processes_do_not_lose_counts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two processes spend one share at the same time."""
    path = tmp_path_factory.mktemp("limit") / "table"
    program = (
        "import sys, pathlib; from tomotheca.api.limit import RateLimit\n"
        "limit = RateLimit(5000, pathlib.Path(sys.argv[1]))\n"
        "print(sum(not limit.wait('/', ('192.0.2.9', 1), {}) for _ in range(4000)))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    passed = sum(int(process.communicate(timeout=60)[0]) for process in running)
    assert 5000 <= passed <= 6500  # a share comes back while they run: 83 in a second


@given(st.lists(st.sampled_from(["10.0.0.1", "10.9.9.9", "192.0.2.1", "", "nobody", "::1"]), max_size=6))
def test_the_last_address_that_is_not_a_proxys(given_addresses: list[str]) -> None:
    proxies = Identity(Settings(trusted_proxies="10.0.0.0/8")).proxies
    found = client(("10.0.0.1", 1), {"x-forwarded-for": ", ".join(given_addresses)}, proxies)
    said = [*given_addresses, "10.0.0.1"]
    while len(said) > 1 and said[-1].startswith("10.") and said[-2]:
        said.pop()
    assert found == said[-1]
    assert client(("192.0.2.7", 1), {"x-forwarded-for": "192.0.2.1"}, proxies) == "192.0.2.7"
