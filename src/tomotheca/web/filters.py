"""Filters as data: one entry per filter, from which panel, query, counts and sentences are derived.

A facet marked in the schema becomes an entry by itself; the entries written out here say more than a column can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from tomotheca.schema.vocabulary import QUALITY
from tomotheca.web.filtering import DATASET_LISTINGS, LEVELS, SECTIONS, Filter, chosen, either
from tomotheca.web.filterset import WRITTEN, bounds_words, true
from tomotheca.web.format import NOT_RATED, NOT_RECORDED
from tomotheca.web.grammar import NONE, bounds, check_text, contains
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.catalog.query import Clause
    from tomotheca.schema import Schema
    from tomotheca.schema.core import Column
    from tomotheca.web.address import Address


def _below(relation: str, clause: Clause) -> Clause:
    return {relation: clause} if relation else clause


def from_column(kind: str, column: Column) -> Filter:
    """Derive a filter from a facet that the schema declares."""
    facet = column.facet
    assert facet is not None
    level, via = LEVELS[kind]
    name = column.name
    base = Filter(
        facet.number, facet.parameter, facet.label, facet.section, level, "list", check_text, lambda vs: _below(via, chosen(name, vs)),
        words=lambda v: option_label(column, v), kind=kind, column=name, unit=column.unit,
        on=frozenset({level}) if level == "deposition" else DATASET_LISTINGS,
    )  # fmt: skip
    if column.type is bool:
        return replace(
            base,
            widget="flag",
            parse=true,
            clause=lambda _: _below(via, {name: {"_eq": True}}),
            words=lambda _: say("yes"),
        )
    if column.type in {int, float}:
        return replace(
            base,
            widget="range",
            parse=bounds,
            clause=lambda vs: _below(via, either([{name: b.clause} for b in vs])),
            words=bounds_words,
        )
    if column.choices:
        return replace(base, parse=_choice(column))
    return base


def _choice(column: Column) -> Callable[[str], str]:
    codes = {c.lower(): c for c in column.choices} | {c.lower().replace("_", " "): c for c in column.choices}

    def parse(text: str) -> str:
        if text == NONE:
            return text
        if text.lower() not in codes:
            raise ValueError(text)
        return codes[text.lower()]

    return parse


def option_label(column: Column | None, value: Any) -> str:
    """Give the words for one option of a list."""
    if value in {None, NONE}:
        return say(NOT_RECORDED)
    return label(column.enum, value) if column and column.enum else str(value)


def _score(text: str) -> Any:
    if text == NONE:
        return text
    score = int(text[:1])
    if score not in QUALITY:
        raise ValueError(text)
    return score


def score_label(value: Any) -> str:
    """Give the words for a quality score."""
    return f"{value} – {say(QUALITY[value][0])}" if value in QUALITY else say(NOT_RATED.text)


PARTS_TOO = frozenset({"dataset", "run", "annotation"})


def _reworked(found: Filter, column: Column) -> Filter:
    """Change what a column cannot say of its filter."""
    if found.parameter == "quality_score":
        return replace(
            found, widget="list", parse=_score, words=score_label, clause=lambda vs: {column.name: {"_in": [column.missing if v == NONE else v for v in vs]}},
            help="Given by the dataset authors; compare only inside one dataset.",
        )  # fmt: skip
    if found.parameter == "run-name":
        return replace(found, widget="text", clause=lambda vs: either([{column.name: contains(v)} for v in vs]))
    if found.parameter == "object-count":
        return replace(found, widget="least", steps=("1", "10", "50", "100", "200", "500", "1000"))
    if found.parameter == "object_shape":
        return replace(found, on=PARTS_TOO)
    if found.level == "annotation":
        return replace(found, on=PARTS_TOO)
    if found.level == "tomogram":
        return replace(found, on=DATASET_LISTINGS | {"tomogram"})
    return found


@cache
def registry(schema: Schema, listing: str) -> tuple[Filter, ...]:
    """Give the filters of a listing in the order of the panel."""
    derived = [
        _reworked(from_column(e.kind, c), c)
        for e in schema
        if e.kind in LEVELS
        for c in schema.columns(e.kind)
        if c.facet
    ]
    written = {f.parameter for f in WRITTEN if listing in f.on}
    found = [f for f in WRITTEN if listing in f.on] + [
        f for f in derived if listing in f.on and f.parameter not in written
    ]
    order = {name: place for place, name in enumerate(SECTIONS)}
    return tuple(sorted(found, key=lambda f: (order.get(f.section, -1), _numbered(f.number))))


def _numbered(number: str) -> int:
    return int(number[1:]) if number[1:].isdigit() else len(SECTIONS) * 100


@dataclass(frozen=True)
class Active:
    """A filter that is set, with its values as written and as understood."""

    filter: Filter
    texts: tuple[str, ...]
    values: tuple[Any, ...]


def read(filters: Sequence[Filter], address: Address) -> tuple[tuple[Active, ...], tuple[str, ...]]:
    """Give the filters that are set, and what could not be understood."""
    active, ignored = [], []
    for f in filters:
        texts, values = [], []
        for text in address.all(f.parameter):
            try:
                values.append(f.parse(text))
                texts.append(text)
            except ValueError:
                ignored.append(f"{f.parameter}={text[:80]}")
        if values:
            active.append(Active(f, tuple(texts), tuple(values)))
    return tuple(active), tuple(ignored)


RELATIONS: Mapping[str, str] = {"annotation": "annotations", "tomogram": "tomograms", "tiltseries": "tiltseries"}


def _terms(active: Sequence[Active], level: str) -> list[Clause]:
    return [a.filter.clause(a.values) for a in active if a.filter.level == level]


def _with_parts(active: Sequence[Active], skip: str, *, identified: bool) -> list[Clause]:
    """Give the conditions on parts: all of one level hold for one and the same part."""
    terms: list[Clause] = []
    for level, relation in RELATIONS.items():
        here = [a for a in active if a.filter.level == level and a.filter.widget != "mode"]
        if level == skip or not any(a.filter.clause(a.values) for a in here):
            continue
        for chosen_ones in apart(here, active) if level == "annotation" else [here]:
            inner = _terms(chosen_ones, level)
            there: Clause = {relation: {"_and": inner}}
            if level == "annotation" and identified and all(a.filter.identified for a in here):
                there = {"_or": [there, {"identified_objects": {"_and": inner}}]}
            terms.append(there)
    return terms


def apart(here: Sequence[Active], active: Sequence[Active]) -> list[list[Active]]:
    """Give the sets of filters that each need a part of their own: one for every object where all named objects are wanted."""
    here = [a for a in here if a.filter.widget != "mode"]
    modes = [a.values[-1] for a in active if a.filter.widget == "mode"]
    separate = [a for a in here if a.filter.separate]
    if modes != ["all"] or not separate:
        return [list(here)]
    rest = [a for a in here if not a.filter.separate]
    return [
        [*rest, replace(a, texts=(t,), values=(v,))] for a in separate for t, v in zip(a.texts, a.values, strict=True)
    ]


def run_terms(active: Sequence[Active], *, skip: str = "") -> list[Clause]:
    """Give the conditions that one and the same run must meet; `skip` leaves one level out."""
    terms = [] if skip == "run" else _terms(active, "run")
    return [*terms, *_with_parts(active, skip, identified=True)]


def group_terms(listing: str, active: Sequence[Active], *, skip: str = "") -> list[Clause]:
    """Give the conditions that a row must meet as a whole: a run, or for depositions the deposition itself."""
    return _with_parts(active, skip, identified=False) if listing == "deposition" else run_terms(active, skip=skip)


def compose(listing: str, active: Sequence[Active]) -> Clause:
    """Give the clause of a listing: every filter holds, run-level ones for one and the same run."""
    if listing == "deposition":
        return {"_and": [*_terms(active, "deposition"), *group_terms(listing, active)]}
    if listing in RELATIONS:
        return {"_and": _terms(active, listing)}
    runs, datasets = run_terms(active), _terms(active, "dataset")
    if listing == "run":
        return {"_and": [*runs, *([{"dataset": {"_and": datasets}}] if datasets else [])]}
    return {"_and": [*datasets, *([{"runs": {"_and": runs}}] if runs else [])]}


@dataclass(frozen=True, slots=True)
class Sentence:
    """An active filter in words, with the link that takes it away."""

    text: str
    remove: str


def sentences(active: Sequence[Active], address: Address) -> Iterator[Sentence]:
    """Say what is set."""
    for a in active:
        rest = address.without(["page"])
        if a.filter.all_required:
            for text, value in zip(a.texts, a.values, strict=True):
                yield Sentence(
                    f"{say(a.filter.label)}: {a.filter.words(value)}", str(rest.drop(a.filter.parameter, text))
                )
            continue
        said = say(" or ").join(dict.fromkeys(a.filter.words(v) for v in a.values))
        yield Sentence(f"{say(a.filter.label)}: {said}", str(rest.without([a.filter.parameter])))
