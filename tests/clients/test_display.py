"""The display rules of section 6, on the pages of a real archive."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx
    from tests.api.serving import Running


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_6_9_a_key_photo_says_what_it_shows_and_who_made_it(site: httpx.Client) -> None:
    for page in ("/datasets/10001", "/depositions/10301"):
        caption = site.get(f"{page}.json").json()["picture"]["caption"]
        found = re.fullmatch(r"Central slice of (TM-\d+), generated", caption)
        assert found, caption
        assert f"<figcaption>{caption}</figcaption>" in site.get(page).text
        assert site.get(f"/tomograms/{found[1][3:]}").status_code == 200


@pytest.mark.parametrize("page", ["/datasets/10001", "/depositions/10301", "/tomograms/1", "/annotations/1"])
def test_6_6_the_name_of_an_author_leads_to_the_authors_data(page: str, site: httpx.Client, demo: Running) -> None:
    html = site.get(page).text
    people = re.findall(r'<span class="person[^"]*"><a class="quiet" href="([^"]+)">([^<]+)</a>', html)
    assert people
    for href, name in {(unescape(h), unescape(n)) for h, n in people}:
        answer = site.get(href)
        assert answer.status_code == 200
        path, _, query = href.partition("?")
        found = site.get(f"{path}.json?{query}").json()
        assert found.get("ignored", []) == []
        assert found["table"]["shown"] if "table" in found else name in text_of(answer.text), href


def test_6_6_the_full_list_has_roles_and_affiliations_and_no_address(site: httpx.Client) -> None:
    html = site.get("/datasets/10001").text
    people = site.get("/datasets/10001.json").json()["authors"]["everyone"]
    words = text_of(html)
    assert all(p["affiliation"] in words for p in people)
    assert words.count("primary author") == sum(p["primary"] for p in people)
    assert words.count("corresponding author") == sum(p["corresponding"] for p in people)
    assert "@" not in text_of(html.partition("<main")[2].partition("</main>")[0])


def test_6_8_days_are_marked_as_times_and_sizes_have_their_bytes(site: httpx.Client) -> None:
    for page in ("/runs/1?table-tab=tomograms", "/datasets/10001?metadata=dataset", "/tomograms/1"):
        html = re.sub(r'<script.*?</script>|content="[^"]*"', "", site.get(page).text, flags=re.DOTALL)
        days = re.findall(r">\s*(\d{4}-\d{2}-\d{2})\s*<(/?\w+)", html)
        assert days
        assert {tag for _, tag in days} == {"/time"}, page
    size = site.get("/datasets/10001.json").json()["table"]["rows"][0]["size"]
    assert f'title="{size:,} bytes"' in site.get("/datasets/10001").text


def test_6_1_badges_have_words_and_reasons(site: httpx.Client, demo: Running) -> None:
    tomograms = site.get("/runs/1.json?table-tab=tomograms").json()["table"]["rows"]
    badges = {b["text"]: b["help"] for t in tomograms for b in t["badges"]}
    assert set(badges) <= {"Portal standard", "Author submitted", "Default in viewer"}
    assert all(badges.values())
    standard = [a for a in site.get("/api/v1/alignments").json()["items"] if a["is_portal_standard"]]
    for alignment in standard:
        found = site.get(f"/alignments/{alignment['id']}.json").json()["badges"]
        assert [b["text"] for b in found] == ["Canonical"]
    folder = demo.world.root / "archive/10001/TS_001/Reconstructions/VoxelSpacing9.960/Tomograms/100"
    (path,) = folder.glob("*.mrc")
    aside = path.with_suffix(".aside")
    path.rename(aside)
    try:
        assert "File problem" in text_of(site.get("/tomograms/1").text)
    finally:
        aside.rename(path)
    assert "File problem" not in text_of(site.get("/tomograms/1").text)
