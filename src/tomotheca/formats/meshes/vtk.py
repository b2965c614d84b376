"""Read VTK's legacy files with polygons, ASCII and binary, versions 1 to 5.

Source of the format: https://docs.vtk.org/en/latest/vtk_file_formats/vtk_legacy_file_format.html. Coordinates are x, y, z, big-endian where
binary; the format knows no unit.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.meshes.mesh import Mesh, fans, whole

Integers = npt.NDArray[np.int64]

TYPES = {
    b"char": "i1", b"signed_char": "i1", b"unsigned_char": "u1", b"short": "i2", b"unsigned_short": "u2", b"int": "i4", b"unsigned_int": "u4",
    b"long": "i8", b"unsigned_long": "u8", b"vtkidtype": "i4", b"vtktypeint64": "i8", b"vtktypeint32": "i4", b"float": "f4", b"double": "f8",
}  # fmt: skip
END = (b"point_data", b"cell_data")
NEXT_WORD = re.compile(rb"\n\s*[A-Za-z]")


def read(path: Path, *, memory: int = 1 << 30) -> Mesh:
    """Read the polygons and triangle strips; vertices and lines are passed over.

    Raises
    ------
    FormatError
        If the file is no legacy file of polygons, or truncated.
    """
    return _Parser(path, whole(path, memory)).read()


class _Parser:
    """One file while it is read."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data, self.at = path, data, 0
        self.points: npt.NDArray[np.float64] = np.empty((0, 3))
        self.triangles: list[Integers] = []
        self.binary = False

    def read(self) -> Mesh:
        version = re.match(rb"# vtk DataFile Version (\d+)\.(\d+)", self._line())
        if version is None:
            raise FormatError(
                self.path, "is no legacy VTK file: XML files (.vtp) are not read, save it as legacy .vtk."
            )
        self.offsets = (int(version[1]), int(version[2])) >= (5, 1)
        self._line(blank=True)
        self.binary = self._line().strip().lower() == b"binary"
        kind = self._line().strip()
        if kind.lower().split() != [b"dataset", b"polydata"]:
            raise FormatError(self.path, f"holds {_said(kind)}: give DATASET POLYDATA, a surface of polygons.")
        while (words := self._line().split()) and words[0].lower() not in END:
            self._section(words[0].lower(), words[1:])
        return Mesh(self.points, np.concatenate([*self.triangles, np.empty((0, 3), np.int64)]))

    def _section(self, word: bytes, words: list[bytes]) -> None:
        if word == b"points":
            count, kind = self._whole(words, 0), TYPES.get(words[1].lower() if len(words) > 1 else b"", "f4")
            self.points = self._values(3 * count, kind).astype(np.float64).reshape(-1, 3)
        elif word in {b"polygons", b"triangle_strips", b"lines", b"vertices"}:
            corners, starts = self._cells(self._whole(words, 0), self._whole(words, 1))
            if word == b"polygons":
                self.triangles.append(fans(corners, starts))
            elif word == b"triangle_strips":
                self.triangles.append(_strips(corners, starts))
        elif word == b"metadata":
            while self._line(blank=True).strip():
                pass
        else:
            raise FormatError(self.path, f"has {_said(word)} where POINTS or POLYGONS should stand: it is damaged.")

    def _cells(self, first: int, second: int) -> tuple[Integers, Integers]:
        """Read cells: corners one after the other, and where each cell begins."""
        if self.offsets:
            starts = self._values(first, self._kind(b"offsets")).astype(np.int64)
            corners = self._values(second, self._kind(b"connectivity")).astype(np.int64)
        else:
            corners, starts = self._counted(self._values(second, "i4").astype(np.int64), first)
        if len(starts) and (starts[0] != 0 or starts[-1] != len(corners) or (np.diff(starts) < 0).any()):
            raise FormatError(self.path, "has cells whose numbers of corners do not add up: it is damaged.")
        return corners, starts

    def _counted(self, values: Integers, count: int) -> tuple[Integers, Integers]:
        """Take apart cells that each say how many corners they have."""
        if count and len(values) == 4 * count and (values[::4] == 3).all():
            return values.reshape(-1, 4)[:, 1:].ravel(), np.arange(0, 3 * count + 1, 3)
        begins, at = [], 0
        for _ in range(count):
            if at >= len(values) or values[at] < 0:
                raise FormatError(self.path, "has cells whose numbers of corners do not add up: it is damaged.")
            begins.append(at)
            at += 1 + int(values[at])
        starts = np.array([*begins, at], np.int64) - np.arange(count + 1)
        return np.delete(values[:at], begins), starts

    def _kind(self, name: bytes) -> str:
        words = self._line().lower().split()
        if len(words) != 2 or words[0] != name or words[1] not in TYPES:
            raise FormatError(self.path, f"lacks the line {_said(name.upper())} with its type: it is damaged.")
        return TYPES[words[1]]

    def _values(self, count: int, kind: str) -> npt.NDArray[np.generic]:
        """Read numbers, as many as the file has said."""
        dtype = np.dtype(f">{kind}")
        if self.binary:
            end = self.at + count * dtype.itemsize
            if end > len(self.data):
                raise FormatError(self.path, "is truncated: it has fewer numbers than it says.")
            found: npt.NDArray[np.generic] = np.frombuffer(self.data, dtype, count, self.at)
            self.at = end
            return found
        match = NEXT_WORD.search(self.data, max(0, self.at - 1))
        end = match.start() if match else len(self.data)
        words = self.data[self.at : end].split()
        if len(words) != count:
            raise FormatError(self.path, f"has {len(words)} numbers where it says {count}: it is truncated or damaged.")
        self.at = end
        try:
            return np.array(words, dtype="S").astype(np.float64 if kind[0] == "f" else np.int64)
        except (ValueError, OverflowError) as error:
            raise FormatError(self.path, f"has a word that is no number: {error}.") from error

    def _line(self, *, blank: bool = False) -> bytes:
        """Give the next line; blank ones only if asked for, empty at the end of the file."""
        while self.at < len(self.data):
            end = self.data.find(b"\n", self.at)
            end = len(self.data) if end < 0 else end
            line, self.at = self.data[self.at : end], end + 1
            if blank or line.strip():
                return line
        return b""

    def _whole(self, words: list[bytes], place: int) -> int:
        if len(words) <= place or not words[place].isdigit() or int(words[place]) > 1 << 40:
            raise FormatError(self.path, "has a section without its count: it is damaged.")
        return int(words[place])


def _strips(corners: Integers, starts: Integers) -> Integers:
    """Cut strips into triangles; every second one is turned round."""
    found = []
    for begin, end in pairwise(starts.tolist()):
        strip = corners[begin:end]
        rows = np.stack([strip[:-2], strip[1:-1], strip[2:]], axis=1) if len(strip) > 2 else np.empty((0, 3), np.int64)
        rows[1::2] = rows[1::2, [1, 0, 2]]
        found.append(rows)
    return np.concatenate([*found, np.empty((0, 3), np.int64)])


def _said(text: bytes) -> str:
    return text[:40].decode("latin-1")
