"""Write OME-Zarr 0.4 chunk by chunk, from many threads, hashing what is written.

The chunks are encoded with numcodecs and written here rather than through the zarr library: measured in
``benchmarks/bench_convert.py``, and each chunk's size and sha256 are known without reading it back.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numcodecs.blosc import Blosc

from tomotheca.errors import FormatError
from tomotheca.formats.direct import write_whole
from tomotheca.formats.files import Member, write_file, writing
from tomotheca.formats.omezarr.levels import BLOCK, Level, Triple, Vector, box_of, grid, plan_levels
from tomotheca.formats.reduce import Method, coverage, finished, halve

METHODS: dict[Method, str] = {
    "mean": "Each voxel is the mean of the voxels of level 0 that it covers; at the borders, of those that exist.",
    "majority": "Each voxel is 1 where at least half of the voxels of level 0 that it covers and that exist are 1.",
    "mode": "Each voxel is the commonest label of the voxels one level finer that it covers; of equally common ones "
    "the largest.",
}

DTYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "f2", "f4", "f8")


def codec(dtype: np.dtype[np.generic]) -> Blosc:
    """Choose the compressor.

    Measured on noise, on denoised data and on integers kept as float32: for two bytes and more, bit shuffle with lz4 is
    3 to 5 times faster than with zstd-3 for 1 % more bytes on data as noisy as tomograms are. Single bytes
    (masks, 8-bit tomograms) lz4 does not shrink, zstd-3 does. Neuroglancer and every Zarr client read both.
    """
    if dtype.itemsize == 1:
        return Blosc(cname="zstd", clevel=3, shuffle=Blosc.NOSHUFFLE)
    return Blosc(cname="lz4", clevel=5, shuffle=Blosc.BITSHUFFLE)


class Writer:
    """A new OME-Zarr directory; chunks may be written in any order and from many threads.

    A chunk of zeros is not stored: readers take the fill value, 0. Nothing is synced or renamed: the caller does that.

    Raises
    ------
    FormatError
        If Zarr clients cannot read the dtype.
    StorageError
        From every method, if the disk refuses.
    """

    def __init__(self, path: Path, levels: Sequence[Level], dtype: np.dtype[np.generic]) -> None:
        self.path, self.levels, self.dtype = path, tuple(levels), np.dtype(dtype.newbyteorder("<"))
        if dtype.str[1:] not in DTYPES:
            raise FormatError(path, f"{dtype} is not written to OME-Zarr: give one of {', '.join(DTYPES)}.")
        self._codec = codec(self.dtype)
        self._members: list[Member] = []
        with writing(path):
            path.mkdir()
            for level in self.levels:
                self._make_directories(level)

    def write_chunk(self, level: Level, index: Triple, block: npt.NDArray[np.generic]) -> None:
        """Encode, hash and write one chunk.

        Parameters
        ----------
        index
            Position in the grid of chunks, order ``(z, y, x)``.
        block
            The chunk's voxels; smaller than a chunk at the far borders, where the rest is filled with 0.
        """
        if _is_empty(block):
            return
        if block.shape == level.chunks:
            chunk = np.ascontiguousarray(block, self.dtype)
        else:
            chunk = np.zeros(level.chunks, self.dtype)
            chunk[tuple(slice(0, n) for n in block.shape)] = block
        name = "/".join((level.path, *map(str, index)))
        encoded = self._codec.encode(chunk)
        self._members.append(write_file(self.path / name, encoded, name=name, write=write_whole))

    def finish(self, name: str, method: Method, *, is_label: bool = False) -> tuple[Member, ...]:
        """Write the metadata and list every file of the directory, sorted by path.

        Parameters
        ----------
        name
            Name of the image, shown by viewers.
        method
            How coarser levels were made; it is stated in the metadata.
        is_label
            Marks masks and label images as such (``image-label``).
        """
        documents: dict[str, object] = {
            ".zgroup": {"zarr_format": 2},
            ".zattrs": _attributes(self.levels, name, method, is_label=is_label),
        }
        documents |= {f"{level.path}/.zarray": self._array(level) for level in self.levels}
        for key, document in documents.items():
            text = json.dumps(document, indent=2, sort_keys=True) + "\n"
            self._members.append(write_file(self.path / key, text.encode(), name=key))
        return tuple(sorted(self._members))

    def stored_bytes(self, level: Level) -> int:
        """Bytes of the level's chunks on the disk so far."""
        return sum(member.size for member in self._members if member.path.startswith(f"{level.path}/"))

    def _array(self, level: Level) -> dict[str, object]:
        """Make a level's ``.zarray``."""
        return {
            "zarr_format": 2,
            "shape": level.shape,
            "chunks": level.chunks,
            "dtype": self.dtype.str,
            "compressor": self._codec.get_config(),
            "fill_value": 0.0 if self.dtype.kind == "f" else 0,
            "order": "C",
            "filters": None,
            "dimension_separator": "/",
        }

    def _make_directories(self, level: Level) -> None:
        """Make the directories of all chunks at once, so that writing one asks for nothing."""
        z, y = (-(-n // c) for n, c in zip(level.shape[:2], level.chunks[:2], strict=True))
        (self.path / level.path).mkdir()
        for i in range(z):
            (self.path / level.path / str(i)).mkdir()
        for i, j in itertools.product(range(z), range(y)):
            (self.path / level.path / str(i) / str(j)).mkdir()


def write(
    path: Path, volume: npt.NDArray[np.generic], *, spacing: Vector, method: Method = "mean"
) -> tuple[Member, ...]:
    """Write a whole small ``(z, y, x)`` array with its pyramid; ``spacing`` is in Å, order ``(z, y, x)``.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    z, y, x = volume.shape
    levels = plan_levels((z, y, x), spacing)
    writer = Writer(path, levels, volume.dtype)
    values: npt.NDArray[np.generic] = volume
    for level in levels:
        stored = finished(values, method, volume.dtype)
        for index in grid(level.shape, level.chunks):
            writer.write_chunk(level, index, stored[box_of(index, level.chunks, level.shape)])
        values = halve(values, coverage((z, y, x), level.factors, level.shape, BLOCK), method=method)
    return writer.finish(path.stem, method, is_label=method != "mean")


def _is_empty(block: npt.NDArray[np.generic]) -> bool:
    """Whether all voxels are 0; a few of them nearly always tell without looking at the rest."""
    return not block[::16, ::16, ::16].any() and not block.any()


def _attributes(levels: Sequence[Level], name: str, method: Method, *, is_label: bool) -> dict[str, object]:
    """Make ``.zattrs`` of the group."""
    datasets = [
        {
            "path": level.path,
            "coordinateTransformations": [
                {"type": "scale", "scale": level.scale},
                {"type": "translation", "translation": level.translation},
            ],
        }
        for level in levels
    ]
    multiscale = {
        "version": "0.4",
        "name": name,
        "axes": [{"name": axis, "type": "space", "unit": "angstrom"} for axis in "zyx"],
        "datasets": datasets,
        "type": method,
        "metadata": {"method": method, "description": METHODS[method]},
    }
    document: dict[str, object] = {"multiscales": [multiscale]}
    if is_label:
        document["image-label"] = {"version": "0.4"}
    return document
