"""Tables of the pages of runs and datasets: sorted, paged, whole to take away."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.conftest import Fetch, Site, words

from tomotheca.web.pages.run import PREFIXES

if TYPE_CHECKING:
    from starlette.testclient import TestClient

BIG = 10000
DATASET_TABS = ("objects", "depositions", "files")


def read(text: str, separator: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter=separator))


def keys_of(table: dict[str, Any]) -> list[tuple[str, str]]:
    """Give label and address of every head that sorts."""
    return [(link["label"], link["href"]) for h in table["heads"] for link in h["links"] if link["href"]]


@pytest.mark.parametrize("tab", PREFIXES)
def test_T1_T3_every_column_of_a_run_sorts_under_its_own_prefix(tab: str, twin: Fetch) -> None:
    table = twin(f"/runs/1?table-tab={tab}")["table"]
    unsorted = {h["links"][0]["label"] for h in table["heads"] if not h["state"]}
    assert unsorted <= {"", "Preview"}
    for _, href in keys_of(table):
        assert f"{PREFIXES[tab]}-sort=" in href
        again = twin(href)
        assert not again["ignored"]
        assert len(again["table"]["rows"]) == len(table["rows"])
        assert {h["state"] for h in again["table"]["heads"]} & {"ascending", "descending"}


@pytest.mark.parametrize("tab", DATASET_TABS)
def test_T1_T3_every_value_of_a_dataset_tab_sorts(tab: str, twin: Fetch) -> None:
    table = twin(f"/datasets/{BIG}?table-tab={tab}")["table"]
    assert table["rows"]
    for _, href in keys_of(table):
        assert f"{tab}-sort=" in href
        assert twin(href)["ignored"] == []


def test_T1_missing_values_stand_last_both_ways(http: TestClient) -> None:
    for sort in ("annotations-sort=precision", "annotations-sort=-precision"):
        found = [r["precision"] for r in read(http.get(f"/runs/1.csv?table-tab=annotations&{sort}").text)]
        known = [float(v) for v in found if v]
        assert found == [v for v in found if v] + [""] * found.count("")
        assert known == sorted(known, reverse="-" in sort)


@pytest.mark.parametrize("tab", PREFIXES)
def test_T4_every_tab_of_a_run_is_taken_away_whole(tab: str, twin: Fetch, http: TestClient) -> None:
    shown = twin(f"/runs/1?table-tab={tab}")["table"]["shown"]
    answer = http.get(f"/runs/1.csv?table-tab={tab}")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(read(answer.text)) == shown
    assert read(http.get(f"/runs/1.tsv?table-tab={tab}").text, "\t") == read(answer.text)


def test_T4_codes_stay_codes_in_csv(http: TestClient, site: Site) -> None:
    rows = read(http.get("/runs/1.csv?table-tab=tomograms").text)
    stored = {f"TM-{t['id']}": t for t in site.world.rows["tomogram"] if t["run_id"] == 1}
    assert {r["id"] for r in rows} == set(stored)
    assert all(r["processing"] == stored[r["id"]]["processing"] for r in rows)
    assert all(r["method"] == stored[r["id"]]["reconstruction_method"] for r in rows)


def test_T4_the_runs_of_a_dataset_are_taken_away_as_filtered(http: TestClient, twin: Fetch) -> None:
    for query in ("", "?object=membrane", "?sort=-run-name&per-page=20"):
        rows = read(http.get(f"/datasets/{BIG}.csv{query}").text)
        table = twin(f"/datasets/{BIG}{query}")["table"]
        assert len(rows) == table["shown"]
        assert [r["name"] for r in rows][: len(table["rows"])] == [r["name"] for r in table["rows"]]
        assert [int(r["completeness"]) for r in rows][:1] == [table["rows"][0]["completeness"]]


@pytest.mark.parametrize("tab", DATASET_TABS)
def test_T4_every_tab_of_a_dataset_is_taken_away(tab: str, http: TestClient, twin: Fetch) -> None:
    rows = read(http.get(f"/datasets/{BIG}.csv?table-tab={tab}").text)
    assert len(rows) == twin(f"/datasets/{BIG}?table-tab={tab}")["table"]["shown"] > 0


@pytest.mark.parametrize(("given", "target"), [("DS-10000", "10000"), ("ds10000", "10000")])
def test_T4_a_prefixed_identifier_leads_to_the_same_table(given: str, target: str, http: TestClient) -> None:
    answer = http.get(f"/datasets/{given}.csv?table-tab=objects", follow_redirects=False)
    assert answer.status_code == 301
    assert answer.headers["location"] == f"/datasets/{target}.csv?table-tab=objects"


@pytest.mark.parametrize("path", ["/datasets/10100.csv", "/datasets/99999.csv", "/runs/99999.csv"])
def test_T4_what_is_hidden_has_no_table(path: str, http: TestClient) -> None:
    assert http.get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/runs/1?table-tab=files&files-page=99", "/runs/1?table-tab=files"),
        (f"/datasets/{BIG}?table-tab=objects&objects-page=99", f"/datasets/{BIG}?table-tab=objects"),
        (f"/datasets/{BIG}?page=99", f"/datasets/{BIG}"),
    ],
)
def test_T2_a_page_past_the_end_of_a_tab_is_the_last(path: str, target: str, http: TestClient) -> None:
    answer = http.get(path, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, target)


def test_1_7_objects_of_a_dataset_are_counted(twin: Fetch, http: TestClient, site: Site) -> None:
    rows = {r["name"]: r for r in read(http.get(f"/datasets/{BIG}.csv?table-tab=objects").text)}
    for name, row in rows.items():
        mine = [a for a in site.world.rows["annotation"] if a["_owner"] == BIG and a["object_name"] == name]
        assert int(row["annotations"]) == len(mine)
        assert int(row["ground-truth"]) == sum(bool(a["ground_truth_status"]) for a in mine)
        assert int(row["instances"]) == sum(a["object_count"] or 0 for a in mine)
        assert int(row["runs"]) == len({a["run_id"] for a in mine})
    assert rows["septin"]["annotations"] == "0"
    assert "Identified, not annotated" in str(twin(f"/datasets/{BIG}?table-tab=objects")["table"]["rows"])


def test_1_7_who_contributed_what(http: TestClient, site: Site) -> None:
    rows = read(http.get(f"/datasets/{BIG}.csv?table-tab=depositions").text)
    hidden = {d["id"] for d in site.world.rows["deposition"] if d["visibility_state"] != "public"}
    brought = {a["deposition_id"] for a in site.world.rows["annotation"] if a["_owner"] == BIG} - hidden
    assert brought <= {d["id"] for d in site.world.rows["deposition"] if d["title"] in {r["title"] for r in rows}}
    mine = [a for a in site.world.rows["annotation"] if a["_owner"] == BIG and a["deposition_id"] not in hidden]
    assert sum(int(r["annotations"]) for r in rows) == len(mine)


def test_1_7_the_limit_to_a_deposition_is_said_and_can_be_left(page: Fetch, twin: Fetch) -> None:
    found = twin(f"/datasets/{BIG}?deposition-id=300")
    assert found["deposition"]["href"] == f"/datasets/{BIG}"
    assert "Only runs with data from deposition" in words(page(f"/datasets/{BIG}?deposition-id=300"))
    assert twin(f"/datasets/{BIG}")["deposition"] is None


def test_1_8_a_run_says_what_it_lacks(twin: Fetch, page: Fetch) -> None:
    found = twin("/runs/1")["complete"]
    assert 0 < found["share"] < 100
    assert f"{found['share']} % without" in words(page("/runs/1"))


def test_1_8_what_is_present_but_not_annotated_is_said(page: Fetch, twin: Fetch) -> None:
    html = words(page("/runs/1?table-tab=annotations&object=septin"))
    assert "Present but not annotated" in html
    assert "septin (GO:0031105)" in html
    assert "No annotations yet" not in html
    by_id = twin("/runs/1?table-tab=annotations&object-id=GO:0031105")
    assert [p["text"] for p in by_id["present"]] == ["septin (GO:0031105)"]
    assert by_id["everything"] == "/runs/1?table-tab=annotations"


def test_1_8_filters_that_leave_nothing_can_be_left(page: Fetch, twin: Fetch) -> None:
    found = twin("/runs/1?table-tab=tomograms&voxel-spacing=>500")
    assert (found["table"]["rows"], found["present"]) == ([], [])
    assert "No tomograms of this run match these filters. Show all tomograms" in words(page("/runs/1?table-tab=tomograms&voxel-spacing=>500"))  # fmt: skip
    assert len(twin(found["everything"])["table"]["rows"]) == 2


def test_1_8_a_tilt_series_has_its_picture_and_a_tomogram_its_slices(twin: Fetch, page: Fetch, site: Site) -> None:
    (series,) = twin("/runs/1?table-tab=tilt-series")["table"]["rows"]
    assert series["picture"]["src"] == "/tilt-series/1/section.webp?index=20"
    assert series["picture"]["alt"] == "Section 21 of 41 of TS-1"
    assert "section.webp?index=20" in page("/runs/1?table-tab=tilt-series")
    for row in twin("/runs/1?table-tab=tomograms")["table"]["rows"]:
        assert row["actions"]["slices"] == f"/tomograms/{row['identifier'][3:]}#slices"
        assert 'id="slices"' in page(f"/tomograms/{row['identifier'][3:]}")
