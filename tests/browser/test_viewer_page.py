"""The viewer page by itself, on a small static site under the policy that the portal sends."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numcodecs
import numpy as np
import pytest
import zarr
from playwright.sync_api import Page, expect

from tomotheca.web import assets

READY_MILLISECONDS = 60_000
SIZE = 32
VOXEL = 10e-10

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not assets.is_built(), reason="the browser assets were not built"),
]


@dataclass(frozen=True)
class Site:
    origin: str
    root: Path

    def write_state(self, name: str, *layers: dict[str, Any]) -> str:
        """Write a viewer state and return the address of the viewer that shows it."""
        dimensions = {axis: [VOXEL, "m"] for axis in "zyx"}
        state = {"dimensions": dimensions, "position": [SIZE / 2] * 3, "layers": layers, "layout": "4panel"}
        (self.root / name).write_text(json.dumps(state))
        return self.origin + assets.viewer_url(f"/{name}")


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder, and the viewer below its address."""

    def translate_path(self, path: str) -> str:
        if path.startswith(assets.VIEWER_URL):
            return str(assets.VIEWER / path.removeprefix(assets.VIEWER_URL).split("?")[0])
        return super().translate_path(path)

    def end_headers(self) -> None:
        is_viewer = self.path.startswith(assets.VIEWER_URL)
        self.send_header("Content-Security-Policy", assets.VIEWER_CSP if is_viewer else assets.PAGE_CSP)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    handler = partial(Handler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(f"http://127.0.0.1:{server.server_port}", tmp_path)
        server.shutdown()


CODECS = {
    "raw": None,
    "blosc-zstd": numcodecs.Blosc(cname="zstd", clevel=3, shuffle=numcodecs.Blosc.BITSHUFFLE),
    "zstd": numcodecs.Zstd(level=3),
}


def write_ome_zarr(folder: Path, codec: Any) -> None:
    """Write one level of noise as OME-Zarr 0.4."""
    group = zarr.create_group(folder, zarr_format=2)
    volume = np.random.default_rng(1).normal(size=(SIZE,) * 3).astype("f4")
    array = group.create_array("0", shape=volume.shape, chunks=(16,) * 3, dtype="f4", compressors=codec)
    array[:] = volume
    scale = [{"type": "scale", "scale": [10.0] * 3}]
    axes = [{"name": axis, "type": "space", "unit": "angstrom"} for axis in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    multiscale: Any = {"version": "0.4", "axes": axes, "datasets": datasets}
    group.attrs["multiscales"] = [multiscale]


def image_layer(name: str, source: str) -> dict[str, Any]:
    return {"type": "image", "name": name, "source": source}


def points_layer(name: str) -> dict[str, Any]:
    transform = {"outputDimensions": {axis: [VOXEL, "m"] for axis in "zyx"}}
    points = [{"type": "point", "id": "1", "point": [5, 6, 7]}]
    source = {"url": "local://annotations", "transform": transform}
    return {"type": "annotation", "name": name, "source": source, "annotations": points}


def expect_ready(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-ready", "true", timeout=READY_MILLISECONDS)


KEEP_MESSAGES = """
if (window === parent)
  addEventListener("message", ({ data }) => (document.documentElement.dataset[data.type] = JSON.stringify(data)));
"""


def wait_for_message(page: Page, kind: str) -> dict[str, Any]:
    """Wait until the page kept a message of this kind (see ``KEEP_MESSAGES``) and return it."""
    root = page.locator("html")
    expect(root).to_have_attribute(f"data-{kind}", re.compile("{"), timeout=READY_MILLISECONDS)
    message: dict[str, Any] = json.loads(root.get_attribute(f"data-{kind}") or "")
    return message


def expect_failure(page: Page, message: str) -> None:
    expect(page.get_by_role("alert")).to_contain_text(message, timeout=READY_MILLISECONDS)


def test_viewer_opens_every_codec_under_the_policy(site: Site, page: Page, page_log: Any) -> None:
    for name, codec in CODECS.items():
        write_ome_zarr(site.root / f"{name}.zarr", codec)
    layers = [image_layer(name, f"zarr2:///{name}.zarr/") for name in CODECS]
    page.goto(site.write_state("state.json", *layers, points_layer("picks")))
    expect_ready(page)
    assert json.loads(page.locator("html").get_attribute("data-layers") or "") == [*CODECS, "picks"]
    assert any("blosc-zstd.zarr/0/0" in url for url in page_log.requests)
    assert page_log.foreign(site.origin) == []
    assert page_log.violations() == []
    assert page_log.errors == []


def test_viewer_tells_the_page_around_it(site: Site, page: Page) -> None:
    write_ome_zarr(site.root / "a.zarr", None)
    frame = site.write_state("state.json", image_layer("a", "zarr2:///a.zarr/")).removeprefix(site.origin)
    (site.root / "index.html").write_text(f'<iframe src="{frame}" width="800" height="600"></iframe>')
    page.add_init_script(KEEP_MESSAGES)
    page.goto(site.origin)
    assert wait_for_message(page, "ready")["layers"] == ["a"]
    page.evaluate("frames[0].postMessage({type: 'get-state'}, location.origin)")
    state = wait_for_message(page, "state")["state"]
    page.evaluate("delete document.documentElement.dataset.ready")
    page.evaluate(
        "(state) => frames[0].postMessage({type: 'set-state', state}, location.origin)",
        {**state, "layers": [{**state["layers"][0], "name": "b"}]},
    )
    assert wait_for_message(page, "ready")["layers"] == ["b"]


def test_viewer_takes_a_state_from_the_fragment(site: Site, page: Page) -> None:
    write_ome_zarr(site.root / "a.zarr", None)
    state = {"layers": [image_layer("a", f"{site.origin}/a.zarr/|zarr2:")], "layout": "xy"}
    page.goto(f"{site.origin}{assets.VIEWER_URL}#!{quote(json.dumps(state))}")
    expect_ready(page)


@pytest.mark.parametrize(
    "source",
    [
        "zarr2://https://elsewhere.example/a.zarr",
        "zarr2:////elsewhere.example/a.zarr",
        "zarr2:///\\elsewhere.example/a.zarr",
        "https://elsewhere.example/a.zarr/|zarr2:",
        "/a.zarr/|https://elsewhere.example/",
        "s3://bucket/a.zarr",
        "zarr2://http://127.0.0.1.elsewhere.example/a.zarr",
    ],
)
def test_viewer_refuses_other_sites(site: Site, page: Page, page_log: Any, source: str) -> None:
    page.goto(site.write_state("state.json", image_layer("a", source)))
    expect_failure(page, "The viewer opens data of this site only")
    assert page_log.foreign(site.origin) == []


def test_accessibility_findings_are_found(site: Site, page: Page, accessibility_findings: Any) -> None:
    """Axe runs under the pages' policy: a picture without words is found, one with words is not."""
    head = '<!DOCTYPE html><html lang="en"><title>A page</title><body>'
    (site.root / "bad.html").write_text(head + '<img src="/a.png">')
    (site.root / "good.html").write_text(head + '<img src="/a.png" alt="A tomogram">')
    page.goto(f"{site.origin}/bad.html")
    assert any(finding.startswith("image-alt") for finding in accessibility_findings())
    page.goto(f"{site.origin}/good.html")
    assert accessibility_findings() == []


def test_viewer_refuses_a_state_from_another_site(site: Site, page: Page, page_log: Any) -> None:
    page.goto(site.origin + assets.viewer_url("//elsewhere.example/state.json"))
    expect_failure(page, "takes its state from this site only")
    assert page_log.foreign(site.origin) == []


def test_viewer_says_what_is_missing(site: Site, page: Page) -> None:
    page.goto(site.write_state("state.json", image_layer("a", "zarr2:///missing.zarr/")))
    expect_failure(page, "a: ")
    page.goto(site.origin + assets.viewer_url("/missing.json"))
    expect_failure(page, "could not be loaded (HTTP 404)")
