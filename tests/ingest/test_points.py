"""Points of every format, from the lab's files to the rows in the archive, through `tomotheca ingest`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.api.serving import run_cli
from tests.formats import picks
from tests.ingest.conftest import Lab, annotation

SPACING = "10900/TS_1/Reconstructions/VoxelSpacing10.000"


def add_points(lab: Lab) -> None:
    """One annotation for each shape and format, and a map file that gives the run its number."""
    lab.config["standardization_config"]["run_data_map_file"] = "map.csv"
    (lab.root / "map.csv").write_text("run_name,number\nTS_1,1\n")
    lab.config["annotations"] = []
    for shape, file_format in picks.CASES:
        name = f"{shape.lower()}-{file_format.replace('_', '-')}"
        picks.write(lab.root / "picks" / name, picks.content(shape, file_format))
        source: dict[str, Any] = {"file_format": file_format, "glob_string": f"picks/{name}"}
        if "star" in file_format or file_format in picks.FILTERS:
            source["filter_value"] = "{number}" if file_format in picks.FILTERS else "{run_name}"
        lab.config["annotations"].append(annotation(f"{name}-1", name, [{shape: source}]))


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Documents and rows of a lab with points in every format, by the annotation's ingest id."""
    lab = Lab(tmp_path_factory.mktemp("points"))
    lab.root.mkdir(parents=True)
    lab.add("TS_1")
    add_points(lab)
    for name in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments"):
        del lab.config[name]
    root = lab.folder / "root"
    words = ("ingest", lab.save(), "--source", lab.folder / "source", "--root", root, "--workers", "1", "--json")
    done = run_cli(*words)
    assert done.returncode == 0, done.stderr
    again = json.loads(run_cli(*words, check=True).stdout)
    found: dict[str, Any] = {"again": again["written"]}
    for path in (root / "archive" / SPACING / "Annotations").glob("*/*-1.0.json"):
        document = json.loads(path.read_text())
        rows = (root / "archive" / document["files"][0]["path"]).read_text().splitlines()
        found[document["annotation_ingest_id"]] = document, [json.loads(row) for row in rows]
    return found


@pytest.mark.parametrize(("shape", "file_format"), picks.CASES)
def test_s15_s19_every_shape_and_format(taken: dict[str, Any], shape: str, file_format: str) -> None:
    document, rows = taken[f"{shape.lower()}-{file_format.replace('_', '-')}-1"]
    (file,) = document["files"]
    assert file["shape"] == shape
    assert file["path"].endswith(f"_{shape.lower()}.ndjson")
    np.testing.assert_allclose([rows[0]["location"][axis] for axis in "xyz"], picks.PLACE, atol=1e-6)
    assert len(rows) == (3 if file_format == "tardis" else 1)
    assert document["object_count"] == (2 if file_format == "tardis" else 1)
    keys = {"Point": set(), "OrientedPoint": {"xyz_rotation_matrix"}, "InstanceSegmentation": {"instance_id"}}
    assert rows[0].keys() == {"type", "location", *keys[shape]}
    assert rows[0]["type"] == {"InstanceSegmentation": "instancePoint"}.get(shape, shape[0].lower() + shape[1:])
    if shape == "OrientedPoint":
        np.testing.assert_allclose(rows[0]["xyz_rotation_matrix"], picks.MATRIX, atol=1e-5)
    if shape == "InstanceSegmentation":
        assert rows[0]["instance_id"] == 3


def test_a_second_time_writes_nothing(taken: dict[str, Any]) -> None:
    assert taken["again"] == 0


def only(lab: Lab, shape: str, text: str | bytes, **source: Any) -> None:
    """Leave one annotation, of one file."""
    picks.write(lab.root / "picks/one", text)
    lab.config["annotations"] = [annotation("one-1", "one", [{shape: {"glob_string": "picks/one", **source}}])]


