"""Tilt series of WarpTools and M: the ``.xml`` of a series with its alignment and CTF, and the ``.tomostar`` it begins with.

Sources of the formats: ``TiltSeries.cs`` and ``ImportTiltseries.cs`` of https://github.com/warpem/warp,
``positions.py``, ``io.py`` and ``euler.py`` of https://github.com/warpem/warpylib; of the signs against AreTomo,
``io/cryoet_data_portal/alignment.py`` of https://github.com/uermel/cryoet-alignment, with whose reader a test compares.

Geometry. A point ``p`` of the volume, in Å from its middle, is seen at ``q = Rz(AxisAngle) Ry(-(Angle + LevelAngleY))
Rx(LevelAngleX) p + (AxisOffsetX, AxisOffsetY)``, in Å from the middle of the raw image: Warp's ``Matrix3.Euler(0, Angle,
-AxisAngle)`` is the product of the first two. Rotations are right-handed and act on columns ``(x, y, z)``. So AxisAngle is
AreTomo's ROT, the angle of the tilt axis to the y axis; the tilt is the negative of Angle, which contains no level angle; the
offsets lead from the aligned to the raw image, as TX and TY do, and are in Å. What all of a tilt or of the volume moves by (``GridMovement``,
subtracted from ``q``; ``GridVolumeWarp``, added to ``p``) is part of the offset. Movements that differ inside an image or the
volume are not: they stay in the file.

Tilts. ``ts_import`` writes the negative of the stage's angle unless it is told ``--dont_invert``, and takes off the angle of the
brightest tilt. A series may have been refined since. Which section of a stack a row belongs to is therefore found by the name
of its movie, and by its tilt only where no names are known. Rows with UseTilt False are left out.

CTF. Each tilt has the mean defocus and its astigmatism (µm, underfocus positive), the angle of the larger defocus (degrees) and
the phase shift (in π): the two defoci are ``GridCTF ± GridCTFDefocusDelta / 2``. Dose is in e/Å², before the tilt. AreAnglesInverted
says how defocus changes along the beam, and nothing of where a point is seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats import rotation, warpxml
from tomotheca.formats.ctf import Ctf
from tomotheca.formats.mdoc import bare_name
from tomotheca.formats.starcolumns import Columns, Wanted, read_columns

if TYPE_CHECKING:
    from tomotheca.formats.warpxml import Document

TOMOSTAR = ".tomostar"
MICROMETRE = 1e4
"""Å."""

HALF_TURN = 180.0
MOVIE, ANGLE, AXIS, DOSE = "wrpMovieName", "wrpAngleTilt", "wrpAxisAngle", "wrpDose"
OFFSETS = ("wrpAxisOffsetX", "wrpAxisOffsetY")
WANTED = Wanted(numbers=frozenset((ANGLE, AXIS, DOSE, *OFFSETS)), words=frozenset((MOVIE,)))
SAME = 0.011
"""Degrees by which two ways to read the tilts may fit equally well: the files have two decimals."""

FARTHEST = 45.0
"""Degrees; no level angle, and no tilt of a lamella, is larger."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placed:
    """Which sections of a stack the rows that are used belong to."""

    sections: Mapping[int, int]
    """Section, from 0, by row."""

    doubtful: bool = False
    """Whether tilts of either sign fit, and only the order speaks for this one."""


