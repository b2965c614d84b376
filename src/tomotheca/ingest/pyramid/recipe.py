"""What to make of a volume, where, and what came out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tomotheca.formats.omezarr.form import DEFAULT, Form

if TYPE_CHECKING:
    from tomotheca.errors import Finding
    from tomotheca.formats.files import Member
    from tomotheca.formats.omezarr.levels import Triple, Vector
    from tomotheca.formats.reduce import Method

Kind = Literal["tomogram", "tilt_series", "mask", "labels"]

METHODS: dict[Kind, Method] = {"tomogram": "mean", "tilt_series": "mean", "mask": "majority", "labels": "mode"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to make of a source."""

    kind: Kind = "tomogram"
    """Decides how levels are made (mean, majority, mode), their axes and the MRC space group."""

    voxel_size: Vector | None = None
    """Å, order ``(x, y, z)``; left out, that of the source's header."""

    label: int = 1
    """Mask: voxels of this value become 1."""

    threshold: float | None = None
    """Mask: voxels of at least this value become 1; goes before ``label``."""

    size: Triple | None = None
    """Masks and labels: voxels ``(z, y, x)`` that the result has over the same extent; left out, those of the source."""

    name: str = ""
    """Name of the image in the OME-Zarr metadata; left out, the stem of its directory."""

    memory: int = 1 << 30
    """Bytes the whole process may use; about half of it is planned for."""

    workers: int | None = None
    """Cores that are used at once; left out, as many as the machine gives. There are more threads, as some wait for the disk."""

    form: Form = DEFAULT
    """How the OME-Zarr image is written."""

    chunks: Triple | None = None
    """Voxels of one file of it ``(z, y, x)``, edges powers of 2; left out, what the form says."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the results go: paths that do not exist yet, in directories that do."""

    mrc: Path
    zarr: Path


@dataclass(frozen=True, slots=True)
class LevelSize:
    """One level as it was written; shape, scale (Å) and translation (Å) in order ``(z, y, x)``."""

    path: str
    shape: Triple
    scale: Vector
    translation: Vector
    bytes: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """Values of level 0. The percentiles come from every n-th voxel along each axis, about two million in all."""

    dtype: str
    min: float
    max: float
    mean: float
    p1: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pyramid:
    """An OME-Zarr directory that was written, complete enough that no byte needs to be read again."""

    zarr: tuple[Member, ...]
    """Every file of the directory, sorted by path relative to it; the chunks of a level 0 that lies elsewhere are none."""

    levels: tuple[LevelSize, ...]
    statistics: Statistics
    dtype: str
    """Numpy's name of the dtype of the OME-Zarr arrays."""

    shape: Triple
    """``(z, y, x)``."""

    voxel_size: Vector
    """Å, order ``(x, y, z)``."""

    notes: tuple[Finding, ...]
    labels: tuple[int, ...] = ()
    """Of a label image: every label but 0 that it has, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion(Pyramid):
    """An MRC file and an OME-Zarr directory that were written."""

    mrc: Member
    source_sha256: str
    """Of the source, where all its bytes were read one after the other; else empty."""
