"""CETS: alignments by hand, points of several sets, and what is not read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tests.formats import picks
from tests.formats.soundfiles import CETS, cets_image, cets_projection, cets_region

from tomotheca.errors import FormatError
from tomotheca.formats import cets
from tomotheca.formats.points import Options
from tomotheca.formats.registry import read_points


def written(folder: Path, *regions: Any) -> Path:
    path = folder / "a.json"
    path.write_text(json.dumps({"name": "a dataset", "regions": regions}))
    return path


def affine(matrix: Any) -> dict[str, Any]:
    return {"transformation_type": "affine", "affine": np.asarray(matrix).tolist()}


def shift(*values: float) -> dict[str, Any]:
    return {"transformation_type": "translation", "translation": list(values)}


def aligned(*projections: Any, series: str = "TS_1", **more: Any) -> dict[str, Any]:
    return {"tilt_series_id": series, "projection_alignments": list(projections), **more}


TILT = [[0.8660254, 0.0, -0.5, 0.0], [0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.8660254, 0.0], [0.0, 0.0, 0.0, 1.0]]
IN_PLANE = [[0.9993908, -0.0348995, 0.0], [0.0348995, 0.9993908, 0.0], [0.0, 0.0, 1.0]]


def test_the_steps_of_the_standards_own_example(tmp_path: Path) -> None:
    """Numbers of ``mock_named_transforms.json``: a tilt of -30° with 4 x 4, 2° in plane with 3 x 3, a shift in Å."""
    one = cets_projection("TS_1_0", affine(TILT), affine(IN_PLANE), shift(12.0, -8.0))
    found = cets.read_alignment(written(tmp_path, cets_region("TS_1", alignments=[aligned(one)])), ["TS_1"])
    np.testing.assert_allclose(found.angles, [[2, -30, 0]], atol=1e-4)
    assert found.shifts.tolist() == [[12, -8]]
    assert found.sections.tolist() == [0]
    np.testing.assert_allclose(found.matrices[0], np.array(IN_PLANE)[:2, :2], atol=1e-6)


def test_tilt_axis_tilt_and_x_rotation_come_apart_in_any_form(tmp_path: Path) -> None:
    """``Rz(85) Ry(-40) Rx(1.5)``, as one matrix or three, with the shift before or after."""
    parts = [Rotation.from_euler(a, v, degrees=True).as_matrix() for a, v in (("x", 1.5), ("y", -40), ("z", 85))]
    whole = parts[2] @ parts[1] @ parts[0]
    before = whole.T @ np.array([3.0, 4.0, 5.0])
    steps = [
        [*map(affine, parts), shift(3, 4)],
        [affine(whole), shift(3, 4, 5)],
        [
            shift(*before),
            {"transformation_type": "sequence", "sequence": [affine(parts[1] @ parts[0]), affine(parts[2])]},
        ],
    ]
    projections = [cets_projection(f"TS_1_{2 - z}", *one) for z, one in enumerate(steps)]
    found = cets.read_alignment(written(tmp_path, cets_region("TS_1", alignments=[aligned(*projections)])), ["TS_1"])
    assert found.sections.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.angles, [[85, -40, 1.5]] * 3, atol=1e-9)
    np.testing.assert_allclose(found.shifts, [[3, 4]] * 3, atol=1e-9)


def test_shifts_are_about_the_middle_where_sizes_are_odd(tmp_path: Path) -> None:
    """``physical`` is 0 at size // 2, the middle is size / 2: half a pixel of the image, half a voxel of the volume."""
    matrix = Rotation.from_euler("zyx", [30, 20, 0], degrees=True).as_matrix()
    region: Any = cets_region("TS_1", alignments=[aligned(cets_projection("TS_1_0", affine(matrix), shift(1, 2)))])
    region["tilt_series"] = [{"id": "TS_1", "images": [cets_image((17, 12), 5.0, id="TS_1_0", section=0)]}]
    region["tomograms"] = [cets_image((16, 13, 9), 10.0, id="rec", tilt_series_id="TS_1")]
    found = cets.read_alignment(written(tmp_path, region), ["TS_1"])
    # The middle of the volume, (0, 5, 5) Å in physical, is seen there in physical of the image; from its middle, (2.5, 0), that is:
    np.testing.assert_allclose(found.shifts[0], (matrix @ [0, 5, 5])[:2] + np.array([1 - 2.5, 2]), atol=1e-9)
    region["tomograms"].append(cets_image((16, 12, 8), 10.0, id="other", tilt_series_id="TS_1"))
    with pytest.raises(FormatError, match="tomograms of odd and of even sizes"):
        cets.read_alignment(written(tmp_path, region), ["TS_1"])


