"""Generated viewer states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.web.conftest import Fetch

STATE = "/api/v1/viewer/runs/1/state.json"


def state(http: TestClient, query: str = "") -> Any:
    answer = http.get(STATE + query)
    assert answer.status_code == 200
    assert len(answer.content) < 64 << 10
    return answer.json()


def test_V2_the_state_names_this_sites_data_alone(http: TestClient) -> None:
    found = state(http)
    image, picks, mask = found["layers"]
    assert image["source"] == "zarr2:///files/10000/run_1/Reconstructions/VoxelSpacing10.000/Tomograms/1/run_1.zarr/"
    assert "range=[-2.5, 2.5]" in image["shader"]
    assert (picks["type"], picks["visible"], mask["type"], mask["visible"]) == ("annotation", True, "image", True)
    assert all(not str(layer["source"]).startswith("http") for layer in found["layers"])
    assert found["dimensions"] == {axis: [1e-9, "m"] for axis in "xyz"}


def test_V3_the_default_tomogram_and_the_one_asked_for(http: TestClient) -> None:
    assert state(http)["title"] == "TM-1"
    assert state(http, "?tomogram=TM-2")["title"] == "TM-2"
    assert state(http, "?tomogram=2")["title"] == "TM-2"
    assert http.get(STATE + "?tomogram=TM-999").status_code == 404


def test_V12_one_annotation_or_one_deposition(http: TestClient) -> None:
    assert [layer["name"] for layer in state(http, "?annotation=AN-2")["layers"]][1:] == [
        "membrane · segmentation (AN-2)"
    ]
    assert len(state(http, "?deposition=DEP-301")["layers"]) == 1


def test_points_lie_where_their_file_says(http: TestClient) -> None:
    import json

    from tests.web.drawn import points

    expected = [json.loads(line)["location"] for line in points(120).splitlines()]
    shown = [m["point"] for m in state(http)["layers"][1]["annotations"] if m["type"] == "point"]
    assert shown == [[p["x"], p["y"], p["z"]] for p in expected]


def test_V7_an_object_has_the_same_colour_in_every_run(http: TestClient) -> None:
    first = state(http)["layers"][1]["annotationColor"]
    second = http.get("/api/v1/viewer/runs/2/state.json").json()["layers"][1]["annotationColor"]
    assert first == second


def test_V5_the_page_switches_between_tomograms(twin: Fetch, page: Fetch) -> None:
    found = twin("/view/runs/1")
    assert [(c["identifier"], c["current"]) for c in found["choices"]] == [("TM-1", True), ("TM-2", False)]
    assert found["state"] == f"{STATE}?tomogram=1"
    assert "tomogram=TM-2" in page("/view/runs/1")
    assert twin("/view/tomograms/2")["state"] == f"{STATE}?tomogram=2"


def test_V1_without_script_or_volume_the_page_says_so(page: Fetch) -> None:
    assert "<noscript>" in page("/view/runs/1") or "not part of this installation" in page("/view/runs/1")
    assert "no tomogram that can be shown" in page("/view/runs/5")
