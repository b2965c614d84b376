"""Pages of single records, drawers, and what they say of missing values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pytest
from tests.web.conftest import Fetch, Site, words

from tomotheca.schema import SCHEMA, Schema
from tomotheca.schema.core import Drawer, Entity, Facet
from tomotheca.schema.units import Angstrom  # noqa: TC001 - pydantic reads it
from tomotheca.schema.vocabulary import QUALITY
from tomotheca.web.filters import registry
from tomotheca.web.values import sections, title

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def test_S1_the_breadcrumb_goes_down_to_the_record(twin: Fetch) -> None:
    crumbs = [c["text"] for c in twin("/annotations/1")["crumbs"]]
    assert crumbs == [
        "All datasets",
        "DS-10000 S. pombe cryo-FIB lamellae acquired with defocus-only",
        "RN-1 run_1",
        "AN-1",
    ]


def test_S1_all_tilt_series_of_a_mosaic_are_shown(page: Fetch, twin: Fetch) -> None:
    found = twin("/runs/4")
    assert len(found["series"]) == 2
    assert found["quality"]["text"] == "2–5 (2 tilt series)"
    assert [r["identifier"] for r in twin("/runs/4?table-tab=tilt-series")["table"]["rows"]] == [
        s["identifier"] for s in found["series"]
    ]
    assert "2–5 (2 tilt series)" in words(page("/datasets/10000"))


def test_S6_view_all_info_opens_every_field_of_the_schema(http: TestClient, page: Fetch) -> None:
    link = re.findall(r'href="([^"]+)"[^>]*>View all info', page("/datasets/10000"))[0]
    html = http.get(link).text
    assert '<dialog open class="over drawer"' in html
    assert all(title(c) in words(html) for c in SCHEMA.columns("dataset") if c.drawer and not c.ontology)


@pytest.mark.parametrize(
    ("kind", "word", "path"),
    [
        ("tiltseries", "tilt-series", "TS-1"),
        ("tomogram", "tomogram", "TM-1"),
        ("annotation", "annotation", "AN-2"),
        ("run", "run", "RN-1"),
    ],
)
def test_S12_S18_drawers_have_every_field_with_its_unit(kind: str, word: str, path: str, page: Fetch) -> None:
    text = words(page(f"/runs/1?metadata={word}&metadata-id={path}"))
    for c in SCHEMA.columns(kind):
        if c.drawer and not c.ontology and not title(c).endswith((" x", " y", " z")):
            assert title(c) in text, c.name


def test_S12_units_and_minus_signs(page: Fetch) -> None:
    text = words(page("/runs/1?metadata=tilt-series&metadata-id=TS-1"))
    for part in (
        "300,000 V (300 kV)",
        "2.7 mm",
        "120° (−60° to 60°)",
        "1.35 Å/px",
        "122 e⁻/Å²",
        "Tilt axis 0°",
        "(3,838, 3,710, 41) px",
        "5 – Excellent",
    ):
        assert part.replace(" ", " ") in text.replace("\u00a0", " ")
    assert "4.5 µm" in words(page("/runs/1?metadata=tilt-series&metadata-id=TS-1&tab=sections")).replace("\u00a0", " ")


def test_S7_the_dataset_lists_its_runs_in_natural_order(twin: Fetch) -> None:
    rows = twin("/datasets/10000")["table"]["rows"]
    assert [r["name"] for r in rows] == ["bare_4", "mosaic_3", "run_1", "run_2", "run_10", "silent_5"]
    run = rows[2]
    assert (run["identifier"], run["quality"]["text"], run["view"]) == ("RN-1", "5 – Excellent", "/view/runs/1")
    assert [o["name"] for o in run["objects"]["few"]] == ["cytosolic ribosome", "membrane", "septin"]


def test_S9_quality_words_are_the_same_everywhere(page: Fetch) -> None:
    schema = words(page("/docs/data-schema"))
    for score, (label, meaning, _) in QUALITY.items():
        assert f"{score} – {label}" in schema
        assert meaning in schema
        assert f"{score} – {label}" in words(page("/browse-data/datasets"))
    assert "Not rated" in words(page("/datasets/10000"))


def test_S11_S25_a_run_page_has_a_place_for_everything(twin: Fetch, page: Fetch) -> None:
    labels = {c["label"]: c["text"] for c in twin("/runs/1")["contents"]}
    assert set(labels) == {
        "Tomograms",
        "Annotations",
        "Frames",
        "Gain reference",
        "Tilt series",
        "CTF",
        "Alignment",
        "mdoc",
    }
    assert labels["Gain reference"] == labels["Frames"] == "Not submitted"
    assert "View tomogram" in page("/runs/1")


def test_S13_S16_S17_annotations_of_a_run(twin: Fetch, page: Fetch) -> None:
    rows = twin("/runs/1")["table"]["rows"]
    assert [(r["identifier"], r["group"]) for r in rows] == [("AN-1", "1 ground truth"), ("AN-2", "1 other")]
    assert (rows[0]["precision"]["text"], rows[0]["precision"]["help"]) == ("NA", "This is ground truth.")
    assert (rows[1]["precision"]["text"], rows[1]["recall"]["text"]) == ("11\u00a0%", "22\u00a0%")
    drawer = words(page("/runs/1?metadata=annotation&metadata-id=AN-2"))
    assert "Precision 11" in drawer
    assert "Recall 22" in drawer
    assert "Endorsed by the author for training or validation." in page("/runs/1")


def test_S27_a_tomogram_without_annotation_is_a_note(twin: Fetch) -> None:
    assert twin("/runs/6")["notes"] == ["No annotations yet. The tomogram is here to be labelled."]
    assert "No tomogram was submitted" in twin("/runs/5")["notes"][0]
    assert twin("/runs/5")["view"] == ""


def test_S21_a_deposition_shows_what_it_brought_and_where(twin: Fetch) -> None:
    found = twin("/depositions/301")
    assert [c["text"] for c in found["contents"]][-1] == "12"
    places = twin("/depositions/301?group-by=deposited_location")["data"]["groups"]
    assert [g["identifier"] for g in places] == ["DS-10002"]
    assert places[0]["count"] == 12
    assert found["runs"] == 3


@pytest.mark.parametrize("path", ["/", "/docs/data-schema", "/about"])
def test_S22_contributions_are_welcome_from_everywhere(path: str, page: Fetch) -> None:
    assert page(path).count('href="/contribute"') >= 2


def test_S23_sample_types_read_as_words(page: Fetch) -> None:
    text = words(page("/docs/data-schema"))
    assert all(
        label in text
        for label in (
            "Cell",
            "Tissue",
            "Organism",
            "Intact organelle",
            "In-vitro mixture or complex",
            "In-silico synthetic",
        )
    )


def test_S29_all_databases_are_linked(page: Fetch) -> None:
    html = page("/datasets/10001")
    for target in (
        "https://www.ebi.ac.uk/empiar/EMPIAR-10988/",
        "https://www.ebi.ac.uk/empiar/EMPIAR-11370/",
        "https://doi.org/10.5555/87654321",
    ):
        assert f'href="{target}" rel="noopener external"' in html


def test_S30_the_data_schema_page(page: Fetch, http: TestClient) -> None:
    html = page("/docs/data-schema")
    for anchor in ("overview", "datasets", "runs", "annotations", "depositions"):
        assert f'<section id="{anchor}">' in html
    text = words(html)
    for kind in ("dataset", "run", "tiltseries", "annotation", "deposition"):
        assert all(f"{c.name}" in text for c in SCHEMA.columns(kind) if c.public)
    for href in re.findall(r'href="(/docs/schemas/[^"]+)"', html):
        assert http.get(href).json()["$schema"].startswith("https://json-schema.org/")


def test_people_stand_in_their_order_with_their_roles(twin: Fetch, page: Fetch) -> None:
    people = twin("/datasets/10000")["authors"]
    assert [p["name"] for p in people["everyone"]] == ["Ada Frost", "José García", "Wei Zhang", "Olga Ice"]
    assert [p["name"] for p in people["few"]] == ["Ada Frost", "José García", "Olga Ice"]
    text = words(page("/datasets/10000"))
    assert "primary author" in text
    assert "corresponding author" in text


def test_a_drawer_keeps_the_rest_of_the_address(twin: Fetch) -> None:
    page = twin("/datasets/10000?object=membrane&sort=-annotations&metadata=dataset&tab=x")
    assert page["overlay"]["close"] == "/datasets/10000?object=membrane&sort=-annotations"
    assert page["table"]["shown"] == 4
    assert twin("/runs/1?metadata=tomogram&metadata-id=TM-99999")["ignored"] == ["metadata-id=TM-99999"]


def test_objects_of_a_run_in_three_groups(page: Fetch) -> None:
    text = words(page("/runs/1?metadata=run&tab=objectOverview"))
    assert re.search(r"Identified, not annotated septin", text)
    assert re.search(r"Annotated, not in the identified list cytosolic ribosome", text)


class Scratch(Entity):
    """An entity with one new field."""

    kind: ClassVar = "run"
    root: ClassVar = "runs"
    title: ClassVar = "Run"

    ice_thickness: Annotated[
        Angstrom | None, Drawer("Specimen", "Ice thickness"), Facet("Ice thickness (Å)", "ice", "Sample", "F99")
    ] = None
    """Thickness of the ice."""

    mood: Annotated[str | None, Drawer("Specimen"), Facet("Mood", "mood", "Sample", "F98")] = None
    """Mood of the ice."""


def test_a_new_field_appears_in_drawer_and_panel_by_itself() -> None:
    schema = Schema([Scratch])
    found = sections(schema.columns("run"), {"ice_thickness": 1500.0, "mood": None})
    assert [(f.label, f.values[0].pieces[0].text) for f in found["Specimen"]] == [
        ("Ice thickness", "1,500\u00a0Å"),
        ("Mood", "Not recorded"),
    ]
    filters = {f.parameter: f for f in registry(schema, "run")}
    assert (filters["ice"].widget, filters["mood"].widget) == ("range", "list")
    assert filters["ice"].clause([filters["ice"].parse("..200")]) == {"ice_thickness": {"_lte": 200}}


def test_the_page_of_a_tilt_series_lists_its_sections(page: Fetch) -> None:
    text = words(page("/tilt-series/1"))
    assert "Major defocus" in text
    assert "−57°" in text


@pytest.mark.parametrize("kind", ["tiltseries", "tomogram", "annotation", "alignment"])
def test_every_record_of_a_kind_has_a_page(kind: str, site: Site, http: TestClient) -> None:
    paths = {
        "tiltseries": "tilt-series",
        "tomogram": "tomograms",
        "annotation": "annotations",
        "alignment": "alignments",
    }
    rows: list[dict[str, Any]] = site.world.rows[kind]
    for row in rows[:: max(1, len(rows) // 6)]:
        assert http.get(f"/{paths[kind]}/{row['id']}").status_code == (404 if row["_owner"] in {10100, 10101} else 200)
