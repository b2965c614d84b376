"""Alignments of AreTomo and IMOD and CTF parameters against the readers of the portal, and files that are wrong."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cryoet_alignment.io.aretomo3 import AreTomo3ALN, AreTomo3CTF  # type: ignore[import-untyped]  # has none
from cryoet_alignment.io.cryoet_data_portal import Alignment  # type: ignore[import-untyped]
from cryoet_alignment.io.imod import ImodAlignment, ImodTILTCOM  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from tomotheca.errors import FormatError
from tomotheca.formats import aretomo, ctf, imod

Real = Callable[[str, str], Path]

HEAD = "# AreTomo Alignment / Priims bprmMn\n# RawSize = 100 90 {n}\n# NumPatches = 0\n{dark}# AlphaOffset = {alpha}\n# BetaOffset = 0.5\n"
TABLE = "# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT\n"


def aln(folder: Path, tilts: list[float], *, n: int = 5, dark: str = "", alpha: float = 0.0) -> Path:
    rows = "".join(f" {i + 1} 30.0 1.0 {i}.5 -2.0 1.0 1.0 1.0 0.0 {t:.2f}\n" for i, t in enumerate(tilts))
    path = folder / "a.aln"
    path.write_text(HEAD.format(n=n, dark=dark, alpha=alpha) + TABLE + rows)
    return path


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("cryoet-alignment", "test.aln"),
        ("cryoet-alignment", "test_thickness.aln"),
        ("alnfile", "global_no_local.aln"),
        ("alnfile", "global_and_local.aln"),
    ],
)
def test_aln_agrees_with_cryoet_alignment(real: Real, package: str, name: str) -> None:
    path = real(package, name)
    theirs, ours = AreTomo3ALN.from_file(path), aretomo.read(path)
    assert ours.size == theirs.RawSize
    assert ours.patches == theirs.NumPatches
    assert [(d.number, d.tilt) for d in ours.dark] == [(d.section_idx, d.angle) for d in theirs.DarkFrames]
    offsets = (theirs.AlphaOffset, theirs.BetaOffset, theirs.Thickness)
    assert (ours.alpha_offset, ours.beta_offset, ours.thickness) == offsets
    table = theirs.get_global_alignments()
    found = [ours.numbers, ours.rotations, ours.magnifications, *ours.shifts.T, ours.tilts]
    assert np.array_equal(np.stack(found, -1), table[:, [0, 1, 2, 3, 4, 9]])
    assert np.array_equal(ours.local, theirs.get_local_alignments().reshape(-1, 7))


@pytest.mark.parametrize("name", ["global_no_local.aln", "global_and_local.aln"])
def test_sections_and_geometry_agree_with_the_portals(real: Real, name: str) -> None:
    path = real("alnfile", name)
    theirs = Alignment.from_aretomo3(AreTomo3ALN.from_file(path), vol_size=(1, 1, 1))
    ours = aretomo.read(path)
    expected = theirs.per_section_alignment_parameters
    assert ours.places() == tuple(p.z_index for p in expected)
    assert np.allclose(ours.matrices, [p.in_plane_rotation for p in expected], atol=1e-12)
    assert np.array_equal(ours.shifts, [(p.x_offset, p.y_offset) for p in expected])
    assert ours.tilts.tolist() == [p.tilt_angle for p in expected]


def test_aretomo_and_imod_mean_the_same_by_the_same_numbers(real: Real, tmp_path: Path) -> None:
    """The portal's converter makes an IMOD alignment of AreTomo's: both readers must come to the same geometry."""
    source = real("alnfile", "global_no_local.aln")
    ours, path = aretomo.read(source), tmp_path / "a.xf"
    portal = Alignment.from_aretomo3(AreTomo3ALN.from_file(source), vol_size=(1, 1, 1))
    rows = portal.to_imod(ts_size=ours.size).xf.alignments
    path.write_text("".join(" ".join(repr(float(v)) for v in row) + "\n" for row in rows))
    inverse = imod.read_xf(path).inverse(path)
    assert np.allclose(inverse.matrices, ours.matrices, atol=1e-12)
    assert np.allclose(inverse.shifts, ours.shifts, atol=1e-9)
    assert np.allclose(inverse.rotations, ours.rotations, atol=1e-9)


def test_imods_inverse_agrees_with_the_portals(real: Real) -> None:
    """The portal transposes; a rotation's inverse is its transpose, to the digits of the file."""
    folder = real("cryoet-alignment", "convert/imod_1")
    theirs = Alignment.from_imod(ImodAlignment.read(base_name=str(folder / "tilt_1")), vol_size=(1, 1, 1))
    path = folder / "tilt_1.xf"
    inverse = imod.read_xf(path).inverse(path)
    kept = [p.z_index for p in theirs.per_section_alignment_parameters]
    expected = [p.in_plane_rotation for p in theirs.per_section_alignment_parameters]
    assert np.allclose(inverse.matrices[kept], expected, atol=2e-6)
    shifts = [(p.x_offset, p.y_offset) for p in theirs.per_section_alignment_parameters]
    assert np.allclose(inverse.shifts[kept], shifts, atol=1e-3)


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(0.9, 1.1), st.floats(-99, 99), st.floats(-99, 99)), min_size=1, max_size=5))  # fmt: skip
def test_the_inverse_takes_aligned_pixels_back(rows: list[tuple[float, float, float, float]]) -> None:
    angles = np.radians([r[0] for r in rows])
    matrices = np.stack([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    matrices *= np.array([r[1] for r in rows])[:, None, None]
    forward = imod.Transforms(matrices, np.array([r[2:] for r in rows]))
    back = forward.inverse(Path("a.xf"))
    raw = np.array([12.0, -7.0])
    aligned = forward.matrices @ raw + forward.shifts
    assert np.allclose(np.einsum("nij,nj->ni", back.matrices, aligned) + back.shifts, raw, atol=1e-9)


def test_a_transform_without_inverse_names_its_section(tmp_path: Path) -> None:
    path = tmp_path / "a.xf"
    path.write_text("1 0 0 1 0 0\n0 0 0 0 1 1\n")
    with pytest.raises(FormatError, match="section 2 has no inverse"):
        imod.read_xf(path).inverse(path)


def test_rows_are_found_by_their_tilt_whatever_the_order_of_the_stack(tmp_path: Path) -> None:
    found = aretomo.read(aln(tmp_path, [-28.0, 2.0, 32.0], alpha=2.0, dark="# DarkFrame = 0 0 -60.0\n"))
    assert found.places([0.0, -60.0, 30.01, -30.0, 60.0]) == (3, 0, 2)
    assert found.places([1.0, -1.0, 5.0], count=3) == (0, 1, 2)
    assert found.places([1.0, -1.0], count=2) is None


@pytest.mark.parametrize("first", [0, 1])
def test_without_angles_dark_frames_are_counted_from_0_or_1(tmp_path: Path, first: int) -> None:
    dark = f"# DarkFrame = {first} 0 -60.0\n# DarkFrame = {first + 4} 0 60.0\n"
    found = aretomo.read(aln(tmp_path, [-30.0, 0.0, 30.0], dark=dark))
    assert found.places() == (1, 2, 3)


def test_sections_that_do_not_add_up_have_no_place(tmp_path: Path) -> None:
    assert aretomo.read(aln(tmp_path, [-30.0, 0.0, 30.0])).places() is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 2 3\n", "does not begin with"),
        ("# AreTomo Alignment\n1 2 3\n", "line 2 has 3 values, 10 belong"),
        ("# AreTomo Alignment\n" + TABLE + "1 0 1 x 0 1 1 1 0 0\n", "line 3: 'x' is not a number"),
        ("# AreTomo Alignment\n" + TABLE + "1 0 1 nan 0 1 1 1 0 0\n", "line 3: 'nan' is not a number"),
        ("# AreTomo Alignment\n" + TABLE + "1 0 1 0 0 1 1 1 0 0\n", "no line '# RawSize"),
        ("# AreTomo Alignment\n# RawSize = 9 9 1e8\n" + TABLE + "1 0 1 0 0 1 1 1 0 0\n", "no line '# RawSize"),
        ("# AreTomo Alignment\n# RawSize = 9 9 2\n", "has no section"),
        ("# AreTomo Alignment\n# DarkFrame = 1\n", "a dark frame has three values"),
        ("# AreTomo Alignment\n" + TABLE + "1e300 0 1 0 0 1 1 1 0 0\n", "line 3 has a number beyond"),
    ],
)
def test_what_is_no_aln_gets_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.aln").write_text(text)
    with pytest.raises(FormatError, match=words):
        aretomo.read(tmp_path / "a.aln")


