"""What a deposition brought, by kind of data: one table, or groups by where the data lie or by organism."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tomotheca.web import format as formats
from tomotheca.web import links, orders, summaries
from tomotheca.web.facets import Scope, carried
from tomotheca.web.page import Crumb
from tomotheca.web.pages.plaintables import PARAMETERS, Cells, PlainRow, of_schema, plain_row
from tomotheca.web.recordparts import to
from tomotheca.web.tables import (
    Column,
    Order,
    Table,
    heads,
    make_pager,
    natural,
    page_number,
    page_size,
    read_order,
    slice_page,
)
from tomotheca.web.values import plain
from tomotheca.web.words import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked
    from tomotheca.web.tables import Pager


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of deposited data, and the fields that its table shows."""

    kind: str
    text: str
    names: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "annotations": Kind("annotation", "Annotations", ("object_name", "object_id", "method_type", "ground_truth_status", "object_count", "confidence_precision", "confidence_recall")),
    "tomograms": Kind("tomogram", "Tomograms", ("name", "voxel_spacing", "reconstruction_method", "processing", "ctf_corrected", "reconstruction_software")),
    "datasets": Kind("dataset", "Datasets", ("title", "organism_name", "sample_type", "release_date")),
    "tilt-series": Kind("tiltseries", "Tilt series", ("tilt_series_quality", "tilt_range", "pixel_spacing", "total_flux", "microscope_model", "camera_model")),
}  # fmt: skip
"""By value of the parameter `deposition-tab`."""

LOCATION = "deposited_location"
GROUPINGS = {"": "None", LOCATION: "Deposited location", "organism": "Organism"}
GROUPS_PER_PAGE, RUNS_PER_PAGE, ITEMS_PER_PAGE = 10, 5, 5
CHUNK = 500
"""Rows that are read at a time for a table to take away."""

