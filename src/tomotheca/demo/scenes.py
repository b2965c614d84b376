"""What the three simulated studies look at: one function builds one specimen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tomotheca.demo.geometry import Scheme
from tomotheca.demo.microscope import Microscope
from tomotheca.demo.phantom import (
    Doubles,
    Specimen,
    add_membrane,
    anywhere,
    crowd,
    ellipsoid,
    outward,
    prepare,
    scatter,
    sheet,
)

Triple = tuple[int, int, int]
Composer = Callable[[Specimen], None]

VOLUME_UNIT = 1e9
"""Numbers of particles are given for this volume in Å³ (100 x 100 x 100 nm)."""


def amount(specimen: Specimen, concentration: float) -> int:
    """Give the number of particles at a concentration in particles per 100 x 100 x 100 nm."""
    return max(1, round(concentration * specimen.density.size * specimen.pixel**3 / VOLUME_UNIT))


def halves(specimen: Specimen) -> Doubles:
    """Give half the edges of the box, x, y, z in Å."""
    return np.array(specimen.density.shape[::-1]) * specimen.pixel / 2


def cytosol(specimen: Specimen) -> None:
    """Compose a thin piece of yeast: a cisterna of the reticulum, vesicles, ribosomes, proteasomes, fatty acid synthase."""
    half = halves(specimen)
    side = 1 if specimen.rng.random() < 0.5 else -1
    level = side * specimen.rng.uniform(0.35, 0.5) * half[1]
    walls = [sheet(specimen, level + side * offset, 55, specimen.rng.uniform(-0.15, 0.15)) for offset in (0.0, 260.0)]
    for wall in walls:
        add_membrane(specimen, wall)
    specimen.taken |= (side * walls[0].distance > 0) & (side * walls[1].distance < 0)
    vesicles(specimen, level, side)
    depth, _, _ = specimen.coordinates()
    ice = np.broadcast_to(np.abs(depth) < half[2] - 60, specimen.density.shape)
    for name, concentration in (("proteasome", 1.7), ("ribosome", 7.5), ("fatty_acid_synthase", 3.5)):
        scatter(specimen, prepare(name, specimen.pixel), amount(specimen, concentration), anywhere(specimen, ice))
    crowd(specimen, ice, 0.13)


def vesicles(specimen: Specimen, level: float, side: int) -> None:
    """Add two to five vesicles of different size on the free side of a cisterna at y = ``level``, clear of each other."""
    half = halves(specimen)
    placed: list[tuple[Doubles, float]] = []
    wanted = int(specimen.rng.integers(2, 6))
    for _ in range(100):
        if len(placed) == wanted:
            break
        radius = half[1] * specimen.rng.uniform(0.1, 0.25)
        middle = specimen.rng.uniform(-1, 1, 3) * [0.6 * half[0], 0.75 * half[1], min(60, half[2] / 6)]
        if side * (level - middle[1]) < radius * 1.3 + 140:
            continue
        if any(np.hypot(*(middle - other)[:2]) < radius * 1.2 + far + 80 for other, far in placed):
            continue
        radii = radius * specimen.rng.uniform(0.85, 1.15, 3)
        radii[2] = min(radii[2], half[2] - 60)
        vesicle = ellipsoid(specimen, middle, radii)
        add_membrane(specimen, vesicle)
        specimen.taken |= vesicle.region(specimen, 0)
        placed.append((middle, radius * 1.2))


def virions(specimen: Specimen) -> None:
    """Compose enveloped virus particles with spikes outside and ribonucleoproteins inside, some ribosomes of lysed cells between."""
    half = halves(specimen)
    spike, inner, stray = (prepare(name, specimen.pixel) for name in ("spike", "ribonucleoprotein", "ribosome"))
    lift = 25.0 - float(spike.shape.centres[:, 2].min())
    largest = min(400.0, half[2] - 270.0, half[1] / 2)
    placed: list[tuple[Doubles, float]] = []
    for _ in range(400):
        if len(placed) == round(4 * half[0] * half[1] / 1370.0**2) + 1:
            break
        radii = largest * specimen.rng.uniform(0.84, 1.0, 3)
        reach = float(radii.max()) + 150
        middle = specimen.rng.uniform(-1, 1, 3) * np.maximum(half - [reach, reach, reach + 90], 0)
        if any(np.linalg.norm(middle - other) < reach + far for other, far in placed):
            continue
        placed.append((middle, reach))
        envelope = ellipsoid(specimen, middle, radii, roughness=0.015)
        scatter(specimen, spike, 60, outward(middle, radii, specimen.pixel, specimen.density.shape, lift))
        add_membrane(specimen, envelope)
        scatter(specimen, inner, 34, anywhere(specimen, envelope.region(specimen, -110)))
        specimen.taken |= envelope.region(specimen, 0)
    depth, _, _ = specimen.coordinates()
    ice = np.broadcast_to(np.abs(depth) < half[2] - 150, specimen.density.shape)
    scatter(specimen, stray, amount(specimen, 1.1), anywhere(specimen, ice))
    crowd(specimen, ice, 0.05)


def mixture(specimen: Specimen) -> None:
    """Compose a purified mixture: capsids, apoferritin, beta-galactosidase and a liposome."""
    half = halves(specimen)
    radii = np.minimum(np.array([250.0, 230.0, 190.0]), half - 40)
    add_membrane(specimen, ellipsoid(specimen, np.array([0.3, -0.25, 0.0]) * half, radii))
    depth, _, _ = specimen.coordinates()
    ice = np.broadcast_to(np.abs(depth) < half[2] - 40, specimen.density.shape)
    for name, concentration in (("virus_like_particle", 9.0), ("apoferritin", 30.0), ("beta_galactosidase", 26.0)):
        scatter(specimen, prepare(name, specimen.pixel), amount(specimen, concentration), anywhere(specimen, ice))
    crowd(specimen, ice, 0.04)


@dataclass(frozen=True, slots=True)
class Run:
    """One place on the grid."""

    name: str
    quality: int | None
    """Score of its (first) tilt series, 1 to 5; it decides how well the series is aligned."""

    tiles: int = 1
    """Tilt series recorded side by side; those after the first are not rated."""

    annotated: bool = True

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of its tilt series, without extension."""
        return (
            (self.name,)
            if self.tiles == 1
            else tuple(f"{self.name}_{side}" for side in ("left", "right")[: self.tiles])
        )


