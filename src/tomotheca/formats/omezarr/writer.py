"""Write OME-Zarr 0.4 chunk by chunk, from many threads, hashing what is written.

The chunks are encoded with numcodecs and written here rather than through the zarr library: measured in
``benchmarks/bench_convert.py``, and each chunk's size and sha256 are known without reading it back.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numcodecs.blosc import Blosc

from tomotheca.errors import FormatError
from tomotheca.formats.direct import write_whole
from tomotheca.formats.files import Aside, Member, write_file, writing
from tomotheca.formats.omezarr.levels import BLOCK, Level, Triple, Vector, box_of, grid, plan_levels
from tomotheca.formats.reduce import Method, coverage, finished, halve

METHODS: dict[Method, str] = {
    "mean": "Each voxel is the mean of the voxels of level 0 that it covers; at the borders, of those that exist.",
    "majority": "Each voxel is 1 where at least half of the voxels of level 0 that it covers and that exist are 1.",
    "mode": "Each voxel is the commonest label of the voxels one level finer that it covers; of equally common ones "
    "the largest.",
}

DTYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "f2", "f4", "f8")


MANY = 100
"""Labels from which on the metadata is written in one line: blanks would be most of it."""


def codec(dtype: np.dtype[np.generic]) -> Blosc:
    """Choose the compressor.

    Measured on noise, on denoised data and on integers kept as float32: for two bytes and more, bit shuffle with lz4 is
    3 to 5 times faster than with zstd-3 for 1 % more bytes on data as noisy as tomograms are. Single bytes
    (masks, 8-bit tomograms) lz4 does not shrink, zstd-3 does. Neuroglancer and every Zarr client read both.
    """
    if dtype.itemsize == 1:
        return Blosc(cname="zstd", clevel=3, shuffle=Blosc.NOSHUFFLE)
    return Blosc(cname="lz4", clevel=5, shuffle=Blosc.BITSHUFFLE)


Put = Callable[[str, bytes], None]


class Writer:
    """A new OME-Zarr directory; chunks may be written in any order and from many threads.

    A chunk of zeros is not stored: readers take the fill value, 0. Nothing is synced or renamed: the caller does that.

    Parameters
    ----------
    in_place
        Level 0 is described and not written: its chunks are stretches of another file, plain numbers of exactly this dtype.
        The other levels have its byte order, as readers expect of one image.
    put
        Takes each file, by its path in the directory, instead of the disk: ``path`` is then only a name.

    Raises
    ------
    FormatError
        If Zarr clients cannot read the dtype.
    StorageError
        From every method, if the disk refuses.
    """

    def __init__(
        self,
        path: Path,
        levels: Sequence[Level],
        dtype: np.dtype[np.generic],
        *,
        in_place: bool = False,
        put: Put | None = None,
    ) -> None:
        self.path, self.levels, self.in_place = path, tuple(levels), in_place
        self.dtype = np.dtype(dtype if in_place else dtype.newbyteorder("<"))
        if dtype.str[1:] not in DTYPES:
            raise FormatError(path, f"{dtype} is not written to OME-Zarr: give one of {', '.join(DTYPES)}.")
        self._codec = codec(self.dtype)
        self._members: list[Member] = []
        self._put = put
        self.aside: Aside = nullcontext
        """Entered while a chunk is on its way to the disk."""

        if put is not None:
            return
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
        self._write(name, encoded, self._write_whole)

    def finish(
        self, name: str, method: Method, *, is_label: bool = False, labels: Sequence[int] = ()
    ) -> tuple[Member, ...]:
        """Write the metadata and list every file of the directory, sorted by path.

        Parameters
        ----------
        name
            Name of the image, shown by viewers.
        method
            How coarser levels were made; it is stated in the metadata.
        is_label
            Marks masks and label images as such (``image-label``).
        labels
            Every label but 0 of a label image: each has the colour of `colours`.
        """
        documents: dict[str, dict[str, object]] = {
            ".zgroup": {"zarr_format": 2},
            ".zattrs": _attributes(self.levels, name, method),
        }
        if is_label:
            documents[".zattrs"] = {**documents[".zattrs"], "image-label": _image_label(labels)}
        documents |= {f"{level.path}/.zarray": self._array(level) for level in self.levels}
        for key, document in documents.items():
            text = json.dumps(document, indent=None if len(labels) > MANY else 2, sort_keys=True) + "\n"
            self._write(key, text.encode())
        return tuple(sorted(self._members))

    def _write(self, name: str, data: bytes, write: Callable[[Path, int, memoryview], None] | None = None) -> None:
        if self._put is None:
            self._members.append(write_file(self.path / name, data, name=name, write=write))
            return
        with self.aside() if write else nullcontext():
            self._put(name, data)
        self._members.append(Member(name, len(data), hashlib.sha256(data).hexdigest()))

    def _write_whole(self, path: Path, descriptor: int, data: memoryview) -> None:
        with self.aside():
            write_whole(path, descriptor, data)

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
            "compressor": None if self._is_elsewhere(level) else self._codec.get_config(),
            "fill_value": 0.0 if self.dtype.kind == "f" else 0,
            "order": "C",
            "filters": None,
            "dimension_separator": "/",
        }

    def _make_directories(self, level: Level) -> None:
        """Make the directories of all chunks at once, so that writing one asks for nothing."""
        z, y = (-(-n // c) for n, c in zip(level.shape[:2], level.chunks[:2], strict=True))
        (self.path / level.path).mkdir()
        if self._is_elsewhere(level):
            return
        for i in range(z):
            (self.path / level.path / str(i)).mkdir()
        for i, j in itertools.product(range(z), range(y)):
            (self.path / level.path / str(i) / str(j)).mkdir()

    def _is_elsewhere(self, level: Level) -> bool:
        """Whether the chunks of a level are stretches of another file."""
        return self.in_place and level.number == 0


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


def colours(labels: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Give the colour of each label, ``(n, 3)`` red, green, blue: always the same for one label, far apart for neighbours.

    The hue is the fraction of the label (modulo 4096) times the golden ratio, at three quarters of full saturation.
    """
    hue = np.mod(np.asarray(labels, np.float64).reshape(-1, 1) % 4096 * 0.61803398875, 1)
    wheel = np.abs(np.mod(hue + np.array([0, 2 / 3, 1 / 3]), 1) * 6 - 3)
    return np.asarray(np.rint(255 * (0.25 + 0.75 * np.clip(wheel - 1, 0, 1))), np.uint8)


def _image_label(labels: Sequence[int]) -> dict[str, object]:
    """Make ``image-label`` of version 0.4."""
    if not len(labels):
        return {"version": "0.4"}
    rgb = colours(labels).tolist()
    return {
        "version": "0.4",
        "colors": [
            {"label-value": int(label), "rgba": [*colour, 255]} for label, colour in zip(labels, rgb, strict=True)
        ],
    }


def _attributes(levels: Sequence[Level], name: str, method: Method) -> dict[str, object]:
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
    return {"multiscales": [multiscale]}
