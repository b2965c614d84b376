"""The page at ``/graphql``, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.browser.conftest import PageLog

pytestmark = pytest.mark.browser


@pytest.fixture
def editor(page: Page, page_log: PageLog, portal: str) -> Page:
    page.goto(f"{portal}/graphql")
    expect(page.locator("body[data-ready]")).to_be_attached()
    return page


def answered(page: Page) -> None:
    expect(page.locator("#told")).to_contain_text("bytes")


def test_every_example_answers(editor: Page, page_log: PageLog, portal: str) -> None:
    examples = editor.locator("#examples option")
    assert examples.count() > 5
    for index in range(examples.count() - 1):
        editor.locator("#examples").select_option(str(index))
        editor.locator("#query").press("Control+Enter")
        answered(editor)
        expect(editor.locator("#answer")).to_contain_text('"data": {')
        expect(editor.locator("#problems li")).to_have_count(0)
    assert editor.locator("#history option").count() == examples.count()
    assert page_log.foreign(portal) == []
    assert page_log.violations() == page_log.errors == []


def test_what_is_wrong_leads_to_its_line(editor: Page) -> None:
    editor.locator("#query").fill("{\n  runs {\n    nothing\n  }\n}")
    editor.get_by_role("button", name="Run Ctrl Enter").click()
    expect(editor.locator("#problems")).to_contain_text("Cannot query field 'nothing'")
    editor.get_by_role("button", name="line 3").click()
    expect(editor.locator("#query")).to_be_focused()
    editor.locator("#variables").fill("{")
    editor.get_by_role("button", name="Run Ctrl Enter").click()
    expect(editor.locator("#problems")).to_contain_text("Variables are not JSON")


def test_names_that_fit_are_offered(editor: Page) -> None:
    query = editor.locator("#query")
    for text, name, whole in (
        ("{ runs { tomogramV", "tomogramVoxelSpacings", "{ runs { tomogramVoxelSpacings"),
        ("{ runs(lim", "limitOffset", "{ runs(limitOffset"),
        ("{ runs(where: {dataset: {titl", "title", "{ runs(where: {dataset: {title"),
        ("{ runs(orderBy: {name: desc_nulls_l", "desc_nulls_last", "{ runs(orderBy: {name: desc_nulls_last"),
    ):
        query.fill(text)
        query.press("Control+Space")
        expect(editor.locator("#offers li").first).to_contain_text(name)
        query.press("Enter")
        assert query.input_value() == whole


def test_a_link_brings_the_query_back(editor: Page, portal: str) -> None:
    editor.locator("#query").fill("query A($n: Int) { runs(limitOffset: {limit: $n}) { id } }")
    editor.locator("#variables").fill('{"n": 1}')
    editor.locator("#query").press("Control+Enter")
    answered(editor)
    address = editor.url
    editor.evaluate("localStorage.clear()")
    editor.goto("about:blank")
    editor.goto(address)
    assert editor.locator("#query").input_value().startswith("query A($n: Int)")
    assert editor.locator("#variables").input_value() == '{"n": 1}'


def test_the_schema_is_explained(editor: Page) -> None:
    editor.locator("#search").fill("tiltseries")
    editor.locator("#type").get_by_role("button", name="Tiltseries", exact=True).first.click()
    expect(editor.locator("#type h3")).to_have_text("Tiltseries")
    expect(editor.locator("#type")).to_contain_text("Unit:")
    editor.locator("#trail").get_by_role("button", name="Query").click()
    expect(editor.locator("#type h3")).to_have_text("Query")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_fits_and_is_for_everyone(
    editor: Page, accessibility_findings: Callable[[], list[str]], width: int, scheme: str
) -> None:
    editor.set_viewport_size({"width": width, "height": 900})
    editor.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    editor.locator("#query").fill("{ runs { id nothing } }")
    editor.locator("#query").press("Control+Enter")
    expect(editor.locator("#problems li")).to_have_count(1)
    editor.locator("#query").fill("{ runs { i")
    editor.locator("#query").press("Control+Space")
    assert accessibility_findings() == []
    assert editor.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
