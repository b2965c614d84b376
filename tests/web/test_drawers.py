"""Drawers: what they hold beyond the fields of the schema, and the ways out of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.conftest import Fetch, Site, words

from tomotheca.settings import Weights
from tomotheca.web.knowing import ITEMS
from tomotheca.web.methods import SUMMARIES

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def fields(overlay: dict[str, Any], section: str) -> dict[str, list[str]]:
    """Give the texts of a section's fields by label."""
    found = next(s for s in overlay["sections"] if s["name"] == section)
    return {
        f["label"]: ["".join(p["text"] for p in v["pieces"]) or (v["badge"] or {}).get("text", "") for v in f["values"]]
        for f in found["fields"]
    }


def test_3_drawers_step_through_the_table_behind_them(twin: Fetch, page: Fetch) -> None:
    path = "/runs/1?table-tab=tomograms"
    names = [r["identifier"] for r in twin(path)["table"]["rows"]]
    assert len(names) > 1
    first, last = (twin(f"{path}&metadata=tomogram&metadata-id={n}")["overlay"] for n in (names[0], names[-1]))
    assert first["previous"] is None
    assert first["next"]["text"] == names[1]
    assert first["next"]["href"] == f"{path}&metadata=tomogram&metadata-id={names[1]}"
    assert last["next"] is None
    assert last["previous"]["text"] == names[-2]
    html = page(f"{path}&metadata=tomogram&metadata-id={names[0]}")
    assert f'data-copy="http://portal.test{path}&amp;metadata=tomogram&amp;metadata-id={names[0]}"' in html
    assert f'href="/tomograms/{names[0][3:]}.json" download' in html
    assert f'<a href="/tomograms/{names[0][3:]}">Open as page</a>' in html


def test_3_the_drawer_of_a_run_steps_to_its_neighbours(twin: Fetch, http: TestClient) -> None:
    overlay = twin("/runs/2?metadata=run")["overlay"]
    assert overlay["previous"] == {"text": "run_1", "href": "/runs/1?metadata=run"}
    assert http.get(overlay["next"]["href"]).status_code == 200


def test_3_a_run_that_is_hidden_is_no_neighbour(twin: Fetch, site: Site) -> None:
    overlay = twin("/browse-data/datasets?metadata=dataset&metadata-id=DS-10000")["overlay"]
    around = {c["text"] for c in (overlay["previous"], overlay["next"]) if c}
    hidden = {f"DS-{d['id']}" for d in site.world.rows["dataset"] if d["visibility_state"] != "public"}
    assert around
    assert not around & hidden


@pytest.mark.parametrize("given", ["TM-99999", "TM-x", "nonsense", "99999999999999999999"])
def test_3_an_invalid_identifier_is_a_notice(given: str, http: TestClient) -> None:
    answer = http.get(f"/runs/1?metadata=tomogram&metadata-id={given}")
    assert answer.status_code == 200
    assert "<dialog" not in answer.text
    assert given in words(answer.text)


def test_3_1_what_differs_between_tilt_series_is_counted(twin: Fetch, site: Site) -> None:
    overlay = twin("/datasets/10000?metadata=dataset")["overlay"]
    assert fields(overlay, "Microscope")["Microscope model"] == ["Krios"]
    series = [s for s in site.world.rows["tiltseries"] if s["_owner"] == 10000]
    assert len({s["camera_manufacturer"] for s in series}) == 1
    assert fields(overlay, "Camera")["Camera model"] == ["K3"]


def test_3_2_a_run_says_how_complete_it_is_and_what_it_lacks(twin: Fetch) -> None:
    found = fields(twin("/runs/1?metadata=run")["overlay"], "Run")
    missing = set(found["Missing"]) - {"None"}
    weights = {i.label: i.weight(Weights()) for i in ITEMS}
    assert found["Completeness"] == [f"{100 - sum(weights[m] for m in missing)} %"]
    assert missing < set(weights)
    assert "Release date (dataset)" in found


def test_3_3_sections_are_a_table_with_csv(twin: Fetch, http: TestClient, site: Site) -> None:
    overlay = twin("/runs/1?metadata=tilt-series&metadata-id=TS-1&tab=sections")["overlay"]
    grid = overlay["sections"][0]["grid"]
    rows = [r for r in site.world.rows["per_section_parameters"] if r["tiltseries_id"] == 1]
    assert len(grid["rows"]) == len(rows)
    links = [v["pieces"][0]["href"] for v in overlay["sections"][0]["fields"][0]["values"]]
    assert links == ["/tilt-series/1.csv", "/tilt-series/1.tsv"]
    assert len(http.get(links[0]).text.splitlines()) == len(rows) + 1


def test_3_6_a_deposition_says_how_its_data_were_made(twin: Fetch, page: Fetch, site: Site) -> None:
    overlay = twin("/depositions/300?metadata=deposition&tab=methodSummary")["overlay"]
    assert overlay["tab"] == "Methods"
    visible = {d["id"] for d in site.world.rows["dataset"] if d["visibility_state"] == "public"}
    mine = [a for a in site.world.rows["annotation"] if a["deposition_id"] == 300 and a["_owner"] in visible]
    said = [s for s in overlay["sections"] if s["name"].startswith("Annotation methods")]
    counted = [int(s["fields"][0]["values"][0]["pieces"][0]["text"].replace(",", "")) for s in said]
    assert sum(counted) == len(mine)
    assert counted == sorted(counted, reverse=True)
    assert {s["name"].rstrip(" 0123456789") for s in overlay["sections"]} == {s.name for s in SUMMARIES.values()}
    text = words(page("/depositions/300?metadata=deposition"))
    assert re.search(
        r"Contents Annotations [\d,]+ Tomograms [\d,]+ Tilt series [\d,]+ Runs [\d,]+ Datasets [\d,]+", text
    )
