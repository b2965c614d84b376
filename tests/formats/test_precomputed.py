"""Precomputed annotations, read back by a reader of their own that knows the published format and nothing of the writer."""

import gzip
import hashlib
import json
import struct
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tomotheca.errors import FormatError
from tomotheca.formats import precomputed
from tomotheca.formats.points import Points

SHAPE = (60, 200, 240)
"""Voxels, z, y, x."""

FRAME = precomputed.Frame(7.5, SHAPE)


def morton(cell: tuple[int, ...], shape: list[int]) -> int:
    """Compressed Morton code, bit by bit as the format's documentation defines it."""
    code = place = 0
    for bit in range(32):
        for coordinate, count in zip(cell, shape, strict=True):
            if 2**bit < count:
                code |= ((coordinate >> bit) & 1) << place
                place += 1
    return code


@dataclass
class Shard:
    """A sharded index of one shard."""

    data: bytes
    sharding: dict[str, Any]

    def __post_init__(self) -> None:
        said = self.sharding
        assert said["@type"] == "neuroglancer_uint64_sharded_v1"
        assert (said["hash"], said["shard_bits"], said["data_encoding"]) == ("identity", 0, "raw")

    def keys(self) -> list[int]:
        return [key for number in range(2 ** self.sharding["minishard_bits"]) for key in self.minishard(number)]

    def minishard(self, number: int) -> dict[int, tuple[int, int]]:
        """Where each value of a minishard lies."""
        behind = 16 * 2 ** self.sharding["minishard_bits"]
        begin, end = struct.unpack_from("<QQ", self.data, 16 * number)
        if begin == end:
            return {}
        assert self.sharding["minishard_index_encoding"] == "gzip"
        words = struct.iter_unpack("<Q", gzip.decompress(self.data[behind + begin : behind + end]))
        values = [word for (word,) in words]
        count = len(values) // 3
        found, key, place = {}, 0, behind
        for i in range(count):
            key += values[i]
            place += values[count + i]
            found[key] = place, values[2 * count + i]
            place += values[2 * count + i]
        return found

    def get(self, key: int) -> bytes | None:
        number = (key >> self.sharding["preshift_bits"]) % 2 ** self.sharding["minishard_bits"]
        place, size = self.minishard(number).get(key, (0, -1))
        return None if size < 0 else self.data[place : place + size]


@dataclass
class Reader:
    """A collection of annotations."""

    folder: Path

    def __post_init__(self) -> None:
        self.info = json.loads((self.folder / "info").read_text())
        assert self.info["@type"] == "neuroglancer_annotations_v1"
        types = {"uint32": "I"}
        numbers = {"point": 3, "line": 6}[self.info["annotation_type"]]
        self.form = "<" + "f" * numbers + "".join(types[p["type"]] for p in self.info["properties"])
        self.size = struct.calcsize(self.form)

    def by_id(self) -> tuple[Shard, int]:
        said = self.info["by_id"]
        return Shard((self.folder / said["key"] / "0.shard").read_bytes(), said["sharding"]), self.size

    def one(self, key: int) -> tuple[float, ...]:
        data = self.by_id()[0].get(key)
        assert data is not None
        return struct.unpack(self.form, data)

    def cell(self, level: dict[str, Any], cell: tuple[int, ...]) -> dict[int, tuple[float, ...]]:
        if "sharding" in level:
            shard = Shard((self.folder / level["key"] / "0.shard").read_bytes(), level["sharding"])
            data = shard.get(morton(cell, level["grid_shape"]))
        else:
            path = self.folder / level["key"] / "_".join(map(str, cell))
            data = path.read_bytes() if path.exists() else None
        if data is None:
            return {}
        (count,) = struct.unpack_from("<Q", data)
        assert len(data) == 8 + count * (self.size + 8)
        assert 0 < count <= level["limit"]
        values = struct.iter_unpack(self.form, data[8 : 8 + count * self.size])
        keys = struct.unpack(f"<{count}Q", data[8 + count * self.size :])
        assert len(set(keys)) == count
        return dict(zip(keys, values, strict=True))

    def levels(self) -> list[dict[tuple[int, ...], dict[int, tuple[float, ...]]]]:
        """What every cell of every level holds."""
        found = []
        for level in self.info["spatial"]:
            cells = product(*(range(n) for n in level["grid_shape"]))
            found.append({cell: self.cell(level, cell) for cell in cells})
        return found

    def bounds(self, level: dict[str, Any], cell: tuple[int, ...]) -> tuple[Any, Any]:
        lower = np.array(self.info["lower_bound"]) + np.multiply(cell, level["chunk_size"])
        return lower, lower + level["chunk_size"]


