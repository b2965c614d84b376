"""A loaded dump -> the rows of the catalogue. Identifiers that others use stop it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from tomotheca.catalog.dumpread import SUFFIX, Block, Findings, Reader
from tomotheca.catalog.homes import Homes, missing_parents
from tomotheca.catalog.placing import Placing
from tomotheca.catalog.tables import OWN_DEPOSITION
from tomotheca.errors import ConflictError, Finding, FindingsError

if TYPE_CHECKING:
    from tomotheca.catalog.loaded import Dump
    from tomotheca.catalog.tables import Tables
    from tomotheca.schema import Schema

Insert = Callable[[sa.Connection, sa.Table, Sequence[str], Sequence[tuple[Any, ...]]], None]
T = TypeVar("T")
ASKED = 5000
"""Identifiers that one question names."""

LISTED = 12
"""Ranges of identifiers that a sentence lists for one kind."""


@dataclass
class Replay:
    """Puts the rows of one loaded dump into the tables of a catalogue."""

    connection: sa.Connection
    tables: Tables
    schema: Schema
    dump: Dump
    insert: Insert
    publish_emails: bool = False
    buried: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Identifiers of what was removed here, by kind: they are never given again."""

    findings: Findings = field(default_factory=Findings)
    counts: Counter[str] = field(default_factory=Counter)
    taken: dict[str, list[int]] = field(default_factory=dict)
    _dangling: dict[tuple[str, str], tuple[str, Any, int]] = field(default_factory=dict)

    def run(self) -> None:
        """Put all rows in.

        Raises
        ------
        FindingsError
            If the dump breaks the schema; all findings, as far as anybody would read them.
        ConflictError
            If other data uses identifiers of the dump.
        """
        reader = Reader(self.schema, self.dump.folder, self.findings)
        for entity in self.schema:
            self._kind(reader, entity.kind)
        self._tell_dangling()
        self._files()
        if self.findings.errors:
            raise FindingsError(self.findings.found)
        if self.taken:
            raise ConflictError(in_use(self.taken, self.dump.name))

    @cached_property
    def placing(self) -> Placing:
        """Where the files belong."""
        return Placing(self.schema, self.dump)

    @cached_property
    def homes(self) -> Homes:
        """Where the rows belong."""
        return Homes(self.schema)

    def _kind(self, reader: Reader, kind: str) -> None:
        seen: set[int] = set()
        others = _has_rows(self.connection, self.tables.kinds[kind])
        for block in reader.blocks(kind):
            self._report_twice(block, seen)
            homes = self.homes.of(block)
            skipped = self._without_home(block, homes)
            self._note_dangling(block)
            self.placing.take(block, homes)
            if others:
                skipped |= self._used(block)
            if gone := self.buried.get(kind, frozenset()).intersection(block.columns["id"]):
                self.taken.setdefault(kind, []).extend(gone)
            if self.findings.errors or self.taken:
                continue
            self._put(block, homes, skipped)

    def _files(self) -> None:
        """Put the files of the tree in.

        Raises
        ------
        ConflictError
            If the archive or another loaded dump has one of that key.
        """
        if self.findings.errors or self.taken:
            return
        rows = self.placing.rows()
        while some := list(islice(rows, ASKED)):
            self._put_files(some)
        for finding in self.placing.findings():
            self.findings.add(finding)

    def _put_files(self, rows: list[dict[str, Any]]) -> None:
        f = self.tables.file
        keys = [row["key"] for row in rows]
        if used := self.connection.scalars(sa.select(f.c.key).where(f.c.key.in_(keys)).order_by(f.c.key)).all():
            message = (
                f"files of {self.dump.name} have keys that are in use here, nothing was changed; the first is {used[0]}"
            )
            raise ConflictError(message)
        self.insert(self.connection, f, list(rows[0]), [tuple(row.values()) for row in rows])
        self.counts["file"] += len(rows)

    def _put(self, block: Block, homes: Sequence[Any], skipped: set[int]) -> None:
        for column in self.schema.columns(block.kind):
            if column.personal and not self.publish_emails:
                block.columns[column.name] = [None] * len(block)
        names = [*block.columns, "_owner", "_gate"]
        owners, gates = [h and h.owner for h in homes], [h and h.gate for h in homes]
        rows = list(zip(*block.columns.values(), owners, gates, strict=True))
        if skipped:
            rows = [row for position, row in enumerate(rows) if position not in skipped]
        self.insert(self.connection, self.tables.kinds[block.kind], names, rows)
        self.counts[block.kind] += len(rows)

    def _where(self, block: Block, position: int) -> str:
        return f"{block.kind}{SUFFIX}:{block.line(position)}"

    def _report_twice(self, block: Block, seen: set[int]) -> None:
        ids = block.columns["id"]
        before = len(seen)
        if len(seen.union(ids)) != before + len(ids):
            for position, number in enumerate(ids):
                if number in seen:
                    message = f"id {number} stands in the file twice; take one of the two lines out"
                    self.findings.add(Finding("error", self._where(block, position), message, "id"))
                seen.add(number)
        seen.update(ids)

    def _without_home(self, block: Block, homes: Sequence[Any]) -> set[int]:
        if None not in homes:
            return set()
        keys = " or ".join(ref.column for ref in self.homes.owners(block.kind))
        for position, home in enumerate(homes):
            if home is None:
                message = f"belongs to nothing: {keys} must lead to a row of this dump"
                self.findings.add(Finding("error", self._where(block, position), message))
        return {p for p, home in enumerate(homes) if home is None}

    def _note_dangling(self, block: Block) -> None:
        for position, ref, value in missing_parents(self.homes, block):
            where, first, number = self._dangling.get(
                (block.kind, ref.column), (self._where(block, position), value, 0)
            )
            self._dangling[block.kind, ref.column] = where, first, number + 1

    def _tell_dangling(self) -> None:
        for (_, column), (where, value, number) in self._dangling.items():
            more = f"; so do {number - 1} more" if number > 1 else ""
            message = f"{column} {value} names no row of this dump, so the relation is empty{more}"
            self.findings.add(Finding("warning", where, message, column))

    def _used(self, block: Block) -> set[int]:
        """Find the rows whose identifiers are in the table already; a deposition that is there word for word is no harm."""
        table = self.tables.kinds[block.kind]
        there = {row["id"]: row for row in _rows(self.connection, table, block.columns["id"])}
        found = {p for p, number in enumerate(block.columns["id"]) if number in there}
        for position in found:
            number = block.columns["id"][position]
            row = {name: values[position] for name, values in block.columns.items()}
            if block.kind not in OWN_DEPOSITION or not self._same(block.kind, row, there[number]):
                self.taken.setdefault(block.kind, []).append(number)
        return found

    def _same(self, kind: str, one: dict[str, Any], other: sa.RowMapping) -> bool:
        return all(
            one[c.name] == other[c.name] for c in self.schema.columns(kind) if not (c.personal and not other[c.name])
        )