WORDS = st.sampled_from(["# RawSize = 9 9 3", "# DarkFrame = 1 0 2.5", "# AlphaOffset = 1", "# Local Alignment", "# X = ", "1 2 3", "0 0 1 2 3 4 1"])  # fmt: skip
ROW = st.lists(st.floats(-200, 200).map(str) | st.sampled_from(["1e300", "x", "-0"]), min_size=10, max_size=10).map(
    " ".join
)


@given(st.lists(WORDS | ROW, max_size=8), st.lists(st.floats(-90, 90), max_size=5))
def test_whatever_an_aln_says_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], angles: list[float]
) -> None:
    path = tmp_path_factory.mktemp("aln") / "a.aln"
    path.write_text("\n".join(["# AreTomo Alignment", *lines]))
    try:
        found = aretomo.read(path)
    except FormatError:
        return
    places = found.places(angles, count=len(angles))
    assert places is None or (len(set(places)) == len(found) and max(places) < len(angles))
    assert np.isfinite(found.matrices).all()


@given(
    st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=6, max_size=6), min_size=1, max_size=3)
)
def test_whatever_transforms_are_they_are_turned_round_or_refused(tmp_path_factory: pytest.TempPathFactory, rows: list[list[float]]) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("xf") / "a.xf"
    path.write_text("".join(" ".join(map(repr, row)) + "\n" for row in rows))
    try:
        found = imod.read_xf(path).inverse(path)
    except FormatError:
        return
    assert np.isfinite(found.shifts).all()


