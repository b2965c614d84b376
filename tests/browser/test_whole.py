"""Everything that is taken in, in the viewer: a layer of each shape drawn on the voxel that it annotates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.serving import run_cli
from tests.browser.portal import served
from tests.browser.test_points import middle, open_layer
from tests.ingest import whole
from tests.ingest.whole import ANNOTATIONS, RUNS, written

from tomotheca.web import assets

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.browser.conftest import PageLog

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not assets.is_built(), reason="the browser assets were not built"),
]

SHOWN = {shape: number for number, (shape, _, _, _) in reversed(list(enumerate(ANNOTATIONS))) if "Mesh" not in shape}
"""The first annotation of each shape that is drawn in a slice."""


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    lab = whole.whole(tmp_path_factory.mktemp("whole"))
    config = written(lab.folder / "first.yaml", lab.config)
    root = lab.folder / "root"
    words = ("--source", lab.folder / "source", "--root", root, "--workers", "1", "--run", f"^{RUNS[0]}$")
    run_cli("ingest", config, *words, check=True)
    with served(root) as address:
        yield address


def test_every_annotation_is_a_layer(state: dict[str, Any]) -> None:
    names = [layer["name"] for layer in state["layers"]]
    missing = [
        f"{shape} {number}"
        for number, (shape, _, _, _) in enumerate(ANNOTATIONS)
        if not any(f"{shape} {number} " in f"{n} " for n in names)
    ]
    assert missing == []


@pytest.mark.parametrize("shape", SHOWN)
def test_a_layer_of_each_shape_is_on_its_voxel(
    page: Page, page_log: PageLog, portal: str, state: dict[str, Any], shape: str
) -> None:
    name = f"{shape} {SHOWN[shape]} "
    number = next(i for i, layer in enumerate(state["layers"]) if layer["name"].startswith(name))
    open_layer(page, portal, state, number)
    assert middle(page) == pytest.approx((0, 0), abs=0.05)
    assert page_log.foreign(portal) == []
    assert page_log.errors == []
