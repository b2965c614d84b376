"""What the design promises in numbers, and that pages hold together at every width and in every state."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from playwright.sync_api import Route

pytestmark = pytest.mark.browser

HEIGHTS = {360: 800, 768: 1024, 1440: 900, 2560: 1440}
PAGES = (
    "/", "/browse-data/datasets", "/browse-data/runs", "/browse-data/objects", "/browse-data/depositions", "/datasets/10001", "/datasets/10001?table-tab=objects",
    "/datasets/10001?table-tab=depositions", "/datasets/10001?table-tab=files", "/runs/1", "/runs/1?table-tab=tomograms", "/runs/1?table-tab=tilt-series", "/runs/1?table-tab=alignments",
    "/runs/1?table-tab=frames", "/runs/1?table-tab=files", "/depositions/10301", "/tilt-series/1", "/tomograms/1", "/annotations/1", "/alignments/1", "/search?q=ribosome", "/statistics",
    "/contribute", "/docs", "/docs/data-schema", "/docs/download", "/docs/api", "/about", "/login", "/runs/1?metadata=run", "/runs/1?dl=RN-1", "/annotations/1?dl=AN-1",
)  # fmt: skip
EMPTY = ("/browse-data/datasets?object=nothing", "/browse-data/runs?object=nothing", "/search?q=qqqqqqq", "/runs/1?table-tab=annotations&object=nothing", "/datasets/10001?object=nothing")  # fmt: skip
ERRORS = ("/no-such-page", "/runs/77777", "/datasets/10003", "/runs/1?metadata=annotation&metadata-id=AN-99999&bogus=1")

TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT = """() => [...document.querySelectorAll('main table, main .buttons, main form, .top > *, .tabs')].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !one.closest('.scroll, .skip, .stack, .tabs, dialog');
}).map((one) => `${one.tagName}.${one.className}`)"""
LONGER = """() => {
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT), nodes = [];
  while (walker.nextNode()) if (walker.currentNode.parentElement.closest('h1, td, th.name, dd, li, figcaption') && !walker.currentNode.parentElement.closest('nav, thead, .counters, .n, .nowrap, .badge, .act, .id, .button, button, summary, .visually-hidden') && walker.currentNode.textContent.trim()) nodes.push(walker.currentNode);
  for (const node of nodes) node.textContent += ' Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft-and-more of it';
}"""
SIZES = """() => [...document.querySelectorAll('table')].map((table) => {
  const found = new Set(), walker = document.createTreeWalker(table, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (walker.currentNode.textContent.trim() && !one.closest('.visually-hidden, caption')) found.add(getComputedStyle(one).fontSize);
  }
  return [...found];
})"""
COLOURS = """() => {
  const found = new Set();
  for (const one of document.querySelectorAll('a, button, summary, input, select, [aria-current]')) {
    const style = getComputedStyle(one);
    for (const name of ['color', 'backgroundColor', 'borderBottomColor', 'accentColor']) {
      const [r, g, b, a] = (style[name].match(/[\\d.]+/g) ?? []).map(Number);
      if (a !== 0 && Math.max(r, g, b) - Math.min(r, g, b) > 60 && one.getClientRects().length) found.add(style[name]);
    }
  }
  return [...found];
}"""


def hold(page: Page, path: str, widest: int = max(HEIGHTS)) -> list[str]:
    """Say at which widths a page does not fit, or cuts something off."""
    found = []
    for width, height in HEIGHTS.items():
        if width > widest:
            break
        page.set_viewport_size({"width": width, "height": height})
        more, cut = page.evaluate(TOO_WIDE), page.evaluate(CUT)
        found += [f"{path} at {width} px: {more} px too wide"] if more > 0 else []
        found += [f"{path} at {width} px: {', '.join(cut)} cut off"] if cut else []
    return found


def test_n3_n14_pages_hold_at_every_width_with_usual_and_with_long_text(page: Page, portal: str) -> None:
    found = []
    for path in PAGES:
        page.goto(portal + path)
        found += hold(page, path)
        page.evaluate(LONGER)
        found += hold(page, f"{path} with long text", 1440)
    assert not found, "\n".join(found)


def test_n3_n14_pages_without_rows_and_pages_that_are_not_there_hold_and_lead_on(page: Page, portal: str) -> None:
    found = []
    for path in (*EMPTY, *ERRORS):
        page.goto(portal + path)
        assert page.locator("main a:visible, main button:visible").count() > 0, path
        found += hold(page, path)
    assert not found, "\n".join(found)


def test_t10_n14_a_picture_that_is_missing_leaves_its_place_and_its_words(page: Page, portal: str) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=404, body="")

    page.route(re.compile("/thumbs/|slice.webp|section.webp"), refuse)
    for path in ("/", "/browse-data/datasets", "/datasets/10001", "/runs/1", "/tomograms/1", "/annotations/1"):
        page.goto(portal + path)
        assert hold(page, path) == []
        pictures = page.locator("main :not(.stack) > img:visible")
        assert pictures.count() > 0
        for picture in pictures.all():
            box = picture.bounding_box()
            assert picture.get_attribute("alt"), path
            assert box is not None, path
            assert box["height"] >= 40, (path, picture.get_attribute("alt"), box)


def test_look_two_sizes_in_a_table_and_one_accent_on_a_page(page: Page, portal: str) -> None:
    for path in PAGES:
        page.goto(portal + path)
        assert all(len(sizes) <= 2 for sizes in page.evaluate(SIZES)), (path, page.evaluate(SIZES))
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert len(page.evaluate(COLOURS)) == 1, (path, scheme, page.evaluate(COLOURS))


def seven_rows_fit(page: Page, portal: str) -> None:
    """Claim that Browse shows seven rows with pictures, and four sections of the panel, at 1440 x 900."""
    page.goto(f"{portal}/browse-data/datasets")
    rows = page.locator("table tbody tr")
    first, second = rows.nth(0).bounding_box(), rows.nth(1).bounding_box()
    assert first is not None
    assert second is not None
    assert first["y"] + 7 * max(first["height"], second["height"]) <= 900
    thumbnail = rows.nth(0).locator("img").bounding_box()
    assert thumbnail is not None
    assert thumbnail["width"] >= 96
    sections = page.locator("form.filters summary")
    for number in range(4):
        box = sections.nth(number).bounding_box()
        assert box is not None
        assert box["y"] < 900


def test_look_browse_has_room_for_seven_rows_with_thumbnails(page: Page, portal: str) -> None:
    seven_rows_fit(page, portal)


def test_look_is_the_same_where_the_only_font_is_a_wide_one(page: Page, page_in_dejavu: Page, portal: str) -> None:
    seven_rows_fit(page_in_dejavu, portal)
    heights = []
    for one in (page, page_in_dejavu):
        found = []
        for path in ("/browse-data/runs", "/datasets/10001", "/runs/1", "/tomograms/1"):
            one.goto(portal + path)
            assert one.evaluate(TOO_WIDE) <= 0, path
            found.append(one.evaluate("document.querySelector('main').getBoundingClientRect().height"))
        heights.append(found)
    assert all(0.95 < wide / usual < 1.05 for usual, wide in zip(*heights, strict=True)), heights


def test_look_the_first_screen_of_a_run_has_what_people_come_for(page: Page, portal: str) -> None:
    page.goto(f"{portal}/runs/1")
    for wanted in (
        page.locator("main img[alt*='lice']").first,
        page.get_by_role("link", name="View tomogram").first,
        page.get_by_role("link", name="Download", exact=True).first,
        page.get_by_text(re.compile(r"^\d – (Excellent|Good|Medium|Marginal|Low)$")).first,
    ):
        box = wanted.bounding_box()
        assert box is not None
        assert box["y"] + min(box["height"], 300) <= 900
    picture = page.locator("main img[alt*='lice']").first.bounding_box()
    assert picture is not None
    assert picture["width"] >= 480


def test_g13_the_panel_is_beside_the_table_and_before_it_on_narrow_screens(page: Page, portal: str) -> None:
    page.goto(f"{portal}/browse-data/datasets")
    panel, rows = page.locator("#filters"), page.locator("#rows")
    beside, table = panel.bounding_box(), rows.bounding_box()
    assert beside is not None
    assert table is not None
    assert beside["x"] >= table["x"] + table["width"] - 1
    assert page.locator("#filters fieldset").count() == page.locator("#filters legend").count() > 5
    assert page.evaluate(
        "!!(document.querySelector('#filters').compareDocumentPosition(document.querySelector('#rows')) & 4)"
    )
    page.set_viewport_size({"width": 800, "height": 900})
    expect(page.get_by_label("Dataset IDs")).to_be_hidden()
    page.get_by_text("Filters", exact=True).click()
    expect(page.get_by_label("Dataset IDs")).to_be_visible()
    above, below = panel.bounding_box(), rows.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"]


def test_t9_a_row_is_a_card_with_labels_on_a_small_screen(page: Page, portal: str) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    for path in ("/browse-data/datasets", "/browse-data/runs", "/runs/1", "/runs/1?table-tab=tomograms"):
        page.goto(portal + path)
        row = page.locator("table.list tbody tr:not(.group)").first
        box = row.bounding_box()
        assert box is not None
        assert box["width"] <= 360
        assert page.locator("table.list thead").first.is_hidden()
        labelled = row.locator("td[data-label]").first
        assert labelled.evaluate("(one) => getComputedStyle(one, '::before').content").strip(
            '"'
        ) == labelled.get_attribute("data-label")


@pytest.mark.parametrize("kind", ["datasets", "runs", "depositions"])
def test_n14_on_a_narrow_screen_the_name_of_a_card_stands_below_its_picture(page: Page, portal: str, kind: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{portal}/browse-data/{kind}")
    picture, name = (
        page.locator(f"table.list tbody tr >> nth=0 >> .{part}").bounding_box() for part in ("preview", "name")
    )
    assert picture
    assert name
    assert abs(picture["x"] - name["x"]) < 1
    assert name["y"] >= picture["y"] + picture["height"] - 1
