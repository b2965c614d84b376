"""`search=` on listings asks the same index, and combines with filters (Q1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def rows(http: TestClient, path: str, **params: str) -> list[Any]:
    answer = http.get(f"{path}.json", params={"per-page": "100", **params})
    assert answer.status_code == 200
    return [row["identifier"] for row in answer.json()["table"]["rows"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("fission yeast", {"DS-20001", "DS-20002"}), ('"storage granules"', {"DS-20027"}), ("proteasome -quiescent", {"DS-20026"}), ("VLP", {"DS-20011"}), ("npc_02", {"DS-20004"}),
        ("EMPIAR-91016", {"DS-20016"}), ("author:solberg tripl", {"DS-20038"}), ("qqqqqq", set()),
    ],
)  # fmt: skip
def test_q1_a_listing_is_filtered_by_the_same_engine(http: TestClient, query: str, expected: set[str]) -> None:
    assert set(rows(http, "/browse-data/datasets", search=query)) == expected


def test_q1_runs_are_found_by_their_own_names_and_their_datasets_words(http: TestClient) -> None:
    found = http.get("/browse-data/runs.json?search=npc_02").json()["table"]["rows"]
    assert [r["run"]["name"] for r in found] == ["npc_02"]
    names = {r["identifier"] for r in (b["run"] for b in found)}
    every = rows(http, found[0]["dataset_href"])
    assert set(rows(http, found[0]["dataset_href"], search="npc_02")) == names < set(every)
    assert set(rows(http, found[0]["dataset_href"], search="nuclear pore")) == set(every)
    assert rows(http, found[0]["dataset_href"], search="qqqqqq") == []


def test_q1_a_search_in_a_list_keeps_the_filters(http: TestClient) -> None:
    page = http.get("/browse-data/datasets", params={"organism": "Homo sapiens", "sort": "title", "page": "1"}).text
    form = page[page.index('<form class="search"') :].partition("</form>")[0]
    assert 'name="organism" value="Homo sapiens"' in form
    assert 'name="sort" value="title"' in form
    assert 'name="page"' not in form


def test_q1_search_combines_with_filters(http: TestClient) -> None:
    assert set(rows(http, "/browse-data/datasets", search="triplets", organism="Homo sapiens")) == {"DS-20038"}
    assert rows(http, "/browse-data/datasets", search="triplets", organism="Mus musculus") == []
    assert rows(http, "/browse-data/depositions", search="batch 911") == ["DEP-911"]
