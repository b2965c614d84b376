"""The metadata of OME-Zarr images, version 0.4 (Zarr v2) and 0.5 (Zarr v3), without opening the arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tomotheca.doctor import values
from tomotheca.doctor.look import Array, Broken, Image
from tomotheca.errors import FormatError, TomothecaError

if TYPE_CHECKING:
    from tomotheca.doctor.look import Expected, Look

MOST_LEVELS = 64
SHARDS = "sharding_indexed"
"""Codec of Zarr v3 whose files hold several chunks."""


def read(look: Look, key: str, expected: Expected) -> Image:
    """Read the metadata of an image; ``key`` ends in ``/``."""
    entry = look.entry(key)
    in_place = entry is not None and entry.source is not None
    attributes = look.once("image", key, lambda: _attributes(look, key))
    if isinstance(attributes, Broken):
        return Image(key, attributes, in_place, expected)
    multiscale = values.blocks(attributes, "multiscales")[0]
    paths = tuple(values.text(item, "path") for item in values.blocks(multiscale, "datasets")[:MOST_LEVELS])
    arrays = {path: _array(look, key, path) for path in paths}
    return Image(key, None, in_place, expected, attributes, arrays, _children(look, key), multiscale, paths)


def _attributes(look: Look, key: str) -> Mapping[str, Any]:
    old = look.json(key + ".zattrs")
    if isinstance(old, Broken):
        if not old.absent:
            raise FormatError(key, f".zattrs {old.reason}")
        new = look.json(key + "zarr.json")
        if isinstance(new, Broken):
            reason = "has neither .zattrs nor zarr.json" if new.absent else f"zarr.json {new.reason}"
            raise FormatError(key, reason)
        old = values.mapping(new, "attributes", "ome")
    if not isinstance(old, Mapping) or not values.blocks(old, "multiscales"):
        raise FormatError(key, "is a Zarr group without a multiscale image")
    return old


def _array(look: Look, key: str, path: str) -> Array | Broken:
    return look.once("array", f"{key}{path}", lambda: _described(look, key, path))


def _described(look: Look, key: str, path: str) -> Array:
    old = look.json(f"{key}{path}/.zarray")
    given = old if isinstance(old, Mapping) else look.json(f"{key}{path}/zarr.json")
    if not isinstance(given, Mapping):
        absent = isinstance(old, Broken) and old.absent and isinstance(given, Broken) and given.absent
        raise FormatError(key, f"level {path!r} {'is not there' if absent else 'has metadata that cannot be read'}")
    shape = _lengths(given.get("shape"))
    files = _lengths(given.get("chunks") or values.dig(given, "chunk_grid", "configuration", "chunk_shape"))
    held = next((c for c in values.blocks(given, "codecs") if c.get("name") == SHARDS), None)
    chunks = files if held is None else _lengths(values.dig(held, "configuration", "chunk_shape"))
    name = given.get("dtype") or given.get("data_type")
    if (
        shape is None
        or chunks is None
        or files is None
        or not len(shape) == len(chunks) == len(files)
        or not isinstance(name, str)
    ):
        raise FormatError(key, f"level {path!r} has metadata without a shape, chunks and dtype")
    separator = values.text(given, "dimension_separator") or values.text(
        given, "chunk_key_encoding", "configuration", "separator"
    )
    if not separator and values.text(given, "chunk_key_encoding", "name") == "default":
        separator = "/"
    try:
        return Array(path, shape, chunks, np.dtype(name).newbyteorder("=").name, separator or ".", files)
    except (TypeError, ValueError) as error:
        raise FormatError(key, f"level {path!r} has the unknown dtype {name[:40]!r}") from error


def _lengths(given: Any) -> tuple[int, ...] | None:
    if not isinstance(given, list) or not given:
        return None
    found = [values.whole(n) for n in given]
    lengths = tuple(n for n in found if n is not None and n > 0)
    return lengths if len(lengths) == len(found) else None


def _children(look: Look, key: str) -> tuple[str, ...]:
    """Names directly in the directory; none where it does not lie in the archive."""
    try:
        found = look.files.scan(key)
    except TomothecaError:
        return ()
    return (*found.files, *found.folders)
