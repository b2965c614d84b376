"""Which files of an entity a download takes, as data: whose they are, of what kind, in which format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog.files import FileRow, entries, expand
from tomotheca.errors import QueryError

if TYPE_CHECKING:
    from tomotheca.api.portal import Portal
    from tomotheca.catalog.viewer import Viewer


ROLES: Mapping[str, frozenset[str]] = {
    "frames": frozenset({"frame"}),
    "gains": frozenset({"gain"}),
    "mdoc": frozenset({"mdoc"}),
    "tiltseries": frozenset({"tilt_series", "angles", "ctf"}),
    "alignments": frozenset({"alignment"}),
    "tomograms": frozenset({"tomogram"}),
    "annotations": frozenset({"annotation"}),
    "images": frozenset({"image"}),
    "viewer": frozenset({"viewer"}),
    "metadata": frozenset({"document", "objects"}),
}
"""What ``only`` may name, and the roles of files that it takes. The documents of tilt series, alignments, tomograms and annotations go with them."""

DOCUMENTS = {
    "tiltseries": "tiltseries",
    "alignments": "alignment",
    "tomograms": "tomogram",
    "annotations": "annotation",
}
FORMATS = {"mrc": ".zarr", "zarr": ".mrc"}
"""A format, and the ending of the volumes that it leaves out of a tree."""

FORMAT = re.compile(r"[a-z0-9]{1,10}")
VOLUMES = {"tiltseries": "tilt_series", "tomogram": "tomogram", "annotation": "annotation"}
"""Role of the files of a single item that come in several formats."""

DRESSING = {"image", "viewer"}
"""Roles that are left out where one format of a single item is wanted."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a download takes of one entity."""

    kind: str
    id: int
    only: frozenset[str] = frozenset()
    """Names of `ROLES`; empty takes everything."""

    format: str = ""


def select(kind: str, number: int, query: Mapping[str, str]) -> Selection:
    """Read a selection from parameters.

    Raises
    ------
    QueryError
        If a parameter names what is not there.
    """
    only = frozenset(part.strip() for part in query.get("only", "").split(",") if part.strip())
    if unknown := sorted(only - ROLES.keys()):
        message = f"only: {unknown[0]!r} is not a kind of file; there are {', '.join(ROLES)}"
        raise QueryError(message)
    form = query.get("format", "")
    if form and (form not in FORMATS if kind not in VOLUMES else not FORMAT.fullmatch(form)):
        message = f"format: {form!r} is not offered; there are {' and '.join(FORMATS)}"
        raise QueryError(message)
    return Selection(kind, number, only, form)


def files_of(portal: Portal, selection: Selection, viewer: Viewer) -> Iterator[FileRow]:
    """Give every file of a selection in byte order of its key, members of array directories included; lazily.

    Raises
    ------
    NotFoundError
        If the viewer sees no such entity (before the first file is asked for).
    """
    row = portal.catalog.get(selection.kind, selection.id, viewer)
    prefix, conditions = _place(portal, selection, row)
    return (
        file
        for entry in entries(portal.catalog, viewer, *conditions, prefix=prefix)
        if _takes(selection, entry)
        for file in expand(portal.files, entry)
    )


def _place(
    portal: Portal, selection: Selection, row: Mapping[str, Any]
) -> tuple[str, tuple[sa.ColumnElement[bool], ...]]:
    """Give the prefix of an entity's keys, and conditions for its files where it has no folder of its own."""
    f = portal.catalog.tables.file
    match selection.kind:
        case "dataset" | "run":
            return str(row["s3_prefix"]).removeprefix(portal.catalog.prefixes["s3"]), ()
        case "deposition":
            own = sa.and_(f.c.kind == "deposition", f.c.entity_id == selection.id)
            return "", (sa.or_(f.c._gate == selection.id, own),)
        case kind:
            return "", (f.c.kind == kind, f.c.entity_id == selection.id)


def _takes(selection: Selection, entry: Mapping[str, object]) -> bool:
    role = str(entry["role"])
    if selection.format and not _in_format(selection, str(entry["key"]), role):
        return False
    if not selection.only:
        return True
    if role == "document" and any(entry["kind"] == DOCUMENTS.get(name) for name in selection.only):
        return True
    return any(role in ROLES[name] for name in selection.only)


def _in_format(selection: Selection, key: str, role: str) -> bool:
    if selection.kind not in VOLUMES:
        return role == "viewer" or not key.rstrip("/").endswith(FORMATS[selection.format])
    if role == VOLUMES[selection.kind]:
        return key.rstrip("/").endswith(f".{selection.format}")
    return role not in DRESSING
