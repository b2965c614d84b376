"""Write MRC2014 files in pieces, statistics included, though they stand before the data."""

from __future__ import annotations

import hashlib
import math
import os
import struct
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats import direct
from tomotheca.formats.files import Aside, Digest, Member, hash_into, write_all, writing
from tomotheca.formats.mrc.header import (
    DTYPES,
    HEADER_BYTES,
    IMOD_SIGNED,
    IMOD_STAMP,
    WORDS,
    ByteOrder,
    Triple,
    Vector,
)
from tomotheca.formats.mrc.twin import Twin, copy
from tomotheca.formats.statistics import Moments, moments

if TYPE_CHECKING:
    from tomotheca.formats.mrc.reader import Box

MODES = {dtype: mode for mode, dtype in DTYPES.items()}
STAMPS = {"<": b"\x44\x44\0\0", ">": b"\x11\x11\0\0"}
NO_EXTRA = bytes(92)

CACHED = 1 << 18
"""Bytes read at a time from the page cache to be hashed: they stay in the processor's cache."""

BLOCK = 4 << 20
"""Bytes read at a time from the disk to be hashed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a new MRC file will hold, known before the first voxel."""

    shape: Triple
    """``(z, y, x)``."""

    dtype: np.dtype[np.generic]
    """One that MRC has a mode for: int8, int16, uint16, float16, float32 (see ``storable``)."""

    voxel_size: Vector
    """Å, order ``(x, y, z)``."""

    is_stack: bool = False
    """An image stack (space group 0, mz 1) instead of a volume (space group 1)."""

    byte_order: ByteOrder = "<"
    origin: Vector = (0.0, 0.0, 0.0)
    extended: bytes = b""
    exttyp: str = ""
    extra: bytes = NO_EXTRA
    """The 92 free bytes of the header, kept from a source; IMOD's stamp is set in them for 8-bit numbers."""

    labels: tuple[str, ...] = ()
    """Labels of the source; this program's own is added after at most nine of them."""


def label() -> str:
    """Name this program in the words of an MRC label.

    It has no date and no version, so that equal input gives equal bytes.
    """
    return "Written by Tomotheca."


