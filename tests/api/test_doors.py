"""A hidden dataset is at no door without the token, and at every door with it."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image
from tests.api.serving import (
    HIDDEN,
    HIDDEN_KEYS,
    HIDDEN_RUN,
    MARKER,
    PHOTO,
    PUBLIC,
    RUN,
    SMALL_MRC,
    TOKEN,
    Running,
    World,
    serving,
)

QUERY = "{ datasets { id title authors { edges { node { name email } } } } runs { id } depositions { id } tomograms { id } annotationFiles { s3Path } }"
HIDDEN_PATHS = [
    *(f"/files/{key}" for key in HIDDEN_KEYS),
    *(f"/s3/tomotheca/{key}" for key in HIDDEN_KEYS),
    f"/thumbs/{HIDDEN}/Images/snapshot.png",
    *(f"/api/v1/{what}/manifest.{form}" for what in (f"datasets/{HIDDEN}", f"runs/{HIDDEN_RUN}", f"tomograms/{HIDDEN_RUN}", "depositions/10301") for form in ("json", "curl", "sha256")),
    f"/api/v1/datasets/{HIDDEN}/texts/README.txt",
    *(f"{page}{twin}" for page in (f"/datasets/{HIDDEN}", f"/runs/{HIDDEN_RUN}", "/depositions/10301") for twin in ("", ".json")),
]  # fmt: skip
LISTS = [
    "/",
    "/index.json",
    "/browse-data/datasets",
    "/browse-data/datasets.json",
    "/browse-data/depositions",
    "/browse-data/depositions.json",
    f"/s3/tomotheca?list-type=2&prefix={HIDDEN}",
    "/s3/tomotheca",
    "/catalog/",
    "/catalog/dataset.ndjson",
    "/catalog/deposition.ndjson",
    "/catalog/run.ndjson",
    "/catalog/catalog.sqlite",
]


@pytest.mark.parametrize("path", HIDDEN_PATHS)
def test_hidden_without_the_token_and_there_with_it(http: httpx.Client, curator: httpx.Client, path: str) -> None:
    closed = http.get(path, headers={"accept": "text/html"})
    assert closed.status_code == 404
    answer = curator.get(path)
    assert answer.status_code == 200
    assert "public" not in answer.headers.get("cache-control", "")


@pytest.mark.parametrize("path", LISTS)
def test_lists_do_not_name_it(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 200
    assert f"Dataset {HIDDEN}" not in answer.text
    assert f"<Key>{HIDDEN}/" not in answer.text
    assert "Deposition 10301" not in answer.text


def test_graphql(http: httpx.Client, curator: httpx.Client) -> None:
    def ids(client: httpx.Client, kind: str) -> set[int]:
        return {row["id"] for row in client.post("/graphql", json={"query": QUERY}).json()["data"][kind]}

    assert ids(http, "datasets") == {PUBLIC}
    assert ids(curator, "datasets") == {PUBLIC, HIDDEN}
    assert HIDDEN_RUN not in ids(http, "runs")
    assert HIDDEN_RUN in ids(curator, "runs")
    assert ids(http, "depositions") == {10300}
    assert str(HIDDEN) not in http.post("/graphql", json={"query": QUERY}).text


@pytest.mark.parametrize(
    "path",
    [f"/files/{PUBLIC}/dataset_metadata.json", f"/s3/tomotheca/{PUBLIC}/dataset_metadata.json", f"/datasets/{PUBLIC}.json", f"/datasets/{PUBLIC}", f"/runs/{RUN}.json",
     f"/runs/{RUN}", f"/api/v1/datasets/{PUBLIC}/manifest.json", f"/api/v1/datasets/{PUBLIC}/texts/CITATION.cff", "/catalog/dataset_author.ndjson", "/catalog/catalog.sqlite", f"/graphql?query={QUERY}"],
)  # fmt: skip
def test_email_addresses_are_at_no_door(http: httpx.Client, curator: httpx.Client, path: str) -> None:
    for client in (http, curator):
        answer = client.get(path)
        assert answer.status_code == 200
        assert MARKER not in answer.text


def test_a_wrong_token_is_said_to_be_wrong(http: httpx.Client) -> None:
    answer = http.get(f"/files/{SMALL_MRC}", headers={"authorization": "Bearer guess"})
    assert answer.status_code == 401
    assert "token" in answer.json()["error"]
    basic = base64.b64encode(b"someone:guess").decode()
    assert http.get(f"/files/{SMALL_MRC}", headers={"authorization": f"Basic {basic}"}).status_code == 200


def test_netrc_style_passwords(http: httpx.Client) -> None:
    basic = base64.b64encode(f"anyone:{TOKEN}".encode()).decode()
    assert http.get(f"/files/{HIDDEN_KEYS[2]}", headers={"authorization": f"Basic {basic}"}).status_code == 200


def test_signing_in_and_out(server: Running) -> None:
    with httpx.Client(base_url=server.url) as browser:
        wrong = browser.post("/login", data={"token": "guess"})
        assert wrong.status_code == 403
        assert not browser.cookies
        done = browser.post("/login", data={"token": TOKEN, "next": f"/datasets/{HIDDEN}"})
        assert (done.status_code, done.headers["location"]) == (303, f"/datasets/{HIDDEN}")
        cookie = done.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert TOKEN not in cookie
        assert browser.get(f"/files/{HIDDEN_KEYS[2]}").status_code == 200
        forged = re.sub(r"=\d+\.", "=9999999999.", cookie.partition(";")[0])
        assert httpx.get(f"{server.url}/files/{HIDDEN_KEYS[2]}", headers={"cookie": forged}).status_code == 404
        browser.post("/logout")
        assert browser.get(f"/files/{HIDDEN_KEYS[2]}").status_code == 404


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\\evil.example",
        "/ok\r\nx: y",
    ],
)
def test_signing_in_leads_nowhere_else(http: httpx.Client, target: str) -> None:
    assert http.post("/login", data={"token": TOKEN, "next": target}).headers["location"] == "/"


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}]
)
def test_forms_of_other_sites_are_refused(http: httpx.Client, headers: dict[str, str]) -> None:
    assert http.post("/login", data={"token": TOKEN}, headers=headers).status_code == 403
    assert http.post("/logout", headers=headers).status_code == 403


@pytest.fixture(scope="module")
def proxied(world: World) -> Iterator[dict[str, Running]]:
    names = {"TOMOTHECA_TRUSTED_HEADER": "X-Remote-User"}
    with (
        serving(world, **names, TOMOTHECA_TRUSTED_PROXIES="127.0.0.0/8, ::1") as near,
        serving(world, **names, TOMOTHECA_TRUSTED_PROXIES="10.0.0.1") as far,
    ):
        yield {"near": near, "far": far}


def test_a_name_from_a_proxy_counts_only_from_listed_addresses(proxied: dict[str, Running]) -> None:
    expected = {"near": 200, "far": 404}
    for name, server in proxied.items():
        url = f"{server.url}/files/{HIDDEN_KEYS[2]}"
        assert httpx.get(url, headers={"x-remote-user": "ada"}).status_code == expected[name]
        assert httpx.get(url).status_code == 404


def test_thumbnails(http: httpx.Client, server: Running) -> None:
    for width in (128, 256, 512):
        answer = http.get(f"/thumbs/{PHOTO}?w={width}")
        assert answer.headers["content-type"] == "image/webp"
        picture = Image.open(io.BytesIO(answer.content))
        assert picture.size == (width, width * 3 // 4)
        assert (
            http.get(f"/thumbs/{PHOTO}?w={width}", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
        )
    assert len(list((server.world.root / "state/thumbs").rglob("*.webp"))) == 3
    assert http.get(f"/thumbs/{PHOTO}?w=100000").status_code == 400
    assert http.get(f"/thumbs/{SMALL_MRC}").status_code == 404


def test_headers_that_protect(http: httpx.Client) -> None:
    for path in ("/", "/nothing", f"/files/{PHOTO}", "/s3/tomotheca", "/healthz", "/graphql?query={__typename}"):
        headers = http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src")
        assert len(headers["x-request-id"]) >= 8


def test_errors_are_pages_for_browsers_and_json_for_programs(http: httpx.Client) -> None:
    page = http.get("/files/nothing", headers={"accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (404, "text/html")
    program = http.get("/files/nothing")
    assert json.loads(program.text)["error"] == "There is no file nothing."


def test_health(http: httpx.Client) -> None:
    assert http.get("/healthz").text == "ok\n"
    assert http.get("/readyz").json() == {"ready": True, "problems": []}
    version = http.get("/catalog/version.json")
    assert version.json()["version"] > 0
    assert http.get("/catalog/version.json", headers={"if-none-match": version.headers["etag"]}).status_code == 304
