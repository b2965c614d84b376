"""A surface of triangles, and what every reader of meshes checks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError

SHARE = 8
"""A file that is read whole may take this part of the memory."""

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Mesh:
    """A surface."""

    vertices: npt.NDArray[np.float64]
    """``(n, 3)``, order x, y, z, in the unit of the file."""

    triangles: npt.NDArray[np.int64]
    """``(m, 3)``, rows of ``vertices``; seen from outside their order is counter-clockwise."""

    def moved(self, origin: Sequence[float], scale: float) -> Mesh:
        """Give the mesh with ``origin`` at 0, times ``scale``; a negative scale turns the triangles round with it."""
        vertices = (self.vertices - np.asarray(origin, np.float64)) * scale
        return replace(self, vertices=vertices, triangles=self.triangles[:, ::-1] if scale < 0 else self.triangles)


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Make several surfaces one."""
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes[:-1])])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.triangles + start for m, start in zip(meshes, starts, strict=True)]),
    )


def checked(path: Path, mesh: Mesh) -> Mesh:
    """Give a mesh back when it can be drawn.

    Raises
    ------
    FormatError
        If it has no triangle, a coordinate that is no finite float32, or a triangle of vertices that are not there.
    """
    if not len(mesh.triangles):
        raise FormatError(path, "has no triangles.")
    if not (np.abs(mesh.vertices) <= LARGEST).all():
        raise FormatError(path, "has a vertex with a coordinate that is not a finite number.")
    odd = np.flatnonzero(((mesh.triangles < 0) | (mesh.triangles >= len(mesh.vertices))).any(axis=1))
    if odd.size:
        message = f"triangle {odd[0] + 1} has a vertex that is not among the {len(mesh.vertices)} vertices of the file."
        raise FormatError(path, message)
    return mesh


def fans(corners: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Cut polygons into triangles around their first corner.

    Parameters
    ----------
    corners
        Vertices of all polygons, one after the other.
    starts
        Where each polygon begins in ``corners``, and the end of the last.
    """
    counts = np.maximum(np.diff(starts) - 2, 0)
    first = np.repeat(starts[:-1], counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([corners[first], corners[first + step + 1], corners[first + step + 2]], axis=1)


def whole(path: Path, memory: int) -> bytes:
    """Read a file whole.

    Raises
    ------
    FormatError
        If it cannot be read, or is larger than its share of the memory.
    """
    most = memory // SHARE
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise FormatError(path, f"has {size >> 20} MiB, more than {most >> 20} MiB are not read as a mesh.")
            return file.read()
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error
