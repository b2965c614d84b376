"""The page of a deposition: how its data were made, and what it brought."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.conftest import Fetch, Site, words

from tomotheca.web.pages.deposited import GROUPINGS, ITEMS_PER_PAGE, KINDS, RUNS_PER_PAGE
from tomotheca.web.tables import natural

if TYPE_CHECKING:
    from starlette.testclient import TestClient

DEPOSITION = 300


def items(site: Site, kind: str) -> list[dict[str, Any]]:
    """Give what visitors see of the deposition."""
    shown = {d["id"] for d in site.world.rows["dataset"] if d["visibility_state"] == "public"}
    return [r for r in site.world.rows[kind] if r["deposition_id"] == DEPOSITION and r["_owner"] in shown]


@pytest.mark.parametrize("tab", KINDS)
def test_1_9_deposited_data_are_one_table(tab: str, twin: Fetch, http: TestClient, site: Site) -> None:
    path = f"/depositions/{DEPOSITION}?deposition-tab={tab}"
    data = twin(path)["data"]
    mine = items(site, KINDS[tab].kind)
    assert data["table"]["shown"] == len(mine) > 0
    rows = list(csv.DictReader(io.StringIO(http.get(path.replace("?", ".csv?")).text)))
    assert len(rows) == len(mine)
    for head in data["table"]["heads"][:-1]:
        again = twin(head["links"][0]["href"])
        assert not again["ignored"]
        assert again["data"]["table"]["shown"] == len(mine)


@pytest.mark.parametrize("group", [g for g in GROUPINGS if g])
@pytest.mark.parametrize("tab", KINDS)
def test_1_9_groups_hold_everything(group: str, tab: str, twin: Fetch, site: Site) -> None:
    path = f"/depositions/{DEPOSITION}?deposition-tab={tab}&group-by={group}"
    first = twin(path)["data"]
    assert first["tab"] == tab
    groups = [
        g for n in range(1, first["pager"]["pages"] + 1) for g in twin(f"{path}&groups-page={n}")["data"]["groups"]
    ]
    assert sum(g["count"] for g in groups) == len(items(site, KINDS[tab].kind))
    inner = [p for g in groups for p in g["parts"] or [g]]
    assert all(len(p["rows"]) == min(p["count"], ITEMS_PER_PAGE) for p in inner)


def test_1_9_a_dataset_has_its_runs_and_each_run_its_items(twin: Fetch, page: Fetch, site: Site) -> None:
    path = f"/depositions/{DEPOSITION}?deposition-tab=annotations&group-by=deposited_location"
    mine, names = items(site, "annotation"), {r["id"]: r["name"] for r in site.world.rows["run"]}
    address, seen = path, []
    while address:
        found = twin(address)
        assert found["ignored"] == []
        group = found["data"]["groups"][0]
        assert not group["rows"]
        assert len(group["parts"]) <= RUNS_PER_PAGE
        seen += group["parts"]
        address = group["next"]
    wanted = {a["run_id"] for a in mine if a["_owner"] == int(group["identifier"][3:])}
    assert {int(r["identifier"][3:]) for r in seen} == wanted
    assert [r["title"] for r in seen] == sorted((names[i] for i in wanted), key=natural)
    for run in seen:
        assert run["count"] == sum(a["run_id"] == int(run["identifier"][3:]) for a in mine)
    html = page(path)
    assert html.count('<details class="place run"') == sum(len(g["parts"]) for g in twin(path)["data"]["groups"])
    assert twin(path)["data"]["labels"][-2:] == ["Recall", ""]


def test_1_9_a_run_of_a_deposition_is_paged_by_itself(twin: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomotheca.web.pages.deposited.ITEMS_PER_PAGE", 1)
    first = twin(f"/depositions/{DEPOSITION}?deposition-tab=annotations&group-by=deposited_location")["data"]["groups"]
    run = next(p for g in first for p in g["parts"] if p["count"] > 1)
    again = twin(run["next"])
    assert again["ignored"] == []
    parts = {p["identifier"]: p for g in again["data"]["groups"] for p in g["parts"]}
    rest = parts.pop(run["identifier"])
    assert [r["identifier"] for r in rest["rows"]] != [r["identifier"] for r in run["rows"]]
    assert rest["place"] == f"2 to 2 of {run['count']}"
    others = {p["identifier"]: [r["identifier"] for r in p["rows"]] for g in first for p in g["parts"]}
    assert all([r["identifier"] for r in p["rows"]] == others[name] for name, p in parts.items())


def test_1_9_a_group_is_paged_without_script(twin: Fetch) -> None:
    path = f"/depositions/{DEPOSITION}?deposition-tab=annotations&group-by=organism"
    group = twin(path)["data"]["groups"][0]
    seen = [r["identifier"] for r in group["rows"]]
    while group["next"]:
        page = twin(group["next"])
        assert page["ignored"] == []
        group = page["data"]["groups"][0]
        seen += [r["identifier"] for r in group["rows"]]
    assert len(seen) == len(set(seen)) == group["count"] > ITEMS_PER_PAGE


def test_1_9_methods_are_counted_and_empty_columns_left_out(twin: Fetch, page: Fetch, site: Site) -> None:
    found = twin(f"/depositions/{DEPOSITION}?method-summary-tab=tomograms")["methods"]
    assert found["tab"] == "tomograms"
    assert sum(m["count"] for m in found["rows"]) == len(items(site, "tomogram"))
    for label in found["labels"]:
        said = [f["values"][0]["style"] for m in found["rows"] for f in m["fields"] if f["label"] == label]
        assert any(style != "missing" for style in said), label
    html = page(f"/depositions/{DEPOSITION}?method-summary-tab=acquisition")
    assert "300,000\u00a0V (300\u00a0kV)" in words(html) or "300 kV" in words(html).replace("\u00a0", " ")


def test_1_9_a_method_without_type_is_not_recorded(twin: Fetch, site: Site) -> None:
    found = twin(f"/depositions/{DEPOSITION}?method-summary-tab=annotations")["methods"]
    types = {a["method_type"] for a in items(site, "annotation")}
    said = {
        f["values"][0]["pieces"][0]["text"] for m in found["rows"] for f in m["fields"] if f["label"] == "Method type"
    }
    assert len(said) == len(types)
    assert (None in types) == ("Not recorded" in said)


def test_T2_past_the_end_of_the_deposited_data(http: TestClient) -> None:
    answer = http.get(f"/depositions/{DEPOSITION}?deposition-tab=tomograms&tomograms-page=999", follow_redirects=False)
    assert answer.status_code == 302
    assert "tomograms-page=999" not in answer.headers["location"]
