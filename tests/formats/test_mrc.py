import os
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomotheca.errors import FormatError, StorageError
from tomotheca.formats import files as formats_files
from tomotheca.formats import mrc
from tomotheca.formats.mrc.writer import write_layout

DTYPES = ("i1", "i2", "u2", "f2", "f4")
Real = Callable[[str, str], Path]


def some_volume(shape: tuple[int, int, int], dtype: str, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=shape) * 20 + 40).clip(0, 110).astype(dtype)


def with_axes(path: Path, axes: tuple[int, int, int]) -> None:
    """Say in the header that columns, rows and sections run along other axes."""
    data = bytearray(path.read_bytes())
    order = ">" if data[212] == 0x11 else "<"
    data[64:76] = struct.pack(order + "3i", *axes)
    path.write_bytes(data)


shapes = st.tuples(st.integers(1, 6), st.integers(1, 7), st.integers(1, 8))


layouts = st.builds(
    mrc.Layout,
    shape=shapes,
    dtype=st.sampled_from(DTYPES).map(np.dtype),
    voxel_size=st.just((2.0, 2.0, 2.0)),
    byte_order=st.sampled_from(["<", ">"]),
    extended=st.binary(max_size=40),
)


@given(layout=layouts, axes=st.sampled_from(list(permutations((1, 2, 3)))), data=st.data())
def test_any_mode_byte_order_and_axis_order_reads_back(tmp_path_factory, layout, axes, data):
    path = tmp_path_factory.mktemp("mrc") / "a.mrc"
    stored = some_volume(layout.shape, layout.dtype.name)
    write_layout(path, stored, layout)
    with_axes(path, axes)
    # Sections are axis 0 of ``stored`` and run along ``axes[2]``; z is axis 0 of what is read.
    logical = stored.transpose([(axes[2], axes[1], axes[0]).index(axis) for axis in (3, 2, 1)])
    starts = [data.draw(st.integers(0, n - 1)) for n in logical.shape]
    z, y, x = (slice(a, data.draw(st.integers(a + 1, n))) for a, n in zip(starts, logical.shape, strict=True))
    with mrc.Reader(path) as reader:
        assert reader.shape == logical.shape
        np.testing.assert_array_equal(np.concatenate(list(reader.slabs(2))), logical)
        np.testing.assert_array_equal(reader.read((z, y, x)), logical[z, y, x])
        assert mrc.read_extended(path, reader.header) == layout.extended


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stack", [False, True])
def test_mrcfile_reads_what_we_write(tmp_path, dtype, stack, capsys):
    volume = some_volume((3, 4, 5), dtype)
    member = mrc.write(tmp_path / "a.mrc", volume, voxel_size=(1.5, 2.5, 3.5), stack=stack)
    with mrcfile.open(tmp_path / "a.mrc") as file:
        np.testing.assert_array_equal(file.data, volume)
        size = file.voxel_size
        assert (size.x, size.y, size.z) == pytest.approx((1.5, 2.5, 3.5))
        assert file.is_image_stack() == stack
        assert file.header.dmean == pytest.approx(volume.mean(dtype="f8"), rel=1e-6)
        assert file.header.rms == pytest.approx(volume.std(dtype="f8"), rel=1e-6)
        assert mrc.label() in str(file.header.label[0])
    assert mrcfile.validate(tmp_path / "a.mrc"), capsys.readouterr().out
    assert member.size == (tmp_path / "a.mrc").stat().st_size


@pytest.mark.parametrize("dtype", DTYPES)
def test_we_read_what_mrcfile_writes(tmp_path, dtype):
    volume = some_volume((3, 4, 5), dtype)
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(volume)
        file.voxel_size = 7.84
    with mrc.Reader(tmp_path / "a.mrc") as reader:
        assert reader.voxel_size == (7.84, 7.84, 7.84)
        assert reader.dtype == volume.dtype
        np.testing.assert_array_equal(next(reader.slabs(3)), volume)


@pytest.mark.parametrize("name", ["EMD-3197.map", "EMD-3001.map", "fei-extended.mrc"])
def test_real_files_read_as_mrcfile_does(real: Real, name):
    path = real("mrcfile", name)
    with mrcfile.open(path) as file, mrc.Reader(path) as reader:
        header = reader.header
        order = [(header.axes[2], header.axes[1], header.axes[0]).index(axis) for axis in (3, 2, 1)]
        expected = np.atleast_3d(file.data) if file.data.ndim == 3 else file.data[None]
        np.testing.assert_array_equal(next(reader.slabs(reader.shape[0])), expected.transpose(order))
        size = file.voxel_size
        assert reader.voxel_size == pytest.approx((float(size.x), float(size.y), float(size.z)), rel=1e-5)
        assert header.nsymbt == file.header.nsymbt
        assert header.exttyp == file.header.exttyp.item().decode().strip()
        assert mrc.read_extended(path, header) == file.extended_header.tobytes()
        assert header.ispg == file.header.ispg


