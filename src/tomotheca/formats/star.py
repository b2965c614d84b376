"""STAR files, as RELION and its relatives write them.

Source of the format: Hall (1991), J. Chem. Inf. Comput. Sci. 31, 326, and
https://relion.readthedocs.io/en/latest/Reference/Conventions.html. Read: data blocks, pairs, one loop a block, quotes,
comments, text between lines that begin with ``;``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.files import Member, write_file
from tomotheca.formats.text import read_text, to_floats

WORD = re.compile(r"""'(?:[^']|'(?!\s|$))*'(?=\s|$)|"(?:[^"]|"(?!\s|$))*"(?=\s|$)|[^\s]+""")


@dataclass(frozen=True, slots=True)
class Table:
    """One data block: a loop, or pairs as a table of one row."""

    name: str
    """What follows ``data_``; may be empty."""

    columns: tuple[str, ...]
    """Without the underscore."""

    rows: list[list[str]]
    is_loop: bool = True
    path: Path = Path()
    """Where it was read, for messages."""

    lines: list[int] = field(default_factory=list)
    """Line of each row."""

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)

    def __contains__(self, column: str) -> bool:
        """Whether there is such a column."""
        return column in self.columns

    def texts(self, column: str) -> list[str]:
        """Give one column as it stands.

        Raises
        ------
        FormatError
            If there is no such column.
        """
        if column not in self.columns:
            raise FormatError(self.path, f"data_{self.name} has no column _{column}.")
        index = self.columns.index(column)
        return [row[index] for row in self.rows]

    def floats(self, column: str) -> npt.NDArray[np.float64]:
        """Give one column as numbers, shape ``(n,)``.

        Raises
        ------
        FormatError
            If there is no such column, or a value is no finite number; the message names its line.
        """
        texts = self.texts(column)
        try:
            values = np.array(texts, np.float64)
        except ValueError:
            values = np.full(len(texts), np.nan)
        if np.isfinite(values).all():
            return values
        lines = self.lines or [0] * len(texts)
        return np.array([to_floats(self.path, line, [text])[0] for line, text in zip(lines, texts, strict=True)])


def read(path: Path) -> list[Table]:
    """Read all data blocks in their order.

    Raises
    ------
    FormatError
        If there is no data block, a loop's last row is incomplete, or a value stands where none belongs.
    """
    state = path.stat() if path.is_file() else None
    return list(_read(path, (state.st_mtime_ns, state.st_size) if state else (0, 0)))


@lru_cache(8)
def _read(path: Path, _: tuple[int, int]) -> tuple[Table, ...]:
    """Read a file, once for each of its states: the picks of many runs often stand in one."""
    tables: list[Table] = []
    parser = _Parser(path)
    for line, words in _words(path):
        if words[0].lower().startswith("data_") and len(words) == 1:
            tables += parser.finish()
            parser = _Parser(path, words[0][5:], line)
        else:
            tables += parser.take(line, words)
    tables += parser.finish()
    if not tables:
        raise FormatError(path, "has no data_ block: is it a STAR file?")
    return tuple(tables)


def write(path: Path, tables: Sequence[Table]) -> Member:
    """Write data blocks; values with blanks are quoted.

    Raises
    ------
    FormatError
        If a value has a line break or both kinds of quotes.
    StorageError
        If the disk refuses.
    """
    return write_file(path, "\n".join(dumps(table) for table in tables).encode(), name=path.name)


def dumps(table: Table) -> str:
    """Give the text of one data block."""
    head = [f"data_{table.name}", ""]
    if not table.is_loop:
        pairs = zip(table.columns, table.rows[0], strict=True)
        return "\n".join([*head, *(f"_{column} {_quoted(table, value)}" for column, value in pairs), ""])
    names = [f"_{column} #{number}" for number, column in enumerate(table.columns, start=1)]
    rows = [" ".join(_quoted(table, value) for value in row) for row in table.rows]
    return "\n".join([*head, "loop_", *names, *rows, ""])


class _Parser:
    """One data block while it is read; before the first block, nothing may stand but comments."""

    def __init__(self, path: Path, name: str | None = None, line: int = 0) -> None:
        self.path, self.name, self.line = path, name, line
        self.columns: list[str] = []
        self.pairs: dict[str, str] = {}
        self.rows: list[list[str]] = []
        self.lines: list[int] = []
        self.pending: list[str] = []
        self.is_loop = False

    def take(self, line: int, words: list[str]) -> list[Table]:
        """Take one line; a second loop in the block closes the first."""
        self.line = line
        if self.name is None:
            raise FormatError(self.path, f"line {line}: {words[0]!r} stands before the first data_ block.")
        if words[0].lower() == "loop_":
            done = self.finish() if self.columns or self.pairs else []
            self.__init__(self.path, self.name, line)  # type: ignore[misc]  # begins the next table of the block
            self.is_loop = True
            return done
        if self.is_loop and words[0].startswith("_") and not self.rows and not self.pending:
            self.columns.append(words[0][1:])
        elif self.is_loop:
            self._add(line, words)
        elif words[0].startswith("_") and len(words) == 2:
            self.pairs[words[0][1:]] = _plain(words[1])
        else:
            raise FormatError(self.path, f"line {line}: {' '.join(words)[:60]!r} is no pair of name and value.")
        return []

    def finish(self) -> list[Table]:
        """Give the table, if there is one."""
        if self.pending:
            count = len(self.pending)
            raise FormatError(
                self.path, f"line {self.line}: the row has {count} values, {len(self.columns)} belong there."
            )
        if self.name is None:
            return []
        if self.is_loop:
            return [Table(self.name, tuple(self.columns), self.rows, True, self.path, self.lines)]
        return [Table(self.name, tuple(self.pairs), [list(self.pairs.values())], False, self.path, [self.line])]

    def _add(self, line: int, words: list[str]) -> None:
        """Add values to the loop; a row may go over several lines."""
        if not self.columns:
            raise FormatError(self.path, f"line {line}: the loop has values and no names.")
        self.pending += map(_plain, words)
        if len(self.pending) > len(self.columns):
            count = len(self.pending)
            raise FormatError(self.path, f"line {line}: the row has {count} values, {len(self.columns)} belong there.")
        if len(self.pending) == len(self.columns):
            self.rows.append(self.pending)
            self.lines.append(line)
            self.pending = []


def _words(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the words of each line that has any; comments are left out, text between semicolons is one word."""
    lines = iter(enumerate(read_text(path).split("\n"), start=1))
    for number, line in lines:
        if line.startswith(";"):
            text = [line[1:]]
            for _, more in lines:
                if more.startswith(";"):
                    break
                text.append(more)
            yield number, ["\n".join(text)]
            continue
        if words := _split(line):
            yield number, words


def _split(line: str) -> list[str]:
    """Split a line into words; quotes stay on until ``_plain`` takes them off."""
    words = line.split() if "'" not in line and '"' not in line else WORD.findall(line)
    for index, word in enumerate(words):
        if word.startswith("#"):
            return words[:index]
    return words


def _plain(word: str) -> str:
    """Take quotes off."""
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word


def _quoted(table: Table, value: str) -> str:
    """Quote a value that needs it."""
    if value and not re.search(r"\s", value) and value[0] not in "_#'\";" and not value.lower().startswith("data_"):
        return value if value.lower() != "loop_" else '"loop_"'
    if "\n" in value or ('"' in value and "'" in value):
        raise FormatError(table.path, f"the value {value!r} cannot be written to a STAR file.")
    return f"'{value}'" if '"' in value else f'"{value}"'
