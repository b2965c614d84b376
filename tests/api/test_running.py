"""A server while things happen around it: publishing, lost files, limits, logs, the end."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import boto3  # type: ignore[import-untyped]  # published without types
import httpx
import pytest
from botocore import UNSIGNED  # type: ignore[import-untyped]  # published without types
from botocore.client import Config  # type: ignore[import-untyped]  # published without types
from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # published without types
from tests.api.serving import CHUNK, HIDDEN, HIDDEN_KEYS, MRC, PUBLIC, SMALL_MRC, World, run_cli, serving
from tests.catalog.archive import put_dataset, put_deposition

from tomotheca.store.files import LocalFiles


@pytest.fixture
def own(tmp_path: Path, world: World) -> World:
    """Give a portal that a test may change."""
    shutil.copytree(world.root, tmp_path / "own")
    return World(tmp_path / "own", LocalFiles(tmp_path / "own/archive"))


def eventually(url: str, status: int) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if httpx.get(url).status_code == status:
            return True
        time.sleep(0.02)
    return False


def test_publishing_shows_without_a_restart(own: World) -> None:
    with serving(own) as server:
        for key in HIDDEN_KEYS:
            assert httpx.get(f"{server.url}/files/{key}").status_code == 404
        run_cli("publish", f"DS-{HIDDEN}", "--root", own.root, check=True)
        for key in HIDDEN_KEYS:
            assert eventually(f"{server.url}/files/{key}", 200)
        assert httpx.get(f"{server.url}/datasets/{HIDDEN}").status_code == 200


def test_the_end_of_an_embargo_shows_without_a_restart(own: World) -> None:
    put_deposition(own.files, 10301)
    put_dataset(own.files, HIDDEN, 10301, runs=1, visibility={"state": "embargoed", "until": "2999-01-01"})
    run_cli("index", "--root", own.root, check=True)
    with serving(own) as server:
        before = httpx.get(f"{server.url}/browse-data/datasets.json")
        assert httpx.get(f"{server.url}/datasets/{HIDDEN}").status_code == 404
        with sqlite3.connect(own.root / "state/catalog.sqlite") as catalogue:  # time goes by
            catalogue.execute("UPDATE visibility SET until = '2020-01-01T00:00:00+00:00'")
        assert eventually(f"{server.url}/datasets/{HIDDEN}", 200)
        after = httpx.get(f"{server.url}/browse-data/datasets.json", headers={"If-None-Match": before.headers["etag"]})
        assert after.status_code == 200
        assert after.json()["table"]["total"] == before.json()["table"]["total"] + 1
        assert eventually(f"{server.url}/files/{HIDDEN_KEYS[-1]}", 200)


def test_files_that_are_lost_or_cut_short(own: World) -> None:
    (own.root / "archive" / SMALL_MRC).unlink()
    (own.root / "archive" / CHUNK).write_bytes(b"")
    with (own.root / "archive" / MRC).open("r+b") as file:
        file.truncate(5_000_000)
    with serving(own) as server:
        for key in (SMALL_MRC, CHUNK, MRC):
            answer = httpx.get(f"{server.url}/files/{key}")
            assert answer.status_code == 503
            assert "cannot be read" in answer.json()["error"]
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{server.url}/files/{MRC}", headers={"range": "bytes=1-"})
        s3 = boto3.client(
            "s3",
            endpoint_url=server.s3,
            region_name="us-east-1",
            config=Config(signature_version=UNSIGNED, retries={"max_attempts": 1}),
        )
        with pytest.raises(ClientError, match="listed but cannot be read"):
            s3.get_object(Bucket="tomotheca", Key=SMALL_MRC)
        assert httpx.get(f"{server.url}/files/{PUBLIC}/dataset_metadata.json").status_code == 200


def test_a_share_for_each_client(world: World) -> None:
    with serving(world, TOMOTHECA_RATE_LIMIT="20") as server:
        answers = [httpx.get(f"{server.url}/catalog/version.json") for _ in range(25)]
        refused = [a for a in answers if a.status_code == 429]
        assert refused
        assert 0 < int(refused[0].headers["retry-after"]) <= 61
        assert "Too many requests" in refused[0].json()["error"]


def test_the_log_has_no_secrets(world: World) -> None:
    with serving(world, "--access-log") as server:
        httpx.get(
            f"{server.url}/files/{SMALL_MRC}?token=hush",
            headers={"authorization": "Bearer hush", "x-request-id": "my-request-1"},
        )
        httpx.get(f"{server.url}/files/{CHUNK}", headers={"x-request-id": "my-request-2"})
        server.process.send_signal(signal.SIGINT)
        _, told = server.process.communicate(timeout=20)
    assert "hush" not in told
    whole = next(json.loads(line) for line in told.splitlines() if "my-request-2" in line)
    assert whole["bytes"] == len(world.bytes_of(CHUNK))
    entries = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    mine = next(e for e in entries if e["id"] == "my-request-1")
    assert (mine["method"], mine["path"], mine["status"]) == ("GET", f"/files/{SMALL_MRC}", 401)
    assert server.process.returncode == 0


def test_two_processes_answer(world: World) -> None:
    with serving(world, "--workers", "2") as server:
        assert all(httpx.get(f"{server.url}/files/{SMALL_MRC}").status_code == 200 for _ in range(20))