@dataclass(frozen=True, slots=True, eq=False)
class TiltSeries:
    """One file; a tilt is at the same index of all arrays."""

    path: Path
    angles: Floats = field(repr=False)
    """Shape ``(n,)``: as written, degrees."""

    rotations: Floats = field(repr=False)
    """Shape ``(n,)``: angle of the tilt axis to the y axis, degrees, counter-clockwise."""

    offsets: Floats = field(repr=False)
    """Shape ``(n, 2)``: x, y in Å, as written."""

    used: npt.NDArray[np.bool_] = field(repr=False)
    """Shape ``(n,)``."""

    movies: tuple[str, ...] = ()
    """Names of the movies without their folders, empty where none is said; nothing at all if the file has no movies."""

    doses: Floats | None = field(default=None, repr=False)
    """Shape ``(n,)``: e/Å² before the tilt; None if the file does not say."""

    level: tuple[float, float] = (0.0, 0.0)
    """Degrees about x and y that the volume is turned by."""

    movement: Floats | None = field(default=None, repr=False)
    """Shape ``(n, 2)``: x, y in Å that are subtracted from places in each image; None if there is none."""

    volume_warp: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Å, x, y, z, that are added to every place in the volume."""

    is_local: bool = False
    """Whether there are movements that differ inside an image or the volume, which are in none of these."""

    ctf: tuple[Ctf, ...] = field(default=(), repr=False)
    """Of all tilts, with the row as number; nothing if none was estimated."""

    def __len__(self) -> int:
        """Count the tilts, those that are left out too."""
        return len(self.angles)

    @property
    def tilts(self) -> Floats:
        """Tilts as AreTomo and IMOD have them, the level angle included: ``(n,)``, degrees."""
        return -(self.angles + self.level[1])

    @property
    def matrices(self) -> Floats:
        """Rotation from the aligned to the raw image, shape ``(n, 2, 2)``, acting on ``(x, y)``."""
        return rotation.about("z", self.rotations)[:, :2, :2]

    @property
    def shifts(self) -> Floats:
        """Shift from the aligned to the raw image, after the rotation: ``(n, 2)``, x, y in Å."""
        turns = np.stack([self.rotations, self.tilts, np.full(len(self), self.level[0])], axis=1)
        warped = (rotation.product("zyx", turns) @ np.array(self.volume_warp))[:, :2]
        shifts: Floats = self.offsets + warped
        return shifts if self.movement is None else shifts - self.movement

    def places(
        self, stack: Sequence[float] | None = None, movies: Sequence[str] = (), *, count: int | None = None
    ) -> Placed | None:
        """Find the sections of a stack that the rows belong to; None if they do not fit.

        Parameters
        ----------
        stack
            Tilts of its sections in their order, degrees; None if they are not known.
        movies
            Names of the movies of its sections in their order; empty where they are not known.
        count
            Sections of the stack; None if only the file says. Without tilts, rows are the sections in their order if there
            are as many, else those that are used, as ``ts_stack`` writes them; other than ``count`` tilts are not looked at.
        """
        kept = np.flatnonzero(self.used)
        if (named := self._by_name(movies, kept)) is not None:
            return Placed(named)
        tilts = np.asarray(stack or (), np.float64)
        count = count or len(tilts) or None
        choices = [rows for rows in (np.arange(len(self)), kept) if count in {None, len(rows)}]
        if len(tilts) == count:
            return next((found for rows in (*choices, kept) if (found := self._by_tilt(tilts, rows))), None)
        return Placed(_kept(range(len(choices[0])), choices[0], self.used)) if choices else None

    def _by_name(self, movies: Sequence[str], kept: npt.NDArray[np.intp]) -> dict[int, int] | None:
        """Find every row by the name of its movie, whatever its ending."""
        known: dict[str, list[int]] = {}
        for z, name in enumerate(movies):
            if name:
                known.setdefault(bare(name), []).append(z)
        found = {int(row): known.get(bare(self.movies[row]), []) for row in kept} if self.movies else {}
        if not found or any(len(places) != 1 for places in found.values()):
            return None
        placed = {row: places[0] for row, places in found.items()}
        return placed if len(set(placed.values())) == len(placed) else None

    def _by_tilt(self, stack: Floats, rows: npt.NDArray[np.intp]) -> Placed | None:
        """Match rows and sections by their tilts."""
        fits = [fit for sign in (-1.0, 1.0) if (fit := _match(sign * self.angles[rows], stack))]
        close = [fit.sections for fit in fits if fit.off - min(fit.off for fit in fits) <= SAME]
        if not close:
            return None
        as_they_are = tuple(range(len(rows)))
        best = as_they_are if as_they_are in close else close[0]
        return Placed(_kept(best, rows, self.used), len(set(close)) > 1)


@dataclass(frozen=True, slots=True)
class _Fit:
    """A way to lay tilts on those of a stack."""

    off: float
    """Degrees by which they differ."""

    sections: tuple[int, ...]
    """Of each tilt."""


def _match(tilts: Floats, stack: Floats) -> _Fit | None:
    """Match tilts and sections; None if a neighbour could be meant as well.

    As many tilts as sections are matched by their rank, and may differ by an angle that is the same for all; fewer are
    matched with the nearest.
    """
    if len(tilts) > len(stack):
        return None
    first, second = np.argsort(tilts, kind="stable"), np.argsort(stack, kind="stable")
    ordered, steps = stack[second], np.diff(stack[second])
    if len(tilts) < len(stack):
        middles = (ordered[:-1] + ordered[1:]) / 2
        second = second[np.searchsorted(middles, tilts[first])]
    differences = tilts[first] - stack[second]
    middle = float(np.median(differences)) if len(tilts) == len(stack) else 0.0
    spread = float(np.abs(differences - middle).max())
    if (
        abs(middle) > FARTHEST
        or 2 * spread >= steps.min(initial=2 * FARTHEST)
        or len(set(second.tolist())) < len(second)
    ):
        return None
    sections = np.empty(len(tilts), np.int64)
    sections[first] = second
    return _Fit(abs(middle) + spread, tuple(sections.tolist()))


def _kept(sections: Sequence[int], rows: npt.NDArray[np.intp], used: npt.NDArray[np.bool_]) -> dict[int, int]:
    """Give the sections of the rows that are used."""
    return {row: z for row, z in zip(rows.tolist(), sections, strict=True) if used[row]}


def bare(name: str) -> str:
    """Give a movie's name without its folders and endings, in lower case."""
    last = _file_name(name).lower()
    return bare_name(last) or last


