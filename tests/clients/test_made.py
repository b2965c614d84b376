"""What is made of the archive's files when somebody asks for it, read again by other people's programs."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest
import starfile
import zarr
from tests.clients.taking import key_of
from tests.clients.test_recipes import ANNOTATION, TOMOGRAM

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from tests.api.serving import Running


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
