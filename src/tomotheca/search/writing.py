"""Rows of the catalogue -> the search index, in the transaction that writes them; whole, or for some datasets and depositions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog.tables import OWN_DEPOSITION
from tomotheca.schema.vocabulary import label
from tomotheca.search import concepts
from tomotheca.search.concepts import SIGN
from tomotheca.search.parts import GROUND_TRUTH, Part, prepare
from tomotheca.search.text import tokens

if TYPE_CHECKING:
    from tomotheca.catalog.tables import Tables
    from tomotheca.schema import Schema
    from tomotheca.schema.core import Column

Insert = Callable[[sa.Connection, sa.Table, Sequence[str], Sequence[tuple[Any, ...]]], None]

LOT = 200
"""Datasets or depositions whose documents are made at once."""


@dataclass
class Writer:
    """Writes the index."""

    connection: sa.Connection
    tables: Tables
    schema: Schema
    insert: Insert
    """Inserts rows in the fastest way that the database has."""

    def write(self, datasets: Collection[int] | None = None, depositions: Collection[int] = ()) -> None:
        """Write the documents of some datasets and depositions anew, or of all.

        Parameters
        ----------
        datasets, depositions : collection of int
            What has changed or is gone; None for everything.
        """
        if datasets is None:
            self._clear_all()
            datasets, depositions = self._ids("dataset"), self._ids("deposition")
        else:
            datasets = sorted({*datasets, *self._named_in(depositions)})
            self._clear("dataset", datasets)
            self._clear("deposition", depositions)
        for kind, numbers in (("dataset", sorted(datasets)), ("deposition", sorted(depositions))):
            for start in range(0, len(numbers), LOT):
                lot = Lot(self.connection, self.tables, self.schema, kind, numbers[start : start + LOT])
                self._put(list(lot.parts()))
        self._count_words()

    def _ids(self, kind: str) -> list[int]:
        return list(self.connection.scalars(sa.select(self.tables.kinds[kind].c.id)))

    def _named_in(self, depositions: Collection[int]) -> Iterable[int]:
        """Give the datasets in whose documents the title of a deposition stands."""
        pair = self.tables.deposition_dataset
        return self.connection.scalars(sa.select(pair.c.dataset_id).where(pair.c.deposition_id.in_(depositions)))

    def _clear_all(self) -> None:
        for table in (self.tables.search_part, self.tables.search_posting):
            self.connection.execute(table.delete())

    def _clear(self, kind: str, numbers: Collection[int]) -> None:
        part, posting = self.tables.search_part, self.tables.search_posting
        mine = (part.c.owner_kind == kind, part.c._owner.in_(numbers))
        self.connection.execute(posting.delete().where(posting.c.part.in_(sa.select(part.c.number).where(*mine))))
        self.connection.execute(part.delete().where(*mine))

    def _put(self, parts: Sequence[Part]) -> None:
        part, posting = self.tables.search_part, self.tables.search_posting
        rows = sorted(p.row() for p in parts)
        if rows:
            self.insert(self.connection, part, [c.name for c in part.c], rows)
            postings = sorted(row for p in parts for row in p.posting_rows())
            self.insert(self.connection, posting, [c.name for c in posting.c], postings)

    def _count_words(self) -> None:
        """Count in how many parts each word stands."""
        posting, word = self.tables.search_posting, self.tables.search_word
        words = posting.c.term >= chr(ord(SIGN) + 1)
        numbers = posting.c.term < SIGN
        self.connection.execute(word.delete())
        counted = (
            sa.select(posting.c.term, sa.func.count())
            .where(sa.or_(words, numbers))
            .group_by(posting.c.term)
            .order_by(posting.c.term)
        )
        self.connection.execute(word.insert().from_select(["word", "parts"], counted))


@dataclass
class Lot:
    """Makes the documents of some datasets, or of some depositions."""

    connection: sa.Connection
    tables: Tables
    schema: Schema
    kind: str
    numbers: Sequence[int]
    made: dict[tuple[int, int | None], Part] = field(default_factory=dict)

    def parts(self) -> Iterable[Part]:
        """Make them."""
        if self.kind == "dataset":
            self._runs()
            self._objects()
            self._deposition_titles()
        for entity in self.schema:
            if entity.kind == self.kind:
                self._owners()
            elif entity.kind != "run" and (entity.kind in OWN_DEPOSITION) == (self.kind == "deposition"):
                self._children(entity.kind)
        return self.made.values()

    def part(self, row: sa.Row[Any]) -> Part:
        """Give the part that a row belongs to."""
        key = (row._owner, row._gate)
        if key not in self.made:
            self.made[key] = Part(self.kind, *key)
        return self.made[key]

    @cached_property
    def searched(self) -> dict[str, list[Column]]:
        """Columns that take part, by kind."""
        return {e.kind: [c for c in self.schema.columns(e.kind) if c.search] for e in self.schema}

    def rows(self, kind: str, *columns: Any, distinct: bool = True) -> Iterator[sa.Row[Any]]:
        """Give columns of the rows of a kind that belong to what is written."""
        table = self.tables.kinds[kind]
        chosen = (*columns, table.c._owner, table.c._gate)
        listed = sa.select(*chosen).where(table.c._owner.in_(self.numbers))
        listed = listed.distinct().order_by(*chosen) if distinct else listed.order_by(table.c.id)
        found: Iterator[sa.Row[Any]] = iter(self.connection.execute(listed))
        return found

    def _owners(self) -> None:
        """Write the datasets or depositions themselves."""
        table, columns = self.tables.kinds[self.kind], self.searched[self.kind]
        deposition = [table.c.deposition_id] if self.kind == "dataset" else []
        for row in self.rows(self.kind, table.c.id, *deposition, *(table.c[c.name] for c in columns), distinct=False):
            part = self.part(row)
            local = part.number(self.kind, row.id)
            part.add(local, "ids", f"{self.schema.kinds[self.kind].prefix}{row.id}")
            self._values(part, local, columns, row, "title")
            if self.kind == "dataset":
                part.add(part.number("deposition", row.deposition_id), "description", row.title)

    def _children(self, kind: str) -> None:
        """Write what belongs to them into their documents."""
        table, columns = self.tables.kinds[kind], self.searched[kind]
        if not columns:
            return
        if any(c.search == "authors" for c in columns):
            self._people(kind, columns)
            return
        for row in self.rows(kind, *(table.c[c.name] for c in columns)):
            part = self.part(row)
            self._values(part, part.number(self.kind, row._owner), columns, row)

    def _people(self, kind: str, columns: Sequence[Column]) -> None:
        """Write authors: each is a document of its own too."""
        table = self.tables.kinds[kind]
        identity = sa.func.coalesce(table.c.orcid, table.c.name).label("identity")
        listed = (
            sa.select(identity, *(sa.func.min(table.c[c.name]).label(c.name) for c in columns), table.c._owner, table.c._gate)
            .where(table.c._owner.in_(self.numbers))
            .group_by(identity, table.c._owner, table.c._gate)
            .order_by(identity, table.c._owner, table.c._gate)
        )  # fmt: skip
        people: Iterator[sa.Row[Any]] = iter(self.connection.execute(listed))
        for row in people:
            part = self.part(row)
            key = row.orcid or " ".join(tokens(row.name))
            if not key:
                continue
            known = len(part.kinds)
            local = part.number("author", key, row.name, row.orcid or "")
            if local == known:
                self._values(part, local, columns, row, "name")
            mine = [c for c in columns if c.search == "authors"]
            self._values(part, part.number(self.kind, row._owner), mine, row)

    def _values(self, part: Part, local: int, columns: Sequence[Column], row: sa.Row[Any], called: str = "") -> None:
        """Put the values of a row into a document; `called` is the column with its name."""
        meant: list[concepts.Concept] = []
        for c in sorted(columns, key=lambda c: c.name != called):
            value = getattr(row, c.name)
            if value in {None, ""}:
                continue
            text = written(c, value)
            found = (part.name if c.name == called else part.add)(local, c.search, text)
            if c.search in {"objects", "sample"}:
                meant += found.concepts
                if short := concepts.abbreviated(text):
                    part.add(local, "terms", short)
            if c.search == "terms" and (concept := concepts.by_identifier().get(concepts.normal(text))):
                meant.append(concept)
        part.add_meanings(local, meant)

    def _runs(self) -> None:
        table, columns = self.tables.kinds["run"], self.searched["run"]
        for row in self.rows("run", table.c.id, *(table.c[c.name] for c in columns), distinct=False):
            part = self.part(row)
            local = part.number("run", row.id)
            for c in columns:
                part.name(local, c.search, getattr(row, c.name))

    def _objects(self) -> None:
        """Write what is annotated or identified into the documents of runs, of depositions, and of the objects themselves."""
        for kind, known in self.searched.items():
            columns = [c for c in known if c.search in {"objects", "terms"}]
            table = self.tables.kinds[kind]
            if kind == self.kind or not any(c.search == "objects" for c in columns):
                continue
            others = [table.c[n] for n in ("deposition_id", "ground_truth_status") if n in table.c]
            for row in self.rows(kind, table.c.run_id, *(table.c[c.name] for c in columns), *others):
                self._object(row, columns)

    def _object(self, row: sa.Row[Any], columns: Sequence[Column]) -> None:
        part = self.part(row)
        name, identifier = row.object_name, concepts.normal(row.object_id or "")
        known = len(part.kinds)
        local = part.number("object", f"{identifier}|{name}", name, row.object_id or "")
        if local == known:
            self._values(part, local, columns, row, "object_name")
        truth = getattr(row, "ground_truth_status", False)
        deposition = getattr(row, "deposition_id", None)
        if deposition and (deposition, local) not in part.told:
            part.told.add((deposition, local))
            self._values(part, part.number("deposition", deposition), columns, row)
        if truth:
            part.mark(part.number("dataset", row._owner), GROUND_TRUTH)
        if row.run_id is None:
            return
        run = part.number("run", row.run_id)
        values = [(c.search, value) for c in columns if (value := getattr(row, c.name))]
        if concept := concepts.by_identifier().get(identifier):
            values.append(("terms", concept.name))
        part.add_prepared(run, *prepare(tuple(values)))
        if truth:
            part.mark(run, GROUND_TRUTH)

    def _deposition_titles(self) -> None:
        pair, deposition = self.tables.deposition_dataset, self.tables.kinds["deposition"]
        listed = (
            sa.select(deposition.c.id, deposition.c.title, pair.c.dataset_id.label("_owner"), pair.c.deposition_id.label("_gate"))
            .join(pair, pair.c.deposition_id == deposition.c.id)
            .where(pair.c.dataset_id.in_(self.numbers))
            .order_by(deposition.c.id, pair.c.dataset_id)
        )  # fmt: skip
        titles: Iterator[sa.Row[Any]] = iter(self.connection.execute(listed))
        for row in titles:
            part = self.part(row)
            local = part.number("dataset", row._owner)
            part.add(local, "deposition", row.title)
            part.add(local, "deposition", f"{self.schema.kinds['deposition'].prefix}{row.id}")


def written(column: Column, value: Any) -> str:
    """Write a value as search reads it: codes as words, identifiers with their prefix."""
    if column.enum:
        return label(column.enum, value)
    prefix = column.ontology.prefix if column.ontology and isinstance(value, int) else ""
    return f"{prefix}{value}"
