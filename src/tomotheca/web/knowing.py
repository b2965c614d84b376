"""What is known of runs beyond their columns: how complete they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tomotheca.catalog.masks import COMPARED
from tomotheca.search.library import matching
from tomotheca.web.filtering import WORDS
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


def _complete_enough(masks: Masks, a: Active) -> Clause:
    numbers = completeness(masks)
    found = np.zeros(len(numbers), bool)
    for value in a.values:
        one = np.ones(len(numbers), bool)
        for op, limit in value.comparisons:
            one &= COMPARED[op](numbers, limit)
        found |= one
    return {"id": {"_in": masks.world.ids("run")[found].tolist()}}


def _found(masks: Masks, a: Active) -> Clause:
    """Ask the full-text index: every value must be found."""

    def ids(words: str) -> list[int]:
        asked = ("words", a.filter.level, words, masks.viewer.curator, masks.hidden)
        return masks.world.recent(asked, lambda: matching(masks.world.catalog, a.filter.level, words, masks.viewer))

    return {"_and": [{"id": {"_in": ids(value)}} for value in a.values]}


KNOWN: Mapping[str, Callable[[Masks, Active], Clause]] = {"completeness": _complete_enough, WORDS: _found}
"""What is known of rows, and the condition that a filter on it makes."""
