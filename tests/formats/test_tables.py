from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import mdocfile  # type: ignore[import-untyped]  # has none
import numpy as np
import pytest
import starfile
from cryoet_alignment.io.imod import ImodTLT, ImodXF, ImodXTILT  # type: ignore[import-untyped]  # has none
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tomotheca.errors import FormatError
from tomotheca.formats import imod, mdoc, ndjson, points, rawtlt, relion, star
from tomotheca.formats.points import Options, Points
from tomotheca.formats.registry import READERS, read_points

Real = Callable[[str, str], Path]
numbers = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.mark.parametrize("name", ["tilt_series.mdoc", "frame_set_single.mdoc", "frame_set_multiple.mdoc"])
def test_mdoc_agrees_with_mdocfile(real: Real, name):
    path = real("mdocfile", name)
    table = mdocfile.read(path)
    document = mdoc.read(path)
    assert [section.tilt_angle for section in document.images] == table["TiltAngle"].tolist()
    assert [section.exposure_dose for section in document.images] == table["ExposureDose"].tolist()
    frames = [None if np.isnan(count) else count for count in table["NumSubFrames"]]
    assert [section.num_sub_frames for section in document.images] == frames
    names = [section.sub_frame_path for section in document.images]
    assert [str(given).replace("/", "\\") for given in table["SubFramePath"]] == [
        str(given).replace("/", "\\") for given in names
    ]


def test_mdoc_of_a_real_tilt_series(real: Real):
    document = mdoc.read(real("mdocfile", "tilt_series.mdoc"))
    first = document.images[0]
    assert document.tilt_axis == 85.3
    assert document.pixel_spacing == 5.4
    assert first.pixel_spacing == 5.4
    assert first.exposure_time == 0.8
    assert first.frame_name == "TS_01_000_0.0.mrc"
    assert first.date_time == datetime(2015, 11, 30, 15, 21, 38)
    assert (first.kind, first.number, first.line) == ("ZValue", 0, 10)


def test_mdoc_reads_its_own_text_again(real: Real, tmp_path):
    document = mdoc.read(real("mdocfile", "tilt_series.mdoc"))
    (tmp_path / "a.mdoc").write_text(mdoc.dumps(document))
    again = mdoc.read(tmp_path / "a.mdoc")
    assert again.values == document.values
    assert again.titles == document.titles
    assert [s.values for s in again.sections] == [s.values for s in document.sections]


def test_mdoc_without_a_title_takes_the_axis_from_the_rotation_angle(tmp_path):
    (tmp_path / "a.mdoc").write_bytes(b"Note = \xb5m\r\n[ZValue = 0]\r\nRotationAngle = 175.3\r\nNumSubFrames = x\r\n")
    document = mdoc.read(tmp_path / "a.mdoc")
    assert document.tilt_axis == pytest.approx(85.3)
    assert document.values["Note"] == "µm"
    assert document.images[0].num_sub_frames is None
    assert document.images[0].tilt_angle is None
    assert document.images[0].date_time is None


def test_montages_have_sections_that_are_no_images(real: Real):
    document = mdoc.read(real("mdocfile", "montage_section.mdoc"))
    assert {section.kind for section in document.sections} == {"ZValue", "MontSection"}
    assert {section.kind for section in document.images} == {"ZValue"}


@pytest.mark.parametrize(
    ("text", "message"),
    [("hello\n", "no .ZValue"), ("[ZValue = one]\n", "line 1: the section's number 'one'"), ("\0", "not a text file")],
)
def test_what_is_no_mdoc_gets_a_sentence(tmp_path, text, message):
    (tmp_path / "a.mdoc").write_text(text)
    with pytest.raises(FormatError, match=message):
        mdoc.read(tmp_path / "a.mdoc")


@given(st.lists(numbers, min_size=1, max_size=50))
def test_angles_read_back(tmp_path_factory, angles):
    path = tmp_path_factory.mktemp("tlt") / "a.rawtlt"
    rawtlt.write(path, angles)
    assert list(rawtlt.read(path)) == angles


