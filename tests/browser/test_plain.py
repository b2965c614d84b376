"""Everything but the viewer without scripts: each page, and the way from finding to the bytes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect

if TYPE_CHECKING:
    from tests.browser.conftest import PageLog

pytestmark = pytest.mark.browser

PAGES = (
    "/", "/browse-data/datasets", "/browse-data/runs", "/browse-data/objects", "/browse-data/depositions", "/datasets/10001", "/datasets/10001?table-tab=objects", "/runs/1",
    "/runs/1?table-tab=tomograms", "/runs/1?table-tab=tilt-series", "/runs/1?table-tab=files", "/depositions/10301", "/tilt-series/1", "/tomograms/1", "/annotations/1", "/alignments/1", "/view/runs/1",
    "/search?q=ribosome", "/statistics", "/contribute", "/docs", "/docs/data-schema", "/docs/download", "/docs/api", "/about", "/login", "/no-such-page",
)  # fmt: skip


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Return a page that runs no script."""
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


def test_n2_every_page_says_what_it_has_without_scripts(page: Page, page_log: PageLog, portal: str) -> None:
    for path in PAGES:
        page.goto(portal + path)
        assert page.locator("h1").count() == 1, path
        assert len(page.locator("main").inner_text()) > 60, path
        assert (
            not page.get_by_text(re.compile("(needs|enable|requires) (java)?script", re.IGNORECASE)).count()
            or "/view/" in path
        )
        for button in page.get_by_role("button").all():
            form = button.evaluate("(one) => one.form !== null && one.type === 'submit'")
            assert form, f"{path}: {button.inner_text()!r} does nothing without scripts"
    assert page_log.foreign(portal) == []


def test_n2_find_filter_open_read_and_download_without_scripts(page: Page, portal: str, tmp_path: Path) -> None:
    page.goto(portal)
    page.get_by_label("Search everything").fill("pombe cytosol")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("main mark").first).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("Schizosaccharomyces pombe cytosol")).first).to_be_visible()

    page.goto(portal)
    page.get_by_role("link", name="Browse data", exact=True).first.click()
    page.get_by_role("checkbox", name="Ground truth available").check()
    page.get_by_label("Voxel spacing (Å), to").fill("8")
    page.get_by_role("button", name="Apply filters").click()
    expect(page.locator("table tbody tr")).to_have_count(1)
    expect(page.locator(".sentences li")).to_have_count(2)
    page.locator(".sentences").get_by_role("link", name=re.compile("Remove filter Voxel")).click()
    expect(page.locator("table tbody tr")).to_have_count(3)
    page.get_by_role("link", name=re.compile("^Simulated yeast lamellae")).first.click()
    page.get_by_role("link", name="TS_7", exact=True).click()

    page.get_by_role("link", name="View all info").click()
    expect(page.get_by_role("dialog")).to_contain_text("Tilting scheme")
    page.get_by_role("dialog").get_by_role("link", name="How to cite").click()
    expect(page.get_by_role("dialog")).to_contain_text("@misc{")
    page.get_by_role("dialog").get_by_role("link", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Next", exact=True).click()
    expect(page.locator(".slicer output")).to_have_text("Slice 26 of 48")

    page.locator("table.annotations tbody tr").get_by_role("link", name="Download").click()
    page.get_by_role("radio", name=re.compile("CSV")).check()
    page.get_by_role("dialog").get_by_role("button", name="Apply").click()
    page.get_by_role("dialog").get_by_role("link", name="curl").click()
    command = page.get_by_role("dialog").locator(".snippet code").inner_text()
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stderr)
    (file,) = tmp_path.iterdir()
    assert [line.split(",")[:3] for line in file.read_text().splitlines() if line[:1].isdigit()] == [
        ["1.0", "2.0", "3.0"],
        ["15.0", "11.0", "7.0"],
    ]

    page.get_by_role("dialog").get_by_role("link", name="Close").click()
    page.get_by_role("link", name="Download", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("link", name="Direct").click()
    whole = int(re.sub(r"\D", "", page.get_by_role("dialog").locator(".amount .exact").inner_text()))
    with page.expect_download() as taken:
        page.get_by_role("dialog").locator(".way a[download]").click()
    assert taken.value.path().stat().st_size > whole > 0
