"""Meshes of every format, from the lab's files to binary glTF and to what the viewer opens."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.ingest import surfaces
from tests.ingest.conftest import Lab, annotation
from tests.ingest.surfaces import TRIANGLES, VERTICES, WRITERS, corners

from tomotheca.errors import FormatError
from tomotheca.formats import meshes

SPACING = "10900/TS_1/Reconstructions/VoxelSpacing10.000"
GLB = f"{SPACING}/Annotations/100/one-1.0_triangularmesh.glb"
SHOWN = f"{SPACING}/NeuroglancerPrecompute/100-one-1.0_triangularmesh"
SCALE = 12.5


def prepare(case: str, path: Path) -> str:
    """Write the surface; give its format."""
    if case == "hff":
        pytest.importorskip("h5py")
    file_format, write = WRITERS[case]
    write(path)
    return file_format


def only(lab: Lab, path: Path, file_format: str, **source: Any) -> None:
    """Leave one annotation, of one mesh; nothing of the tilt series."""
    shape = "TriangularMeshGroup" if file_format == "hff" else "TriangularMesh"
    more = {"name": "membrane"} if file_format == "hff" else {}
    given = {"file_format": file_format, "glob_string": path.relative_to(lab.root).as_posix(), **more, **source}
    lab.config["annotations"] = [annotation("one-1", "one", [{shape: given}])]
    for name in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments"):
        lab.config.pop(name, None)


def shown(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read what the viewer opens, as the format's documentation says: vertices in nm, triangles."""
    assert json.loads((folder / "info").read_text()) == {"@type": "neuroglancer_legacy_mesh"}
    (fragment,) = json.loads((folder / "1:0").read_text())["fragments"]
    data = (folder / fragment).read_bytes()
    (count,) = struct.unpack_from("<I", data)
    end = 4 + 12 * count
    return np.frombuffer(data[4:end], "<f4").reshape(-1, 3), np.frombuffer(data[end:], "<u4").reshape(-1, 3)


