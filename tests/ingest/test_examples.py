"""Six configurations of the public portal, as curators wrote them: read, checked and planned, and refused when they are spoiled."""

import copy
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ingest import worlds

from tomotheca.ingest.check import check
from tomotheca.ingest.plan import IngestOptions, plan
from tomotheca.store.files import LocalFiles

FOLDER = Path(__file__).parent.parent / "data/configurations"
RUNS = {
    "10001": ("TS_0001", "TS_0005"),
    "10014": ("pda2021-02-12-1", "pda2021-06-24-12"),
    "10301": ("01082023_BrnoKrios_Arctis_1", "01122021_BrnoKrios_arctis_lam1_pos4"),
    "10453": ("tomogram_001", "tomogram_003"),
    "10478": ("20250301_1", "20250301_2"),
    "deposition_10319": ("TS_100_1", "TS_100_2"),
}
EXPECTED = {
    "10001": {"tomogram": 2, "tiltseries": 2, "annotation": 30, "alignment": 2, "run": 2, "dataset": 1},
    "10014": {"tomogram": 2, "tiltseries": 2, "alignment": 2, "run": 2, "dataset": 1, "deposition": 1},
    "10301": {"tomogram": 2, "tiltseries": 2, "annotation": 12, "alignment": 2, "run": 2, "dataset": 1, "deposition": 1},
    "10453": {"tomogram": 2, "tiltseries": 2, "annotation": 8, "alignment": 2, "run": 2, "dataset": 1, "deposition": 1},
    "10478": {"tomogram": 2, "tiltseries": 2, "alignment": 2, "run": 2, "dataset": 1, "deposition": 1},
    "deposition_10319": {"annotation": 24, "run": 4, "deposition": 1, "alignment": 4},
}  # fmt: skip
"""Steps of a plan for two runs."""

NAMES = sorted(RUNS)


@pytest.mark.parametrize("name", NAMES)
def test_a_real_configuration_plans_against_what_its_patterns_name(tmp_path: Path, name: str) -> None:
    path = FOLDER / f"{name}.yaml"
    worlds.build(path, tmp_path / "source", RUNS[name])
    planned = plan(IngestOptions(path, tmp_path / "source"), LocalFiles(tmp_path / "archive"), alone=True)
    assert [str(f) for f in planned.errors] == []
    assert Counter(s.kind for s in planned.steps) == EXPECTED[name]
    assert planned.unmatched == ()


