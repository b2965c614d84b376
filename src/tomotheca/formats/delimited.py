"""Tables of text with one character, or any number of blanks, between the columns: csv, tsv and what looks like them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.text import read_blocks, to_numbers

DELIMITERS = (",", ";", "\t")
BLANK = " "
"""Stands for any number of blanks."""


@dataclass(frozen=True, slots=True)
class First:
    """The first line that is no comment."""

    line: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """The wanted columns of a table."""

    values: npt.NDArray[np.float64]
    """Shape ``(n, number of wanted columns)``."""

    lines: npt.NDArray[np.int64]
    """Shape ``(n,)``: line of each row."""

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.values)


Choose = Callable[[First], Sequence[int]]
"""Says from the first line which columns are wanted, counted from 0."""


def read_numbers_of(path: Path, choose: Choose, *, delimiter: str = "", header: bool = False) -> Numbers:
    """Read some columns as numbers.

    Empty lines and lines that begin with ``#`` are skipped; a line may have more columns than are wanted.

    Parameters
    ----------
    path
        The file; of any size, read piece by piece.
    choose
        Called once, with the first line.
    delimiter
        Between the columns; left out, it is found: comma, semicolon, tab or blanks.
    header
        Whether the first line names the columns.

    Raises
    ------
    FormatError
        If a line lacks a wanted column or has no finite number there; the message names the line.
    """
    parts: list[npt.NDArray[np.float64]] = [np.empty((0, 3))]
    lines: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    wanted: Sequence[int] | None = None
    for numbers, texts in _pieces(path):
        delimiter = delimiter or _find_delimiter(texts[0])
        rows = _split(texts, delimiter)
        if wanted is None:
            wanted = choose(First(numbers[0], tuple(rows[0])))
            if header:
                del rows[0], numbers[0]
        parts.append(_columns(path, rows, numbers, wanted))
        lines.append(np.array(numbers, np.int64))
    return Numbers(np.concatenate(parts[1:] or parts), np.concatenate(lines))


def _pieces(path: Path) -> Iterator[tuple[list[int], list[str]]]:
    """Give the lines that say something, with their numbers."""
    for first, lines in read_blocks(path):
        kept = [(number, line) for number, line in enumerate(lines, start=first) if _says(line)]
        if kept:
            numbers, texts = zip(*kept, strict=True)
            yield list(numbers), list(texts)


def _says(line: str) -> bool:
    text = line.lstrip()
    return bool(text) and not text.startswith("#")


def _columns(path: Path, rows: list[list[str]], lines: Sequence[int], wanted: Sequence[int]) -> npt.NDArray[np.float64]:
    """Turn the wanted columns of some rows into numbers."""
    needed = max(wanted) + 1
    if rows and min(map(len, rows)) < needed:
        index = next(i for i, row in enumerate(rows) if len(row) < needed)
        raise FormatError(path, f"line {lines[index]} has {len(rows[index])} columns, {needed} are needed.")
    if not rows:
        return np.empty((0, len(wanted)))
    width = len(wanted)
    words = list(chain.from_iterable([row[i] for i in wanted] for row in rows))
    return to_numbers(path, words, lambda index: lines[index // width]).reshape(-1, width)


def _find_delimiter(line: str) -> str:
    """Find what stands between the columns of a line."""
    return next((mark for mark in DELIMITERS if line.count(mark) >= 2), BLANK)


def _split(texts: list[str], delimiter: str) -> list[list[str]]:
    """Split lines into words without quotes and blanks around them."""
    if delimiter.isspace() and delimiter != "\t":
        return [text.split() for text in texts]
    if len(delimiter) > 1 or not any('"' in text for text in texts):
        return [text.split(delimiter) for text in texts]
    return [next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), []) for text in texts]
