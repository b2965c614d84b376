"""What is known of runs beyond their columns: how complete they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from tomotheca.catalog.masks import COMPARED
from tomotheca.catalog.vectors import place
from tomotheca.search.library import matching
from tomotheca.web.filtering import BYTES, COMPLETE, WORDS
from tomotheca.web.filterset import DATA_TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.catalog.masks import Masks
    from tomotheca.catalog.query import Clause
    from tomotheca.web.filters import Active


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a complete run has."""

    label: str
    weight: int
    clause: Clause


def _typed(name: str, weight: int, more: Sequence[Clause] = ()) -> Item:
    text, relation, clause = DATA_TYPES[name]
    own: Clause = {relation: clause}
    return Item(text, weight, {"_or": [own, *more]} if more else own)


ITEMS = (
    _typed("raw-frames", 20),
    _typed("gain", 5, [{"frames": {"is_gain_corrected": {"_eq": True}}}]),
    _typed("mdoc", 10),
    _typed("tilt-series", 15),
    Item("Tilt angles", 5, {"tiltseries": {"s3_angle_list": {"_is_null": False}}}),
    Item("Dose per section", 10, {"frames": {"exposure_dose": {"_is_null": False}}}),
    _typed("ctf", 10),
    _typed("tilt-series-alignment", 10),
    _typed("tomogram", 10),
    _typed("annotation", 5),
)
"""What a complete run has, with weights that add up to 100."""


def marks(masks: Masks) -> Mapping[str, NDArray[np.bool_]]:
    """Mark, for each item, the runs that have it."""

    def answer() -> Mapping[str, NDArray[np.bool_]]:
        return {item.label: masks.holds("run", item.clause) for item in ITEMS}

    return masks.world.keep(("items", masks.viewer.curator, masks.hidden), answer)


def completeness(masks: Masks) -> NDArray[np.int64]:
    """Give the completeness of every run, in per cent."""

    def answer() -> NDArray[np.int64]:
        found = np.zeros(len(masks.world.ids("run")), np.int64)
        for item in ITEMS:
            found += item.weight * marks(masks)[item.label]
        return found

    return masks.world.keep(("completeness", masks.viewer.curator, masks.hidden), answer)


@dataclass(frozen=True, slots=True)
class Complete:
    """How complete a run is, in per cent, and what it lacks."""

    share: int
    lacking: tuple[str, ...]


def complete(masks: Masks, runs: Sequence[int]) -> dict[int, Complete]:
    """Say of runs how complete they are."""
    at = np.searchsorted(masks.world.ids("run"), np.array(runs, np.int64))
    shares, has = completeness(masks), marks(masks)
    return {
        run: Complete(int(shares[place]), tuple(text for text, marked in has.items() if not marked[place]))
        for run, place in zip(runs, at.tolist(), strict=True)
    }


def resolved(masks: Masks, active: Sequence[Active]) -> tuple[Active, ...]:
    """Turn filters on what is known of rows into filters on identifiers."""
    return tuple(_resolved(masks, a) if a.filter.rows else a for a in active)


def _resolved(masks: Masks, a: Active) -> Active:
    clause = KNOWN[a.filter.rows](masks, a)
    return replace(a, filter=replace(a.filter, clause=lambda _: clause))


def file_bytes(masks: Masks) -> NDArray[np.float64]:
    """Give the bytes of the files of every run that the viewer sees; not a number for a run without any."""

    def answer() -> NDArray[np.float64]:
        catalog, ids = masks.world.catalog, masks.world.ids("run")
        t = catalog.tables.file_total
        shut = sorted(masks.hidden.depositions)
        hidden = [] if masks.viewer.curator else [sa.or_(t.c._gate.is_(None), t.c._gate.not_in(shut))]
        found = sa.select(t.c.owner_id, sa.func.sum(t.c.size)).where(t.c.owner_kind == "run", *hidden)
        rows: Sequence[Any] = catalog.rows(found.group_by(t.c.owner_id))
        sizes = np.full(len(ids) + 1, np.nan)
        sizes[place(np.fromiter((r[0] for r in rows), np.int64, len(rows)), ids)] = [float(r[1]) for r in rows]
        return sizes[:-1]

    return masks.world.keep(("bytes", masks.viewer.curator, masks.hidden), answer)


def _compared(numbers: Callable[[Masks], NDArray[Any]]) -> Callable[[Masks, Active], Clause]:
    """Ask for the runs with a number inside one of the ranges; no number is in none."""
    return lambda masks, a: _within(masks, numbers(masks), a)


def _within(masks: Masks, numbers: NDArray[Any], a: Active) -> Clause:
    found = np.zeros(len(numbers), bool)
    for value in a.values:
        one = np.ones(len(numbers), bool)
        for op, limit in value.comparisons:
            one &= COMPARED[op](numbers, limit) & ~np.isnan(numbers)
        found |= one
    return {"id": {"_in": masks.world.ids("run")[found].tolist()}}


def _found(masks: Masks, a: Active) -> Clause:
    """Ask the full-text index: every value must be found."""

    def ids(words: str) -> list[int]:
        asked = ("words", a.filter.level, words, masks.viewer.curator, masks.hidden)
        return masks.world.recent(asked, lambda: matching(masks.world.catalog, a.filter.level, words, masks.viewer))

    return {"_and": [{"id": {"_in": ids(value)}} for value in a.values]}


KNOWN: Mapping[str, Callable[[Masks, Active], Clause]] = {
    COMPLETE: _compared(completeness),
    BYTES: _compared(file_bytes),
    WORDS: _found,
}
"""What is known of rows, and the condition that a filter on it makes."""
