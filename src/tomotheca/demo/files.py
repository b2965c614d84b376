"""Files as a lab has them: tilt series, mdoc, IMOD text files, RELION star files, csv."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from tomotheca.demo.microscope import Microscope, contrast_transfer
from tomotheca.formats import mrc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.demo.geometry import Alignment, Doubles
    from tomotheca.demo.phantom import Picks
    from tomotheca.demo.simulate import Tile

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

STAR_COLUMNS = (
    "TomoName", "CoordinateX", "CoordinateY", "CoordinateZ", "OriginXAngst", "OriginYAngst", "OriginZAngst",
    "AngleRot", "AngleTilt", "AnglePsi", "OpticsGroup",
)  # fmt: skip


def write_text(path: Path, lines: list[str]) -> None:
    """Write lines with Unix ends, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def write_volume(path: Path, volume: NDArray[np.generic], pixel: float, *, stack: bool = False) -> None:
    """Write an MRC file, making the folder.

    Parameters
    ----------
    path
        Where.
    volume
        Axes ``(z, y, x)``.
    pixel
        Voxel edge in Å.
    stack
        Images instead of a volume.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mrc.write(path, volume, voxel_size=pixel, stack=stack)


def write_alignment(folder: Path, stem: str, alignment: Alignment) -> None:
    """Write IMOD's transforms (``.xf``) and refined tilts (``.tlt``)."""
    rows = [
        " ".join([*(f"{value:11.7f}" for value in row[:4]), *(f"{value:11.3f}" for value in row[4:])])
        for row in alignment.rows()
    ]
    write_text(folder / f"{stem}.xf", rows)
    write_text(folder / f"{stem}.tlt", [f"{tilt:7.2f}" for tilt in alignment.tilt])


def stamp(moment: datetime) -> str:
    """Give a time as SerialEM writes it, in any locale."""
    return f"{moment.day:02d}-{MONTHS[moment.month - 1]}-{moment:%y  %H:%M:%S}"


def mdoc_section(tile: Tile, order: int, section: int, begin: datetime) -> list[str]:
    """Give one section of an mdoc: exposure ``order``, image ``section`` of the stack."""
    scope = tile.series.scope
    angle = tile.raw_angles[section]
    counts = tile.series.images[section]
    return [
        f"[ZValue = {order}]",
        f"TiltAngle = {angle:.2f}",
        "StagePosition = 112.431 -87.502",
        "StageZ = 41.8",
        "Magnification = 42000",
        "Intensity = 0.118",
        f"ExposureDose = {scope.dose:g}",
        f"DoseRate = {scope.dose / 0.5 * scope.pixel**2:.2f}",
        f"PixelSpacing = {scope.pixel:g}",
        "SpotSize = 7",
        f"Defocus = {-tile.series.defocus[section]:.3f}",
        f"TargetDefocus = {-scope.defocus:g}",
        f"RotationAngle = {scope.axis:g}",
        "ExposureTime = 0.5",
        "Binning = 1",
        "CameraIndex = 0",
        "DividedBy2 = 0",
        f"MinMaxMean = {counts.min()} {counts.max()} {counts.mean():.3f}",
        f"SubFramePath = D:\\simulated\\{tile.stem}\\frames\\{tile.stem}_{order:03d}_{angle:.1f}.tif",
        "NumSubFrames = 6",
        f"DateTime = {stamp(begin + timedelta(seconds=24 * order))}",
        "",
    ]


def write_mdoc(path: Path, tile: Tile, begin: datetime) -> None:
    """Write the acquisition file of a tilt series, sections in the order of exposure."""
    scope = tile.series.scope
    _, height, width = tile.series.images.shape
    lines = [
        f"PixelSpacing = {scope.pixel:g}",
        f"Voltage = {scope.voltage // 1000}",
        f"ImageFile = {tile.stem}.st",
        f"ImageSize = {width} {height}",
        "DataMode = 1",
        "",
        "[T = SerialEM: Simulated by tomotheca demo, no microscope was used]",
        "",
        f"[T =     Tilt axis angle = {scope.axis:g}, binning = 1  spot = 7  camera = 0]",
        "",
    ]
    for order, section in enumerate(scope.scheme.acquisition()):
        lines += mdoc_section(tile, order, int(section), begin)
    write_text(path, lines)


