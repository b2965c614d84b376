"""How often things are downloaded: counted here, told to nobody else, without a trace of who it was."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tomotheca.errors import StorageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tomotheca.desk import Desk

EVERY = 5.0
"""Seconds between two notes at the desk."""

WHOLE, PART = 200, 206
Item = tuple[str, int, str]
"""Kind, number and day."""


@dataclass
class Counts:
    """Counts of this process that are not at the desk yet."""

    desk: Desk
    times: Counter[Item] = field(default_factory=Counter)
    sizes: Counter[Item] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    noted: float = 0.0

    def note(self, kind: str, number: int, size: int, *, whole: bool) -> None:
        """Count one answer: a download that is continued counts once, its bytes as they are sent."""
        item = (kind, number, datetime.now(UTC).strftime("%Y-%m-%d"))
        with self.lock:
            self.times[item] += whole
            self.sizes[item] += size
            due = time.monotonic() - self.noted >= EVERY
        if due:
            self.flush()

    def flush(self) -> None:
        """Write what was counted to the desk; what it refuses is kept for the next time."""
        with self.lock:
            times, sizes = self.times, self.sizes
            self.times, self.sizes, self.noted = Counter(), Counter(), time.monotonic()
        try:
            if sizes:
                self.desk.downloads.add((*item, times[item], size) for item, size in sizes.items())
        except StorageError:
            with self.lock:
                self.times.update(times)
                self.sizes.update(sizes)


@dataclass(frozen=True)
class Counted:
    """An answer that is counted when it begins to be sent."""

    answer: ASGIApp
    counts: Counts
    kind: str
    id: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        size, whole = 0, False

        async def counting(message: Message) -> None:
            nonlocal size, whole
            if message["type"] == "http.response.start":
                whole = message["status"] == WHOLE and scope["method"] == "GET"
                if message["status"] in {WHOLE, PART} and scope["method"] == "GET":
                    size = _length(message)
            await send(message)

        try:
            await self.answer(scope, receive, counting)
        finally:
            if size:
                with suppress(StorageError):
                    self.counts.note(self.kind, self.id, size, whole=whole)


def _length(message: Message) -> int:
    return next((int(value) for name, value in message["headers"] if name == b"content-length"), 0)
