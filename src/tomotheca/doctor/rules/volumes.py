"""Rules about voxel spacings, tomograms, annotations, pictures and viewer states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tomotheca.doctor import values
from tomotheca.doctor.core import At, Rule, Said
from tomotheca.doctor.look import Array, Broken, Image, Mrc
from tomotheca.doctor.points import Points
from tomotheca.doctor.subjects import Labelled, Pictures, Reconstructed, Scene, Spaced

SPACING = re.compile(r"^\d+\.\d{3}$")
CZ_RANGE = (1.0, 30.0)
CLOSE = 0.0015
"""What three decimals lose, and a float."""

CZ_PIXELS = {"thumbnail": (100, 75), "snapshot": (384, 288)}
POINTS = {"Point": "point", "OrientedPoint": "orientedPoint", "InstanceSegmentation": "instancePoint"}


def spacing_name(spaced: Spaced) -> Iterator[Said]:
    """The folder of a voxel spacing is named with three decimals and larger than 0."""
    if not SPACING.match(spaced.name) or float(spaced.name) <= 0:
        yield f"the folder is named for {spaced.name[:40]} Å"


def spacing_known(spaced: Spaced) -> Iterator[Said]:
    """The run's document has a number for every voxel spacing."""
    if not spaced.known and not spaced.empty:
        yield f"the run's document does not know the voxel spacing {spaced.name[:40]}"


def cz_spacing(spaced: Spaced) -> Iterator[Said]:
    """A voxel spacing is between 1 and 30 Å, and no whole number, which is often a guess."""
    if not SPACING.match(spaced.name):
        return
    found = float(spaced.name)
    if not CZ_RANGE[0] < found < CZ_RANGE[1]:
        yield f"the voxel spacing is {found:g} Å"
    elif found == int(found):
        yield f"the voxel spacing is {found:g} Å, a whole number"


def authors(item: Reconstructed | Labelled) -> Iterator[Said]:
    """There is an author, a primary one and a corresponding one among them."""
    yield from lacking_authors(item.data)


def lacking_authors(data: Mapping[str, object]) -> Iterator[Said]:
    """Say which authors a document lacks."""
    found = values.blocks(data, "authors")
    if not found:
        yield At("nobody is named as author", path="authors")
        return
    for status in ("primary", "corresponding"):
        if not any(author.get(f"{status}_author_status") is True for author in found):
            yield At(f"no author is marked as {status} author", path="authors")


def tomogram_spacing(tomogram: Reconstructed) -> Iterator[Said]:
    """The voxel spacing of a tomogram is that of its folder."""
    said = values.number(tomogram.data, "voxel_spacing")
    try:
        folder = float(tomogram.spacing)
    except ValueError:
        return
    if said is not None and abs(said - folder) > CLOSE:
        yield At(f"the document says {said:g} Å, the folder {tomogram.spacing} Å", path="voxel_spacing")


def tomogram_run(tomogram: Reconstructed) -> Iterator[Said]:
    """The tomogram names its run."""
    if tomogram.data.get("run_name") not in {None, tomogram.run}:
        yield At(
            f"the document says {tomogram.data.get('run_name')!r}, the run is {tomogram.run}"[:200], path="run_name"
        )


def alignment(item: Reconstructed | Labelled) -> Iterator[Said]:
    """The alignment that a tomogram or annotation names has a document."""
    path = values.text(item.data, "alignment_metadata_path")
    if not path:
        yield At("no alignment is named", path="alignment_metadata_path")
    elif path not in item.alignments:
        yield At(f"{path[:200]} is not there", path="alignment_metadata_path")


def tomogram_size(tomogram: Reconstructed) -> Iterator[Said]:
    """A tomogram has a size, larger than 0 along all axes."""
    size = values.zyx(tomogram.data, "size")
    if size is None or min(size) <= 0:
        yield At("the document has no size", path="size")


def labelled_object(annotation: Labelled) -> Iterator[Said]:
    """An annotation says what is labelled: a name and an identifier in an ontology."""
    given = values.mapping(annotation.data, "annotation_object")
    for name in ("name", "id"):
        if not values.text(given, name).strip():
            yield At(f"the object has no {name}", path=f"annotation_object.{name}")


