"""Documents -> catalogue. A whole rebuild and the replacement of one dataset are each one transaction."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog import collect, swap
from tomotheca.catalog.dangling import dangling
from tomotheca.catalog.database import connect
from tomotheca.catalog.gather import Gatherer
from tomotheca.catalog.hiding import what_is_hidden
from tomotheca.catalog.replay import Replay, clear
from tomotheca.catalog.tables import OWN_DEPOSITION, Tables, build
from tomotheca.catalog.totals import recount, refill
from tomotheca.catalog.vectors import pack
from tomotheca.desk import export_marks
from tomotheca.desk.address import reason
from tomotheca.errors import ConflictError, Finding, NotFoundError
from tomotheca.schema import SCHEMA, Schema
from tomotheca.search.writing import Writer
from tomotheca.store import tree

if TYPE_CHECKING:
    from tomotheca.catalog.collect import Unit
    from tomotheca.catalog.loaded import Dump, Shelf
    from tomotheca.desk import Desk
    from tomotheca.store.files import Files

BATCH = 5000
ROW_BYTES = 400
"""Bytes that a row of a dump has, about."""


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
class Work:
    """What one run writes."""

    depositions: Iterable[int] = ()
    datasets: Iterable[int] = ()
    gone: Sequence[tuple[str, int]] = ()
    """Datasets and depositions that are not in the archive any more: kind and number."""

    dumps: Sequence[Dump] = ()
    old: Dump | None = None
    """Dump whose rows go."""

    place: Callable[[], Callable[[], None]] = lambda: lambda: None
    """Called when all is written and before others see it; gives what takes its effect back."""

    told: Dump | None = None
    """Dump that alone is counted in the end."""

    whole: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows were written."""

    datasets: Collection[int] | None = None
    """None for all."""

    depositions: Collection[int] = ()
    is_new: bool = True
    """Whether the tables are new and have no indexes yet."""


@dataclass
class _Tally:
    """What has been written so far."""

    units: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    files: int = 0
    findings: list[Finding] = field(default_factory=list)

    def indexed(self, seconds: float, version: int) -> Indexed:
        return Indexed(
            self.units["dataset"],
            self.units["deposition"],
            self.rows,
            self.files,
            seconds,
            version,
            tuple(self.findings),
        )


