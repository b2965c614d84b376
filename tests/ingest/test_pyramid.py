import hashlib
import itertools
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import mrcfile
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from tomotheca.errors import FormatError, StorageError
from tomotheca.formats import mrc, omezarr
from tomotheca.formats.files import Member
from tomotheca.formats.mrc.writer import write_layout
from tomotheca.formats.omezarr import writer
from tomotheca.ingest.pyramid import Conversion, Recipe, Target, convert, job, sync_tree

SMALL = Recipe(chunks=(8, 8, 8))


def noise(shape: tuple[int, int, int], dtype: str = "f4", seed: int = 0) -> np.ndarray:
    values: np.ndarray = np.random.default_rng(seed).normal(size=shape) * 20 + 60
    return values.clip(0, 120).astype(dtype)


def target(folder: Path) -> Target:
    return Target(folder / "out.mrc", folder / "out.zarr")


def converted(folder: Path, volume: np.ndarray, recipe: Recipe = SMALL, **options: Any) -> Conversion:
    mrc.write(folder / "in.mrc", volume, voxel_size=10.0, **options)
    return convert(folder / "in.mrc", target(folder), recipe)


def true_mean(volume: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    total, count = volume.astype("f8"), np.ones(volume.shape)
    for axis, factor in enumerate(factors):
        starts = np.arange(0, volume.shape[axis], factor)
        total, count = np.add.reduceat(total, starts, axis), np.add.reduceat(count, starts, axis)
    return total / count


def check_members(folder: Path, result: Conversion) -> None:
    """Everything on the disk is listed with its true size and hash, nothing else."""
    found = [
        Member(str(path.relative_to(folder / "out.zarr")), len(data), hashlib.sha256(data).hexdigest())
        for path in (folder / "out.zarr").rglob("*")
        if path.is_file()
        for data in [path.read_bytes()]
    ]
    assert result.zarr == tuple(sorted(found))
    data = (folder / "out.mrc").read_bytes()
    assert result.mrc == Member("out.mrc", len(data), hashlib.sha256(data).hexdigest())


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 70)),
    dtype=st.sampled_from(["i1", "i2", "u2", "f2", "f4"]),
    memory=st.sampled_from([1 << 30, 1 << 14]),
)
def test_every_level_is_the_true_mean(tmp_path_factory, shape, dtype, memory):
    folder, volume = tmp_path_factory.mktemp("pyramid"), noise(shape, dtype)
    result = converted(folder, volume, replace(SMALL, memory=memory))
    np.testing.assert_array_equal(mrcfile.read(folder / "out.mrc"), volume)
    for level in result.levels:
        number = int(level.path)
        found = omezarr.read_level(folder / "out.zarr", number)
        assert found.shape == level.shape
        assert found.dtype == volume.dtype
        assert level.scale == (10.0 * 2**number,) * 3
        assert level.translation == (5.0 * (2**number - 1),) * 3
        tolerance = {"i": 0.501, "u": 0.501, "f": 0.05 if dtype == "f2" else 1e-4}[volume.dtype.kind]
        np.testing.assert_allclose(found, true_mean(volume, (2**number,) * 3), atol=tolerance)
    check_members(folder, result)
    assert result.statistics.min == volume.min()
    assert result.statistics.max == volume.max()
    assert result.statistics.mean == pytest.approx(volume.mean(dtype="f8"), rel=1e-6)
    assert [result.statistics.p1, result.statistics.p99] == pytest.approx(
        list(np.percentile(volume.astype("f8"), [1, 99]))
    )


@pytest.mark.parametrize("shape", [(40, 200, 256), (40, 201, 259)])
@pytest.mark.parametrize("dtype", ["f4", "u2"])
def test_large_files_are_the_same_on_every_file_system(tmp_path, shape, dtype):
    """A disk takes writes past the page cache when rows are aligned; a memory file system takes none."""
    volume, recipe = noise(shape, dtype), Recipe(chunks=(64, 64, 256))
    results = [converted(tmp_path, volume, recipe)]
    check_members(tmp_path, results[0])
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "out.mrc"), volume)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        results.append(converted(Path(name), volume, recipe))
        check_members(Path(name), results[1])
    assert results[0] == results[1]
    assert results[0].source_sha256 == hashlib.sha256((tmp_path / "in.mrc").read_bytes()).hexdigest()


