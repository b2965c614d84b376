"""Everything that is taken in, in one dataset, with commands alone: in, checked, read by other programs, the same again, edited, out."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cryoet_data_portal
import numpy as np
import pytest
from tests.api.serving import World, run_cli, serving
from tests.clients.recipes import environment, variables
from tests.clients.trees import check
from tests.ingest.whole import (
    ANNOTATIONS,
    COUNT_OF_OTHERS,
    DATASET,
    FIRST,
    PLACE,
    RUNS,
    SECOND,
    addition,
    whole,
    written,
)

from tomotheca.store.files import LocalFiles

READ_COPICK = Path(__file__).parent.parent / "clients/read_copick.py"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the source, both configurations, and the portal in ``root`` that they were taken into."""
    folder: Path = tmp_path_factory.mktemp("whole")
    lab = whole(folder)
    written(folder / "first.yaml", lab.config)
    written(folder / "second.yaml", addition(lab))
    for name in ("first", "second"):
        done = ingest(folder, name)
        assert done["written"] > 0
    return folder


@pytest.fixture
def portal(made: Path, tmp_path: Path) -> Path:
    """A copy of the archive for a test that changes it."""
    shutil.copytree(made / "root", tmp_path / "root")
    return tmp_path


def ingest(folder: Path, name: str, *words: str, root: Path | None = None) -> dict[str, Any]:
    """Ingest a configuration of a folder, into the portal in the folder ``root`` of another one where that is given."""
    done = run_cli(
"ingest", folder / f"{name}.yaml", "--source", folder / "source", "--root", (root or folder) / "root", "--workers", "1", "--json", *words
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def snapshot(folder: Path) -> dict[str, tuple[int, str]]:
    """Time and digest of every file of the archive, the audit record included as long as there is data."""
    archive = folder / "root/archive"
    files = [p for p in sorted(archive.rglob("*")) if p.is_file() and p.name != "lock"]
    if all(".tomotheca" in p.parts for p in files):
        return {}
    return {
        p.relative_to(archive).as_posix(): (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest())
        for p in files
    }


def documents(folder: Path) -> dict[str, dict[str, Any]]:
    archive = folder / "root/archive"
    keys = (p.relative_to(archive).as_posix() for p in sorted(archive.rglob("*.json")) if ".tomotheca" not in p.parts)
    names = ("_metadata.json", ".json")
    return {
        key: json.loads((archive / key).read_text())
        for key in keys
        if key.endswith(names) and ".zarr" not in key and "/NeuroglancerPrecompute/" not in key and "caption" not in key
    }


def identifiers(folder: Path) -> dict[str, Any]:
    return {key: (d.get("id"), d.get("ids")) for key, d in documents(folder).items() if isinstance(d, dict)}


def test_every_kind_of_thing_is_there(made: Path) -> None:
    found = [d for key, d in documents(made).items() if "/Annotations/" in key]
    assert len(found) == len(ANNOTATIONS) + COUNT_OF_OTHERS
    shapes = {(f["shape"], f["format"]) for d in found for f in d["files"]}
    assert {shape for shape, _, _, _ in ANNOTATIONS if shape != "SegmentationMask"} <= {s for s, _ in shapes} | {
        "SemanticSegmentationMask"
    }
    assert {"GlobalCaption", "AnnotationCaption"} <= {s for s, _ in shapes}
    runs = made / "root/archive" / str(DATASET)
    names = {p.name for p in runs.rglob("*") if p.is_file()}
    assert {
        "TS_1_0.tif",
        "TS_1_1.eer",
        "TS_1_2.mrc",
        "TS_1_3.mrc.bz2",
        "TS_1_4.tiff",
        "camera.gain",
        "gain.mrc",
    } <= names
    assert {
        "TS_1.mdoc",
        "TS_1.rawtlt",
        "TS_2.aln",
        "TS_1.xf",
        "TS_1.tlt",
        "TS_1.mrc",
        "identified_objects.json",
    } <= names
    assert {"TS_1_CTFFIND_ctf.txt", "TS_2_Gctf_ctf.txt", "TS_3_IMOD_ctf.txt", "snapshot.png"} <= names


def test_the_doctor_has_nothing_to_say(made: Path) -> None:
    done = run_cli("doctor", "--root", made / "root", "--hash", "--json")
    report = json.loads(done.stdout)
    assert [f for f in report["findings"] if f["severity"] != "note"] == [], done.stderr
    assert done.returncode == 0


def test_points_stand_on_the_bright_voxel(made: Path) -> None:
    """Whatever the format: the same place in the archive."""
    folder = made / "root/archive" / str(DATASET) / "TS_1"
    lines = [
        line
        for p in sorted(folder.rglob("*.ndjson"))
        if p.name != "manifest.ndjson"
        for line in p.read_text().splitlines()
    ]
    places = [tuple(json.loads(line)["location"].values()) for line in lines]
    near = [place for place in places if np.allclose(place, PLACE, atol=1e-5)]
    points = [shape for shape, _, _, _ in ANNOTATIONS if "Point" in shape or shape == "InstanceSegmentation"]
    assert len(near) == len(points) + 1


def test_the_public_client_reads_it(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = made / "root"
    world = World(root, LocalFiles(root / "archive"))
    with serving(world) as server:
        monkeypatch.setenv("BOTO_ENDPOINT_URL", server.s3)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        client = cryoet_data_portal.Client(url=f"{server.url}/graphql")
        (dataset,) = cryoet_data_portal.Dataset.find(client)
        assert [run.name for run in dataset.runs] == list(RUNS)
        found = cryoet_data_portal.Annotation.find(client)
        assert len(found) == len(ANNOTATIONS) + COUNT_OF_OTHERS
        assert {a.deposition_id for a in found} == {FIRST, SECOND}
        cryoet_data_portal.Run.find(client, [cryoet_data_portal.Run.name == "TS_1"])[0].download_everything(
            str(tmp_path)
        )
        check(world, f"{DATASET}/TS_1/", tmp_path, f"{DATASET}/")


def test_copick_reads_it(made: Path, tmp_path: Path) -> None:
    venv, root = environment("copick"), made / "root"
    with serving(World(root, LocalFiles(root / "archive"))) as server:
        words = [venv / "bin/python", READ_COPICK, server.url, tmp_path, str(DATASET)]
        done = subprocess.run(
            words, cwd=tmp_path, env=variables(venv, tmp_path), capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert [run["name"] for run in found["runs"]] == list(RUNS)
    kept, names = np.load(tmp_path / "arrays.npz"), json.loads((tmp_path / "names.json").read_text())
    arrays = {name: kept[str(number)] for number, name in enumerate(names)}
    first = found["runs"][0]
    of_points = [arrays[path] for path in first["picks"]]
    assert len(of_points) >= sum("Point" in shape for shape, _, _, _ in ANNOTATIONS)
    assert all(np.abs(each - 10 * np.array(PLACE)).max(axis=1).min() < 1e-3 for each in of_points)
    for path in first["masks"]:
        assert np.argwhere(arrays[path]).tolist() == [list(PLACE[::-1])], path
    assert np.unravel_index(arrays[first["spacings"]["10.0"][0]].argmax(), (8, 12, 16)) == PLACE[::-1]


@pytest.fixture
def edited(made: Path) -> Iterator[dict[str, Any]]:
    """The first configuration without its last annotation and with another title, until the test ends: at its place, by which it is known."""
    path = made / "first.yaml"
    before = path.read_bytes()
    config = json.loads(before)
    config["annotations"].pop()
    config["datasets"][0]["metadata"]["dataset_title"] = "Another title, dose-symmetric"
    yield config
    path.write_bytes(before)


def test_the_same_again_writes_nothing(made: Path, portal: Path) -> None:
    before = snapshot(portal)
    for name in ("first", "second"):
        assert ingest(made, name, root=portal)["written"] == 0
    assert snapshot(portal) == before


def test_volumes_may_stay_where_they_are(made: Path, tmp_path: Path) -> None:
    source = {p: p.stat().st_mtime_ns for p in (made / "source").rglob("*")}
    assert ingest(made, "first", "--in-place", root=tmp_path)["written"] > 0
    before = snapshot(tmp_path)
    assert not [key for key in before if "/Tomograms/100/" in key and key.endswith(".mrc")]
    assert ingest(made, "first", "--in-place", root=tmp_path)["written"] == 0
    assert snapshot(tmp_path) == before
    assert {p: p.stat().st_mtime_ns for p in (made / "source").rglob("*")} == source
    report = json.loads(run_cli("doctor", "--root", tmp_path / "root", "--json").stdout)
    assert [f for f in report["findings"] if f["severity"] != "note"] == []


def test_an_edit_changes_what_was_edited(made: Path, portal: Path, edited: dict[str, Any]) -> None:
    ids = identifiers(portal)
    written(made / "first.yaml", edited)
    assert ingest(made, "first", root=portal)["written"] == 1
    assert ingest(made, "first", root=portal)["written"] == 0
    after = documents(portal)
    (removed,) = set(ids) - set(after)
    assert "/Annotations/" in removed
    assert identifiers(portal) == {key: value for key, value in ids.items() if key != removed}
    assert after[f"{DATASET}/dataset_metadata.json"]["dataset_title"].startswith("Another")
    folder = removed.rpartition("/")[0]
    assert not [key for key in snapshot(portal) if key.startswith(folder + "/")]


def test_what_was_taken_in_can_be_taken_out_again(portal: Path) -> None:
    for deposition in (SECOND, FIRST):
        run_cli("remove", f"DEP-{deposition}", "--with-dependents", "--yes", "--root", portal / "root", check=True)
        left = {d.get("deposition_id") for d in documents(portal).values() if isinstance(d, dict)}
        assert deposition not in left
    assert snapshot(portal) == {}
    archive = portal / "root/archive"
    assert [p.name for p in archive.iterdir() if p.name != ".tomotheca"] in ([], ["depositions_metadata"])
    counted = json.loads(run_cli("index", "--root", portal / "root", "--json", check=True).stdout)
    assert (counted["datasets"], counted["findings"]) == (0, [])
