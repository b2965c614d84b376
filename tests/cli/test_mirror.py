"""`tomotheca mirror`: a dataset of a running server, taken over by another one."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.api.serving import CHUNK, DOCUMENT, HIDDEN, MARKER, MRC, PUBLIC, RUN, TOKEN, Running, World, clean, serving
from tests.cli import dumps
from tests.cli.portal import Portal
from tests.cli.test_download import Bad

from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.schema import SCHEMA
from tomotheca.store.files import LocalFiles


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Portal]:
    root = tmp_path / "mirror"
    with closing(Portal(root, f"sqlite:///{root / 'state/catalog.sqlite'}", monkeypatch, capsys)) as made:
        yield made


class Moody(Bad):
    """Says twice that it is busy, and then passes questions on; large answers break off."""

    moods: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.moods:
            status, text = self.moods.pop(), b'{"error": "later"}'
        else:
            answer = httpx.post(
                self.upstream + self.path, content=body, headers={"content-type": self.headers["content-type"]}
            )
            own = f"http://{self.headers['host']}".encode()
            status, text = answer.status_code, answer.content.replace(self.upstream.encode(), own)
        self.send_response(status)
        if status == 429:
            self.send_header("retry-after", "1")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def moody(server: Running) -> Iterator[tuple[str, type[Moody]]]:
    handler = type("Handler", (Moody,), {"upstream": server.url, "asked": [], "moods": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}", handler
        proxy.shutdown()


def rows_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {kind: list(dumps.read(folder, kind)) for kind in SCHEMA.kinds}


def test_the_rows_of_a_dataset(server: Running, world: World, portal: Portal, tmp_path: Path) -> None:
    told = portal.run("mirror", server.url, "--dataset", f"DS-{PUBLIC}", "--json").answer
    assert told["name"] == f"{server.url.removeprefix('http://').replace(':', '-')}-{PUBLIC}"
    there = Portal(world.root, f"sqlite:///{world.root}/state/catalog.sqlite", portal.monkeypatch, portal.capsys)
    theirs = rows_of(there.dump(tmp_path / "theirs", "--public-url", server.url))
    ours = rows_of(portal.dump(tmp_path / "ours"))
    assert ours == theirs
    again = portal.run("mirror", server.url, "--dataset", PUBLIC, "--json").answer
    assert again["rows"] == told["rows"] == sum(map(len, theirs.values()))


def test_a_server_that_is_busy_is_waited_for(moody: tuple[str, type[Moody]], portal: Portal) -> None:
    url, handler = moody
    handler.moods = [503, 429]
    began = time.monotonic()
    portal.run("mirror", url, "--dataset", PUBLIC)
    assert time.monotonic() - began >= 1
    assert handler.moods == []
    assert portal.catalog.count("tomogram", ANONYMOUS) == 2


def test_files_come_in_two_runs_and_are_served(
    moody: tuple[str, type[Moody]], server: Running, world: World, portal: Portal
) -> None:
    url, handler = moody
    handler.delay = 0.02
    words = [sys.executable, "-m", "tomotheca", "mirror", url, "--dataset", str(PUBLIC), "--files", "--name", "theirs"]
    part = portal.root / f"mirrors/theirs/files/{MRC}.part"
    with subprocess.Popen([*words, "--root", str(portal.root)], env=clean(), stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while (part.stat().st_size if part.exists() else 0) < 4_500_000 and time.monotonic() < end:
            time.sleep(0.02)
        process.kill()
    assert portal.catalog.get("tomogram", RUN, ANONYMOUS)["https_mrc_file"].startswith(url), "rows are there already"
    handler.delay, handler.asked[:] = 0.0, []
    told = portal.run("mirror", url, "--dataset", PUBLIC, "--files", "--name", "theirs", "--json").answer
    assert told["files"]["failed"] == {}
    starts = [int(found[1]) for r in handler.asked if (found := re.match(r"bytes=(\d+)-", r))]
    assert min(starts) >= 4_000_000, "what had come was not brought again"
    keys = [k for k in world.files.walk(f"{PUBLIC}/") if "manifest." not in k]
    with (
        serving(World(portal.root, LocalFiles(world.root / "archive"))) as mine,
        httpx.Client(base_url=mine.url) as http,
        httpx.Client(base_url=server.url) as theirs,
    ):
        for key in keys:
            first, second = http.get(f"/files/{quote(key)}"), theirs.get(f"/files/{quote(key)}")
            assert (first.status_code, first.content) == (200, second.content), key
            assert first.headers["etag"] == second.headers["etag"], key
        assert MARKER not in http.get(f"/files/{DOCUMENT}").text
        assert http.get(f"/files/{CHUNK}", headers={"range": "bytes=3-5"}).content == world.bytes_of(CHUNK)[3:6]
        query = {"query": "{ tomograms { httpsMrcFile } }"}
        addresses = [t["httpsMrcFile"] for t in http.post("/graphql", json=query).json()["data"]["tomograms"]]
        assert all(address.startswith(mine.url) for address in addresses)
    portal.run("mirror", url, "--dataset", PUBLIC, "--name", "theirs")
    assert "://" not in (portal.catalog.get("run", RUN, ANONYMOUS)["s3_prefix"]).removeprefix("s3://tomotheca/")
    assert portal.catalog.get("tomogram", RUN, ANONYMOUS)["https_mrc_file"].startswith("http://portal.example/files/")


def test_identifiers_that_are_taken(server: Running, portal: Portal, tmp_path: Path) -> None:
    portal.run("load", dumps.write(tmp_path / "lab", dumps.small(PUBLIC, 10300)))
    before = dumps.contents(portal.dump(tmp_path / "before"))
    refused = portal.run("mirror", server.url, "--dataset", PUBLIC, code=5).err
    assert f"dataset {PUBLIC}" in refused
    assert dumps.contents(portal.dump(tmp_path / "after")) == before
    portal.run("mirror", server.url, "--dataset", PUBLIC, "--renumber", "--name", "theirs")
    assert portal.catalog.count("dataset", ANONYMOUS) == 2
    origins = {(o["kind"], o["origin"]["id"]): o for o in dumps.read(portal.root / "loaded/theirs", "origin")}
    assert origins["dataset", PUBLIC]["origin"]["url"] == server.url
    run = origins["run", RUN]["id"]
    assert portal.catalog.get("run", run, ANONYMOUS)["dataset_id"] == origins["dataset", PUBLIC]["id"]


def test_hidden_data_needs_the_token(server: Running, portal: Portal) -> None:
    assert f"no dataset {HIDDEN}" in portal.run("mirror", server.url, "--dataset", HIDDEN, code=3).err
    assert not (portal.root / "loaded").exists() or not list((portal.root / "loaded").iterdir())
    portal.run("mirror", server.url, "--dataset", HIDDEN, "--token", TOKEN)
    assert [r["id"] for r in portal.catalog.find("dataset", ANONYMOUS)] == [HIDDEN]


class Other(http.server.BaseHTTPRequestHandler):
    """A server that is no portal."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(["not", "GraphQL"]).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_servers_that_are_none(portal: Portal) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        told = portal.run("mirror", f"http://127.0.0.1:{other.server_port}", "--dataset", "1", code=1).err
        other.shutdown()
    assert "does not answer as GraphQL does" in told
    assert "cannot be reached" in portal.run("mirror", "http://127.0.0.1:1", "--dataset", "1", code=6).err
    assert "--dataset" in portal.run("mirror", "http://127.0.0.1:1", "--dataset", "first", code=2).err
