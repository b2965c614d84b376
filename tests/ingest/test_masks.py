"""Masks and label images, from the lab's files to the archive, read back with other readers."""

import json
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import zarr
from ome_zarr_models.v04.image_label import ImageLabel
from scipy import ndimage
from skimage.transform import resize_local_mean
from tests.ingest.conftest import Lab, annotation

from tomotheca.errors import FormatError
from tomotheca.formats import mrc, omezarr, resample
from tomotheca.formats.resample import LocalMean, Resampled

ANNOTATIONS = "10900/TS_1/Reconstructions/VoxelSpacing10.000/Annotations"
SHAPE = (8, 12, 16)


def labels(shape: tuple[int, ...] = SHAPE, *, highest: int = 9) -> np.ndarray:
    """Blocks of labels with gaps between, one of them the highest."""
    made = np.zeros(shape, np.uint16)
    made[:4, 2:9, :5] = 3
    made[3:7, 4:11, 7:13] = highest
    made[-1, -1, -1] = 1
    return made


def only(lab: Lab, shape: str, volume: np.ndarray, *, spacing: float = 10.0, **source: Any) -> None:
    """Leave one annotation, of one mask; nothing of the tilt series."""
    mrc.write(lab.root / "masks/TS_1.mrc", volume, voxel_size=spacing)
    source = {"file_format": "mrc", "glob_string": "masks/{run_name}.mrc", **source}
    lab.config["annotations"] = [annotation("one-1", "one", [{shape: source}])]
    for name in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments"):
        lab.config.pop(name, None)


