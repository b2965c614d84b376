"""Configurations: every problem at once, with file, line, path and a sentence."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tomotheca.errors import ConfigurationError, Finding
from tomotheca.ingest.check import check, load
from tomotheca.ingest.language import CARRIED_FORMATS, CONTAINERS, SHAPES
from tomotheca.schema import DOCUMENTS, Dataset
from tomotheca.schema.configuration import configuration, names
from tomotheca.schema.core import Computed, fields


def findings(lab: Any) -> list[Finding]:
    return check(lab.save())


def errors(lab: Any) -> list[str]:
    return [str(f) for f in findings(lab) if f.severity == "error"]


def test_the_labs_configuration_has_no_findings(lab: Any) -> None:
    assert [f for f in findings(lab) if f.severity != "note"] == []


def test_checking_with_the_source_finds_nothing_either_and_needs_no_archive(lab: Any) -> None:
    assert [f for f in check(lab.save(), lab.folder / "source") if f.severity == "error"] == []


@pytest.mark.parametrize("model", DOCUMENTS, ids=lambda m: m.__name__)
def test_metadata_has_every_field_of_the_document_that_is_not_computed(model: Any) -> None:
    assert set(names(configuration(model))) == {n for n, f in fields(model).items() if Computed not in f.markers}


def test_an_unknown_key_is_named_with_line_path_and_what_was_meant(lab: Any) -> None:
    lab.config["datasets"][0]["metadata"]["assay"]["naem"] = "x"
    (found,) = (f for f in findings(lab) if f.severity == "error")
    line = next(i for i, text in enumerate(lab.path.read_text().splitlines(), 1) if "naem" in text)
    assert found.where == f"{lab.path}:{line}"
    assert found.path == "datasets[0].metadata.assay.naem"
    assert found.message == "the key naem is unknown; did you mean name?"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("tomogramms",), [], "the key tomogramms is unknown; did you mean tomograms?"),
        (("version",), "9.0", "version 9.0 is unknown"),
        (("tiltseries", 0, "metadata", "microscope", "manufacturer"), "tfs", "none of FEI, TFS"),
        (("tiltseries", 0, "metadata", "acceleration_voltage"), 300, "should be greater than or equal to 20000"),
        (("tiltseries", 0, "metadata", "pixel_spacing"), "five", "pixel_spacing is 'five'"),
        (("tiltseries", 0, "metadata", "tilt_range"), {"min": 60, "max": -60}, "min 60 is larger than max -60"),
        (("tomograms", 0, "metadata", "offset"), None, "offset is None"),
        (("tomograms", 0, "metadata", "processing"), "row", "did you mean raw?"),
        (("datasets", 0, "metadata", "dates", "release_date"), "soon", "release_date is 'soon'"),
        (("datasets", 0, "metadata", "authors", 0, "name"), [], "name is []"),
        (("runs", 0, "sources", 0, "source_glob", "match_regex"), "(", "is not a regular expression"),
        (("runs", 0, "sources", 0, "source_glob", "name_regex"), ".*", "has no group"),
        (("runs", 0, "sources", 0, "source_glob", "name_regex"), "(TS_(a+)+$)", "repeats what is repeated already"),
        (("runs", 0, "sources", 0, "source_glob", "match_regex"), "(" * 5000 + ")" * 5000, "is not a regular expression"),
        (("runs", 0, "sources", 0, "exclude"), [r"(\w|\d0?)*_"], "alternatives that begin alike"),
        (("tomograms", 0, "sources", 0, "parent_filters"), {"include": {"run": ["(a*)*"]}}, "would take for ever"),
        (("runs", 0, "sources", 0, "literal"), {"value": ["x"]}, "has source_glob and literal"),
        (("runs", 0, "sources", 0, "source_globe"), {}, "did you mean source_glob?"),
        (("runs", 0, "sources"), [], "at least one source"),
        (("annotations", 0, "sources", 0, "Point", "columns"), "yxz", "columns is 'yxz'"),
        (("annotations", 0, "sources", 0, "Point", "glob_strings"), ["x"], "and not both"),
        (("annotations", 1, "metadata", "annotation_ingest_id"), "ribosome-1", "ribosome-1 is used twice"),
        (("standardization_config", "deposition_id"), "x", "deposition_id is 'x'"),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_with_its_place(lab: Any, path: tuple[Any, ...], value: Any, words: str) -> None:
    place = lab.config
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    found = errors(lab)
    assert any(words in text for text in found), found
    assert all(text.startswith(f"error: {lab.path}:") for text in found)


def test_all_problems_come_at_once(lab: Any) -> None:
    del lab.config["tiltseries"][0]["metadata"]["tilt_axis"]
    del lab.config["tomograms"][0]["metadata"]
    del lab.config["voxel_spacings"]
    lab.config["annotations"][0]["metadata"]["method_type"] = "magic"
    text = "\n".join(errors(lab))
    for words in (
        "tilt_axis is missing",
        "an item of tomograms needs metadata",
        "voxel_spacings is missing",
        "method_type is 'magic'",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("annotations", 0, "metadata", "annotation_ingest_id"), "Ribosome", "small letters and digits"),
        (("datasets", 0, "metadata", "cross_references"), {"publications": "a book"}, "neither a DOI"),
        (("datasets", 0, "metadata", "sample_type"), "tissue", "should have tissue with name and id"),
        (("datasets", 0, "metadata", "authors", 0, "ORCID"), "12", "does not look like an ORCID"),
        (("datasets", 0, "metadata", "authors", 0, "primary_author_status"), False, "no author is marked as primary"),
        (("datasets", 0, "metadata", "dataset_title"), "x" * 200, "has 200 characters"),
        (
            ("datasets", 0, "metadata", "development_stage"),
            {"name": "unknown", "id": "HsapDv:1"},
            "unknown should stand for both",
        ),
        (("tiltseries", 0, "metadata", "camera", "model"), "K9", "K9 is not among the known cameras"),
        (("collection_metadata",), None, "without collection_metadata"),
    ],
)
def test_what_real_files_break_is_a_warning(lab: Any, path: tuple[Any, ...], value: Any, words: str) -> None:
    place = lab.config
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    found = findings(lab)
    assert not [f for f in found if f.severity == "error"]
    assert any(words in f.message and f.severity == "warning" for f in found)


def test_what_this_release_does_not_do_is_said_and_nothing_pretends(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every shape and format that is not in the table of what is read is refused, not left out."""
    monkeypatch.setitem(CARRIED_FORMATS, "Point", frozenset({"tsv"}))
    monkeypatch.delitem(CARRIED_FORMATS, "OrientedPoint")
    found = errors(lab)
    assert len(found) == 2
    assert all("this release does not" in text for text in found)


