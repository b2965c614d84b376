"""The search of one catalogue: what every page and filter asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from tomotheca.search import asking, frame
from tomotheca.search.engine import Outcome, Search
from tomotheca.search.fields import CODES, LOCAL
from tomotheca.search.parts import Part
from tomotheca.search.spelling import allowed
from tomotheca.search.text import singular

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.search.asking import Query, Word
    from tomotheca.search.frame import Frame, View

NUMBERED = ("dataset", "run", "deposition")
"""Kinds of documents that are found by their number."""

OTHER_PREFIXES: Mapping[str, str] = {"czcdp": "deposition"}
ENOUGH = 3
"""Finds from which no spelling is doubted."""

RARER = 20
"""How many times more often another word must be used to be meant in place of one that is there."""

MOST_DIGITS = 9


@dataclass(frozen=True)
class Answer:
    """What a search found."""

    asked: str
    outcome: Outcome
    corrected: str = ""
    """Query that was answered in place of the one that was asked."""

    without: tuple[tuple[str, int], ...] = ()
    """Where nothing has all words: the query without one of them, and what it finds."""


@dataclass
class Library:
    """Searches a catalogue; it keeps the documents of the present state in memory."""

    catalog: Catalog
    pages: Callable[[], Part] = lambda: Part("page", 0, None)
    """Gives the pages of documentation."""

    prefixes: dict[str, str] = field(default_factory=dict)
    """What stands before a number, in small letters, and the kind it means."""

    _frame: Frame | None = None
    _views: dict[tuple[str, bool], View] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        kinds = {self.catalog.schema.kinds[k].prefix.rstrip("-").lower(): k for k in NUMBERED}
        self.prefixes = {**kinds, **OTHER_PREFIXES, **self.prefixes}

    def answer(self, text: str, viewer: Viewer, *, verbatim: bool = False) -> Answer:
        """Search; words that are not known are corrected, unless `verbatim` forbids it.

        Returns
        -------
        Answer
            With partial matches where no document has all words.
        """
        with self.catalog.together():
            session = _Session(self, viewer)
            search = session.search(asking.parse(text))
            outcome = search.run()
            if outcome.total < ENOUGH and not verbatim and (other := session.corrected(outcome)):
                again = session.search(asking.parse(other))
                found = again.run()
                if found.total > outcome.total:
                    return Answer(text, found, other)
            if outcome.total or not outcome.query.clauses:
                return Answer(text, outcome)
            return Answer(text, search.some(outcome), without=tuple(without(outcome)))

    def matching(self, kind: str, text: str, viewer: Viewer) -> list[int]:
        """Give the numbers of the datasets, runs or depositions that match, ascending."""
        with self.catalog.together():
            outcome = _Session(self, viewer).search(asking.parse(text)).run()
        found: list[int] = outcome.ids(kind).tolist()
        return found

    def objects(self, identifier: str, viewer: Viewer) -> list[str]:
        """Give the names of the objects that have an ontology identifier, written as `concepts.normal` does."""
        with self.catalog.together():
            view = self.view(viewer)
        docs = np.flatnonzero(view.docs & (view.frame.kinds == CODES["object"]))
        names = (view.frame.names[number] for number in view.frame.ids[docs].tolist())
        return [n.words[0] for n in names if n.key.startswith(f"{identifier}|")]

    def view(self, viewer: Viewer) -> View:
        """Give the documents that a viewer sees, in the state that the transaction sees."""
        catalog = self.catalog
        stamp = catalog.stamp(viewer)
        version = stamp.partition(".")[0]
        with self._lock:
            if self._frame is None or self._frame.version != version:
                self._frame = frame.load(catalog.rows, catalog.tables, version, self.pages())
                self._views = {}
            key = (stamp, viewer.curator)
            if key not in self._views:
                self._views = {k: v for k, v in self._views.items() if k[1] != viewer.curator}
                self._views[key] = frame.View(self._frame, viewer, catalog.masks(viewer, stamp).hidden)
            return self._views[key]


_opening = Lock()


def library(catalog: Catalog) -> Library:
    """Give the search of a catalogue; it lives as long as the catalogue does."""
    with _opening:
        found: Library = vars(catalog).setdefault("_library", None) or Library(catalog)
        vars(catalog)["_library"] = found
        return found


def matching(catalog: Catalog, kind: str, text: str, viewer: Viewer) -> list[int]:
    """Give the numbers of the datasets, runs or depositions that match a text and that a viewer sees, ascending."""
    return library(catalog).matching(kind, text, viewer)


@dataclass
class _Session:
    """One search; whoever begins it holds a transaction."""

    library: Library
    viewer: Viewer

    @cached_property
    def view(self) -> View:
        return self.library.view(self.viewer)

    def search(self, query: Query) -> Search:
        direct = {w: docs for w in query.words if (docs := self._direct(self.view, w))}
        return Search(self.view, self.library.catalog.rows, self.library.catalog.tables, query, direct)

    def _direct(self, view: View, word: Word) -> list[int]:
        *prefix, number = word.tokens
        if not number.isdigit() or len(number) > MOST_DIGITS or len(prefix) > 1 or word.quoted:
            return []
        kinds = NUMBERED if not prefix else (self.library.prefixes.get(prefix[0], ""),)
        places = [view.frame.place(kind, int(number)) for kind in kinds if kind]
        return [p for p in places if p >= 0 and view.docs[p]]

    def corrected(self, outcome: Outcome) -> str:
        """Give the query with words as they were meant, or nothing."""
        text = outcome.query.text
        for clause, held in reversed(list(zip(outcome.query.clauses, outcome.clauses, strict=True))):
            if held.sum() >= ENOUGH:
                continue
            for word in reversed(clause.words):
                meant = [self._meant(outcome.view, t) for t in word.tokens]
                if any(m != t for m, t in zip(meant, word.tokens, strict=True)):
                    text = (
                        text[: word.start]
                        + _rewritten(text[word.start : word.end], word.tokens, meant)
                        + text[word.end :]
                    )
        return text if text != outcome.query.text else ""

    def _meant(self, view: View, token: str) -> str:
        if not allowed(token):
            return token
        catalog, here = self.library.catalog, self._frequency(view, asking.exact(token))
        for other in view.frame.vocabulary(catalog.rows, catalog.tables).near(singular(token)):
            there = self._frequency(view, {other: 1.0})
            if there > RARER * here:
                return other
        return token

    def _frequency(self, view: View, terms: Mapping[str, float]) -> int:
        """Count the occurrences of terms that the viewer sees."""
        found = view.frame.fetch(self.library.catalog.rows, self.library.catalog.tables, terms)
        return int(sum(view.pieces[keys >> LOCAL].sum() for keys in found.values()))


def _rewritten(text: str, tokens: Sequence[str], meant: Sequence[str]) -> str:
    """Put other tokens into a word as it was written."""
    for token, other in zip(tokens, meant, strict=True):
        if token != other:
            text, number = re.subn(re.escape(token), other, text, count=1, flags=re.IGNORECASE)
            if not number:
                return " ".join(meant)
    return text


def without(outcome: Outcome) -> list[tuple[str, int]]:
    """Give the query without each of its clauses, and what it finds."""
    found, text = [], outcome.query.text
    if len(outcome.clauses) > 1:
        for place, clause in enumerate(outcome.query.clauses):
            others = [c for n, c in enumerate(outcome.clauses) if n != place]
            start, end = clause.span
            rest = " ".join((text[:start].rstrip('"') + text[end:].lstrip('"')).split())
            if number := int(np.logical_and.reduce(others).sum()):
                found.append((rest, number))
    return sorted(found, key=lambda f: -f[1])
