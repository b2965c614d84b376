"""Map files of a configuration: what is known of each run, by run name."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from tomotheca.errors import Finding, FormatError, one_line
from tomotheca.formats.text import read_text

if TYPE_CHECKING:
    from tomotheca.ingest.language import Standardization
    from tomotheca.ingest.listing import Listing

PAIRS = {
    "run_to_tomo_map_csv": "mapped_tomo_name",
    "run_to_frame_map_csv": "mapped_frame_name",
    "run_to_ts_map_csv": "mapped_ts_name",
}


MOST_FINDINGS = 100
"""About one map file; after so many nobody reads on."""


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
    if name := standard.run_data_map_file:
        _reading(name, listing, findings, partial(_table, columns=columns))
    for key, variable in PAIRS.items():
        if name := getattr(standard, key):
            _reading(name, listing, findings, partial(_pairs, variable=variable, columns=columns))
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


Wrong = Iterator[tuple[int, str]]
"""What is wrong with a file: line, or 0 for all of it, and a sentence."""


def _reading(name: str, listing: Listing, findings: list[Finding], take: Callable[[Any], Wrong]) -> None:
    """Read a file row by row until it ends, is no table any more, or has more mistakes than anybody reads."""
    if (text := _text(name, listing, findings)) is None:
        return
    where = str(listing.local(name.lstrip("/")))
    rows = csv.reader(io.StringIO(text), delimiter="\t" if name.endswith("tsv") else ",")
    try:
        for line, message in islice(take(rows), MOST_FINDINGS):
            findings.append(Finding("error", f"{where}:{line}" if line else where, one_line(message)))
    except csv.Error as error:
        findings.append(Finding("error", f"{where}:{rows.line_num}", f"the map file cannot be read: {error}."))


def _table(rows: Any, *, columns: dict[str, dict[str, str]]) -> Wrong:
    head: list[str] = next(rows, [])
    if "run_name" not in head:
        yield 0, "the map file has no column run_name: add it, or check that tsv files have tabs."
        return
    for cells in filter(None, rows):
        row = dict(zip(head, cells, strict=False))
        run = row.get("run_name", "")
        if len(cells) != len(head):
            yield rows.line_num, f"the row of run {run} has other cells than there are columns ({len(head)}): mend it."
        elif run in columns:
            yield rows.line_num, f"run {run} stands twice in the map file: keep one row."
        else:
            columns[run] = row


def _pairs(rows: Any, *, variable: str, columns: dict[str, dict[str, str]]) -> Wrong:
    seen: set[str] = set()
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != 2:  # noqa: PLR2004  # run and name
            yield rows.line_num, "a row of this map file has two columns: run name and mapped name."
        elif row[0] in seen:
            yield rows.line_num, f"run {row[0]} stands twice in the map file: keep one row."
        else:
            seen.add(row[0])
            columns.setdefault(row[0], {})[variable] = row[1]
