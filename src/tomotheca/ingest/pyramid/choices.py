"""What follows from a source and a recipe before the first voxel is read: dtype, MRC layout, shares of the memory."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tomotheca.errors import Finding, FormatError
from tomotheca.formats import mrc, omezarr, tiffstack
from tomotheca.formats.reduce import HALF
from tomotheca.formats.resample import LocalMean, Resampled

if TYPE_CHECKING:
    from tomotheca.formats.omezarr.levels import Level, Triple, Vector
    from tomotheca.formats.reduce import Array
    from tomotheca.ingest.pyramid.recipe import Recipe

Opened = mrc.Reader | omezarr.Reader | tiffstack.Reader
Source = Opened | Resampled

KEPT_DTYPES = ("i1", "u1", "i2", "u2", "f2", "f4")
LABELS = 1 << 16
"""Labels are whole numbers below this one."""

WRITERS = 2
"""Threads that there are beside those that compute: while so many chunks are on their way to the disk, others are compressed."""

TILES = 2
"""Tiles of level 0 in memory: one is read while the other is written."""


def voxel_size(source: Source, recipe: Recipe) -> Vector:
    """Take the recipe's voxel size (Å; x, y, z), else the header's.

    Raises
    ------
    FormatError
        If neither says it.
    """
    size = recipe.voxel_size or source.voxel_size
    if min(size) > 0:
        return size
    if recipe.kind == "tilt_series" and min(size[:2]) > 0:
        return size[0], size[1], size[0]
    raise FormatError(source.path, "has no voxel size in its header: give it in the configuration.")


def chunks(recipe: Recipe) -> Triple:
    """Choose what one file of the OME-Zarr image holds, ``(z, y, x)``."""
    return recipe.chunks or recipe.form.file(stack=recipe.kind == "tilt_series")


def stored_dtype(source: Source, recipe: Recipe) -> tuple[np.dtype[Any], list[Finding]]:
    """Choose the dtype of the OME-Zarr arrays, with a note of every change."""
    given = source.dtype
    if recipe.kind == "mask":
        return np.dtype("i1"), []
    if recipe.kind == "labels":
        return np.dtype("u2"), []
    if given.kind == "b":
        return np.dtype("i1"), []
    if given.str[1:] not in KEPT_DTYPES:
        mrc.storable(given)
        return np.dtype("f4"), [note(source, f"{given} becomes float32: MRC and viewers hold nothing wider.")]
    if given.str[1:] == "u1":
        text = "uint8 stays in OME-Zarr and becomes uint16 in MRC, which has no unsigned bytes."
        return given, [note(source, text)]
    if given.str[1:] == "f2":
        return given, [note(source, "float16 is kept; viewers that run in a browser may not show it.")]
    return given, []


def converted(block: Array, source: Source, recipe: Recipe, dtype: np.dtype[Any]) -> Array:
    """Bring a tile to the dtype that is stored: masks are extracted, labels checked.

    Raises
    ------
    FormatError
        If labels are no whole numbers that fit.
    """
    if recipe.kind == "mask":
        chosen = block >= recipe.threshold if recipe.threshold is not None else block == recipe.label
        return np.asarray(chosen).astype(np.int8)
    with np.errstate(invalid="ignore"):
        stored: Array = block.astype(dtype, copy=False)
    if recipe.kind == "labels" and stored is not block and not np.array_equal(stored, block):
        odd = block[stored != block][0]
        text = f"holds {odd:g}, values that are no labels: give whole numbers from 0 to {LABELS - 1}, a number for each object."
        raise FormatError(source.path, text)
    return stored


def rescaled(source: Opened, recipe: Recipe) -> tuple[Source, Recipe]:
    """See a mask or label image with the number of voxels that the recipe wants.

    Labels come from the nearest voxel. A mask is 1 where the label covers at least half of the voxel, or where the
    local mean reaches the threshold.
    """
    if recipe.size is None or recipe.size == source.shape:
        return source, recipe
    if recipe.kind != "mask":
        return Resampled(source, recipe.size), recipe
    if recipe.threshold is not None:
        return LocalMean(source, recipe.size), recipe
    return LocalMean(source, recipe.size, label=recipe.label), replace(recipe, threshold=HALF)


def mrc_layout(source: Source, recipe: Recipe, dtype: np.dtype[Any]) -> tuple[mrc.Layout, list[Finding]]:
    """Lay out the MRC file; labels, extended header and free bytes of an MRC source are kept."""
    plain = mrc.Layout(
        shape=source.shape,
        dtype=mrc.storable(dtype),
        voxel_size=voxel_size(source, recipe),
        is_stack=recipe.kind == "tilt_series",
    )
    if not isinstance(source, mrc.Reader):
        return plain, []
    header, notes = source.header, []
    if any(header.origin):
        text = "The header's origin is not kept: the first voxel is at 0, for volumes and points alike."
        notes.append(note(source, text))
    if header.byte_order == ">" and not header.nsymbt:
        return replace(plain, labels=header.labels), notes
    kept = replace(
        plain,
        byte_order=header.byte_order,
        extended=mrc.read_extended(source.path, header),
        exttyp=header.exttyp,
        extra=header.extra,
        labels=header.labels,
    )
    return kept, notes


def twin(source: Source, recipe: Recipe, layout: mrc.Layout) -> mrc.Twin | None:
    """Give the source if its voxel bytes are those of the MRC file and memory may still hold them once they were read."""
    if not isinstance(source, mrc.Reader) or source.header.axes != (1, 2, 3) or recipe.kind == "mask":
        return None
    stored = layout.dtype.newbyteorder(layout.byte_order)
    same = source.header.dtype == stored and not source.header.trailing and source.descriptor >= 0
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    held = math.prod(source.shape) * stored.itemsize < memory // 2
    return mrc.Twin(source.descriptor, source.header.data_offset) if same and held else None


def plan_memory(source: Source, recipe: Recipe, levels: list[Level]) -> tuple[int, list[int]]:
    """Choose the number of workers and how wide the blocks of each level are, so that half the memory is enough."""
    deep, high, wide = chunks(recipe)
    item = max(source.dtype.itemsize, 4)
    chunk = 4 * deep * high * wide * item
    wanted = (recipe.workers or len(os.sched_getaffinity(0))) + WRITERS
    workers = max(1, min(wanted, recipe.memory // 4 // chunk))
    width = wide
    room = recipe.memory // 2 - workers * chunk
    while width < source.shape[2] and deep * high * 2 * width * item * (TILES + 2) <= room:
        width *= 2
    return workers, [max(wide, width // level.factors[2]) for level in levels]


def note(source: Source, text: str) -> Finding:
    """Make a note about the source."""
    return Finding("note", str(source.path), text)
