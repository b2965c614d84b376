"""A folder that nobody has described: drafted, a few values given, checked, taken in where it lies, hidden, seen by the curator alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import mrcfile
import numpy as np
import pytest
import yaml
import zarr
from tests.api.serving import TOKEN, World, run_cli, serving
from tests.ingest.labs import PIXEL, are_tomo, finder, imod

from tomotheca.store.files import LocalFiles

GIVEN = {"sample_type": "organism", "total_flux": "120", "dose_rate": "1.5", "method_type": "manual"}
"""What a person gives: numbers and codes that no file says. Texts stay TODO."""


def draft(folder: Path, config: Path, *words: str) -> dict[str, Any]:
    done = run_cli("draft", folder, "-o", config, "--root", config.parent / "root", "--json", *words)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def give(config: Path, found: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Put values where the draft says that they are missing."""
    lines = config.read_text().split("\n")
    for todo in found["todo"]:
        line, name = todo["line"] - 1, todo["path"].rpartition(".")[2]
        if name in given:
            lines[line] = re.sub(r"TODO  .*", given[name], lines[line])
    config.write_text("\n".join(lines))


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize(("make", "runs"), [(imod, ["TS_01", "tilt_1"]), (are_tomo, ["Position_1", "Position_2"])])
def test_on_screen_in_place_and_hidden(make: Any, runs: list[str], tmp_path: Path, real_files: Path) -> None:
    source = make(tmp_path / "lab", finder(real_files))
    before = snapshot(source)
    config, root = tmp_path / "c.yaml", tmp_path / "root"
    found = draft(source, config)
    assert found["runs"] == runs

    refused = run_cli("check", config, "--source", source)
    assert refused.returncode == 1
    needed = [t for t in found["todo"] if t["path"].rpartition(".")[2] in GIVEN]
    errors = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
    assert {line.split(" ")[1] for line in errors} >= {f"{config}:{todo['line']}" for todo in needed}
    for todo in needed:
        assert f"error: {config}:{todo['line']} ({todo['path']}): " in refused.stderr
    assert "is still TODO: give" in refused.stderr

    give(config, found, GIVEN)
    checked = run_cli("check", config, "--source", source)
    assert checked.returncode == 0, checked.stderr
    assert f"{config}:9 (depositions[0].metadata.deposition_title): deposition_title is still TODO" in checked.stderr
    done = run_cli("ingest", config, "--source", source, "--in-place", "--root", root, "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stderr.splitlines()]
    steps = [event for event in events if event["event"] == "step"]
    assert (events[0]["event"], events[-1]["event"]) == ("start", "finish")
    assert len(steps) == events[0]["steps"] == events[-1]["done"]
    assert events[-1]["bytes"] == events[0]["total"] == sum(step["bytes"] for step in steps)
    assert events[-1]["slowest_seconds"] == pytest.approx(max(step["seconds"] for step in steps), abs=0.01)
    again = json.loads(run_cli("ingest", config, "--source", source, "--in-place", "--root", root, "--json").stdout)
    assert (again["written"], again["bytes"]) == (0, 0)
    assert snapshot(source) == before
    seen(root, runs, source)

    no = run_cli("publish", "10001", "--root", root)
    assert no.returncode == 1
    assert "10001/dataset_metadata.json (dataset_title): is still TODO" in no.stderr


def seen(root: Path, runs: list[str], source: Path) -> None:
    """See that the curator sees every run and volume, and nobody else anything."""
    keys = sorted(
        p.relative_to(root / "archive").as_posix() for p in (root / "archive").rglob("tomogram_metadata.json")
    )
    opened = [key for key in keys if json.loads((root / "archive" / key).read_text())["is_visualization_default"]]
    assert len(opened) == len(runs)
    with (
        serving(World(root, LocalFiles(root / "archive"))) as server,
        httpx.Client(base_url=server.url) as anybody,
        httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {TOKEN}"}) as curator,
    ):
        assert anybody.get("/datasets/10001").status_code == 404
        assert anybody.get(f"/files/{opened[0]}").status_code == 404
        page = curator.get("/datasets/10001")
        assert page.status_code == 200
        assert all(run in page.text for run in runs)
        for key in opened:
            said = json.loads((root / "archive" / key).read_text())
            place = next(p for p in source.rglob("*") if p.is_file() and p.stat().st_size and said_by(said, p, source))
            true = mrcfile.read(place)
            chunk = curator.get(f"/files/{said['omezarr_dir']}/0/.zarray")
            assert chunk.status_code == 200, said["omezarr_dir"]
            data = np.frombuffer(curator.get(f"/files/{said['mrc_file']}").content[-true.nbytes :], true.dtype)
            np.testing.assert_array_equal(data.reshape(true.shape), true)
            levels = zarr.open_group(root / "archive" / said["omezarr_dir"], mode="r")
            assert set(levels.array_keys()) >= {"1", "2"}


def said_by(document: Mapping[str, Any], path: Path, source: Path) -> bool:
    """Whether a document was made from a file."""
    return any(s["path"] == path.relative_to(source).as_posix() for s in document["provenance"]["sources"])


def test_what_a_draft_says(tmp_path: Path, real_files: Path) -> None:
    source = imod(tmp_path / "lab", finder(real_files))
    config = tmp_path / "c.yaml"
    found = draft(source, config)
    said = {g["path"]: g for g in found["guesses"]}
    prefix = "tiltseries[0].metadata."
    assert said[f"{prefix}microscope.model"]["value"] == "Krios"
    assert said[f"{prefix}camera.model"]["value"] == "K2 SUMMIT"
    assert said[f"{prefix}tilting_scheme"]["value"] == "dose-symmetric"
    assert (
        said[f"{prefix}acceleration_voltage"]["reason"]
        == "TS_01.mrc.mdoc names a Krios; tilt_1 says nothing of its own"
    )
    assert {g["confidence"] for g in found["guesses"]} == {"sure", "likely", "unsure"}
    table = [line.split("\t") for line in Path(found["map"]).read_text().splitlines()]
    rows = {row[0]: dict(zip(table[0][1:], row[1:], strict=True)) for row in table[1:]}
    assert rows["TS_01"] == {
        "pixel_spacing": "5.4",
        "tilt_axis": "85.3",
        "tilt_range_min": "-60.0",
        "tilt_range_max": "60.0",
        "tilt_step": "3.0",
    }
    assert rows["tilt_1"]["pixel_spacing"] == str(PIXEL)
    left = {f["path"]: f["reason"] for f in found["left"]}
    assert left == {
        "TS_01/TS_01.log": "a working file of IMOD or AreTomo",
        "tilt_1/notes.txt": "no file of a known kind",
        "tilt_1/tilt_1_ali.mrc": "the aligned series, an intermediate: the tilt series and its alignment are taken",
    }
    content = yaml.safe_load(config.read_text())
    spacings = {t["metadata"]["voxel_spacing"] for t in content["tomograms"]}
    assert spacings == {21.6, round(4 * PIXEL, 3)}
    assert {t["metadata"]["processing"] for t in content["tomograms"]} == {"raw", "denoised"}
    assert content["alignments"][0]["metadata"]["format"] == "IMOD"
    (annotation,) = content["annotations"]
    assert annotation["metadata"]["annotation_object"]["name"] == "ribosome"
    assert annotation["sources"][0]["Point"] == {
        "file_format": "csv", "binning": 1, "is_visualization_default": True, "glob_string": "{run_name}/{run_name}_ribosome.csv",
    }  # fmt: skip
    assert content["datasets"][0]["metadata"]["visibility"] == {"state": "private"}
    planned = json.loads(plan_of(config, found, source))
    covered = {path for paths in planned["matched"].values() for path in paths}
    every = {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()}
    assert every - covered == set(left) == set(planned["unmatched"])


def plan_of(config: Path, found: Mapping[str, Any], source: Path) -> str:
    give(config, found, GIVEN)
    return run_cli("ingest", config, "--source", source, "--plan", "--json", "--root", config.parent / "root").stdout


def test_aretomo_is_read_from_its_own_files(tmp_path: Path, real_files: Path) -> None:
    found = draft(are_tomo(tmp_path / "lab", finder(real_files)), config := tmp_path / "c.yaml")
    content = yaml.safe_load(config.read_text())
    assert {a["metadata"]["alignment_type"] for a in content["alignments"]} == {"GLOBAL", "LOCAL"}
    processed = [t["metadata"]["processing"] for t in content["tomograms"]]
    assert sorted(processed) == ["filtered_even", "filtered_odd", "raw"]
    assert content["runs"] == [{"sources": [{"source_glob": {"list_glob": "*.mdoc", "name_regex": r"^(.+)\.mdoc$"}}]}]
    assert content["frames"][0]["metadata"]["dose_rate"] == pytest.approx(2.5 / 0.8, abs=1e-3)
    left = {f["path"] for f in found["left"]}
    assert left == {
        *(f"Position_{i}_{rest}" for i in (1, 2) for rest in ("CTF.mrc",)),
        *(f"Position_{i}_Imod/Position_{i}_st.tlt" for i in (1, 2)),
        "TiltSeries_Metrics.csv",
    }


def test_it_writes_nowhere_else_and_over_nothing(tmp_path: Path, real_files: Path) -> None:
    source = are_tomo(tmp_path / "lab", finder(real_files))
    before = snapshot(tmp_path)
    inside = run_cli("draft", source, "-o", source / "c.yaml", "--root", tmp_path / "root")
    assert inside.returncode != 0
    assert "lies in the folder that is described" in inside.stderr
    there = tmp_path / "there.yaml"
    there.write_text("mine")
    refused = run_cli("draft", source, "-o", there, "--root", tmp_path / "root")
    assert refused.returncode != 0
    assert "is there already" in refused.stderr
    assert there.read_text() == "mine"
    there.unlink()
    assert snapshot(tmp_path) == before
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = run_cli("draft", empty, "-o", there, "--root", tmp_path / "root")
    assert nothing.returncode == 3
    assert "has nothing that could be a run" in nothing.stderr
    assert not there.exists()


def test_what_is_public_has_no_todo(tmp_path: Path, real_files: Path) -> None:
    source = are_tomo(tmp_path / "lab", finder(real_files))
    config = tmp_path / "c.yaml"
    give(config, draft(source, config), GIVEN)
    config.write_text(config.read_text().replace("state: private", "state: public "))
    done = run_cli("ingest", config, "--source", source, "--root", tmp_path / "root")
    assert done.returncode == 1
    assert (
        "dataset_title is still TODO: give it or write visibility: private into datasets and depositions."
        in done.stderr
    )
    assert not list((tmp_path / "root/archive").glob("1*"))
