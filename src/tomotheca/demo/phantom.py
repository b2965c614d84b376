"""Specimens: particles, bilayers and crowding in a slab of ice, with the truth about all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from tomotheca.demo.geometry import centre
from tomotheca.demo.particles import OVERSAMPLING, SPECIES, Model, template, turned

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

MEMBRANE = 1
"""Label of bilayers; species follow from 2 in the order they are placed."""

PATIENCE = 400
"""Tries without success after which a specimen counts as full."""

LEAFLETS = 19.0
"""Half the distance of the head groups of a bilayer in Å."""


@dataclass(frozen=True, slots=True)
class Picks:
    """Where the particles of one species are."""

    positions: Doubles
    """Shape ``(n, 3)``, x, y, z in voxels; the centre of voxel 0 is 0."""

    rotations: Doubles
    """Shape ``(n, 3, 3)``: ``v_specimen = R v_model`` for vectors in x, y, z order."""


@dataclass(frozen=True, slots=True)
class Particle:
    """A species, rendered once for a voxel size."""

    name: str
    shape: Model
    cube: Floats


@dataclass(slots=True)
class Specimen:
    """A specimen while it is made: densities and the truth so far."""

    density: Floats
    """1 is compact protein, 0 is ice; axes ``(z, y, x)``, periodic in x and y."""

    pixel: float
    """Edge of a voxel in Å."""

    rng: np.random.Generator
    labels: NDArray[np.uint8]
    """0 is ice, `MEMBRANE` a bilayer, the others as in ``names``."""

    taken: Mask
    """Voxels where nothing more may be put."""

    picks: dict[str, Picks] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    """Label of each species."""

    @classmethod
    def empty(cls, shape: tuple[int, int, int], pixel: float, rng: np.random.Generator) -> Specimen:
        """Begin with ice; ``shape`` is z, y, x."""
        return cls(np.zeros(shape, np.float32), pixel, rng, np.zeros(shape, np.uint8), np.zeros(shape, np.bool_))

    def coordinates(self) -> tuple[Doubles, Doubles, Doubles]:
        """Give z, y and x of every voxel from the centre in Å, open for broadcasting."""
        z, y, x = np.ogrid[tuple(slice(0, n) for n in self.density.shape)]
        depth, height, width = self.density.shape
        return (z - centre(depth)) * self.pixel, (y - centre(height)) * self.pixel, (x - centre(width)) * self.pixel


@dataclass(frozen=True, slots=True)
class Surface:
    """A closed or endless surface inside a part of the specimen."""

    box: tuple[slice, slice, slice]
    """Where it is: z, y, x."""

    distance: Floats
    """Signed distance from the surface in Å in that box, axes ``(z, y, x)``."""

    def region(self, specimen: Specimen, beyond: float) -> Mask:
        """Give the voxels of the whole specimen whose signed distance is below ``beyond`` Å (negative: inside)."""
        mask = np.zeros(specimen.density.shape, np.bool_)
        mask[self.box] = self.distance < beyond
        return mask


def prepare(name: str, pixel: float) -> Particle:
    """Render a species at a voxel size in Å."""
    shape = SPECIES[name]()
    return Particle(name, shape, template(shape, pixel))


def add_membrane(specimen: Specimen, surface: Surface, *, density: float = 0.85) -> None:
    """Add a bilayer where a surface is.

    Parameters
    ----------
    specimen
        Changed in place.
    surface
        The middle of the bilayer.
    density
        Of the head groups; the tails are a little lighter than ice.
    """
    distance = np.clip(surface.distance, -100, 100)
    leaflets = np.exp((np.abs(distance) - LEAFLETS) ** 2 / np.float32(-2 * 8.5**2))
    tails = np.exp(distance**2 / np.float32(-2 * 10.0**2))
    specimen.density[surface.box] += np.float32(density) * leaflets - np.float32(0.15) * tails
    specimen.labels[surface.box][np.abs(distance) < LEAFLETS + 9] = MEMBRANE
    specimen.taken[surface.box] |= np.abs(distance) < LEAFLETS + 22


def ellipsoid(specimen: Specimen, middle: Doubles, radii: Doubles, *, roughness: float = 0.04) -> Surface:
    """Make a lumpy ellipsoid.

    Parameters
    ----------
    specimen
        Gives the voxels.
    middle, radii
        x, y, z in Å from the centre of the specimen.
    roughness
        Amplitude of the lumps relative to the radius.
    """
    reach = (1 + 1.5 * roughness) * radii + 3 * LEAFLETS
    ends = [(m + r * side) / specimen.pixel for m, r in zip(middle, reach, strict=True) for side in (-1, 1)]
    box = tuple(
        slice(max(0, round(ends[2 * i] + centre(n))), max(0, min(n, round(ends[2 * i + 1] + centre(n)) + 1)))
        for i, n in zip((2, 1, 0), specimen.density.shape, strict=True)
    )
    z, y, x = (axis[tuple(part if axis.shape[i] > 1 else slice(None) for i, part in enumerate(box))].astype(np.float32)
               for axis in specimen.coordinates())  # fmt: skip
    dx, dy, dz = (axis - np.float32(m) for axis, m in zip((x, y, z), middle, strict=True))
    scaled = np.sqrt((dx / radii[0]) ** 2 + (dy / radii[1]) ** 2 + (dz / radii[2]) ** 2, dtype=np.float32) + np.float32(
        1e-6
    )
    length = np.sqrt(dx**2 + dy**2 + dz**2) + np.float32(1e-6)
    lumps = np.zeros_like(scaled)
    for order in (2, 3, 4):
        direction = specimen.rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        along = np.clip((dx * direction[0] + dy * direction[1] + dz * direction[2]) / length, -1, 1)
        lumps += np.cos(order * np.arccos(along, dtype=np.float32)) / np.float32(order)
    distance = (scaled - 1 - np.float32(roughness) * lumps) * length / scaled
    return Surface((box[0], box[1], box[2]), np.asarray(distance, dtype=np.float32))


def sheet(specimen: Specimen, level: float, wave: float, lean: float) -> Surface:
    """Make a wavy sheet that crosses the field along x.

    Parameters
    ----------
    specimen
        Gives the voxels; the wave has a whole number of periods, so that the sheet goes on beyond the box.
    level, wave
        Mean y and amplitude in Å.
    lean
        Change of y with z.
    """
    z, y, x = specimen.coordinates()
    period = specimen.density.shape[2] * specimen.pixel
    phase = specimen.rng.uniform(0, 2 * np.pi, 2)
    height = wave * (np.sin(2 * np.pi * x / period + phase[0]) + 0.4 * np.sin(4 * np.pi * x / period + phase[1]))
    slope = wave * 2 * np.pi / period * np.cos(2 * np.pi * x / period + phase[0])
    distance = (y - level - height - lean * z) / np.sqrt(1 + slope**2 + lean**2)
    return Surface((slice(None), slice(None), slice(None)), np.asarray(distance, dtype=np.float32))


def crowd(specimen: Specimen, where: Mask, amount: float) -> None:
    """Fill a region with small unnamed proteins: smooth random density that keeps clear of membranes."""
    noise = specimen.rng.standard_normal(specimen.density.shape, dtype=np.float32)
    fine = ndimage.gaussian_filter(noise, 16 / specimen.pixel, mode="wrap")
    fine = np.maximum(fine / fine.std() - 0.4, 0)
    specimen.density += np.float32(amount) * fine * (where & (specimen.density < 0.3))


def put(specimen: Specimen, particle: Particle, position: Doubles, rotation: Rotation) -> bool:
    """Put one particle where there is room for it.

    Parameters
    ----------
    specimen
        Changed in place.
    particle
        What to put.
    position
        x, y, z in voxels.
    rotation
        ``v_specimen = R v_model``.

    Returns
    -------
    bool
        False, and nothing changed, when it would leave the box or touch something.
    """
    nearest = np.round(position).astype(int)
    half = (particle.cube.shape[0] // 2 + OVERSAMPLING) // OVERSAMPLING + 1
    low = nearest[::-1] - half
    if (low < 0).any() or (low + 2 * half + 1 > specimen.density.shape).any():
        return False
    lumps = np.round(position + rotation.apply(particle.shape.probes) / specimen.pixel).astype(int)
    if (specimen.taken[lumps[:, 2], lumps[:, 1], lumps[:, 0]]).any():
        return False
    box = tuple(slice(start, start + 2 * half + 1) for start in low)
    cube = turned(particle.cube, rotation, position - nearest)
    body = cube > 0.35
    if specimen.taken[box][body].any():
        return False
    specimen.density[box] = np.maximum(specimen.density[box], cube)
    specimen.labels[box][body] = specimen.names[particle.name]
    specimen.taken[box] |= ndimage.binary_dilation(body)
    return True


Place = Callable[[np.random.Generator], tuple[Doubles, Rotation] | None]
"""Draws a position (x, y, z in voxels) and a rotation to try; None when there is no room at all."""


def scatter(specimen: Specimen, particle: Particle, count: int, place: Place) -> None:
    """Put up to ``count`` particles of a species where ``place`` says, and write down where they are."""
    specimen.names.setdefault(particle.name, len(specimen.names) + MEMBRANE + 1)
    positions: list[Doubles] = []
    rotations: list[Doubles] = []
    missed = 0
    while len(positions) < count and missed < PATIENCE:
        if (drawn := place(specimen.rng)) is None:
            break
        position, rotation = drawn
        missed += 1
        if put(specimen, particle, position, rotation):
            missed = 0
            positions.append(position)
            rotations.append(rotation.as_matrix())
    known = specimen.picks.get(particle.name, Picks(np.empty((0, 3)), np.empty((0, 3, 3))))
    found = np.array(positions).reshape(-1, 3), np.array(rotations).reshape(-1, 3, 3)
    specimen.picks[particle.name] = Picks(
        np.concatenate([known.positions, found[0]]), np.concatenate([known.rotations, found[1]])
    )


def anywhere(specimen: Specimen, where: Mask) -> Place:
    """Draw positions evenly from a region, orientations evenly from all."""
    voxels = np.flatnonzero(where & ~specimen.taken)

    def place(rng: np.random.Generator) -> tuple[Doubles, Rotation] | None:
        if not voxels.size:
            return None
        z, y, x = np.unravel_index(rng.choice(voxels), where.shape)
        return np.array([x, y, z]) + rng.uniform(-0.5, 0.5, 3), Rotation.random(random_state=rng)

    return place


def outward(middle: Doubles, radii: Doubles, pixel: float, shape: tuple[int, int, int], lift: float) -> Place:
    """Draw positions above an ellipsoid, orientations with +z along its normal.

    Parameters
    ----------
    middle, radii
        Of the ellipsoid: x, y, z in Å from the centre of the box.
    pixel
        Å.
    shape
        Of the box, z, y, x.
    lift
        Height above the surface in Å.
    """
    origin = np.array([centre(n) for n in shape[::-1]])

    def place(rng: np.random.Generator) -> tuple[Doubles, Rotation]:
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        surface = direction * radii
        normal = direction / radii
        normal /= np.linalg.norm(normal)
        azimuth, polar = np.arctan2(normal[1], normal[0]), np.arccos(normal[2])
        rotation = Rotation.from_euler("ZYZ", [azimuth, polar, rng.uniform(0, 2 * np.pi)])
        return origin + (middle + surface + lift * normal) / pixel, rotation

    return place
