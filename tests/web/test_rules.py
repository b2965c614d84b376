"""Rules of tables, filters, dialogs and pages that stand by themselves, each held against the invented world."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from starlette.testclient import TestClient
from tests.web.conftest import Fetch, Site, make_app, words
from tests.web.world import build

if TYPE_CHECKING:
    from pathlib import Path

LISTS = ("/browse-data/datasets", "/browse-data/runs", "/browse-data/depositions", "/browse-data/objects", "/datasets/10000", "/runs/1", "/runs/1?table-tab=tomograms")  # fmt: skip


def test_T5_the_first_cell_with_words_is_a_link_and_a_row_is_none(page: Fetch) -> None:
    for path in LISTS:
        html = page(path)
        assert not re.search(r"<tr[^>]*(onclick|data-href|role=.link)", html)
        rows = re.findall(r'(?s)<th scope="row" class="name">(.*?)</th>', html)
        assert rows, path
        assert all(re.match(r"\s*<a href=\"/", row) for row in rows), path


def test_G5_another_filter_starts_at_the_first_page(page: Fetch, twin: Fetch) -> None:
    path = "/datasets/10000?per-page=20&page=1&depositions-page=1&sort=name"
    panel = twin(path)["panel"]
    assert "page" not in dict(panel["hidden"])
    address = "/browse-data/runs?per-page=20&page=2&object=membrane&sort=name"
    found = twin(address)
    for sentence in found["listing"]["panel"]["sentences"]:
        assert "page=" not in sentence["remove"].replace("per-page=", "")
        assert "sort=name" in sentence["remove"]
    form = re.findall(r'(?s)<form method="get"[^>]*class="filters".*?</form>', page(address))[0]
    assert 'name="page"' not in form
    assert 'name="per-page" value="20"' in form


def test_G9_what_is_missing_matches_no_range_and_has_an_option_of_its_own(twin: Fetch, site: Site) -> None:
    public = {r["id"] for r in site.world.rows["dataset"] if r["visibility_state"] == "public"}
    runs = {r["id"] for r in site.world.rows["run"] if r["dataset_id"] in public}
    whole = twin("/browse-data/runs?precision=0..100")["table"]["shown"]
    known = {a["run_id"] for a in site.world.rows["annotation"] if a["confidence_precision"] is not None} & runs
    assert whole == len(known) < len(runs)
    unrated = {s["run_id"] for s in site.world.rows["tiltseries"] if s["tilt_series_quality"] is None} & runs
    assert twin("/browse-data/runs?quality_score=(none)")["table"]["shown"] == len(unrated) > 0


def test_G11_long_lists_have_a_box_to_find_in_and_the_commonest_first(twin: Fetch, page: Fetch) -> None:
    def control(path: str, name: str) -> dict[str, list[dict[str, object]]]:
        panel = twin(path)["listing"]["panel"]
        return next(c for s in panel["sections"] for c in s["controls"] if c["parameter"] == name)  # type: ignore[no-any-return]  # JSON

    objects = control("/browse-data/datasets", "object")
    assert len(objects["options"]) > 8
    assert objects["find"]
    assert not control("/browse-data/datasets", "organism")["find"]
    assert 'aria-label="Find in Object name"' in page("/browse-data/datasets")
    counts = [(-int(str(o["count"])), str(o["label"]).casefold()) for o in objects["options"]]
    assert counts == sorted(counts)
    rarest = objects["options"][-1]["value"]
    chosen = control(f"/browse-data/datasets?object={rarest}", "object")["options"]
    assert (chosen[0]["value"], chosen[0]["checked"]) == (rarest, True)


def test_D3_the_dialog_says_what_the_file_is(twin: Fetch) -> None:
    said = " · ".join(twin("/tomograms/1?dl=TM-1")["overlay"]["lines"]).replace("\u00a0", " ")
    for part in ("DS-10000", "run_1", "RN-1", "10 Å", "(630, 630, 200)", "denoised", "AL-1"):
        assert part in said, (part, said)
    assert "TM-1" in twin("/tomograms/1?dl=TM-1")["overlay"]["identifier"]


def test_S15_shapes_and_methods_read_as_words(page: Fetch) -> None:
    text = words(page("/runs/1?table-tab=annotations")) + words(page("/datasets/10001"))
    for word in ("Segmentation", "Point", "Manual (by hand)", "Automated"):
        assert word in text, word
    run = next(w for w in (words(page(f"/runs/{n}")) for n in range(1, 12)) if "Oriented point" in w)
    assert "Hybrid" in run or "Automated" in run


def test_1_9_sections_that_were_left_out_are_named_on_the_run_and_on_the_series(twin: Fetch, site: Site) -> None:
    run = next(r["id"] for r in site.world.rows["run"] if r["name"] == "mosaic_3")
    known = {s["identifier"]: s["left_out"] for s in twin(f"/runs/{run}")["series"]}
    assert sorted(known.values()) == ["1 of 3 sections: −54°", "Not recorded"]
    series = next(i for i, words_ in known.items() if words_ != "Not recorded").removeprefix("TS-")
    page = twin(f"/tilt-series/{series}")
    place = next(n for n, h in enumerate(page["table"]["heads"]) if h["links"][0]["label"] == "Left out")
    assert [r["cells"][place]["pieces"][0]["text"] for r in page["table"]["rows"]] == ["No", "No", "Yes"]


def test_N11_without_its_files_the_catalogue_is_still_read(tmp_path: Path) -> None:
    """Pages say what is known of records while the place of their bytes cannot be reached; bytes are answered with 503 or 404."""
    settings, catalog, world = build(tmp_path)
    shutil.rmtree(tmp_path / "archive")
    found = make_app(settings, catalog, world)
    try:
        with TestClient(found.app, base_url="http://portal.test") as client:
            for path in (
                "/",
                *LISTS,
                "/tilt-series/1",
                "/tomograms/1",
                "/annotations/1",
                "/alignments/1",
                "/annotations/1?dl=AN-1",
            ):
                answer = client.get(path)
                assert answer.status_code == 200, path
                assert answer.text.count("<h1") == 1, path
            assert "run_1" in client.get("/runs/1").text
            assert client.get("/tomograms/1/slice.webp").status_code in {404, 503}
    finally:
        found.close()
