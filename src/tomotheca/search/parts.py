"""Documents of the index in the making: a part is what one owner and one gate share, so that it is seen or hidden as a whole."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from tomotheca.search import concepts
from tomotheca.search.fields import CODES, FIELD, FIELDS, LOCAL, POSITION
from tomotheca.search.text import terms, tokens

GAP = 4
"""Places between two values of a field, so that no phrase reaches from one into the other."""

END = concepts.SIGN + "end"
"""Term that stands behind the last word of a name, so that a query can be told to be the whole of it."""

GROUND_TRUTH = concepts.SIGN + "ground truth"
"""Term of documents that have ground truth."""

STRIDE = 64
"""Places that one prepared list of terms may take."""

HALF = 31
"""Bits of an identifier of a dataset or deposition."""

PLACES = {name: place << FIELD for place, name in enumerate(FIELDS)}


@dataclass(frozen=True, slots=True)
class Analysed:
    """The terms of a text with their positions, and how many words it has."""

    terms: tuple[tuple[str, int], ...]
    length: int
    concepts: tuple[concepts.Concept, ...]


@lru_cache(16384)
def analyse(text: str) -> Analysed:
    """Take a text apart."""
    words = tokens(text)
    found = [(term, place) for place, word in enumerate(words) for term in terms(word)]
    meant = tuple(concepts.find(words))
    found += [(f.concept.term, f.start) for f in meant]
    return Analysed(tuple(found), len(words), tuple(f.concept for f in meant))


@lru_cache(16384)
def prepare(values: tuple[tuple[str, str], ...]) -> tuple[tuple[tuple[str, int], ...], int]:
    """Take the values of fields apart that many documents have together.

    Returns
    -------
    tuple
        Terms with field and place, for `Part.add_prepared`, and the number of words.
    """
    found, start = [], 0
    for name, text in values:
        analysed = analyse(text)
        found += [
            (term, PLACES[name] + start + place) for term, place in analysed.terms if start + place < STRIDE - GAP
        ]
        start += analysed.length + GAP
    return tuple(found), start


@dataclass
class Part:
    """Documents, or pieces of documents, that are seen by the same people."""

    owner_kind: str
    owner: int
    gate: int | None
    kinds: array[int] = field(default_factory=lambda: array("b"))
    ids: array[int] = field(default_factory=lambda: array("i"))
    lengths: array[float] = field(default_factory=lambda: array("f"))
    names: list[list[str]] = field(default_factory=list)
    """Key and words of each document that has no number: objects and authors."""

    postings: defaultdict[str, array[int]] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    told: set[tuple[int, int]] = field(default_factory=set)
    """Depositions and objects of theirs that are in the depositions' documents."""

    _marked: set[int] = field(default_factory=set)
    _local: dict[tuple[str, Any], int] = field(default_factory=dict)
    _ends: dict[int, int] = field(default_factory=dict)

    def number(self, kind: str, key: int | str, *words: str) -> int:
        """Give the place of a document in this part; it is made if it is not there."""
        local = self._local.get((kind, key))
        if local is None:
            local = self._local[kind, key] = len(self.kinds)
            self.kinds.append(CODES[kind])
            self.lengths.append(0)
            if isinstance(key, int):
                self.ids.append(key)
            else:
                self.ids.append(len(self.names))
                self.names.append([key, *words])
        return local

    def add(self, local: int, name: str, text: str) -> Analysed:
        """Put a value of a field into a document."""
        found = analyse(text)
        base = local << LOCAL | PLACES[name]
        start = self._ends.get(base, 0)
        self._ends[base] = start + found.length + GAP
        if start + found.length < POSITION:
            for term, place in found.terms:
                self.postings[term].append(base + start + place)
        self.lengths[local] += found.length
        return found

    def name(self, local: int, name: str, text: str) -> Analysed:
        """Put what a document is called into it."""
        found = self.add(local, name, text)
        self.postings[END].append((local << LOCAL | PLACES[name]) + found.length)
        return found

    def add_prepared(self, local: int, prepared: Sequence[tuple[str, int]], length: int) -> None:
        """Put terms with their fields and places into a document, behind what was put there in this way before."""
        start = self._ends.get(~local, 0)
        self._ends[~local] = start + STRIDE
        base = (local << LOCAL) + start
        if start + STRIDE < POSITION:
            for term, place in prepared:
                self.postings[term].append(base + place)
        self.lengths[local] += length

    def mark(self, local: int, term: str) -> None:
        """Put a term into a document that is no word of it."""
        key = local << LOCAL
        if key not in self._marked:
            self._marked.add(key)
            self.postings[term].append(key)

    def add_meanings(self, local: int, meant: Iterable[concepts.Concept]) -> None:
        """Put other names of what a document is about into it."""
        for name in dict.fromkeys(name for concept in meant for name in concept.names):
            self.add(local, "terms", name)

    @property
    def identifier(self) -> int:
        """Number of the part: the same whenever it is written."""
        return (self.owner_kind == "deposition") << 2 * HALF | self.owner << HALF | (self.gate or 0)

    def row(self) -> tuple[Any, ...]:
        """Give the row of the table of parts."""
        return (
            self.identifier, self.owner_kind, self.kinds.tobytes(), self.ids.tobytes(), self.lengths.tobytes(), orjson.dumps(self.names).decode(), self.owner, self.gate,
        )  # fmt: skip

    def posting_rows(self) -> Iterator[tuple[str, int, bytes]]:
        """Give the rows of the table of postings."""
        number = self.identifier
        return ((term, number, keys.tobytes()) for term, keys in self.postings.items())
