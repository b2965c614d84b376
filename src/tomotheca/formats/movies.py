"""Headers of movies and gain references: how large the images are and how many, without a pixel being read.

Sources of the formats: TIFF 6.0 and BigTIFF (https://www.awaresystems.be/imaging/tiff/bigtiff.html) as chains of directories, one
for each image; EER, which is a BigTIFF with a directory for each camera frame; MRC2014, also packed with bzip2.
"""

from __future__ import annotations

import bz2
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tomotheca.errors import FormatError
from tomotheca.formats import mrc

WIDTH, LENGTH = 256, 257
"""Tags of an image's columns and rows."""

INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""Types of the values of these tags."""

MOST_IMAGES = 100_000
MOST_TAGS = 4096
HEADER = 1024


@dataclass(frozen=True, slots=True)
class Movie:
    """What the header of a file says."""

    columns: int
    rows: int
    images: int

    @property
    def size(self) -> dict[str, int]:
        """The same as documents keep it: x, y and number of images."""
        return {"x": self.columns, "y": self.rows, "z": self.images}


def look(path: Path) -> Movie | None:
    """Read the header of a movie or gain reference; None for what is not read here, such as ``.dm4``.

    Raises
    ------
    FormatError
        If the file is not what its name says, or ends early.
    """
    name = path.name.lower()
    reader = next((read for suffix, read in READERS.items() if name.endswith(suffix)), None)
    if reader is None:
        return None
    try:
        return reader(path)
    except (OSError, EOFError) as error:
        raise FormatError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}.") from error


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a TIFF file writes its numbers."""

    order: str
    count: str
    """Of the tags of a directory."""

    offset: str
    tag: str
    """Tag, type, number of values; the values follow."""

    room: int
    """Bytes of values that stand in the directory itself."""

    first: int
    """Where the offset of the first directory stands."""


CLASSIC, BIG = 42, 43


def _layout(path: Path, head: bytes) -> _Layout:
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = struct.unpack(f"{order}H", head[2:4])[0] if order and len(head) >= 16 else 0  # a BigTIFF's head
    if version == CLASSIC:
        return _Layout(order or "<", "H", "I", "HHI", 4, 4)
    if version == BIG:
        return _Layout(order or "<", "Q", "Q", "HHQ", 8, 8)
    raise FormatError(path, "is not a TIFF file: correct its name, or copy it again.")


def read_tiff(path: Path) -> Movie:
    """Walk the directories of a TIFF file: the size of its first image, and how many there are.

    Raises
    ------
    FormatError
        If it is no TIFF file, or its chain of directories is broken.
    """
    with path.open("rb") as file:
        layout = _layout(path, file.read(16))
        (place,) = _read(path, file, layout.first, layout.order + layout.offset)
        seen: set[int] = set()
        size: tuple[int, int] | None = None
        while place and len(seen) < MOST_IMAGES:
            if place in seen:
                raise FormatError(path, "has directories that lead in a circle: copy it again.")
            seen.add(place)
            (count,) = _read(path, file, place, layout.order + layout.count)
            if not 0 < count <= MOST_TAGS:
                raise FormatError(path, f"has a directory with {count} entries: copy it again.")
            begin, each = place + struct.calcsize(layout.count), struct.calcsize("<" + layout.tag) + layout.room
            if size is None:
                size = _size(path, file, layout, range(begin, begin + count * each, each))
            (place,) = _read(path, file, begin + count * each, layout.order + layout.offset)
    if size is None:
        raise FormatError(path, "has no image: copy it again.")
    return Movie(*size, len(seen))


def _size(path: Path, file: BinaryIO, layout: _Layout, places: range) -> tuple[int, int]:
    found: dict[int, int] = {}
    for place in places:
        tag, kind, _ = _read(path, file, place, layout.order + layout.tag)
        if tag in {WIDTH, LENGTH} and kind in INTEGERS:
            value = place + struct.calcsize("<" + layout.tag)
            (found[tag],) = _read(path, file, value, layout.order + INTEGERS[kind])
    if not (found.get(WIDTH) and found.get(LENGTH)):
        raise FormatError(path, "does not say the size of its images: copy it again.")
    return found[WIDTH], found[LENGTH]


def _read(path: Path, file: BinaryIO, place: int, form: str) -> tuple[int, ...]:
    size = struct.calcsize(form)
    try:
        file.seek(place)
    except (OverflowError, ValueError) as error:
        raise FormatError(path, "names a place far behind its end: copy it again.") from error
    raw = file.read(size)
    if len(raw) < size:
        raise FormatError(path, "ends early: copy it again.")
    return struct.unpack(form, raw)


def _mrc(path: Path) -> Movie:
    shape = mrc.read_header(path, permissive=True).shape
    return Movie(shape[2], shape[1], shape[0])


def _packed(path: Path) -> Movie:
    with path.open("rb") as packed, bz2.open(packed, "rb") as file:
        raw = file.read(HEADER)
    if len(raw) < HEADER:
        raise FormatError(path, "ends early: copy it again.")
    for columns, rows, images, mode in _words(raw):
        if 0 < columns < 1 << 20 and 0 < rows < 1 << 20 and 0 < images < 1 << 20 and 0 <= mode <= 101:  # of MRC
            return Movie(columns, rows, images)
    raise FormatError(path, "does not hold an MRC file: correct its name, or copy it again.")


def _words(raw: bytes) -> Iterator[tuple[int, ...]]:
    yield from (struct.unpack(f"{order}4i", raw[:16]) for order in "<>")


READERS: Mapping[str, Callable[[Path], Movie]] = {
    ".tif": read_tiff,
    ".tiff": read_tiff,
    ".eer": read_tiff,
    ".mrc": _mrc,
    ".mrcs": _mrc,
    ".mrc.bz2": _packed,
}
"""Readers by the end of a file's name."""
