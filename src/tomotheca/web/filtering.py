"""What a filter is, and the clauses that filters are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tomotheca.web.grammar import NONE
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.query import Clause

Widget = Literal["list", "flag", "text", "range", "least", "choice", "mode"]
Level = Literal["dataset", "run", "tiltseries", "tomogram", "annotation", "deposition"]

SECTIONS = (
    "Contents",
    "Name/ID",
    "Sample",
    "Object",
    "Annotation",
    "Hardware",
    "Tilt series",
    "Tomogram",
    "Dates",
    "Other",
)
OPEN = frozenset({"Contents", "Name/ID", "Sample", "Object", "Tomogram"})
DATASET_LISTINGS = frozenset({"dataset", "run"})
LEVELS: Mapping[str, tuple[Level, str]] = {
    "dataset": ("dataset", ""), "run": ("run", ""), "tiltseries": ("tiltseries", ""), "tomogram": ("tomogram", ""),
    "annotation": ("annotation", ""), "annotation_shape": ("annotation", "annotation_shapes"), "deposition": ("deposition", ""),
    "deposition_type": ("deposition", "deposition_types"),
}  # fmt: skip
"""Where a facet of each kind is asked, and the relation that leads there."""


WORDS, COMPLETE, BYTES = "words", "completeness", "bytes"
"""Values of `Filter.rows`: what full-text search finds, how complete runs are, the bytes of their files."""

OWN = frozenset({"F6", "F49"})
"""Numbers of filters on the listed row itself: on another listing they mean another row, so no link takes them there."""


def said(value: Any) -> str:
    """Write a value as it is; say of what asks for nothing recorded what it asks for."""
    return say("Not recorded") if value == NONE else str(value)


@dataclass(frozen=True)
class Filter:
    """One filter."""

    number: str
    parameter: str
    label: str
    section: str
    level: Level
    widget: Widget
    parse: Callable[[str], Any]
    clause: Callable[[Sequence[Any]], Clause]
    """From parsed values to the condition on a row of the level."""

    words: Callable[[Any], str] = said
    """One value as the sentence shows it."""

    on: frozenset[str] = DATASET_LISTINGS
    """Kinds of rows whose listing offers the filter."""

    kind: str = ""
    """Kind of entity that the counted column is of, where options are counted."""

    column: str = ""
    all_required: bool = False
    identified: bool = False
    """Holds for identified objects too while no other filter asks about annotations."""

    help: str = ""
    steps: tuple[str, ...] = ()
    """Values offered by a `least` widget."""

    unit: str = ""
    options: tuple[str, ...] = ()
    """Values offered by a `choice` widget."""

    rare: bool = False
    """Stands behind a fold until it is set."""

    separate: bool = False
    """Each value may need a row of its own; see ``object-mode``."""

    rows: str = ""
    """What is known of rows that the condition asks for, where the clause language has no words for it; see `knowing`."""


def chosen(column: str, values: Sequence[Any]) -> Clause:
    """Ask for one of some values; `NONE` stands for what is not recorded."""
    known = [v for v in values if v != NONE]
    if NONE not in values:
        return {column: {"_in": known}}
    terms: list[Clause] = [{column: {"_is_null": True}}]
    return {"_or": [*terms, {column: {"_in": known}}]} if known else terms[0]


def either(clauses: Sequence[Clause]) -> Clause:
    """Ask for one of some clauses."""
    return clauses[0] if len(clauses) == 1 else {"_or": list(clauses)}
