"""From a key to bytes that a viewer may have: the only way there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.errors import NotFoundError
from tomotheca.store import layout, manifest, members, stretches
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog, Row
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.store.files import Files

PAGE = 1000
HELD = frozenset({"tomogram", "tilt_series"})
"""Roles of volumes, which are served in place only as they were taken in."""

BEHIND = "\U0010ffff"
"""Sorts behind every character that a key has."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file that a viewer may have."""

    key: str
    size: int
    """Bytes as served."""

    sha256: str | None
    """Digest as served; None for a file served in place that nobody has hashed."""

    media_type: str
    role: str
    mtime: float | None
    source: str | None = None
    """Where the bytes are, if not in the archive under the key."""

    redacted: bool = False
    """The stored bytes hold e-mail addresses that are taken out before they are served."""

    stored_size: int = 0
    """Bytes as stored, where they are not those that are served."""

    whole: int | None = None
    """Bytes that the source must have, as it must have the time `mtime`; None where nobody looks."""

    offset: int = 0
    """Where the bytes begin in the source."""

    @property
    def etag(self) -> str:
        """Strong entity tag: the digest, or size and time where there is none."""
        return self.sha256 or f"{self.size}-{int((self.mtime or 0) * 1e9)}"


def ancestors(key: str) -> list[str]:
    """Give every folder above a key, each ending in ``/``."""
    parts = key.split("/")
    return ["/".join(parts[:n]) + "/" for n in range(1, len(parts))]


def entry_row(row: Row) -> FileRow:
    """Make a FileRow of a row of the file table."""
    return FileRow(
        row["key"], row["size"], row["sha256"], row["media_type"], row["role"], row["mtime"], row["source"],
        redacted=row["sha256"] != row["stored_sha256"], stored_size=row["stored_size"], whole=_whole(row),
    )  # fmt: skip


def _whole(row: Row) -> int | None:
    """Give the size of a volume that stays in its place; other files in place may be changed there."""
    held = row["source"] and row["mtime"] and row["role"] in HELD
    return int(row["size"]) if held else None


def file_row(row: sa.Row[Any]) -> FileRow:
    """Make a FileRow of a row that has not been made a dictionary: a listing has a thousand of them."""
    return FileRow(
        row.key, row.size, row.sha256, row.media_type, row.role, row.mtime, row.source, row.sha256 != row.stored_sha256, row.stored_size,
    )  # fmt: skip


def find_entry(catalog: Catalog, key: str, viewer: Viewer) -> Row:
    """Give the file-table row that holds a key: the file itself, or the array directory it lies in.

    Raises
    ------
    NotFoundError
        If no manifest lists the key, or the viewer may not know of it.
    """
    f = catalog.tables.file
    terms = catalog.compiler(viewer).visible("file", f)
    found = catalog.execute(sa.select(f).where(f.c.key.in_([key, *ancestors(key)]), *terms))
    hit = next((r for r in found if r["key"] == key or r["members"] is not None), None)
    if hit is None or key.endswith("/"):
        message = f"There is no file {key}."
        raise NotFoundError(message)
    return hit


def find_file(catalog: Catalog, files: Files, key: str, viewer: Viewer) -> FileRow:
    """Give the file behind a key.

    Raises
    ------
    NotFoundError
        If no manifest lists the key, or the viewer may not know of it.
    """
    return within(files, find_entry(catalog, key, viewer), key)


def within(files: Files, entry: Row, key: str) -> FileRow:
    """Give the file behind a key, when the row that holds it is known already.

    Raises
    ------
    NotFoundError
        If the array directory has no such member.
    """
    if entry["members"] is None:
        return entry_row(entry)
    top: str = entry["key"]
    where, listing = _list_of(files, entry)
    member = members.find_member(where, top, key.removeprefix(top), listing=listing)
    if member is None:
        message = f"There is no file {key}."
        raise NotFoundError(message)
    return _member_row(entry, member)


def entries(
    catalog: Catalog, viewer: Viewer, *conditions: sa.ColumnElement[bool], prefix: str = "", after: str = "", page: int = PAGE
) -> Iterator[Row]:  # fmt: skip
    """Give the rows of the file table that a viewer sees, in byte order of their keys; array directories are one row each."""
    for row in _rows(catalog, viewer, *conditions, prefix=prefix, after=after, page=page):
        yield dict(row._mapping)


