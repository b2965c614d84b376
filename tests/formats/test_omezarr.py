import json
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from ome_zarr_models.v04 import Image
from ome_zarr_models.v04.image_label import ImageLabel

from tomotheca.errors import FormatError, NotFoundError, StorageError
from tomotheca.formats import omezarr
from tomotheca.formats.omezarr import Form, bounded, grid
from tomotheca.formats.omezarr.levels import SECTION, plan_levels


def some_volume(shape=(5, 30, 41), dtype="f4") -> np.ndarray:
    return np.asarray(np.random.default_rng(1).normal(size=shape) * 20 + 50).clip(1, 110).astype(dtype)


def array_at(path: Path, level: str) -> zarr.Array[Any]:
    array = zarr.open_group(path, mode="r")[level]
    assert isinstance(array, zarr.Array)
    return array


def attributes_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / ".zattrs").read_text())
    return found


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "f2", "f4"])
def test_the_zarr_library_reads_what_we_write(tmp_path, dtype):
    volume = some_volume(dtype=dtype)
    members = omezarr.write(tmp_path / "a.zarr", volume, spacing=(10.0, 10.0, 10.0))
    np.testing.assert_array_equal(np.asarray(array_at(tmp_path / "a.zarr", "0")[:]), volume)
    assert array_at(tmp_path / "a.zarr", "0").dtype == volume.dtype
    assert array_at(tmp_path / "a.zarr", "2").shape == (2, 8, 11)
    assert [member.path for member in members] == sorted(
        str(path.relative_to(tmp_path / "a.zarr")) for path in (tmp_path / "a.zarr").rglob("*") if path.is_file()
    )


