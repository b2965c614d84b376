"""Volumes of the archive, level by level and box by box, from MRC files and OME-Zarr images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from tomotheca.catalog.files import entry_row, within
from tomotheca.errors import FormatError, NotFoundError, TomothecaError
from tomotheca.export.reading import read_part
from tomotheca.formats.mrc.header import HEADER_BYTES, Header, parse_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomotheca.catalog.catalog import Row
    from tomotheca.store.files import Files

Array = npt.NDArray[Any]
Triple = tuple[int, int, int]
Vector = tuple[float, float, float]
Slices = tuple[slice, slice, slice]

DOCUMENTS = (".zattrs", "zarr.json")
ARRAYS = (".zarray", "zarr.json")
MOST_BYTES = 1 << 20
"""Largest document of an image that is read."""

ANGSTROM = {"angstrom": 1.0, "nanometer": 10.0, "micrometer": 1e4, "millimeter": 1e7, "meter": 1e10}


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of a volume; everything in order x, y, z."""

    number: int
    size: Triple
    """Voxels."""

    spacing: Vector
    """Å from one voxel's centre to the next."""

    origin: Vector
    """Å from the centre of level 0's first voxel to the centre of this level's."""

    dtype: np.dtype[Any]


class Volume(Protocol):
    """A volume of the archive."""

    @property
    def levels(self) -> Sequence[Level]:
        """Resolutions, fine to coarse."""

    @property
    def tag(self) -> str:
        """What changes when the voxels do."""

    def depth(self, level: int) -> int:
        """Say how many planes are best read together."""

    def read(self, level: int, box: Slices) -> Array:
        """Read a box, slices in order z, y, x; the result is ``(z, y, x)`` in native byte order."""


class MrcVolume:
    """An MRC file: level 0 alone, its rows read where they stand."""

    def __init__(self, files: Files, row: Row, spacing: float | None) -> None:
        self._files, self._file = files, entry_row(row)
        self.tag = self._file.etag
        raw = read_part(files, self._file, 0, min(HEADER_BYTES, self._file.size))
        self._header: Header = parse_header(Path(self._file.key), raw, self._file.size)
        if self._header.axes not in {(1, 2, 3), (0, 0, 0)}:
            raise FormatError(Path(self._file.key), "has its axes in another order: take the OME-Zarr image.")
        z, y, x = self._header.shape
        scale = (spacing, spacing, spacing) if spacing else self._header.voxel_size
        dtype = self._header.dtype.newbyteorder("=")
        self.levels = (Level(0, (x, y, z), scale, (0.0, 0.0, 0.0), dtype),)

    def depth(self, level: int) -> int:
        """Say that planes are read one by one."""
        del level
        return 1

    def read(self, level: int, box: Slices) -> Array:
        """Read whole rows, and cut them."""
        del level
        planes, rows, columns = box
        _, height, width = self._header.shape
        dtype = self._header.dtype
        line, count = width * dtype.itemsize, rows.stop - rows.start
        shape = (planes.stop - planes.start, count, columns.stop - columns.start)
        made = np.empty(shape, dtype.newbyteorder("="))
        for index, z in enumerate(range(planes.start, planes.stop)):
            start = self._header.data_offset + (z * height + rows.start) * line
            data = read_part(self._files, self._file, start, start + count * line)
            made[index] = np.frombuffer(data, dtype).reshape(count, width)[:, columns]
        return made


