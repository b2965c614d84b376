"""The documents of the index as arrays, for one state of the catalogue, and who may see which."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np
import orjson
import sqlalchemy as sa

from tomotheca.catalog.viewer import Hidden, seen
from tomotheca.search.fields import CODES, KINDS, LOCAL
from tomotheca.search.spelling import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.catalog.tables import Tables
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.search.parts import Part

Ask = Callable[[sa.Executable], Sequence[sa.Row[Any]]]

Weighed = tuple["NDArray[np.int32]", "NDArray[np.float32]"]
NAMED = frozenset({CODES["object"], CODES["author"], CODES["doc"]})
"""Kinds of documents that have a key instead of a number."""

KEPT = 32 << 20
"""Bytes of postings that a process keeps, and of what they weigh for each sort of viewer."""

WORDS = 50_000
"""Words that are kept by what they begin with."""

NOBODY, PAGES = -1, 0
"""No gate; number of the part that holds the pages of documentation."""

DAY_LENGTH = 10


@dataclass(frozen=True)
class Name:
    """What a document without a number is called."""

    key: str
    words: tuple[str, ...]


Key = TypeVar("Key")
Kept = TypeVar("Kept")


class Memory(Generic[Key, Kept]):
    """What was worked out last, as much as fits.

    Parameters
    ----------
    limit : int
        Bytes.
    size : callable
        Gives the bytes of what is kept.
    """

    def __init__(self, limit: int, size: Callable[[Kept], int]) -> None:
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._limit, self._size, self._used, self._lock = limit, size, 0, Lock()

    def get(self, key: Key) -> Kept | None:
        """Give what is kept."""
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Key, found: Kept) -> Kept:
        """Keep something, and give it."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = found
                self._used += self._size(found)
            while self._used > self._limit:
                self._used -= self._size(self._kept.popitem(last=False)[1])
        return found