def count_given(annotation: Labelled) -> Iterator[Said]:
    """The number of objects is not negative."""
    found = values.number(annotation.data, "object_count")
    if found is not None and found < 0:
        yield At(f"there are {found:g} objects", path="object_count")


def count(annotation: Labelled) -> Iterator[Said]:
    """The number of objects is that of the points (of different instances, where points belong to some)."""
    said = values.whole(annotation.data, "object_count")
    counted = {_counted(points) for points in annotation.points.values() if isinstance(points, Points)}
    if said is not None and counted and said not in counted:
        yield At(f"the document says {said} objects, its files {values.some(sorted(counted))}", path="object_count")


def _counted(points: Points) -> int:
    return points.instances if points.types == {"instancePoint"} else points.count


def files(annotation: Labelled) -> Iterator[Said]:
    """An annotation has files, and each is listed in its manifest."""
    given = values.blocks(annotation.data, "files")
    if not given:
        yield At("the annotation has no files", path="files")
    for index, item in enumerate(given):
        path = values.text(item, "path")
        if path not in annotation.listed and f"{path}/" not in annotation.listed:
            yield At(f"{path[:200] or 'a file without a path'} is in no manifest", path=f"files[{index}]")


def readable(annotation: Labelled) -> Iterator[Said]:
    """Points, meshes and captions can be read, and points are of the shape that the document says."""
    for key, found in (*annotation.points.items(), *annotation.others.items()):
        if isinstance(found, Broken):
            yield At(f"the file {found.reason}", where=key)
    for item in values.blocks(annotation.data, "files"):
        points = annotation.points.get(values.text(item, "path"))
        wanted = POINTS.get(values.text(item, "shape"))
        if isinstance(points, Points) and wanted and not points.types <= {wanted}:
            yield At(
                f"rows of the type {values.some(sorted(points.types - {wanted}))}, {wanted} is expected",
                where=values.text(item, "path"),
            )


def inside(annotation: Labelled) -> Iterator[Said]:
    """All points lie inside the tomogram of the same alignment."""
    for key, points in annotation.points.items():
        if isinstance(points, Points) and points.outside:
            size = values.times(annotation.tomograms[0]) if annotation.tomograms else ""
            yield At(
                f"{points.outside} of {points.count} points lie outside the {size} voxels, the first in {points.first_outside}",
                where=key,
            )


def rotations(annotation: Labelled) -> Iterator[Said]:
    """Rotations are orthonormal with determinant 1, one for each oriented point."""
    for key, points in annotation.points.items():
        if not isinstance(points, Points):
            continue
        if points.skewed:
            yield At(
                f"{points.skewed} of {points.rotations} rotations are none: not orthonormal, or mirrored", where=key
            )
        if points.types == {"orientedPoint"} and points.rotations < points.count:
            yield At(f"{points.count - points.rotations} points have no rotation", where=key)


def mask_size(annotation: Labelled) -> Iterator[Said]:
    """A mask has the size of a tomogram of the same alignment."""
    if not annotation.tomograms:
        return
    for mask in annotation.masks:
        found = _size(mask)
        if found is not None and found not in annotation.tomograms:
            yield At(
                f"the mask has {values.times(found)} voxels, its tomogram {values.times(annotation.tomograms[0])}",
                where=mask.where,
            )


def _size(mask: Mrc | Image) -> values.Triple | None:
    if isinstance(mask, Mrc):
        return None if isinstance(mask.words, Broken) else mask.words.shape
    level = mask.arrays.get(mask.paths[0]) if mask.paths else None
    if not isinstance(level, Array) or len(level.shape) != 3:  # noqa: PLR2004 - z, y, x
        return None
    z, y, x = level.shape
    return z, y, x


