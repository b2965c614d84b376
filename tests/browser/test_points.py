"""Precomputed annotations in the viewer: drawn where the voxels of the tomogram are, from an archive that was ingested."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from tests.api.serving import run_cli
from tests.browser.portal import served
from tests.formats import picks
from tests.ingest.conftest import Lab, annotation

from tomotheca.formats import mrc
from tomotheca.web import assets

if TYPE_CHECKING:
    from tests.browser.conftest import PageLog

READY = 120_000
PATIENCE = 60.0
PLACE = (9, 5, 4)
"""Of the one bright voxel, of the picks and of the particle; x, y, z."""

PIXELS = 40
"""Of the screen, for one voxel."""

COUNT = 400

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not assets.is_built(), reason="the browser assets were not built"),
]


def prepare(lab: Lab) -> None:
    """One bright voxel, and points of three kinds on it, with many others in a corner of another slice."""
    volume = np.zeros((8, 12, 16), np.float32)
    volume[PLACE[::-1]] = 100
    mrc.write(lab.root / "tomograms/TS_1.rec", volume, voxel_size=10.0)
    x, y, z = PLACE
    away = "1,1,0\n" * COUNT
    (lab.root / "picks/TS_1.csv").write_text(f"{away}{x},{y},{z}\n")
    columns = ("rlnTomoName", *picks.COORDINATES, *picks.ANGLES)
    head = "".join(f"_{name} #{number}\n" for number, name in enumerate(columns, start=1))
    rows = "TS_1 1 1 0 0 0 0\n" * COUNT + f"TS_1 {x} {y} {z} 0 0 0\n"
    (lab.root / "picks/all.star").write_text(f"data_particles\n\nloop_\n{head}{rows}\n")
    traced = f"IDs,X [A],Y [A],Z [A]\n1,10,10,0\n2,{10 * x},{10 * y},{10 * z}\n"
    (lab.root / "picks/traced.csv").write_text(traced)
    source = {"file_format": "tardis", "glob_string": "picks/traced.csv"}
    lab.config["annotations"] = [
        *lab.config["annotations"][:2],
        annotation("filament-1", "filament", [{"InstanceSegmentation": source}]),
    ]
    for name in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments"):
        del lab.config[name]


@pytest.fixture(scope="module", params=["--copy", "--in-place"])
def portal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    lab = Lab(tmp_path_factory.mktemp("points"))
    lab.root.mkdir(parents=True)
    lab.add("TS_1")
    prepare(lab)
    root = lab.folder / "root"
    words = [
        "ingest",
        str(lab.save()),
        "--source",
        str(lab.folder / "source"),
        "--root",
        str(root),
        "--workers",
        "1",
        request.param,
    ]
    done = run_cli(*words)
    assert done.returncode == 0, done.stderr
    with served(root) as address:
        yield address


def open_layer(page: Page, portal: str, state: dict[str, Any], number: int) -> None:
    """Open one layer alone, in a slice through the place, so near that a voxel is a square of many pixels."""
    layer = {**state["layers"][number], "visible": True}
    near = {
        "dimensions": state["dimensions"], "position": list(PLACE), "crossSectionScale": 1 / PIXELS, "layout": "xy", "layers": [layer],
        "showAxisLines": False, "showScaleBar": False, "crossSectionBackgroundColor": "#000000",
    }  # fmt: skip
    page.goto("about:blank")
    page.goto(f"{portal}{assets.VIEWER_URL}#!{quote(json.dumps(near))}")
    expect(page.locator("html")).to_have_attribute("data-ready", "true", timeout=READY)


def middle(page: Page) -> tuple[float, float]:
    """Where the middle of what is drawn lies, in voxels from the middle of the panel, x and y."""
    box = page.locator(".neuroglancer-rendered-data-panel").bounding_box()
    assert box
    half = 3 * PIXELS
    left, top = round(box["x"] + box["width"] / 2) - half, round(box["y"] + box["height"] / 2) - half
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        clip: Any = {"x": left, "y": top, "width": 2 * half, "height": 2 * half}
        image = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")).max(axis=2)
        ys, xs = np.nonzero(image > 60)
        if len(xs) > 20:
            return (xs.mean() + 0.5 + left - box["x"] - box["width"] / 2) / PIXELS, (
                ys.mean() + 0.5 + top - box["y"] - box["height"] / 2
            ) / PIXELS
        time.sleep(0.2)
    raise AssertionError("nothing is drawn at the place")


def test_points_are_drawn_on_their_voxel(page: Page, page_log: PageLog, portal: str, state: dict[str, Any]) -> None:
    sources = {layer["name"].partition(" ")[0]: layer["source"] for layer in state["layers"][1:]}
    assert sources.keys() == {"Ribosome", "spike", "filament"}
    assert all(source.startswith("precomputed:///files/10900/TS_1/") for source in sources.values())
    open_layer(page, portal, state, 0)
    assert middle(page) == pytest.approx((0, 0), abs=0.05)
    for number in (1, 2, 3):
        open_layer(page, portal, state, number)
        assert middle(page) == pytest.approx((0, 0), abs=0.05), state["layers"][number]["name"]
    asked = [url for url in page_log.requests if "NeuroglancerPrecompute" in url]
    assert any(url.endswith("/spatial0/0_0_0") for url in asked)
    assert page_log.foreign(portal) == []
    assert page_log.errors == []
