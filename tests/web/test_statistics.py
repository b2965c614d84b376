"""Statistics, held against the rows that a visitor sees."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.conftest import Fetch, Site, words

from tomotheca.catalog.viewer import ANONYMOUS, CURATOR
from tomotheca.schema.vocabulary import label

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tomotheca.catalog.viewer import Viewer

PATH = "/statistics"
COUNTED = {
    "organisms": ("dataset", "organism_name"), "sample-types": ("dataset", "sample_type"), "objects": ("annotation", "object_name"),
    "methods": ("annotation", "method_type"), "shapes": ("annotation_shape", "shape_type"), "microscopes": ("tiltseries", "microscope_model"),
    "cameras": ("tiltseries", "camera_model"), "reconstruction-methods": ("tomogram", "reconstruction_method"),
}  # fmt: skip


def seen(site: Site, kind: str, viewer: Viewer = ANONYMOUS) -> list[Any]:
    """Give every row of a kind that somebody sees, by the way that lists and APIs take."""
    return list(site.portal.catalog.find(kind, viewer, limit=100_000))


def numbers(chart: Any) -> dict[str, int]:
    return {line["label"]: line["number"] for line in (*chart["lines"], *chart["more"])}


def test_p42_totals_are_those_of_the_catalogue(site: Site, http: TestClient, curator: TestClient) -> None:
    kinds = ("dataset", "run", "tiltseries", "tomogram", "annotation")
    for client, viewer in ((http, ANONYMOUS), (curator, CURATOR)):
        totals = [t["number"] for t in client.get(f"{PATH}.json").json()["totals"]]
        assert totals[:5] == [len(seen(site, kind, viewer)) for kind in kinds]
    assert len(seen(site, "run")) < len(seen(site, "run", CURATOR)), "the world hides nothing"


@pytest.mark.parametrize("name", COUNTED)
def test_p42_each_table_counts_what_a_visitor_sees(site: Site, twin: Fetch, name: str) -> None:
    kind, column = COUNTED[name]
    enum = next(c for c in site.portal.catalog.schema.columns(kind) if c.name == column).enum
    rows = seen(site, kind)
    counts = Counter("Not recorded" if r[column] is None else label(enum, r[column]) for r in rows)
    chart = next(c for c in twin(PATH)["charts"] if c["id"] == name)
    assert numbers(chart) == counts
    order = [line["number"] for line in (*chart["lines"], *chart["more"]) if line["label"] != "Not recorded"]
    assert order == sorted(order, reverse=True)


def test_p42_growth_adds_up_to_everything_that_has_a_date(site: Site, twin: Fetch) -> None:
    dated = {r["id"]: str(r["release_date"])[:7] for r in seen(site, "dataset") if r["release_date"]}
    runs = Counter(dated[r["dataset_id"]] for r in seen(site, "run") if r["dataset_id"] in dated)
    months = twin(PATH)["months"]
    assert {m["month"]: m["datasets"] for m in months if m["datasets"]} == Counter(dated.values())
    assert {m["month"]: m["runs"] for m in months if m["runs"]} == runs
    assert (months[-1]["all_datasets"], months[-1]["all_runs"]) == (len(dated), runs.total())
    names = [m["month"] for m in months]
    assert names == sorted(set(names))
    assert len(names) == _between(names[0], names[-1])


def _between(first: str, last: str) -> int:
    (a, b), (c, d) = (map(int, name.split("-")) for name in (first, last))
    return (c - a) * 12 + d - b + 1


def test_p42_fill_rates_are_shares_of_the_rows(site: Site, twin: Fetch) -> None:
    rows = seen(site, "dataset")
    chart = next(c for c in twin(PATH)["filled"] if c["id"] == "filled-dataset")
    found = numbers(chart)
    assert found["Organism"] == sum(r["organism_name"] is not None for r in rows)
    assert found["Tissue"] == sum(r["tissue_name"] is not None for r in rows)
    assert all(line["note"].endswith(f"of {len(rows)}") for line in chart["lines"])
    assert "Email" not in str(twin(PATH)["filled"])


def test_p42_csv_has_every_number(http: TestClient, twin: Fetch) -> None:
    rows = list(csv.DictReader(io.StringIO(http.get(f"{PATH}.csv").text)))
    page = twin(PATH)
    objects = next(c for c in page["charts"] if c["id"] == "objects")
    assert {r["label"]: int(r["number"]) for r in rows if r["table"] == "Object"} == numbers(objects)
    assert [r["label"] for r in rows if r["table"] == "totals"] == [t["label"] for t in page["totals"]]
    assert {r["label"]: int(r["number"]) for r in rows if r["table"] == "Storage"} == numbers(page["storage"])


def test_p42_links_lead_to_what_was_counted(page: Fetch, twin: Fetch) -> None:
    for chart in twin(PATH)["charts"]:
        hrefs = [line["href"] for line in chart["lines"] if line["href"]]
        assert hrefs, chart["id"]
        assert "Ignored:" not in words(page(hrefs[0]))


def test_n2_every_number_is_in_the_page_with_a_bar_beside_it(page: Fetch, twin: Fetch) -> None:
    html = page(PATH)
    lines = [line for c in twin(PATH)["charts"] for line in (*c["lines"], *c["more"])]
    assert all(line["label"] in words(html).replace("&#39;", "'") for line in lines)
    assert html.count("<rect") >= len(lines)
    assert "<script>" not in html
    assert " style=" not in html
    assert html.count('href="/statistics"') >= 2