# --- command files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$tilt\nEXCLUDELIST2 1-3,7\nXAXISTILT -1.5\n", imod.TiltCom((0, 1, 2, 6), 0.0, -1.5)),
        ("EXCLUDELIST 2, 4 -5\nEXCLUDELIST2 9 10\nOFFSET 3.5\n", imod.TiltCom((1, 3, 4, 8, 9), 3.5)),
        ("THICKNESS 900\n", imod.TiltCom()),
    ],
)
def test_command_files(tmp_path: Path, text: str, expected: imod.TiltCom) -> None:
    (tmp_path / "tilt.com").write_text(text)
    assert imod.read_tilt_com(tmp_path / "tilt.com") == expected


@pytest.mark.parametrize("name", ["tilt.com", "convert/imod_1/tilt.com"])
def test_command_files_agree_with_cryoet_alignment(real: Real, name: str) -> None:
    path = real("cryoet-alignment", name)
    theirs, ours = ImodTILTCOM.from_file(path), imod.read_tilt_com(path)
    assert list(ours.excluded) == [view - 1 for view in theirs.EXCLUDELIST2 or ()]
    assert (ours.offset, ours.x_axis_tilt) == (theirs.OFFSET or 0.0, theirs.XAXISTILT or 0.0)


@pytest.mark.parametrize(
    "text", ["EXCLUDELIST 0", "EXCLUDELIST 3-1", "EXCLUDELIST2 x", "EXCLUDELIST2 1-999999", "OFFSET x"]
)
def test_a_command_file_that_is_wrong(tmp_path: Path, text: str) -> None:
    (tmp_path / "tilt.com").write_text(f"{text}\n")
    with pytest.raises(FormatError, match=r"neither a view nor a range|is not a number"):
        imod.read_tilt_com(tmp_path / "tilt.com")


