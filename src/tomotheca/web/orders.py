"""What lists can be sorted by: for each listed row a number, from the catalogue's columns as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tomotheca.catalog.vectors import place
from tomotheca.web.tables import natural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.web.facets import Scope
    from tomotheca.web.tables import Order

    Keys = NDArray[np.float64]
    Key = Callable[[Scope], Keys]

MISSING = np.nan
"""Stands where a row has nothing to be sorted by."""

FEW = 20
"""One of so many rows is sorted by itself; of more, the order of all rows is kept and those that are not listed left out."""


def arranged(scope: Scope, ids: NDArray[np.int64], order: Order, keys: Mapping[str, Key]) -> list[int]:
    """Put identifiers of listed rows in order: missing values last, ties by identifier."""
    world = scope.masks.world
    every = world.ids(scope.listing)
    if len(ids) * FEW < len(every):
        few: list[int] = _sorted(scope, ids, order, keys).tolist()
        return few
    question = ("arranged", scope.listing, tuple(order.keys), scope.viewer.curator, scope.masks.hidden)
    arrangement = world.term(question, lambda: place(_sorted(scope, every, order, keys), every))
    listed = np.zeros(len(every), bool)
    listed[np.searchsorted(every, ids)] = True
    most: list[int] = every[arrangement[listed[arrangement]]].tolist()
    return most


def _sorted(scope: Scope, ids: NDArray[np.int64], order: Order, keys: Mapping[str, Key]) -> NDArray[np.int64]:
    world = scope.masks.world
    places = np.searchsorted(world.ids(scope.listing), ids)
    terms: list[NDArray[np.float64]] = [ids.astype(np.float64)]
    for name, descending in reversed(order.keys):
        if name == "id":
            values = ids.astype(np.float64)
        else:
            kept = ("order", scope.listing, name, scope.viewer.curator, scope.masks.hidden)
            values = world.keep(kept, lambda name=name: keys[name](scope))[places]  # type: ignore[misc]  # a default binds the name
        missing = np.isnan(values)
        terms += [np.where(missing, 0.0, -values if descending else values), missing.astype(np.float64)]
    arrangement: NDArray[np.int64] = ids[np.lexsort(terms)]
    return arrangement


def column(name: str, *, empty: Sequence[object] = (None, "")) -> Key:
    """Sort by a column of the listed rows; text in natural order, so that ``run_2`` stands before ``run_10``."""

    def keys(scope: Scope) -> Keys:
        coded = scope.masks.world.column(scope.listing, name)
        present = [v for v in coded.values if v not in empty]
        rank = {v: float(place) for place, v in enumerate(sorted(present, key=natural))}
        ranks = np.fromiter((rank.get(v, MISSING) for v in coded.values), np.float64, len(coded.values))
        return ranks[coded.codes] if len(ranks) else np.zeros(0)

    return keys


def _owners(scope: Scope, kind: str) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Mark the rows of a kind that count, and give the listed row each of them counts for."""
    at = scope.owner_at(kind)
    rows = scope.masks.visible(kind) & (at >= 0)
    return rows, at[rows]


def counted(kind: str) -> Key:
    """Sort by the number of rows of a kind."""
    return lambda scope: np.bincount(_owners(scope, kind)[1], minlength=len(scope.listed)).astype(np.float64)


def distinct(kind: str, name: str) -> Key:
    """Sort by the number of different values of a column."""

    def keys(scope: Scope) -> Keys:
        rows, at = _owners(scope, kind)
        coded = scope.masks.world.column(kind, name)
        wide = max(len(coded.values), 1)
        pairs = np.unique(at * wide + coded.codes[rows])
        return np.bincount(pairs // wide, minlength=len(scope.listed)).astype(np.float64)

    return keys


def _values(scope: Scope, kind: str, name: str, rows: NDArray[np.bool_]) -> Keys:
    coded = scope.masks.world.column(kind, name)
    values = np.fromiter((MISSING if v is None else float(v) for v in coded.values), np.float64, len(coded.values))
    return values[coded.codes[rows]] if len(values) else np.zeros(0)


def least(kind: str, name: str) -> Key:
    """Sort by the smallest value of a column."""

    def keys(scope: Scope) -> Keys:
        rows, at = _owners(scope, kind)
        values = _values(scope, kind, name, rows)
        found, known = np.full(len(scope.listed), np.inf), ~np.isnan(values)
        np.minimum.at(found, at[known], values[known])
        return np.where(np.isinf(found), MISSING, found)

    return keys


def most(kind: str, name: str) -> Key:
    """Sort by the largest value of a column."""

    def keys(scope: Scope) -> Keys:
        rows, at = _owners(scope, kind)
        values = _values(scope, kind, name, rows)
        found, known = np.full(len(scope.listed), -np.inf), ~np.isnan(values)
        np.maximum.at(found, at[known], values[known])
        return np.where(np.isinf(found), MISSING, found)

    return keys


def total(kind: str, name: str) -> Key:
    """Sort by the sum of a column."""

    def keys(scope: Scope) -> Keys:
        rows, at = _owners(scope, kind)
        values = np.nan_to_num(_values(scope, kind, name, rows))
        return np.bincount(at, weights=values, minlength=len(scope.listed)).astype(np.float64)

    return keys


def mean(kind: str, name: str, *, without: float | None = None) -> Key:
    """Sort by the mean of a column; one value may stand for none."""

    def keys(scope: Scope) -> Keys:
        rows, at = _owners(scope, kind)
        values = _values(scope, kind, name, rows)
        known = ~np.isnan(values) if without is None else ~np.isnan(values) & (values != without)
        number = np.bincount(at[known], minlength=len(scope.listed))
        sums = np.bincount(at[known], weights=values[known], minlength=len(scope.listed))
        return np.where(number > 0, sums / np.maximum(number, 1), MISSING)

    return keys


def related(kind: str, key: Key) -> Key:
    """Sort by a number of the row of another kind that the listed row belongs to."""

    def keys(scope: Scope) -> Keys:
        other = key(replace(scope, listing=kind, within=None))
        at = scope.masks.world.places(scope.listing, f"{kind}_id", kind)
        found: Keys = np.append(other, MISSING)[at]
        return found

    return keys
