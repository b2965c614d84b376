"""Citations as reference managers read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    import httpx
    from tests.api.serving import Running

RECORDS = ("datasets/10001", "runs/1", "depositions/10301", "tomograms/1", "annotations/1")


def csl(site: httpx.Client, record: str) -> dict[str, Any]:
    (item,) = site.get(f"/{record}/cite.json").json()
    assert isinstance(item, dict)
    return item


def names(site: httpx.Client, record: str) -> list[str]:
    """Give the authors in their order, as the API has them."""
    kinds, number = record.split("/")
    rows = site.get(f"/api/v1/{kinds}/{number}/authors", params={"limit": 100}).json()["items"]
    return [r["name"] for r in sorted(rows, key=lambda r: r["author_list_order"])]


@pytest.mark.parametrize("record", RECORDS)
def test_6_7_csl_json(record: str, site: httpx.Client, demo: Running) -> None:
    answer = site.get(f"/{record}/cite.json")
    assert answer.headers["content-type"] == "application/vnd.citationstyles.csl+json"
    item = csl(site, record)
    assert (item["type"], item["URL"], item["publisher"]) == ("dataset", f"{demo.url}/{record}", "Tomotheca")
    assert item["issued"]["date-parts"][0][0] >= 2025
    if not record.startswith("runs"):
        assert [f"{a['given']} {a['family']}" for a in item["author"]] == names(site, record)


@pytest.mark.parametrize("record", RECORDS)
def test_6_7_bibtex_in_a_standard_parser(record: str, site: httpx.Client, demo: Running) -> None:
    bibtexparser = pytest.importorskip("bibtexparser")
    library = bibtexparser.parse_string(site.get(f"/{record}/cite.bib").text)
    assert not library.failed_blocks
    (entry,) = library.entries
    fields, item = {f.key: f.value for f in entry.fields}, csl(site, record)
    assert (entry.entry_type, entry.key, fields["url"]) == ("misc", item["id"], f"{demo.url}/{record}")
    assert fields["title"].strip("{}") == item["title"].replace("_", r"\_")
    people = [a.replace("{", "").replace("}", "") for a in fields["author"].split(" and ")]
    assert people == [f"{a['family']}, {a['given']}" for a in item["author"]]
    assert fields["year"] == str(item["issued"]["date-parts"][0][0])


@pytest.mark.parametrize("record", RECORDS)
def test_6_7_ris_in_a_standard_parser(record: str, site: httpx.Client, demo: Running) -> None:
    rispy = pytest.importorskip("rispy")
    (entry,) = rispy.loads(site.get(f"/{record}/cite.ris").text)
    item = csl(site, record)
    assert entry["type_of_reference"] == "DATA"
    assert entry["title"] == item["title"]
    assert entry["authors"] == [f"{a['family']}, {a['given']}" for a in item["author"]]
    assert entry["urls"] == [f"{demo.url}/{record}"]
    assert entry["year"] == str(item["issued"]["date-parts"][0][0])


@pytest.mark.parametrize("record", RECORDS)
def test_6_7_csl_json_in_a_standard_processor(record: str, site: httpx.Client) -> None:
    citeproc = pytest.importorskip("citeproc")
    from citeproc.source.json import CiteProcJSON  # type: ignore[import-not-found,unused-ignore]

    item = csl(site, record)
    found = CiteProcJSON([item])[item["id"].lower() if item["id"] not in CiteProcJSON([item]) else item["id"]]
    assert citeproc
    assert str(found["title"]) == item["title"]
    assert [str(a["family"]) for a in found["author"]] == [a["family"] for a in item["author"]]


def test_6_7_what_to_cite_as_well(site: httpx.Client, demo: Running) -> None:
    text = site.get("/annotations/1/cite.txt").text
    lines = text.splitlines()
    assert lines[0].endswith(f"Tomotheca. AN-1. {demo.url}/annotations/1")
    also = [line for line in lines if line.startswith("Please also cite: ")]
    assert any(f"DEP-10301, {demo.url}/depositions/10301" in line for line in also)
    assert any(f"DS-10001, {demo.url}/datasets/10001" in line for line in also)
    assert lines[-1] == "Licence: CC0-1.0"


def test_6_7_the_citation_file_of_a_tree(site: httpx.Client, demo: Running) -> None:
    found = yaml.safe_load(site.get("/api/v1/datasets/10001/texts/CITATION.cff").text)
    assert (found["cff-version"], found["type"], found["license"]) == ("1.2.0", "dataset", "CC0-1.0")
    assert [f"{a['given-names']} {a['family-names']}" for a in found["authors"]] == names(site, "datasets/10001")
    assert found["url"] == f"{demo.url}/datasets/10001"
    assert "@" not in json.dumps(found)


def test_6_7_what_is_not_there_has_no_citation(site: httpx.Client) -> None:
    for path in (
        "/datasets/1/cite.bib",
        "/annotations/99999/cite.json",
        "/tilt-series/1/cite.bib",
        "/datasets/10001/cite.doc",
    ):
        assert site.get(path).status_code == 404
