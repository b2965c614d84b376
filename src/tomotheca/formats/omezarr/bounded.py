"""Arrays of the zarr library whose chunks unpack to no more than their array says; see `claims`."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from typing import Any

import zarr
from numcodecs.abc import Codec as Numcodec
from zarr.abc.codec import BytesBytesCodec

from tomotheca.formats.omezarr.claims import MOST, SAME, SLACK, UNPACKED, known
from tomotheca.formats.omezarr.shards import check_count

FILTERED = 8
"""Times as large a chunk may be before filters: whole numbers may be kept as wider ones, bits as bytes."""


def bounded(array: Any) -> Any:
    """Give an array again, whose chunks are refused where they unpack to far more than the array says.

    Raises
    ------
    ValueError
        If a codec is none of those that are known, or a shard has more chunks than any.
    """
    metadata, inner = array.metadata, array.async_array
    if metadata.zarr_format == 2:
        for each in metadata.filters or ():
            known(each.codec_id, SAME)
        if metadata.compressor is None:
            return array
        times = FILTERED if metadata.filters else 1
        limit = _limit(metadata.chunks, array.dtype.itemsize, times)
        metadata = replace(metadata, compressor=Compressor(metadata.compressor, limit))
    else:
        if array.shards is not None:
            check_count(math.prod(s // c for s, c in zip(array.shards, array.chunks, strict=True)))
        metadata = replace(metadata, codecs=tuple(map(_codec, metadata.codecs)))
    return zarr.Array(type(inner)(metadata=metadata, store_path=inner.store_path, config=inner.config))


def _limit(shape: tuple[int, ...], itemsize: int, times: int = 1) -> int:
    return min(times * math.prod(shape) * itemsize + SLACK, MOST)


def _codec(codec: Any) -> Any:
    """Bound one codec of Zarr v3."""
    name = codec.to_dict()["name"].removeprefix("numcodecs.")
    if name == "sharding_indexed":
        if any(isinstance(each, type(codec)) for each in codec.codecs):
            message = "its shards hold shards"
            raise ValueError(message)
        kept = {key: tuple(map(_codec, getattr(codec, key))) for key in ("codecs", "index_codecs")}
        return type(codec)(chunk_shape=codec.chunk_shape, index_location=codec.index_location, **kept)
    if isinstance(codec, BytesBytesCodec) and name in UNPACKED:
        return Bounded(codec, name)
    known(name, SAME)
    return codec


class Compressor(Numcodec):  # type: ignore[misc]  # numcodecs has no types
    """A compressor of Zarr v2 with a limit."""

    codec_id = "bounded"

    def __init__(self, inner: Any, limit: int) -> None:
        known(inner.codec_id, frozenset(UNPACKED) | SAME)
        self.inner, self.limit, self.codec_id = inner, limit, inner.codec_id

    def encode(self, buf: Any) -> Any:
        """Pack."""
        return self.inner.encode(buf)

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Unpack, within the limit."""
        if self.codec_id in UNPACKED:
            unpacked = UNPACKED[self.codec_id](memoryview(buf).cast("B"), self.limit, self.inner.get_config())
            if unpacked is not None:
                return unpacked
        return self.inner.decode(buf, out)

    def get_config(self) -> dict[str, Any]:
        """Give what describes it."""
        config: dict[str, Any] = self.inner.get_config()
        return config


@dataclass(frozen=True)
class Bounded(BytesBytesCodec):
    """A compressor of Zarr v3 with a limit, which the size of the chunk gives."""

    inner: Any
    name: str

    is_fixed_size = False

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        limit = _limit(chunk_spec.shape, chunk_spec.dtype.to_native_dtype().itemsize, FILTERED)
        raw = memoryview(chunk_data.as_numpy_array()).cast("B")
        config = getattr(self.inner, "codec_config", {})
        unpacked = await asyncio.to_thread(UNPACKED[self.name], raw, limit, config)
        if unpacked is not None:
            return chunk_spec.prototype.buffer.from_bytes(unpacked)
        (found,) = await self.inner.decode([(chunk_data, chunk_spec)])
        return found

    def to_dict(self) -> dict[str, Any]:
        """Give what describes it."""
        found: dict[str, Any] = self.inner.to_dict()
        return found

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: Any) -> int:
        """Give the size of what is packed, where it is known."""
        size: int = self.inner.compute_encoded_size(input_byte_length, chunk_spec)
        return size
