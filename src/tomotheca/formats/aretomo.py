"""AreTomo's ``.aln``: how the sections of a tilt series lie to each other, as AreTomo2 and AreTomo3 write it.

Source of the format: ``CSaveAlignFile.cpp`` of AreTomo2 and AreTomo3 (https://github.com/czimaginginstitute/AreTomo3) and the
readers cryoet-alignment and alnfile, which a test compares with. The head has lines ``# Name = values``: the size of the
stack (columns, rows, sections), the number of patches, one ``DarkFrame`` for each section that was left out (its number in
the stack, a second number, its tilt) and the offsets of the specimen's tilt. The table that follows has one row for each
section that was kept, in the order of the stack; the second table has one row for each patch of each of these sections.

Geometry: AreTomo takes a pixel of the aligned image to the raw one, ``raw - centre = R(ROT) (aligned - centre) + (TX, TY)``
with ``R`` counter-clockwise in x, y: so ROT is the angle of the tilt axis to the y axis. Angles are in degrees, shifts in
pixels of the stack. TILT contains AlphaOffset already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.text import read_text, to_floats

TITLE = "AreTomo Alignment"
COLUMNS = 10
"""SEC ROT GMAG TX TY SMEAN SFIT SCALE BASE TILT."""

LOCAL_COLUMNS = 7
"""Section, patch, centre x and y, shift x and y, whether it is good."""

LARGEST = 1e9
"""No size, shift or angle is larger."""

TOLERANCE = 0.06
"""Degrees by which the tilt of a row and that of a section may differ: the file has two decimals, and adds an offset."""


@dataclass(frozen=True, slots=True)
class Dark:
    """A section that was left out."""

    number: int
    """As written: in the stack, from 0 or from 1."""

    tilt: float
    """Degrees."""


@dataclass(frozen=True, slots=True)
class Aln:
    """A whole file; rows of one section are at the same index of all arrays."""

    size: tuple[int, int, int]
    """Columns, rows and sections of the stack, sections that were left out included."""

    patches: int
    dark: tuple[Dark, ...]
    alpha_offset: float
    """Degrees, added to every tilt."""

    beta_offset: float
    """Degrees, about the axis of the beam's tilt."""

    thickness: int | None
    """Of the specimen in pixels of the stack; None in older files."""

    numbers: npt.NDArray[np.int64] = field(repr=False)
    """Shape ``(n,)``: numbers of the sections as written."""

    rotations: npt.NDArray[np.float64] = field(repr=False)
    """Shape ``(n,)``: angle of the tilt axis to the y axis, degrees, counter-clockwise."""

    magnifications: npt.NDArray[np.float64] = field(repr=False)
    """Shape ``(n,)``: GMAG."""

    shifts: npt.NDArray[np.float64] = field(repr=False)
    """Shape ``(n, 2)``: ``(x, y)`` in pixels of the stack, from the aligned to the raw image."""

    tilts: npt.NDArray[np.float64] = field(repr=False)
    """Shape ``(n,)``: degrees, `alpha_offset` included."""

    local: npt.NDArray[np.float64] = field(repr=False)
    """Shape ``(m, 7)``: section, patch, centre ``(x, y)`` and shift ``(x, y)`` in pixels, 1 if it is good."""

    def __len__(self) -> int:
        """Count the sections that were kept."""
        return len(self.tilts)

    @property
    def matrices(self) -> npt.NDArray[np.float64]:
        """Rotation from the aligned to the raw image, shape ``(n, 2, 2)``, acting on ``(x, y)``."""
        angles = np.radians(self.rotations)
        cosine, sine = np.cos(angles), np.sin(angles)
        return np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)

    def places(self, angles: Sequence[float] | None = None, *, count: int | None = None) -> tuple[int, ...] | None:
        """Find the section of the stack that each row belongs to, from 0; None if they do not fit.

        Parameters
        ----------
        angles
            Raw tilts of the stack in its order, degrees. Rows are found by their tilt, whatever order the stack has.
        count
            Sections of the stack; None if only the file says. Without angles, or where two sections have one tilt, rows
            are the stack's sections in order if there are as many, else those without the ones that were left out.
        """
        if angles is not None:
            for offset in (self.alpha_offset, 0.0):
                if (found := _nearest(self.tilts - offset, np.asarray(angles, np.float64))) is not None:
                    return found
        if count == len(self):
            return tuple(range(len(self)))
        total = self.size[2]
        if count not in {None, total}:
            return None
        for first in (0, 1):
            left_out = {dark.number - first for dark in self.dark}
            kept = [z for z in range(total) if z not in left_out]
            if min(left_out, default=0) >= 0 and len(kept) == len(self):
                return tuple(kept)
        return None


