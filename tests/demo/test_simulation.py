"""The simulation is right about where things are: picks, masks, projections and alignments agree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from tomotheca.demo.geometry import Alignment, Scheme, centre, to_aligned, to_raw, wobble
from tomotheca.demo.microscope import Microscope, contrast_transfer, project, slices, spectrum
from tomotheca.demo.particles import OVERSAMPLING, SPECIES, template, turned
from tomotheca.demo.phantom import MEMBRANE, Specimen, anywhere, prepare, scatter
from tomotheca.demo.reconstruct import Grid, back_project
from tomotheca.demo.scenes import Run, Study, studies
from tomotheca.demo.simulate import Recording, simulate

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE = (48, 96, 112)
PLAIN = Microscope(10.0, Scheme("dose-symmetric", 60, 3), dose=3.0)


def small(name: str) -> Study:
    study = next(study for study in studies() if study.name == name)
    scope = replace(study.scope, scheme=Scheme(study.scope.scheme.name, 60, 4))
    return replace(study, shape=SHAPE, scope=scope, runs=(Run("R_1", 5),))


@pytest.fixture(scope="module")
def recording() -> Recording:
    study = small("purified_mixture")
    return simulate(study, study.runs[0], 3)


def around(volume: NDArray[np.float32], positions: NDArray[np.float64], radius: float) -> float:
    """Mean over balls of ``radius`` voxels round points in x, y, z order."""
    z, y, x = np.indices(volume.shape)
    near = np.zeros(volume.shape, bool)
    for px, py, pz in positions:
        near |= (x - px) ** 2 + (y - py) ** 2 + (z - pz) ** 2 <= radius**2
    return float(volume[near].mean())


def ribosomes(specimen: Specimen) -> None:
    scatter(
        specimen, prepare("ribosome", specimen.pixel), 24, anywhere(specimen, np.ones(specimen.density.shape, bool))
    )


def test_picks_sit_on_dark_density_and_not_when_turned_over() -> None:
    study = replace(small("pombe_cytosol"), compose=ribosomes, scope=replace(PLAIN, pixel=13.3))
    found = simulate(study, study.runs[0], 3)
    volume = np.asarray(found.tomograms["raw"], np.float32)
    volume = (volume - volume.mean()) / volume.std()
    positions = found.truth.picks["ribosome"].positions
    positions = positions[np.abs(positions[:, 2] - centre(SHAPE[0])) > 4]
    assert len(positions) >= 4
    here = around(volume, positions, 7)
    assert here < -0.4
    for flipped, length in zip(np.eye(3), SHAPE[::-1], strict=True):
        mirrored = positions * (1 - 2 * flipped) + flipped * (length - 1)
        assert here < around(volume, mirrored, 7) - 0.3


def test_membranes_of_the_mask_are_dark(recording: Recording) -> None:
    volume = np.asarray(recording.tomograms["raw"], np.float32)
    mask = recording.truth.membranes()
    assert mask.shape == SHAPE
    assert mask.dtype == np.int8
    assert 0.01 < mask.mean() < 0.3
    leaflets = recording.truth.density[mask > 0] > 0.5
    assert volume[mask > 0][leaflets].mean() < volume.mean() - 0.4 * volume.std()


def test_labels_agree_with_picks(recording: Recording) -> None:
    truth = recording.truth
    assert sorted(truth.names.values()) == list(range(MEMBRANE + 1, MEMBRANE + 1 + len(truth.names)))
    for x, y, z in np.round(truth.picks["beta_galactosidase"].positions).astype(int):
        box = truth.labels[max(z - 3, 0) : z + 4, max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4]
        assert (box == truth.names["beta_galactosidase"]).any()


@pytest.mark.parametrize("tilt", [0.0, 33.0, -60.0])
def test_a_point_is_seen_where_the_convention_says(tilt: float) -> None:
    specimen = np.zeros((31, 64, 128), np.float32)
    x, y, z = 75, 20, 22
    specimen[z, y, x] = 1
    specimen = ndimage.gaussian_filter(specimen, 2)
    scope = replace(PLAIN, amplitude_contrast=1.0, defocus=0.0, spherical_aberration=0.0)
    width = 192
    plane = slices(spectrum(specimen), np.array([tilt]))[0]
    image = project(plane, tilt, scope, width, (0.0, 0.0))
    v, u = np.unravel_index(int(np.argmax(image)), image.shape)
    radians = np.deg2rad(tilt)
    expected = (x - centre(128)) * np.cos(radians) + (z - centre(31)) * np.sin(radians) + centre(width)
    assert v == y
    period = 128 * np.cos(radians)
    assert (u - expected + period / 2) % period - period / 2 == pytest.approx(0, abs=0.75)


def test_projection_keeps_mass() -> None:
    rng = np.random.default_rng(0)
    specimen = ndimage.gaussian_filter(rng.random((16, 32, 64)).astype(np.float32), 1.5, mode="wrap")
    scope = replace(PLAIN, amplitude_contrast=1.0, defocus=0.0, spherical_aberration=0.0)
    flat = project(slices(spectrum(specimen), np.zeros(1))[0], 0.0, scope, 64, (0.0, 0.0))
    expected = 2 * 1.7e-3 * scope.pixel * specimen.sum(axis=0)
    np.testing.assert_allclose(flat, expected, rtol=0.02)


def test_reconstruction_puts_a_point_back() -> None:
    specimen = np.zeros((32, 48, 64), np.float32)
    specimen[20, 11, 40] = 1
    specimen = ndimage.gaussian_filter(specimen, 1.5)
    scope = replace(PLAIN, amplitude_contrast=1.0, defocus=0.0, spherical_aberration=0.0)
    tilts = scope.scheme.angles()
    planes = slices(spectrum(specimen), tilts)
    stack = np.stack([-project(plane, tilt, scope, 64, (0.0, 0.0)) for plane, tilt in zip(planes, tilts, strict=True)])
    for binning in (1, 2):
        grid = Grid((32 // binning, 48 // binning, 64 // binning), binning)
        volume = back_project(stack, tilts, grid)
        z, y, x = np.unravel_index(int(np.argmin(volume)), volume.shape)
        offset = (binning - 1) / 2
        assert np.allclose(np.array([x, y, z]) * binning + offset, [40, 11, 20], atol=0.5 * binning + 0.1)


def test_aligning_undoes_what_the_stage_did() -> None:
    rng = np.random.default_rng(5)
    image = ndimage.gaussian_filter(rng.random((96, 120)).astype(np.float32), 3, mode="wrap")
    alignment = wobble(rng, PLAIN.scheme, axis=84.7, pixels=2.0)
    raw = to_raw(image, alignment, 3, (112, 112))
    back = to_aligned(raw, alignment, 3, (64, 64))
    expected = image[16:80, 28:92]
    assert np.isfinite(back).all()
    assert np.corrcoef(back.ravel(), expected.ravel())[0, 1] > 0.995


def test_alignment_is_imods_convention() -> None:
    """A raw point X goes to M (X - centre) + d + centre, and the tilt axis turns upright."""
    raw = np.zeros((40, 60), np.float32)
    raw[30, 12] = 1
    turn = np.deg2rad(-90)
    matrix = np.array([[[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]])
    alignment = Alignment(matrix, np.array([[3.0, -2.0]]), np.zeros(1))
    aligned = to_aligned(raw, alignment, 0, (60, 40))
    y, x = np.unravel_index(int(np.nanargmax(aligned)), aligned.shape)
    expected = matrix[0] @ (np.array([12, 30]) - [centre(60), centre(40)]) + [3, -2] + [centre(40), centre(60)]
    assert [x, y] == pytest.approx(expected)


def test_an_oriented_particle_points_where_its_rotation_says() -> None:
    shape = SPECIES["spike"]()
    rotation = Rotation.from_euler("xyz", [40, -25, 70], degrees=True)
    cube = turned(template(shape, 8.0), rotation, np.array([0.3, -0.2, 0.1]))
    z, y, x = np.indices(cube.shape) - cube.shape[0] // 2
    weights = cube**2
    offsets = np.stack([x, y, z], axis=-1).reshape(-1, 3) - [0.3, -0.2, 0.1]
    mean = np.average(offsets, axis=0, weights=cube.ravel())
    assert np.linalg.norm(mean) < 0.6
    spread = np.cov(offsets.T, aweights=weights.ravel())
    axis = np.linalg.eigh(spread)[1][:, -1]
    assert abs(axis @ rotation.apply([0, 0, 1])) > 0.99
    assert OVERSAMPLING == 2


def test_protein_is_dark_at_underfocus() -> None:
    frequency = np.linspace(0.001, 0.04, 50)
    assert (contrast_transfer(frequency, 15000, PLAIN)[:40] > 0).all()


@pytest.mark.parametrize(("name", "first"), [("dose-symmetric", [0, 3, -3, 6]), ("bidirectional", [0, 3, 6, 9])])
def test_schemes_record_every_section_once(name: str, first: list[float]) -> None:
    scheme = Scheme(name, 60, 3)
    order = scheme.acquisition()
    assert sorted(order) == list(range(41))
    assert scheme.angles()[order[:4]].tolist() == first


def test_worse_scores_mean_worse_tomograms() -> None:
    study = small("purified_mixture")
    contrast = []
    for quality in (5, 1):
        found = simulate(study, Run("R_1", quality), 3)
        volume = np.asarray(found.tomograms["raw"], np.float32)
        contrast.append(np.corrcoef(volume.ravel(), found.truth.density.ravel())[0, 1])
    assert contrast[0] < 2 * contrast[1] < 0