def test_axis_order_of_a_real_map_is_honoured_and_noted(real: Real):
    header = mrc.read_header(real("mrcfile", "EMD-3001.map"))
    assert header.axes == (3, 1, 2)
    assert header.file_shape == (25, 43, 73)
    assert header.shape == (73, 25, 43)
    assert any("along zxy" in note.message for note in header.notes)


def test_a_compressed_file_is_named_as_such(real: Real):
    with pytest.raises(FormatError, match="bzip2: unpack it"):
        mrc.read_header(real("mrcfile", "EMD-3197.map.bz2"))


def test_a_truncated_file_says_how_many_bytes_are_missing(tmp_path):
    path = tmp_path / "a.mrc"
    mrc.write(path, some_volume((3, 4, 5), "f4"), voxel_size=1.0)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(FormatError, match=r"a\.mrc: is truncated: 7 of 1264 bytes are missing; copy the file again"):
        mrc.Reader(path)
    (finding,) = mrc.read_header(path, permissive=True).notes
    assert finding.severity == "error"


def test_trailing_bytes_are_noted(tmp_path):
    path = tmp_path / "a.mrc"
    mrc.write(path, some_volume((3, 4, 5), "f4"), voxel_size=1.0)
    path.write_bytes(path.read_bytes() + b"12345")
    (note,) = mrc.read_header(path).notes
    assert note.severity == "note"
    assert "5 bytes" in note.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes"),
        (b"\x1f\x8b" + bytes(2000), "compressed with gzip"),
        (b"not an mrc file at all " * 100, "is not an MRC file"),
        (bytes(4096), "is not an MRC file"),
    ],
)
def test_what_is_no_mrc_file_gets_a_sentence(tmp_path, content, message):
    path = tmp_path / "a.mrc"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        mrc.read_header(path)


def test_a_missing_file_gets_a_sentence(tmp_path):
    with pytest.raises(FormatError, match="cannot be read: No such file"):
        mrc.read_header(tmp_path / "none.mrc")


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (12, 3, "mode 3, a Fourier transform"),
        (12, 4, "mode 4, a Fourier transform"),
        (12, 101, "4-bit"),
        (12, 7, "mode 7"),
        (0, 0, "0 x 4 x 3 voxels"),
        (8, -1, "5 x 4 x -1 voxels"),
    ],
)
def test_what_is_not_read_is_refused_with_a_reason(tmp_path, offset, value, message):
    path = tmp_path / "a.mrc"
    mrc.write(path, some_volume((3, 4, 5), "i2"), voxel_size=1.0)
    data = bytearray(path.read_bytes())
    data[offset : offset + 4] = struct.pack("<i", value)
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        mrc.read_header(path)


def bytes_file(
    path: Path, *, density: tuple[float, float], stamp: int = 0, flags: int = 0, version: int = 20140
) -> Path:
    mrc.write(path, np.full((2, 2, 2), -3, np.int8), voxel_size=1.0)
    data = bytearray(path.read_bytes())
    data[152:160] = struct.pack("<ii", stamp, flags)
    data[76:84] = struct.pack("<ff", *density)
    data[108:112] = struct.pack("<i", version)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("said", "dtype", "severity"),
    [
        ({"stamp": 1146047817, "flags": 1, "density": (0, 255)}, "int8", "note"),
        ({"stamp": 1146047817, "flags": 0, "density": (-3, -3)}, "uint8", "note"),
        ({"density": (0, 255)}, "uint8", "warning"),
        ({"density": (-3, -3)}, "int8", "note"),
        ({"density": (0, 5)}, "int8", "note"),
        ({"density": (0, 5), "version": 0}, "int8", "warning"),
    ],
)
def test_the_sign_of_bytes_is_decided_and_said(tmp_path, said, dtype, severity):
    path = bytes_file(tmp_path / "a.mrc", **said)
    header = mrc.read_header(path)
    assert header.dtype.name == dtype
    (note,) = header.notes
    assert note.severity == severity
    assert ("unsigned" if dtype == "uint8" else "signed") in note.message
    assert mrc.read_header(path, byte_sign="unsigned").dtype == np.uint8