# --- CTF ----------------------------------------------------------------------------------------------------------------


def parameters(folder: Path, text: str, form: str) -> list[tuple[object, ...]]:
    (folder / "ctf.txt").write_text(text)
    return [
        (c.z, c.major_defocus, c.minor_defocus, c.astigmatic_angle, c.phase_shift, c.cross_correlation, c.max_resolution)
        for c in ctf.read(folder / "ctf.txt", form)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["test_CTF.txt", "test_8col_CTF.txt"])
def test_aretomos_text_agrees_with_cryoet_alignment(real: Real, name: str) -> None:
    path = real("cryoet-alignment", name)
    rows = AreTomo3CTF.from_file(path).rows
    found = ctf.read(path, "CTFFIND")
    assert [c.z for c in found] == list(range(len(rows)))
    expected = [(r.df_max_a, r.df_min_a, r.azimuth_deg, r.phase_rad, r.score, r.res_a) for r in rows]
    assert [
        (c.major_defocus, c.minor_defocus, c.astigmatic_angle, c.phase_shift, c.cross_correlation, c.max_resolution)
        for c in found
    ] == expected


CTFFIND_5 = """# Output from CTFFind version 5.0.2, run on 2024-05-14 10:11:12
# Input file: a.mrc ; Number of micrographs: 2
# Pixel size: 1.350 Angstroms ; acceleration voltage: 300.0 keV ; spherical aberration: 2.70 mm ; amplitude contrast: 0.07
# Columns: #1 - micrograph number; #2 - defocus 1 [Angstroms]; #3 - defocus 2; #4 - azimuth of astigmatism; #5 - additional phase shift [radians]; #6 - cross correlation; #7 - spacing (in Angstroms) up to which CTF rings were fit successfully; #8 - Estimated tilt axis angle; #9 - Estimated tilt angle; #10 Estimated sample thickness (in Angstroms)
1.000000 23456.789062 22345.678900 -45.250000 1.570796 0.123456 5.432100 85.3 -3.1 1500.0
2.000000 24000.0 23000.0 10.0 0.000000 0.05 inf 85.3 0.0 1500.0
"""


def test_ctffind_5(tmp_path: Path) -> None:
    assert parameters(tmp_path, CTFFIND_5, "CTFFIND") == [
        (0, 23456.789062, 22345.6789, -45.25, 1.570796, 0.123456, 5.4321),
        (1, 24000.0, 23000.0, 10.0, 0.0, 0.05, None),
    ]


def test_gctfs_phase_shift_is_in_degrees(tmp_path: Path) -> None:
    seven = parameters(tmp_path, "# summary\n 2 21000 20000 12.5 90.0 0.11 6.5\n 1 22000 21000 -3 0 0.2 7\n", "Gctf")
    assert seven == [
        (0, 22000.0, 21000.0, -3.0, 0.0, 0.2, 7.0),
        (1, 21000.0, 20000.0, 12.5, math.pi / 2, 0.11, 6.5),
    ]
    assert parameters(tmp_path, "1 22000 21000 -3 0.2 7\n", "Gctf") == [(0, 22000.0, 21000.0, -3.0, None, 0.2, 7.0)]