# --- spoiled ----------------------------------------------------------------------------------------------------------


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List where every value stands."""
    found = [here] if here else []
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += places(inner, (*here, key))
    return found


def at(config: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        config = config[part]
    return config


def unknown_key(chance: random.Random, config: Any) -> str:
    blocks = [p for p in places(config) if isinstance(at(config, p), dict) and p[-1] not in {"value"}]
    at(config, chance.choice(blocks))["surprise"] = 1
    return "surprise"


CODES = {"sample_type", "method_type", "processing", "format", "file_format", "fiducial_alignment_status", "reconstruction_method", "link_type", "deposition_types", "version", "alignment_type", "order", "columns"}  # fmt: skip


def wrong_code(chance: random.Random, config: Any) -> str:
    coded = [p for p in places(config) if p[-1] in CODES and "annotations" not in p[-2:] and not templated(config, p)]
    coded = [p for p in coded if not (p[-1] == "version" and len(p) > 1)]
    path = chance.choice(coded)
    at(config, path[:-1])[path[-1]] = ["nonsense"] if path[-1] == "deposition_types" else "nonsense"
    return "nonsense"


def templated(config: Any, path: tuple[Any, ...]) -> bool:
    return "{" in str(at(config, path))


def bad_regex(chance: random.Random, config: Any) -> str:
    lists = [p for p in places(config) if p[-1] in {"match_regex", "name_regex"}]
    lists += [p for p in places(config) if len(p) > 2 and p[-1] == 0 and p[-3] in {"include", "exclude"}]
    if not lists:
        lists = [p for p in places(config) if p[-1] == "source_glob"]
        at(config, chance.choice(lists))["match_regex"] = "(["
        return "not a regular expression"
    path = chance.choice(lists)
    at(config, path[:-1])[path[-1]] = chance.choice(["(unclosed", "*", "[a", "(?P<x"])
    return "is not a regular expression"


REQUIRED = {
    "version", "standardization_config", "datasets", "runs", "voxel_spacings", "depositions", "deposition_id", "source_prefix",
    "deposition_identifier", "deposition_title", "deposition_types", "dataset_identifier", "dataset_title", "dataset_description",
    "authors", "sample_type", "assay", "development_stage", "disease", "acceleration_voltage", "camera", "microscope", "is_aligned",
    "tilt_range", "tilt_step", "total_flux", "pixel_spacing", "manufacturer", "reconstruction_method", "processing", "tomogram_version",
    "annotation_ingest_id", "annotation_object", "annotation_method", "link_type", "dose_rate", "is_gain_corrected",
    "file_format", "list_glob", "list_globs", "sources", "deposition_date", "release_date",
}  # fmt: skip


def missing_field(chance: random.Random, config: Any) -> str:
    found = [p for p in places(config) if p[-1] in REQUIRED and "cross_references" not in p]
    path = chance.choice([p for p in found if p[-1] != "version" or len(p) == 1])
    del at(config, path[:-1])[path[-1]]
    return str(path[-1])


SPOILS = {"unknown key": unknown_key, "wrong code": wrong_code, "bad regex": bad_regex, "missing field": missing_field}
TIMES = 13
"""Of each kind and configuration; with two of each of duplicate keys and equal sources 50 and more in all."""


class NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def refused(path: Path, words: str) -> None:
    """See that there is an error of one sentence with its file and line that says these words."""
    errors = [f for f in check(path) if f.severity == "error"]
    assert errors, f"{words}: nothing was found"
    for finding in errors:
        file, _, line = finding.where.rpartition(":")
        assert file == str(path)
        assert 1 <= int(line) <= len(path.read_text().splitlines())
        assert "\n" not in finding.message
    assert any(words in f.message for f in errors), (words, [str(e) for e in errors])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", SPOILS)
def test_a_spoiled_configuration_is_refused_with_file_and_line(tmp_path: Path, name: str, kind: str) -> None:
    whole = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    for seed in range(TIMES):
        config = copy.deepcopy(whole)
        words = SPOILS[kind](random.Random(f"{name} {kind} {seed}"), config)  # no secret
        path = tmp_path / "spoiled.yaml"
        path.write_text(yaml.dump(config, Dumper=NoAliases, sort_keys=False))
        refused(path, words)


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_is_given_twice_is_refused_with_both_lines(tmp_path: Path, name: str) -> None:
    lines = (FOLDER / f"{name}.yaml").read_text().splitlines()
    keys = [
        i
        for i, line in enumerate(lines)
        if line.strip().startswith(("dataset_title:", "pixel_spacing:", "deposition_id:"))
    ]
    for index in keys[:2]:
        path = tmp_path / "spoiled.yaml"
        path.write_text("\n".join([*lines[: index + 1], lines[index], *lines[index + 1 :]]) + "\n")
        refused(path, f"is given twice, first on line {index + 1}")


@pytest.mark.parametrize("name", [n for n in NAMES if n not in {"10014", "10478"}])
def test_equal_ingest_ids_are_refused(tmp_path: Path, name: str) -> None:
    config = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    config["annotations"].append(copy.deepcopy(config["annotations"][0]))
    path = tmp_path / "spoiled.yaml"
    path.write_text(yaml.dump(config, Dumper=NoAliases, sort_keys=False))
    refused(path, config["annotations"][0]["metadata"]["annotation_ingest_id"])


@pytest.mark.parametrize("name", ["10001", "10453"])
def test_two_sources_for_one_file_are_refused_when_they_are_planned(tmp_path: Path, name: str) -> None:
    config = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    config["tomograms"].append(copy.deepcopy(config["tomograms"][0]))
    path = tmp_path / "spoiled.yaml"
    path.write_text(yaml.dump(config, Dumper=NoAliases, sort_keys=False))
    worlds.build(path, tmp_path / "source", RUNS[name][:1])
    errors = [str(f) for f in check(path, tmp_path / "source") if f.severity == "error"]
    assert any("are one tomogram" in e and "spoiled.yaml:" in e for e in errors)
