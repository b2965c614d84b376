"""Tables of the desk as they are now; how they came to be stands in the migrations."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

METADATA = MetaData()

COUNTER = Table(
    "counter", METADATA,
    Column("kind", String, primary_key=True),
    Column("last", Integer, nullable=False),
)  # fmt: skip
"""Highest identifier given, by kind of entity."""

TOMBSTONE = Table(
    "tombstone", METADATA,
    Column("kind", String, primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("buried_at", String, nullable=False),
)  # fmt: skip
"""Identifiers that were removed."""

JOURNAL = Table(
    "journal", METADATA,
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("done_at", String, nullable=False),
)  # fmt: skip
"""Steps of ingest that are done, with the fingerprint of what they were made from."""

FINDING = Table(
    "finding", METADATA,
    Column("id", Integer, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("severity", String, nullable=False),
    Column("where", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("found_at", String, nullable=False),
    Index("finding_scope", "scope"),
)  # fmt: skip
"""What the last check, ingest or index found, by scope."""

DIAGNOSIS = Table(
    "diagnosis", METADATA,
    Column("id", Integer, primary_key=True),
    Column("rule", String, nullable=False),
    Column("where", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("severity", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("mend", Text, nullable=False),
    Column("first_seen", String, nullable=False),
    Column("last_seen", String, nullable=False),
    Column("resolved_at", String),
    Index("diagnosis_place", "rule", "where", "path", unique=True),
)  # fmt: skip
"""What the doctor has found, from the first time to the last, and since when it is not found any more."""

WAIVER = Table(
    "waiver", METADATA,
    Column("rule", String, primary_key=True),
    Column("where", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", String, nullable=False),
)  # fmt: skip
"""What somebody decided to leave as it is: a rule at a place, which may be a folder."""

AUDIT = Table(
    "audit", METADATA,
    Column("token", String, primary_key=True),
    Column("at", String, nullable=False),
    Column("action", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("id", Integer, nullable=False),
    Column("who", Text, nullable=False),
    Column("details", Text, nullable=False),
    Index("audit_subject", "kind", "id"),
)  # fmt: skip
"""Who did what to a dataset or deposition, and when."""

DOWNLOAD = Table(
    "download", METADATA,
    Column("kind", String, primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("day", String, primary_key=True),
    Column("times", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
)  # fmt: skip
"""How often something was downloaded on a day, and how many bytes of it."""

SUBMISSION = Table(
    "submission", METADATA,
    Column("id", Integer, primary_key=True),
    Column("token", String, nullable=False),
    Column("status", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("deposition", Integer),
    Column("created_at", String, nullable=False),
    Column("changed_at", String, nullable=False),
    Column("submitted_at", String),
    Index("submission_token", "token", unique=True),
)  # fmt: skip
"""What people offer: the form as they filled it, and how far it has come. The token is a digest of the one in their private address."""

SUBMISSION_NOTE = Table(
    "submission_note", METADATA,
    Column("id", Integer, primary_key=True),
    Column("submission", Integer, ForeignKey("submission.id"), nullable=False),
    Column("at", String, nullable=False),
    Column("side", String, nullable=False),
    Column("who", Text, nullable=False),
    Column("status", String, nullable=False),
    Column("message", Text, nullable=False),
    Index("submission_note_of", "submission"),
)  # fmt: skip
"""What happened to a submission: changes of its status, and messages between contributor and curators."""

META = Table(
    "meta", METADATA,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
)  # fmt: skip
"""Single values by name, such as the catalogue's version."""
