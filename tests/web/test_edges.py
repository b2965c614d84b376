"""An empty catalogue, withdrawn records, and addresses nobody should send."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.web.conftest import words
from tests.web.world import World

from tomotheca.desk import Desk
from tomotheca.errors import GoneError
from tomotheca.settings import Settings
from tomotheca.web.portal import Portal
from tomotheca.web.routes import routes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def empty(tmp_path: Path) -> Portal:
    given = Settings(root=tmp_path)
    world = World(tmp_path)
    world.add("deposition", id=1, owner=1, title="Nothing seen of it", visibility_state="public")
    return Portal(world.save(given), given, desk=Desk.open(tmp_path / "state" / "desk.sqlite"))


def test_an_empty_catalogue_says_how_to_fill_it(empty: Portal) -> None:
    with TestClient(Starlette(routes=routes(empty))) as http:
        assert "tomotheca ingest" in words(http.get("/").text)
        assert "Nothing has been released yet" in words(http.get("/browse-data/datasets").text)
        for path in (
            "/browse-data/depositions",
            "/browse-data/datasets?object=x&files=gain&runs=>=2&voxel-spacing=5..6",
            "/feed.atom",
            "/index.json",
        ):
            assert http.get(path).status_code == 200


def test_a_withdrawn_record_is_gone_for_good(empty: Portal) -> None:
    assert empty.desk is not None
    empty.desk.bury("run", 7, "TS_7", "Wrong specimen.")  # type: ignore[attr-defined]  # the desk of a server writes too
    with (
        TestClient(Starlette(routes=routes(empty))) as http,
        pytest.raises(GoneError, match=r"RN-7 was withdrawn: TS_7\. Wrong specimen\."),
    ):
        http.get("/runs/7")


NAMES = st.sampled_from(
    ["object", "files", "runs", "organism", "quality_score", "voxel-spacing", "voxel-spacing.from", "search", "author", "dataset_id", "sort", "page", "per-page",
     "metadata", "metadata-id", "tab", "dl", "dl-what", "dl-tab", "dl-format", "dl-tomogram", "table-tab", "tomogram", "annotation", "deposition", "annotations-sort", "type"]
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=30), st.sampled_from(["(none)", "membrane", ">=5", "1..", "RN-1", "DS-10000", "run", "DS-", "-title", "9" * 40, '"', "%", "[", "\\", "AN-1", "tomogram"])
)  # fmt: skip
PATHS = st.sampled_from(
    [
        "/",
        "/browse-data/datasets",
        "/browse-data/depositions",
        "/datasets/10000",
        "/runs/1",
        "/depositions/300",
        "/tomograms/1",
        "/view/runs/1",
        "/id",
    ]
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=PATHS, pairs=st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_no_address_breaks_a_page(path: str, pairs: list[tuple[str, str]], http: TestClient) -> None:
    query = urlencode(pairs, errors="surrogatepass")
    assert http.get(f"{path}?{query}").status_code in {200, 404}
