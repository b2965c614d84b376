"""Write past the page cache where a local file system allows it.

What a conversion writes is not read again soon. Going through the page cache costs a copy, evicts what a server on the
same machine needs, and leaves gigabytes to be synced at the end; measured in ``benchmarks/bench_convert.py``. File systems that do not
say which alignment they need (network file systems, old kernels) are written as usual.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from tomotheca.formats.files import Aside, write_all

if TYPE_CHECKING:
    from pathlib import Path

WORTH_IT = 1 << 20
"""Bytes from which a file is written past the page cache."""

STATX_DIOALIGN = 0x2000
AT_EMPTY_PATH = 0x1000
MEMORY_ALIGN, OFFSET_ALIGN = 152, 156

KEPT = 128 << 20
"""Bytes of memory that wait to be lent again."""

MOST = 2
"""How many times as much memory as is wanted may be lent."""

_kept: deque[memoryview] = deque()
_keeping = threading.Lock()


def alignment(descriptor: int) -> int:
    """Give the bytes to which offsets, lengths and memory must be aligned; 0 where direct writes are not offered."""
    statx = getattr(ctypes.CDLL(None), "statx", None)
    if statx is None or not hasattr(os, "O_DIRECT"):
        return 0
    answer = ctypes.create_string_buffer(256)
    if statx(descriptor, b"", AT_EMPTY_PATH, STATX_DIOALIGN, answer):
        return 0
    memory = int.from_bytes(answer.raw[MEMORY_ALIGN : MEMORY_ALIGN + 4], "little")
    offset = int.from_bytes(answer.raw[OFFSET_ALIGN : OFFSET_ALIGN + 4], "little")
    return max(memory, offset) if memory and offset and max(memory, offset) <= mmap.PAGESIZE else 0


def buffer(nbytes: int) -> memoryview:
    """Give zeroed memory that is aligned for direct reads and writes, a whole number of pages long."""
    return memoryview(mmap.mmap(-1, max(1, -(-nbytes // mmap.PAGESIZE)) * mmap.PAGESIZE))


@contextmanager
def lent(nbytes: int) -> Iterator[memoryview]:
    """Lend at least ``nbytes`` of aligned memory, with anything in it.

    What comes back is lent again: a twentieth of the time of an ingest was the system's, to hand out and clear new pages.
    """
    memory = _kept_for(nbytes) or buffer(nbytes)
    try:
        yield memory
    finally:
        with _keeping:
            _kept.append(memory)
            while sum(map(len, _kept)) > KEPT:
                _kept.popleft()


def _kept_for(nbytes: int) -> memoryview | None:
    """Take memory that came back; not much more than is wanted."""
    with _keeping:
        fits = [memory for memory in _kept if nbytes <= len(memory) <= MOST * nbytes]
        chosen = min(fits, key=len, default=None)
        if chosen is not None:
            del _kept[next(place for place, memory in enumerate(_kept) if memory is chosen)]
        return chosen


def reopen(path: Path, flags: int) -> int:
    """Open a file that exists for direct access; -1 where that is not offered."""
    try:
        return os.open(path, flags | os.O_DIRECT | os.O_CLOEXEC)
    except OSError:
        return -1


def write_whole(path: Path, descriptor: int, data: memoryview, *, aside: Aside = nullcontext) -> None:
    """Write all of a new, empty file that is open as ``descriptor``: directly when it is large enough to be worth it.

    ``aside`` is entered while the data is on its way to the disk.
    """
    unit = alignment(descriptor) if len(data) >= WORTH_IT else 0
    direct = reopen(path, os.O_WRONLY) if unit else -1
    if direct < 0:
        write_all(descriptor, data, 0)
        return
    try:
        padded = -(-len(data) // unit) * unit
        with lent(padded) as memory:
            memory[: len(data)] = data
            with aside():
                _write(direct, descriptor, memory[:padded], 0)
                os.ftruncate(direct, len(data))
    finally:
        os.close(direct)


def address(data: memoryview) -> int:
    """Say where in memory a writable or read-only buffer begins."""
    return int(ctypes.addressof(ctypes.c_char.from_buffer(data))) if not data.readonly and len(data) else 1


def write_aligned(direct: int, plain: int, data: memoryview, offset: int, *, unit: int) -> None:
    """Write at an aligned offset to a file open for direct access, and as usual; from an aligned copy if the memory is not."""
    if not address(data) % unit:
        _write(direct, plain, data, offset)
        return
    with lent(len(data)) as memory:
        memory[: len(data)] = data
        _write(direct, plain, memory[: len(data)], offset)


def _write(direct: int, plain: int, data: memoryview, offset: int) -> None:
    """Write directly; what the kernel does not take that way, such as what is beyond a limit, goes the usual one, which says what is wrong."""
    try:
        done = os.pwrite(direct, data, offset)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        done = 0
    write_all(plain, data[done:], offset + done)
