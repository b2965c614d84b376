"""Copy voxels that another file holds byte for byte: read once, a piece at a time, hashed and written side by side."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from tomotheca.formats import direct
from tomotheca.formats.files import Aside, Digest, fill, read_all

PIECE = 4 << 20
"""Bytes read at a time."""

AHEAD = 4
"""Pieces in memory: while one is read, others are hashed and written."""

Put = Callable[[memoryview, int, int], None]
"""Takes memory, how many bytes of it count, and their place among the voxels."""


@dataclass(frozen=True, slots=True)
class Twin:
    """An open file whose bytes from ``offset`` to its end are the voxels of another."""

    descriptor: int
    offset: int


def copy(twin: Twin, digest: Digest, put: Put, *, computing: Aside, waiting: Aside) -> str:
    """Hand all voxels on, in their order.

    The thread that calls this has a turn to compute: it is given away by ``waiting``, and the threads that hash take one by ``computing``.

    Parameters
    ----------
    digest
        Gets the voxels.
    put
        Writes them, from a thread that has no turn.

    Returns
    -------
    str
        The sha256 of the whole twin.
    """
    head = memoryview(bytearray(twin.offset))
    whole = hashlib.sha256(head[: read_all(twin.descriptor, head, 0)])

    def add(to: Digest, piece: memoryview) -> None:
        with computing():
            to.update(piece)

    at = 0
    with waiting(), ExitStack() as stack:
        free: deque[tuple[memoryview, Sequence[Future[None]]]] = deque(
            (stack.enter_context(direct.lent(PIECE)), ()) for _ in range(AHEAD)
        )
        lanes = [stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="mrc")) for _ in range(3)]
        with computing():
            while True:
                memory, users = free.popleft()
                with waiting():
                    _finish(users)
                got = fill(twin.descriptor, memory[:PIECE], twin.offset + at, waiting)
                if not got:
                    break
                piece, (own, other, disk) = memory[:got], lanes
                jobs = (
                    own.submit(add, digest, piece),
                    other.submit(add, whole, piece),
                    disk.submit(put, memory, got, at),
                )
                free.append((memory, jobs))
                at += got
        for _, users in free:
            _finish(users)
    return whole.hexdigest()


def _finish(users: Sequence[Future[None]]) -> None:
    """Wait for what uses a piece; an error of it is raised."""
    for one in users:
        one.result()
