"""A portal whose archive is in a real object store, from an empty bucket to an empty archive, with commands alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import seaweed
from tests.api.serving import run_cli

from tomotheca.store import tree
from tomotheca.store.objects import ObjectFiles

ARCHIVE = "s3://portal/an archive"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweed.Seaweed]:
    with seaweed.running(tmp_path_factory.mktemp("seaweed")) as found:
        found.client.create_bucket(Bucket="portal")
        yield found


def test_from_nothing_to_nothing(lab: Any, store: seaweed.Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lab.folder / "portal"

    def run(*words: str | Path) -> Any:
        done = run_cli(*words, "--root", root, "--json", TOMOTHECA_ARCHIVE=ARCHIVE, **store.environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    source = ("--source", lab.folder / "source")
    planned = run("ingest", lab.save(), *source, "--plan")
    assert len(planned["steps"]) > 5
    first = run("ingest", lab.save(), *source)
    assert first["written"] > 0
    assert first["version"] > 0
    second = run("ingest", lab.save(), *source)
    assert (second["written"], second["bytes"], second["version"]) == (0, 0, None)
    assert run("index")["findings"] == []
    problems = run("doctor", "--hash", "--rule", "manifest.*")
    assert (problems["error"], problems["warning"]) == (0, 0)
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    files = ObjectFiles(ARCHIVE, endpoint=store.endpoint, lock_folder=lab.folder / "state")
    assert list(tree.datasets(files)) == [10900]
    assert not list((root / "archive").rglob("*")) if (root / "archive").exists() else True
    gone = run("remove", "AN-1", "--yes", "--reason", "a mistake")
    assert gone["documents"] == 1
    deeds = run("audit", "DS-10900")["deeds"]
    assert [d["action"] for d in deeds] == ["ingest", "remove"]
    assert run("index")["findings"] == []
    again = run("adopt", ARCHIVE)
    assert (again["written"], again["findings"]) == (0, [])
    run("remove", "DS-10900", "--yes")
    run("remove", "DEP-10400", "--yes")
    assert list(files.stats()) == []
    assert [d["action"] for d in run("audit", "DEP-10400")["deeds"]][-1] == "remove"
    assert run("index")["datasets"] == 0