@pytest.mark.parametrize(
    ("container", "name"), [("frames", "dose_rate"), ("tomograms", "dates"), ("alignments", "format")]
)
def test_what_documents_may_lack_and_configurations_must_say(lab: Any, container: str, name: str) -> None:
    del lab.config[container][0]["metadata"][name]
    (found,) = [f for f in findings(lab) if f.severity == "error"]
    assert found.path == f"{container}[0].metadata.{name}"
    assert f"{name} is missing: it is required." in found.message


@pytest.mark.parametrize(
    ("pattern", "severity", "words"),
    [
        ("{run_name", "error", "a brace without its partner"),
        ("{run_name}}/x", "error", "a brace without its partner"),
        ("../{run_name}", "error", "steps out of the source"),
        ("/", "error", "the pattern is empty"),
        ("{tomogram_name}/*", "error", "the variable {tomogram_name} is unknown here; known are dataset_id"),
        ("{mapped_tomo_name}", "error", "the variable {mapped_tomo_name} is unknown here"),
        ("[ab/*", "warning", "has a [ without a ]"),
    ],
)
def test_patterns_are_tried_without_a_source(lab: Any, pattern: str, severity: str, words: str) -> None:
    lab.config["rawtilts"][0]["sources"] = [{"source_multi_glob": {"list_globs": ["a/*", pattern]}}]
    (found,) = [f for f in findings(lab) if f.severity != "note"]
    assert found.severity == severity
    assert words in found.message
    assert found.path == "rawtilts[0].sources[0]"


def test_a_filter_finds_only_what_has_documents(lab: Any) -> None:
    condition = {"filters": [{"key": ["a"], "value": 1}]}
    lab.config["gains"][0]["sources"] = [{"destination_filter": condition}]
    assert any("destination_filter finds tiltseries, alignment, tomogram only" in text for text in errors(lab))


def test_every_carried_format_is_of_the_language() -> None:
    assert set(CARRIED_FORMATS) <= set(SHAPES)