@dataclass(frozen=True)
class Indexer:
    """Writes the catalogue from the documents of an archive."""

    files: Files
    desk: Desk
    url: str
    schema: Schema = SCHEMA
    publish_emails: bool = False
    shelf: Shelf | None = None
    """Loaded dumps, which are indexed with the archive."""

    progress: Callable[[str], None] = lambda _: None
    workers: int = 1
    """Processes that read documents."""

    def rebuild(self) -> Indexed:
        """Build the whole catalogue anew. Readers see the old one until the new one is complete.

        Returns
        -------
        Indexed
            Counts, and findings about documents that had to be left out.
        """
        return self._run(self._everything())

    def replace(
        self, datasets: Iterable[int], depositions: Iterable[int] = (), gone: Sequence[tuple[str, int]] = ()
    ) -> Indexed:
        """Replace the rows of some datasets and depositions, and take out those of what is gone.

        Everything is built anew if the catalogue is of another version.

        Raises
        ------
        NotFoundError
            If a dataset is neither in the archive nor in the catalogue.
        ConflictError
            If a dataset is that of a loaded dump too.
        """
        if not self._fits() or (gone and self._dumps()):
            return self.rebuild()
        wanted = sorted(set(datasets))
        present = set(tree.datasets(self.files))
        for number in wanted:
            self._require(number, present)
        return self._run(Work(sorted(set(depositions) & set(tree.depositions(self.files))), wanted, gone=gone))

    def load(self, dump: Dump, place: Callable[[], Callable[[], None]]) -> Indexed:
        """Put the rows of a dump in, in place of those that were loaded under its name before.

        Parameters
        ----------
        dump : Dump
            The dump, still in a temporary folder.
        place : callable
            Puts the folder in its place once the rows are in, and gives what takes that back.

        Raises
        ------
        FindingsError
            If the dump breaks the schema.
        ConflictError
            If other data uses its identifiers.
        """
        others = [d for d in self._dumps() if d.name != dump.name]
        old = next((d for d in self._dumps() if d.name == dump.name), None)
        if not self._fits() or (old is not None and self._shares(old, others)) or self._outweighs(dump):
            return self._run(replace(self._everything(), dumps=[*others, dump], place=place, told=dump))
        return self._run(Work(dumps=[dump], old=old, place=place))

    def _everything(self) -> Work:
        return Work(tree.depositions(self.files), tree.datasets(self.files), dumps=self._dumps(), whole=True)

    def _dumps(self) -> list[Dump]:
        return self.shelf.dumps() if self.shelf else []

    def _renewed(self, dump: Dump) -> set[int]:
        """Give the depositions of a dump that others of the same origin brought before: the last one has them as they are now."""
        others = (d for d in self._dumps() if d.name != dump.name and d.about.origin == dump.about.origin)
        return {n for d in others for n in d.ids("deposition")}.intersection(dump.ids("deposition")).difference(
            tree.depositions(self.files)
        )

    def _buried(self) -> dict[str, frozenset[int]]:
        stones = self.desk.tombstones()
        return {kind: frozenset(s.id for s in stones if s.kind == kind) for kind in {s.kind for s in stones}}

    def _fits(self) -> bool:
        """Say whether the catalogue has the tables that this version of the program writes."""
        tables = build(self.schema)
        engine = connect(self.url)
        try:
            return _fingerprint_in(engine, tables) == fingerprint(tables)
        finally:
            engine.dispose()

    def _require(self, number: int, present: set[int]) -> None:
        dump = self.shelf.holding(number) if self.shelf else None
        if number not in present:
            way = f"it is of the loaded dump {dump.name}; " if dump else ""
            message = f"There is no dataset {number} in the archive; {way}`tomotheca index` without a number rebuilds everything."
            raise NotFoundError(message)
        if dump:
            message = f"Dataset {number} is in the archive and in the loaded dump {dump.name}; take one of them away, or load that dump with --renumber."
            raise ConflictError(message)

    def _shares(self, dump: Dump, others: Sequence[Dump]) -> bool:
        """Say whether a deposition of a dump is somebody else's too, so that it must not go when the dump does."""
        own = set(dump.ids("deposition"))
        return any(
            own.intersection(found) for found in (tree.depositions(self.files), *(d.ids("deposition") for d in others))
        )

    def _outweighs(self, dump: Dump) -> bool:
        """Say whether a dump is more than all that is there, so that a new catalogue is made sooner than the old one is changed."""
        tables = build(self.schema)
        engine = connect(self.url)
        with engine.connect() as connection:
            counts = [
                connection.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()
                for t in tables.kinds.values()
            ]
        engine.dispose()
        size = sum(p.stat().st_size for p in dump.folder.glob("*.ndjson"))
        return size > ROW_BYTES * sum(counts)

    def _run(self, work: Work) -> Indexed:
        started = time.monotonic()
        tables = build(self.schema)
        engine = connect(self.url)
        tally = _Tally()
        take_back: Callable[[], None] = lambda: None  # noqa: E731 - until there is something to take back
        try:
            with swap.writing(engine, tables, whole=work.whole) as connection:
                self._fill(connection, tables, work, tally)
                changed = [*work.datasets, *(n for kind, n in work.gone if kind == "dataset")]
                everything = work.whole or work.dumps or work.old
                changed_depositions = [*work.depositions, *(n for kind, n in work.gone if kind == "deposition")]
                scope = Scope(None if everything else changed, changed_depositions, is_new=work.whole)
                complete(connection, tables, self.schema, scope=scope)
                tally.findings.extend(dangling(connection, tables))
                version = self._secure_identifiers(connection, tables)
                note(connection, tables, version=str(version), schema=fingerprint(tables))
                take_back = work.place()
        except sa.exc.IntegrityError as error:
            take_back()
            message = f"Two documents claim one identifier, nothing was changed: {reason(error.orig)}; `tomotheca index` lists the archive's documents."
            raise ConflictError(message) from error
        except BaseException:
            take_back()
            raise
        else:
            swap.tidy(engine, tables, whole=work.whole)
        finally:
            engine.dispose()
        return tally.indexed(time.monotonic() - started, version)

    def _fill(self, connection: sa.Connection, tables: Tables, work: Work, tally: _Tally) -> None:
        for kind, number in work.gone:
            _clear(connection, tables, kind, number)
        for unit in self._units(work.depositions, work.datasets, tally.findings):
            _put(connection, tables, unit, clear=not work.whole)
            tally.units[unit.kind] += 1
            tally.rows += sum(map(len, unit.rows.values()))
            tally.files += len(unit.files)
            tally.findings.extend(unit.findings)
        if work.old:
            clear(connection, tables, work.old.ids("deposition"), work.old.ids("dataset"))
        for dump in work.dumps:
            self.progress(f"loaded dump {dump.name}")
            if dump is work.told:
                tally.units.clear()
                tally.rows = tally.files = 0
            clear(connection, tables, depositions=self._renewed(dump))
            emails, buried = self.publish_emails, self._buried()
            replay = Replay(connection, tables, self.schema, dump, swap.insert, publish_emails=emails, buried=buried)
            replay.run()
            tally.files += replay.counts.pop("file", 0)
            tally.units += replay.counts
            tally.rows += replay.counts.total()
            tally.findings.extend(replay.findings.found)

    def _secure_identifiers(self, connection: sa.Connection, tables: Tables) -> int:
        """Let the desk and the archive know the highest identifiers, so that a lost desk cannot give one twice."""
        for kind, table in tables.kinds.items():
            if highest := connection.execute(sa.select(sa.func.max(table.c.id))).scalar():
                self.desk.raise_above(kind, highest)
        version = self.desk.raise_version()
        export_marks(self.files, self.desk)
        return version

    def _units(self, depositions: Iterable[int], datasets: Iterable[int], findings: list[Finding]) -> Iterator[Unit]:
        gatherer = Gatherer(self.schema, self.files, self.publish_emails, self.workers)
        for make, numbers in ((collect.deposition, depositions), (collect.dataset, datasets)):
            for number, found in gatherer.gather(make, numbers):
                self.progress(f"{make.__name__} {number}")
                if isinstance(found, tuple):
                    findings.extend(found)
                else:
                    yield found


