"""Schema -> SQL tables. The catalogue is a cache: it is built whole from the documents, never migrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from tomotheca.schema import Schema

BYTES = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that compares by bytes on both databases."""

SQL_TYPES: dict[type, Any] = {
    int: sa.Integer(),
    float: sa.Float(),
    str: BYTES,
    bool: sa.Boolean(),
    datetime: BYTES,
    list: BYTES,
}

OWN_DEPOSITION = frozenset({"deposition", "deposition_author", "deposition_type"})
"""Kinds that belong to a deposition, not to a dataset."""


@dataclass(frozen=True)
class Tables:
    """Every table of the catalogue."""

    metadata: sa.MetaData
    kinds: Mapping[str, sa.Table]
    file: sa.Table
    file_total: sa.Table
    value_counts: Mapping[tuple[str, str], sa.Table]
    """By kind and column: how often each value stands in the rows of each owner and gate; see `totals`."""

    visibility: sa.Table
    deposition_dataset: sa.Table
    vector: sa.Table
    search_part: sa.Table
    search_posting: sa.Table
    search_word: sa.Table
    meta: sa.Table


def build(schema: Schema) -> Tables:
    """Declare one table per kind of entity, and those that serve files and visibility."""
    metadata = sa.MetaData()
    kinds = {entity.kind: _table(schema, entity.kind, metadata) for entity in schema}
    return Tables(
        metadata,
        kinds,
        _file(metadata),
        _file_total(metadata),
        _value_counts(schema, kinds, metadata),
        _visibility(metadata),
        _pairs(metadata),
        _vector(metadata),
        *_search(metadata),
        _meta(metadata),
    )


def _table(schema: Schema, kind: str, metadata: sa.MetaData) -> sa.Table:
    columns = [
        sa.Column(
            c.name,
            SQL_TYPES[c.type],
            primary_key=c.name == "id",
            autoincrement=False,
            index=bool(c.ref),
            comment=c.description,
        )
        for c in schema.columns(kind)
    ]
    return sa.Table(
        kind,
        metadata,
        *columns,
        sa.Column("_owner", sa.Integer, nullable=False, index=True),
        sa.Column("_gate", sa.Integer, index=True),
        # What is counted by value is counted from the index alone, visibility included.
        *(
            sa.Index(f"ix_{kind}_{c.name}", c.name, "_owner", "_gate")
            for c in schema.columns(kind)
            if c.indexed and not c.ref
        ),
    )


def _file(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "file", metadata,
        sa.Column("key", BYTES, primary_key=True, comment="Archive key; ends in / for an array directory"),
        sa.Column("size", sa.BigInteger, nullable=False, comment="Bytes as served"),
        sa.Column("sha256", BYTES, comment="Digest as served; of the member list for an array directory"),
        sa.Column("stored_size", sa.BigInteger, nullable=False, comment="Bytes as stored, e-mail addresses included"),
        sa.Column("stored_sha256", BYTES),
        sa.Column("media_type", BYTES, nullable=False),
        sa.Column("role", BYTES, nullable=False, index=True),
        sa.Column("members", sa.Integer, comment="Number of files below an array directory; null for a file"),
        sa.Column("source", BYTES, comment="Where the bytes are, if not in the archive"),
        sa.Column("listing", BYTES, comment="Path of the list of members, if not in the archive"),
        sa.Column("mtime", sa.Float, comment="Time of the last change, seconds since 1970"),
        sa.Column("kind", BYTES, nullable=False, comment="Kind of the entity whose document lists the file"),
        sa.Column("entity_id", sa.Integer, comment="Its identifier"),
        sa.Column("run_id", sa.Integer, index=True),
        sa.Column("dataset_id", sa.Integer, index=True, comment="Null for the files of a deposition"),
        sa.Column("_owner", sa.Integer, nullable=False, index=True),
        sa.Column("_gate", sa.Integer),
        sa.Index("file_entity", "kind", "entity_id"),
        sqlite_with_rowid=False,
    )  # fmt: skip