def test_values_that_are_filled_in_later_pass(lab: Any) -> None:
    metadata = lab.config["tiltseries"][0]["metadata"]
    metadata["pixel_spacing"] = "float {pixel}"
    metadata["tilt_series_quality"] = "int {quality}"
    lab.config["standardization_config"]["run_data_map_file"] = "map.csv"
    assert errors(lab) == []
    (lab.root / "map.csv").write_text("run_name,pixel,quality\nTS_1,5.5,4\n")
    lab.ingest()
    document = lab.read("10900/TS_1/TiltSeries/100/tiltseries_metadata.json")
    assert (document["pixel_spacing"], document["tilt_series_quality"]) == (5.5, 4)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("run_name,pixel\nTS_9,5\n", "run TS_1 has no pixel in the map file map.csv"),
        ("run_name,pixel\nTS_1,wide\n", "run TS_1: a value of the map file is no number"),
        ("run_name,pixel\nTS_1,-3\n", "run TS_1: pixel_spacing is -3.0"),
        ("run,pixel\nTS_1,5\n", "has no column run_name"),
        (None, "the map file is not there"),
    ],
)
def test_a_map_file_that_lacks_something(lab: Any, table: str | None, words: str) -> None:
    lab.config["tiltseries"][0]["metadata"]["pixel_spacing"] = "float {pixel}"
    lab.config["standardization_config"]["run_data_map_file"] = "map.csv"
    if table:
        (lab.root / "map.csv").write_text(table)
    with pytest.raises(ConfigurationError, match=words.replace("(", r"\(")):
        lab.ingest()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2", "is not valid YAML"),
        ("just words", "is not a configuration"),
        ("", "is not a configuration"),
        ("version: 1.3.0\nversion: 1.3.0\n", "version is given twice, first on line 1"),
        ("a: &x [*x]\n", "an alias refers to a block around it"),
        ("runs: 5\n", "runs must be a list"),
        ("- 1\n", "is not a configuration"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert any(words in str(f) for f in check(path)), check(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8" in check(path)[0].message
    assert "cannot be read" in check(tmp_path / "none.yaml")[0].message


def test_a_bomb_of_aliases_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"] + [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    path = tmp_path / "c.yaml"
    path.write_text("\n".join(lines))
    assert "aliases are written out" in check(path)[0].message


def test_anchors_and_merge_keys_are_read(lab: Any) -> None:
    lab.save()
    text = lab.path.read_text()
    lab.path.write_text("x_authors: &a {name: A}\n" + text)
    assert "x_authors is unknown" in "".join(str(f) for f in check(lab.path))
    merged = yaml.safe_dump({"format": "IMOD"})
    lab.path.write_text(text.replace("format: IMOD\n", "<<: {format: IMOD}\n"))
    assert merged
    assert [f for f in check(lab.path) if f.severity == "error"] == []


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "1.2.0", "1.3.0"])
def test_every_version_is_read(lab: Any, version: str) -> None:
    lab.config["version"] = version
    assert errors(lab) == []


def test_a_large_configuration_checks_fast(lab: Any) -> None:
    one = lab.config["annotations"][0]
    lab.config["annotations"] = [
        {**one, "metadata": {**one["metadata"], "annotation_ingest_id": f"thing-{i}"}} for i in range(200)
    ]
    lab.path.write_text(yaml.dump(lab.config, Dumper=NoAliases))
    assert len(lab.path.read_text().splitlines()) > 4000
    import time

    began = time.process_time()
    assert load(lab.path).errors == ()
    assert time.process_time() - began < 2


class NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def test_containers_are_listed_parents_first() -> None:
    seen = {""}
    for name, container in CONTAINERS.items():
        assert container.parent in seen
        seen.add(name)
    assert CONTAINERS["datasets"].metadata is configuration(Dataset)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here] if here else []
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found += places(inner, (*here, key))
    return found


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["{x}", "{", "float {a}", "(", "*", "..", "/"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.integers(0, 10_000), VALUES), min_size=1, max_size=3))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_written_there_are_findings_and_no_crash(lab: Any, edits: list[tuple[int, Any]]) -> None:
    edited = yaml.safe_load(yaml.safe_dump(lab.config))
    known = places(edited)
    for number, value in edits:
        path = known[number % len(known)]
        place = edited
        try:
            for part in path[:-1]:
                place = place[part]
            place[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    lab.path.write_text(yaml.safe_dump(edited, allow_unicode=True))
    for finding in check(lab.path, lab.folder / "source"):
        assert finding.message.endswith((".", "?")), finding
        assert finding.where


def test_metadata_are_filled_in_run_by_run_only_where_they_name_a_column(lab: Any) -> None:
    from tomotheca.ingest.plan import plan

    lab.add("TS_2")
    (lab.root / "map.csv").write_text("run_name,flux\nTS_1,10\nTS_2,20\n")
    lab.config["standardization_config"]["run_data_map_file"] = "map.csv"
    lab.config["tiltseries"][0]["metadata"] = {**lab.config["tiltseries"][0]["metadata"], "total_flux": "float {flux}"}
    steps = plan(lab.options(), lab.files).steps
    assert [s.work.metadata["total_flux"] for s in steps if s.kind == "tiltseries"] == [10.0, 20.0]  # type: ignore[attr-defined]
    first, second = (s.work.metadata for s in steps if s.kind == "tomogram")  # type: ignore[attr-defined]
    assert first is second
