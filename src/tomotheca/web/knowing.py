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
    from tomotheca.settings import Weights
    from tomotheca.web.filters import Active


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a complete run has."""

    label: str
    name: str
    """Name of its weight among the settings."""

    clause: Clause

    def weight(self, weights: Weights) -> int:
        """Give what it counts for."""
        return int(getattr(weights, self.name))


def _typed(kind: str, name: str, more: Sequence[Clause] = ()) -> Item:
    text, relation, clause = DATA_TYPES[kind]
    own: Clause = {relation: clause}
    return Item(text, name, {"_or": [own, *more]} if more else own)


ITEMS = (
    _typed("raw-frames", "frames"),
    _typed("gain", "gain", [{"frames": {"is_gain_corrected": {"_eq": True}}}]),
    _typed("mdoc", "mdoc"),
    _typed("tilt-series", "tilt_series"),
    Item("Tilt angles", "angles", {"tiltseries": {"s3_angle_list": {"_is_null": False}}}),
    Item("Dose per section", "dose", {"frames": {"exposure_dose": {"_is_null": False}}}),
    _typed("ctf", "ctf"),
    _typed("tilt-series-alignment", "alignment"),
    _typed("tomogram", "tomogram"),
    _typed("annotation", "annotation"),
)
"""What a complete run has; what each counts for is a setting."""


def marks(masks: Masks) -> Mapping[str, NDArray[np.bool_]]:
    """Mark, for each item, the runs that have it."""

    def answer() -> Mapping[str, NDArray[np.bool_]]:
        return {item.label: masks.holds("run", item.clause) for item in ITEMS}

    return masks.world.keep(("items", masks.viewer.curator, masks.hidden), answer)


def completeness(masks: Masks, weights: Weights) -> NDArray[np.int64]:
    """Give the completeness of every run, in per cent; 100 only where nothing is missing."""

    def answer() -> NDArray[np.int64]:
        found = np.zeros(len(masks.world.ids("run")), np.int64)
        for item in ITEMS:
            found += item.weight(weights) * marks(masks)[item.label]
        return found * 100 // weights.total

    return masks.world.keep(("completeness", weights, masks.viewer.curator, masks.hidden), answer)


@dataclass(frozen=True, slots=True)
class Complete:
    """How complete a run is, in per cent, and what it lacks."""

    share: int
    lacking: tuple[str, ...]


def complete(masks: Masks, runs: Sequence[int], weights: Weights) -> dict[int, Complete]:
    """Say of runs how complete they are; what counts for nothing is not missed."""
    at = np.searchsorted(masks.world.ids("run"), np.array(runs, np.int64))
    wanted = [item.label for item in ITEMS if item.weight(weights)]
    shares, has = completeness(masks, weights), marks(masks)
    return {
        run: Complete(int(shares[place]), tuple(text for text in wanted if not has[text][place]))
        for run, place in zip(runs, at.tolist(), strict=True)
    }


def resolved(masks: Masks, active: Sequence[Active], weights: Weights) -> tuple[Active, ...]:
    """Turn filters on what is known of rows into filters on identifiers."""
    return tuple(_resolved(masks, a, weights) if a.filter.rows else a for a in active)


def _resolved(masks: Masks, a: Active, weights: Weights) -> Active:
    clause = KNOWN[a.filter.rows](masks, a, weights)
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


def _within(masks: Masks, numbers: NDArray[Any], a: Active) -> Clause:
    """Ask for the runs with a number inside one of the ranges; no number is in none."""
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


KNOWN: Mapping[str, Callable[[Masks, Active, Weights], Clause]] = {
    COMPLETE: lambda masks, a, weights: _within(masks, completeness(masks, weights), a),
    BYTES: lambda masks, a, _: _within(masks, file_bytes(masks), a),
    WORDS: lambda masks, a, _: _found(masks, a),
}
"""What is known of rows, and the condition that a filter on it makes."""
