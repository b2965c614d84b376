"""Large tables of STAR files as columns of numbers: a million particles take seconds, and memory for what is asked."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.starparser import Sink, parse
from tomotheca.formats.text import to_numbers

CACHED = 1 << 28
"""Bytes of columns that are kept: the particles of many runs often stand in one file."""

OF_TABLE = 4096
"""Bytes of a table beside its columns, about."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of words of which many are equal, such as names of tomograms."""

    values: tuple[str, ...]
    codes: npt.NDArray[np.int32]
    """Shape ``(n,)``: which of the values each row has."""


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """Names of columns, without the underscore; those that a table lacks are no mistake."""

    numbers: frozenset[str]
    words: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """One table, with the columns that were asked for."""

    path: Path
    name: str
    """What follows ``data_``; may be empty."""

    columns: tuple[str, ...]
    """All of them, without the underscore."""

    length: int
    numbers: Mapping[str, Floats | FormatError]
    words: Mapping[str, Words]
    lines: npt.NDArray[np.int64]
    """Shape ``(n,)``: line on which each row ends."""

    def __len__(self) -> int:
        """Count the rows."""
        return self.length

    def has(self, *columns: str) -> bool:
        """Whether all of these columns are there."""
        return set(columns) <= set(self.columns)

    def floats(self, column: str) -> Floats:
        """Give one column, shape ``(n,)``.

        Raises
        ------
        FormatError
            If there is no such column, or a value is no finite number; the message names its line.
        """
        found = self.numbers.get(column)
        if found is None:
            raise FormatError(self.path, f"data_{self.name} has no column _{column}.")
        if isinstance(found, FormatError):
            raise found
        return found

    def vectors(self, columns: Sequence[str]) -> Floats:
        """Give several columns side by side, shape ``(n, len(columns))``.

        Raises
        ------
        FormatError
            As ``floats`` does.
        """
        return np.stack([self.floats(column) for column in columns], axis=1)

    def take(self, chosen: npt.NDArray[np.bool_]) -> Columns:
        """Keep some rows; ``chosen`` has shape ``(n,)``."""
        if chosen.all():
            return self
        numbers = {n: v if isinstance(v, FormatError) else v[chosen] for n, v in self.numbers.items()}
        words = {name: replace(column, codes=column.codes[chosen]) for name, column in self.words.items()}
        return replace(self, length=int(chosen.sum()), numbers=numbers, words=words, lines=self.lines[chosen])

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        numbers = sum(v.nbytes for v in self.numbers.values() if not isinstance(v, FormatError))
        return numbers + sum(column.codes.nbytes for column in self.words.values()) + self.lines.nbytes


def read_columns(path: Path, wanted: Wanted) -> tuple[Columns, ...]:
    """Read the wanted columns of all tables in their order.

    A file is read once for each of its states, as long as its columns fit in the cache.

    Raises
    ------
    FormatError
        If the file is no STAR file; a value that is no number is raised when its column is used.
    """
    state = path.stat() if path.is_file() else None
    key = (path, state.st_mtime_ns if state else 0, state.st_size if state else 0, wanted.numbers, wanted.words)
    found = _cache.get(key)
    if found is None:
        sinks = parse(path, partial(_Wanted, wanted=wanted))
        found = tuple(sink.result() for sink in sinks if isinstance(sink, _Wanted))
        _cache.put(key, found)
    return found


class _Wanted(Sink):
    """Turns rows into columns as they come."""

    def __init__(self, path: Path, name: str, columns: tuple[str, ...], *, is_loop: bool, wanted: Wanted) -> None:
        super().__init__(path, name, columns, is_loop=is_loop)
        self.length = 0
        self.numbers: dict[str, list[Floats]] = {c: [] for c in columns if c in wanted.numbers}
        self.words: dict[str, list[npt.NDArray[np.int32]]] = {c: [] for c in columns if c in wanted.words}
        self.known: dict[str, dict[str, int]] = {c: {} for c in self.words}
        self.failed: dict[str, FormatError] = {}
        self.lines: list[npt.NDArray[np.int64]] = []

    def add(self, rows: list[list[str]], lines: Sequence[int]) -> None:
        """Take rows and the lines on which they end."""
        self.length += len(rows)
        self.lines.append(np.array(lines, np.int64))
        for column, parts in self.numbers.items():
            index = self.columns.index(column)
            if column in self.failed:
                continue
            try:
                parts.append(to_numbers(self.path, [row[index] for row in rows], lines.__getitem__))
            except FormatError as error:
                self.failed[column] = error
        for column, codes in self.words.items():
            index, known = self.columns.index(column), self.known[column]
            new = count(len(known))
            words = [row[index] for row in rows]
            known.update((word, next(new)) for word in dict.fromkeys(words) if word not in known)
            codes.append(np.fromiter(map(known.__getitem__, words), np.int32, len(words)))

    def result(self) -> Columns:
        """Give the table."""
        numbers: dict[str, Floats | FormatError] = {
            c: self.failed[c] if c in self.failed else _joined(parts, np.float64) for c, parts in self.numbers.items()
        }
        words = {c: Words(tuple(self.known[c]), _joined(codes, np.int32)) for c, codes in self.words.items()}
        lines = _joined(self.lines, np.int64)
        return Columns(self.path, self.name, self.columns, self.length, numbers, words, lines)


def _joined(parts: list[npt.NDArray[Any]], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Join what came piece by piece."""
    return np.concatenate(parts) if parts else np.empty(0, dtype)


class _Cache:
    """Tables of the files that were read last, no more than a number of bytes of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.kept: OrderedDict[object, tuple[Columns, ...]] = OrderedDict()
        self.sizes: dict[object, int] = {}
        self.nbytes = 0

    def get(self, key: object) -> tuple[Columns, ...] | None:
        """Give what is kept."""
        with self.lock:
            if key in self.kept:
                self.kept.move_to_end(key)
            return self.kept.get(key)

    def put(self, key: object, tables: tuple[Columns, ...]) -> None:
        """Keep the tables of a file; those unused for longest go."""
        with self.lock:
            self.nbytes -= self.sizes.get(key, 0)
            self.kept[key], self.sizes[key] = tables, sum(table.nbytes + OF_TABLE for table in tables)
            self.nbytes += self.sizes[key]
            while self.nbytes > CACHED:
                oldest, _ = self.kept.popitem(last=False)
                self.nbytes -= self.sizes.pop(oldest)


_cache = _Cache()
