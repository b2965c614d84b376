"""The grammar of STAR files: lines in, tables out, a block of the file in memory at a time."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from tomotheca.errors import FormatError
from tomotheca.formats.text import LONGEST_LINE, SHOWN, read_blocks

BLANK, WORD = re.compile(r"\s|$"), re.compile(r"\S")
CLOSING = {mark: re.compile(rf"{mark}(?=\s|$)") for mark in "'\""}
"""Ends of quoted words: a quote inside a word does not end it."""

SPECIAL = -1
"""Stands for the number of words of a line that has more than words between blanks, and is looked at by itself."""

MOST_COLUMNS = 1 << 12
"""Of one table; RELION has about 200."""


class Sink:
    """A table while it is read; what it keeps of its rows is its own business."""

    def __init__(self, path: Path, name: str, columns: tuple[str, ...], *, is_loop: bool) -> None:
        self.path, self.name, self.columns, self.is_loop = path, name, columns, is_loop

    def add(self, rows: list[list[str]], lines: Sequence[int]) -> None:
        """Take rows, each as long as there are columns, and the lines on which they end."""
        raise NotImplementedError


class MakeSink(Protocol):
    """Called when the names of a table are known."""

    def __call__(self, path: Path, name: str, columns: tuple[str, ...], *, is_loop: bool) -> Sink:
        """Give what takes its rows."""


def parse(path: Path, make: MakeSink) -> list[Sink]:
    """Read a file; every table's rows go to the sink that ``make`` gives for it.

    Raises
    ------
    FormatError
        If there is no data block, a loop's last row is incomplete, or a value stands where none belongs.
    """
    parser = _Parser(path, make)
    for first, lines in read_blocks(path):
        parser.take_block(first, lines)
    parser.finish()
    if parser.name is None:
        raise FormatError(path, "has no data_ block: is it a STAR file?")
    return parser.sinks


class _Parser:
    """Where in the grammar the file is; before the first block, nothing may stand but comments."""

    def __init__(self, path: Path, make: MakeSink) -> None:
        self.path, self.make = path, make
        self.sinks: list[Sink] = []
        self.name: str | None = None
        self.line = 0
        self.text: list[str] | None = None
        """Lines between semicolons."""
        self.length = 0
        """Characters of them."""
        self._begin(is_loop=False)

    def _begin(self, *, is_loop: bool) -> None:
        """Begin the next table of the block."""
        self.is_loop = is_loop
        self.columns: list[str] = []
        self.pairs: dict[str, str] = {}
        self.pending: list[str] = []
        self.sink: Sink | None = None

    def take_block(self, first: int, lines: list[str]) -> None:
        """Take the next lines; whole rows of a loop go to the sink many at a time."""
        words = [line.split() for line in lines]
        counts = [len(row) for row in words]
        for index, line in enumerate(lines):
            if "#" in line or "'" in line or '"' in line or line[:1] == ";":
                counts[index] = SPECIAL
        index = 0
        while index < len(lines):
            end = self._rows_until(index, words, counts)
            if end > index:
                self._sink().add(words[index:end], range(first + index, first + end))
                index = end
                continue
            self._take_line(first + index, lines[index])
            index += 1

    def _rows_until(self, index: int, words: list[list[str]], counts: list[int]) -> int:
        """Find where the plain whole rows end that begin here, if any do; a line of one word may be a keyword."""
        width = len(self.columns)
        if not self.is_loop or width < 2 or self.pending or self.text is not None:
            return index
        if counts[index] != width or (self.sink is None and words[index][0].startswith("_")):
            return index
        while index < len(counts) and counts[index] == width:
            index += 1
        return index

    def _take_line(self, number: int, line: str) -> None:
        """Take one line of any kind."""
        if self.text is not None:
            self._take_text(line)
            return
        if line.startswith(";"):
            self.text, self.line, self.length = [line[1:]], number, 0
            return
        if words := _split(line):
            self.line = number
            self._take_words(words)

    def _take_text(self, line: str) -> None:
        """Take a line between semicolons; together they are one word."""
        assert self.text is not None
        if line.startswith(";"):
            value, self.text = "\n".join(self.text), None
            self._take_words([value], plain=True)
            return
        self.text.append(line)
        self.length += len(line) + 1
        if self.length > LONGEST_LINE:
            raise FormatError(self.path, f"line {self.line}: the text after the semicolon does not end.")

    def _take_words(self, words: list[str], *, plain: bool = False) -> None:
        """Take the words of a line."""
        if not plain and len(words) == 1 and words[0].lower().startswith("data_"):
            self.finish()
            self.name = words[0][5:]
            self._begin(is_loop=False)
            return
        if self.name is None:
            raise FormatError(self.path, f"line {self.line}: {words[0][:SHOWN]!r} stands before the first data_ block.")
        if not plain and words[0].lower() == "loop_":
            if self.columns or self.pairs:
                self.finish()
            self._begin(is_loop=True)
        elif self.is_loop and not plain and words[0].startswith("_") and self.sink is None and not self.pending:
            self._add_column(words[0][1:])
        elif self.is_loop:
            self._add_values(words if plain else [_plain(word) for word in words])
        elif words[0].startswith("_") and len(words) == 2:
            self.pairs[words[0][1:]] = _plain(words[1])
        else:
            shown = " ".join(words)[:60]
            raise FormatError(self.path, f"line {self.line}: {shown!r} is no pair of name and value.")

    def finish(self) -> None:
        """End the table, if there is one."""
        if self.text is not None:
            raise FormatError(self.path, f"line {self.line}: the text after the semicolon does not end.")
        if self.pending:
            raise self._wrong_count()
        if self.is_loop:
            self._sink()
        elif self.name is not None:
            sink = self.make(self.path, self.name, tuple(self.pairs), is_loop=False)
            sink.add([list(self.pairs.values())], [self.line])
            self.sinks.append(sink)

    def _add_column(self, name: str) -> None:
        if len(self.columns) == MOST_COLUMNS:
            raise FormatError(self.path, f"line {self.line}: a table of more than {MOST_COLUMNS} columns is not read.")
        self.columns.append(name)

    def _add_values(self, values: list[str]) -> None:
        """Add values to the loop; a row may go over several lines."""
        if not self.columns:
            raise FormatError(self.path, f"line {self.line}: the loop has values and no names.")
        self.pending += values
        if len(self.pending) > len(self.columns):
            raise self._wrong_count()
        if len(self.pending) == len(self.columns):
            self._sink().add([self.pending], [self.line])
            self.pending = []

    def _sink(self) -> Sink:
        """Give what takes the rows of this loop."""
        if self.sink is None:
            self.sink = self.make(self.path, self.name or "", tuple(self.columns), is_loop=True)
            self.sinks.append(self.sink)
        return self.sink

    def _wrong_count(self) -> FormatError:
        count, wanted = len(self.pending), len(self.columns)
        return FormatError(self.path, f"line {self.line}: the row has {count} values, {wanted} belong there.")


def _split(line: str) -> list[str]:
    """Split a line into words; quotes stay on until ``_plain`` takes them off."""
    words = line.split() if "'" not in line and '"' not in line else list(_found(line))
    for index, word in enumerate(words):
        if word.startswith("#"):
            return words[:index]
    return words


def _found(line: str) -> Iterator[str]:
    """Find the words of a line that has quotes."""
    ends = {mark: [match.end() for match in pattern.finditer(line)] for mark, pattern in CLOSING.items()}
    place = 0
    while match := WORD.search(line, place):
        start = match.start()
        closing = ends.get(line[start], [])
        index = bisect_right(closing, start + 1)
        blank = BLANK.search(line, start)
        place = closing[index] if index < len(closing) else blank.start() if blank else len(line)
        yield line[start:place]


def _plain(word: str) -> str:
    """Take quotes off."""
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word
