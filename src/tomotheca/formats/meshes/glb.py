"""Read and write binary glTF 2.0.

Source of the format: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html. Coordinates are taken as they stand, x, y, z: no axis is turned. What
is written here is in Å: glTF's metre would make float32 values of it that few programs show well.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.meshes.mesh import Mesh, joined, whole

MAGIC = b"glTF"
JSON, BINARY = 0x4E4F534A, 0x004E4942
TRIANGLES = 4
DEEPEST = 64
COMPONENTS = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC3": 3}


def encode(mesh: Mesh) -> bytes:
    """Make a file with one mesh: float32 positions, uint32 corners. The same mesh gives the same bytes."""
    positions = mesh.vertices.astype("<f4")
    corners = mesh.triangles.astype("<u4")
    data = positions.tobytes() + corners.tobytes()
    document = {
        "asset": {"version": "2.0", "generator": "Tomotheca"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "mode": TRIANGLES}]}],
        "accessors": [
            {
                "bufferView": 0, "componentType": 5126, "count": len(positions), "type": "VEC3",
                "min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist(),
            },
            {"bufferView": 1, "componentType": 5125, "count": corners.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": positions.nbytes, "target": 34962},
            {"buffer": 0, "byteOffset": positions.nbytes, "byteLength": corners.nbytes, "target": 34963},
        ],
        "buffers": [{"byteLength": len(data)}],
    }  # fmt: skip
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(data)
    return b"".join(
        (
            MAGIC, struct.pack("<II", 2, size),
            struct.pack("<II", len(text), JSON), text,
            struct.pack("<II", len(data), BINARY), data,
        )
    )  # fmt: skip


def read(path: Path, *, memory: int = 1 << 30) -> Mesh:
    """Read all meshes of the scene as one, each where its nodes put it.

    Raises
    ------
    FormatError
        If the file is damaged, or holds something that is not read: compressed meshes, points, lines, data in other files.
    """
    data = whole(path, memory)
    try:
        document, binary = _chunks(path, data)
        return _Scene(path, document, binary).read()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, struct.error, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(path, f"is a damaged glTF file: {type(error).__name__} {error}.") from error


def _chunks(path: Path, data: bytes) -> tuple[dict[str, Any], bytes]:
    if data[:4] != MAGIC:
        raise FormatError(path, "is no binary glTF file (.glb).")
    version, size = struct.unpack_from("<II", data, 4)
    if version != 2 or size > len(data):
        raise FormatError(path, f"is truncated or of another version: it says version {version}, {size} bytes.")
    chunks: dict[int, bytes] = {}
    at = 12
    while at + 8 <= size:
        length, kind = struct.unpack_from("<II", data, at)
        chunks.setdefault(kind, data[at + 8 : at + 8 + length])
        at += 8 + length
    document = json.loads(chunks[JSON])
    if not isinstance(document, dict):
        raise TypeError(document)
    return document, chunks.get(BINARY, b"")


class _Scene:
    """The scene of one file."""

    def __init__(self, path: Path, document: dict[str, Any], binary: bytes) -> None:
        self.path, self.document, self.binary = path, document, binary

    def read(self) -> Mesh:
        if needed := self.document.get("extensionsRequired"):
            raise FormatError(self.path, f"needs {', '.join(map(str, needed))}: save it without compression.")
        scenes = self.document.get("scenes") or [{"nodes": range(len(self.document.get("nodes", ())))}]
        nodes = scenes[self.document.get("scene", 0)].get("nodes", ())
        found = [mesh for node in nodes for mesh in self._node(node, np.eye(4), 0)]
        return joined(found) if found else Mesh(np.empty((0, 3)), np.empty((0, 3), np.int64))

    def _node(self, number: int, above: npt.NDArray[np.float64], depth: int) -> Iterator[Mesh]:
        if depth > DEEPEST:
            raise FormatError(self.path, "has nodes that lie in each other too deeply, or in a circle.")
        node = self.document["nodes"][number]
        place = above @ _matrix(node)
        if "mesh" in node:
            for primitive in self.document["meshes"][node["mesh"]]["primitives"]:
                yield self._primitive(primitive, place)
        for child in node.get("children", ()):
            yield from self._node(child, place, depth + 1)

    def _primitive(self, primitive: dict[str, Any], place: npt.NDArray[np.float64]) -> Mesh:
        if primitive.get("mode", TRIANGLES) != TRIANGLES:
            raise FormatError(self.path, "has points, lines, strips or fans: save it as triangles.")
        vertices = self._accessor(primitive["attributes"]["POSITION"], "VEC3").astype(np.float64)
        if "indices" in primitive:
            corners = self._accessor(primitive["indices"], "SCALAR").astype(np.int64).ravel()
        else:
            corners = np.arange(len(vertices))
        triangles = corners.reshape(-1, 3)
        mirrored = np.linalg.det(place[:3, :3]) < 0
        return Mesh(vertices @ place[:3, :3].T + place[:3, 3], triangles[:, ::-1] if mirrored else triangles)

    def _accessor(self, number: int, wanted: str) -> npt.NDArray[np.generic]:
        """Give the values of an accessor, ``(count, width)``."""
        accessor = self.document["accessors"][number]
        if accessor["type"] != wanted or "sparse" in accessor or "bufferView" not in accessor:
            raise FormatError(self.path, f"has {accessor['type']} values of a kind that is not read: save it plainly.")
        view = self.document["bufferViews"][accessor["bufferView"]]
        if self.document["buffers"][view["buffer"]].get("uri") is not None:
            raise FormatError(self.path, "keeps its data in another file: save it as one binary file.")
        dtype, width, count = np.dtype(COMPONENTS[accessor["componentType"]]), WIDTHS[wanted], int(accessor["count"])
        row = dtype.itemsize * width
        stride = int(view.get("byteStride") or row)
        begin = int(view.get("byteOffset", 0)) + int(accessor.get("byteOffset", 0))
        if count <= 0 or stride < row or begin < 0 or begin + (count - 1) * stride + row > len(self.binary):
            raise FormatError(self.path, "is truncated: its data ends before its meshes do.")
        return np.ndarray((count, width), dtype, self.binary, begin, (stride, dtype.itemsize))


def _matrix(node: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Give the transformation of a node, acting on columns."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = (float(v) for v in node.get("rotation", (0, 0, 0, 1)))
    turned = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    made = np.eye(4)
    made[:3, :3] = turned * np.array(node.get("scale", (1, 1, 1)), np.float64)
    made[:3, 3] = node.get("translation", (0, 0, 0))
    return made
