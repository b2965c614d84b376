"""Runs: the run's own document, and the frames, mdoc files, gain references and objects that its manifest lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tomotheca.errors import Finding, FormatError
from tomotheca.formats import movies
from tomotheca.formats.mdoc import bare_name
from tomotheca.ingest.importers import objects
from tomotheca.ingest.importers.acquisition import read_mdoc
from tomotheca.ingest.importers.common import provenance
from tomotheca.ingest.scene import RunScene, stem
from tomotheca.ingest.sections import Exposure, FrameRecord, frames
from tomotheca.ingest.transfer import Brought, Copy, Past, copy, hashed
from tomotheca.ingest.work import Context, Draft, Input, Step
from tomotheca.schema import Frames, Run
from tomotheca.store import documents, manifest

if TYPE_CHECKING:
    from tomotheca.formats.movies import Movie
    from tomotheca.ingest.discover import Item
    from tomotheca.ingest.importers.objects import ObjectsWork
    from tomotheca.ingest.importers.tiltseries import Series
    from tomotheca.store import layout
    from tomotheca.store.manifest import Entry


@dataclass(frozen=True, slots=True)
class FramesWork:
    """What the document of the frames is made from."""

    key: str
    metadata: dict[str, Any]
    deposition: int
    records: tuple[tuple[FrameRecord, str | None], ...]
    """Each frame with the key of its movie, if there is one."""

    mdocs: tuple[Copy, ...]

    def draft(self, context: Context, past: Past, seen: Mapping[str, Movie]) -> Draft:
        """Write down the frames; ``seen`` has what the headers of the movies say, by key."""
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
                    **({"size": seen[path].size} if path and path in seen else {}),
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
    objects: ObjectsWork | None
    deposition: int
    owned: bool
    """Whether the configuration describes the dataset; else its files join those that are there."""

    def draft(self, context: Context) -> Draft:
        """Copy the files and write down what the run has."""
        place = self.place
        past = Past(context, place.document)
        copies = (*self.movies, *(self.frames.mdocs if self.frames else ()), *self.gains)
        brought = copy(context, copies, past)
        made = self.objects.bring(context) if self.objects else Brought(())
        seen, findings = look(self.movies, self.gains)
        before = (
            *((self.frames.draft(context, past, seen),) if self.frames else ()),
            *((self.objects.draft(context),) if self.objects else ()),
        )
        others = Others(Past(replace(context, force=False), place.document), None if self.owned else self.deposition)
        known = others.past.document.get("ids") or {}
        gains = [entry.key.rpartition("/")[2] for entry in others.entries if entry.role == "gain"]
        ids = {
            "tomogram_voxel_spacing": dict.fromkeys([*known.get("tomogram_voxel_spacing", {}), *self.spacings], 0),
            "gain_file": dict.fromkeys(sorted([*gains, *(c.key.rpartition("/")[2] for c in self.gains)]), 0),
        }
        own = {"gain_file": [c.key.rpartition("/")[2] for c in self.gains], "tomogram_voxel_spacing": self.spacings}
        document = {
            "run_name": place.name,
            "ids": ids,
            **others.additions(own),
            **others.provenance(context, hashed([c.source for c in copies], past)),
        }
        entries = others.beside((*brought.entries, *made.entries))
        written = brought.written + made.written
        return Draft(Run, place.document, document, entries, before, findings=findings, written=written)


def look(copies: Sequence[Copy], gains: Sequence[Copy]) -> tuple[dict[str, Movie], tuple[Finding, ...]]:
    """Read the headers of movies and gain references: what they say by key, and what is wrong with them."""
    seen: dict[str, Movie] = {}
    findings = []
    for one in (*copies, *gains):
        try:
            found = movies.look(one.source.local)
        except FormatError as error:
            findings.append(Finding("warning", error.path, f"{error.reason} It is copied as it is."))
            continue
        if found is not None:
            seen[one.key] = found
    sizes = {(m.columns, m.rows): key for key, m in reversed(seen.items()) if key in {c.key for c in copies}}
    if len(sizes) > 1:
        words = " and ".join(f"{x} x {y} ({key.rpartition('/')[2]})" for (x, y), key in list(sizes.items())[:2])
        findings.append(
            Finding("warning", copies[0].key.rpartition("/")[0], f"movies of one run differ in size: {words}.")
        )
    return seen, tuple(findings)


class Others:
    """What a run has from others than the one who takes something in now: it stays.

    Parameters
    ----------
    deposition
        The one that adds to somebody else's dataset; None for the dataset's own configuration.
    """

    def __init__(self, past: Past, deposition: int | None) -> None:
        self.deposition = deposition
        self.past = past
        self.entries = tuple(e for e in past.entries() if e.deposition != deposition)

    def beside(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """Give the manifest: what others have, and this, marked as this deposition's."""
        own = {e.key: replace(e, deposition=self.deposition) for e in entries}
        return (*(e for e in self.entries if e.key not in own), *own.values())

    def additions(self, own: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """List what depositions have added to the run: those of before, and what this one has that the dataset has not."""
        before: Mapping[str, Any] = self.past.document.get(documents.ADDITIONS) or {}
        me = str(self.deposition)
        if self.deposition is None:
            found = {who: _without(kinds, own) for who, kinds in before.items()}
        else:
            mine = before.get(me, {})
            known = {k: [n for n in names if n not in mine.get(k, ())] for k, names in self._names().items()}
            found = {**before, me: _without(own, known)}
        found = {who: kinds for who, kinds in sorted(found.items()) if kinds}
        return {documents.ADDITIONS: found} if found else {}

    def _names(self) -> dict[str, list[str]]:
        return {kind: list(names) for kind, names in (self.past.document.get("ids") or {}).items()}

    def provenance(self, context: Context, sources: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Say where the document comes from: the tool and configuration are those of the dataset's own."""
        marked = [{**s, "deposition": self.deposition} for s in sources] if self.deposition else list(sources)
        known = self.past.provenance
        kept = [s for s in known.get("sources", ()) if s.get("deposition") != self.deposition]
        said = provenance(context.origin, sorted([*kept, *marked], key=lambda s: s.get("deposition") or 0))
        return {"provenance": {**said, **known, "sources": said["sources"]} if self.deposition else said}


def _without(kinds: Mapping[str, Sequence[str]], known: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Leave names out by kind, and kinds of which none is left."""
    left = {kind: [n for n in names if n not in known.get(kind, ())] for kind, names in kinds.items()}
    return {kind: names for kind, names in left.items() if names}


def plan(run: RunScene, series: Sequence[Series], spacings: Sequence[str]) -> Step:
    """Plan the document of a run with its frames and gains."""
    gains = named_copies(run, "gains")
    frames_found = named_copies(run, "frames")
    described = _frames(run, series, frames_found)
    listed = objects.plan(run)
    work = RunWork(run.place, tuple(spacings), gains, frames_found, described, listed, run.deposition, run.owned)
    copies = (*frames_found, *(described.mdocs if described else ()), *gains)
    _others_names(run, copies)
    inputs = (*(c.source for c in copies), *((listed.source,) if listed else ()))
    outputs = (
        *(c.key for c in copies),
        *((described.key,) if described else ()),
        *((run.place.identified_objects, run.place.identified_objects_document) if listed else ()),
    )
    natural = f"dataset {run.place.dataset}, run {run.name}"
    return Step("run", run.place.document, natural, work, inputs, outputs, stage=1)


def _others_names(run: RunScene, copies: Sequence[Copy]) -> None:
    """Refuse a file that somebody else has brought under the same name."""
    mine = None if run.owned else run.deposition
    taken = (
        {e.key for e in manifest.read(run.scene.files, run.place.folder) if e.deposition != mine} if copies else set()
    )
    for one in copies:
        if one.key in taken:
            message = f"run {run.name} has a file {one.key} of another deposition: give this one another name."
            run.about("error", one.source.local, message)


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


def _matched(names: Sequence[str], copies: Sequence[Copy]) -> dict[str, str]:
    """Give the keys of movies by their names in mdoc files: by the whole name, else by the name without its endings.

    A movie may have been converted or packed since: ``a.tif`` is found as ``A.mrc.bz2`` where no other fits.
    """
    whole = {c.source.path.rpartition("/")[2]: c.key for c in reversed(copies)}
    bare: dict[str, list[str]] = {}
    for name, key in whole.items():
        bare.setdefault(bare_name(name), []).append(key)
    found = {name: whole[name] for name in names if name in whole}
    for name in dict.fromkeys(n for n in names if n and n not in found):
        keys = [key for key in bare.get(bare_name(name), ()) if key not in found.values()]
        if len(keys) == 1:
            found[name] = keys[0]
    return found


def _missing(run: RunScene, items: Sequence[Item], records: Sequence[FrameRecord], *, any_: bool) -> None:
    """Report sections whose movie is not among those that were found, if there are any at all."""
    named = [r.frame for r in records if r.frame]
    if any_ and items and named:
        message = (
            f"{len(named)} sections of the mdoc files have no movie here (first {named[0]}): their frames have no file."
        )
        run.add("warning", items[0], message)
    if any_ and items and (silent := len(records) - len(named)):
        message = f"{silent} sections say nothing of a movie (no SubFramePath): their frames have no file."
        run.add("warning", items[0], message)


def _frames(run: RunScene, series: Sequence[Series], copies: Sequence[Copy]) -> FramesWork | None:
    items = run.of("frames")
    metadata = run.metadata(items[0]) if items else {}
    recorded = _recorded(run, series)
    if metadata is None or not (items or recorded or any(s.sections for s in series)):
        return None
    known = next((e.document.get("deposition_id") for e in run.archive.of(Frames)), None)
    if known is not None and int(known) != run.deposition:
        item = next(iter((*items, *run.of("tiltseries"), *run.of("collection_metadata"))))
        message = (
            f"it has the frames of deposition {known}: take tilt series and frames in with the dataset they belong to."
        )
        run.add("error", item, message)
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
    paths = _matched([r.frame for r in records], copies)
    used = set(paths.values())
    left = [c.source.path.rpartition("/")[2] for c in copies if c.key not in used]
    _unused(run, items, left, recorded=bool(recorded))
    _missing(run, items, [r for r in records if r.frame not in paths], any_=bool(copies and recorded))
    mdocs = tuple(
        Copy(source, run.place.mdoc(name if len(recorded) > 1 else ""), "mdoc") for source, _, name in recorded
    )
    with_paths = tuple((r, paths.get(r.frame)) for r in records)
    if not recorded and copies and not any(r.frame for r in records):
        with_paths = _without_mdoc(records, copies)
    return FramesWork(run.place.frames_document, metadata, run.deposition, with_paths, mdocs)


def _without_mdoc(records: Sequence[FrameRecord], copies: Sequence[Copy]) -> tuple[tuple[FrameRecord, str | None], ...]:
    """List movies that no mdoc file describes in the order of their names, after the sections of the series."""
    first = max((r.order + 1 for r in records), default=0)
    listed = [(FrameRecord(first + i), c.key) for i, c in enumerate(sorted(copies, key=lambda c: c.key))]
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