def _rows(
    catalog: Catalog, viewer: Viewer, *conditions: sa.ColumnElement[bool], prefix: str, after: str, page: int
) -> Iterator[sa.Row[Any]]:
    f = catalog.tables.file
    terms = [*catalog.compiler(viewer).visible("file", f), *conditions]
    while found := catalog.rows(sa.select(f).where(span(f, prefix, after), *terms).order_by(f.c.key).limit(page)):
        yield from found
        if len(found) < page:
            return
        after = found[-1].key


def expand(files: Files, entry: Row) -> Iterator[FileRow]:
    """Give the file that a row of the file table is, or all members of the array directory."""
    if entry["members"] is None:
        yield entry_row(entry)
    else:
        yield from members_of(files, entry, "", "")


def list_files(  # noqa: PLR0913 - where, for whom, and from where on
    catalog: Catalog, files: Files, prefix: str, viewer: Viewer, *, after: str = "", page: int = PAGE
) -> Iterator[FileRow]:
    """Give every file below a prefix in byte order of its key, members of array directories included; lazily.

    Parameters
    ----------
    prefix : str
        Beginning of the keys; it need not end at a slash.
    after : str
        Give only keys that sort behind this one.
    page : int
        How many rows of the table are read at once.
    """
    inside = holding(catalog, prefix, viewer) + (holding(catalog, after, viewer) if after.startswith(prefix) else [])
    done = {entry["key"] for entry in inside}
    for entry in sorted({e["key"]: e for e in inside}.values(), key=lambda e: str(e["key"])):
        yield from members_of(files, entry, prefix, after)
    for row in _rows(catalog, viewer, prefix=prefix, after=max([after, *done]), page=page):
        if row.members is None:
            yield file_row(row)
        elif row.key not in done:
            yield from members_of(files, dict(row._mapping), prefix, after)


def holding(catalog: Catalog, key: str, viewer: Viewer) -> list[Row]:
    """Give the array directory that a key lies in, if there is one."""
    f = catalog.tables.file
    terms = [*catalog.compiler(viewer).visible("file", f), f.c.members.is_not(None), f.c.key.in_(ancestors(key))]
    return catalog.execute(sa.select(f).where(*terms))


def members_of(files: Files, entry: Row, prefix: str, after: str) -> Iterator[FileRow]:
    """Give the members of an array directory that begin with a prefix and sort behind a key, in byte order."""
    top: str = entry["key"]
    if after > top and not after.startswith(top):
        return
    behind = after.removeprefix(top) if after.startswith(top) else ""
    start = prefix.removeprefix(top) if prefix.startswith(top) else ""
    where, listing = _list_of(files, entry)
    for member in members.list_members(where, top, after=behind, start=start, listing=listing):
        if not member.path.startswith(start):
            return
        yield _member_row(entry, member)


def _member_row(entry: Row, member: members.Member) -> FileRow:
    key = entry["key"] + member.path
    if here := stretches.kept_here(member):
        return FileRow(key, here.size, here.sha256, manifest.media_type(key), entry["role"], entry["mtime"])
    if part := stretches.stretch(member):
        return FileRow(
            key, member.size, part.sha256, manifest.media_type(key), entry["role"], part.mtime / 1e9, entry["source"],
            whole=part.whole, offset=part.offset,
        )  # fmt: skip
    source = f"{entry['source']}/{member.path}" if entry["source"] else None
    sha256, mtime = members.digest_or_time(member)
    if mtime is None:
        mtime = entry["mtime"]
    return FileRow(key, member.size, sha256, manifest.media_type(key), entry["role"], mtime, source)


def _list_of(files: Files, entry: Row) -> tuple[Files, str]:
    """Give the list of members of an array directory, as the files that it is among and its key there."""
    if entry["listing"] is None:
        return files, layout.members_key(entry["key"])
    folder, _, name = entry["listing"].rpartition("/")
    return _folder(folder), name


@cache
def _folder(path: str) -> Files:
    return LocalFiles(path)


def span(f: sa.FromClause, prefix: str, after: str = "") -> sa.ColumnElement[bool]:
    """Give the condition for keys with a prefix that sort behind a key: one bound each way, so that the index goes straight there."""
    first = f.c.key > after if after and after >= prefix else f.c.key >= prefix
    return sa.and_(first, f.c.key < prefix + BEHIND)
