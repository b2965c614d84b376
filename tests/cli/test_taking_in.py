"""From a lab's files to a portal, with commands alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.api.serving import run_cli

DEMO = ("--runs", "2", "--size", "32,96,96", "--offline")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("demo") / "root"
    done = run_cli("demo", *DEMO, "--root", folder)
    assert done.returncode == 0, done.stderr
    assert "tomotheca serve --root" in done.stdout
    return folder


@pytest.fixture(scope="module")
def config(root: Path) -> Path:
    return next(p for p in sorted((root / "demo-input").rglob("*.yaml")))


def test_the_demo_a_second_time(root: Path) -> None:
    done = json.loads(run_cli("demo", *DEMO, "--root", root, "--json", check=True).stdout)
    assert done["written"] == 0
    assert done["unchanged"] > 0


def test_index_gives_the_same_again(root: Path) -> None:
    done = json.loads(run_cli("index", "--root", root, "--json", check=True).stdout)
    assert done["datasets"] >= 1
    assert done["findings"] == []


def test_a_plan_writes_nothing(root: Path, config: Path, tmp_path: Path) -> None:
    made = json.loads((root / "demo-input/built.json").read_text())["depositions"][0]
    words = [
        "ingest",
        root / "demo-input" / made["config"],
        "--source",
        root / "demo-input" / made["source"],
        "--root",
        tmp_path,
        "--plan",
    ]
    planned = json.loads(run_cli(*words, "--json", check=True).stdout)
    assert {s["kind"] for s in planned["steps"]} >= {"dataset", "run", "tiltseries", "tomogram", "annotation"}
    assert "nothing was written" in run_cli(*words, check=True).stdout
    assert list(tmp_path.iterdir()) == []


def test_ingest_one_configuration(root: Path, tmp_path: Path) -> None:
    made = json.loads((root / "demo-input/built.json").read_text())["depositions"][0]
    words = [
        "ingest",
        root / "demo-input" / made["config"],
        "--source",
        root / "demo-input" / made["source"],
        "--root",
        tmp_path,
        "--json",
    ]
    first = json.loads(run_cli(*words, "--private", check=True).stdout)
    assert first["written"] > 0
    assert first["version"] > 0
    second = json.loads(run_cli(*words, "--private", check=True).stdout)
    assert (second["written"], second["version"]) == (0, None)
    dataset = first["datasets"][0]
    assert (
        json.loads((tmp_path / f"archive/{dataset}/dataset_metadata.json").read_text())["visibility"]["state"]
        == "private"
    )
    published = json.loads(run_cli("publish", f"DS-{dataset}", "--root", tmp_path, "--json", check=True).stdout)
    assert published["changed"] is True


def test_check(root: Path, config: Path, tmp_path: Path) -> None:
    assert run_cli("check", config).returncode == 0
    broken = tmp_path / "broken.yaml"
    broken.write_text(config.read_text().replace("datasets:", "dataset:"))
    done = run_cli("check", broken, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"] >= 1
    told = run_cli("check", broken)
    assert "broken.yaml:" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_broken_configuration_writes_nothing(config: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("depositions: [\n")
    done = run_cli("ingest", broken, "--source", tmp_path, "--root", tmp_path / "root")
    assert done.returncode == 1
    assert "nothing was written" in done.stderr
    assert not list((tmp_path / "root/archive").iterdir())
