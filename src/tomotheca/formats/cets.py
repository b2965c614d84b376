"""CETS, the cryo-ET standards' JSON: points, oriented points and alignments of a dataset or a region.

Sources: the model of https://github.com/TomoBabel/cets-data-models with its names of systems and transformations
(``standard_names.py``, ``examples/mock_named_transforms.json``), and the profile ``cets-rigid/0.1`` that
https://github.com/uermel/cryoet-alignment writes (``docs/cets.md``). The standard is young: what is read is what both say,
and everything else is refused with a sentence.

Systems. ``array`` counts pixels or voxels from 0, ``physical`` is in Å; the transformation ``array_to_physical`` of an image
leads from one to the other: usually minus size // 2, then times the spacing. Steps of a sequence act in their order; matrices
act on columns ``(x, y, z)``.

Points. ``origin3D`` of a point set, a point matrix set or a point vector set, in the system of its only ``annotation_to_tomogram``,
which leads to the same system of the tomogram that ``source_tomogram_id`` names. ``matrix3D`` turns the reference into the
particle and is kept as it is; vectors say no rotation and are left out.

Alignments. ``tomogram_to_projection`` of each tilt image, from ``physical`` to ``physical``: ``q = R p + t`` with
``R = Rz(rotation) Ry(tilt) Rx(x rotation)``, whose z is dropped. As in all of this package, rotation and tilt are those of AreTomo,
and the shift is about size / 2 of image and volume, where ``physical`` counts from size // 2. A tilt image without one is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError

from tomotheca.errors import FormatError
from tomotheca.formats import jsonpoints, rotation
from tomotheca.formats.points import Options, Points, arranged, turned, voxel_spacing
from tomotheca.formats.text import LARGEST as LARGEST_TEXT
from tomotheca.formats.text import SHOWN

ARRAY, PHYSICAL = "array", "physical"
TO_PHYSICAL, TO_TOMOGRAM, TO_PROJECTION = "array_to_physical", "annotation_to_tomogram", "tomogram_to_projection"
POINTS = ("point_set_3d", "point_matrix_set_3d", "point_vector_set_3d")
"""Kinds of annotations that have points."""

LARGEST = 1e9
"""No shift is larger, Å."""

MOST = 100_000
"""Sections of a stack; more is a mistake."""

SAME = 1e-6
"""Of a spacing, by which axes may differ."""

T = TypeVar("T")
Floats = npt.NDArray[np.float64]
Name = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]


class _Part(BaseModel):
    """Takes what is known and passes over the rest: the standard grows."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Step(_Part):
    kind: Name = Field("", validation_alias=AliasChoices("transformation_type", "type"))
    name: Name = ""
    input: Name = ""
    output: Name = ""
    translation: list[FiniteFloat] | None = None
    scale: list[FiniteFloat] | None = None
    affine: list[list[FiniteFloat]] | None = None
    sequence: list[_Step] | None = None


class _Image(_Part):
    id: Name = ""
    section: int | None = None
    width: int | None = None
    height: int | None = None
    depth: int | None = None
    tilt_series_id: Name = ""
    coordinate_transformations: list[_Step] | None = None


class _TiltSeries(_Part):
    id: Name = Field("", validation_alias=AliasChoices("id", "ts_id"))
    images: list[_Image] | None = None


class _Projection(_Step):
    tilt_image_id: Name = ""


class _Alignment(_Part):
    tilt_series_id: Name = ""
    projection_alignments: list[_Projection] | None = None
    non_rigid_alignment: Any = None


class _Annotation(_Part):
    kind: Name = Field("", validation_alias=AliasChoices("annotation_type", "type"))
    id: Name = ""
    name: Name = ""
    source_tomogram_id: Name = ""
    coordinate_transformations: list[_Step] | None = None
    points: Any = Field(None, validation_alias="origin3D")
    matrices: Any = Field(None, validation_alias="matrix3D")


class _Region(_Part):
    id: Name = Field("", validation_alias=AliasChoices("id", "name"))
    tilt_series: list[_TiltSeries] | None = None
    alignments: list[_Alignment] | None = None
    tomograms: list[_Image] | None = None
    annotations: list[_Annotation] | None = None


