"""Rules about OME-Zarr images and about the two forms of one volume; source: https://ngff.openmicroscopy.org/0.4/."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tomotheca.doctor import values
from tomotheca.doctor.core import At, Rule, Said
from tomotheca.doctor.look import Array, Broken, Image
from tomotheca.doctor.rules.mrc import COPIED, WRITTEN
from tomotheca.doctor.subjects import Volume
from tomotheca.formats.mrc.header import DTYPES
from tomotheca.formats.omezarr.levels import ALWAYS, BLOCK, SECTION, Vector, plan_levels

AXES = ["z", "y", "x"]
OLD, NEW = {".zattrs", ".zgroup", ".zmetadata"}, {"zarr.json"}
"""Metadata of Zarr v2 and v3."""

STORED = {"int8", "uint8", "int16", "uint16", "float16", "float32"}
MASKS, LABELS = {"int8", "uint8"}, {"int8", "uint8", "int16", "uint16", "int32", "uint32"}
CLOSE = 0.001
CZ_LEVELS = 3


def told(examine: Callable[[Image], Iterator[Said]]) -> Callable[[Image], Iterator[Said]]:
    """Apply a rule to those images whose metadata can be read."""

    def rule(image: Image) -> Iterator[Said]:
        if image.broken is None:
            yield from examine(image)

    rule.__doc__ = examine.__doc__
    return rule


def readable(image: Image) -> Iterator[Said]:
    """The image and all its levels have metadata that can be read."""
    if image.broken is not None:
        yield f"the image {image.broken.reason}"
    for path, found in image.arrays.items():
        if isinstance(found, Broken):
            yield At(found.reason, path=path)


def axes(image: Image) -> Iterator[Said]:
    """The axes are z, y and x, of space, in ångström."""
    found = values.blocks(image.multiscale, "axes")
    names = [values.text(axis, "name") for axis in found]
    if names != AXES:
        yield f"the axes are {', '.join(names) or 'not named'}"
    elif any((axis.get("type"), axis.get("unit")) != ("space", "angstrom") for axis in found):
        said = ", ".join(f"{axis.get('type')} in {axis.get('unit')}" for axis in found)
        yield f"the axes are of {said}"[:200]


def levels(image: Image) -> Iterator[Said]:
    """The levels are named 0, 1, 2 ..., at least three, until the largest edge has at most 128 voxels."""
    if list(image.paths) != [str(n) for n in range(len(image.paths))]:
        yield f"the levels are named {values.some(image.paths, 8)}"
    elif finest := _finest(image):
        wanted = len(plan_levels(finest, (1.0, 1.0, 1.0), step=_step(image)))
        if len(image.paths) < max(ALWAYS, wanted):
            yield f"there are {len(image.paths)} levels, {wanted} are needed for {values.times(finest)} voxels"


def halving(image: Image) -> Iterator[Said]:
    """Each level has half the voxels of the one before, rounded up (a tilt series in x and y only)."""
    finest = _finest(image)
    for number, path in enumerate(image.paths if finest else ()):
        level = image.arrays.get(path)
        wanted = tuple(-(-n // f**number) for n, f in zip(finest or (), _step(image), strict=True))
        if isinstance(level, Array) and level.shape[-3:] != wanted:
            yield At(
                f"the level has {values.times(level.shape)} voxels, {values.times(wanted)} are expected", path=path
            )


def dtype(image: Image) -> Iterator[Said]:
    """All levels have one data type: int8 to uint16, float16 or float32; masks bytes, instance masks whole numbers."""
    found = sorted({level.dtype for level in image.levels})
    allowed = LABELS if image.expected.kind == "InstanceSegmentationMask" else MASKS if image.expected.label else STORED
    if len(found) > 1:
        yield f"the levels have different data types: {', '.join(found)}"
    elif found and found[0] not in allowed:
        yield f"the data type is {found[0]}; {', '.join(sorted(allowed))} are written"


def chunks(image: Image) -> Iterator[Said]:
    """Chunks are no larger than their level, their files hold whole chunks and lie in folders (the separator is /)."""
    for level in image.levels:
        if level.separator != "/":
            yield At(f"the separator of chunks is {level.separator[:8]!r}", path=level.path)
        if any(c > n for c, n in zip(level.chunks, level.shape, strict=True)):
            yield At(
                f"chunks of {values.times(level.chunks)} in a level of {values.times(level.shape)} voxels",
                path=level.path,
            )
        if any(f % c for f, c in zip(level.files, level.chunks, strict=True)):
            yield At(
                f"files of {values.times(level.files)} voxels with chunks of {values.times(level.chunks)}",
                path=level.path,
            )


def scale(image: Image) -> Iterator[Said]:
    """Level k has the scale s·2^k, s the voxel size of the document (a tilt series in x and y only)."""
    if image.expected.spacing is None:
        return
    for number, path in enumerate(image.paths):
        found = _vector(image, number, "scale")
        wanted = [image.expected.spacing * f**number for f in _step(image)]
        if found is None:
            yield At("the level has no scale", path=path)
        elif not _close(found, wanted, number):
            yield At(f"the scale is {_words(found)} Å, {_words(wanted)} is expected (z, y, x)", path=path)


def translation(image: Image) -> Iterator[Said]:
    """Level k has the translation s·(2^k − 1)/2: a voxel is centred on its index."""
    if image.expected.spacing is None:
        return
    for number, path in enumerate(image.paths):
        found = _vector(image, number, "translation") or [0.0, 0.0, 0.0]
        wanted = [image.expected.spacing * (f**number - 1) / 2 for f in _step(image)]
        if not _close(found, wanted, number):
            yield At(f"the translation is {_words(found)} Å, {_words(wanted)} is expected (z, y, x)", path=path)


def children(image: Image) -> Iterator[Said]:
    """The folder holds the levels and the metadata of one version of Zarr, and nothing else."""
    old = OLD.intersection(image.children)
    known = {*image.paths, *(OLD if old else NEW)}
    others = sorted(set(image.children) - known)
    if others:
        yield f"the folder also holds {values.some(others)}"


def shape(image: Image) -> Iterator[Said]:
    """The finest level has the size of the document."""
    finest = _finest(image)
    if finest and image.expected.shape is not None and finest != image.expected.shape:
        yield f"level 0 has {values.times(finest)} voxels, the document says {values.times(image.expected.shape)}"


def cz_levels(image: Image) -> Iterator[Said]:
    """There are exactly the levels 0, 1 and 2."""
    if list(image.paths) != [str(n) for n in range(CZ_LEVELS)]:
        yield f"the levels are {values.some(image.paths, 8)}"


def cz_children(image: Image) -> Iterator[Said]:
    """The folder holds 0, 1, 2, .zattrs and .zgroup, and nothing else."""
    wanted = {"0", "1", "2", ".zattrs", ".zgroup"}
    if image.children and set(image.children) != wanted:
        yield f"the folder holds {values.some(sorted(image.children), 8)}"


def cz_dtype(image: Image) -> Iterator[Said]:
    """Tilt series and tomograms are float32, masks int8, instance masks uint16."""
    wanted = (
        "uint16" if image.expected.kind == "InstanceSegmentationMask" else "int8" if image.expected.label else "float32"
    )
    for found in sorted({level.dtype for level in image.levels} - {wanted}):
        yield f"the data type is {found}, the public portal has {wanted}"


def both_forms(volume: Volume) -> Iterator[Said]:
    """The document names an MRC file and an OME-Zarr image, and its manifest lists both."""
    for what, field in (("MRC file", "mrc_file"), ("OME-Zarr image", "omezarr_dir")):
        path = values.text(volume.data, field)
        if not path:
            yield At(f"no {what} is named", path=field)
        elif path not in volume.listed and f"{path.rstrip('/')}/" not in volume.listed:
            yield At(f"{path} is not listed in the manifest", path=field)


def same_shape(volume: Volume) -> Iterator[Said]:
    """MRC file and OME-Zarr image have the same size."""
    if volume.mrc is None or volume.image is None or isinstance(volume.mrc.words, Broken):
        return
    finest = _finest(volume.image)
    if finest and finest != volume.mrc.words.shape:
        yield f"the MRC file has {values.times(volume.mrc.words.shape)} voxels, the OME-Zarr image {values.times(finest)}"


def same_dtype(volume: Volume) -> Iterator[Said]:
    """MRC file and OME-Zarr image hold the same numbers (unsigned bytes are 16-bit numbers in MRC)."""
    if volume.mrc is None or volume.image is None or isinstance(volume.mrc.words, Broken):
        return
    stored, mode = volume.image.levels[:1], volume.mrc.words.mode
    if not stored or mode not in DTYPES or volume.mrc.in_place:
        return
    name = np.dtype(DTYPES[mode]).name
    if stored[0].dtype != name and (stored[0].dtype, name) not in {("uint8", "uint16"), ("uint8", "int8")}:
        yield f"the MRC file has {name}, the OME-Zarr image {stored[0].dtype}"


def names(volume: Volume) -> Iterator[Said]:
    """MRC file and OME-Zarr image have the name of their run (a run with several tilt series: any name) and one stem."""
    stems = [
        values.text(volume.data, field).rstrip("/").rpartition("/")[2].rpartition(".")[0]
        for field in ("mrc_file", "omezarr_dir")
    ]
    if all(stems) and stems[0] != stems[1]:
        yield f"the files are named {stems[0]}.mrc and {stems[1]}.zarr"
    elif stems[0] and volume.name and stems[0] != volume.name:
        yield f"the files are named {stems[0]}, the run {volume.name}"


def first_scale(volume: Volume) -> Iterator[Said]:
    """The document's size is its first scale, and each further one is half of the one before, rounded up."""
    size = values.zyx(volume.data, "size")
    given = [values.zyx(item) for item in values.blocks(volume.data, "scales")]
    if size is None or not given:
        return
    step = SECTION if volume.stack else BLOCK
    for number, found in enumerate(given):
        wanted = tuple(-(-n // f**number) for n, f in zip(size, step, strict=True))
        if found != wanted:
            said = values.times(found) if found else "no size"
            yield At(f"scale {number} is {said}, {values.times(wanted)} is expected", path=f"scales[{number}]")


def _step(image: Image) -> values.Triple:
    return SECTION if image.expected.stack else BLOCK


def _finest(image: Image) -> values.Triple | None:
    level = image.arrays.get(image.paths[0]) if image.paths else None
    if not isinstance(level, Array) or len(level.shape) < 3 or any(n != 1 for n in level.shape[:-3]):  # noqa: PLR2004 - z, y, x
        return None
    z, y, x = level.shape[-3:]
    return z, y, x


def _vector(image: Image, number: int, kind: str) -> list[float] | None:
    """Add up the transformations of a level, those of the whole image included."""
    datasets = values.blocks(image.multiscale, "datasets")
    found: list[float] | None = None
    for given in (datasets[number], image.multiscale):
        for item in values.blocks(given, "coordinateTransformations"):
            vector = [values.number(n) for n in values.array(item, kind)[-3:]]
            if item.get("type") != kind or len(vector) != 3:  # noqa: PLR2004 - z, y, x
                continue
            clean = [v if v is not None else 0.0 for v in vector]
            if found is None:
                found = clean
            else:
                found = [a * b if kind == "scale" else a + b for a, b in zip(found, clean, strict=True)]
    return found


def _close(found: list[float], wanted: list[float], number: int) -> bool:
    bound = CLOSE * 2 ** min(number, 40)
    return all(abs(a - b) <= max(bound, CLOSE * abs(b)) for a, b in zip(found, wanted, strict=True))


def _words(vector: list[float] | Vector) -> str:
    return ", ".join(f"{v:g}" for v in vector)


CORRECT = "correct the pixel or voxel size of the configuration and run the ingest again"

RULES: tuple[Rule, ...] = (
    Rule("zarr.readable", "error", Image, readable, COPIED),
    Rule("zarr.axes", "error", Image, told(axes), WRITTEN),
    Rule("zarr.levels", "error", Image, told(levels), WRITTEN),
    Rule("zarr.halving", "error", Image, told(halving), WRITTEN),
    Rule("zarr.dtype", "error", Image, told(dtype), WRITTEN, written=True),
    Rule("zarr.chunks", "warning", Image, told(chunks), WRITTEN, written=True),
    Rule("zarr.scale", "error", Image, told(scale), CORRECT),
    Rule("zarr.translation", "warning", Image, told(translation), WRITTEN, written=True),
    Rule("zarr.children", "warning", Image, told(children), "remove what does not belong there, or run the ingest with --force", written=True),
    Rule("zarr.shape", "error", Image, told(shape), WRITTEN),
    Rule("cz.zarr.levels", "warning", Image, told(cz_levels), "this program writes more levels, which clients read; ignore it", "cz"),
    Rule("cz.zarr.children", "warning", Image, told(cz_children), "this program writes more levels, which clients read; ignore it", "cz"),
    Rule("cz.zarr.dtype", "warning", Image, told(cz_dtype), "convert the source and ingest it again", "cz"),
    Rule("volume.both_forms", "error", Volume, both_forms, WRITTEN),
    Rule("volume.same_shape", "error", Volume, same_shape, WRITTEN),
    Rule("volume.same_dtype", "warning", Volume, same_dtype, WRITTEN),
    Rule("volume.names", "warning", Volume, names, WRITTEN),
    Rule("volume.scales", "error", Volume, first_scale, WRITTEN),
)  # fmt: skip
