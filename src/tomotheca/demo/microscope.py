"""What the electron microscope does: projection, contrast transfer, radiation damage, counting statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from tomotheca.demo.geometry import Alignment, Scheme, centre, to_raw

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Complex = NDArray[np.complex64]

WAVELENGTHS = {200_000: 0.02508, 300_000: 0.01969}
"""Relativistic electron wavelength in Å by acceleration voltage."""

PHASE_PER_ANGSTROM = 1.7e-3
"""Phase shift in rad per Å of compact protein in ice: interaction constant 0.65 mrad/(V Å), potential difference 2.6 V."""

MEAN_FREE_PATH = 3100.0
"""Inelastic mean free path in ice at 300 kV in Å; the energy filter removes what is scattered."""


@dataclass(frozen=True, slots=True)
class Microscope:
    """Settings of a simulated session."""

    pixel: float
    """Edge of a pixel at the specimen in Å."""

    scheme: Scheme
    dose: float
    """Exposure of one section in e/Å²."""

    voltage: int = 300_000
    """In volts."""

    spherical_aberration: float = 2.7
    """In mm."""

    defocus: float = 4.0
    """Mean underfocus in µm."""

    amplitude_contrast: float = 0.07
    phase_plate: float = 0.0
    """Phase shift of the plate in rad."""

    thickness: float = 900.0
    """Of the ice in Å."""

    axis: float = 84.7
    """Tilt axis in degrees from the vertical."""


def contrast_transfer(frequency: Floats | Doubles, defocus: float, scope: Microscope) -> Floats | Doubles:
    """Give the contrast of a weak phase object, positive where protein is dark.

    Formula: ``sin(pi L dz k² - pi/2 Cs L³ k⁴ + w + p)`` with ``sin w`` the amplitude contrast (Erickson and Klug 1971).

    Parameters
    ----------
    frequency
        In 1/Å.
    defocus
        Underfocus in Å.
    scope
        Gives voltage, aberration, amplitude contrast and phase plate.
    """
    wavelength, aberration = WAVELENGTHS[scope.voltage], scope.spherical_aberration * 1e7
    square = frequency**2
    phase = np.pi * wavelength * square * (defocus - 0.5 * aberration * wavelength**2 * square)
    return np.asarray(np.sin(phase + np.arcsin(scope.amplitude_contrast) + scope.phase_plate))


def damage(frequency: Floats | Doubles, dose: float) -> Floats | Doubles:
    """Give the factor left of the signal after an exposure, ``exp(-N / 2 Ne)`` (Grant and Grigorieff 2015).

    Parameters
    ----------
    frequency
        In 1/Å.
    dose
        Accumulated exposure in e/Å².
    """
    critical = 0.245 * np.maximum(frequency, 1e-3) ** -1.665 + 2.81
    return np.asarray(np.exp(-dose / (2 * critical)))


def spectrum(specimen: Floats) -> Complex:
    """Transform a periodic specimen ``(z, y, x)`` along y and x, as ``(kx, ky, z)`` for `slices`."""
    transformed = fft.fft(fft.rfft(specimen, axis=2), axis=1)
    phase = np.exp(2j * np.pi * np.arange(transformed.shape[2]) * centre(specimen.shape[2]) / specimen.shape[2])
    return np.ascontiguousarray((transformed * phase).transpose(2, 1, 0).astype(np.complex64))


def slices(spectra: Complex, tilts: Doubles) -> Complex:
    """Cut the central slice of every tilt out of a specimen's spectrum.

    By the projection-slice theorem, without interpolation: of a specimen with period ``n`` along x, the wave ``m``
    of plane ``z`` comes into the projection at tilt ``a`` with the phase of a shift by ``z tan a``.

    Parameters
    ----------
    spectra
        What `spectrum` gives, ``(kx, ky, z)``.
    tilts
        Degrees.

    Returns
    -------
    ndarray
        Axes ``(tilt, kx, ky)``.
    """
    count, _, depth = spectra.shape
    wave = np.arange(count) / (2 * (count - 1))
    shift = np.tan(np.deg2rad(tilts))[None, :] * (np.arange(depth) - centre(depth))[:, None]
    shear = np.exp(-2j * np.pi * wave[:, None, None] * shift).astype(np.complex64)
    return np.ascontiguousarray(np.matmul(spectra, shear).transpose(2, 0, 1))


def project(plane: Complex, tilt: float, scope: Microscope, width: int, transfer: tuple[float, float]) -> Floats:
    """Compute one aligned image of a specimen that goes on periodically beyond its box.

    The wave ``m / n`` of the specimen is seen at frequency ``m / (n cos a)``; what lies beyond Nyquist is left out.

    Parameters
    ----------
    plane
        One of the `slices`, axes ``(kx, ky)``; the specimen is an even number of voxels long.
    tilt
        Degrees.
    scope
        The microscope.
    width
        Pixels wanted along u.
    transfer
        Underfocus in Å and exposure so far in e/Å².

    Returns
    -------
    ndarray
        Contrast ``2 x phase``, positive where protein is dark; axes ``(y, u)``.
    """
    length = 2 * (plane.shape[0] - 1)
    seen = np.arange(plane.shape[0]) / (length * np.cos(np.deg2rad(tilt)))
    seen = seen[seen < 0.5]
    frequency = (np.hypot(seen[:, None], fft.fftfreq(plane.shape[1])[None, :]) / scope.pixel).astype(np.float32)
    filtered = plane[: seen.size] * contrast_transfer(frequency, transfer[0], scope) * damage(frequency, transfer[1])
    lines = fft.ifft(filtered, axis=1).astype(np.complex64)
    lines[1:] *= 2
    u = np.arange(width) - centre(width)
    waves = np.exp(2j * np.pi * seen[:, None] * u).astype(np.complex64)
    image = (lines.T @ waves).real / (length * np.cos(np.deg2rad(tilt)))
    return np.asarray(2 * PHASE_PER_ANGSTROM * scope.pixel * image, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Series:
    """A recorded tilt series with everything the microscope knew."""

    images: NDArray[np.int16]
    """Counts, axes ``(section, y, x)``, sections by ascending tilt."""

    alignment: Alignment
    """True transforms of the raw images to the aligned stack."""

    defocus: Doubles
    """Underfocus of each section in µm."""

    scope: Microscope


def record(
    specimen: Floats, alignment: Alignment, scope: Microscope, size: tuple[int, int], rng: np.random.Generator
) -> Series:
    """Record a tilt series: contrast, thickness, stage errors, Poisson noise.

    Parameters
    ----------
    specimen
        Density, 1 is compact protein, axes ``(z, y, x)``; periodic in x and y.
    alignment
        Transforms of the raw images to the aligned stack.
    scope
        The microscope.
    size
        ``(ny, nx)`` of the images.
    rng
        Source of the noise.
    """
    planes = slices(spectrum(specimen), alignment.tilt)
    order = np.argsort(scope.scheme.acquisition())
    defocus = np.asarray(np.round(scope.defocus + rng.normal(0, 0.06, order.size) + 0.004 * order, 3), dtype=np.float64)
    width = specimen.shape[2] + 2 * int(0.15 * size[1]) + 16
    images = np.empty((order.size, *size), dtype=np.int16)
    for section, tilt in enumerate(alignment.tilt):
        before = (defocus[section] * 1e4, float((order[section] + 0.5) * scope.dose))
        contrast = to_raw(project(planes[section], tilt, scope, width, before), alignment, section, size)
        passed = np.exp(-scope.thickness / (MEAN_FREE_PATH * np.cos(np.deg2rad(tilt))))
        expected = scope.dose * scope.pixel**2 * passed * np.maximum(1 - contrast, 0.01)
        images[section] = np.clip(rng.poisson(expected), 0, 32767)
    return Series(images, alignment, defocus, scope)
