"""What a draft makes of names, of angles, of folders without any order, and of files that are none."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.labs import finder, warp_tools

from tomotheca.formats import mrc
from tomotheca.ingest.check import check, load
from tomotheca.ingest.draft import Draft, Numbers, draft
from tomotheca.ingest.draft.names import say
from tomotheca.ingest.draft.patterns import sources
from tomotheca.ingest.draft.series import scheme
from tomotheca.ingest.finders import Places, find
from tomotheca.ingest.listing import Listing

NUMBERS = Numbers(10001, 10300)
DAY = date(2026, 1, 2)


def made(folder: Path) -> tuple[Draft, dict[str, Any]]:
    drafted = draft(folder, NUMBERS, map_name="c.runs.tsv", today=DAY)
    (folder.parent / "c.yaml").write_text(drafted.text)
    if drafted.map_text:
        (folder.parent / "c.runs.tsv").write_text(drafted.map_text)
    content: dict[str, Any] = yaml.safe_load(drafted.text)
    return drafted, content


def volume(path: Path, spacing: float = 10.0, shape: tuple[int, ...] = (6, 8, 10), *, stack: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mrc.write(path, np.ones(shape, np.float32), voxel_size=spacing, stack=stack)


@pytest.mark.parametrize(
    ("path", "role", "stem", "tags"),
    [
        ("TS_01.mrc.mdoc", "mdoc", "TS_01", set()),
        ("TS_01/TS_01.st", "volume", "TS_01", {"stack"}),
        ("TS_01_EVN_Vol.mrc", "volume", "TS_01", {"even", "tomogram"}),
        ("rec_TS_1.mrc", "volume", "TS_1", {"tomogram"}),
        ("TS_01_full_rec.mrc", "volume", "TS_01", {"tomogram"}),
        ("TS_01_rec_bin4_denoised.mrc", "volume", "TS_01", {"tomogram", "binned", "denoised"}),
        ("TS_01_10.00Apx.mrc", "volume", "TS_01", {"binned"}),
        ("TS_1_ali.mrc", "volume", "TS_1", {"aligned"}),
        ("TS_1_3dctf.rec", "volume", "TS_1", {"tomogram", "ctf"}),
        ("TS_1_membrane.mrc", "volume", "TS_1", {"mask"}),
        ("TS_1_Imod/TS_1_st.xf", "export", "", set()),
        ("TS_1_st.xf", "xf", "TS_1", set()),
        ("TS_1_fid.xf", "helper", "", set()),
        ("tilt.com", "com", "", set()),
        ("TS_1_CTF.txt", "ctf", "TS_1", set()),
        ("TS_1.defocus", "ctf_imod", "TS_1", set()),
        ("SuperRef_K3.dm4", "gain", "", set()),
        ("again_rec.mrc", "volume", "again", {"tomogram"}),
        ("tomostar/TS_1.tomostar", "tomostar", "TS_1", set()),
        ("warp_tiltseries/TS_1.xml", "warp", "TS_1", set()),
        ("warp_tiltseries/reconstruction/odd/TS_1_10.00Apx.mrc", "volume", "TS_1", {"binned", "odd"}),
        ("warp_frameseries/average/TS_1_001.mrc", "helper", "", set()),
        ("warp_tiltseries.settings", "helper", "", set()),
        ("a.edf", "helper", "", set()),
        ("readme", "other", "", set()),
    ],
)
def test_names(path: str, role: str, stem: str, tags: set[str]) -> None:
    said = say(path)
    assert (said.role, said.stem, {*said.tags}) == (role, stem, tags)


@pytest.mark.parametrize(
    ("angles", "words"),
    [
        ([-60, -57, -54, -51], "unidirectional from -60 to -51 degrees"),
        ([0, 3, -3, -6, 6, 9, -9], "dose-symmetric"),
        ([10, 13, 7, 4, 16, 19, 1], "dose-symmetric"),
        ([0, 3, 6, 9, 12, 15, -3, -6, -9, -12, -15], "bidirectional from 0 degrees"),
        ([3, -50, 20, 7, -12, 60], ""),
        ([1, 2], ""),
    ],
)
def test_schemes(angles: list[float], words: str) -> None:
    assert scheme(angles) == words


NAMES = st.text("ab1_-.[*{é", min_size=1, max_size=4).filter(lambda n: n.strip(".") != "" and not n.startswith("."))


@given(data=st.data())
def test_patterns_find_the_files_of_each_run_and_no_others(data: st.DataObject, tmp_path_factory: Any) -> None:
    root: Path = tmp_path_factory.mktemp("lab")
    runs = data.draw(st.lists(st.from_regex(r"\A[ab1][ab1_-]{0,2}\Z"), min_size=1, max_size=3, unique=True))
    paths: dict[str, list[str]] = {}
    for i, run in enumerate(runs):
        names = data.draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
        folder = data.draw(st.sampled_from(["", f"{run}/", f"f{i}_{run}/", "x/"]))
        paths[run] = [f"{folder}{i}_{name}_{run}.tif" for name in names]
        for path in paths[run]:
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text("")
    listing = Listing(root)
    content = {"sources": sources(listing, paths)}
    config = root / "c.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "version": "1.3.0",
                "standardization_config": {"deposition_id": 1, "source_prefix": "."},
                "runs": [content],
            }
        )
    )
    (entry,) = load(config).of("runs")
    for run, wanted in paths.items():
        found = []
        for source in entry.sources:
            include = source.filters.include.run
            if not include or any(re.search(p, run) for p in include):
                found += [hit.path for hit in find(source, {"run_name": run}, Places(listing, None))]
        assert sorted(found) == sorted(wanted)


def test_a_plain_folder_of_tomograms(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    for name in ("tomo_12", "tomo_13"):
        volume(lab / f"{name}.rec")
        volume(lab / f"{name}_isonet.mrc")
    volume(lab / "tomo_12_seg.mrc")
    (lab / "tomo_13_ribosome.tsv").write_text("1\t2\t3\n4\t5\t6\n")
    drafted, content = made(lab)
    assert list(drafted.survey.runs) == ["tomo_12", "tomo_13"]
    assert drafted.survey.layout == ("plain MRC",)
    assert content["runs"] == [{"sources": [{"source_glob": {"list_glob": "*.rec", "name_regex": r"^(.+)\.rec$"}}]}]
    assert {t["metadata"]["processing"]: t["metadata"]["is_visualization_default"] for t in content["tomograms"]} == {
        "filtered": True,
        "raw": False,
    }
    shapes = [next(iter(a["sources"][0])) for a in content["annotations"]]
    assert sorted(shapes) == ["Point", "SemanticSegmentationMask"]
    assert "tiltseries" not in content
    said = [f for f in check(tmp_path / "c.yaml", lab) if f.severity == "error"]
    assert {f.message.split(" is still TODO")[0] for f in said} == {"sample_type", "method_type"}


def test_picks_of_the_unbinned_series_and_of_all_runs(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    for name in ("TS_1", "TS_2"):
        volume(lab / f"{name}.st", 2.5, (5, 32, 40), stack=True)
        (lab / f"{name}.rawtlt").write_text("-6\n-3\n0\n3\n6\n")
        volume(lab / f"{name}.rec", 10.0)
    columns = "".join(
        f"_rln{c} #{i}\n"
        for i, c in enumerate(("TomoName", "CoordinateX", "CoordinateY", "CoordinateZ", "AngleRot"), 1)
    )
    (lab / "particles.star").write_text(
        f"data_particles\n\nloop_\n{columns}TS_1.tomostar 39 20 20 10\nTS_2.tomostar 1 2 3 10\n"
    )
    drafted, content = made(lab)
    shapes = [s["OrientedPoint"] for a in content["annotations"] for s in a["sources"] if "OrientedPoint" in s]
    assert {s["filter_value"] for s in shapes} == {"{run_name}.tomostar"}
    assert {s["binning"] for s in shapes} == {4.0, 1}
    assert {s["glob_string"] for s in shapes} == {"particles.star"}
    assert not drafted.left
    assert content["tiltseries"][0]["metadata"]["tilt_step"] == 3


def test_files_that_are_none_are_named_and_nothing_breaks(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    volume(lab / "TS_1" / "TS_1_rec.mrc")
    endings = (
        "mdoc",
        "rawtlt",
        "tlt",
        "xf",
        "xtilt",
        "aln",
        "defocus",
        "star",
        "tbl",
        "csv",
        "mod",
        "st",
        "rec",
        "map",
        "ali",
    )
    for ending in endings:
        (lab / "TS_1" / f"TS_1.{ending}").write_bytes(b"\x00\xffnothing\n" * 3)
    (lab / "TS_1" / "TS_1_CTF.txt").write_bytes(b"\xff")
    (lab / "TS_1" / "tilt.com").write_bytes(b"\xff\xfe")
    (lab / "TS_1" / "od\nd*[name].rec").write_bytes(b"")
    drafted, content = made(lab)
    assert [t["sources"][0]["source_glob"]["list_glob"] for t in content["tomograms"]] == [
        "{run_name}/{run_name}_rec.mrc"
    ]
    assert len(drafted.left) == len(endings) + 3
    assert all(reason for _, reason in drafted.left)
    assert not {"tiltseries", "alignments", "annotations", "ctfs", "rawtilts", "collection_metadata"} & {*content}


def test_a_folder_of_many_runs_takes_seconds(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    for number in range(300):
        volume(lab / f"TS_{number}" / f"TS_{number}_rec.mrc", shape=(2, 2, 2))
        (lab / f"TS_{number}" / f"TS_{number}.rawtlt").write_text("-3\n0\n3\n")
    drafted, content = made(lab)
    assert len(drafted.survey.runs) == 300
    assert len(content["tomograms"]) == len(content["tomograms"][0]["sources"]) == 1
    assert len(drafted.text.splitlines()) < 150


def test_a_project_of_warptools(tmp_path: Path, real_files: Path) -> None:
    lab = warp_tools(tmp_path / "lab", finder(real_files))
    drafted, content = made(lab)
    assert drafted.survey.layout == ("WarpTools",)
    assert list(drafted.survey.runs) == ["TS_01"]
    assert {
        name: content[name][0].get("metadata", {}).get("format") for name in ("alignments", "ctfs", "rawtilts")
    } == {
        "alignments": "WARP",
        "ctfs": "WARP",
        "rawtilts": None,
    }
    assert content["tiltseries"][0]["metadata"]["tilt_axis"] == -4.3
    assert content["tiltseries"][0]["metadata"]["tilting_scheme"] == "dose-symmetric"
    assert content["tiltseries"][0]["metadata"]["tilt_range"] == {"min": -60.0, "max": 60.0}
    assert [(t["metadata"]["processing"], t["metadata"]["reconstruction_software"]) for t in content["tomograms"]] == [
        ("filtered", "WarpTools"),
        ("raw", "WarpTools"),
    ]
    left = dict(drafted.left)
    average = "warp_frameseries/average/TS_01_041_-60.0.mrc"
    movie = "warp_frameseries/TS_01_041_-60.0.xml"
    assert left[average] == "what Warp made of a movie"
    assert "is a file of 'Movie'" in left[movie]
    assert "stand in tomostar/TS_01.tomostar" in left["warp_tiltseries/tiltstack/TS_01/TS_01.rawtlt"]
    assert left.keys() == {
        average,
        movie,
        "warp_tiltseries/tiltstack/TS_01/TS_01.rawtlt",
        "warp_tiltseries/tiltstack/TS_01/TS_01.tlt",
        "warp_tiltseries.settings",
    }
    errors = [f.message for f in check(tmp_path / "c.yaml", lab) if f.severity == "error"]
    assert errors
    assert all("TODO" in message for message in errors)
