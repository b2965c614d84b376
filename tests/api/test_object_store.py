"""An archive in a real object store: indexing, publishing, every door, and what is said when the store refuses."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.api.serving import (
    BIG,
    CHUNK,
    DOCUMENT,
    HIDDEN,
    HIDDEN_KEYS,
    MARKER,
    MRC,
    PHOTO,
    PUBLIC,
    RUN,
    TOKEN,
    Running,
    World,
    clean,
    run_cli,
    serving,
)

if TYPE_CHECKING:
    from tests.seaweed import Seaweed

ARCHIVE = "s3://archive/some where"


@pytest.mark.parametrize(
    "path",
    [
        "/index.json", "/browse-data/datasets.json", f"/datasets/{PUBLIC}.json", f"/runs/{RUN}.json", f"/api/v1/datasets/{PUBLIC}/manifest.json",
        f"/api/v1/runs/{RUN}/manifest.curl", "/readyz",
    ],
)  # fmt: skip
def test_every_door_answers_as_from_a_folder(bucket_server: Running, server: Running, path: str) -> None:
    def said(one: Running) -> list[str]:
        answer = httpx.get(f"{one.url}{path}")
        assert answer.status_code == 200
        lines = answer.text.replace(one.url, "http://here").splitlines()
        return [
            line for line in lines if "/texts/" not in line and '"count"' not in line
        ]  # texts and sizes have the address in them

    assert said(bucket_server) == said(server)


@pytest.mark.parametrize(
    "path", ["/", f"/datasets/{PUBLIC}?dl=DS-{PUBLIC}", f"/runs/{RUN}", f"/view/TM-{RUN}", "/browse-data/datasets"]
)
def test_pages(bucket_server: Running, server: Running, path: str) -> None:
    assert httpx.get(f"{bucket_server.url}{path}").status_code == httpx.get(f"{server.url}{path}").status_code


def test_thumbnails(bucket_server: Running) -> None:
    answer = httpx.get(f"{bucket_server.url}/thumbs/{PHOTO}?w=128")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")


def test_hidden_data_and_addresses(bucket_server: Running) -> None:
    for key in HIDDEN_KEYS:
        assert httpx.get(f"{bucket_server.url}/files/{key}").status_code == 404
        found = httpx.get(f"{bucket_server.url}/files/{key}", headers={"authorization": f"Bearer {TOKEN}"})
        assert found.status_code == 200
    assert MARKER not in httpx.get(f"{bucket_server.url}/files/{DOCUMENT}").text


def test_indexing_and_publishing(world: World, store: Seaweed, tmp_path: Path) -> None:
    store.upload(world.root / "archive", "another", "")
    names = {**store.environment, "TOMOTHECA_ARCHIVE": "s3://another"}
    first = json.loads(run_cli("index", "--root", tmp_path, "--json", check=True, **names).stdout)
    local = json.loads(run_cli("index", "--root", world.root, "--json", check=True).stdout)
    assert {k: first[k] for k in ("datasets", "depositions", "rows", "files")} == {
        k: local[k] for k in ("datasets", "depositions", "rows", "files")
    }
    run_cli("index", str(PUBLIC), "--root", tmp_path, check=True, **names)
    document = f"{HIDDEN}/dataset_metadata.json"
    with serving(World(tmp_path, world.files), **names) as portal:
        assert httpx.get(f"{portal.url}/files/{document}").status_code == 404
        done = run_cli("publish", f"DS-{HIDDEN}", "--root", tmp_path, **names)
        assert done.returncode == 0, done.stderr
        assert "is public" in done.stdout
        for _ in range(100):
            shown = httpx.get(f"{portal.url}/files/{document}")
            if shown.status_code == 200:
                break
        assert shown.json()["visibility"] == {"state": "public", "until": None}
        assert httpx.get(f"{portal.url}/files/{HIDDEN_KEYS[0]}").content == world.bytes_of(HIDDEN_KEYS[0])
    stored = store.client.get_object(Bucket="another", Key=document)["Body"].read()
    assert json.loads(stored)["visibility"]["state"] == "public"
    marks = store.client.get_object(Bucket="another", Key=".tomotheca/identifiers.json")["Body"].read()
    assert json.loads(marks)["high_water"]["dataset"] >= HIDDEN


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "403"),
        ({"TOMOTHECA_ARCHIVE": "s3://no-such-bucket/x"}, "404"),
        ({"TOMOTHECA_ARCHIVE": "s3://archive/nothing here"}, "there is no archive in s3://archive/nothing here"),
        ({"TOMOTHECA_ARCHIVE": "gs://archive"}, "s3://bucket/prefix"),
        ({"TOMOTHECA_ARCHIVE": "s3://"}, "s3://bucket/prefix"),
        ({"TOMOTHECA_ARCHIVE_ENDPOINT": "http://127.0.0.1:1"}, "does not answer"),
    ],
)
def test_a_store_that_refuses(store: Seaweed, tmp_path: Path, changes: dict[str, str], words: str) -> None:
    names = {**store.environment, "TOMOTHECA_ARCHIVE": ARCHIVE, **changes}
    done = run_cli("index", "--root", tmp_path, **names)
    said = " ".join(done.stderr.split())
    assert done.returncode != 0
    assert words in said
    assert "Traceback" not in said
    assert "<?xml" not in said


def test_without_the_extra(tmp_path: Path) -> None:
    code = "import sys; sys.modules['obstore'] = None; from tomotheca.cli import main; sys.argv = ['tomotheca', 'index', '--root', sys.argv[1]]; main()"
    names = {**clean(), "TOMOTHECA_ARCHIVE": ARCHIVE}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False, env=names, timeout=60
    )
    assert done.returncode != 0
    assert "pip install 'tomotheca[s3]'" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


class Relay:
    """Passes connections on to the store, notes what is asked, and can be cut."""

    def __init__(self, target: str) -> None:
        self.host, _, port = target.removeprefix("http://").partition(":")
        self.port, self.asked, self.connections, self.open = int(port), [], 0, True
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                client.close()
                continue
            self.connections += 1
            behind = socket.create_connection((self.host, self.port))
            for source, target, noted in ((client, behind, True), (behind, client, False)):
                threading.Thread(target=self._pass, args=(source, target, noted), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, noted: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if not self.open:
                    break
                if noted:
                    self.asked += re.findall(rb"(?i)^(GET|HEAD) (\S+)|^range: (\S+)", data, re.MULTILINE)
                target.sendall(data)
        except OSError:
            pass
        finally:
            source.close()
            target.close()

    @property
    def ranges(self) -> list[str]:
        return [found[2].decode() for found in self.asked if found[2]]


@contextmanager
def relayed(store: Seaweed, world: World, root: Path) -> Iterator[tuple[Running, Relay]]:
    names = {**store.environment, "TOMOTHECA_ARCHIVE": ARCHIVE}
    run_cli("index", "--root", root, check=True, **names)
    relay = Relay(store.endpoint)
    with (
        relay.listener,
        serving(World(root, world.files), **{**names, "TOMOTHECA_ARCHIVE_ENDPOINT": relay.endpoint}) as portal,
    ):
        yield portal, relay


def test_the_store_is_asked_for_what_is_wanted_and_no_more(
    bucket_server: Running, store: Seaweed, world: World, tmp_path: Path
) -> None:
    stored = world.bytes_of(MRC)
    with relayed(store, world, tmp_path) as (portal, relay), httpx.Client(base_url=portal.url, timeout=60) as http:
        http.get(f"/files/{MRC}", headers={"range": "bytes=0-0"})
        relay.asked.clear()
        before = relay.connections
        for start in range(0, 2_000_000, 100_000):
            part = http.get(f"/files/{MRC}", headers={"range": f"bytes={start}-{start + 65535}"})
            assert part.content == stored[start : start + 65536]
        assert relay.ranges == [f"bytes={start}-{start + 65535}" for start in range(0, 2_000_000, 100_000)]
        assert relay.connections <= before + 2, "connections are used again, unless one is closed meanwhile"
        relay.asked.clear()
        assert http.head(f"/files/{MRC}").headers["content-length"] == str(BIG)
        assert http.get(f"/files/{MRC}", headers={"range": f"bytes={BIG}-"}).status_code == 416
        assert relay.asked == []
        assert http.get(f"/files/{MRC}").content == stored
        assert len(relay.ranges) == -(-BIG // (4 << 20))

        relay.open = False
        gone = http.get(f"/files/{MRC}", headers={"range": "bytes=0-9"})
        assert gone.status_code == 503
        assert relay.endpoint.removeprefix("http://") not in gone.text
        assert gone.json()["error"].endswith("try again later")
        xml = http.get(f"/s3/tomotheca/{CHUNK}")
        assert (xml.status_code, "<Code>ServiceUnavailable</Code>" in xml.text) == (503, True)
        assert http.get(f"/datasets/{PUBLIC}").status_code == 200
        relay.open = True
        assert http.get(f"/files/{MRC}", headers={"range": "bytes=0-9"}).content == stored[:10]


def test_an_object_of_another_size_is_not_sent(bucket_server: Running, store: Seaweed, world: World) -> None:
    key, url = f"some where/{CHUNK}", f"{bucket_server.url}/files/{CHUNK}"
    assert httpx.get(url).content == world.bytes_of(CHUNK)
    store.client.put_object(Bucket="archive", Key=key, Body=b"something else")
    try:
        answer = httpx.get(url)
        assert answer.status_code == 503
        assert "tomotheca index" in answer.json()["error"]
    finally:
        store.client.put_object(Bucket="archive", Key=key, Body=world.bytes_of(CHUNK))
