"""What an OME-Zarr image says of itself, read from its documents alone: levels, shapes, chunks, codecs. Zarr v2 and v3."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numcodecs
import numpy as np
import numpy.typing as npt
import orjson

from tomotheca.errors import FormatError
from tomotheca.formats import blosc
from tomotheca.formats.omezarr.levels import Triple, triple

Array = npt.NDArray[Any]

GROUPS = (".zattrs", "zarr.json")
"""Documents of an image that name its levels: version 2, version 3."""

ARRAYS = (".zarray", "zarr.json")
LARGEST_CHUNK = 1 << 28
"""Bytes of a decoded chunk that are read at once."""

V3_CODECS = {"blosc": "blosc", "zstd": "zstd", "gzip": "gzip"}


@dataclass(frozen=True, slots=True)
class Grid:
    """One level of an image; shapes are ``(z, y, x)``."""

    path: str
    shape: Triple
    chunks: Triple
    dtype: np.dtype[Any]
    codec: tuple[tuple[str, Any], ...] | None
    """Configuration of the one compressor; None where chunks are plain."""

    separator: str = "/"
    front: int = 0
    """Axes of length 1 before z."""

    named: str = ""
    """What stands before the numbers of a chunk."""

    fill: float = 0.0
    order: str = "C"

    @property
    def is_blosc(self) -> bool:
        """Whether a part of a chunk can be read."""
        return self._blosc and self.order == "C"

    @property
    def _blosc(self) -> bool:
        return self.codec is not None and dict(self.codec)["id"] == "blosc"

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a decoded chunk."""
        return math.prod(self.chunks) * self.dtype.itemsize

    def key(self, index: Triple) -> str:
        """Give the path of a chunk inside the image."""
        return f"{self.path}/{self.named}{self.separator.join(map(str, (*(0,) * self.front, *index)))}"

    def touched(self, axis: int, index: int) -> Iterator[Triple]:
        """Give the chunks that a plane goes through."""
        counts = [range(-(-n // c)) for n, c in zip(self.shape, self.chunks, strict=True)]
        counts[axis] = range(index // self.chunks[axis], index // self.chunks[axis] + 1)
        for found in itertools.product(*counts):
            yield triple(found)

    def decoded(self, data: bytes) -> Array:
        """Decode a chunk, ``(z, y, x)``.

        Raises
        ------
        FormatError
            If it cannot be decoded or has another size.
        """
        try:
            plain = (
                data
                if self.codec is None
                else blosc.decode(data)
                if self._blosc
                else numcodecs.get_codec(dict(self.codec)).decode(data)
            )
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            raise FormatError(self.path, f"has a chunk that cannot be decoded: {error}.") from error
        values: Array = np.frombuffer(plain, self.dtype)
        if values.size != math.prod(self.chunks):
            raise FormatError(self.path, f"has a chunk of {values.size} voxels: the image is damaged.")
        return values.reshape(self.chunks, order="F" if self.order == "F" else "C")


def read_levels(text: bytes) -> tuple[str, ...]:
    """Give the paths of the levels, fine to coarse.

    Raises
    ------
    FormatError
        If the document names none.
    """
    document = _json(text)
    attributes = document.get("attributes", document)
    try:
        first = attributes.get("ome", attributes)["multiscales"][0]
        return tuple(str(d["path"]).strip("/") for d in first["datasets"])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise FormatError("image", "is a Zarr group without a multiscale image.") from error


def read_grid(path: str, text: bytes) -> Grid:
    """Read what an array says of itself.

    Raises
    ------
    FormatError
        If it cannot be shown: other axes, an unknown data type, filters, sharding.
    """
    document = _json(text)
    try:
        made = _grid_v3(path, document) if document.get("zarr_format") == 3 else _grid_v2(path, document)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(path, f"is no array that can be shown: {error}.") from error
    if made.dtype.kind not in "biuf" or made.chunk_bytes > LARGEST_CHUNK or min(*made.shape, *made.chunks) < 1:
        raise FormatError(path, "is no array that can be shown: its values or chunks are unusual.")
    return made


def _grid_v2(path: str, document: Mapping[str, Any]) -> Grid:
    if document.get("filters"):
        raise FormatError(path, "is no array that can be shown: it has filters.")
    front = _front(document["shape"], document["chunks"])
    return Grid(
        path, triple(document["shape"][front:]), triple(document["chunks"][front:]), np.dtype(document["dtype"]), _frozen(document["compressor"]),
        document.get("dimension_separator", "."), front, "", _fill(document.get("fill_value")), document.get("order", "C"),
    )  # fmt: skip


def _grid_v3(path: str, document: Mapping[str, Any]) -> Grid:
    chunks = document["chunk_grid"]["configuration"]["chunk_shape"]
    front = _front(document["shape"], chunks)
    naming = document["chunk_key_encoding"]
    v2_names = naming["name"] == "v2"
    separator = naming.get("configuration", {}).get("separator", "." if v2_names else "/")
    dtype, codec = np.dtype(document["data_type"]), None
    for step in document["codecs"]:
        found = step.get("configuration", {})
        if step["name"] == "bytes":
            dtype = dtype.newbyteorder(">" if found.get("endian") == "big" else "<")
        elif step["name"] in V3_CODECS and codec is None:
            codec = _frozen({"id": V3_CODECS[step["name"]]})
        else:
            raise FormatError(path, f"is no array that can be shown: it has the codec {step['name']}.")
    return Grid(
        path, triple(document["shape"][front:]), triple(chunks[front:]), dtype, codec, separator, front, "" if v2_names else f"c{separator}",
        _fill(document.get("fill_value")),
    )  # fmt: skip


def _front(shape: list[int], chunks: list[int]) -> int:
    front = len(shape) - 3
    if front < 0 or len(chunks) != len(shape) or any(n != 1 for n in shape[:front]):
        message = f"its shape is {shape}"
        raise ValueError(message)
    return front


def _fill(value: Any) -> float:
    return float(value) if isinstance(value, int | float | str) else 0.0


def _frozen(codec: Mapping[str, Any] | None) -> tuple[tuple[str, Any], ...] | None:
    return tuple(codec.items()) if codec else None


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FormatError("image", "has a document that is no JSON.") from error
    if not isinstance(found, dict):
        raise FormatError("image", "has a document that is no object.")
    return found
