"""Particles of RELION star files, versions 3, 3.1, 4 and 5, and of the star files that TOMOMAN and WarpTools write.

Sources: https://relion.readthedocs.io/en/latest/Reference/Conventions.html and ``ParticleSet`` in RELION's
``src/jaz/tomography/particle_set.cpp``.

Positions. Versions 3 and 4: ``rlnCoordinateX/Y/Z`` in voxels of the unbinned tomogram, the first voxel at 0, minus the
origin (pixels as they are, Å after division by the pixel size of the particle's row or optics group). Version 5:
``rlnCenteredCoordinateX/Y/ZAngst``, Å from the middle of the tomogram, which is voxel ``size / 2`` in each axis,
minus the origin in Å; the tomogram's voxel spacing and size turn them into voxels.

Rotations. ``rlnAngleRot``, ``rlnAngleTilt``, ``rlnAnglePsi`` in degrees are right-handed intrinsic rotations about z, y, z
of the *coordinate system*; the matrix that turns the reference into the particle is therefore the inverse of
``Rz(rot) Ry(tilt) Rz(psi)``. It is the matrix of RELION's own ``Euler_angles2matrix``. Where ``rlnTomoSubtomogramRot``,
``Tilt``, ``Psi`` stand beside them, the particle was turned when it was cut out: the matrix is that of these angles times
that of the first three, and origins are turned by the former.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats import rotation
from tomotheca.formats.points import Options, Points, arranged, turned, voxel_spacing
from tomotheca.formats.starcolumns import Columns, Wanted, read_columns
from tomotheca.formats.text import SHOWN

Floats = npt.NDArray[np.float64]

COORDINATES = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
CENTRED = ("rlnCenteredCoordinateXAngst", "rlnCenteredCoordinateYAngst", "rlnCenteredCoordinateZAngst")
ORIGINS = ("rlnOriginX", "rlnOriginY", "rlnOriginZ")
ORIGINS_ANGSTROM = ("rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst")
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
SUBTOMOGRAM = ("rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi")
TOMOGRAM, MICROGRAPH = "rlnTomoName", "rlnMicrographName"
GROUP = "rlnOpticsGroup"
PIXEL_SIZES = ("rlnImagePixelSize", "rlnPixelSize", "rlnTomoTiltSeriesPixelSize")

WANTED = Wanted(
    numbers=frozenset((*COORDINATES, *CENTRED, *ORIGINS, *ORIGINS_ANGSTROM, *ANGLES, *SUBTOMOGRAM, *PIXEL_SIZES)),
    words=frozenset((TOMOGRAM, MICROGRAPH, GROUP)),
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the versions do differently."""

    names: tuple[str, ...]
    """Columns that name the tomogram; the first that is there counts."""

    is_centred: bool = False
    """Whether coordinates are Å from the middle."""


RELION_3 = Dialect((MICROGRAPH, TOMOGRAM))
RELION_4 = Dialect((TOMOGRAM, MICROGRAPH))
RELION_5 = Dialect((TOMOGRAM, MICROGRAPH), is_centred=True)
TOMOMAN = Dialect((TOMOGRAM, MICROGRAPH))


def read(path: Path, options: Options, dialect: Dialect = RELION_4) -> Points:
    """Read the particles of one tomogram.

    Rows are those whose tomogram or micrograph equals ``options.filter_value``, or whose file name does, with or without
    ``.tomostar``; none at all is an empty result, not an error. ``order`` zyx reverses coordinates and both axes of rotations.

    Raises
    ------
    FormatError
        If no data block has the coordinates of this version, a number is none, origins in Å come without a pixel
        size, or the tomogram's size and spacing are needed and not known.
    """
    tables = read_columns(path, WANTED)
    table = _filtered(_particles(path, tables, dialect), dialect, options.filter_value)
    subtomogram = euler_to_matrices(table.vectors(SUBTOMOGRAM)) if table.has(*SUBTOMOGRAM) else None
    if dialect.is_centred:
        locations = _centred(table, options, subtomogram)
    else:
        locations = arranged(table.vectors(COORDINATES) - _shifts(table, tables, subtomogram), options)
    return Points(locations, _rotations(table, options, subtomogram), lines=table.lines)


def euler_to_matrices(angles: Floats) -> Floats:
    """Turn RELION's angles into matrices.

    Parameters
    ----------
    angles
        Shape ``(n, 3)``: rot, tilt, psi in degrees.

    Returns
    -------
    npt.NDArray[np.float64]
        Shape ``(n, 3, 3)``: the inverse of ``Rz(rot) Ry(tilt) Rz(psi)``, acting on columns ``(x, y, z)``.
    """
    return rotation.inverse(rotation.product("zyz", angles))


