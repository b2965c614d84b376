"""What the words of an mdoc file say of microscope and camera. Tables, read top to bottom; the first that fits decides."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tomotheca.formats.mdoc import Mdoc


@dataclass(frozen=True, slots=True)
class Scope:
    """A microscope."""

    manufacturer: str
    model: str
    voltage: int
    """V, at which it is nearly always used."""

    aberration: float
    """mm, of the lens it is nearly always sold with."""


@dataclass(frozen=True, slots=True)
class Detector:
    """A camera."""

    manufacturer: str
    model: str
    size: tuple[int, int]
    """Pixels of an image, long edge first."""


SCOPES: tuple[tuple[re.Pattern[str], Scope], ...] = (
    (re.compile(r"krios", re.IGNORECASE), Scope("TFS", "Krios", 300_000, 2.7)),
    (re.compile(r"arctica", re.IGNORECASE), Scope("TFS", "Talos Arctica", 200_000, 2.7)),
    (re.compile(r"glacios", re.IGNORECASE), Scope("TFS", "Glacios", 200_000, 2.7)),
    (re.compile(r"polara", re.IGNORECASE), Scope("FEI", "Polara", 300_000, 2.0)),
    (re.compile(r"cryo[ _-]?arm[ _-]?300", re.IGNORECASE), Scope("JEOL", "CRYO ARM 300", 300_000, 2.7)),
    (re.compile(r"cryo[ _-]?arm[ _-]?200", re.IGNORECASE), Scope("JEOL", "CRYO ARM 200", 200_000, 2.7)),
    (re.compile(r"titan", re.IGNORECASE), Scope("TFS", "Titan", 300_000, 2.7)),
)

DETECTORS: tuple[tuple[re.Pattern[str], Detector], ...] = (
    (re.compile(r"k3", re.IGNORECASE), Detector("Gatan", "K3", (5760, 4092))),
    (re.compile(r"k2", re.IGNORECASE), Detector("Gatan", "K2 SUMMIT", (3838, 3710))),
    (re.compile(r"falcon[ _-]?4i|\bf4i", re.IGNORECASE), Detector("TFS", "FALCON 4i", (4096, 4096))),
    (re.compile(r"falcon[ _-]?(4|iv)|\bf4", re.IGNORECASE), Detector("TFS", "FALCON IV", (4096, 4096))),
)

CAMERA = re.compile(r"(\d+):([^\s,]+)")
"""Camera in a title, ``1:GIF-K3``: its index and its name."""

PROGRAMS = re.compile(r"\b(SerialEM|Tomography|PACE-?tomo|EPU|Leginon|UCSF ?Tomography)\b", re.IGNORECASE)
NEAR = 0.015
"""Relative difference between sizes of images that are one: programs cut some rows and columns."""


def scope(titles: Iterable[str]) -> Scope | None:
    """Find the microscope in the titles of an mdoc file."""
    text = " ".join(titles)
    return next((scope for form, scope in SCOPES if form.search(text)), None)


def camera_name(document: Mdoc) -> str:
    """Give the name of the camera that was used, where the titles list cameras by index; else empty."""
    index = next((s.values["CameraIndex"] for s in document.images if "CameraIndex" in s.values), "")
    names = dict(CAMERA.findall(" ".join(document.titles)))
    return str(names.get(index.strip(), ""))


def detector(name: str) -> Detector | None:
    """Find a camera by its name."""
    return next((detector for form, detector in DETECTORS if form.search(name)), None)


def detector_of_size(document: Mdoc) -> Detector | None:
    """Find the camera whose images have the size of these, unbinned; None where several or none have it."""
    size = [float(word) for word in document.values.get("ImageSize", "").split() if word.isdigit()]
    binning = next((b for s in document.images if (b := s.number_of("Binning"))), None)
    if size[2:] or not size[1:] or not binning:  # columns and rows
        return None
    long, short = sorted((side * binning for side in size), reverse=True)
    near = [d for _, d in DETECTORS if abs(long - d.size[0]) <= NEAR * long and abs(short - d.size[1]) <= NEAR * short]
    return near[0] if len(near) == 1 else None


def program(titles: Iterable[str]) -> str:
    """Find the acquisition software in the titles; empty if they do not name it."""
    match = PROGRAMS.search(" ".join(titles))
    return match[1] if match else ""
