"""Tilt series: a stack with its pyramid, the list of angles, CTF parameters, and what is known of each section."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tomotheca.ingest import archive, inplace, sections
from tomotheca.ingest.headers import Look, compare, look
from tomotheca.ingest.importers import geometry
from tomotheca.ingest.importers.acquisition import (
    Angles,
    Estimated,
    read_angles,
    read_ctf,
    read_mdoc,
    recorded_by_warp,
)
from tomotheca.ingest.importers.common import Recipes, provenance
from tomotheca.ingest.scene import RunScene, stem
from tomotheca.ingest.transfer import Copy, Past, Volume, copy, hashed
from tomotheca.ingest.work import Context, Draft, Input, Step
from tomotheca.schema import TiltSeries

if TYPE_CHECKING:
    from tomotheca.formats.ctf import Ctf
    from tomotheca.ingest.discover import Item
    from tomotheca.ingest.sections import Exposure, Section
    from tomotheca.store import layout

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TiltSeriesWork:
    """What one tilt series is made from."""

    key: str
    volume: Volume
    rawtilt: Copy | None
    ctf: Copy | None
    metadata: Mapping[str, Any]
    deposition: int
    run: str
    source: str
    sections: tuple[Section, ...]
    frames_count: int | None

    def draft(self, context: Context) -> Draft:
        """Convert the stack and write down its sections."""
        past = Past(context, self.key)
        recipes = Recipes()
        recipe = recipes.of(self.volume)
        converted = inplace.bring(context, past, self.volume, recipe)
        copies = tuple(c for c in (self.rawtilt, self.ctf) if c is not None)
        brought = copy(context, copies, past)
        sources = [*inplace.recorded(self.volume, past, converted), *hashed([c.source for c in copies], past)]
        document = {
            "deposition_id": self.deposition,
            "run_name": self.run,
            **self.metadata,
            **converted.facts,
            "frames_count": self.metadata.get("frames_count") or self.frames_count,
            "raw_tlt_path": self.rawtilt.key if self.rawtilt else None,
            "ctf_path": self.ctf.key if self.ctf else None,
            "source": self.source,
            "per_section_parameter": [_parameters(s) for s in self.sections],
            "provenance": provenance(context.origin, sources, recipes),
        }
        written = converted.brought.written + brought.written
        entries = (*converted.brought.entries, *brought.entries)
        return Draft(TiltSeries, self.key, document, entries, findings=converted.findings, written=written)


def _parameters(section: Section) -> dict[str, Any]:
    """Give what a document says of a section; what is not known is left out."""
    said: dict[str, Any] = {
        "z_index": section.z,
        "raw_angle": section.angle,
        "frame_acquisition_order": section.order,
    }
    if section.ctf is not None:
        said |= {name: value for name, value in asdict(section.ctf).items() if name != "z" and value is not None}
    return {**said, "excluded": True} if section.excluded else said


@dataclass(frozen=True, slots=True)
class Series:
    """A tilt series as it was planned."""

    item: Item
    place: layout.TiltSeries
    metadata: Mapping[str, Any] = field(repr=False)
    look: Look
    rawtilt: Copy | None = None
    ctf: Copy | None = None
    exposures: tuple[Exposure, ...] = ()
    mdoc: Input | None = None
    sections: tuple[Section, ...] = ()
    first: int = 0
    """Order of acquisition of its first exposure."""

    @property
    def stem(self) -> str:
        """Name without suffixes, by which files of the series are found."""
        return stem(self.item.path)

    @property
    def angles(self) -> tuple[float, ...] | None:
        """Raw tilts in the order of the sections, degrees; None if they are not known."""
        return tuple(s.angle for s in self.sections) or None

    @property
    def movies(self) -> tuple[str, ...]:
        """Names of the movies in the order of the sections; nothing if none is known."""
        known = {self.first + e.z: e.frame for e in self.exposures}
        found = tuple(known.get(s.order, "") for s in self.sections)
        return found if any(found) else ()


def plan(run: RunScene) -> tuple[Series, ...]:
    """Plan the tilt series of a run."""
    items = run.of("tiltseries")
    angles = {item: read_angles(run, found) for item, found in pair(run, "rawtilts", items, lambda i: i).items()}
    estimated = {item: read_ctf(run, found) for item, found in pair(run, "ctfs", items, lambda i: i).items()}
    recorded = {
        item: read_mdoc(run, found) for item, found in pair(run, "collection_metadata", items, lambda i: i).items()
    }
    numbers = archive.Numbers(run.archive.of(TiltSeries), archive.tilt_series)
    planned: list[Series] = []
    claimed: dict[str, Item] = {}
    first = 0
    for item in items:
        if item.path in claimed:
            run.add(
                "error",
                item,
                f"{item.path} is named by two sources, the other in {_place(run, claimed[item.path])}: keep one.",
            )
            continue
        claimed[item.path] = item
        series = _series(run, item, numbers)
        if series is None:
            continue
        exposures, mdoc_input = recorded.get(item, ((), None))
        rawtilt = angles.get(item)
        if rawtilt is not None:
            rawtilt, exposures = recorded_by_warp(rawtilt, exposures)
        joined = _join(run, series, rawtilt, exposures, first)
        series = replace(series, exposures=exposures, mdoc=mdoc_input, sections=joined.sections, first=first)
        if rawtilt is not None:
            series = replace(series, rawtilt=rawtilt.copy(series.place.rawtilt()))
        if (ctf_found := estimated.get(item)) is not None:
            series = _with_ctf(run, series, ctf_found)
        planned.append(series)
        first += max(joined.span, max((e.z + 1 for e in exposures), default=0))
    return tuple(planned)


def _place(run: RunScene, item: Item) -> str:
    return run.scene.configuration.text.where(item.source.location)


def _series(run: RunScene, item: Item, numbers: archive.Numbers) -> Series | None:
    metadata, source = run.metadata(item), run.scene.input(item.path)
    if metadata is None or source is None or (seen := look(run, source)) is None:
        return None
    compare(run, source, seen, float(metadata["pixel_spacing"]), axes=2)
    place = run.place.tilt_series(numbers.of((run.deposition, item.path)))
    return Series(item, place, metadata, seen)


def steps(run: RunScene, planned: Sequence[Series], excluded: Mapping[str, frozenset[int]]) -> Iterator[Step]:
    """Give the steps of planned series.

    Parameters
    ----------
    excluded
        Sections that every alignment of a series leaves out, by the key of its document.
    """
    for series in planned:
        left_out = excluded.get(series.place.document, frozenset())
        marked = tuple(replace(s, excluded=True) if s.z in left_out else s for s in series.sections)
        yield _step(run, replace(series, sections=marked))


def _step(run: RunScene, series: Series) -> Step:
    place, source = series.place, run.scene.input(series.item.path)
    assert source is not None  # `_series` looked
    spacing = float(series.metadata["pixel_spacing"])
    plain = Volume(source, place.mrc(), place.zarr(), "tilt_series", (spacing, spacing, spacing), kind="tilt_series")
    volume = inplace.placed(run, series.item, plain, series.look)
    copies = tuple(c for c in (series.rawtilt, series.ctf) if c is not None)
    count = len(series.exposures) or None
    work = TiltSeriesWork(
        place.document,
        volume,
        series.rawtilt,
        series.ctf,
        series.metadata,
        run.deposition,
        run.name,
        series.item.path,
        series.sections,
        count,
    )
    outputs = (*inplace.outputs(volume), *(c.key for c in copies))
    inputs = (source, *(c.source for c in copies))
    return Step("tiltseries", place.document, f"run {run.name}, {series.item.path}", work, inputs, outputs)


def pair(run: RunScene, container: str, series: Sequence[Item], key: Callable[[Item], T]) -> dict[T | None, Item]:
    """Find the tilt series that each file of a container belongs to.

    That is the series whose name stands in the pattern, the only series of the run, or the one of equal stem; a file
    that fits none, and a second file for one series, are findings. Without any series in the configuration a single
    file belongs to the run (None).
    """
    found: dict[T | None, Item] = {}
    for item in run.of(container):
        owner = _owner(item, series)
        if owner is not None and owner.referred:
            run.add(
                "error", item, f"{item.path} belongs to a tilt series that is only referred to: take in both together."
            )
            continue
        if owner is None and series:
            names = ", ".join(stem(s.path) for s in series)
            run.add(
                "error",
                item,
                f"{item.path} belongs to none of the tilt series {names}: give it the name of one, or {{tiltseries_name}} in the pattern.",
            )
            continue
        where = key(owner) if owner else None
        if where in found and found[where].path != item.path:
            run.add(
                "error", item, f"{found[where].path} and {item.path} are both {container} of one tilt series: keep one."
            )
            continue
        found[where] = item
    return found


def _owner(item: Item, series: Sequence[Item]) -> Item | None:
    if item.parent is not None and item.parent.container == "tiltseries":
        return item.parent
    if len(series) == 1:
        return series[0]
    return next((s for s in series if stem(s.path) == stem(item.path)), None)


def _by_section(run: RunScene, series: Series, found: Estimated) -> dict[int, Ctf] | None:
    """Give CTF parameters by section; None, with a finding, if nothing tells which tilt of Warp is which section."""
    if found.tilts is None:
        return {row.z: row for row in found.rows}
    count = series.look.shape[0]
    placed = found.tilts.places(series.angles, series.movies, count=count)
    if placed is None:
        run.about("error", found.source.local, f"{geometry.unplaced(found.tilts, count)}.")
        return None
    return {z: found.rows[row] for row, z in placed.sections.items()}


def _with_ctf(run: RunScene, series: Series, found: Estimated) -> Series:
    """Give each section its CTF parameters; rows without a section, and sections without a row, are findings."""
    source = found.source
    by_section = _by_section(run, series, found)
    if by_section is None:
        return series
    count = series.look.shape[0]
    if beyond := [z for z in by_section if z >= count]:
        words = f"has {len(beyond)} sections beyond the {count} of {series.item.path} (first {min(beyond) + 1})"
        run.about("warning", source.local, f"{words}: they are left out.")
    elif not series.sections:
        run.about("warning", source.local, "belongs to a tilt series without angles: it is kept and not read.")
    elif len(by_section) < count:
        run.about("note", source.local, f"has {len(by_section)} of the {count} sections of {series.item.path}.")
    marked = tuple(replace(s, ctf=by_section.get(s.z)) for s in series.sections)
    key = series.place.ctf(found.form, suffix=".txt" if found.tilts is None else ".xml")
    return replace(series, sections=marked, ctf=Copy(source, key, "ctf"))


def _join(
    run: RunScene,
    series: Series,
    rawtilt: Angles | None,
    exposures: tuple[Exposure, ...],
    first: int,
) -> sections.Joined:
    """Join angles and exposures, and report what does not fit."""
    count, local = series.look.shape[0], run.scene.listing.local(series.item.path)
    if rawtilt is not None:
        angles = rawtilt.values
        if len(angles) != count:
            message = f"has {len(angles)} angles, the tilt series {series.item.path} {count} sections"
            if rawtilt.tilts is None:
                run.about("warning", rawtilt.source.local, f"{message}.")
            else:
                run.about("error", rawtilt.source.local, f"{message}: name the rawtlt file that was written beside it.")
    elif len(exposures) == count and all(e.angle is not None for e in exposures):
        angles = tuple(e.angle or 0.0 for e in sorted(exposures, key=lambda e: e.z))
        run.about("warning", local, "has no rawtlt file: the angles are those of the mdoc file in the order of ZValue.")
    else:
        reason = f"and the mdoc file has {len(exposures)} sections for {count}" if exposures else "and no mdoc file"
        run.about("warning", local, f"has no rawtlt file {reason}: its sections stay without angles; add rawtilts.")
        return sections.Joined((), span=len(exposures))
    joined = sections.join(angles[:count], exposures, first=first)
    if joined.unknown:
        some = ", ".join(f"{a:g}°" for a in joined.unknown[:3])
        run.about(
            "warning",
            rawtilt.source.local if rawtilt else local,
            f"{len(joined.unknown)} angles are not in the mdoc file (first {some}).",
        )
    return joined