@dataclass(frozen=True, slots=True)
class Study:
    """One simulated dataset."""

    name: str
    """Of its folder and configuration."""

    dataset: int
    deposition: int
    scope: Microscope
    shape: Triple
    """Of a tomogram: z, y, x."""

    runs: tuple[Run, ...]
    compose: Composer
    raw: str
    """Number type of tomograms as reconstructed."""

    denoised: str | None
    """Number type of denoised tomograms; None when there are none."""

    binning: int
    """Camera pixels to a pixel of the series: picks are written in camera pixels."""

    private: bool = False


MISALIGNMENT = {5: 0.0, 4: 0.3, 3: 0.7, 2: 1.2, 1: 6.0, None: 0.5}
"""Error of the shifts in pixels by quality score."""


def studies() -> tuple[Study, ...]:
    """Give the three simulated datasets of the default demo."""
    yeast = Microscope(9.96, Scheme("dose-symmetric", 60, 3), dose=3.0, defocus=4.0, thickness=720, axis=84.7)
    virus = Microscope(12.24, Scheme("bidirectional", 60, 3), dose=2.6, defocus=5.0, thickness=1350, axis=-95.6)
    purified = Microscope(
        7.84,
        Scheme("dose-symmetric", 54, 3),
        dose=3.4,
        voltage=200_000,
        defocus=1.6,
        phase_plate=1.2,
        thickness=480,
        axis=-12.1,
    )
    return (
        Study(
            "pombe_cytosol", 10001, 10301, yeast, (60, 216, 216),
            (Run("TS_001", 5), Run("TS_002", 4), Run("TS_003", 3)), cytosol, "int8", "int8", 4,
        ),
        Study(
            "virions", 10002, 10302, virus, (80, 184, 184),
            (Run("Position_01", 5), Run("Position_02", 2, tiles=2), Run("Position_03", 1, annotated=False)), virions, "int8", "int8", 8,
        ),
        Study(
            "purified_mixture", 10003, 10303, purified, (60, 176, 176),
            (Run("mix_a1", 4),), mixture, "float32", None, 2, private=True,
        ),
    )  # fmt: skip


def many(count: int, size: Triple | None) -> tuple[Study, ...]:
    """Spread ``count`` runs over the three studies, with their kinds of runs in turn.

    Parameters
    ----------
    count
        Runs in all, at least one.
    size
        Shape of every tomogram (z, y, x); None keeps each study's own.
    """
    found = studies()
    shares = [count * (index + 1) // len(found) - count * index // len(found) for index in range(len(found))][::-1]
    grown = []
    for study, share in zip(found, shares, strict=True):
        width = max(3, len(str(share)))
        stem = study.runs[0].name.rsplit("_", 1)[0]
        runs = tuple(
            replace(study.runs[index % len(study.runs)], name=f"{stem}_{index + 1:0{width}d}") for index in range(share)
        )
        grown.append(replace(study, runs=runs, shape=size or study.shape))
    return tuple(study for study in grown if study.runs)