KNOWN = frozenset(
    {"deposition-tab", "group-by", "groups-page", *(f"{tab.replace('-', '')}-{name}" for tab in KINDS for name in PARAMETERS)}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Items that lie in one dataset, or come from one organism."""

    title: str
    href: str
    identifier: str
    count: int
    rows: tuple[PlainRow, ...]
    previous: str
    next: str
    place: str
    """Which of the items, or runs, these are, where not all are here."""

    parts: tuple[Group, ...] = ()
    """The runs that the items lie in, where the data are grouped by place; the items are theirs then."""


@dataclass(frozen=True)
class Deposited:
    """The data of one kind."""

    tabs: tuple[Crumb, ...]
    tab: str
    groupings: tuple[Crumb, ...]
    grouping: str
    table: Table[PlainRow] | None
    """The one table; none where the data stand in groups."""

    labels: tuple[str, ...]
    groups: tuple[Group, ...]
    pager: Pager | None


@dataclass(frozen=True)
class Items:
    """The items of one kind that belong to a deposition."""

    asked: Asked
    tab: str
    ids: NDArray[np.int64]
    nested: bool = False
    """Whether each run has rows of its own, which need not name it then."""

    @property
    def kind(self) -> Kind:
        """What they are."""
        return KINDS[self.tab]

    @property
    def prefix(self) -> str:
        """Prefix of the table's parameters."""
        return self.tab.replace("-", "")

    @property
    def scope(self) -> Scope:
        """The items of everybody."""
        return Scope(self.asked.portal, self.kind.kind, self.asked.viewer, self.asked.version)

    def columns(self) -> tuple[Column, ...]:
        """Give the heads."""
        own = tuple(c for c, _, _ in self.cells({}))
        return (Column(self.kind.text, "id", style="name"), *own, Column("", style="actions"))

    def cells(self, runs: Mapping[int, Row]) -> Cells:
        """Give the columns: fields of the schema, then where an item lies."""
        made = list(of_schema(self.asked, self.kind.kind, self.kind.names))
        if self.kind.kind != "dataset" and not self.nested:
            made.append((Column("Run", "run"), lambda _, r: plain(runs[r["run_id"]]["name"], href=links.page("run", r["run_id"])), lambda r: r["run_id"]))  # fmt: skip
            made.append((Column("Dataset", "dataset"), lambda a, r: to(a, "dataset", runs[r["run_id"]]["dataset_id"]), lambda r: r["run_id"]))  # fmt: skip
        return made

    def order(self) -> Order:
        """Read the order."""
        return read_order(self.asked.address, self.columns(), (("id", False),), prefix=self.prefix)

    def sorted(self, ids: NDArray[np.int64]) -> list[int]:
        """Put identifiers in order."""
        keys = {c.key: orders.column(name) for (c, _, _), name in zip(self.cells({}), self.kind.names, strict=False)}
        if self.kind.kind != "dataset":
            keys["run"] = orders.related("run", orders.column("name"))
            keys["dataset"] = _dataset
        return orders.arranged(self.scope, ids, self.order(), keys)

    def drawn(self, ids: Sequence[int]) -> tuple[PlainRow, ...]:
        """Read and draw some items."""
        rows = summaries.find_in_order(self.asked, self.kind.kind, ids)
        cells = self.cells(self._runs(rows))
        return tuple(plain_row(self.asked, self.kind.kind, r, cells) for r in rows)

    def _runs(self, rows: Sequence[Row]) -> dict[int, Row]:
        wanted = sorted({r["run_id"] for r in rows if "run_id" in r})
        return summaries.by_id(summaries.find_in_order(self.asked, "run", wanted))

    def written(self) -> Iterator[Row]:
        """Give every item, values as they are stored."""
        ids = self.sorted(self.ids)
        for begin in range(0, len(ids), CHUNK):
            rows = summaries.find_in_order(self.asked, self.kind.kind, ids[begin : begin + CHUNK])
            runs = self._runs(rows)
            for r in rows:
                place = {"run_id": self.asked.name("run", r["run_id"]), "run": runs[r["run_id"]]["name"], "dataset_id": self.asked.name("dataset", runs[r["run_id"]]["dataset_id"])} if "run_id" in r else {}  # fmt: skip
                yield {"id": self.asked.name(self.kind.kind, r["id"])} | {n: r[n] for n in self.kind.names} | place

    def datasets(self) -> NDArray[np.int64]:
        """Give the place of each item's dataset."""
        world = self.scope.masks.world
        at = np.searchsorted(world.ids(self.kind.kind), self.ids)
        if self.kind.kind == "dataset":
            return at
        run = world.places(self.kind.kind, "run_id", "run")[at]
        return carried(world.places("run", "dataset_id", "dataset"), run)


def _dataset(scope: Scope) -> NDArray[np.float64]:
    world = scope.masks.world
    numbers = world.numbers("run", "dataset_id").astype(np.float64)
    return np.append(numbers, np.nan)[world.places(scope.listing, "run_id", "run")]


def items(asked: Asked, deposition: int, tab: str) -> Items:
    """Find the items of one kind."""
    masks = asked.portal.catalog.masks(asked.viewer, asked.version)
    return Items(asked, tab, masks.ids(KINDS[tab].kind, {"deposition_id": {"_eq": deposition}}))


def chosen(asked: Asked, deposition: int) -> Items | None:
    """Give the items of the open tab: the one asked for, else the first that has any."""
    found = {tab: items(asked, deposition, tab) for tab in KINDS}
    given = found.get(asked.address.first("deposition-tab").lower())
    return given or next((i for i in found.values() if len(i.ids)), None)


def deposited(asked: Asked, deposition: int, counts: Mapping[str, int]) -> Deposited | None:
    """Make the deposited data of the open tab."""
    found = chosen(asked, deposition)
    if found is None:
        return None
    address = asked.address.without(n for n in asked.address.names if n.endswith("-page"))
    given = asked.address.first("group-by")
    grouping = given if given in GROUPINGS else ""
    tabs = tuple(
        Crumb(
            f"{say(k.text)} {formats.count(counts[k.kind])}",
            "" if tab == found.tab else str(address.set({"deposition-tab": tab})),
        )
        for tab, k in KINDS.items()
        if counts[k.kind]
    )
    ways = tuple(Crumb(say(text), "" if name == grouping else str(address.set({"group-by": name or None}))) for name, text in GROUPINGS.items())  # fmt: skip
    found = replace(found, nested=grouping == LOCATION and found.kind.kind != "dataset")
    columns, order = found.columns(), found.order()
    labels = tuple(c.label for c in columns)
    if grouping:
        groups, pager = _groups(found, grouping)
        return Deposited(tabs, found.tab, ways, grouping, None, labels, groups, pager)
    ids = found.sorted(found.ids)
    rows = found.drawn(slice_page(ids, asked.address, prefix=found.prefix))
    head = heads(asked.address, columns, order, prefix=found.prefix)
    table = Table(found.kind.text, head, rows, len(ids), len(ids), make_pager(asked.address, len(ids), prefix=found.prefix))  # fmt: skip
    return Deposited(tabs, found.tab, ways, grouping, table, labels, (), None)


@dataclass(frozen=True)
class _Place:
    """A group before its items are read."""

    head: tuple[str, str, str]
    count: int
    ids: tuple[int, ...] = ()
    parts: tuple[_Place, ...] = ()
    way: tuple[str, str, str] = ("", "", "")
    """Addresses of the page before and the page after, and which part this is."""

    @property
    def every(self) -> tuple[int, ...]:
        """Identifiers of all items that are shown."""
        return (*self.ids, *(i for part in self.parts for i in part.ids))

    def drawn(self, rows: Mapping[int, PlainRow]) -> Group:
        """Put the rows in."""
        parts = tuple(part.drawn(rows) for part in self.parts)
        return Group(*self.head, self.count, tuple(rows[i] for i in self.ids), *self.way, parts)


def _groups(found: Items, grouping: str) -> tuple[tuple[Group, ...], Pager]:
    """Give one page of groups, the largest first."""
    asked, world = found.asked, found.scope.masks.world
    dataset = found.datasets()
    organism = world.column("dataset", "organism_name")
    codes = dataset if grouping == LOCATION else organism.codes[dataset].astype(np.int64)
    numbers, counts = np.unique(codes, return_counts=True)
    ranked = [int(n) for n in numbers[np.argsort(-counts, kind="stable")]]
    pages = max(1, -(-len(ranked) // GROUPS_PER_PAGE))
    page = min(page_number(asked.address, "groups"), pages)
    shown = ranked[(page - 1) * GROUPS_PER_PAGE : page * GROUPS_PER_PAGE]
    if grouping == LOCATION:
        ids = [int(world.ids("dataset")[n]) for n in shown]
        rows = summaries.by_id(summaries.find_in_order(asked, "dataset", ids))
        heads_of = [(rows[i]["title"], links.page("dataset", i), asked.name("dataset", i)) for i in ids]
    else:
        heads_of = [(organism.values[n] or say("Organism not recorded"), "", "") for n in shown]
    make = _in_runs if found.nested else _together
    places = [make(found, found.ids[codes == n], f"group-{n}", head) for n, head in zip(shown, heads_of, strict=True)]
    wanted = [i for place in places for i in place.every]
    drawn = dict(zip(wanted, found.drawn(wanted), strict=True))
    return tuple(place.drawn(drawn) for place in places), _pager(asked, page, pages)


def _together(found: Items, ids: NDArray[np.int64], name: str, head: tuple[str, str, str]) -> _Place:
    """Give one page of the items of a group."""
    part, way = _page(found, name, len(ids), ITEMS_PER_PAGE)
    return _Place(head, len(ids), tuple(found.sorted(ids)[part]), way=way)


def _in_runs(found: Items, ids: NDArray[np.int64], name: str, head: tuple[str, str, str]) -> _Place:
    """Give one page of the runs of a dataset, in the natural order of their names, each with one page of its items."""
    asked, world = found.asked, found.scope.masks.world
    owners = world.numbers(found.kind.kind, "run_id")[np.searchsorted(world.ids(found.kind.kind), ids)]
    runs = np.unique(owners)
    coded = world.column("run", "name")
    named = zip(runs.tolist(), coded.codes[np.searchsorted(world.ids("run"), runs)].tolist(), strict=True)
    ranked = sorted(((coded.values[code], run) for run, code in named), key=lambda found: (natural(found[0]), found[1]))
    part, way = _page(found, name, len(ranked), RUNS_PER_PAGE)
    parts = tuple(
        _together(found, ids[owners == run], f"run-{run}", (text, links.page("run", run), asked.name("run", run)))
        for text, run in ranked[part]
    )
    return _Place(head, len(ids), parts=parts, way=way)


def _page(found: Items, name: str, amount: int, size: int) -> tuple[slice, tuple[str, str, str]]:
    """Give the part of a group that the address asks for, and the way to the others."""
    address = found.asked.address
    pages = max(1, -(-amount // size))
    page = min(page_number(address, name), pages)
    begin, end = (page - 1) * size, min(page * size, amount)

    def link(wanted: int) -> str:
        return str(address.set({f"{name}-page": wanted if wanted > 1 else None})) if 1 <= wanted <= pages else ""

    shown = (formats.count(begin + 1), formats.count(end), formats.count(amount))
    return slice(begin, end), (link(page - 1), link(page + 1), say("{} to {} of {}", *shown) if pages > 1 else "")


def _pager(asked: Asked, page: int, pages: int) -> Pager:
    """Make the pager of the groups."""
    made = make_pager(asked.address, pages * page_size(asked.address, "groups"), prefix="groups")
    return replace(made, page=page, sizes=())
