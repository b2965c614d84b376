"""Look at the files of a source with the doctor's rules, before anything is taken in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tomotheca.doctor import registry, subjects, visit
from tomotheca.doctor.examine import Applied, in_order
from tomotheca.doctor.look import Broken, Expected, Look
from tomotheca.errors import Finding
from tomotheca.ingest.far import files_of
from tomotheca.ingest.importers.run import RunWork
from tomotheca.ingest.importers.tiltseries import TiltSeriesWork

if TYPE_CHECKING:
    from pathlib import Path

    from tomotheca.doctor.headers import Movie
    from tomotheca.doctor.subjects import Subject
    from tomotheca.formats.mdoc import Mdoc
    from tomotheca.ingest.transfer import Copy
    from tomotheca.ingest.work import Plan


def examine(root: Path, plan: Plan) -> list[Finding]:
    """Apply the rules that hold for sources to every run of a plan.

    Parameters
    ----------
    root
        Folder of the source, the prefix included.
    plan
        What would be taken in from there.

    Returns
    -------
    list of Finding
        Each names the file, says what is wrong and what to do, and ends with the rule's name.
    """
    applied = Applied([rule for rule in registry.select() if rule.source])
    look = Look(files_of(root))
    found = [problem for subject in _subjects(look, plan) for problem in applied(subject)]
    return [
        Finding(p.severity, str(root / p.where), f"{p.message}; {p.mend} ({p.rule}).", p.path) for p in in_order(found)
    ]


def _subjects(look: Look, plan: Plan) -> Iterator[Subject]:
    runs = [step.work for step in plan.steps if isinstance(step.work, RunWork)]
    series = [step.work for step in plan.steps if isinstance(step.work, TiltSeriesWork)]
    for run in runs:
        mdocs = {copy.source.path: look.mdoc(copy.source.path) for copy in (run.frames.mdocs if run.frames else ())}
        movies = _movies(look, run.movies)
        names = frozenset(path.rpartition("/")[2] for path in movies)
        if movies or run.gains:
            yield _frames(look, run, mdocs, movies)
        yield from (subjects.Acquisition(path, mdoc, None, names) for path, mdoc in mdocs.items())
        own = [one for one in series if one.run == run.place.name and one.key.startswith(run.place.folder)]
        good = [mdoc for mdoc in mdocs.values() if not isinstance(mdoc, Broken)]
        for one in own:
            yield _series(look, one, good[0] if len(good) == len(own) == 1 else None, movies)


def _movies(look: Look, copies: tuple[Copy, ...]) -> dict[str, Movie | Broken | None]:
    paths = [copy.source.path for copy in copies]
    return {path: look.movie(path) if path.lower().endswith(visit.MOVIES) else None for path in paths}


def _frames(
    look: Look, run: RunWork, mdocs: dict[str, Mdoc | Broken], movies: dict[str, Movie | Broken | None]
) -> subjects.Movies:
    sections = [s for mdoc in mdocs.values() if not isinstance(mdoc, Broken) for s in mdoc.images]
    first = (*run.movies, *run.gains)[0].source.path
    return subjects.Movies(
        first.rpartition("/")[0] or run.place.name,
        run.frames.metadata if run.frames else {},
        movies,
        _movies(look, run.gains),
        frozenset(s.frame_name for s in sections if s.frame_name),
        {s.frame_name: s.num_sub_frames for s in sections if s.frame_name and s.num_sub_frames},
    )


def _angles(look: Look, rawtilt: Copy | None) -> tuple[float, ...] | Broken | None:
    """Give the angles of a series: those of its file, or those that were found in a file of another format."""
    if rawtilt is None:
        return None
    if rawtilt.text is not None:
        return tuple(map(float, rawtilt.text.split()))
    return look.angles(rawtilt.source.path)


def _series(
    look: Look, work: TiltSeriesWork, mdoc: Mdoc | None, movies: dict[str, Movie | Broken | None]
) -> subjects.Series:
    source = work.volume.source.path
    angles = _angles(look, work.rawtilt)
    sizes = (m.spacing[0] for m in movies.values() if m is not None and not isinstance(m, Broken) and m.spacing)
    return subjects.Series(
        source,
        work.metadata,
        work.run,
        None if source.endswith(".zarr") else look.mrc(source, Expected(stack=True)),
        angles,
        work.rawtilt.source.path if work.rawtilt else "",
        mdoc,
        frame_spacing=next(sizes, None),
    )
