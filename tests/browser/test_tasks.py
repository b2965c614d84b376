"""What people come for, in at most four clicks each. A click is a press of the pointer that the browser itself has seen; typing is none.

The tasks follow each other as a visitor's would: the first begins on the home page, each of the others where the one before it ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tomotheca.web import assets

if TYPE_CHECKING:
    from tests.browser.conftest import PageLog

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not assets.is_built(), reason="the browser assets were not built"),
]

MOST = 4
VIEWER_PATIENCE = 120_000
PRESSED = "addEventListener('pointerdown', (event) => event.isTrusted && pressed(), true);"


@dataclass
class Clicks:
    """Counts presses of the pointer, task by task."""

    now: int = 0
    taken: dict[str, int] = field(default_factory=dict)

    def press(self) -> None:
        """Note one press."""
        self.now += 1

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Count for one task."""
        self.now = 0
        yield
        self.taken[name] = self.now


@pytest.fixture
def clicks(page: Page) -> Clicks:
    found = Clicks()
    page.context.expose_binding("pressed", lambda _: found.press())
    page.context.add_init_script(PRESSED)
    return found


def test_five_tasks_take_at_most_four_clicks_each(page: Page, page_log: PageLog, clicks: Clicks, portal: str) -> None:
    """Find ground-truth ribosomes at 8 Å or less; open one in the viewer; download its points; cite it; say which tilts are bad."""
    page.goto(portal)
    with clicks.task("find ground-truth ribosomes at 8 Å or less"):
        page.get_by_role("link", name=re.compile("^cytosolic ribosome")).click()
        page.get_by_role("checkbox", name="Ground truth available").click()
        expect(page).to_have_url(re.compile("ground_truth=true"))
        page.get_by_label("Voxel spacing (Å), to").click()
        page.keyboard.type("8")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Voxel spacing (Å): at most 8")).to_be_visible()
        expect(page.locator("table tbody tr")).to_have_count(1)
        expect(page.locator("table tbody tr")).to_contain_text("7.84 Å")

    with clicks.task("open one in the viewer"):
        page.locator("table tbody tr").get_by_role("link", name="Simulated yeast lamellae").click()
        page.locator("table tbody tr").get_by_role("link", name="View").click()
        viewer = page.frame_locator("iframe").locator("html")
        expect(viewer).to_have_attribute("data-ready", "true", timeout=VIEWER_PATIENCE)
        assert any("cytosolic ribosome" in name for name in json.loads(str(viewer.get_attribute("data-layers"))))

    with clicks.task("download its points"):
        page.get_by_role("link", name="TS_7").first.click()
        row = page.locator("table.annotations tbody tr", has_text="cytosolic ribosome")
        row.get_by_role("link", name="Download").click()
        page.get_by_role("dialog").get_by_role("link", name="Direct").click()
        with page.expect_download() as taken:
            page.get_by_role("dialog").locator(".way a[download]").click()
        lines = Path(taken.value.path()).read_text().splitlines()
        assert [json.loads(line)["location"] for line in lines] == [
            {"x": 1, "y": 2, "z": 3},
            {"x": 15, "y": 11, "z": 7},
        ]

    with clicks.task("cite it"):
        page.get_by_role("dialog").get_by_role("link", name="How to cite").click()
        expect(page.get_by_role("dialog")).to_contain_text("Example, Ada (2024).")
        expect(page.get_by_role("dialog")).to_contain_text("@misc{AN-")

    page.wait_for_load_state("networkidle")
    with clicks.task("say which tilts are bad"):
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).not_to_be_visible()
        expect(page.locator(".series")).to_contain_text("Left out2 of 5 sections: −60°, 60°")
        page.locator(".series").get_by_role("link", name=re.compile("^TS-")).first.click()
        left_out = page.locator("#rows tbody tr", has=page.locator("td[data-label='Left out']", has_text="Yes"))
        expect(left_out).to_have_count(2)

    assert all(0 < number <= MOST for number in clicks.taken.values()), clicks.taken
    assert len(clicks.taken) == 5
    assert page_log.foreign(portal) == []
    assert page_log.errors == []
