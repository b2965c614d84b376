"""Read surfaces of EMDB-SFF segmentations in HDF5 (``.hff``); needs h5py, the extra ``meshes``.

Source of the format: https://www.ebi.ac.uk/emdb/documentation/emdb_sff and sfftk-rw, schema 0.8. Vertices are x, y, z as they stand in the file;
its ``transform_list``, which brings them to physical space, is not applied: say the factor as ``scale_factor``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.meshes.mesh import SHARE, Mesh, joined

NEEDED = "h5py is not installed, which reads EMDB-SFF files: install tomotheca[meshes]"
MODES = {"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"}
ORDERS = {"little": "<", "big": ">"}


def read(path: Path, name: str, *, memory: int = 1 << 30) -> Mesh:
    """Read all meshes of the segment with a name (its biological annotation's) as one.

    Raises
    ------
    FormatError
        If h5py is not installed, the file is no EMDB-SFF file, or has no such segment or no meshes in it.
    """
    try:
        import h5py  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise FormatError(path, f"{NEEDED}.") from error
    try:
        with h5py.File(path, "r") as file:
            segments = list(file["segment_list"].values())
            names = [_text(s.get("biological_annotation/name")) for s in segments]
            if name not in names:
                known = ", ".join(n for n in names if n) or "none with a name"
                raise FormatError(path, f"has no segment named {name!r}; it has {known}.")
            meshes = list(_meshes(path, segments[names.index(name)], memory // SHARE))
    except (OSError, KeyError, AttributeError, TypeError, ValueError, RuntimeError, binascii.Error) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(path, f"is no EMDB-SFF file with meshes that can be read: {error}.") from error
    if not meshes:
        raise FormatError(path, f"has no meshes in its segment {name!r}.")
    return joined(meshes)


def _meshes(path: Path, segment: Any, most: int) -> Iterator[Mesh]:
    for key in sorted(segment["mesh_list"], key=lambda k: (len(k), k)):
        mesh = segment["mesh_list"][key]
        vertices = _numbers(path, mesh["vertices"], "num_vertices", most)
        triangles = _numbers(path, mesh["triangles"], "num_triangles", most)
        yield Mesh(vertices.astype(np.float64), triangles.astype(np.int64))


def _numbers(path: Path, group: Any, count: str, most: int) -> npt.NDArray[np.generic]:
    """Decode rows of three numbers that are kept as base64."""
    mode, order = _text(group.get("mode")) or "float32", _text(group.get("endianness")) or "little"
    if mode not in MODES or order not in ORDERS:
        raise FormatError(path, f"has numbers of the type {mode}, {order}: it is damaged.")
    said = int(group[count][()]) if count in group else None
    if said is not None and said * 3 * np.dtype(mode).itemsize > most:
        raise FormatError(path, f"says that it has {said} rows, more than the memory is for.")
    data = base64.b64decode(_bytes(group["data"]), validate=True)
    rows = np.frombuffer(data, f"{ORDERS[order]}{np.dtype(mode).str[1:]}").reshape(-1, 3)
    if said is not None and said != len(rows):
        raise FormatError(path, f"has {len(rows)} rows where it says {said}: it is damaged.")
    return rows


def _bytes(dataset: Any) -> bytes:
    value = dataset[()]
    return value.encode() if isinstance(value, str) else bytes(value)


def _text(dataset: Any) -> str:
    return _bytes(dataset).decode("utf-8", "replace") if dataset is not None else ""
