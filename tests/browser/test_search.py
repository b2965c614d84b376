"""The search box and its suggestions in a real browser (Q8), and the page of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.portal import served
from tests.search.world import build

from tomotheca.catalog.build import fingerprint, note

if TYPE_CHECKING:
    from tests.browser.conftest import PageLog

pytestmark = pytest.mark.browser

PAGES = (
    "/search",
    "/search?q=ribosome",
    "/search?q=ribosme",
    "/search?q=thylakoid sarcomere",
    "/search?q=qqqqqq",
    "/search?q=1",
    "/search?q=cells&table-tab=runs",
)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("search")
    _, catalog, _ = build(root, f"sqlite:///{root}/state/catalog.sqlite")
    with catalog.engine.begin() as connection:
        note(connection, catalog.tables, schema=fingerprint(catalog.tables))
    catalog.close()
    with served(root) as address:
        yield address


def test_q8_suggestions_are_a_combobox_for_the_keyboard(page: Page, page_log: PageLog, portal: str) -> None:
    page.goto(portal + "/docs")
    page.keyboard.press("/")
    box = page.get_by_role("combobox").first
    expect(box).to_be_focused()
    page.keyboard.type("thyro")
    options = page.get_by_role("listbox").get_by_role("option")
    expect(options.first).to_contain_text("thyroglobulin")
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    assert box.get_attribute("aria-activedescendant") == options.first.get_attribute("id")
    page.keyboard.press("Escape")
    expect(box).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    expect(options.first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/browse-data/datasets?object=thyroglobulin")
    assert page_log.foreign(portal) == []
    assert page_log.violations() == []
    assert page_log.errors == []


def test_q8_enter_without_a_choice_searches_and_a_click_goes(page: Page, portal: str) -> None:
    page.goto(portal + "/docs")
    box = page.get_by_role("combobox").first
    box.fill("membrane protein")
    box.press("Enter")
    page.wait_for_url("**/search?q=membrane+protein")
    page.goto(portal + "/docs")
    page.get_by_role("combobox").first.type("talv")
    page.get_by_role("option").filter(has_text="Irma Talvinen").click()
    page.wait_for_url("**/browse-data/datasets?author*")


def test_q8_the_box_is_a_plain_form_without_script(chromium: Browser, portal: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(portal + "/docs")
    box = page.locator("#jump")
    box.fill("fission yeast")
    box.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")
    expect(page.get_by_role("link", name="S. pombe cryo-FIB lamellae", exact=False).first).to_be_visible()
    context.close()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", [390, 1440])
def test_search_pages_are_accessible_at_every_width(
    page: Page, portal: str, accessibility_findings: Callable[[], list[str]], path: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(portal + quote(path, safe="/?=&"))
    assert accessibility_findings() == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_open_suggestions_are_accessible(
    page: Page, portal: str, accessibility_findings: Callable[[], list[str]], scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two words
    page.goto(portal + "/search?q=ribosome")
    page.locator("#search").fill("microtub")
    expect(page.get_by_role("option").first).to_be_visible()
    page.locator("#search").press("ArrowDown")
    assert accessibility_findings() == []