def test_the_origin_of_a_configuration(lab: Lab) -> None:
    model = picks.model(picks.contour([[0.5, 0.5, 0], [8.5, 4.5, 6]]))
    only(lab, "Point", model, file_format="mod", origin=[0.5, 0.5, 0], binning=2)
    lab.ingest()
    rows = (lab.archive / SPACING / "Annotations/100/one-1.0_point.ndjson").read_text().splitlines()
    assert [list(json.loads(row)["location"].values()) for row in rows] == [[0, 0, 0], [4, 2, 3]]
    only(lab, "Point", model, file_format="mod", binning=2)
    lab.ingest()
    first = (lab.archive / SPACING / "Annotations/100/one-1.0_point.ndjson").read_text().splitlines()[0]
    assert list(json.loads(first)["location"].values()) == [0.25, 0.25, 0]


@pytest.mark.parametrize(
    ("shape", "text", "source", "words"),
    [
        ("Point", picks.mod(picks.PLACE, picks.MATRIX)[:-5], {"file_format": "mod"}, "is truncated"),
        ("OrientedPoint", picks.model(), {"file_format": "mod"}, "has no slicer angles"),
        ("Point", picks.dynamo(picks.PLACE, picks.MATRIX), {"file_format": "dynamo_tbl", "filter_value": "{run_name}"}, "'TS_1': give a number"),
        ("OrientedPoint", picks.copick(picks.PLACE, -picks.MATRIX), {"file_format": "copick"}, "mirrors the reference"),
        ("InstanceSegmentation", "1,2,3\n", {"file_format": "tardis"}, "line 1 is no header"),
        ("OrientedPoint", picks.loop("", dict.fromkeys(picks.COORDINATES, 1)), {"file_format": "relion3_star"}, "has no angles"),
        ("Point", "1,2,3\n4,nan,6\n", {"file_format": "csv"}, "line 2: 'nan' is not a number"),
    ],
)  # fmt: skip
def test_broken_files_are_refused(lab: Lab, shape: str, text: Any, source: dict[str, Any], words: str) -> None:
    only(lab, shape, text, **source)
    said = lab.refused()
    assert words in said
    assert str(lab.root / "picks/one") in said


def test_relion_5_takes_the_size_of_a_tomogram_in_the_archive(lab: Lab) -> None:
    only(lab, "Point", "1,2,3\n", file_format="csv")
    lab.ingest()
    only(lab, "OrientedPoint", picks.relion5(picks.PLACE, picks.MATRIX), file_format="relion5_star")
    lab.config["tomograms"] = []
    assert not lab.ingest(only=("annotations",)).failed
    row = json.loads((lab.archive / SPACING / "Annotations/100/one-1.0_orientedpoint.ndjson").read_text())
    np.testing.assert_allclose(list(row["location"].values()), picks.PLACE, atol=1e-9)


def test_picks_larger_than_memory_are_refused(lab: Lab) -> None:
    only(lab, "Point", picks.copick(picks.PLACE, picks.MATRIX) + " " * (1 << 21), file_format="copick")
    assert "has 2 MiB, more than 1 MiB are not read as JSON" in lab.refused(memory=1 << 23)


def test_points_outside_name_the_line_in_a_star_file(lab: Lab) -> None:
    text = picks.relion4(picks.PLACE, picks.MATRIX).rstrip()
    row = picks.relion4(np.array([40.0, 0, 0]), picks.MATRIX).rstrip().split("\n")[-1]
    only(lab, "OrientedPoint", f"{text}\n{row}\n", file_format="relion4_star", filter_value="TS_1")
    (finding,) = (f for f in lab.ingest().findings if "outside" in f.message)
    assert finding.where == f"{lab.root / 'picks/one'}:{text.count(chr(10)) + 2}"
    assert "1 of 2 points are outside the volume of 16 x 12 x 8 voxels, the first is point 2 at 40.0" in finding.message


def test_a_filter_that_means_nothing_is_noted(lab: Lab) -> None:
    only(lab, "Point", "1,2,3\n", file_format="csv", filter_value="{run_name}")
    assert any("filter_value is not used: a file of csv" in f.message for f in lab.ingest().findings)


def test_formats_of_other_shapes_are_refused(lab: Lab) -> None:
    only(lab, "InstanceSegmentation", "1,2,3\n", file_format="csv")
    said = lab.refused()
    assert "file_format" in said
    assert f"{Path(lab.path)}:" in said
