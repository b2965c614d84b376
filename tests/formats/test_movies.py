"""Headers of movies: TIFF of both orders, BigTIFF, EER, MRC and bzip2, against Pillow, and files that are wrong."""

import bz2
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tomotheca.errors import FormatError
from tomotheca.formats import movies, mrc


def tiff(path: Path, pages: int, *, big: bool = False) -> Path:
    images = [Image.fromarray(np.full((6, 9), i, np.uint16)) for i in range(pages)]
    images[0].save(path, format="TIFF", save_all=True, append_images=images[1:], big_tiff=big)
    return path


@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "a.eer"])
@pytest.mark.parametrize("big", [False, True])
def test_pages_are_counted_as_pillow_does(tmp_path: Path, name: str, big: bool) -> None:
    path = tiff(tmp_path / name, 7, big=big)
    with Image.open(path) as image:
        expected = movies.Movie(*image.size, image.n_frames)  # type: ignore[attr-defined]  # of a TIFF
    assert movies.look(path) == expected == movies.Movie(9, 6, 7)


def test_the_other_byte_order(tmp_path: Path) -> None:
    tags = struct.pack(">HHIHH", 256, 3, 1, 9, 0) + struct.pack(">HHII", 257, 4, 1, 6)
    (tmp_path / "a.tif").write_bytes(b"MM\0*" + struct.pack(">IH", 8, 2) + tags + bytes(4))
    assert movies.look(tmp_path / "a.tif") == movies.Movie(9, 6, 1)


@pytest.mark.parametrize("name", ["a.mrc", "a.mrc.bz2"])
def test_mrc_and_what_is_packed(tmp_path: Path, name: str) -> None:
    mrc.write(tmp_path / "b.mrc", np.zeros((4, 6, 9), np.int16), voxel_size=1.0, stack=True)
    raw = (tmp_path / "b.mrc").read_bytes()
    (tmp_path / name).write_bytes(bz2.compress(raw) if name.endswith("bz2") else raw)
    found = movies.look(tmp_path / name)
    assert found == movies.Movie(9, 6, 4)
    assert found.size == {"x": 9, "y": 6, "z": 4}


def test_what_is_not_read_here_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.dm4").write_bytes(b"x")
    assert movies.look(tmp_path / "a.dm4") is None


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.tif", b"hello", "is not a TIFF"),
        ("a.tif", b"II*\0" + struct.pack("<I", 8) + bytes(8), "directory with 0 entries"),
        ("a.tif", b"II*\0" + struct.pack("<I", 99) + bytes(8), "ends early"),
        ("a.tif", b"II*\0" + bytes(12), "has no image"),
        ("a.eer", b"II+\0" + struct.pack("<HHQ", 8, 0, 2**64 - 1), "behind its end"),
        ("a.tif", b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 256, 4, 1, 9) + struct.pack("<I", 0), "does not say the size"),
        ("a.mrc.bz2", b"hello", "cannot be read"),
        ("a.mrc.bz2", bz2.compress(b"x" * 2000), "does not hold an MRC"),
        ("a.mrc.bz2", bz2.compress(b"x"), "ends early"),
        ("none.tif", None, "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_wrong_gets_a_sentence(tmp_path: Path, name: str, data: bytes | None, words: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match=words):
        movies.look(tmp_path / name)


def test_a_circle_of_directories_ends(tmp_path: Path) -> None:
    tags = struct.pack("<HHII", 256, 4, 1, 9) + struct.pack("<HHII", 257, 4, 1, 6)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<IH", 8, 2) + tags + struct.pack("<I", 8))
    with pytest.raises(FormatError, match="in a circle"):
        movies.look(tmp_path / "a.tif")


@given(st.binary(max_size=200), st.sampled_from(["", "II*\0", "II+\0\x08\0\0\0", "MM\0*"]))
def test_whatever_stands_there_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, head: str
) -> None:
    path = tmp_path_factory.mktemp("movie") / "a.eer"
    path.write_bytes(head.encode("latin-1") + data)
    try:
        found = movies.look(path)
    except FormatError:
        return
    assert found is not None
    assert found.images > 0
