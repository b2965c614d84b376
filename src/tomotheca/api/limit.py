"""A share of requests for each client."""

from __future__ import annotations

import time
from typing import Any

MOST_CLIENTS = 10_000


class RateLimit:
    """Counts requests per client and minute; each server process counts by itself.

    Parameters
    ----------
    per_minute : int
        Requests that a client may make in a minute; 0 is no limit.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._minute = 0
        self._counts: dict[str, int] = {}

    def wait(self, client: Any) -> int:
        """Count a request; give the seconds to wait, 0 when it may pass."""
        if not self.per_minute:
            return 0
        now = time.time()
        if int(now // 60) != self._minute or len(self._counts) > MOST_CLIENTS:
            self._minute, self._counts = int(now // 60), {}
        name = str(client[0]) if client else ""
        self._counts[name] = self._counts.get(name, 0) + 1
        return int(60 - now % 60) + 1 if self._counts[name] > self.per_minute else 0
