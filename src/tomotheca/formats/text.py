"""Read text files as laboratories have them: any encoding, any line ending, errors that name the line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError

BLOCK = 1 << 20
"""Bytes of a text file that are in memory at a time."""

LONGEST_LINE = 1 << 20
"""Characters; no format has longer lines, a file that claims one is broken."""

LARGEST = 64 << 20
"""Bytes of a file that is read as a whole; no list of angles, mdoc file or alignment comes near."""

SHOWN = 40
"""Characters of a bad word that a message repeats."""


def read_text(path: Path) -> str:
    """Read a text file: UTF-8, with or without a mark, else Latin-1, in which every byte means something.

    Raises
    ------
    FormatError
        If the file cannot be opened, is far too large, or holds NUL bytes, so is no text.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error
    if len(raw) > LARGEST:
        raise FormatError(path, f"has more than {LARGEST >> 20} MiB: is it the right file?")
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
            raise FormatError(path, f"line {line}: {word[:SHOWN]!r} is not a number.")
        values.append(value)
    return values


def read_blocks(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Read a text file of any size piece by piece: the number of the first line, and the lines without their ends.

    Encodings and line ends are those that ``read_text`` takes; memory does not grow with the file.

    Raises
    ------
    FormatError
        If the file cannot be opened, holds NUL bytes, or a line is longer than any format has.
    """
    number, rest = 1, b""
    try:
        with path.open("rb") as file:
            while piece := file.read(BLOCK):
                if b"\0" in piece:
                    raise FormatError(path, "is not a text file: name the text file, or another format for this one.")
                data = rest + piece
                end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
                if lines := _lines(path, number, data[:end]):
                    yield number, lines
                number, rest = number + len(lines), data[end:]
                if len(rest) > LONGEST_LINE:
                    raise _too_long(path, number)
    except OSError as error:
        raise FormatError(path, f"cannot be read: {error.strerror or error}.") from error
    if lines := _lines(path, number, rest):
        yield number, lines


def to_numbers(path: Path, words: Sequence[str], line_of: Callable[[int], int]) -> npt.NDArray[np.float64]:
    """Turn many words into finite numbers, shape ``(n,)``, or say which word on which line is none."""
    try:
        values = np.fromiter(map(float, words), np.float64, len(words))
    except ValueError:
        values = np.full(len(words), np.nan)
    if np.isfinite(values).all() and "_" not in "".join(words):
        return values
    for index, word in enumerate(words):
        if "_" in word or not _is_finite(word):
            raise FormatError(path, f"line {line_of(index)}: {word[:SHOWN]!r} is not a number.")
    return values


def _lines(path: Path, number: int, data: bytes) -> list[str]:
    """Split whole lines; what is no UTF-8 is Latin-1, in which every byte means something."""
    if not data:
        return []
    if number == 1:
        data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.removesuffix("\n").split("\n")
    if len(text) > LONGEST_LINE:
        for index, line in enumerate(lines):
            if len(line) > LONGEST_LINE:
                raise _too_long(path, number + index)
    return lines


def _too_long(path: Path, number: int) -> FormatError:
    return FormatError(path, f"line {number} is longer than {LONGEST_LINE} characters: is it the right file?")


def _is_finite(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False