def test_angles_name_the_line_that_is_wrong(tmp_path):
    (tmp_path / "a.rawtlt").write_text("# angles\n 1.0\n\n2,0\n")
    with pytest.raises(FormatError, match=r"line 4: '2,0' is not a number"):
        rawtlt.read(tmp_path / "a.rawtlt")
    (tmp_path / "a.rawtlt").write_text("1.0 2.0\n")
    with pytest.raises(FormatError, match=r"line 1 has 2 values, 1 belong"):
        rawtlt.read(tmp_path / "a.rawtlt")
    (tmp_path / "a.rawtlt").write_text("\n")
    with pytest.raises(FormatError, match="has no numbers"):
        rawtlt.read(tmp_path / "a.rawtlt")


def test_imod_agrees_with_cryoet_alignment(real: Real):
    folder = "convert/imod_1"
    xf = ImodXF.from_file(real("cryoet-alignment", f"{folder}/tilt_1.xf"))
    transforms = imod.read_xf(real("cryoet-alignment", f"{folder}/tilt_1.xf"))
    found = np.concatenate([transforms.matrices.reshape(-1, 4), transforms.shifts], axis=1)
    assert found.tolist() == [list(row) for row in xf.alignments]
    assert transforms.rotations[0] == pytest.approx(100.448, abs=1e-3)
    tlt = ImodTLT.from_file(real("cryoet-alignment", f"{folder}/tilt_1.tlt"))
    assert list(imod.read_tlt(real("cryoet-alignment", f"{folder}/tilt_1.tlt"))) == tlt.angles
    xtilt = ImodXTILT.from_file(real("cryoet-alignment", f"{folder}/tilt_1.xtilt"))
    assert list(imod.read_xtilt(real("cryoet-alignment", f"{folder}/tilt_1.xtilt"))) == xtilt.angles


rows = st.lists(st.tuples(*[st.floats(-9, 9)] * 4, *[st.floats(-9999, 9999)] * 2), min_size=1, max_size=9)


@given(rows)
def test_transforms_read_back_to_imods_digits(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("xf") / "a.xf"
    values = np.array(table)
    imod.write_xf(path, imod.Transforms(values[:, :4].reshape(-1, 2, 2), values[:, 4:]))
    again = imod.read_xf(path)
    np.testing.assert_allclose(again.matrices.reshape(-1, 4), values[:, :4], atol=5.1e-8)
    np.testing.assert_allclose(again.shifts, values[:, 4:], atol=5.1e-4)


STARS = [
    "one_loop.star",
    "postprocess.star",
    "rln3.1_data_style.star",
    "loop_single_quote.star",
    "basic_double_quote.star",
    "default_pipeline.star",
]


@pytest.mark.parametrize("name", STARS)
def test_star_agrees_with_starfile(real: Real, name):
    check_star(real("starfile", name))


def test_star_of_relion_4_agrees_with_starfile(real: Real):
    check_star(real("cryoet-alignment", "relion/matching_tomograms.star"))


def check_star(path: Path) -> None:
    expected = starfile.read(path, always_dict=True, parse_as_string=[])
    tables = star.read(path)
    assert [table.name for table in tables] == list(expected)
    for table, (_, block) in zip(tables, expected.items(), strict=True):
        values = block.to_dict("list") if hasattr(block, "to_dict") else {key: [value] for key, value in block.items()}
        assert list(table.columns) == list(values)
        for column, cells in values.items():
            if all(isinstance(value, (int, float)) and not np.isnan(value) for value in cells):
                np.testing.assert_allclose(table.floats(column), cells)
            else:
                # starfile turns empty strings into NaN and numbers among words into numbers.
                assert [word.removesuffix(".0") for word in table.texts(column)] == [
                    "" if isinstance(value, float) and np.isnan(value) else str(value).removesuffix(".0")
                    for value in cells
                ]


words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), max_size=9).filter(
    lambda word: not ("'" in word and '"' in word)
)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True)