def found(
    lab: Lab, shape: str = "instancesegmentationmask", folder: int = 100
) -> tuple[np.ndarray, Any, dict[str, Any]]:
    """Give voxels of the MRC file, the Zarr group and the document."""
    stem = lab.archive / ANNOTATIONS / f"{folder}/one-1.0"
    with mrcfile.open(f"{stem}_{shape}.mrc") as file:
        voxels = file.data.copy()
        assert file.voxel_size.x == 10.0
    group = zarr.open_group(f"{stem}_{shape}.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][:], voxels)
    return voxels, group, json.loads(Path(f"{stem}.json").read_text())


def commonest(fine: np.ndarray) -> np.ndarray:
    """Give the commonest label of each block of eight, of equally common ones the largest: one voxel after the other."""
    coarse = np.zeros([-(-n // 2) for n in fine.shape], fine.dtype)
    for index in np.ndindex(coarse.shape):
        values, counts = np.unique(fine[tuple(slice(2 * i, 2 * i + 2) for i in index)], return_counts=True)
        coarse[index] = values[counts == counts.max()].max()
    return coarse


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int8, np.float32])
def test_label_images_keep_their_numbers(lab: Lab, dtype: type) -> None:
    only(lab, "InstanceSegmentationMask", labels().astype(dtype))
    lab.ingest()
    voxels, group, document = found(lab)
    assert voxels.dtype == group["0"].dtype == np.uint16
    np.testing.assert_array_equal(voxels, labels())
    np.testing.assert_array_equal(group["1"][:], commonest(labels()))
    assert document["object_count"] == 3
    assert {f["shape"] for f in document["files"]} == {"InstanceSegmentationMask"}
    assert [f["format"] for f in document["files"]] == ["mrc", "zarr"]
    multiscale = group.attrs["multiscales"][0]
    assert (multiscale["type"], multiscale["metadata"]["method"]) == ("mode", "mode")
    assert "commonest label" in multiscale["metadata"]["description"]


def test_colours_belong_to_numbers(lab: Lab) -> None:
    only(lab, "InstanceSegmentationMask", labels())
    lab.ingest()
    _, group, _ = found(lab)
    model = ImageLabel.from_zarr(group).ome_attributes.image_label
    first = {c.label_value: c.rgba for c in model.colors}
    assert first.keys() == {1, 3, 9}
    assert len(set(first.values())) == 3
    only(lab, "InstanceSegmentationMask", np.where(labels() == 1, 65535, labels()))
    lab.ingest()
    _, group, _ = found(lab)
    again = {c.label_value: c.rgba for c in ImageLabel.from_zarr(group).ome_attributes.image_label.colors}
    assert again.keys() == {3, 9, 65535}
    assert {n: again[n] for n in (3, 9)} == {n: first[n] for n in (3, 9)}


def test_label_images_from_zarr(lab: Lab) -> None:
    only(lab, "InstanceSegmentationMask", labels(), file_format="zarr", glob_string="masks/{run_name}.zarr")
    omezarr.write(lab.root / "masks/TS_1.zarr", labels(highest=40000), spacing=(10.0, 10.0, 10.0), method="mode")
    lab.ingest()
    np.testing.assert_array_equal(found(lab)[0], labels(highest=40000))


@pytest.mark.parametrize(
    ("value", "words"), [(70000, "holds 70000"), (-2, "holds -2"), (1.5, "holds 1.5"), (np.nan, "holds nan")]
)
def test_what_is_no_label_is_refused(lab: Lab, value: float, words: str) -> None:
    volume = labels().astype(np.float32)
    volume[2, 3, 4] = value
    only(lab, "InstanceSegmentationMask", volume)
    result = lab.ingest()
    (failed,) = (f for f in result.findings if f.severity == "error")
    assert words in failed.message
    assert "whole numbers from 0 to 65535" in failed.message
    assert str(lab.root / "masks/TS_1.mrc") in str(failed)
    assert not list((lab.archive / ANNOTATIONS).rglob("one-1.0*"))


def test_an_empty_label_image_is_left_out(lab: Lab) -> None:
    only(lab, "InstanceSegmentationMask", np.zeros(SHAPE, np.uint16))
    lab.ingest()
    assert not list((lab.archive / ANNOTATIONS).rglob("one-1.0*"))


def test_a_second_time_writes_nothing_and_still_counts(lab: Lab) -> None:
    only(lab, "InstanceSegmentationMask", labels())
    lab.ingest()
    before = lab.snapshot()
    assert lab.ingest().written == 0
    assert lab.snapshot() == before
    point = {"Point": {"file_format": "csv", "glob_string": "picks/{run_name}.csv"}}
    lab.config["annotations"][0]["sources"].append(point)
    lab.ingest()
    after = lab.snapshot()
    assert {k: v for k, v in after.items() if "mask.mrc" in k} == {k: v for k, v in before.items() if "mask.mrc" in k}
    assert found(lab)[2]["object_count"] == 3


SIZES = [(12, 20, 31), (4, 6, 8), (16, 24, 32), (5, 12, 17)]


@pytest.mark.parametrize("size", SIZES)
def test_label_images_are_rescaled_by_the_nearest_voxel(lab: Lab, size: tuple[int, int, int]) -> None:
    given = labels(size)
    only(lab, "InstanceSegmentationMask", given, rescale=True, spacing=3.0)
    lab.ingest()
    voxels, _, document = found(lab)
    middles = [(2 * np.arange(n) + 1) * o // (2 * n) for n, o in zip(SHAPE, size, strict=True)]
    np.testing.assert_array_equal(voxels, given[np.ix_(*middles)])
    assert document["object_count"] == len(np.unique(voxels[voxels > 0]))


def test_the_nearest_voxel_is_that_of_scipy() -> None:
    given = np.random.default_rng(1).integers(0, 99, (7, 11, 13)).astype(np.uint16)
    wanted = ndimage.zoom(given, (9 / 7, 25 / 11, 5 / 13), order=0, grid_mode=True, mode="grid-constant")
    np.testing.assert_array_equal(seen(Resampled(Held(given), wanted.shape)), wanted)


@pytest.mark.parametrize("size", SIZES)
def test_masks_are_rescaled_by_the_share_of_their_label(lab: Lab, size: tuple[int, int, int]) -> None:
    given = labels(size)
    only(lab, "SemanticSegmentationMask", given.astype(np.int16), rescale=True, mask_label=9)
    lab.ingest()
    wanted = resize_local_mean((given == 9).astype(np.float64), SHAPE, preserve_range=True)
    np.testing.assert_array_equal(found(lab, "segmentationmask")[0], wanted >= 0.5 - 1e-6)


def test_masks_with_a_threshold_are_rescaled_by_the_local_mean(lab: Lab) -> None:
    given = np.random.default_rng(2).uniform(0, 1, (13, 20, 29)).astype(np.float32)
    only(lab, "SemanticSegmentationMask", given, rescale=True, threshold=0.52)
    lab.ingest()
    wanted = resize_local_mean(given.astype(np.float64), SHAPE, preserve_range=True)
    voxels, group, document = found(lab, "segmentationmask")
    assert np.abs(wanted - 0.52).min() > 1e-6
    np.testing.assert_array_equal(voxels, wanted >= 0.52)
    assert 0 < voxels.mean() < 1
    assert group.attrs["image-label"] == {"version": "0.4"}
    assert document["object_count"] == 1


def test_without_a_tomogram_the_alignment_says_the_size(lab: Lab) -> None:
    only(lab, "InstanceSegmentationMask", labels((4, 6, 8)), rescale=True)
    lab.config["tomograms"] = []
    assert "neither a tomogram at 10 Å nor the alignment's volume_dimension" in lab.refused()
    dimension = {"x": 160, "y": 120, "z": 80}
    literal = {"literal": {"value": ["default"]}}
    lab.config["alignments"] = [{"metadata": {"format": "IMOD", "volume_dimension": dimension}, "sources": [literal]}]
    lab.ingest()
    np.testing.assert_array_equal(found(lab)[0], labels((4, 6, 8)).repeat(2, 0).repeat(2, 1).repeat(2, 2))


def test_sizes_that_do_not_fit_are_said(lab: Lab) -> None:
    only(lab, "InstanceSegmentationMask", labels((8, 12, 600)), rescale=True)
    assert "600 x 12 x 8 voxels and would be rescaled to 16 x 12 x 8: they are hardly of one volume" in lab.refused()
    only(lab, "InstanceSegmentationMask", labels((8, 12, 24)), rescale=True)
    assert any("another factor along each axis" in f.message for f in lab.ingest().findings)
    only(lab, "InstanceSegmentationMask", labels((8, 12, 24)))
    assert any("add rescale: true if both" in f.message for f in lab.ingest().findings)


class Held:
    """A volume in memory, read in boxes."""

    def __init__(self, volume: np.ndarray) -> None:
        self.volume, self.shape, self.dtype, self.largest = volume, volume.shape, volume.dtype, 0
        self.path, self.voxel_size, self.notes = Path("held"), (1.0, 1.0, 1.0), ()

    def read(self, box: tuple[slice, ...], *, out: memoryview | None = None) -> np.ndarray:
        self.largest = max(self.largest, self.volume[box].size)
        return self.volume[box]

    def close(self) -> None:
        pass


def seen(volume: Resampled, step: int = 4) -> np.ndarray:
    """Read a volume in small boxes."""
    made = np.zeros(volume.shape, volume.dtype)
    for start in np.ndindex(*[-(-n // step) for n in volume.shape]):
        z, y, x = (slice(i * step, min((i + 1) * step, n)) for i, n in zip(start, volume.shape, strict=True))
        made[z, y, x] = volume.read((z, y, x))
    return made


@pytest.mark.parametrize("size", [(3, 5, 4), (20, 9, 33)])
def test_means_do_not_depend_on_the_boxes(size: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    given = np.random.default_rng(3).normal(0, 1, (11, 17, 23)).astype(np.float32)
    wanted = resize_local_mean(given.astype(np.float64), size, preserve_range=True)
    np.testing.assert_allclose(seen(LocalMean(Held(given), size)), wanted, atol=1e-6)
    monkeypatch.setattr(resample, "PIECE", 1 << 11)
    held = Held(given)
    np.testing.assert_allclose(LocalMean(held, size).read(tuple(slice(0, n) for n in size)), wanted, atol=1e-6)
    assert held.largest * 4 <= 1 << 11


def test_a_rescaled_source_that_breaks_is_named(tmp_path: Path) -> None:
    mrc.write(tmp_path / "a.mrc", labels().astype(np.int16), voxel_size=1.0)
    reader = mrc.Reader(tmp_path / "a.mrc")
    volume = Resampled(reader, (4, 6, 8))
    (tmp_path / "a.mrc").write_bytes((tmp_path / "a.mrc").read_bytes()[:2000])
    with pytest.raises(FormatError, match=r"a\.mrc.*became shorter"):
        volume.read((slice(0, 4), slice(0, 6), slice(0, 8)))
    volume.close()
