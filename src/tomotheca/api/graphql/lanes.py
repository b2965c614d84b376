"""Where a request is worked on: at once, or in a thread; see docs/design/004-requests.md."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

QUICK = 0.002
"""Seconds of work for which a change of thread does not pay, and for which other requests may wait."""

SLOW = 0.05
"""Seconds of work from which on a request waits with its like, not with requests that nothing is known of."""

FORGETS = 0.8
"""Share of an old figure in the new one, when it was the larger."""


@dataclass(slots=True)
class Pace:
    """How long the runs of one plan keep a processor busy: the longest of late. Time that a thread waits for its turn does not count."""

    seconds: float | None = None

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
        return self.seconds is not None and self.seconds >= SLOW


NEW = Pace()
"""That of requests of which nothing is known."""


@dataclass(frozen=True)
class Lanes:
    """Threads for requests: a few, because more would only fight for the interpreter."""

    common: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "graphql"))
    slow: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, "graphql-slow"))

    async def run(self, pace: Pace, work: Callable[[], T]) -> T:
        """Do some work in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.slow if pace.slow else self.common, work)
