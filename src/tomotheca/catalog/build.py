"""Documents -> catalogue. A whole rebuild and the replacement of one dataset are each one transaction."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog import collect
from tomotheca.catalog.catalog import connect
from tomotheca.catalog.tables import OWN_DEPOSITION, Tables, build
from tomotheca.desk import export_marks
from tomotheca.errors import ConflictError, Finding, InvalidDocumentError, NotFoundError
from tomotheca.schema import SCHEMA, Schema
from tomotheca.store import tree

if TYPE_CHECKING:
    from tomotheca.catalog.collect import Unit
    from tomotheca.desk import Desk
    from tomotheca.store.files import Files

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an index run did."""

    datasets: int
    depositions: int
    rows: int
    files: int
    seconds: float
    version: int
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Indexer:
    """Writes the catalogue from the documents of an archive."""

    files: Files
    desk: Desk
    url: str
    schema: Schema = SCHEMA
    publish_emails: bool = False
    progress: Callable[[str], None] = lambda _: None

    def rebuild(self) -> Indexed:
        """Build the whole catalogue anew. Readers see the old one until the new one is complete.

        Returns
        -------
        Indexed
            Counts, and findings about documents that had to be left out.
        """
        return self._run(tree.depositions(self.files), tree.datasets(self.files), whole=True)

    def replace(self, datasets: Iterable[int], depositions: Iterable[int] = ()) -> Indexed:
        """Replace the rows of some datasets and depositions; everything, if the catalogue is of another version.

        Raises
        ------
        NotFoundError
            If a dataset is neither in the archive nor in the catalogue.
        """
        tables = build(self.schema)
        engine = connect(self.url)
        try:
            fits = _fingerprint_in(engine, tables) == fingerprint(tables)
        finally:
            engine.dispose()
        if not fits:
            return self.rebuild()
        wanted = sorted(set(datasets))
        present = set(tree.datasets(self.files))
        for number in wanted:
            if number not in present:
                message = f"There is no dataset {number} in the archive; `tomotheca index` without a number rebuilds everything."
                raise NotFoundError(message)
        return self._run(sorted(set(depositions) & set(tree.depositions(self.files))), wanted, whole=False)

    def _run(self, depositions: Iterable[int], datasets: Iterable[int], *, whole: bool) -> Indexed:
        started = time.monotonic()
        tables = build(self.schema)
        engine = connect(self.url)
        counts = {"dataset": 0, "deposition": 0, "rows": 0, "files": 0}
        findings: list[Finding] = []
        try:
            with engine.begin() as connection:
                if whole:
                    start_anew(connection, tables)
                for unit in self._units(depositions, datasets, findings):
                    _put(connection, tables, unit, clear=not whole)
                    counts[unit.kind] += 1
                    counts["rows"] += sum(map(len, unit.rows.values()))
                    counts["files"] += len(unit.files)
                    findings.extend(unit.findings)
                if whole:
                    make_indexes(connection, tables)
                derive(connection, tables)
                findings.extend(_dangling(connection, tables))
                version = self._secure_identifiers(connection, tables)
                note(connection, tables, version=str(version), schema=fingerprint(tables))
        except sa.exc.IntegrityError as error:
            message = f"Two documents claim one identifier, nothing was changed: {error.orig}; `tomotheca index` lists the archive's documents."
            raise ConflictError(message) from error
        finally:
            engine.dispose()
        seconds = time.monotonic() - started
        return Indexed(
            counts["dataset"], counts["deposition"], counts["rows"], counts["files"], seconds, version, tuple(findings)
        )

    def _secure_identifiers(self, connection: sa.Connection, tables: Tables) -> int:
        """Let the desk and the archive know the highest identifiers, so that a lost desk cannot give one twice."""
        for kind, table in tables.kinds.items():
            if highest := connection.execute(sa.select(sa.func.max(table.c.id))).scalar():
                self.desk.raise_above(kind, highest)
        version = self.desk.raise_version()
        export_marks(self.files, self.desk)
        return version

    def _units(self, depositions: Iterable[int], datasets: Iterable[int], findings: list[Finding]) -> Iterator[Unit]:
        for make, numbers in ((collect.deposition, depositions), (collect.dataset, datasets)):
            for number in numbers:
                self.progress(f"{make.__name__} {number}")
                try:
                    yield make(self.schema, self.files, number, publish_emails=self.publish_emails)
                except InvalidDocumentError as error:
                    findings.extend(error.findings)


