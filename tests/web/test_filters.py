"""Every filter, by its number, held against the invented world's own rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tomotheca.schema import SCHEMA
from tomotheca.web.filters import registry
from tomotheca.web.grammar import dates, ontology_id, orcid, sizes

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.web.conftest import Fetch, Site


LIST = "/browse-data/datasets"
Row = dict[str, Any]
Test = Callable[[Row], bool]


def public(site: Site) -> dict[int, Row]:
    return {r["id"]: r for r in site.world.rows["dataset"] if r["visibility_state"] == "public"}


def of_datasets(test: Test) -> Callable[[Site], set[int]]:
    return lambda site: {i for i, r in public(site).items() if test(r)}


def of_runs(kind: str, test: Test) -> Callable[[Site], set[int]]:
    """Datasets with a row of a kind below one of their runs for which a test holds."""

    def expected(site: Site) -> set[int]:
        runs = {r["id"]: r["dataset_id"] for r in site.world.rows["run"]}
        return {runs[r["run_id"]] for r in site.world.rows[kind] if test(r)} & set(public(site))

    return expected


def with_authors(name: str) -> Callable[[Site], set[int]]:
    return lambda site: (
        {a["dataset_id"] for a in site.world.rows["dataset_author"] if name in a["name"].casefold()} & set(public(site))
    )


def with_objects(*names: str) -> Callable[[Site], set[int]]:
    """Datasets with one run that has all of some objects, annotated or identified."""

    def expected(site: Site) -> set[int]:
        have: dict[int, set[str]] = {}
        for kind in ("annotation", "identified_object"):
            for r in site.world.rows[kind]:
                have.setdefault(r["run_id"], set()).add(r["object_name"])
        return {r["dataset_id"] for r in site.world.rows["run"] if set(names) <= have.get(r["id"], set())} & set(
            public(site)
        )

    return expected


def with_shape(code: str) -> Callable[[Site], set[int]]:
    def expected(site: Site) -> set[int]:
        shaped = {s["annotation_id"] for s in site.world.rows["annotation_shape"] if s["shape_type"] == code}
        return of_runs("annotation", lambda r: r["id"] in shaped)(site)

    return expected


FILTERS = [
    ("F2", "ground_truth=true", of_runs("annotation", lambda r: bool(r["ground_truth_status"]))),
    ("F27", "object_shape=OrientedPoint", with_shape("OrientedPoint")),
    ("F27", "object_shape=Mesh", with_shape("Mesh")),
    ("F28", "method-type=hybrid", of_runs("annotation", lambda r: r["method_type"] == "hybrid")),
    ("F28", "method-type=simulated", lambda _: set()),
    ("F29", "annotation-software=PyTom", of_runs("annotation", lambda r: r["annotation_software"] == "PyTom")),
    ("F32", "camera_manufacturer=Gatan", of_runs("tiltseries", lambda r: r["camera_manufacturer"] == "Gatan")),
    ("F32", "camera=Falcon", of_runs("tiltseries", lambda r: r["camera_model"] == "Falcon")),
    ("F33", "microscope=Krios", of_runs("tiltseries", lambda r: r["microscope_model"] == "Krios")),
    ("F33", "microscope-manufacturer=JEOL", of_runs("tiltseries", lambda r: r["microscope_manufacturer"] == "JEOL")),
    ("F35", "quality_score=1&quality_score=3", of_runs("tiltseries", lambda r: r["tilt_series_quality"] in {1, 3})),
    ("F37", "pixel-size=1.3..1.4", of_runs("tiltseries", lambda r: 1.3 <= r["pixel_spacing"] <= 1.4)),
    ("F37", "pixel-size=>1.35", lambda _: set()),
    ("F38", "dose=..122", of_runs("tiltseries", lambda r: r["total_flux"] <= 122)),
    ("F38", "dose=<122", lambda _: set()),
    ("F39", "tilt-scheme=dose-symmetric", of_runs("tiltseries", lambda r: r["tilting_scheme"] == "dose-symmetric")),
    ("F41", "voxel-spacing=..8", of_runs("tomogram", lambda r: r["voxel_spacing"] <= 8)),
    ("F42", "processing=denoised", of_runs("tomogram", lambda r: r["processing"] == "denoised")),
    ("F42", "processing=filtered", of_runs("tomogram", lambda r: r["processing"] == "filtered")),
    ("F45", "reconstruction_method=WBP", of_runs("tomogram", lambda r: r["reconstruction_method"] == "WBP")),
    ("F45", "reconstruction_method=Fourier+Space", lambda _: set()),
    ("F46", "reconstruction_software=IMOD", of_runs("tomogram", lambda r: r["reconstruction_software"] == "IMOD")),
    ("F5", "reprocessable=false", lambda site: set(public(site))),
    ("F6", "size=>1GB", of_datasets(lambda _: True)),
    ("F6", "size=<1kB", of_datasets(lambda _: False)),
    ("F7", "dataset_id=DS-10000,10003", of_datasets(lambda r: r["id"] in {10000, 10003})),
    ("F9", "empiar_id=10988", of_datasets(lambda r: "EMPIAR-10988" in (r["related_database_entries"] or ""))),
    ("F9", "empiar_id=EMPIAR-1098", of_datasets(lambda _: False)),
    ("F10", "emdb_id=EMD-12345", of_datasets(lambda r: "EMD-12345" in (r["related_database_entries"] or ""))),
    ("F11", "pdb_id=1abc", of_datasets(lambda r: "PDB-1abc" in (r["related_database_entries"] or ""))),
    ("F11", "doi=10.5555/87654321", of_datasets(lambda r: r["dataset_publications"] == "10.5555/87654321")),
    ("F14", "author=ada+frost", with_authors("ada frost")),
    ("F15", "author_orcid=https://orcid.org/0000-0002-1825-0097", lambda site: set(public(site))),
    ("F15", "author_orcid=0000000218250096", lambda _: set()),
    ("F17", "organism=Homo+sapiens", of_datasets(lambda r: r["organism_name"] == "Homo sapiens")),
    ("F19", "sample-type=tissue", of_datasets(lambda r: r["sample_type"] == "tissue")),
    ("F20", "cell-type=CL:0000000", of_datasets(lambda r: r["cell_type_id"] == "CL:0000000")),
    ("F20", "component=nowhere", of_datasets(lambda _: False)),
    ("F21", "object=cytosolic+ribosome&object=microtubule", lambda site: with_objects("cytosolic ribosome")(site) | with_objects("microtubule")(site)),
    ("F21", "object=cytosolic+ribosome&object=membrane&object-mode=all", with_objects("cytosolic ribosome", "membrane")),
    ("F21", "object=cytosolic+ribosome&object=microtubule&object-mode=all", with_objects("cytosolic ribosome", "microtubule")),
    ("F22", "object-id=go_0022626", of_runs("annotation", lambda r: r["object_id"] == "GO:0022626")),
    ("F22", "object-id=0031105", of_runs("identified_object", lambda r: r["object_id"] == "GO:0031105")),
    ("F24", "object=septin&annotated_objects=Yes", of_runs("annotation", lambda r: r["object_name"] == "septin")),
    ("F24", "annotated_objects=Yes", lambda site: set(public(site))),
    ("F25", "object-count=>=120", of_runs("annotation", lambda r: (r["object_count"] or 0) >= 120)),
    ("F30", "precision=11", of_runs("annotation", lambda r: r["confidence_precision"] == 11)),
    ("F30", "recall=>22", of_runs("annotation", lambda r: (r["confidence_recall"] or 0) > 22)),
    ("F36", "tilt_min=120&tilt_max=120", of_runs("tiltseries", lambda r: r["tilt_range"] == 120)),
    ("F36", "tilt_min=121", lambda _: set()),
    ("F39", "tilt-step=3", of_runs("tiltseries", lambda r: r["tilt_step"] == 3)),
    ("F39", "sections=>41", of_runs("tiltseries", lambda r: r["size_z"] > 41)),
    ("F43", "ctf-corrected=true", of_runs("tomogram", lambda r: r["ctf_corrected"] is True)),
    ("F43", "ctf-corrected=unknown", of_runs("tomogram", lambda r: r["ctf_corrected"] is None)),
    ("F44", "fiducial_alignment=true", of_runs("tomogram", lambda r: r["fiducial_alignment_status"] == "FIDUCIAL")),
    ("F44", "fiducial_alignment=false", of_runs("tomogram", lambda r: r["fiducial_alignment_status"] == "NON_FIDUCIAL")),
    ("F47", "tomogram-kind=portal-standard", of_runs("tomogram", lambda r: bool(r["is_portal_standard"]))),
    ("F49", "release-date=2026-03", of_datasets(lambda r: r["release_date"].startswith("2026-03"))),
    ("F49", "release-date=..2026-02-28", of_datasets(lambda r: r["release_date"][:10] <= "2026-02-28")),
    ("F50", "licence=CC0-1.0", of_datasets(lambda r: r["licence"] == "CC0-1.0")),
]  # fmt: skip


@pytest.mark.parametrize(("number", "query", "expected"), FILTERS, ids=[f"{n}-{q}" for n, q, _ in FILTERS])
def test_filter(number: str, query: str, expected: Callable[[Site], set[int]], site: Site, http: TestClient) -> None:
    found = http.get(f"{LIST}.json?{query}&per-page=100").json()
    assert found["ignored"] == []
    assert {r["id"] for r in found["table"]["rows"]} == expected(site)
    parameters = {f.parameter for f in registry(SCHEMA, "dataset") if f.number == number}
    assert any(part.partition("=")[0] in parameters for part in query.split("&"))


def test_f4_completeness_is_a_share_of_what_a_run_needs(twin: Fetch, site: Site) -> None:
    full = [r["id"] for r in twin(f"{LIST}?completeness=>=1&per-page=100")["table"]["rows"]]
    assert set(full) == set(public(site))
    assert twin(f"{LIST}?completeness=>100")["table"]["shown"] == 0
    shares = [twin(f"{LIST}?completeness=>={n}")["table"]["shown"] for n in (10, 50, 75, 90, 100)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


def runs_of(twin: Fetch, query: str) -> set[int]:
    return {r["id"] for r in twin(f"/browse-data/runs?per-page=100&{query}")["table"]["rows"]}


def test_f6_the_bytes_of_a_run_are_those_of_its_files(twin: Fetch, site: Site) -> None:
    shown = {r["id"] for r in site.world.rows["run"] if r["dataset_id"] in public(site)}
    sizes = {run: sum(f["size"] for f in site.world.files if f["run_id"] == run) for run in shown}
    middle = sorted(sizes.values())[len(sizes) // 2]
    for query, test in ((f"size=>{middle}", lambda n: n > middle), (f"size=..{middle}", lambda n: n <= middle), ("size=<1kB", lambda n: n < 1000)):  # fmt: skip
        assert runs_of(twin, query) == {run for run, n in sizes.items() if test(n)}
    rows = twin("/datasets/10000?size=>1GB&sort=size")["table"]["rows"]
    assert [r["size"] for r in rows] == sorted(n for run, n in sizes.items() if run in {r["id"] for r in rows})


def test_f6_the_size_of_an_annotation_is_that_of_a_file_of_it(twin: Fetch, door: TestClient, site: Site) -> None:
    shapes = {s["id"]: s["annotation_id"] for s in site.world.rows["annotation_shape"]}
    sized = [(shapes[f["annotation_shape_id"]], f["file_size"] or 0) for f in site.world.rows["annotation_file"]]
    rows = {a["id"]: a for a in site.world.rows["annotation"] if a["_owner"] in public(site) and a["_gate"] != 399}
    middle = sorted(size for _, size in sized)[len(sized) // 2]
    for query, test in ((f">{middle}", lambda n: n > middle), ("1MB..2MB", lambda n: 1e6 <= n <= 2e6), ("<1", lambda n: n < 1)):  # fmt: skip
        wanted = {a for a, size in sized if test(size)} & rows.keys()
        found = twin(f"/runs/1?table-tab=annotations&size={query}")
        assert found["ignored"] == []
        assert {r["identifier"] for r in found["table"]["rows"]} == {
            f"AN-{a}" for a in wanted if rows[a]["run_id"] == 1
        }
        asked = {"size": query, "fields": "id", "limit": "1000"}
        listed = door.get("/api/v1/annotations", params=asked, headers={"accept": "application/json"}).json()["items"]
        assert {a["id"] for a in listed} == wanted
        objects = twin(f"/browse-data/objects?size={query}&per-page=100")["table"]["rows"]
        assert {r["name"] for r in objects} == {rows[a]["object_name"] for a in wanted}


def test_f6_g10_the_size_of_one_listing_is_not_carried_to_another(twin: Fetch) -> None:
    tabs = twin("/browse-data/datasets?size=>1GB&release-date=2026&organism=Homo+sapiens")["listing"]["tabs"]
    assert {t["href"].partition("?")[2] for t in tabs if t["href"]} <= {"organism=Homo+sapiens", ""}
    assert "size=" not in twin("/datasets/10000?size=>1GB&object=membrane")["crumbs"][0]["href"]


def test_f8_a_deposition_is_found_wherever_it_left_something(twin: Fetch, site: Site) -> None:
    number = next(r["deposition_id"] for r in site.world.rows["annotation"] if r["deposition_id"])
    owners = {
        r["_owner"] for rows in site.world.rows.values() for r in rows if r.get("deposition_id") == number and r["_owner"] in public(site)
    }  # fmt: skip
    found = {r["id"] for r in twin(f"{LIST}?deposition-id={number}&per-page=100")["table"]["rows"]}
    assert found
    assert found <= owners


def test_f12_f13_runs_by_identifier_and_name(twin: Fetch, site: Site) -> None:
    run = next(r for r in site.world.rows["run"] if r["dataset_id"] in public(site))
    assert [r["id"] for r in twin(f"{LIST}?run-id=RN-{run['id']}")["table"]["rows"]] == [run["dataset_id"]]
    named = {r["dataset_id"] for r in site.world.rows["run"] if "run_1" in r["name"]} & set(public(site))
    assert {r["id"] for r in twin(f"{LIST}?run-name=run_1&per-page=100")["table"]["rows"]} == named


@pytest.mark.parametrize(
    "query",
    ["size=x", "size=5XB", "release-date=2024-13", "release-date=..", "author_orcid=1", "object-id=!!", "empiar_id=x", "pdb_id=toolong", "tilt_min=1..2", "fiducial_alignment=maybe", "object-mode=some", "tomogram-kind=best", "reprocessable=2"],
)  # fmt: skip
def test_g8_what_cannot_be_understood_is_said_and_left_out(query: str, twin: Fetch, site: Site) -> None:
    found = twin(f"{LIST}?{query}")
    assert found["ignored"] == [query]
    assert found["table"]["shown"] == len(public(site))


def test_values_are_read_as_people_write_them() -> None:
    assert sizes("1.5 GiB..2GB").clause == {"_gte": 1_610_612_736, "_lte": 2_000_000_000}
    assert dates("2024-12").clause == {"_gte": "2024-12-01", "_lt": "2025-01-01"}
    assert dates(">2023").clause == {"_gte": "2024-01-01"}
    assert dates("2023..2024-02-29").words == "2023 to 2024-02-29"
    assert orcid("https://orcid.org/0000-0002-1825-009x") == "0000-0002-1825-009X"
    assert ontology_id("GO 0016020") == {"_iregex": "^GO[:_-]0016020$"}


def test_options_are_counted_as_the_page_would_list_them(twin: Fetch) -> None:
    """G3: what an option says is what choosing it gives, with other filters set, on every listing that counts."""
    checked = 0
    for path, given in ((LIST, "voxel-spacing=<12&ground_truth=true"), ("/datasets/10000", "quality_score=5"), (LIST, "object=membrane&object=cytosolic+ribosome&object-mode=all")):  # fmt: skip
        page = twin(f"{path}?{given}")
        panel = page.get("listing", page)["panel"]
        for control in (c for s in panel["sections"] for c in s["controls"] if c["widget"] == "list"):
            name = control["parameter"]
            if f"{name}=" in given:
                continue
            for option in control["options"][:3]:
                chosen = twin(f"{path}?{given}&{name}={option['value'].replace(' ', '+')}")
                assert chosen["table"]["shown"] == option["count"], (path, name, option["value"])
                checked += 1
    assert checked > 20