@given(data=st.data(), is_loop=st.booleans())
def test_star_reads_back(tmp_path_factory, data, is_loop):
    path = tmp_path_factory.mktemp("star") / "a.star"
    columns = data.draw(st.lists(names, min_size=1, max_size=4, unique=True))
    row = st.lists(words, min_size=len(columns), max_size=len(columns))
    table = star.Table(
        "a", tuple(columns), data.draw(st.lists(row, min_size=1, max_size=3 if is_loop else 1)), is_loop=is_loop
    )
    star.write(path, [table, table])
    for again in star.read(path):
        assert (again.name, again.columns, again.rows) == (table.name, table.columns, table.rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no data_ block"),
        ("_a 1\n", "line 1: '_a' stands before"),
        ("data_\nloop_\n_a\n_b\n1 2 3\n", "line 5: the row has 3 values, 2 belong"),
        ("data_\nloop_\n_a\n_b\n1 2\n3\n", "line 6: the row has 1 values, 2 belong"),
        ("data_\n_a 1 2\n", "line 2: '_a 1 2' is no pair"),
        ("data_\nloop_\n1\n", "line 3: the loop has values and no names"),
    ],
)
def test_what_is_no_star_file_gets_a_sentence(tmp_path, text, message):
    (tmp_path / "a.star").write_text(text)
    with pytest.raises(FormatError, match=message):
        star.read(tmp_path / "a.star")


def test_star_takes_semicolons_comments_and_rows_over_lines(tmp_path):
    (tmp_path / "a.star").write_text("# c\ndata_x # c\nloop_\n_a #1\n_b #2\n1\n;two\nlines\n;\n3 4 # c\nloop_\n_c\n5\n")
    one, two = star.read(tmp_path / "a.star")
    assert one.rows == [["1", "two\nlines"], ["3", "4"]]
    assert (two.name, two.rows) == ("x", [["5"]])
    with pytest.raises(FormatError, match="line 7: 'two"):
        one.floats("b")
    with pytest.raises(FormatError, match="no column _z"):
        one.texts("z")


@given(st.lists(st.tuples(*[st.floats(-180, 180)] * 3), min_size=1, max_size=9))
def test_relion_angles_are_the_inverse_zyz_rotation(angles):
    expected = Rotation.from_euler("ZYZ", np.array(angles), degrees=True).inv().as_matrix()
    np.testing.assert_allclose(relion.euler_to_matrices(np.array(angles)), expected, atol=1e-12)


RELION_4 = """
data_optics

loop_
_rlnOpticsGroup #1
_rlnImagePixelSize #2
1 2.0
2 4.0

data_particles

loop_
_rlnTomoName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnCoordinateZ #4
_rlnOriginXAngst #5
_rlnOriginYAngst #6
_rlnOriginZAngst #7
_rlnAngleRot #8
_rlnAngleTilt #9
_rlnAnglePsi #10
_rlnOpticsGroup #11
TS_1 10 20 30 2 4 6 0 0 0 1
TS_1 10 20 30 2 4 6 90 0 0 2
tomograms/TS_2 1 2 3 0 0 0 0 90 0 1
"""

RELION_3 = """
data_

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnCoordinateZ #4
_rlnOriginX #5
_rlnOriginY #6
_rlnOriginZ #7
TS_1.mrc 10 20 30 1 2 3
"""


def test_relion_4_subtracts_origins_in_angstrom(tmp_path):
    (tmp_path / "a.star").write_text(RELION_4)
    found = read_points(tmp_path / "a.star", "relion4_star", Options(filter_value="TS_1", binning=2))
    assert found.locations.tolist() == [[4.5, 9, 13.5], [4.75, 9.5, 14.25]]
    assert found.rotations is not None
    np.testing.assert_allclose(found.rotations[1], [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], atol=1e-12)
    assert len(read_points(tmp_path / "a.star", "relion4_star", Options(filter_value="TS_2"))) == 1
    assert len(read_points(tmp_path / "a.star", "relion4_star", Options(filter_value="none"))) == 0
    assert len(read_points(tmp_path / "a.star", "relion4_star")) == 3


def test_relion_3_subtracts_origins_in_pixels(tmp_path):
    (tmp_path / "a.star").write_text(RELION_3)
    found = read_points(tmp_path / "a.star", "relion3_star", Options(filter_value="TS_1.mrc", order="zyx"))
    assert found.locations.tolist() == [[27, 18, 9]]
    assert found.rotations is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RELION_4.replace("_rlnImagePixelSize", "_rlnOther"), "no _rlnImagePixelSize"),
        (RELION_4.replace("2 4.0", "3 4.0"), "names the optics group 2"),
        (RELION_4.replace("_rlnCoordinateX", "_rlnOther"), "no data block with _rlnCoordinateX"),
        (RELION_4.replace("TS_1 10", "TS_1 ten"), "line 24: 'ten' is not a number"),
        (RELION_4.replace("_rlnOpticsGroup #11", "_rlnOther #11"), "several optics groups"),
    ],
)
def test_particles_that_cannot_be_placed_get_a_sentence(tmp_path, text, message):
    (tmp_path / "a.star").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_points(tmp_path / "a.star", "relion4_star")


