"""The first 1024 bytes of an MRC file, checked against the file they stand in."""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from tomotheca.errors import Finding, FormatError

HEADER_BYTES = 1024
LARGEST_EXTENDED = 64 << 20
"""Bytes of an extended header; the largest known ones have a kilobyte for each of a thousand images."""
WORDS = "10i6f3i3f2i8s4si84s3f4s4sfi800s"
IMOD_STAMP = 1146047817
IMOD_SIGNED = 1
IMOD_HALF_BYTES = 16

DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
REFUSED = {
    3: "complex 16-bit integers (mode 3, a Fourier transform)",
    4: "complex 32-bit numbers (mode 4, a Fourier transform)",
    101: "4-bit numbers (mode 101)",
}
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2"}

ByteOrder = Literal["<", ">"]
ByteSign = Literal["signed", "unsigned"]
Triple = tuple[int, int, int]
Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an MRC header says, in logical axes: ``mapc``, ``mapr`` and ``maps`` are already applied to ``shape``."""

    shape: Triple
    """Logical ``(z, y, x)`` voxels."""

    file_shape: Triple
    """``(sections, rows, columns)`` as stored, slow to fast."""

    axes: Triple
    """``(mapc, mapr, maps)``: which of x = 1, y = 2, z = 3 the columns, rows and sections run along."""

    mode: int
    dtype: np.dtype[np.generic]
    """Dtype of the stored numbers, in the file's byte order."""

    byte_order: ByteOrder
    voxel_size: Vector
    """Å, order ``(x, y, z)``; 0 where the header does not say."""

    ispg: int
    mz: int
    nsymbt: int
    """Bytes of the extended header."""

    exttyp: str
    extra: bytes
    """92 bytes that the standard leaves free (words 25-26 and 29-49), as they stand."""

    labels: tuple[str, ...]
    imod_flags: int | None
    """Flags beside IMOD's stamp; None without the stamp."""

    minimum: float
    maximum: float
    mean: float
    rms: float
    origin: Vector
    nstart: Triple
    """First column, row and section, in x, y, z of the file."""

    size: int
    """Bytes of the file."""

    notes: tuple[Finding, ...]

    @property
    def data_offset(self) -> int:
        """Bytes before the first voxel."""
        return HEADER_BYTES + self.nsymbt

    @property
    def data_bytes(self) -> int:
        """Bytes of all voxels, as the header promises."""
        return math.prod(self.file_shape) * self.dtype.itemsize

    @property
    def trailing(self) -> int:
        """Bytes after the last voxel."""
        return self.size - self.data_offset - self.data_bytes

    @property
    def is_stack(self) -> bool:
        """Whether the sections are images (space group 0), such as the tilts of a series, not planes of a volume."""
        return self.ispg == 0


class _Words(NamedTuple):
    """The header's words after unpacking, by their names in the standard."""

    n: Triple
    mode: int
    nstart: Triple
    m: Triple
    cell: Vector
    axes: Triple
    density: Vector
    ispg: int
    nsymbt: int
    extra1: bytes
    exttyp: bytes
    nversion: int
    extra2: bytes
    origin: Vector
    map_id: bytes
    stamp: bytes
    rms: float
    nlabl: int
    labels: bytes


