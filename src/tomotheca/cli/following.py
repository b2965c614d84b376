"""Show how far an ingest is: a bar on a terminal, now and then a line elsewhere, events as JSON lines for scripts."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

from tomotheca.cli.output import SECONDS, Bar, note, size
from tomotheca.ingest.progress import Meter, Snapshot

SLOW = 1.0
"""Seconds from which on a step is worth naming as the slowest."""

EVERY = 1.0
"""Seconds between two events that only say how far it is."""


class OnBar(Meter):
    """On a bar, which has the rate and the time that is left."""

    def __init__(self, bar: Bar) -> None:
        super().__init__()
        self.bar = bar

    def start(self, steps: int, size: int) -> None:
        """Begin; a second ingest goes on with the same bar."""
        super().start(steps, size)
        if steps:
            self.bar.total(max(1, size))

    def step(self, name: str, since: float) -> None:
        """Name the step."""
        super().step(name, since)
        self._say()

    def advance(self, size: int) -> None:
        """So many more bytes were read."""
        super().advance(size)
        self.bar.advance(size)

    def done(self, name: str, size: int, seconds: float) -> None:
        """Count a step that has ended."""
        super().done(name, size, seconds)
        self._say()

    def finish(self) -> None:
        """Leave a line about the slowest step."""
        now = self.snapshot()
        if now.slowest_seconds >= SLOW and now.done > 1:
            self.bar.note(f"the slowest of {now.done} steps took {spoken(now.slowest_seconds)}: {now.slowest}")

    def _say(self) -> None:
        now = self.snapshot()
        slow = f" ({spoken(now.step_seconds)})" if now.step_seconds >= SLOW else ""
        self.bar.say(f"{now.done}/{now.steps} {now.step[:48]}{slow}")


class Regularly(Meter):
    """Says how far it is whenever so many seconds have passed since it last did.

    Parameters
    ----------
    say
        Called with how far it is.
    every
        Seconds.
    waits
        Whether so much time passes before the first word.
    """

    def __init__(self, say: Callable[[Snapshot], None], *, every: float, waits: bool) -> None:
        super().__init__()
        self._say, self._every = say, every
        self._said = time.monotonic() if waits else -math.inf

    def step(self, name: str, since: float) -> None:
        """Name the step."""
        super().step(name, since)
        self._look()

    def advance(self, size: int) -> None:
        """So many more bytes were read."""
        super().advance(size)
        self._look()

    def _look(self) -> None:
        if time.monotonic() > self._said + self._every:
            self._said = time.monotonic()
            self._say(self.snapshot())


class OnLines(Regularly):
    """On a line every few seconds."""

    def __init__(self, title: str) -> None:
        super().__init__(lambda now: note(f"{title}: {line(now)}"), every=SECONDS, waits=True)
        self.title = title

    def finish(self) -> None:
        """Leave a line about the slowest step."""
        now = self.snapshot()
        if now.slowest_seconds >= SLOW and now.done > 1:
            note(f"{self.title}: the slowest of {now.done} steps took {spoken(now.slowest_seconds)}: {now.slowest}")


class OnEvents(Regularly):
    """On the error stream, one JSON object a line: ``start``, ``step`` when one has ended, ``progress`` each second, ``finish``."""

    def __init__(self, title: str) -> None:
        super().__init__(lambda now: self._emit("progress", now.plain()), every=EVERY, waits=False)
        self.title = title

    def start(self, steps: int, size: int) -> None:
        """Begin."""
        super().start(steps, size)
        self._emit("start", {"steps": steps, "total": size})

    def done(self, name: str, size: int, seconds: float) -> None:
        """Count a step that has ended."""
        super().done(name, size, seconds)
        self._emit("step", {"step": name, "bytes": size, "seconds": round(seconds, 3)})

    def finish(self) -> None:
        """End."""
        self._emit("finish", self.snapshot().plain())

    def _emit(self, event: str, said: dict[str, Any]) -> None:
        words = {"event": event, "configuration": self.title, **said}
        print(json.dumps(words, ensure_ascii=False), file=sys.stderr, flush=True)


def line(now: Snapshot) -> str:
    """Say in a line how far an ingest is."""
    part = f"{min(100, 100 * now.bytes / now.total):.0f} %, " if now.total else ""
    left = f", {spoken(now.left)} left" if now.left is not None and now.total else ""
    at = f"; at {now.step} for {spoken(now.step_seconds)}" if now.step else ""
    words = f"{part}{now.done} of {now.steps} steps, {size(now.bytes)} of {size(now.total)}, {size(now.rate)}/s"
    return f"{words}{left}{at}"


def spoken(seconds: float) -> str:
    """Write a time for people."""
    if seconds < 60:  # noqa: PLR2004  # seconds of a minute
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
