"""OME-Zarr 0.5 in the viewer: a tomogram, a mask and a label image of files with several chunks, each drawn on its voxel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.api.serving import run_cli
from tests.browser.portal import served
from tests.browser.test_points import PLACE, middle, open_layer
from tests.ingest.conftest import Lab, annotation

from tomotheca.formats import mrc
from tomotheca.web import assets

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.browser.conftest import PageLog

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not assets.is_built(), reason="the browser assets were not built"),
]


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    lab = Lab(tmp_path_factory.mktemp("zarr5"))
    lab.root.mkdir(parents=True)
    lab.add("TS_1")
    bright = np.zeros((20, 40, 70), np.float32)
    bright[PLACE[::-1]] = 100
    for path, volume in (
        ("tomograms/TS_1.rec", bright),
        ("masks/TS_1.mrc", (bright > 0).astype(np.int8)),
        ("labels.mrc", 3 * bright.astype(np.uint16)),
    ):
        mrc.write(lab.root / path, volume, voxel_size=10.0)
    numbered = {"InstanceSegmentationMask": {"file_format": "mrc", "glob_string": "labels.mrc"}}
    lab.config["annotations"] = [lab.config["annotations"][2], annotation("vesicle-1", "vesicle", [numbered])]
    for name in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments"):
        del lab.config[name]
    root = lab.folder / "root"
    words = ("--source", lab.folder / "source", "--root", root, "--workers", "1", "--zarr", "0.5")
    root.mkdir()
    (root / "tomotheca.toml").write_text("zarr_chunk = 16\n")
    run_cli("ingest", lab.save(), *words, check=True)
    with served(root) as address:
        yield address


def test_v15_layers_of_zarr_0_5_are_drawn_on_their_voxel(
    page: Page, page_log: PageLog, portal: str, state: dict[str, Any]
) -> None:
    assert [layer["source"].partition(":")[0] for layer in state["layers"]] == ["zarr3"] * 3
    for number in range(3):
        open_layer(page, portal, state, number)
        assert middle(page) == pytest.approx((0, 0), abs=0.05), state["layers"][number]["name"]
    assert any(url.endswith("TS_1.zarr/0/c/0/0/0") for url in page_log.requests)
    assert page_log.foreign(portal) == []
    assert page_log.errors == []