@pytest.mark.parametrize(
    ("text", "file_format", "options"),
    [
        ("1,2,3\n4,5,6\n", "csv", Options()),
        ("1;2;3;9\n4;5;6;9\n", "csv", Options()),
        ("1\t2\t3\n4\t5\t6\n", "tsv", Options()),
        (" 1   2  3\n\n# c\n 4   5  6\n", "csv", Options()),
        ('"x","y","z"\r\n"1","2","3"\r\n4,5,6\r\n', "csv_with_header", Options()),
        ("z,y,x\n3,2,1\n6,5,4\n", "csv_with_header", Options(order="zyx")),
        ("2|4|6\n8|10|12\n", "csv", Options(delimiter="|", binning=2)),
        ("1 2 3\n4 5 6\n", "csv", Options(delimiter=" ")),
    ],
)
def test_points_are_the_first_three_columns(tmp_path, text, file_format, options):
    (tmp_path / "a.csv").write_text(text)
    assert read_points(tmp_path / "a.csv", file_format, options).locations.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y,z\n1,2,3\n", "line 1 is a header: give the file format csv_with_header"),
        ("1,2,3\n4,5\n", "line 2 has 2 columns"),
        ("1,2,3\n4,five,6\n", "line 2: 'five' is not a number"),
        ("1,2,nan\n", "line 1: 'nan' is not a number"),
    ],
)
def test_points_that_are_none_name_the_line(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_points(tmp_path / "a.csv", "csv")


def test_a_table_without_rows_has_no_points(tmp_path):
    (tmp_path / "a.csv").write_text("x,y,z\n")
    assert points.read_csv_with_header(tmp_path / "a.csv", Options()).locations.shape == (0, 3)


def test_unknown_formats_name_the_known(tmp_path):
    with pytest.raises(FormatError, match=f"known are {', '.join(READERS['Point'])}"):
        read_points(tmp_path / "a", "xls")


@given(data=st.data(), row_type=st.sampled_from(["point", "orientedPoint", "instancePoint"]))
def test_annotation_rows_read_back(tmp_path_factory, data, row_type):
    path = tmp_path_factory.mktemp("ndjson") / "a.ndjson"
    count = data.draw(st.integers(0, 5))
    draw = np.random.default_rng(data.draw(st.integers(0, 99))).normal
    given_points = Points(draw(size=(count, 3)) * 1000, draw(size=(count, 3, 3)), np.arange(count))
    member = ndjson.write(path, given_points, row_type=row_type)
    assert member.size == path.stat().st_size
    again = ndjson.read(path)
    np.testing.assert_array_equal(again.locations, given_points.locations)
    if count and row_type == "orientedPoint":
        np.testing.assert_array_equal(again.rotations, given_points.rotations)
    if count and row_type == "instancePoint":
        np.testing.assert_array_equal(again.ids, given_points.ids)
    assert (again.rotations is None) == (not count or row_type != "orientedPoint")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "line 2 is no row"),
        ('{"type": "circle", "location": {"x": 1, "y": 2, "z": 3}}', "line 2 has the type 'circle'"),
        ('{"type": "point", "location": {"x": 1, "y": 2}}', "line 2 is no row of an annotation: KeyError"),
        ('{"type": "orientedPoint", "location": {"x": 1, "y": 2, "z": 3}, "xyz_rotation_matrix": [1]}', "line 2"),
    ],
)
def test_rows_that_are_none_name_the_line(tmp_path, line, message):
    (tmp_path / "a.ndjson").write_text('{"type": "point", "location": {"x": 1, "y": 2, "z": 3}}\n' + line + "\n")
    with pytest.raises(FormatError, match=message):
        ndjson.read(tmp_path / "a.ndjson")


@pytest.mark.parametrize("row_type", ["orientedPoint", "instancePoint"])
def test_rows_that_lack_something_are_not_written(tmp_path, row_type):
    with pytest.raises(FormatError, match="the source has none"):
        ndjson.write(tmp_path / "a.ndjson", Points(np.zeros((1, 3))), row_type=row_type)