def _particles(path: Path, tables: tuple[Columns, ...], dialect: Dialect) -> Columns:
    """Find the table of particles."""
    wanted, other = (CENTRED, COORDINATES) if dialect.is_centred else (COORDINATES, CENTRED)
    for table in tables:
        if table.has(*wanted):
            return table
    if any(table.has(*other) for table in tables):
        hint = "relion4_star" if dialect.is_centred else "relion5_star"
        raise FormatError(path, f"has _{other[0]} and no _{wanted[0]}: give the file format {hint}.")
    raise FormatError(path, f"has no data block with _{wanted[0]}, Y and Z: is it a particle file?")


def _filtered(table: Columns, dialect: Dialect, value: str) -> Columns:
    """Keep the rows of one tomogram."""
    column = next((name for name in dialect.names if table.has(name)), None)
    if not value or column is None:
        return table
    names = table.words[column]
    codes = [code for code, name in enumerate(names.values) if value in _spellings(name)]
    return table.take(np.isin(names.codes, codes))


def _spellings(name: str) -> set[str]:
    """Give the names that mean a tomogram: with and without its folder, and without the ending that WarpTools gives it."""
    last = name.rsplit("/", 1)[-1]
    return {name, last, last.removesuffix(".tomostar")}


def _centred(table: Columns, options: Options, subtomogram: Floats | None) -> Floats:
    """Give the locations of version 5 in voxels, order x, y, z."""
    spacing = voxel_spacing(table.path, options, "has coordinates in Å")
    if options.size is None:
        raise FormatError(
            table.path, "has coordinates from the middle of the tomogram, whose size is not known: take in a tomogram."
        )
    locations = table.vectors(CENTRED)
    if table.has(*ORIGINS_ANGSTROM):
        locations = locations - _apply(subtomogram, table.vectors(ORIGINS_ANGSTROM))
    return arranged(locations, options, scale=spacing) + np.array(options.size) / 2


def _shifts(table: Columns, tables: tuple[Columns, ...], subtomogram: Floats | None) -> Floats:
    """Give what is subtracted from coordinates, in their voxels."""
    if table.has(*ORIGINS_ANGSTROM):
        shifts = table.vectors(ORIGINS_ANGSTROM)
        return _apply(subtomogram, shifts) / _pixel_sizes(table, tables)[:, None] if shifts.any() else shifts
    if table.has(*ORIGINS):
        return _apply(subtomogram, table.vectors(ORIGINS))
    return np.zeros((len(table), 3))


def _rotations(table: Columns, options: Options, subtomogram: Floats | None) -> Floats | None:
    """Give the rotations, if the file has any."""
    if not options.rotations:
        return None
    if not table.has(*ANGLES):
        return None if subtomogram is None else turned(subtomogram, options)
    rotations = euler_to_matrices(table.vectors(ANGLES))
    return turned(rotations if subtomogram is None else subtomogram @ rotations, options)


def _apply(matrices: Floats | None, vectors: Floats) -> Floats:
    """Turn vectors, shape ``(n, 3)``, by a matrix each."""
    return vectors if matrices is None else (matrices @ vectors[:, :, None])[:, :, 0]


def _pixel_sizes(table: Columns, tables: tuple[Columns, ...]) -> Floats:
    """Find the pixel size in Å of every particle: in its row, else in its optics group, else in the only group."""
    for column in PIXEL_SIZES:
        if table.has(column):
            return _positive(table, column)
    optics = next((t for t in tables if t.has(GROUP) and any(t.has(c) for c in PIXEL_SIZES)), None)
    if optics is None:
        raise FormatError(table.path, "has origins in Å and no _rlnImagePixelSize: add the optics table.")
    sizes = _positive(optics, next(column for column in PIXEL_SIZES if optics.has(column)))
    if not table.has(GROUP):
        if len(sizes) == 1:
            return np.full(len(table), sizes[0])
        raise FormatError(table.path, "has several optics groups and no _rlnOpticsGroup for its particles.")
    given, used = optics.words[GROUP], table.words[GROUP]
    known = {given.values[code]: size for code, size in zip(given.codes.tolist(), sizes, strict=True)}
    present = np.unique(used.codes)
    if missing := [used.values[code] for code in present.tolist() if used.values[code] not in known]:
        raise FormatError(table.path, f"names the optics group {missing[0][:SHOWN]}, which its optics table lacks.")
    return np.array([known.get(value, 1.0) for value in used.values], np.float64)[used.codes]


def _positive(table: Columns, column: str) -> Floats:
    """Give a column of pixel sizes."""
    sizes = table.floats(column)
    if (sizes <= 0).any():
        raise FormatError(table.path, f"has a _{column} of {sizes.min():g}: a pixel size is greater than 0.")
    return sizes
