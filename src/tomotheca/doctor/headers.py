"""Headers as they stand: the 1024 bytes of MRC files, and pages and size of TIFF and EER movies."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from tomotheca.formats.mrc.header import DTYPES, HEADER_BYTES, IMOD_STAMP, WORDS

MOST_PAGES = 100_000
"""Pages of a TIFF file that are counted."""

MOST_TAGS = 4096

Read = Callable[[int, int], bytes]
"""Gives up to so many bytes from a place in a file."""


class BrokenHeaderError(Exception):
    """A header cannot be read; the text says why."""


class Words(NamedTuple):
    """The words of an MRC header, by their names in the standard."""

    shape: tuple[int, int, int]
    """nz, ny, nx."""

    mode: int
    start: tuple[int, int, int]
    sampling: tuple[int, int, int]
    """mx, my, mz."""

    cell: tuple[float, float, float]
    """Å along x, y, z."""

    angles: tuple[float, float, float]
    axes: tuple[int, int, int]
    space_group: int
    nsymbt: int
    exttyp: str
    version: int
    origin: tuple[float, float, float]
    map_id: bytes
    stamp: bytes
    labels: int
    texts: tuple[str, ...]
    """All ten labels, without trailing blanks."""

    order: str
    """``<`` or ``>``."""

    imod_flags: int | None
    """Flags beside IMOD's stamp; None without the stamp."""

    @property
    def item(self) -> int | None:
        """Bytes of one voxel; None for a mode that is not read."""
        return int(DTYPES[self.mode][1]) if self.mode in DTYPES else None

    @property
    def size(self) -> int | None:
        """Bytes that the file should have."""
        z, y, x = self.shape
        return None if self.item is None else HEADER_BYTES + self.nsymbt + z * y * x * self.item

    @property
    def spacing(self) -> tuple[float, float, float] | None:
        """Å from voxel to voxel along x, y, z; None where the header does not say."""
        if min(self.sampling) <= 0:
            return None
        x, y, z = (cell / m for cell, m in zip(self.cell, self.sampling, strict=True))
        return x, y, z


def mrc_words(raw: bytes) -> Words:
    """Unpack the header of an MRC file in the byte order in which its mode and axes make sense.

    Raises
    ------
    BrokenHeaderError
        If it is too short, or makes sense in neither.
    """
    if len(raw) < HEADER_BYTES:
        message = f"has {len(raw)} bytes, the header of an MRC file alone has {HEADER_BYTES}"
        raise BrokenHeaderError(message)
    first, second = (">", "<") if raw[212] == 0x11 else ("<", ">")  # noqa: PLR2004 - the stamp of big-endian files
    for order in (first, second):
        words = _unpack(raw, order)
        if 0 <= words.mode <= 101 and all(0 < n < 1 << 24 for n in words.shape):  # noqa: PLR2004 - the highest mode there is
            return words
    message = "is no MRC file: its header makes no sense in either byte order"
    raise BrokenHeaderError(message)


def _unpack(raw: bytes, order: str) -> Words:
    w = struct.unpack(order + WORDS, raw[:HEADER_BYTES])
    stamp, flags = struct.unpack(order + "ii", w[27][40:48])
    labels = w[35].decode("latin-1")
    texts = tuple(labels[80 * i : 80 * i + 80].rstrip(" \0") for i in range(10))
    return Words(
        (w[2], w[1], w[0]), w[3], w[4:7], w[7:10], w[10:13], w[13:16], w[16:19], w[22], w[23],
        w[25].decode("latin-1").rstrip(" \0"), w[26], w[28:31], w[31], w[32], w[34], texts, order,
        int(flags) if stamp == IMOD_STAMP else None,
    )  # fmt: skip


class Movie(NamedTuple):
    """What the header of a movie, or of a gain reference, says."""

    pages: int
    height: int
    width: int
    spacing: tuple[float, float] | None
    """Å per pixel along x, y; None where the file does not say."""

    equal: bool = True
    """Whether all pages have one size."""


def movie_of_mrc(words: Words) -> Movie:
    """Say of an MRC file what movies have."""
    z, y, x = words.shape
    spacing = words.spacing
    return Movie(z, y, x, (spacing[0], spacing[1]) if spacing and min(spacing[:2]) > 0 else None)


def movie_of_tiff(read: Read) -> Movie:
    """Read the directories of a TIFF, BigTIFF or EER file; no pixel is read.

    Source of the format: TIFF 6.0 and https://www.awaresystems.be/imaging/tiff/bigtiff.html.

    Raises
    ------
    BrokenHeaderError
        If it is none, or its directories lead nowhere.
    """
    head = read(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = struct.unpack(f"{order}H", head[2:4])[0] if order and len(head) == 16 else 0  # noqa: PLR2004 - bytes read
    if order is None or version not in {42, 43}:
        message = "is no TIFF file: its first bytes are others"
        raise BrokenHeaderError(message)
    big = version == 43  # noqa: PLR2004 - BigTIFF
    offset = struct.unpack(f"{order}Q", head[8:16])[0] if big else struct.unpack(f"{order}I", head[4:8])[0]
    return _pages(read, order, offset, big=big)


def _pages(read: Read, order: str, offset: int, *, big: bool) -> Movie:
    count, entry, pointer = ("Q", 20, "Q") if big else ("H", 12, "I")
    seen: set[int] = set()
    sizes: set[tuple[int, int]] = set()
    first: tuple[int, int] | None = None
    while offset and len(seen) < MOST_PAGES:
        if offset in seen:
            message = "is a damaged TIFF file: its directories go in a circle"
            raise BrokenHeaderError(message)
        seen.add(offset)
        width = struct.calcsize(f"{order}{count}")
        tags = _number(read(offset, width), order + count)
        if not 0 < tags <= MOST_TAGS:
            message = "is a damaged TIFF file: a directory is missing or makes no sense"
            raise BrokenHeaderError(message)
        raw = read(offset + width, tags * entry + 8)
        size = _size(raw, order, tags, entry)
        first = first or size
        sizes.add(size)
        offset = _number(raw[tags * entry : tags * entry + struct.calcsize(pointer)], order + pointer)
    if first is None or min(first) <= 0:
        message = "is a damaged TIFF file: it has no page with a size"
        raise BrokenHeaderError(message)
    return Movie(len(seen), first[1], first[0], None, len(sizes) == 1)


def _size(raw: bytes, order: str, tags: int, entry: int) -> tuple[int, int]:
    """Find width (tag 256) and height (tag 257) in a directory."""
    found = {256: 0, 257: 0}
    for i in range(tags):
        item = raw[i * entry : (i + 1) * entry]
        if len(item) < entry:
            message = "is a damaged TIFF file: a directory is cut off"
            raise BrokenHeaderError(message)
        tag, kind = struct.unpack(f"{order}HH", item[:4])
        if tag in found:
            value = item[12:20] if entry == 20 else item[8:12]  # noqa: PLR2004 - BigTIFF
            form = {3: "H", 4: "I", 16: "Q"}.get(kind, "I")
            found[tag] = _number(value[: struct.calcsize(form)], order + form)
    return found[256], found[257]


def _number(raw: bytes, form: str) -> int:
    if len(raw) < struct.calcsize(form):
        message = "is a damaged TIFF file: it ends before its directory"
        raise BrokenHeaderError(message)
    return int(struct.unpack(form, raw)[0])
