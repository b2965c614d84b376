"""Filters as data: one entry per filter, from which panel, query, counts and sentences are derived.

A facet marked in the schema becomes an entry by itself; the entries written out here say more than a column can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from tomotheca.schema.vocabulary import QUALITY, label
from tomotheca.web.format import NOT_RATED, NOT_RECORDED
from tomotheca.web.grammar import NONE, Bounds, bounds, check_text, contains, identifiers, words

if TYPE_CHECKING:
    from tomotheca.catalog.query import Clause
    from tomotheca.schema import Schema
    from tomotheca.schema.core import Column
    from tomotheca.web.address import Address

Widget = Literal["list", "flag", "text", "range", "least"]
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

    words: Callable[[Any], str] = str
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


def _in(column: str, values: Sequence[Any]) -> Clause:
    known = [v for v in values if v != NONE]
    if NONE not in values:
        return {column: {"_in": known}}
    terms: list[Clause] = [{column: {"_is_null": True}}]
    return {"_or": [*terms, {column: {"_in": known}}]} if known else terms[0]


def _below(relation: str, clause: Clause) -> Clause:
    return {relation: clause} if relation else clause


def from_column(kind: str, column: Column) -> Filter:
    """Derive a filter from a facet that the schema declares."""
    facet = column.facet
    assert facet is not None
    level, via = LEVELS[kind]
    name = column.name
    base = Filter(
        facet.number, facet.parameter, facet.label, facet.section, level, "list", check_text, lambda vs: _below(via, _in(name, vs)),
        words=lambda v: option_label(column, v), kind=kind, column=name, unit=column.unit,
        on=frozenset({level}) if level in {"dataset", "deposition"} else DATASET_LISTINGS,
    )  # fmt: skip
    if column.type is bool:
        return replace(
            base, widget="flag", parse=_true, clause=lambda _: _below(via, {name: {"_eq": True}}), words=lambda _: "yes"
        )
    if column.type in {int, float}:
        return replace(
            base,
            widget="range",
            parse=bounds,
            clause=lambda vs: _below(via, _any([{name: b.clause} for b in vs])),
            words=_bounds_words,
        )
    if column.choices:
        return replace(base, parse=_choice(column))
    return base


def _bounds_words(value: Bounds) -> str:
    return value.words


def _true(text: str) -> bool:
    if text.lower() not in {"true", "yes", "1", "on"}:
        raise ValueError(text)
    return True


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
        return NOT_RECORDED
    return label(column.enum, value) if column and column.enum else str(value)


def _any(clauses: Sequence[Clause]) -> Clause:
    return clauses[0] if len(clauses) == 1 else {"_or": list(clauses)}


def _score(text: str) -> Any:
    if text == NONE:
        return text
    score = int(text[:1])
    if score not in QUALITY:
        raise ValueError(text)
    return score


def score_label(value: Any) -> str:
    """Give the words for a quality score."""
    return f"{value} – {QUALITY[value][0]}" if value in QUALITY else NOT_RATED.text


DATA_TYPES: Mapping[str, tuple[str, str, Clause]] = {
    "annotation": ("Annotations", "annotations", {}),
    "tomogram": ("Tomograms", "tomograms", {}),
    "raw-frames": ("Raw frames", "frames", {"s3_frame_path": {"_is_null": False}}),
    "tilt-series": ("Tilt series", "tiltseries", {}),
    "ctf": ("CTF", "per_section_parameters", {"major_defocus": {"_is_null": False}}),
    "tilt-series-alignment": ("Alignment", "alignments", {}),
    "gain": ("Gain reference", "gain_files", {}),
    "mdoc": ("mdoc", "frame_acquisition_files", {}),
}
"""What a run may hold: value -> label, relation, condition. The same for filters, contents and completeness."""


def _data_type(text: str) -> str:
    if text not in DATA_TYPES:
        raise ValueError(text)
    return text


def _files(values: Sequence[str]) -> Clause:
    return {"_and": [{DATA_TYPES[v][1]: DATA_TYPES[v][2]} for v in values]}


def _runs(values: Sequence[Bounds]) -> Clause:
    return {"runs_aggregate": {"count": {"predicate": values[0].clause}}}


def _authors(values: Sequence[str]) -> Clause:
    return _any([{"authors": {"_and": [{"name": contains(w)} for w in words(v)]}} for v in values])


def _search(values: Sequence[str]) -> Clause:
    return {"_and": [_any([{"title": contains(w)}, {"description": contains(w)}]) for v in values for w in words(v)]}


def _search_datasets(values: Sequence[str]) -> Clause:
    return {"_and": [_word_anywhere(w) for v in values for w in words(v)]}


def _word_anywhere(word: str) -> Clause:
    text = contains(word)
    columns = (
        "title",
        "description",
        "organism_name",
        "related_database_entries",
        "cell_name",
        "cell_component_name",
        "sample_preparation",
    )
    terms: list[Clause] = [{c: text} for c in columns]
    objects = _any([{"annotations": {"object_name": text}}, {"identified_objects": {"object_name": text}}])
    terms += [{"authors": {"name": text}}, {"runs": objects}]
    if word.upper().removeprefix("DS-").isdigit():
        terms.append({"id": {"_in": list(_ids_or_none(word))}})
    return {"_or": terms}


def _ids_or_none(word: str) -> tuple[int, ...]:
    try:
        return identifiers(word)
    except ValueError:
        return ()


def _id_words(value: Sequence[int]) -> str:
    return ", ".join(map(str, value))


def _organism_of_deposition(values: Sequence[Any]) -> Clause:
    dataset = _in("organism_name", values)
    return _any(
        [
            {"datasets": dataset},
            {"annotations": {"run": {"dataset": dataset}}},
            {"tomograms": {"run": {"dataset": dataset}}},
        ]
    )


ANYWHERE = frozenset({"dataset", "run", "annotation"})
WRITTEN = (
    Filter(
        "F1", "files", "Data types", "Contents", "run", "list", _data_type, _files, lambda v: DATA_TYPES[v][0], all_required=True, help="must contain all of the chosen types, in one run"
    ),
    Filter("F2", "ground_truth", "Ground truth available", "Contents", "annotation", "flag", _true, lambda _: {"ground_truth_status": {"_eq": True}}, lambda _: "available",
           on=ANYWHERE, kind="annotation", column="ground_truth_status"),
    Filter("F3", "runs", "Number of runs", "Contents", "dataset", "least", bounds, _runs, _bounds_words, on=frozenset({"dataset"}), steps=("1", "2", "5", "10", "20", "50", "100")),
    Filter("F7", "dataset_id", "Dataset IDs", "Name/ID", "dataset", "text", identifiers, lambda vs: {"id": {"_in": [i for v in vs for i in v]}}, _id_words, on=frozenset({"dataset"}), help="one or more, separated by commas"),
    Filter("F14", "author", "Author", "Name/ID", "dataset", "text", check_text, _authors, on=frozenset({"dataset"})),
    Filter("F14", "author", "Author", "Name/ID", "deposition", "text", check_text, _authors, on=frozenset({"deposition"})),
    Filter("F17", "organism", "Organism name", "Sample", "deposition", "text", check_text, _organism_of_deposition, on=frozenset({"deposition"})),
    Filter("F21", "object", "Object name", "Object", "annotation", "list", check_text, lambda vs: _in("object_name", vs), on=ANYWHERE | {"deposition"}, kind="annotation", column="object_name", identified=True),
    Filter("S4", "search", "Search", "", "dataset", "text", check_text, _search_datasets, on=frozenset({"dataset"})),
    Filter("S4", "search", "Search", "", "deposition", "text", check_text, _search, on=frozenset({"deposition"})),
)  # fmt: skip


def _reworked(found: Filter, column: Column) -> Filter:
    """Change what a column cannot say of its filter."""
    if found.parameter == "quality_score":
        return replace(
            found, widget="list", parse=_score, words=score_label, clause=lambda vs: {column.name: {"_in": [column.missing if v == NONE else v for v in vs]}},
            help="Given by the dataset authors; compare only inside one dataset.",
        )  # fmt: skip
    if found.parameter == "run-name":
        return replace(found, widget="text", clause=lambda vs: _any([{column.name: contains(v)} for v in vs]))
    if found.parameter == "object-count":
        return replace(found, widget="least", steps=("1", "10", "50", "100", "200", "500", "1000"))
    if found.parameter == "object_shape":
        return replace(found, on=ANYWHERE)
    if found.level == "annotation":
        return replace(found, on=ANYWHERE)
    if found.level == "tomogram":
        return replace(found, on=DATASET_LISTINGS | {"tomogram"})
    return found


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


def run_terms(active: Sequence[Active], *, skip: str = "") -> list[Clause]:
    """Give the conditions that one and the same run must meet; `skip` leaves one level out."""
    terms = [] if skip == "run" else _terms(active, "run")
    for level, relation in RELATIONS.items():
        inner = _terms(active, level)
        if not inner or level == skip:
            continue
        there: Clause = {relation: {"_and": inner}}
        if level == "annotation" and all(a.filter.identified for a in active if a.filter.level == level):
            there = {"_or": [there, {"identified_objects": {"_and": inner}}]}
        terms.append(there)
    return terms


def compose(listing: str, active: Sequence[Active]) -> Clause:
    """Give the clause of a listing: every filter holds, run-level ones for one and the same run."""
    if listing == "deposition":
        return {
            "_and": [
                *_terms(active, "deposition"),
                *({r: {"_and": t}} for lv, r in RELATIONS.items() if (t := _terms(active, lv))),
            ]
        }
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
                yield Sentence(f"{a.filter.label}: {a.filter.words(value)}", str(rest.drop(a.filter.parameter, text)))
            continue
        said = " or ".join(dict.fromkeys(a.filter.words(v) for v in a.values))
        yield Sentence(f"{a.filter.label}: {said}", str(rest.without([a.filter.parameter])))
