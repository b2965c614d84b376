"""Ingest with a progress bar, then the index of what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.cli.output import Bar, progress
from tomotheca.ingest.removal import waiting
from tomotheca.ingest.run import IngestResult, ingest
from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.cli.opened import Opened
    from tomotheca.ingest.plan import IngestOptions


@dataclass
class Shown:
    """Shows an ingest's progress on a bar, which begins where an earlier one ended."""

    bar: Bar

    def start(self, steps: int, size: int) -> None:
        """Begin: so many steps that read so many bytes."""
        if steps:
            self.bar.total(max(1, size))

    def step(self, name: str) -> None:
        """Name the step."""
        self.bar.say(name[:60])

    def advance(self, size: int) -> None:
        """So many more bytes were read."""
        self.bar.advance(size)

    def finish(self) -> None:
        """Do nothing: the bar goes when its block ends."""


def take_in(portal: Opened, options: IngestOptions, *, quiet: bool) -> IngestResult:
    """Run one ingest; see `tomotheca.ingest.ingest` for what is raised."""
    with progress(f"Ingesting {options.config.name}", bytes_=True, quiet=quiet) as bar:
        return ingest(options, files=portal.files, desk=portal.desk, progress=Shown(bar))


def index_touched(portal: Opened, results: Sequence[IngestResult], *, quiet: bool) -> int | None:
    """Index what ingests have touched; give the catalogue's version, or None when there was nothing to do."""
    current = portal.has_catalog()
    if current and not any(r.written or r.removed.documents for r in results) and not any(waiting(portal.files)):
        return None
    with portal.files.lock(), progress("Indexing", quiet=quiet) as bar:
        if not current:
            return portal.index(progress=bar.say).version
        datasets = sorted({d for r in results for d in r.datasets if portal.files.exists(layout.Dataset(d).document)})
        depositions = sorted({d for r in results for d in r.depositions})
        return portal.index(datasets, depositions, progress=bar.say).version