def storable(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """Give the dtype in which MRC holds values of ``dtype``.

    int8, int16, uint16, float16 and float32 stay. bool becomes int8. uint8 becomes uint16: mode 0 is signed in
    MRC2014, and unsigned bytes in it are read wrongly by programs that do not know IMOD's stamp. float64 and wider
    integers become float32, which may round.

    Raises
    ------
    FormatError
        If the numbers are complex or no numbers.
    """
    if dtype.kind == "b":
        return np.dtype("i1")
    if dtype == np.dtype("u1"):
        return np.dtype("u2")
    if dtype.str[1:] in MODES:
        return dtype.newbyteorder("=")
    if dtype.kind in "iuf":
        return np.dtype("f4")
    raise FormatError("array", f"{dtype} cannot be stored in MRC: give real numbers.")


class Writer:
    """A new MRC file: boxes may be written in any order and from many threads.

    The header is a placeholder until ``finish``, which needs the statistics of all voxels. Nothing is synced: the
    caller does that, once, for all that belongs together.

    Parameters
    ----------
    rows
        Promises that every write is of whole rows and begins and ends at multiples of this many (or at the end of a
        plane): then the voxels go past the page cache where the file system offers that.
    twin
        A file that holds the same voxels byte for byte: `finish` copies them, and nothing need be given to `write`.

    Raises
    ------
    FormatError
        If MRC has no mode for the layout's dtype.
    StorageError
        From every method, if the disk refuses.
    """

    def __init__(self, path: Path, layout: Layout, *, rows: int = 0, twin: Twin | None = None) -> None:
        self.path, self.layout, self.twin = path, layout, twin
        self.aside: Aside = nullcontext
        """Entered while voxels are on their way to the disk."""

        self.computing: Aside = nullcontext
        """Entered by threads that hash."""

        self.twin_sha256 = ""
        """Of the whole file that voxels were copied from, once that was done."""

        if layout.dtype.str[1:] not in MODES:
            raise FormatError(path, f"{layout.dtype} has no MRC mode: convert to {storable(layout.dtype)}.")
        self.stored = layout.dtype.newbyteorder(layout.byte_order)
        self._offset = HEADER_BYTES + len(layout.extended)
        self.size = self._offset + math.prod(layout.shape) * self.stored.itemsize
        with writing(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            write_all(self._descriptor, memoryview(bytes(HEADER_BYTES) + layout.extended), 0)
        self._unit = self._aligned_unit(rows)
        self._direct = direct.reopen(path, os.O_RDWR) if self._unit else -1

    def write(self, box: Box, block: npt.NDArray[np.generic]) -> None:
        """Write one box: slices in z, y, x and a block of that shape; values must fit the layout's dtype."""
        data = np.ascontiguousarray(block, self.stored).reshape(-1).view(np.uint8).data
        planes, rows, columns = box
        _, ny, nx = self.layout.shape
        item = self.stored.itemsize
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if width < nx:
            run, count = width * item, height
        elif height < ny:
            run, count = height * width * item, 1
        else:
            run, count = len(data), 1
        with writing(self.path), self.aside() if self._direct >= 0 else nullcontext():
            for i in range(len(data) // run if run else 0):
                z, y = planes.start + i // count, rows.start + i % count
                at = self._offset + ((z * ny + y) * nx + columns.start) * item
                self._pwrite(data[i * run : (i + 1) * run], at)

    def finish(self, statistics: Moments) -> Member:
        """Write the true header, hash the whole file and close it."""
        header = _header(self.layout, statistics)
        digest = hashlib.sha256(header + self.layout.extended)
        with writing(self.path):
            if self.twin is not None:
                self.twin_sha256 = copy(self.twin, digest, self._put, computing=self.computing, waiting=self.aside)
            os.ftruncate(self._descriptor, self.size)
            write_all(self._descriptor, memoryview(header), 0)
            if self.twin is None and self._direct >= 0:
                self._hash_direct(digest)
            elif self.twin is None:
                hash_into(digest, self._descriptor, self._offset, memoryview(bytearray(CACHED)))
        self.close()
        return Member(self.path.name, self.size, digest.hexdigest())

    def close(self) -> None:
        """Close without finishing, after an error; does nothing when closed."""
        for descriptor in (self._descriptor, self._direct):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._direct = -1

    def _aligned_unit(self, rows: int) -> int:
        """Give the alignment for direct writes, or 0 where a write of ``rows`` whole rows, or of a piece of the twin, would not keep it."""
        unit = direct.alignment(self._descriptor) if (rows or self.twin) and self.size >= direct.WORTH_IT else 0
        _, ny, nx = self.layout.shape
        row = nx * self.stored.itemsize
        parts = (self._offset,) if self.twin else (self._offset, ny * row, min(rows, ny) * row)
        return unit if unit and not any(part % unit for part in parts) else 0

    def _put(self, memory: memoryview, size: int, at: int) -> None:
        """Write a piece of the twin; what is written beyond its end is cut off by `finish`."""
        unit = max(1, self._unit)
        with nullcontext() if self._direct >= 0 else self.computing():
            self._pwrite(memory[: -(-size // unit) * unit], self._offset + at)

    def _pwrite(self, data: memoryview, offset: int) -> None:
        """Write one run; either all runs of a file go past the page cache or none does."""
        if self._direct >= 0:
            direct.write_aligned(self._direct, self._descriptor, data, offset, unit=self._unit)
        else:
            write_all(self._descriptor, data, offset)

    def _hash_direct(self, digest: Digest) -> None:
        """Hash the voxels as they stand on the disk, without filling the page cache."""
        with direct.lent(BLOCK) as memory:
            hash_into(digest, self._direct, self._offset, memory)


def write(path: Path, volume: npt.NDArray[np.generic], *, voxel_size: float | Vector, stack: bool = False) -> Member:
    """Write a whole array in one go, for small ones.

    Parameters
    ----------
    volume
        Shape ``(z, y, x)``; a dtype that ``storable`` changes is converted.
    voxel_size
        Å, one for all axes or in order ``(x, y, z)``.
    stack
        Marks an image stack, such as a tilt series, instead of a volume.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    z, y, x = volume.shape
    size = voxel_size if isinstance(voxel_size, tuple) else (voxel_size, voxel_size, voxel_size)
    layout = Layout(shape=(z, y, x), dtype=storable(volume.dtype), voxel_size=size, is_stack=stack)
    return write_layout(path, volume, layout)


def write_layout(path: Path, volume: npt.NDArray[np.generic], layout: Layout) -> Member:
    """Write a whole ``(z, y, x)`` array as a layout says."""
    z, y, x = layout.shape
    writer = Writer(path, layout)
    try:
        writer.write((slice(0, z), slice(0, y), slice(0, x)), volume)
        return writer.finish(moments(volume))
    finally:
        writer.close()


UNKNOWN = struct.pack("<f", -1.0)
RMS = slice(216, 220)


def streamed_header(layout: Layout) -> bytes:
    """Give the header of a little-endian file whose voxels nobody has read yet.

    As the standard has it, a maximum below the minimum, a mean below both and a negative rms say that they are not known.
    """
    made = bytearray(_header(replace(layout, byte_order="<"), Moments(1, 0, 0.0, -1.0, -2.0)))
    made[RMS] = UNKNOWN
    return bytes(made) + layout.extended


def head(layout: Layout, statistics: Moments) -> bytes:
    """Give what stands before the voxels of a file of which everything is known: header and extended header."""
    return _header(layout, statistics) + layout.extended


def _header(layout: Layout, statistics: Moments) -> bytes:
    """Pack the 1024 bytes."""
    z, y, x = layout.shape
    mode = MODES[layout.dtype.str[1:]]
    mz = 1 if layout.is_stack else z
    sizes = zip(layout.voxel_size, (x, y, mz), strict=True)
    cell = [size * m for size, m in sizes]
    extra = _extra(replace(layout, extra=layout.extra.ljust(92, b"\0")[:92]), mode)
    labels = _labels(layout.labels)
    return struct.pack(
        layout.byte_order + WORDS,
        x, y, z, mode, 0, 0, 0, x, y, mz, *cell, 90.0, 90.0, 90.0, 1, 2, 3,
        statistics.minimum, statistics.maximum, statistics.mean,
        0 if layout.is_stack else 1, len(layout.extended),
        extra[:8], layout.exttyp.encode("latin-1", "replace")[:4].ljust(4, b" " if layout.exttyp else b"\0"), 20141,
        extra[8:], *layout.origin, b"MAP ", STAMPS[layout.byte_order], statistics.deviation, len(labels),
        b"".join(text.encode("latin-1", "replace")[:80].ljust(80) for text in labels).ljust(800, b"\0"),
    )  # fmt: skip


def _extra(layout: Layout, mode: int) -> bytes:
    """Set IMOD's stamp and its flag for signed bytes when the numbers have 8 bits; keep the rest."""
    if mode != 0:
        return layout.extra
    stamp, flags = struct.unpack(layout.byte_order + "ii", layout.extra[48:56])
    flags = (flags if stamp == IMOD_STAMP else 0) | IMOD_SIGNED
    return layout.extra[:48] + struct.pack(layout.byte_order + "ii", IMOD_STAMP, flags) + layout.extra[56:]


def _labels(kept: tuple[str, ...]) -> tuple[str, ...]:
    """Add this program's label behind those kept, once."""
    others = tuple(text for text in kept if text and text != label())
    return (*others[:9], label())