def read(path: Path) -> TiltSeries:
    """Read a tilt series: ``.tomostar`` by its ending, else ``.xml``.

    Raises
    ------
    FormatError
        If the file is not whole, or holds words where numbers belong.
    """
    return read_tomostar(path) if path.name.lower().endswith(TOMOSTAR) else read_xml(path)


def read_xml(path: Path) -> TiltSeries:
    """Read the ``.xml`` of a tilt series.

    Raises
    ------
    FormatError
        If it is no such XML, or its parts have different numbers of tilts.
    """
    document = warpxml.read(path)
    angles = document.numbers("Angles")
    if angles is None:
        raise FormatError(path, "has no Angles: is it the file of a tilt series?")
    count = len(angles)
    found = [document.numbers(name, count) for name in ("AxisAngle", "AxisOffsetX", "AxisOffsetY")]
    axis, x, y = (np.zeros(count) if values is None else values for values in found)
    movement, is_local = _movement(document, count)
    warp, is_warped = _volume_warp(document)
    return TiltSeries(
        path, angles, axis, np.stack([x, y], axis=1), _used(document, count),
        tuple(_file_name(line) for line in document.lines("MoviePath", count)),
        document.numbers("Dose", count),
        (document.attribute("LevelAngleX"), document.attribute("LevelAngleY")),
        movement, warp, is_local or is_warped, _ctf(document, count),
    )  # fmt: skip


