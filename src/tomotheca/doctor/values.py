"""Values of documents that may hold anything: what is not of the kind that is asked for is not there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Triple = tuple[int, int, int]

LARGEST = 1 << 31
"""No edge, count or order in a document is larger."""


def dig(value: Any, *path: str) -> Any:
    """Give what stands at a path; None where there is nothing."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def number(value: Any, *path: str) -> float | None:
    """Give a finite number."""
    found = dig(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        as_float = float(found)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def whole(value: Any, *path: str) -> int | None:
    """Give a whole number of ordinary size."""
    found = number(value, *path)
    return int(found) if found is not None and found == int(found) and abs(found) < LARGEST else None


def text(value: Any, *path: str) -> str:
    """Give a word or sentence; empty where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, str) else ""


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """Give a block; empty where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, Mapping) else {}


def array(value: Any, *path: str) -> Sequence[Any]:
    """Give a list; empty where there is none."""
    found = dig(value, *path)
    return found if isinstance(found, list) else []


def blocks(value: Any, *path: str) -> list[Mapping[str, Any]]:
    """Give the blocks of a list."""
    return [item for item in array(value, *path) if isinstance(item, Mapping)]


def numbered(items: Sequence[Mapping[str, Any]], name: str) -> Iterator[tuple[int, float]]:
    """Give place and number of every item that has one."""
    for index, item in enumerate(items):
        if (found := number(item, name)) is not None:
            yield index, found


def zyx(value: Any, *path: str) -> Triple | None:
    """Give a size ``{x, y, z}`` in the order z, y, x."""
    z, y, x = (whole(value, *path, axis) for axis in "zyx")
    if z is None or y is None or x is None:
        return None
    return z, y, x


def times(shape: Sequence[int]) -> str:
    """Write a shape z, y, x as people do: ``x x y x z``."""
    return " x ".join(str(n) for n in reversed(shape))


def some(items: Sequence[object], most: int = 3) -> str:
    """Name the first few of many."""
    shown = ", ".join(str(item) for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown
