"""A closed surface in every format that meshes are taken in from, written without the program's own writers where there is another way."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

VERTICES = np.array([[1, 2, 3], [5, 2, 3], [1, 6, 3], [1, 2, 8], [5.25, 6.5, 8.75]], np.float64)
"""x, y, z."""

TRIANGLES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 4], [1, 4, 3], [2, 3, 4]])
"""The outside is where they are counter-clockwise."""


def obj(path: Path) -> None:
    lines = ["# a comment", "mtllib none.mtl", "o first"]
    lines += [f"v {x} {y} {z} 1.0" for x, y, z in VERTICES]
    lines += ["vn 0 0 1", "usemtl none", "s off"]
    lines += [f"f {a + 1}//1 {b + 1}//1 {c + 1}//1" for a, b, c in TRIANGLES[:4]]
    lines += ["f " + " ".join(str(int(n) - len(VERTICES)) for n in row) for row in TRIANGLES[4:]]
    path.write_text("\r\n".join(lines) + "\r\n")


def stl(path: Path) -> None:
    rows = b"".join(struct.pack("<12fH", 0, 0, 0, *VERTICES[row].astype(np.float32).ravel(), 0) for row in TRIANGLES)
    path.write_bytes(b"solid but binary".ljust(80) + struct.pack("<I", len(TRIANGLES)) + rows)


def stl_text(path: Path) -> None:
    facets = [
        "facet normal 0 0 0\n outer loop\n"
        + "".join(f"  vertex {x:e} {y:e} {z:e}\n" for x, y, z in VERTICES[row])
        + " endloop\nendfacet"
        for row in TRIANGLES
    ]
    path.write_text("solid one\n" + "\n".join(facets) + "\nendsolid one\n")


def vtk(path: Path) -> None:
    points = "\n".join(f"{x} {y} {z}" for x, y, z in VERTICES)
    polygons = "\n".join(f"3 {a} {b} {c}" for a, b, c in TRIANGLES)
    path.write_text(
        "# vtk DataFile Version 3.0\na title\nASCII\nDATASET POLYDATA\n"
        f"POINTS {len(VERTICES)} float\n{points}\n\nPOLYGONS {len(TRIANGLES)} {4 * len(TRIANGLES)}\n{polygons}\n"
        f"CELL_DATA {len(TRIANGLES)}\nSCALARS area float\nLOOKUP_TABLE default\n" + "1 " * len(TRIANGLES) + "\n"
    )


def vtk_binary(path: Path, *, new: bool = False) -> None:
    """Write the older form, or that of version 5.1 with its offsets and a block of metadata."""
    version, count = ("5.1", len(TRIANGLES)) if new else ("2.0", len(TRIANGLES))
    data = f"# vtk DataFile Version {version}\n\nBINARY\nDATASET POLYDATA\nPOINTS {len(VERTICES)} double\n".encode()
    data += VERTICES.astype(">f8").tobytes() + b"\n"
    if new:
        data += b"METADATA\nINFORMATION 1\nNAME L2_NORM_RANGE LOCATION vtkDataArray\nDATA 2 0 1\n\n"
        data += f"POLYGONS {count + 1} {3 * count}\nOFFSETS vtktypeint64\n".encode()
        data += np.arange(0, 3 * count + 1, 3).astype(">i8").tobytes() + b"\nCONNECTIVITY vtktypeint64\n"
        data += TRIANGLES.astype(">i8").tobytes() + b"\n"
    else:
        data += f"POLYGONS {count} {4 * count}\n".encode()
        data += np.insert(TRIANGLES, 0, 3, axis=1).astype(">i4").tobytes() + b"\n"
    path.write_bytes(data)


def glb(path: Path, document: dict[str, Any] | None = None) -> None:
    """Write two nodes in each other, the inner one with a matrix, and 16-bit corners: other choices than those of the program."""
    corners = TRIANGLES.astype("<u2").tobytes()
    moved = (VERTICES - [10, 0, 0]) / 2
    data = corners + bytes(-len(corners) % 4) + moved.astype("<f4").tobytes()
    document = document or {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [1]}],
        "nodes": [
            {"mesh": 0, "matrix": [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]}, {"children": [0], "translation": [10, 0, 0]},
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 1}, "indices": 0}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5123, "count": TRIANGLES.size, "type": "SCALAR"},
            {"bufferView": 1, "componentType": 5126, "count": len(VERTICES), "type": "VEC3", "min": [-9] * 3, "max": [9] * 3},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": len(corners)},
            {"buffer": 0, "byteOffset": len(data) - 12 * len(VERTICES), "byteLength": 12 * len(VERTICES)},
        ],
        "buffers": [{"byteLength": len(data)}],
    }  # fmt: skip
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
    path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)


def hff(path: Path) -> None:
    """Write two segments; the second, with a name, has its triangles in two meshes, one of them big-endian."""
    import h5py

    with h5py.File(path, "w") as file:
        file["version"] = "0.8.0.dev1"
        for number, name in enumerate(("other", "membrane")):
            segment = file.create_group(f"segment_list/{number}")
            segment["biological_annotation/name"] = name
            parts = [TRIANGLES[:2], TRIANGLES[2:]] if name == "membrane" else [TRIANGLES[:1]]
            for place, rows in enumerate(parts):
                order = ">" if place else "<"
                mesh = segment.create_group(f"mesh_list/{place}")
                for key, mode, values in (("vertices", "float32", VERTICES), ("triangles", "uint32", rows)):
                    encoded = base64.b64encode(values.astype(f"{order}{np.dtype(mode).str[1:]}").tobytes())
                    group = mesh.create_group(key)
                    group["data"], group["mode"] = encoded.decode(), mode
                    group["endianness"] = "big" if place else "little"
                    group[f"num_{key}"] = len(values)


WRITERS = {
    "obj": ("obj", obj), "stl": ("stl", stl), "stl-text": ("stl", stl_text), "vtk": ("vtk", vtk), "vtk-binary": ("vtk", vtk_binary),
    "vtk-5": ("vtk", lambda path: vtk_binary(path, new=True)), "glb": ("glb", glb), "hff": ("hff", hff),
}  # fmt: skip
"""Format in a configuration and writer, by the name of a case."""


def corners(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Give the corners of all triangles, ``(n, 3, 3)``, in an order that does not depend on how they are kept."""
    found = np.asarray(vertices)[np.asarray(triangles)].round(4)
    turned = np.array([np.roll(t, -min(range(3), key=lambda i: tuple(t[i])), axis=0) for t in found])
    return turned[np.lexsort(turned.reshape(len(turned), -1).T[::-1])]
