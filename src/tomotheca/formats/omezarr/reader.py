"""Read OME-Zarr images, version 0.4 (Zarr v2) and 0.5 (Zarr v3), in boxes of any size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tomotheca.errors import Finding, FormatError
from tomotheca.formats.omezarr.levels import Box, Triple, Vector, triple

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
        try:
            group = _open(path)
            multiscale = _multiscale(path, group.attrs.asdict())
            first = multiscale["datasets"][0]
            array = group[first["path"]]
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise FormatError(path, f"is no OME-Zarr image that can be read: {error}.") from error
        if not hasattr(array, "chunks"):
            raise FormatError(path, f"has no array at {first['path']!r}: write the image again.")
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
        try:
            values = self._array[(*front, *box)]
        except (OSError, ValueError, RuntimeError) as error:
            raise FormatError(self.path, f"has a chunk that cannot be read: {error}; copy it again.") from error
        return np.ascontiguousarray(values, self.dtype)

    def _voxel_size(self, multiscale: Mapping[str, Any], dataset: Mapping[str, Any]) -> Vector:
        """Multiply the scales that apply to level 0 and bring them to Å; what is not said becomes a note."""
        scale = np.ones(3)
        for item in (multiscale, dataset):
            for transform in item.get("coordinateTransformations", ()):
                if transform.get("type") == "scale":
                    scale *= transform["scale"][-3:]
        axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in multiscale.get("axes", ())]
        units = [axis.get("unit") for axis in axes[-3:]] or [None] * 3
        if any(unit not in ANGSTROM for unit in units):
            said = ", ".join(str(unit) for unit in units)
            text = f"The axes have the units {said}; taken as angstrom."
            self.notes = (*self.notes, Finding("warning", str(self.path), text))
        z, y, x = (float(f"{s * ANGSTROM.get(str(u), 1.0):.9g}") for s, u in zip(scale, units, strict=True))
        return x, y, z


def _open(path: Path) -> Any:
    """Open a group; zarr takes half a second to import, and only those who read an image need it."""
    import zarr  # noqa: PLC0415

    return zarr.open_group(path, mode="r")


def read_level(path: Path, level: int) -> Array:
    """Read one whole level of an OME-Zarr image, ``(z, y, x)``: meant for coarse ones; -1 is the coarsest.

    Raises
    ------
    FormatError
        If there is no such level.
    """
    return np.asarray(_level(path, level)[:])


def central_slab(path: Path, *, level: int = 0, depth: int = 40) -> npt.NDArray[np.float32]:
    """Average the central planes along z, for a picture.

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
    array = _level(path, level)
    planes = array.shape[0]
    coarser = 2**level if level >= 0 else 2 ** (len(_datasets(path)) + level)
    thick = min(planes, max(1, round(depth / coarser)))
    first = (planes - thick) // 2
    total = np.zeros(array.shape[1:], np.float64)
    for z in range(first, first + thick):
        total += np.asarray(array[z])
    return np.asarray(total / thick, np.float32)


def _level(path: Path, level: int) -> Any:
    """Open one level."""
    datasets = _datasets(path)
    if not -len(datasets) <= level < len(datasets):
        raise FormatError(path, f"has {len(datasets)} levels, there is no level {level}.")
    try:
        array = _open(path)[datasets[level]]
    except (OSError, ValueError, KeyError) as error:
        raise FormatError(path, f"has a level that cannot be read: {error}.") from error
    if not hasattr(array, "chunks"):
        raise FormatError(path, f"has no array at {datasets[level]!r}: write the image again.")
    return array


def _datasets(path: Path) -> list[str]:
    """List the paths of all levels, fine to coarse."""
    try:
        attributes = _open(path).attrs.asdict()
    except (OSError, ValueError, KeyError) as error:
        raise FormatError(path, f"is no OME-Zarr image that can be read: {error}.") from error
    return [str(dataset["path"]) for dataset in _multiscale(path, attributes)["datasets"]]


def _multiscale(path: Path, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the first multiscale image in the attributes of either version."""
    multiscales = attributes.get("ome", attributes).get("multiscales")
    if not multiscales:
        raise FormatError(path, "is a Zarr group without a multiscale image: name the image's own directory.")
    first: Mapping[str, Any] = multiscales[0]
    return first


def _aligned(part: slice, chunk: int, length: int) -> slice:
    """Widen a slice to whole chunks."""
    return slice(part.start // chunk * chunk, min(-(-part.stop // chunk) * chunk, length))
