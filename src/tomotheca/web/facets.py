"""How many rows each option of the panel would leave.

Everything is counted on the catalogue's columns as arrays (`catalog.masks`): a filter marks rows of its own kind, marks are carried to the
runs they belong to, and an option counts the listed rows that have it among the rows that are still marked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tomotheca.catalog.vectors import Grouped, grouped, pairs_of, place
from tomotheca.web.filters import Active, apart, compose, group_terms
from tomotheca.web.filterset import DATA_TYPES
from tomotheca.web.knowing import resolved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.catalog.masks import Masks
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.web.filtering import Filter
    from tomotheca.web.portal import Portal

    Mask = NDArray[np.bool_]
    Places = NDArray[np.int64]

Counts = Mapping[Any, int]

GROUPS = {"dataset": "run", "run": "run", "deposition": "deposition"}
"""Kind of row that all conditions on parts of it must hold for together, by what is listed."""

PARTS = ("annotation", "tomogram", "tiltseries")
LISTED = frozenset({"dataset", "deposition"})
COUNTED = frozenset({"list", "flag", "range"})
"""Widgets that show how often a value occurs."""


@dataclass(frozen=True)
class Scope:
    """What is listed, for whom, in which version of the catalogue, and where (inside one dataset, or everywhere)."""

    portal: Portal
    listing: str
    viewer: Viewer
    version: str
    within: int | None = None
    counts: str = ""
    """Column whose different values are what options count, where a listing's rows are not rows of the catalogue."""

    @cached_property
    def masks(self) -> Masks:
        """The catalogue as arrays."""
        return self.portal.catalog.masks(self.viewer, self.version)

    def resolved(self, active: Sequence[Active]) -> Sequence[Active]:
        """Turn filters on what is known of rows into filters on identifiers."""
        return resolved(self.masks, active, self.portal.settings.completeness)

    @property
    def group(self) -> str:
        """Kind of the groups."""
        return GROUPS.get(self.listing, self.listing)

    @cached_property
    def listed(self) -> Mask:
        """Mark the rows that are listed without any filter."""
        found = self.masks.visible(self.listing)
        if self.within is not None:
            found = found & (self.masks.world.numbers(self.listing, "_owner") == self.within)
        return found

    def group_at(self, kind: str) -> Places:
        """Give the place of each row's group; -1 for a row that has none."""
        return self.masks.world.keep(("group_at", self.group, kind), lambda: self._group_at(kind))

    def _group_at(self, kind: str) -> Places:
        world, group = self.masks.world, self.group
        if kind == group:
            return np.arange(len(world.ids(kind)))
        if kind == "annotation_shape":
            return carried(self.group_at("annotation"), world.places(kind, "annotation_id", "annotation"))
        return world.places(kind, f"{group}_id", group)

    def of_groups(self, kind: str) -> Grouped:
        """Give the rows of each group."""
        world, number = self.masks.world, len(self.masks.world.ids(self.group))
        return world.keep(("of_groups", self.group, kind), lambda: grouped(self.group_at(kind), number))

    def of_owners(self, kind: str) -> Grouped:
        """Give the rows of each listed row."""
        world, number = self.masks.world, len(self.listed)
        question = ("of_owners", self.listing, self.counts, kind)
        return world.keep(question, lambda: grouped(self.owner_at(kind), number))

    def owner_at(self, kind: str) -> Places:
        """Give the place of the listed row that each row of a kind counts for."""
        return self.masks.world.keep(("owner_at", self.listing, self.counts, kind), lambda: self._owner_at(kind))

    def _owner_at(self, kind: str) -> Places:
        if self.counts:
            codes = self.masks.world.column(self.listing, self.counts).codes.astype(np.int64)
            return carried(codes, self.group_at(kind))
        if kind == self.listing:
            return np.arange(len(self.masks.world.ids(kind)))
        world, at = self.masks.world, self.group_at(kind)
        if self.group == self.listing:
            return at
        return carried(world.places(self.group, f"{self.listing}_id", self.listing), at)


T = TypeVar("T")
V = TypeVar("V", "NDArray[np.bool_]", "NDArray[np.int64]")


def carried(values: V, at: Places) -> V:
    """Give the value at each place; false, or no place, where the place is -1."""
    nothing = np.array([False if values.dtype == np.bool_ else -1], values.dtype)
    return np.concatenate([values, nothing]).take(at)


