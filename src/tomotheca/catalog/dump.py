"""The catalogue -> files of a dump: one NDJSON file for each kind, public names in the schema's order, rows by identifier."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog.dumpread import GATE, SUFFIX
from tomotheca.catalog.query import address
from tomotheca.catalog.tables import OWN_DEPOSITION
from tomotheca.catalog.viewer import ANONYMOUS, CURATOR, Viewer
from tomotheca.catalog.writers import WRITERS, Field, Named
from tomotheca.errors import ConflictError
from tomotheca.schema.core import is_matrix
from tomotheca.store import disk
from tomotheca.store.keys import TEMPORARY

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.schema import Schema

AT_ONCE = 5000
"""Rows that are read together; the transaction holds the state, so that pages of them fit together."""


@dataclass(frozen=True)
class Snapshot:
    """One state of the catalogue, read row by row."""

    catalog: Catalog
    connection: sa.Connection
    viewer: Viewer = ANONYMOUS

    @property
    def everything(self) -> bool:
        """Say whether columns that are no part of the API are read too."""
        return self.viewer.curator

    def fields(self, kind: str) -> tuple[Field, ...]:
        """Give the columns that are read, as fields of a writer."""
        schema = self.catalog.schema
        found = tuple(
            Named(c.name, str if c.type is list and not is_matrix(kind, c) else c.type)
            for c in schema.columns(kind)
            if c.public or self.everything
        )
        return (*found, Named(GATE, int)) if self.everything and has_silent_gate(schema, kind) else found

    def rows(self, kind: str, advance: Callable[[int], None] = lambda _: None) -> Iterator[Sequence[Any]]:
        """Give the rows of a kind in the order of their identifiers, addresses filled in."""
        row = self.catalog.compiler(self.viewer).table(kind)
        locations = {c.name: c.location for c in self.catalog.schema.columns(kind)}
        columns = []
        for field in self.fields(kind):
            column = row.c[field.name]
            prefix = locations.get(field.name)
            columns.append(address(column, self.catalog.prefixes[prefix]) if prefix else column)
        behind = row.c.id > sa.bindparam("after", type_=row.c.id.type)
        statement = sa.select(*columns).where(*self._visible(kind, row), behind).order_by(row.c.id).limit(AT_ONCE)
        after = 0
        while some := self.connection.execute(statement, {"after": after}).all():
            yield from some
            after = some[-1].id
            advance(len(some))

    def count(self, kind: str) -> int:
        """Count the rows of a kind."""
        row = self.catalog.compiler(self.viewer).table(kind)
        statement = sa.select(sa.func.count()).select_from(row).where(*self._visible(kind, row))
        return int(self.connection.execute(statement).scalar_one())

    def _visible(self, kind: str, row: sa.FromClause) -> list[sa.ColumnElement[bool]]:
        return self.catalog.compiler(self.viewer).visible(kind, row)


@contextmanager
def snapshot(catalog: Catalog, engine: sa.Engine, viewer: Viewer = ANONYMOUS) -> Iterator[Snapshot]:
    """See one state of the catalogue until the block ends, whoever writes to it."""
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect() as fresh:
        connection = fresh.execution_options(**options)
        with connection.begin():
            yield Snapshot(catalog, connection, viewer)


def has_silent_gate(schema: Schema, kind: str) -> bool:
    """Say whether a row of a kind may depend on the visibility of a deposition that none of its columns names."""
    return kind not in OWN_DEPOSITION and not any(ref.kind == "deposition" for ref in schema.kinds[kind].refs)


def write_dump(  # noqa: PLR0913 - what, where, and how it is told
    catalog: Catalog, engine: sa.Engine, folder: Path, *, hidden: bool = False, total: Callable[[int], None] = lambda _: None, advance: Callable[[int], None] = lambda _: None
) -> dict[str, int]:  # fmt: skip
    """Write a dump; a folder that has one is replaced whole.

    Parameters
    ----------
    folder : Path
        Where to; it is new, empty, or holds a dump.
    hidden : bool
        Write hidden rows too, and who may see them.

    Returns
    -------
    dict
        Number of rows by kind.

    Raises
    ------
    ConflictError
        If something else lies in the folder.
    StorageError
        If the disk refuses.
    """
    folder = folder.resolve()
    require_dump_or_nothing(catalog.schema, folder)
    counts: dict[str, int] = {}
    with disk.storage_errors(str(folder)), _staged(folder) as staged:
        with snapshot(catalog, engine, CURATOR if hidden else ANONYMOUS) as seen:
            kinds = list(catalog.schema.kinds)
            total(sum(map(seen.count, kinds)))
            for kind in kinds:
                counts[kind] = _write(staged / f"{kind}{SUFFIX}", seen, kind, advance)
        disk.sync_tree(staged)
        disk.replace_tree(staged, folder)
    return counts


def _write(path: Path, seen: Snapshot, kind: str, advance: Callable[[int], None]) -> int:
    count = 0

    def counted(number: int) -> None:
        nonlocal count
        count += number
        advance(number)

    with path.open("wb") as out:
        for piece in WRITERS["ndjson"].write(seen.fields(kind), seen.rows(kind, counted)):
            out.write(piece)
    return count


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    disk.make_folders(folder.parent)
    staged = folder.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    staged.mkdir()
    if folder.is_dir():
        staged.chmod(folder.stat().st_mode)
    try:
        yield staged
    finally:
        disk.discard(staged)


def require_dump_or_nothing(schema: Schema, folder: Path) -> None:
    """See that a dump may be written to a folder.

    Raises
    ------
    ConflictError
        If something lies there that is no dump.
    """
    if folder.is_file():
        message = f"{folder} is a file; name a folder that is new, empty or holds a dump"
        raise ConflictError(message)
    if not folder.is_dir():
        return
    names = {f"{kind}{SUFFIX}" for kind in schema.kinds}
    with os.scandir(folder) as entries:
        other = next((e.name for e in entries if e.name not in names or not e.is_file()), None)
    if other:
        message = (
            f"{folder} holds {other}, which is no part of a dump; name a folder that is new, empty or holds a dump"
        )
        raise ConflictError(message)
