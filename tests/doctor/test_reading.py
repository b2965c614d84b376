"""What the doctor reads, beside independent readers, and files that are anything at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from tests.doctor import breaks

from tomotheca.doctor import headers, points
from tomotheca.doctor.examine import FAILED
from tomotheca.doctor.look import Broken, Look
from tomotheca.doctor.rules.pages import title_problem
from tomotheca.doctor.rules.series import between
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from tests.doctor.conftest import Archive

SHARED = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pages", [1, 7])
def test_pages_and_size_of_movies_are_those_of_tifffile(tmp_path: Path, *, big: bool, order: Any, pages: int) -> None:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.zeros((pages, 11, 17), np.uint16), bigtiff=big, byteorder=order, photometric="minisblack")
    found = Look(LocalFiles(tmp_path)).movie("movie.tif")
    with tifffile.TiffFile(path) as opened:
        page = opened.pages[0]
        assert found == headers.Movie(len(opened.pages), page.shape[0], page.shape[1], None, True)


def test_a_tiff_file_whose_directories_go_in_a_circle_ends(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    path.write_bytes(b"II*\0\x08\0\0\0" + b"\x01\0" + b"\0\x01\x04\0\x01\0\0\0\x05\0\0\0" + b"\x08\0\0\0")
    found = Look(LocalFiles(tmp_path)).movie("movie.tif")
    assert isinstance(found, Broken)
    assert "circle" in found.reason


@pytest.mark.parametrize("stack", [False, True])
@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float32"])
def test_words_of_a_header_are_those_of_mrcfile(tmp_path: Path, dtype: str, *, stack: bool) -> None:
    path = tmp_path / "volume.mrc"
    with mrcfile.new(path) as file:
        file.set_data(np.zeros((3, 5, 7), dtype))
        file.voxel_size = 2.5
        if stack:
            file.set_image_stack()
        file.add_label("made by a test")
    words = headers.mrc_words(path.read_bytes())
    with mrcfile.open(path, header_only=True) as file:
        h = file.header
        assert words.shape == (h.nz, h.ny, h.nx)
        assert (words.mode, words.space_group, words.nsymbt, words.version) == (h.mode, h.ispg, h.nsymbt, h.nversion)
        assert words.sampling == (h.mx, h.my, h.mz)
        assert words.labels == h.nlabl == sum(bool(text) for text in words.texts)
        assert list(words.spacing or ()) == pytest.approx([float(file.voxel_size[axis]) for axis in "xyz"])
    assert words.size == path.stat().st_size


def test_a_list_of_points_is_looked_through_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomotheca.doctor.look.PIECE", 1000)
    turned = Rotation.random(40, random_state=1).as_matrix()
    turned[3] *= 1.2
    turned[7] = turned[7] @ np.diag([1, 1, -1])
    rows = [
        {"type": "orientedPoint", "location": {"x": i - 0.4, "y": 2, "z": 3}, "xyz_rotation_matrix": turned[i].tolist()}
        for i in range(40)
    ]
    (tmp_path / "p.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = points.read(Look(LocalFiles(tmp_path)), "p.ndjson", [(5, 5, 30)])
    assert (found.count, found.rotations, found.skewed, found.outside) == (40, 40, 2, 10)
    assert found.first_outside.startswith("row 31 at 29.6")


@pytest.mark.parametrize(
    ("one", "other", "apart"), [(85, 84, 1), (85, -95, 0), (-89, 89, 2), (0, 90, 90), (355, 5, 10)]
)
def test_axes_have_no_direction(one: float, other: float, apart: float) -> None:
    assert between(one, other) == pytest.approx(apart)


@pytest.mark.parametrize(
    ("title", "problem"),
    [
        ("S. pombe cryo-FIB lamellae acquired with defocus-only", ""),
        ("Subtomograms of Schizosaccharomyces under stress", ""),
        ("EMPIAR-10988", "identifier"),
        ("10900", "identifier"),
        ("TS", "characters"),
        ("A collection of rather interesting data", "neither organism"),
    ],
)
def test_s24_titles_say_what_was_done(title: str, problem: str) -> None:
    document = {
        "dataset_title": title,
        "dataset_identifier": 10900,
        "organism": {"name": "Schizosaccharomyces pombe"},
    }
    assert problem in title_problem(document)
    assert bool(problem) == bool(title_problem(document))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
DOCUMENTS = (
    breaks.DATASET, breaks.DEPOSITION, breaks.RUN_DOCUMENT, breaks.FRAMES, breaks.SERIES_DOCUMENT, breaks.ALIGNMENT_DOCUMENT,
    breaks.TOMOGRAM_DOCUMENT, breaks.POINTS_DOCUMENT, breaks.MASK_DOCUMENT, f"{breaks.ZARR}.zattrs", f"{breaks.ZARR}1/.zarray",
)  # fmt: skip


def spoiled(value: Any, path: list[int], to: Any) -> Any:
    """Put something else at some place inside a value."""
    if not path or not isinstance(value, dict | list) or not value:
        return to
    if isinstance(value, dict):
        name = sorted(value)[path[0] % len(value)]
        return {**value, name: spoiled(value[name], path[1:], to)}
    index = path[0] % len(value)
    return [*value[:index], spoiled(value[index], path[1:], to), *value[index + 1 :]]


@SHARED
@given(st.sampled_from(DOCUMENTS), st.lists(st.integers(0, 50), min_size=1, max_size=4), anything)
def test_documents_that_say_anything_never_stop_the_doctor(
    archive: Archive, key: str, path: list[int], to: Any
) -> None:
    document = json.loads((archive.root / key).read_text())
    archive.write(key, json.dumps(spoiled(document, path, to)).encode())
    try:
        found = archive.examine(profile="cz")
    finally:
        archive.restore()
    assert [problem for problem in found if problem.rule == FAILED] == []


BINARY = (
    breaks.MRC, breaks.STACK, breaks.MASK_MRC, breaks.MDOC, breaks.RAWTLT, breaks.ROWS, breaks.ORIENTED_ROWS, breaks.PHOTO,
    f"{breaks.RUN}Frames/TS_1_0.tif", f"{breaks.TOMOGRAM}manifest.ndjson", f"{breaks.SERIES}manifest.members/TS_1.zarr",
    breaks.TOMOGRAM_DOCUMENT, f"{breaks.ZARR}.zattrs",
)  # fmt: skip


@SHARED
@given(st.sampled_from(BINARY), st.integers(0, 1100), st.binary(max_size=24), st.booleans())
def test_files_that_hold_anything_never_stop_the_doctor(
    archive: Archive, key: str, offset: int, data: bytes, cut: bool
) -> None:
    raw = (archive.root / key).read_bytes()
    offset = min(offset, len(raw))
    archive.write(key, raw[:offset] + data + (b"" if cut else raw[offset + len(data) :]))
    try:
        found = archive.examine(profile="cz")
    finally:
        archive.restore()
    assert [problem for problem in found if problem.rule == FAILED] == []


def test_absurd_sizes_are_named_and_not_believed(archive: Archive) -> None:
    archive.patch(breaks.MRC, 0, (b"\xff\xff\xff\x00" * 3))
    archive.edit(f"{breaks.ZARR}0/.zarray", lambda d: d.update(shape=[2**30, 2**30, 2**30]))
    found = {problem.rule for problem in archive.examine("mrc.*", "zarr.*")}
    assert {"mrc.size", "mrc.shape", "zarr.shape"} <= found
