"""Finders, names, filters and variables."""

import glob
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import run_cli

from tomotheca.ingest.listing import Listing
from tomotheca.ingest.plan import plan
from tomotheca.ingest.sections import Exposure, frames, join
from tomotheca.ingest.template import UnknownVariableError, expand, fill, named

PATTERNS = (
    "*",
    "*.txt",
    "a/*",
    "a/b?.txt",
    "**/*.txt",
    "a/**",
    "a/**/c.txt",
    "[ab]/*",
    "*/*/*.txt",
    "a/b1.txt",
    "none/*",
    ".h*",
    "a/./b1.txt",
    "**/c.txt",
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("x.txt", "a/b1.txt", "a/b2.txt", "a/d/c.txt", "b/c.txt", ".hidden", "a/.h.txt", "b/e.dat"):
        path = tmp_path / "s" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path / "s"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_find_what_pythons_glob_finds(source: Path, pattern: str) -> None:
    found = glob.glob(pattern, root_dir=source, recursive=True)  # noqa: PTH207  # the oracle
    expected = {os.path.normpath(p) for p in found} - {"."}
    if pattern == "a/**":
        expected.discard("a")
    assert set(Listing(source).glob(pattern)) == expected


def test_nothing_outside_is_reached(source: Path) -> None:
    (source / "up").symlink_to(source.parent)
    listing = Listing(source)
    assert "up" not in listing.glob("*")
    assert listing.escaped == {"up"}
    with pytest.raises(ValueError, match="steps out"):
        listing.glob("../*")


def test_links_inside_the_source_are_followed(source: Path) -> None:
    (source / "same").symlink_to(source / "a")
    assert Listing(source).glob("same/b1.txt") == ["same/b1.txt"]


def test_fill_takes_names_as_they_are() -> None:
    values = {"run_name": "TS_1", "int_run_name": 7, "tomo-voxel_spacing": "5"}
    assert fill("{run_name}/{int_run_name:03d}_{tomo-voxel_spacing}{{x}}", values) == "TS_1/007_5{x}"
    assert named("{a}/{b:02d}{{c}}") == {"a", "b"}
    with pytest.raises(UnknownVariableError):
        fill("{run_name.__class__}", values)


def test_expand_makes_numbers_of_what_says_so() -> None:
    given = {"a": "float {x}", "b": ["int {y}", "no"], "c": {"d": "{x}!"}, "e": 5}
    assert expand(given, {"x": "1.5", "y": "3"}) == {"a": 1.5, "b": [3, "no"], "c": {"d": "1.5!"}, "e": 5}


def names(lab: Any) -> list[str]:
    return [s.natural for s in plan(lab.options(), lab.files).steps if s.kind == "run"]


def test_equal_names_are_one_run_and_the_plan_says_so(lab: Any) -> None:
    (lab.root / "TS_1.more").mkdir()
    lab.config["runs"][0]["sources"][0]["source_glob"]["name_regex"] = r"([^.]*)"
    planned = plan(lab.options(), lab.files)
    assert [s.natural for s in planned.steps if s.kind == "run"] == ["dataset 10900, run TS_1"]
    assert planned.collapsed == ("run TS_1: TS_1 and TS_1.more are one",)


def test_exclude_and_parent_filters(lab: Any) -> None:
    lab.add("TS_2", "TS_3")
    lab.config["runs"][0]["sources"][0]["exclude"] = ["TS_2"]
    assert names(lab) == ["dataset 10900, run TS_1", "dataset 10900, run TS_3"]
    lab.config["annotations"][0]["sources"][0]["parent_filters"] = {"include": {"run": ["^TS_3$"]}}
    lab.config["annotations"][2]["sources"][0]["parent_filters"] = {"exclude": {"run": ["3"]}}
    keys = [s.key for s in plan(lab.options(), lab.files).steps if s.kind == "annotation"]
    assert [("TS_3" in k, "ribosome" in k) for k in keys if "ribosome" in k] == [(True, True)]
    assert all("TS_1" in k for k in keys if "membrane" in k)


def test_a_plan_lists_what_each_source_found_and_what_is_left_over(lab: Any) -> None:
    lab.add("TS_2")
    lab.config["runs"][0]["sources"][0]["exclude"] = ["TS_2"]
    (lab.root / "notes.txt").write_text("x")
    lab.save()
    command = ["ingest", lab.path, "--source", lab.folder / "source", "--plan", "--root", lab.folder / "r"]
    done = run_cli(*command, check=True)
    lines = done.stdout.splitlines()
    series = next(i for i, text in enumerate(lab.path.read_text().splitlines(), 1) if "{run_name}/*.st" in text) - 1
    assert f"{lab.path}:{series}: 1 found, TS_1/TS_1.st" in lines
    assert "left out: run TS_2: exclude leaves it out" in lines
    assert "not named: notes.txt" in lines
    assert "not named: TS_2/TS_2.st" in lines
    assert not any("not named: TS_1/" in line for line in lines)
    told = json.loads(run_cli(*command, "--json", check=True).stdout)
    assert told["skipped"] == ["run TS_2: exclude leaves it out"]
    assert told["matched"][f"{lab.path}:{series}"] == ["TS_1/TS_1.st"]
    assert not (lab.folder / "r").exists()


def test_match_regex_sees_the_path_from_the_prefix_on(lab: Any) -> None:
    finder = lab.config["runs"][0]["sources"][0]["source_glob"]
    finder["list_glob"] = "*"
    finder["match_regex"] = r"^/lab/TS_\d+$"
    assert names(lab) == ["dataset 10900, run TS_1"]


def test_columns_and_mapped_names_are_variables(lab: Any) -> None:
    (lab.root / "map.tsv").write_text("run_name\tstem\nTS_1\tTS_1\n")
    (lab.root / "tomo.csv").write_text("TS_1,TS_1.rec\n")
    lab.config["standardization_config"] |= {"run_data_map_file": "map.tsv", "run_to_tomo_map_csv": "tomo.csv"}
    lab.config["tomograms"][0]["sources"][0]["source_glob"]["list_glob"] = "tomograms/{mapped_tomo_name}"
    lab.config["rawtilts"][0]["sources"][0]["source_glob"]["list_glob"] = "{run_name}/{stem}.rawtlt"
    assert not plan(lab.options(), lab.files).errors


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "map.tsv",
            "run_name\ta\nTS_1\tx\ty\n",
            "map.tsv:2: the row of run TS_1 has other cells than there are columns (2)",
        ),
        ("map.tsv", "run_name\ta\nTS_1\n", "map.tsv:2: the row of run TS_1 has other cells than there are columns (2)"),
        ("map.csv", "run_name,a\nTS_1,x\nTS_1,y\n", "map.csv:3: run TS_1 stands twice"),
        ("pairs.csv", "TS_1,a\nTS_1,b\n", "pairs.csv:2: run TS_1 stands twice"),
        ("pairs.csv", "TS_1,a,b\n", "pairs.csv:1: a row of this map file has two columns"),
    ],
)
def test_map_files_name_the_line_that_is_wrong(lab: Any, name: str, text: str, words: str) -> None:
    (lab.root / name).write_text(text)
    key = "run_to_frame_map_csv" if name == "pairs.csv" else "run_data_map_file"
    lab.config["standardization_config"][key] = name
    assert words in lab.refused()