def written(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a binary glTF file as the specification says, as far as the program uses it: vertices, triangles."""
    data = path.read_bytes()
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    document, begin = json.loads(data[20 : 20 + length]), 28 + length
    assert struct.unpack_from("<I4s", data, 20 + length) == (document["buffers"][0]["byteLength"], b"BIN\0")
    found = []
    for accessor, dtype in zip(document["accessors"], ("<f4", "<u4"), strict=True):
        view = document["bufferViews"][accessor["bufferView"]]
        found.append(np.frombuffer(data, dtype, view["byteLength"] // 4, begin + view["byteOffset"]).reshape(-1, 3))
    assert document["accessors"][0]["min"] == found[0].min(axis=0).tolist()
    assert document["accessors"][0]["max"] == found[0].max(axis=0).tolist()
    return found[0], found[1]


@pytest.mark.parametrize("case", WRITERS)
def test_every_format(lab: Lab, case: str) -> None:
    path = lab.root / f"mesh-{case}"
    only(lab, path, prepare(case, path), scale_factor=SCALE)
    result = lab.ingest()
    assert [f for f in result.findings if f.severity != "note"] == []
    np.testing.assert_allclose(corners(*written(lab.archive / GLB)), corners(VERTICES * SCALE, TRIANGLES), atol=1e-3)
    np.testing.assert_allclose(
        corners(*shown(lab.archive / SHOWN)), corners(VERTICES * SCALE / 10, TRIANGLES), atol=1e-3
    )
    document = lab.read(f"{SPACING}/Annotations/100/one-1.0.json")
    (file,) = document["files"]
    assert file["format"] == "glb"
    assert file["shape"] == ("TriangularMeshGroup" if case == "hff" else "TriangularMesh")
    assert document["ids"]["annotation_shape"].keys() == {"Mesh"}


@pytest.mark.parametrize("case", ["obj", "stl", "stl-text", "glb"])
def test_other_programs_read_the_files_of_these_tests_alike(tmp_path: Path, case: str) -> None:
    path = tmp_path / f"mesh.{WRITERS[case][0]}"
    file_format = prepare(case, path)
    mine = meshes.read(path, file_format)
    np.testing.assert_allclose(corners(mine.vertices, mine.triangles), corners(VERTICES, TRIANGLES), atol=1e-4)
    other = pytest.importorskip("trimesh").load(path, force="mesh", process=False)
    np.testing.assert_allclose(corners(other.vertices, other.faces), corners(VERTICES, TRIANGLES), atol=1e-4)


def test_other_programs_read_what_is_written(lab: Lab) -> None:
    trimesh = pytest.importorskip("trimesh")
    path = lab.root / "mesh"
    only(lab, path, prepare("vtk", path), scale_factor=SCALE)
    lab.ingest()
    found = trimesh.load(lab.archive / GLB, force="mesh", process=False)
    np.testing.assert_allclose(corners(found.vertices, found.faces), corners(VERTICES * SCALE, TRIANGLES), atol=1e-3)
    assert found.is_watertight
    assert found.volume == pytest.approx(volume() * SCALE**3, rel=1e-4)


def test_a_second_time_writes_nothing_and_an_edit_writes_again(lab: Lab) -> None:
    path = lab.root / "mesh"
    only(lab, path, prepare("stl", path), scale_factor=SCALE)
    lab.ingest()
    before, numbers = lab.snapshot(), lab.identifiers()
    assert lab.ingest().written == 0
    assert lab.snapshot() == before
    only(lab, path, "stl", scale_factor=2 * SCALE, origin=[1, 2, 3])
    lab.ingest()
    assert lab.identifiers() == numbers
    wanted = (VERTICES - [1, 2, 3]) * 2 * SCALE / 10
    np.testing.assert_allclose(corners(*shown(lab.archive / SHOWN)), corners(wanted, TRIANGLES), atol=1e-3)
    lab.config["annotations"] = []
    lab.ingest()
    assert not (lab.archive / GLB).exists()
    assert not (lab.archive / SHOWN).exists()


def test_a_mirrored_mesh_keeps_its_outside_outside(lab: Lab) -> None:
    path = lab.root / "mesh"
    only(lab, path, prepare("obj", path), scale_factor=-1)
    lab.ingest()
    vertices, triangles = (a.astype(np.float64) for a in shown(lab.archive / SHOWN))
    a, b, c = (vertices[triangles[:, i].astype(int)] for i in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6 == pytest.approx(volume() / 1000, rel=1e-4)


def volume() -> float:
    """Volume of the surface, positive if its triangles look outwards."""
    a, b, c = (VERTICES[TRIANGLES[:, i]] for i in range(3))
    found = float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)
    assert found > 0
    return found


def test_polygons_and_strips_become_triangles(tmp_path: Path) -> None:
    square = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0.5 1.5 0\nf 1 2 3 \\\n5 4\n"
    (tmp_path / "a.obj").write_text(square)
    assert meshes.read(tmp_path / "a.obj", "obj").triangles.tolist() == [[0, 1, 2], [0, 2, 4], [0, 4, 3]]
    head = "# vtk DataFile Version 3.0\n\nASCII\nDATASET POLYDATA\nPOINTS 4 float\n0 0 0 1 0 0\n0 1 0 1 1 0\n"
    (tmp_path / "a.vtk").write_text(f"{head}TRIANGLE_STRIPS 1 5\n4 0 1 2 3\nPOLYGONS 2 9\n4 0 1 3 2\n3 0 1 2\n")
    found = meshes.read(tmp_path / "a.vtk", "vtk").triangles.tolist()
    assert found == [[0, 1, 2], [2, 1, 3], [0, 1, 3], [0, 3, 2], [0, 1, 2]]


VTK = "# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\n"


@pytest.mark.parametrize(
    ("file_format", "content", "words"),
    [
        ("obj", "v 1 2\nf 1 1 1\n", "line 1 is no vertex"),
        ("obj", "v 1 2 3\nf 1 two 3\n", "line 2 is no vertex"),
        ("obj", "v 1 2 3\nf 1 1 7\n", "triangle 1 has a vertex that is not among the 1"),
        ("obj", "v 1 2 3\nf 0 1 1\n", "triangle 1 has a vertex"),
        ("obj", "v 1 2 nan\nf 1 1 1\n", "is not a finite number"),
        ("obj", "v 1 2 3\n", "has no triangles"),
        ("stl", b"\0" * 80 + b"\xff\xff\xff\x7f", "its size does not fit"),
        ("stl", "solid a\nfacet normal 0 0 1\nouter loop\nvertex 1 2 3\n", "is truncated"),
        ("vtk", "# vtk DataFile Version 3.0\nx\nASCII\nDATASET STRUCTURED_POINTS\n", "give DATASET POLYDATA"),
        ("vtk", "<?xml version='1.0'?><VTKFile/>", "is no legacy VTK file"),
        ("vtk", f"{VTK}POINTS 3 float\n0 0 0 1\n", "has 4 numbers where it says 9"),
        ("vtk", f"{VTK}POINTS 1 float\n0 0 0\nPOLYGONS 1 4\n9 0 0 0\n", "do not add up"),
        ("vtk", f"{VTK}POINTS 1 float\n0 0 0\nPOLYGONS -1 4\n", "without its count"),
        ("vtk", f"{VTK.replace('ASCII', 'BINARY')}POINTS 99999999 float\n0", "is truncated"),
        ("glb", b"glTF\x02\0\0\0\xff\0\0\0", "is truncated"),
        ("glb", b"nothing", "is no binary glTF"),
    ],
)
def test_broken_files_are_refused(lab: Lab, file_format: str, content: str | bytes, words: str) -> None:
    path = lab.root / "mesh"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    only(lab, path, file_format)
    said = lab.refused()
    assert words in said
    assert str(path) in said


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("nodes", [{"children": [1]}, {"children": [0]}], "too deeply, or in a circle"),
        ("accessors", [], "is a damaged glTF file"),
        ("extensionsRequired", ["KHR_draco_mesh_compression"], "save it without compression"),
        ("buffers", [{"byteLength": 1, "uri": "http://127.0.0.1/x.bin"}], "keeps its data in another file"),
        ("bufferViews", [{"buffer": 0, "byteOffset": 1 << 40}, {"buffer": 0}], "its data ends before"),
        ("meshes", [{"primitives": [{"attributes": {"POSITION": 1}, "mode": 5}]}], "save it as triangles"),
    ],
)
def test_gltf_that_cannot_be_read_is_refused(tmp_path: Path, part: str, value: Any, words: str) -> None:
    surfaces.glb(tmp_path / "good.glb")
    data = (tmp_path / "good.glb").read_bytes()
    document = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])
    surfaces.glb(tmp_path / "a.glb", document | {part: value})
    with pytest.raises(FormatError, match=words):
        meshes.read(tmp_path / "a.glb", "glb")


def test_a_segment_that_is_not_there_is_named(lab: Lab) -> None:
    path = lab.root / "mesh"
    only(lab, path, prepare("hff", path), name="vesicle")
    assert "has no segment named 'vesicle'; it has other, membrane" in lab.refused()
    path.write_bytes(b"no HDF5")
    assert "is no EMDB-SFF file" in lab.refused()


def test_without_h5py_a_sentence_says_what_to_install(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lab.root / "mesh"
    path.write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    only(lab, path, "hff")
    assert "install tomotheca[meshes]" in lab.refused()


def test_a_mesh_larger_than_its_share_of_the_memory_is_refused(lab: Lab) -> None:
    path = lab.root / "mesh"
    prepare("stl-text", path)
    path.write_bytes(path.read_bytes() + b" " * (2 << 20))
    only(lab, path, "stl")
    assert "has 2 MiB, more than 1 MiB are not read as a mesh" in lab.refused(memory=8 << 20)


def test_a_mesh_beside_the_volume_is_said(lab: Lab) -> None:
    path = lab.root / "mesh"
    only(lab, path, prepare("obj", path), scale_factor=1000)
    assert any("it lies outside; check that scale_factor brings it to Å" in f.message for f in lab.ingest().findings)
    only(lab, path, "obj", scale_factor=0.1)
    assert any("it is smaller than a voxel" in f.message for f in lab.ingest().findings)
    only(lab, path, "obj", scale_factor=0)
    assert "scale_factor" in lab.refused()
