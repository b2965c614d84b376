"""Parts of lists: limit and offset at the roots, cursors and pages in connections."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tomotheca.catalog.later import Later, resolve
from tomotheca.errors import QueryError

MAX_PAGE = 100
PREFIX = "arrayconnection:"
END = (1 << 31) - 1
NO_LIMIT = END


def limits(given: Mapping[str, Any] | None) -> tuple[Any, Any]:
    """Give limit and offset of a root list, None where there is none.

    Raises
    ------
    QueryError
        If there is an offset without a limit, or a negative one.
    """
    limit, offset = ((given or {}).get(name) for name in ("limit", "offset"))
    if offset is not None and limit is None:
        message = "Cannot use offset without limit"
        raise QueryError(message)
    return (
        None if limit is None else resolve(limit, lambda v: _natural("limit", v) or NO_LIMIT),
        None if offset is None else resolve(offset, lambda v: _natural("offset", v)),
    )


def _natural(name: str, value: int) -> int:
    if value < 0:
        message = f"Argument '{name}' must be a non-negative integer."
        raise QueryError(message)
    return value


@lru_cache(1024)
def cursor(place: int) -> str:
    """Give the cursor of the item at a place of a list."""
    return b64encode(f"{PREFIX}{place}".encode()).decode()


def _place(name: str, text: str) -> int:
    try:
        decoded = b64decode(text, validate=True).decode()
        place = int(decoded.removeprefix(PREFIX)) if decoded.startswith(PREFIX) else -1
    except (binascii.Error, ValueError):
        place = -1
    if not 0 <= place < END:
        message = f"Argument '{name}' is not a cursor of this server."
        raise QueryError(message)
    return place


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which items of a list a page has: from `start`, before `end`, of those the `last` ones."""

    start: int
    end: int
    last: int | None

    @property
    def size(self) -> int:
        """Most items of the page."""
        return max(self.end - self.start, 0)


WHOLE = Bounds(0, MAX_PAGE, None)


@dataclass(frozen=True, slots=True)
class Paging:
    """Arguments of a connection, some of them known only when the plan runs."""

    first: Any = None
    last: Any = None
    before: Any = None
    after: Any = None

    @property
    def backwards(self) -> bool:
        """Whether the page is counted from the end."""
        return self.last is not None

    @property
    def plain(self) -> bool:
        """Whether nothing is asked: the page is the first one."""
        return self == Paging()

    def bounds(self, values: Sequence[Any]) -> Bounds:
        """Give the page's bounds for one request.

        Raises
        ------
        QueryError
            If an argument is out of range or not a cursor.
        """
        first, last, before, after = (
            v.read(values) if isinstance(v, Later) else v for v in (self.first, self.last, self.before, self.after)
        )
        for name, number in (("first", first), ("last", last)):
            if number is not None and _natural(name, number) > MAX_PAGE:
                message = f"Argument '{name}' cannot be higher than {MAX_PAGE}."
                raise QueryError(message)
        start = 0 if after is None else _place("after", after) + 1
        end = END if before is None else _place("before", before)
        if first is not None:
            end = min(end, start + first)
        elif last is None:
            end = min(end, start + MAX_PAGE)
        return Bounds(start, end, last)