def _file_total(metadata: sa.MetaData) -> sa.Table:
    """Declare the sums over the files of each dataset and run; see `totals`."""
    return sa.Table(
        "file_total", metadata,
        sa.Column("owner_kind", BYTES, nullable=False, comment="dataset or run"),
        sa.Column("owner_id", sa.Integer, nullable=False),
        sa.Column("dataset_id", sa.Integer, nullable=False, index=True),
        sa.Column("kind", BYTES, nullable=False, comment="As in the file table, and so role"),
        sa.Column("role", BYTES, nullable=False),
        sa.Column("ending", BYTES, nullable=False, comment="One of those that are summed apart, or nothing"),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("files", sa.BigInteger, nullable=False, comment="Files, members of array directories included"),
        sa.Column("_owner", sa.Integer, nullable=False),
        sa.Column("_gate", sa.Integer, index=True),
        sa.Index("file_total_owner", "owner_kind", "owner_id"),
    )  # fmt: skip


def _value_counts(
    schema: Schema, kinds: Mapping[str, sa.Table], metadata: sa.MetaData
) -> dict[tuple[str, str], sa.Table]:
    return {
        (kind, c.name): sa.Table(
            f"count_{kind}_{c.name}",
            metadata,
            sa.Column(c.name, table.c[c.name].type),
            sa.Column("_owner", sa.Integer, nullable=False, index=True),
            sa.Column("_gate", sa.Integer),
            sa.Column("_count", sa.Integer, nullable=False),
        )
        for kind, table in kinds.items()
        for c in schema.columns(kind)
        if c.counted
    }


def _visibility(metadata: sa.MetaData) -> sa.Table:
    """Datasets and depositions that are not simply public; a public one has no row."""
    return sa.Table(
        "visibility", metadata,
        sa.Column("kind", BYTES, primary_key=True),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", BYTES, nullable=False),
        sa.Column("until", BYTES, comment="End of the embargo"),
    )  # fmt: skip


def _pairs(metadata: sa.MetaData) -> sa.Table:
    """Which deposition has rows in which dataset."""
    return sa.Table(
        "deposition_dataset", metadata,
        sa.Column("deposition_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("dataset_id", sa.Integer, primary_key=True, autoincrement=False, index=True),
        sqlite_with_rowid=False,
    )  # fmt: skip


def _vector(metadata: sa.MetaData) -> sa.Table:
    """Declare the columns that are kept as arrays; see `vectors`."""
    return sa.Table(
        "vector", metadata,
        sa.Column("kind", BYTES, primary_key=True),
        sa.Column("name", BYTES, primary_key=True, comment="Column"),
        sa.Column("numbers", sa.LargeBinary, nullable=False, comment="Of 32 bits, little-endian, by ascending id of the rows"),
        sa.Column("known", BYTES, comment="JSON list of values that the numbers are places in"),
    )  # fmt: skip


def _search(metadata: sa.MetaData) -> tuple[sa.Table, sa.Table, sa.Table]:
    """Declare the index of full-text search; see `search.writing`."""
    part = sa.Table(
        "search_part", metadata,
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False, comment="Made of owner and gate"),
        sa.Column("owner_kind", BYTES, nullable=False, comment="dataset or deposition"),
        sa.Column("kinds", sa.LargeBinary, nullable=False, comment="Of each document of the part, 8 bits"),
        sa.Column("ids", sa.LargeBinary, nullable=False, comment="Identifier, or place in names, 32 bits"),
        sa.Column("lengths", sa.LargeBinary, nullable=False, comment="Words of each document, 32-bit floats"),
        sa.Column("names", BYTES, nullable=False, comment="JSON: key and words of documents without a number"),
        sa.Column("_owner", sa.Integer, nullable=False, index=True),
        sa.Column("_gate", sa.Integer),
    )  # fmt: skip
    posting = sa.Table(
        "search_posting", metadata,
        sa.Column("term", BYTES, primary_key=True),
        sa.Column("part", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("occurrences", sa.LargeBinary, nullable=False, comment="Document, field and position of each occurrence, 64 bits"),
        sqlite_with_rowid=False,
    )  # fmt: skip
    word = sa.Table(
        "search_word", metadata,
        sa.Column("word", BYTES, primary_key=True),
        sa.Column("parts", sa.Integer, nullable=False, comment="Parts that have it"),
        sqlite_with_rowid=False,
    )  # fmt: skip
    return part, posting, word


def _meta(metadata: sa.MetaData) -> sa.Table:
    return sa.Table("meta", metadata, sa.Column("name", BYTES, primary_key=True), sa.Column("value", BYTES))
