"""Convert a volume into a store that takes files one after the other: nothing of it is on a disk here.

An MRC file has the statistics of its voxels before them, and what was sent cannot be changed. So the levels are made and sent first, and
the source is read a second time for the MRC file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from tomotheca.formats import mrc, omezarr
from tomotheca.formats.files import Member
from tomotheca.ingest.pyramid import choices
from tomotheca.ingest.pyramid.job import Job
from tomotheca.ingest.pyramid.recipe import Target

if TYPE_CHECKING:
    from tomotheca.formats.omezarr.levels import Box
    from tomotheca.formats.omezarr.writer import Put
    from tomotheca.formats.reduce import Array
    from tomotheca.formats.statistics import Moments
    from tomotheca.ingest.pyramid.choices import Source
    from tomotheca.ingest.pyramid.recipe import Pyramid, Recipe

NOWHERE = Path("/nonexistent")
SHARE = 8
"""Part of the memory that a piece of the MRC file may take."""


class Writable(Protocol):
    """Takes bytes one after the other."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take the next bytes."""


class Far(Job):
    """One conversion; call `pyramid`, then `write_mrc`.

    Parameters
    ----------
    put
        Takes each file of the OME-Zarr directory by its path, from several threads.
    """

    def __init__(self, source: Source, put: Put, recipe: Recipe) -> None:
        super().__init__(source, Target(NOWHERE, NOWHERE), recipe)
        self._put = put
        self._total: Moments | None = None

    def __enter__(self) -> Self:
        self.pool = self._threads()
        self.zarr = omezarr.Writer(self.target.zarr, self.levels, self.dtype, form=self.recipe.form, put=self._put)
        self.zarr.aside = self.turns.waiting
        return self

    def pyramid(self, progress: Callable[[int], None]) -> Pyramid:
        """Read the source and send every level."""
        self._total = self._walk(progress)
        return self._pyramid(self._total)

    def write_mrc(self, stream: Writable, name: str) -> Member:
        """Read the source again and send the MRC file; its header is whole from the start."""
        if self._total is None:
            message = "the statistics come from the levels: call `pyramid` before"
            raise RuntimeError(message)
        stored = self.layout.dtype.newbyteorder(self.layout.byte_order)
        head = mrc.head(self.layout, self._total)
        digest, size = hashlib.sha256(head), len(head)
        stream.write(head)
        for box in self._slabs():
            block = choices.converted(self.source.read(box), self.source, self.recipe, self.dtype)
            data = np.ascontiguousarray(block, stored).reshape(-1).view(np.uint8).data
            stream.write(data)
            digest.update(data)
            size += len(data)
        if isinstance(self.source, mrc.Reader):
            self.source.check_unchanged()
        return Member(name, size, digest.hexdigest())

    def _slabs(self) -> Iterator[Box]:
        """Cut the volume into pieces that follow each other in the file: whole planes, or rows of one plane where that is large."""
        z, y, x = self.source.shape
        room = max(1, self.recipe.memory // SHARE)
        row = x * max(self.source.dtype.itemsize, 4)
        planes, rows = max(1, room // (y * row)), y if y * row <= room else max(1, room // row)
        for first in range(0, z, planes):
            for top in range(0, y, rows):
                yield slice(first, min(first + planes, z)), slice(top, min(top + rows, y)), slice(0, x)

    def _keep(self, box: Box, block: Array) -> None:
        """Do nothing: the MRC file comes afterwards."""
