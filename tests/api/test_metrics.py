"""``/metrics``: what a server with two processes has answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
from tests.api.serving import DOCUMENT, HIDDEN_KEYS, serving

if TYPE_CHECKING:
    from tests.api.serving import World


def numbers(text: str) -> dict[str, float]:
    """Values by name and labels; every line must be one that Prometheus reads."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            match = re.fullmatch(r'([a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})?) (\d+(?:\.\d+)?)', line)
            assert match, line
            found[match[1]] = float(match[2])
    return found


def test_answers_of_all_processes_are_counted(world: World) -> None:
    with serving(world, "--workers", "2") as server:
        for _ in range(12):  # each on a connection of its own, so that both processes get some
            assert httpx.get(f"{server.url}/files/{DOCUMENT}").status_code == 200
            assert httpx.get(f"{server.url}/files/{HIDDEN_KEYS[0]}").status_code == 404
            assert httpx.post(f"{server.url}/graphql", json={"query": "{__typename}"}).status_code == 200
        answer = httpx.get(f"{server.url}/metrics")
        size = len(httpx.get(f"{server.url}/files/{DOCUMENT}").content)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = numbers(answer.text)
    assert found['tomotheca_requests_total{door="files",status="2xx"}'] == 12
    assert found['tomotheca_requests_total{door="files",status="4xx"}'] == 12
    assert found['tomotheca_requests_total{door="graphql",status="2xx"}'] == 12
    assert found['tomotheca_response_bytes_total{door="files"}'] >= 12 * size
    assert found['tomotheca_request_seconds_bucket{door="graphql",le="+Inf"}'] == 12
    assert found['tomotheca_request_seconds_count{door="graphql"}'] == 12
    assert found["tomotheca_datasets"] == 1


def test_a_new_server_begins_at_nothing(world: World) -> None:
    for _ in range(2):
        with serving(world) as server:
            httpx.get(f"{server.url}/files/{DOCUMENT}")
            found = numbers(httpx.get(f"{server.url}/metrics").text)
        assert found['tomotheca_requests_total{door="files",status="2xx"}'] == 1
