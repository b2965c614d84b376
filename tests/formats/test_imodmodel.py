"""Models of IMOD: real files, files made here, and damaged ones."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats import picks

from tomotheca.errors import FormatError
from tomotheca.formats.imodmodel import read_model
from tomotheca.formats.points import Options
from tomotheca.formats.registry import read_points

Real = Callable[[str, str], Path]
DAMAGE = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"CONT", b"IEOF")

GOLDEN = {
    "two_contour_example.mod": (25, [[64.333336, 64.666664, 80], [47, 77.333336, 80]]),
    "multiple_objects_example.mod": (6, [[367.00006, 661.83344, 134], [415.66675, 667.83344, 134]]),
    "point_sizes_example.mod": (18, [[438.5, 898.5, 46.000004], [369.5, 918.5, 36.000004]]),
    "meshed_contour_example.mod": (286, [[673.6958, 853.43494, 32.875408], [682.6991, 846.4323, 32.875408]]),
    "meshed_curvature_example.mod": (1176, [[6.875, 62.875, 124], [8.125, 63.625, 124]]),
}
"""What the package imodmodel 0.1.0 reads: number of points, the first two."""


@pytest.mark.parametrize("name", GOLDEN)
def test_real_models(real: Real, name: str) -> None:
    count, first = GOLDEN[name]
    found = read_points(real("imodmodel", name), "mod")
    assert len(found) == count
    np.testing.assert_allclose(found.locations[:2], first, rtol=1e-6)


def test_slicer_angles_of_a_real_model(real: Real) -> None:
    model = read_model(real("imodmodel", "slicer_angle_example.mod"))
    expected = [
        (13.1, 0, -30.2, 235.519577, 682.744141, 302),
        (-41.4, 0, -47.7, 221.942444, 661.193237, 327),
        (-41.4, 0, -41.8, 232.790726, 671.332031, 327),
        (-35.5, 0, -36, 240.129181, 679.927795, 324),
    ]
    np.testing.assert_allclose(model.slicer, expected, rtol=1e-6)
    assert model.shift.tolist() == [0, 0, 0]


def test_a_model_without_angles_says_so(real: Real) -> None:
    with pytest.raises(FormatError, match="has no slicer angles: save them in 3dmod's Slicer"):
        read_points(real("imodmodel", "two_contour_example.mod"), "mod", shape="OrientedPoint")


def image(old: tuple[float, ...], new: tuple[float, ...], *, scale: float = 10) -> bytes:
    values = (*(0.0,) * 3, *old, *(0.0,) * 3, *(scale,) * 3, *new, *(0.0,) * 3)
    return picks.chunk(b"MINX", struct.pack(">18f", *values))


def test_a_model_of_a_part_is_moved_to_the_whole(tmp_path: Path) -> None:
    part = image((-100, -200, 0), (-150, -220, -30))
    path = picks.write(tmp_path / "a.mod", picks.model(picks.contour([1, 2, 3]), part))
    assert read_points(path, "mod").locations.tolist() == [[6, 4, 6]]
    path = picks.write(tmp_path / "b.mod", picks.model(picks.contour([1, 2, 3]), part, flags=0))
    assert read_points(path, "mod").locations.tolist() == [[1, 2, 3]]
    nonsense = image((float("nan"),) * 3, (0, 0, 0))
    path = picks.write(tmp_path / "c.mod", picks.model(picks.contour([1, 2, 3]), nonsense))
    assert read_points(path, "mod").locations.tolist() == [[1, 2, 3]]


def test_a_model_with_exchanged_axes_is_put_right(tmp_path: Path) -> None:
    flags = 1 << 16
    path = picks.write(tmp_path / "a.mod", picks.model(picks.contour([1, 2, 3]), flags=flags))
    assert read_points(path, "mod").locations.tolist() == [[1, 3, 2]]
    slicer = picks.slicer(np.ones(3), (0, 0, 0))
    path = picks.write(tmp_path / "b.mod", picks.model(slicer, flags=flags))
    with pytest.raises(FormatError, match="y and z exchanged"):
        read_points(path, "mod", shape="OrientedPoint")


def test_an_empty_model_has_no_points(tmp_path: Path) -> None:
    assert len(read_points(picks.write(tmp_path / "a.mod", picks.model()), "mod", Options(binning=2))) == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not an IMOD model"),
        (b"imod 1\nobject 0", "is not an IMOD model"),
        (picks.model(b"CONT" + struct.pack(">iIii", -5, 0, 0, 0)), "has a contour of -5 points"),
        (picks.model(b"CONT" + struct.pack(">iIii", 1 << 30, 0, 0, 0)), "is truncated: 12884901888 bytes should"),
        (picks.model(b"IMAT" + struct.pack(">i", -1)), "has a chunk of -1 bytes"),
        (picks.model(b"MESH" + struct.pack(">iiIhh", -1, 5, 0, 0, 0)), "has a chunk of -1 bytes"),
        (picks.model(picks.chunk(b"SLAN", b"1234")), "has a chunk SLAN of 4 bytes, 28 are needed"),
        (picks.model(b"\0\1\2\3"), "has no chunk where one should begin, at byte 420"),
        (picks.model(picks.contour([float("nan"), 2, 3])), "has a point that is not all finite numbers"),
        (picks.model(picks.slicer(np.ones(3), (0, float("inf"), 0))), "slicer angles that are not all finite"),
    ],
)
def test_what_is_no_model_gets_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_points(picks.write(tmp_path / "a.mod", content), "mod")


def test_a_model_that_ends_anywhere_is_refused(tmp_path: Path) -> None:
    whole = picks.model(picks.contour(np.ones(3)), picks.slicer(np.ones(3), (10, 20, 30)))
    for length in range(len(whole)):
        path = picks.write(tmp_path / "a.mod", whole[:length])
        with pytest.raises(FormatError, match=r"truncated|not an IMOD model"):
            read_points(path, "mod")


@given(place=st.integers(0, 500), word=st.sampled_from(DAMAGE))
def test_damage_never_does_more_than_raise(tmp_path_factory: pytest.TempPathFactory, place: int, word: bytes) -> None:
    whole = picks.model(picks.contour(np.arange(30)), picks.slicer(np.ones(3), (1, 2, 3)), image((0,) * 3, (0,) * 3))
    path = tmp_path_factory.mktemp("mod") / "a.mod"
    path.write_bytes(whole[:place] + word + whole[place + len(word) :])
    try:
        found = len(read_points(path, "mod"))
    except FormatError:
        found = 0
    assert found <= 30
