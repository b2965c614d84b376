"""Literals out of a query's text, so that queries that differ only in numbers and strings share one plan.

The official client writes every identifier into the text. ``{runs(where: {id: {_eq: 5}}) {name}}`` becomes the canonical text
``{runs(where: {id: {_eq: 0}}) {name}}`` and the value 5; a list of numbers, however long, becomes ``[0]``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import orjson

NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?"
STRING = r'"(?:[^"\\\r\n]|\\.)*"'
LITERAL = re.compile(
    r'"""(?:[^"\\]|\\"""|\\|"(?!""))*"""'
    r"|\#[^\r\n]*"
    rf"|(?P<number>(?<![\w$.]){NUMBER}(?![\w.]))"
    rf'|(?P<string>{STRING})(?!")'
    rf"|(?P<numbers>\[[\s,]*-?\d+(?:[\s,]+-?\d+)*[\s,]*\])"
    rf"|(?P<strings>\[[\s,]*{STRING}(?:[\s,]*{STRING})*[\s,]*\])"
)
INTROSPECTION = re.compile(r"\b__(?:schema|type)\b")
LIMIT = 1 << 31


@dataclass(frozen=True, slots=True)
class Lifted:
    """A text without its literals."""

    text: str
    """Canonical text."""

    values: tuple[Any, ...]
    places: tuple[int, ...]
    """Where the literals stand in the canonical text."""

    shifts: tuple[int, ...]
    """How far the text after each literal stands from where it was."""

    def original(self, offset: int) -> int:
        """Give the place in the original text."""
        before = bisect_right(self.places, offset - 1)
        return offset + (self.shifts[before - 1] if before else 0)


def lift(text: str) -> Lifted:
    """Take the literals out of a text. A text that asks for the schema itself is left alone."""
    if INTROSPECTION.search(text):
        return Lifted(text, (), (), ())
    parts: list[str] = []
    values: list[Any] = []
    places: list[int] = []
    shifts: list[int] = []
    end = length = 0
    for match in LITERAL.finditer(text):
        found = _value(match)
        if found is None:
            continue
        put, value = found
        length += match.start() - end
        parts += text[end : match.start()], put
        places.append(length)
        length += len(put)
        end = match.end()
        values.append(value)
        shifts.append(end - length)
    return Lifted("".join((*parts, text[end:])), tuple(values), tuple(places), tuple(shifts))


def _value(match: re.Match[str]) -> tuple[str, Any] | None:
    """Give what stands for a literal in the canonical text, and its value; None to leave it."""
    kind, found = match.lastgroup, match.group()
    try:
        if kind == "number":
            value = orjson.loads(found)
            return (
                None
                if isinstance(value, int) and not -LIMIT <= value < LIMIT
                else ("0" if isinstance(value, int) else "0.0", value)
            )
        if kind == "string":
            return '""', orjson.loads(found)
        if kind == "numbers":
            numbers = orjson.loads("[" + ",".join(found[1:-1].replace(",", " ").split()) + "]")
            return ("[0]", numbers) if min(numbers) >= -LIMIT and max(numbers) < LIMIT else None
        if kind == "strings":
            return '[""]', [orjson.loads(item) for item in re.findall(STRING, found)]
    except orjson.JSONDecodeError:  # \u{...} and other things that JSON does not have: the parser reads them
        return None
    return None


def whole(text: str) -> Lifted:
    """Give a text as it is."""
    return Lifted(text, (), (), ())