class _Dataset(_Part):
    regions: list[_Region]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Where the images of a tilt series lie; those of one image are at the same index of all arrays."""

    sections: npt.NDArray[np.int64]
    """Shape ``(n,)``: in the stack, from 0, growing."""

    angles: Floats = field(repr=False)
    """Shape ``(n, 3)``: rotation, tilt and rotation about x, degrees; the first is the angle of the tilt axis to the y axis."""

    shifts: Floats = field(repr=False)
    """Shape ``(n, 2)``: x, y in Å, from the aligned to the raw image, about the middles of image and volume."""

    is_local: bool = False
    """Whether there is more than these say, which is not read."""

    def __len__(self) -> int:
        """Count the images that are aligned."""
        return len(self.sections)

    @property
    def matrices(self) -> Floats:
        """Rotation from the aligned to the raw image, shape ``(n, 2, 2)``, acting on ``(x, y)``."""
        return rotation.about("z", self.angles[:, 0])[:, :2, :2]


def read(path: Path, options: Options) -> Points:
    """Read one set of points.

    ``options.filter_value`` is the name or id of the region, of the tomogram or of the set, or region and set with ``/``
    between them; it must leave one set. None at all is an empty result, not an error.

    Raises
    ------
    FormatError
        If several sets are left, or the set is not as the standard has it.
    """
    regions = _regions(path, options.memory)
    sets = [(region, one) for region in regions for one in region.annotations or () if one.kind.lower() in POINTS]
    if not sets:
        raise FormatError(path, "has no set of points: only point sets of a CETS file are read.")
    wanted = options.filter_value
    left = [pair for pair in sets if not wanted or wanted in _names(*pair)]
    if len(left) > 1:
        some = ", ".join((one.name or one.id)[:SHOWN] for _, one in left[:3])
        raise FormatError(path, f"has {len(left)} sets of points ({some}): name one in filter_value.")
    return _points(path, options, *left[0]) if left else Points(np.empty((0, 3)))


def read_alignment(path: Path, names: Sequence[str]) -> Alignment:
    """Read the alignment of a tilt series.

    Parameters
    ----------
    path
        The file.
    names
        Of the run and of its tilt series: where the file has several regions or alignments, they tell which is meant.

    Raises
    ------
    FormatError
        If there is none or several, or it is not as the standard has it.
    """
    document = _regions(path, LARGEST_TEXT * jsonpoints.GROWTH)
    regions = [region for region in document if region.alignments]
    words = [[region.id, *(series.id for series in region.tilt_series or ())] for region in regions]
    region = _only(path, regions, words, names, "regions with alignments")
    found = region.alignments or []
    alignment = _only(path, found, [[a.tilt_series_id] for a in found], names, "alignments")
    with np.errstate(all="ignore"):  # what is too large is refused in the end
        return _aligned(path, region, alignment)


def _regions(path: Path, memory: int) -> list[_Region]:
    document = jsonpoints.load(path, memory)
    if not isinstance(document, dict) or not document.keys() & {"regions", *_Region.model_fields}:
        raise FormatError(path, "has no regions: is it a CETS file?")
    try:
        if "regions" in document:
            return _Dataset.model_validate(document).regions
        return [_Region.model_validate(document)]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FormatError(path, f"is not as CETS has it: {where}: {first['msg'][:200]}.") from error


def _only(path: Path, found: Sequence[T], words: Sequence[Sequence[str]], names: Sequence[str], what: str) -> T:
    """Give the only one, or the only one of these names."""
    named = [one for one, own in zip(found, words, strict=True) if {*own} & {*names}]
    left = named or found
    if len(left) != 1:
        said = ", ".join(own[0][:SHOWN] for own in words[:3] if own and own[0])
        some = f" ({said})" if said else ""
        raise FormatError(path, f"has {len(left)} {what}{some}, one is needed for {names[0] if names else 'a run'}.")
    return left[0]


# --- transformations -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Map:
    """``p' = matrix p + shift``."""

    matrix: Floats
    shift: Floats


def _folded(path: Path, where: str, steps: Iterable[_Step], size: int) -> _Map:
    """Join steps into one map of places with ``size`` coordinates."""
    matrix, shift = np.eye(size), np.zeros(size)
    for step in steps:
        one = _map(path, where, step, size)
        matrix, shift = one.matrix @ matrix, one.matrix @ shift + one.shift
    return _Map(matrix, shift)


