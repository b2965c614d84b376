"""Members of array directories: lists of a million lines ``path size sha256``, sorted by path, read by bisection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tomotheca.errors import ConflictError, Finding, InvalidDocumentError
from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.store.files import Files, Stat
    from tomotheca.store.manifest import Entry

HASH_BLOCK = 8 << 20
BLOCK = 1 << 16
"""Bytes read at once from a list, and how near the bisection goes."""

PROBE = 1 << 10

UNHASHED = "mtime:"
"""Stands in a list before the time of a member's last change in nanoseconds, where the list has no digest of it."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an array directory."""

    path: str
    """Path inside the directory."""

    size: int
    """Bytes."""

    sha256: str


class Readable(Protocol):
    """The part of `store.files.Files` that reads lists."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Read up to `length` bytes from `start`."""

    def stat(self, key: str) -> Stat:
        """Look at a file."""


@dataclass(frozen=True, slots=True)
class Total:
    """All members of a directory together."""

    count: int
    size: int
    sha256: str
    """Digest of the sorted list."""


def digest(files: Files, key: str) -> tuple[int, str]:
    """Give size and sha256 of a file."""
    state, size = hashlib.sha256(), 0
    while block := files.read_range(key, size, HASH_BLOCK):
        state.update(block)
        size += len(block)
        if len(block) < HASH_BLOCK:
            break
    return size, state.hexdigest()


def walk_members(files: Files, key: str) -> Iterator[Member]:
    """Read every file of an array directory, in byte order."""
    for found in files.walk(key):
        size, sha256 = digest(files, found)
        yield Member(found.removeprefix(key), size, sha256)


def line(member: Member) -> bytes:
    """Give the line of a member."""
    return f"{member.path} {member.size} {member.sha256}\n".encode()


def digest_or_time(member: Member) -> tuple[str | None, float | None]:
    """Give the digest of a member, or the time of its last change in seconds where it is served in place and nobody has hashed it."""
    if not member.sha256.startswith(UNHASHED):
        return member.sha256, None
    return None, int(member.sha256.removeprefix(UNHASHED)) / 1e9


def tree_digest(members: Iterable[Member]) -> str:
    """Give the digest of an array directory: the sha256 of its sorted lines ``path size sha256``."""
    state = hashlib.sha256()
    for member in sorted(members, key=lambda m: m.path):
        state.update(line(member))
    return state.hexdigest()


def write_members(files: Files, listing: str, members: Iterable[Member]) -> Total:
    """Write a list of members and add it up.

    Raises
    ------
    ConflictError
        If the members are not in byte order of their paths, or one comes twice.
    """
    state, size, count, last = hashlib.sha256(), 0, 0, ""
    with files.writer(listing) as out:
        for member in members:
            if count and member.path <= last:
                message = f"{listing}: {member.path!r} comes after {last!r}: members must be in byte order, each once"
                raise ConflictError(message)
            data = line(member)
            state.update(data)
            out.write(data)
            size, count, last = size + member.size, count + 1, member.path
    return Total(count, size, state.hexdigest())


def find_member(files: Readable, entry: Entry | str, path: str, *, listing: str = "") -> Member | None:
    """Find one member of an array directory by its path, reading about twenty small pieces of the list."""
    found = next(list_members(files, entry, start=path, listing=listing), None)
    return found if found and found.path == path else None


def list_members(
    files: Readable, entry: Entry | str, *, after: str = "", start: str = "", listing: str = ""
) -> Iterator[Member]:
    """Give the members of an array directory in byte order, from the first path that is behind `after` and not before `start`.

    Parameters
    ----------
    files : Readable
        The archive.
    entry : Entry or str
        The array directory, or its key.
    after : str
        Leave out this path and all before it.
    start : str
        Leave out all paths before this one.
    listing : str
        Key of the list, where it is not that of the archive's layout.

    Raises
    ------
    InvalidDocumentError
        If a line of the list cannot be read.
    """
    listing = listing or layout.members_key(entry if isinstance(entry, str) else entry.key)
    size = files.stat(listing).size
    offset = _bisect(files, listing, size, max(after, start))
    for member in _members(files, listing, offset):
        if member.path >= start and (member.path > after or not after):
            yield member


def _bisect(files: Readable, listing: str, size: int, path: str) -> int:
    """Find the start of a line such that all lines before it have smaller paths, and the wanted one is at most a block away."""
    low, high = 0, size
    while path and high - low > BLOCK:
        middle = (low + high) // 2
        begin, found = _line_after(files, listing, middle)
        if found is None or begin >= high:
            break
        if found.path < path:
            low = begin
        else:
            high = begin
    return low


def _line_after(files: Readable, listing: str, offset: int) -> tuple[int, Member | None]:
    """Read the first whole line that begins behind an offset."""
    length = PROBE
    while True:
        data = files.read_range(listing, offset, length)
        _, first, behind = data.partition(b"\n")
        text, second, _ = behind.partition(b"\n")
        if first and second:
            return offset + len(data) - len(behind), _parse(text, listing)
        if len(data) < length:
            return offset, None
        length *= 4


def _members(files: Readable, listing: str, offset: int) -> Iterator[Member]:
    rest = b""
    while data := files.read_range(listing, offset, BLOCK):
        offset += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for text in lines:
            yield _parse(text, listing)
    if rest:
        yield _parse(rest, listing)


def _parse(text: bytes, listing: str) -> Member:
    try:
        path, size, sha256 = text.decode().rsplit(" ", 2)
        return Member(path, int(size), sha256)
    except ValueError as error:
        finding = Finding(
            "error", listing, f"{text!r} is not a line `path size sha256`: run the ingest again to write the list anew"
        )
        raise InvalidDocumentError([finding]) from error
