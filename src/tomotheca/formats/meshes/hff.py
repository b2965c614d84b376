"""Read surfaces of EMDB-SFF segmentations in HDF5 (``.hff``); needs h5py, the extra ``meshes``.

Source of the format: https://www.ebi.ac.uk/emdb/documentation/emdb_sff and sfftk-rw, schema 0.8. Vertices are x, y, z as they stand in the file;
its ``transform_list``, which brings them to physical space, is not applied: say the factor as ``scale_factor``.
"""

from __future__ import annotations

import base64
import binascii
import importlib.util
import io
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.meshes.mesh import SHARE, Mesh, joined

NEEDED = "h5py is not installed, which reads EMDB-SFF files: install tomotheca[meshes]"
SECONDS = 60
SPEED = 1 << 20
"""Bytes per second that reading makes at least."""

OWN = 1 << 30
"""Bytes of addresses that the reading process takes for itself."""

REFUSED = 3
"""Exit code that comes with a sentence."""

MODES = {"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"}
ORDERS = {"little": "<", "big": ">"}


def read(path: Path, name: str, *, memory: int = 1 << 30) -> Mesh:
    """Read all meshes of the segment with a name (its biological annotation's) as one.

    The file is read in a process of its own, with a limit of time and memory: damaged files can keep the HDF5 library busy for ever.

    Raises
    ------
    FormatError
        If h5py is not installed, the file is no EMDB-SFF file, or has no such segment or no meshes in it.
    """
    if importlib.util.find_spec("h5py") is None:
        raise FormatError(path, f"{NEEDED}.")
    seconds = SECONDS + (path.stat().st_size if path.exists() else 0) // SPEED
    command = [sys.executable, "-c", f"from {__name__} import serve; serve()", str(path), name, str(memory)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise FormatError(
            path, f"was not read within {seconds} s: it is damaged, or the machine is too busy."
        ) from error
    if done.returncode == REFUSED:
        raise FormatError(path, done.stdout.decode())
    if done.returncode:
        raise FormatError(path, "is damaged: the HDF5 library cannot read it.")
    with io.BytesIO(done.stdout) as out:
        return Mesh(np.load(out), np.load(out))


def serve() -> None:
    """Read a file for `read`, which waits in another process: arguments in, arrays or a sentence out."""
    path, name, memory = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    room = 2 * memory + OWN
    resource.setrlimit(resource.RLIMIT_AS, (room if most == resource.RLIM_INFINITY else min(room, most), most))
    try:
        mesh = _read(path, name, memory)
    except (FormatError, MemoryError) as error:
        reason = error.reason if isinstance(error, FormatError) else "needs more memory than it may have."
        sys.stdout.buffer.write(reason.encode())
        sys.exit(REFUSED)
    np.save(sys.stdout.buffer, mesh.vertices)
    np.save(sys.stdout.buffer, mesh.triangles)


def _read(path: Path, name: str, memory: int) -> Mesh:
    import h5py  # noqa: PLC0415 - an extra

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
    """Read a text: a single value, however long, and nothing that becomes larger than the file."""
    if dataset.shape != () or dataset.dtype.itemsize > dataset.file.id.get_filesize():
        message = f"{dataset.name} is no text"
        raise ValueError(message)
    value = dataset[()]
    return value.encode() if isinstance(value, str) else bytes(value)


def _text(dataset: Any) -> str:
    return _bytes(dataset).decode("utf-8", "replace") if dataset is not None else ""
