"""The download dialog: exact amounts, and commands as they are shown."""

from __future__ import annotations

import gc
import hashlib
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa

from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.export import derived

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from tests.web.conftest import Fetch, Site


def files(site: Site, **wanted: Any) -> list[dict[str, Any]]:
    return [f for f in site.world.files if all(f[k] == v for k, v in wanted.items())]


def amount(found: list[dict[str, Any]]) -> tuple[int, int]:
    return sum(f["size"] for f in found), sum(f["members"] or 1 for f in found)


def dialog(twin: Fetch, query: str, path: str = "/runs/1") -> Any:
    return twin(f"{path}?{query}")["overlay"]


def test_S10_D2_a_dataset_to_the_byte(twin: Fetch, site: Site) -> None:
    found = dialog(twin, "dl=DS-10000", "/datasets/10000")
    assert (found["size"], found["files"]) == amount(files(site, dataset_id=10000))
    picks = {p["value"]: p["detail"] for p in found["groups"][0]["picks"]}
    assert set(picks) == {"everything", "smallest", "tiltseries", "tomograms", "annotations", "images", "metadata"}
    for what in ("tomograms", "annotations", "images"):
        part = dialog(twin, f"dl=DS-10000&dl-what={what}", "/datasets/10000")
        assert picks[what].endswith(f" {part['files']:,} file" + ("" if part["files"] == 1 else "s"))


@pytest.mark.parametrize(("what", "role"), [("annotations", "annotation"), ("tiltseries", "tilt_series")])
def test_D2_a_part_of_a_run_to_the_byte(what: str, role: str, twin: Fetch, site: Site) -> None:
    found = dialog(twin, f"dl=RN-1&dl-what={what}")
    kind = {"annotations": "annotation", "tiltseries": "tiltseries"}[what]
    documents = [f for f in files(site, run_id=1, role="document") if f["kind"] == kind]
    assert (found["size"], found["files"]) == amount([*files(site, run_id=1, role=role), *documents])


def test_S14_one_tomogram_of_a_run_by_spacing_and_processing(twin: Fetch) -> None:
    found = dialog(twin, "dl=RN-1&dl-what=tomogram&dl-tomogram=TM-2&dl-format=zarr")
    assert [g["name"] for g in found["groups"]] == ["dl-what", "dl-tomogram", "dl-format"]
    assert {p["label"].replace("\u00a0", " ") for p in found["groups"][1]["picks"]} == {"10 Å · Denoised", "10 Å · Raw"}
    assert (found["size"], found["files"]) == (290_123_456, 310)
    assert "download TM-2 --from http://portal.test --to . --format zarr" in found["snippet"]["text"]


def test_D4_S20_S28_an_annotation_offers_each_shape_and_format(twin: Fetch) -> None:
    found = dialog(twin, "dl=AN-2")
    assert [p["label"] for p in found["groups"][0]["picks"]] == ["Segmentation – mrc", "Segmentation – OME-Zarr"]
    assert found["size"] == 79_380_000
    second = found["groups"][0]["picks"][1]["value"]
    assert dialog(twin, f"dl=AN-2&dl-what={second}")["files"] == 77
    assert found["warning"] == "Made on AL-1. Fits TM-1, TM-2."


BASE = "http://portal.test"
KEY = "10000/run_1/Reconstructions/VoxelSpacing10.000/Tomograms/1/run_1.mrc"
SNIPPETS = {
    ("dl=DS-10000", "cli"): f"tomotheca download DS-10000 --from {BASE} --to .",
    ("dl=RN-1&dl-what=annotations", "cli"): f"tomotheca download RN-1 --from {BASE} --to . --only annotations",
    ("dl=TM-1", "cli"): f"tomotheca download TM-1 --from {BASE} --to . --format mrc",
    ("dl=DS-10000", "aws"): f'aws s3 sync --no-sign-request --endpoint-url {BASE}/s3 "s3://tomotheca/10000/" "10000"',
    ("dl=RN-1", "aws"): f'aws s3 sync --no-sign-request --endpoint-url {BASE}/s3 "s3://tomotheca/10000/run_1/" "10000/run_1"',
    ("dl=RN-1&dl-what=annotations", "aws"): f'aws s3 sync --no-sign-request --endpoint-url {BASE}/s3 "s3://tomotheca/10000/run_1/" "10000/run_1" --exclude "*" --include "Annotations/*" --include "*/Annotations/*"',
    ("dl=TM-1", "aws"): f'aws s3 cp --no-sign-request --endpoint-url {BASE}/s3 "s3://tomotheca/{KEY}" "run_1.mrc"',
    ("dl=TM-1", "curl"): f'curl -fL -C - -o "run_1.mrc" "{BASE}/files/{KEY}"',
    ("dl=DS-10000", "curl"): f'curl -fsS "{BASE}/api/v1/datasets/10000/manifest.curl" | curl --parallel -fL -K -',
    ("dl=RN-1&dl-what=annotations", "curl"): f'curl -fsS "{BASE}/api/v1/runs/1/manifest.curl?only=annotations" | curl --parallel -fL -K -',
    ("dl=TM-1&dl-format=zarr", "curl"): f'curl -fsS "{BASE}/api/v1/tomograms/1/manifest.curl?format=zarr" | curl --parallel -fL -K -',
    ("dl=AN-1", "api"): f'from cryoet_data_portal import Client, Annotation\n\nclient = Client("{BASE}/graphql")\nitem = Annotation.get_by_id(client, 1)\nitem.download(format="ndjson")',
    ("dl=RN-1", "api"): f'from cryoet_data_portal import Client, Run\n\nclient = Client("{BASE}/graphql")\nitem = Run.get_by_id(client, 1)\nitem.download_everything()',
    ("dl=TM-1", "api"): f'from cryoet_data_portal import Client, Tomogram\n\nclient = Client("{BASE}/graphql")\nitem = Tomogram.get_by_id(client, 1)\nitem.download_mrcfile()',
}  # fmt: skip


