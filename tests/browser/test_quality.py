"""Every route under axe: in light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.browser.conftest import PageLog

pytestmark = pytest.mark.browser

LOOKS = (("light", 1440, 900), ("dark", 1440, 900), ("dark", 360, 800), ("light", 360, 800))

PAGES = (
    "/", "/browse-data/datasets", "/browse-data/depositions", "/browse-data/runs", "/browse-data/objects", "/browse-data/runs?object=nothing-like-it", "/search?q=ribosome", "/search?q=ribosme", "/datasets/10001", "/runs/1",
    "/runs/1?table-tab=tomograms", "/runs/1?table-tab=files", "/depositions/10301", "/depositions/10301?group-by=deposited_location", "/tilt-series/1", "/tomograms/1", "/annotations/1", "/alignments/1", "/datasets/10001?dl=DS-10001", "/tomograms/1?dl=TM-1&dl-tab=curl", "/annotations/1?dl=AN-1",
    "/runs/1?metadata=run", "/runs/1?dl=RN-1", "/about", "/runs/1?metadata=run&tab=howToCite", "/statistics", "/contribute", "/docs", "/docs/data-schema", "/login", "/runs/77777",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_N1_N3_N4_a_page_is_accessible_in_light_and_dark_and_fits(
    page: Page, page_log: PageLog, accessibility_findings: Callable[[], list[str]], portal: str, path: str
) -> None:
    page.goto(portal + path)
    found: list[str] = []
    for scheme, width, height in LOOKS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
        wider = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        if (more := page.evaluate(wider)) > 0:
            found.append(f"{width} px: the page is {more} px too wide")
        found += [f"{width} px, {scheme}: {one}" for one in accessibility_findings()]
    assert not found, "\n".join(found)
    assert page_log.foreign(portal) == []
    assert page_log.violations() == []
