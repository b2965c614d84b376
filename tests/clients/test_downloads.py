"""Everything that the download dialog says, done: commands run as they stand, bytes and files counted."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from tests.api.serving import TOKEN, Running, run_cli
from tests.clients.taking import brought, dialog, key_of, shell

if TYPE_CHECKING:
    from pathlib import Path

CHOICES = {
    "dataset": ("/datasets/10002", "dl=DS-10002"),
    "dataset in zarr": ("/datasets/10002", "dl=DS-10002&dl-format=zarr"),
    "dataset, annotations": ("/datasets/10002", "dl=DS-10002&dl-what=annotations"),
    "dataset, smallest": ("/datasets/10002", "dl=DS-10002&dl-what=smallest"),
    "run": ("/runs/1", "dl=RN-1"),
    "run, tomograms in mrc": ("/runs/1", "dl=RN-1&dl-what=tomograms&dl-format=mrc"),
    "run, tilt series": ("/runs/1", "dl=RN-1&dl-what=tiltseries"),
    "run, alignments": ("/runs/1", "dl=RN-1&dl-what=alignments"),
    "run, mdoc": ("/runs/1", "dl=RN-1&dl-what=mdoc"),
    "run, pictures": ("/runs/1", "dl=RN-1&dl-what=images"),
    "tilt series": ("/tilt-series/1", "dl=TS-1"),
    "tilt series, angles": ("/tilt-series/1", "dl=TS-1&dl-what=angles"),
    "tilt series, alignments": ("/tilt-series/1", "dl=TS-1&dl-what=alignments"),
    "tilt series, table": ("/tilt-series/1", "dl=TS-1&dl-what=table"),
    "tomogram": ("/tomograms/1", "dl=TM-1"),
    "tomogram in zarr": ("/tomograms/1", "dl=TM-1&dl-format=zarr"),
    "tomogram, level": ("/tomograms/1", "dl=TM-1&dl-level=1"),
    "tomogram, box": ("/tomograms/1", "dl=TM-1&dl-box=10:100,0:120,5:40"),
    "annotation": ("/annotations/1", "dl=AN-1"),
    "points as STAR": ("/annotations/1", "dl=AN-1&dl-what=OrientedPoint.star.1"),
    "points as CSV": ("/annotations/1", "dl=AN-1&dl-what=OrientedPoint.csv.1&dl-frame=angstrom"),
    "mask": ("/annotations/2", "dl=AN-2"),
    "mask, level": ("/annotations/2", "dl=AN-2&dl-level=1"),
    "deposition": ("/depositions/10301", "dl=DEP-10301"),
    "deposition, annotations": ("/depositions/10301", "dl=DEP-10301&dl-what=annotations"),
}
"""What the dialogs offer."""

TABS = ("cli", "api", "aws", "rclone", "curl", "direct")
NO_WAY = {
    ("aws", "deposition"), ("aws", "deposition, annotations"), ("aws", "tilt series, alignments"), ("aws", "tilt series, table"),
    ("aws", "tomogram, level"), ("aws", "tomogram, box"), ("aws", "points as STAR"), ("aws", "points as CSV"), ("aws", "mask, level"),
    ("api", "dataset in zarr"), ("api", "dataset, smallest"), ("api", "run, tomograms in mrc"), ("api", "run, tilt series"),
    ("api", "run, alignments"), ("api", "run, mdoc"), ("api", "run, pictures"), ("api", "tilt series, angles"), ("api", "tilt series, alignments"), ("api", "deposition"),
}  # fmt: skip
"""What a client cannot bring; the dialog says so."""


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("tab", TABS)
def test_d2_d7_a_command_brings_what_the_dialog_says(
    tab: str, choice: str, site: httpx.Client, demo: Running, programs: Path, tmp_path: Path
) -> None:
    path, query = CHOICES[choice]
    found = dialog(site, path, f"{query}&dl-tab={tab}")
    snippet = found["snippet"]
    assert not found["problem"]
    if (tab.replace("rclone", "aws"), choice) in NO_WAY:
        assert snippet["note"]
        assert not snippet["text"] + snippet["button"]
        return
    program = {"cli": "tomotheca", "api": "python", "direct": ""}.get(tab, tab)
    if program and not (shutil.which(program) or (programs / program).exists()):
        pytest.skip(f"there is no {program}")
    if tab == "direct":
        answer = site.get(snippet["href"])
        assert len(answer.content) == int(answer.headers["content-length"]) == snippet["delivered"]["size"]
        return
    text = snippet["text"] if tab != "api" else f"python - <<'EOF'\n{snippet['text']}\nEOF"
    shell(text, tmp_path, programs, BOTO_ENDPOINT_URL=f"{demo.url}/s3", RCLONE_CONFIG="/dev/null")
    files = brought(tmp_path)
    files.pop("SHA256SUMS", None)
    assert {"size": sum(files.values()), "files": len(files)} == snippet["delivered"]


@pytest.mark.parametrize("tab", ["cli", "curl", "rclone"])
def test_d5_d7_a_tree_is_complete_and_verified(tab: str, site: httpx.Client, programs: Path, tmp_path: Path) -> None:
    asked = "dl=RN-1&dl-what=annotations&dl-tab="
    shell(dialog(site, "/runs/1", asked + tab)["snippet"]["text"], tmp_path, programs, RCLONE_CONFIG="/dev/null")
    first, second = dialog(site, "/runs/1", asked + "verify")["snippet"]["text"].split("\n#")
    said = shell(first if tab != "rclone" else second.split("\n")[1], tmp_path, programs)
    assert said.count(": OK") == len(brought(tmp_path)) - (tab != "rclone")
    texts = {"LICENSE.txt", "CITATION.bib", "CITATION.cff", "README.txt", "SHA256SUMS"}
    assert ({p.rpartition("/")[2] for p in brought(tmp_path)} >= texts) == (tab != "rclone")


def test_d7_commands_continue(site: httpx.Client, programs: Path, tmp_path: Path) -> None:
    text = dialog(site, "/tomograms/1", "dl=TM-1&dl-tab=curl")["snippet"]["text"]
    shell(text, tmp_path, programs)
    (whole,) = tmp_path.iterdir()
    data = whole.read_bytes()
    whole.write_bytes(data[:500_000])
    shell(text, tmp_path, programs)
    assert whole.read_bytes() == data
    assert (
        shell(dialog(site, "/tomograms/1", "dl=TM-1&dl-tab=verify")["snippet"]["text"], tmp_path, programs)
        == f"{whole.name}: OK\n"
    )


# --- D9 ---------------------------------------------------------------------------------------------------------------

ZIP = "/api/v1/runs/1/download.zip?only=tomograms,annotations&format=zarr"


def test_d9_a_zip_is_what_the_list_says(site: httpx.Client, tmp_path: Path) -> None:
    answer = site.get(ZIP)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="RN-1-tomograms-annotations-zarr.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert all(i.compress_type == zipfile.ZIP_STORED for i in archive.infolist())
        listed = {
            f["path"]: f["sha256"] for f in site.get(ZIP.replace("download.zip", "manifest.json")).json()["files"]
        }
        assert {
            n: hashlib.sha256(archive.read(n)).hexdigest() for n in archive.namelist() if n != "SHA256SUMS"
        } == listed
        archive.extractall(tmp_path)
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stdout
    if unzip := shutil.which("unzip"):
        (tmp_path / "it.zip").write_bytes(answer.content)
        subprocess.run([unzip, "-tq", tmp_path / "it.zip"], check=True, capture_output=True)


def test_d9_a_zip_is_continued_anywhere(site: httpx.Client) -> None:
    whole = site.get(ZIP)
    head, size, tag = site.head(ZIP), len(whole.content), whole.headers["etag"]
    assert (head.headers["content-length"], head.headers["etag"], head.headers["accept-ranges"]) == (
        str(size),
        tag,
        "bytes",
    )
    rng = np.random.default_rng(5)
    spans = [
        (0, 10),
        (size - 22, size),
        (size - 5000, size),
        *(sorted(rng.integers(0, size, 2).tolist()) for _ in range(30)),
    ]
    for start, stop in spans:
        part = site.get(ZIP, headers={"range": f"bytes={start}-{stop - 1}", "if-range": tag})
        if start < stop:
            assert (part.status_code, part.content == whole.content[start:stop]) == (206, True)
    assert site.get(ZIP, headers={"if-none-match": tag}).status_code == 304
    assert site.get(ZIP, headers={"range": f"bytes={size}-"}).status_code == 416


def test_d9_there_is_a_limit(demo: Running) -> None:
    from tests.api.serving import serving

    with serving(demo.world, TOMOTHECA_ZIP_LIMIT="1000") as small, httpx.Client(base_url=small.url) as site:
        refused = site.get("/api/v1/runs/1/download.zip")
        assert refused.status_code == 400
        assert "at most 1000" in refused.json()["error"]
        found = dialog(site, "/runs/1", "dl=RN-1&dl-tab=direct")["snippet"]
        assert (found["button"], "too large" in found["note"]) == ("", True)


# --- D5, D6, D10, D11 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/tomograms/1/crop.mrc", "/annotations/1/points.csv", "/tilt-series/1/sections.csv", "file"]
)
def test_d5_single_files_name_licence_and_citation(path: str, site: httpx.Client, demo: Running) -> None:
    url = key_of(site, "tomograms", id=1)["https_mrc_file"] if path == "file" else path
    head = site.head(url)
    found = {link["rel"]: link["url"] for link in head.links.values()}
    assert found["license"] == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert found["cite-as"] == f"{demo.url}/datasets/10001"
    assert site.get(found["describedby"]).text.startswith("@misc{DS-10001,")


def test_d6_head_equals_get(site: httpx.Client) -> None:
    for url in ("/tomograms/1/crop.mrc?level=1", "/annotations/1/points.star", "/tilt-series/1/sections.csv", ZIP):
        get, head = site.get(url), site.head(url)
        names = ("content-length", "content-type", "etag", "content-disposition", "accept-ranges")
        assert [head.headers[n] for n in names] == [get.headers[n] for n in names]
        assert "content-encoding" not in get.headers
        assert head.content == b""


def hidden_run(demo: Running) -> int:
    with httpx.Client(base_url=demo.url, headers={"authorization": f"Bearer {TOKEN}"}) as curator:
        known = {r["id"] for r in curator.get("/api/v1/runs").json()["items"]}
    with httpx.Client(base_url=demo.url) as site:
        (number,) = known - {r["id"] for r in site.get("/api/v1/runs").json()["items"]}
    return number


def test_d10_hidden_data_name_the_variable_and_never_the_token(demo: Running, programs: Path, tmp_path: Path) -> None:
    run = hidden_run(demo)
    with httpx.Client(base_url=demo.url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=60) as curator:
        for tab in ("cli", "curl"):
            found = dialog(curator, f"/runs/{run}", f"dl=RN-{run}&dl-what=annotations&dl-tab={tab}")["snippet"]
            assert "TOMOTHECA_TOKEN" in found["text"] + found["note"]
            assert TOKEN not in json.dumps(found)
            folder = tmp_path / tab
            folder.mkdir()
            shell(found["text"], folder, programs, TOMOTHECA_TOKEN=TOKEN)
            files = brought(folder)
            files.pop("SHA256SUMS", None)
            assert {"size": sum(files.values()), "files": len(files)} == found["delivered"]
        assert not dialog(curator, f"/runs/{run}", f"dl=RN-{run}&dl-tab=aws")["snippet"]["text"]
    with httpx.Client(base_url=demo.url) as site:
        for path in (f"/api/v1/runs/{run}/download.zip", f"/api/v1/runs/{run}/manifest.curl", f"/runs/{run}/cite.bib"):
            assert site.get(path).status_code == site.get(path.replace(str(run), "99999")).status_code == 404


def test_d10_nothing_is_made_of_hidden_data(demo: Running) -> None:
    run = hidden_run(demo)
    with (
        httpx.Client(base_url=demo.url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=60) as curator,
        httpx.Client(base_url=demo.url) as site,
    ):
        for kind, names in (("tomograms", ["crop.mrc", "cite.txt"]), ("annotations", ["points.csv", "cite.ris"])):
            rows = curator.get(f"/api/v1/{kind}", params={"limit": 100}).json()["items"]
            (number, *_) = [r["id"] for r in rows if r["run_id"] == run]
            for name in names:
                assert curator.get(f"/{kind}/{number}/{name}").status_code == 200
                assert site.get(f"/{kind}/{number}/{name}").status_code == 404


def test_d11_downloads_are_counted_here(demo: Running) -> None:
    from tests.api.serving import serving

    from tomotheca.desk import Desk
    from tomotheca.settings import Settings

    with serving(demo.world) as own, httpx.Client(base_url=own.url, timeout=60) as site:
        with Desk.open(Settings(root=demo.world.root).desk_database) as desk:
            before = desk.downloads.of("annotation", 2)
            answer = site.get("/annotations/2/crop.mrc?level=1")
            site.head("/annotations/2/crop.mrc?level=1")
            after = desk.downloads.of("annotation", 2)
            assert (after.times - before.times, after.size - before.size) == (1, len(answer.content))
            assert desk.downloads.total().size >= after.size
            assert sum(t.times for t in desk.downloads.by_day().values()) == desk.downloads.total().times
        with httpx.Client(base_url=own.url, headers={"authorization": f"Bearer {TOKEN}"}) as curator:
            assert dialog(curator, "/annotations/2", "dl=AN-2")["taken"]["times"] == after.times
        assert dialog(site, "/annotations/2", "dl=AN-2")["taken"] is None


# --- the command line -------------------------------------------------------------------------------------------------


def test_4_3_flags_of_the_command_line(demo: Running, tmp_path: Path) -> None:
    common = ("--from", demo.url, "--to", tmp_path, "--json")
    for flags in (("--box", "10:100,0:120,5:40", "--level", "1"), ("--level", "2")):
        done = json.loads(run_cli("download", "TM-1", *flags, *common, check=True).stdout)
        assert (done["failed"], done["files"]) == ({}, 5)
        again = json.loads(run_cli("download", "TM-1", *flags, *common, check=True).stdout)
        assert (again["downloaded"], again["verified"]) == (0, 5)
    run_cli("download", "AN-1", "--format", "star", "--frame", "centred-angstrom", *common, check=True)
    run_cli("download", "TS-1", "--format", "csv", *common, check=True)
    made = {p.suffix for p in tmp_path.rglob("*") if p.is_file()}
    assert {".mrc", ".star", ".csv"} <= made
    subprocess.run(["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True)
    wrong = run_cli("download", "TM-1", "--box", "1:2", "--from", demo.url, "--to", tmp_path)
    assert (wrong.returncode, "write x, y and z" in wrong.stderr) == (2, True)