DEFOCUS = [
    ("1 1 -60.0 -60.0 2400.5 2\n2 2 -57 -57 2380\n", [(0, 24005.0, 24005.0, 0.0, None), (1, 23800.0, 23800.0, 0.0, None)]),
    ("1 0 0. 0. 0. 3\n1 1 -60 -60 2400 2300 35.5\n", [(0, 24000.0, 23000.0, 35.5, None)]),
    ("3 0 0. 0. 0. 3\n1 1 -60 -60 2400 2300 0.5\n", [(0, 24000.0, 23000.0, math.degrees(0.5), None)]),
    ("5 0 0. 0. 0. 3\n1 1 -60 -60 2400 2300 10 90\n", [(0, 24000.0, 23000.0, 10.0, math.pi / 2)]),
    ("13 0 0. 0. 0. 3\n1 1 -60 -60 2400 2300 10 1.5\n", [(0, 24000.0, 23000.0, 10.0, 1.5)]),
    ("37 0 0. 0. 0. 3\n1 1 -60 -60 2400 2300 10 180 0.01\n", [(0, 24000.0, 23000.0, 10.0, math.pi)]),
    ("4 0 0. 0. 0. 3\n1 1 -60 -60 2400 90\n", [(0, 24000.0, 24000.0, 0.0, math.pi / 2)]),
    ("0 1 -60 -57 2400\n2 2 -54 -54 2300\n", [(0, 24000.0, 24000.0, 0.0, None), (1, 24000.0, 24000.0, 0.0, None), (2, 23000.0, 23000.0, 0.0, None)]),
    ("1 3 -60 -54 2400\n2 6 -57 -45 2300\n", [(z, d, d, 0.0, None) for z, d in enumerate([24000.0] * 3 + [23000.0] * 3)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), DEFOCUS)
def test_imods_flags_and_units(tmp_path: Path, text: str, expected: list[tuple[object, ...]]) -> None:
    found = parameters(tmp_path, text, "IMOD")
    assert [row[:5] for row in found] == [pytest.approx(row) if None not in row else row for row in expected]
    assert {row[5:] for row in found} == {(None, None)}


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("", "CTFFIND", "has no section"),
        ("# only a head\n", "Gctf", "has no section"),
        ("1 2 3\n", "CTFFIND", "line 1 has 3 values, at least 7"),
        ("1 2 3\n", "Gctf", "line 1 has 3 values, 6 or 7"),
        ("1 nan 3 4 5 6 7\n", "CTFFIND", "line 1: section, defocus and angle must be finite"),
        ("1 2 3 4 5 6 7\n1 2 3 4 5 6 7\n", "CTFFIND", "section 1 stands twice"),
        ("-5 2 3 4 5 6 7\n", "CTFFIND", "-5 is no number of a section"),
        ("9e8 2 3 4 5 6 7\n", "Gctf", "is no number of a section"),
        ("1 1 -60 -60 1e308\n", "IMOD", "must be finite numbers"),
        ("1 0 0 0 0 3\n1 1 -60 -60 2400\n", "IMOD", "line 2 has 5 values, 7 belong there for flags 1"),
        ("1 1 -60 -60 2400 2300 10\n", "IMOD", "7 values, 5 belong there for a file without flags"),
        ("1 99999999 -60 -60 2400\n", "IMOD", "are no range of views"),
        ("\0", "IMOD", "not a text file"),
    ],
)
def test_what_is_no_ctf_gets_a_sentence(tmp_path: Path, text: str, form: str, words: str) -> None:
    (tmp_path / "ctf.txt").write_text(text)
    with pytest.raises(FormatError, match=words):
        ctf.read(tmp_path / "ctf.txt", form)


@given(st.text(alphabet="0123456789. -+\nenaif#", max_size=120), st.sampled_from(ctf.FORMS))
def test_whatever_stands_there_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, form: str
) -> None:
    path = tmp_path_factory.mktemp("ctf") / "a.txt"
    path.write_text(text)
    try:
        found = ctf.read(path, form)
    except FormatError:
        return
    assert all(math.isfinite(c.major_defocus) and c.z >= 0 for c in found)


def test_a_text_file_that_is_far_too_large_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.xf").open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(FormatError, match="has more than 64 MiB"):
        imod.read_xf(tmp_path / "a.xf")