def matching(scope: Scope, active: Sequence[Active]) -> Places:
    """Give the identifiers of the listed rows that the filters leave."""
    ids: Places = scope.masks.world.ids(scope.listing)[_left(scope, active)]
    return ids


def matching_of(scope: Scope, active: Sequence[Active], parent: str, ids: Sequence[int]) -> dict[int, int]:
    """Count the listed rows that the filters leave of each of some parents."""
    world = scope.masks.world
    at, known = world.places(scope.listing, f"{parent}_id", parent), world.ids(parent)
    counts = np.bincount(at.take(np.flatnonzero(_left(scope, active))) + 1, minlength=len(known) + 1)
    counts[0] = 0  # those without a parent
    return dict(zip(ids, counts.take(place(np.array(ids, np.int64), known) + 1).tolist(), strict=True))


def _left(scope: Scope, active: Sequence[Active]) -> Mask:
    return scope.listed & scope.masks.holds(scope.listing, compose(scope.listing, scope.resolved(active)))


def count_options(scope: Scope, filters: Sequence[Filter], active: Sequence[Active]) -> dict[str, Counts]:
    """Give, for each counted filter, the number of rows that each option would leave."""
    counted = [f for f in filters if f.widget in COUNTED and (f.kind or f.parameter == "files")]

    def answer() -> dict[str, Counts]:
        counting = _Counting(scope, scope.resolved(active))
        return {f.parameter: counting.count(f) for f in counted}

    if active:
        return answer()
    masks = scope.masks
    question = (
        "options",
        scope.listing,
        scope.within,
        scope.counts,
        tuple(f.parameter for f in counted),
        masks.viewer.curator,
        masks.hidden,
    )
    return masks.world.recent(question, answer)


@dataclass(frozen=True)
class _Counting:
    """Counts the options of one panel. Most filters are not set, and their options share what all the set ones leave."""

    scope: Scope
    active: Sequence[Active]
    known: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def once(self, *question: str, answer: Callable[[], T]) -> T:
        """Work something out once."""
        if question not in self.known:
            self.known[question] = answer()
        found: T = self.known[question]
        return found

    def count(self, f: Filter) -> Counts:
        """Count the rows that each option of a filter would leave."""
        scope = self.scope
        others = [a for a in self.active if a.filter.parameter != f.parameter]
        left = f.parameter if len(others) < len(self.active) else ""
        owners = self.once("owners", left, answer=lambda: _owners(scope, others))
        if f.parameter == "files":
            chosen = next((a.values for a in self.active if a.filter.parameter == "files"), ())
            return _count_files(scope, _groups(scope, others) & self._belonging(left, owners), chosen)
        if f.level in LISTED:
            if any(a.filter.level not in LISTED for a in others):
                owners = self.once("held", left, answer=lambda: owners & _holding(scope, _groups(scope, others)))
            if f.level != scope.listing:
                return _of_parents(scope, f, self.once("places", left, answer=lambda: np.flatnonzero(owners)))
            rows = self.once("rows", left, f.kind, answer=lambda: _seen(scope, f.kind, owners, scope.of_owners(f.kind)))
            return _tally(scope, f.column, {f.kind: rows})
        groups = self.once(
            "groups",
            left,
            f.level,
            answer=lambda: _groups(scope, others, skip=f.level) & self._belonging(left, owners),
        )
        sets = apart([a for a in others if a.filter.level == f.level], others)
        if len(sets) > 1:
            return _shared(scope, f, groups, sets)
        own = self.once("rows", left, f.level, f.kind, answer=lambda: _own(scope, f, groups, others))
        parts = {f.kind: own}
        if f.identified and scope.group == "run" and not any(a.filter.level == f.level for a in others):
            kind = "identified_object"
            parts[kind] = self.once(
                "rows", left, f.level, kind, answer=lambda: _seen(scope, kind, groups, scope.of_groups(kind))
            )
        return _tally(scope, f.column, parts)

    def _belonging(self, left: str, owners: Mask) -> Mask:
        """Mark the groups of marked rows."""
        scope = self.scope
        if scope.group == scope.listing:
            return owners
        return self.once("belonging", left, answer=lambda: carried(owners, scope.owner_at(scope.group)))


def _seen(scope: Scope, kind: str, marked: Mask, members: Grouped) -> Places:
    """Give the places of the rows that the viewer sees and that belong to something marked."""
    rows = members.rows(marked)
    return rows[scope.masks.visible(kind).take(rows)]


