"""Build the demo's input: simulate all runs, write the configurations, say in which order to ingest them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from multiprocessing import get_context
from pathlib import Path

from tomotheca.demo import community, lab, real
from tomotheca.demo.lab import Deposition, Job, Written
from tomotheca.demo.scenes import Study, Triple, many, studies

REAL_DATASET = 10004
REAL_DEPOSITION, COMMUNITY_DEPOSITION, REALIGNED_DEPOSITION = 10304, 10305, 10306

WORTH_A_PROCESS = 4_000_000
"""Voxels of all tomograms below which starting processes takes longer than the work."""

Progress = Callable[[str, float], None]
"""Told what was just done, and how much of the whole: 0 to 1."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was built."""

    depositions: tuple[Deposition, ...]
    """In the order in which they must be ingested."""

    notes: tuple[str, ...]
    """Sentences for the user about what was left out."""

    runs: int
    """Number of simulated runs."""


def build(  # noqa: PLR0913  # the options of the command
    out: Path,
    *,
    seed: int = 7,
    runs: int | None = None,
    size: Triple | None = None,
    cache: Path | None = None,
    progress: Progress,
) -> Plan:
    """Build the demo's input below a folder.

    Parameters
    ----------
    out
        Folder for configurations and files; made when missing.
    seed
        Same seed, same bytes.
    runs
        Number of simulated runs in place of the default ones; they are spread over the three simulated datasets.
    size
        Shape of every tomogram (z, y, x) in place of the default ones; y and x should be even.
    cache
        Folder that keeps what is downloaded; None leaves the dataset of real files out.
    progress
        Is told what was done.

    Returns
    -------
    Plan
        What to ingest, in order.
    """
    out.mkdir(parents=True, exist_ok=True)
    chosen = studies() if runs is None and size is None else many(runs or sum(len(s.runs) for s in studies()), size)
    jobs = [
        Job(out, study, run, index, seed, again=study is chosen[0] and index == 0)
        for study in chosen for index, run in enumerate(study.runs)
    ]  # fmt: skip
    written: list[Written] = []
    for result in performed(jobs):
        written.append(result)
        progress(f"Simulated {result.study.name}/{result.run.name}", 0.95 * len(written) / len(jobs))
    depositions, notes = conclude(out, chosen, written, seed, cache)
    progress("Wrote the configurations", 1.0)
    return Plan(depositions, notes, len(jobs))


def performed(jobs: list[Job]) -> Iterator[Written]:
    """Do the jobs, in processes when that helps, the long ones first; results come as they are ready."""
    workers = min(len(jobs), cores())
    if workers < 2 or sum(prod(job.study.shape) for job in jobs) < WORTH_A_PROCESS:
        yield from map(lab.perform, jobs)
        return
    longest = sorted(jobs, key=lambda job: -job.run.tiles * prod(job.study.shape))
    with get_context("spawn").Pool(workers) as pool:  # leaving it early ends what is running, so Ctrl-C is quick
        yield from pool.imap_unordered(lab.perform, longest)


def cores() -> int:
    """Give the number of processors that this process may use, at most four: each simulation needs half a GiB."""
    allowed = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    return min(4, len(allowed(0)))


def conclude(
    out: Path, chosen: tuple[Study, ...], written: list[Written], seed: int, cache: Path | None
) -> tuple[tuple[Deposition, ...], tuple[str, ...]]:
    """Write all configurations; datasets come before the depositions that add to them."""
    ordered = sorted(written, key=lambda result: result.run.name)
    results = {study.name: [result for result in ordered if result.study.name == study.name] for study in chosen}
    depositions = [lab.finish(out, study, results[study.name]) for study in chosen]
    first = chosen[0]
    picks = community.build(out, first, results[first.name], number=COMMUNITY_DEPOSITION, seed=seed)
    again = lab.finish_again(out, first, [first.runs[0]], REALIGNED_DEPOSITION)
    maps = real.build(out, cache, dataset=REAL_DATASET, deposition=REAL_DEPOSITION)
    notes = (maps,) if isinstance(maps, str) else ()
    extra = [found for found in (maps, picks, again) if isinstance(found, Deposition)]
    return (*depositions, *extra), notes