def _has_rows(connection: sa.Connection, table: sa.Table) -> bool:
    return connection.execute(sa.select(table.c.id).limit(1)).first() is not None


def _rows(connection: sa.Connection, table: sa.Table, ids: Sequence[int]) -> Iterator[sa.RowMapping]:
    for some in portions(ids):
        wanted = sa.select(table) if table.name in OWN_DEPOSITION else sa.select(table.c.id)
        yield from connection.execute(wanted.where(table.c.id.in_(some))).mappings()


def portions(numbers: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a list into pieces that one question can name."""
    return (numbers[start : start + ASKED] for start in range(0, len(numbers), ASKED))


def in_use(taken: dict[str, list[int]], name: str) -> str:
    """Say which identifiers of a dump are in use by other data."""
    total = sum(map(len, taken.values()))
    words = "; ".join(f"{kind} {ranges(numbers)}" for kind, numbers in taken.items())
    return f"{total} identifiers of {name} are in use by other data here or were once, nothing was changed: {words}; --renumber gives the rows new ones"


def ranges(numbers: Iterable[int]) -> str:
    """Write numbers in short: ``1-3, 7``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    words = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:LISTED]]
    return ", ".join(words) + (f" and {len(runs) - LISTED} more ranges" if len(runs) > LISTED else "")


def clear(
    connection: sa.Connection, tables: Tables, depositions: Collection[int] = (), datasets: Collection[int] = ()
) -> None:
    """Take the rows and files of some depositions and datasets out."""
    f = tables.file
    for mine, numbers in ((True, sorted(depositions)), (False, sorted(datasets))):
        for some in portions(numbers):
            for kind, table in tables.kinds.items():
                if (kind in OWN_DEPOSITION) == mine:
                    connection.execute(table.delete().where(table.c._owner.in_(some)))
            place = f.c.dataset_id.is_(None) if mine else f.c.dataset_id.is_not(None)
            connection.execute(f.delete().where(f.c._owner.in_(some), place))
