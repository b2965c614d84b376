"""Ingest with a progress bar, then the index of what changed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tomotheca.cli.following import OnBar, OnEvents, OnLines
from tomotheca.cli.output import progress
from tomotheca.ingest.progress import Meter
from tomotheca.ingest.removal import waiting
from tomotheca.ingest.run import IngestResult, ingest
from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.cli.opened import Opened
    from tomotheca.ingest.plan import IngestOptions


def take_in(portal: Opened, options: IngestOptions, *, quiet: bool, events: bool = False) -> IngestResult:
    """Run one ingest; see `tomotheca.ingest.ingest` for what is raised.

    Parameters
    ----------
    quiet
        Show nothing.
    events
        Write events for scripts to the error stream instead.
    """
    name = options.config.name
    if events or quiet or not sys.stderr.isatty():
        following: Meter = OnEvents(name) if events else Meter() if quiet else OnLines(name)
        return ingest(options, files=portal.files, desk=portal.desk, progress=following)
    with progress(f"Ingesting {name}", bytes_=True) as bar:
        return ingest(options, files=portal.files, desk=portal.desk, progress=OnBar(bar))


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
