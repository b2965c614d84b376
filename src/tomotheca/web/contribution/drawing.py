"""The form as the template draws it: every question with what was typed and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tomotheca.search.concepts import concepts
from tomotheca.web.contribution.asking import SECTIONS
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.web.contribution.asking import Ask, Section
    from tomotheca.web.contribution.checking import Problem
    from tomotheca.web.contribution.typed import Row, Typed

ORGANISM = "NCBITaxon:"


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to choose."""

    value: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One question as it is drawn."""

    name: str
    label: str
    widget: str
    value: str
    options: tuple[Option, ...]
    help: str
    unit: str
    required: bool
    longest: int
    suggests: str
    complete: str
    error: str

    @property
    def described(self) -> str:
        """Identifiers of the texts that say more."""
        return " ".join([f"h-{self.name}"] * bool(self.help) + [f"e-{self.name}"] * bool(self.error))


@dataclass(frozen=True, slots=True)
class Group:
    """The questions about one thing."""

    number: int
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A section as it is drawn."""

    id: str
    title: str
    help: str
    each: str
    groups: tuple[Group, ...]
    full: bool
    """No more can be added."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word that a box suggests."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Form:
    """The whole form."""

    parts: tuple[Part, ...]
    problems: tuple[Problem, ...]
    lists: Mapping[str, tuple[Suggestion, ...]]


def draw(typed: Typed, problems: Sequence[Problem] = ()) -> Form:
    """Draw the form."""
    said = {p.name: p.message for p in problems}
    return Form(tuple(_part(section, typed, said) for section in SECTIONS), tuple(problems), suggestions())


def _part(section: Section, typed: Typed, said: Mapping[str, str]) -> Part:
    if not section.each:
        asked = tuple(_question(a, a.name, typed.all(a.name), said) for a in section.asks)
        return Part(section.id, section.title, section.help, "", (Group(0, asked),), full=True)
    rows: tuple[Row, ...] = typed.rows.get(section.each, ()) or ({},)
    groups = tuple(Group(n, tuple(_of_row(section, n, row, said))) for n, row in enumerate(rows, 1))
    return Part(section.id, section.title, section.help, section.each, groups, len(groups) >= section.most)


def _of_row(section: Section, number: int, row: Row, said: Mapping[str, str]) -> Iterator[Question]:
    for ask in section.asks:
        value = row.get(ask.name, "")
        yield _question(ask, f"{section.each}-{number}-{ask.name}", (value,) if value else (), said)


def _question(ask: Ask, name: str, values: Sequence[str], said: Mapping[str, str]) -> Question:
    options = tuple(Option(code, text, code in values) for code, text in ask.choices)
    return Question(
        name, ask.label, ask.widget, next(iter(values), ""), options, ask.help, ask.unit, ask.required, ask.longest, ask.suggests,
        ask.complete, said.get(name, ""),
    )  # fmt: skip


@cache
def suggestions() -> Mapping[str, tuple[Suggestion, ...]]:
    """Give what the bundled table of terms suggests, by the name of the list."""
    known = [c for c in concepts() if c.identifier]
    objects = [c for c in known if not c.identifier.startswith((ORGANISM, "CVCL"))]
    return {
        "objects": tuple(Suggestion(c.name, c.identifier) for c in objects),
        "object-ids": tuple(Suggestion(c.identifier, c.name) for c in objects),
        "organisms": tuple(
            Suggestion(c.name, f"{ORGANISM}{c.identifier.removeprefix(ORGANISM)}")
            for c in known
            if c.identifier.startswith(ORGANISM)
        ),
    }


def answers(typed: Typed, hidden: frozenset[str]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Give what was answered by section, in words; questions whose answers are hidden are left out."""
    found = []
    for section in SECTIONS:
        if section.each:
            lines = [
                (f"{say(section.each.capitalize())} {n}", "; ".join(_words(a, (row[a.name],)) for a in section.asks if row.get(a.name) and a.name not in hidden))
                for n, row in typed.filled(section.each)
            ]  # fmt: skip
        else:
            lines = [
                (a.label, say("Yes") if a.widget == "tick" else _words(a, typed.all(a.name)))
                for a in section.asks
                if typed.all(a.name) and a.name not in hidden
            ]
        if lines:
            found.append((section.title, tuple(lines)))
    return tuple(found)


def _words(ask: Ask, values: Sequence[str]) -> str:
    if ask.widget == "tick":
        return say(ask.label)
    text = ", ".join(say(dict(ask.choices).get(v, v)) for v in values)
    return f"{text} {ask.unit}" if ask.unit else text
