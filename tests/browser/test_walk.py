"""A visitor's walk through the demo portal, in a real browser: home, browse, filter, dataset, run, drawer, download, viewer."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Page, expect
from tests.browser.portal import TOKEN

if TYPE_CHECKING:
    from tests.browser.conftest import PageLog

pytestmark = pytest.mark.browser

VIEWER_PATIENCE = 120_000
HIDDEN = 10003


def to_run(page: Page, portal: str) -> None:
    """Home, browse, filter, dataset, run."""
    page.goto(portal)
    page.get_by_role("link", name="Browse data", exact=True).first.click()
    expect(page).to_have_url(re.compile("/browse-data/datasets"))
    expect(page.locator("table tbody tr")).to_have_count(3)
    page.get_by_role("group", name="Organism name").get_by_label("Schizosaccharomyces pombe").check()
    if page.get_by_role("button", name="Apply").is_visible():
        page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"organism=Schizosaccharomyces(\+|%20)pombe"))
    expect(page.locator("table tbody tr")).to_have_count(1)
    page.locator("table tbody tr").get_by_role(
        "link", name=re.compile("^Simulated cryo-electron tomograms")
    ).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Schizosaccharomyces pombe")
    page.get_by_role("link", name="TS_001", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("TS_001"))


def test_s8_v1_walk_from_home_to_the_viewer(page: Page, page_log: PageLog, portal: str) -> None:
    to_run(page, portal)
    page.get_by_role("link", name="View all info", exact=False).first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_be_visible()
    expect(drawer).to_contain_text("Tilting scheme")
    page.keyboard.press("Escape")
    expect(drawer).not_to_be_visible()

    page.get_by_role("link", name="Tomograms", exact=False).first.click()
    page.locator("table tbody tr").first.get_by_role("link", name="Download").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text("SHA-256")
    page.keyboard.press("Escape")

    page.get_by_role("link", name="View tomogram").first.click()
    viewer = page.frame_locator("iframe")
    expect(viewer.locator("html")).to_have_attribute("data-ready", "true", timeout=VIEWER_PATIENCE)
    layers = json.loads(str(viewer.locator("html").get_attribute("data-layers")))
    assert layers[0].startswith("TS_001")
    with urlopen(f"{portal}/runs/1.json") as answer:
        annotated = {one["name"] for one in json.loads(answer.read())["objects"]}
    assert annotated
    assert all(any(name in layer for layer in layers) for name in annotated)
    assert page_log.foreign(portal) == []
    assert page_log.violations() == []
    assert page_log.errors == []


LEVELS = """() => {
  const image = viewer.layerManager.managedLayers[0].layer.dataSources[0].loadState.subsources[0];
  const options = { displayRank: 3, multiscaleToViewTransform: new Float32Array([1, 0, 0, 0, 1, 0, 0, 0, 1]), modelChannelDimensionIndices: [] };
  return image.subsourceEntry.subsource.volume.getSources(options)[0].map((level) => Array.from(level.chunkToMultiscaleTransform));
}"""
"""The viewer's own transforms, one per pyramid level: column-major, from voxels of a level (x, y, z) to voxels of level 0 (z, y, x)."""


def test_a_voxel_and_a_point_are_in_one_place_at_every_level(page: Page, portal: str) -> None:
    page.goto(f"{portal}/view/runs/1")
    viewer = page.frame_locator("iframe")
    expect(viewer.locator("html")).to_have_attribute("data-ready", "true", timeout=VIEWER_PATIENCE)
    frame = next(f for f in page.frames if "/viewer/" in f.url)
    levels = frame.evaluate(LEVELS)
    assert len(levels) >= 3
    for number, matrix in enumerate(levels):
        factor = 2**number
        marked = [16, 24, 8]  # x, y, z of the first voxel of a block that is one voxel of this level
        seen = [m / factor + 0.5 for m in marked]  # the viewer counts from the corner of a voxel
        found = [
            sum(matrix[4 * column + row] * seen[column] for column in range(3)) + matrix[12 + row] for row in range(3)
        ]
        meant = [m + (factor - 1) / 2 for m in reversed(marked)]
        assert max(abs(a - b) for a, b in zip(found, meant, strict=True)) < 0.05

    with urlopen(f"{portal}/api/v1/viewer/runs/1/state.json") as answer:
        state = json.loads(answer.read())
    points = next(layer["annotations"] for layer in state["layers"] if layer["type"] == "annotation")
    identifier = re.search(
        r"AN-(\d+)", next(layer["name"] for layer in state["layers"] if layer["type"] == "annotation")
    )
    assert identifier
    query = """query($annotation: Int) {
      annotationFiles(where: {format: {_eq: "ndjson"}, annotationShape: {annotationId: {_eq: $annotation}}}) { httpsPath }
    }"""
    asked = json.dumps({"query": query, "variables": {"annotation": int(identifier[1])}})
    request = Request(f"{portal}/graphql", asked.encode(), {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        path = json.loads(answer.read())["data"]["annotationFiles"][0]["httpsPath"]
    with urlopen(path) as answer:
        first = json.loads(answer.readline())["location"]
    drawn = next(p["point"] for p in points if p["type"] == "point")
    assert drawn == pytest.approx([first["x"], first["y"], first["z"]], abs=0.05)


def test_a_hidden_dataset_is_seen_by_the_curator_alone(page: Page, portal: str) -> None:
    page.goto(f"{portal}/datasets/{HIDDEN}")
    expect(page.get_by_role("heading", level=1)).not_to_contain_text("Simulated")
    page.goto(f"{portal}/login")
    page.locator("input[type=password]").fill(TOKEN)
    page.get_by_role("button", name=re.compile("sign in|log in", re.IGNORECASE)).click()
    page.goto(f"{portal}/datasets/{HIDDEN}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Simulated")
    page.get_by_role("link", name="View tomogram").first.click()
    viewer = page.frame_locator("iframe")
    expect(viewer.locator("html")).to_have_attribute("data-ready", "true", timeout=VIEWER_PATIENCE)


@pytest.mark.parametrize(
    "door",
    [
        "/datasets/{}", "/datasets/{}.json", "/browse-data/datasets.json?dataset_id={}", "/files/{}/dataset_metadata.json",
        "/s3/tomotheca/{}/dataset_metadata.json", "/id/DS-{}", "/api/v1/datasets/{}/manifest.json",
    ],
)  # fmt: skip
def test_no_door_gives_the_hidden_dataset_away(portal: str, door: str) -> None:
    def ask(headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            with urlopen(Request(portal + door.format(HIDDEN), headers=headers)) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            return error.code, error.read()

    status, body = ask({})
    assert status == 404 or b"apoferritin" not in body
    assert b"Simulated" not in body
    status, body = ask({"Authorization": f"Bearer {TOKEN}"})
    assert status == 200
