"""The bundled table of objects, organisms and methods: which words mean the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from tomotheca.search.text import terms, tokens

TABLE = Path(__file__).parent / "terms.tsv"
SIGN = "="
"""Begins the term of a concept, which no word can be."""

BINOMIAL = re.compile(r"([A-Z])[a-z]+ ([a-z]{3,})")


@dataclass(frozen=True, slots=True)
class Concept:
    """Something that has several names."""

    identifier: str
    """Accession number, or nothing for a method."""

    name: str
    names: tuple[str, ...]
    """All names, the first one included."""

    @property
    def term(self) -> str:
        """Term that stands in the index wherever one of the names does."""
        return SIGN + (self.identifier or self.name)


@dataclass(frozen=True, slots=True)
class Found:
    """A concept in a list of tokens, from `start` to before `end`."""

    concept: Concept
    start: int
    end: int


def abbreviated(organism: str) -> str:
    """Give the short form of a species name: ``S. pombe``; nothing for any other text."""
    found = BINOMIAL.fullmatch(organism.strip())
    return f"{found[1]}. {found[2]}" if found else ""


@cache
def concepts() -> tuple[Concept, ...]:
    """Read the bundled table."""
    found = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            identifier, name, others = line.split("\t")
            names = [name, *others.split("|")]
            if identifier.startswith("NCBITaxon:") and (short := abbreviated(name)):
                names.append(short)
            found.append(Concept(identifier, name, tuple(names)))
    return tuple(found)


@cache
def _by_first() -> dict[str, tuple[tuple[tuple[str, ...], Concept], ...]]:
    """Give the names as terms by the first of them, longest first."""
    found: dict[str, list[tuple[tuple[str, ...], Concept]]] = {}
    for concept in concepts():
        for name in concept.names:
            key = tuple(terms(t)[0] for t in tokens(name))
            found.setdefault(key[0], []).append((key, concept))
    return {first: tuple(sorted(entries, key=lambda e: -len(e[0]))) for first, entries in found.items()}


@cache
def by_identifier() -> dict[str, Concept]:
    """Give the concepts by accession number, in capitals."""
    return {c.identifier.upper(): c for c in concepts() if c.identifier}


def find(words: Sequence[str]) -> Iterator[Found]:
    """Find the concepts in a list of tokens, the longest name at each place."""
    known, start = _by_first(), 0
    singular = [terms(w)[0] for w in words]
    while start < len(singular):
        for key, concept in known.get(singular[start], ()):
            if tuple(singular[start : start + len(key)]) == key:
                yield Found(concept, start, start + len(key))
                start += len(key) - 1
                break
        start += 1


@lru_cache(4096)
def normal(identifier: str) -> str:
    """Give an accession number in its one form: ``go_0005840`` and ``GO 0005840`` are ``GO:0005840``."""
    return re.sub(r"^\s*([A-Za-z]+)\s*[:_ -]\s*", r"\1:", identifier).strip().upper().replace("CVCL:", "CVCL_")


FEW = 4
"""Letters of a single unfinished word that may become a name."""


def beginning(words: Sequence[str]) -> tuple[str, ...]:
    """Give the terms of concepts of which a name begins with these tokens; the last one may be unfinished."""
    if len(words) == 1 and len(words[0]) < FEW:
        return ()
    *whole, last = words
    singular = tuple(terms(w)[0] for w in whole)
    known = _by_first()
    names = (
        known.get(singular[0], ())
        if singular
        else [e for first, es in known.items() if first.startswith(last) for e in es]
    )
    return tuple(sorted({
        concept.term for key, concept in names
        if len(key) > len(singular) and key[: len(singular)] == singular and key[len(singular)].startswith(last)
    }))  # fmt: skip
