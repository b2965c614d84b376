"""Alignments: IMOD's files as they are, and what they say of each section.

Geometry (IMOD manual pages of xfmodel, newstack and tilt): a line ``A11 A12 A21 A22 DX DY`` of a ``.xf`` file takes a
raw image to the aligned one about the images' centres, ``aligned = A (raw - centre) + D + centre``. Documents keep the
matrix as ``in_plane_rotation`` (rows, acting on x, y) and the shift times the pixel size as ``x_offset``, ``y_offset``
in Å; ``tilt_angle`` is that of the ``.tlt`` file, ``volume_x_rotation`` that of ``.xtilt`` or ``.tltx``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.errors import FormatError
from tomotheca.formats import imod
from tomotheca.ingest import archive
from tomotheca.ingest.importers.common import provenance
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

TRANSFORMS, TILTS, X_TILTS = (".xf",), (".tlt",), (".xtilt", ".tltx")
KNOWN = (*TRANSFORMS, *TILTS, *X_TILTS, ".com")


@dataclass(frozen=True, slots=True)
class SectionGeometry:
    """One section of an alignment."""

    z: int
    rotation: tuple[tuple[float, float], tuple[float, float]] | None
    shift: tuple[float, float] | None
    """Å."""

    tilt: float | None
    x_rotation: float | None


@dataclass(frozen=True, slots=True)
class AlignmentWork:
    """What one alignment is made from."""

    key: str
    metadata: Mapping[str, Any]
    deposition: int
    copies: tuple[Copy, ...]
    sections: tuple[SectionGeometry, ...]
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
            **self.metadata,
            "volume_dimension": self.metadata.get("volume_dimension") or (dict(zip("xyz", self.volume, strict=True)) if self.volume else None),
            "per_section_alignment_parameters": [_section(s) for s in self.sections],
            "alignment_path": self._first(TRANSFORMS),
            "tilt_path": self._first(TILTS),
            "tiltx_path": self._first(X_TILTS),
            "tiltseries_path": self.tiltseries,
            "files": [c.key for c in self.copies],
            "provenance": provenance(context.origin, hashed([c.source for c in self.copies], past)),
        }  # fmt: skip
        return Draft(Alignment, self.key, document, brought.entries, written=brought.written)

    def _first(self, suffixes: Sequence[str]) -> str | None:
        return next((c.key for c in self.copies if c.key.lower().endswith(tuple(suffixes))), None)


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
    pixel: float | None = None
    sections: int | None = None
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
        self._existing = [_existing(e) for e in run.archive.of(Alignment)] if not self.own else []

    def choose(self, item: Item, spacing: layout.Spacing) -> Aligned | None:
        """Give the alignment of a tomogram or annotation; None, with a finding, if its filters let none through."""
        candidates = self.own or ([] if self.run.owned else self._in_archive(spacing))
        if not candidates:
            chosen: Aligned | None = self.default()
        else:
            chosen = next((a for a in candidates if _passes(item.source, a)), None)
        if chosen is None:
            words = "; ".join(a.words for a in candidates)
            self.run.add("error", item, f"its parent_filters let none of the alignments through ({words}).")
            return None
        chosen.used = True
        return chosen

    def default(self) -> Aligned:
        """Give the alignment that says nothing: identity for the whole volume."""
        if self._default is None:
            key = self._key({}, self._only_series())
            self._default = Aligned(key, "identity", tiltseries=self._only_series())
        return self._default

    def steps(self) -> list[Step]:
        """Plan what is to be written."""
        planned = [s for a in self.own if (s := _step(self.run, a)) is not None]
        if self._default is not None and self._default.used:
            planned.append(_default_step(self.run, self._default))
        return planned

    def _plan(self) -> list[Aligned]:
        planned: dict[str, Aligned] = {}
        for item in self.run.of("alignments"):
            metadata = self.run.metadata(item)
            if metadata is None or not item.paths:
                continue
            tiltseries, pixel, sections = self._series_of(item)
            key = self._key(metadata, tiltseries)
            if key in planned:
                other = planned[key].item
                self.run.add(
                    "error",
                    item,
                    f"{item.path} and {other.path if other else ''} are alignments of one format and method: give them different method_type.",
                )
                continue
            names = " ".join(dict.fromkeys(stem(p) for p in item.paths))
            words = f"{metadata.get('method_type') or ''} {metadata.get('format') or ''} {names}".strip()
            planned[key] = Aligned(key, words, item, metadata, tiltseries, pixel, sections)
        return list(planned.values())

    def _key(self, metadata: Mapping[str, Any], tiltseries: str | None) -> str:
        document = {"deposition_id": self.run.deposition, **metadata, "tiltseries_path": tiltseries}
        return self.run.place.alignment(self._numbers.of(archive.alignment(document))).document

    def _only_series(self) -> str | None:
        keys = [s.place.document for s in self._series] or [e.key for e in self.run.archive.of(TiltSeries)]
        return keys[0] if len(keys) == 1 else None

    def _series_of(self, item: Item) -> tuple[str | None, float | None, int | None]:
        """Find the tilt series of an alignment: key of its document, pixel size, number of sections."""
        if self._series:
            owned = [s for s in self._series if s.item is item.parent] or (
                list(self._series) if len(self._series) == 1 else []
            )
            owned = owned or [s for s in self._series if s.stem in {stem(p) for p in item.paths}]
            if owned:
                return owned[0].place.document, float(owned[0].metadata["pixel_spacing"]), owned[0].look.shape[0]
            self.run.add(
                "warning",
                item,
                f"{item.path} belongs to none of the run's tilt series by name: its shifts stay without Å.",
            )
            return None, None, None
        found = list(self.run.archive.of(TiltSeries))
        same = [e for e in found if stem(str(e.document.get("source") or "")) in {stem(p) for p in item.paths}] or (
            found if len(found) == 1 else []
        )
        if not same:
            return None, None, None
        size = same[0].document.get("size") or {}
        return same[0].key, float(same[0].document["pixel_spacing"]), size.get("z")

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
    if included and not any(re.search(p, aligned.words) for p in included):
        return False
    return not any(re.search(p, aligned.words) for p in excluded)


def _step(run: RunScene, aligned: Aligned) -> Step | None:
    item = aligned.item
    inputs = [run.scene.input(p) for p in item.paths] if item else []
    if item is None or any(i is None for i in inputs):
        return None
    place = run.place.alignment(layout.locate(aligned.key).number or 0)
    copies = _copies(run, item, place, [i for i in inputs if i is not None])
    sections = _sections(run, aligned, copies)
    if sections is None:
        return None
    work = AlignmentWork(
        aligned.key, aligned.metadata, run.deposition, copies, sections, aligned.tiltseries, aligned.volume
    )
    natural = f"run {run.name}, {aligned.words}"
    return Step("alignment", aligned.key, natural, work, tuple(c.source for c in copies), tuple(c.key for c in copies))


def _default_step(run: RunScene, aligned: Aligned) -> Step:
    work = AlignmentWork(aligned.key, {}, run.deposition, (), (), aligned.tiltseries, aligned.volume)
    return Step("alignment", aligned.key, f"run {run.name}, identity", work)


def _copies(run: RunScene, item: Item, place: layout.Alignment, inputs: Sequence[Input]) -> tuple[Copy, ...]:
    """Name the copies after the run; a second file of one kind keeps its own name."""
    taken: dict[str, Copy] = {}
    for source in inputs:
        name = source.path.rpartition("/")[2]
        suffix = next((s for s in KNOWN if name.lower().endswith(s)), None)
        if suffix is None:
            run.add(
                "warning",
                item,
                f"{source.path} is no file of an IMOD alignment ({', '.join(KNOWN)}): it is kept and not read.",
            )
        key = place.renamed(suffix) if suffix else place.file(name)
        if key in taken:
            key = place.file(name)
        if key in taken:
            run.add("error", item, f"{taken[key].source.path} and {source.path} would both become {key}: rename one.")
            continue
        taken[key] = Copy(source, key, "alignment")
    return tuple(taken.values())


def _sections(run: RunScene, aligned: Aligned, copies: Sequence[Copy]) -> tuple[SectionGeometry, ...] | None:
    """Read the files of an alignment; None, with a finding, if one is broken or they do not fit each other."""

    def first(suffixes: Sequence[str]) -> Copy | None:
        return next((c for c in copies if c.source.path.lower().endswith(tuple(suffixes))), None)

    xf, tlt, xtilt = first(TRANSFORMS), first(TILTS), first(X_TILTS)
    try:
        transforms = imod.read_xf(xf.source.local) if xf else None
        tilts = imod.read_tlt(tlt.source.local) if tlt else None
        x_tilts = imod.read_xtilt(xtilt.source.local) if xtilt else None
    except FormatError as error:
        run.about("error", Path(error.path), error.reason)
        return None
    counts = {
        c.source.path: len(v)
        for c, v in ((xf, transforms), (tlt, tilts), (xtilt, x_tilts))
        if c is not None and v is not None
    }
    if len(set(counts.values())) > 1 and aligned.item:
        said = ", ".join(f"{path} {count}" for path, count in counts.items())
        run.add("error", aligned.item, f"the files of the alignment have different numbers of sections: {said}.")
        return None
    count = next(iter(counts.values()), 0)
    if aligned.sections and count and count != aligned.sections and aligned.item:
        run.add("warning", aligned.item, f"the alignment has {count} sections, its tilt series {aligned.sections}.")
    return tuple(
        SectionGeometry(
            z,
            _rows(transforms.matrices[z].tolist()) if transforms else None,
            _shift(transforms.shifts[z].tolist(), aligned.pixel) if transforms else None,
            tilts[z] if tilts else None,
            x_tilts[z] if x_tilts else 0.0,
        )
        for z in range(count)
    )


def _rows(matrix: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    (a, b), (c, d) = matrix
    return (a, b), (c, d)


def _shift(shift: Sequence[float], pixel: float | None) -> tuple[float, float] | None:
    return None if pixel is None else (round(shift[0] * pixel, 6), round(shift[1] * pixel, 6))
