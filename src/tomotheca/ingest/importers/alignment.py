"""Alignments: the files as they are, and what they say of each section; `geometry` reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.errors import ConfigurationError, FormatError
from tomotheca.ingest import archive
from tomotheca.ingest.expressions import ExpressionError, search
from tomotheca.ingest.importers import geometry
from tomotheca.ingest.importers.common import provenance
from tomotheca.ingest.importers.geometry import Geometry, SectionGeometry, Stack, UnfitError
from tomotheca.ingest.scene import RunScene, stem
from tomotheca.ingest.transfer import Copy, Past, copy, hashed
from tomotheca.ingest.work import Context, Draft, Input, Step
from tomotheca.schema import Alignment, TiltSeries, Tomogram
from tomotheca.store import layout

if TYPE_CHECKING:
    from tomotheca.ingest.config import Source
    from tomotheca.ingest.discover import Item
    from tomotheca.ingest.importers.tiltseries import Series

IDENTITY = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
DEFAULTS: Mapping[str, Any] = {
    "alignment_type": "GLOBAL",
    "volume_offset": {"x": 0.0, "y": 0.0, "z": 0.0},
    "x_rotation_offset": 0.0,
    "tilt_offset": 0.0,
    "affine_transformation_matrix": IDENTITY,
    "is_portal_standard": False,
}
"""What holds where a configuration does not say otherwise."""


@dataclass(frozen=True, slots=True)
class AlignmentWork:
    """What one alignment is made from."""

    key: str
    metadata: Mapping[str, Any]
    deposition: int
    copies: tuple[Copy, ...]
    geometry: Geometry
    tiltseries: str | None
    volume: tuple[float, float, float] | None
    """Å, x, y, z."""

    def draft(self, context: Context) -> Draft:
        """Copy the files and write down the geometry."""
        past = Past(context, self.key)
        brought = copy(context, self.copies, past)
        document = {
            "deposition_id": self.deposition,
            **DEFAULTS,
            **self.geometry.facts,
            **self.metadata,
            "volume_dimension": self.metadata.get("volume_dimension") or (dict(zip("xyz", self.volume, strict=True)) if self.volume else None),
            "per_section_alignment_parameters": [_section(s) for s in self.geometry.sections],
            "alignment_path": self._first(geometry.MAIN),
            "tilt_path": self._first(geometry.TILTS),
            "tiltx_path": self._first(geometry.X_TILTS),
            "tiltseries_path": self.tiltseries,
            "files": [c.key for c in self.copies],
            "provenance": provenance(context.origin, hashed([c.source for c in self.copies], past)),
        }  # fmt: skip
        return Draft(Alignment, self.key, document, brought.entries, written=brought.written)

    def _first(self, suffixes: Sequence[str]) -> str | None:
        found = geometry.first(self.copies, suffixes)
        return found.key if found else None


def _section(section: SectionGeometry) -> dict[str, Any]:
    x, y = section.shift or (None, None)
    return {
        "z_index": section.z,
        "tilt_angle": section.tilt,
        "volume_x_rotation": section.x_rotation,
        "in_plane_rotation": [list(row) for row in section.rotation] if section.rotation else None,
        "x_offset": x,
        "y_offset": y,
    }


@dataclass(slots=True)
class Aligned:
    """An alignment of a run: planned, or in the archive already."""

    key: str
    words: str
    """What `parent_filters: include: alignment` is searched in: method, format, names of its files."""

    item: Item | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tiltseries: str | None = None
    copies: tuple[Copy, ...] = ()
    geometry: Geometry = field(default_factory=Geometry)
    volume: tuple[float, float, float] | None = None
    used: bool = False


class Alignments:
    """The alignments of a run, and which of them a tomogram or annotation belongs to; see docs/design/002-alignments.md."""

    def __init__(self, run: RunScene, series: Sequence[Series]) -> None:
        self.run = run
        self._numbers = archive.Numbers(run.archive.of(Alignment), archive.alignment)
        self._series = series
        self._default: Aligned | None = None
        self.own = self._plan()
        known = [_existing(e) for e in run.archive.of(Alignment)]
        referred = {item.path for item in run.referred("alignments")}
        self._referred = [a for a in known if a.key in referred]
        self._existing = [] if self.own or self._referred else known

    def choose(self, item: Item, spacing: layout.Spacing) -> Aligned | None:
        """Give the alignment of a tomogram or annotation; None, with a finding, if its filters let none through."""
        candidates = [*self.own, *self._referred] or ([] if self.run.owned else self._in_archive(spacing))
        if not candidates:
            chosen: Aligned | None = self.default()
        else:
            try:
                chosen = next((a for a in candidates if _passes(item.source, a)), None)
            except ExpressionError as slow:
                text = self.run.scene.configuration.text
                raise ConfigurationError([text.finding("error", item.source.location, f"{slow}.")]) from slow
        if chosen is None:
            words = "; ".join(a.words for a in candidates)
            self.run.add("error", item, f"its parent_filters let none of the alignments through ({words}).")
            return None
        chosen.used = True
        return chosen

    def excluded(self) -> dict[str, frozenset[int]]:
        """Give the sections that every alignment of a tilt series leaves out, by the key of the series."""
        found: dict[str, frozenset[int]] = {}
        for one in self.own:
            if one.tiltseries and one.geometry.sections:
                left_out = frozenset(one.geometry.excluded)
                found[one.tiltseries] = found.get(one.tiltseries, left_out) & left_out
        return found

    def default(self) -> Aligned:
        """Give the alignment that says nothing: identity for the whole volume."""
        if self._default is None:
            key = self._key({}, self._only_series())
            self._default = Aligned(key, "identity", tiltseries=self._only_series())
        return self._default

    def steps(self) -> list[Step]:
        """Plan what is to be written."""
        default = [self._default] if self._default is not None and self._default.used else []
        return [_step(self.run, a) for a in (*self.own, *default)]

    def _plan(self) -> list[Aligned]:
        planned: dict[str, Aligned] = {}
        for item in self.run.of("alignments"):
            metadata = self.run.metadata(item)
            if metadata is None or not (item.paths or metadata):
                continue
            stack = self._stack(item) if item.paths else None
            tiltseries = stack.key if stack else (None if item.paths else self._only_series())
            key = self._key(metadata, tiltseries)
            if key in planned:
                other = planned[key].item
                self.run.add(
                    "error",
                    item,
                    f"{item.path or item.name} and {(other.path or other.name) if other else ''} are alignments of one format and method: give them different method_type.",
                )
                continue
            names = " ".join(dict.fromkeys(stem(p) for p in item.paths))
            words = f"{metadata.get('method_type') or ''} {metadata.get('format') or ''} {names}".strip() or "identity"
            one = Aligned(key, words, item, metadata, tiltseries)
            if self._read(one, item, stack):
                planned[key] = one
        return list(planned.values())

    def _read(self, one: Aligned, item: Item, stack: Stack | None) -> bool:
        """Read the files of an alignment; False, with a finding, if one is broken or they do not fit."""
        inputs = [self.run.scene.input(path) for path in item.paths]
        if any(i is None for i in inputs):
            return False
        form = geometry.form_of(item.paths, one.metadata.get("format"))
        place = self.run.place.alignment(layout.locate(one.key).number or 0)
        named = _named(self.run, item, form, [i for i in inputs if i is not None])
        one.copies = tuple(Copy(source, place.file(name), "alignment") for name, source in named)
        try:
            names = (self.run.name, *dict.fromkeys(stem(p) for p in item.paths))
            one.geometry = geometry.read(form, one.copies, stack, names) if one.copies else Geometry()
        except FormatError as error:
            self.run.about("error", Path(error.path), error.reason)
            return False
        except UnfitError as error:
            self.run.add("error", item, f"the alignment of {', '.join(item.paths)}: {error}.")
            return False
        for warning in one.geometry.warnings:
            self.run.add("warning", item, warning)
        return True

    def _key(self, metadata: Mapping[str, Any], tiltseries: str | None) -> str:
        document = {"deposition_id": self.run.deposition, **metadata, "tiltseries_path": tiltseries}
        return self.run.place.alignment(self._numbers.of(archive.alignment(document))).document

    def _only_series(self) -> str | None:
        keys = [s.place.document for s in self._series] or [e.key for e in self.run.archive.of(TiltSeries)]
        return keys[0] if len(keys) == 1 else None

    def _stack(self, item: Item) -> Stack | None:
        """Find the tilt series of an alignment."""
        stems = {stem(p) for p in item.paths}
        if self._series:
            owned = [s for s in self._series if s.item is item.parent] or (
                list(self._series) if len(self._series) == 1 else []
            )
            owned = owned or [s for s in self._series if s.stem in stems]
            if owned:
                one = owned[0]
                pixel = float(one.metadata["pixel_spacing"])
                return Stack(one.place.document, pixel, one.look.shape, one.angles, one.movies)
            self.run.add(
                "warning",
                item,
                f"{item.path} belongs to none of the run's tilt series by name: its shifts stay without Å.",
            )
            return None
        found = list(self.run.archive.of(TiltSeries))
        if item.parent is not None and item.parent.container == "tiltseries":
            number = layout.locate(item.parent.path).number
            return next((_stack_of(e) for e in found if e.number == number), None)
        same = [e for e in found if stem(str(e.document.get("source") or "")) in stems]
        same = same or (found if len(found) == 1 else [])
        return _stack_of(same[0]) if same else None

    def _in_archive(self, spacing: layout.Spacing) -> list[Aligned]:
        """List the archive's alignments, those of its tomograms at this spacing first."""
        tomograms = sorted(
            self.run.archive.of(Tomogram, spacing.folder), key=lambda e: not e.document.get("is_visualization_default")
        )
        order = [str(e.document.get("alignment_metadata_path")) for e in tomograms]
        return sorted(self._existing, key=lambda a: order.index(a.key) if a.key in order else len(order))


