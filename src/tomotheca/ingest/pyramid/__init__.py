"""Convert a volume of any size in one pass: MRC and OME-Zarr with all levels, hashed, measured, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tomotheca.formats import mrc, omezarr, tiffstack
from tomotheca.formats.files import sync_tree
from tomotheca.ingest.pyramid import choices
from tomotheca.ingest.pyramid.coarse import Coarse, hindrance
from tomotheca.ingest.pyramid.far import Far
from tomotheca.ingest.pyramid.job import Job
from tomotheca.ingest.pyramid.recipe import Conversion, Kind, LevelSize, Pyramid, Recipe, Statistics, Target

__all__ = [
    "Conversion", "Far", "Kind", "LevelSize", "Pyramid", "Recipe", "Statistics", "Target", "coarsen", "convert", "hindrance", "open_source", "opened", "sync_tree",
]  # fmt: skip


def open_source(path: Path) -> choices.Opened:
    """Open a volume to read: a directory is OME-Zarr, a file TIFF by its first bytes, else MRC.

    Raises
    ------
    FormatError
        If it is neither, or broken.
    """
    if path.is_dir():
        return omezarr.Reader(path)
    return tiffstack.Reader(path) if tiffstack.is_tiff(path) else mrc.Reader(path)


def convert(
    source: Path, target: Target, recipe: Recipe | None = None, *, progress: Callable[[int], None] | None = None
) -> Conversion:
    """Write a source as MRC and OME-Zarr in one pass.

    Nothing is renamed, nor is all of it on the disk: give temporary names, then ``sync_tree`` once and rename. After an
    error the files begun stay for the caller to remove.

    Parameters
    ----------
    progress
        Called from this thread with the voxels read since the last call.

    Raises
    ------
    FormatError
        If the source is broken, has no voxel size and the recipe neither, or labels that are no labels.
    StorageError
        If the disk refuses; the message names the file.
    """
    with opened(source, recipe or Recipe()) as (volume, settled), Job(volume, target, settled) as job:
        return job.run(progress or (lambda _: None))


@contextmanager
def opened(source: Path, recipe: Recipe) -> Iterator[tuple[choices.Source, Recipe]]:
    """Open a source with the number of voxels that the recipe wants; give it and the recipe as it is then."""
    volume, settled = choices.rescaled(open_source(source), recipe)
    try:
        yield volume, settled
    finally:
        volume.close()


def coarsen(
    source: Path, zarr: Path, recipe: Recipe | None = None, *, progress: Callable[[int], None] | None = None
) -> Pyramid:
    """Write the coarse levels of an MRC file that stays where it is, and describe its level 0; see `convert`.

    Raises
    ------
    FormatError
        If the source is broken, or nothing says its voxel size. See `hindrance` before.
    StorageError
        If the disk refuses; the message names the file.
    """
    with mrc.Reader(source) as volume, Coarse(volume, zarr, recipe or Recipe()) as job:
        return job.make(progress or (lambda _: None))