class ZarrVolume:
    """An OME-Zarr image, version 0.4 or 0.5, all its levels."""

    def __init__(self, files: Files, row: Row, spacing: float | None) -> None:
        self._files, self._row, self.tag = files, row, str(row["sha256"] or row["mtime"])
        image = _multiscale(files, row)
        datasets = image["datasets"]
        self._paths = [str(d["path"]).strip("/") for d in datasets]
        self._opened: dict[int, Any] = {}
        first = _scale(image, datasets[0])
        known = tuple(spacing / s for s in first) if spacing else (1.0, 1.0, 1.0)
        self.levels = tuple(self._level(n, image, d, known) for n, d in enumerate(datasets))

    def depth(self, level: int) -> int:
        """Say how many planes a chunk has."""
        return int(self._array(level).chunks[-3])

    def read(self, level: int, box: Slices) -> Array:
        """Read the chunks that a box touches.

        Raises
        ------
        FormatError
            If one of them is damaged.
        """
        try:
            array = self._array(level)
            front = (0,) * (array.ndim - 3)
            return np.ascontiguousarray(array[(*front, *box)], self.levels[level].dtype)
        except TomothecaError:
            raise
        except (RuntimeError, ValueError, TypeError) as error:
            raise FormatError(Path(self._row["key"]), f"has a chunk that cannot be read: {error}.") from error

    def _array(self, level: int) -> Any:
        """Open a level; zarr takes half a second to import, and only those who read voxels need it."""
        import zarr  # noqa: PLC0415

        from tomotheca.export.zarrstore import MembersStore  # noqa: PLC0415
        from tomotheca.formats.omezarr.bounded import bounded  # noqa: PLC0415

        if level not in self._opened:
            store = MembersStore(self._files, self._row)
            self._opened[level] = bounded(zarr.open_array(store, path=self._paths[level], mode="r"))
        return self._opened[level]

    def _level(
        self, number: int, image: Mapping[str, Any], dataset: Mapping[str, Any], known: Sequence[float]
    ) -> Level:
        held = _document(self._files, self._row, f"{self._paths[number]}/", ARRAYS)
        z, y, x = (int(n) for n in held["shape"][-3:])
        dtype = np.dtype(held.get("dtype") or held["data_type"]).newbyteorder("=")
        scale = _scaled(_scale(image, dataset), known)
        return Level(number, (x, y, z), scale, _scaled(_translation(image, dataset), known), dtype)


def _scaled(vector: Vector, by: Sequence[float]) -> Vector:
    x, y, z = (float(f"{v * b:.9g}") for v, b in zip(vector, by, strict=True))
    return x, y, z


def _multiscale(files: Files, row: Row) -> Mapping[str, Any]:
    attributes = _document(files, row, "", DOCUMENTS)
    attributes = attributes.get("attributes", attributes)
    found = attributes.get("ome", attributes).get("multiscales")
    if not found:
        raise FormatError(Path(row["key"]), "is a Zarr group without a multiscale image.")
    image: Mapping[str, Any] = found[0]
    return image


def _document(files: Files, row: Row, folder: str, names: Sequence[str]) -> Mapping[str, Any]:
    """Read the first of several documents that is there."""
    for name in names:
        try:
            file = within(files, row, f"{row['key']}{folder}{name}")
        except NotFoundError:
            continue
        found = json.loads(read_part(files, file, 0, min(file.size, MOST_BYTES)))
        if isinstance(found, dict):
            return found
    raise FormatError(Path(row["key"]), f"has no {folder}{names[0]}: it is no OME-Zarr image.")


def _transforms(image: Mapping[str, Any], dataset: Mapping[str, Any], kind: str) -> list[Any]:
    return [t[kind][-3:] for item in (dataset, image) for t in item.get("coordinateTransformations", ()) if kind in t]


def _units(image: Mapping[str, Any]) -> Vector:
    axes = [a if isinstance(a, dict) else {} for a in image.get("axes", ())][-3:] or [{}] * 3
    z, y, x = (ANGSTROM.get(str(a.get("unit")), 1.0) for a in axes)
    return x, y, z


def _scale(image: Mapping[str, Any], dataset: Mapping[str, Any]) -> Vector:
    """Give Å per voxel, x, y, z."""
    parts = _transforms(image, dataset, "scale")
    z, y, x = (math.prod(float(p[axis]) for p in parts) for axis in range(3))
    return _scaled((x, y, z), _units(image))


def _translation(image: Mapping[str, Any], dataset: Mapping[str, Any]) -> Vector:
    """Give the centre of the first voxel in Å, x, y, z: 0 unless the image says something else."""
    parts = _transforms(image, dataset, "translation")
    z, y, x = (sum(float(p[axis]) for p in parts) for axis in range(3))
    return _scaled((x, y, z), _units(image))
