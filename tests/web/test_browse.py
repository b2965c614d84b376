"""Listing, filters, counts, sorting and paging, held against the invented world itself."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from tests.web.conftest import Fetch, Site, words

if TYPE_CHECKING:
    from starlette.testclient import TestClient

LIST = "/browse-data/datasets"


@pytest.fixture
def ids(twin: Fetch) -> Fetch:
    """List the ids of a listing, whatever the page size."""

    def fetch(query: str = "", path: str = LIST) -> list[int]:
        found, number = [], 1
        while True:
            mark = "&" if query else ""
            page = twin(f"{path}?{query}{mark}per-page=100&page={number}")
            found += [r["id"] for r in page["table"]["rows"]]
            number += 1
            if number > page["table"]["pager"]["pages"]:
                return found

    return fetch


def public(site: Site) -> dict[int, dict[str, Any]]:
    return {r["id"]: r for r in site.world.rows["dataset"] if r["visibility_state"] == "public"}


def runs_with(site: Site, **kinds: Any) -> set[int]:
    """Give the datasets with a run for which every test of a kind holds for one of its rows: an oracle written by hand."""
    rows = site.world.rows
    found = set()
    for run in rows["run"]:
        if run["dataset_id"] in public(site) and all(
            any(r["run_id"] == run["id"] and test(r) for r in rows[kind]) for kind, test in kinds.items()
        ):
            found.add(run["dataset_id"])
    return found


def option(page: Any, parameter: str, value: str) -> int:
    controls = [c for s in page["listing"]["panel"]["sections"] for c in s["controls"] if c["parameter"] == parameter]
    return next(o["count"] for o in (*controls[0]["options"], *controls[0]["more"]) if o["value"] == value)


def test_S2_every_public_dataset_is_reached_by_paging(ids: Fetch, site: Site, twin: Fetch) -> None:
    assert sorted(ids()) == sorted(public(site))
    released = [r["released"] for r in twin(LIST)["table"]["rows"]]
    assert released == sorted(released, reverse=True)


def test_S3_the_panel_stands_on_the_right_and_offers_what_was_asked(page: Fetch, twin: Fetch) -> None:
    assert 'class="browse right"' in page(LIST)
    offered = {c["parameter"] for s in twin(LIST)["listing"]["panel"]["sections"] for c in s["controls"]}
    assert {
        "files",
        "ground_truth",
        "runs",
        "dataset_id",
        "author",
        "organism",
        "object",
        "camera_manufacturer",
        "quality_score",
        "voxel-spacing",
    } <= offered


@pytest.mark.parametrize(
    ("search", "expected"),
    [("pombe lamellae", {10000, 10005}), ('"milled and imaged"', None), ('"lamellae milled"', set()), ("ribosome", {10000, 10004, 10008}), ("garcia", None), ("DS-10003", {10003}), ("GARCÍA", None), ("%", set()), (".*", set())],
)  # fmt: skip
def test_S4_G6_search_takes_words_and_phrases_literally(
    search: str, expected: set[int] | None, ids: Fetch, site: Site, http: TestClient
) -> None:
    found = {
        r["id"] for r in http.get(f"{LIST}.json", params={"search": search, "per-page": "100"}).json()["table"]["rows"]
    }
    assert found == (set(public(site)) if expected is None else expected)


def test_S5_a_row_shows_what_a_reader_needs(page: Fetch) -> None:
    text = words(page(LIST))
    for part in (
        "S. pombe cryo-FIB lamellae",
        "DS-10000",
        "Schizosaccharomyces pombe",
        "cytosolic ribosome",
        "10988",
        "Ada Frost",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("query", "tests"),
    [
        ("ground_truth=true", {"annotation": lambda a: a["ground_truth_status"]}),
        ("object=membrane", {"annotation": lambda a: a["object_name"] == "membrane"}),
        ("object=membrane&object=F-actin", {"annotation": lambda a: a["object_name"] in {"membrane", "F-actin"}}),
        ("object=membrane&ground_truth=true", {"annotation": lambda a: a["object_name"] == "membrane" and a["ground_truth_status"]}),
        ("quality_score=1&quality_score=2", {"tiltseries": lambda s: s["tilt_series_quality"] in {1, 2}}),
        ("quality_score=(none)", {"tiltseries": lambda s: s["tilt_series_quality"] is None}),
        ("camera_manufacturer=Gatan", {"tiltseries": lambda s: s["camera_manufacturer"] == "Gatan"}),
        ("voxel-spacing=..8", {"tomogram": lambda t: t["voxel_spacing"] <= 8}),
        ("voxel-spacing=>10", {"tomogram": lambda t: t["voxel_spacing"] > 10}),
        ("voxel-spacing.from=7&voxel-spacing.to=8", {"tomogram": lambda t: 7 <= t["voxel_spacing"] <= 8}),
        ("processing=raw&object=membrane&quality_score=3", {"tomogram": lambda t: t["processing"] == "raw", "annotation": lambda a: a["object_name"] == "membrane", "tiltseries": lambda s: s["tilt_series_quality"] == 3}),
        ("object-count=>=122&object_shape=OrientedPoint", {"annotation": lambda a: a["object_count"] >= 122 and a["object_name"] != "membrane"}),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)  # fmt: skip
def test_G1_G2_filters_hold_for_one_and_the_same_run(query: str, tests: dict[str, Any], ids: Fetch, site: Site) -> None:
    expected = runs_with(site, **tests)
    assert set(ids(query)) == expected


def test_F21_an_identified_object_is_found_unless_annotations_are_asked_about(ids: Fetch, site: Site) -> None:
    assert set(ids("object=septin")) == set(public(site))
    assert ids("object=septin&ground_truth=true") == []


def test_F1_all_chosen_data_types_are_in_one_run(ids: Fetch, site: Site) -> None:
    everything = {r["id"] for r in site.world.rows["dataset"]} & set(public(site))
    assert set(ids("files=annotation&files=tomogram&files=ctf")) == everything
    assert ids("files=annotation&files=gain") == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [("runs=>=6", {10000}), ("runs=>5", {10000}), ("runs=1", {10050}), ("runs=2..4", 8), ("runs=..1", {10050})],
)
def test_F3_number_of_runs(query: str, expected: Any, ids: Fetch) -> None:
    found = set(ids(query))
    assert (len(found) if isinstance(expected, int) else found) == expected


def test_F7_F14_F17(ids: Fetch) -> None:
    assert set(ids("dataset_id=DS-10000, 10003")) == {10000, 10003}
    assert set(ids("dataset_id=10000&dataset_id=ds10001&organism=Chlamydomonas+reinhardtii")) == {10001}
    assert len(ids("author=garcia+jose")) == 10
    assert ids("author=frost+zhang") == []
    assert set(ids("organism=Homo+sapiens&organism=Chlamydomonas+reinhardtii")) == {10001, 10002, 10006, 10007}


def test_legacy_links(http: TestClient) -> None:
    for given, target in (('runs=">5"', "runs=%3E%3D5"), ("sort=asc", "sort=title"), ("sort=desc", "sort=-title")):
        answer = http.get(f"{LIST}?{given}", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (302, f"{LIST}?{target}")


FILTERS = (
    "ground_truth=true",
    "object=membrane",
    "organism=Homo+sapiens",
    "quality_score=4",
    "camera_manufacturer=Gatan",
    "voxel-spacing=..10",
    "files=annotation",
    "processing=raw",
)
COUNTED = (
    ("organism", "Homo sapiens"),
    ("object", "membrane"),
    ("camera_manufacturer", "Gatan"),
    ("quality_score", "4"),
    ("files", "tomogram"),
    ("ground_truth", "true"),
    ("object_shape", "OrientedPoint"),
    ("processing", "raw"),
)


@pytest.mark.parametrize("active", ["", *FILTERS, *("&".join(pair) for pair in itertools.combinations(FILTERS, 2))])
def test_G3_a_count_is_what_the_list_would_show(active: str, twin: Fetch, ids: Fetch) -> None:
    page = twin(f"{LIST}?{active}")
    for parameter, value in COUNTED:
        others = [p for p in active.split("&") if p and (not p.startswith(parameter + "=") or parameter == "files")]
        query = "&".join([*others, f"{parameter}={value.replace(' ', '+')}"])
        try:
            shown = option(page, parameter, value)
        except StopIteration:
            shown = 0
        assert shown == len(ids(query)), (active, parameter)


def test_G3_counting_takes_few_statements_and_none_the_second_time(site: Site, http: TestClient) -> None:
    seen: list[str] = []

    def listener(*given: Any) -> None:
        seen.extend([given[2]] * (not given[2].startswith("BEGIN")))

    sa.event.listen(site.catalog.engine, "before_cursor_execute", listener)
    try:
        http.get(f"{LIST}?object=thyroglobulin&quality_score=4&camera=K3")
        first = len(seen)
        http.get(f"{LIST}?object=thyroglobulin&quality_score=4&camera=K3&sort=title")
        second = len(seen) - first
    finally:
        sa.event.remove(site.catalog.engine, "before_cursor_execute", listener)
    assert first <= 30
    assert second <= 20


def test_G4_active_filters_read_as_sentences_with_a_way_back(twin: Fetch) -> None:
    page = twin(f"{LIST}?object=membrane&object=F-actin&runs=>=2&sort=title&page=1")
    found = {s["text"]: s["remove"] for s in page["listing"]["panel"]["sentences"]}
    assert found["Object name: membrane or F-actin"] == f"{LIST}?runs=%3E%3D2&sort=title"
    assert found["Number of runs: at least 2"] == f"{LIST}?object=membrane&object=F-actin&sort=title"
    assert page["listing"]["panel"]["clear"] == f"{LIST}?sort=title"


def test_G7_one_form_without_script(page: Fetch) -> None:
    html = page(f"{LIST}?object=membrane&sort=title")
    form = re.findall(r'(?s)<form method="get" action="/browse-data/datasets" class="filters".*?</form>', html)[0]
    assert '<input type="hidden" name="sort" value="title">' in form
    assert re.search(r'name="object" value="membrane"[^>]* checked', form)
    assert ">Apply filters</button>" in form


def test_G8_what_cannot_be_read_is_named(twin: Fetch) -> None:
    page = twin(f"{LIST}?runs=many&quality_score=9&voxel-spacing=1..x&files=cake&bogus=1&dataset_id=x")
    assert page["ignored"] == [
        "files=cake",
        "runs=many",
        "dataset_id=x",
        "quality_score=9",
        "voxel-spacing=1..x",
        "bogus=1",
    ]
    assert page["table"]["shown"] == 10


def test_empty_result_says_which_filter_costs_most(page: Fetch) -> None:
    text = words(page(f"{LIST}?object=membrane&runs=>=100"))
    assert "No datasets match all of these filters" in text
    assert "Removing Number of runs: at least 100 gives" in text


def test_T1_every_column_sorts_both_ways(twin: Fetch, page: Fetch) -> None:
    heads = twin(LIST)["table"]["heads"]
    keys = [re.findall(r"sort=([\w-]+)", link["href"])[0] for h in heads for link in h["links"] if link["href"]]
    assert {k.lstrip("-") for k in keys} == {
        "title",
        "id",
        "empiar",
        "organism",
        "sample",
        "runs",
        "objects",
        "annotations",
        "tomograms",
        "voxel",
        "quality",
        "size",
        "released",
    }
    for key in (k.lstrip("-") for k in keys):
        up, down = ([r["id"] for r in twin(f"{LIST}?sort={sign}{key}")["table"]["rows"]] for sign in ("", "-"))
        assert sorted(up) == sorted(down)
        assert "ascending" in {h["state"] for h in twin(f"{LIST}?sort={key}")["table"]["heads"]}
    assert 'aria-sort="descending"' in page(f"{LIST}?sort=-title")
    titles = [r["title"] for r in twin(f"{LIST}?sort=title")["table"]["rows"]]
    assert titles == sorted(titles, key=str.casefold)


def test_T1_a_head_goes_up_down_and_back(twin: Fetch) -> None:
    def href(query: str) -> str:
        return next(
            link["href"] for h in twin(LIST + query)["table"]["heads"] for link in h["links"] if link["label"] == "Runs"
        )

    assert [href(""), href("?sort=runs"), href("?sort=-runs")] == [f"{LIST}?sort=runs", f"{LIST}?sort=-runs", LIST]


def test_T2_a_page_past_the_end_is_the_last(http: TestClient) -> None:
    assert http.get(f"{LIST}?page=99", follow_redirects=False).headers["location"] == LIST
    assert http.get(f"{LIST}?page=zero").status_code == 200


def test_T8_long_lists_open_without_script(page: Fetch) -> None:
    assert re.search(r'<details class="more"><summary>\d+ more</summary>', page(LIST))


def test_T10_thumbnails_have_size_and_words(page: Fetch) -> None:
    images = re.findall(r"<img[^>]+>", page(LIST))
    assert images
    assert all('width="128" height="96"' in i and 'alt="' in i and "?w=256" in i for i in images)


def test_depositions_list_and_filter(twin: Fetch) -> None:
    page = twin("/browse-data/depositions")
    assert [(r["id"], r["annotations"], r["datasets"]) for r in page["table"]["rows"]] == [
        (301, 12, 1),
        (300, page["table"]["rows"][1]["annotations"], 9),
    ]
    assert [
        r["id"] for r in twin("/browse-data/depositions?object=thyroglobulin&type=annotation")["table"]["rows"]
    ] == [301]
    assert [r["id"] for r in twin("/browse-data/depositions?author=bjorn&search=yeast")["table"]["rows"]] == [300]
    assert [r["id"] for r in twin("/browse-data/depositions?organism=Homo+sapiens")["table"]["rows"]] == [301, 300]


def test_G10_filters_travel_to_the_dataset_and_back(twin: Fetch) -> None:
    row = next(
        r
        for r in twin(f"{LIST}?object=membrane&organism=Schizosaccharomyces+pombe")["table"]["rows"]
        if r["id"] == 10000
    )
    assert (row["href"], row["matching"], row["runs"]) == ("/datasets/10000?object=membrane", 4, 6)
    page = twin(row["href"])
    assert (page["table"]["shown"], page["table"]["total"]) == (4, 6)
    assert page["crumbs"][0]["href"] == f"{LIST}?object=membrane"
    run = twin(page["table"]["rows"][0]["href"])
    assert {r["name"] for r in run["table"]["rows"]} == {"membrane"}
    assert run["crumbs"][1]["href"] == "/datasets/10000?object=membrane"


def test_home_counts_what_is_public(twin: Fetch, site: Site) -> None:
    counts = {c["label"]: c["value"] for c in twin("/")["counters"]}
    shown = public(site)
    expected = {"Datasets": len(shown), "Species": 5} | {
        name: sum(r["_owner"] in shown for r in site.world.rows[kind])
        for name, kind in (
            ("Runs", "run"),
            ("Tilt series", "tiltseries"),
            ("Tomograms", "tomogram"),
            ("Annotations", "annotation"),
        )
    }
    assert counts == expected


def test_1_4_counters_and_contributors_lead_to_what_they_count(twin: Fetch, site: Site) -> None:
    found = twin("/")
    counters = {c["label"]: c for c in found["counters"]}
    assert twin(counters["Runs"]["href"])["table"]["shown"] == counters["Runs"]["value"]
    assert twin(counters["Datasets"]["href"])["table"]["shown"] == counters["Datasets"]["value"]
    assert all(not twin(c["href"])["ignored"] for c in found["counters"])
    shown = public(site)
    for person in found["contributors"]:
        written = {a["dataset_id"] for a in site.world.rows["dataset_author"] if a["name"] == person["name"]}
        assert person["count"] == len(written & set(shown))
        assert twin(person["href"])["table"]["shown"] == person["count"]


@pytest.mark.parametrize(
    "active", ["", "object=membrane", "quality_score=5", "files=annotation", "ground_truth=true&processing=raw"]
)
def test_G3_counts_inside_a_dataset(active: str, twin: Fetch) -> None:
    page = twin(f"/datasets/10000?{active}")
    seen = 0
    for section in page["panel"]["sections"]:
        for control in section["controls"]:
            for choice in control["options"] if control["widget"] in {"list", "flag"} else ():
                parameter = control["parameter"]
                kept = [
                    p for p in active.split("&") if p and (not p.startswith(parameter + "=") or parameter == "files")
                ]
                found = twin(
                    f"/datasets/10000?{'&'.join([*kept, parameter + '=' + choice['value'].replace(' ', '+')])}"
                )
                assert found["table"]["shown"] == choice["count"], (parameter, choice["value"])
                seen += 1
    assert seen > 10
