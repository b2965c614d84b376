"""Tilt series as TIFF stacks, from the lab's file to the archive."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest
import zarr
from PIL import Image

from tomotheca.errors import FormatError
from tomotheca.formats import tiffstack

if TYPE_CHECKING:
    from tests.ingest.conftest import Lab

tifffile = pytest.importorskip("tifffile")

FOLDER = "10900/TS_1/TiltSeries/100"


def images(dtype: str = "i2") -> np.ndarray:
    """Five images, (z, y, x), each place with another number."""
    return (np.arange(5 * 12 * 16).reshape(5, 12, 16) - (300 if dtype[0] != "u" else 0)).astype(dtype)


def pillow(path: Path, values: np.ndarray) -> None:
    first, *others = (Image.fromarray(plane) for plane in values)
    first.save(path, format="TIFF", save_all=True, append_images=others)


def imagej(path: Path, values: np.ndarray) -> None:
    """Write as ImageJ does where a stack is large: one directory, then the images, one after the other."""
    said = f"ImageJ=1.54f\nimages={len(values)}\nslices={len(values)}\n".encode() + b"\0"
    tags = [
        (256, 4, 1, values.shape[2]), (257, 4, 1, values.shape[1]), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1),
        (270, 2, len(said), 8 + 2 + 12 * 9 + 4), (273, 4, 1, 1024), (278, 4, 1, values.shape[1]), (279, 4, 1, values[0].nbytes),
    ]  # fmt: skip
    directory = struct.pack(">H", len(tags))
    for tag, kind, count, value in tags:
        directory += struct.pack(">HHI", tag, kind, count) + (
            struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value)
        )
    head = b"MM\0*" + struct.pack(">I", 8) + directory + bytes(4) + said
    path.write_bytes(head.ljust(1024, b"\0") + values.astype(">u2").tobytes())


WRITERS: dict[str, tuple[str, Any]] = {
    "int16": ("i2", lambda p, v: tifffile.imwrite(p, v, photometric="minisblack")),
    "float32 by image": ("f4", lambda p, v: tifffile.imwrite(p, v, photometric="minisblack", contiguous=False, metadata=None)),
    "big-endian": ("u2", lambda p, v: tifffile.imwrite(p, v, photometric="minisblack", byteorder=">")),
    "BigTIFF": ("f4", lambda p, v: tifffile.imwrite(p, v, photometric="minisblack", bigtiff=True)),
    "ImageJ": ("u2", lambda p, v: tifffile.imwrite(p, v, imagej=True, metadata={"axes": "ZYX"})),
    "ImageJ, large": ("u2", imagej),
    "deflate": ("i2", lambda p, v: tifffile.imwrite(p, v, photometric="minisblack", compression="zlib")),
    "tiles": ("u1", lambda p, v: tifffile.imwrite(p, v % 251, photometric="minisblack", tile=(16, 16))),
    "Pillow": ("f4", pillow),
    "Pillow, 16 bits": ("u2", pillow),
}  # fmt: skip


@pytest.mark.parametrize("case", WRITERS)
def test_every_kind_of_stack(lab: Lab, case: str) -> None:
    dtype, write = WRITERS[case]
    (lab.root / "TS_1/TS_1.st").unlink()
    path = lab.root / "TS_1/TS_1.tif"
    write(path, images(dtype))
    lab.config["tiltseries"][0]["sources"][0]["source_glob"]["list_glob"] = "{run_name}/*.tif"
    result = lab.ingest()
    assert [f for f in result.findings if f.severity == "error"] == []
    wanted = tifffile.imread(path)[:, ::-1]  # the last row is y = 0
    assert wanted.shape == (5, 12, 16)
    with mrcfile.open(lab.archive / FOLDER / "TS_1.mrc") as file:
        np.testing.assert_array_equal(file.data, wanted)
        assert file.is_image_stack()
        assert file.voxel_size.x == 5.0
    group = zarr.open_group(lab.archive / FOLDER / "TS_1.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][:], wanted)
    assert group["0"].dtype == np.dtype(dtype)
    document = lab.read(f"{FOLDER}/tiltseries_metadata.json")
    assert document["size"] == {"x": 16, "y": 12, "z": 5}
    assert [s["raw_angle"] for s in document["per_section_parameter"]] == [-60, -30, 0, 30, 60]
    assert lab.ingest().written == 0


def test_the_resolution_is_the_pixel_size(tmp_path: Path) -> None:
    options = {"photometric": "minisblack", "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "a.tif", images(), resolution=(1e8 / 2.5, 1e8 / 2.5), **options)
    with_size = tiffstack.Reader(tmp_path / "a.tif")
    assert with_size.voxel_size == pytest.approx((2.5, 2.5, 2.5))
    assert "last row of a TIFF image is y = 0" in with_size.notes[0].message
    with_size.close()
    tifffile.imwrite(tmp_path / "b.tif", images(), resolution=(300, 300), photometric="minisblack")
    without = tiffstack.Reader(tmp_path / "b.tif")
    assert without.voxel_size == (0, 0, 0)
    without.close()


def test_boxes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", images("f4"), photometric="minisblack")
    reader = tiffstack.Reader(tmp_path / "a.tif")
    wanted = images("f4")[:, ::-1]
    np.testing.assert_array_equal(reader.read((slice(1, 4), slice(3, 9), slice(2, 16))), wanted[1:4, 3:9, 2:])
    reader.close()


@pytest.mark.parametrize("orientation", [1, 4])
def test_the_last_row_is_the_first_whatever_the_orientation_says(tmp_path: Path, orientation: int) -> None:
    """As RELION documents of itself, MotionCor2 and IMOD: rows are flipped regardless of the orientation tag."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, images(), photometric="minisblack", extratags=[(274, 3, 1, orientation, True)])
    reader = tiffstack.Reader(path)
    z, y, x = reader.shape
    made = reader.read((slice(0, z), slice(0, y), slice(0, x)))
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].tags["Orientation"].value == orientation
        assert path.read_bytes()[file.pages[0].dataoffsets[0] :][:32] == made[0, -1].tobytes()
    np.testing.assert_array_equal(made, images()[:, ::-1])
    reader.close()