def read_tomostar(path: Path) -> TiltSeries:
    """Read a ``.tomostar``: what was recorded, and the alignment that was known at import, if any.

    Raises
    ------
    FormatError
        If no table has ``wrpAngleTilt``, or a number is none.
    """
    table = next((t for t in read_columns(path, WANTED) if t.has(ANGLE)), None)
    if table is None:
        raise FormatError(path, f"has no column _{ANGLE}: is it a .tomostar of WarpTools?")
    if not 0 < len(table) <= warpxml.MOST:
        raise FormatError(path, f"has {len(table)} tilts: is it the right file?")
    offsets = table.vectors(OFFSETS) if table.has(*OFFSETS) else np.zeros((len(table), 2))
    axis = table.floats(AXIS) if table.has(AXIS) else np.zeros(len(table))
    doses = table.floats(DOSE) if table.has(DOSE) else None
    for name, values in ((ANGLE, table.floats(ANGLE)), (AXIS, axis), ("wrpAxisOffset", offsets), (DOSE, doses)):
        if values is not None and (np.abs(values) > warpxml.LARGEST).any():
            raise FormatError(path, f"has a number in _{name} that is beyond all angles and shifts.")
    used = np.ones(len(table), np.bool_)
    return TiltSeries(path, table.floats(ANGLE), axis, offsets, used, _movies(table), doses)


def _movies(table: Columns) -> tuple[str, ...]:
    if not table.has(MOVIE):
        return ()
    words = table.words[MOVIE]
    return tuple(_file_name(words.values[code]) for code in words.codes.tolist())


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _used(document: Document, count: int) -> npt.NDArray[np.bool_]:
    """Say which tilts are used: all, where the file does not say."""
    words = [word.lower() for word in document.lines("UseTilt", count)]
    if wrong := next((word for word in words if word not in {"true", "false"}), None):
        raise FormatError(document.path, f"{wrong[:40]!r} in UseTilt is neither True nor False.")
    used = np.array([word == "true" for word in words] or [True] * count, np.bool_)
    if not used.any():
        raise FormatError(document.path, "uses none of its tilts: no alignment is left.")
    return used


def _movement(document: Document, count: int) -> tuple[Floats | None, bool]:
    """Give what each image moves by as a whole, and whether parts of images move by themselves."""
    grids = [document.grids.get(name) for name in warpxml.MOVEMENT]
    if any(grid is not None and (grid.varies_in_images or grid.of_tilts(count) is None) for grid in grids):
        return None, True
    means = [None if grid is None else grid.of_tilts(count) for grid in grids]
    return np.stack([np.zeros(count) if mean is None else mean for mean in means], axis=1), False


def _volume_warp(document: Document) -> tuple[tuple[float, float, float], bool]:
    """Give what the volume moves by as a whole, and whether parts of it move by themselves."""
    grids = [document.grids.get(name) for name in warpxml.VOLUME_WARP]
    if any(grid is not None and not grid.is_constant for grid in grids):
        return (0.0, 0.0, 0.0), True
    x, y, z = (0.0 if grid is None else float(grid.values.flat[0]) for grid in grids)
    return (x, y, z), False


def _ctf(document: Document, count: int) -> tuple[Ctf, ...]:
    """Give the CTF of every tilt; nothing where the grid of the defocus is as it was before an estimate: not there, or 0."""
    found = {}
    for name in warpxml.DEFOCUS:
        grid = document.grids.get(name)
        values = np.zeros(count) if grid is None else grid.of_tilts(count)
        if values is None:
            raise FormatError(document.path, f"has other nodes in {name} than one for each of {count} tilts.")
        found[name] = values
    defocus, delta, angle, phase = (found[name] for name in warpxml.DEFOCUS)
    if not defocus.any():
        return ()
    angle = np.where(delta < 0, angle + HALF_TURN / 2, angle) % HALF_TURN
    major, minor = (MICROMETRE * (defocus + sign * np.abs(delta) / 2) for sign in (1, -1))
    known = warpxml.DEFOCUS[3] in document.grids
    rows = zip(major.round(3).tolist(), minor.round(3).tolist(), angle.tolist(), phase.tolist(), strict=True)
    return tuple(Ctf(z, u, v, a, p * math.pi if known else None) for z, (u, v, a, p) in enumerate(rows))
