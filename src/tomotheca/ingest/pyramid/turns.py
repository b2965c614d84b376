"""How many threads of a conversion compute at once, however many there are: one that waits for the disk lets another go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")


class Turns:
    """Gives so many threads at a time leave to compute.

    Parameters
    ----------
    count
        Threads; None leaves it to the machine.
    """

    def __init__(self, count: int | None) -> None:
        self._free = threading.Semaphore(count) if count else None

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Wait for a turn, and keep it until the block ends."""
        if self._free is None:
            yield
            return
        with self._free:
            yield

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Give this thread's turn away until the block ends."""
        if self._free is None:
            yield
            return
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Call a function in a turn."""
        with self.computing():
            return function(*arguments)
