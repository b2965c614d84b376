"""Label images, meshes and captions that were ingested: downloaded by the official client, and shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import cryoet_data_portal as portal
import mrcfile
import numpy as np
import pytest
import zarr
from tests.api.serving import Running, World, run_cli, serving
from tests.ingest import surfaces
from tests.ingest.conftest import Lab, annotation

from tomotheca.formats import meshes, mrc
from tomotheca.formats.omezarr.attributes import colours
from tomotheca.store.files import LocalFiles

FOLDER = "10900/TS_1/Reconstructions/VoxelSpacing10.000"
CAPTION = b'{"caption": "a lamella"}\n'


def labels() -> np.ndarray:
    made = np.zeros((8, 12, 16), np.uint16)
    made[2:4, 3:5, 5:8] = 7
    made[6, 6:8, 6:8] = 300
    return made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    lab = Lab(tmp_path_factory.mktemp("shapes"))
    lab.root.mkdir(parents=True)
    lab.add("TS_1")
    mrc.write(lab.root / "masks/labels.mrc", labels(), voxel_size=10.0)
    surfaces.obj(lab.root / "cell.obj")
    (lab.root / "text.json").write_bytes(CAPTION)
    instances = {"InstanceSegmentationMask": {"file_format": "mrc", "glob_string": "masks/labels.mrc"}}
    mesh = {"TriangularMesh": {"file_format": "obj", "glob_string": "cell.obj", "scale_factor": 10}}
    words = {"GlobalCaption": {"file_format": "saber", "glob_string": "text.json"}}
    own = {"file_format": "saber", "glob_string": "text.json", "companion_shape": "TriangularMesh"}
    lab.config["annotations"] = [
        annotation("vesicle-1", "vesicle", [instances]),
        annotation("cell-1", "cell", [mesh, words, {"AnnotationCaption": own}]),
    ]
    for name in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments"):
        del lab.config[name]
    root = lab.folder / "root"
    run_cli("ingest", lab.save(), "--source", lab.folder / "source", "--root", root, "--workers", "1", check=True)
    with serving(World(root, LocalFiles(root / "archive"))) as found:
        yield found


@pytest.fixture
def client(running: Running, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ENDPOINT_URL", "BOTO_SIGNATURE_VERSION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BOTO_ENDPOINT_URL", running.s3)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return portal.Client(url=f"{running.url}/graphql")


def one(client: Any, name: str) -> Any:
    (found,) = portal.Annotation.find(client, [portal.Annotation.object_name == name])
    return found


def test_a_label_image(client: Any, tmp_path: Path) -> None:
    vesicle = one(client, "vesicle")
    assert vesicle.object_count == 2
    assert [s.shape_type for s in vesicle.annotation_shapes] == ["InstanceSegmentationMask"]
    vesicle.download(dest_path=str(tmp_path), format="mrc", shape="InstanceSegmentationMask")
    vesicle.download(dest_path=str(tmp_path), format="zarr", shape="InstanceSegmentationMask")
    with mrcfile.open(tmp_path / "vesicle-1.0_instancesegmentationmask.mrc") as file:
        assert file.data.dtype == np.uint16
        np.testing.assert_array_equal(file.data, labels())
    group = zarr.open_group(tmp_path / "vesicle-1.0_instancesegmentationmask.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][:], labels())


def test_a_mesh_and_its_captions(client: Any, running: Running, tmp_path: Path) -> None:
    cell = one(client, "cell")
    assert {s.shape_type for s in cell.annotation_shapes} == {"Mesh", "GlobalCaption", "AnnotationCaption"}
    files = {
        f.annotation_shape.shape_type: f
        for f in portal.AnnotationFile.find(client, [portal.AnnotationFile.annotation_shape.annotation_id == cell.id])
    }
    assert {shape: f.format for shape, f in files.items()} == {
        "Mesh": "glb",
        "GlobalCaption": "json",
        "AnnotationCaption": "json",
    }
    cell.download(dest_path=str(tmp_path), format="glb", shape="Mesh")
    got = (tmp_path / "cell-1.0_triangularmesh.glb").read_bytes()
    assert got == (running.world.root / "archive" / FOLDER / "Annotations/101/cell-1.0_triangularmesh.glb").read_bytes()
    mesh = meshes.read(tmp_path / "cell-1.0_triangularmesh.glb", "glb")
    wanted = surfaces.corners(surfaces.VERTICES * 10, surfaces.TRIANGLES)
    np.testing.assert_allclose(surfaces.corners(mesh.vertices, mesh.triangles), wanted, atol=1e-3)
    for shape, end in (("GlobalCaption", "globalcaption"), ("AnnotationCaption", "triangularmesh_caption")):
        with urlopen(files[shape].https_path) as answer:
            assert answer.read() == CAPTION
        assert files[shape].https_path.endswith(f"/cell-1.0_{end}.json")


def test_the_whole_spacing(client: Any, running: Running, tmp_path: Path) -> None:
    (spacing,) = portal.TomogramVoxelSpacing.find(client)
    spacing.download_everything(dest_path=str(tmp_path))
    got = {p.name: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and "NeuroglancerPrecompute" in p.parts}
    assert got.keys() >= {"info", "1", "1:0"}
    folder = running.world.root / "archive" / FOLDER / "NeuroglancerPrecompute/101-cell-1.0_triangularmesh"
    assert got["1"] == (folder / "1").read_bytes()


def test_the_layers_of_the_viewer(running: Running) -> None:
    with urlopen(f"{running.url}/api/v1/viewer/runs/1/state.json") as answer:
        layers = {e["name"].partition(" ")[0]: e for e in json.loads(answer.read())["layers"][1:]}
    assert layers.keys() == {"vesicle", "cell"}
    red, green, blue = colours([7])[0]
    label = layers["vesicle"]
    assert (label["type"], label["visible"]) == ("segmentation", True)
    assert label["source"] == f"zarr2:///files/{FOLDER}/Annotations/100/vesicle-1.0_instancesegmentationmask.zarr/"
    assert label["segmentColors"].keys() == {"7", "300"}
    assert label["segmentColors"]["7"] == f"#{red:02x}{green:02x}{blue:02x}"
    mesh = layers["cell"]
    assert (mesh["type"], mesh["segments"]) == ("segmentation", ["1"])
    assert mesh["source"] == f"precomputed:///files/{FOLDER}/NeuroglancerPrecompute/101-cell-1.0_triangularmesh/"
    with urlopen(f"{running.url}{mesh['source'].removeprefix('precomputed://')}1:0") as answer:
        assert json.loads(answer.read()) == {"fragments": ["1"]}


def test_the_doctor_finds_nothing(running: Running) -> None:
    for more in ((), ("--profile", "cz")):
        report = json.loads(run_cli("doctor", "--root", running.world.root, "--json", *more).stdout)
        assert [f for f in report["findings"] if "/Annotations/" in json.dumps(f)] == []


def test_pages_name_the_shapes(running: Running) -> None:
    with urlopen(f"{running.url}/runs/1") as answer:
        text = answer.read().decode()
    for word in ("Instance segmentation mask", "Mesh", "Tomogram caption", "Annotation caption"):
        assert word in text
