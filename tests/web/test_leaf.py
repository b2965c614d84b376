"""Pages of single records over a real archive: slices, tables, lineage, what belongs together, and what machines read; the viewer's choices."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.api import volumes
from tests.api.volumes import ANNOTATION, MASK, RUN, SERIES, SHAPE, SPACING, TOMOGRAM
from tests.catalog.archive import AUTHOR, DATES, put_dataset, put_deposition
from tests.web.conftest import words

from tomotheca.api.app import create_app
from tomotheca.catalog.build import Indexer
from tomotheca.desk import Desk
from tomotheca.formats import omezarr
from tomotheca.settings import Settings
from tomotheca.store import documents, layout, manifest
from tomotheca.store.files import LocalFiles

RUN_ID = TOMOGRAM


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("leaves")
    volumes.build(folder)
    return folder


@pytest.fixture(scope="module")
def portal(root: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(root=root)), base_url="http://portal.test") as client:
        yield client


def page(portal: TestClient, path: str) -> str:
    answer = portal.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.text


def hrefs(html: str) -> list[str]:
    return [h.replace("&amp;", "&") for h in re.findall(r'href="([^"]*)"', html)]


def test_v11_the_preview_leads_to_its_neighbours_by_plain_links(portal: TestClient) -> None:
    html = page(portal, f"/tomograms/{TOMOGRAM}?index=20")
    steps = [h for h in hrefs(html) if h.startswith(f"/tomograms/{TOMOGRAM}?index=") and h.endswith("#slices")]
    assert steps == [f"/tomograms/{TOMOGRAM}?index={i}#slices" for i in (10, 19, 21, 30)]
    assert f'src="/tomograms/{TOMOGRAM}/slice.webp?index=20"' in html
    assert "Slice 21 of 40" in words(html)
    following = page(portal, steps[2].removesuffix("#slices"))
    assert f'src="/tomograms/{TOMOGRAM}/slice.webp?index=21"' in following
    assert portal.get(f"/tomograms/{TOMOGRAM}/slice.webp?index=21").status_code == 200


def test_v11_at_the_ends_there_is_nothing_further(portal: TestClient) -> None:
    first = page(portal, f"/tomograms/{TOMOGRAM}?index=0")
    assert f"/tomograms/{TOMOGRAM}?index=1#slices" in hrefs(first)
    assert not any("index=-" in h for h in hrefs(first))
    last = page(portal, f"/tomograms/{TOMOGRAM}?index=39")
    assert not any("index=40" in h or "index=49" in h for h in hrefs(last))


def test_v11_axis_contrast_and_annotation_are_kept_from_link_to_link(portal: TestClient) -> None:
    html = page(portal, f"/tomograms/{TOMOGRAM}?axis=y&index=50&contrast=soft&overlay=AN-{MASK}")
    wanted = f"/tomograms/{TOMOGRAM}?axis=y&contrast=soft&overlay=AN-{MASK}&index=51#slices"
    assert sorted(wanted.partition("?")[2].split("#")[0].split("&")) in [
        sorted(h.partition("?")[2].split("#")[0].split("&")) for h in hrefs(html)
    ]
    twin = portal.get(f"/tomograms/{TOMOGRAM}.json?axis=y&index=50&contrast=soft&overlay=AN-{MASK}").json()["preview"]
    assert (twin["axis"], twin["index"], twin["last"]) == ("y", 50, SHAPE[1] - 1)
    assert [c["value"] for c in twin["overlays"] if c["chosen"]] == [f"AN-{MASK}"]
    assert portal.get(twin["src"]).status_code == 200


def test_v11_what_the_page_cannot_show_is_ignored_and_said(portal: TestClient) -> None:
    text = words(page(portal, f"/tomograms/{TOMOGRAM}?axis=q&index=4000&contrast=no&overlay=AN-9"))
    for part in ("axis=q", "index=4000", "contrast=no", "overlay=AN-9"):
        assert part in text
    assert "Slice 21 of 40" in text


def test_v11_runs_show_the_slices_of_their_preferred_tomogram(portal: TestClient) -> None:
    html = page(portal, f"/runs/{RUN_ID}?index=5&table-tab=tomograms")
    assert f'src="/tomograms/{TOMOGRAM}/slice.webp?index=5"' in html
    assert 'name="table-tab" value="tomograms"' in html
    width = re.search(r'<img class="plane"[^>]* width="(\d+)"', html)
    assert width is not None
    assert int(width[1]) >= 480


def test_v11_annotations_show_three_planes_through_a_point(portal: TestClient) -> None:
    shots = portal.get(f"/annotations/{ANNOTATION}.json").json()["shots"]
    assert [s["text"] for s in shots] == ["XY, z = 20", "YZ, x = 100", "XZ, y = 70"]
    for s in shots:
        assert f"overlay=AN-{ANNOTATION}" in s["src"]
        assert portal.get(s["src"]).status_code == 200
    assert len(portal.get(f"/annotations/{MASK}.json").json()["shots"]) == 3


def test_1_9_a_tilt_series_shows_its_central_section(portal: TestClient) -> None:
    html = page(portal, f"/tilt-series/{SERIES}")
    assert f'src="/tilt-series/{SERIES}/section.webp?index=2"' in html
    assert "Section 3 of 5" in words(html)
    assert f"/tilt-series/{SERIES}?index=3#slices" in hrefs(html)


def test_1_9_sections_of_a_tilt_series_are_sorted_and_given_as_csv(http: TestClient) -> None:
    text = words(http.get("/tilt-series/1?sort=-raw_angle").text)
    assert "Sections 3" in text
    assert text.index("−54°") < text.index("−57°") < text.rindex("−60°")
    assert 'aria-sort="descending"' in http.get("/tilt-series/1?sort=-raw_angle").text
    answer = http.get("/tilt-series/1.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [r["z_index"] for r in rows] == ["0", "1", "2"]
    assert (rows[1]["raw_angle"], rows[1]["accumulated_dose"], rows[1]["major_defocus"]) == ("-57.0", "3.0", "45000.0")
    assert "attachment" in answer.headers["content-disposition"]
    assert http.get("/tilt-series/99999.csv").status_code == 404


def test_1_9_a_tomogram_says_where_it_comes_from_and_what_fits_it(portal: TestClient) -> None:
    found = portal.get(f"/tomograms/{TOMOGRAM}.json").json()
    assert [c["text"] for c in found["lineage"]] == [
        "Frames: not submitted",
        "Tilt series: not recorded",
        f"Alignment AL-{RUN_ID}",
        f"Tomogram TM-{TOMOGRAM}",
    ]
    sections = {s["name"]: s for s in found["sections"]}
    fit = [v["pieces"][0]["href"] for v in sections["Annotations"]["fields"][0]["values"]]
    assert fit == [f"/annotations/{ANNOTATION}", f"/annotations/{MASK}"] or sorted(fit) == sorted(
        [f"/annotations/{ANNOTATION}", f"/annotations/{MASK}"]
    )
    levels = [[v["pieces"][0]["text"] for v in row[:2]] for row in sections["Pyramid levels"]["grid"]["rows"]]
    assert levels[0] == ["0", "(200, 144, 40)\u00a0px"]
    assert len(levels) == 3


def test_1_9_the_first_points_of_an_annotation_as_table_and_csv(portal: TestClient) -> None:
    text = words(page(portal, f"/annotations/{ANNOTATION}?sort=-x"))
    assert text.index("150 30 39") < text.index("100 70 20") < text.index("30 100 20")
    answer = portal.get(f"/annotations/{ANNOTATION}.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(r["x"], r["y"], r["z"]) for r in rows] == [
        ("100.0", "70.0", "20.0"),
        ("30.0", "100.0", "20.0"),
        ("150.0", "30.0", "39.0"),
    ]
    assert portal.get(f"/annotations/{MASK}.csv").status_code == 404
    assert portal.get(f"/annotations/{ANNOTATION}.tsv").text.count("\t") >= 3 * 4


def test_1_9_an_alignment_names_what_uses_it(portal: TestClient) -> None:
    found = hrefs(page(portal, f"/alignments/{RUN_ID}"))
    assert {f"/tomograms/{TOMOGRAM}", f"/annotations/{ANNOTATION}", f"/annotations/{MASK}"} <= set(found)


@pytest.mark.parametrize(
    "path",
    [
        f"/tomograms/{TOMOGRAM}",
        f"/annotations/{ANNOTATION}",
        f"/alignments/{RUN_ID}",
        f"/runs/{RUN_ID}",
        "/datasets/10001",
        "/depositions/10300",
    ],
)
def test_1_9_every_entity_describes_itself_to_machines(portal: TestClient, path: str) -> None:
    html = page(portal, path)
    for tag in (
        'rel="canonical"',
        'name="description"',
        'property="og:title"',
        'property="og:description"',
        'rel="alternate" type="application/json"',
        'name="citation_title"',
    ):
        assert tag in html, tag
    block = re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    assert block is not None
    linked = json.loads(block[1])
    assert (linked["@context"], linked["@type"], linked["@id"]) == (
        "https://schema.org",
        "Dataset",
        f"http://portal.test{path}",
    )
    assert linked["creator"][0]["name"] == "Ada Fictional"
    assert "ada@example.org" not in html


def test_n10_text_of_data_cannot_end_the_block_for_machines(http: TestClient) -> None:
    html = http.get("/datasets/10050").text
    block = re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    assert block is not None
    assert "<script>alert" in json.loads(block[1])["name"]
    assert "<script>alert" not in html


def test_1_9_a_missing_record_is_404_with_its_neighbours(portal: TestClient) -> None:
    answer = portal.get(f"/tomograms/{TOMOGRAM + 1}", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert f'href="/tomograms/{TOMOGRAM}"' in answer.text
    assert f'name="q" value="TM-{TOMOGRAM + 1}"' in answer.text
    hidden = portal.get(f"/tomograms/{volumes.HIDDEN}", headers={"accept": "text/html"})
    never = portal.get(f"/tomograms/{volumes.HIDDEN + 1}", headers={"accept": "text/html"})
    assert hidden.text.replace(str(volumes.HIDDEN), "N") == never.text.replace(str(volumes.HIDDEN + 1), "N")


def test_1_9_a_withdrawn_record_has_a_gravestone(tmp_path: Path) -> None:
    volumes.build(tmp_path)
    settings = Settings(root=tmp_path)
    with Desk.open(settings.desk_database) as desk:
        desk.bury("tomogram", 77, "TS_77, 10 Å", "Wrong specimen.")
    with TestClient(create_app(settings), base_url="http://portal.test") as http:
        answer = http.get("/tomograms/77", headers={"accept": "text/html"})
        assert answer.status_code == 410
        text = words(answer.text)
        assert "TM-77, TS_77, 10 Å" in text
        assert "Wrong specimen." in text
        assert re.search(r"Withdrawn \d{4}-\d\d-\d\d", text)


# --- which layers the viewer shows

BALL = {"GO:1": "ball", "GO:2": "box", "GO:3": "all"}


def put(files: LocalFiles, run: layout.Run, number: int, **given: Any) -> None:
    """Put an annotation in: points at `points`, or a mask that is set in `box`."""
    place, identifier = run.spacing(SPACING).annotation(number), 500 + number
    stem, alignment = f"thing{number}-1.0", given.get("alignment", run.alignment(100).document)
    if "box" in given:
        shape, mask = "SegmentationMask", np.zeros(SHAPE, np.int8)
        mask[given["box"]] = 1
        key = place.shape(stem, shape, ".zarr/")
        with files.stage(key) as folder:
            folder.rmdir()
            omezarr.write(folder, mask, spacing=(SPACING,) * 3, method="majority")
        file = {"shape": shape, "format": "zarr", "path": key.rstrip("/")}
    else:
        shape, key = "Point", place.shape(stem, "Point", ".ndjson")
        lines = [json.dumps({"type": "point", "location": dict(zip("xyz", p, strict=True))}) for p in given["points"]]
        files.write_bytes(key, "\n".join(lines).encode() + b"\n")
        file = {"shape": shape, "format": "ndjson", "path": key}
    document = {
        "id": identifier, "deposition_id": 10300, "dates": {**DATES, "deposition_date": given.get("day", "2025-01-02")}, "method_type": "manual", "annotation_method": "by hand",
        "annotation_ingest_id": f"thing-{number}", "annotation_object": {"id": given["thing"], "name": f"object {given['thing']}"}, "authors": [AUTHOR],
        "object_count": 1, "alignment_metadata_path": alignment, "ground_truth_status": given.get("truth", False), "confidence": {"precision": given.get("precision")},
        "files": [{**file, "is_visualization_default": given.get("default", False)}],
        "ids": {"annotation_author": {"Ada Fictional": identifier}, "annotation_shape": {shape: identifier}, "annotation_file": {key.rstrip("/").rpartition("/")[2]: identifier}},
    }  # fmt: skip
    documents.write(files, place.document(stem), document, [manifest.describe(files, key, "annotation")])


def layers_of(root: Path, *annotations: Mapping[str, Any]) -> dict[str, tuple[bool, str]]:
    """Build a run with annotations and give, by identifier, whether the viewer shows each and the rule that hid it."""
    files = LocalFiles(root / "archive")
    files.root.mkdir(parents=True)
    put_deposition(files, 10300)
    put_dataset(files, 10001, 10300, runs=1)
    run = layout.Run(10001, RUN)
    volumes.put_volume(files, run)
    for key in [k for k in files.walk(f"10001/{RUN}/Reconstructions/") if "/Annotations/" in k]:
        files.remove(key)
    second = run.alignment(101)
    documents.write(
        files,
        second.document,
        {"id": 9, "deposition_id": 10300, "alignment_type": "GLOBAL", "is_portal_standard": False},
        [],
    )
    for number, given in enumerate(annotations):
        alignment = second.document if given.get("elsewhere") else run.alignment(100).document
        put(files, run, 100 + number, **{k: v for k, v in given.items() if k != "elsewhere"}, alignment=alignment)
    settings = Settings(root=root)
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    with Desk.open(settings.desk_database) as desk:
        Indexer(files, desk, settings.catalog_database).rebuild()
    with TestClient(create_app(settings), base_url="http://portal.test") as http:
        listed = http.get(f"/view/runs/{RUN_ID}.json").json()["layers"]
        state = http.get(f"/api/v1/viewer/runs/{RUN_ID}/state.json")
        assert len(state.content) <= 64 << 10
        assert state.content == http.get(f"/api/v1/viewer/runs/{RUN_ID}/state.json").content
        on = {re.search(r"\((AN-\d+)\)", layer["name"])[1] for layer in state.json()["layers"][1:] if layer["visible"]}  # type: ignore[index]  # every name has one
        assert on == {item["identifier"] for item in listed if item["on"]}
    return {item["identifier"]: (item["on"], item["rule"]) for item in listed}


CENTRE = ((100.0, 70.0, 20.0), (101.0, 71.0, 21.0))
MIDDLE = (slice(15, 25), slice(60, 80), slice(90, 110))
HUGE = (slice(0, 40), slice(0, 144), slice(0, 100))


def test_v4_per_object_ground_truth_then_precision_then_the_newest(tmp_path: Path) -> None:
    found = layers_of(
        tmp_path,
        {"thing": "GO:1", "points": CENTRE, "precision": 99.0}, {"thing": "GO:1", "points": CENTRE, "truth": True}, {"thing": "GO:2", "points": CENTRE, "precision": 40.0},
        {"thing": "GO:2", "points": CENTRE, "precision": 60.0}, {"thing": "GO:3", "points": CENTRE}, {"thing": "GO:3", "points": CENTRE, "day": "2025-06-01"},
    )  # fmt: skip
    assert [i for i, (on, _) in sorted(found.items()) if on] == ["AN-601", "AN-603", "AN-605"]
    assert found["AN-600"][1] == "AN-601 shows the same object and comes first."


def test_v4_a_mask_that_hides_too_much_is_off_and_says_why(tmp_path: Path) -> None:
    found = layers_of(
        tmp_path, {"thing": "GO:1", "points": CENTRE}, {"thing": "GO:2", "box": HUGE}, {"thing": "GO:3", "box": MIDDLE},
        {"thing": "GO:4", "box": (slice(0, 8), slice(0, 40), slice(0, 40))},
    )  # fmt: skip
    assert found["AN-601"] == (False, "It covers 50% of the volume: more than 20% would hide too much.")
    assert found["AN-602"] == (False, "It covers 100% of AN-600, which is shown.")
    assert found["AN-603"][0]


def test_v4_authors_choices_come_first(tmp_path: Path) -> None:
    found = layers_of(
        tmp_path, {"thing": "GO:1", "points": CENTRE, "truth": True}, {"thing": "GO:2", "box": HUGE, "default": True}
    )
    assert found == {"AN-601": (True, ""), "AN-600": (False, "The authors chose other layers to begin with.")}


def test_v4_at_most_twelve_and_none_of_another_alignment(tmp_path: Path) -> None:
    found = layers_of(
        tmp_path,
        *({"thing": f"GO:{n}", "points": CENTRE} for n in range(14)),
        {"thing": "GO:99", "points": CENTRE, "elsewhere": True},
    )
    assert sum(on for on, _ in found.values()) == 12
    assert [rule for on, rule in found.values() if not on].count("12 layers are shown already.") == 2
    assert found["AN-614"] == (
        False,
        f"Made under another alignment than TM-{TOMOGRAM}: it would lie in the wrong place.",
    )


def test_v2_a_state_stays_small_with_many_annotations(tmp_path: Path) -> None:
    many = [(float(n % 200), float(n % 140), float(n % 40)) for n in range(400)]
    found = layers_of(tmp_path, *({"thing": f"GO:{n}", "points": many} for n in range(40)))
    assert len(found) == 40
    assert sum(on for on, _ in found.values()) == 12


def test_v12_a_link_opens_one_annotation_or_one_place(portal: TestClient) -> None:
    state = f"/api/v1/viewer/runs/{RUN_ID}/state.json"
    one = portal.get(f"{state}?annotation=AN-{ANNOTATION}").json()
    assert [layer["visible"] for layer in one["layers"][1:]] == [True]
    assert one["position"] == [100.0, 70.0, 20.0]
    assert portal.get(f"{state}?pos=100,250,55").json()["position"] == [10.0, 25.0, 5.5]
    assert "pos=here" in words(page(portal, f"/view/runs/{RUN_ID}?pos=here"))


def test_v16_the_viewer_takes_the_contrast_of_ingest_or_measures_the_volume(portal: TestClient, tmp_path: Path) -> None:
    state = f"/api/v1/viewer/runs/{RUN_ID}/state.json"
    assert "range=[100, 1200]" in portal.get(state).json()["layers"][0]["shader"]
    files = volumes.build(tmp_path)
    place = layout.Run(10001, RUN).spacing(SPACING).tomogram(100)
    document = {k: v for k, v in documents.read(files, place.document).items() if k != "statistics"}
    documents.write(files, place.document, document, manifest.read(files, layout.manifest_folder(place.document)))
    settings = Settings(root=tmp_path)
    with Desk.open(settings.desk_database) as desk:
        Indexer(files, desk, settings.catalog_database).rebuild()
    with TestClient(create_app(settings), base_url="http://portal.test") as http:
        shader = http.get(state).json()["layers"][0]["shader"]
    found = re.search(r"range=\[([\d.]+), ([\d.]+)\]", shader)
    assert found is not None
    low, high = np.percentile(volumes.volume(), [1, 99])
    assert abs(float(found[1]) - low) < 25
    assert abs(float(found[2]) - high) < 25


def test_v1_without_script_the_viewer_page_shows_slices(portal: TestClient) -> None:
    html = page(portal, f"/view/runs/{RUN_ID}?index=12")
    shown = (
        re.search(r"<noscript>(.*?)</noscript>", html, re.DOTALL)
        if "<iframe" in html
        else re.search(r"<main.*?</main>", html, re.DOTALL)
    )
    assert shown is not None
    assert f"/tomograms/{TOMOGRAM}/slice.webp?index=12" in shown[0]
    assert f"/view/runs/{RUN_ID}?index=13#slices" in shown[0]
