"""Bytes of files that a viewer may have, for what is made of them: in parts, in a thread, wherever the archive lies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tomotheca.catalog.files import entry_row
from tomotheca.errors import StorageError
from tomotheca.store import disk
from tomotheca.store.sources import in_place, unreadable

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.catalog.files import FileRow
    from tomotheca.store.files import Files

AT_ONCE = 4 << 20


def read_part(files: Files, file: FileRow, start: int, stop: int) -> bytes:
    """Give the bytes of a file from `start` to `stop`, all of them.

    Raises
    ------
    StorageError
        If they are not there.
    """
    if file.source is None:
        data = files.read_range(file.key, start, stop - start)
    elif "://" in file.source:
        message = f"{file.key}: its bytes are not on this server; ask its operator"
        raise StorageError(message)
    else:
        with in_place(file.key, file.source).opened() as descriptor:
            data = disk.read(descriptor, start, stop - start)
    if len(data) < stop - start:
        raise unreadable(file.key)
    return data


def read_lines(files: Files, row: Row) -> Iterator[list[bytes]]:
    """Give the lines of a text file, many at a time, so that a file of any size fits in memory."""
    file, rest = entry_row(row), b""
    for start in range(0, file.size, AT_ONCE):
        block = rest + read_part(files, file, start, min(start + AT_ONCE, file.size))
        *lines, rest = block.split(b"\n")
        yield lines
    if rest.strip():
        yield [rest]
