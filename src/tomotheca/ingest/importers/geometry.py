"""What the files of an alignment say of each section, in one convention whatever program wrote them.

A pixel of the aligned image is taken to the raw one: ``raw - centre = M (aligned - centre) + t`` in x, y. Documents keep ``M`` as
``in_plane_rotation`` (two rows; its angle is that of the tilt axis to the y axis) and ``t`` times the pixel size as ``x_offset``,
``y_offset`` in Å, as the portal's converter does. AreTomo and Warp write ``M`` and ``t``; IMOD writes the way from the raw to the
aligned image, so its transforms are inverted. ``tilt_angle`` is that of ``.tlt`` or ``.aln`` (AlphaOffset included), and the negative of
Warp's; ``volume_x_rotation`` that of ``.xtilt`` or ``.tltx``. CETS has the whole rotation as a matrix, which is taken apart.
Sections that were left out have no parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tomotheca.errors import FormatError
from tomotheca.formats import aretomo, cets, imod, warp

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tomotheca.ingest.transfer import Copy

TRANSFORMS, TILTS, X_TILTS, ARETOMO, COMMANDS = (".xf",), (".tlt",), (".xtilt", ".tltx"), (".aln",), (".com",)
WARP, CETS = (".xml", warp.TOMOSTAR), (".cets.json", ".json")
SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "IMOD": (*TRANSFORMS, *TILTS, *X_TILTS, *COMMANDS),
    "ARETOMO3": ARETOMO,
    "WARP": WARP,
    "CETS": CETS,
}
"""Endings of the files of each format."""

MAIN = (*TRANSFORMS, *ARETOMO, *WARP, *CETS)
"""Endings of the file with the transforms, whatever the format."""

TILT_COMMANDS = "tilt.com"

Rows = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class SectionGeometry:
    """One section of an alignment."""

    z: int
    rotation: Rows | None
    shift: tuple[float, float] | None
    """Å."""

    tilt: float | None
    x_rotation: float | None


@dataclass(frozen=True, slots=True)
class Stack:
    """The tilt series that was aligned."""

    key: str
    """Of its document."""

    pixel: float
    """Å."""

    shape: tuple[int, int, int]
    """z, y, x."""

    angles: tuple[float, ...] | None = None
    """Raw tilts in the order of the sections, degrees; None if they are not known."""

    movies: tuple[str, ...] = ()
    """Names of the movies in the order of the sections; nothing if they are not known."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the files of an alignment say."""

    sections: tuple[SectionGeometry, ...] = ()
    excluded: tuple[int, ...] = ()
    """Sections that were left out, from 0."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the document that the files fill in."""

    warnings: tuple[str, ...] = ()


class UnfitError(Exception):
    """The files of an alignment do not fit each other or their tilt series; the text says how."""


def read(form: str, copies: Sequence[Copy], stack: Stack | None, names: Sequence[str] = ()) -> Geometry:
    """Read the files of an alignment.

    Parameters
    ----------
    names
        Of the run and its tilt series, for files that hold several.

    Raises
    ------
    FormatError
        If a file is broken.
    UnfitError
        If the files do not fit each other or the tilt series.
    """
    match form:
        case "ARETOMO3":
            return _aretomo(copies, stack)
        case "WARP":
            return _warp(copies, stack)
        case "CETS":
            return _cets(copies, stack, names)
        case _:
            return _imod(copies, stack)


def form_of(paths: Sequence[str], said: str | None) -> str:
    """Give the format of an alignment: as the configuration says, else by the endings of its files."""
    own = (form for form in SUFFIXES if form != "IMOD" and any(p.lower().endswith(SUFFIXES[form]) for p in paths))
    return said or next(own, "IMOD")


def first(copies: Sequence[Copy], suffixes: Sequence[str]) -> Copy | None:
    """Give the first file with one of these endings."""
    return next((c for c in copies if c.source.path.lower().endswith(tuple(suffixes))), None)


def _aretomo(copies: Sequence[Copy], stack: Stack | None) -> Geometry:
    found = first(copies, ARETOMO)
    if found is None:
        message = "has no .aln file: name it, or correct the format"
        raise UnfitError(message)
    read_ = aretomo.read(found.source.local)
    places = read_.places(stack.angles, count=stack.shape[0]) if stack else read_.places()
    if places is None:
        left_out = f" and {len(read_.dark)} left out" if read_.dark else ""
        of = f"the tilt series has {stack.shape[0]}" if stack else f"RawSize says {read_.size[2]}"
        message = (
            f"{found.source.path} has {len(read_)} sections{left_out}, {of} and the tilts do not tell which is which"
        )
        raise UnfitError(message)
    pixel, warnings = _pixel(read_, stack)
    count = stack.shape[0] if stack else read_.size[2]
    kept = set(places)
    facts = {
        "alignment_type": "LOCAL" if len(read_.local) else "GLOBAL",
        "tilt_offset": read_.alpha_offset,
        "x_rotation_offset": read_.beta_offset,
    }
    rows = zip(places, read_.matrices, read_.shifts, read_.tilts.tolist(), strict=True)
    sections = [SectionGeometry(z, _rows(m), _shift(t, pixel), tilt, 0.0) for z, m, t, tilt in rows]
    return Geometry(
        tuple(sorted(sections, key=lambda s: s.z)), tuple(z for z in range(count) if z not in kept), facts, warnings
    )


def _pixel(read_: aretomo.Aln, stack: Stack | None) -> tuple[float | None, tuple[str, ...]]:
    """Give the edge of a pixel of the images that were aligned, Å: those of the series may be binned."""
    if stack is None:
        return None, ()
    columns, rows, _ = read_.size
    if (columns, rows) in {stack.shape[:0:-1], stack.shape[1:]}:
        return stack.pixel, ()
    said = f"{columns} x {rows} pixels were aligned, the tilt series has {stack.shape[2]} x {stack.shape[1]}"
    return stack.pixel * stack.shape[2] / columns, (f"{said}: its shifts are scaled by the width.",)