FORMS = [
    Form("0.5"), Form("0.5", chunk=16), Form("0.5", chunk=256), Form("0.5", codec="zstd", level=1), Form("0.5", codec="lz4", level=9),
    Form("0.4", chunk=16), Form("0.4", codec="zstd"),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("dtype", ["i1", "u2", "f4"])
def test_every_form_is_read_by_zarr_and_by_us(tmp_path, dtype, form):
    volume = some_volume((5, 70, 141), dtype)
    volume[:, :32, :64] = 0
    members = omezarr.write(tmp_path / "a.zarr", volume, spacing=(10.0, 10.0, 10.0), form=form)
    assert {m.path: m.size for m in members} == {
        str(p.relative_to(tmp_path / "a.zarr")): p.stat().st_size
        for p in (tmp_path / "a.zarr").rglob("*")
        if p.is_file()
    }
    np.testing.assert_array_equal(np.asarray(array_at(tmp_path / "a.zarr", "0")[:]), volume)
    omezarr.write(tmp_path / "plain.zarr", volume, spacing=(10.0, 10.0, 10.0))

    def read(name: str) -> bytes:
        if not (tmp_path / "a.zarr" / name).is_file():
            raise NotFoundError(name)
        return (tmp_path / "a.zarr" / name).read_bytes()

    for level in grid.read_levels(grid.read_first(read, "", grid.GROUPS)):
        found = grid.read_grid(level, grid.read_first(read, f"{level}/", grid.ARRAYS))
        np.testing.assert_array_equal(grid.read_whole(found, read), array_at(tmp_path / "plain.zarr", level)[:])
        assert max(found.chunks) <= (form.chunk or (128 if form.version == "0.4" else 64))


def test_metadata_is_valid_for_ome_zarr_models(tmp_path):
    omezarr.write(tmp_path / "a.zarr", some_volume(), spacing=(10.0, 8.0, 6.0))
    image = Image.from_zarr(zarr.open_group(tmp_path / "a.zarr", mode="r"))
    (multiscale,) = image.attributes.multiscales
    assert [axis.name for axis in multiscale.axes] == ["z", "y", "x"]
    assert {axis.unit for axis in multiscale.axes} == {"angstrom"}
    assert multiscale.name == "a"
    for level, dataset in enumerate(attributes_of(tmp_path / "a.zarr")["multiscales"][0]["datasets"]):
        scale, translation = dataset["coordinateTransformations"]
        assert scale == {"type": "scale", "scale": [10 * 2**level, 8 * 2**level, 6 * 2**level]}
        shift = [s * (2**level - 1) / 2 for s in (10, 8, 6)]
        assert translation == {"type": "translation", "translation": shift}


@pytest.mark.parametrize(("method", "dtype"), [("majority", "i1"), ("mode", "u2")])
def test_masks_and_labels_say_so(tmp_path, method, dtype):
    labels = np.random.default_rng(0).integers(0, 2, (9, 9, 9)).astype(dtype)
    omezarr.write(tmp_path / "a.zarr", labels, spacing=(1.0, 1.0, 1.0), method=method)
    label = ImageLabel.from_zarr(zarr.open_group(tmp_path / "a.zarr", mode="r"))
    (multiscale,) = label.attributes.multiscales
    assert multiscale.type == method
    assert attributes_of(tmp_path / "a.zarr")["multiscales"][0]["metadata"]["method"] == method


def test_levels_go_on_until_the_largest_edge_is_128():
    assert [level.shape for level in plan_levels((3, 4, 5), (1.0, 1.0, 1.0))] == [(3, 4, 5), (2, 2, 3), (1, 1, 2)]
    assert plan_levels((512, 1024, 1025), (1.0, 1.0, 1.0))[-1].shape == (32, 64, 65)
    assert len(plan_levels((512, 1024, 1024), (1.0, 1.0, 1.0))) == 4


def test_tilt_series_keep_their_sections():
    levels = plan_levels((201, 4096, 4096), (1.5, 1.5, 1.5), step=SECTION, chunks=(1, 1024, 1024))
    assert levels[-1].shape == (201, 128, 128)
    assert levels[1].scale == (1.5, 3.0, 3.0)
    assert levels[1].translation == (0.0, 0.75, 0.75)
    assert levels[-1].chunks == (1, 128, 128)


def test_chunks_of_zeros_are_not_stored(tmp_path):
    volume = np.zeros((2, 2, 300), np.float32)
    volume[0, 0, 299] = 1
    members = omezarr.write(tmp_path / "a.zarr", volume, spacing=(1.0, 1.0, 1.0))
    assert [member.path for member in members if member.path.startswith("0/0")] == ["0/0/0/2"]
    np.testing.assert_array_equal(omezarr.read_level(tmp_path / "a.zarr", 0), volume)


def foreign_image(path: Path, volume: np.ndarray, *, version: str, unit: str | None, front: int = 0) -> None:
    """Write level 0 with the zarr library, the way other programs do."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    shape = (1,) * front + volume.shape
    array = group.create_array("s0", shape=shape, chunks=(1,) * front + (4, 8, 16), dtype=volume.dtype)
    array[:] = volume.reshape(shape)
    names = ["t", "c", "z", "y", "x"][2 - front :]
    axes = [{"name": name, "type": "space"} | ({"unit": unit} if unit else {}) for name in names]
    scale = {"type": "scale", "scale": [1.0] * front + [3.0, 2.0, 1.0]}
    multiscale: Any = {"axes": axes, "datasets": [{"path": "s0", "coordinateTransformations": [scale]}]}
    if version == "0.4":
        group.attrs["multiscales"] = [multiscale | {"version": version}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("front", [0, 2])
def test_images_of_other_programs_are_read(tmp_path, version, front):
    volume = some_volume((9, 17, 33))
    foreign_image(tmp_path / "a.zarr", volume, version=version, unit="nanometer", front=front)
    with omezarr.Reader(tmp_path / "a.zarr") as reader:
        assert reader.shape == (9, 17, 33)
        assert reader.voxel_size == (10.0, 20.0, 30.0)
        assert reader.notes == ()
        np.testing.assert_array_equal(np.concatenate(list(reader.slabs(3))), volume)
        np.testing.assert_array_equal(reader.read((slice(1, 3), slice(2, 9), slice(5, 33))), volume[1:3, 2:9, 5:33])


def test_a_missing_unit_is_a_warning(tmp_path):
    foreign_image(tmp_path / "a.zarr", some_volume((3, 3, 3)), version="0.4", unit=None)
    reader = omezarr.Reader(tmp_path / "a.zarr")
    assert reader.voxel_size == (1.0, 2.0, 3.0)
    assert "taken as angstrom" in reader.notes[0].message


def test_what_is_no_image_gets_a_sentence(tmp_path):
    with pytest.raises(FormatError, match="no OME-Zarr image"):
        omezarr.Reader(tmp_path)
    zarr.open_group(tmp_path / "plain.zarr", mode="w", zarr_format=2)
    with pytest.raises(FormatError, match="without a multiscale image"):
        omezarr.Reader(tmp_path / "plain.zarr")
    foreign_image(tmp_path / "a.zarr", some_volume((3, 3, 3)), version="0.4", unit=None)
    attributes = json.loads((tmp_path / "a.zarr/.zattrs").read_text())
    attributes["multiscales"][0]["datasets"] = []
    (tmp_path / "a.zarr/.zattrs").write_text(json.dumps(attributes))
    with pytest.raises(FormatError, match="no OME-Zarr image"):
        omezarr.Reader(tmp_path / "a.zarr")


def test_a_broken_chunk_gets_a_sentence(tmp_path):
    omezarr.write(tmp_path / "a.zarr", some_volume((3, 3, 3)), spacing=(1.0, 1.0, 1.0))
    (tmp_path / "a.zarr/0/0/0/0").write_bytes(b"nonsense")
    reader = omezarr.Reader(tmp_path / "a.zarr")
    with pytest.raises(FormatError, match="chunk that cannot be read"):
        reader.read((slice(0, 3), slice(0, 3), slice(0, 3)))


def test_the_central_slab_averages_the_middle(tmp_path):
    volume = np.zeros((11, 6, 6), np.float32)
    volume[4:7] = np.arange(36, dtype=np.float32).reshape(6, 6) + 1
    omezarr.write(tmp_path / "a.zarr", volume, spacing=(1.0, 1.0, 1.0))
    np.testing.assert_allclose(omezarr.central_slab(tmp_path / "a.zarr", depth=3), volume[5])
    assert omezarr.central_slab(tmp_path / "a.zarr", level=-1).shape == (2, 2)


def test_a_central_slab_over_many_chunks_decodes_each_once(tmp_path, monkeypatch):
    volume = np.random.default_rng(1).normal(0, 1, (20, 17, 19)).astype(np.float32)
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    array = group.create_array("0", shape=volume.shape, chunks=(8, 8, 8), dtype="f4", compressors=numcodecs.Zlib())
    array[...] = volume
    group.attrs["multiscales"] = [{"version": "0.4", "datasets": [{"path": "0"}]}]
    decoded, unpack = [], bounded.UNPACKED["zlib"]
    monkeypatch.setitem(bounded.UNPACKED, "zlib", lambda *given: decoded.append(1) or unpack(*given))
    found = omezarr.central_slab(tmp_path / "a.zarr", depth=6)
    np.testing.assert_allclose(found, volume[7:13].mean(axis=0), atol=1e-6)
    assert len(decoded) == 2 * 3 * 3


def test_levels_that_are_not_there_are_named(tmp_path):
    omezarr.write(tmp_path / "a.zarr", some_volume((3, 3, 3)), spacing=(1.0, 1.0, 1.0))
    with pytest.raises(FormatError, match="there is no level 7"):
        omezarr.read_level(tmp_path / "a.zarr", 7)


def test_an_unwritable_place_names_the_path(tmp_path):
    with pytest.raises(StorageError, match=r"none/a\.zarr: cannot be written: No such file"):
        omezarr.write(tmp_path / "none" / "a.zarr", some_volume((3, 3, 3)), spacing=(1.0, 1.0, 1.0))
