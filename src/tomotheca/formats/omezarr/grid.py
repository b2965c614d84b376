"""What an OME-Zarr image says of itself, read from its documents alone: levels, shapes, chunks, codecs. Zarr v2 and v3, shards included."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from tomotheca.errors import FormatError, NotFoundError
from tomotheca.formats import blosc
from tomotheca.formats.omezarr import claims
from tomotheca.formats.omezarr.levels import Box, Triple, triple
from tomotheca.formats.omezarr.shards import Shard, check_count

Array = npt.NDArray[Any]

GROUPS = (".zattrs", "zarr.json")
"""Documents of an image that name its levels: version 2, version 3."""

ARRAYS = (".zarray", "zarr.json")
LARGEST_CHUNK = 1 << 28
"""Bytes of a decoded chunk that are read at once."""

SEPARATORS = ("/", ".")
V3_CODECS = {"blosc": "blosc", "zstd": "zstd", "gzip": "gzip"}

ONE = Shard((1, 1, 1))


@dataclass(frozen=True, slots=True)
class Grid:
    """One level of an image; shapes are ``(z, y, x)``."""

    path: str
    shape: Triple
    chunks: Triple
    """Voxels that are decoded together."""

    dtype: np.dtype[Any]
    codec: tuple[tuple[str, Any], ...] | None
    """Configuration of the one compressor; None where chunks are plain."""

    separator: str = "/"
    front: int = 0
    """Axes of length 1 before z."""

    named: str = ""
    """What stands before the numbers of a file."""

    fill: float = 0.0
    order: str = "C"
    shard: Shard | None = None
    """How files hold several chunks; None where each chunk is a file."""

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

    @property
    def most_bytes(self) -> int:
        """Bytes that a chunk has at most, packed or unpacked with its frame."""
        return 2 * self.chunk_bytes + claims.SLACK

    def key(self, index: Triple) -> str:
        """Give the path, inside the image, of the file that a chunk is in."""
        file = (self.shard or ONE).file_of(index)
        return f"{self.path}/{self.named}{self.separator.join(map(str, (*(0,) * self.front, *file)))}"

    def box(self, index: Triple) -> Box:
        """Give the voxels of a chunk, those beyond the far borders included."""
        z, y, x = (slice(i * c, (i + 1) * c) for i, c in zip(index, self.chunks, strict=True))
        return z, y, x

    def every(self) -> Iterator[Triple]:
        """Give every chunk, those of one file after each other."""
        counts = [-(-n // c) for n, c in zip(self.shape, self.chunks, strict=True)]
        held = (self.shard or ONE).counts
        for file in np.ndindex(*(-(-n // h) for n, h in zip(counts, held, strict=True))):
            spans = (range(f * h, min((f + 1) * h, n)) for f, h, n in zip(file, held, counts, strict=True))
            yield from (triple(found) for found in itertools.product(*spans))

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
            values: Array = np.frombuffer(self._plain(data), self.dtype)
        except claims.DAMAGED as error:
            raise FormatError(self.path, f"has a chunk that cannot be decoded: {error}.") from error
        if values.size != math.prod(self.chunks):
            raise FormatError(self.path, f"has a chunk of {values.size} voxels: the image is damaged.")
        return values.reshape(self.chunks, order="F" if self.order == "F" else "C")

    def _plain(self, data: bytes) -> bytes:
        if self.codec is None:
            return data
        if not self._blosc:
            return claims.unpack(data, self.most_bytes, dict(self.codec))
        frame = blosc.read_frame(data)
        if frame is not None and frame.size != self.chunk_bytes:
            message = f"it has {frame.size} bytes, not {self.chunk_bytes}"
            raise ValueError(message)
        return blosc.decode(data)


def read_whole(grid: Grid, read: Callable[[str], bytes]) -> Array:
    """Read a whole level, ``(z, y, x)``; ``read`` gives a file of the image by its path, or raises NotFoundError.

    Raises
    ------
    FormatError
        If a chunk cannot be decoded.
    """
    out = np.full(grid.shape, grid.fill, grid.dtype.newbyteorder("="))
    for key, chunks in itertools.groupby(grid.every(), grid.key):
        try:
            data = read(key)
        except NotFoundError:
            continue
        for index, part in _held(grid, data, chunks):
            target = out[grid.box(index)]
            target[...] = grid.decoded(part)[tuple(slice(0, n) for n in target.shape)]
    return out


def _held(grid: Grid, data: bytes, chunks: Iterator[Triple]) -> Iterator[tuple[Triple, bytes]]:
    """Give those chunks that a file holds, with their bytes."""
    if grid.shard is None:
        yield from ((index, data) for index in chunks)
        return
    begin, end = grid.shard.index_in(len(data))
    places = grid.shard.places(data[begin:end], len(data))
    for index in chunks:
        if (place := places[grid.shard.number_of(index)]) is not None:
            yield index, data[slice(*place)]


def read_first(read: Callable[[str], bytes], folder: str, names: Sequence[str]) -> bytes:
    """Read the first of several documents that is there, of `GROUPS` or `ARRAYS`.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    for name in names[:-1]:
        try:
            return read(folder + name)
        except NotFoundError:
            continue
    return read(folder + names[-1])