def fingerprint(tables: Tables) -> str:
    """Give a digest of the tables' definition: a catalogue with another one must be rebuilt."""
    text = "\n".join(
        f"{t.name}.{c.name} {c.type!r} {c.nullable}" for t in tables.metadata.sorted_tables for c in t.columns
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _fingerprint_in(engine: sa.Engine, tables: Tables) -> str | None:
    if not sa.inspect(engine).has_table(tables.meta.name):
        return None
    with engine.connect() as connection:
        return connection.execute(sa.select(tables.meta.c.value).where(tables.meta.c.name == "schema")).scalar()


def start_anew(connection: sa.Connection, tables: Tables) -> None:
    """Drop whatever tables there are and create ours, without indexes."""
    there = sa.MetaData()
    there.reflect(connection)
    there.drop_all(connection)
    for table in tables.metadata.sorted_tables:
        connection.execute(sa.schema.CreateTable(table))


def make_indexes(connection: sa.Connection, tables: Tables) -> None:
    """Create the indexes, once the tables are filled."""
    for table in tables.metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda i: str(i.name)):
            connection.execute(sa.schema.CreateIndex(index))


def _put(connection: sa.Connection, tables: Tables, unit: Unit, *, clear: bool) -> None:
    if clear:
        _clear(connection, tables, unit)
    for kind, rows in unit.rows.items():
        insert(connection, tables.kinds[kind], rows)
    insert(connection, tables.file, unit.files)


def _clear(connection: sa.Connection, tables: Tables, unit: Unit) -> None:
    mine = unit.kind == "deposition"
    for kind, table in tables.kinds.items():
        if (kind in OWN_DEPOSITION) == mine:
            connection.execute(table.delete().where(table.c._owner == unit.id))
    f = tables.file
    connection.execute(
        f.delete().where(f.c._owner == unit.id, f.c.dataset_id.is_(None) if mine else f.c.dataset_id.is_not(None))
    )


def insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows in batches."""
    for start in range(0, len(rows), BATCH):
        connection.execute(table.insert(), rows[start : start + BATCH])


def derive(connection: sa.Connection, tables: Tables) -> None:
    """Fill the tables that follow from rows: who contributed where, and what is hidden."""
    pair = tables.deposition_dataset
    connection.execute(pair.delete())
    owned = [
        sa.select(t.c.deposition_id, (t.c.id if kind == "dataset" else t.c._owner).label("dataset_id")).where(
            t.c.deposition_id.is_not(None)
        )
        for kind, t in tables.kinds.items()
        if "deposition_id" in t.c and kind not in OWN_DEPOSITION
    ]
    both = sa.union(*owned).subquery()
    connection.execute(
        pair.insert().from_select(
            ["deposition_id", "dataset_id"], sa.select(both).order_by(both.c.deposition_id, both.c.dataset_id)
        )
    )
    connection.execute(tables.visibility.delete())
    hidden = list(_hidden(connection, tables))
    if hidden:
        connection.execute(tables.visibility.insert(), hidden)


def _hidden(connection: sa.Connection, tables: Tables) -> Iterator[dict[str, Any]]:
    """List what is not simply public; a dataset is hidden as strictly as its deposition."""
    d, p = tables.kinds["dataset"], tables.kinds["deposition"]
    depositions = {
        r.id: (r.visibility_state, r.visibility_until)
        for r in connection.execute(sa.select(p.c.id, p.c.visibility_state, p.c.visibility_until).order_by(p.c.id))
        if r.visibility_state in {"embargoed", "private"}
    }
    for number, (state, until) in depositions.items():
        yield {"kind": "deposition", "id": number, "state": state, "until": until}
    for r in connection.execute(
        sa.select(d.c.id, d.c.deposition_id, d.c.visibility_state, d.c.visibility_until).order_by(d.c.id)
    ):
        states = [
            s
            for s in ((r.visibility_state, r.visibility_until), depositions.get(r.deposition_id))
            if s and s[0] in {"embargoed", "private"}
        ]
        if not states:
            continue
        closed = any(state == "private" or not until for state, until in states)
        until = None if closed else max(str(u) for _, u in states)
        yield {"kind": "dataset", "id": r.id, "state": "private" if closed else "embargoed", "until": until}


def _dangling(connection: sa.Connection, tables: Tables) -> Iterator[Finding]:
    """Report depositions that data name and nobody has described."""
    pair, p = tables.deposition_dataset, tables.kinds["deposition"]
    missing = sa.select(pair).where(pair.c.deposition_id.not_in(sa.select(p.c.id))).order_by(pair.c.deposition_id)
    for r in connection.execute(missing):
        message = f"deposition {r.deposition_id} is named but has no document: ingest a configuration that describes it"
        yield Finding("warning", f"{r.dataset_id}/", message)


def note(connection: sa.Connection, tables: Tables, **values: str) -> None:
    """Write facts about the catalogue itself."""
    connection.execute(tables.meta.delete().where(tables.meta.c.name.in_(list(values))))
    connection.execute(tables.meta.insert(), [{"name": k, "value": v} for k, v in values.items()])
