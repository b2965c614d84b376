"""Slices in a real browser: as plain links without scripts, as a slider with them, and instead of the viewer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.api import volumes
from tests.api.volumes import ANNOTATION, MASK, TOMOGRAM
from tests.browser.portal import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = (
    f"/runs/{TOMOGRAM}",
    f"/tomograms/{TOMOGRAM}?overlay=AN-{MASK}",
    f"/annotations/{ANNOTATION}",
    f"/alignments/{TOMOGRAM}",
    "/tomograms/7",
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root: Path = tmp_path_factory.mktemp("slices")
    volumes.build(root)
    with served(root) as found:
        yield found


def drawn(page: Page) -> bool:
    """Say whether every picture on the page was decoded."""
    return bool(
        page.evaluate("[...document.querySelectorAll('img.plane')].every((i) => i.complete && i.naturalWidth > 0)")
    )


def test_v11_n2_without_scripts_links_and_form_lead_through_the_slices(chromium: Browser, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/tomograms/{TOMOGRAM}")
    page.get_by_role("link", name="Next", exact=True).click()
    expect(page.locator(".slicer output")).to_have_text("Slice 22 of 40")
    page.get_by_role("link", name="XZ").click()
    expect(page.locator(".slicer output")).to_have_text("Slice 73 of 144")
    page.get_by_label("Annotation").select_option(f"AN-{MASK}")
    page.get_by_role("button", name="Show").click()
    assert f"overlay=AN-{MASK}" in page.url
    assert "axis=y" in page.url
    expect(page.locator("img.plane")).to_have_attribute(
        "src", f"/tomograms/{TOMOGRAM}/slice.webp?axis=y&index=72&overlay=AN-{MASK}"
    )
    context.close()


def test_v11_with_script_it_is_a_slider(page: Page, page_log: Any, address: str) -> None:
    page.goto(f"{address}/tomograms/{TOMOGRAM}")
    expect(page.get_by_role("button", name="Show")).to_be_hidden()
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageUp")
    expect(page.locator(".slicer output")).to_have_text("Slice 32 of 40")
    expect(page.locator("img.plane")).to_have_attribute(
        "src", f"/tomograms/{TOMOGRAM}/slice.webp?index=31&contrast=normal"
    )
    page.get_by_role("button", name="10 back").click()
    expect(page.locator(".slicer output")).to_have_text("Slice 22 of 40")
    page.get_by_label("Annotation").select_option(f"AN-{MASK}")
    expect(page.locator("img.plane")).to_have_attribute("src", re.compile(f"overlay=AN-{MASK}"))
    page.wait_for_load_state("networkidle")
    assert drawn(page)
    assert f"overlay=AN-{MASK}" in page.url
    page.reload()
    expect(page.locator(".slicer output")).to_have_text("Slice 22 of 40")
    assert page_log.foreign(address) == []
    assert page_log.violations() == []
    assert page_log.errors == []


def test_v1_without_webgl_the_viewer_page_shows_slices(chromium: Browser, address: str) -> None:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(
        "HTMLCanvasElement.prototype.getContext = new Proxy(HTMLCanvasElement.prototype.getContext, {apply: (f, self, given) => given[0] === 'webgl2' ? null : Reflect.apply(f, self, given)});"
    )
    page = context.new_page()
    page.goto(f"{address}/view/runs/{TOMOGRAM}")
    expect(page.locator(".instead img.plane")).to_be_visible(timeout=60_000)
    expect(page.locator(".instead")).to_contain_text("WebGL 2")
    page.locator(".instead").get_by_role("button", name="Next", exact=True).click()
    expect(page.locator(".instead output")).to_have_text("Slice 22 of 40")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_n1_pages_of_records_are_accessible(
    page: Page, address: str, accessibility_findings: Any, width: int, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    for path in PAGES:
        page.goto(address + path)
        assert accessibility_findings() == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