def test_the_region_and_alignment_of_the_run_are_taken(tmp_path: Path) -> None:
    def region(name: str, x: float) -> dict[str, Any]:
        return cets_region(
            name, alignments=[aligned(cets_projection(f"{name}_1", affine(np.eye(3)), shift(x, 0)), series=name)]
        )

    path = written(tmp_path, region("TS_1", 1), region("TS_2", 2))
    assert cets.read_alignment(path, ["run", "TS_2"]).shifts.tolist() == [[2, 0]]
    with pytest.raises(FormatError, match=r"has 2 regions with alignments \(TS_1, TS_2\), one is needed for run"):
        cets.read_alignment(path, ["run"])
    path.write_text(json.dumps(region("TS_9", 9)))
    assert cets.read_alignment(path, ["run"]).shifts.tolist() == [[9, 0]]


def test_more_than_a_rigid_alignment_is_said(tmp_path: Path) -> None:
    one = aligned(
        cets_projection("TS_1_0", affine(np.eye(3))), non_rigid_alignment={"kind": "tilt-series-projection-residual"}
    )
    assert cets.read_alignment(written(tmp_path, cets_region("TS_1", alignments=[one])), []).is_local


GOOD = [affine(np.eye(3)), shift(0, 0)]


@pytest.mark.parametrize(
    ("alignments", "words"),
    [
        ([], "has 0 regions with alignments, one is needed"),
        ([aligned(), aligned()], r"has 2 alignments \(TS_1, TS_1\)"),
        ([aligned()], "has an alignment without projections"),
        ([aligned(cets_projection("x", *GOOD))], "projection 1 names the tilt image 'x', of which no section is known"),
        ([aligned(cets_projection("TS_1_0", *GOOD), cets_projection("TS_1_0", *GOOD))], "section 0 is aligned twice"),
        ([aligned(cets_projection("TS_1_0", affine(-np.eye(3))))], "projection 1 has a matrix that is no rotation: it mirrors the reference"),
        ([aligned(cets_projection("TS_1_0", affine(np.eye(3) * 2)))], "projection 1 has a matrix that is no rotation"),
        ([aligned(cets_projection("TS_1_0", affine(np.eye(2))))], "is no matrix of 3 coordinates"),
        ([aligned(cets_projection("TS_1_0", shift(1)))], "a step 'translation' is not a translation, scale, affine"),
        ([aligned(cets_projection("TS_1_0", shift(1e12, 0)))], "has a shift that is beyond"),
        ([aligned({**cets_projection("TS_1_0", *GOOD), "name": "align_tilt"})], "projection 1 is 'align_tilt' and not 'tomogram_to_projection'"),
        ([aligned({**cets_projection("TS_1_0", *GOOD), "input": "tilt_image"})], "from physical to physical"),
        ([aligned({**cets_projection("TS_1_0"), "sequence": 3})], r"is not as CETS has it: regions\.0\.alignments\.0\."),
    ],
)  # fmt: skip
def test_alignments_that_are_not_read_get_a_sentence(tmp_path: Path, alignments: list[Any], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        cets.read_alignment(written(tmp_path, cets_region("TS_1", alignments=alignments)), ["TS_1"])


# --- points ------------------------------------------------------------------------------------------------------------------


def points(name: str, *places: Any, kind: str = "point_set_3D", **more: Any) -> dict[str, Any]:
    way = {
        "transformation_type": "identity",
        "name": "annotation_to_tomogram",
        "input": "physical",
        "output": "physical",
    }
    said = {"id": f"ann_{name}", "annotation_type": kind, "name": name, "origin3D": [list(place) for place in places]}
    return {**said, "coordinate_transformations": [way], **more}


def read(path: Path, wanted: str = "", **options: Any) -> list[list[float]]:
    found: list[list[float]] = read_points(
        path, "cets", Options(spacing=10.0, filter_value=wanted, **options)
    ).locations.tolist()
    return found


def test_points_are_from_the_middle_of_their_tomogram(tmp_path: Path) -> None:
    """Its voxel size // 2 is 0; a tomogram of other voxels has the same places in Å."""
    path = written(tmp_path, cets_region("TS_1", annotations=[points("a", (0, 0, 0), (10, -20, 30))]))
    assert read(path) == [[8, 6, 4], [9, 4, 7]]
    assert read(path, binning=5) == [[16, 12, 8], [18, 8, 14]]
    in_voxels = points("a", (1, 2, 3))
    in_voxels["coordinate_transformations"][0] |= {"input": "array", "output": "array"}
    assert read(written(tmp_path, cets_region("TS_1", annotations=[in_voxels])), binning=5) == [[2, 4, 6]]


def test_sets_are_found_by_region_tomogram_id_and_name(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        cets_region(
            "TS_1",
            annotations=[
                points("a", (0, 0, 0)),
                points("b", (10, 0, 0), kind="point_vector_set_3D", vector3D=[[1, 0, 0]]),
            ],
        ),
        cets_region(
            "TS_2", annotations=[points("a", (20, 0, 0)), {"id": "m", "annotation_type": "segmentation_mask_3D"}]
        ),
    )
    assert read(path, "TS_2") == read(path, "TS_2/ann_a") == read(path, "TS_2/a") == [[10, 6, 4]]
    assert read(path, "TS_1/b") == read(path, "b") == [[9, 6, 4]]
    assert read(path, "TS_3") == []
    with pytest.raises(FormatError, match=r"has 2 sets of points \(a, b\): name one in filter_value"):
        read(path, "TS_1")


LONG = [[1, 0, 0]]
WAY: Mapping[str, Any] = points("a")["coordinate_transformations"][0]


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ({"id": "m", "annotation_type": "segmentation_mask_3D"}, "has no set of points"),
        (points("a", (1, 2)), "point 1 has a origin3D that is not all finite numbers"),
        ({**points("a"), "origin3D": None}, "the set 'a' has no list of points"),
        ({**points("a", (1, 2, 3)), "coordinate_transformations": []}, "the set 'a' has no transformations 'annotation_to_tomogram'"),
        ({**points("a", (1, 2, 3)), "coordinate_transformations": [{**WAY, "input": "particles"}]}, "leads from 'particles' to 'physical'"),
        (points("a", (1, 2, 3), source_tomogram_id="x"), "belongs to no tomograms of its region"),
        (points("a", (1, 2, 3), matrix3D=[]), "has 0 matrices for 1 points"),
        (points("a", (1, 2, 3), matrix3D=[np.diag([1, 1, -1]).tolist()]), "point 1 has a matrix that is no rotation"),
        ({**points("a", (1, 2, 3), matrix3D=[np.eye(3).tolist()]), "coordinate_transformations": [{**WAY, **affine(-np.eye(3))}]}, "stretches or mirrors"),
        ({**points("a", (1, 2, 3)), "coordinate_transformations": [{**WAY, **affine(np.zeros((3, 3)))}]}, "leaves no volume"),
    ],
)  # fmt: skip
def test_points_that_are_not_read_get_a_sentence(tmp_path: Path, annotation: Any, words: str) -> None:
    path = written(tmp_path, cets_region("TS_1", annotations=[annotation]))
    with pytest.raises(FormatError, match=words):
        read_points(path, "cets", Options(spacing=10.0), shape="OrientedPoint")


@pytest.mark.parametrize(
    ("scale", "words"),
    [([10.0, 10.0, 5.0], "is not one spacing for all axes"), ([-1.0, -1.0, -1.0], "is not one spacing")],
)
def test_a_tomogram_with_other_voxels_than_cubes_is_refused(tmp_path: Path, scale: list[float], words: str) -> None:
    region: Any = cets_region("TS_1", annotations=[points("a", (1, 2, 3))])
    region["tomograms"][0]["coordinate_transformations"][0]["sequence"][1]["scale"] = scale
    with pytest.raises(FormatError, match=words):
        read(written(tmp_path, region))


def test_what_is_no_cets_at_all(tmp_path: Path) -> None:
    for text, words in (
        ("{", "is no JSON"),
        ("[]", "has no regions"),
        ('{"a": 1}', "has no regions"),
        ('{"regions": 3}', "is not as CETS has it: regions"),
    ):
        with pytest.raises(FormatError, match=words):
            read(picks.write(tmp_path / "a.json", text))
    with pytest.raises(FormatError, match="are not read as JSON"):
        read(picks.write(tmp_path / "a.json", CETS), memory=100)
