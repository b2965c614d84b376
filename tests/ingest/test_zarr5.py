"""OME-Zarr 0.5: taken in, read through every door as 0.4 is, exchanged for it and back."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import zarr
from obstore.store import S3Store
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.image_label import ImageLabel
from starlette.testclient import TestClient
from tests.api.serving import World, run_cli, serving
from tests.doctor.conftest import Archive
from tests.ingest.conftest import Lab, annotation
from tests.ingest.test_adopt import strip
from zarr.storage import FsspecStore, ObjectStore

from tomotheca.api.app import create_app
from tomotheca.cli.run import run
from tomotheca.formats import mrc, omezarr
from tomotheca.formats.omezarr import Form
from tomotheca.settings import Settings
from tomotheca.store.files import LocalFiles

SHAPE = (70, 140, 200)
"""Two files along y and x, chunks at every border that are not whole."""

SPACING = "Reconstructions/VoxelSpacing10.000"
TOMOGRAM = f"10900/TS_1/{SPACING}/Tomograms/100/TS_1"
MASK, LABELS = (f"10900/TS_1/{SPACING}/Annotations/{n}" for n in (101, 102))
SERIES = "10900/TS_1/TiltSeries/100/TS_1"
METADATA = {".zattrs", ".zgroup", ".zarray"}


def volume() -> np.ndarray[Any, Any]:
    """Noise, and one chunk in which nothing is."""
    made = np.random.default_rng(1).normal(0, 1, SHAPE).astype(np.float32)
    made[:64, :64, :64] = 0
    return made


def labels() -> np.ndarray[Any, Any]:
    made = np.zeros(SHAPE, np.uint16)
    made[20:40, 50:90, 60:130] = 7
    made[60:, 130:, 190:] = 300
    return made


@dataclass(frozen=True)
class Portals:
    """One lab, taken in twice."""

    lab: Lab
    new: Path
    old: Path

    def ingest(self, root: Path, *words: str) -> dict[str, Any]:
        source = str(self.lab.folder / "source")
        return said("ingest", str(self.lab.path), "--source", source, "--root", str(root), "--workers", "1", *words)


def said(*words: str, code: int = 0) -> dict[str, Any]:
    """Run a command as a user does, and give what it says."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        ended = run([*words, "--json"])
    assert ended == code, err.getvalue() + out.getvalue()
    return dict(json.loads(out.getvalue() or "{}"))


@pytest.fixture(scope="module")
def portals(tmp_path_factory: pytest.TempPathFactory) -> Portals:
    folder = tmp_path_factory.mktemp("zarr5")
    lab = Lab(folder)
    lab.root.mkdir(parents=True)
    lab.add("TS_1", "TS_2")
    mrc.write(lab.root / "tomograms/TS_1.rec", volume(), voxel_size=10.0)
    (lab.root / "tomograms/TS_2.rec").unlink()
    spacing = (10.0, 10.0, 10.0)
    omezarr.write(lab.root / "tomograms/TS_2.zarr", volume(), spacing=spacing, form=Form("0.5", codec="zstd", chunk=32))
    mrc.write(lab.root / "masks/TS_1.mrc", (labels() == 7).astype(np.int8), voxel_size=10.0)
    (lab.root / "masks/TS_2.mrc").unlink()
    mrc.write(lab.root / "masks/labels.mrc", labels(), voxel_size=10.0)
    lab.config["tomograms"][0]["sources"][0]["source_glob"]["list_glob"] = "tomograms/{run_name}.*"
    lab.config["runs"][0]["sources"][0]["source_glob"]["match_regex"] = "TS_"
    numbered = {"InstanceSegmentationMask": {"file_format": "mrc", "glob_string": "masks/labels.mrc"}}
    ribosome, _, membrane = lab.config["annotations"]
    vesicle = annotation("vesicle-1", "vesicle", [numbered])
    vesicle["sources"][0]["parent_filters"] = {"include": {"run": ["TS_1"]}}
    lab.config["annotations"] = [ribosome, membrane, vesicle]
    lab.save()
    made = Portals(lab, folder / "new", folder / "old")
    assert made.ingest(made.new, "--zarr", "0.5")["written"] > 0
    assert made.ingest(made.old)["written"] > 0
    return made