@pytest.mark.parametrize(("query", "tab"), SNIPPETS)
def test_snippets_stand_as_they_are_run(query: str, tab: str, twin: Fetch) -> None:
    assert dialog(twin, f"{query}&dl-tab={tab}")["snippet"]["text"] == SNIPPETS[query, tab]


def test_a_single_file_has_a_button_and_a_sum(twin: Fetch, site: Site) -> None:
    found = dialog(twin, "dl=TM-1&dl-tab=direct")
    assert found["snippet"]["href"] == f"/files/{KEY}?download=1"
    digest = files(site, key=KEY)[0]["sha256"]
    assert found["sha256"] == digest
    assert dialog(twin, "dl=TM-1&dl-tab=verify")["snippet"]["text"] == f'echo "{digest}  run_1.mrc" | sha256sum -c'
    assert dialog(twin, "dl=RN-1&dl-tab=direct")["snippet"]["href"] == "/api/v1/runs/1/download.zip"


def test_paths_with_odd_characters_are_quoted(twin: Fetch, site: Site) -> None:
    run = next(r["id"] for r in site.world.rows["run"] if r["dataset_id"] == 10050)
    text = twin(f"/runs/{run}?dl=RN-{run}&dl-tab=aws")["overlay"]["snippet"]["text"]
    assert '"s3://tomotheca/10050/<b>run</b> 1/"' in text


def test_D1_G7_the_dialog_changes_nothing_else(twin: Fetch, page: Fetch) -> None:
    query = "object=membrane&sort=title"
    plain, opened = (twin(f"/browse-data/datasets?{query}{more}") for more in ("", "&dl=DS-10000&dl-tab=aws"))
    assert [r["id"] for r in plain["table"]["rows"]] == [r["id"] for r in opened["table"]["rows"]]
    assert opened["overlay"]["close"] == f"/browse-data/datasets?{query}"
    assert '<dialog open class="over download"' in page(f"/browse-data/datasets?{query}&dl=DS-10000")


def test_the_licence_is_said(page: Fetch) -> None:
    assert "CC0-1.0" in page("/runs/1?dl=RN-1")


def test_D1_the_first_step_is_left_out_when_there_is_one_choice(twin: Fetch, page: Fetch) -> None:
    assert dialog(twin, "dl=RN-1")["step"] == "what"
    assert dialog(twin, "dl=RN-1&dl-step=how")["step"] == "how"
    opened, folded = page("/runs/1?dl=RN-1"), page("/runs/1?dl=RN-1&dl-step=how")
    assert '<details class="step" open>' in opened
    assert '<details class="step">' in folded


@pytest.mark.parametrize("what", ["everything", "annotations", "tomograms"])
def test_D2_a_deposition_by_kind_and_dataset(what: str, twin: Fetch, site: Site) -> None:
    found = dialog(twin, f"dl=DEP-301&dl-what={what}", "/depositions/301")
    roles = {"annotations": {"annotation"}, "tomograms": {"tomogram"}}.get(what)
    own = [f for f in files(site) if f["_gate"] == 301 and (roles is None or f["role"] in roles)]
    assert found["size"] >= amount(own)[0]
    for name in ("dl=CZCDP-301", "dl=dep301"):
        assert dialog(twin, f"{name}&dl-what={what}", "/depositions/301")["size"] == found["size"]


