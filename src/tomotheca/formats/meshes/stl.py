"""Read STL, binary and ASCII.

Source of the format: https://www.fabbers.com/tech/STL_Format. Coordinates are x, y, z, float32 little-endian where binary; the format
knows no unit.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.meshes.mesh import Mesh, whole

HEAD = 84
FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
CORNER = re.compile(
    rb"^[ \t]*vertex[ \t]+(\S{1,40})[ \t]+(\S{1,40})[ \t]+(\S{1,40})[ \t\r]*$", re.MULTILINE | re.IGNORECASE
)
FACETS = re.compile(rb"^[ \t]*facet\b", re.MULTILINE | re.IGNORECASE)


def read(path: Path, *, memory: int = 1 << 30) -> Mesh:
    """Read the facets; corners at one place become one vertex.

    Raises
    ------
    FormatError
        If the file is neither form, or truncated.
    """
    data = whole(path, memory)
    corners = _binary(data)
    if corners is None:
        corners = _text(path, data)
    vertices, rows = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    return Mesh(vertices.astype(np.float64), rows.reshape(-1, 3).astype(np.int64))


def _binary(data: bytes) -> npt.NDArray[np.float32] | None:
    """Read the binary form: its size follows from its number of facets, whatever the first word is."""
    if len(data) < HEAD:
        return None
    count = int.from_bytes(data[80:HEAD], "little")
    if len(data) != HEAD + count * FACET.itemsize:
        return None
    return np.frombuffer(data, FACET, count, HEAD)["corners"].copy()


def _text(path: Path, data: bytes) -> npt.NDArray[np.float32]:
    if not data.lstrip()[:5].lower() == b"solid":
        raise FormatError(path, "is no STL file, or a truncated one: its size does not fit its number of facets.")
    words = CORNER.findall(data)
    if len(words) % 3 or len(words) != 3 * len(FACETS.findall(data)):
        raise FormatError(path, "has facets without three vertices: it is truncated.")
    try:
        with np.errstate(over="ignore"):
            return np.array(words, dtype="S").astype(np.float64).astype(np.float32).reshape(-1, 3, 3)
    except ValueError as error:
        raise FormatError(path, f"has a vertex that is not three numbers: {error}.") from error
