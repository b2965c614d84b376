"""A query and the documents that a viewer sees -> what matches, how well, and in which fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tomotheca.search import asking
from tomotheca.search.fields import CODES, FIELD, FIELDS, INHERITED, KINDS, LOCAL, POSITION, RUN_NAMES, weight_table
from tomotheca.search.parts import END, GROUND_TRUTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.catalog.tables import Tables
    from tomotheca.search.asking import Clause, Query, Word
    from tomotheca.search.frame import Ask, View

BEGINNINGS = 300
"""Words that an unfinished word may become; the most used ones."""

OF_BEGINNING, OF_CONCEPT = 0.5, 0.9
"""Worth of a find by the beginning of a word, and by another name, compared with the word itself."""

SATURATION, LENGTH_SHARE = 6.0, 0.4
"""Of BM25: weight at which half of a clause's worth is reached, and how much a document's length counts."""

NEARBY = 0.6
"""Share of a clause's worth for standing right behind the clause before."""

WHOLE_NAME, EXACT_ID, TRUTH = 20.0, 100.0, 0.05
"""Boosts: the query is the whole name; it is the identifier; share for ground truth."""

EQUAL = 0.001
"""Scores that differ by less are equally good."""

DAY_BITS = 25
"""Room for a day of release, as YYYYMMDD, below a score."""

SHOWN = 20
"""Pieces of a document that are looked at to say in which fields something was found."""

LARGE = 60_000
"""Occurrences beyond which a word is too common for its neighbours to matter."""

NAMES = tuple(FIELDS.index(name) for name in ("title", "name", "objects", "authors"))
RUN, DATASET, NAME = CODES["run"], CODES["dataset"], FIELDS.index("name")
PRIVATE_FIELDS = tuple(FIELDS.index(name) for name in ("objects", "terms"))
"""What a run does not have from its dataset: objects stand at the runs that have them."""

WEIGHTS = weight_table()
FLAT = WEIGHTS.ravel()


@dataclass
class Finds:
    """Where a word or concept was found."""

    weights: NDArray[np.float64]
    """By document; 0 where it was not."""

    keys: Sequence[NDArray[np.int64]]
    """Occurrences, those of hidden pieces included; each list ascends."""

    terms: frozenset[str]
    fields: Sequence[str] = ()
    """Fields that were looked into; empty for all."""


