"""The desk: what must last and is not in the archive. Counters, tombstones, the journal of ingest, findings, the catalogue's version."""

from tomotheca.desk.audit import Deed
from tomotheca.desk.desk import Desk, Tombstone
from tomotheca.desk.marks import export_marks, import_marks, restore_from

__all__ = ["Deed", "Desk", "Tombstone", "export_marks", "import_marks", "restore_from"]
