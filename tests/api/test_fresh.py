"""Tags and 304: a client that has an answer is told so, and only as long as it is the answer."""

from __future__ import annotations

import sqlite3
import time

import httpx
import pytest
from tests.api.serving import HIDDEN, PUBLIC, RUN, TOKEN, Running, World, run_cli, serving
from tests.catalog.archive import put_dataset, put_deposition

QUERY = "/graphql?query={datasets{id title}}"
ADDRESSES = (
    "/", "/browse-data/datasets", "/browse-data/datasets.json?sort=title", f"/datasets/{PUBLIC}", f"/runs/{RUN}.json", QUERY, "/api/v1/datasets",
    f"/api/v1/datasets/{PUBLIC}", f"/api/v1/datasets/{PUBLIC}/manifest.json", "/docs/data-schema",
)  # fmt: skip
CURATOR = {"authorization": f"Bearer {TOKEN}"}


def changes(url: str, tag: str, **headers: str) -> httpx.Response:
    """Ask with a tag until it is not that of the answer any more."""
    end = time.monotonic() + 10
    while (answer := httpx.get(url, headers={"if-none-match": tag, **headers})).status_code == 304:
        assert time.monotonic() < end
        time.sleep(0.02)
    return answer


@pytest.mark.parametrize("path", ADDRESSES)
def test_an_answer_is_sent_once(http: httpx.Client, path: str) -> None:
    first = http.get(path)
    assert first.status_code == 200
    tag = first.headers["etag"]
    for given in (tag, f'"other", {tag}', f"W/{tag}"):
        again = http.get(path, headers={"if-none-match": given})
        assert (again.status_code, again.content) == (304, b"")
        for name in ("etag", "vary", "cache-control"):
            assert again.headers[name] == first.headers[name]
        assert again.headers["x-content-type-options"] == "nosniff"
        assert again.headers["x-request-id"]
    assert http.get(path, headers={"if-none-match": '"0"'}).status_code == 200
    head = http.head(path)
    assert (head.status_code, head.headers["etag"], head.content) == (200, tag, b"")
    assert http.head(path, headers={"if-none-match": tag}).status_code == 304


def test_a_tag_is_of_one_answer(http: httpx.Client) -> None:
    forms = [
        http.get(f"/datasets/{PUBLIC}", headers={"accept": "text/html"}),
        http.get(f"/datasets/{PUBLIC}", headers={"accept": "application/json"}),
        http.get(f"/datasets/{PUBLIC}.json"),
        http.get(f"/datasets/{PUBLIC}?table-tab=2"),
        http.get(f"/api/v1/datasets/{PUBLIC}"),
        http.get(QUERY),
        http.get("/graphql?query={datasets{title}}"),
    ]
    tags = [answer.headers["etag"] for answer in forms]
    assert len(set(tags)) == len(tags)
    assert {name.strip() for name in forms[0].headers["vary"].split(",")} >= {"Accept", "Authorization", "Cookie"}


@pytest.mark.parametrize(
    "path", [f"/datasets/{HIDDEN}", "/nothing", "/api/v1/nothing", "/graphql?query=", "/datasets/no"]
)
def test_what_is_not_an_answer_has_no_tag(http: httpx.Client, path: str) -> None:
    answer = http.get(path, headers={"accept": "application/json"})
    assert answer.status_code >= 400
    assert "etag" not in answer.headers


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_curators_answers_are_the_curators(http: httpx.Client, curator: httpx.Client, path: str) -> None:
    seen = curator.get(path)
    tag = seen.headers["etag"]
    assert seen.headers["cache-control"] == "private, no-store"
    assert curator.get(path, headers={"if-none-match": tag}).status_code == 304
    other = http.get(path, headers={"if-none-match": tag})
    assert other.status_code == 200
    assert other.headers["etag"] != tag
    assert f"Dataset {HIDDEN}" not in other.text
    assert curator.get(path, headers={"if-none-match": other.headers["etag"]}).status_code == 200
    wrong = http.get(path, headers={"if-none-match": tag, "authorization": "Bearer guess"})
    assert wrong.status_code == 401


def test_publishing_ends_every_tag(moving: Running) -> None:
    tags = {path: httpx.get(moving.url + path).headers["etag"] for path in ADDRESSES}
    curators = httpx.get(moving.url + QUERY, headers=CURATOR).headers["etag"]
    run_cli("publish", f"DS-{HIDDEN}", "--root", moving.world.root, check=True)
    answers = {path: changes(moving.url + path, tag) for path, tag in tags.items()}
    assert f"Dataset {HIDDEN}" in answers[QUERY].text
    assert f"Dataset {HIDDEN}" in answers["/browse-data/datasets"].text
    assert changes(moving.url + QUERY, curators, **CURATOR).status_code == 200


def test_the_end_of_an_embargo_ends_every_tag(moving: Running) -> None:
    files = moving.world.files
    put_deposition(files, 10301)
    put_dataset(files, HIDDEN, 10301, runs=1, visibility={"state": "embargoed", "until": "2999-01-01"})
    before = httpx.get(moving.url + QUERY).headers["etag"]
    run_cli("index", "--root", moving.world.root, check=True)
    embargoed = changes(moving.url + QUERY, before)
    assert f"Dataset {HIDDEN}" not in embargoed.text
    with sqlite3.connect(moving.world.root / "state/catalog.sqlite") as catalogue:  # time goes by
        catalogue.execute("UPDATE visibility SET until = '2020-01-01T00:00:00+00:00'")
    assert f"Dataset {HIDDEN}" in changes(moving.url + QUERY, embargoed.headers["etag"]).text


def test_a_tag_holds_for_every_process_and_setting(world: World) -> None:
    with serving(world, "--workers", "2", TOMOTHECA_PUBLIC_URL="http://portal.test") as server:
        tags = {httpx.get(server.url + QUERY).headers["etag"] for _ in range(20)}
        assert len(tags) == 1
    with serving(world, TOMOTHECA_PUBLIC_URL="http://portal.test", TOMOTHECA_SITE_NAME="Another") as server:
        assert httpx.get(server.url + QUERY).headers["etag"] not in tags
