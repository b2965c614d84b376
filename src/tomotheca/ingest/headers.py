"""Look at volumes before anything is written: header, size, voxel size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.errors import FormatError
from tomotheca.ingest import pyramid

if TYPE_CHECKING:
    from tomotheca.ingest.scene import RunScene
    from tomotheca.ingest.work import Input

TOLERANCE = 0.005
"""Relative difference of voxel sizes that headers make by rounding."""

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """What a header says."""

    shape: Triple
    """z, y, x."""

    spacing: tuple[float, float, float]
    """Å, x, y, z; 0 where the header does not say."""

    hindrance: str = ""
    """Why it cannot be served from where it lies; empty where it can."""


def look(run: RunScene, source: Input) -> Look | None:
    """Read the header of a volume; None, with a finding, if it cannot be used: no MRC, no OME-Zarr, truncated."""
    try:
        opened = pyramid.open_source(source.local)
    except FormatError as error:
        run.about("error", source.local, error.reason)
        return None
    try:
        for note in opened.notes:
            run.about(note.severity, source.local, note.message)
        return Look(opened.shape, opened.voxel_size, pyramid.hindrance(opened))
    finally:
        opened.close()


def compare(run: RunScene, source: Input, seen: Look, spacing: float, *, axes: int = 3) -> None:
    """Warn if header and configuration differ in the voxel size, or the header's voxels are no cubes."""
    said = [s for s in seen.spacing[:axes] if s > 0]
    if any(abs(s - spacing) > TOLERANCE * spacing for s in said):
        words = " x ".join(f"{s:g}" for s in said) if max(said) - min(said) > TOLERANCE * spacing else f"{said[0]:g}"
        run.about(
            "warning",
            source.local,
            f"the header says {words} Å, the configuration {spacing:g} Å: the configuration is taken.",
        )
