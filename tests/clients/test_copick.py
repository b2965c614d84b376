"""copick, unchanged, against a running server: every run, volume, mask and pick is what the archive holds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest
import zarr
from tests.clients.recipes import environment, variables

if TYPE_CHECKING:
    from tests.api.serving import Running

DATASETS = (10001, 10002)
BUCKET = "s3://tomotheca/"


@dataclass(frozen=True)
class Read:
    """What copick read."""

    runs: list[dict[str, Any]]
    objects: dict[str, list[Any]]
    asked: dict[str, list[str]]
    arrays: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def read(demo: Running, tmp_path_factory: pytest.TempPathFactory) -> Read:
    venv, folder = environment("copick"), tmp_path_factory.mktemp("copick")
    script = Path(__file__).with_name("read_copick.py")
    words = [venv / "bin/python", script, demo.url, folder, *map(str, DATASETS)]
    done = subprocess.run(
        words, cwd=folder, env=variables(venv, folder), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    kept = np.load(folder / "arrays.npz")
    names = json.loads((folder / "names.json").read_text())
    arrays = {name: kept[f"{number}"] for number, name in enumerate(names)}
    return Read(**json.loads((folder / "found.json").read_text()), arrays=arrays)


def documents(demo: Running, name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give the archive's documents of a name in the two datasets, each with its folder."""
    for dataset in DATASETS:
        for path in sorted((demo.world.root / "archive" / str(dataset)).rglob(name)):
            yield path.parent, json.loads(path.read_text())


def annotations(demo: Running, form: str) -> dict[str, dict[str, Any]]:
    """Give the documents of annotations by the address of their file of a format."""
    found = (document for folder, document in documents(demo, "*.json") if folder.parent.name == "Annotations")
    return {
        BUCKET + file["path"]: document for document in found for file in document["files"] if file["format"] == form
    }


def lines(demo: Running, address: str) -> list[dict[str, Any]]:
    text = demo.world.bytes_of(address.removeprefix(BUCKET)).decode()
    return [json.loads(line) for line in text.splitlines()]


def spacing_of(address: str) -> float:
    return float(address.partition("VoxelSpacing")[2].partition("/")[0])


def test_runs_and_spacings(read: Read, demo: Running) -> None:
    found = {run["id"]: (run["name"], sorted(map(float, run["spacings"]))) for run in read.runs}
    assert found == {
        document["id"]: (document["run_name"], sorted(map(float, document["ids"]["tomogram_voxel_spacing"])))
        for _, document in documents(demo, "run_metadata.json")
    }


def test_tomograms(read: Read, demo: Running) -> None:
    found = [path for run in read.runs for paths in run["spacings"].values() for path in paths]
    known = {BUCKET + document["omezarr_dir"]: folder for folder, document in documents(demo, "tomogram_metadata.json")}
    assert sorted(found) == sorted(known)
    for path, folder in known.items():
        (volume,) = folder.glob("*.mrc")
        np.testing.assert_array_equal(read.arrays[path], mrcfile.read(volume))
        group = zarr.open_group(folder / path.rpartition("/")[2], mode="r")
        np.testing.assert_array_equal(read.arrays[f"{path}/1"], group["1"][:])
        assert read.arrays[path].std() > 0


def test_picks(read: Read, demo: Running) -> None:
    known = annotations(demo, "ndjson")
    assert {path for run in read.runs for path in run["picks"]} == known.keys()
    for path in known:
        points = lines(demo, path)
        voxels = [[point["location"][axis] for axis in "xyz"] for point in points]
        np.testing.assert_allclose(read.arrays[path], np.array(voxels) * spacing_of(path))
        turns = [point["xyz_rotation_matrix"] for point in points]
        np.testing.assert_allclose(read.arrays[f"{path} rotations"], np.array(turns))


def test_segmentations(read: Read, demo: Running) -> None:
    known = annotations(demo, "zarr")
    found = {path: described for run in read.runs for path, described in run["masks"].items()}
    assert found.keys() == known.keys()
    for path, (name, spacing) in found.items():
        assert spacing == spacing_of(path)
        assert name == known[path]["annotation_object"]["name"].lower().replace(" ", "-")
        volume = demo.world.root / "archive" / path.removeprefix(BUCKET).replace(".zarr", ".mrc")
        np.testing.assert_array_equal(read.arrays[path], mrcfile.read(volume))
        assert read.arrays[path].any()


def test_objects(read: Read, demo: Running) -> None:
    particles = {document["annotation_object"]["id"] for document in annotations(demo, "ndjson").values()}
    masks = {document["annotation_object"]["id"] for document in annotations(demo, "zarr").values()}
    assert dict(read.objects.values()) == {
        **dict.fromkeys(masks, False), **dict.fromkeys(particles, True)
    }  # fmt: skip


def test_questions_about_the_portals_metadata(read: Read, demo: Running) -> None:
    mine = {path: d for path, d in annotations(demo, "ndjson").items() if "/TS_001/" in path}
    true = {path for path, document in mine.items() if document["ground_truth_status"]}
    assert set(read.asked["true"]) == true
    assert set(read.asked["other"]) == mine.keys() - true
    wrote = {path for path, d in mine.items() if "Aurelia Lindqvist-Moreau" in {a["name"] for a in d["authors"]}}
    assert set(read.asked["authors"]) == wrote
    assert len(read.asked["masks"]) == 1
    assert true
    assert mine.keys() - true
