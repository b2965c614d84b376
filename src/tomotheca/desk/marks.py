"""Marks in the archive from which a lost desk is made again: highest identifiers, tombstones, and who did what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Protocol

from tomotheca.desk.audit import Deed, decode, encode
from tomotheca.desk.desk import Desk, Tombstone
from tomotheca.errors import Finding, InvalidDocumentError

KEY = ".tomotheca/identifiers.json"
"""Archive key of the marks; nothing in that folder is served."""

AUDIT = ".tomotheca/audit.ndjson"
"""Archive key of what was done to datasets and depositions, one deed in a line."""

MEND = "restore it from a backup, or remove it: the highest identifiers of the documents are used then, and tombstones are lost"


class Files(Protocol):
    """What of an archive's files is needed here."""

    def exists(self, key: str) -> bool:
        """Say whether there is a file of that name."""

    def read_bytes(self, key: str) -> bytes:
        """Read a whole file."""

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write a file whole."""


def export_marks(files: Files, desk: Desk) -> bool:
    """Write the marks into the archive when they changed. What only the archive knows is taken over first, so marks never sink.

    Returns
    -------
    bool
        Whether anything was written.
    """
    import_marks(files, desk)
    wrote = _export_audit(files, desk)
    marks = {
        "version": 1,
        "high_water": desk.high_water(),
        "tombstones": [asdict(stone) for stone in desk.tombstones()],
    }
    data = json.dumps(marks, ensure_ascii=False, indent=1).encode() + b"\n"
    if files.exists(KEY) and files.read_bytes(KEY) == data:
        return wrote
    files.write_bytes(KEY, data)
    return True


def audit(files: Files) -> tuple[Deed, ...]:
    """Give what the archive itself knows of who did what; it needs no desk.

    Raises
    ------
    InvalidDocumentError
        If the file is damaged.
    """
    if not files.exists(AUDIT):
        return ()
    try:
        return decode(files.read_bytes(AUDIT))
    except (ValueError, TypeError, KeyError) as error:
        message = f"not readable ({error}): restore it from a backup, or remove it: the desk writes what it knows anew"
        raise InvalidDocumentError([Finding("error", AUDIT, message)]) from error


def _export_audit(files: Files, desk: Desk) -> bool:
    desk.audit.restore(audit(files))
    data = encode(desk.audit.all())
    if data == (files.read_bytes(AUDIT) if files.exists(AUDIT) else b""):
        return False
    files.write_bytes(AUDIT, data)
    return True


def import_marks(files: Files, desk: Desk) -> bool:
    """Take the marks of the archive over into the desk; numbers only rise.

    Returns
    -------
    bool
        Whether there were any.

    Raises
    ------
    InvalidDocumentError
        If the file is damaged.
    """
    if not files.exists(KEY):
        return False
    try:
        marks = json.loads(files.read_bytes(KEY))
        high_water = {str(kind): int(number) for kind, number in marks["high_water"].items()}
        tombstones = [Tombstone(**stone) for stone in marks["tombstones"]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidDocumentError([Finding("error", KEY, f"not readable ({error}): {MEND}")]) from error
    _raise_all(desk, high_water)
    known = set(desk.tombstones())
    if missing := [stone for stone in tombstones if stone not in known]:
        desk.restore_tombstones(missing)
    return True


def restore_from(files: Files, desk: Desk, highest: Mapping[str, int]) -> None:
    """Make a new desk know what a lost one knew: the marks in the archive, and the highest identifiers that documents have.

    `highest` comes from `tomotheca.store.documents.highest_ids`.
    """
    import_marks(files, desk)
    desk.audit.restore(audit(files))
    _raise_all(desk, highest)


def _raise_all(desk: Desk, numbers: Mapping[str, int]) -> None:
    known = desk.high_water()
    for kind, number in numbers.items():
        if number > known.get(kind, 0):
            desk.raise_above(kind, number)
