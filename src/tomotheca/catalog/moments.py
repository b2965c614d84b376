"""Variance and standard deviation of a sample, as aggregates of SQLite; PostgreSQL has its own."""

from __future__ import annotations

import math


class Variance:
    """Sample variance by Welford's recurrence (Technometrics 4 (1962) 419), which does not cancel."""

    def __init__(self) -> None:
        self.count, self.mean, self.total = 0, 0.0, 0.0

    def step(self, value: float | None) -> None:
        """Take one value; nulls do not count."""
        if value is None:
            return
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self.total += before * (value - self.mean)

    def finalize(self) -> float | None:
        """Give the variance; none of fewer than two values."""
        return self.total / (self.count - 1) if self.count > 1 else None


class Deviation(Variance):
    """Sample standard deviation."""

    def finalize(self) -> float | None:
        """Give the deviation; none of fewer than two values."""
        variance = super().finalize()
        return None if variance is None else math.sqrt(variance)


AGGREGATES = {"var_samp": Variance, "stddev_samp": Deviation}
"""The aggregates by their name in PostgreSQL."""
