"""Read a stack of images from a TIFF file, image by image; needs tifffile, the extra ``tiff``.

Source of the format: https://www.loc.gov/preservation/digital/formats/fdd/fdd000022.shtml (TIFF 6.0), and tifffile for BigTIFF and ImageJ's stacks.
Images are taken in the order of the file. The rows of an image are taken from the last to the first, whatever its orientation tag says: the last row
of the file is y = 0. So do IMOD (``tif2mrc``, and the other way ``mrc2tif``), MotionCor2 and RELION, which says so:
https://relion.readthedocs.io/en/latest/Reference/Conventions.html. Pixel sizes are only taken where the resolution is said per centimetre; then in Å.
"""

from __future__ import annotations

import logging
import math
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tomotheca.errors import Finding, FormatError
from tomotheca.formats import movies

Triple = tuple[int, int, int]
Vector = tuple[float, float, float]
Box = tuple[slice, slice, slice]
Array = npt.NDArray[Any]

SUFFIXES = (".tif", ".tiff")
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NEEDED = "tifffile is not installed, which reads TIFF stacks: install tomotheca[tiff]"
LARGEST = 512 << 20
"""Bytes that one image may have: it is decoded whole."""

MOST = 10_000
"""Images that a tilt series may have."""

PLAIN, LZW, PACKBITS = 1, 5, 32773
DEFLATE = (8, 32946)
COMPRESSIONS = (PLAIN, LZW, PACKBITS, *DEFLATE)
PIECE = 16 << 20
STEEPEST = 1500
"""Bytes that one byte of compressed data can stand for, at most."""

BROKEN = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
"""What tifffile raises for damaged files."""

PER_CENTIMETRE = 3
ANGSTROM = 1e8
"""In a centimetre."""

PLAUSIBLE = (0.05, 1000.0)
"""Å per pixel that a resolution is believed for."""


