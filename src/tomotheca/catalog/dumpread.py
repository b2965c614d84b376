"""The files of a dump, read and checked: one NDJSON file for each kind, public names, foreign keys as they are in the API.

Values are looked at by column and not one by one, so that half a million rows take seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import orjson

from tomotheca.errors import Finding, FindingsError
from tomotheca.schema.core import is_matrix
from tomotheca.schema.rows import timestamp

if TYPE_CHECKING:
    from tomotheca.schema import Schema
    from tomotheca.schema.core import Column

SUFFIX = ".ndjson"
GATE = "_gate"
"""Key of a dump with hidden rows: the deposition that must be visible for the row to be, where no column says so."""

BLOCK = 2 << 20
"""Bytes of lines that are looked at together."""

MOST_FINDINGS = 1000
"""After so many findings a dump is not read further."""

LARGEST = 2**31 - 1
"""Whole numbers are 32 bits wide on the wire."""

WORDS: dict[type, str] = {
    int: "a whole number", float: "a number", str: "text", bool: "true or false", datetime: "a date as text", list: "a list",
}  # fmt: skip
ACCEPTED: dict[type, set[type]] = {
    int: {int}, float: {int, float}, str: {str}, bool: {bool}, datetime: {str}, list: {list}
}  # fmt: skip

Values = list[Any]


@dataclass(frozen=True)
class Block:
    """Some rows of one kind by column, in the order of the file."""

    kind: str
    columns: dict[str, Values]
    gates: Values
    """What stands under `GATE`."""

    first: int
    """Line of the first row."""

    numbers: Sequence[int] = ()
    """Line of each row, where lines were left out."""

    def __len__(self) -> int:
        return len(self.gates)

    def line(self, position: int) -> int:
        """Give the line of a row."""
        return self.numbers[position] if self.numbers else self.first + position


@dataclass
class Findings:
    """What is wrong with a dump, until it is too much."""

    found: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Keep a finding.

        Raises
        ------
        FindingsError
            If there are so many that nobody would read more.
        """
        self.found.append(finding)
        if len(self.found) >= MOST_FINDINGS:
            last = Finding("error", finding.where, f"after {MOST_FINDINGS} findings the dump is not read further")
            raise FindingsError([*self.found, last])

    @property
    def errors(self) -> bool:
        """Say whether the dump cannot be loaded."""
        return any(f.severity == "error" for f in self.found)


@dataclass(frozen=True)
class Reader:
    """Reads the files of one dump."""

    schema: Schema
    folder: Path
    findings: Findings = field(default_factory=Findings)

    def check_names(self) -> None:
        """Report files of the folder that are no part of a dump, and a folder without any that is."""
        names = {f"{kind}{SUFFIX}" for kind in self.schema.kinds}
        present = sorted(p.name for p in self.folder.iterdir() if p.name.endswith(SUFFIX))
        for name in present:
            if name not in names:
                self._report(name, "no kind of a dump has that name; take the file away or name it after a kind")
        if not names.intersection(present):
            self._report(
                str(self.folder), "no file of a dump lies here, such as dataset.ndjson; name the folder of a dump"
            )

    def blocks(self, kind: str) -> Iterator[Block]:
        """Give the rows of a kind, checked; a row with a finding is left out."""
        path = self.folder / f"{kind}{SUFFIX}"
        if not path.is_file():
            return
        checks = Checks(self.schema, kind)
        first = 1
        with path.open("rb") as source:
            while lines := source.readlines(BLOCK):
                rows, numbers = self._parse(path.name, lines, first)
                if rows:
                    yield self._block(checks, path.name, rows, numbers or range(first, first + len(rows)))
                first += len(lines)

    def _parse(self, name: str, lines: list[bytes], first: int) -> tuple[list[dict[str, Any]], list[int]]:
        """Read lines; where all are objects, the numbers of lines are left out."""
        try:
            rows = [orjson.loads(line) for line in lines]
            if set(map(type, rows)) == {dict}:
                return rows, []
        except orjson.JSONDecodeError:
            pass
        good: list[dict[str, Any]] = []
        numbers: list[int] = []
        for number, line in enumerate(lines, first):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                self._report(f"{name}:{number}", f"not JSON: {error.msg} at character {error.colno}")
                continue
            if not isinstance(row, dict):
                self._report(f"{name}:{number}", "not a JSON object; each line is one row")
                continue
            good.append(row)
            numbers.append(number)
        return good, numbers

    def _block(self, checks: Checks, name: str, rows: list[dict[str, Any]], numbers: Sequence[int]) -> Block:
        bad: set[int] = set()

        def report(position: int, message: str, path: str) -> None:
            bad.add(position)
            self._report(f"{name}:{numbers[position]}", message, path)

        columns, gates = checks.apply(rows, report)
        if bad:
            kept = [p for p in range(len(rows)) if p not in bad]
            columns = {n: [values[p] for p in kept] for n, values in columns.items()}
            gates, numbers = [gates[p] for p in kept], [numbers[p] for p in kept]
        return Block(checks.kind, columns, gates, numbers[0] if numbers else 1, numbers)

    def _report(self, where: str, message: str, path: str = "") -> None:
        self.findings.add(Finding("error", where, message, path))


