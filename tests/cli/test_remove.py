"""Taking things out of a portal with commands alone, and killing that."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import clean, run_cli

from tomotheca.settings import Settings
from tomotheca.store import documents, tree
from tomotheca.store.files import LocalFiles

KILLS = int(os.environ.get("TOMOTHECA_KILLS", "4"))
DEMO = ("--runs", "2", "--size", "32,96,96", "--offline")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("remove") / "root"
    done = run_cli("demo", *DEMO, "--root", folder)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(folder / "demo-input")
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "root"))


def remove(root: Path, *words: str) -> dict[str, Any]:
    done = run_cli("remove", *words, "--root", root, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def every(root: Path) -> dict[str, list[int]]:
    """Identifiers of documents by kind."""
    files = LocalFiles(root / "archive")
    found: dict[str, list[int]] = {"deposition": list(tree.depositions(files)), "dataset": []}
    for dataset in tree.datasets(files):
        for model, key in tree.documents(files, dataset):
            if number := documents.read(files, key).get("id"):
                found.setdefault(getattr(model, "kind", ""), []).append(number)
    return found


def rows(root: Path) -> dict[str, int]:
    """Count the rows of the catalogue, after a rebuild that must find nothing wrong and change nothing."""
    import sqlalchemy as sa

    from tomotheca.catalog.catalog import connect
    from tomotheca.catalog.tables import build
    from tomotheca.schema import SCHEMA

    engine = connect(Settings(root=root).catalog_database)
    with engine.connect() as connection:
        counts = {
            name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in build(SCHEMA).kinds.items()
        }
    engine.dispose()
    return counts


def index(root: Path) -> None:
    done = json.loads(run_cli("index", "--root", root, "--json", check=True).stdout)
    assert [f for f in done["findings"] if f["severity"] == "error"] == []


def test_an_annotation_and_its_rows(root: Path) -> None:
    files = LocalFiles(root / "archive")
    annotation = every(root)["annotation"][0]
    before = rows(root)
    done = remove(root, f"AN-{annotation}", "--reason", "it was wrong")
    assert done["documents"] == 1
    assert done["files"] >= 1
    assert annotation not in every(root)["annotation"]
    after = rows(root)
    assert after["annotation"] == before["annotation"] - 1
    assert after["tomogram"] == before["tomogram"]
    assert not [place for one in done["removed"] for place in one["places"] if files.exists(place)]
    marks = json.loads((root / "archive/.tomotheca/identifiers.json").read_text())
    assert ("annotation", annotation, "it was wrong") in {
        (t["kind"], t["id"], t["reason"]) for t in marks["tombstones"]
    }
    again = run_cli("remove", f"AN-{annotation}", "--root", root, "--yes")
    assert again.returncode == 3
    assert "was removed" in again.stderr
    index(root)
    assert rows(root) == after


def test_an_alignment_in_use_is_refused(root: Path) -> None:
    alignment = every(root)["alignment"][0]
    before = every(root)
    done = run_cli("remove", f"AL-{alignment}", "--root", root, "--yes")
    assert done.returncode != 0
    assert "TM-" in done.stderr
    assert "--with-dependents" in done.stderr
    assert every(root) == before
    gone = remove(root, f"AL-{alignment}", "--with-dependents")
    assert {g["kind"] for g in gone["removed"]} >= {"alignment", "tomogram"}
    index(root)


def test_nobody_can_be_asked(root: Path) -> None:
    done = run_cli("remove", f"AN-{every(root)['annotation'][0]}", "--root", root)
    assert done.returncode == 2
    assert "--yes" in done.stderr


@pytest.mark.parametrize("word", ["TM", "10001", "XX-3", "TM-0", "TM-99999999"])
def test_what_is_not_there(root: Path, word: str) -> None:
    assert run_cli("remove", word, "--root", root, "--yes").returncode in {2, 3}


def test_when_all_is_removed_nothing_is_left(root: Path) -> None:
    for deposition in every(root)["deposition"]:
        remove(root, f"DEP-{deposition}", "--with-dependents")
    assert [p.name for p in (root / "archive").iterdir()] == [".tomotheca"]
    assert sorted(p.name for p in (root / "archive/.tomotheca").iterdir()) == [
        "audit.ndjson",
        "identifiers.json",
        "lock",
    ]
    assert set(rows(root).values()) == {0}
    deeds = json.loads(run_cli("audit", "--root", root, "--json", check=True).stdout)["deeds"]
    assert {d["action"] for d in deeds} == {"ingest", "remove"}
    dataset = next(d["id"] for d in deeds if d["kind"] == "dataset")
    (root / "state/desk.sqlite").unlink()
    kept = json.loads(run_cli("audit", f"DS-{dataset}", "--root", root, "--json", check=True).stdout)["deeds"]
    assert kept == [d for d in deeds if (d["kind"], d["id"]) == ("dataset", dataset)]
    assert all(d["who"] and d["at"] for d in kept)


def test_killed_while_removing(root: Path) -> None:
    moments = random.Random(seed := random.randrange(1 << 32))
    for round_ in range(KILLS):
        left = every(root)
        kind = "run" if round_ % 3 == 2 else "annotation"
        if not left.get(kind):
            break
        word = f"{'RN' if kind == 'run' else 'AN'}-{left[kind][0]}"
        command = [sys.executable, "-m", "tomotheca", "remove", word, "--yes", "--with-dependents", "--root", str(root)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=clean(), text=True)
        assert child.stderr is not None
        assert " in all" in next(line for line in child.stderr if " in all" in line)
        time.sleep(moments.uniform(0, 0.3))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        index(root)
        there = every(root)
        assert there == left or there.get(kind, []) == left[kind][1:], f"seed {seed}"
        assert not list((root / "archive").rglob(".tmp-*")), f"seed {seed}"
        folders = [p for p in (root / "archive").rglob("*") if p.is_dir() and ".zarr" not in str(p)]
        assert not [f for f in folders if not any(f.iterdir())], f"seed {seed}"
        counts = rows(root)
        assert (counts["tomogram"], counts["run"]) == (len(there.get("tomogram", [])), len(there.get("run", [])))
