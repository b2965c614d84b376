"""Shards: many small values by 64-bit keys in one file (``neuroglancer_uint64_sharded_v1``)."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tomotheca.formats.files import Member, writing

ROWS_A_MINISHARD_BITS = 10
"""Keys of one list: a viewer reads a list to find a value. Values of equal size make lists that shrink to a few bytes."""

Integers = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Sharding:
    """How keys are spread over the lists of the one shard; the hash is the key itself."""

    preshift_bits: int = 0
    minishard_bits: int = 0

    def describe(self) -> dict[str, Any]:
        """Give the block of ``info`` that says so."""
        return {
            "@type": "neuroglancer_uint64_sharded_v1", "hash": "identity", "preshift_bits": self.preshift_bits, "minishard_bits": self.minishard_bits,
            "shard_bits": 0, "minishard_index_encoding": "gzip", "data_encoding": "raw",
        }  # fmt: skip


def sharding_of_rows(count: int) -> Sharding:
    """Choose how the keys 0 to ``count - 1`` are spread."""
    return Sharding(ROWS_A_MINISHARD_BITS, max(0, (count - 1) >> ROWS_A_MINISHARD_BITS).bit_length())


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """What a shard holds."""

    keys: Integers
    """``(n,)``, ascending, each once; those of one list stand together."""

    sizes: Integers
    """``(n,)``, bytes of each value."""

    pieces: Iterable[bytes]
    """The values one after the other, in pieces of any size."""


def write_shard(folder: Path, name: str, sharding: Sharding, values: Values) -> Member:
    """Write the one shard of an index, ``<folder>/<name>/0.shard``.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    keys, sizes = values.keys, values.sizes
    (folder / name).mkdir()
    starts = np.cumsum(sizes, dtype=np.uint64) - sizes
    lists = np.zeros((1 << sharding.minishard_bits, 2), "<u8")
    encoded = []
    offset = int(sizes.sum())
    lots = (keys >> np.uint64(sharding.preshift_bits)).astype(np.int64) & ((1 << sharding.minishard_bits) - 1)
    begins = np.flatnonzero(np.diff(lots, prepend=-1))
    for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(keys)], strict=True):
        data = gzip.compress(_minishard(keys[begin:end], starts[begin], sizes[begin:end]), 6, mtime=0)
        lists[lots[begin]] = offset, offset + len(data)
        offset += len(data)
        encoded.append(data)
    pieces: Iterator[bytes] = (piece for group in ([lists.tobytes()], values.pieces, encoded) for piece in group)
    return write_pieces(folder / name / "0.shard", pieces, name=f"{name}/0.shard")


def _minishard(keys: Integers, start: np.uint64, sizes: Integers) -> bytes:
    """Give a list: differences of keys, distance of each value from the end of the one before, sizes."""
    table = np.zeros((3, len(keys)), "<u8")
    table[0] = np.diff(keys, prepend=np.uint64(0))
    table[1, 0] = start
    table[2] = sizes
    return table.tobytes()


def write_pieces(path: Path, pieces: Iterable[bytes], *, name: str) -> Member:
    """Write a file piece by piece, hashing as it goes.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    digest, size = hashlib.sha256(), 0
    with writing(path), path.open("wb") as file:
        for piece in pieces:
            digest.update(piece)
            size += file.write(piece)
    return Member(name, size, digest.hexdigest())
