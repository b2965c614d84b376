"""The download dialog: exact amounts, and commands as they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
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
    assert set(picks) == {"everything", "tiltseries", "tomograms", "annotations"}


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


def test_S20_S28_an_annotation_offers_each_shape_and_format(twin: Fetch) -> None:
    found = dialog(twin, "dl=AN-2")
    assert [p["label"] for p in found["groups"][0]["picks"]] == ["Segmentation – mrc", "Segmentation – OME-Zarr"]
    assert found["size"] == 79_380_000
    second = found["groups"][0]["picks"][1]["value"]
    assert dialog(twin, f"dl=AN-2&dl-what={second}")["files"] == 77
    assert any("Made on AL-1" in line for line in found["lines"])


BASE = "http://portal.test"
KEY = "10000/run_1/Reconstructions/VoxelSpacing10.000/Tomograms/1/run_1.mrc"
SNIPPETS = {
    ("dl=DS-10000", "cli"): f"tomotheca download DS-10000 --from {BASE} --to .",
    ("dl=RN-1&dl-what=annotations", "cli"): f"tomotheca download RN-1 --from {BASE} --to . --only annotations",
    ("dl=TM-1", "cli"): f"tomotheca download TM-1 --from {BASE} --to . --format mrc",
    ("dl=DS-10000", "aws"): f'aws s3 sync --no-sign-request --endpoint-url {BASE}/s3 "s3://tomotheca/10000/" "10000"',
    ("dl=RN-1", "aws"): f'aws s3 sync --no-sign-request --endpoint-url {BASE}/s3 "s3://tomotheca/10000/run_1/" "run_1"',
    ("dl=RN-1&dl-what=annotations", "aws"): f'aws s3 sync --no-sign-request --endpoint-url {BASE}/s3 "s3://tomotheca/10000/run_1/" "run_1" --exclude "*" --include "*/Annotations/*"',
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
    assert found["snippet"]["href"] == f"/files/{KEY}"
    digest = files(site, key=KEY)[0]["sha256"]
    assert found["sha256"] == digest
    assert dialog(twin, "dl=TM-1&dl-tab=verify")["snippet"]["text"] == f'echo "{digest}  run_1.mrc" | sha256sum -c'
    assert dialog(twin, "dl=RN-1&dl-tab=direct")["snippet"]["href"] == ""


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