@dataclass
class Frame:
    """Every document, for one state of the catalogue.

    A *piece* is what one part says of a document; a document may have pieces in several parts.
    """

    version: str
    owner_kinds: NDArray[np.bool_]
    """By part, in the order of their numbers: it is a dataset's."""

    owners: NDArray[np.int64]
    gates: NDArray[np.int64]
    starts: NDArray[np.int64]
    """First piece of each part."""

    sizes: NDArray[np.int64]
    numbers: NDArray[np.int64]
    """Of the parts, ascending."""

    piece_part: NDArray[np.int32]
    piece_doc: NDArray[np.int32]
    piece_length: NDArray[np.float32]
    kinds: NDArray[np.int8]
    """By document, and so the following."""

    ids: NDArray[np.int64]
    """Number of the record, or place in `names`."""

    parents: NDArray[np.int32]
    """Document of the dataset that a run belongs to; -1 for others."""

    released: NDArray[np.int32]
    """Day of release, as YYYYMMDD; 0 where there is none."""

    names: list[Name]
    pages: Part
    postings: Memory[str, NDArray[np.int64]] = field(default_factory=lambda: Memory(KEPT, lambda keys: keys.nbytes))
    """Decoded occurrences of terms."""

    known: Memory[str, list[str]] = field(default_factory=lambda: Memory(WORDS, len))
    """Words by what they begin with."""

    _vocabulary: Vocabulary | None = None

    @property
    def size(self) -> int:
        """Number of documents."""
        return len(self.kinds)

    @cached_property
    def _bounds(self) -> NDArray[np.int64]:
        """First document of each kind, and the number of documents: they are sorted by kind, then by number."""
        return np.searchsorted(self.kinds, np.arange(len(KINDS) + 1))

    def by_kind(self, docs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count documents, which ascend, by kind."""
        return np.diff(np.searchsorted(docs, self._bounds))

    def of_kind(self, docs: NDArray[np.int64], kind: str) -> NDArray[np.int64]:
        """Give those of some documents, which ascend, that are of a kind."""
        first, last = np.searchsorted(docs, self._bounds[CODES[kind] :][:2])
        return docs[first:last]

    @cached_property
    def piece_kind(self) -> NDArray[np.int64]:
        """Kind of document that each piece is of."""
        return self.kinds.astype(np.int64)[self.piece_doc]

    @cached_property
    def _by_doc(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        order = np.argsort(self.piece_doc, kind="stable")
        return order, self.piece_doc[order]

    def pieces_of(self, doc: int) -> NDArray[np.int64]:
        """Give the pieces of a document."""
        order, docs = self._by_doc
        first, last = np.searchsorted(docs, [doc, doc + 1])
        return order[first:last]

    @cached_property
    def runs(self) -> NDArray[np.int64]:
        """Documents of runs."""
        return np.flatnonzero(self.parents >= 0)

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return self.kinds.astype(np.int64) << LOCAL | self.ids

    def place(self, kind: str, identifier: int) -> int:
        """Give the document of a record, or -1."""
        wanted = CODES[kind] << LOCAL | identifier
        at = int(np.searchsorted(self._order, wanted))
        return at if at < self.size and self._order[at] == wanted else -1

    def fetch(self, ask: Ask, tables: Tables, terms: Iterable[str]) -> dict[str, NDArray[np.int64]]:
        """Give the keys of every occurrence of terms, ascending: piece, field, position."""
        found = {t: kept for t in terms if (kept := self.postings.get(t)) is not None}
        missing = sorted(set(terms) - set(found))
        if not missing:
            return found
        rows: dict[str, list[tuple[int, bytes]]] = {t: [] for t in missing}
        for term, part, keys in self._rows(ask, tables, missing):
            rows[term].append((part, keys))
        for term, listed in rows.items():
            found[term] = self.postings.put(term, self._decode([term], listed))
        return found

    def fetch_beginning(self, ask: Ask, tables: Tables, start: str, most: int) -> tuple[str, NDArray[np.int64]]:
        """Give the keys of every occurrence of the words that begin with something, and the name under which they are one term."""
        name = f"{start}*"
        kept = self.postings.get(name)
        if kept is None:
            words = self.words(ask, tables, start, most)
            rows = [(part, keys) for _, part, keys in self._rows(ask, tables, words)] if words else []
            kept = self.postings.put(name, self._decode(words, rows))
        return name, kept

    @staticmethod
    def _rows(ask: Ask, tables: Tables, terms: Sequence[str]) -> Sequence[tuple[str, int, bytes]]:
        """Give term, part and occurrences; thousands of rows, whose columns cost less by place than by name."""
        posting = tables.search_posting
        asked = sa.select(posting.c.term, posting.c.part, posting.c.occurrences).where(posting.c.term.in_(terms))
        return cast("Sequence[tuple[str, int, bytes]]", ask(asked))

    def _decode(self, terms: Sequence[str], rows: list[tuple[int, bytes]]) -> NDArray[np.int64]:
        rows += [(PAGES, self.pages.postings[t].tobytes()) for t in terms if t in self.pages.postings]
        given = np.fromiter((part for part, _ in rows), np.int64, len(rows))
        parts = np.minimum(np.searchsorted(self.numbers, given), len(self.numbers) - 1)
        lengths = [len(keys) // 8 for _, keys in rows]
        keys = np.frombuffer(b"".join(keys for _, keys in rows), "<i8")
        known = np.repeat(self.numbers[parts] == given, lengths) & (
            keys >> LOCAL < np.repeat(self.sizes[parts], lengths)
        )
        found: NDArray[np.int64] = (keys + np.repeat(self.starts[parts] << LOCAL, lengths))[known]
        return np.sort(found)

    def words(self, ask: Ask, tables: Tables, start: str, most: int) -> list[str]:
        """Give the most used words that begin with something."""
        if (kept := self.known.get(start)) is not None:
            return kept
        word = tables.search_word
        found = ask(
            sa.select(word.c.word)
            .where(word.c.word > start, word.c.word < start + "\U0010ffff")
            .order_by(word.c.parts.desc(), word.c.word)
            .limit(most)
        )
        own = (w for w in self.pages.postings if w.startswith(start) and w != start)
        return self.known.put(start, list(dict.fromkeys([*(r.word for r in found), *own]))[:most])

    def vocabulary(self, ask: Ask, tables: Tables) -> Vocabulary:
        """Give all words of letters; read when a word is first not found."""
        if self._vocabulary is None:
            word = tables.search_word
            known = {r.word: r.parts for r in ask(sa.select(word.c.word, word.c.parts)) if r.word.isalpha()}
            known |= {w: known.get(w, 0) + 1 for w in self.pages.postings if w.isalpha()}
            self._vocabulary = Vocabulary(list(known), list(known.values()))
        return self._vocabulary


def load(ask: Ask, tables: Tables, version: str, pages: Part) -> Frame:
    """Read the documents of the index."""
    part = tables.search_part
    rows = ask(sa.select(part).order_by(part.c.number))
    listed = [
        (
            PAGES,
            "page",
            pages.kinds.tobytes(),
            pages.ids.tobytes(),
            pages.lengths.tobytes(),
            orjson.dumps(pages.names),
            0,
            None,
        ),
        *rows,
    ]
    numbers, owner_kinds, kinds, ids, lengths, named, owners, gates = zip(*listed, strict=True)
    counts = np.array([len(k) for k in kinds], np.int64)
    piece_kind = np.frombuffer(b"".join(kinds), np.int8)
    piece_id = np.frombuffer(b"".join(ids), "<i4").astype(np.int64)
    firsts = np.cumsum(counts) - counts
    names = _rename(piece_kind, piece_id, firsts, counts, named)
    ordered, piece_doc = np.unique(piece_kind.astype(np.int64) << LOCAL | piece_id, return_inverse=True)
    frame = Frame(
        version, np.array([k == "dataset" for k in owner_kinds]), np.array(owners, np.int64),
        np.array([NOBODY if g is None else g for g in gates], np.int64), firsts, counts, np.array(numbers, np.int64), np.repeat(np.arange(len(numbers)), counts).astype(np.int32),
        piece_doc.astype(np.int32), np.frombuffer(b"".join(lengths), "<f4"), (ordered >> LOCAL).astype(np.int8), ordered & (1 << LOCAL) - 1,
        np.full(len(ordered), -1, np.int32), np.zeros(len(ordered), np.int32), names, pages,
    )  # fmt: skip
    _tie(frame)
    _date(frame, ask, tables)
    return frame


def _rename(kinds: NDArray[np.int8], ids: NDArray[np.int64], firsts: NDArray[np.int64], counts: NDArray[np.int64], named: Sequence[Any]) -> list[Name]:  # fmt: skip
    """Give the keys of documents one numbering, in place of their numbers inside each part."""
    names: list[Name] = []
    known: dict[tuple[int, str], int] = {}
    for first, count, text in zip(firsts.tolist(), counts.tolist(), named, strict=True):
        if len(text) <= len("[]"):
            continue
        local = orjson.loads(text)
        for piece in range(first, first + count):
            kind = int(kinds[piece])
            if kind in NAMED:
                key, *words = local[ids[piece]]
                if (kind, key) not in known:
                    known[kind, key] = len(names)
                    names.append(Name(key, tuple(words)))
                ids[piece] = known[kind, key]
    return names


def _tie(frame: Frame) -> None:
    """Let each run know its dataset."""
    docs, first = np.unique(frame.piece_doc, return_index=True)
    runs = frame.kinds[docs] == CODES["run"]
    owners = frame.owners[frame.piece_part[first[runs]]]
    wanted = np.int64(CODES["dataset"]) << LOCAL | owners
    at = np.searchsorted(frame._order, wanted)
    there = frame._order[np.minimum(at, frame.size - 1)] == wanted
    frame.parents[docs[runs]] = np.where(there, at, -1)


def _date(frame: Frame, ask: Ask, tables: Tables) -> None:
    """Note when things were released; a run is as new as its dataset."""
    for kind in ("dataset", "deposition"):
        table = tables.kinds[kind]
        days = {
            r.id: int(r.release_date[:DAY_LENGTH].replace("-", ""))
            for r in ask(sa.select(table.c.id, table.c.release_date))
            if r.release_date
        }
        docs = np.flatnonzero(frame.kinds == CODES[kind])
        frame.released[docs] = [days.get(number, 0) for number in frame.ids[docs].tolist()]
    frame.released[frame.runs] = frame.released[frame.parents[frame.runs]]


@dataclass
class View:
    """A frame as one viewer sees it."""

    frame: Frame
    viewer: Viewer
    hidden: Hidden
    weighed: Memory[tuple[str, tuple[str, ...]], Weighed] = field(
        default_factory=lambda: Memory(KEPT // 2, lambda found: found[0].nbytes + found[1].nbytes)
    )
    """Documents that have a term, and its weight in them."""

    truth: NDArray[np.float32] | None = None
    """What the score of each document is multiplied with for its ground truth, once that was worked out."""

    @cached_property
    def pieces(self) -> NDArray[np.bool_]:
        """Pieces that the viewer sees."""
        f = self.frame
        of_dataset = seen("dataset", f.owners, f.gates, self.viewer, self.hidden)
        of_deposition = seen("deposition", f.owners, f.gates, self.viewer, self.hidden)
        parts = np.where(f.owner_kinds, of_dataset, of_deposition)
        parts[PAGES] = True
        return np.asarray(parts[f.piece_part])

    @cached_property
    def all_seen(self) -> bool:
        """Nothing is hidden from the viewer."""
        return bool(self.pieces.all())

    @cached_property
    def docs(self) -> NDArray[np.bool_]:
        """Documents of which the viewer sees anything; a record must be visible itself."""
        f = self.frame
        found = np.bincount(f.piece_doc, self.pieces, f.size) > 0
        hidden = np.isin(f.ids, np.fromiter(self.hidden.depositions | self.hidden.empty, np.int64)) & (
            f.kinds == CODES["deposition"]
        )
        return found if self.viewer.curator else found & ~hidden

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Visible documents by kind."""
        return self.frame.by_kind(np.flatnonzero(self.docs))

    @cached_property
    def norms(self) -> NDArray[np.float64]:
        """How long each document is, compared with others of its kind."""
        f = self.frame
        lengths = np.bincount(f.piece_doc, f.piece_length * self.pieces, f.size)
        total = np.bincount(f.kinds[self.docs], lengths[self.docs], len(KINDS))
        mean = np.maximum(total / np.maximum(self.counts, 1), 1)
        return np.asarray(lengths / mean[f.kinds])
