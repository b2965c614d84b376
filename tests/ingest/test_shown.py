"""What the viewer opens of points: written beside them, found again, and gone with them."""

import json
from pathlib import Path

import numpy as np
from tests.formats.test_precomputed import Reader
from tests.ingest import test_points
from tests.ingest.conftest import Lab, annotation

from tomotheca.store import layout, manifest

SPACING = "10900/TS_1/Reconstructions/VoxelSpacing10.000"
VIEWER = f"{SPACING}/NeuroglancerPrecompute"


def folders(lab: Lab) -> list[str]:
    return sorted(p.name for p in (lab.archive / VIEWER).iterdir())


def test_points_lie_where_their_rows_say(lab: Lab) -> None:
    lab.ingest()
    assert folders(lab) == ["100-ribosome-1.0_point", "101-spike-1.0_orientedpoint"]
    picks = Reader(lab.archive / VIEWER / "100-ribosome-1.0_point")
    rows = (lab.archive / SPACING / "Annotations/100/ribosome-1.0_point.ndjson").read_text().splitlines()
    places = [list(json.loads(row)["location"].values()) for row in rows]
    assert [list(picks.one(row)) for row in range(2)] == places == [[1, 2, 3], [15, 11, 7]]
    assert picks.info["dimensions"]["x"] == [1e-9, "m"]
    assert (picks.info["lower_bound"], picks.info["upper_bound"]) == ([-0.5] * 3, [15.5, 11.5, 7.5])
    spikes = Reader(lab.archive / VIEWER / "101-spike-1.0_orientedpoint")
    row = json.loads((lab.archive / SPACING / "Annotations/101/spike-1.0_orientedpoint.ndjson").read_text())
    line = spikes.one(0)
    np.testing.assert_allclose(line[:3], [4, 5, 6])
    np.testing.assert_allclose(np.subtract(line[3:], line[:3]), np.array(row["xyz_rotation_matrix"])[:, 2], atol=1e-6)


def test_the_manifest_lists_every_file(lab: Lab) -> None:
    lab.ingest()
    key = f"{VIEWER}/100-ribosome-1.0_point/"
    entries = {e.key: e for e in manifest.read(lab.files, f"{SPACING}/Annotations/100/")}
    assert (entries[key].role, entries[key].members) == ("viewer", 3)
    listed = list(manifest.list_members(lab.files, key))
    assert [m.path for m in listed] == ["by_id/0.shard", "info", "spatial0/0_0_0"]
    assert manifest.describe(lab.files, key, "viewer") == entries[key]
    assert layout.manifest_folder(key) == f"{SPACING}/Annotations/100/"


def test_a_second_time_writes_nothing(lab: Lab) -> None:
    lab.ingest()
    before = lab.snapshot()
    assert lab.ingest().written == 0
    assert lab.snapshot() == before
    again = lab.ingest(force=True)
    assert not again.failed
    assert {k: d for k, (_, d) in lab.snapshot().items() if VIEWER in k} == {
        k: d for k, (_, d) in before.items() if VIEWER in k
    }


def test_other_points_make_it_anew(lab: Lab) -> None:
    lab.ingest()
    (lab.root / "picks/TS_1.csv").write_text("2,2,2\n")
    lab.ingest()
    assert Reader(lab.archive / VIEWER / "100-ribosome-1.0_point").one(0) == (2, 2, 2)


def test_what_is_renamed_goes_and_what_is_somebody_elses_stays(lab: Lab) -> None:
    lab.ingest()
    state = lab.archive / VIEWER / "100-neuroglancer_config.json"
    state.write_text("{}")
    lab.config["annotations"][0]["metadata"]["annotation_object"]["name"] = "large ribosome"
    lab.ingest()
    assert folders(lab) == [
        "100-large_ribosome-1.0_point", "100-neuroglancer_config.json", "101-spike-1.0_orientedpoint",
    ]  # fmt: skip
    keys = {e.key for e in manifest.read(lab.files, f"{SPACING}/Annotations/100/")}
    assert f"{VIEWER}/100-large_ribosome-1.0_point/" in keys


def test_instances_keep_their_numbers(lab: Lab) -> None:
    test_points.only(
        lab, "InstanceSegmentation", "IDs,X [A],Y [A],Z [A]\n7,10,20,30\n9,40,50,60\n", file_format="tardis"
    )
    lab.ingest()
    reader = Reader(lab.archive / VIEWER / "100-one-1.0_instancesegmentation")
    assert [reader.one(row)[3] for row in range(2)] == [7, 9]


def test_two_shapes_of_one_annotation(lab: Lab) -> None:
    star = {"file_format": "relion4_star", "glob_string": "picks/all.star", "filter_value": "{run_name}"}
    points = {"file_format": "csv", "glob_string": "picks/{run_name}.csv"}
    lab.config["annotations"] = [annotation("both-1", "both", [{"Point": points}, {"OrientedPoint": star}])]
    lab.ingest()
    assert folders(lab) == ["100-both-1.0_orientedpoint", "100-both-1.0_point"]
    document = lab.read(f"{SPACING}/Annotations/100/both-1.0.json")
    assert {Path(f["path"]).suffix for f in document["files"]} == {".ndjson"}


def test_it_goes_with_its_annotation(lab: Lab) -> None:
    lab.ingest()
    del lab.config["annotations"][0]
    lab.ingest()
    assert folders(lab) == ["101-spike-1.0_orientedpoint"]
