"""``/catalog/``: the public catalogue as files, the same rows as the API gives, made anew when it changes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from pyarrow import parquet
from tests.api.serving import HIDDEN, MARKER, PUBLIC, TOKEN, Running, World, build, run_cli, serving

from tomotheca.catalog.publishing import KEPT, names
from tomotheca.schema import SCHEMA

if TYPE_CHECKING:
    from tests.databases import Database


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A portal that these tests may change."""
    return build(tmp_path_factory.mktemp("portal") / "root")


@pytest.fixture(scope="module")
def url(database: Database) -> str:
    return database.new()


@pytest.fixture(scope="module")
def server(portal: World, url: str) -> Iterator[Running]:
    run_cli("index", "--root", portal.root, check=True, TOMOTHECA_CATALOG_URL=url)
    with serving(portal, "--workers", "2", TOMOTHECA_CATALOG_URL=url) as running:
        yield running


@pytest.fixture
def http(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def database_of(data: bytes, folder: Path) -> sqlite3.Connection:
    (folder / "catalog.sqlite").write_bytes(data)
    return sqlite3.connect(folder / "catalog.sqlite")


def test_the_list_tells_size_and_digest_of_every_file(http: httpx.Client) -> None:
    told = http.get("/catalog/").json()
    assert sorted(f["name"] for f in told["files"]) == sorted(names())
    for file in told["files"]:
        answer = http.get(file["url"])
        assert answer.headers["content-length"] == str(file["size"]) == str(len(answer.content))
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"] == answer.headers["etag"].strip('"')
        assert answer.headers["content-type"] == file["media_type"]
    page = http.get("/catalog/", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "tomogram.parquet" in page.text
    assert http.get("/catalog").headers["location"] == "/catalog/"


def test_rows_are_those_of_the_api(http: httpx.Client, tmp_path: Path) -> None:
    with closing(database_of(http.get("/catalog/catalog.sqlite").content, tmp_path)) as database:
        database.row_factory = sqlite3.Row
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        for entity in SCHEMA:
            columns = [c for c in SCHEMA.columns(entity.kind) if c.public]
            asked = " ".join(c.graphql for c in columns)
            given = http.post("/graphql", json={"query": f"{{ rows: {entity.root} {{ {asked} }} }}"}).json()
            api = [{c.name: row[c.graphql] for c in columns} for row in given["data"]["rows"]]
            lines = [json.loads(line) for line in http.get(f"/catalog/{entity.kind}.ndjson").text.split("\n") if line]
            for row, line in zip(api, lines, strict=True):
                assert row == {c.name: c.missing if line[c.name] is None else line[c.name] for c in columns}
            kept = [dict(row) for row in database.execute(f'SELECT * FROM "{entity.kind}" ORDER BY id')]
            table = parquet.read_table(io.BytesIO(http.get(f"/catalog/{entity.kind}.parquet").content))
            assert table.column_names == [c.name for c in columns]
            assert table.num_rows == len(kept) == len(lines)
            assert table.column("id").to_pylist() == [row["id"] for row in kept]
            texts = [c.name for c in columns if c.type is str]
            assert [[row[n] for n in texts] for row in kept] == [[row[n] for n in texts] for row in lines]


def test_keys_are_indexed(http: httpx.Client, tmp_path: Path) -> None:
    with closing(database_of(http.get("/catalog/catalog.sqlite").content, tmp_path)) as database:
        plan = database.execute("EXPLAIN QUERY PLAN SELECT * FROM tomogram WHERE run_id = 1").fetchall()
        assert "tomogram_run_id" in str(plan)
        about = dict(database.execute("SELECT * FROM about"))
        assert about["version"] == http.get("/catalog/").json()["version"]


def test_parts_conditions_and_other_sites(http: httpx.Client) -> None:
    whole = http.get("/catalog/catalog.sqlite")
    part = http.get("/catalog/catalog.sqlite", headers={"range": "bytes=0-15"})
    assert (part.status_code, part.content) == (206, b"SQLite format 3\0")
    assert http.get("/catalog/catalog.sqlite", headers={"if-none-match": whole.headers["etag"]}).status_code == 304
    listing = http.get("/catalog/")
    assert http.get("/catalog/", headers={"if-none-match": listing.headers["etag"]}).status_code == 304
    head = http.head("/catalog/tomogram.parquet")
    assert (head.content, head.headers["accept-ranges"]) == (b"", "bytes")
    assert head.headers["access-control-allow-origin"] == "*"
    assert http.options("/catalog/tomogram.parquet").status_code == 204
    assert http.post("/catalog/tomogram.parquet").status_code == 405
    for name in (
        "nothing",
        "listing.json",
        "lock",
        "../desk.sqlite",
        "%2e%2e/desk.sqlite",
        "..%2fdesk.sqlite",
        "tomogram.csv",
    ):
        assert http.get(f"/catalog/{name}").status_code == 404, name


def test_hidden_data_and_e_mail_are_in_no_file(http: httpx.Client, server: Running) -> None:
    curator = {"authorization": f"Bearer {TOKEN}"}
    for name in names():
        for headers in ({}, curator):
            data = http.get(f"/catalog/{name}", headers=headers).content
            if name.endswith(".parquet"):
                data = json.dumps(parquet.read_table(io.BytesIO(data)).to_pylist(), default=str).encode()
            for word in (MARKER, f"Dataset {HIDDEN}", "Deposition 10301", f"/{HIDDEN}/", "visibility"):
                assert word.encode() not in data, (name, word)
    assert f"Dataset {PUBLIC}" in http.get("/catalog/dataset.ndjson").text


def test_many_who_ask_at_once_get_the_same_files_made_once(
    http: httpx.Client, server: Running, portal: World, url: str
) -> None:
    run_cli("index", "--root", portal.root, check=True, TOMOTHECA_CATALOG_URL=url)
    tags: list[str] = []

    def ask() -> None:
        tags.append(httpx.get(f"{server.url}/catalog/run.ndjson", timeout=60).headers["etag"])

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tags) == 12
    assert len(set(tags)) == 1
    folder = portal.root / "state/catalog-files"
    assert [p.name for p in folder.iterdir() if p.name.startswith(".tmp")] == []


def test_a_change_gives_new_files_and_old_ones_go(http: httpx.Client, portal: World, url: str) -> None:
    before = http.get("/catalog/")
    run_cli("publish", f"DS-{HIDDEN}", "--root", portal.root, check=True, TOMOTHECA_CATALOG_URL=url)
    try:
        after = http.get("/catalog/", headers={"if-none-match": before.headers["etag"]})
        assert after.status_code == 200
        assert f"Dataset {HIDDEN}" in http.get("/catalog/dataset.ndjson").text
    finally:
        key = f"{HIDDEN}/dataset_metadata.json"
        hidden = json.loads(portal.bytes_of(key)) | {"visibility": {"state": "private", "until": None}}
        portal.files.write_bytes(key, json.dumps(hidden).encode())
        for folder in (portal.root / "state/catalog-files").iterdir():
            os.utime(folder, (0, time.time() - KEPT - 5))
        run_cli("index", "--root", portal.root, check=True, TOMOTHECA_CATALOG_URL=url)
    assert f"Dataset {HIDDEN}" not in http.get("/catalog/dataset.ndjson").text
    kept = [p.name for p in (portal.root / "state/catalog-files").iterdir() if p.is_dir()]
    assert len(kept) == 1
    assert kept[0].startswith(http.get("/catalog/").json()["version"])


def test_without_pyarrow_parquet_is_refused_with_a_sentence(portal: World, tmp_path: Path) -> None:
    blocked = tmp_path / "pyarrow.py"
    blocked.write_text("raise ImportError('not here')\n")
    root = tmp_path / "root"
    build(root)
    with serving(World(root, portal.files), PYTHONPATH=str(tmp_path)) as bare:
        refused = httpx.get(f"{bare.url}/catalog/tomogram.parquet", timeout=60)
        assert refused.status_code == 406, refused.text
        assert "pyarrow is not installed" in refused.json()["error"]
        assert httpx.get(f"{bare.url}/catalog/tomogram.ndjson", timeout=60).status_code == 200
        assert "tomogram.parquet" not in httpx.get(f"{bare.url}/catalog/", timeout=60).text