def _map(path: Path, where: str, step: _Step, size: int) -> _Map:
    if step.sequence is not None:
        return _folded(path, where, step.sequence, size)
    if step.affine is not None:
        return _affine(path, where, step.affine, size)
    if step.scale is not None and len(step.scale) in {1, size}:
        return _Map(np.diag(np.broadcast_to(step.scale, (size,)).astype(np.float64)), np.zeros(size))
    if step.translation is not None and len(step.translation) in {size, size - 1}:  # an image's shift has no z
        return _Map(np.eye(size), np.array([*step.translation, 0.0][:size]))
    if step.kind.lower() == "identity":
        return _Map(np.eye(size), np.zeros(size))
    said = repr((step.kind or step.name)[:SHOWN])
    known = f"a translation, scale, affine or sequence of {size} coordinates"
    raise FormatError(path, f"{where}: a step {said} is not {known}.")


def _affine(path: Path, where: str, rows: list[list[float]], size: int) -> _Map:
    """Take a matrix as it is, or with a row and a column more for the shift."""
    if {len(row) for row in rows} == {len(rows)} == {size}:
        return _Map(np.array(rows), np.zeros(size))
    if {len(row) for row in rows} == {len(rows)} == {size + 1} and rows[-1] == [*([0.0] * size), 1.0]:
        matrix = np.array(rows)
        return _Map(matrix[:size, :size], matrix[:size, size])
    raise FormatError(path, f"{where}: an affine transformation is no matrix of {size} coordinates.")


def _named(path: Path, where: str, steps: Sequence[_Step] | None, name: str) -> _Step:
    found = [step for step in steps or () if step.name == name]
    if len(found) != 1:
        raise FormatError(path, f"{where} has {len(found) or 'no'} transformations {name!r}, one is read.")
    return found[0]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What ``array_to_physical`` of an image says."""

    spacing: float
    """Å."""

    origin: Floats
    """Index, x, y, z, that is 0 in ``physical``."""


def _frame(path: Path, where: str, image: _Image, size: int) -> _Frame:
    step = _named(path, where, image.coordinate_transformations, TO_PHYSICAL)
    made = _folded(path, where, [step], size)
    spacings = np.diag(made.matrix)
    spacing = float(spacings[0])
    if not 0 < spacing <= LARGEST or np.abs(made.matrix - np.eye(size) * spacing).max() > SAME * spacing:
        raise FormatError(path, f"{where}: {TO_PHYSICAL} is not one spacing for all axes, which alone is read.")
    return _Frame(spacing, -made.shift / spacing)


# --- points --------------------------------------------------------------------------------------------------------------


def _names(region: _Region, one: _Annotation) -> set[str]:
    own = {one.id, one.name}
    return {region.id, one.source_tomogram_id, *own, *(f"{region.id}/{name}" for name in own)} - {""}


def _points(path: Path, options: Options, region: _Region, one: _Annotation) -> Points:
    where = f"the set {(one.name or one.id or one.kind)[:SHOWN]!r}"
    spacing = voxel_spacing(path, options, "has coordinates in Å")
    places = jsonpoints.array(path, _list(path, where, one.points), (3,), "origin3D")
    made = _to_tomogram(path, where, region, one)
    locations = arranged(places @ made.matrix.T + made.shift, options, scale=spacing)
    if not options.rotations or one.matrices is None:
        return Points(locations)
    matrices = jsonpoints.array(path, _list(path, where, one.matrices), (3, 3), "matrix3D")
    if len(matrices) != len(places):
        raise FormatError(path, f"{where} has {len(matrices)} matrices for {len(places)} points.")
    rotation.check_rotations(path, matrices)
    turn = made.matrix / np.cbrt(np.abs(np.linalg.det(made.matrix)))
    if np.linalg.det(turn) < 0 or np.abs(turn @ turn.T - np.eye(3)).max() > rotation.TOLERANCE:
        raise FormatError(path, f"{where}: its {TO_TOMOGRAM} stretches or mirrors, which leaves no rotation.")
    return Points(locations, turned(turn @ matrices, options))


def _list(path: Path, where: str, values: Any) -> list[Any]:
    if isinstance(values, list):
        return values
    raise FormatError(path, f"{where} has no list of points.")


def _to_tomogram(path: Path, where: str, region: _Region, one: _Annotation) -> _Map:
    """Give the way from the coordinates of a set to Å from the centre of the tomogram's first voxel."""
    tomograms = region.tomograms or []
    named = [t for t in tomograms if t.id == one.source_tomogram_id] if one.source_tomogram_id else tomograms
    if len(named) != 1:
        count = len(named) or "no"
        raise FormatError(path, f"{where} belongs to {count} tomograms of its region: name one in source_tomogram_id.")
    frame = _frame(path, f"tomogram {named[0].id[:SHOWN]!r}", named[0], 3)
    step = _named(path, where, one.coordinate_transformations, TO_TOMOGRAM)
    made = _folded(path, where, [step], 3)
    if abs(np.linalg.det(made.matrix)) < SAME:
        raise FormatError(path, f"{where}: its {TO_TOMOGRAM} leaves no volume.")
    if (step.input or PHYSICAL) != (step.output or PHYSICAL) or (step.output or PHYSICAL) not in {ARRAY, PHYSICAL}:
        said = f"{step.input[:SHOWN]!r} to {step.output[:SHOWN]!r}"
        raise FormatError(path, f"{where}: its {TO_TOMOGRAM} leads from {said}, read are {PHYSICAL} and {ARRAY}.")
    if step.output == ARRAY:
        return _Map(frame.spacing * made.matrix, frame.spacing * made.shift)
    return _Map(made.matrix, made.shift + frame.origin * frame.spacing)


