"""Runs: the run's own document, and the frames, mdoc files and gain references that its manifest lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomotheca.ingest.importers.common import provenance
from tomotheca.ingest.importers.tiltseries import Series, read_mdoc
from tomotheca.ingest.scene import RunScene, stem
from tomotheca.ingest.sections import Exposure, FrameRecord, frames
from tomotheca.ingest.transfer import Copy, Past, copy, hashed
from tomotheca.ingest.work import Context, Draft, Input, Step
from tomotheca.schema import Frames, Run

if TYPE_CHECKING:
    from tomotheca.ingest.discover import Item
    from tomotheca.store import layout


@dataclass(frozen=True, slots=True)
class FramesWork:
    """What the document of the frames is made from."""

    key: str
    metadata: dict[str, Any]
    deposition: int
    records: tuple[tuple[FrameRecord, str | None], ...]
    """Each frame with the key of its movie, if there is one."""

    mdocs: tuple[Copy, ...]

    def draft(self, context: Context, past: Past) -> Draft:
        """Write down the frames."""
        corrected = bool(self.metadata.get("is_gain_corrected"))
        document = {
            "deposition_id": self.deposition,
            "is_gain_corrected": corrected,
            **self.metadata,
            "frames": [
                {
                    "acquisition_order": record.order,
                    "accumulated_dose": record.accumulated,
                    "exposure_dose": record.dose,
                    "is_gain_corrected": corrected,
                    "path": path,
                }
                for record, path in self.records
            ],
            "frames_acquisition_file": self.mdocs[0].key if self.mdocs else None,
            "frames_acquisition_files": [m.key for m in self.mdocs],
            "provenance": provenance(context.origin, hashed([m.source for m in self.mdocs], past)),
        }
        return Draft(Frames, self.key, document, None)


@dataclass(frozen=True, slots=True)
class RunWork:
    """What a run's document is made from."""

    place: layout.Run
    spacings: tuple[str, ...]
    gains: tuple[Copy, ...]
    movies: tuple[Copy, ...]
    frames: FramesWork | None
    owned: bool

    def draft(self, context: Context) -> Draft:
        """Copy the files and write down what the run has."""
        place = self.place
        past = Past(context, place.document)
        copies = (*self.movies, *(self.frames.mdocs if self.frames else ()), *self.gains)
        brought = copy(context, copies, past)
        sources = hashed([c.source for c in copies], past)
        known = past.document.get("ids") or {}
        ids = {
            "tomogram_voxel_spacing": dict.fromkeys([*known.get("tomogram_voxel_spacing", {}), *self.spacings], 0),
            "gain_file": dict.fromkeys(
                [c.key.rpartition("/")[2] for c in self.gains] or ([] if self.owned else known.get("gain_file", {})), 0
            ),
        }
        document = {"run_name": place.name, "ids": ids, "provenance": provenance(context.origin, sources)}
        keeps = not self.owned and not copies and bool(past.document)
        if keeps:
            document["provenance"] = past.document.get("provenance", document["provenance"])
        before = (self.frames.draft(context, past),) if self.frames else ()
        return Draft(Run, place.document, document, None if keeps else brought.entries, before, written=brought.written)


def plan(run: RunScene, series: Sequence[Series], spacings: Sequence[str]) -> Step:
    """Plan the document of a run with its frames and gains."""
    gains = named_copies(run, "gains")
    movies = named_copies(run, "frames")
    described = _frames(run, series, movies)
    work = RunWork(run.place, tuple(spacings), gains, movies, described, run.owned)
    copies = (*movies, *(described.mdocs if described else ()), *gains)
    outputs = (*(c.key for c in copies), *((described.key,) if described else ()))
    natural = f"dataset {run.place.dataset}, run {run.name}"
    return Step("run", run.place.document, natural, work, tuple(c.source for c in copies), outputs, stage=1)


def named_copies(run: RunScene, container: str) -> tuple[Copy, ...]:
    """Name movies or gains as in the source; where two have one name, their folders come before it."""
    paths = list(dict.fromkeys(p for item in run.of(container) for p in item.paths))
    names = [p.rpartition("/")[2] for p in paths]
    copies = []
    for path, name in zip(paths, names, strict=True):
        source = run.scene.input(path)
        if source is None or run.scene.listing.is_folder(path):
            continue
        unique = name if names.count(name) == 1 else path.replace("/", "_")
        key = run.place.gain(unique) if container == "gains" else run.place.frame(unique)
        copies.append(Copy(source, key, "gain" if container == "gains" else "frame"))
    return tuple(copies)


def _frames(run: RunScene, series: Sequence[Series], movies: Sequence[Copy]) -> FramesWork | None:
    items = run.of("frames")
    metadata = run.metadata(items[0]) if items else {}
    recorded = _recorded(run, series)
    if metadata is None or not (items or recorded or any(s.sections for s in series)):
        return None
    rate = metadata.get("dose_rate")
    records: list[FrameRecord] = []
    for one in series:
        records += frames(one.exposures, one.sections, rate=rate, first=one.first)
    if not series:
        first = 0
        for _, exposures, _ in recorded:
            records += frames(exposures, (), rate=rate, first=first)
            first += max((e.z + 1 for e in exposures), default=0)
    paths = {c.source.path.rpartition("/")[2]: c.key for c in movies}
    found = {r.frame for r in records}
    _unused(run, items, [name for name in paths if name not in found], recorded=bool(recorded))
    mdocs = tuple(
        Copy(source, run.place.mdoc(name if len(recorded) > 1 else ""), "mdoc") for source, _, name in recorded
    )
    with_paths = tuple((r, paths.get(r.frame)) for r in records)
    if not recorded and movies and not any(r.frame for r in records):
        with_paths = _without_mdoc(records, movies)
    return FramesWork(run.place.frames_document, metadata, run.deposition, with_paths, mdocs)


def _without_mdoc(records: Sequence[FrameRecord], movies: Sequence[Copy]) -> tuple[tuple[FrameRecord, str | None], ...]:
    """List movies that no mdoc file describes in the order of their names, after the sections of the series."""
    first = max((r.order + 1 for r in records), default=0)
    listed = [(FrameRecord(first + i), c.key) for i, c in enumerate(sorted(movies, key=lambda c: c.key))]
    return (*((r, None) for r in records), *listed)


def _unused(run: RunScene, items: Sequence[Item], names: Sequence[str], *, recorded: bool) -> None:
    if names and items and recorded:
        run.add(
            "warning",
            items[0],
            f"{len(names)} movies are in no mdoc file (first {names[0]}): they are copied and not listed as frames.",
        )
    elif names and items:
        run.add(
            "warning",
            items[0],
            f"no mdoc file says which of {len(names)} movies belongs to which tilt: they are listed in the order of their names.",
        )


def _recorded(run: RunScene, series: Sequence[Series]) -> list[tuple[Input, tuple[Exposure, ...], str]]:
    """List the mdoc files of a run: source, exposures, name."""
    if series:
        return [(s.mdoc, s.exposures, s.stem) for s in series if s.mdoc is not None]
    found = []
    for item in run.of("collection_metadata"):
        exposures, source = read_mdoc(run, item)
        if source is not None:
            found.append((source, exposures, stem(item.path)))
    return found
