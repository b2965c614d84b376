"""Movies and gain references: found by name, counted by their headers, missing ones told."""

import bz2
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tomotheca.formats import mrc

RUN = "10900/TS_1"
FRAMES = f"{RUN}/Frames/frames_metadata.json"


def movie(path: Path, pages: int, *, width: int = 9) -> None:
    images = [Image.fromarray(np.full((6, width), i, np.uint16)) for i in range(pages)]
    images[0].save(path, format="TIFF", save_all=True, append_images=images[1:])


@pytest.fixture
def movies(lab: Any) -> Any:
    for z in range(5):
        movie(lab.root / f"TS_1/frames/TS_1_{z}.tif", z + 2)
    return lab


def said(lab: Any) -> list[str]:
    return [f.message for f in lab.ingest().findings if f.severity == "warning"]


def test_headers_say_how_many_images_a_movie_has(movies: Any) -> None:
    assert said(movies) == []
    frames = movies.read(FRAMES)["frames"]
    assert [f["size"] for f in frames] == [{"x": 9, "y": 6, "z": z + 2} for z in range(5)]
    assert movies.ingest().written == 0


def test_movies_that_differ_in_size_are_told(movies: Any) -> None:
    movie(movies.root / "TS_1/frames/TS_1_3.tif", 2, width=8)
    assert said(movies) == ["movies of one run differ in size: 9 x 6 (TS_1_0.tif) and 8 x 6 (TS_1_3.tif)."]


def test_a_movie_that_was_packed_is_found_by_its_stem(movies: Any) -> None:
    folder = movies.root / "TS_1/frames"
    mrc.write(folder / "TS_1_2.mrc", np.zeros((4, 6, 9), np.int16), voxel_size=1.0, stack=True)
    (folder / "ts_1_2.mrc.bz2").write_bytes(bz2.compress((folder / "TS_1_2.mrc").read_bytes()))
    for name in ("TS_1_2.mrc", "TS_1_2.tif"):
        (folder / name).unlink()
    glob = movies.config["frames"][0]["sources"][0]["source_glob"]
    glob |= {"list_glob": "{run_name}/frames/*", "match_regex": r"\.(tif|bz2)$"}
    assert said(movies) == []
    frame = movies.read(FRAMES)["frames"][2]
    assert frame["path"] == f"{RUN}/Frames/ts_1_2.mrc.bz2"
    assert frame["size"] == {"x": 9, "y": 6, "z": 4}


def test_a_section_whose_movie_is_not_there_is_told_and_kept(movies: Any) -> None:
    (movies.root / "TS_1/frames/TS_1_4.tif").unlink()
    assert said(movies) == [
        "run TS_1: 1 sections of the mdoc files have no movie here (first TS_1_4.tif): their frames have no file."
    ]
    frames = movies.read(FRAMES)["frames"]
    assert [bool(f["path"]) for f in frames] == [True, True, True, True, False]
    assert [f["accumulated_dose"] for f in frames] == [0.0, 3.0, 6.0, 9.0, 12.0]


def test_a_section_without_a_sub_frame_path_is_told(movies: Any) -> None:
    path = movies.root / "TS_1/TS_1.mdoc"
    path.write_text(path.read_text().replace("SubFramePath = D:\\x\\TS_1_4.tif\n", ""))
    assert "run TS_1: 1 sections say nothing of a movie (no SubFramePath): their frames have no file." in said(movies)


@pytest.mark.parametrize(("name", "data"), [("TS_1_1.tif", b"hello, no TIFF at all"), ("TS_1_1.tif", b"")])
def test_a_broken_movie_is_told_and_copied(movies: Any, name: str, data: bytes) -> None:
    (movies.root / "TS_1/frames" / name).write_bytes(data)
    (told,) = said(movies)
    assert told.endswith("It is copied as it is.")
    assert (movies.archive / RUN / "Frames" / name).read_bytes() == data
    assert "size" not in movies.read(FRAMES)["frames"][1]


def test_a_dm4_gain_is_copied_byte_for_byte_and_an_mrc_is_looked_at(movies: Any) -> None:
    folder = movies.root / "TS_1/frames"
    (folder / "a.dm4").write_bytes(b"\0\0\0\4 anything")
    (folder / "b.mrc").write_bytes(b"no volume")
    movies.config["gains"][0]["sources"] = [
        {"source_multi_glob": {"list_globs": ["{run_name}/frames/*.dm4", "{run_name}/frames/*.mrc"]}}
    ]
    (told,) = said(movies)
    assert told.endswith("It is copied as it is.")
    assert (movies.archive / RUN / "Gains/a.dm4").read_bytes() == (folder / "a.dm4").read_bytes()
    assert set(movies.read(f"{RUN}/run_metadata.json")["ids"]["gain_file"]) == {"a.dm4", "b.mrc"}


def test_a_dose_comes_from_the_time_and_the_rate_in_the_order_of_the_mdoc(movies: Any) -> None:
    path = movies.root / "TS_1/TS_1.mdoc"
    path.write_text(path.read_text().replace("ExposureDose = 3", "ExposureTime = 0.5"))
    assert said(movies) == []
    frames = movies.read(FRAMES)["frames"]
    assert [f["exposure_dose"] for f in frames] == [3.0] * 5
    assert [f["accumulated_dose"] for f in frames] == [0.0, 3.0, 6.0, 9.0, 12.0]
