"""Read OME-Zarr images, version 0.4 (Zarr v2) and 0.5 (Zarr v3), in boxes of any size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tomotheca.errors import Finding, FormatError
from tomotheca.formats.omezarr.levels import Box, Triple, Vector, triple
from tomotheca.formats.omezarr.opened import datasets, open_group, open_level, reading, whole

Array = npt.NDArray[Any]

ANGSTROM = {"angstrom": 1.0, "nanometer": 10.0, "micrometer": 1e4, "millimeter": 1e7, "meter": 1e10}

KEPT = 256 << 20
"""Bytes of whole source chunks that are kept, so that boxes smaller than a chunk do not decode it again."""


class Reader:
    """Level 0 of an OME-Zarr image.

    ``shape`` is ``(z, y, x)``: axes of length 1 before them are dropped. ``dtype`` is native, ``voxel_size`` is in Å,
    order ``(x, y, z)``. Not for use by two threads at once.

    Raises
    ------
    FormatError
        If there is no OME-Zarr image at ``path`` or it has more than three axes longer than 1.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: tuple[Finding, ...] = ()
        group, multiscale = open_group(path)
        first = datasets(path, multiscale)[0]
        array = open_level(path, group, first["path"])
        self._array = array
        self._front = array.ndim - 3
        if self._front < 0 or any(n != 1 for n in array.shape[: self._front]):
            raise FormatError(path, f"has the shape {array.shape}: give an image with the axes z, y, x.")
        self.shape: Triple = triple(array.shape[-3:])
        self.chunks: Triple = triple(array.chunks[-3:])
        self.dtype = np.dtype(array.dtype).newbyteorder("=")
        self.voxel_size = self._voxel_size(multiscale, first)
        self._kept: tuple[tuple[int, ...], Array] | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was kept."""
        self._kept = None

    def read(self, box: Box, *, out: memoryview | None = None) -> Array:
        """Read one box: plain slices in order z, y, x; the result is ``(z, y, x)``, C order, native; ``out`` is unused.

        Raises
        ------
        FormatError
            If a chunk cannot be read or decoded.
        """
        z, y, x = box
        whole = tuple(_aligned(box[axis], self.chunks[axis], self.shape[axis]) for axis in range(2))
        key = (whole[0].start, whole[0].stop, whole[1].start, whole[1].stop, x.start, x.stop)
        nbytes = math.prod(part.stop - part.start for part in (*whole, x)) * self.dtype.itemsize
        if whole == (z, y) or nbytes > KEPT:
            return self._read(box)
        if self._kept is None or self._kept[0] != key:
            self._kept = None
            self._kept = (key, self._read((whole[0], whole[1], x)))
        inner = (
            slice(z.start - whole[0].start, z.stop - whole[0].start),
            slice(y.start - whole[1].start, y.stop - whole[1].start),
        )
        return np.ascontiguousarray(self._kept[1][inner])

    def slabs(self, depth: int) -> Iterator[Array]:
        """Give the whole image as slabs of ``depth`` z planes, the last may be thinner."""
        z, y, x = self.shape
        for start in range(0, z, depth):
            yield self.read((slice(start, min(start + depth, z)), slice(0, y), slice(0, x)))

    def _read(self, box: Box) -> Array:
        """Read without keeping."""
        front: tuple[int | slice, ...] = (0,) * self._front
        with reading(self.path, "has a chunk that cannot be read"):
            return np.ascontiguousarray(self._array[(*front, *box)], self.dtype)

    def _voxel_size(self, multiscale: Mapping[str, Any], dataset: Mapping[str, Any]) -> Vector:
        """Multiply the scales that apply to level 0 and bring them to Å; what is not said becomes a note."""
        scale = np.ones(3)
        with reading(self.path, "has scales that cannot be read"):
            for item in (multiscale, dataset):
                for transform in item.get("coordinateTransformations") or ():
                    if transform.get("type") == "scale":
                        scale *= np.array(transform["scale"][-3:], np.float64)
            axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in multiscale.get("axes") or ()]
            units = [str(axis.get("unit")) for axis in axes[-3:]]
        if not np.isfinite(scale).all() or len(units) not in {0, 3}:
            raise FormatError(self.path, "has scales or axes that are not those of z, y and x: write the image again.")
        units = units or ["None"] * 3
        if any(unit not in ANGSTROM for unit in units):
            said = ", ".join(units)
            text = f"The axes have the units {said}; taken as angstrom."
            self.notes = (*self.notes, Finding("warning", str(self.path), text))
        z, y, x = (float(f"{s * ANGSTROM.get(u, 1.0):.9g}") for s, u in zip(scale, units, strict=True))
        return x, y, z


def read_level(path: Path, level: int) -> Array:
    """Read one whole level of an OME-Zarr image, ``(z, y, x)``: meant for coarse ones; -1 is the coarsest.

    Raises
    ------
    FormatError
        If there is no such level.
    """
    array, _ = _level(path, level)
    return whole(path, array)


def central_slab(path: Path, *, level: int = 0, depth: int = 40) -> npt.NDArray[np.float32]:
    """Average the central planes along z, for a picture; every chunk is decoded once.

    Parameters
    ----------
    level
        Which level to take; -1 is the coarsest.
    depth
        Planes of level 0 that the slab is thick; at least one plane of the level is taken.

    Returns
    -------
    npt.NDArray[np.float32]
        Shape ``(y, x)``.
    """
    array, count = _level(path, level)
    planes = array.shape[0]
    coarser = 2**level if level >= 0 else 2 ** (count + level)
    thick = min(planes, max(1, round(depth / coarser)))
    first = (planes - thick) // 2
    total = np.zeros(array.shape[1:], np.float64)
    with reading(path, "has a level that cannot be read"):
        for box in _pieces((first, 0, 0), (first + thick, *array.shape[1:]), array.chunks):
            total[box[1:]] += np.asarray(array[box]).sum(axis=0, dtype=np.float64)
    return np.asarray(total / thick, np.float32)


def _pieces(start: Triple, stop: Triple, chunks: Triple) -> Iterator[Box]:
    """Cut a box where chunks begin; z, y, x."""
    cuts = [
        [slice(max(a, n), min(b, n + size)) for n in range(a // size * size, b, size)]
        for a, b, size in zip(start, stop, chunks, strict=True)
    ]
    yield from itertools.product(*cuts)


def _level(path: Path, level: int) -> tuple[Any, int]:
    """Open one level; give it with the number of levels."""
    group, multiscale = open_group(path)
    found = datasets(path, multiscale)
    if not -len(found) <= level < len(found):
        raise FormatError(path, f"has {len(found)} levels, there is no level {level}.")
    return open_level(path, group, found[level]["path"]), len(found)


def _aligned(part: slice, chunk: int, length: int) -> slice:
    """Widen a slice to whole chunks."""
    return slice(part.start // chunk * chunk, min(-(-part.stop // chunk) * chunk, length))