def _nearest(tilts: npt.NDArray[np.float64], angles: npt.NDArray[np.float64]) -> tuple[int, ...] | None:
    """Give the section whose angle each tilt has; None if one has none, or two have the same."""
    if not len(angles) or not len(tilts):
        return None
    order = np.argsort(angles, kind="stable")
    ordered = angles[order]
    right = np.clip(np.searchsorted(ordered, tilts), 0, len(ordered) - 1)
    left = np.clip(right - 1, 0, None)
    best = np.where(np.abs(ordered[left] - tilts) <= np.abs(ordered[right] - tilts), left, right)
    if np.abs(ordered[best] - tilts).max() > TOLERANCE or len(set(best.tolist())) < len(best):
        return None
    return tuple(order[best].tolist())


@dataclass(slots=True)
class _Draft:
    """A file while it is read."""

    values: dict[str, list[float]] = field(default_factory=dict)
    dark: list[Dark] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)
    local: list[list[float]] = field(default_factory=list)


def read(path: Path) -> Aln:
    """Read an alignment.

    Raises
    ------
    FormatError
        If it is no alignment of AreTomo, has no section, or a line that is not what belongs there.
    """
    draft = _Draft()
    table, width = draft.rows, COLUMNS
    text = read_text(path)
    if TITLE not in text[:200]:
        raise FormatError(path, f"does not begin with '# {TITLE}': is it an .aln file of AreTomo?")
    for number, line in _lines(text):
        if line.startswith("#"):
            if line.lstrip("# ").startswith("Local Alignment"):
                table, width = draft.local, LOCAL_COLUMNS
            _head(path, number, line, draft)
            continue
        words = line.split()
        if len(words) != width:
            raise FormatError(path, f"line {number} has {len(words)} values, {width} belong there.")
        table.append(_bounded(path, number, words))
    return _made(path, draft)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if stripped := line.strip():
            yield number, stripped


def _bounded(path: Path, number: int, words: Sequence[str]) -> list[float]:
    values = to_floats(path, number, words)
    if any(abs(value) > LARGEST for value in values):
        raise FormatError(path, f"line {number} has a number beyond all sizes and angles: is it a whole .aln file?")
    return values


def _head(path: Path, number: int, line: str, draft: _Draft) -> None:
    name, separator, said = line.lstrip("# ").partition("=")
    if not separator:
        return
    values = _bounded(path, number, said.split())
    if name.strip() == "DarkFrame":
        if len(values) != 3:  # number, second number, tilt
            raise FormatError(path, f"line {number}: a dark frame has three values, not {len(values)}.")
        draft.dark.append(Dark(int(values[0]), values[2]))
    else:
        draft.values[name.strip()] = values


def _made(path: Path, draft: _Draft) -> Aln:
    size = draft.values.get("RawSize") or []
    if len(size) != 3 or min(size) < 1 or max(size) > 1e6:  # columns, rows, sections
        raise FormatError(path, "has no line '# RawSize = columns rows sections': is it a whole .aln file?")
    if not draft.rows:
        raise FormatError(path, "has no section: is it a whole .aln file?")
    table = np.array(draft.rows, np.float64)

    def one(name: str) -> float | None:
        return next(iter(draft.values.get(name) or ()), None)

    thickness = one("Thickness")
    return Aln(
        size=(int(size[0]), int(size[1]), int(size[2])),
        patches=int(one("NumPatches") or 0),
        dark=tuple(draft.dark),
        alpha_offset=one("AlphaOffset") or 0.0,
        beta_offset=one("BetaOffset") or 0.0,
        thickness=None if thickness is None else int(thickness),
        numbers=table[:, 0].astype(np.int64),
        rotations=table[:, 1].copy(),
        magnifications=table[:, 2].copy(),
        shifts=table[:, 3:5].copy(),
        tilts=table[:, 9].copy(),
        local=np.array(draft.local, np.float64).reshape(-1, LOCAL_COLUMNS),
    )
