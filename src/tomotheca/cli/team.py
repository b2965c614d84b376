"""Who does the steps of an ingest: processes of this machine, or the cluster that options name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tomotheca.ingest.plan import IngestOptions
    from tomotheca.settings import Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say of a cluster."""

    dask: str = ""
    """Address of a scheduler."""

    slurm: Path | None = None
    """Profile of jobs."""


@contextmanager
def joined(settings: Settings, options: IngestOptions, wanted: Wanted) -> Iterator[IngestOptions]:
    """Give the options with a team, if one is wanted; it is dismissed when the block ends."""
    if not wanted.dask and wanted.slurm is None:
        yield options
        return
    from tomotheca.ingest import cluster  # noqa: PLC0415 - heavy

    folders = [options.source, *([] if settings.archive_is_remote else [settings.archive_folder])]
    opened = cluster.dask(wanted.dask, folders) if wanted.dask else cluster.slurm(wanted.slurm or Path(), folders)
    with opened as team:
        yield replace(options, team=team)


def script(wanted: Wanted) -> str:
    """Give the script of a job, where SLURM is wanted; nothing is submitted."""
    if wanted.slurm is None:
        return ""
    from tomotheca.ingest.cluster import job_script  # noqa: PLC0415 - heavy

    return job_script(wanted.slurm)