@pytest.fixture
def copy(portals: Portals, tmp_path: Path) -> Path:
    shutil.copytree(portals.new, tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture(scope="module")
def doors(portals: Portals) -> Iterator[tuple[TestClient, TestClient]]:
    """The portal of version 0.5, and that of 0.4."""
    apps = [create_app(Settings(root=root)) for root in (portals.new, portals.old)]
    with TestClient(apps[0], base_url="http://portal.test") as new, TestClient(apps[1], base_url="http://portal.test") as old:  # fmt: skip
        yield new, old


def images(root: Path) -> list[Path]:
    return sorted((root / "archive/10900").rglob("*.zarr/"))


def stored(root: Path) -> dict[str, bytes]:
    """Give every file that is no document and no list."""
    kinds = (".mrc", ".png", ".ndjson", ".rawtlt", ".xf")
    found = [
        p
        for p in (root / "archive").rglob("*")
        if p.is_file() and not {".tomotheca", "manifest.members"} & set(p.parts) and p.name != "manifest.ndjson"
    ]
    return {str(p.relative_to(root)): p.read_bytes() for p in found if ".zarr/" in str(p) or p.suffix in kinds}


def identifiers(root: Path) -> dict[str, Any]:
    found = (p for p in (root / "archive").rglob("*.json") if ".zarr" not in str(p) and ".tomotheca" not in str(p))
    documents = {str(p.relative_to(root)): json.loads(p.read_text()) for p in found}
    return {key: (d.get("id"), d.get("ids")) for key, d in documents.items() if isinstance(d, dict)}


def test_zarr_0_5_is_valid_and_holds_what_0_4_holds(portals: Portals) -> None:
    found = images(portals.new)
    assert {p.name.partition(".")[0] for p in found} == {"TS_1", "TS_2", "membrane-1", "vesicle-1"}
    assert len(found) == 6
    for path in found:
        assert not METADATA & {p.name for p in path.rglob("*")}
        group, old = zarr.open_group(path, mode="r"), zarr.open_group(portals.old / path.relative_to(portals.new))
        (ImageLabel if "Annotations" in str(path) else Image).from_zarr(group)
        ome, before = group.attrs["ome"], old.attrs["multiscales"][0]  # type: ignore[index]
        assert ome["version"] == "0.5"  # type: ignore[index,call-overload]
        assert {**ome["multiscales"][0], "version": "0.4"} == before  # type: ignore[index,call-overload,dict-item]
        assert sorted(group.array_keys()) == sorted(old.array_keys())
        for name, array in group.arrays():
            assert (path / name / "zarr.json").is_file()
            assert array.metadata.dimension_names == ("z", "y", "x")
            assert array.shards == tuple(-(-n // c) * c for n, c in zip(old[name].chunks, array.chunks, strict=True))
            np.testing.assert_array_equal(array[...], old[name][...])
    level = zarr.open_array(portals.new / f"archive/{TOMOGRAM}.zarr/0", mode="r")
    assert (level.chunks, level.shards) == ((64, 64, 64), (128, 128, 128))
    np.testing.assert_array_equal(level[...], volume())
    other = zarr.open_array(portals.new / f"archive/{TOMOGRAM}.zarr/0".replace("TS_1", "TS_2"), mode="r")
    np.testing.assert_array_equal(other[...], volume())
    said = json.loads(
        (portals.new / f"archive/{LABELS}/vesicle-1.0_instancesegmentationmask.zarr/zarr.json").read_text()
    )
    colours = said["attributes"]["ome"]["image-label"]["colors"]
    assert [c["label-value"] for c in colours] == [7, 300]
    new, before = stored(portals.new), stored(portals.old)
    photos = {key for key in new if key.endswith(".png")}
    assert len(photos) >= 8
    assert {key: new[key] for key in photos} == {key: before[key] for key in photos}


def test_zarr_0_5_as_a_setting_writes_nothing_a_second_time(portals: Portals, copy: Path) -> None:
    (copy / "tomotheca.toml").write_text("zarr = 0.5\n")
    before = {p: p.stat().st_mtime_ns for p in (copy / "archive").rglob("*") if p.is_file() and p.name != "lock"}
    assert portals.ingest(copy)["written"] == 0
    assert portals.ingest(copy, "--verify")["written"] == 0
    assert {
        p: p.stat().st_mtime_ns for p in (copy / "archive").rglob("*") if p.is_file() and p.name != "lock"
    } == before


def test_zarr_0_5_is_exchanged_for_0_4_and_back(portals: Portals, copy: Path) -> None:
    numbers = identifiers(copy)
    assert portals.ingest(copy, "--zarr", "0.4")["written"] > 0
    assert stored(copy) == stored(portals.old)
    assert portals.ingest(copy, "--zarr", "0.5")["written"] > 0
    assert stored(copy) == stored(portals.new)
    assert identifiers(copy) == numbers
    assert [p for p in (copy / "archive").rglob("*") if p.name.startswith((".tmp", ".old"))] == []


@pytest.mark.parametrize(
    "path",
    [
        "/tomograms/1/slice.webp",
        "/tomograms/1/slice.webp?index=69&level=0",
        "/tomograms/1/slice.webp?axis=y&index=139&level=0",
        "/tomograms/1/slice.webp?axis=x&index=10&level=1",
        "/tomograms/1/slice.webp?index=30&overlay=AN-2",
        "/tomograms/1/slice.webp?index=65&overlay=AN-3",
        "/tilt-series/1/section.webp?index=3",
        "/tomograms/1/crop.mrc?box=50:150,3:140,60:70",
        "/tomograms/1/crop.mrc?box=0:200,0:140,0:70&level=1",
        "/tomograms/1/crop.mrc?level=2",
    ],
)
def test_zarr_0_5_gives_the_pictures_and_boxes_of_0_4(doors: tuple[TestClient, TestClient], path: str) -> None:
    new, old = (door.get(path) for door in doors)
    assert (new.status_code, old.status_code) == (200, 200), new.text
    assert len(new.content) > 500
    assert new.content == old.content


def test_zarr_0_5_in_the_viewer(doors: tuple[TestClient, TestClient]) -> None:
    new, old = (door.get("/api/v1/viewer/runs/1/state.json").text for door in doors)
    assert new.count("zarr3:///files/") == 3
    assert new.replace("zarr3:", "zarr2:") == old
    colours = next(layer["segmentColors"] for layer in json.loads(new)["layers"] if layer["type"] == "segmentation")
    assert colours.keys() == {"7", "300"}


def test_zarr_0_5_over_http_and_s3(portals: Portals, tmp_path: Path) -> None:
    with serving(World(portals.new, LocalFiles(portals.new / "archive"))) as server:
        group = zarr.open_group(FsspecStore.from_url(f"{server.url}/files/{TOMOGRAM}.zarr"), mode="r")
        np.testing.assert_array_equal(group["0"][60:, 100:, 3:90], volume()[60:, 100:, 3:90])  # type: ignore[index]
        far = S3Store("tomotheca", prefix=f"{TOMOGRAM}.zarr", endpoint=server.s3, region="us-east-1", skip_signature=True, client_options={"allow_http": True})  # fmt: skip
        other = zarr.open_group(ObjectStore(far, read_only=True), mode="r")
        np.testing.assert_array_equal(other["0"][3], volume()[3])  # type: ignore[index]
        files = httpx.get(f"{server.url}/api/v1/tomograms/1/manifest.json").json()["files"]
        run_cli("download", "TM-1", "--from", server.url, "--to", tmp_path, "--format", "zarr", check=True)
    brought = {str(p.relative_to(tmp_path)): p.stat().st_size for p in tmp_path.rglob("*.zarr/**/*") if p.is_file()}
    assert brought == {f["path"]: f["size"] for f in files if f["path"].startswith(f"{TOMOGRAM}.zarr/")}
    with omezarr.Reader(tmp_path / f"{TOMOGRAM}.zarr") as reader:
        np.testing.assert_array_equal(np.concatenate(list(reader.slabs(50))), volume())


def test_zarr_0_5_is_clean_for_the_doctor(portals: Portals, copy: Path) -> None:
    new, old = (Archive(root / "archive", {}).examine(thorough=True) for root in (portals.new, portals.old))
    assert {(p.rule, p.where) for p in new} == {(p.rule, p.where) for p in old}
    assert not [p for p in new if p.rule.startswith(("zarr.", "volume.", "manifest.", "mrc."))]
    archive = Archive(copy / "archive", {})
    level, image = f"{TOMOGRAM}.zarr/1/zarr.json", f"{TOMOGRAM}.zarr/zarr.json"

    def shards(document: Any) -> None:
        document["codecs"][0]["configuration"]["chunk_shape"] = [64, 64, 60]

    def moved(document: Any) -> None:
        document["attributes"]["ome"]["multiscales"][0]["datasets"][1]["coordinateTransformations"].pop()

    breaks = {
        "zarr.chunks": lambda: archive.edit(level, shards),
        "zarr.translation": lambda: archive.edit(image, moved),
        "zarr.children": lambda: archive.write(f"{TOMOGRAM}.zarr/.zgroup", b"{}"),
        "zarr.readable": lambda: archive.remove(level),
        "zarr.halving": lambda: archive.edit(level, lambda d: d.update(shape=[5, 6, 8])),
    }
    for rule, spoil in breaks.items():
        spoil()
        assert {p.rule for p in archive.examine("zarr.*")} >= {rule}
        archive.restore()
    assert archive.examine("zarr.*") == ()


def test_zarr_0_5_is_adopted_where_it_lies(copy: Path, tmp_path: Path, doors: tuple[TestClient, TestClient]) -> None:
    theirs = copy / "archive"
    strip(theirs)
    assert said("adopt", str(theirs), "--root", str(tmp_path / "ours"))["written"] > 0
    with TestClient(create_app(Settings(root=tmp_path / "ours")), base_url="http://portal.test") as door:
        path = f"/files/{TOMOGRAM}.zarr/zarr.json"
        assert door.get(path).content == doors[0].get(path).content
        state = door.get("/api/v1/viewer/runs/1/state.json").text
        assert state.count("zarr3:///files/") == 3
        picture = "/tomograms/1/slice.webp?axis=y&index=77&contrast=full"
        assert door.get(picture).content == doors[0].get(picture).content


def test_volumes_in_place_remain_0_4(portals: Portals, tmp_path: Path) -> None:
    done = portals.ingest(tmp_path, "--in-place", "--zarr", "0.5", "--run", "TS_1")
    notes = [f["message"] for f in done["findings"] if f["where"] == "--zarr"]
    assert notes == [
        "volumes that stay in their place remain OME-Zarr 0.4: their level 0 is the source, cut into sections."
    ]
    kinds = {path.name: {p.name for p in path.rglob("*")} & {"zarr.json", ".zattrs"} for path in images(tmp_path)}
    assert kinds["TS_1.zarr"] == {".zattrs"}
    assert kinds["membrane-1.0_segmentationmask.zarr"] == {"zarr.json"}
    assert portals.ingest(tmp_path, "--in-place", "--zarr", "0.5", "--run", "TS_1")["written"] == 0


def test_other_versions_and_odd_settings_are_refused(portals: Portals, tmp_path: Path) -> None:
    for words, setting, sentence in (
        (["--zarr", "0.6"], "", "0.6 is none of 0.4, 0.5"),
        ([], "zarr = 0.6", "setting zarr"),
        ([], "zarr_chunk = 48", "match pattern '^(16|32|64|128|256)$'"),
        ([], 'zarr_codec = "pickle"', "setting zarr_codec"),
    ):
        (tmp_path / "tomotheca.toml").write_text(setting)
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            assert run(["ingest", str(portals.lab.path), "--root", str(tmp_path), *words]) == 2
        assert sentence in " ".join(err.getvalue().replace("│", " ").split())
    assert not (tmp_path / "archive").exists()