def read_attributes(text: bytes) -> Mapping[str, Any]:
    """Read what an image says of itself, of either version.

    Raises
    ------
    FormatError
        If the document says nothing.
    """
    document = _json(text)
    attributes = document.get("attributes", document)
    found = attributes.get("ome", attributes) if isinstance(attributes, dict) else None
    if not isinstance(found, dict):
        raise FormatError("image", "is a Zarr group without a multiscale image.")
    return found


def read_levels(text: bytes) -> tuple[str, ...]:
    """Give the paths of the levels, fine to coarse.

    Raises
    ------
    FormatError
        If the document names none.
    """
    try:
        first = read_attributes(text)["multiscales"][0]
        return tuple(str(d["path"]).strip("/") for d in first["datasets"])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise FormatError("image", "is a Zarr group without a multiscale image.") from error


def read_grid(path: str, text: bytes) -> Grid:
    """Read what an array says of itself.

    Raises
    ------
    FormatError
        If it cannot be shown: other axes, an unknown data type, filters.
    """
    document = _json(text)
    try:
        made = _grid_v3(path, document) if document.get("zarr_format") == 3 else _grid_v2(path, document)
        if made.dtype.kind not in "biuf" or made.chunk_bytes > LARGEST_CHUNK or made.separator not in SEPARATORS:
            raise FormatError(path, "is no array that can be shown: its values or chunks are unusual.")
        with np.errstate(all="ignore"):
            return replace(made, fill=float(np.full((), made.fill, made.dtype)))
    except FormatError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FormatError(path, f"is no array that can be shown: {error}.") from error


def _grid_v2(path: str, document: Mapping[str, Any]) -> Grid:
    if document.get("filters"):
        raise FormatError(path, "is no array that can be shown: it has filters.")
    shape, chunks = _lengths(document["shape"]), _lengths(document["chunks"])
    front = _front(shape, chunks)
    if codec := _frozen(document["compressor"]):
        claims.known(dict(codec)["id"], frozenset(claims.UNPACKED))
    return Grid(
        path, triple(shape[front:]), triple(chunks[front:]), np.dtype(document["dtype"]), codec,
        document.get("dimension_separator", "."), front, "", _fill(document.get("fill_value")), document.get("order", "C"),
    )  # fmt: skip


def _grid_v3(path: str, document: Mapping[str, Any]) -> Grid:
    shape, file = _lengths(document["shape"]), _lengths(document["chunk_grid"]["configuration"]["chunk_shape"])
    front = _front(shape, file)
    naming = document["chunk_key_encoding"]
    v2_names = naming["name"] == "v2"
    separator = naming.get("configuration", {}).get("separator", "." if v2_names else "/")
    chunks, steps, shard = triple(file[front:]), document["codecs"], None
    if len(steps) == 1 and steps[0]["name"] == "sharding_indexed":
        said = steps[0]["configuration"]
        inner, steps = _lengths(said["chunk_shape"]), said["codecs"]
        _front(shape, inner)
        chunks = triple(inner[front:])
        shard = _shard(triple(file[front:]), chunks, said)
    dtype, codec = _codecs(path, np.dtype(document["data_type"]), steps)
    return Grid(
        path, triple(shape[front:]), chunks, dtype, codec, separator, front, "" if v2_names else f"c{separator}",
        _fill(document.get("fill_value")), "C", shard,
    )  # fmt: skip


def _codecs(path: str, dtype: np.dtype[Any], steps: Sequence[Mapping[str, Any]]) -> tuple[np.dtype[Any], Any]:
    """Read the byte order and the one compressor of Zarr v3."""
    codec = None
    for step in steps:
        found = step.get("configuration", {})
        if step["name"] == "bytes":
            dtype = dtype.newbyteorder(">" if found.get("endian") == "big" else "<")
        elif step["name"] in V3_CODECS and codec is None:
            codec = _frozen({"id": V3_CODECS[step["name"]]})
        else:
            raise FormatError(path, f"is no array that can be shown: it has the codec {step['name']}.")
    return dtype, codec


def _shard(file: Triple, chunks: Triple, said: Mapping[str, Any]) -> Shard:
    """Read how files hold several chunks."""
    counts = triple(f // c for f, c in zip(file, chunks, strict=True))
    check_count(math.prod(counts))
    names = [step["name"] for step in said.get("index_codecs", ())]
    orders = {step.get("configuration", {}).get("endian", "little") for step in said.get("index_codecs", ())}
    if names not in (["bytes"], ["bytes", "crc32c"]) or orders != {"little"} or any(map(operator.mod, file, chunks)):
        message = "its files hold chunks in an unusual way"
        raise ValueError(message)
    return Shard(counts, said.get("index_location", "end") == "end", len(names) > 1)


def _lengths(given: Any) -> list[int]:
    if not isinstance(given, list) or not all(type(n) is int and n > 0 for n in given):
        message = f"its sizes are {str(given)[:80]}"
        raise ValueError(message)
    return given


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
