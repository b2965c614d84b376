"""How long a transaction may still work."""

from __future__ import annotations

from time import monotonic

STEPS = 20_000
"""Steps of SQLite's machine between two looks at the clock: well under a millisecond."""

NEVER = float("inf")


class Clock:
    """Counts the time that the database works, not the time that somebody reads what it found.

    Parameters
    ----------
    seconds : float
        Time for all statements of a transaction together; 0 is no limit.
    """

    __slots__ = ("_usual", "deadline", "left", "seconds")

    def __init__(self, seconds: float) -> None:
        self._usual = seconds or NEVER
        self.wind()

    def wind(self, shorter: float | None = None) -> None:
        """Give a new transaction its time."""
        self.seconds = self.left = min(self._usual, shorter or NEVER)
        self.deadline = NEVER

    @property
    def is_shortened(self) -> bool:
        """Whether this transaction has less time than others."""
        return self.seconds < self._usual

    def start(self) -> None:
        """Begin to count."""
        self.deadline = monotonic() + self.left

    def stop(self) -> None:
        """Stop counting until the next start."""
        self.left, self.deadline = self.deadline - monotonic(), NEVER

    def is_over(self) -> bool:
        """Say whether the time is up."""
        return monotonic() > self.deadline
