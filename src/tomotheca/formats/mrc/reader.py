"""Read any box of an MRC file with ``pread``: no memory map, so no page counts as resident."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.files import Aside, ranges
from tomotheca.formats.mrc.header import ByteSign, Header, read_header

if TYPE_CHECKING:
    from types import TracebackType

Box = tuple[slice, slice, slice]
Array = npt.NDArray[np.generic]

WHOLE_ROWS = 4
"""Rows are read whole and cut when at least one in this many columns is wanted, else piece by piece."""


class Reader:
    """An open MRC file.

    ``shape`` is logical ``(z, y, x)``, ``dtype`` the native one of what ``read`` gives, ``voxel_size`` is in Å,
    order ``(x, y, z)``. Every file order of axes and bytes gives the same arrays. Safe to share between threads.

    Raises
    ------
    FormatError
        As ``read_header`` does.
    """

    def __init__(self, path: Path, *, byte_sign: ByteSign | None = None) -> None:
        self.path = path
        self.header: Header = read_header(path, byte_sign=byte_sign)
        self.shape = self.header.shape
        self.dtype = self.header.dtype.newbyteorder("=")
        self.voxel_size = self.header.voxel_size
        self.notes = self.header.notes
        mapc, mapr, maps = self.header.axes
        self._logical = (3 - maps, 3 - mapr, 3 - mapc)
        self._file = ranges(path)
        self._opened = self._file.stamp()
        self._aside: Aside = nullcontext

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def descriptor(self) -> int:
        """The open file, for who wants its bytes as they stand; -1 where it is not on this machine."""
        return self._file.descriptor

    @contextmanager
    def giving(self, aside: Aside) -> Iterator[None]:
        """Enter ``aside`` whenever voxels are on their way from the disk, until the block ends."""
        self._aside = aside
        try:
            yield
        finally:
            self._aside = nullcontext

    def check_unchanged(self) -> None:
        """Make sure that nobody wrote to the file since it was opened.

        Raises
        ------
        FormatError
            If its size or time of change is another now.
        """
        if self._file.stamp() != self._opened:
            raise FormatError(self.path, "changed while it was read: keep the source still and run again.")

    def read(self, box: Box, *, out: memoryview | None = None) -> Array:
        """Read one box.

        Parameters
        ----------
        box
            Slices with plain start and stop, order z, y, x, inside ``shape``.
        out
            A buffer of at least the box's bytes. The result lives in it when no conversion is needed.

        Returns
        -------
        Array
            Shape of the box ``(z, y, x)``, C order, native byte order.

        Raises
        ------
        FormatError
            If the file became shorter since it was opened, or the disk cannot read it.
        """
        stored_box = tuple(box[axis] for axis in self._logical)
        shape = tuple(part.stop - part.start for part in stored_box)
        dtype = self.header.dtype
        nbytes = math.prod(shape) * dtype.itemsize
        direct = dtype.isnative and self._logical == (0, 1, 2)
        buffer = out[:nbytes] if direct and out is not None else np.empty(nbytes, np.uint8).data
        stored: Array = np.frombuffer(buffer, dtype).reshape(shape)
        try:
            self._fill(buffer, stored_box)
        except OSError as error:
            raise FormatError(self.path, f"cannot be read: {error.strerror or error}.") from error
        if direct:
            return stored
        order = [self._logical.index(axis) for axis in range(3)]
        return np.ascontiguousarray(stored.transpose(order), self.dtype)

    def expect(self, box: Box) -> None:
        """Say that a box is read soon, so that the disk may begin: its pieces would each be waited for otherwise.

        Parameters
        ----------
        box
            As in `read`. Whole rows are asked for, however few columns it has.
        """
        sections, rows, _ = (box[axis] for axis in self._logical)
        _, _, all_columns = self.header.file_shape
        size = (rows.stop - rows.start) * all_columns * self.header.dtype.itemsize
        for start in self._strips(sections, rows):
            self._file.expect(self.header.data_offset + start, size)

    def slabs(self, depth: int) -> Iterator[Array]:
        """Give the whole volume as slabs of ``depth`` z planes, the last may be thinner; each ``(z, y, x)``."""
        z, y, x = self.shape
        for start in range(0, z, depth):
            yield self.read((slice(start, min(start + depth, z)), slice(0, y), slice(0, x)))

    def _fill(self, buffer: memoryview, box: tuple[slice, ...]) -> None:
        """Fill the buffer with a box given in the file's own order: sections, rows, columns."""
        sections, rows, columns = box
        _, all_rows, all_columns = self.header.file_shape
        row_bytes = all_columns * self.header.dtype.itemsize
        if columns.stop - columns.start < all_columns:
            self._fill_columns(buffer, box)
            return
        if rows.stop - rows.start == all_rows:
            self._pread(buffer, sections.start * all_rows * row_bytes)
            return
        step = (rows.stop - rows.start) * row_bytes
        for i, start in enumerate(self._strips(sections, rows)):
            self._pread(buffer[i * step : (i + 1) * step], start)

    def _strips(self, sections: slice, rows: slice) -> Iterator[int]:
        """Give where some rows of each section begin, counted from the first voxel."""
        _, all_rows, all_columns = self.header.file_shape
        row_bytes = all_columns * self.header.dtype.itemsize
        return ((section * all_rows + rows.start) * row_bytes for section in range(sections.start, sections.stop))

    def _fill_columns(self, buffer: memoryview, box: tuple[slice, ...]) -> None:
        """Fill the buffer with some columns of each row."""
        sections, rows, columns = box
        _, all_rows, all_columns = self.header.file_shape
        item = self.header.dtype.itemsize
        first, length, row_bytes = columns.start * item, (columns.stop - columns.start) * item, all_columns * item
        height = rows.stop - rows.start
        whole = np.empty((height, row_bytes), np.uint8) if length * WHOLE_ROWS >= row_bytes else None
        cut = np.frombuffer(buffer, np.uint8).reshape(-1, height, length)
        for i, section in enumerate(range(sections.start, sections.stop)):
            start = (section * all_rows + rows.start) * row_bytes
            if whole is not None:
                self._pread(whole.reshape(-1).data, start)
                cut[i] = whole[:, first : first + length]
                continue
            for j in range(height):
                at = (i * height + j) * length
                self._pread(buffer[at : at + length], start + j * row_bytes + first)

    def _pread(self, buffer: memoryview, offset: int) -> None:
        """Read exactly the buffer's bytes, ``offset`` counted from the first voxel."""
        if self._file.fill(buffer, self.header.data_offset + offset, self._aside) < len(buffer):
            raise FormatError(self.path, "became shorter while it was read: keep the source still and run again.")


def central_slab(path: Path, *, depth: int = 40) -> npt.NDArray[np.float32]:
    """Average the central planes along z, for a picture; one after the other, so that a volume of any size can be asked.

    Returns
    -------
    npt.NDArray[np.float32]
        Shape ``(y, x)``.
    """
    with Reader(path) as volume:
        planes, height, width = volume.shape
        thick = min(planes, depth)
        first = (planes - thick) // 2
        total = np.zeros((height, width), np.float64)
        for z in range(first, first + thick):
            total += volume.read((slice(z, z + 1), slice(0, height), slice(0, width)))[0].astype(np.float64)
    return np.asarray(total / thick, np.float32)