Report = Callable[[int, str, str], None]


@dataclass(frozen=True)
class Checks:
    """What the rows of one kind must be."""

    schema: Schema
    kind: str

    @cached_property
    def names(self) -> frozenset[str]:
        """Every key that a row may have."""
        return frozenset({*self.schema.by_name[self.kind], GATE})

    def apply(self, rows: list[dict[str, Any]], report: Report) -> tuple[dict[str, Values], Values]:
        """Give the values of rows by column as the catalogue stores them, and their gates."""
        if not set().union(*rows) <= self.names:
            self._unknown(rows, report)
        columns = {c.name: self._column(c, [row.get(c.name) for row in rows], report) for c in self._columns}
        gates = [row.get(GATE) for row in rows]
        for position, value in _odd(gates, {int}):
            report(position, f"{GATE} must be a whole number, not {_shown(value)}", GATE)
        return columns, gates

    @property
    def _columns(self) -> tuple[Column, ...]:
        return self.schema.columns(self.kind)

    def _unknown(self, rows: list[dict[str, Any]], report: Report) -> None:
        for position, row in enumerate(rows):
            for key in row:
                if key not in self.names:
                    report(position, f"{self.kind} has no field {key!r}; take it out or name one that there is", key)

    def _column(self, column: Column, values: Values, report: Report) -> Values:
        types = set(map(type, values))
        if NoneType in types and not column.nullable and column.missing is None:
            for position, value in enumerate(values):
                if value is None:
                    report(position, f"{column.name} must have a value", column.name)
        wanted: set[type] = {str} if column.type is list and not is_matrix(self.kind, column) else ACCEPTED[column.type]
        if not types <= {*wanted, NoneType}:
            word = WORDS[column.type] if wanted != {str} or column.type is datetime else WORDS[str]
            for position, value in _odd(values, wanted):
                report(position, f"{column.name} must be {word}, not {_shown(value)}", column.name)
                values[position] = None
        return self._values(column, values, types, report)

    def _values(self, column: Column, values: Values, types: set[type], report: Report) -> Values:
        """Look at values of the right type, and turn them into those that are stored."""
        if types <= {NoneType}:
            return values
        if problem := _problem(column):
            known: dict[Any, str] = {v: problem(v) for v in set(values) if v is not None}
            if any(known.values()):
                for position, value in enumerate(values):
                    if words := known.get(value):
                        report(position, f"{column.name} {words}", column.name)
                        values[position] = None
        if column.type is float and int in types:
            return [float(v) if type(v) is int else v for v in values]
        if column.type is datetime:
            stored = {v: timestamp(v) for v in set(values) if v is not None}
            return [stored.get(v) for v in values]
        if list in types:
            return [None if v is None else json.dumps(v) for v in values]
        return values


def _odd(values: Values, wanted: set[type]) -> list[tuple[int, Any]]:
    return [(p, v) for p, v in enumerate(values) if v is not None and type(v) not in wanted]


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - what fits in a sentence


def _problem(column: Column) -> Callable[[Any], str] | None:
    """Give what says in a few words why a value of the right type cannot be taken; empty when it can."""
    if column.name == "id":
        return lambda v: "" if 0 < v <= LARGEST else f"must be a number from 1 to {LARGEST}, not {v}"
    if column.type is int:
        return lambda v: "" if abs(v) <= LARGEST else f"is {v}, which has more than 32 bits"
    if column.type is datetime:
        return _date_problem
    if column.enum or (column.choices and not column.public):
        choices = frozenset(column.choices)
        return lambda v: "" if v in choices else f"is {_shown(v)}; there are {', '.join(column.choices)}"
    if column.type is str:
        return _address_problem if column.location else _text_problem
    return None


def _date_problem(value: str) -> str:
    try:
        timestamp(value)
    except (ValueError, OverflowError):
        return f"is {_shown(value)}, which is not a date; write YYYY-MM-DDTHH:MM:SS+00:00"
    return ""


def _text_problem(value: str) -> str:
    return "has a character of number 0, which databases cannot keep; take it out" if "\0" in value else ""


def _address_problem(value: str) -> str:
    if "://" not in value:
        return f"is {_shown(value)}, which is not an address with ://"
    return _text_problem(value)
