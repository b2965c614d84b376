"""Search on the world that has nasty names in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def test_text_of_data_is_escaped_in_results_and_suggestions(http: TestClient) -> None:
    for path in (
        "/search?q=nasty",
        "/search?q=alert&table-tab=runs",
        "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
        "/search?q=F-actin",
        "/search?q=nosty",
    ):
        html = http.get(path).text
        assert "<script>alert" not in html
        assert "<b>run</b>" not in html
    assert "&lt;script&gt;" in http.get("/search?q=nasty").text
    assert http.get("/search/suggest?q=nasty").headers["content-type"] == "application/json"


def test_pages_of_a_tab_past_the_end_show_the_last(http: TestClient) -> None:
    found = http.get("/search.json", params={"q": "ribosome", "table-tab": "runs", "page": "99"}).json()
    assert found["pager"]["page"] == found["pager"]["pages"]
    assert found["groups"][0]["hits"]