@pytest.mark.parametrize("table", [False, True])
def test_an_unknown_variable_lists_the_known_ones(lab: Any, table: bool) -> None:
    if table:  # only the file knows which columns there are
        (lab.root / "map.csv").write_text("run_name,column\nTS_1,x\n")
        lab.config["standardization_config"]["run_data_map_file"] = "map.csv"
    lab.config["rawtilts"][0]["sources"][0]["source_glob"]["list_glob"] = "{run}/x"
    said = lab.refused()
    assert "the variable {run} is unknown here; known are" in said
    assert ("column" in said) == table


def test_a_voxel_spacing_comes_from_a_header(lab: Any) -> None:
    lab.config["voxel_spacings"] = [{"sources": [{"tomogram_header": {"list_glob": "tomograms/{run_name}.rec"}}]}]
    keys = [s.key for s in plan(lab.options(), lab.files).steps if s.kind == "tomogram"]
    assert keys == ["10900/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/100/tomogram_metadata.json"]


@pytest.mark.parametrize("name", ["Images", ".hidden", "a\x07b"])
def test_names_that_no_run_may_have(lab: Any, name: str) -> None:
    lab.config["runs"] = [{"sources": [{"literal": {"value": [name]}}]}]
    assert any("cannot be the name of a run" in f.message for f in plan(lab.options(), lab.files).errors)


def test_sections_without_a_partner_get_an_order_of_their_own() -> None:
    exposures = [Exposure(0, 0.0), Exposure(1, 3.004), Exposure(2, 6.0)]
    joined = join([6.0, 3.0, 9.0, 0.0], exposures, first=10)
    assert [s.order for s in joined.sections] == [12, 11, 13, 10]
    assert joined.unknown == (9.0,)
    assert [s.order for s in join([1.0, 2.0], []).sections] == [0, 1]


def test_equal_angles_take_different_exposures() -> None:
    joined = join([0.0, 0.0], [Exposure(0, 0.0), Exposure(1, 0.0)])
    assert [s.order for s in joined.sections] == [0, 1]


def test_dose_is_recorded_else_time_times_rate() -> None:
    exposures = [Exposure(0, 0.0, dose=2.0, time=1.0), Exposure(1, 3.0, dose=0.0, time=0.5), Exposure(2, 6.0)]
    records = frames(exposures, (), rate=4.0)
    assert [(r.dose, r.accumulated) for r in records] == [(2.0, 0.0), (2.0, 2.0), (None, 4.0)]
