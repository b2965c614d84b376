"""What a visitor writes into the search box -> a query: words, phrases, exclusions, fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tomotheca.search import concepts
from tomotheca.search.fields import ASKABLE
from tomotheca.search.text import terms, tokens

PIECE = re.compile(r'(?P<minus>(?<!\S)-)?(?:(?P<field>[A-Za-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<bare>[^\s"]+))')
SPACED = re.compile(r"(?<![A-Za-z0-9])(ds|rn|dep|czcdp|empiar|emd|go|chebi|ncbitaxon)[ _]+(?=\d)", re.IGNORECASE)
"""An identifier with a space in it."""

LONGEST, MOST = 300, 24
"""Characters and words of a query; what is beyond is not looked at."""

SHORTEST_BEGINNING = 2
"""Letters of an unfinished word."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word or phrase that a document must have, or must not."""

    tokens: tuple[str, ...]
    start: int
    end: int
    """Where it stands in the text."""

    fields: tuple[str, ...] = ()
    """Fields in which it must stand; empty for any."""

    quoted: bool = False
    unfinished: bool = False
    """Its last token may be the beginning of a word."""


@dataclass(frozen=True, slots=True)
class Clause:
    """Something that must hold: all of the words stand in the document, or a concept with one of the terms does."""

    words: tuple[Word, ...]
    concepts: tuple[str, ...] = ()

    @property
    def span(self) -> tuple[int, int]:
        """Where it stands in the text."""
        return self.words[0].start, self.words[-1].end


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for."""

    text: str
    clauses: tuple[Clause, ...]
    excluded: tuple[Word, ...] = ()

    @property
    def words(self) -> tuple[Word, ...]:
        """All words that must be there."""
        return tuple(w for c in self.clauses for w in c.words)


def parse(text: str) -> Query:
    """Read a query. Nothing in it is an error: what means nothing is left out."""
    text = SPACED.sub(r"\1-", " ".join(text.split())[:LONGEST])
    required: list[Word] = []
    excluded: list[Word] = []
    for found in PIECE.finditer(text):
        (excluded if found["minus"] else required).extend(_words(found))
    required = required[:MOST]
    if required and not required[-1].quoted:
        required[-1] = replace(required[-1], unfinished=True)
    return Query(text, tuple(_clauses(required)), tuple(excluded[:MOST]))


def _words(found: re.Match[str]) -> Iterator[Word]:
    """Cut a piece: a name with hyphens is several words, but what has a number in it stays together."""
    fields = ASKABLE.get((found["field"] or "").lower(), ())
    quoted = found["quoted"]
    text, place = (quoted, found.start("quoted")) if quoted is not None else (found["bare"], found.start("bare"))
    if found["field"] and not fields:
        place = found.start("field")
        text = f"{found['field']}:{text}"
    parts = tuple(tokens(text))
    if not parts:
        return
    if quoted is not None or any(p.isdigit() for p in parts):
        yield Word(parts, place, place + len(text), fields, quoted is not None)
        return
    for piece in re.finditer(r"[^-_\u2010-\u2015/]+", text):
        if inner := tuple(tokens(piece[0])):
            yield Word(inner, place + piece.start(), place + piece.end(), fields)


def _clauses(words: Sequence[Word]) -> Iterator[Clause]:
    """Put words together that name a concept, or may be going to."""
    places = [n for n, w in enumerate(words) for _ in w.tokens]
    found = list(_concepts(words, places))
    start = 0
    while start < len(words):
        here = next((f for f in found if f[0] == start), None)
        end = here[1] if here else start + 1
        yield Clause(tuple(words[start:end]), here[2] if here else ())
        start = end


def _concepts(words: Sequence[Word], places: Sequence[int]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Give the concepts that whole words name: first word, word after the last, terms."""
    flat = [t for w in words for t in w.tokens]
    taken = 0
    for f in concepts.find(flat):
        first, last = places[f.start], places[f.end - 1]
        whole = (f.start == 0 or places[f.start - 1] != first) and (f.end == len(flat) or places[f.end] != last)
        if whole and not any(w.quoted or w.fields for w in words[first : last + 1]):
            taken = last + 1
            yield first, last + 1, (f.concept.term,)
    if not words or words[-1].quoted or words[-1].fields or taken == len(words):
        return
    for first in range(taken, len(words)):
        if places.count(first) and (meant := concepts.beginning(flat[places.index(first) :])):
            if not any(w.quoted or w.fields for w in words[first:]):
                yield first, len(words), meant
            return


def beginnings(word: Word) -> str:
    """Give the beginning of a word that the last token may be, or nothing."""
    last = word.tokens[-1]
    return last if word.unfinished and (last.isdigit() or len(last) >= SHORTEST_BEGINNING) else ""


def exact(token: str) -> dict[str, float]:
    """Give the terms that stand for a whole token, with what a find is worth."""
    return {term: 1.0 - 0.1 * place for place, term in enumerate(terms(token))}
