"""Points from tables, TARDIS, copick, motive lists and tables with numbers, and what is wrong with broken ones."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats import picks

from tomotheca.errors import FormatError
from tomotheca.formats import ndjson, star
from tomotheca.formats.points import Options, Points
from tomotheca.formats.registry import READERS, read_points
from tomotheca.formats.starcolumns import Wanted, read_columns
from tomotheca.formats.text import BLOCK, LONGEST_LINE, read_blocks, read_text

ROW = "1,2,3\n"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("id,z,y,x\n9,3,2,1\n", Options()),
        ("id,z,y,x\n9,3,2,1\n", Options(order="zyx")),
        ("x,y,z\n3,2,1\n", Options(order="zyx")),
        ("score;X [px];Y [px];Z [px]\n0.5;1;2;3\n", Options()),
        ("Pos_X\tPos_Y\tPos_Z\n1\t2\t3\n", Options()),
        ("index,axis-0,axis-1,axis-2\n0,3,2,1\n", Options()),
        ("_rlnCoordinateX _rlnCoordinateY _rlnCoordinateZ\n1 2 3\n", Options()),
        ('"x-coordinate","y-coordinate","z-coordinate","note"\n1,2,3,"a, b"\n', Options()),
        ("centre_x,centre_y,centre_z\n1,2,3\n", Options()),
        ("a,b,c\n1,2,3\n", Options()),
        ("x,y,section\n1,2,3\n", Options()),
        ("score|x|y|z\n1|1|2|3\n", Options(delimiter="|")),
    ],
)
def test_columns_are_found_by_their_names(tmp_path: Path, text: str, options: Options) -> None:
    path = picks.write(tmp_path / "a.csv", text)
    assert read_points(path, "csv_with_header", options).locations.tolist() == [[1, 2, 3]]


def test_names_that_are_not_complete(tmp_path: Path) -> None:
    path = picks.write(tmp_path / "a.csv", "id,x,y,plane\n1,2,3,4\n")
    with pytest.raises(FormatError, match="line 1 names x and y and no z"):
        read_points(path, "csv_with_header")


@pytest.mark.parametrize("unit", ["", " [A]", " (Å)"])
def test_tardis(tmp_path: Path, unit: str) -> None:
    path = picks.write(tmp_path / "a.csv", f"IDs,X{unit},Y{unit},Z{unit}\n0,10,20,30\n0.0,20,20,30\n7,1,2,3\n")
    found = read_points(path, "tardis", Options(spacing=10), shape="InstanceSegmentation")
    assert found.locations[0].tolist() == ([1, 2, 3] if unit else [10, 20, 30])
    assert found.ids is not None
    assert found.ids.tolist() == [0, 0, 7]
    assert found.instances == 2
    binned = read_points(path, "tardis", Options(spacing=10, binning=5), shape="InstanceSegmentation")
    assert binned.locations[0].tolist() == [2, 4, 6]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("X,Y,Z\n1,2,3\n", "line 1 is no header with IDs, X, Y and Z"),
        ("IDs,X,Y,Z\n1.5,2,3,4\n", "line 2 has the instance 1.5"),
        ("IDs,X,Y,Z\n1,2,3\n", "line 2 has 3 columns, 4 are needed"),
        ("IDs,X,Y,Z\n1,2,three,4\n", "line 2: 'three' is not a number"),
    ],
)
def test_what_is_not_of_tardis(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_points(picks.write(tmp_path / "a.csv", text), "tardis", shape="InstanceSegmentation")


def copick(tmp_path: Path, *points: Any, **more: Any) -> Path:
    return picks.write(tmp_path / "a.json", json.dumps({"unit": "angstrom", "points": list(points), **more}))


PICK = {"location": {"x": 10, "y": 20, "z": 30}}


def test_instances_of_copick(tmp_path: Path) -> None:
    path = copick(tmp_path, {**PICK, "instance_id": 4}, {**PICK, "instance_id": 4}, PICK)
    found = read_points(path, "copick", Options(spacing=10), shape="InstanceSegmentation")
    assert found.ids is not None
    assert found.ids.tolist() == [4, 4, 0]
    found = read_points(copick(tmp_path, PICK, PICK), "copick", Options(spacing=10), shape="InstanceSegmentation")
    assert found.ids is not None
    assert found.ids.tolist() == [1, 2]
    assert found.locations.tolist() == [[1, 2, 3]] * 2


def test_rotations_that_mean_nothing_are_not_kept(tmp_path: Path) -> None:
    assert read_points(copick(tmp_path, PICK, trust_orientation=False), "copick", Options(spacing=1)).rotations is None
    assert read_points(copick(tmp_path, PICK), "copick", Options(spacing=1)).rotations is not None
    assert len(read_points(copick(tmp_path), "copick", Options(spacing=1))) == 0


@pytest.mark.parametrize(
    ("points", "more", "words"),
    [
        ([{}], {}, "point 1 has no location with x, y and z"),
        ([PICK, {"location": {"x": 1, "y": None, "z": 3}}], {}, "point 2 has a location that is not all finite"),
        ([{**PICK, "transformation_": [[1, 0], [0, 1]]}], {}, "point 1 has a transformation_ of 4 x 4"),
        ([{**PICK, "instance_id": "one"}], {}, "point 1 has the instance_id one"),
        ([PICK], {"unit": "nanometre"}, "only angstrom is read"),
        ([PICK], {"points": {"a": 1}}, "points that are no list"),
    ],
)
def test_what_is_not_of_copick(tmp_path: Path, points: list[Any], more: dict[str, Any], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_points(copick(tmp_path, *points, **more), "copick", Options(spacing=1))


def test_json_that_is_none_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is no JSON"):
        read_points(picks.write(tmp_path / "a.json", "{"), "copick")
    with pytest.raises(FormatError, match="has no points"):
        read_points(picks.write(tmp_path / "a.json", "[]"), "copick")
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(FormatError, match="has 16384 MiB, more than 128 MiB are not read"):
        read_points(path, "copick")


@pytest.mark.parametrize("file_format", picks.FILTERS)
def test_tomograms_with_numbers(tmp_path: Path, file_format: str) -> None:
    place, turn = np.array([1.0, 2, 3]), np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])
    text = picks.ORIENTED[file_format](place, turn)
    row = text.rstrip().split("\n")[-1]
    words = row.split(" ")
    words[1 if file_format == "stopgap_star" else 19] = "2"
    path = picks.write(tmp_path / "a", f"{text.rstrip()}\n{' '.join(words)}\n")
    assert len(read_points(path, file_format, Options(filter_value="2"))) == 1
    assert len(read_points(path, file_format, Options(filter_value="02.0"))) == 1
    assert len(read_points(path, file_format, Options(filter_value="3"))) == 0
    with pytest.raises(FormatError, match=r"rows of 2 tomograms .1, 2 ....: say which one's with filter_value"):
        read_points(path, file_format)
    with pytest.raises(FormatError, match="filter_value is 'TS_1': give a number"):
        read_points(path, file_format, Options(filter_value="TS_1"))


def test_relion_5_needs_to_know_the_tomogram(tmp_path: Path) -> None:
    path = picks.write(tmp_path / "a.star", picks.loop("", dict.fromkeys(picks.CENTRED, 0)))
    with pytest.raises(FormatError, match="give the voxel spacing as binning"):
        read_points(path, "relion5_star", Options(size=(1, 2, 3)))
    with pytest.raises(FormatError, match="whose size is not known"):
        read_points(path, "relion5_star", Options(spacing=10))
    with pytest.raises(FormatError, match="give the file format relion5_star"):
        read_points(path, "relion4_star")
    path = picks.write(tmp_path / "b.star", picks.loop("", dict.fromkeys(picks.COORDINATES, 0)))
    with pytest.raises(FormatError, match="give the file format relion4_star"):
        read_points(path, "relion5_star", Options(spacing=10, size=(1, 2, 3)))


BROKEN: dict[str, tuple[str, str]] = {
    "csv": (ROW, "1,2\n"),
    "csv_with_header": (f"x,y,z\n{ROW}", "1,2\n"),
    "tsv": ("1\t2\t3\n", "1\t2\n"),
    "dynamo_tbl": (picks.dynamo(np.ones(3), np.eye(3)[[1, 2, 0]]), "1 2 3\n"),
    "stopgap_star": (picks.stopgap(np.ones(3), np.eye(3)[[1, 2, 0]]).rstrip() + "\n", "1 2 3\n"),
    "relion3_star": (picks.relion3(np.ones(3), np.eye(3)).rstrip() + "\n", "1 2 3\n"),
    "relion4_star": (picks.relion4(np.ones(3), np.eye(3)).rstrip() + "\n", "1 2 3\n"),
    "tomoman_relion_star": (picks.tomoman(np.ones(3), np.eye(3)).rstrip() + "\n", "1 2 3\n"),
}
"""A good file with a line break at its end, and a line that is too short."""


@pytest.mark.parametrize("file_format", BROKEN)
def test_a_ragged_line_is_named(tmp_path: Path, file_format: str) -> None:
    good, short = BROKEN[file_format]
    path = picks.write(tmp_path / "a", good + short)
    number = good.count("\n") + 1
    with pytest.raises(FormatError, match=rf"line {number}\b"):
        read_points(path, file_format, Options(spacing=1, size=(1, 1, 1)))


@pytest.mark.parametrize("word", ["nan", "inf", "1_0", "0x10", "µ", "1e999", "'"])
@pytest.mark.parametrize("file_format", BROKEN)
def test_a_word_that_is_no_number_is_named(tmp_path: Path, file_format: str, word: str) -> None:
    good, _ = BROKEN[file_format]
    last = good.rstrip().split("\n")[-1]
    mark = "," if "," in last else "\t" if "\t" in last else " "
    words = last.split(mark)
    place = {"csv": 1, "csv_with_header": 1, "tsv": 1, "dynamo_tbl": 24, "stopgap_star": 4}.get(file_format, 2)
    bad = [*words[:place], word, *words[place + 1 :]]
    path = picks.write(tmp_path / "a", f"{good}{mark.join(bad)}\n".encode("latin-1"))
    with pytest.raises(FormatError, match=rf"line {good.count(chr(10)) + 1}: .* is not a number"):
        read_points(path, file_format, Options(spacing=1, size=(1, 1, 1)))


def test_numbers_beyond_any_tomogram_are_refused(tmp_path: Path) -> None:
    path = picks.write(tmp_path / "a.csv", "1e308,2,3\n")
    with pytest.raises(FormatError, match="too large to be places"):
        read_points(path, "csv", Options(binning=1e-9))


DAMAGE = [
    b"\xff",
    b"'",
    b'"',
    b"#",
    b"\n;",
    b"\n",
    b"\r",
    b" ",
    b",",
    b"nan",
    b"1e400",
    b"data_",
    b"loop_",
    b"_x",
    b"[",
    b"{",
    b"null",
]
WRITTEN = {**BROKEN, "tardis": ("IDs,X,Y,Z\n1,2,3,4\n", ""), "copick": (picks.copick(np.ones(3), np.eye(3)), "")}


@given(data=st.data(), file_format=st.sampled_from(sorted(WRITTEN)))
def test_damage_never_does_more_than_raise(
    tmp_path_factory: pytest.TempPathFactory, data: Any, file_format: str
) -> None:
    content = WRITTEN[file_format][0].encode()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content = content[:start] + data.draw(st.sampled_from(DAMAGE)) + content[start + data.draw(st.integers(0, 9)) :]
    path = tmp_path_factory.mktemp("damage") / "a"
    path.write_bytes(content)
    shape = "InstanceSegmentation" if file_format == "tardis" else "Point"
    try:
        found = len(read_points(path, file_format, Options(spacing=10, size=(9, 9, 9)), shape=shape))
    except FormatError:
        found = 0
    assert found < 10


def test_names_in_a_star_file_open_nothing(tmp_path: Path) -> None:
    secret = picks.write(tmp_path / "secret", "1")
    text = picks.relion4(np.ones(3), np.eye(3)).replace("TS_1", f"../../{secret}")
    found = read_points(picks.write(tmp_path / "a.star", text), "relion4_star", Options(filter_value="secret"))
    assert found.locations.tolist() == [[1, 1, 1]]


TEXT_FORMATS = sorted({*READERS["Point"], "tardis"} - {"mod", "copick", "cets"})


@pytest.mark.parametrize("file_format", TEXT_FORMATS)
def test_a_line_without_end_is_refused_in_little_memory(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(1 << 30)
        file.write(b"data_\nloop_\n_rlnCoordinateX #1\n" if file_format.endswith("star") else b"IDs,X,Y,Z\n1,2,")
    shape = "InstanceSegmentation" if file_format == "tardis" else "Point"
    with pytest.raises(FormatError, match="is not a text file"):
        read_points(path, file_format, shape=shape)
    with path.open("wb") as file:
        for _ in range(1 << 6):
            file.write(b"1" * (1 << 18))
    with pytest.raises(FormatError, match=r"line 1 is longer than \d+ characters"):
        read_points(path, file_format, shape=shape)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=9), max_size=20), st.data())
def test_text_comes_in_pieces_as_it_is(tmp_path_factory: pytest.TempPathFactory, lines: list[str], data: Any) -> None:
    path = tmp_path_factory.mktemp("text") / "a"
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    path.write_bytes(end.join(lines).encode("utf-8-sig"))
    found = [line for _, piece in read_blocks(path) for line in piece]
    assert "\n".join(found).rstrip("\n") == read_text(path).rstrip("\n")


def test_pieces_know_their_lines(tmp_path: Path) -> None:
    lines = [f"{number} " + "x" * (number % 97) for number in range(1, 60_000)]
    path = picks.write(tmp_path / "a", "\r\n".join(lines))
    assert path.stat().st_size > 2 * BLOCK
    pieces = list(read_blocks(path))
    assert len(pieces) > 2
    for first, piece in pieces:
        assert piece[0].startswith(f"{first} ")
    assert [line for _, piece in pieces for line in piece] == lines


def test_quotes_without_end_take_no_time(tmp_path: Path) -> None:
    line = " 'a" * (LONGEST_LINE // 3 - 9)
    path = picks.write(tmp_path / "a.star", f"data_\nloop_\n_a\n_b\n{line}\n")
    with pytest.raises(FormatError, match="line 5: the row has"):
        star.read(path)
    with pytest.raises(FormatError, match="the text after the semicolon does not end"):
        star.read(picks.write(tmp_path / "b.star", "data_\nloop_\n_a\n;text\nmore\n"))


def test_columns_and_rows_of_a_star_file_agree(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(size=(40_000, 2)).round(5)
    rows = "".join(
        f"TS_{i % 3} {x} {'  ' * (i % 5)}{y}{' # c' if i % 7 == 0 else ''}\n" for i, (x, y) in enumerate(values)
    )
    path = picks.write(tmp_path / "a.star", f"data_a\n\nloop_\n_name #1\n_x #2\n_y #3\n{rows}\ndata_b\n_x 1\n")
    assert path.stat().st_size > BLOCK
    one, two = read_columns(path, Wanted(frozenset({"x", "y", "z"}), frozenset({"name"})))
    table = star.read(path)[0]
    np.testing.assert_array_equal(one.vectors(("x", "y")), values)
    np.testing.assert_array_equal(table.floats("x"), values[:, 0])
    assert [one.words["name"].values[code] for code in one.words["name"].codes] == table.texts("name")
    assert table.lines[0] == 7
    assert table.lines[-1] == 40_006
    assert two.floats("x").tolist() == [1]
    with pytest.raises(FormatError, match="data_a has no column _z"):
        one.floats("z")


MANY = """
import resource, sys
from pathlib import Path
from tomotheca.formats import ndjson
from tomotheca.formats.points import Options
from tomotheca.formats.registry import read_points
points = read_points(Path(sys.argv[1]), "relion4_star", Options(filter_value="TS_1"), shape="OrientedPoint")
ndjson.write(Path(sys.argv[2]), points, row_type="orientedPoint")
print(len(points), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


def test_memory_is_that_of_the_numbers(tmp_path: Path) -> None:
    """Two hundred thousand particles are 20 MB of text; as words in lists they would be more than 200 MB."""
    head, row = picks.relion4(np.ones(3), np.eye(3)).rstrip().rsplit("\n", 1)
    count = 200_000
    path = picks.write(tmp_path / "a.star", f"{head}\n" + f"{row}\n" * count)
    code = [sys.executable, "-c", MANY, str(path), str(tmp_path / "a.ndjson")]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    found, mebibytes = map(int, done.stdout.split())
    assert found == count
    empty = subprocess.run(
        [*code[:2], MANY, str(picks.write(tmp_path / "b.star", f"{head}\n{row}\n")), str(tmp_path / "b.ndjson")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert mebibytes - int(empty.stdout.split()[1]) < 150


def test_rows_of_different_types_are_read_one_by_one(tmp_path: Path) -> None:
    lines = [
        '{"type":"point","location":{"x":1,"y":2,"z":3}}',
        "",
        '{"type":"instancePoint","location":{"x":4,"y":5,"z":6},"instance_id":7}',
    ]
    path = picks.write(tmp_path / "a.ndjson", "\n".join(lines))
    found = ndjson.read(path)
    assert found.locations.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.ids is None
    assert [row.type for row in ndjson.rows(path)] == ["point", "instancePoint"]


@pytest.mark.parametrize("row_type", ["point", "orientedPoint", "instancePoint"])
def test_rows_are_what_json_writes(tmp_path: Path, row_type: Any) -> None:
    generator = np.random.default_rng(2)
    count = 40_000
    points = Points(
        np.concatenate([generator.normal(size=(count - 2, 3)), [[0, -0.0, 1e-300], [1e300, 5, 1e16]]]),
        generator.normal(size=(count, 3, 3)),
        generator.integers(0, 1 << 40, count),
    )
    member = ndjson.write(tmp_path / "a", points, row_type=row_type)
    lines = (tmp_path / "a").read_bytes().splitlines(keepends=True)
    assert len(lines) == count
    assert member.size == sum(map(len, lines))
    assert points.rotations is not None
    assert points.ids is not None
    for index in (0, 1, 16383, 16384, count - 2, count - 1):
        x, y, z = points.locations[index].tolist()
        expected: dict[str, Any] = {"type": row_type, "location": {"x": x, "y": y, "z": z}}
        if row_type == "orientedPoint":
            expected["xyz_rotation_matrix"] = points.rotations[index].tolist()
        if row_type == "instancePoint":
            expected["instance_id"] = points.ids[index].item()
        assert json.loads(lines[index]) == expected
        assert list(json.loads(lines[index])) == list(expected)
    again = ndjson.read(tmp_path / "a")
    np.testing.assert_array_equal(again.locations, points.locations)


def test_numbers_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="not finite"):
        ndjson.write(tmp_path / "a", Points(np.array([[1, np.nan, 3]])), row_type="point")
    assert ndjson.write(tmp_path / "a", Points(np.empty((0, 3))), row_type="point").size == 0