def _existing(found: archive.Existing) -> Aligned:
    document = found.document
    names = " ".join(dict.fromkeys(stem(str(f)) for f in document.get("files") or ()))
    words = f"{document.get('method_type') or ''} {document.get('format') or ''} {names}".strip() or "identity"
    return Aligned(found.key, words, tiltseries=document.get("tiltseries_path"))


def _passes(source: Source, aligned: Aligned) -> bool:
    included, excluded = source.filters.include.alignment, source.filters.exclude.alignment
    if included and not any(search(p, aligned.words) for p in included):
        return False
    return not any(search(p, aligned.words) for p in excluded)


def _stack_of(found: archive.Existing) -> Stack | None:
    """Describe a tilt series of the archive; None if its document does not say enough."""
    size, pixel = found.document.get("size"), found.document.get("pixel_spacing")
    if not isinstance(size, dict) or not pixel:
        return None
    sections = sorted(found.document.get("per_section_parameter") or (), key=lambda s: s["z_index"])
    angles = tuple(float(s["raw_angle"]) for s in sections) if len(sections) == size["z"] else None
    return Stack(found.key, float(pixel), (size["z"], size["y"], size["x"]), angles)


def _step(run: RunScene, aligned: Aligned) -> Step:
    copies = aligned.copies
    work = AlignmentWork(
        aligned.key, aligned.metadata, run.deposition, copies, aligned.geometry, aligned.tiltseries, aligned.volume
    )
    natural = f"run {run.name}, {aligned.words}"
    return Step("alignment", aligned.key, natural, work, tuple(c.source for c in copies), tuple(c.key for c in copies))


def _named(run: RunScene, item: Item, form: str, inputs: Sequence[Input]) -> tuple[tuple[str, Input], ...]:
    """Name the copies after the run, by their ending; a second file of one kind keeps its own name."""
    taken: dict[str, Input] = {}
    for source in inputs:
        name = source.path.rpartition("/")[2]
        suffix = next((s for s in geometry.SUFFIXES[form] if name.lower().endswith(s)), "")
        if not suffix:
            known = ", ".join(geometry.SUFFIXES[form])
            run.add(
                "warning",
                item,
                f"{source.path} is no file of an alignment of {form} ({known}): it is kept and not read.",
            )
        new = f"{run.name}{suffix}" if suffix else name
        if new in taken:
            new = name
        if new in taken:
            run.add("error", item, f"{taken[new].path} and {source.path} would both become {new}: rename one.")
            continue
        taken[new] = source
    return tuple(taken.items())