def test_a_large_mask_and_other_byte_orders_are_hashed_as_written(tmp_path):
    volume = noise((40, 200, 256), "i2")
    orders: dict[str, Literal["<", ">"]] = {"little": "<", "big": ">"}
    for name, order in orders.items():
        folder = tmp_path / name
        folder.mkdir()
        layout = mrc.Layout(
            shape=(40, 200, 256),
            dtype=np.dtype("i2"),
            voxel_size=(1.0, 1.0, 1.0),
            byte_order=order,
            extended=bytes(512),
        )
        write_layout(folder / "in.mrc", volume, layout)
        with (folder / "in.mrc").open("ab") as file:
            file.write(b"more")
        check_members(folder, convert(folder / "in.mrc", target(folder)))
        np.testing.assert_array_equal(mrcfile.read(folder / "out.mrc"), volume)
        (folder / "mask").mkdir()
        result = convert(folder / "in.mrc", target(folder / "mask"), Recipe(kind="mask", threshold=60))
        check_members(folder / "mask", result)
        np.testing.assert_array_equal(mrcfile.read(folder / "mask" / "out.mrc"), volume >= 60)


def test_the_same_input_gives_the_same_bytes(tmp_path):
    results = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        results.append(converted(tmp_path / name, noise((20, 30, 40))))
    assert results[0] == results[1]


def test_a_marked_voxel_is_found_where_it_is_at_every_level(tmp_path):
    for mark in itertools.product((0, 13, 22), (5, 30), (0, 39, 40)):
        folder = tmp_path / "_".join(map(str, mark))
        folder.mkdir()
        volume = np.zeros((23, 31, 41), np.float32)
        # A block of 16 voxels around the mark: its centre of mass can be told at level 4, a single voxel's cannot.
        near = tuple(slice(m // 16 * 16, m // 16 * 16 + 16) for m in mark)
        volume[near] = 1
        result = converted(folder, volume)
        centres = []
        for level in result.levels:
            data = omezarr.read_level(folder / "out.zarr", int(level.path)).astype("f8")
            weights = data * covered(level.shape, volume.shape, 2 ** int(level.path))
            inside = [np.average(np.indices(level.shape)[axis], weights=weights) for axis in range(3)]
            places = [i * s + t for i, s, t in zip(inside, level.scale, level.translation, strict=True)]
            centres.append([place / 10.0 for place in places])
        whole = all(part.stop <= n for part, n in zip(near, volume.shape, strict=True))
        if whole:
            np.testing.assert_allclose(centres, [centres[0]] * len(centres), atol=0.05)


def covered(shape: tuple[int, ...], full: tuple[int, ...], factor: int) -> np.ndarray:
    """How many voxels of level 0 stand behind each voxel."""
    ones = np.ones(full)
    for axis in range(3):
        ones = np.add.reduceat(ones, np.arange(0, full[axis], factor), axis)
    assert ones.shape == shape
    return ones


def test_a_single_marked_voxel_stays_within_its_coarse_voxel(tmp_path):
    volume = np.zeros((33, 33, 33), np.float32)
    volume[9, 17, 32] = 1
    result = converted(tmp_path, volume)
    for level in result.levels:
        data = omezarr.read_level(tmp_path / "out.zarr", int(level.path))
        (index,) = np.argwhere(data > 0)
        place = index * np.array(level.scale) + level.translation
        half = np.array(level.scale) / 2
        assert (np.abs(place - np.array([90, 170, 320])) <= half).all()


def test_tilt_series_are_stacks_and_keep_their_sections(tmp_path):
    volume = noise((5, 300, 260), "i2")
    recipe = Recipe(kind="tilt_series", chunks=(1, 64, 64))
    result = converted(tmp_path, volume, recipe, stack=True)
    assert [level.shape for level in result.levels] == [(5, 300, 260), (5, 150, 130), (5, 75, 65)]
    assert result.levels[2].scale == (10.0, 40.0, 40.0)
    assert result.levels[2].translation == (0.0, 15.0, 15.0)
    found = omezarr.read_level(tmp_path / "out.zarr", 2)
    np.testing.assert_allclose(found, true_mean(volume, (1, 4, 4)), atol=0.501)
    with mrcfile.open(tmp_path / "out.mrc") as file:
        assert file.is_image_stack()
        assert file.header.mz == 1
        np.testing.assert_array_equal(file.data, volume)


@pytest.mark.parametrize(
    ("choice", "expected"), [({"label": 2}, lambda v: v == 2), ({"threshold": 1.5}, lambda v: v >= 1.5)]
)
def test_masks_are_extracted_and_follow_the_majority(tmp_path, choice, expected):
    volume = np.random.default_rng(0).integers(0, 4, (20, 21, 22)).astype("i2")
    result = converted(tmp_path, volume, replace(SMALL, kind="mask", **choice))
    mask = expected(volume)
    assert result.dtype == "int8"
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "out.mrc"), mask)
    for level in result.levels:
        fraction = true_mean(mask, (2 ** int(level.path),) * 3)
        np.testing.assert_array_equal(omezarr.read_level(tmp_path / "out.zarr", int(level.path)), fraction >= 0.5)
    attributes = zarr.open_group(tmp_path / "out.zarr", mode="r").attrs.asdict()
    assert "image-label" in attributes


