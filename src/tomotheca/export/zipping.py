"""The bytes around the files of a ZIP archive that is made while it is sent.

Source: APPNOTE.TXT 6.3.10 of PKWARE. Files are stored, not compressed: volumes hardly shrink, and so the length of the archive and the
place of every byte in it are known before the first file is read. The CRC-32 of a file stands behind its bytes, in a data descriptor
(section 4.3.9). Sizes and offsets take 64 bits (section 4.5.3) where 32 are too few.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from itertools import accumulate

LIMIT = 0xFFFFFFFF
MANY = 0xFFFF
FLAGS = 1 << 3 | 1 << 11
"""A data descriptor follows; names are UTF-8."""

VERSION, VERSION_64 = 20, 45
UNIX = 3 << 8
REGULAR = 0o100644 << 16
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
LATEST = datetime(2107, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the archive."""

    path: str
    size: int
    tag: str
    """Digest, or whatever changes when the bytes do."""

    mtime: float = 0.0

    @property
    def name(self) -> bytes:
        """Path as it is written."""
        return self.path.encode()

    @property
    def is_large(self) -> bool:
        """Whether its size needs 64 bits."""
        return self.size >= LIMIT

    def moment(self) -> tuple[int, int]:
        """Give time and date as MS-DOS has them, in UTC."""
        at = min(max(datetime.fromtimestamp(self.mtime, UTC), EARLIEST), LATEST)
        return at.hour << 11 | at.minute << 5 | at.second // 2, (at.year - 1980) << 9 | at.month << 5 | at.day


@dataclass(frozen=True)
class Plan:
    """An archive that is not made yet: where each byte will stand."""

    members: Sequence[Member]

    @cached_property
    def starts(self) -> list[int]:
        """Offset of the local header of each member, and of the central directory last."""
        return list(accumulate((_before(m) + m.size + _behind(m) for m in self.members), initial=0))

    @cached_property
    def size(self) -> int:
        """Length of the archive."""
        directory = sum(len(central(m, 0, at)) for m, at in zip(self.members, self.starts, strict=False))
        return self.starts[-1] + directory + len(self.end(directory))

    @cached_property
    def tag(self) -> str:
        """Digest of everything that the bytes depend on."""
        digest = sha256()
        for m in self.members:
            digest.update(f"{m.path}\0{m.size}\0{m.tag}\0{m.mtime}\n".encode())
        return digest.hexdigest()

    def at(self, offset: int) -> int:
        """Give the number of the member in which a byte stands; that of the directory is the number of members."""
        return bisect_right(self.starts, offset) - 1

    def end(self, directory: int) -> bytes:
        """Write what closes the archive, behind a central directory of so many bytes."""
        count, start = len(self.members), self.starts[-1]
        made = b""
        if count >= MANY or start >= LIMIT or directory >= LIMIT:
            made = struct.pack(
                "<4sQHHIIQQQQ", b"PK\x06\x06", 44, UNIX | VERSION_64, VERSION_64, 0, 0, count, count, directory, start
            )
            made += struct.pack("<4sIQI", b"PK\x06\x07", 0, start + directory, 1)
        few, small, near = min(count, MANY), min(directory, LIMIT), min(start, LIMIT)
        return made + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, few, few, small, near, 0)

    def directory(self, sums: Sequence[int]) -> Iterator[bytes]:
        """Write the central directory and what closes the archive, given the CRC-32 of each member."""
        length = 0
        for member, crc, start in zip(self.members, sums, self.starts, strict=False):
            entry = central(member, crc, start)
            length += len(entry)
            yield entry
        yield self.end(length)


def local(member: Member) -> bytes:
    """Write what stands before the bytes of a file."""
    time, date = member.moment()
    extra = struct.pack("<HHQQ", 1, 16, 0, 0) if member.is_large else b""
    size, version = (LIMIT, VERSION_64) if member.is_large else (0, VERSION)
    head = struct.pack(
        "<4sHHHHHIIIHH",
        b"PK\x03\x04",
        version,
        FLAGS,
        0,
        time,
        date,
        0,
        size,
        size,
        len(member.name),
        len(extra),
    )
    return head + member.name + extra


def descriptor(member: Member, crc: int) -> bytes:
    """Write what stands behind the bytes of a file."""
    return struct.pack("<4sIQQ" if member.is_large else "<4sIII", b"PK\x07\x08", crc, member.size, member.size)


def central(member: Member, crc: int, start: int) -> bytes:
    """Write the entry of a file in the central directory."""
    time, date = member.moment()
    wide = [member.size, member.size] if member.is_large else []
    wide += [start] if start >= LIMIT else []
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    size, version = min(member.size, LIMIT), VERSION_64 if wide else VERSION
    head = struct.pack(
        "<4sHHHHHHIIIHHHHHII",
        b"PK\x01\x02",
        UNIX | version,
        version,
        FLAGS,
        0,
        time,
        date,
        crc,
        size,
        size,
        len(member.name),
        len(extra),
        0,
        0,
        0,
        REGULAR,
        min(start, LIMIT),
    )
    return head + member.name + extra


def _before(member: Member) -> int:
    return 30 + len(member.name) + (20 if member.is_large else 0)


def _behind(member: Member) -> int:
    return 24 if member.is_large else 16
