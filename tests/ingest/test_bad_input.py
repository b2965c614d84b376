"""Bad input: a sentence with the file and what to do, and nothing written."""

import os
from pathlib import Path
from typing import Any

import pytest


def test_a_truncated_volume(lab: Any) -> None:
    path = lab.root / "tomograms/TS_1.rec"
    os.truncate(path, path.stat().st_size - 10)
    text = lab.refused()
    assert str(path) in text
    assert "is truncated: 10 of" in text


def test_an_unreadable_header(lab: Any) -> None:
    (lab.root / "TS_1/TS_1.st").write_bytes(b"nothing" * 400)
    assert "is not an MRC file" in lab.refused()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("TS_1/TS_1.rawtlt", "abc\n", "'abc' is not a number"),
        ("TS_1/TS_1.mdoc", "no sections\n", "no [ZValue"),
        ("TS_1/TS_1.xf", "1 0 0 1 0\n", "line 1 has 5 values"),
        ("TS_1/TS_1.tlt", "1\n2\n", "different numbers of sections"),
        ("picks/TS_1.csv", "1,2\n", "line 1 has 1 columns"),
        ("picks/all.star", "data_x\n\nloop_\n_a #1\n1\n", "rlnCoordinateX"),
    ],
)
def test_a_broken_text_file(lab: Any, name: str, content: str, words: str) -> None:
    (lab.root / name).write_text(content)
    text = lab.refused()
    assert words in text
    assert name in text


def test_a_source_that_matches_nothing(lab: Any) -> None:
    lab.config["tomograms"][0]["sources"][0]["source_glob"]["list_glob"] = "tomogramme/{run_name}.rec"
    text = lab.refused()
    assert "tomogramme/{run_name}.rec matches nothing" in text
    assert f"{lab.path}:" in text


def test_a_file_that_is_missing_in_one_run_is_a_note(lab: Any) -> None:
    lab.add("TS_2")
    (lab.root / "picks/TS_2.csv").unlink()
    result = lab.ingest()
    assert any(
        "nothing found for voxel_spacing 10.000 of run TS_2" in f.message and f.severity == "note"
        for f in result.findings
    )


def test_two_sources_for_one_tomogram(lab: Any) -> None:
    (lab.root / "tomograms/TS_1_copy.rec").write_bytes((lab.root / "tomograms/TS_1.rec").read_bytes())
    lab.config["tomograms"][0]["sources"][0]["source_glob"]["list_glob"] = "tomograms/{run_name}*.rec"
    text = lab.refused()
    assert "tomograms/TS_1.rec and tomograms/TS_1_copy.rec are one tomogram" in text


def test_two_sources_for_one_annotation(lab: Any) -> None:
    (lab.root / "picks/TS_1b.csv").write_text("1,2,3\n")
    lab.config["annotations"][0]["sources"][0]["Point"]["glob_string"] = "picks/{run_name}*.csv"
    assert "picks/TS_1.csv and picks/TS_1b.csv both match one shape" in lab.refused()


def test_two_rawtilts_for_one_series(lab: Any) -> None:
    (lab.root / "TS_1/more.rawtlt").write_text("1\n")
    assert "TS_1/TS_1.rawtlt and TS_1/more.rawtlt are both rawtilts" in lab.refused()


def test_an_unknown_dataset(lab: Any) -> None:
    del lab.config["datasets"][0]["metadata"]
    assert "dataset 10900 has no metadata here and is not in the archive" in lab.refused()


def test_a_link_that_leaves_the_source_is_not_followed(lab: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("1,2,3\n")
    (lab.root / "picks/TS_1.csv").unlink()
    (lab.root / "picks/TS_1.csv").symlink_to(secret)
    assert "matches nothing" in lab.refused()


def test_an_error_leaves_the_rest_of_the_archive(lab: Any) -> None:
    lab.ingest()
    os.truncate(lab.root / "tomograms/TS_1.rec", 500)
    assert "500 bytes" in lab.refused()


def test_the_source_is_not_touched(lab: Any) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in lab.root.rglob("*")}

    before = state()
    lab.ingest()
    assert state() == before