# --- alignments ------------------------------------------------------------------------------------------------------------


def _aligned(path: Path, region: _Region, alignment: _Alignment) -> Alignment:
    images = {image.id: image for series in region.tilt_series or () for image in series.images or ()}
    rows: dict[int, _Map] = {}
    volume = _off_middle(path, region, alignment)
    for number, one in enumerate(alignment.projection_alignments or (), start=1):
        image = images.get(one.tilt_image_id)
        if image is None or image.section is None or not 0 <= image.section < MOST:
            said = repr(one.tilt_image_id[:SHOWN])
            raise FormatError(path, f"projection {number} names the tilt image {said}, of which no section is known.")
        if image.section in rows:
            raise FormatError(path, f"section {image.section} is aligned twice.")
        made = _projection(path, f"projection {number}", one)
        middle = _middle(path, f"the image of projection {number}", image, 2)
        rows[image.section] = _Map(made.matrix, made.shift[:2] - middle + (made.matrix @ volume)[:2])
    if not rows:
        raise FormatError(path, "has an alignment without projections: nothing is aligned.")
    rotation.check_rotations(path, np.stack([row.matrix for row in rows.values()]), "projection")
    sections = sorted(rows)
    angles = rotation.angles_about_zyx(np.stack([rows[z].matrix for z in sections]))
    shifts = np.stack([rows[z].shift for z in sections])
    if not (np.abs(shifts) <= LARGEST).all():
        raise FormatError(path, "has a shift that is beyond all sizes of images.")
    return Alignment(np.array(sections, np.int64), angles, shifts, alignment.non_rigid_alignment is not None)


def _projection(path: Path, where: str, one: _Projection) -> _Map:
    """Give the way from the volume to an image."""
    if one.name != TO_PROJECTION or {one.input or PHYSICAL, one.output or PHYSICAL} != {PHYSICAL}:
        said = repr(one.name[:SHOWN])
        raise FormatError(path, f"{where} is {said} and not {TO_PROJECTION!r} from {PHYSICAL} to {PHYSICAL}.")
    return _folded(path, where, one.sequence or (), 3)


def _middle(path: Path, where: str, image: _Image, size: int) -> Floats:
    """Give the middle of an image, size / 2, in its ``physical``, Å: 0 for even sizes."""
    frame = _frame(path, where, image, size)
    lengths = (image.width, image.height, image.depth)[:size]
    known = [origin if length is None else length / 2 for length, origin in zip(lengths, frame.origin, strict=True)]
    return (np.array(known, np.float64) - frame.origin) * frame.spacing


def _off_middle(path: Path, region: _Region, alignment: _Alignment) -> Floats:
    """Give the middle of the volume that was aligned to: all tomograms of the series must agree."""
    own = [t for t in region.tomograms or () if t.tilt_series_id in {"", alignment.tilt_series_id}]
    middles = [_middle(path, f"tomogram {tomogram.id[:SHOWN]!r}", tomogram, 3) for tomogram in own]
    if any(np.abs(middle - middles[0]).max() > SAME for middle in middles[1:]):
        raise FormatError(path, "has tomograms of odd and of even sizes under one alignment: keep the one it is about.")
    return middles[0] if middles else np.zeros(3)
