"""A portal whose catalogue and desk are in PostgreSQL gives the answers of one whose are files."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.api.serving import CHUNK, DOCUMENT, HIDDEN, MRC, PUBLIC, TOKEN, Running, World, run_cli, serving

from tomotheca.desk import Desk

if TYPE_CHECKING:
    from tests.databases import Server

ADDRESSES = (
    "/", "/index.json", "/browse-data/datasets.json", f"/datasets/{PUBLIC}.json", f"/datasets/{PUBLIC}", f"/datasets/{HIDDEN}", "/browse-data/depositions.json",
    "/browse-data/datasets.json?q=dataset&object=ribosome", f"/files/{DOCUMENT}", f"/files/{MRC}", f"/files/{CHUNK}", f"/files/{HIDDEN}/dataset_metadata.json",
    "/s3/tomotheca?list-type=2&max-keys=7", f"/s3/tomotheca?list-type=2&prefix={PUBLIC}/&delimiter=/", "/api/v1/datasets", "/api/v1/runs?sort=-name&limit=2",
    "/api/v1/tomograms?fields=id,name,run.name&name._ilike=%25ts%25", f"/api/v1/datasets/{PUBLIC}/runs", "/api/v1/files?limit=5", "/openapi.json", "/readyz",
    '/graphql?query={runs(where:{name:{_iregex:"^ts_[0-9]$"}},orderBy:[{name:desc}]){name dataset{title} tomograms{edges{node{id httpsMrcFile}}}}}',
    "/graphql?query={tomogramsAggregate{aggregate{count avg{voxelSpacing} groupBy{processing run{name}}}}}",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of a portal whose catalogue and desk share a place in PostgreSQL."""
    url = postgresql.new()
    state = str(tmp_path_factory.mktemp("state"))
    return {"TOMOTHECA_CATALOG_URL": url, "TOMOTHECA_DESK_URL": url, "TOMOTHECA_STATE": state}


@pytest.fixture(scope="module")
def other(world: World, place: dict[str, str]) -> Iterator[Running]:
    """The same archive, indexed into PostgreSQL and served from there."""
    done = run_cli("index", "--root", world.root, **place)
    assert done.returncode == 0, done.stderr
    with serving(world, **place) as running:
        yield running


def answer(server: Running, address: str, headers: dict[str, str]) -> tuple[int, str | None, bytes]:
    """An answer, without what names the server, the moment or the request."""
    found = httpx.get(server.url + address, headers=headers, timeout=60)
    body = found.content.replace(server.url.encode(), b"http://portal").replace(server.url[7:].encode(), b"portal")
    body = re.sub(rb"<RequestId>.*?</RequestId>|\b1[0-9]{9}\b(\.[0-9]+c?)?", b"", body)
    return found.status_code, found.headers.get("content-type"), body


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("token", ["", TOKEN])
def test_the_answers_are_the_same(server: Running, other: Running, address: str, token: str) -> None:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    expected = answer(server, address, headers)
    assert answer(other, address, headers) == expected
    assert expected[0] in {200, 404}


def test_a_new_index_is_seen_at_once_and_leaves_the_desk_in_the_same_database_alone(
    other: Running, world: World, place: dict[str, str]
) -> None:
    version = httpx.get(f"{other.url}/catalog/version.json").json()["version"]
    done = run_cli("index", "--root", world.root, "--json", **place)
    assert done.returncode == 0, done.stderr
    time.sleep(0.2)  # what was read just now is believed for a moment
    assert httpx.get(f"{other.url}/catalog/version.json").json()["version"] > version
    assert httpx.get(f"{other.url}/datasets/{PUBLIC}.json").status_code == 200
    with Desk.open(place["TOMOTHECA_DESK_URL"]) as desk:
        assert desk.version() > version
        assert desk.high_water()["dataset"] >= PUBLIC
