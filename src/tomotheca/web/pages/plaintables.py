"""Tables of pages of records: rows that are already read, sorted, paged, drawn, and whole to take away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tomotheca.web import downloads, drawers, links, summaries
from tomotheca.web.tables import Column, Order, Table, heads, make_pager, rank, read_order, slice_page
from tomotheca.web.values import Value, title, value_of

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked

PARAMETERS = ("page", "sort", "per-page")


@dataclass(frozen=True, slots=True)
class Actions:
    """Links at the end of a row."""

    info: str = ""
    view: str = ""
    download: str = ""
    slices: str = ""


@dataclass(frozen=True, slots=True)
class PlainRow:
    """A row of cells, and what one can do with it."""

    identifier: str
    href: str
    cells: tuple[Value, ...]
    actions: Actions
    picture: summaries.Picture | None = None


@dataclass(frozen=True, slots=True)
class Tab:
    """What is fixed about a table."""

    prefix: str
    """Prefix of its parameters."""

    noun: str
    kind: str
    default: tuple[tuple[str, bool], ...]
    """Order when none is chosen."""


Draw = Callable[[Sequence[Any], Order], Sequence[Any]]


@dataclass(frozen=True)
class Made:
    """A table before it is sorted and paged."""

    tab: Tab
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    """Raw values by the key of their column, with an ``id``."""

    draw: Draw
    """Makes what is shown of the rows of a page."""


def table(asked: Asked, made: Made) -> Table[Any]:
    """Sort and page the rows, and draw those of the page."""
    prefix, amount = made.tab.prefix, len(made.rows)
    order = read_order(asked.address, made.columns, made.tab.default, prefix=prefix)
    ranked = rank(made.rows, order)
    wanted, by_id = (
        slice_page([r["id"] for r in ranked], asked.address, prefix=prefix),
        summaries.by_id(ranked),
    )
    shown = tuple(made.draw([by_id[i] for i in wanted], order))
    pager = make_pager(asked.address, amount, prefix=prefix)
    return Table(made.tab.noun, heads(asked.address, made.columns, order, prefix=prefix), shown, amount, amount, pager)


def exported(asked: Asked, made: Made) -> Iterator[Row]:
    """Give every row in the chosen order, values as they are stored."""
    order = read_order(asked.address, made.columns, made.tab.default, prefix=made.tab.prefix)
    keys = [key for c in made.columns for key in (c.key, *(k for _, k in c.also)) if key and key != "id"]
    kind = made.tab.kind if made.tab.kind in links.PATHS else ""
    for row in rank(made.rows, order):
        number = {"id": asked.name(kind, row["number"] if "number" in row else row["id"])} if kind else {}
        yield number | {key: row.get(key) for key in keys}


Cells = Sequence[tuple[Column, Callable[["Asked", "Row"], Value], Callable[["Row"], Any]]]
"""Of each column: its head, what is shown of a row, and what it is sorted by."""


Pictures = Callable[[Sequence["Row"]], Mapping[int, summaries.Picture]]
"""Gives the pictures of the rows of a page by identifier."""


def of_schema(asked: Asked, kind: str, names: Sequence[str]) -> Cells:
    """Give columns of a table straight from columns of the schema."""
    made = []
    for name in names:
        c = asked.portal.catalog.schema.column(kind, name)
        key = c.label.strip().lower().replace(" ", "-").replace("(", "").replace(")", "")
        head = Column(title(c), key, numeric=c.type in {int, float} and not c.enum)
        made.append((head, lambda _, row, c=c: value_of(c, row), lambda row, name=name: row[name]))
    return made


def plain_table(asked: Asked, tab: Tab, rows: Sequence[Row], cells: Cells, pictures: Pictures | None = None) -> Made:
    """Make a table of plain cells, with a picture before each row where there are pictures."""
    own = tab.kind in links.PATHS
    columns = (
        *((Column("Preview", style="preview"),) if pictures else ()),
        *((Column(tab.noun, "id", style="name"),) if own else ()),
        *(c for c, _, _ in cells),
        *((Column("", style="actions"),) if own else ()),
    )
    sortable = [{"id": r["id"], "row": r} | {c.key: key(r) for c, _, key in cells} for r in rows]

    def draw(page: Sequence[Any], _: Order) -> list[PlainRow]:
        drawn = [plain_row(asked, tab.kind, r["row"], cells) for r in page]
        if pictures is None:
            return drawn
        shown = pictures([r["row"] for r in page])
        return [replace(row, picture=shown[r["id"]]) for row, r in zip(drawn, page, strict=True)]

    return Made(tab, columns, sortable, draw)


def plain_row(asked: Asked, kind: str, row: Row, cells: Cells) -> PlainRow:
    """Draw a row of plain cells."""
    values = tuple(show(asked, row) for _, show, _ in cells)
    if kind not in links.PATHS:
        return PlainRow("", "", values, Actions())
    download = downloads.link(asked, kind, row["id"]) if kind in downloads.OFFERS else ""
    actions = Actions(drawers.link(asked, kind, row["id"]), "", download)
    return PlainRow(asked.name(kind, row["id"]), links.page(kind, row["id"]), values, actions)
