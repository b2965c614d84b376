"""One particle in every format: one and the same position and 3 × 3 matrix, which turns the reference into the particle."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from tests.formats import picks

from tomotheca.errors import FormatError
from tomotheca.formats import relion, rotation
from tomotheca.formats.points import Options
from tomotheca.formats.registry import READERS, read_points

Real = Callable[[str, str], Path]
PLACE = np.array([4.5, 7.25, 2.0])
TURNS = {
    "as it is": np.eye(3),
    "about z": Rotation.from_euler("z", 30, degrees=True).as_matrix(),
    "about y": Rotation.from_euler("y", 90, degrees=True).as_matrix(),
    "about all": Rotation.from_euler("xyz", [10, 50, -120], degrees=True).as_matrix(),
    "the other way": Rotation.from_euler("xyz", [10, 50, -120], degrees=True).inv().as_matrix(),
    "upside down": Rotation.from_euler("x", 180, degrees=True).as_matrix(),
}


def options(file_format: str, **more: Any) -> Options:
    wanted = picks.FILTERS.get(file_format, "TS_1")
    return Options(filter_value=wanted, spacing=picks.SPACING, size=picks.SIZE, **more)


@pytest.mark.filterwarnings("ignore:Gimbal lock")  # scipy then chooses one of the equal triplets
@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("file_format", picks.ORIENTED)
def test_every_format_gives_the_same_place_and_matrix(tmp_path: Path, file_format: str, turn: str) -> None:
    matrix = TURNS[turn]
    path = picks.write(tmp_path / "picks", picks.ORIENTED[file_format](PLACE, matrix))
    found = read_points(path, file_format, options(file_format), shape="OrientedPoint")
    np.testing.assert_allclose(found.locations, [PLACE], atol=1e-9)
    assert found.rotations is not None
    np.testing.assert_allclose(found.rotations, [matrix], atol=2e-6)
    point = read_points(path, file_format, options(file_format))
    np.testing.assert_allclose(point.locations, [PLACE], atol=1e-9)
    if file_format != "copick":
        assert read_points(path, file_format, options(file_format, rotations=False)).rotations is None


def test_no_format_was_forgotten() -> None:
    assert set(picks.ORIENTED) == set(READERS["OrientedPoint"])


@pytest.mark.parametrize("file_format", sorted(picks.ORIENTED.keys() - {"relion5_star"}))
def test_axes_in_the_other_order(tmp_path: Path, file_format: str) -> None:
    flip = np.eye(3)[::-1]
    matrix = TURNS["about all"]
    flipped = flip @ matrix @ flip
    content = picks.ORIENTED[file_format](flip @ PLACE, flipped)
    path = picks.write(tmp_path / "picks", content)
    found = read_points(path, file_format, options(file_format, order="zyx"), shape="OrientedPoint")
    np.testing.assert_allclose(found.locations, [PLACE], atol=1e-6)
    assert found.rotations is not None
    np.testing.assert_allclose(found.rotations, [matrix], atol=2e-6)


def test_the_middle_of_a_relion_5_tomogram_in_the_other_order(tmp_path: Path) -> None:
    text = picks.loop("", dict(zip(picks.CENTRED, (10, 20, 30), strict=True)))
    found = read_points(picks.write(tmp_path / "a.star", text), "relion5_star", options("relion5_star", order="zyx"))
    assert found.locations.tolist() == [[8 + 3, 6 + 2, 4 + 1]]


def test_binning_and_origin(tmp_path: Path) -> None:
    path = picks.write(tmp_path / "a.tbl", picks.dynamo(np.array([9.0, 13, 17]), TURNS["about y"]))
    found = read_points(path, "dynamo_tbl", Options(origin=(1, 1, 1), binning=4))
    assert found.locations.tolist() == [[2, 3, 4]]
    path = picks.write(tmp_path / "a.mod", picks.model(picks.contour([10.5, 20.5, 5])))
    assert read_points(path, "mod", Options(origin=(0.5, 0.5, 0))).locations.tolist() == [[10, 20, 5]]


def test_angstrom_become_voxels_by_the_spacing_or_by_the_binning(tmp_path: Path) -> None:
    path = picks.write(tmp_path / "a.json", picks.copick(np.array([1.0, 2, 3]), np.eye(3)))
    assert read_points(path, "copick", Options(spacing=5)).locations.tolist() == [[2, 4, 6]]
    assert read_points(path, "copick", Options(spacing=5, binning=2.5)).locations.tolist() == [[4, 8, 12]]
    with pytest.raises(FormatError, match="coordinates in Å: give the voxel spacing as binning"):
        read_points(path, "copick")


def test_what_the_programs_themselves_give(tmp_path: Path) -> None:
    # dynamo_euler2matrix([-155.55 63.924 197.81]) of Dynamo 1.1, as the tests of ABTT by A. Burt have it.
    printed = np.array([[0.8110, -0.5165, -0.2747], [0.4516, 0.2544, 0.8552], [-0.3718, -0.8177, 0.4396]])
    row = "1 1 1 0 0 0 -155.55 63.924 197.81 " + "0 " * 10 + "1 0 0 0 1 2 3\n"
    found = read_points(picks.write(tmp_path / "a.tbl", row), "dynamo_tbl", shape="OrientedPoint")
    assert found.rotations is not None
    np.testing.assert_allclose(found.rotations[0], printed.T, atol=6e-5)
    # RELION: a tilt of 90 degrees brings the reference's z axis to -x, a rot of 90 its x axis to -y.
    tilted, turned = relion.euler_to_matrices(np.array([[0, 90.0, 0], [90.0, 0, 0]]))
    np.testing.assert_allclose(tilted @ [0, 0, 1], [-1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(turned @ [1, 0, 0], [0, -1, 0], atol=1e-12)
    # STOPGAP: sg_euler2matrix(0, 0, 90) is Rx(90), which brings z to -y.
    text = picks.stopgap(np.zeros(3), np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]))
    assert text.rstrip().endswith("90.0")
    found = read_points(picks.write(tmp_path / "a.star", text), "stopgap_star", shape="OrientedPoint")
    assert found.rotations is not None
    np.testing.assert_allclose(found.rotations[0] @ [0, 0, 1], [0, -1, 0], atol=1e-9)


def test_points_drawn_in_slicer_lie_in_its_slices(real: Real) -> None:
    """3dmod's user drew a point in each of four slices: that fixes the direction of the angles."""
    path = real("imodmodel", "slicer_angle_example.mod")
    drawn = read_points(path, "mod").locations
    centres = read_points(path, "mod", shape="OrientedPoint")
    assert centres.rotations is not None
    away = drawn - centres.locations
    assert (np.linalg.norm(away, axis=1) > 0.05).sum() >= 3
    np.testing.assert_allclose((centres.rotations[:, :, 2] * away).sum(axis=1), 0, atol=1e-4)
    other = rotation.inverse(centres.rotations)
    assert np.abs((other[:, :, 2] * away).sum(axis=1)).max() > 0.1


@given(st.lists(st.tuples(*[st.floats(-360, 360)] * 3), min_size=1, max_size=9), st.text("xyz", min_size=3, max_size=3))
def test_products_of_rotations_agree_with_scipy(angles: list[tuple[float, float, float]], axes: str) -> None:
    expected = np.stack(
        [
            np.linalg.multi_dot([Rotation.from_euler(a, v, degrees=True).as_matrix() for a, v in zip(axes, row, strict=True)])
            for row in angles
        ]
    )  # fmt: skip
    np.testing.assert_allclose(rotation.product(axes, np.array(angles)), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [(np.diag([1, 1, -1.0]), "mirrors the reference"), (np.eye(3) * 2, "is not orthonormal")],
)
def test_a_mirror_image_is_no_rotation(tmp_path: Path, matrix: Any, words: str) -> None:
    path = picks.write(tmp_path / "a.json", picks.copick(PLACE, matrix))
    with pytest.raises(FormatError, match=f"point 1 has a matrix that is no rotation: it {words}"):
        read_points(path, "copick", options("copick"), shape="OrientedPoint")
