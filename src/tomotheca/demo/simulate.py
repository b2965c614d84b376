"""One run from specimen to tomograms: the physics in order, everything from one seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tomotheca.demo.geometry import Alignment, Doubles, Floats, wobble
from tomotheca.demo.microscope import Series, record
from tomotheca.demo.phantom import MEMBRANE, Picks, Specimen
from tomotheca.demo.reconstruct import Grid, aligned_stack, back_project, blend, deconvolve, quantise
from tomotheca.demo.scenes import MISALIGNMENT, Run, Study, Triple

Stored = NDArray[np.generic]

BESIDE = (1.2, 1.5)
"""How much larger the specimen is than the tomogram, along y and x: neighbours come into view at high tilts."""

OVERLAP = 0.15
"""Of two tiles of a montage, as a fraction of a tile."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is really in a tomogram."""

    picks: dict[str, Picks]
    """By species; positions in voxels of the tomogram."""

    labels: NDArray[np.uint8]
    """Axes ``(z, y, x)``, see `Specimen.labels`."""

    names: dict[str, int]
    """Label of each species."""

    density: Floats
    """Axes ``(z, y, x)``."""

    def membranes(self) -> NDArray[np.int8]:
        """Give the mask of all bilayers, 0 and 1."""
        return np.asarray(self.labels == MEMBRANE, dtype=np.int8)


@dataclass(frozen=True, slots=True)
class Tile:
    """One tilt series with the alignment that the lab found for it."""

    stem: str
    series: Series
    alignment: Alignment
    raw_angles: Doubles
    """As the stage reported them, ascending, degrees to two decimals."""


@dataclass(frozen=True, slots=True)
class Recording:
    """All of a run."""

    truth: Truth
    tiles: tuple[Tile, ...]
    tomograms: dict[str, Stored]
    """By processing: ``raw``, and ``denoised`` where the study has it."""


def random_source(seed: int, *parts: object) -> np.random.Generator:
    """Derive an independent random source for a named part of the demo."""
    return np.random.default_rng([seed, crc32("/".join(map(str, parts)).encode())])


def tomogram_shape(study: Study, run: Run) -> Triple:
    """Give the shape of a run's tomogram: a montage is longer along x by the tiles less their overlap."""
    depth, height, width = study.shape
    return depth, height, width + round((run.tiles - 1) * width * (1 - OVERLAP) / 2) * 2


def image_size(study: Study) -> tuple[int, int]:
    """Give the size of the images, a little larger than the tomogram so that turned images still cover it."""
    return tuple(round(n * 1.125 / 8) * 8 for n in study.shape[1:])  # type: ignore[return-value]  # two of them


def prepare(study: Study, run: Run, seed: int) -> tuple[Specimen, Truth]:
    """Compose the specimen of a run and cut the truth about its tomogram out of it."""
    depth, height, width = tomogram_shape(study, run)
    margins = [round(n * (factor - 1) / 2) for n, factor in zip((height, width), BESIDE, strict=True)]
    shape = (depth, height + 2 * margins[0], width + 2 * margins[1])
    specimen = Specimen.empty(shape, study.scope.pixel, random_source(seed, study.name, run.name, "specimen"))
    study.compose(specimen)
    window = (slice(None), slice(margins[0], margins[0] + height), slice(margins[1], margins[1] + width))
    inside = {}
    for name, picks in specimen.picks.items():
        positions = picks.positions - [margins[1], margins[0], 0]
        keep = ((positions >= 0) & (positions <= np.array([width, height, depth]) - 1)).all(axis=1)
        inside[name] = Picks(positions[keep], picks.rotations[keep])
    return specimen, Truth(inside, specimen.labels[window], dict(specimen.names), specimen.density[window])


def estimated(true: Alignment, quality: int | None, rng: np.random.Generator) -> Alignment:
    """Make the alignment a lab would find: the true one with the errors of its quality."""
    error = rng.normal(0, 1, true.shift.shape) * MISALIGNMENT[quality]
    return replace(true, shift=np.round(true.shift + error, 3))


def take(specimen: Specimen, study: Study, run: Run, seed: int) -> tuple[Tile, ...]:
    """Record the tilt series of a run, one for each tile."""
    size = image_size(study)
    tiles = []
    for index, stem in enumerate(run.stems):
        rng = random_source(seed, study.name, stem, "series")
        offset = (index - (run.tiles - 1) / 2) * study.shape[2] * (1 - OVERLAP)
        true = wobble(rng, study.scope.scheme, axis=study.scope.axis, pixels=1.5, offset=offset)
        series = record(specimen.density, true, study.scope, size, rng)
        found = estimated(true, run.quality if index == 0 else None, rng)
        angles = np.round(study.scope.scheme.angles() + rng.normal(0, 0.01, true.tilt.size), 2)
        tiles.append(Tile(stem, series, found, angles))
    return tuple(tiles)


def simulate(study: Study, run: Run, seed: int) -> Recording:
    """Simulate one run.

    Parameters
    ----------
    study
        Its dataset.
    run
        Which run.
    seed
        Same seed, same bytes.
    """
    specimen, truth = prepare(study, run, seed)
    tiles = take(specimen, study, run, seed)
    shape = tomogram_shape(study, run)
    stacks = [aligned_stack(tile.series, tile.alignment, shape[1:]) for tile in tiles]
    volume = back_project(blend(stacks), tiles[0].alignment.tilt, Grid(shape))
    tomograms = {"raw": quantise(volume, study.raw)}
    if study.denoised:
        tomograms["denoised"] = quantise(deconvolve(volume, study.scope, study.scope.pixel), study.denoised)
    return Recording(truth, tiles, tomograms)


def realign(tile: Tile, shape: Triple, *, turn: float, rng: np.random.Generator) -> tuple[Alignment, Stored]:
    """Align and reconstruct a series once more, as somebody else would: other shifts, a turned volume, voxels twice as large.

    Parameters
    ----------
    tile
        A tilt series.
    shape
        Of the first tomogram, z, y, x; even along y and x.
    turn
        Degrees about y by which the new volume is turned: it is added to every tilt.
    rng
        Source of the small differences.

    Returns
    -------
    tuple
        The alignment, and the tomogram as int8 with axes ``(z, y, x)``.
    """
    first = tile.alignment
    shift = np.round(first.shift + rng.normal(0, 0.35, first.shift.shape), 3)
    alignment = Alignment(first.matrix, shift, np.round(first.tilt + turn, 2))
    stack = blend([aligned_stack(tile.series, alignment, shape[1:])])
    depth = (shape[0] // 2 + 15) // 8 * 8
    volume = back_project(stack, alignment.tilt, Grid((depth, shape[1] // 2, shape[2] // 2), 2))
    return alignment, quantise(deconvolve(volume, tile.series.scope, 2 * tile.series.scope.pixel, strength=0.8), "int8")
