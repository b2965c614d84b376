"""`mesh_source_path`: a surface at every oriented point, from the lab's files to what the viewer opens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tests.api.serving import World, run_cli, serving
from tests.formats import picks
from tests.ingest.conftest import Lab, annotation
from tests.ingest.surfaces import corners
from tests.ingest.test_meshes import shown

from tomotheca.formats import meshes
from tomotheca.formats.meshes import Mesh
from tomotheca.ingest.importers import atpoints
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from pathlib import Path

SPACING = "10900/TS_1/Reconstructions/VoxelSpacing10.000"
SHOWN = f"{SPACING}/NeuroglancerPrecompute/100-one-1.0_orientedmesh"
ROWS = f"{SPACING}/Annotations/100/one-1.0_orientedpoint.ndjson"

VERTICES = np.array([[-20.0, -10, -15], [30, 0, 0], [0, 25, 0], [0, 5, 40]])
"""Å, around the origin; no axis or direction is like another."""

TRIANGLES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
PLACES = np.array([[4.5, 7.25, 2.0], [10.0, 3.0, 5.5], [1.0, 1.0, 1.0]])
TURNS = Rotation.from_euler("xyz", [[10, 50, -120], [0, 0, 90], [0, 0, 0]], degrees=True).as_matrix()


def write_mesh(path: Path, vertices: np.ndarray = VERTICES) -> None:
    lines = [f"v {x} {y} {z}" for x, y, z in vertices]
    path.write_text("\n".join([*lines, *(f"f {a + 1} {b + 1} {c + 1}" for a, b, c in TRIANGLES)]) + "\n")


def prepare(lab: Lab, **source: Any) -> None:
    """Leave one annotation, of three oriented points; nothing of the tilt series."""
    made = [json.loads(picks.copick(place, turn)) for place, turn in zip(PLACES, TURNS, strict=True)]
    content = {**made[0], "points": [one["points"][0] for one in made]}
    picks.write(lab.root / "picks/one", json.dumps(content))
    given = {"file_format": "copick", "glob_string": "picks/one", **source}
    lab.config["annotations"] = [annotation("one-1", "one", [{"OrientedPoint": given}])]
    for name in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments"):
        lab.config.pop(name, None)


def wanted(vertices: np.ndarray = VERTICES) -> np.ndarray:
    """Corners of all copies in nm: each turned by its matrix, then moved to its point."""
    turned = [Rotation.from_matrix(t).apply(vertices) + 10 * p for p, t in zip(PLACES, TURNS, strict=True)]
    return corners(np.concatenate(turned) / 10, np.concatenate([TRIANGLES + 4 * i for i in range(3)]))


def test_a_mesh_is_placed_at_every_point(lab: Lab) -> None:
    write_mesh(lab.root / "TS_1/particle.obj")
    prepare(lab, mesh_source_path="{run_name}/particle.obj")
    result = lab.ingest()
    assert [f for f in result.findings if f.severity != "note"] == []
    np.testing.assert_allclose(corners(*shown(lab.archive / SHOWN)), wanted(), atol=1e-3)
    assert len((lab.archive / ROWS).read_text().splitlines()) == 3
    sources = lab.read(f"{SPACING}/Annotations/100/one-1.0.json")["provenance"]["sources"]
    assert [s["path"] for s in sources] == ["picks/one", "TS_1/particle.obj"]


def test_other_files_of_the_language_say_the_same(lab: Lab) -> None:
    for file_format, scale in (("glb", 1.0), ("obj", 1.0)):
        path = lab.root / f"particle.{file_format}"
        if file_format == "glb":
            path.write_bytes(meshes.encode(Mesh(VERTICES * scale, TRIANGLES)))
        else:
            write_mesh(path)
        prepare(lab, mesh_source_path=path.name)
        lab.ingest()
        np.testing.assert_allclose(corners(*shown(lab.archive / SHOWN)), wanted(), atol=1e-3)


def test_an_edit_of_the_mesh_alone_changes_the_meshes_alone(lab: Lab) -> None:
    write_mesh(lab.root / "particle.obj")
    prepare(lab, mesh_source_path="particle.obj")
    lab.ingest()
    before, numbers = lab.snapshot(), lab.identifiers()
    assert lab.ingest().written == 0
    assert lab.snapshot() == before
    write_mesh(lab.root / "particle.obj", 2 * VERTICES)
    lab.ingest()
    after = lab.snapshot()
    assert lab.identifiers() == numbers
    np.testing.assert_allclose(corners(*shown(lab.archive / SHOWN)), wanted(2 * VERTICES), atol=1e-3)
    assert {key for key in before if after.get(key) == before[key]} >= {ROWS}
    prepare(lab)
    lab.ingest()
    assert not (lab.archive / SHOWN).exists()
    assert (lab.archive / ROWS).exists()


def test_the_doctor_is_content_and_the_viewer_has_a_layer(lab: Lab) -> None:
    write_mesh(lab.root / "particle.obj")
    prepare(lab, mesh_source_path="particle.obj")
    root = lab.folder / "root"
    words = ("--source", lab.folder / "source", "--root", root, "--workers", "1")
    run_cli("ingest", lab.save(), *words, check=True)
    report = json.loads(run_cli("doctor", "--root", root, "--hash", "--json").stdout)
    assert [f for f in report["findings"] if f["severity"] != "note"] == []
    with serving(World(root, LocalFiles(root / "archive"))) as server:
        with urlopen(f"{server.url}/api/v1/viewer/runs/1/state.json") as answer:
            _, mesh, points = json.load(answer)["layers"]
        with urlopen(f"{server.url}/files/{SHOWN}/1:0") as answer:
            assert json.load(answer) == {"fragments": ["1"]}
    assert mesh["name"].startswith("one · meshes at points (AN-")
    assert mesh["source"] == f"precomputed:///files/{SHOWN}/"
    assert (mesh["type"], mesh["visible"]) == ("segmentation", True)
    assert points["name"].startswith("one · oriented point")
    assert mesh["segmentColors"]["1"] == points["annotationColor"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("none.obj", "mesh_source_path none.obj is no file below the source prefix"),
        ("../other.obj", "mesh_source_path: the pattern steps out of the source"),
        ("picks", "meshes at points are read from .obj, .stl, .vtk, .glb"),
        ("{nobody}.obj", "{nobody}"),
        ("broken.obj", "triangle 1 has a vertex that is not among the 1"),
    ],
)
def test_what_is_no_mesh_is_refused(lab: Lab, path: str, words: str) -> None:
    (lab.root / "broken.obj").write_text("v 1 2 3\nf 1 1 7\n")
    prepare(lab, mesh_source_path=path)
    assert words in lab.refused()


@pytest.mark.parametrize(
    ("vertices", "words"),
    [(VERTICES + 100, "does not lie around 0, 0, 0"), (VERTICES / 10, "less than a voxel: its coordinates should be in Å")],
)  # fmt: skip
def test_a_mesh_in_another_frame_is_a_warning(lab: Lab, vertices: np.ndarray, words: str) -> None:
    write_mesh(lab.root / "particle.obj", vertices)
    prepare(lab, mesh_source_path="particle.obj")
    (finding,) = (f for f in lab.ingest().findings if f.severity == "warning")
    assert words in finding.message
    assert (lab.archive / SHOWN).is_dir()


def test_too_many_points_are_arrows_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mesh(lab.root / "particle.obj")
    prepare(lab, mesh_source_path="particle.obj")
    monkeypatch.setattr(atpoints, "MOST", 2 * meshes.FEWEST)
    (finding,) = (f for f in lab.ingest().findings if f.severity == "warning")
    assert "3 points are too many for meshes, which are shown at 2 at most" in finding.message
    assert not (lab.archive / SHOWN).exists()


def sphere(rings: int) -> Mesh:
    """A closed surface of so many rings."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False))
    found = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1)
    rows, columns = np.indices((2 * rings, rings - 1))
    a, b = rows * rings + columns, (rows + 1) % (2 * rings) * rings + columns
    triangles = np.concatenate([np.stack([a, a + 1, b], -1), np.stack([b, a + 1, b + 1], -1)])
    return Mesh(100 * found.reshape(-1, 3), triangles.reshape(-1, 3))


@pytest.mark.parametrize("most", [56, 500, 5000])
def test_a_surface_is_made_coarse_enough_and_stays_where_it_is(most: int) -> None:
    fine = sphere(100)
    coarse = meshes.coarsened(fine, most)
    assert most / 8 < len(coarse.triangles) <= most < len(fine.triangles)
    assert coarse.triangles.max() < len(coarse.vertices)
    radii = np.linalg.norm(coarse.vertices, axis=1)
    assert radii.max() <= 100 + 1e-9
    assert radii.min() > (40 if most == 56 else 80)
    np.testing.assert_allclose(coarse.vertices.mean(axis=0), 0, atol=15)
    assert meshes.coarsened(coarse, most) is coarse
