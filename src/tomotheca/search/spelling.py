"""Words that were meant: the nearest ones that the index knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

ONE_EDIT, TWO_EDITS = 4, 8
"""Letters from which one mistake, and two, are forgiven."""

BITS = 64


def allowed(word: str) -> int:
    """Give the number of mistakes that are forgiven in a word."""
    if not word.isalpha() or len(word) < ONE_EDIT:
        return 0
    return 1 if len(word) < TWO_EDITS else 2


def signature(word: str) -> int:
    """Give the letters of a word as a set of bits: one mistake changes at most two of them."""
    found = 0
    for letter in word:
        found |= 1 << (ord(letter) % BITS)
    return found


class Vocabulary:
    """All words of an index, so that near ones are found fast.

    Parameters
    ----------
    words : sequence of str
        The words.
    frequencies : sequence of int
        How often each is used.
    """

    def __init__(self, words: Sequence[str], frequencies: Sequence[int]) -> None:
        self.words, self.frequencies = words, frequencies
        self._lengths = np.fromiter(map(len, words), np.int16, len(words))
        self._signatures = np.fromiter(map(signature, words), np.uint64, len(words))

    def near(self, word: str) -> list[str]:
        """Give the words that differ by no more than what is forgiven, the nearest and then the most used first."""
        most = allowed(word)
        if not most:
            return []
        close = np.abs(self._lengths - len(word)) <= most
        close &= np.bitwise_count(self._signatures ^ np.uint64(signature(word))) <= 2 * most
        return [w for *_, w in sorted(self._measured(word, np.flatnonzero(close), most))]

    def _measured(self, word: str, places: np.ndarray, most: int) -> Iterator[tuple[int, bool, int, str]]:
        for place in places.tolist():
            other = self.words[place]
            if other != word and (edits := distance(word, other, most)) <= most:
                yield edits, other[0] != word[0], -self.frequencies[place], other


def distance(one: str, other: str, most: int) -> int:
    """Count the letters to change, leave out, put in or swap to make one word of the other; anything above `most` is `most + 1`."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        here = [row] + [0] * len(other)
        for column, theirs in enumerate(other, 1):
            here[column] = min(last[column] + 1, here[column - 1] + 1, last[column - 1] + (letter != theirs))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == theirs:
                here[column] = min(here[column], before[column - 2] + 1)
        if min(here) > most:
            return most + 1
        before, last = last, here
    return last[-1]
