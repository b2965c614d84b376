"""What tables show as Python and curl, run as it stands: it gives the rows of the page."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.api.serving import TOKEN
from tests.clients.recipes import environment
from tests.clients.taking import shell

from tomotheca.schema import SCHEMA
from tomotheca.web.ascode import OURS
from tomotheca.web.snippets import CLASSES

if TYPE_CHECKING:
    from tests.api.serving import Running

CLIENT, REST, OWN = "cryoet_data_portal", "/api/v1/", ".csv"
LISTINGS = [
    ("/browse-data/datasets", CLIENT),
    ("/browse-data/datasets?sample-type=in_silico&sample-type=(none)&per-page=50", REST),
    ("/browse-data/datasets?voxel-spacing=<=10&processing=raw&quality_score=5&quality_score=4", CLIENT),
    ("/browse-data/datasets?ground_truth=true&object_shape=Point&object_shape=OrientedPoint&release-date=>=2020", CLIENT),
    ("/browse-data/datasets?licence=CC0-1.0", REST),
    ("/browse-data/datasets?files=tomogram&files=annotation&completeness=>=20", REST),
    ("/browse-data/datasets?search=ribosome&size=>1kB", REST),
    ("/browse-data/runs?run-name=TS&sort=-size", REST),
    ("/browse-data/runs?dose=>=1&ctf-corrected=true&fiducial_alignment=true", CLIENT),
    ("/browse-data/depositions?type=annotation", CLIENT),
    ("/browse-data/depositions?author=a&sort=title", REST),
    ("/browse-data/objects?ground_truth=true&sort=-runs", OWN),
    ("/datasets/10001", CLIENT),
    ("/datasets/10001?object=cytosolic+ribosome&size=>1kB", REST),
    ("/datasets/10001?table-tab=objects", OWN),
    ("/datasets/10001?table-tab=depositions", OWN),
    ("/datasets/10001?table-tab=files&files-sort=-size", OWN),
    *((f"/runs/1?table-tab={tab}", CLIENT) for tab in ("annotations", "tomograms", "tilt-series", "alignments", "frames")),
    ("/runs/1?table-tab=annotations&ground_truth=true&annotations-page=1", CLIENT),
    ("/runs/1?table-tab=tomograms&voxel-spacing=5..20&author=a", REST),
    ("/runs/1?table-tab=files", OWN),
    *((f"/depositions/10301?deposition-tab={tab}", CLIENT) for tab in ("annotations", "tomograms", "datasets", "tilt-series")),
    ("/depositions/10301?deposition-tab=annotations&group-by=deposited_location", CLIENT),
]  # fmt: skip
"""Pages with a table, and what its query is asked of."""


Shown = dict[str, tuple[dict[str, str], list[str]]]


def shown(client: httpx.Client, address: str) -> tuple[dict[str, str], list[str]]:
    """Give the code of a page, and its rows: numbers of records, or lines of its own table."""
    path, _, query = address.partition("?")
    page = client.get(f"{path}.json?{query}").json()
    rows = list(csv.DictReader(io.StringIO(client.get(f"{path}.csv?{query}").text)))
    if page["code"]["api"] == "":
        return page["code"], [str(row) for row in rows]
    if rows and "id" not in rows[0]:  # frames have no page of their own, and so no identifier there
        found = client.get(page["code"]["api"]).json()["items"]
        assert [str(row["acquisition_order"]) for row in found] == [next(iter(row.values())) for row in rows]
        return page["code"], [str(row["id"]) for row in found]
    return page["code"], sorted({row["id"].rpartition("-")[2] for row in rows}, key=int)


@pytest.fixture(scope="module")
def pages(demo: Running) -> Shown:
    with httpx.Client(base_url=demo.url, timeout=60) as client:
        return {address: shown(client, address) for address, _ in LISTINGS}


@pytest.fixture(scope="module")
def printed(pages: Shown) -> dict[str, str]:
    """Run every piece of Python as it stands, one after the other in one process, and give what each prints."""
    codes = {address: code["python"] for address, (code, _) in pages.items()}
    words = [str(environment("client") / "bin/python"), "-c", RUN]
    done = subprocess.run(words, input=json.dumps(codes), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


RUN = """
import contextlib, io, json, sys
found = {}
for address, code in json.load(sys.stdin).items():
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, {"__name__": "__main__"})
    found[address] = out.getvalue()
print(json.dumps(found))
"""
EACH = pytest.mark.parametrize(("address", "way"), LISTINGS, ids=[address for address, _ in LISTINGS])


@EACH
def test_t4_a_table_as_python(address: str, way: str, pages: Shown, printed: dict[str, str]) -> None:
    code, rows = pages[address]
    assert way in code["python"]
    lines = printed[address].splitlines()
    assert (lines if way == OWN else sorted(lines, key=int)) == rows


@EACH
def test_t4_g12_a_table_as_curl(
    address: str, way: str, pages: Shown, site: httpx.Client, programs: Path, tmp_path: Path
) -> None:
    code, rows = pages[address]
    text = shell(code["curl"], tmp_path, programs)
    if way == OWN:
        assert [str(row) for row in csv.DictReader(io.StringIO(text))] == rows
        return
    found = [json.loads(line) for line in text.splitlines()]
    assert sorted((str(row["id"]) for row in found), key=int) == rows
    assert site.get(code["api"]).json()["total"] == len(found)


def test_t4_most_tables_have_rows(pages: Shown) -> None:
    empty = [address for address, (_, rows) in pages.items() if not rows]
    assert len(empty) <= 2, empty


def test_t4_without_script_the_code_is_text(site: httpx.Client, pages: Shown) -> None:
    for address in ("/browse-data/datasets", "/browse-data/objects?ground_truth=true&sort=-runs", "/runs/1?table-tab=files"):  # fmt: skip
        html = unescape(site.get(address).text)
        for name, text in (("Python", pages[address][0]["python"]), ("curl", pages[address][0]["curl"])):
            part = html.partition(f"<summary>Copy as {name}</summary>")[2].partition("</details>")[0]
            assert f"<code>{text}</code>" in part
            assert f'data-copy="{text}"' in part


def test_t4_what_is_hidden_is_asked_with_the_token(demo: Running, programs: Path, tmp_path: Path) -> None:
    with httpx.Client(base_url=demo.url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=60) as curator:
        code, rows = shown(curator, "/browse-data/datasets")
    for text in (code["curl"], f"python - <<'EOF'\n{code['python']}\nEOF"):
        assert TOKEN not in text
        printed = shell(text, tmp_path, programs, TOMOTHECA_TOKEN=TOKEN)
        found = [str(json.loads(line)["id"]) if line.startswith("{") else line for line in printed.splitlines()]
        assert sorted(found, key=int) == rows


def test_t4_the_client_library_has_every_other_field() -> None:
    venv = environment("client")
    asked: dict[str, Any] = {
        name: [*(c.name for c in SCHEMA.columns(kind) if c.public), *SCHEMA.relations(kind)]
        for kind, name in CLASSES.items()
    }
    script = "import json, sys, cryoet_data_portal as m\nprint(json.dumps([n for c, names in json.load(sys.stdin).items() for n in names if not hasattr(getattr(m, c), n)]))"  # fmt: skip
    done = subprocess.run([str(venv / "bin/python"), "-c", script], input=json.dumps(asked), capture_output=True, text=True, check=True)  # fmt: skip
    assert set(json.loads(done.stdout)) <= OURS