def write_ctf(path: Path, tile: Tile) -> None:
    """Write the defocus of every section in the seven columns of CTFFIND 4: number, Å, Å, degrees, rad, fit, Å."""
    scope: Microscope = tile.series.scope
    fit = float(np.abs(contrast_transfer(np.array([0.02]), scope.defocus * 1e4, scope))[0])
    lines = ["# Columns: #1 - micrograph number; #2 - defocus 1 [Angstroms]; #3 - defocus 2; #4 - azimuth of astigmatism;"
             " #5 - additional phase shift [radians]; #6 - cross correlation; #7 - spacing (in Angstroms) up to which CTF"
             " rings were fit successfully"]  # fmt: skip
    for section, defocus in enumerate(tile.series.defocus, 1):
        lines.append(
            f"{section}.000000 {defocus * 1e4 + 60:.3f} {defocus * 1e4 - 60:.3f} 31.5 {scope.phase_plate:.4f} {fit:.4f} {2.2 * scope.pixel:.2f}"
        )
    write_text(path, lines)


def write_series(folder: Path, tile: Tile, begin: datetime) -> None:
    """Write everything about one tilt series: ``.st``, ``.mdoc``, ``.rawtlt``, ``.xf``, ``.tlt``, ``_ctf.txt``."""
    write_volume(folder / f"{tile.stem}.st", tile.series.images, tile.series.scope.pixel, stack=True)
    write_mdoc(folder / f"{tile.stem}.mdoc", tile, begin)
    write_text(folder / f"{tile.stem}.rawtlt", [f"{angle:.2f}" for angle in tile.raw_angles])
    write_alignment(folder, tile.stem, tile.alignment)
    write_ctf(folder / f"{tile.stem}_ctf.txt", tile)


def euler(rotations: Doubles) -> Doubles:
    """Give RELION's rot, tilt and psi in degrees.

    RELION's matrix ``Rz(psi) Ry(tilt) Rz(rot)`` of coordinate systems is the inverse of the intrinsic rotation ZYZ.

    Parameters
    ----------
    rotations
        Shape ``(n, 3, 3)``: ``v_specimen = R v_model``.

    Returns
    -------
    ndarray
        Shape ``(n, 3)``.
    """
    return np.asarray(Rotation.from_matrix(rotations).inv().as_euler("ZYZ", degrees=True))


def star_rows(name: str, picks: Picks, binning: int, pixel: float) -> list[str]:
    """Give the rows of one tomogram in a RELION 4 particle table.

    Parameters
    ----------
    name
        Of the tomogram.
    picks
        Positions in voxels.
    binning
        Camera pixels to a voxel: coordinates are whole camera pixels, the rest is in the origins.
    pixel
        Camera pixel in Å.
    """
    exact = picks.positions * binning
    whole = np.round(exact)
    rows = []
    for coordinate, origin, angles in zip(whole, (whole - exact) * pixel, euler(picks.rotations), strict=True):
        numbers = [
            *(f"{v:12.6f}" for v in coordinate),
            *(f"{v:12.6f}" for v in origin),
            *(f"{v:12.6f}" for v in angles),
        ]
        rows.append(f"{name} {' '.join(numbers)} 1")
    return rows


def write_star(path: Path, rows: list[str], pixel: float, scope: Microscope) -> None:
    """Write a RELION 4 particle table with its optics; ``pixel`` is the camera's in Å."""
    optics = ("OpticsGroup", "OpticsGroupName", "Voltage", "SphericalAberration", "AmplitudeContrast", "ImagePixelSize")
    values = f"1 opticsGroup1 {scope.voltage / 1000:.6f} {scope.spherical_aberration:.6f} {scope.amplitude_contrast:.6f} {pixel:.6f}"
    lines = ["# version 30001", "", "data_optics", "", "loop_"]
    lines += [f"_rln{column} #{number}" for number, column in enumerate(optics, 1)]
    lines += [values, "", "", "# version 30001", "", "data_particles", "", "loop_"]
    lines += [f"_rln{column} #{number}" for number, column in enumerate(STAR_COLUMNS, 1)]
    write_text(path, [*lines, *rows, ""])


def write_points(path: Path, positions: Doubles) -> None:
    """Write points as csv without header: x, y, z in voxels, three decimals."""
    write_text(path, [",".join(f"{value:.3f}" for value in row) for row in positions])