@dataclass
class Outcome:
    """What a query finds."""

    query: Query
    view: View
    matched: NDArray[np.bool_]
    scores: NDArray[np.float64]
    finds: Sequence[Finds]
    clauses: Sequence[NDArray[np.bool_]] = ()
    """Documents that each clause holds for."""

    partial: bool = False
    """No document has all words; these have some."""

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Documents by kind."""
        return dict(zip(KINDS, self.view.frame.by_kind(self._found).tolist(), strict=True))

    @property
    def total(self) -> int:
        """Number of documents."""
        return len(self._found)

    @cached_property
    def _found(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.matched)

    def best(self, kind: str = "", *, limit: int = 20, offset: int = 0) -> NDArray[np.int64]:
        """Give documents, the best first; the newest first where they are equally good, then by kind and number."""
        frame, end = self.view.frame, offset + limit
        chosen = frame.of_kind(self._found, kind) if kind else self._found
        ranks = np.rint(self.scores[chosen] / EQUAL).astype(np.int64) << DAY_BITS | frame.released[chosen]
        if len(ranks) > end:
            least = np.partition(ranks, len(ranks) - end)[len(ranks) - end]
            better = np.flatnonzero(ranks > least)
            places = np.append(better, np.flatnonzero(ranks == least)[: end - len(better)])
            chosen, ranks = chosen[places], ranks[places]
        return chosen[np.lexsort((chosen, -ranks))][offset:end]

    def ids(self, kind: str) -> NDArray[np.int64]:
        """Give the numbers of the matching records of a kind, ascending."""
        frame = self.view.frame
        return frame.ids[frame.of_kind(self._found, kind)]

    @property
    def terms(self) -> frozenset[str]:
        """Every term that was looked for, for marking."""
        return frozenset().union(*(f.terms for f in self.finds))

    def fields(self, doc: int) -> tuple[str, ...]:
        """Give the fields of a document in which something was found, the weightiest first."""
        frame, view = self.view.frame, self.view
        found: set[str] = set()
        pieces = frame.pieces_of(doc)
        starts = pieces[view.pieces[pieces]] << LOCAL
        for finds in self.finds:
            for keys in finds.keys:
                firsts, lasts = np.searchsorted(keys, starts), np.searchsorted(keys, starts + (1 << LOCAL))
                for at in np.flatnonzero(lasts > firsts)[:SHOWN].tolist():
                    codes = {FIELDS[code] for code in ((keys[firsts[at] : lasts[at]] >> FIELD) & 0xFF).tolist()}
                    found |= codes & set(finds.fields) if finds.fields else codes
        return tuple(name for name in FIELDS if name in found)


@dataclass
class Search:
    """Runs one query for one viewer."""

    view: View
    ask: Ask
    tables: Tables
    query: Query
    direct: Mapping[Word, Sequence[int]] = field(default_factory=dict)
    """Documents that a word names by their identifier."""

    _postings: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    _becoming: dict[Word, dict[str, float]] = field(default_factory=dict)
    _words: dict[str, list[str]] = field(default_factory=dict)

    def run(self) -> Outcome:
        """Find the documents that have every word."""
        self._fetch()
        frame, docs = self.view.frame, self.view.docs
        excluded = np.zeros(frame.size, bool)
        for word in self.query.excluded:
            excluded |= self._word(word).weights > 0
        allowed = docs & ~excluded
        held, scores, finds = [], np.zeros(frame.size), []
        for clause in self.query.clauses:
            weights, found = self._clause(clause)
            marks = (weights > 0) & allowed
            held.append(marks)
            self._add_worth(scores, weights, marks)
            finds += found
        matched = np.logical_and.reduce(held) if held else np.zeros(frame.size, bool)
        self._boost(scores, held)
        return Outcome(self.query, self.view, matched, scores, finds, held)

    def some(self, outcome: Outcome) -> Outcome:
        """Give the documents that have the most of the words, where none has all."""
        number = np.sum(outcome.clauses, axis=0) if len(outcome.clauses) else np.zeros(self.view.frame.size, int)
        most = int(number.max(initial=0))
        matched = number == most if most else np.zeros(self.view.frame.size, bool)
        return Outcome(self.query, self.view, matched, outcome.scores, outcome.finds, outcome.clauses, partial=True)

    def _fetch(self) -> None:
        """Read everything that the query asks for at once."""
        wanted: set[str] = {GROUND_TRUTH, END}
        beginnings: dict[str, NDArray[np.int64]] = {}
        for word in (*self.query.words, *self.query.excluded):
            for token in word.tokens:
                wanted.update(asking.exact(token))
            if start := asking.beginnings(word):
                name, keys = self.view.frame.fetch_beginning(self.ask, self.tables, start, BEGINNINGS)
                self._becoming[word] = {name: OF_BEGINNING}
                beginnings[name] = keys
                self._words[name] = self.view.frame.words(self.ask, self.tables, start, BEGINNINGS)
        for clause in self.query.clauses:
            wanted.update(clause.concepts)
        self._postings = {**self.view.frame.fetch(self.ask, self.tables, wanted), **beginnings}

    def _clause(self, clause: Clause) -> tuple[NDArray[np.float64], list[Finds]]:
        words = [self._word(w) for w in clause.words]
        weights = words[0].weights.copy()
        for other in words[1:]:
            weights = np.where((weights > 0) & (other.weights > 0), weights + other.weights, 0)
        if not clause.concepts:
            return weights, words
        meant = self._collect([(t, OF_CONCEPT * len(words)) for t in clause.concepts], ())
        return np.maximum(weights, meant.weights), [*words, meant]

    def _word(self, word: Word) -> Finds:
        slots: list[dict[str, float]] = [asking.exact(t) for t in word.tokens]
        slots[-1] = {**self._becoming.get(word, {}), **slots[-1]}
        found = (
            self._collect(list(slots[-1].items()), word.fields) if len(slots) == 1 else self._phrase(slots, word.fields)
        )
        for doc in self.direct.get(word, ()):
            found.weights[doc] += FLAT.max()
        return found

    def _collect(self, terms: Iterable[tuple[str, float]], fields: Sequence[str]) -> Finds:
        """Add up where terms stand."""
        weights = np.zeros(self.view.frame.size)
        listed = list(terms)
        for place, (term, worth) in enumerate(listed):
            docs, found = self._weighed(term, tuple(fields))
            weights[docs] = worth * found + weights[docs] if place else worth * found
        return Finds(weights, [self._postings[t] for t, _ in listed], self._spelt(t for t, _ in listed), fields)

    def _spelt(self, terms: Iterable[str]) -> frozenset[str]:
        """Give terms, with the words that a beginning may become."""
        return frozenset(word for term in terms for word in (term, *self._words.get(term, ())))

    def _weighed(self, term: str, fields: tuple[str, ...]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Give the documents that have a term, and what it weighs in them."""
        kept = self.view.weighed.get((term, fields))
        if kept is None:
            dense = self._weigh(self._postings[term], fields)
            docs = np.flatnonzero(dense)
            kept = self.view.weighed.put((term, fields), (docs.astype(np.int32), dense[docs].astype(np.float32)))
        return kept

    def _phrase(self, slots: Sequence[Mapping[str, float]], fields: Sequence[str]) -> Finds:
        """Find tokens that follow each other."""
        keys = self._slot(slots[0])
        for place, slot in enumerate(slots[1:], 1):
            keys = keys[among(keys + place, self._slot(slot))]
        terms = self._spelt(t for slot in slots for t in slot)
        return Finds(self._weigh(keys, fields) * len(slots), [keys], terms, fields)

    def _slot(self, slot: Mapping[str, float]) -> NDArray[np.int64]:
        return merged([self._postings[t] for t in slot])

    def _weigh(self, keys: NDArray[np.int64], fields: Sequence[str]) -> NDArray[np.float64]:
        """Add up by document what occurrences weigh."""
        frame, view = self.view.frame, self.view
        if fields or not view.all_seen:
            chosen = view.pieces[keys >> LOCAL]
            if fields:
                chosen &= np.isin((keys >> FIELD) & 0xFF, [FIELDS.index(f) for f in fields])
            keys = keys[chosen]
        pieces, codes = keys >> LOCAL, (keys >> FIELD) & 0xFF
        docs, kinds = frame.piece_doc[pieces], frame.piece_kind[pieces]
        weights = np.bincount(docs, FLAT[kinds * len(FIELDS) + codes], frame.size).astype(np.float64)
        of_dataset, of_run = np.flatnonzero(kinds == DATASET), (kinds == RUN) & (codes == NAME)
        self._pass_down(weights, docs[of_dataset], codes[of_dataset])
        weights[distinct(frame.parents[docs[of_run]])] += RUN_NAMES
        return weights

    def _pass_down(self, weights: NDArray[np.float64], datasets: NDArray[np.int32], codes: NDArray[np.int64]) -> None:
        """Let runs have what their dataset has."""
        frame = self.view.frame
        shared = ~np.isin(codes, PRIVATE_FIELDS)
        if shared.any():
            theirs = np.bincount(datasets[shared], WEIGHTS[DATASET, codes[shared]], frame.size)
            weights[frame.runs] += INHERITED * theirs[frame.parents[frame.runs]]

    def _add_worth(self, scores: NDArray[np.float64], weights: NDArray[np.float64], marks: NDArray[np.bool_]) -> None:
        """Add BM25's worth of a clause; how rare it is counts within each kind."""
        docs = np.flatnonzero(marks)
        number = self.view.frame.by_kind(docs)
        rare = np.log1p((self.view.counts - number + 0.5) / (number + 0.5))
        found, worth = weights[docs], self.view.norms[docs]
        worth *= SATURATION * LENGTH_SHARE
        worth += SATURATION * (1 - LENGTH_SHARE)
        worth += found
        np.divide(found, worth, out=worth)
        worth *= np.repeat(rare * (SATURATION + 1), number)
        scores[docs] += worth

    def _boost(self, scores: NDArray[np.float64], held: Sequence[NDArray[np.bool_]]) -> None:
        scores *= self._truth()
        self._boost_neighbours(scores)
        self._boost_names(scores)
        for docs in self.direct.values() if len(self.query.words) == 1 else ():
            scores[list(docs)] += EXACT_ID

    def _truth(self) -> NDArray[np.float32]:
        """Give what the score of each document is multiplied with for its ground truth."""
        if self.view.truth is None:
            truth = np.ones(self.view.frame.size, np.float32)
            truth[self._weigh(self._postings[GROUND_TRUTH], ()) > 0] += TRUTH
            self.view.truth = truth
        return self.view.truth

    def _boost_neighbours(self, scores: NDArray[np.float64]) -> None:
        """Prefer documents where words follow each other as in the query."""
        words = self.query.words
        frame = self.view.frame
        for one, other in pairwise(words):
            if one.quoted or other.quoted:
                continue
            first, second = self._slot(asking.exact(one.tokens[-1])), self._slot(asking.exact(other.tokens[0]))
            if max(len(first), len(second)) > LARGE:
                continue
            near = first[among(first + 1, second)] >> LOCAL
            docs = distinct(frame.piece_doc[near[self.view.pieces[near]]])
            scores[docs] *= 1 + NEARBY / len(words)

    def _beginning(self, term: str) -> NDArray[np.int64]:
        """Give the occurrences of a term at the beginning of a name."""
        kept = self.view.frame.postings.get(f"{term} ")
        if kept is None:
            keys = self._postings[term]
            keys = keys[keys & POSITION == 0]
            kept = self.view.frame.postings.put(f"{term} ", keys[np.isin((keys >> FIELD) & 0xFF, NAMES)])
        return kept

    def _boost_names(self, scores: NDArray[np.float64]) -> None:
        """Prefer documents whose whole name is the query."""
        tokens = [t for w in self.query.words for t in w.tokens]
        if not tokens or any(w.fields for w in self.query.words):
            return
        keys = merged([self._beginning(t) for t in asking.exact(tokens[0])])
        for place, token in enumerate(tokens[1:], 1):
            keys = keys[among(keys + place, self._slot(asking.exact(token)))]
        keys = keys[among(keys + len(tokens), self._postings[END])]
        pieces = keys >> LOCAL
        scores[distinct(self.view.frame.piece_doc[pieces[self.view.pieces[pieces]]])] += WHOLE_NAME


def among(keys: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which keys are among others; both ascend, and none comes twice."""
    few, many = sorted((keys, others), key=len)
    places = np.searchsorted(many, few)
    there = many[np.minimum(places, len(many) - 1)] == few if len(few) else np.zeros(0, bool)
    if few is keys:
        return np.asarray(there)
    marks = np.zeros(len(keys), bool)
    marks[places[there]] = True
    return marks


def merged(listed: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Give ascending keys as one ascending list, each once."""
    listed = [keys for keys in listed if len(keys)] or listed[:1]
    return listed[0] if len(listed) == 1 else distinct(np.concatenate(listed))


def distinct(numbers: NDArray[Any]) -> NDArray[Any]:
    """Give each number once, ascending; sorting is many times faster than the hashing of `np.unique`."""
    ordered = np.sort(numbers)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered
