"""Join the angles of a tilt series with what the acquisition recorded: which movie belongs to which section, and its dose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tomotheca.formats.ctf import Ctf

DECIMALS = 2
"""Angles that agree to so many decimals are one tilt."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """One section of an mdoc file."""

    z: int
    """ZValue."""

    angle: float | None
    dose: float | None = None
    """ExposureDose in e/Å², as recorded."""

    prior: float | None = None
    """PriorRecordDose in e/Å²."""

    time: float | None = None
    """ExposureTime in seconds."""

    frame: str = ""
    """Name of the movie, the last part of SubFramePath."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the stack."""

    z: int
    angle: float
    order: int
    """Order of acquisition inside the run."""

    recorded: bool
    """Whether the mdoc file knows it."""

    ctf: Ctf | None = None
    excluded: bool = False
    """Whether every alignment of the series leaves it out."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Sections of a stack, and what did not fit."""

    sections: tuple[Section, ...]
    unknown: tuple[float, ...] = ()
    """Angles of the stack that the mdoc file does not know."""

    span: int = 0
    """Orders of acquisition that this series takes."""


def join(angles: Sequence[float], exposures: Sequence[Exposure], *, first: int = 0) -> Joined:
    """Find the exposure of each angle.

    Parameters
    ----------
    angles
        Of the stack, in the order of its sections, degrees.
    exposures
        Of the mdoc file; empty where there is none.
    first
        Order of acquisition of the series' first exposure: those of a mosaic run follow each other.

    Returns
    -------
    Joined
        Every section has an order of its own: the exposure's ZValue; without an mdoc file the index; an angle that the
        mdoc file does not know follows the highest.
    """
    open_ = list(exposures)
    free = max((e.z for e in exposures), default=-1) + 1
    sections, unknown = [], []
    for z, angle in enumerate(angles):
        match = next(
            (e for e in open_ if e.angle is not None and round(e.angle, DECIMALS) == round(angle, DECIMALS)), None
        )
        match = match or next(
            (e for e in open_ if e.angle is not None and abs(e.angle - angle) <= 0.6 * 10**-DECIMALS), None
        )
        if match is not None:
            open_.remove(match)
            sections.append(Section(z, angle, first + match.z, recorded=True))
            continue
        order = free if exposures else z
        free += 1
        sections.append(Section(z, angle, first + order, recorded=False))
        if exposures:
            unknown.append(angle)
    return Joined(tuple(sections), tuple(unknown), max(free, len(angles)))


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One entry of a run's frames."""

    order: int
    dose: float | None = None
    accumulated: float | None = None
    """Before the exposure."""

    frame: str = ""


def frames(
    exposures: Sequence[Exposure], sections: Sequence[Section], *, rate: float | None, first: int = 0
) -> tuple[FrameRecord, ...]:
    """List the frames of one series: one per exposure, and one without a movie per section that none was recorded for.

    Parameters
    ----------
    rate
        Dose rate of the configuration in e/Å²/s, for exposures whose dose the mdoc file does not say.
    """
    records = []
    total: float | None = 0.0
    trusted = bool(exposures) and all(e.prior is not None for e in exposures) and any(e.prior for e in exposures)
    for exposure in exposures:
        dose = exposure.dose if exposure.dose else None
        if dose is None and rate is not None and exposure.time:
            dose = exposure.time * rate
        before = exposure.prior if trusted else total
        records.append(FrameRecord(first + exposure.z, tidy(dose), tidy(before), exposure.frame))
        total = None if total is None or dose is None else total + dose
    known = {record.order for record in records}
    records += [FrameRecord(s.order) for s in sections if s.order not in known]
    return tuple(sorted(records, key=lambda r: r.order))


def tidy(value: float | None) -> float | None:
    """Round away what adding floats left behind."""
    return None if value is None else round(value, 6)


def by_name(frames_found: Sequence[str]) -> Mapping[str, str]:
    """Give paths by the last part of their name."""
    return {path.rpartition("/")[2]: path for path in frames_found}
