"""What lies beside a tilt series and says how it was recorded: lists of angles, mdoc files, CTF parameters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tomotheca.errors import FormatError
from tomotheca.formats import ctf, mdoc, rawtlt, warp
from tomotheca.ingest.sections import DECIMALS, Exposure
from tomotheca.ingest.transfer import Copy

if TYPE_CHECKING:
    from tomotheca.ingest.discover import Item
    from tomotheca.ingest.scene import RunScene
    from tomotheca.ingest.work import Input

UNEVEN = 0.02
"""Of a dose, by which exposures of one dose may differ: Warp adds it up with few digits."""

LEAST = 1e-3
"""E/Å²; no exposure has a smaller dose."""


@dataclass(frozen=True, slots=True)
class Angles:
    """Raw tilts of a series."""

    values: tuple[float, ...]
    """Degrees, in the order of the sections."""

    source: Input
    tilts: warp.TiltSeries | None = None
    """What the file says beside them, if it is one of Warp."""

    def copy(self, key: str) -> Copy:
        """Say what becomes of the file: it is kept as it is if it is a list of angles, else they are written as one."""
        return Copy(self.source, key, "angles", None if self.tilts is None else rawtlt.dumps(self.values))


def read_angles(run: RunScene, item: Item) -> Angles | None:
    """Read the angles of a series; None, with a finding, if the file is broken."""
    source = run.scene.input(item.path)
    if source is None:
        return None
    try:
        if item.path.lower().endswith(warp.TOMOSTAR):
            tilts = warp.read_tomostar(source.local)
            return Angles(tuple((tilts.tilts + 0.0).tolist()), source, tilts)
        return Angles(rawtlt.read(source.local), source)
    except FormatError as error:
        run.about("error", source.local, error.reason)
    return None


def recorded_by_warp(angles: Angles, exposures: tuple[Exposure, ...]) -> tuple[Angles, tuple[Exposure, ...]]:
    """Take from a list of tilts of Warp what the mdoc file does not say: doses and movies, or else nothing but the angles.

    Warp's angles are those of the stage with the other sign, less that of the brightest tilt, so the mdoc file's are taken for
    the movies that it names; where it names none, its angles tell the sign.
    """
    tilts = angles.tilts
    if tilts is None:
        return angles, exposures
    if exposures:
        known = {warp.bare(e.frame): e.angle for e in exposures if e.frame and e.angle is not None}
        named = [known.get(warp.bare(name)) for name in tilts.movies] or [None] * len(tilts)
        pairs = zip(named, _of_the_stage(angles.values, exposures), strict=True)
        return replace(angles, values=tuple(own if stage is None else stage for stage, own in pairs)), exposures
    doses = [None] * len(tilts) if tilts.doses is None else tilts.doses.tolist()
    movies = tilts.movies or ("",) * len(tilts)
    order = sorted(range(len(tilts)), key=lambda row: doses[row] or 0.0)
    dose = _exposure(sorted(before for before in doses if before is not None))
    recorded = [Exposure(z, angles.values[row], dose, doses[row], frame=movies[row]) for z, row in enumerate(order)]
    return angles, tuple(recorded)


def _exposure(before: Sequence[float]) -> float | None:
    """Give the dose of one tilt from what was before each, in order: they differ by it, or by several where tilts are missing."""
    steps = [later - earlier for earlier, later in itertools.pairwise(before)]
    least = min(steps, default=0.0)
    if least < LEAST or any(abs(step / least - round(step / least)) > UNEVEN for step in steps):
        return None
    return round(least, 3)


def _of_the_stage(angles: tuple[float, ...], exposures: tuple[Exposure, ...]) -> tuple[float, ...]:
    """Give angles the sign with which more of them are in the mdoc file; as they are if both fit as well."""
    known = {round(e.angle, DECIMALS) for e in exposures if e.angle is not None}
    other = tuple(0.0 - angle for angle in angles)
    return max(angles, other, key=lambda values: sum(round(value, DECIMALS) in known for value in values))


@dataclass(frozen=True, slots=True)
class Estimated:
    """CTF parameters of a series."""

    rows: tuple[ctf.Ctf, ...]
    source: Input
    form: str
    tilts: warp.TiltSeries | None = None
    """Tilts of Warp that the numbers of the rows mean; None if they are sections."""


def read_ctf(run: RunScene, item: Item) -> Estimated | None:
    """Read CTF parameters; None, with a finding, if the file is broken."""
    metadata, source = run.metadata(item), run.scene.input(item.path)
    if not metadata or source is None:
        return None
    form = metadata["format"]
    try:
        if form != "WARP":
            return Estimated(ctf.read(source.local, form), source, form)
        tilts = warp.read_xml(source.local)
        if not tilts.ctf:
            raise FormatError(source.local, "has no CTF: WarpTools' ts_ctf writes it.")
    except FormatError as error:
        run.about("error", source.local, error.reason)
        return None
    return Estimated(tilts.ctf, source, form, tilts)


def read_mdoc(run: RunScene, item: Item) -> tuple[tuple[Exposure, ...], Input | None]:
    """Read the exposures of an mdoc file; nothing, with a finding, if it is broken."""
    source = run.scene.input(item.path)
    if source is None:
        return (), None
    if item.path.lower().endswith(warp.TOMOSTAR):
        run.about("error", source.local, "is Warp's list of tilts and no mdoc file: name it in rawtilts.")
        return (), None
    try:
        read = mdoc.read(source.local)
    except FormatError as error:
        run.about("error", source.local, error.reason)
        return (), None
    exposures = tuple(
        Exposure(
            s.number, s.tilt_angle, s.exposure_dose, s.number_of("PriorRecordDose"), s.exposure_time, s.frame_name or ""
        )
        for s in read.images
    )
    numbers = [e.z for e in exposures]
    if len(set(numbers)) < len(numbers) or min(numbers, default=0) < 0:
        run.about("error", source.local, "two sections have one number, or a number below 0: mend the file.")
        return (), source
    return exposures, source
