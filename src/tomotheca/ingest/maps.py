"""Map files of a configuration: what is known of each run, by run name."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tomotheca.errors import Finding, FormatError
from tomotheca.formats.text import read_text

if TYPE_CHECKING:
    from tomotheca.ingest.language import Standardization
    from tomotheca.ingest.listing import Listing

PAIRS = {
    "run_to_tomo_map_csv": "mapped_tomo_name",
    "run_to_frame_map_csv": "mapped_frame_name",
    "run_to_ts_map_csv": "mapped_ts_name",
}


@dataclass(frozen=True, slots=True)
class Maps:
    """What map files say."""

    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Run name to the columns of its row, mapped names included."""

    file: str = ""
    """The run data map file; empty where there is none."""

    known: frozenset[str] = frozenset()
    """Every column there is."""

    findings: tuple[Finding, ...] = ()

    def of(self, run: str) -> Mapping[str, str]:
        """Give the columns of a run; empty if no map file names it."""
        return self.columns.get(run, {})


def read(standard: Standardization, listing: Listing) -> Maps:
    """Read the map files of a configuration; what is wrong with them becomes findings."""
    columns: dict[str, dict[str, str]] = {}
    findings: list[Finding] = []
    if standard.run_data_map_file:
        _table(standard.run_data_map_file, listing, columns, findings)
    for key, variable in PAIRS.items():
        if name := getattr(standard, key):
            _pairs(name, variable, (listing, columns, findings))
    known = frozenset(name for row in columns.values() for name in row)
    return Maps(columns, standard.run_data_map_file or "", known, tuple(findings))


def _text(name: str, listing: Listing, findings: list[Finding]) -> str | None:
    path = name.lstrip("/")
    if ".." in path.split("/") or not listing.exists(path):
        where = str(listing.local(path))
        findings.append(
            Finding("error", where, "the map file is not there: put it below the source prefix or correct its name.")
        )
        return None
    try:
        return read_text(listing.local(path))
    except FormatError as error:
        findings.append(Finding("error", error.path, f"the map file {error.reason}"))
        return None


def _table(name: str, listing: Listing, columns: dict[str, dict[str, str]], findings: list[Finding]) -> None:
    if (text := _text(name, listing, findings)) is None:
        return
    where = str(listing.local(name.lstrip("/")))
    reader = csv.DictReader(io.StringIO(text), delimiter="\t" if name.endswith("tsv") else ",")
    if "run_name" not in (reader.fieldnames or ()):
        findings.append(
            Finding("error", where, "the map file has no column run_name: add it, or check that tsv files have tabs.")
        )
        return
    for row in reader:
        run = row["run_name"] or ""
        if None in row or None in row.values():
            findings.append(
                Finding(
                    "error",
                    f"{where}:{reader.line_num}",
                    f"the row of run {run} has other cells than there are columns ({len(reader.fieldnames or ())}): mend it.",
                )
            )
            continue
        if run in columns:
            findings.append(
                Finding("error", f"{where}:{reader.line_num}", f"run {run} stands twice in the map file: keep one row.")
            )
            continue
        columns[run] = {key: value for key, value in row.items() if isinstance(key, str) and isinstance(value, str)}


def _pairs(name: str, variable: str, into: tuple[Listing, dict[str, dict[str, str]], list[Finding]]) -> None:
    listing, columns, findings = into
    if (text := _text(name, listing, findings)) is None:
        return
    seen: set[str] = set()
    for number, row in enumerate(csv.reader(io.StringIO(text)), 1):
        where = f"{listing.local(name.lstrip('/'))}:{number}"
        if len(row) != 2:  # noqa: PLR2004  # run and name
            if any(cell.strip() for cell in row):
                findings.append(
                    Finding("error", where, "a row of this map file has two columns: run name and mapped name.")
                )
            continue
        if row[0] in seen:
            findings.append(Finding("error", where, f"run {row[0]} stands twice in the map file: keep one row."))
            continue
        seen.add(row[0])
        columns.setdefault(row[0], {})[variable] = row[1]