def test_four_bit_bytes_are_refused(tmp_path):
    path = bytes_file(tmp_path / "a.mrc", stamp=1146047817, flags=16, density=(0, 1), version=0)
    with pytest.raises(FormatError, match="two 4-bit numbers"):
        mrc.read_header(path)


def test_a_wrong_machine_stamp_is_noted(tmp_path):
    path = tmp_path / "a.mrc"
    mrc.write(path, some_volume((3, 4, 5), "i2"), voxel_size=1.0)
    data = bytearray(path.read_bytes())
    data[212:216] = b"\x11\x11\0\0"
    path.write_bytes(data)
    header = mrc.read_header(path)
    assert header.byte_order == "<"
    assert "machine stamp is wrong" in header.notes[0].message


def test_an_old_file_without_map_is_read(tmp_path):
    path = tmp_path / "a.mrc"
    mrc.write(path, some_volume((3, 4, 5), "f4"), voxel_size=1.0)
    data = bytearray(path.read_bytes())
    data[208:216] = bytes(8)
    path.write_bytes(data)
    with mrc.Reader(path) as reader:
        assert reader.shape == (3, 4, 5)
        assert any("old MRC" in note.message for note in reader.notes)


def test_statistics_leave_out_what_is_not_finite(tmp_path):
    volume = np.ones((2, 3, 4), np.float32)
    volume[0, 0, :2] = np.nan, np.inf
    volume[1] = 3
    mrc.write(tmp_path / "a.mrc", volume, voxel_size=1.0)
    header = mrc.read_header(tmp_path / "a.mrc")
    assert (header.minimum, header.maximum) == (1, 3)
    assert header.mean == pytest.approx(46 / 22)


@pytest.mark.parametrize(
    ("given", "stored"), [("u1", "u2"), ("?", "i1"), ("f8", "f4"), ("i4", "f4"), ("i2", "i2"), ("f2", "f2")]
)
def test_dtypes_without_a_mode_become_ones_that_hold_them(given, stored):
    assert mrc.storable(np.dtype(given)) == np.dtype(stored)


def test_complex_numbers_are_refused():
    with pytest.raises(FormatError, match="real numbers"):
        mrc.storable(np.dtype("c8"))


def test_a_full_disk_names_the_file():
    with pytest.raises(StorageError, match=r"/dev/full: cannot be written: No space left.*free some space"):
        mrc.write(Path("/dev/full"), np.ones((2, 2, 2), np.float32), voxel_size=1.0)


def test_labels_of_the_source_are_kept_and_ours_is_added_once(tmp_path):
    labels = (*(f"label {i}" for i in range(10)), mrc.label())
    layout = mrc.Layout(shape=(1, 1, 1), dtype=np.dtype("f4"), voxel_size=(1.0, 1.0, 1.0), labels=labels)
    write_layout(tmp_path / "a.mrc", np.ones((1, 1, 1), np.float32), layout)
    kept = mrc.read_header(tmp_path / "a.mrc").labels
    assert kept == (*(f"label {i}" for i in range(9)), mrc.label())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is in its page cache")
def test_what_is_in_memory_is_read_without_giving_the_turn_away(tmp_path: Path) -> None:
    """A copy out of the page cache is work; only what has to come from the disk is waited for. Either way the voxels are the same."""
    volume = some_volume((9, 40, 50), "f4")
    mrc.write(tmp_path / "a.mrc", volume, voxel_size=1.0)
    waited: list[int] = []

    @contextmanager
    def aside() -> Iterator[None]:
        waited.append(1)
        yield

    box = (slice(2, 8), slice(0, 40), slice(0, 50))
    with mrc.Reader(tmp_path / "a.mrc") as opened:
        with opened.giving(aside):
            np.testing.assert_array_equal(opened.read(box), volume[box])
            assert waited == []  # what was written is still in memory
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(formats_files, "NOWAIT", None)  # a system that cannot say
                np.testing.assert_array_equal(opened.read(box), volume[box])
            assert waited == [1]
        np.testing.assert_array_equal(opened.read(box), volume[box])
        assert waited == [1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is in its page cache")
def test_a_file_that_is_half_in_memory_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = some_volume((9, 40, 50), "f4")
    mrc.write(tmp_path / "a.mrc", volume, voxel_size=1.0)
    whole = os.preadv

    def little(descriptor: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        return whole(descriptor, [buffers[0][:777]] if flags else buffers, offset, flags)

    monkeypatch.setattr(os, "preadv", little)
    with mrc.Reader(tmp_path / "a.mrc") as opened:
        np.testing.assert_array_equal(opened.read((slice(0, 9), slice(0, 40), slice(0, 50))), volume)