def scattered(count: int, *, rotations: bool = False) -> Points:
    generator = np.random.default_rng(count)
    places = generator.uniform(0, 1, (count, 3)) ** [1, 2, 1] * (np.array(SHAPE[::-1]) - 1)
    matrices = Rotation.random(count, random_state=1).as_matrix() if rotations else None
    return Points(places, matrices, generator.integers(5, 9, count))


def written(folder: Path, points: Points, *, kind: Any = "point", limit: int = 100, frame: Any = FRAME) -> Reader:
    folder.mkdir()
    members = precomputed.write(folder, points, frame, kind=kind, limit=limit)
    there = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert [m.path for m in members] == sorted(there, key=str.encode)
    assert all(m.size == len(there[m.path]) and m.sha256 == hashlib.sha256(there[m.path]).hexdigest() for m in members)
    return Reader(folder)


def test_every_point_is_once_in_the_cell_it_lies_in(tmp_path: Path) -> None:
    points = scattered(3000)
    reader = written(tmp_path / "a", points)
    assert {axis: reader.info["dimensions"][axis] for axis in "xyz"} == {axis: [7.5e-10, "m"] for axis in "xyz"}
    assert (reader.info["lower_bound"], reader.info["upper_bound"]) == ([-0.5] * 3, [239.5, 199.5, 59.5])
    seen: Counter[int] = Counter()
    assert len(reader.info["spatial"]) > 3
    for level, cells in zip(reader.info["spatial"], reader.levels(), strict=True):
        np.testing.assert_allclose(np.multiply(level["grid_shape"], level["chunk_size"]), SHAPE[::-1])
        for cell, held in cells.items():
            low, high = reader.bounds(level, cell)
            for key, place in held.items():
                np.testing.assert_array_equal(place, points.locations[key].astype("f4"))
                assert (low <= place).all()
                assert (place < high).all()
            seen.update(held.keys())
        assert max(len(held) for held in cells.values()) == level["limit"] <= 100
    assert seen == Counter(range(3000))


def test_every_point_is_found_by_its_row(tmp_path: Path) -> None:
    points = scattered(3000)
    reader = written(tmp_path / "a", points)
    assert reader.by_id()[0].keys() == list(range(3000))
    for key in (0, 1, 1023, 1024, 2047, 2999):
        np.testing.assert_array_equal(reader.one(key), points.locations[key].astype("f4"))
    assert reader.by_id()[0].get(3000) is None


def test_a_coarse_level_is_an_even_part_of_all(tmp_path: Path) -> None:
    points = scattered(4000)
    first = written(tmp_path / "a", points, limit=1000).levels()[0][0, 0, 0]
    assert len(first) == 1000
    chosen = points.locations[list(first)]
    np.testing.assert_allclose(chosen.mean(axis=0), points.locations.mean(axis=0), rtol=0.1)
    assert not np.array_equal(list(first), sorted(first))


def test_levels_are_refined_where_cells_are_long(tmp_path: Path) -> None:
    reader = written(tmp_path / "a", scattered(3000))
    for coarse, fine in zip(reader.info["spatial"], reader.info["spatial"][1:], strict=False):
        ratio = np.divide(coarse["chunk_size"], fine["chunk_size"])
        assert set(ratio) <= {1.0, 2.0}
        assert max(fine["chunk_size"]) < max(coarse["chunk_size"])
    finest = reader.info["spatial"][-1]["chunk_size"]
    assert max(finest) <= 2 * min(finest)


def touches(a: Any, b: Any, low: Any, high: Any) -> bool:
    """Whether a line comes into a box, looking at many places of it."""
    steps = np.linspace(0, 1, 400)[:, None]
    places = a + (b - a) * steps
    return bool(((places >= low) & (places <= high)).all(axis=1).any())