def broken(path: Path, kind: str) -> None:
    match kind:
        case "truncated":
            tifffile.imwrite(path, images(), photometric="minisblack", contiguous=False, metadata=None)
            path.write_bytes(path.read_bytes()[:1200])
        case "short":
            pillow(path, images("u2"))
            data = path.read_bytes()
            with tifffile.TiffFile(path) as file:
                place = file.pages[4].tags["StripOffsets"].valueoffset
            path.write_bytes(data[:place] + (len(data) - 100).to_bytes(4, "little") + data[place + 4 :])
        case "ImageJ":
            imagej(path, images("u2"))
            path.write_bytes(path.read_bytes()[:-1])
        case "lzma":
            tifffile.imwrite(path, images(), photometric="minisblack", compression="lzma")
        case "head":
            path.write_bytes(b"II*\0\x08\0\0\0\xff\xff" + bytes(20))
        case "colour":
            tifffile.imwrite(path, np.zeros((5, 8, 8, 3), np.uint8), photometric="rgb")
        case "sizes":
            with tifffile.TiffWriter(path) as file:
                for size in (8, 9):
                    file.write(np.zeros((size, size), np.int16), photometric="minisblack", contiguous=False)
        case "claim":
            tifffile.imwrite(path, np.zeros((5, 12, 16), np.int16), photometric="minisblack")
            data = bytearray(path.read_bytes())
            with tifffile.TiffFile(path) as file:
                tag = file.pages[0].tags["ImageWidth"]
                data[tag.valueoffset : tag.valueoffset + 4] = (1 << 31).to_bytes(4, "little")
                place = tag.offset + 2
                data[place : place + 2] = (4).to_bytes(2, "little")
            path.write_bytes(data)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("truncated", "ends early"),
        ("short", "is truncated: image 5 reaches beyond its end"),
        ("ImageJ", "truncated: it says 5 images and has 1"),
        ("lzma", "has compression 34925, which is not read"),
        ("head", "directory with 65535 entries"),
        ("colour", "not rows and columns"),
        ("sizes", "image 2 has (9, 9) int16, the first (8, 8)"),
        ("claim", "has images larger than 512 MiB"),
    ],
)
def test_broken_stacks_are_refused(lab: Lab, kind: str, words: str) -> None:
    path = lab.root / "TS_1/TS_1.tif"
    broken(path, kind)
    lab.config["tiltseries"][0]["sources"][0]["source_glob"]["list_glob"] = "{run_name}/*.tif"
    said = lab.refused()
    assert words in said
    assert str(path) in said


def test_an_image_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, images(), photometric="minisblack", compression="zlib", contiguous=False, metadata=None)
    with tifffile.TiffFile(path) as file:
        begin, size = file.pages[2].dataoffsets[0], file.pages[2].databytecounts[0]
    data = bytearray(path.read_bytes())
    data[begin : begin + size] = b"\0" * size
    path.write_bytes(data)
    reader = tiffstack.Reader(path)
    with pytest.raises(FormatError, match="image 3 cannot be read"):
        reader.read((slice(0, 5), slice(0, 12), slice(0, 16)))
    reader.close()


def test_without_tifffile_a_sentence_says_what_to_install(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(lab.root / "TS_1/TS_1.tif", images(), photometric="minisblack")
    lab.config["tiltseries"][0]["sources"][0]["source_glob"]["list_glob"] = "{run_name}/*.tif"
    monkeypatch.setitem(sys.modules, "tifffile", None)
    assert "install tomotheca[tiff]" in lab.refused()


def test_deflated_data_that_become_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, bomb = tmp_path / "a.tif", zlib.compress(bytes(8 << 20), 9)
    tifffile.imwrite(path, images(), photometric="minisblack", compression="zlib", contiguous=False, metadata=None)
    with tifffile.TiffFile(path) as file:
        tags = file.pages[1].tags
        places = tags["StripOffsets"].valueoffset, tags["StripByteCounts"].valueoffset
        assert tags["StripByteCounts"].dtype == 4
    data = bytearray(path.read_bytes())
    for place, value in zip(places, (len(data), len(bomb)), strict=True):
        data[place : place + 4] = value.to_bytes(4, "little")
    path.write_bytes(data + bomb)
    monkeypatch.setattr(tiffstack, "LARGEST", 1 << 20)
    reader = tiffstack.Reader(path)
    assert reader.read((slice(0, 1), slice(0, 12), slice(0, 16)))[0].tolist() == images()[0, ::-1].tolist()
    with pytest.raises(FormatError, match="become larger than 1 MiB"):
        reader.read((slice(1, 2), slice(0, 12), slice(0, 16)))
    reader.close()