def read_header(path: Path, *, byte_sign: ByteSign | None = None, permissive: bool = False) -> Header:
    """Read and check the header of an MRC file; no voxel is read.

    Parameters
    ----------
    byte_sign
        Overrides what the header says of 8-bit numbers (mode 0). Left out, the IMOD stamp and flags decide, then
        statistics that only unsigned numbers can have, then the standard (signed); ``notes`` says which did.
    permissive
        A truncated file is an error among the notes instead of an exception.

    Raises
    ------
    FormatError
        If the file cannot be opened, is not MRC, holds a mode this program does not read, has no voxels or is shorter
        than its header says.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(HEADER_BYTES)
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error
    return parse_header(path, raw, size, byte_sign=byte_sign, permissive=permissive)


def parse_header(
    path: Path, raw: bytes, size: int, *, byte_sign: ByteSign | None = None, permissive: bool = False
) -> Header:
    """Check the first 1024 bytes of an MRC file of `size` bytes, as `read_header` does; ``path`` is for messages.

    Raises
    ------
    FormatError
        As `read_header` does.
    """
    if raw[:2] in COMPRESSED and raw[208:212] != b"MAP ":
        raise FormatError(path, f"is compressed with {COMPRESSED[raw[:2]]}: unpack it and name the unpacked file.")
    if len(raw) < HEADER_BYTES:
        raise FormatError(path, f"has {len(raw)} bytes, an MRC header alone has {HEADER_BYTES}: copy the file again.")
    order, words, notes = _unpack(path, raw)
    dtype, sign_notes = _dtype(path, words, order, byte_sign)
    notes += sign_notes
    sized = _check_size(path, words, dtype, size)
    if any(note.severity == "error" for note in sized) and not permissive:
        raise FormatError(path, sized[0].message)
    return _header(words, dtype, order, size, (*notes, *sized, *_oddities(path, words)))


def read_extended(path: Path, header: Header) -> bytes:
    """Read the extended header, ``header.nsymbt`` bytes, in the file's byte order.

    Raises
    ------
    FormatError
        If it is larger than any program writes it, or cannot be read.
    """
    if header.nsymbt > LARGEST_EXTENDED:
        size, limit = header.nsymbt >> 20, LARGEST_EXTENDED >> 20
        raise FormatError(
            path, f"has an extended header of {size} MiB, more than {limit} MiB are not kept: write it without."
        )
    try:
        with path.open("rb") as file:
            file.seek(HEADER_BYTES)
            return file.read(header.nsymbt)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error


def _unpack(path: Path, raw: bytes) -> tuple[ByteOrder, _Words, list[Finding]]:
    """Find the byte order in which the header makes sense: the one its stamp names, else the other."""
    stamped: ByteOrder = ">" if raw[212:213] == b"\x11" else "<"
    other: ByteOrder = "<" if stamped == ">" else ">"
    for order in (stamped, other):
        words = _words(raw, order)
        if not _plausible(words):
            continue
        notes = []
        if order != stamped or raw[212:213] not in {b"\x11", b"\x44"}:
            kind = "little" if order == "<" else "big"
            notes.append(Finding("note", str(path), f"The machine stamp is wrong; the numbers are {kind}-endian."))
        if words.map_id != b"MAP ":
            notes.append(Finding("note", str(path), "The identifier 'MAP ' is missing: read as an old MRC file."))
        return order, words, notes
    words = _words(raw, stamped)
    if words.map_id == b"MAP " and words.mode not in DTYPES:
        what = REFUSED.get(words.mode, f"numbers of mode {words.mode}")
        raise FormatError(path, f"holds {what}; modes 0, 1, 2, 6 and 12 are read: convert it to one of them.")
    if words.map_id == b"MAP " and min(words.n) <= 0:
        x, y, z = words.n
        raise FormatError(path, f"says it has {x} x {y} x {z} voxels: write it again with its true size.")
    raise FormatError(path, "is not an MRC file: its header makes no sense in either byte order.")


def _words(raw: bytes, order: ByteOrder) -> _Words:
    """Unpack in one byte order."""
    w = struct.unpack(order + WORDS, raw)
    return _Words(
        w[0:3], w[3], w[4:7], w[7:10], w[10:13], w[16:19], w[19:22], w[22], w[23], w[24], w[25], w[26], w[27],
        w[28:31], w[31], w[32], w[33], w[34], w[35],
    )  # fmt: skip


def _plausible(words: _Words) -> bool:
    """Whether sizes, mode and axis order could be those of a file we read."""
    return (
        words.mode in DTYPES
        and all(0 < n < 1 << 24 for n in words.n)
        and sorted(words.axes) in ([1, 2, 3], [0, 0, 0])
        and words.nsymbt >= 0
    )


def _dtype(
    path: Path, words: _Words, order: ByteOrder, byte_sign: ByteSign | None
) -> tuple[np.dtype[np.generic], list[Finding]]:
    """Say how one number is stored; for 8 bits also why it is taken as signed or not."""
    if words.mode != 0:
        return np.dtype(order + DTYPES[words.mode]), []
    flags = _imod_flags(words, order)
    if flags is not None and flags & IMOD_HALF_BYTES:
        raise FormatError(path, "packs two 4-bit numbers in a byte (an IMOD flag): convert it to 8-bit numbers.")
    sign, severity, reason = _byte_sign(words, flags, byte_sign)
    finding = Finding(severity, str(path), f"The 8-bit numbers are read as {sign}: {reason}.")
    return np.dtype("i1" if sign == "signed" else "u1"), [finding]


def _byte_sign(
    words: _Words, flags: int | None, byte_sign: ByteSign | None
) -> tuple[ByteSign, Literal["note", "warning"], str]:
    """Decide the sign of 8-bit numbers: the caller, the stamp, impossible statistics, the standard."""
    if byte_sign is not None:
        return byte_sign, "note", "so it was asked"
    if flags is not None:
        return ("signed" if flags & IMOD_SIGNED else "unsigned"), "note", "the IMOD stamp and flags say so"
    low, high = words.density[0], words.density[1]
    if low >= 0 and 127 < high <= 255:
        return "unsigned", "warning", f"the header's maximum is {high:g}, though MRC2014 means signed; check it"
    if words.nversion in {20140, 20141} or low < 0:
        return "signed", "note", "MRC2014 means signed"
    return "signed", "warning", "no stamp says which, and MRC2014 means signed; check values above 127"


def _imod_flags(words: _Words, order: ByteOrder) -> int | None:
    """Give IMOD's flags if its stamp is there."""
    stamp, flags = struct.unpack(order + "ii", words.extra2[40:48])
    return int(flags) if stamp == IMOD_STAMP else None