def test_an_empty_mask_is_told_by_its_statistics(tmp_path):
    result = converted(tmp_path, np.zeros((4, 4, 4), np.int8), Recipe(kind="mask"))
    assert result.statistics.max == 0
    assert not [member for member in result.zarr if member.path.startswith("0/0")]


def test_labels_keep_their_numbers(tmp_path):
    volume = np.random.default_rng(0).integers(0, 900, (5, 6, 7)).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    result = converted(tmp_path, volume.astype("f4"), replace(SMALL, kind="labels"))
    assert result.dtype == "uint16"
    np.testing.assert_array_equal(omezarr.read_level(tmp_path / "out.zarr", 2), volume[::4, ::4, ::4])
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(FormatError, match="no labels"):
        converted(other, volume.astype("f4") + 0.5, replace(SMALL, kind="labels"))


@pytest.mark.parametrize(
    ("dtype", "in_zarr", "in_mrc", "note"),
    [
        ("u1", "u1", "u2", "uint8 stays in OME-Zarr"),
        ("f8", "f4", "f4", "float64 becomes float32"),
        ("i4", "f4", "f4", "int32 becomes float32"),
        ("f2", "f2", "f2", "float16 is kept"),
    ],
)
def test_dtypes_are_kept_or_noted(tmp_path, dtype, in_zarr, in_mrc, note):
    volume = noise((9, 10, 11), dtype)
    group = zarr.open_group(tmp_path / "in.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=volume.shape, chunks=(16, 16, 16), dtype=dtype)[:] = volume
    transform: Any = {"type": "scale", "scale": [1.0, 1.0, 1.0]}
    axes: Any = [{"name": axis, "unit": "nanometer"} for axis in "zyx"]
    datasets: Any = [{"path": "0", "coordinateTransformations": [transform]}]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": datasets}]
    result = convert(tmp_path / "in.zarr", target(tmp_path), SMALL)
    assert result.voxel_size == (10.0, 10.0, 10.0)
    found = omezarr.read_level(tmp_path / "out.zarr", 0)
    assert found.dtype == in_zarr
    np.testing.assert_array_equal(found, volume.astype(in_zarr))
    assert mrcfile.read(tmp_path / "out.mrc").dtype == in_mrc
    assert any(note in finding.message for finding in result.notes)


@pytest.mark.parametrize("order", ["<", ">"])
def test_extended_headers_and_labels_are_kept(tmp_path, order):
    extended = struct.pack(order + "4f", 1, 2, 3, 4)
    layout = mrc.Layout(
        shape=(3, 4, 5),
        dtype=np.dtype("f4"),
        voxel_size=(2.0, 2.0, 2.0),
        byte_order=order,
        extended=extended,
        exttyp="SERI",
        origin=(5.0, 0.0, 0.0),
        labels=("made by hand",),
    )
    volume = noise((3, 4, 5))
    write_layout(tmp_path / "in.mrc", volume, layout)
    result = convert(tmp_path / "in.mrc", target(tmp_path))
    with mrcfile.open(tmp_path / "out.mrc") as file:
        np.testing.assert_array_equal(file.data, volume)
        assert file.extended_header.tobytes() == extended
        assert file.header.exttyp == b"SERI"
        assert file.header.origin.x == 0
        assert [str(label.decode().strip()) for label in file.header.label[:2]] == ["made by hand", mrc.label()]
    assert any("origin is not kept" in finding.message for finding in result.notes)


def test_a_configured_voxel_size_goes_before_the_header(tmp_path):
    result = converted(tmp_path, noise((3, 4, 5)), Recipe(voxel_size=(1.0, 2.0, 3.0)))
    assert result.levels[1].scale == (6.0, 4.0, 2.0)
    assert mrc.read_header(tmp_path / "out.mrc").voxel_size == (1.0, 2.0, 3.0)


def test_no_voxel_size_at_all_is_an_error(tmp_path):
    mrc.write(tmp_path / "in.mrc", noise((3, 4, 5)), voxel_size=0.0)
    with pytest.raises(FormatError, match="has no voxel size"):
        convert(tmp_path / "in.mrc", target(tmp_path))
    assert not (tmp_path / "out.mrc").exists()


def test_what_is_not_finite_is_a_warning(tmp_path):
    volume = noise((3, 4, 5))
    volume[0, 0, 0] = np.nan
    result = converted(tmp_path, volume)
    assert any(
        finding.severity == "warning" and "1 voxels are not finite" in finding.message for finding in result.notes
    )
    assert result.statistics.max == np.nanmax(volume)


def test_progress_adds_up_to_all_voxels(tmp_path):
    mrc.write(tmp_path / "in.mrc", noise((20, 30, 40)), voxel_size=1.0)
    steps: list[int] = []
    convert(tmp_path / "in.mrc", target(tmp_path), SMALL, progress=steps.append)
    assert sum(steps) == 20 * 30 * 40
    assert len(steps) > 1


def test_the_source_is_not_touched(tmp_path):
    mrc.write(tmp_path / "in.mrc", noise((20, 30, 40)), voxel_size=1.0)
    (tmp_path / "in.mrc").chmod(0o400)
    before = (tmp_path / "in.mrc").read_bytes(), (tmp_path / "in.mrc").stat().st_mtime_ns
    convert(tmp_path / "in.mrc", target(tmp_path))
    assert ((tmp_path / "in.mrc").read_bytes(), (tmp_path / "in.mrc").stat().st_mtime_ns) == before


def test_a_target_that_exists_is_not_overwritten(tmp_path):
    (tmp_path / "out.zarr").mkdir()
    with pytest.raises(StorageError, match=r"out\.zarr: cannot be written: File exists"):
        converted(tmp_path, noise((3, 4, 5)))


def test_a_failing_disk_in_the_middle_is_one_sentence(tmp_path):
    """A limit on file size stands in for a full disk: the kernel refuses the write that crosses it."""
    mrc.write(tmp_path / "in.mrc", noise((64, 64, 64)), voxel_size=1.0)
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from tomotheca.ingest.pyramid import *; from tomotheca.errors import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
        "d = Path(sys.argv[1])\n"
        "try: convert(d / 'in.mrc', Target(d / 'out.mrc', d / 'out.zarr'), Recipe(chunks=(16, 16, 16)))\n"
        "except StorageError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert "out.mrc: cannot be written: File too large" in run.stdout


def test_sync_tree_names_what_is_missing(tmp_path):
    sync_tree(tmp_path)
    with pytest.raises(StorageError, match="none: cannot be written"):
        sync_tree(tmp_path / "none")


@pytest.mark.parametrize(("workers", "most"), [(1, 1), (2, 2), (None, 99)])
def test_a_conversion_computes_on_as_many_cores_as_it_is_told(tmp_path, monkeypatch, workers, most):
    """What it compresses, measures and makes coarser at one moment is counted; each takes a moment longer here, so that it would be seen."""
    lock, now, seen = threading.Lock(), 0, []

    def counted(function):
        def call(*arguments, **more):
            nonlocal now
            with lock:
                now += 1
                seen.append(now)
            time.sleep(0.003)
            try:
                return function(*arguments, **more)
            finally:
                with lock:
                    now -= 1

        return call

    for module, name in ((job, "moments"), (job, "halve"), (writer, "_is_empty"), (job, "finished")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    values = np.random.default_rng(1).normal(0, 1, (130, 140, 150)).astype(np.float32)
    mrc.write(tmp_path / "a.mrc", values, voxel_size=10.0)
    recipe = Recipe(workers=workers, chunks=(32, 32, 32))
    made = convert(tmp_path / "a.mrc", Target(tmp_path / "b.mrc", tmp_path / "b.zarr"), recipe)
    assert max(seen) <= most
    assert workers is not None or max(seen) > 1
    assert made.shape == (130, 140, 150)
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "b.zarr", mode="r")["0"][:], values)


def test_memory_stays_bounded_and_open_files_too(tmp_path):
    mrc.write(tmp_path / "in.mrc", noise((64, 128, 256)), voxel_size=1.0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    convert(tmp_path / "in.mrc", target(tmp_path), replace(SMALL, memory=1 << 22))
    shutil.rmtree(tmp_path / "out.zarr")
    with pytest.raises(FormatError):
        convert(tmp_path / "none.mrc", target(tmp_path))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
