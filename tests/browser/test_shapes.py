"""Label images, masks and meshes in the viewer: drawn where the voxels of the tomogram are, from an archive that was ingested."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from scipy.spatial.transform import Rotation
from tests.api.serving import run_cli
from tests.browser.portal import served
from tests.browser.test_points import PIXELS, PLACE, READY, middle, open_layer
from tests.formats import picks
from tests.ingest.conftest import Lab, annotation

from tomotheca.formats import mrc
from tomotheca.web import assets

if TYPE_CHECKING:
    from tests.browser.conftest import PageLog

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not assets.is_built(), reason="the browser assets were not built"),
]

CUBE = [(x, y, z) for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)]
SIDES = [(1, 3, 4, 2), (5, 6, 8, 7), (1, 2, 6, 5), (3, 7, 8, 4), (1, 5, 7, 3), (2, 4, 8, 6)]
"""Corners of the cube, counted from 1."""


def one_voxel(shape: tuple[int, ...], place: tuple[int, ...], value: float, dtype: str) -> np.ndarray:
    volume = np.zeros(shape, dtype)
    volume[place[::-1]] = value
    return volume


def prepare(lab: Lab) -> None:
    """One bright voxel, and a label image, masks and a mesh of that voxel alone."""
    mrc.write(lab.root / "tomograms/TS_1.rec", one_voxel((8, 12, 16), PLACE, 100, "f4"), voxel_size=10.0)
    mrc.write(lab.root / "masks/TS_1.mrc", one_voxel((8, 12, 16), PLACE, 1, "i1"), voxel_size=10.0)
    mrc.write(lab.root / "masks/labels.mrc", one_voxel((8, 12, 16), PLACE, 300, "u2"), voxel_size=10.0)
    fine = np.zeros((16, 24, 32), np.int16)
    fine[tuple(slice(2 * i, 2 * i + 2) for i in PLACE[::-1])] = 1
    mrc.write(lab.root / "masks/fine.mrc", fine, voxel_size=5.0)
    corners = [f"v {10 * (x + dx)} {10 * (y + dy)} {10 * (z + dz)}" for x, y, z in [PLACE] for dx, dy, dz in CUBE]
    (lab.root / "cube.obj").write_text("\n".join([*corners, *("f " + " ".join(map(str, s)) for s in SIDES)]) + "\n")
    mask = {"file_format": "mrc", "glob_string": "masks/TS_1.mrc"}
    lab.config["annotations"] = [
        annotation("mask-1", "mask", [{"SemanticSegmentationMask": mask}]),
        annotation("fine-1", "fine", [{"SemanticSegmentationMask": {**mask, "glob_string": "masks/fine.mrc", "rescale": True}}]),
        annotation("labels-1", "labels", [{"InstanceSegmentationMask": {**mask, "glob_string": "masks/labels.mrc"}}]),
        annotation("cube-1", "cube", [{"TriangularMesh": {"file_format": "obj", "glob_string": "cube.obj"}}]),
        annotation("turned-1", "turned", [{"OrientedPoint": {"file_format": "copick", "glob_string": "turned.json", "mesh_source_path": "small.obj"}}]),
    ]  # fmt: skip
    small = [f"v {10 * dx} {10 * dy} {10 * dz}" for dx, dy, dz in CUBE]
    (lab.root / "small.obj").write_text("\n".join([*small, *("f " + " ".join(map(str, s)) for s in SIDES)]) + "\n")
    picks.write(
        lab.root / "turned.json",
        picks.copick(np.array(PLACE, float), Rotation.from_euler("z", 90, degrees=True).as_matrix()),
    )
    for name in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments"):
        del lab.config[name]


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    lab = Lab(tmp_path_factory.mktemp("shapes"))
    lab.root.mkdir(parents=True)
    lab.add("TS_1")
    prepare(lab)
    root = lab.folder / "root"
    words = ["ingest", str(lab.save()), "--source", str(lab.folder / "source"), "--root", str(root), "--workers", "1"]
    done = run_cli(*words)
    assert done.returncode == 0, done.stderr
    with served(root) as address:
        yield address


def number(state: dict[str, Any], name: str) -> int:
    return next(i for i, layer in enumerate(state["layers"]) if layer["name"].startswith(f"{name} "))


@pytest.mark.parametrize("name", ["TS_1", "mask", "fine", "labels"])
def test_voxels_are_drawn_where_the_tomogram_has_them(
    page: Page, page_log: PageLog, portal: str, state: dict[str, Any], name: str
) -> None:
    open_layer(page, portal, state, number(state, name))
    assert middle(page) == pytest.approx((0, 0), abs=0.05)
    assert page_log.foreign(portal) == []
    assert page_log.errors == []


VIEWS = {"xy": [0, 0, 0, 1], "zy": [0, 0.5**0.5, 0, 0.5**0.5]}
"""Orientations of the view in three dimensions: along z and along x."""


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", ["cube", "turned"])
def test_a_mesh_is_drawn_around_its_voxel(
    page: Page, page_log: PageLog, portal: str, state: dict[str, Any], view: str, name: str
) -> None:
    layer = {**state["layers"][number(state, name)], "visible": True}
    assert layer["type"] == "segmentation"
    near = {
        "dimensions": state["dimensions"], "position": list(PLACE), "layout": {"type": "3d", "orthographicProjection": True}, "layers": [layer],
        "projectionScale": 900 / PIXELS, "projectionOrientation": VIEWS[view], "showAxisLines": False, "showScaleBar": False,
        "projectionBackgroundColor": "#000000",
    }  # fmt: skip
    page.goto("about:blank")
    page.goto(f"{portal}{assets.VIEWER_URL}#!{quote(json.dumps(near))}")
    expect(page.locator("html")).to_have_attribute("data-ready", "true", timeout=READY)
    assert middle(page) == pytest.approx((0, 0), abs=0.05)
    assert page_log.foreign(portal) == []
    assert page_log.errors == []