def test_oriented_points_are_arrows_in_every_cell_they_touch(tmp_path: Path) -> None:
    points = scattered(1500, rotations=True)
    reader = written(tmp_path / "a", points, kind="orientedPoint")
    assert reader.info["annotation_type"] == "line"
    assert points.rotations is not None
    tips = points.locations + np.einsum("nij,j->ni", points.rotations, [0, 0, 1]) * 240 / 40
    homes: dict[int, set[tuple[int, tuple[int, ...]]]] = {}
    for number, cells in enumerate(reader.levels()):
        for cell, held in cells.items():
            for key, line in held.items():
                np.testing.assert_allclose(line, [*points.locations[key], *tips[key]], atol=1e-4)
                homes.setdefault(key, set()).add((number, cell))
    assert homes.keys() == set(range(1500))
    assert any(len(places) > 1 for places in homes.values())
    for key, places in homes.items():
        ((number, _), *_) = places
        assert {n for n, _ in places} == {number}
        level = reader.info["spatial"][number]
        for cell in product(*(range(n) for n in level["grid_shape"])):
            low, high = reader.bounds(level, cell)
            if (number, cell) in places:
                assert touches(points.locations[key], tips[key], low - 0.02, high + 0.02)
            else:
                assert not touches(points.locations[key], tips[key], low + 0.02, high - 0.02)
    assert all(len(reader.one(key)) == 6 for key in (0, 1499))


@pytest.mark.parametrize(("ids", "shown"), [([7, 7, 4294967295], [7, 7, 4294967295]), ([-4, 1 << 40, -4], [0, 1, 0])])
def test_instances_keep_their_numbers_where_they_fit(tmp_path: Path, ids: list[int], shown: list[int]) -> None:
    points = Points(np.eye(3), None, np.array(ids, np.int64))
    reader = written(tmp_path / "a", points, kind="instancePoint")
    assert [(p["id"], p["type"]) for p in reader.info["properties"]] == [("instance", "uint32")]
    assert [reader.one(row)[3] for row in range(3)] == shown
    (held,) = reader.levels()[0].values()
    assert [held[row][3] for row in range(3)] == shown


def test_points_outside_and_in_one_place(tmp_path: Path) -> None:
    """Bounds hold all points, and many in one place do not make levels without end."""
    places = np.concatenate([np.full((500, 3), 3.0), [[-40, 5, 5], [5, 900, 5]]])
    reader = written(tmp_path / "a", Points(places), limit=20)
    assert np.less(reader.info["lower_bound"], [-40, 0, 0]).all()
    assert np.greater(reader.info["upper_bound"], [5, 900, 5]).all()
    assert len(reader.info["spatial"]) <= 9
    keys = [key for level in reader.info["spatial"] for key in _all(reader, level)]
    assert sorted(keys) == list(range(502))


def _all(reader: Reader, level: dict[str, Any]) -> list[int]:
    """Keys that the cells of a level hold, found through the list of the shard: a grid may be large."""
    if "sharding" not in level:
        return list(reader.cell(level, (0, 0, 0)))
    shard = Shard((reader.folder / level["key"] / "0.shard").read_bytes(), level["sharding"])
    values = [shard.get(key) or b"" for key in shard.keys()]  # noqa: SIM118
    return [key for v in values for key in np.frombuffer(v[8 + (len(v) - 8) // (reader.size + 8) * reader.size :], "<u8").tolist()]  # fmt: skip


def test_the_same_points_are_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        written(tmp_path / name, scattered(2000))
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()} for n in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("points", "kind", "words"),
    [
        (Points(np.array([[0, 1e39, 0]])), "point", "not finite"),
        (Points(np.array([[0, np.nan, 0]])), "point", "not finite"),
        (Points(np.zeros((1, 3))), "orientedPoint", "need a rotation"),
        (Points(np.zeros((1, 3))), "instancePoint", "need an instance number"),
    ],
)
def test_what_cannot_be_shown_is_refused(tmp_path: Path, points: Points, kind: Any, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        precomputed.write(tmp_path, points, FRAME, kind=kind)
    assert not list(tmp_path.iterdir())
