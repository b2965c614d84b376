"""Text with what was found in it marked, and cut to where something was found."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tomotheca.search import concepts
from tomotheca.search.text import spans, terms

LENGTH = 200
"""Characters of a snippet."""

BEFORE = 60
"""Characters of a snippet that stand before what was found."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text; marked where it was found."""

    text: str
    marked: bool = False


def places(text: str, wanted: Collection[str]) -> list[tuple[int, int]]:
    """Give where the wanted terms stand in a text."""
    words = list(spans(text))
    hit = [any(t in wanted for t in terms(w.token)) for w in words]
    for found in concepts.find([w.token for w in words]):
        if found.concept.term in wanted:
            hit[found.start : found.end] = [True] * (found.end - found.start)
    merged: list[tuple[int, int]] = []
    for word, is_hit in zip(words, hit, strict=True):
        if is_hit and merged and text[merged[-1][1] : word.start].strip(" .-_") == "":
            merged[-1] = (merged[-1][0], max(word.end, merged[-1][1]))
        elif is_hit:
            merged.append((word.start, word.end))
    return merged


def marked(text: str, wanted: Collection[str]) -> tuple[Piece, ...]:
    """Mark the wanted terms in a text."""
    return tuple(_pieces(text, places(text, wanted), 0, len(text)))


def snippet(text: str, wanted: Collection[str]) -> tuple[Piece, ...]:
    """Give the part of a text where most of the wanted terms stand; nothing where none does."""
    text = " ".join(text.split())
    found = places(text, wanted)
    if not found:
        return ()
    best = max(found, key=lambda f: (sum(f[0] <= g[0] < f[0] + LENGTH - BEFORE for g in found), -f[0]))
    start = _word_start(text, max(best[0] - BEFORE, 0))
    end = len(text) if len(text) <= start + LENGTH else max(text.rfind(" ", start, start + LENGTH), best[1])
    before = (Piece("… "),) if start else ()
    after = (Piece(" …"),) if end < len(text) else ()
    return (*before, *_pieces(text, [f for f in found if start <= f[0] and f[1] <= end], start, end), *after)


def _word_start(text: str, near: int) -> int:
    if near == 0:
        return 0
    space = text.find(" ", near)
    return near if space < 0 or space > near + BEFORE // 2 else space + 1


def _pieces(text: str, found: list[tuple[int, int]], start: int, end: int) -> Iterator[Piece]:
    for first, last in found:
        if first > start:
            yield Piece(text[start:first])
        yield Piece(text[first:last], marked=True)
        start = last
    if end > start:
        yield Piece(text[start:end])