def _check_size(path: Path, words: _Words, dtype: np.dtype[np.generic], size: int) -> list[Finding]:
    """Compare the file's length with what the header promises."""
    promised = HEADER_BYTES + words.nsymbt + math.prod(words.n) * dtype.itemsize
    if size < promised:
        lost = f"is truncated: {promised - size} of {promised} bytes are missing; copy the file again from its source."
        return [Finding("error", str(path), lost)]
    if size > promised:
        return [Finding("note", str(path), f"{size - promised} bytes after the last voxel are ignored.")]
    return []


def _oddities(path: Path, words: _Words) -> list[Finding]:
    """List what is allowed and unusual: axis order, stacks of volumes, no voxel size."""
    notes = []
    if words.axes not in {(1, 2, 3), (0, 0, 0)}:
        order = "".join("xyz"[axis - 1] for axis in words.axes)
        notes.append(f"Columns, rows and sections run along {order}; the voxels are read as x, y, z.")
    if words.ispg >= 401:
        notes.append("The file is a stack of volumes; its sections are read as one volume.")
    if min(words.m) <= 0 or min(words.cell) <= 0:
        notes.append("The header gives no voxel size; say it in the configuration.")
    return [Finding("note", str(path), note) for note in notes]


def _header(
    words: _Words, dtype: np.dtype[np.generic], order: ByteOrder, size: int, notes: tuple[Finding, ...]
) -> Header:
    """Bring checked words into logical axes."""
    axes = words.axes if words.axes != (0, 0, 0) else (1, 2, 3)
    along = dict(zip(axes, words.n, strict=True))
    count = max(0, min(10, words.nlabl))
    texts = (words.labels[80 * i : 80 * i + 80] for i in range(count))
    return Header(
        shape=(along[3], along[2], along[1]),
        file_shape=(words.n[2], words.n[1], words.n[0]),
        axes=axes,
        mode=words.mode,
        dtype=dtype,
        byte_order=order,
        voxel_size=_voxel_size(words),
        ispg=words.ispg,
        mz=words.m[2],
        nsymbt=words.nsymbt,
        exttyp=words.exttyp.decode("latin-1").rstrip(" \0"),
        extra=words.extra1 + words.extra2,
        labels=tuple(text.decode("latin-1").rstrip(" \0") for text in texts),
        imod_flags=_imod_flags(words, order),
        minimum=words.density[0],
        maximum=words.density[1],
        mean=words.density[2],
        rms=words.rms,
        origin=words.origin,
        nstart=words.nstart,
        size=size,
        notes=notes,
    )


def _voxel_size(words: _Words) -> Vector:
    """Cell over sampling, to the six digits that a 32-bit float of a product holds for certain."""
    x, y, z = (
        float(f"{cell / m:.6g}") if m > 0 and cell > 0 and math.isfinite(cell) else 0.0
        for cell, m in zip(words.cell, words.m, strict=True)
    )
    return x, y, z
