"""Tilt series of WarpTools: geometry against Warp's own formula and the portal's reader, sections of a stack, CTF, and files that are wrong."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from cryoet_alignment.io.cryoet_data_portal import Alignment  # type: ignore[import-untyped]  # has none
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from tests.formats import soundfiles
from tests.formats.corpus import bounded
from tests.formats.soundfiles import warp_grid, warp_series

from tomotheca.errors import FormatError
from tomotheca.formats import rotation, warp
from tomotheca.formats.points import Options
from tomotheca.formats.registry import read_points

Real = Callable[[str, str], Path]
Floats = npt.NDArray[np.float64]
STAGE = (-60.0, -30.0, 0.0, 30.0, 60.0)


def series(
    folder: Path, angles: Sequence[float], *more: str, level: tuple[float, float] = (0, 0), **columns: Any
) -> warp.TiltSeries:
    count = len(angles)
    filled: dict[str, Any] = {"AxisAngle": [84.5] * count, "AxisOffsetX": range(count), "AxisOffsetY": [-2.5] * count}
    text = warp_series(
        {"Angles": angles, **filled, **columns}, *more, LevelAngleX=str(level[0]), LevelAngleY=str(level[1])
    )
    path = folder / "TS_1.xml"
    path.write_text(text)
    return warp.read(path)


def test_the_portals_reader_comes_to_the_same(real: Real) -> None:
    path = real("cryoet-alignment", "warp/00254.xml")
    theirs = Alignment.from_warp_file(path, vol_size=(1, 1, 1), pixel_size_a=1.7).per_section_alignment_parameters
    ours = warp.read(path)
    assert [p.z_index for p in theirs] == list(range(len(ours)))
    assert np.allclose(ours.tilts, [p.tilt_angle for p in theirs], atol=1e-9)
    assert np.allclose(ours.matrices, [p.in_plane_rotation for p in theirs], atol=1e-12)
    assert np.allclose(ours.shifts, [(1.7 * p.x_offset, 1.7 * p.y_offset) for p in theirs], atol=1e-9)
    assert ours.movies[0] == "TS_01_041_-60.0.tif"
    assert ours.doses is not None
    assert ours.doses.max() == 120
    assert ours.ctf == ()


def seen_by_warp(found: warp.TiltSeries, row: int, point: Floats) -> Floats:
    """Where Warp sees a point: ``GetPositionInAllTilts``, with the matrix of ``Matrix3.Euler(0, tilt, psi)`` written out."""
    tilt, psi = math.radians(found.angles[row] + found.level[1]), -math.radians(found.rotations[row])
    euler = np.array(
        [
            [math.cos(psi) * math.cos(tilt), math.sin(psi), -math.cos(psi) * math.sin(tilt)],
            [-math.sin(psi) * math.cos(tilt), math.cos(psi), math.sin(psi) * math.sin(tilt)],
            [math.sin(tilt), 0, math.cos(tilt)],
        ]
    )
    about_x = Rotation.from_euler("x", found.level[0], degrees=True).as_matrix()
    seen: Floats = (euler @ about_x @ (point + np.array(found.volume_warp)))[:2] + found.offsets[row]
    return seen if found.movement is None else seen - found.movement[row]


@pytest.mark.parametrize("point", [(0, 0, 0), (100, 0, 0), (0, 200, 0), (0, 0, 300), (-50, 70, 90)])
def test_a_point_is_seen_where_warp_sees_it(tmp_path: Path, point: tuple[float, float, float]) -> None:
    """``raw = M (aligned) + t``, where the aligned image sees the volume turned by tilt and x rotation: as for any program."""
    grids = [
        warp_grid("GridMovementX", [1, 2, 3]),
        warp_grid("GridMovementY", [-4]),
        warp_grid("GridVolumeWarpY", [7], Duration=1),
    ]
    found = series(tmp_path, [40, -1.5, -62], *grids, level=(1.5, -2.25))
    assert not found.is_local
    assert found.volume_warp == (0, 7, 0)
    for row in range(3):
        turned = Rotation.from_euler("xy", [found.level[0], found.tilts[row]], degrees=True).as_matrix() @ np.array(
            point
        )
        raw = found.matrices[row] @ turned[:2] + found.shifts[row]
        np.testing.assert_allclose(raw, seen_by_warp(found, row, np.array(point, np.float64)), atol=1e-9)
    assert found.tilts.tolist() == [-37.75, 3.75, 64.25]


def test_movements_that_differ_inside_an_image_or_the_volume_stay_in_the_file(tmp_path: Path) -> None:
    node = '<Node X="{}" Y="0" Z="0" Value="{}" />'
    grid = f'<GridMovementX Width="2" Height="1" Depth="1">{node.format(0, 1)}{node.format(1, 2)}</GridMovementX>'
    for one in (grid, grid.replace("GridMovementX", "GridVolumeWarpX")):
        found = series(tmp_path, [0, 1], one)
        assert found.is_local
        assert found.shifts.tolist() == found.offsets.tolist()


# --- which section a tilt belongs to ---------------------------------------------------------------------------------------


def names(*numbers: int, ending: str = "tif") -> list[str]:
    return [f"a_{n:03d}_{n}.5.{ending}" for n in numbers]


def paths(*numbers: int) -> list[str]:
    return [
        f"..\\frames\\{name.upper()}" if n % 2 else f"../frames/{name}"
        for n, name in zip(numbers, names(*numbers, ending="eer"), strict=True)
    ]


def test_sections_are_found_by_their_movies_whatever_the_tilts_say(tmp_path: Path) -> None:
    found = series(
        tmp_path,
        [60, 30, 0, -30, -60],
        MoviePath=paths(4, 3, 2, 1, 0),
        UseTilt=["True", "False", "True", "True", "True"],
    )
    placed = found.places(STAGE, names(0, 1, 2, 3, 4))
    assert placed == warp.Placed({0: 4, 2: 2, 3: 1, 4: 0})
    assert found.places(STAGE, names(0, 1, 2, 3, 4, 5)) == placed


@pytest.mark.parametrize(
    ("angles", "stack", "expected"),
    [
        ([60.01, 30.02, 0.03, -30.04, -60.05], [-60.01, -30.02, -0.03, 30.04, 60.05], [0, 1, 2, 3, 4]),  # as ts_import writes
        ([60.01, 30.02, 0.03, -30.04, -60.05], [60.05, 30.04, -0.03, -30.02, -60.01], [4, 3, 2, 1, 0]),  # of the other order
        ([60.01, 30.02, 0.03, -30.04, -60.05], [60.01, 30.02, 0.03, -30.04, -60.05], [0, 1, 2, 3, 4]),  # with --dont_invert
        ([50.0, 20.0, -10.0, -40.0, -70.0], [-60.0, -30.0, 0.0, 30.0, 60.0], [0, 1, 2, 3, 4]),  # less the brightest tilt
        ([60.4, 30.1, 0.2, -29.7, -60.3], [0.0, 30.0, -30.0, 60.0, -60.0], [4, 2, 0, 1, 3]),  # refined, order of acquisition
        ([30.02, 0.03], [-60.0, -30.0, 0.0, 30.0, 60.0], [1, 2]),  # tilts that were never imported
    ],
)  # fmt: skip
def test_sections_are_found_by_their_tilts(
    tmp_path: Path, angles: list[float], stack: list[float], expected: list[int]
) -> None:
    placed = series(tmp_path, angles).places(stack)
    assert placed is not None
    assert placed.sections == dict(enumerate(expected))


def test_a_stack_of_the_tilts_that_are_used(tmp_path: Path) -> None:
    """``ts_stack`` leaves the others out."""
    found = series(tmp_path, [60.01, 30.02, 0.03, -30.04], UseTilt=["True", "False", "True", "True"])
    for placed in (found.places([60.01, 0.03, -30.04]), found.places(count=3)):
        assert placed is not None
        assert placed.sections == {0: 0, 2: 1, 3: 2}
    assert found.places() == found.places(count=4) == warp.Placed({0: 0, 2: 2, 3: 3})


def test_tilts_that_fit_with_either_sign_are_doubtful(tmp_path: Path) -> None:
    assert series(tmp_path, [60, 30, 0, -30, -60]).places(STAGE) == warp.Placed(
        dict(enumerate(range(5))), doubtful=True
    )
    assert series(tmp_path, [60, 30, 0, -30, -60]).places(STAGE[::-1]) == warp.Placed(
        dict(enumerate(range(5))), doubtful=True
    )
    shuffled = series(tmp_path, [60, -30, 0, 30, -60]).places(STAGE)
    assert shuffled == warp.Placed({0: 0, 1: 3, 2: 2, 3: 1, 4: 4}, doubtful=True)


def test_what_does_not_fit_has_no_place(tmp_path: Path) -> None:
    found = series(tmp_path, [60, 30, 0])
    assert found.places([1.0, 2.0, 3.0, 4.0]) is None
    assert found.places([5.0, 5.0, 5.0]) is None
    assert found.places([1.0, 2.0]) is None
    assert found.places(count=2) is None


# --- CTF and what was recorded ---------------------------------------------------------------------------------------------


def test_ctf_is_in_angstrom_and_radians_with_the_larger_defocus_first(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(soundfiles.WARP)
    found = warp.read(tmp_path / "a.xml").ctf
    rows: list[Any] = [(c.z, c.major_defocus, c.minor_defocus, c.astigmatic_angle, c.phase_shift) for c in found]
    assert rows == [
        (0, pytest.approx(21500), pytest.approx(20500), 10, pytest.approx(math.pi / 2)),
        (1, pytest.approx(23000), pytest.approx(21000), 20, 0),
        (2, pytest.approx(23500), pytest.approx(22500), 120, 0),
    ]


def test_a_grid_over_the_image_counts_with_its_mean(tmp_path: Path) -> None:
    nodes = "".join(f'<Node X="{x}" Y="0" Z="{z}" Value="{2 + x + z}" />' for z in range(2) for x in range(2))
    found = series(tmp_path, [0, 1], f'<GridCTF Width="2" Height="1" Depth="2">{nodes}</GridCTF>').ctf
    assert [c.major_defocus for c in found] == [25000, 35000]
    assert {c.phase_shift for c in found} == {None}


def test_a_tomostar_has_movies_doses_and_the_axis(tmp_path: Path) -> None:
    (tmp_path / "a.tomostar").write_text(soundfiles.TOMOSTAR)
    found = warp.read(tmp_path / "a.tomostar")
    assert found.movies == ("a_002.tif", "a_000.tif", "a_001.tif")
    assert found.doses is not None
    assert found.doses.tolist() == [6, 0, 3]
    assert found.tilts.tolist() == [-3.01, 0, 2.99]
    assert found.rotations.tolist() == [84.5] * 3
    assert found.used.all()
    assert not found.offsets.any()
    assert not found.ctf


def test_particles_of_warptools_are_found_by_the_name_of_the_run(tmp_path: Path) -> None:
    columns = ("TomoName", "CoordinateX", "CoordinateY", "CoordinateZ", "AngleRot", "AngleTilt", "AnglePsi")
    head = "".join(f"_rln{name}\n" for name in columns)
    rows = "TS_1.tomostar 700.7 763.2 154.9 78.75 131.8 300\nTS_11.tomostar 1 2 3 0 0 0\n../TS_1.tomostar 4 5 6 0 0 0\n"
    (tmp_path / "a.star").write_text(f"data_particles\n\nloop_\n{head}{rows}")
    options = Options(filter_value="TS_1", binning=10)
    for form in ("relion4_star", "relion3_star"):
        found = read_points(tmp_path / "a.star", form, options, shape="OrientedPoint")
        np.testing.assert_allclose(found.locations, [[70.07, 76.32, 15.49], [0.4, 0.5, 0.6]])


# --- files that are wrong --------------------------------------------------------------------------------------------------

BOMB = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", "line 1 is no XML"),
        ("<TiltSeries><Angles>1</Angles>", "line 1 is no XML"),
        ("<Movie></Movie>", "is a file of 'Movie', not of a TiltSeries"),
        ("<TiltSeries></TiltSeries>", "has no Angles"),
        ("<TiltSeries><Angles>1\nx</Angles></TiltSeries>", "'x' in Angles is not a number"),
        ("<TiltSeries><Angles>nan</Angles></TiltSeries>", "'nan' in Angles is not a number"),
        ("<TiltSeries><Angles>1e300</Angles></TiltSeries>", "'1e300' in Angles is not a number that belongs"),
        ("<TiltSeries><Angles>1\n2</Angles><Dose>1</Dose></TiltSeries>", "has 1 values in Dose for 2 tilts"),
        ("<TiltSeries><Angles>1\n2</Angles><MoviePath>a</MoviePath></TiltSeries>", "has 1 values in MoviePath for 2"),
        ("<TiltSeries><Angles>1</Angles><UseTilt>maybe</UseTilt></TiltSeries>", "'maybe' in UseTilt is neither"),
        ("<TiltSeries><Angles>1</Angles><UseTilt>False</UseTilt></TiltSeries>", "uses none of its tilts"),
        ("<TiltSeries LevelAngleX='x'><Angles>1</Angles></TiltSeries>", "'x' in LevelAngleX is not a number"),
        (warp_series({"Angles": [1]}, warp_grid("GridCTF", [1, 2, 3], Depth=2)), "has 3 nodes in GridCTF, which is said to be 1 x 2 x 1 x 1"),
        (warp_series({"Angles": [1]}, warp_grid("GridCTF", [1], Depth=10**9)), "has 1 nodes in GridCTF"),
        (warp_series({"Angles": [1]}, '<GridCTF><Node Z="5" Value="1" /></GridCTF>'), "a node in GridCTF that lies outside"),
        (warp_series({"Angles": [1]}, '<GridCTF Depth="2"><Node Value="1" /><Node Value="1" /></GridCTF>'), "a node in GridCTF twice"),
        (warp_series({"Angles": [1, 2, 3]}, warp_grid("GridCTF", [1, 2])), "has other nodes in GridCTF than one for each of 3 tilts"),
        (f"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a0 'x'>{BOMB}]><TiltSeries><Angles>&a11;</Angles></TiltSeries>", "has a DOCTYPE"),
        ("<!DOCTYPE x SYSTEM 'file:///etc/passwd'><TiltSeries></TiltSeries>", "has a DOCTYPE"),
    ],
)  # fmt: skip
def test_what_is_no_tilt_series_gets_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with bounded(), pytest.raises(FormatError, match=words):
        warp.read(tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data_\n\nloop_\n_rlnAngle\n1\n", "has no column _wrpAngleTilt"),
        ("data_\n\nloop_\n_wrpAngleTilt\nx\n", "'x' is not a number"),
        ("data_\n\nloop_\n_wrpAngleTilt\n_wrpDose\n1 1e300\n", "has a number in _wrpDose that is beyond"),
    ],
)
def test_what_is_no_tomostar_gets_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.tomostar").write_text(text)
    with pytest.raises(FormatError, match=words):
        warp.read(tmp_path / "a.tomostar")


@given(st.lists(st.tuples(*[st.floats(-180, 180)] * 3), min_size=1, max_size=9))
def test_rotations_are_put_together_again(angles: list[tuple[float, float, float]]) -> None:
    matrices = rotation.product("zyx", np.array(angles))
    np.testing.assert_allclose(rotation.product("zyx", rotation.angles_about_zyx(matrices)), matrices, atol=2e-6)
