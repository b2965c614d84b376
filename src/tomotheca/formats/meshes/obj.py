"""Read Wavefront OBJ: vertices and faces, whatever their groups and materials.

Source of the format: http://paulbourke.net/dataformats/obj/. Coordinates are x, y, z; the format knows no unit.
"""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np

from tomotheca.errors import FormatError
from tomotheca.formats.meshes.mesh import Mesh, fans, whole


def read(path: Path, *, memory: int = 1 << 30) -> Mesh:
    """Read all faces of all objects as one mesh; polygons are cut into triangles.

    Raises
    ------
    FormatError
        If a vertex or a face is not what it should be; the line is named.
    """
    vertices, corners, starts = array("d"), array("q"), array("q", [0])
    number = 0
    try:
        for number, line in enumerate(whole(path, memory).replace(b"\\\n", b" ").splitlines(), start=1):  # noqa: B007
            if line.startswith((b"v ", b"v\t")):
                x, y, z = line.split(None, 4)[1:4]
                vertices.extend((float(x), float(y), float(z)))
            elif line.startswith((b"f ", b"f\t")):
                corners.extend(_corners(line, len(vertices) // 3))
                starts.append(len(corners))
    except ValueError as error:
        raise FormatError(path, f"line {number} is no vertex of three numbers and no face.") from error
    return Mesh(
        np.array(vertices, np.float64).reshape(-1, 3), fans(np.array(corners, np.int64), np.array(starts, np.int64))
    )


def _corners(line: bytes, count: int) -> list[int]:
    """Give the vertices of a face, from 0: negative numbers count back from the last vertex so far."""
    given = [int(word.partition(b"/")[0]) for word in line.partition(b"#")[0].split()[1:]]
    if any(abs(n) > 1 << 40 for n in given):
        raise ValueError
    return [n - 1 if n > 0 else n + count if n else -1 for n in given]
