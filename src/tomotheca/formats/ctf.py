"""CTF parameters of the sections of a tilt series: CTFFIND 4 and 5, AreTomo, Gctf and IMOD's ``.defocus``.

All readers give the same: defocus in Å with underfocus positive, angles of astigmatism in degrees, phase shifts in radians.

CTFFIND and AreTomo (head of the file itself; https://github.com/GrantGroup/ctffind, ``CSaveCtfResults.cpp`` of AreTomo3): lines
of section (from 1), defocus 1 and 2 in Å, azimuth of the astigmatism in degrees, additional phase shift in **radians**, cross
correlation, resolution in Å up to which the rings fit. CTFFIND 5 adds tilt axis, tilt and thickness, AreTomo3 the
handedness of the defocus: they are not kept here.

Gctf (https://doi.org/10.1016/j.jsb.2015.11.003; ``Defocus_U Defocus_V Angle Phase_shift CCC``): a summary with section, defocus U
and V in Å, angle in degrees, in the form with seven columns the phase shift in **degrees**, cross correlation, resolution in Å.

IMOD (https://bio3d.colorado.edu/imod/doc/man/ctfphaseflip.html, "DefocusFile"): lines of first and last view, first and last
tilt, defocus in **nm**. Without a head that is all, and a version may end the first line. From version 3 on the first
line is ``flags 0 0 0 0 3`` and the flags say what else a line has: 1 two defoci and the axis of the astigmatism, 2 that axis is in
radians, 4 a phase shift in degrees, 8 in radians, 16 tilts are of the other sign, 32 a cut-on frequency.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tomotheca.errors import FormatError
from tomotheca.formats.text import read_text, to_floats

ASTIGMATISM, AXIS_IN_RADIANS, PHASE, PHASE_IN_RADIANS, CUT_ON = 1, 2, 4, 8, 32
NANOMETRE = 10.0
"""Å."""

LARGEST = 1e9
"""No defocus, angle or number of a section is larger."""

MOST = 100_000
"""Sections of one file; more is a mistake."""


@dataclass(frozen=True, slots=True)
class Ctf:
    """What was estimated of one section."""

    z: int
    """Index of the section in the stack, from 0."""

    major_defocus: float
    """Å, underfocus positive: the first value of the file."""

    minor_defocus: float
    """Å, underfocus positive: the second value of the file, equal to the first where there is one only."""

    astigmatic_angle: float
    """Degrees, as in the file: of the major defocus to the x axis, counter-clockwise."""

    phase_shift: float | None
    """Radians; None where the file does not say."""

    cross_correlation: float | None = None
    max_resolution: float | None = None
    """Å; None where the file does not say, or nothing fits."""


def read(path: Path, form: str) -> tuple[Ctf, ...]:
    """Read the parameters of all sections, in the order of the stack.

    Parameters
    ----------
    form
        ``CTFFIND`` (also for AreTomo's text), ``Gctf`` or ``IMOD``.

    Raises
    ------
    FormatError
        If a line is not what belongs there, a section stands twice, or there is none.
    """
    rows = list(_READERS[form](path))
    if not rows:
        raise FormatError(path, "has no section: is it the right file?")
    twice, times = Counter(row.z for row in rows).most_common(1)[0]
    if times > 1:
        raise FormatError(path, f"section {twice + 1} stands twice: keep one line for each.")
    return tuple(sorted(rows, key=lambda row: row.z))


def _table(path: Path, *, comments: str) -> Iterator[tuple[int, list[float]]]:
    """Give the lines of numbers, each with its number in the file; ``inf`` is a number here."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        words = line.split()
        if not words or words[0][0] in comments:
            continue
        if number > MOST:
            raise FormatError(path, f"has more than {MOST} lines: is it the right file?")
        endless = [word.lstrip("+-").lower() in {"inf", "infinity", "nan"} for word in words]
        plain = to_floats(path, number, ["0" if no else word for no, word in zip(endless, words, strict=True)])
        yield number, [math.inf if no else value for no, value in zip(endless, plain, strict=True)]


def _from_zero(path: Path, rows: Sequence[Ctf]) -> Iterator[Ctf]:
    """Count sections from 0; a file that has a section 0 does already."""
    first = 0 if any(row.z == 0 for row in rows) else 1
    for row in rows:
        if not 0 <= row.z - first < MOST:
            raise FormatError(path, f"{row.z} is no number of a section.")
        yield replace(row, z=row.z - first)


def _finite(path: Path, number: int, values: Sequence[float]) -> None:
    if not all(abs(value) < LARGEST for value in values):
        raise FormatError(path, f"line {number}: section, defocus and angle must be finite numbers.")


def _known(value: float) -> float | None:
    return value if math.isfinite(value) and value > 0 else None


def _ctffind(path: Path) -> Iterator[Ctf]:
    rows = []
    for number, values in _table(path, comments="#"):
        if not 7 <= len(values) <= 12:  # CTFFIND 4 to 5
            raise FormatError(path, f"line {number} has {len(values)} values, at least 7 belong there.")
        _finite(path, number, values[:6])
        z, major, minor, angle, phase, score, resolution = values[:7]
        rows.append(Ctf(round(z), major, minor, angle, phase, score, _known(resolution)))
    yield from _from_zero(path, rows)


def _gctf(path: Path) -> Iterator[Ctf]:
    rows = []
    for number, values in _table(path, comments="#;%"):
        if len(values) not in {6, 7}:
            raise FormatError(path, f"line {number} has {len(values)} values, 6 or 7 belong there.")
        _finite(path, number, values[:-1])
        phase = math.radians(values[4]) if len(values) == 7 else None  # with phase shift
        z, major, minor, angle = values[:4]
        rows.append(Ctf(round(z), major, minor, angle, phase, values[-2], _known(values[-1])))
    yield from _from_zero(path, rows)


@dataclass(frozen=True, slots=True)
class _Views:
    """A line of IMOD's file: views from first to last, from 1."""

    first: int
    last: int
    ctf: Ctf

    def distance(self, view: int) -> float:
        """How far a view is from the middle."""
        return abs((self.first + self.last) / 2 - view)


def _imod(path: Path) -> Iterator[Ctf]:
    lines = list(_table(path, comments="#"))
    flags = 0
    if lines and len(lines[0][1]) >= 6 and not any(lines[0][1][1:5]):  # flags 0 0 0 0 version
        _finite(path, lines[0][0], lines[0][1])
        flags = int(lines[0][1][0])
        lines = lines[1:]
    width = 5 + 2 * bool(flags & ASTIGMATISM) + bool(flags & PHASE) + bool(flags & CUT_ON)
    found = []
    for index, (number, values) in enumerate(lines):
        versioned = index == 0 and not flags and len(values) == width + 1
        if len(values) != width and not versioned:
            said = f"flags {flags}" if flags else "a file without flags"
            raise FormatError(path, f"line {number} has {len(values)} values, {width} belong there for {said}.")
        _finite(path, number, values)
        found.append(_views(path, number, values, flags))
    if sum(one.last - one.first + 1 for one in found) > MOST:
        raise FormatError(path, f"names more than {MOST} views: is it the right file?")
    base = 0 if any(one.first == 0 for one in found) else 1
    best: dict[int, _Views] = {}
    for one in found:
        for view in range(one.first, one.last + 1):
            if view not in best or one.distance(view) < best[view].distance(view):
                best[view] = one
    for view, one in best.items():
        yield replace(one.ctf, z=view - base)


def _views(path: Path, number: int, values: Sequence[float], flags: int) -> _Views:
    first, last = round(values[0]), round(values[1])
    if not 0 <= first <= last < MOST:
        raise FormatError(path, f"line {number}: views {values[0]:g} to {values[1]:g} are no range of views.")
    major = minor = values[4] * NANOMETRE
    angle, rest = 0.0, list(values[5:])
    if flags & ASTIGMATISM:
        minor, angle, *rest = values[5] * NANOMETRE, values[6], *values[7:]
        angle = math.degrees(angle) if flags & AXIS_IN_RADIANS else angle
    phase = None
    if flags & PHASE:
        phase = rest[0] if flags & PHASE_IN_RADIANS else math.radians(rest[0])
    return _Views(first, last, Ctf(0, major, minor, angle, phase))


_READERS: Mapping[str, Callable[[Path], Iterator[Ctf]]] = {"CTFFIND": _ctffind, "Gctf": _gctf, "IMOD": _imod}

FORMS = tuple(_READERS)
"""Words for `read`, those of a configuration."""
