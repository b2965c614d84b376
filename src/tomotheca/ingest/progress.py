"""How far an ingest is: what is done, how fast, how long it takes yet, and which step takes longest."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol


class Progress(Protocol):
    """Somebody who wants to know how far an ingest is."""

    def start(self, steps: int, size: int) -> None:
        """Begin: so many steps that read so many bytes."""

    def step(self, name: str, since: float) -> None:
        """Name the step that is being done, the one that has taken longest where there are several.

        ``since`` is when it began, a `time.monotonic`.
        """

    def advance(self, size: int) -> None:
        """So many more bytes were read."""

    def done(self, name: str, size: int, seconds: float) -> None:
        """Hear of a step that has ended: its name, the bytes that it read, and how long it took."""

    def finish(self) -> None:
        """End, also after an error."""


class Silent:
    """Nobody wants to know."""

    def start(self, steps: int, size: int) -> None:
        """Do nothing."""

    def step(self, name: str, since: float) -> None:
        """Do nothing."""

    def advance(self, size: int) -> None:
        """Do nothing."""

    def done(self, name: str, size: int, seconds: float) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class Counted:
    """Passes bytes on, never more than a step has, and brings it to its full size in the end."""

    progress: Progress
    left: int

    def __call__(self, size: int) -> None:
        """So many more bytes were read."""
        size = min(size, self.left)
        self.left -= size
        if size > 0:
            self.progress.advance(size)

    def complete(self) -> None:
        """Bring the step to its full size."""
        self(self.left)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far an ingest is at one moment."""

    done: int
    """Steps that have ended."""

    steps: int
    bytes: int
    """That were read."""

    total: int
    rate: float
    """Bytes a second since the beginning."""

    left: float | None
    """Seconds that it will take yet at that rate; None while nothing was read."""

    step: str
    """What is being done; of several the one that has taken longest."""

    step_seconds: float
    slowest: str
    """The step that took longest of those that have ended; empty while none has."""

    slowest_seconds: float

    def plain(self) -> dict[str, Any]:
        """Give it as plain data, rounded."""
        return {
            name: round(value, 2) if isinstance(value, float) else value
            for name in self.__slots__
            for value in [getattr(self, name)]
        }


class Meter:
    """Keeps count of an ingest; what shows it asks for a snapshot."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self._steps = self._total = self._bytes = self._done = 0
        self._step, self._since = "", self.began
        self._slowest, self._slowest_seconds = "", 0.0

    def start(self, steps: int, size: int) -> None:
        """Begin: so many steps that read so many bytes."""
        self.began = time.monotonic()
        self._steps, self._total = steps, size

    def step(self, name: str, since: float) -> None:
        """Name the step that is being done."""
        self._step, self._since = name, since

    def advance(self, size: int) -> None:
        """So many more bytes were read."""
        self._bytes += size

    def done(self, name: str, size: int, seconds: float) -> None:
        """Count a step that has ended."""
        del size
        self._done += 1
        if seconds > self._slowest_seconds:
            self._slowest, self._slowest_seconds = name, seconds

    def finish(self) -> None:
        """Do nothing: a snapshot can be taken afterwards too."""

    def snapshot(self) -> Snapshot:
        """Say how far it is."""
        now = time.monotonic()
        passed = max(now - self.began, 1e-9)
        rate = self._bytes / passed
        left = max(0, self._total - self._bytes) / rate if self._bytes else None
        return Snapshot(
            self._done, self._steps, self._bytes, self._total, rate, left, self._step, now - self._since,
            self._slowest, self._slowest_seconds,
        )  # fmt: skip
