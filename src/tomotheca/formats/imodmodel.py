"""Models of IMOD (``.mod``, binary): contours of points, and the angles that 3dmod's Slicer saved.

Sources: https://bio3d.colorado.edu/imod/doc/binspec.html (file) and https://bio3d.colorado.edu/imod/doc/3dmodHelp/slicer.html
(angles). All numbers are big-endian.

Positions. x, y, z in pixels of the volume that 3dmod showed. 3dmod's coordinates run from 0 to nx and 0 to ny, but from
-0.5 to nz - 0.5, so the centre of the first voxel is at 0.5, 0.5, 0; the numbers are taken as they are, as the public
CryoET Data Portal does, unless the configuration's ``origin`` is [0.5, 0.5, 0]. A model that was drawn on a part of a
volume is moved to the whole one (``MINX``), and one that was saved with y and z exchanged is put right (bit 16).

Rotations. Slicer turns the *volume* by z, then y, then x, in degrees, right-handed, and shows a slice in x and y: the matrix that
turns the slice's axes into the tomogram is the inverse of ``Rx(x) Ry(y) Rz(z)``, ``Rz(-z) Ry(-y) Rx(-x)``. Their centres
are the positions of oriented points.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats import rotation
from tomotheca.formats.points import Options, Points, arranged, turned

Floats = npt.NDArray[np.float64]

HEADER, OBJECT, CONTOUR, MESH = 232, 176, 16, 16
"""Bytes of the parts that have no size of their own, without the four letters before them."""

FLIPPED, HAS_ORIGIN = 1 << 16, 1 << 14
"""Flags of the model: last seen with y and z exchanged; ``MINX`` says where the volume begins."""

IMAGE, SLICER = struct.Struct(">18f"), struct.Struct(">i6f")


@dataclass(slots=True)
class Model:
    """What is taken from a model."""

    path: Path
    flags: int = 0
    contours: list[Floats] = field(default_factory=list)
    """Each ``(n, 3)``, order x, y, z, as in the file."""

    slicer: list[tuple[float, ...]] = field(default_factory=list)
    """Angles about x, y, z in degrees, then the centre x, y, z."""

    shift: Floats = field(default_factory=lambda: np.zeros(3))
    """From the part of the volume that was loaded to the whole one, in pixels."""

    def placed(self, locations: Floats) -> Floats:
        """Bring positions, shape ``(n, 3)``, to the whole volume."""
        return (locations[:, [0, 2, 1]] if self.flags & FLIPPED else locations) + self.shift


def read_model(path: Path) -> Model:
    """Read a model; nothing is read into memory that is not taken.

    Raises
    ------
    FormatError
        If it is no model, ends early, or claims more points than the file holds.
    """
    try:
        with path.open("rb") as file:
            return _Reader(path, file, path.stat().st_size).model()
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error


def read_points(path: Path, options: Options) -> Points:
    """Read the points of all contours of all objects, in their order.

    Raises
    ------
    FormatError
        If it is no model or is truncated.
    """
    model = read_model(path)
    locations = np.concatenate(model.contours) if model.contours else np.empty((0, 3))
    return Points(arranged(model.placed(locations), options))


def read_oriented(path: Path, options: Options) -> Points:
    """Read the centres and angles that Slicer saved.

    Raises
    ------
    FormatError
        If it is no model, is truncated, has no such angles, or has them in a volume with y and z exchanged.
    """
    model = read_model(path)
    if not model.slicer:
        raise FormatError(path, "has no slicer angles: save them in 3dmod's Slicer, or take the model in as Point.")
    if model.flags & FLIPPED:
        raise FormatError(
            path, "has slicer angles of a volume with y and z exchanged: save them on the volume as it is."
        )
    table = np.array(model.slicer, np.float64)
    rotations = rotation.product("zyx", -table[:, [2, 1, 0]])
    return Points(arranged(model.placed(table[:, 3:]), options), turned(rotations, options))


class _Reader:
    """Walks over the chunks of a file; every size is checked against what is left of it."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path, self.file, self.size = path, file, size

    def model(self) -> Model:
        """Read the whole file."""
        if self._take(min(8, self.size)) not in {b"IMODV1.2", b"IMODV1.1"}:
            raise FormatError(self.path, "is not an IMOD model (its first bytes are not IMODV1.2).")
        model = Model(self.path)
        (model.flags,) = struct.unpack(">I", self._take(HEADER)[144:148])
        for name in self._chunks():
            if name == b"CONT":
                model.contours.append(self._contour())
            elif name == b"SLAN":
                model.slicer.append(self._floats(SLICER.unpack(self._body(name, SLICER.size))[1:]))
            elif name == b"MINX":
                model.shift = self._shift(self._body(name, IMAGE.size), model.flags)
            elif name == b"OBJT":
                self._skip(OBJECT)
            elif name == b"MESH":
                vertices, indices = struct.unpack(">2i", self._take(MESH)[:8])
                self._skip(12 * vertices + 4 * indices if min(vertices, indices) >= 0 else -1)
            else:
                self._skip(self._length())
        return model

    def _chunks(self) -> Iterator[bytes]:
        """Give the four letters of each chunk until the end of the model."""
        while (name := self._take(4)) != b"IEOF":
            if not all(byte == 0x20 or chr(byte).isalnum() for byte in name):
                raise FormatError(self.path, f"has no chunk where one should begin, at byte {self.file.tell() - 4}.")
            yield name

    def _contour(self) -> Floats:
        """Read the points of a contour."""
        (count,) = struct.unpack(">i", self._take(CONTOUR)[:4])
        if count < 0:
            raise FormatError(self.path, f"has a contour of {count} points at byte {self.file.tell() - CONTOUR}.")
        points = np.frombuffer(self._take(12 * count), ">f4").astype(np.float64).reshape(-1, 3)
        if not np.isfinite(points).all():
            raise FormatError(self.path, f"has a point that is not all finite numbers before byte {self.file.tell()}.")
        return points

    def _shift(self, body: bytes, flags: int) -> Floats:
        """Say how far the part of the volume that was loaded is from the whole one."""
        image = np.array(IMAGE.unpack(body), np.float64)
        old, scale, new = image[3:6], image[9:12], image[12:15]
        if not flags & HAS_ORIGIN or not np.isfinite([*old, *scale, *new]).all() or (scale <= 0).any():
            return np.zeros(3)
        return (old - new) / scale

    def _body(self, name: bytes, least: int) -> bytes:
        """Read the first bytes of a chunk and pass over the others."""
        length = self._length()
        if length < least:
            raise FormatError(self.path, f"has a chunk {name.decode('ascii')} of {length} bytes, {least} are needed.")
        body = self._take(least)
        self._skip(length - least)
        return body

    def _floats(self, values: tuple[float, ...]) -> tuple[float, ...]:
        if np.isfinite(values).all():
            return values
        raise FormatError(
            self.path, f"has slicer angles that are not all finite numbers before byte {self.file.tell()}."
        )

    def _length(self) -> int:
        (length,) = struct.unpack(">i", self._take(4))
        return int(length)

    def _take(self, count: int) -> bytes:
        """Read so many bytes."""
        place = self.file.tell()
        if count > self.size - place or len(data := self.file.read(count)) < count:
            raise self._ends(count, place)
        return data

    def _skip(self, count: int) -> None:
        """Pass over so many bytes."""
        place = self.file.tell()
        if not 0 <= count <= self.size - place:
            raise self._ends(count, place)
        self.file.seek(count, 1)

    def _ends(self, count: int, place: int) -> FormatError:
        if count < 0:
            return FormatError(self.path, f"has a chunk of {count} bytes at byte {place}: is the file damaged?")
        left = self.size - place
        return FormatError(self.path, f"is truncated: {count} bytes should follow byte {place}, {left} are there.")