def is_tiff(path: Path) -> bool:
    """Tell a TIFF file by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(4) in MAGIC
    except OSError:
        return False


class Reader:
    """An open stack.

    ``shape`` is ``(z, y, x)``, one z for each image; ``dtype`` is native, ``voxel_size`` in Å, order ``(x, y, z)``, 0 where the file does
    not say it. Safe to share between threads.

    Raises
    ------
    FormatError
        If tifffile is not installed, the file is no TIFF file, or its images differ in size or type or are no grey values.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            import tifffile  # noqa: PLC0415 - an extra, slow to import
        except ImportError as error:
            raise FormatError(path, f"{NEEDED}.") from error
        logging.getLogger("tifffile").addHandler(
            logging.NullHandler()
        )  # what is wrong is raised, and said in a sentence
        self._broken = (*BROKEN, tifffile.TiffFileError)
        try:
            images = movies.read_tiff(path).images
            self._file = tifffile.TiffFile(path)
        except FormatError:
            raise
        except self._broken as error:
            raise FormatError(path, f"is no TIFF file that can be read: {error}.") from error
        try:
            self._look(images)
        except BaseException as error:
            self._file.close()
            if isinstance(error, self._broken) and not isinstance(error, FormatError):
                raise FormatError(path, f"is no TIFF stack that can be read: {error}.") from error
            raise
        self._lock = threading.Lock()
        self._kept: tuple[int, Array] | None = None
        text = "The last row of a TIFF image is y = 0, as IMOD, MotionCor2 and RELION read it."
        self.notes: tuple[Finding, ...] = (Finding("note", str(path), text),)

    def _look(self, images: int) -> None:
        if images > MOST:
            raise FormatError(self.path, f"has more than {MOST} images: give a tilt series.")
        first = self._file.pages[0]
        if int(first.compression) not in COMPRESSIONS:
            message = f"has compression {int(first.compression)}, which is not read: save it without, or with deflate."
            raise FormatError(self.path, message)
        if math.prod(first.shape) * np.dtype(first.dtype).itemsize > LARGEST:
            raise FormatError(self.path, f"has images larger than {LARGEST >> 20} MiB.")
        series = self._file.series[0]
        is_whole = len(self._file.pages) == 1 and len(series.shape) == 3
        self._offset = series.dataoffset if is_whole else None
        """Where the images begin, one after the other, if only the first is described, as in ImageJ's large stacks."""
        if self._offset is not None:
            self.shape: Triple = _triple(series.shape)
            if self._offset + math.prod(self.shape) * np.dtype(first.dtype).itemsize > self.path.stat().st_size:
                raise FormatError(self.path, "is truncated: it ends before its images do.")
        else:
            self.shape = (self._count(), *_pair(first.shape))
        said = (self._file.imagej_metadata or {}).get("images", self.shape[0])
        if said != self.shape[0]:
            raise FormatError(self.path, f"is truncated: it says {said} images and has {self.shape[0]}.")
        self.dtype: np.dtype[Any] = np.dtype(first.dtype).newbyteorder("=")
        if self.dtype.kind not in "iuf" or min(self.shape) < 1 or self.shape[0] > MOST:
            raise FormatError(self.path, f"has images of {first.shape} {first.dtype}: give grey values, a tilt series.")
        self.voxel_size: Vector = self._pixel(first)

    def _count(self) -> int:
        """Count the images; thumbnails and images of another size are refused."""
        first, end = self._file.pages[0], self.path.stat().st_size
        for number, page in enumerate(self._file.pages):
            if any(begin + size > end for begin, size in zip(page.dataoffsets, page.databytecounts, strict=True)):
                raise FormatError(self.path, f"is truncated: image {number + 1} reaches beyond its end.")
            if self._needed(first) > sum(page.databytecounts):
                raise FormatError(self.path, f"is truncated: image {number + 1} has fewer bytes than its size needs.")
            if (page.shape, page.dtype) != (first.shape, first.dtype):
                message = f"image {number + 1} has {page.shape} {page.dtype}, the first {first.shape} {first.dtype}: give a stack of one size and type."
                raise FormatError(self.path, message)
        return len(self._file.pages)

    def _needed(self, page: Any) -> float:
        """Give the least number of bytes that the file must have of an image."""
        size = math.prod(page.shape) * np.dtype(page.dtype).itemsize
        return float(size) / (1 if int(page.compression) == PLAIN else STEEPEST)

    def _pixel(self, page: Any) -> Vector:
        unit, resolution = page.tags.get("ResolutionUnit"), page.tags.get("XResolution")
        if unit is None or resolution is None or int(unit.value) != PER_CENTIMETRE:
            return 0.0, 0.0, 0.0
        above, below = resolution.value
        size = ANGSTROM * below / above if above else 0.0
        size = size if PLAUSIBLE[0] <= size <= PLAUSIBLE[1] else 0.0
        return size, size, size

    def close(self) -> None:
        """Close the file."""
        self._kept = None
        self._file.close()

    def read(self, box: Box, *, out: memoryview | None = None) -> Array:
        """Read one box: slices in order z, y, x; the result is ``(z, y, x)``, C order, native; ``out`` is unused.

        Raises
        ------
        FormatError
            If an image cannot be decoded.
        """
        del out
        z, y, x = box
        planes = [self._image(number)[y, x] for number in range(z.start, z.stop)]
        return np.ascontiguousarray(np.stack(planes), self.dtype)

    def _image(self, number: int) -> Array:
        """Give one image, the row of y = 0 first; the last one is kept."""
        with self._lock:
            if self._kept is None or self._kept[0] != number:
                self._kept = None
                self._kept = (number, self._decode(number))
            return self._kept[1]

    def _decode(self, number: int) -> Array:
        try:
            if self._offset is not None:
                _, height, width = self.shape
                stored = self.dtype.newbyteorder(self._file.byteorder)
                offset = self._offset + number * height * width * stored.itemsize
                with self.path.open("rb") as file:
                    file.seek(offset)
                    found: Array = np.fromfile(file, stored, height * width).reshape(height, width)
            else:
                page = self._file.pages[number]
                self._check_size(page)
                found = page.asarray()
            return found.reshape(self.shape[1:])[::-1]
        except FormatError:
            raise
        except self._broken as error:
            message = (
                f"image {number + 1} cannot be read: {error}. Save the stack without compression, or copy it again."
            )
            raise FormatError(self.path, message) from error

    def _check_size(self, page: Any) -> None:
        """Refuse deflated data that would become larger than any image may be."""
        if int(page.compression) not in DEFLATE:
            return
        for begin, size in zip(page.dataoffsets, page.databytecounts, strict=True):
            if size * STEEPEST <= LARGEST:
                continue
            with self.path.open("rb") as file:
                file.seek(begin)
                data = file.read(size)
            state, made = zlib.decompressobj(), 0
            while data and made <= LARGEST:
                made += len(state.decompress(data, PIECE))
                data = state.unconsumed_tail
            if made > LARGEST:
                raise FormatError(self.path, f"has compressed data that become larger than {LARGEST >> 20} MiB.")


def _pair(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) != 2:
        message = f"its images have the shape {shape}, not rows and columns"
        raise ValueError(message)
    return int(shape[0]), int(shape[1])


def _triple(shape: tuple[int, ...]) -> Triple:
    z, y, x = (int(n) for n in shape)
    return z, y, x
