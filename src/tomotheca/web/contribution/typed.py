"""What was typed into the form: names to values, with the rows of repeated groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tomotheca.web.contribution.asking import TRAP, Section, repeated, single

ROW = re.compile(r"([a-z]+)-(\d{1,3})-(.+)")
HARD_LIMIT = 10_000
"""Characters that are kept of an answer, whatever its own limit: what is too long is shown again, to be shortened."""

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Typed:
    """Everything in one form."""

    values: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, tuple[Row, ...]]
    """By the word for one of the things (author): what was typed of each."""

    trap: str = ""

    def first(self, name: str) -> str:
        """Give the answer to a question that is asked once."""
        return next(iter(self.values.get(name, ())), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Give every answer to a question."""
        return self.values.get(name, ())

    def filled(self, each: str) -> tuple[tuple[int, Row], ...]:
        """Give the rows in which something was typed, with their numbers from 1."""
        return tuple((number, row) for number, row in enumerate(self.rows.get(each, ()), 1) if any(row.values()))

    def more(self, section: Section) -> Typed:
        """Give the form with an empty row more."""
        rows = self.rows.get(section.each, ())
        return self.with_rows(section.each, (*(rows or ({},)), {})[: section.most])

    def fewer(self, section: Section, number: int) -> Typed:
        """Give the form without a row."""
        rows = self.rows.get(section.each, ())
        return self.with_rows(section.each, (*rows[: number - 1], *rows[number:]))

    def with_rows(self, each: str, rows: tuple[Row, ...]) -> Typed:
        """Give the form with other rows."""
        return Typed(self.values, {**self.rows, each: rows}, self.trap)

    def pairs(self) -> dict[str, tuple[str, ...]]:
        """Give everything that is not empty by the names of the form, as it is kept."""
        found = {name: values for name, values in self.values.items() if any(values)}
        for each in self.rows:
            for place, (_, row) in enumerate(self.filled(each), 1):
                found |= {f"{each}-{place}-{name}": (value,) for name, value in row.items() if value}
        return found


def read(pairs: Iterable[tuple[str, str]]) -> Typed:
    """Read the names and values of a form; what the form does not ask is left out."""
    once, groups = {a.name for a in single()}, {s.each: s for s in repeated()}
    values: dict[str, tuple[str, ...]] = {}
    numbered: dict[str, dict[int, dict[str, str]]] = {each: {} for each in groups}
    trap = ""
    for name, given in pairs:
        value = clean(given)
        if name in once:
            values[name] = (*values.get(name, ()), value) if value else values.get(name, ())
        elif name == TRAP:
            trap = value
        elif (found := ROW.fullmatch(name)) and _asked(groups.get(found[1]), int(found[2]), found[3]):
            numbered[found[1]].setdefault(int(found[2]), {})[found[3]] = value
    rows = {each: tuple(row for _, row in sorted(by.items())) for each, by in numbered.items()}
    return Typed(values, rows, trap)


def _asked(group: Section | None, number: int, name: str) -> bool:
    return group is not None and 1 <= number <= group.most and name in {a.name for a in group.asks}


def stored(form: Mapping[str, tuple[str, ...]]) -> Typed:
    """Read a form as it is kept."""
    return read((name, value) for name, values in form.items() for value in values)


def clean(text: str) -> str:
    """Take out what nobody types: control characters but line ends, and space around."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in plain if c == "\n" or c.isprintable() or c == "\u00a0")[:HARD_LIMIT].strip()


def heading(typed: Typed) -> str:
    """Give the title, or what stands for it."""
    return " ".join(typed.first("title").split()) or "Without a title"
