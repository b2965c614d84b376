"""Sorting and paging: the same for every table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.address import Address, Pairs

R = TypeVar("R")
SIZES = (20, 50, 100)
MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; with a key it can be sorted."""

    label: str
    key: str = ""
    numeric: bool = False
    help: str = ""
    also: tuple[tuple[str, str], ...] = ()
    """Label and key of what else the cell shows."""

    style: str = ""


@dataclass(frozen=True, slots=True)
class SortLink:
    """A link that sorts by one thing a column shows."""

    label: str
    href: str = ""
    state: str = "none"


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column."""

    links: tuple[SortLink, ...]
    state: str = ""
    """`ascending`, `descending` or `none`; empty where the column cannot be sorted."""

    numeric: bool = False
    help: str = ""
    style: str = ""

    @property
    def label(self) -> str:
        """All labels of the column."""
        return " / ".join(say(link.label) for link in self.links)


@dataclass(frozen=True, slots=True)
class Step:
    """A link of the pager."""

    text: str
    href: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Pager:
    """Where in the rows a page stands, and the way to the others."""

    page: int
    pages: int
    parameter: str
    first: str = ""
    previous: str = ""
    next: str = ""
    last: str = ""
    sizes: tuple[Step, ...] = ()
    hidden: Pairs = ()
    action: str = ""
    past: str = ""
    """Address of the last page, where the address asks for one behind it."""


@dataclass(frozen=True)
class Table(Generic[R]):
    """Rows with heads and pager."""

    noun: str
    heads: tuple[Head, ...]
    rows: tuple[R, ...]
    shown: int
    """Rows that the filters leave."""

    total: int
    pager: Pager


@dataclass(frozen=True)
class Order:
    """What a table is sorted by: pairs of key and whether descending; the default has several."""

    keys: tuple[tuple[str, bool], ...]
    chosen: tuple[str, bool] | None = None


def prefixed(prefix: str, name: str) -> str:
    """Give the name of a table's parameter."""
    return f"{prefix}-{name}" if prefix else name


def read_order(
    address: Address, columns: Sequence[Column], default: Sequence[tuple[str, bool]], *, prefix: str = ""
) -> Order:
    """Read the sort parameter; what is not a column's key is no sort."""
    given = address.first(prefixed(prefix, "sort"))
    key, descending = given.removeprefix("-"), given.startswith("-")
    if key and any(key in {c.key, *(k for _, k in c.also)} for c in columns):
        return Order(((key, descending),), (key, descending))
    return Order(tuple(default))


def heads(address: Address, columns: Sequence[Column], order: Order, *, prefix: str = "") -> tuple[Head, ...]:
    """Give the heads; a link goes ascending, descending, default."""
    return tuple(_head(address, c, order, prefix) for c in columns)


def _head(address: Address, column: Column, order: Order, prefix: str) -> Head:
    if not column.key:
        return Head((SortLink(column.label),), numeric=column.numeric, help=column.help, style=column.style)
    found = tuple(
        _sort_link(address, text, key, (order, prefix)) for text, key in ((column.label, column.key), *column.also)
    )
    state = next((link.state for link in found if link.state != "none"), "none")
    return Head(found, state, column.numeric, column.help, column.style)


def _sort_link(address: Address, text: str, key: str, where: tuple[Order, str]) -> SortLink:
    order, prefix = where
    current = order.chosen or (order.keys[0] if order.keys else ("", False))
    state = "none" if current[0] != key else "descending" if current[1] else "ascending"
    ways = {(key, False): f"-{key}", (key, True): None}
    target = ways.get(order.chosen, key) if order.chosen else key
    return SortLink(text, str(address.set({prefixed(prefix, "sort"): target, prefixed(prefix, "page"): None})), state)


def page_size(address: Address, prefix: str = "") -> int:
    """Read how many rows a page has."""
    given = address.first(prefixed(prefix, "per-page"))
    return int(given) if given in map(str, SIZES) else SIZES[0]


def page_number(address: Address, prefix: str = "") -> int:
    """Read the number of the page, from 1."""
    given = address.first(prefixed(prefix, "page"), "1")
    return max(1, int(given)) if given.isascii() and given.isdigit() and len(given) <= MOST_DIGITS else 1


def make_pager(address: Address, shown: int, *, prefix: str = "") -> Pager:
    """Make the pager of a table with so many rows."""
    name, size = prefixed(prefix, "page"), page_size(address, prefix)
    pages, wanted = max(1, -(-shown // size)), page_number(address, prefix)
    page = min(wanted, pages)

    def link(number: int) -> str:
        return str(address.set({name: number if number > 1 else None}))

    back = (link(1), link(page - 1)) if page > 1 else ("", "")
    forth = (link(page + 1), link(pages)) if page < pages else ("", "")
    resized = tuple(
        Step(
            str(n),
            str(address.set({prefixed(prefix, "per-page"): n if n != SIZES[0] else None, name: None})),
            n == size,
        )
        for n in SIZES
    )
    return Pager(
        page,
        pages,
        name,
        *back,
        *forth,
        resized if shown > SIZES[0] else (),
        address.without([name]).pairs,
        address.path,
        link(pages) if wanted > pages else "",
    )


def natural(value: Any) -> Any:
    """Give a sort key under which ``run_2`` stands before ``run_10``."""
    if not isinstance(value, str):
        return value
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", value.casefold()) if part
    ]


def rank(rows: Sequence[Row], order: Order) -> list[Row]:
    """Sort rows; missing values last, ties by id."""
    found = sorted(rows, key=lambda r: r["id"])
    for key, descending in reversed(order.keys):
        known = sorted((r for r in found if r[key] is not None), key=lambda r: natural(r[key]), reverse=descending)
        found = known + [r for r in found if r[key] is None]
    return found


def slice_page(ids: Sequence[int], address: Address, *, prefix: str = "") -> list[int]:
    """Give the ids of the page that the address asks for."""
    size = page_size(address, prefix)
    page = min(page_number(address, prefix), max(1, -(-len(ids) // size)))
    return list(ids[(page - 1) * size : page * size])
