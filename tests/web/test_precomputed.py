"""Which layers of a viewer state are opened piece by piece, on an archive that was ingested."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient
from tests.api.serving import run_cli
from tests.ingest.conftest import Lab, annotation

from tomotheca.api.app import create_app
from tomotheca.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 12_000
VIEWER = "10900/TS_1/Reconstructions/VoxelSpacing10.000/NeuroglancerPrecompute"
STATE = "/api/v1/viewer/runs/1/state.json"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many points, one particle, instances."""
    lab = Lab(tmp_path_factory.mktemp("shown"))
    lab.root.mkdir(parents=True)
    lab.add("TS_1")
    (lab.root / "picks/TS_1.csv").write_text("1,2,3\n" * COUNT)
    (lab.root / "picks/traced.csv").write_text("IDs,X [A],Y [A],Z [A]\n3,10,20,30\n")
    traced = {"InstanceSegmentation": {"file_format": "tardis", "glob_string": "picks/traced.csv"}}
    lab.config["annotations"] = [*lab.config["annotations"][:2], annotation("filament-1", "filament", [traced])]
    for name in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments"):
        del lab.config[name]
    root = lab.folder / "root"
    run_cli(
        "ingest", lab.save(), "--source", lab.folder / "source", "--root", root, "--workers", "1", check=True
    )  # fmt: skip
    return root


@pytest.fixture
def http(root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(root=root)), base_url="http://portal.test") as client:
        yield client


def layers(http: TestClient) -> dict[str, Any]:
    answer = http.get(STATE)
    assert answer.status_code == 200
    assert len(answer.content) < 64 << 10
    return {layer["name"].partition(" ")[0]: layer for layer in answer.json()["layers"][1:]}


def test_many_points_and_instances_are_opened_piece_by_piece(http: TestClient) -> None:
    found = layers(http)
    assert found["Ribosome"]["source"] == f"precomputed:///files/{VIEWER}/100-ribosome-1.0_point/"
    assert "first" not in found["Ribosome"]["name"]
    assert found["filament"]["source"] == f"precomputed:///files/{VIEWER}/102-filament-1.0_instancesegmentation/"
    assert "prop_instance()" in found["filament"]["shader"]
    assert "prop_instance()" not in found["Ribosome"]["shader"]
    assert all("annotations" not in found[name] for name in ("Ribosome", "filament"))


def test_few_points_stand_in_the_state(http: TestClient) -> None:
    assert {m["type"] for m in layers(http)["spike"]["annotations"]} == {"point", "line"}


def test_the_door_gives_what_the_layer_names(http: TestClient) -> None:
    folder = layers(http)["Ribosome"]["source"].removeprefix("precomputed://")
    info = http.get(f"{folder}info")
    assert info.headers["content-type"] == "application/json"
    assert info.json()["@type"] == "neuroglancer_annotations_v1"
    part = http.get(f"{folder}by_id/0.shard", headers={"range": "bytes=0-15"})
    assert (part.status_code, len(part.content)) == (206, 16)
    assert http.get(f"{folder}spatial9/0.shard").status_code == 404


def test_without_its_folder_a_layer_holds_the_first_points(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "root")
    archive = tmp_path / "root/archive"
    shutil.rmtree(archive / VIEWER / "100-ribosome-1.0_point")
    manifest = archive / "10900/TS_1/Reconstructions/VoxelSpacing10.000/Annotations/100/manifest.ndjson"
    kept = [line for line in manifest.read_text().splitlines() if json.loads(line)["role"] != "viewer"]
    manifest.write_text("\n".join(kept) + "\n")
    run_cli("index", "--root", tmp_path / "root", check=True)
    with TestClient(create_app(Settings(root=tmp_path / "root")), base_url="http://portal.test") as http:
        layer = {e["name"].partition(" ")[0]: e for e in http.get(STATE).json()["layers"][1:]}["Ribosome"]
    shown = len(layer["annotations"])
    assert shown > 1000
    assert layer["name"].endswith(f"first {shown:,} of 12,000")
