"""Write OME-Zarr file by file, from many threads, hashing what is written.

The chunks are encoded with numcodecs and written here rather than through the zarr library: measured in
``benchmarks/bench_convert.py``, and each file's size and sha256 are known without reading it back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tomotheca.errors import FormatError
from tomotheca.formats.direct import write_whole
from tomotheca.formats.files import Aside, Member, write_file, writing
from tomotheca.formats.omezarr.form import DEFAULT, Form
from tomotheca.formats.omezarr.layouts import Layout, Zarr2, Zarr3
from tomotheca.formats.omezarr.levels import BLOCK, Level, Triple, Vector, box_of, grid, plan_levels
from tomotheca.formats.reduce import Method, coverage, finished, halve

DTYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "f2", "f4", "f8")

MANY = 100
"""Labels from which on the metadata is written in one line: blanks would be most of it."""

Put = Callable[[str, bytes], None]


class Writer:
    """A new OME-Zarr directory; its files may be written in any order and from many threads.

    Chunks of zeros are not stored: readers take the fill value, 0. Nothing is synced or renamed: the caller does that.

    Parameters
    ----------
    in_place
        Level 0 is described and not written: its chunks are stretches of another file, plain numbers of exactly this dtype.
        The other levels have its byte order, as readers expect of one image. Version 0.4 alone.
    form
        Version, chunks and compressor.
    put
        Takes each file, by its path in the directory, instead of the disk: ``path`` is then only a name.

    Raises
    ------
    FormatError
        If Zarr clients cannot read the dtype.
    StorageError
        From every method, if the disk refuses.
    """

    def __init__(  # noqa: PLR0913 - what is written where, and the three ways to do it otherwise
        self,
        path: Path,
        levels: Sequence[Level],
        dtype: np.dtype[np.generic],
        *,
        in_place: bool = False,
        form: Form = DEFAULT,
        put: Put | None = None,
    ) -> None:
        self.path, self.levels = path, tuple(levels)
        self.dtype = np.dtype(dtype if in_place else dtype.newbyteorder("<"))
        if dtype.str[1:] not in DTYPES:
            raise FormatError(path, f"{dtype} is not written to OME-Zarr: give one of {', '.join(DTYPES)}.")
        self._layout = _layout(form, self.dtype, in_place=in_place)
        self._members: list[Member] = []
        self._put = put
        self.aside: Aside = nullcontext
        """Entered while a chunk is on its way to the disk."""

        if put is not None:
            return
        with writing(path):
            path.mkdir()
            for folder in (folder for level in self.levels for folder in self._layout.folders(level)):
                (path / folder).mkdir()  # at once, so that writing a chunk asks for nothing

    def write_chunk(self, level: Level, index: Triple, block: npt.NDArray[np.generic]) -> None:
        """Encode, hash and write one file of a level.

        Parameters
        ----------
        index
            Position in the grid of files, order ``(z, y, x)``.
        block
            Its voxels, as many as the level's chunks have, fewer at the far borders.
        """
        if _is_empty(block):
            return
        self._write(self._layout.name(level, index), self._layout.encode(level, block), self._write_whole)

    def finish(
        self, name: str, method: Method, *, is_label: bool = False, labels: Sequence[int] = ()
    ) -> tuple[Member, ...]:
        """Write the metadata and list every file of the directory, sorted by path.

        Parameters
        ----------
        name
            Name of the image, shown by viewers.
        method
            How coarser levels were made; it is stated in the metadata.
        is_label
            Marks masks and label images as such (``image-label``).
        labels
            Every label but 0 of a label image: each has the colour of `attributes.colours`.
        """
        documents = self._layout.documents(self.levels, name, method, labels if is_label else None)
        for key, document in documents.items():
            text = json.dumps(document, indent=None if len(labels) > MANY else 2, sort_keys=True) + "\n"
            self._write(key, text.encode())
        return tuple(sorted(self._members))

    def _write(self, name: str, data: bytes, write: Callable[[Path, int, memoryview], None] | None = None) -> None:
        if self._put is None:
            self._members.append(write_file(self.path / name, data, name=name, write=write))
            return
        with self.aside() if write else nullcontext():
            self._put(name, data)
        self._members.append(Member(name, len(data), hashlib.sha256(data).hexdigest()))

    def _write_whole(self, path: Path, descriptor: int, data: memoryview) -> None:
        write_whole(path, descriptor, data, aside=self.aside)

    def stored_bytes(self, level: Level) -> int:
        """Bytes of the level's chunks on the disk so far."""
        return sum(member.size for member in self._members if member.path.startswith(f"{level.path}/"))


def _layout(form: Form, dtype: np.dtype[np.generic], *, in_place: bool) -> Layout:
    if form.version == "0.5" and not in_place:
        return Zarr3(dtype, form.compressor(dtype), form)
    return Zarr2(dtype, form.compressor(dtype), frozenset({0}) if in_place else frozenset())


def write(
    path: Path, volume: npt.NDArray[np.generic], *, spacing: Vector, method: Method = "mean", form: Form = DEFAULT
) -> tuple[Member, ...]:
    """Write a whole small ``(z, y, x)`` array with its pyramid; ``spacing`` is in Å, order ``(z, y, x)``.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    z, y, x = volume.shape
    levels = plan_levels((z, y, x), spacing, chunks=form.file(stack=False))
    writer = Writer(path, levels, volume.dtype, form=form)
    values: npt.NDArray[np.generic] = volume
    for level in levels:
        stored = finished(values, method, volume.dtype)
        for index in grid(level.shape, level.chunks):
            writer.write_chunk(level, index, stored[box_of(index, level.chunks, level.shape)])
        values = halve(values, coverage((z, y, x), level.factors, level.shape, BLOCK), method=method)
    return writer.finish(path.stem, method, is_label=method != "mean")


def _is_empty(block: npt.NDArray[np.generic]) -> bool:
    """Whether all voxels are 0; a few of them nearly always tell without looking at the rest."""
    return not block[::16, ::16, ::16].any() and not block.any()
