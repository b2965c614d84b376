"""Meshes: surfaces of triangles read from obj, stl, vtk, glb and hff, written as binary glTF."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tomotheca.errors import FormatError
from tomotheca.formats.meshes import glb, hff, obj, stl, vtk
from tomotheca.formats.meshes.glb import encode
from tomotheca.formats.meshes.mesh import Mesh, checked
from tomotheca.formats.meshes.placing import FEWEST, coarsened, placed

__all__ = ["FEWEST", "READERS", "Mesh", "checked", "coarsened", "encode", "placed", "read"]

READERS: Mapping[str, Callable[..., Mesh]] = {"obj": obj.read, "stl": stl.read, "vtk": vtk.read, "glb": glb.read}
"""Readers by format, besides hff, which needs the name of a segment."""


def read(path: Path, file_format: str, *, name: str = "", memory: int = 1 << 30) -> Mesh:
    """Read a surface, x, y, z in the unit of the file.

    Parameters
    ----------
    name
        Segment of an hff file.
    memory
        Bytes the process may use: a file larger than an eighth of it is refused.

    Raises
    ------
    FormatError
        If the file is not what its format says, or is no surface that can be drawn.
    """
    if file_format != "hff" and file_format not in READERS:
        raise FormatError(
            path, f"there is no file format {file_format!r} for meshes; known are {', '.join(READERS)}, hff."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        if file_format == "hff":
            return checked(path, hff.read(path, name, memory=memory))
        return checked(path, READERS[file_format](path, memory=memory))
