"""Where a request that asks the catalogue is worked on: at once, or in a thread; see docs/design/004-requests.md."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

QUICK = 0.002
"""Seconds of work for which a change of thread does not pay, and for which other requests may wait."""

SLOW = 0.05
"""Seconds of work from which on a request waits with its like, not with requests that nothing is known of."""

LONG = 0.2
"""The same for handlers that do much in one answer."""

WAITING = 4
"""Seconds of waiting, for the interpreter or for a database server, that count as one of work."""

CROWD = 10
"""Requests of one process that may wait before it asks clients to connect anew, perhaps to another process."""

FORGETS = 0.8
"""Share of an old figure in the new one, when it was the larger."""


@dataclass(slots=True)
class Pace:
    """How long the runs of one plan keep a processor busy: the longest of late. Time that a thread waits for its turn does not count."""

    seconds: float | None = None
    limit: float = SLOW
    """Seconds from which on it is slow."""

    def note(self, seconds: float) -> None:
        """Take the time of one run."""
        before = self.seconds or 0.0
        self.seconds = seconds if seconds >= before else FORGETS * before + (1 - FORGETS) * seconds

    @property
    def quick(self) -> bool:
        """Known to take next to no time."""
        return self.seconds is not None and self.seconds < QUICK

    @property
    def slow(self) -> bool:
        """Known to take long."""
        return self.seconds is not None and self.seconds >= self.limit


NEW = Pace()
"""That of requests of which nothing is known."""


class Lanes:
    """Threads for requests.

    Parameters
    ----------
    name : str
        What they are called.
    near : bool
        The database works on this machine, in the threads themselves or in processes beside them. Then they are few, because more would only
        fight for the interpreter; threads that wait for another machine do not.
    alone : bool
        The threads do most of the work themselves, and much of it for each request: one after the other, none takes longer than it must.
    """

    def __init__(self, name: str, *, near: bool, alone: bool = False) -> None:
        few, many = (1, 2) if alone else (2, 4) if near else (8, 8)
        self._common, self._slow = ThreadPoolExecutor(few, name), ThreadPoolExecutor(many, f"{name}-slow")
        self._waiting = 0

    @property
    def crowded(self) -> bool:
        """So many wait that who comes next does better to try another process."""
        return self._waiting > CROWD

    async def run(self, pace: Pace, work: Callable[[], T]) -> T:
        """Do some work in a thread."""
        pool = self._slow if pace.slow else self._common
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, work)
        finally:
            self._waiting -= 1

    def taking(self, work: Callable[[R], T]) -> Callable[[R], Awaitable[T]]:
        """Give a handler of requests that has its work done in these threads; whether it is slow is known by what it took of late."""
        pace = Pace(limit=LONG)

        def timed(request: R) -> T:
            busy, began = time.thread_time(), time.monotonic()
            try:
                return work(request)
            finally:
                pace.note(max(time.thread_time() - busy, (time.monotonic() - began) / WAITING))

        async def handle(request: R) -> T:
            return await self.run(pace, partial(timed, request))

        return handle