def fingerprint(tables: Tables) -> str:
    """Give a digest of the tables' definition: a catalogue with another one must be rebuilt."""
    text = "\n".join(
        f"{t.name}.{c.name} {c.type!r} {c.nullable}" for t in tables.metadata.sorted_tables for c in t.columns
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _fingerprint_in(engine: sa.Engine, tables: Tables) -> str | None:
    with engine.connect() as connection:
        if not swap.exists(connection, tables.meta):
            return None
        return connection.execute(sa.select(tables.meta.c.value).where(tables.meta.c.name == "schema")).scalar()


def make_indexes(connection: sa.Connection, tables: Tables) -> None:
    """Create the indexes, once the tables are filled."""
    for table in tables.metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda i: str(i.name)):
            connection.execute(sa.schema.CreateIndex(index))


def _put(connection: sa.Connection, tables: Tables, unit: Unit, *, clear: bool) -> None:
    if clear:
        _clear(connection, tables, unit.kind, unit.id)
    for kind, rows in unit.rows.items():
        insert(connection, tables.kinds[kind], rows)
    insert(connection, tables.file, unit.files)


def _clear(connection: sa.Connection, tables: Tables, owner: str, number: int) -> None:
    mine = owner == "deposition"
    for kind, table in tables.kinds.items():
        if (kind in OWN_DEPOSITION) == mine:
            connection.execute(table.delete().where(table.c._owner == number))
    f = tables.file
    connection.execute(
        f.delete().where(f.c._owner == number, f.c.dataset_id.is_(None) if mine else f.c.dataset_id.is_not(None))
    )


def insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns."""
    if rows:
        names = list(rows[0])
        swap.insert(connection, table, names, list(map(itemgetter(*names), rows)))


def complete(connection: sa.Connection, tables: Tables, schema: Schema = SCHEMA, *, scope: Scope | None = None) -> None:
    """Make everything that follows from the rows and files that were written: sums, indexes, counts, who sees what, arrays, words."""
    scope = scope or Scope()
    refill(connection, tables, scope.datasets)
    if scope.is_new:
        make_indexes(connection, tables)
    recount(connection, tables, scope.datasets, scope.depositions)
    derive(connection, tables)
    pack(connection, tables, schema)
    Writer(connection, tables, schema, swap.insert).write(scope.datasets, scope.depositions)


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
    hidden = list(what_is_hidden(connection, tables))
    if hidden:
        connection.execute(tables.visibility.insert(), hidden)


def note(connection: sa.Connection, tables: Tables, **values: str) -> None:
    """Write facts about the catalogue itself."""
    connection.execute(tables.meta.delete().where(tables.meta.c.name.in_(list(values))))
    connection.execute(tables.meta.insert(), [{"name": k, "value": v} for k, v in values.items()])