def image_label(annotation: Labelled) -> Iterator[Said]:
    """A mask is marked as a label image; the labels of an instance mask are different, whole and larger than 0, as many as objects."""
    for mask in annotation.masks:
        if not isinstance(mask, Image) or mask.broken is not None:
            continue
        label = values.dig(mask.attributes, "image-label")
        label = values.dig(mask.multiscale, "metadata", "image-label") if label is None else label
        if not isinstance(label, Mapping):
            yield At("nothing marks the image as labels (image-label)", where=mask.where)
        elif mask.expected.kind == "InstanceSegmentationMask":
            yield from _instances(annotation, mask, label)


def _instances(annotation: Labelled, mask: Image, label: Mapping[str, object]) -> Iterator[Said]:
    given = [values.whole(item, "label-value") for item in values.blocks(label, "colors")]
    if not given:
        return
    if any(n is None or n <= 0 for n in given) or len(set(given)) < len(given):
        yield At("the labels are not different whole numbers larger than 0", where=mask.where)
    said = values.whole(annotation.data, "object_count")
    if said is not None and said != len(given):
        yield At(f"there are {len(given)} labels, the document says {said} objects", where=mask.where)


def pictures(given: Pictures) -> Iterator[Said]:
    """Key photos are there and are PNG, JPEG, GIF or WebP pictures."""
    for size, key in given.named.items():
        found = given.sizes.get(key)
        if isinstance(found, Broken):
            yield At(f"the {size} {found.reason}", where=key)


def cz_pictures(given: Pictures) -> Iterator[Said]:
    """A thumbnail has at least 100 pixels along its longer edge, a snapshot 384."""
    for size, key in given.named.items():
        found, least = given.sizes.get(key), CZ_PIXELS.get(size)
        if isinstance(found, tuple) and least and max(found) < least[0]:
            yield At(f"the {size} has {found[0]} x {found[1]} pixels", where=key)


def scene(given: Scene) -> Iterator[Said]:
    """A stored viewer state is JSON with at least one layer."""
    if isinstance(given.state, Broken):
        yield f"the viewer state {given.state.reason}"
    elif not values.blocks(given.state, "layers"):
        yield "the viewer state has no layer"


AGAIN = "run the ingest of its configuration again"
METADATA = "correct the metadata in the configuration and ingest it again"
RULES: tuple[Rule, ...] = (
    Rule("spacing.name", "error", Spaced, spacing_name, AGAIN),
    Rule("spacing.known", "error", Spaced, spacing_known, AGAIN),
    Rule("cz.spacing", "warning", Spaced, cz_spacing, "give the voxel spacing that was measured", "cz"),
    Rule("tomogram.authors", "warning", Reconstructed, authors, METADATA),
    Rule("tomogram.spacing", "error", Reconstructed, tomogram_spacing, METADATA),
    Rule("tomogram.run_name", "error", Reconstructed, tomogram_run, METADATA),
    Rule("tomogram.alignment", "error", Reconstructed, alignment, AGAIN),
    Rule("tomogram.size", "error", Reconstructed, tomogram_size, AGAIN),
    Rule("annotation.authors", "warning", Labelled, authors, METADATA),
    Rule("annotation.alignment", "error", Labelled, alignment, AGAIN),
    Rule("annotation.object", "error", Labelled, labelled_object, METADATA),
    Rule("annotation.count_given", "error", Labelled, count_given, METADATA),
    Rule("annotation.count", "warning", Labelled, count, AGAIN),
    Rule("annotation.files", "error", Labelled, files, AGAIN),
    Rule("annotation.readable", "error", Labelled, readable, AGAIN),
    Rule("annotation.inside", "warning", Labelled, inside, "check binning, order of axes and voxel spacing of the source"),
    Rule("annotation.rotations", "error", Labelled, rotations, "check the format and the angles of the source"),
    Rule("annotation.mask_size", "warning", Labelled, mask_size, "give a mask of this tomogram's size, or ask for rescale"),
    Rule("annotation.image_label", "warning", Labelled, image_label, AGAIN),
    Rule("picture.readable", "warning", Pictures, pictures, AGAIN),
    Rule("cz.picture.size", "warning", Pictures, cz_pictures, "give a larger picture", "cz"),
    Rule("viewer.layers", "warning", Scene, scene, AGAIN),
)  # fmt: skip
