"""Every block of docs/clients.md is run as it stands, and what comes out is what the archive holds."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from tests.api.serving import Running
from tests.clients.recipes import ADDRESS, PAGE, read, run
from tests.clients.trees import check, served, without_emails

DATASET, RUN = "10001/", "10001/TS_001/"
SPACING = f"{RUN}Reconstructions/VoxelSpacing9.960/"
TOMOGRAM, ANNOTATION, MASK = f"{SPACING}Tomograms/100/", f"{SPACING}Annotations/100/", f"{SPACING}Annotations/101/"
PICKS_AGAIN = f"{SPACING}Annotations/102/"
"""Of another deposition: what its users found of the same objects."""

SOAKED = "copick-torch"
"""Its environment has six gigabytes: `make soak` names one in TOMOTHECA_COPICK_TORCH."""

Check = Callable[[str, Path, Running], None]
RECIPES = {recipe.name: recipe for recipe in read()}
THEN: dict[str, str] = {}
CHECKS: dict[str, Check] = {}


def proves(name: str, *, then: str = "") -> Callable[[Check], Check]:
    """Let a function check a recipe; ``then`` is Python that keeps what the recipe made."""

    def register(function: Check) -> Check:
        CHECKS[name], THEN[name] = function, then
        return function

    return register


def keep(name: str) -> str:
    """Give the Python that writes an array to ``kept.npy``."""
    return f"\nimport numpy\nnumpy.save('kept.npy', numpy.asarray({name}))\n"


def kept(folder: Path) -> np.ndarray:
    return np.load(folder / "kept.npy")


def volume(demo: Running, folder: str = TOMOGRAM) -> np.ndarray:
    """Give the voxels of the MRC file in a folder of the archive."""
    (path,) = (demo.world.root / "archive" / folder).glob("*.mrc")
    found: np.ndarray = mrcfile.read(path)
    return found


def points(demo: Running, folder: str = ANNOTATION) -> np.ndarray:
    """Give the points of an annotation in voxels, x, y, z."""
    (path,) = (demo.world.root / "archive" / folder).glob("*_orientedpoint.ndjson")
    lines = [json.loads(line)["location"] for line in path.read_text().splitlines()]
    return np.array([[line["x"], line["y"], line["z"]] for line in lines])


def tomograms(demo: Running, folder: str) -> list[dict[str, Any]]:
    """Give the documents of the tomograms in a folder of the archive."""
    keys = [key for key in demo.world.files.walk(folder) if key.endswith("/tomogram_metadata.json")]
    return [json.loads(demo.world.bytes_of(key)) for key in keys]


def test_every_block_has_a_name_and_a_check() -> None:
    names = Counter(recipe.name for recipe in read())
    assert names.keys() == CHECKS.keys()
    assert set(names.values()) == {1}
    assert PAGE.read_text(encoding="utf-8").count("```") == 2 * len(names)
    assert all(ADDRESS in recipe.text for recipe in RECIPES.values())


@pytest.mark.parametrize(
    "name", [name for name in RECIPES if name != SOAKED or os.environ.get("TOMOTHECA_COPICK_TORCH")]
)
def test_recipe(name: str, demo: Running, tmp_path: Path) -> None:
    said = run(RECIPES[name], demo.url, tmp_path, then=THEN[name])
    CHECKS[name](said, tmp_path, demo)


@proves("portal-find")
def finds_through_relations(said: str, _folder: Path, demo: Running) -> None:
    first, *rest = said.splitlines()
    assert first == "1 Simulated cryo-electron tomograms of Schizosaccharomyces pombe cytosol"
    document = json.loads(demo.world.bytes_of(f"{ANNOTATION}80s_ribosome-1.0.json"))
    authors = [author["name"] for author in document["authors"]]
    assert rest == [f"{document['id']} TS_001 {len(points(demo))} {authors}"]


@proves("portal-download")
def downloads_byte_for_byte(_said: str, folder: Path, demo: Running) -> None:
    series, world = f"{RUN}TiltSeries/100/", demo.world
    check(world, DATASET, folder / "dataset", "")
    check(world, RUN, folder / "run", DATASET)
    check(world, f"{RUN}Frames/", folder / "frames", RUN)
    check(world, SPACING, folder / "voxel_spacing", RUN)
    check(world, series, folder / "tiltseries", series, only="TS_001.")
    check(world, TOMOGRAM, folder / "tomogram", TOMOGRAM, only="TS_001.")
    check(world, ANNOTATION, folder / "annotation", ANNOTATION)
    check(world, MASK, folder / "tomogram_annotations", MASK)
    check(world, ANNOTATION, folder / "annotation_metadata", ANNOTATION, only=".json")
    check(world, ANNOTATION, folder / "annotation_file", ANNOTATION, only=".ndjson")


@proves("copick-read")
def reads_with_copick(said: str, _folder: Path, demo: Running) -> None:
    place = points(demo)[0] * 9.96
    found = re.search(rf"1 cytosolic-ribosome {len(points(demo))} x=(\S+) y=(\S+) z=(\S+)", said)
    assert found
    np.testing.assert_allclose([float(value) for value in found.groups()], place)
    assert f"1 9.96 wbp-raw {volume(demo).shape}" in said
    assert f"1 membrane {volume(demo, MASK).sum()}" in said


@proves("copick-batch", then=keep("batch"))
def makes_a_batch(_said: str, folder: Path, demo: Running) -> None:
    batch, padded = kept(folder), np.pad(volume(demo), 16)
    assert batch.shape == (len(points(demo)), 32, 32, 32)
    for subvolume, (x, y, z) in zip(batch, points(demo).astype(int), strict=True):
        np.testing.assert_array_equal(subvolume, padded[z : z + 32, y : y + 32, x : x + 32])
    assert batch.std() > 0


def box(voxels: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Cut a box of 32 voxels; what is left of one at the border lies in its middle, as copick-torch has it."""
    starts, ends = np.maximum(centre - 16, 0), np.minimum(centre + 16, voxels.shape)
    part = voxels[tuple(map(slice, starts, ends))]
    before = [(32 - size) // 2 for size in part.shape]
    return np.pad(part, [(first, 32 - size - first) for first, size in zip(before, part.shape, strict=True)])


@proves("copick-torch", then=keep("volumes"))
def makes_a_batch_with_labels(_said: str, folder: Path, demo: Running) -> None:
    batch, voxels = kept(folder), volume(demo, f"{SPACING}Tomograms/101/").astype(float)
    assert batch.shape == (8, 1, 32, 32, 32)
    centres = np.concatenate([points(demo), points(demo, PICKS_AGAIN)]).astype(int)[:, ::-1]
    boxes = np.array([box(voxels, centre).ravel() for centre in centres])
    likeness = np.corrcoef(batch.reshape(8, -1), boxes)[:8, 8:].max(axis=1)
    np.testing.assert_allclose(likeness, 1, atol=1e-5)


@proves("zarr-http")
def reads_a_plane(said: str, _folder: Path, demo: Running) -> None:
    middle = volume(demo)[24]
    assert said.strip() == f"[9.96, 9.96, 9.96] {middle.shape} {middle.mean()}"


@proves("zarr-s3", then=keep("volume"))
def reads_a_volume(_said: str, folder: Path, demo: Running) -> None:
    np.testing.assert_array_equal(kept(folder), volume(demo))


@proves("xarray-http", then=keep("section"))
def reads_a_section(said: str, folder: Path, demo: Running) -> None:
    np.testing.assert_array_equal(kept(folder), volume(demo)[24])
    place, mean, deviation = map(float, said.split())
    assert place == pytest.approx(24 * 9.96)
    assert mean == pytest.approx(volume(demo)[24].mean())
    assert deviation == pytest.approx(volume(demo).std())


@proves("xarray-s3", then=keep("projection"))
def reads_a_coarse_level(_said: str, folder: Path, demo: Running) -> None:
    z, y, x = (size // 2 for size in volume(demo).shape)
    coarse = volume(demo).astype(float).reshape(z, 2, y, 2, x, 2).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(kept(folder), np.round(coarse).mean(axis=0), atol=0.51)
    assert np.corrcoef(kept(folder).ravel(), coarse.mean(axis=0).ravel())[0, 1] > 0.99


@proves("pandas", then="\ntable.to_json('table.json', orient='records')\n")
def reads_tables(_said: str, folder: Path, demo: Running) -> None:
    rows = json.loads((folder / "table.json").read_text())
    documents = tomograms(demo, DATASET) + tomograms(demo, "10002/")
    assert {row["id"]: (row["name_run"], row["voxel_spacing"], row["processing"]) for row in rows} == {
        document["id"]: (document["run_name"], document["voxel_spacing"], document["processing"])
        for document in documents
    }
    assert {row["https_mrc_file"] for row in rows} == {f"{demo.url}/files/{d['mrc_file']}" for d in documents}


@proves("pandas-rest", then="\ntable.to_json('table.json', orient='records')\n")
def reads_a_list(_said: str, folder: Path, demo: Running) -> None:
    rows = json.loads((folder / "table.json").read_text())
    found = {row["id"]: (row["run.name"], row["processing"], row["voxel_spacing"]) for row in rows}
    assert [row["voxel_spacing"] for row in rows] == sorted((row["voxel_spacing"] for row in rows), reverse=True)
    assert found == {d["id"]: (d["run_name"], d["processing"], d["voxel_spacing"]) for d in tomograms(demo, DATASET)}


@proves("s3fs", then=keep("[[p['location'][a] for a in 'xyz'] for p in picks]"))
def lists_and_reads(said: str, folder: Path, demo: Running) -> None:
    children = demo.world.files.scan(DATASET)
    names = [*children.folders, *(name for name in children.files if "manifest." not in name)]
    assert {path.rpartition("/")[2] for path in re.findall(r"'([^']+)'", said)} == {name.rstrip("/") for name in names}
    np.testing.assert_array_equal(kept(folder), np.concatenate([points(demo), points(demo, PICKS_AGAIN)]))
    assert (folder / "TS_001.mrc").read_bytes() == demo.world.bytes_of(f"{TOMOGRAM}TS_001.mrc")


@proves("aws")
def synchronises(said: str, folder: Path, demo: Running) -> None:
    assert "PRE TS_001/" in said
    assert "dataset_metadata.json" in said
    document = json.loads((folder / "dataset_metadata.json").read_text())
    assert document == without_emails(json.loads(demo.world.bytes_of(f"{DATASET}dataset_metadata.json")))
    check(demo.world, RUN, folder / "TS_001", RUN)


@proves("rclone")
def copies_and_compares(said: str, folder: Path, demo: Running) -> None:
    assert said.split() == ["Images/", "TS_001/", "dataset_metadata.json"]
    check(demo.world, RUN, folder / "TS_001", RUN)


@proves("curl-files")
def follows_the_list(_said: str, folder: Path, demo: Running) -> None:
    assert (folder / "TS_001.mrc").read_bytes() == demo.world.bytes_of(f"{TOMOGRAM}TS_001.mrc")
    (folder / "TS_001.mrc").unlink()
    for text in ("LICENSE.txt", "README.txt", "CITATION.bib", "CITATION.cff"):
        (folder / RUN / text).unlink(missing_ok=True)
    check(demo.world, RUN, folder / RUN, RUN)


@proves("curl-graphql")
def asks(said: str, _folder: Path, _demo: Running) -> None:
    (found,) = json.loads(said)["data"]["runs"]
    assert found["dataset"]["id"] == 10001
    assert [edge["node"]["voxelSpacing"] for edge in found["tomograms"]["edges"]] == [9.96, 9.96, 19.92]


@proves("curl-counts")
def counts(said: str, _folder: Path, demo: Running) -> None:
    groups = json.loads(said)["data"]["annotationsAggregate"]["aggregate"]
    found = {group["groupBy"]["objectName"]: (group["count"], group["sum"]["objectCount"]) for group in groups}
    picks = len(points(demo)) + len(points(demo, PICKS_AGAIN))
    assert found == {"cytosolic ribosome": (2, picks), "membrane": (1, 1)}


@proves("neuroglancer")
def shows_a_state(said: str, _folder: Path, demo: Running) -> None:
    site, _ = said.split()
    assert site.startswith(f"{demo.url}/viewer/#!")
    assert f"zarr2://{demo.url}/files/{TOMOGRAM}TS_001.zarr" in site


@proves("tomotheca-download")
def verifies(_said: str, folder: Path, demo: Running) -> None:
    expected = {key for key, _ in served(demo.world, RUN)}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert expected < found
    assert {name.rpartition("/")[2] for name in found - expected} <= {
        "LICENSE.txt", "README.txt", "CITATION.bib", "CITATION.cff", "SHA256SUMS",
    }  # fmt: skip
