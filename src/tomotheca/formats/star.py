"""STAR files, as RELION and its relatives write them.

Source of the format: Hall (1991), J. Chem. Inf. Comput. Sci. 31, 326, and
https://relion.readthedocs.io/en/latest/Reference/Conventions.html. Read: data blocks, pairs, loops, quotes,
comments, text between lines that begin with ``;``. ``starcolumns`` reads large tables as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.errors import FormatError
from tomotheca.formats.files import Member, write_file
from tomotheca.formats.starparser import Sink, parse
from tomotheca.formats.text import to_numbers

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


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
        lines = self.lines or [0] * len(texts)
        return to_numbers(self.path, texts, lambda index: lines[index])


def read(path: Path) -> list[Table]:
    """Read all data blocks in their order, whole: for files that describe, not for lists of many particles.

    Raises
    ------
    FormatError
        If there is no data block, a loop's last row is incomplete, or a value stands where none belongs.
    """
    return [
        Table(sink.name, sink.columns, sink.rows, sink.is_loop, path, sink.lines)
        for sink in parse(path, _Rows)
        if isinstance(sink, _Rows)
    ]


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
    return "\n".join([*head, "loop_", *_loop(table), ""])


def _loop(table: Table) -> Iterator[str]:
    """Give the lines of a loop."""
    yield from (f"_{column} #{number}" for number, column in enumerate(table.columns, start=1))
    yield from (" ".join(_quoted(table, value) for value in row) for row in table.rows)


class _Rows(Sink):
    """Keeps every row as it stands."""

    def __init__(self, path: Path, name: str, columns: tuple[str, ...], *, is_loop: bool) -> None:
        super().__init__(path, name, columns, is_loop=is_loop)
        self.rows: list[list[str]] = []
        self.lines: list[int] = []

    def add(self, rows: list[list[str]], lines: Sequence[int]) -> None:
        """Take rows and the lines on which they end."""
        self.rows += rows
        self.lines += lines


def _quoted(table: Table, value: str) -> str:
    """Quote a value that needs it."""
    if value and not re.search(r"\s", value) and value[0] not in "_#'\";" and not value.lower().startswith("data_"):
        return value if value.lower() != "loop_" else '"loop_"'
    if "\n" in value or ('"' in value and "'" in value):
        raise FormatError(table.path, f"the value {value!r} cannot be written to a STAR file.")
    return f"'{value}'" if '"' in value else f'"{value}"'
