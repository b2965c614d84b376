"""Read text files as laboratories have them: any encoding, any line ending, errors that name the line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from tomotheca.errors import FormatError


def read_text(path: Path) -> str:
    """Read a text file: UTF-8, with or without a mark, else Latin-1, in which every byte means something.

    Raises
    ------
    FormatError
        If the file cannot be opened or holds NUL bytes, so is no text.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error
    if b"\0" in raw:
        raise FormatError(path, "is not a text file: name the text file, or another format for this one.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_numbers(path: Path, *, columns: int) -> list[list[float]]:
    """Read a table of numbers between blanks; empty lines and lines that begin with ``#`` are skipped.

    Raises
    ------
    FormatError
        If the file has no row, or a line has other than ``columns`` finite numbers.
    """
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != columns:
            raise FormatError(path, f"line {number} has {len(words)} values, {columns} belong there.")
        rows.append(to_floats(path, number, words))
    if not rows:
        raise FormatError(path, "has no numbers: is it the right file?")
    return rows


def to_floats(path: Path, line: int, words: Sequence[str]) -> list[float]:
    """Turn words into finite numbers or say which word on which line is none."""
    values = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise FormatError(path, f"line {line}: {word!r} is not a number.")
        values.append(value)
    return values
