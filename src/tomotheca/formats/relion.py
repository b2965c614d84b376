"""Oriented points from RELION particle files, versions 3, 3.1 and 4.

Source of the format: https://relion.readthedocs.io/en/latest/Reference/Conventions.html. The angles ``rlnAngleRot``,
``rlnAngleTilt`` and ``rlnAnglePsi`` are intrinsic rotations about z, y and z of the *coordinate system*; the matrix
that acts on vectors is therefore the inverse (transpose) of ``Rz(rot) Ry(tilt) Rz(psi)``. It is the matrix of
RELION's own ``Euler_angles2matrix`` and the one that the public CryoET Data Portal stores as
``xyz_rotation_matrix``. Origins are subtracted from coordinates: pixels as they are, Å after division by the
pixel size.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats import star
from tomotheca.formats.points import Options, Points, arranged

COORDINATES = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
ORIGINS = ("rlnOriginX", "rlnOriginY", "rlnOriginZ")
ORIGINS_ANGSTROM = ("rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst")
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
NAMES = ("rlnTomoName", "rlnMicrographName")
PIXEL_SIZES = ("rlnImagePixelSize", "rlnPixelSize", "rlnTomoTiltSeriesPixelSize")


def read(path: Path, options: Options) -> Points:
    """Read the particles of one tomogram.

    Rows are those whose ``rlnTomoName`` or ``rlnMicrographName`` equals ``options.filter_value``, or whose file name
    does; none at all is an empty result, not an error. ``order`` zyx reverses coordinates and both axes of rotations.

    Raises
    ------
    FormatError
        If no data block has coordinates, a number is none, or origins in Å come without a pixel size.
    """
    tables = star.read(path)
    table = next((table for table in tables if all(column in table for column in COORDINATES)), None)
    if table is None:
        raise FormatError(path, "has no data block with _rlnCoordinateX, Y and Z: is it a particle file?")
    table = _filtered(table, options.filter_value)
    locations = _vectors(table, COORDINATES)
    if all(column in table for column in ORIGINS_ANGSTROM):
        locations = locations - _vectors(table, ORIGINS_ANGSTROM) / _pixel_sizes(table, tables)[:, None]
    elif all(column in table for column in ORIGINS):
        locations = locations - _vectors(table, ORIGINS)
    rotations = None
    if all(column in table for column in ANGLES):
        rotations = euler_to_matrices(_vectors(table, ANGLES))
        if options.order == "zyx":
            rotations = np.ascontiguousarray(rotations[:, ::-1, ::-1])
    return Points(arranged(locations, options), rotations)


def euler_to_matrices(angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
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
    (ca, cb, cg), (sa, sb, sg) = np.cos(np.radians(angles.T)), np.sin(np.radians(angles.T))
    rows = [
        [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
        [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
        [sb * ca, sb * sa, cb],
    ]
    return np.ascontiguousarray(np.moveaxis(np.array(rows, np.float64), -1, 0))


def _filtered(table: star.Table, value: str) -> star.Table:
    """Keep the rows of one tomogram."""
    column = next((name for name in NAMES if name in table), None)
    if not value or column is None:
        return table
    names = table.texts(column)
    chosen = [index for index, name in enumerate(names) if value in {name, name.rsplit("/", 1)[-1]}]
    return replace(table, rows=[table.rows[index] for index in chosen], lines=[table.lines[index] for index in chosen])


def _vectors(table: star.Table, columns: tuple[str, str, str]) -> npt.NDArray[np.float64]:
    """Give three columns as ``(n, 3)``."""
    return np.stack([table.floats(column) for column in columns], axis=1)


def _pixel_sizes(table: star.Table, tables: list[star.Table]) -> npt.NDArray[np.float64]:
    """Find the pixel size in Å of every particle: in its row, else in its optics group, else in the only group."""
    for column in PIXEL_SIZES:
        if column in table:
            return table.floats(column)
    optics = next((t for t in tables if "rlnOpticsGroup" in t and any(c in t for c in PIXEL_SIZES)), None)
    if optics is None:
        raise FormatError(table.path, "has origins in Å and no _rlnImagePixelSize: add the optics table.")
    sizes = optics.floats(next(column for column in PIXEL_SIZES if column in optics))
    if "rlnOpticsGroup" not in table:
        if len(sizes) == 1:
            return np.full(len(table), sizes[0])
        raise FormatError(table.path, "has several optics groups and no _rlnOpticsGroup for its particles.")
    groups = dict(zip(optics.texts("rlnOpticsGroup"), sizes, strict=True))
    missing = {group for group in table.texts("rlnOpticsGroup") if group not in groups}
    if missing:
        raise FormatError(table.path, f"names the optics group {min(missing)}, which its optics table lacks.")
    return np.array([groups[group] for group in table.texts("rlnOpticsGroup")], np.float64)
