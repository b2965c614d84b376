"""Key photos: sizes, contrast, points on the right spot."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tomotheca.errors import FormatError
from tomotheca.formats import mrc, omezarr
from tomotheca.ingest import render


@pytest.fixture
def zarr(tmp_path: Path) -> Path:
    volume = np.zeros((20, 90, 160), np.float32)
    volume[8:12, 30:34, 40:44] = -10
    volume += np.random.default_rng(0).normal(0, 0.1, volume.shape).astype(np.float32)
    omezarr.write(tmp_path / "v.zarr", volume, spacing=(10.0, 10.0, 10.0))
    return tmp_path / "v.zarr"


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_sizes_and_ratio(zarr: Path) -> None:
    made = render.photos(render.slab_of_zarr(zarr, 10.0))
    sizes = render.sizes(made)
    assert sizes["snapshot"] == (512, 384)
    assert sizes["thumbnail"] == (134, 100)
    assert sizes["expanded"] == (1024, 768)
    assert sizes["original"][0] / sizes["original"][1] == pytest.approx(160 / 90, rel=0.01)


def test_a_dark_object_is_dark_where_it_is(zarr: Path) -> None:
    picture = pixels(render.photos(render.slab_of_zarr(zarr, 10.0))["original"]).mean(axis=2)
    scale = picture.shape[1] / 160
    inside = picture[round(31 * scale) : round(33 * scale), round(41 * scale) : round(43 * scale)]
    assert inside.max() < np.percentile(picture, 5)
    assert picture[round(38 * scale), round(50 * scale)] > inside.max()


def test_very_many_points_take_little_time(zarr: Path) -> None:
    grid = np.stack(np.meshgrid(np.arange(40, 80, 0.05), np.arange(20, 60, 0.05), [9.5]), axis=-1).reshape(-1, 3)
    start = time.process_time()
    overlay = render.Overlay(np.concatenate([grid, [[1e300, -1e300, 9.5]]]))
    picture = pixels(render.photos(render.slab_of_zarr(zarr, 10.0), [overlay])["original"])
    assert time.process_time() - start < 5
    assert (np.ptp(picture, axis=2) > 20).sum() > 0.1 * picture[..., 0].size


def test_points_that_are_left_out_could_not_be_seen(zarr: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = np.stack(np.meshgrid(np.arange(40, 80, 0.25), np.arange(20, 60, 0.25), [9.5]), axis=-1).reshape(-1, 3)
    assert len(grid) > render.MOST_DISCS
    some = pixels(render.photos(render.slab_of_zarr(zarr, 10.0), [render.Overlay(grid)])["original"])
    monkeypatch.setattr(render, "MOST_DISCS", len(grid))
    every = pixels(render.photos(render.slab_of_zarr(zarr, 10.0), [render.Overlay(grid)])["original"])
    covered, expected = (np.ptp(p, axis=2) > 20 for p in (some, every))
    assert (covered & ~expected).sum() == 0
    assert (expected & ~covered).sum() < 0.03 * expected.sum()


def test_points_of_the_slab_are_drawn_and_others_not(zarr: Path) -> None:
    volume = render.Overlay(np.array([[100.0, 20.0, 9.5]]))
    picture = pixels(render.photos(render.slab_of_zarr(zarr, 10.0), [volume])["original"])
    coloured = np.argwhere(np.ptp(picture, axis=2) > 60)
    scale = picture.shape[1] / 160
    assert coloured.mean(axis=0)[::-1] / scale == pytest.approx([100.5, 20.5], abs=0.5)


def test_points_far_above_the_slab_are_not_drawn(tmp_path: Path) -> None:
    omezarr.write(tmp_path / "t.zarr", np.zeros((200, 64, 64), np.float32), spacing=(1.0, 1.0, 1.0))
    made = render.photos(render.slab_of_zarr(tmp_path / "t.zarr", 1.0), [render.Overlay(np.array([[30.0, 30.0, 5.0]]))])
    assert np.ptp(pixels(made["original"]), axis=2).max() == 0


@pytest.mark.parametrize("spacing", [0.4, 10.0, 80.0])
def test_the_scale_bar_has_its_length(zarr: Path, spacing: float) -> None:
    made = render.photos(render.slab_of_zarr(zarr, spacing))
    picture = pixels(made["expanded"]).min(axis=2)
    rows = picture[700:760, :500]
    bar = max((row == 255).sum() for row in rows)
    width_nm = 120 * spacing / 10
    lengths = [n * 1024 / width_nm for n in render.BAR_LENGTHS]
    assert min(abs(bar - length) for length in lengths) <= 3 or bar < 20


def test_a_constant_volume_has_pictures_too(tmp_path: Path) -> None:
    omezarr.write(tmp_path / "c.zarr", np.full((4, 5, 6), 3, np.int16), spacing=(1.0, 1.0, 1.0))
    assert set(render.photos(render.slab_of_zarr(tmp_path / "c.zarr", 1.0))) == {
        "original",
        "snapshot",
        "thumbnail",
        "expanded",
    }


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"no picture")
    with pytest.raises(FormatError, match="is no picture"):
        render.from_picture(path)


def test_the_slab_is_read_from_the_source_where_that_is_level_0(tmp_path: Path) -> None:
    """No chunk is decoded then; the picture is that of the OME-Zarr directory."""
    volume = np.random.default_rng(3).normal(0, 1, (60, 70, 90)).astype(np.float32)
    omezarr.write(tmp_path / "v.zarr", volume, spacing=(10.0, 10.0, 10.0))
    mrc.write(tmp_path / "v.mrc", volume, voxel_size=10.0)
    direct = render.slab_of_source(tmp_path / "v.mrc", 10.0)
    assert direct is not None
    assert render.photos(direct) == render.photos(render.slab_of_zarr(tmp_path / "v.zarr", 10.0))
    assert render.slab_of_source(tmp_path / "v.zarr", 10.0) is None


def test_a_large_or_turned_source_shows_a_coarser_level(tmp_path: Path) -> None:
    wide = np.zeros((2, 4, 2 * render.BASE), np.int8)
    mrc.write(tmp_path / "wide.mrc", wide, voxel_size=10.0)
    assert render.slab_of_source(tmp_path / "wide.mrc", 10.0) is None
    mrc.write(tmp_path / "turned.mrc", wide[..., :8], voxel_size=10.0)
    with (tmp_path / "turned.mrc").open("r+b") as file:
        file.seek(64)
        file.write(np.array([3, 2, 1], "<i4").tobytes())  # columns run along z
    assert render.slab_of_source(tmp_path / "turned.mrc", 10.0) is None
