"""Everything that the download dialog says, done: commands run as they stand, bytes and files counted, and what is made read again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import mrcfile
import numpy as np
import pytest
import starfile
import zarr
from tests.api.serving import TOKEN, Running, clean, run_cli
from tests.clients.test_recipes import ANNOTATION, TOMOGRAM
from tests.conftest import REPOSITORY

CLIENTS = REPOSITORY / ".cache/clients-venv/bin"


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the programs that the commands name: ours and python, of this environment, and the AWS CLI."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "python").symlink_to(sys.executable)
    own = folder / "tomotheca"
    own.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tomotheca "$@"\n')
    own.chmod(0o755)
    if (CLIENTS / "aws").exists():
        (folder / "aws").symlink_to(CLIENTS / "aws")
    return folder


@pytest.fixture
def site(demo: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=demo.url, timeout=60) as client:
        yield client


def dialog(site: httpx.Client, page: str, query: str) -> Any:
    found = site.get(f"{page}.json?{query}").json()["overlay"]
    assert found, query
    return found


def brought(folder: Path) -> dict[str, int]:
    return {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*") if p.is_file()}


def shell(command: str, folder: Path, programs: Path, **names: str) -> str:
    """Run a command as it stands, in bash."""
    env = {
        **clean(),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **names,
    }
    words = ["bash", "-c", f"set -o pipefail\n{command}"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=120, env=env)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def key_of(site: httpx.Client, kind: str, **where: Any) -> dict[str, Any]:
    answer = site.get(f"/api/v1/{kind}", params={"limit": 50}).json()["items"]
    return next(r for r in answer if all(r[k] == v for k, v in where.items()))


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


# --- D8 ---------------------------------------------------------------------------------------------------------------


def level(demo: Running, folder: str, number: int) -> tuple[np.ndarray, dict[str, Any]]:
    (path,) = (demo.world.root / "archive" / folder).glob("*.zarr")
    group = zarr.open_group(path, mode="r")
    dataset = group.attrs["multiscales"][0]["datasets"][number]  # type: ignore[index,call-overload]
    return np.asarray(group[str(number)]), dataset  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_d8_a_box_of_a_level_as_mrc(number: int, site: httpx.Client, demo: Running, tmp_path: Path) -> None:
    answer = site.get(f"/tomograms/1/crop.mrc?box=11:100,0:121,5:40&level={number}")
    path = tmp_path / "box.mrc"
    path.write_bytes(answer.content)
    voxels, dataset = level(demo, TOMOGRAM, number)
    factor = 2**number
    z, y, x = (slice(a // factor, -(-b // factor)) for a, b in ((5, 40), (0, 121), (11, 100)))
    scale, translation = (
        t[kind][0] for t, kind in zip(dataset["coordinateTransformations"], ("scale", "translation"), strict=True)
    )
    with mrcfile.open(path) as made:
        np.testing.assert_array_equal(made.data, voxels[z, y, x])
        assert made.voxel_size.x == pytest.approx(scale)
        origin = [translation + part.start * scale for part in (x, y, z)]
        np.testing.assert_allclose(
            [made.header.origin.x, made.header.origin.y, made.header.origin.z], origin, rtol=1e-6
        )
        told = b" ".join(made.header.label.tolist()).decode()
        assert made.header.dmax < made.header.dmin
    for words in (
        "TM-1 of run TS_001",
        f"{demo.url}/tomograms/1",
        "Licence: CC0-1.0",
        f"Level {number}",
        "11:100,0:121,5:40",
    ):
        assert words in told
    assert mrcfile.validate(path, print_file=io.StringIO())


def test_d8_d7_a_box_is_continued(site: httpx.Client) -> None:
    url = "/tomograms/1/crop.mrc?box=10:100,0:120,5:40"
    whole = site.get(url)
    for start, stop in ((0, 100), (1000, 1100), (50_001, 200_003), (len(whole.content) - 7, len(whole.content))):
        part = site.get(url, headers={"range": f"bytes={start}-{stop - 1}", "if-range": whole.headers["etag"]})
        assert (part.status_code, part.content) == (206, whole.content[start:stop])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("box=0:10,0:10", "write x, y and z"),
        ("box=5:5,0:10,0:10", "is not inside"),
        ("box=0:10,0:10,0:9999", "is not inside 0:48"),
        ("level=7", "there are the levels 0 to 2"),
        ("level=one", "is not a number"),
    ],
)
def test_d8_a_wrong_box_is_one_sentence(query: str, said: str, site: httpx.Client) -> None:
    answer = site.get(f"/tomograms/1/crop.mrc?{query}", headers={"accept": "application/json"})
    assert (answer.status_code, said in answer.json()["error"]) == (400, True)


def test_d8_originals_are_never_altered(site: httpx.Client, demo: Running) -> None:
    row = key_of(site, "tomograms", id=1)
    stored = demo.world.bytes_of(row["https_mrc_file"].removeprefix(f"{demo.url}/files/"))
    assert site.get(row["https_mrc_file"]).content == stored


# --- points -----------------------------------------------------------------------------------------------------------


def archived(demo: Running) -> tuple[np.ndarray, np.ndarray]:
    """Give locations in voxels and matrices, as the archive has them."""
    (path,) = (demo.world.root / "archive" / ANNOTATION).glob("*_orientedpoint.ndjson")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    places = np.array([[r["location"][axis] for axis in "xyz"] for r in rows])
    return places, np.array([r["xyz_rotation_matrix"] for r in rows])


def in_frame(places: np.ndarray, frame: str) -> np.ndarray:
    size = np.array((160, 160, 48))
    return {"voxel": places, "angstrom": places * 9.96, "centred-angstrom": (places - size / 2) * 9.96}[frame]


FRAMES = ("voxel", "angstrom", "centred-angstrom")


@pytest.mark.parametrize("frame", FRAMES)
def test_60_points_as_csv(frame: str, site: httpx.Client, demo: Running) -> None:
    answer = site.get(f"/annotations/1/points.csv?frame={frame}")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert lines[0] == "x,y,z,r11,r12,r13,r21,r22,r23,r31,r32,r33"
    table = np.array([[float(v) for v in line.split(",")] for line in lines[1:]])
    places, matrices = archived(demo)
    np.testing.assert_allclose(table[:, :3], in_frame(places, frame), rtol=1e-12)
    np.testing.assert_array_equal(table[:, 3:].reshape(-1, 3, 3), matrices)
    told = "".join(line for line in answer.text.splitlines() if line.startswith("#"))
    for words in ("AN-1 of run TS_001", "AL-1", "9.96", "Licence: CC0-1.0"):
        assert words in told


@pytest.mark.parametrize("frame", FRAMES)
def test_60_points_as_relion_5_star_by_round_trip(
    frame: str, site: httpx.Client, demo: Running, tmp_path: Path
) -> None:
    path = tmp_path / "points.star"
    path.write_bytes(site.get(f"/annotations/1/points.star?frame={frame}").content)
    blocks = starfile.read(path, always_dict=True)
    particles = blocks["particles"]
    names = [f"rlnCenteredCoordinate{a}Angst" if frame == "centred-angstrom" else f"rlnCoordinate{a}" for a in "XYZ"]
    places, matrices = archived(demo)
    np.testing.assert_allclose(particles[names].to_numpy(), in_frame(places, frame), rtol=1e-9, atol=1e-9)
    assert set(particles["rlnTomoName"]) == {"TS_001"}
    rot, tilt, psi = np.radians(particles[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy().T)
    for matrix, r, t, p in zip(matrices, rot, tilt, psi, strict=True):
        turned = about_z(r) @ about_y(t) @ about_z(p)
        np.testing.assert_allclose(turned.T, matrix, atol=1e-6)
    optics = blocks["optics"]
    assert float(optics["rlnTomoTiltSeriesPixelSize"].iloc[0]) > 0
    if frame != "centred-angstrom":
        assert float(optics["rlnImagePixelSize"].iloc[0]) == (9.96 if frame == "voxel" else 1.0)


def about_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def about_y(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def test_60_our_own_reader_takes_the_star_file(site: httpx.Client, demo: Running, tmp_path: Path) -> None:
    from tomotheca.formats import relion
    from tomotheca.formats.points import Options

    path = tmp_path / "points.star"
    path.write_bytes(site.get("/annotations/1/points.star?frame=centred-angstrom").content)
    options = Options(spacing=9.96, size=(160, 160, 48), filter_value="TS_001")
    found = relion.read(path, options, relion.RELION_5)
    places, matrices = archived(demo)
    np.testing.assert_allclose(found.locations, places, atol=1e-9)
    assert found.rotations is not None
    np.testing.assert_allclose(found.rotations, matrices, atol=1e-6)


def test_60_what_cannot_be_made(site: httpx.Client) -> None:
    wrong = site.get("/annotations/1/points.csv?frame=inches", headers={"accept": "application/json"})
    assert (wrong.status_code, "'inches' is not offered" in wrong.json()["error"]) == (400, True)
    assert site.get("/annotations/2/points.csv").status_code == 404
    assert site.get("/annotations/99999/points.star").status_code == 404
    assert site.get("/tomograms/1/crop.mrc?frame=voxel").status_code == 200


def test_2_the_table_of_sections(site: httpx.Client) -> None:
    text = site.get("/tilt-series/1/sections.csv").text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    heads, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
    sections = site.get("/api/v1/tiltseries/1/per-section-parameters", params={"limit": 100}).json()["items"]
    assert len(rows) == len(sections) > 20
    assert {"z_index", "raw_angle", "major_defocus", "minor_defocus", "exposure_dose", "accumulated_dose"} <= set(heads)
    by_index = {s["z_index"]: s for s in sections}
    for row in rows:
        named = dict(zip(heads, row, strict=True))
        section = by_index[int(named["z_index"])]
        assert float(named["raw_angle"]) == section["raw_angle"]
        assert float(named["major_defocus"]) == section["major_defocus"]


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
