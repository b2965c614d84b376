"""The files of an image in both versions of Zarr: how they are named, what one of chunks holds, what describes them.

Sources: https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html, https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from numcodecs.blosc import Blosc

from tomotheca.formats.omezarr.attributes import AXES, describe
from tomotheca.formats.omezarr.levels import Level, Triple, box_of, grid, triple
from tomotheca.formats.omezarr.shards import pack

if TYPE_CHECKING:
    from numcodecs.abc import Codec as Compressor

    from tomotheca.formats.omezarr.form import Form
    from tomotheca.formats.reduce import Method

Array = npt.NDArray[Any]

SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")
"""Names of Blosc's shuffles in Zarr v3, in the order of their numbers."""


class Layout(Protocol):
    """The files of an image."""

    def folders(self, level: Level) -> Iterator[str]:
        """Give every folder of a level, each after the one it lies in."""

    def name(self, level: Level, index: Triple) -> str:
        """Give the path of a file of chunks."""

    def encode(self, level: Level, block: Array) -> bytes:
        """Make such a file of the voxels it holds: fewer at the far borders, where the rest is 0; some voxel is not 0."""

    def documents(
        self, levels: Sequence[Level], name: str, method: Method, labels: Sequence[int] | None
    ) -> dict[str, dict[str, object]]:
        """Give everything that describes the image, by path; see `attributes.describe`."""


@dataclass(frozen=True, slots=True)
class Zarr2:
    """A file for each chunk: OME-Zarr 0.4."""

    dtype: np.dtype[Any]
    compressor: Compressor
    plain: frozenset[int] = frozenset()
    """Numbers of the levels whose chunks are not compressed: stretches of another file."""

    def folders(self, level: Level) -> Iterator[str]:
        """Give every folder of a level, each after the one it lies in."""
        yield level.path
        if level.number not in self.plain:
            yield from _nested(level.path, level)

    def name(self, level: Level, index: Triple) -> str:
        """Give the path of a chunk."""
        return "/".join((level.path, *map(str, index)))

    def encode(self, level: Level, block: Array) -> bytes:
        """Compress a chunk."""
        return bytes(self.compressor.encode(_filled(block, level.chunks, self.dtype)))

    def documents(
        self, levels: Sequence[Level], name: str, method: Method, labels: Sequence[int] | None
    ) -> dict[str, dict[str, object]]:
        """Give ``.zgroup``, ``.zattrs`` and a ``.zarray`` for each level."""
        found: dict[str, dict[str, object]] = {
            ".zgroup": {"zarr_format": 2},
            ".zattrs": describe(levels, name, method, version="0.4", labels=labels),
        }
        return found | {f"{level.path}/.zarray": self._array(level) for level in levels}

    def _array(self, level: Level) -> dict[str, object]:
        return {
            "zarr_format": 2,
            "shape": level.shape,
            "chunks": level.chunks,
            "dtype": self.dtype.str,
            "compressor": None if level.number in self.plain else self.compressor.get_config(),
            "fill_value": _zero(self.dtype),
            "order": "C",
            "filters": None,
            "dimension_separator": "/",
        }


@dataclass(frozen=True, slots=True)
class Zarr3:
    """Files of several chunks: OME-Zarr 0.5. What is one chunk of 0.4 is one file here, so that both are written in the same order."""

    dtype: np.dtype[Any]
    compressor: Compressor
    form: Form

    def folders(self, level: Level) -> Iterator[str]:
        """Give every folder of a level, each after the one it lies in."""
        yield level.path
        yield f"{level.path}/c"
        yield from _nested(f"{level.path}/c", level)

    def name(self, level: Level, index: Triple) -> str:
        """Give the path of a file of chunks."""
        return "/".join((level.path, "c", *map(str, index)))

    def encode(self, level: Level, block: Array) -> bytes:
        """Compress each chunk by itself; those of zeros are not stored."""
        inner, counts = self._cut(level)
        pieces = (block[box_of(index, inner, triple(block.shape))] for index in grid(counts, (1, 1, 1)))
        return pack(
            self.compressor.encode(_filled(piece, inner, self.dtype)) if piece.any() else None for piece in pieces
        )

    def documents(
        self, levels: Sequence[Level], name: str, method: Method, labels: Sequence[int] | None
    ) -> dict[str, dict[str, object]]:
        """Give a ``zarr.json`` for the image and one for each level."""
        said = describe(levels, name, method, version="0.5", labels=labels)
        found: dict[str, dict[str, object]] = {
            "zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": {"ome": said}}
        }
        return found | {f"{level.path}/zarr.json": self._array(level) for level in levels}

    def _cut(self, level: Level) -> tuple[Triple, Triple]:
        """Give the voxels of a chunk of a level, and how many chunks a file has along each axis."""
        inner = self.form.inner(level.chunks)
        return inner, triple(-(-n // i) for n, i in zip(level.chunks, inner, strict=True))

    def _array(self, level: Level) -> dict[str, object]:
        inner, counts = self._cut(level)
        words = {"name": "bytes", "configuration": {"endian": "little"}}
        numbers = words if self.dtype.itemsize > 1 else {"name": "bytes"}
        shards = {
            "chunk_shape": inner,
            "codecs": [numbers, self._codec()],
            "index_codecs": [words, {"name": "crc32c"}],
            "index_location": "end",
        }
        file = [i * n for i, n in zip(inner, counts, strict=True)]
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": level.shape,
            "data_type": self.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": file}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": _zero(self.dtype),
            "codecs": [{"name": "sharding_indexed", "configuration": shards}],
            "attributes": {},
            "dimension_names": AXES,
        }

    def _codec(self) -> dict[str, object]:
        """Describe the compressor in the words of Zarr v3."""
        if not isinstance(self.compressor, Blosc):
            return {"name": "zstd", "configuration": {"level": self.compressor.level, "checksum": False}}
        blosc = self.compressor.get_config()
        return {
            "name": "blosc",
            "configuration": {
                "cname": blosc["cname"],
                "clevel": blosc["clevel"],
                "shuffle": SHUFFLES[blosc["shuffle"]],
                "typesize": self.dtype.itemsize,
                "blocksize": blosc["blocksize"],
            },
        }


def _nested(folder: str, level: Level) -> Iterator[str]:
    z, y = (-(-n // c) for n, c in zip(level.shape[:2], level.chunks[:2], strict=True))
    yield from (f"{folder}/{i}" for i in range(z))
    yield from (f"{folder}/{i}/{j}" for i, j in itertools.product(range(z), range(y)))


def _filled(block: Array, shape: Triple, dtype: np.dtype[Any]) -> Array:
    """Bring a block to the shape of a chunk."""
    if block.shape == shape:
        return np.ascontiguousarray(block, dtype)
    chunk = np.zeros(shape, dtype)
    chunk[tuple(slice(0, n) for n in block.shape)] = block
    return chunk


def _zero(dtype: np.dtype[Any]) -> float:
    return 0.0 if dtype.kind == "f" else 0
