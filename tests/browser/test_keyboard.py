"""The way of a visitor who uses the keyboard alone: find, open, download; and where focus is after each step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Route, expect

if TYPE_CHECKING:
    from tests.browser.conftest import PageLog

pytestmark = pytest.mark.browser

MANY = 120
"""Presses of the tab key that reach everything on a page of the demo."""

FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  return {
    words: (one.getAttribute('aria-label') ?? one.innerText ?? '').trim(), tag: one.tagName, inside: one.closest('dialog') !== null,
    ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""


def tab_to(page: Page, words: str) -> None:
    """Press the tab key until what has some words is focused; whatever is passed must show that it is focused."""
    for _ in range(MANY):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found["tag"] not in {"BODY", "HTML"}:
            assert found["ring"], f"{found['words']!r} does not show that it is focused"
            assert found["seen"], f"{found['words']!r} is focused and cannot be seen"
        if re.search(words, found["words"]):
            return
    raise AssertionError(f"no press of the tab key leads to {words!r}")


def test_n1_find_and_open_with_the_keyboard_alone(page: Page, page_log: PageLog, portal: str) -> None:
    page.goto(portal)
    tab_to(page, "^Skip to content$")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#jump")).to_be_focused()

    page.goto(f"{portal}/browse-data/datasets")
    tab_to(page, "^Skip to filters$")
    page.keyboard.press("Enter")
    page.get_by_role("checkbox", name="Ground truth available").focus()
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile("ground_truth=true"))
    expect(page.get_by_role("checkbox", name="Ground truth available")).to_be_focused()
    page.get_by_label("Voxel spacing (Å), to").focus()
    page.keyboard.type("8")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Voxel spacing (Å): at most 8")).to_be_visible()
    expect(page.get_by_label("Voxel spacing (Å), to")).to_be_focused()
    for _ in range(MANY):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED)["words"].startswith("Simulated yeast lamellae"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Simulated yeast lamellae")
    tab_to(page, "^TS_7$")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("TS_7")

    assert page_log.errors == []


def test_n1_the_download_dialog_keeps_focus_inside_and_gives_it_back(page: Page, portal: str) -> None:
    page.goto(f"{portal}/runs/1")
    tab_to(page, "^Download$")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", level=2)).to_be_focused()
    inside = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        inside.add(found["inside"] or found["tag"] in {"BODY", "HTML"})  # the browser's own buttons come between
    assert inside == {True}
    page.locator("input[value=everything]").focus()
    page.keyboard.press("ArrowDown")
    expect(page).to_have_url(re.compile("dl-what=smallest"))
    expect(page.locator("input[value=smallest]")).to_be_checked()
    expect(page.locator("input[value=smallest]")).to_be_focused()
    dialog.get_by_role("link", name="Direct").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("dl-tab=direct"))
    expect(dialog.get_by_role("link", name="Direct")).to_be_focused()
    for _ in range(MANY):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.hasAttribute('download')"):
            break
    with page.expect_download() as taken:
        page.keyboard.press("Enter")
    assert taken.value.path().stat().st_size > 0
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(page.get_by_role("link", name="Download", exact=True).first).to_be_focused()


def test_n1_a_drawer_gives_focus_back_to_what_opened_it(page: Page, portal: str) -> None:
    page.goto(f"{portal}/runs/1")
    opener = page.get_by_role("link", name="View all info")
    for close in ("Escape", "×", "beside"):
        opener.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").get_by_role("heading", level=2)).to_be_focused()
        page.get_by_role("dialog").get_by_role("link", name="How to cite").press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("@misc{")
        expect(page.get_by_role("dialog").get_by_role("link", name="How to cite")).to_be_focused()
        if close == "Escape":
            page.keyboard.press("Escape")
        elif close == "×":
            page.get_by_role("dialog").get_by_role("link", name="Close").press("Enter")
        else:
            page.mouse.click(20, 500)
        expect(page.get_by_role("dialog")).not_to_be_visible()
        expect(opener).to_be_focused()
        expect(page).to_have_url(f"{portal}/runs/1")
    page.goto(f"{portal}/runs/1?metadata=run")
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    page.goto(f"{portal}/runs/1?metadata=annotation&metadata-id=AN-77777")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".notice")).to_contain_text("AN-77777")


def test_n1_escape_holds_while_a_drawer_is_drawn_and_not_modal_yet(page: Page, portal: str) -> None:
    page.goto(f"{portal}/runs/1")
    page.evaluate(
        """() => document.addEventListener("htmx:afterSwap", () => {
          document.body.dataset.drawn = document.querySelector("#overlay dialog").matches("[open]:not(:modal)");
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
        }, { once: true })"""
    )
    page.get_by_role("link", name="View all info").press("Enter")
    expect(page.locator("body")).to_have_attribute("data-drawn", "true")
    page.evaluate("() => new Promise((done) => setTimeout(done, 200))")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(f"{portal}/runs/1")


def test_n1_escape_holds_while_a_drawer_is_on_its_way(page: Page, portal: str) -> None:
    held: list[Route] = []
    page.route(re.compile("metadata=|dl="), lambda route: held.append(route))  # noqa: PLW0108 - playwright marks what it is given

    def let_through() -> None:
        for _ in range(500):
            if held:
                break
            page.wait_for_timeout(10)  # the browser tells of a request a moment after it was made
        with page.expect_response(re.compile("metadata=|dl=")) as answer:
            held.pop(0).continue_()
        answer.value.finished()
        page.evaluate("() => new Promise((done) => setTimeout(done, 200))")

    page.goto(f"{portal}/runs/1")
    opener = page.get_by_role("link", name="View all info")
    opener.press("Enter")
    page.keyboard.press("Escape")
    let_through()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(f"{portal}/runs/1")

    opener.press("Enter")
    let_through()
    page.get_by_role("dialog").get_by_role("link", name="How to cite").press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    let_through()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(f"{portal}/runs/1")
    expect(opener).to_be_focused()

    opener.press("Enter")
    let_through()
    expect(page.get_by_role("dialog").get_by_role("heading", level=2)).to_be_focused()


def test_t11_rows_stay_while_others_are_fetched_and_focus_stays_where_it_is(page: Page, portal: str) -> None:
    page.goto(f"{portal}/browse-data/runs")
    before = str(page.locator("table tbody tr").count())
    busy: list[str | None] = []

    def slowly(route: Route) -> None:
        busy.append(page.locator("#rows").get_attribute("aria-busy"))
        busy.append(str(page.locator("table tbody tr").count()))
        route.continue_()

    page.route("**/browse-data/runs?sort=*", slowly)
    head = page.get_by_role("columnheader", name="Run name").get_by_role("link").first
    head.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("sort="))
    expect(page.locator("#rows")).not_to_have_attribute("aria-busy", "true")
    assert busy == ["true", before]
    expect(page.get_by_role("columnheader", name="Run name").get_by_role("link").first).to_be_focused()
    expect(page.locator(".shown")).to_have_attribute("aria-live", "polite")


def test_1_9_a_part_that_fails_says_so_and_blanks_nothing(page: Page, portal: str) -> None:
    page.goto(f"{portal}/browse-data/runs")
    before = page.locator("table tbody tr").count()
    page.route("**/browse-data/runs?*", lambda route: route.abort())
    page.get_by_role("checkbox", name="Ground truth available").check()
    expect(page.get_by_role("alert")).to_contain_text("This could not be loaded.")
    expect(page.get_by_role("link", name="Try again")).to_have_attribute("href", re.compile("ground_truth=true"))
    expect(page.locator("table tbody tr")).to_have_count(before)
    expect(page).to_have_url(f"{portal}/browse-data/runs")
    page.unroute("**/browse-data/runs?*")
    page.get_by_role("link", name="Try again").click()
    expect(page).to_have_url(re.compile("ground_truth=true"))
    expect(page.get_by_role("alert")).to_have_count(0)