def test_D2_times_are_those_of_the_bytes(twin: Fetch) -> None:
    found = dialog(twin, "dl=TM-2&dl-format=zarr&dl-tab=aws", "/tomograms/2")
    seconds = found["size"] * 8 / 100e6
    assert found["times"][1] == f"{seconds:.0f} s at 100 Mbit/s"
    assert found["snippet"]["delivered"] == {"size": found["size"], "files": found["files"]}


def test_D9_above_the_limit_commands_are_shown(twin: Fetch, site: Site) -> None:
    found = dialog(twin, "dl=DS-10000&dl-tab=direct", "/datasets/10000")
    assert found["size"] > site.settings.zip_limit
    assert (found["snippet"]["button"], "too large" in found["snippet"]["note"]) == ("", True)
    found = dialog(twin, "dl=RN-1&dl-tab=direct", "/datasets/10000")
    assert found["size"] < site.settings.zip_limit
    assert found["snippet"]["button"] == "Download ZIP"
    assert found["snippet"]["brings"].endswith("SHA256SUMS")


LEGACY = {
    "/runs/1?download-step=download&download-config=Tomogram&download-tomogram=2&file-format=omezarr&download-tab=aws": {
        "dl": "RN-1", "dl-what": "tomogram", "dl-tomogram": "TM-2", "dl-format": "zarr", "dl-step": "how", "dl-tab": "aws",
    },
    "/runs/1?download-config=AllAnnotations&object_shape=Point": {"dl": "RN-1", "dl-what": "annotations"},
    "/datasets/10000?download-step=configure": {"dl": "DS-10000"},
    "/runs/1?download-step=configure&annotation_id=2&annotation_name=membrane&object_shape=SegmentationMask&file-format=mrc": {"dl": "AN-2"},
}  # fmt: skip


@pytest.mark.parametrize("link", LEGACY)
def test_2_4_links_of_the_public_portal_open_our_dialog(link: str, http: TestClient) -> None:
    answer = http.get(link, follow_redirects=False)
    assert answer.status_code == 302
    asks = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    what = asks.pop("dl-what", "")
    expected = dict(LEGACY[link])
    assert what.startswith(expected.pop("dl-what", what))
    assert asks == expected
    assert "overlay" in http.get(answer.headers["location"].replace("?", ".json?")).json()


def test_2_4_a_shape_alone_stays_a_filter(http: TestClient) -> None:
    assert http.get("/runs/1?object_shape=Point", follow_redirects=False).status_code == 200


def test_6_7_the_drawer_says_how_to_cite(twin: Fetch, page: Fetch) -> None:
    for kind, path in (
        ("dataset", "/datasets/10000"),
        ("run", "/runs/1"),
        ("annotation", "/annotations/1"),
        ("tilt-series", "/tilt-series/1"),
    ):
        found = twin(f"{path}?metadata={kind}&tab=howToCite")["overlay"]
        assert found["tab"] == "How to cite"
        assert [s["name"] for s in found["sections"]] == ["How to cite", "Licence", "BibTeX", "RIS", "CSL-JSON"]
    shown = page("/annotations/1?metadata=annotation&tab=howToCite")
    assert "Zhang, Wei; Ice, Olga" in shown
    assert "DS-10000" in shown
    assert "DEP-300" in shown
    assert (
        "@" not in page("/datasets/10000?metadata=dataset&tab=howToCite").split('id="over-title"')[1].split("@misc")[0]
    )


@pytest.mark.parametrize("query", ["dl=RN-1", "dl=TM-1", "dl=AN-1", "dl=TS-1", "dl=DEP-301", "dl=DS-10000"])
def test_N6_a_dialog_costs_few_statements(query: str, site: Site, http: TestClient) -> None:
    asked: list[str] = []

    def listener(_c: object, _u: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement)

    sa.event.listen(site.catalog.engine, "before_cursor_execute", listener)
    try:
        http.get("/annotations/2.json")
        alone = len(asked)
        asked.clear()
        http.get(f"/annotations/2.json?{query}")
    finally:
        sa.event.remove(site.catalog.engine, "before_cursor_execute", listener)
    assert len(asked) - alone <= 15


def test_d6_a_long_table_leaves_no_file_open(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept on the disk is closed when nobody has it any more; a file left open is a warning, and so an error."""
    short = derived.table(derived.Asked(site.portal, "annotation", 1, {}, ANONYMOUS), "csv")
    monkeypatch.setattr(derived, "IN_MEMORY", 64)
    long = derived.table(derived.Asked(site.portal, "annotation", 1, {}, ANONYMOUS), "csv")
    assert long.sha256() == short.sha256()
    source = long.made[1]
    with source.held() as descriptor:  # type: ignore[attr-defined]  # a file, not bytes in memory
        del long, source
        gc.collect()
        assert hashlib.sha256(os.pread(descriptor, 1 << 20, 0)).hexdigest() == short.sha256()
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
