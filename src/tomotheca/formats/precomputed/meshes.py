"""Write a mesh for the viewer: one object, in the single-resolution form of precomputed data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.formats.files import Member, write_file

if TYPE_CHECKING:
    from tomotheca.formats.meshes import Mesh

VERSION = 1
"""Raised when the same mesh is written in another way."""

SEGMENT = 1
"""Number of the only object."""

NANOMETRE = 0.1
"""In Å: what coordinates are multiplied by."""


def write_mesh(folder: Path, mesh: Mesh) -> tuple[Member, ...]:
    """Write a mesh, given in Å, into an empty folder and list its files in byte order.

    Coordinates are written in nm, float32, x, y, z, in the frame of the mesh: 0 is the centre of the first voxel, as for points. Nothing
    is shifted.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    count = len(mesh.vertices).to_bytes(4, "little")
    vertices = (mesh.vertices * NANOMETRE).astype("<f4").tobytes()
    contents = {
        f"{SEGMENT}": count + vertices + mesh.triangles.astype("<u4").tobytes(),
        f"{SEGMENT}:0": json.dumps({"fragments": [f"{SEGMENT}"]}).encode(),
        "info": json.dumps({"@type": "neuroglancer_legacy_mesh"}).encode() + b"\n",
    }
    made = [write_file(folder / name, data, name=name) for name, data in contents.items()]
    return tuple(sorted(made, key=lambda member: member.path.encode()))
