"""Shapes of the particles: pseudo-atomic models of a few complexes, as lumps of protein with sizes from the literature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

Floats = NDArray[np.float32]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Model:
    """A particle as Gaussian lumps of protein."""

    centres: Points
    """Centres of the lumps, shape ``(n, 3)``, order x, y, z, in Å; their weighted mean is the origin."""

    sigma: Points
    """Standard deviation of each lump in Å, shape ``(n,)``."""

    weight: Points
    """Peak density of each lump, 1 is compact protein, shape ``(n,)``."""

    @property
    def radius(self) -> float:
        """Radius in Å of the sphere about the origin that holds the particle."""
        return float((np.linalg.norm(self.centres, axis=1) + 2.1 * self.sigma).max())

    @property
    def probes(self) -> Points:
        """Points near the rim of the lumps, for a first look whether there is room; shape ``(n, 3)``, x, y, z in Å."""
        length = np.maximum(np.linalg.norm(self.centres, axis=1), 1)
        return np.asarray(self.centres * (1 + 0.9 * self.sigma / length)[:, None], dtype=np.float64)


def model(parts: list[tuple[Points, float, float]]) -> Model:
    """Join parts ``(centres, sigma, weight)`` and move their centre of mass to the origin."""
    centres = np.concatenate([part[0] for part in parts])
    sigma = np.concatenate([np.full(len(part[0]), part[1]) for part in parts])
    weight = np.concatenate([np.full(len(part[0]), part[2]) for part in parts])
    mass = weight * sigma**3
    return Model(centres - (mass[:, None] * centres).sum(0) / mass.sum(), sigma, weight)


def ring(count: int, radius: float, height: float, turn: float = 0.0) -> Points:
    """Place ``count`` points on a circle about z; shape ``(count, 3)``, Å."""
    angle = 2 * np.pi * (np.arange(count) + turn) / count
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full(count, height)], axis=1, dtype=np.float64)


def ball(count: int, radii: tuple[float, float, float], centre: tuple[float, float, float], seed: int) -> Points:
    """Fill an ellipsoid with ``count`` points that keep away from each other (best of many candidates)."""
    rng = np.random.default_rng(seed)
    candidates = rng.normal(size=(4000, 3))
    candidates *= rng.random((4000, 1)) ** (1 / 3) / np.linalg.norm(candidates, axis=1, keepdims=True)
    chosen = [candidates[0]]
    distance = np.full(len(candidates), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, np.linalg.norm(candidates - chosen[-1], axis=1))
        chosen.append(candidates[int(np.argmax(distance * rng.uniform(0.6, 1, len(candidates))))])
    return np.asarray(np.array(chosen) * radii + np.array(centre), dtype=np.float64)


def shell(count: int, radius: float) -> Points:
    """Spread ``count`` points evenly over a sphere (a Fibonacci lattice); shape ``(count, 3)``, Å."""
    index = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * index / count), np.pi * (1 + 5**0.5) * index
    unit = np.stack([np.cos(azimuth) * np.sin(polar), np.sin(azimuth) * np.sin(polar), np.cos(polar)], axis=1)
    return np.asarray(radius * unit)


def ribosome() -> Model:
    """Make an 80S ribosome, about 290 Å: a round large subunit, a long small one, the cleft between them."""
    return model([
        (ball(60, (105, 95, 72), (0, 0, -52), 11), 20.0, 1.0),
        (ball(30, (100, 42, 40), (5, 18, 74), 12), 18.0, 1.0),
        (ball(5, (30, 14, 14), (85, -40, 55), 13), 15.0, 0.9),
    ])  # fmt: skip


def proteasome() -> Model:
    """Make a doubly capped 26S proteasome, about 430 Å: a barrel of four rings of seven, a cap at each end."""
    rings = [ring(7, 42, z, t) for z, t in ((-58, 0.0), (-20, 0.5), (20, 0.5), (58, 0.0))]
    cap = ball(16, (72, 48, 52), (18, 0, 148), 21)
    gates = np.array([[0.0, 0.0, z] for z in (-40, -14, 14, 40)])
    return model(
        [(np.concatenate(rings), 15.0, 1.1), (gates, 15.0, 0.7), (cap, 19.0, 0.9), (cap * (-1, 1, -1), 19.0, 0.9)]
    )


def fatty_acid_synthase() -> Model:
    """Make a fungal fatty acid synthase, about 260 Å: two domes on a central wheel."""
    domes = [ring(6, 98, z, t) for z, t in ((-38, 0.0), (38, 0.5))] + [
        ring(6, 72, z, t) for z, t in ((-82, 0.25), (82, 0.75))
    ]
    wheel = [ring(6, 100, 0, 0.25), ring(6, 60, 0, 0.75), ring(3, 25, 0)]
    tips = [ring(3, 28, z) for z in (-112, 112)]
    return model([(np.concatenate(domes + tips), 17.0, 0.95), (np.concatenate(wheel), 16.0, 0.8)])


def spike() -> Model:
    """Make a viral spike, about 220 Å with its stalk: a trimer on a leg; +z points away from the membrane."""
    head = [ring(3, 28, 62), ring(3, 34, 88, 0.3), ring(3, 26, 110, 0.5), ring(3, 14, 40)]
    leg = np.array([[0.0, 0.0, z] for z in (0, 12, 24, -12, -24)])
    return model([(np.concatenate(head), 15.0, 1.1), (leg, 11.0, 0.8)])


def ribonucleoprotein() -> Model:
    """Make a viral ribonucleoprotein, about 150 Å: five lumps wound to an open cylinder."""
    turns = np.array([[48 * np.cos(a), 48 * np.sin(a), 9 * (a - 2.4)] for a in np.linspace(0, 5.0, 6)])
    return model([(turns, 23.0, 1.0)])


def apoferritin() -> Model:
    """Make apoferritin, 125 Å: a hollow shell of 24 subunits."""
    return model([(shell(24, 50), 13.0, 1.15)])


def beta_galactosidase() -> Model:
    """Make a beta-galactosidase, 180 x 140 x 90 Å: four subunits as a D2 tetramer."""
    quarter = np.array([[44, 30, 6], [68, 14, 14], [24, 52, -8], [58, 44, -12], [26, 16, 18]])
    copies = [quarter * sign for sign in ((1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1))]
    return model([(np.concatenate(copies).astype(np.float64), 15.0, 1.0)])


def virus_like_particle() -> Model:
    """Make a PP7-like capsid, 280 Å: a thin shell of 90 dimers round loosely packed RNA."""
    return model([(shell(90, 128), 14.0, 1.1), (shell(60, 84), 14.0, 0.3)])


SPECIES: dict[str, Callable[[], Model]] = {
    "ribosome": ribosome,
    "proteasome": proteasome,
    "fatty_acid_synthase": fatty_acid_synthase,
    "spike": spike,
    "ribonucleoprotein": ribonucleoprotein,
    "apoferritin": apoferritin,
    "beta_galactosidase": beta_galactosidase,
    "virus_like_particle": virus_like_particle,
}
"""Every particle the demo knows, by name."""

OVERSAMPLING = 2


def template(shape: Model, pixel: float) -> Floats:
    """Render a model on a cube, two samples a voxel.

    Parameters
    ----------
    shape
        The particle.
    pixel
        Voxel edge of the specimen in Å.

    Returns
    -------
    ndarray
        Density with edge ``n`` (odd), axes ``(z, y, x)``, particle origin at voxel ``(n - 1) / 2``, spacing ``pixel / 2``.
    """
    step = pixel / OVERSAMPLING
    half = int(np.ceil(shape.radius / step)) + 1
    axis = np.arange(-half, half + 1) * step
    total = np.zeros((axis.size,) * 3, dtype=np.float32)
    for centre, sigma, weight in zip(shape.centres, shape.sigma, shape.weight, strict=True):
        x, y, z = (np.exp(-((axis - c) ** 2) / (2 * sigma**2)).astype(np.float32) for c in centre)
        total += np.float32(weight) * z[:, None, None] * y[None, :, None] * x[None, None, :]
    return np.asarray(np.tanh(total), dtype=np.float32)


def turned(cube: Floats, rotation: Rotation, shift: Points) -> Floats:
    """Resample a template onto specimen voxels, rotated about its origin and moved by a fraction of a voxel.

    Parameters
    ----------
    cube
        What `template` gives.
    rotation
        Turns the model into the specimen: ``v_specimen = R v_model``, vectors in x, y, z order.
    shift
        Offset of the particle from the central voxel, x, y, z in voxels, within ±0.5.

    Returns
    -------
    ndarray
        Cube of odd edge, axes ``(z, y, x)``, centred on the particle's nearest voxel.
    """
    half = (cube.shape[0] // 2 + OVERSAMPLING) // OVERSAMPLING + 1
    backwards = rotation.as_matrix().T[::-1, ::-1] * OVERSAMPLING
    start = np.full(3, cube.shape[0] // 2) - backwards @ (half + shift[::-1])
    edge = 2 * half + 1
    turned_cube = ndimage.affine_transform(cube, backwards, offset=start, output_shape=(edge,) * 3, order=1)
    return np.asarray(turned_cube, dtype=np.float32)
