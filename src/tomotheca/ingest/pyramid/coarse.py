"""Make the coarse levels of a volume whose level 0 stays where it is: an MRC file read as it lies."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tomotheca.formats import mrc, omezarr
from tomotheca.ingest.pyramid import choices
from tomotheca.ingest.pyramid.job import Job
from tomotheca.ingest.pyramid.recipe import Pyramid, Recipe, Target

if TYPE_CHECKING:
    from tomotheca.errors import Finding
    from tomotheca.formats.omezarr.levels import Box, Level
    from tomotheca.formats.reduce import Array

NOWHERE = Path("/nonexistent")


def hindrance(opened: object) -> str:
    """Say why the numbers of a volume that was opened cannot be an array as they lie; empty where they can.

    Those of an MRC file can, where columns, rows and sections run along x, y and z: a section is then a chunk ``(1, y, x)``. Every
    number that `mrc.read_header` lets pass, in either byte order, is one that Zarr has.
    """
    if not isinstance(opened, mrc.Reader):
        return "only MRC files can be served from where they lie"
    if opened.header.axes != (1, 2, 3):
        return "its columns, rows and sections do not run along x, y, z"
    return ""


class Coarse(Job):
    """The coarse levels alone, with the description of level 0: chunks of one section ``(1, y, x)``, plain numbers."""

    source: mrc.Reader

    def __init__(self, source: mrc.Reader, zarr: Path, recipe: Recipe) -> None:
        super().__init__(source, Target(NOWHERE, zarr), recipe)
        _, y, x = source.shape
        self.levels[0] = replace(self.levels[0], chunks=(1, y, x))
        self.stored = source.header.dtype
        self.notes = [*source.notes, *self._said()]

    def __enter__(self) -> Self:
        self.pool = self._threads()
        self.zarr = omezarr.Writer(self.target.zarr, self.levels, self.stored, in_place=True)
        self.zarr.aside = self.turns.waiting
        return self

    def make(self, progress: Callable[[int], None]) -> Pyramid:
        """Walk the whole tree and finish the OME-Zarr directory; its level 0 counts with the bytes it has where it lies."""
        made = self._pyramid(self._walk(progress))
        first, *coarser = made.levels
        return replace(made, levels=(replace(first, bytes=math.prod(first.shape) * self.stored.itemsize), *coarser))

    def _store(self, level: Level, box: Box, block: Array) -> None:
        if level.number:
            super()._store(level, box, block)

    def _keep(self, box: Box, block: Array) -> None:
        """Do nothing: the source keeps level 0."""

    def _said(self) -> list[Finding]:
        """Say what whoever opens the MRC file by itself will see differently."""
        said = []
        header = self.source.header
        if any(header.origin):
            text = "The header's origin stays in the MRC file; in OME-Zarr, and for points, the first voxel is at 0."
            said.append(choices.note(self.source, text))
        if header.dtype.str[1:] == "f2":
            text = "float16 is kept; viewers that run in a browser may not show it."
            said.append(choices.note(self.source, text))
        return said
