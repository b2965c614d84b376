"""Guesses: a value, how sure it is, and why. What no file says is a TODO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Confidence = Literal["sure", "likely", "unsure"]
"""A file says it; it follows from what files say; it is the usual thing."""

WORD = "TODO"
"""Stands where a value is still to be given."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A value that was found or inferred."""

    value: Any
    confidence: Confidence
    reason: str


@dataclass(frozen=True, slots=True)
class Todo:
    """A value that no file says."""

    words: str
    """What is to be given."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A block that stands elsewhere under a name; the first time it is written out there."""

    name: str
    block: Any


Node = Any
"""What a configuration is made of: mappings, lists, plain values, `Guess`, `Todo`, `Alias`."""


def sure(value: Any, reason: str) -> Guess:
    """Give what a file says."""
    return Guess(value, "sure", reason)


def likely(value: Any, reason: str) -> Guess:
    """Give what follows from what files say."""
    return Guess(value, "likely", reason)


def unsure(value: Any, reason: str) -> Guess:
    """Give what is usual."""
    return Guess(value, "unsure", reason)


def agreed(guesses: Mapping[str, Guess | None]) -> Guess | None:
    """Make one guess of those of several runs that say the same, or say nothing; None if none says anything.

    Raises
    ------
    ValueError
        If two runs say different things.
    """
    known = {run: guess for run, guess in guesses.items() if guess is not None}
    if not known:
        return None
    values = Counter(repr(guess.value) for guess in known.values())
    if len(values) > 1:
        message = "the runs differ"
        raise ValueError(message)
    (run, first), silent = next(iter(known.items())), sorted(set(guesses) - set(known))
    if silent:
        return Guess(first.value, "unsure", f"{first.reason}; {listed(silent)} says nothing of its own")
    if len(guesses) > 1:
        return Guess(first.value, first.confidence, f"{first.reason}; the same in all {len(guesses)} runs")
    del run
    return first


def listed(names: Iterable[str], most: int = 3) -> str:
    """Write some of the names, and how many more there are."""
    found: Sequence[str] = tuple(names)
    shown = ", ".join(found[:most])
    return f"{shown} and {len(found) - most} more" if len(found) > most else shown