def _warp(copies: Sequence[Copy], stack: Stack | None) -> Geometry:
    found = first(copies, WARP[:1]) or first(copies, WARP)
    if found is None:
        message = "has neither a .xml nor a .tomostar file of Warp: name it, or correct the format"
        raise UnfitError(message)
    series = warp.read(found.source.local)
    count = stack.shape[0] if stack else None
    placed = series.places(stack.angles if stack else None, stack.movies if stack else (), count=count)
    if placed is None:
        message = f"{found.source.path} {unplaced(series, count or len(series))}"
        raise UnfitError(message)
    doubtful = f"the tilts of {found.source.path} fit with either sign: its rows are taken in the order that fits, add an mdoc file."
    facts = {
        "alignment_type": "LOCAL" if series.is_local else "GLOBAL",
        "tilt_offset": -series.level[1] + 0.0,
        "x_rotation_offset": 0.0,
    }
    matrices, shifts, tilts = series.matrices, series.shifts, series.tilts.tolist()
    sections = [
        SectionGeometry(z, _rows(matrices[row]), _shift(shifts[row], 1.0), tilts[row] + 0.0, series.level[0])
        for row, z in sorted(placed.sections.items(), key=lambda pair: pair[1])
    ]
    left_out = _others(sections, count or len(series))
    return Geometry(tuple(sections), left_out, facts, (doubtful,) if placed.doubtful else ())


def unplaced(series: warp.TiltSeries, count: int) -> str:
    """Say that nothing tells which tilt of Warp belongs to which section of a stack."""
    kept = int(series.used.sum())
    said = f"has {len(series)} tilts, {kept} of them in use, the tilt series {count} sections"
    return f"{said}, and neither movies nor tilts tell which is which"


def _cets(copies: Sequence[Copy], stack: Stack | None, names: Sequence[str]) -> Geometry:
    found = first(copies, CETS)
    if found is None:
        message = "has no .json file of CETS: name it, or correct the format"
        raise UnfitError(message)
    read_ = cets.read_alignment(found.source.local, names)
    last = int(read_.sections[-1])
    if stack and last >= stack.shape[0]:
        message = f"{found.source.path} aligns section {last + 1}, the tilt series has {stack.shape[0]}"
        raise UnfitError(message)
    rows = zip(
        read_.sections.tolist(), read_.matrices, read_.shifts, (read_.angles.round(9) + 0.0).tolist(), strict=True
    )
    sections = [SectionGeometry(z, _rows(m), _shift(t, 1.0), angles[1], angles[2]) for z, m, t, angles in rows]
    facts = {"alignment_type": "LOCAL" if read_.is_local else "GLOBAL"}
    return Geometry(tuple(sections), _others(sections, stack.shape[0] if stack else last + 1), facts)


def _others(sections: Sequence[SectionGeometry], count: int) -> tuple[int, ...]:
    """Give the sections that none of these is."""
    kept = {section.z for section in sections}
    return tuple(z for z in range(count) if z not in kept)


def _imod(copies: Sequence[Copy], stack: Stack | None) -> Geometry:
    xf, tlt, xtilt, com = (first(copies, s) for s in (TRANSFORMS, TILTS, X_TILTS, (TILT_COMMANDS,)))
    if copies and xf is None and tlt is None:
        message = "has neither a .xf nor a .tlt file: name them, or correct the format"
        raise UnfitError(message)
    transforms = imod.read_xf(xf.source.local).inverse(xf.source.local) if xf else None
    tilts = imod.read_tlt(tlt.source.local) if tlt else None
    x_tilts = imod.read_xtilt(xtilt.source.local) if xtilt else None
    said = imod.read_tilt_com(com.source.local) if com else imod.TiltCom()
    read_ = ((xf, transforms), (tlt, tilts), (xtilt, x_tilts))
    counts = {c.source.path: len(v) for c, v in read_ if c is not None and v is not None}
    if len(set(counts.values())) > 1:
        words = ", ".join(f"{path} {count}" for path, count in counts.items())
        message = f"has files with different numbers of sections: {words}"
        raise UnfitError(message)
    count = next(iter(counts.values()), 0)
    if com and max(said.excluded, default=0) >= max(count, 1):
        raise FormatError(com.source.local, f"leaves out view {said.excluded[-1] + 1} of {count}.")
    pixel = stack.pixel if stack else None
    sections = [
        SectionGeometry(
            z,
            _rows(transforms.matrices[z]) if transforms else None,
            _shift(transforms.shifts[z], pixel) if transforms else None,
            tilts[z] if tilts else None,
            x_tilts[z] if x_tilts else 0.0,
        )
        for z in range(count)
        if z not in said.excluded
    ]
    facts = {"tilt_offset": said.offset, "x_rotation_offset": said.x_axis_tilt} if com else {}
    warnings: tuple[str, ...] = ()
    if stack and count and count != stack.shape[0]:
        warnings = (f"the alignment has {count} sections, its tilt series {stack.shape[0]}.",)
    return Geometry(tuple(sections), said.excluded, facts, warnings)


def _rows(matrix: npt.NDArray[np.float64]) -> Rows:
    (a, b), (c, d) = (matrix.round(9) + 0.0).tolist()  # no -0.0
    return (a, b), (c, d)


def _shift(shift: npt.NDArray[np.float64], pixel: float | None) -> tuple[float, float] | None:
    if pixel is None:
        return None
    x, y = ((shift * pixel).round(6) + 0.0).tolist()
    return x, y
