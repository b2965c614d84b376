"""Whatever is asked of any route, the answer is no mistake of the server's and gives no HTML back; every link leads somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.web.whole import Links, crawl, names, paths

if TYPE_CHECKING:
    import httpx
    from starlette.testclient import TestClient

    from tomotheca.api.frame import Frame

MARK = "<q7z onload=q7z()>"
KEPT_OUT = ("/files/", "/thumbs/", "/download.zip", "/slice.webp", "/section.webp", "/crop.mrc", "/points.", "/overlay")
"""Doors to bytes, which the world has names for and mostly not the bytes: 503 is right there, and nothing else from 500."""

SQL = (
    "' OR 1=1 --", '"; DROP TABLE run; --', "1); DELETE FROM dataset; --", "%", "_", "*", "\\", "NEAR(a b)", 'title:"', "a AND", "{a b}:c", "^a", "-", '"', "()", "NULL", "$1", ":id", "%s",
)  # fmt: skip
ABSURD = (
    "-1", "0", "9" * 9, "9" * 10, "9" * 19, "9" * 400, "1e999", "nan", "inf", "-inf", "1..", "..", "..1", "5..1", ">=", ">=nan", "<", "0x10", "1_000", "٣", "²", "²..³", "1e", "true", "(none)", "!", "!(none)",
    "0000-00-00", "9999-99", "2026-02-30", "9999-12-31..", "5 TB", "1e400TB", "-5 MB", "\x00", "a\x00b", "\ud800", "\u202e", "a" * 3000, " ", "\n", "a\r\nSet-Cookie: q7z=1", "../" * 20, "..\\..\\", "//q7z.invalid/",
)  # fmt: skip
HTML = (
    MARK,
    f'">{MARK}',
    f"'>{MARK}",
    f"</title>{MARK}",
    f"</script>{MARK}",
    f"]]>{MARK}",
    "javascript:q7z()",
    "{{7*7}}{% raw %}",
)
IDENTIFIERS = (
    "1", "2", "10000", "10050", "10100", "300", "399", "77777", "DS-10000", "ds 10000", "RN-1", "RN-10000", "DEP-300", "CZCDP-300", "TM-1", "TS-1", "AN-1", "AL-1", "XX-1", "RN--1", "RN-", "-", "01", "1.5", "1.json",
    "RN-1.json.json", "GO:0016020", "EMPIAR-10988", "10.5555/12345678", "run_1", "https://elsewhere.invalid/runs/3",
)  # fmt: skip

nasty = st.sampled_from([*SQL, *ABSURD, *HTML])
text = st.one_of(nasty, st.sampled_from(IDENTIFIERS), st.text(max_size=20), st.builds("{}{}".format, st.sampled_from(IDENTIFIERS), nasty))  # fmt: skip
kinds = st.sampled_from(["datasets", "runs", "depositions", "tomograms", "annotations", "alignments", "tiltseries", "tilt-series", "frames", "nothing", MARK])  # fmt: skip


def check(answer: httpx.Response) -> None:
    asked = str(answer.request.url)[:500]
    bytes_door = any(part in answer.request.url.path for part in KEPT_OUT)
    assert answer.status_code < 500 or (answer.status_code == 503 and bytes_door), (asked, answer.status_code)
    assert "q7z" not in answer.headers.get("set-cookie", "")
    assert answer.headers["x-content-type-options"] == "nosniff"
    kind = answer.headers.get("content-type", "")
    if kind.startswith(("text/html", "image/svg", "application/xml", "application/atom", "text/xml")):
        assert "<q7z" not in answer.text, asked
        assert "default-src 'self'" in answer.headers["content-security-policy"] or kind.startswith("application/xml")
        assert "Traceback" not in answer.text


@st.composite
def requests(draw: st.DrawFn, routes: list[str]) -> str:
    """An address of some route, with whatever in the place of its parts and parameters."""
    path = draw(st.sampled_from(routes))

    def part(found: re.Match[str]) -> str:
        given = draw(kinds) if found[1] == "kinds" else draw(text)
        if found[2] == "int" and draw(st.booleans()):
            given = draw(st.sampled_from(["0", "1", "2", "300", "399", "10000", "77777", "9" * 9, "9" * 25]))
        return quote(given.encode("utf-8", "surrogatepass"), safe="/" if found[2] == "path" else "")

    path = re.sub(r"\{(\w+)(?::(\w+))?\}", part, path)
    pairs = draw(st.lists(st.tuples(st.one_of(st.sampled_from(names()), text), text), max_size=5))
    query = urlencode(pairs, errors="surrogatepass")
    return f"{path}?{query}" if query else path


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_no_address_of_any_route_is_a_mistake_of_the_server(app: Frame, door: TestClient, data: st.DataObject) -> None:
    address = data.draw(requests(paths(app)))
    headers = data.draw(
        st.sampled_from([{}, {"accept": "application/json"}, {"if-none-match": "*"}, {"range": "bytes=5-"}])
    )
    check(door.get(address, headers=headers, follow_redirects=False))


PAGES = (
    "/", "/browse-data/datasets", "/browse-data/depositions", "/browse-data/runs", "/browse-data/objects", "/datasets/10000", "/runs/1", "/depositions/300", "/tilt-series/1", "/tomograms/1", "/annotations/1",
    "/alignments/1", "/view/runs/1", "/view/tomograms/1", "/search", "/search/suggest", "/docs", "/docs/data-schema", "/docs/api", "/about", "/contribute", "/login", "/id", "/feed.atom", "/no-such-page",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_G8_every_parameter_takes_sql_html_and_nonsense(path: str, door: TestClient) -> None:
    known, values = names(), SQL + ABSURD + HTML
    for start in range(0, len(values), 9):
        pairs = [(name, values[(start + 7 * n) % len(values)][:60]) for n, name in enumerate(known)]
        answer = door.get(f"{path}?{urlencode(pairs, errors='surrogatepass')}", follow_redirects=False)
        check(answer)
        if path not in {"/id", "/no-such-page"}:
            assert answer.status_code in {200, 301, 302}, path


@pytest.mark.parametrize("path", PAGES)
def test_G8_eight_kibibytes_of_address(path: str, door: TestClient) -> None:
    for query in (
        "q=" + "a" * 8000,
        "x=1&" * 2000,
        "&".join(f"object=a{n}" for n in range(700)),
        "search=" + "%22" * 2600,
        "q=" + "a+" * 4000,
        "object=%00&" * 700,
    ):
        answer = door.get(f"{path}?{query}", follow_redirects=False)
        check(answer)
    check(door.get(path.rstrip("/") + "/" + "a" * 8000))
    check(door.get(path.rstrip("/") + "/.." * 2000))


@pytest.mark.parametrize(
    "kind", ["datasets", "runs", "depositions", "tilt-series", "tomograms", "annotations", "alignments"]
)
@pytest.mark.parametrize("text", [*IDENTIFIERS, *ABSURD[:6], MARK])
def test_1_10_identifiers_of_any_form_lead_to_a_page_or_to_a_sentence(kind: str, text: str, door: TestClient) -> None:
    answer = door.get(f"/{kind}/{quote(text, safe='')}")
    check(answer)
    assert answer.status_code in {200, 404}
    if answer.status_code == 404 and not text.endswith(".json"):
        assert answer.text.count("<h1") == 1


def test_a_removed_record_is_gone_at_every_door(app: Frame, door: TestClient) -> None:
    app.state["portal"].desk.bury("run", 88_888, f"TS_7 {MARK}", f"Wrong specimen {MARK}.")
    for path in (
        "/runs/88888",
        "/runs/88888.json",
        "/runs/88888/cite.bib",
        "/view/runs/88888",
        "/runs/88888?dl=RN-88888",
        "/api/v1/runs/88888",
    ):
        answer = door.get(path)
        check(answer)
        assert answer.status_code == 410, path
        assert "Wrong specimen" in answer.text
    assert door.get("/id/RN-88888", follow_redirects=True).status_code == 410


def test_every_link_of_the_site_leads_somewhere(door: TestClient) -> None:
    anchors: dict[str, set[str]] = {}
    met, wanted = 0, []
    for link, answer in crawl(
        door, "/", "/feed.atom", "/docs", leave="|".join(map(re.escape, (*KEPT_OUT, "/catalog")))
    ):
        assert answer.status_code == 200, (link, answer.status_code)
        check(answer)
        met += 1
        if answer.headers["content-type"].startswith("text/html"):
            page = Links(str(answer.url), answer.text)
            anchors[link.address] = anchors[str(answer.url)] = page.anchors
            wanted += [one for one in page.found if one.fragment and not one.fragment.startswith("!")]
    assert met > 150
    lost = {
        (one.page, one.address, one.fragment)
        for one in wanted
        if one.fragment not in anchors.get(one.address, {one.fragment})
    }
    assert not lost
