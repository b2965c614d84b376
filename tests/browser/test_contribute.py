"""The form for offers in a real browser: with and without scripts, at both widths, in light and dark."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect

if TYPE_CHECKING:
    from tests.browser.conftest import PageLog

pytestmark = pytest.mark.browser
WIDTHS = {1440: 900, 390: 844, 360: 800}


def fill(page: Page, portal: str) -> None:
    page.goto(f"{portal}/contribute")
    page.get_by_label("New dataset or datasets").check()
    page.get_by_label("Your name").fill("Grace Hopper")
    page.get_by_label("Your e-mail address").fill("grace@example.org")
    page.get_by_label("Title").fill("S. pombe cryo-FIB lamellae acquired with defocus-only")
    page.get_by_label("Description").fill("Lamellae of S. pombe.")
    first = page.get_by_role("group", name="Author 1")
    first.get_by_label("Name", exact=False).first.fill("Grace Hopper")
    first.get_by_label("Corresponding").check()
    page.get_by_label("Sample type").select_option("cell")
    page.get_by_label("Organism", exact=True).fill("Schizosaccharomyces pombe")
    page.get_by_label("Cell", exact=True).fill("whole cell")
    page.get_by_label("Total size").fill("1.5 TB")


@pytest.mark.parametrize("width", WIDTHS)
def test_n1_form_errors_and_private_page_are_accessible_and_fit(
    page: Page, page_log: PageLog, accessibility_findings: Callable[[], list[str]], portal: str, width: int
) -> None:
    def look(scheme: str) -> None:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # light or dark
        page.evaluate("() => scrollTo(0, 0)")  # what a sticky header covers elsewhere is not the form's
        wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, "the page scrolls sideways"
        found = accessibility_findings()
        assert not found, "\n".join(found)

    page.set_viewport_size({"width": width, "height": WIDTHS[width]})
    fill(page, portal)
    look("light")
    page.get_by_role("button", name="Add another author").click()
    expect(page.locator("#author-2-name")).to_be_focused()
    page.get_by_role("button", name="Send to the curators").click()
    expect(page.get_by_role("alert")).to_contain_text("1 answer to mend")
    look("dark")
    page.get_by_role("link", name="I may give these data away").click()
    expect(page.locator("#consent")).to_be_focused()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Save draft").click()
    expect(page).to_have_url(re.compile(r"/contribute/[\w-]{32}\?saved=1"))
    look("light")
    page.get_by_role("button", name="Send to the curators").click()
    expect(page.locator(".receipt")).to_contain_text("was received")
    look("light")
    look("dark")
    assert page_log.foreign(portal) == []
    assert page_log.violations() == []


def test_n2_an_offer_is_made_without_scripts_and_with_the_keyboard(chromium: Browser, portal: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    fill(page, portal)
    page.get_by_label("I may give these data away").check()
    page.get_by_label("Total size").press("Enter")
    expect(page).to_have_url(f"{portal}/contribute")
    expect(page.get_by_label("Total size")).to_have_value("1.5 TB")
    page.get_by_role("button", name="Send to the curators").press("Enter")
    expect(page.get_by_role("heading", level=2).first).to_contain_text("was received")
    page.get_by_label("Message to the curators").fill("One thing more.")
    page.get_by_role("button", name="Send message").click()
    expect(page.get_by_text("One thing more.")).to_be_visible()
    context.close()
