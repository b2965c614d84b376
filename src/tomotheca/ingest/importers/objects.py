"""Identified objects: the rows of a table that name a run, as a list beside its document."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tomotheca.errors import FormatError
from tomotheca.formats.text import read_text
from tomotheca.ingest.discover import variables
from tomotheca.ingest.importers.common import provenance
from tomotheca.ingest.template import UnknownVariableError, fill
from tomotheca.ingest.transfer import Brought, Past, hashed, put
from tomotheca.ingest.work import Context, Draft, Input
from tomotheca.schema import IdentifiedObjects
from tomotheca.schema.configuration import names
from tomotheca.schema.identified_object import IdentifiedObject

if TYPE_CHECKING:
    from pathlib import Path

    from tomotheca.ingest.discover import Item
    from tomotheca.ingest.scene import RunScene
    from tomotheca.store import layout

RUN_COLUMNS = ("run_name", "run_identifier")
"""Columns that say which run a row is of; without one every row is."""

Row = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Table:
    """A whole table."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Row], ...]
    """Each with its line; empty cells are None."""

    @property
    def run_column(self) -> str:
        """Name of the column of runs; empty if there is none."""
        return next((c for c in RUN_COLUMNS if c in self.columns), "")


@dataclass(frozen=True, slots=True)
class ObjectsWork:
    """What the document of the identified objects is made from."""

    place: layout.Run
    deposition: int
    source: Input
    columns: tuple[str, ...]
    objects: tuple[Row, ...]

    def bring(self, context: Context) -> Brought:
        """Write the list."""
        text = json.dumps([dict(row) for row in self.objects], indent=1, ensure_ascii=False) + "\n"
        return put(context.files, {self.place.identified_objects: text.encode()}, "objects")

    def draft(self, context: Context) -> Draft:
        """Write down what the list has."""
        key = self.place.identified_objects_document
        naturals = {IdentifiedObject.natural(row): 0 for row in self.objects}
        document = {
            "deposition_id": self.deposition,
            "object_count": len(self.objects),
            "columns": list(self.columns),
            "file_format": "json",
            "source_file": self.source.path,
            "ids": {IdentifiedObject.kind: naturals},
            "provenance": provenance(context.origin, hashed([self.source], Past(context, key))),
        }
        return Draft(IdentifiedObjects, key, document, None)


def plan(run: RunScene) -> ObjectsWork | None:
    """Plan the identified objects of a run; None, with a finding where that is a mistake, if it has none."""
    works = [work for item in run.of("identified_objects") if (work := _plan(run, item)) is not None]
    for other in works[1:]:
        item = run.of("identified_objects")[-1]
        run.add(
            "error", item, f"{works[0].source.path} and {other.source.path} both have objects of this run: keep one."
        )
    if works and (taken := _others(run)):
        item = run.of("identified_objects")[0]
        run.add("error", item, f"its identified objects are those of deposition {taken}: a run has one list.")
        return None
    return works[0] if works else None


def _others(run: RunScene) -> int | None:
    """Give the deposition whose list a run has in the archive, if that is another one."""
    found = next((e.document.get("deposition_id") for e in run.archive.of(IdentifiedObjects)), None)
    return int(found) if found is not None and int(found) != run.deposition else None


def _plan(run: RunScene, item: Item) -> ObjectsWork | None:
    source = run.scene.input(item.path) if item.path else None
    wanted = _wanted(run, item)
    if source is None or wanted is None:
        return None
    try:
        table = read(source.local, (source.size, source.mtime))
        rows = [(line, row) for line, row in table.rows if not table.run_column or row[table.run_column] == wanted]
        objects = _objects(run, source, rows)
    except FormatError as error:
        run.about("error", source.local, error.reason)
        return None
    if not objects:
        run.add("note", item, f"no row of {wanted} in {item.path}: skipped.")
        return None
    columns = tuple(c for c in table.columns if c not in RUN_COLUMNS)
    return ObjectsWork(run.place, run.deposition, source, columns, objects)


def _wanted(run: RunScene, item: Item) -> str | None:
    """Give the word that the rows of a run have in their column of runs."""
    given = (run.metadata(item) or {}).get("filter_value")
    if not given:
        return run.name
    try:
        return fill(given, variables(run.item, run.scene.maps))
    except UnknownVariableError as unknown:
        run.add("error", item, f"the variable {{{unknown.name}}} of filter_value is unknown.")
        return None


def _objects(run: RunScene, source: Input, rows: Sequence[tuple[int, Row]]) -> tuple[Row, ...]:
    """Check rows, and leave out a second one of the same object."""
    found: dict[str, Row] = {}
    for line, row in rows:
        for name in _required():
            if not row.get(name):
                raise FormatError(source.local, f"line {line} has no {name}: fill it in, or take the line out.")
        natural = IdentifiedObject.natural(row)
        if natural in found:
            message = f"line {line}: {natural} stands twice for run {run.name}: the second is left out."
            run.about("warning", source.local, message)
            continue
        found[natural] = {name: value for name, value in row.items() if name not in RUN_COLUMNS}
    return tuple(found.values())


def _required() -> tuple[str, ...]:
    return tuple(name for name, info in IdentifiedObject.model_fields.items() if info.is_required())


@lru_cache(maxsize=8)
def read(path: Path, stamp: tuple[int, int]) -> Table:
    """Read a table with commas, or with tabs if it is a ``.tsv``; ``stamp`` tells versions of a file apart.

    Raises
    ------
    FormatError
        If it cannot be read, lacks a column, has one twice, or a line has other cells than there are columns.
    """
    del stamp
    lines = csv.reader(io.StringIO(read_text(path)), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    try:
        columns = tuple(cell.strip() for cell in next(lines, []))
        _check_columns(path, columns)
        rows = []
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise FormatError(path, f"line {lines.line_num} has {len(cells)} cells for {len(columns)} columns.")
            row = {c: cell.strip() or None for c, cell in zip(columns, cells, strict=True)}
            rows.append((lines.line_num, row))
    except csv.Error as error:
        raise FormatError(path, f"line {lines.line_num} cannot be read: {error}.") from error
    return Table(columns, tuple(rows))


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    missing = [name for name in _required() if name not in columns]
    if missing:
        known = ", ".join(names(IdentifiedObject))
        raise FormatError(path, f"has no column {' and no column '.join(missing)}; columns are run_name, {known}.")
    if len(set(columns)) < len(columns):
        twice = next(c for i, c in enumerate(columns) if c in columns[:i])
        raise FormatError(path, f"has the column {twice!r} twice: keep one.")
