"""In which form images are written: version of the format, chunks, compressor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from numcodecs import Blosc, Zstd

from tomotheca.formats.omezarr.levels import Triple, triple

if TYPE_CHECKING:
    import numpy as np
    from numcodecs.abc import Codec as Compressor

Version = Literal["0.4", "0.5"]
VERSIONS: tuple[Version, ...] = ("0.4", "0.5")
Codec = Literal["lz4", "zstd"]
CODECS: tuple[Codec, ...] = ("lz4", "zstd")

FILE, SECTION = 128, 1024
"""Voxels along each edge of what one file holds of a volume, and along x and y of a tilt series, whose files hold one section."""

CHUNK, SECTION_CHUNK = 64, 256
"""The same for the chunks in the files of version 0.5."""

FAST, SMALL = 5, 3
"""Levels of lz4 and zstd."""


@dataclass(frozen=True, slots=True)
class Form:
    """How images are written; what is left out is what was measured to be best."""

    version: Version = "0.4"
    """Of OME-Zarr: 0.4 is Zarr v2 with a file for each chunk, 0.5 is Zarr v3 with several chunks in a file."""

    chunk: int | None = None
    """Edge of the chunks of volumes in voxels, a power of 2; those of tilt series are squares of one section."""

    codec: Codec | None = None
    """Blosc with lz4, shuffled bit by bit, or zstd."""

    level: int | None = None
    """How hard the compressor tries, 1 to 9."""

    def file(self, *, stack: bool) -> Triple:
        """Give the most voxels ``(z, y, x)`` that one file holds."""
        if stack:
            return 1, SECTION, SECTION
        edge = self.chunk or FILE
        edge = max(edge, FILE) if self.version == "0.5" else edge
        return edge, edge, edge

    def inner(self, file: Triple) -> Triple:
        """Give the voxels of the chunks in files of so many voxels: version 0.5; an array that is smaller is one chunk."""
        edge = SECTION_CHUNK if file[0] == 1 else self.chunk or CHUNK
        return triple(min(edge, n) for n in file)

    def compressor(self, dtype: np.dtype[Any]) -> Compressor:
        """Choose the compressor.

        Measured on noise, on denoised data and on integers kept as float32: for two bytes and more, bit shuffle with lz4 is
        3 to 5 times faster than zstd-3 and gives as many bytes or fewer, on data as noisy as tomograms are. Single bytes
        (masks, 8-bit tomograms) lz4 does not shrink, zstd-3 does. Neuroglancer and every Zarr client read both.
        """
        wide = dtype.itemsize > 1
        shuffle = Blosc.BITSHUFFLE if wide else Blosc.NOSHUFFLE
        if self.codec == "zstd":
            return Zstd(level=self.level or SMALL)
        if self.codec == "lz4" or wide:
            return Blosc(cname="lz4", clevel=self.level or FAST, shuffle=shuffle)
        return Blosc(cname="zstd", clevel=self.level or SMALL, shuffle=shuffle)


DEFAULT = Form()