def _of_parents(scope: Scope, f: Filter, owners: Places) -> Counts:
    """Count listed rows by a value of the row that each belongs to."""
    world = scope.masks.world
    coded, at = world.column(f.kind, f.column), world.places(scope.listing, f"{f.level}_id", f.level).take(owners)
    counts = np.bincount(coded.codes.take(at[at >= 0]), minlength=len(coded.values))
    return {v: int(n) for v, n in zip(coded.values, counts, strict=True) if n}


def _owners(scope: Scope, active: Sequence[Active]) -> Mask:
    """Mark the listed rows that the filters on them leave."""
    here = [a for a in active if a.filter.level in LISTED]
    return scope.listed & scope.masks.holds(scope.listing, compose(scope.listing, here)) if here else scope.listed


def _holding(scope: Scope, groups: Mask) -> Mask:
    """Mark the listed rows that have a marked group."""
    return _marked(scope.owner_at(scope.group)[groups], len(scope.listed))


def _marked(places: Places, number: int) -> Mask:
    found = np.zeros(number + 1, bool)
    found[places] = True
    return found[:-1]


def _groups(scope: Scope, active: Sequence[Active], *, skip: str = "") -> Mask:
    """Mark the groups that meet every filter on runs and their parts, one level left out."""
    terms = group_terms(scope.listing, active, skip=skip)
    return scope.masks.where(scope.group, {"_and": terms})


def _shared(scope: Scope, f: Filter, groups: Mask, sets: Sequence[Sequence[Active]]) -> Counts:
    """Count the listed rows with a group that has a value once for each of several sets of filters."""
    world, at = scope.masks.world, scope.group_at(f.kind)
    pairs = world.keep(
        ("shared", scope.listing, f.kind, f.column), lambda: pairs_of([at], [world.column(f.kind, f.column)])
    )
    seen = np.logical_and.reduce([pairs.seen(_own(scope, f, groups, chosen)) for chosen in sets])
    owners = scope.owner_at(scope.group)[pairs.owner_of[seen]]
    wide = max(len(pairs.values), 1)
    counts = np.bincount(np.unique(owners * wide + pairs.value_of[seen]) % wide, minlength=wide)
    return {v: int(n) for v, n in zip(pairs.values, counts, strict=False) if n}


def _own(scope: Scope, f: Filter, groups: Mask, active: Sequence[Active]) -> Places:
    """Give the places of the rows of marked groups that the viewer sees and that meet the other filters of their own level."""
    masks = scope.masks
    rows = _seen(scope, f.kind, groups, scope.of_groups(f.kind))
    here = [a.filter.clause(a.values) for a in active if a.filter.level == f.level]
    if not here:
        return rows
    wanted = masks.where(f.level, {"_and": here})
    if f.kind == f.level:
        return rows[wanted.take(rows)]
    return rows[carried(wanted, masks.world.places(f.kind, f"{f.level}_id", f.level).take(rows))]


def _tally(scope: Scope, column: str, rows: Mapping[str, Places]) -> Counts:
    """Count the listed rows of each value among rows at some places; a value seen twice in one counts once."""
    world, kinds = scope.masks.world, tuple(rows)
    pairs = world.keep(
        ("pairs", scope.listing, scope.counts, kinds, column),
        lambda: pairs_of([scope.owner_at(k) for k in kinds], [world.column(k, column) for k in kinds]),
    )
    if len(kinds) == 1:
        return dict(pairs.count(rows[kinds[0]]))
    before = np.cumsum([0, *(len(world.ids(k)) for k in kinds)])
    return dict(pairs.count(np.concatenate([rows[k] + start for k, start in zip(kinds, before, strict=False)])))


def _count_files(scope: Scope, groups: Mask, chosen: Sequence[str]) -> Counts:
    """Count the rows that one more required data type would leave."""
    having, at = held(scope.masks), scope.owner_at(scope.group)
    rows = np.flatnonzero(np.logical_and.reduce([groups, *(having[name] for name in chosen)]))

    def owners(places: Places) -> int:
        if scope.group == scope.listing:
            return len(places)
        return int(np.count_nonzero(_marked(at.take(places), len(scope.listed))))

    return Counter({name: owners(rows[having[name].take(rows)]) for name in DATA_TYPES})


def held(masks: Masks) -> dict[str, Mask]:
    """Mark, for each type of data, the runs that have it."""

    def answer() -> dict[str, Mask]:
        return {name: masks.holds("run", {relation: clause}) for name, (_, relation, clause) in DATA_TYPES.items()}

    return masks.world.term(("held", masks.viewer.curator, masks.hidden), answer)
