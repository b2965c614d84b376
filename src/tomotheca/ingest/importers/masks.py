"""Masks and label images of annotations: MRC and OME-Zarr with levels by majority or mode, brought to the tomogram's size where asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomotheca.errors import TomothecaError
from tomotheca.formats.omezarr.grid import GROUPS, read_attributes, read_first
from tomotheca.formats.resample import MOST
from tomotheca.ingest.headers import look
from tomotheca.ingest.importers.shapes import ShapeMade
from tomotheca.ingest.language_shapes import InstanceSegmentationMaskShape, SegmentationMaskShape
from tomotheca.ingest.transfer import EmptyMaskError, Volume, convert, formed, kept
from tomotheca.schema import Alignment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tomotheca.ingest.headers import Triple
    from tomotheca.ingest.importers.shapes import Bench, Setting

UNEVEN = 0.02
"""Relative difference of the factors along the axes from which a rescaled mask is hardly of the same volume."""


def plan(setting: Setting) -> Volume | None:
    """Say what to make of a mask; None, with a finding, if that cannot be."""
    run, finder = setting.run, setting.item.source.finder
    source = run.scene.input(setting.item.path)
    if source is None or (seen := look(run, source)) is None:
        return None
    size: Triple | None = None
    if getattr(finder, "rescale", False):
        size = _wanted(setting, seen.shape)
        if size is None:
            return None
    elif setting.volume and seen.shape != setting.volume:
        words = f"the mask has {_times(seen.shape)} voxels, its tomogram {_times(setting.volume)}"
        run.about("warning", source.local, f"{words}: add rescale: true if both are of one volume.")
    s = setting.spacing
    mrc, zarr = setting.key(".mrc"), setting.key(".zarr/")
    if isinstance(finder, InstanceSegmentationMaskShape):
        labels = Volume(source, mrc, zarr, "annotation", (s, s, s), "labels", size=size)
        return formed(labels, run.scene.form)
    assert isinstance(finder, SegmentationMaskShape)  # the caller looked
    mask = Volume(source, mrc, zarr, "annotation", (s, s, s), "mask", finder.mask_label, finder.threshold, size)
    return formed(mask, run.scene.form)


def _wanted(setting: Setting, given: Triple) -> Triple | None:
    """Give the voxels that a mask is to have: those of the tomogram, else of the alignment's volume at this spacing."""
    size = setting.volume or _of_alignment(setting)
    run, item = setting.run, setting.item
    if size is None:
        message = f"{item.path} cannot be rescaled: neither a tomogram at {setting.spacing:g} Å nor the alignment's volume_dimension says to what size."
        run.add("error", item, message)
        return None
    factors = [new / old for new, old in zip(size, given, strict=True)]
    if max(factors) > MOST or min(factors) < 1 / MOST:
        message = f"the mask has {_times(given)} voxels and would be rescaled to {_times(size)}: they are hardly of one volume."
        run.about("error", item.path, message)
        return None
    if max(factors) > (1 + UNEVEN) * min(factors) and any(
        abs(n - o * min(factors)) > 1 for n, o in zip(size, given, strict=True)
    ):
        words = (
            f"the mask has {_times(given)} voxels and is rescaled to {_times(size)}, by another factor along each axis"
        )
        run.about("warning", item.path, f"{words}: check that both are of one volume.")
    return size


def _of_alignment(setting: Setting) -> Triple | None:
    dimension = setting.aligned.volume or _said(setting.aligned.metadata)
    if dimension is None:
        found = (e.document for e in setting.run.archive.of(Alignment) if e.key == setting.aligned.key)
        dimension = _said(next(found, {}))
    if dimension is None:
        return None
    x, y, z = (max(1, round(edge / setting.spacing)) for edge in dimension)
    return z, y, x


def _said(document: Mapping[str, object]) -> tuple[float, float, float] | None:
    """Read the volume of an alignment's document in Å, x, y, z."""
    given = document.get("volume_dimension")
    if not isinstance(given, dict):
        return None
    edges = [given.get(axis) for axis in "xyz"]
    x, y, z = (float(edge) if isinstance(edge, int | float) else 0.0 for edge in edges)
    return (x, y, z) if min(x, y, z) > 0 else None


def make(bench: Bench, volume: Volume) -> ShapeMade | None:
    """Convert a mask, unless it is there from the same source; None if it is empty."""
    recipe = bench.recipes.of(volume)
    try:
        done = kept(bench.context, bench.past, volume, recipe) or convert(bench.context, volume)
    except EmptyMaskError:
        bench.recipes.made.pop(volume.mrc)
        return None
    count = None
    if volume.kind == "labels":
        count = done.labels if done.labels is not None else _count(bench, volume)
    return ShapeMade(done.brought.entries, done.brought.written, count, done.findings)


def _count(bench: Bench, volume: Volume) -> int | None:
    """Count the labels that the metadata of an image lists."""
    try:
        found = read_attributes(read_first(bench.context.files.read_bytes, volume.zarr, GROUPS))
        return len(found["image-label"]["colors"])
    except (TomothecaError, OSError, KeyError, TypeError):
        return None


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in reversed(shape))
