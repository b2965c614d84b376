"""From a column and a row to fields of a drawer: label, text, links. Follows the schema's markers; a few values have a rule of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomotheca.web import format as formats
from tomotheca.web import links
from tomotheca.web.format import NOT_RECORDED, Badge
from tomotheca.web.links import Piece
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from tomotheca.schema.core import Column
    from tomotheca.web.people import People

LONG = 240
AXES = ("x", "y", "z")


@dataclass(frozen=True, slots=True)
class Value:
    """One value: pieces of text with links, and how it is set."""

    pieces: tuple[Piece, ...]
    style: str = ""
    """`missing`, `long`, `code`, `matrix`, `date`, `citation`, or nothing."""

    badge: Badge | None = None
    people: People | None = None
    help: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A label with its values."""

    label: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A small table inside a drawer."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a drawer."""

    name: str
    fields: tuple[Field, ...] = ()
    grid: Grid | None = None
    open: bool = True
    note: str = ""


MISSING = Value((Piece(NOT_RECORDED),), "missing")
NONE = Value((Piece("None"),), "missing")


def plain(text: str, *, href: str = "", external: bool = False, style: str = "", help: str = "") -> Value:
    """Make a value of a text."""
    return Value((Piece(text, href, external),), style, help=help)


def field(name: str, value: Any) -> Field:
    """Make a field of a text, a value or several values."""
    if isinstance(value, Value):
        return Field(name, (value,))
    if isinstance(value, tuple | list):
        return Field(name, tuple(value) or (MISSING,))
    return Field(name, (plain(str(value)) if value not in {None, ""} else MISSING,))


Rule = Callable[[Any, Mapping[str, Any]], Value]


def badge_value(badge: Badge) -> Value:
    """Make a value of a badge."""
    return Value((Piece(say(badge.text)),), badge=badge)


RULES: Mapping[str, Rule] = {
    "tilt_series_quality": lambda v, _: badge_value(formats.quality(v)),
    "tilt_range": lambda v, row: plain(formats.tilt_range(v, row["tilt_min"], row["tilt_max"])),
    "acceleration_voltage": lambda v, _: plain(formats.voltage(v)),
    "confidence_precision": lambda v, row: badge_value(formats.confidence(v, ground_truth=row["ground_truth_status"])),
    "confidence_recall": lambda v, row: badge_value(formats.confidence(v, ground_truth=row["ground_truth_status"])),
    "ground_truth_status": lambda v, _: badge_value(formats.GROUND_TRUTH) if v else plain(formats.boolean(v)),
    "major_defocus": lambda v, _: plain(formats.defocus(v), help=formats.quantity(v, "Å")),
    "minor_defocus": lambda v, _: plain(formats.defocus(v), help=formats.quantity(v, "Å")),
    "licence": lambda v, _: plain(v, href=f"https://spdx.org/licenses/{v}.html", external=True),
}
"""Columns whose value is written in a way that unit and type do not tell."""

EVEN_MISSING = frozenset({"tilt_series_quality", "confidence_precision", "confidence_recall"})
"""Columns whose rule also says what a missing value is."""


def value_of(column: Column, row: Mapping[str, Any]) -> Value:
    """Give the value of one column as it is shown."""
    raw = row[column.name]
    rule = RULES.get(column.name)
    if rule and (raw is not None or column.name in EVEN_MISSING):
        return rule(raw, row)
    if raw is None or raw == "":
        return MISSING
    if column.enum:
        return plain(label(column.enum, raw))
    match column.type.__name__:
        case "list":
            return plain(matrix(raw), style="matrix")
        case "bool":
            return plain(formats.boolean(raw))
        case "datetime":
            return plain(formats.date(raw), style="date")
        case "int" | "float" if not column.ontology:
            return plain(formats.quantity(raw, column.unit))
    return _text(column, str(raw))


def _text(column: Column, text: str) -> Value:
    if column.ontology:
        prefix = column.ontology.prefix
        shown = f"{prefix}{text}" if prefix and prefix[0].isupper() else text
        target = links.ontology(text, prefix)
        return plain(shown, href=target, external=bool(target))
    if column.location:
        return plain(text, style="code")
    return Value(links.pieces(text), "long" if len(text) > LONG else "")


def matrix(raw: Any) -> str:
    """Write a matrix stored as JSON text, one row per line."""
    rows = json.loads(raw) if isinstance(raw, str) else raw
    if not rows or not isinstance(rows[0], list):
        return formats.text(raw)
    written = [[formats.number(v, 4) for v in row] for row in rows]
    width = max(len(text) for row in written for text in row)
    return "\n".join("  ".join(text.rjust(width) for text in row) for row in written)


def sections(columns: Sequence[Column], row: Mapping[str, Any]) -> dict[str, list[Field]]:
    """Give every field that the schema puts into a drawer, by section, in the schema's order."""
    found: dict[str, list[Field]] = {}
    for group in _grouped([c for c in columns if c.drawer]):
        drawer = group[0].drawer
        assert drawer is not None
        found.setdefault(drawer.section, []).append(_field(group, row))
    return found


def _grouped(columns: Sequence[Column]) -> list[list[Column]]:
    """Put x, y and z of one vector together, and a term with its identifier."""
    groups: list[list[Column]] = []
    for c in columns:
        if groups and (_continues(groups[-1], c) or _identifies(groups[-1], c)):
            groups[-1].append(c)
        else:
            groups.append([c])
    return groups


def _stem(column: Column) -> tuple[str, str]:
    stem, _, axis = title(column).rpartition(" ")
    return (stem, axis) if axis in AXES else ("", "")


def _continues(group: Sequence[Column], column: Column) -> bool:
    stem, axis = _stem(column)
    return bool(stem) and len(group) < len(AXES) and axis == AXES[len(group)] and _stem(group[0]) == (stem, "x")


def _identifies(group: Sequence[Column], column: Column) -> bool:
    head = group[0]
    return (
        len(group) == 1
        and column.ontology is not None
        and title(column).startswith(title(head) + " ")
        and column.drawer is not None
    )


def title(column: Column) -> str:
    """Give the label of a column with a capital letter."""
    text = column.label.strip()
    return text[:1].upper() + text[1:]


def _field(group: Sequence[Column], row: Mapping[str, Any]) -> Field:
    head = group[0]
    if len(group) == 1:
        return Field(title(head), (value_of(head, row),))
    if len(group) == len(AXES):
        parts = [row[c.name] for c in group]
        text = formats.vector(parts, head.unit or ("px" if head.type is int else "Å"))
        return Field(_stem(head)[0], (MISSING if all(p is None for p in parts) else plain(text),))
    term, identifier = (value_of(c, row) for c in group)
    if identifier.style == "missing" or identifier.pieces == term.pieces:
        return Field(title(head), (term,))
    return Field(title(head), (term, identifier) if term.style != "missing" else (identifier,))
