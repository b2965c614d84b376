"""Convert a volume of any size in one pass: MRC and OME-Zarr with all levels, hashed, measured, in bounded memory.

The volume is walked as a tree: a block of a coarse level is made from the eight blocks below it, down to tiles of level
0 that are read with ``pread``. So at any time there are a few tiles and one block of each level in memory. One thread
reads and makes coarser, the others measure, compress and write.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np

from tomotheca.errors import Finding, FormatError
from tomotheca.formats import direct, mrc, omezarr
from tomotheca.formats.files import Member, sync_tree
from tomotheca.formats.omezarr.levels import (
    BLOCK,
    SECTION,
    Box,
    Level,
    Triple,
    Vector,
    box_of,
    grid,
    plan_levels,
    triple,
)
from tomotheca.formats.reduce import Array, Method, coverage, finished, halve
from tomotheca.formats.statistics import Moments, moments

__all__ = ["Conversion", "LevelSize", "Recipe", "Statistics", "Target", "convert", "open_source", "sync_tree"]

Kind = Literal["tomogram", "tilt_series", "mask", "labels"]

METHODS: dict[Kind, Method] = {"tomogram": "mean", "tilt_series": "mean", "mask": "majority", "labels": "mode"}
KEPT_DTYPES = ("i1", "u1", "i2", "u2", "f2", "f4")
SAMPLE = 2_000_000
"""Voxels, about, from which the percentiles are taken: every n-th along each axis."""

LARGE = 64 << 20
"""Bytes from which the disk is made to write while the MRC file is hashed: the caller's sync is then short."""

TILES = 2
"""Tiles of level 0 in memory: one is read while the other is written."""


class Source(Protocol):
    """A volume that can be read in boxes."""

    path: Path
    shape: Triple
    dtype: np.dtype[Any]
    voxel_size: Vector
    notes: tuple[Finding, ...]

    def read(self, box: Box, *, out: memoryview | None = None) -> Array:
        """Read one box, ``(z, y, x)``."""

    def close(self) -> None:
        """Release the file."""


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

    name: str = ""
    """Name of the image in the OME-Zarr metadata; left out, the stem of its directory."""

    memory: int = 1 << 30
    """Bytes the whole process may use; about half of it is planned for."""

    workers: int | None = None
    """Threads that compress; left out, one more than there are cores (some wait for the disk), within the memory."""

    chunks: Triple | None = None
    """Chunk shape ``(z, y, x)``, edges powers of 2; left out, 128 cubed, for tilt series (1, 1024, 1024)."""


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


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written, complete enough that no byte needs to be read again."""

    mrc: Member
    zarr: tuple[Member, ...]
    """Every file of the OME-Zarr directory, sorted by path relative to it."""

    levels: tuple[LevelSize, ...]
    statistics: Statistics
    dtype: str
    """Numpy's name of the dtype of the OME-Zarr arrays."""

    shape: Triple
    """``(z, y, x)``."""

    voxel_size: Vector
    """Å, order ``(x, y, z)``."""

    notes: tuple[Finding, ...]


def open_source(path: Path) -> mrc.Reader | omezarr.Reader:
    """Open a volume to read: a directory is OME-Zarr, a file MRC.

    Raises
    ------
    FormatError
        If it is neither, or broken.
    """
    return omezarr.Reader(path) if path.is_dir() else mrc.Reader(path)


def convert(
    source: Path, target: Target, recipe: Recipe | None = None, *, progress: Callable[[int], None] | None = None
) -> Conversion:
    """Write a source as MRC and OME-Zarr in one pass.

    Nothing is renamed, nor is all of it on the disk: give temporary names, then ``sync_tree`` once and rename. After an
    error the files begun stay for the caller to remove.

    Parameters
    ----------
    progress
        Called from this thread with the voxels read since the last call.

    Raises
    ------
    FormatError
        If the source is broken, has no voxel size and the recipe neither, or labels that are no labels.
    StorageError
        If the disk refuses; the message names the file.
    """
    volume = open_source(source)
    try:
        with _Job(volume, target, recipe or Recipe()) as job:
            return job.run(progress or (lambda _: None))
    finally:
        volume.close()


class _Job:
    """One conversion while it runs."""

    def __init__(self, source: mrc.Reader | omezarr.Reader, target: Target, recipe: Recipe) -> None:
        self.source, self.target, self.recipe = source, target, recipe
        self.method = METHODS[recipe.kind]
        self.notes = list(source.notes)
        self.voxel_size = _voxel_size(source, recipe)
        self.dtype = self._dtype()
        self.step = SECTION if recipe.kind == "tilt_series" else BLOCK
        self.chunks = recipe.chunks or ((1, 1024, 1024) if recipe.kind == "tilt_series" else (128, 128, 128))
        x, y, z = self.voxel_size
        self.levels = plan_levels(source.shape, (z, y, x), step=self.step, chunks=self.chunks)
        self.workers, self.widths = _plan_memory(self)
        self.stride = max(1, round((math.prod(source.shape) / SAMPLE) ** (1 / 3)))
        self._lock = threading.Lock()
        self._moments: list[tuple[tuple[int, int, int], Moments]] = []
        self._sample: list[Array] = []
        self._groups: deque[list[Future[None]]] = deque()
        self._buffers: deque[memoryview] = deque()

    def __enter__(self) -> Self:
        self.pool = ThreadPoolExecutor(self.workers, thread_name_prefix="pyramid")
        whole_rows = self.widths[0] >= self.source.shape[2]
        self.mrc = mrc.Writer(self.target.mrc, self._layout(), rows=self.chunks[1] if whole_rows else 0)
        self.zarr = omezarr.Writer(self.target.zarr, self.levels, self.dtype)
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.mrc.close()

    def run(self, progress: Callable[[int], None]) -> Conversion:
        """Walk the whole tree and finish both files."""
        self.progress = progress
        top = self.levels[-1]
        for index in grid(top.shape, self._block(top)):
            self._node(top, index)
        while self._groups:
            self._wait()
        total = sum((moment for _, moment in sorted(self._moments, key=lambda item: item[0])), Moments())
        if total.skipped:
            text = f"{total.skipped} voxels are not finite; the statistics leave them out."
            self.notes.append(Finding("warning", str(self.source.path), text))
        if isinstance(self.source, mrc.Reader):
            self.source.check_unchanged()
        hashing = self.pool.submit(partial(self.mrc.finish, total, twin=self._twin()))
        stored = [self.zarr.stored_bytes(level) for level in self.levels]
        name = self.recipe.name or self.target.zarr.stem
        members = self.zarr.finish(name, self.method, is_label=self.method != "mean")
        if self.mrc.size >= LARGE:
            sync_tree(self.target.zarr)
        return Conversion(
            hashing.result(),
            members,
            tuple(
                LevelSize(level.path, level.shape, level.scale, level.translation, size)
                for level, size in zip(self.levels, stored, strict=True)
            ),
            self._statistics(total),
            self.dtype.name,
            self.source.shape,
            self.voxel_size,
            tuple(self.notes),
        )

    def _node(self, level: Level, index: Triple) -> Array:
        """Make one block of a level from the blocks below it, hand it to the writers and return it."""
        if level.number == 0:
            return self._tile(index)
        below = self.levels[level.number - 1]
        size, size_below = self._block(level), self._block(below)
        box = box_of(index, size, level.shape)
        block = np.empty([part.stop - part.start for part in box], self._carried())
        children = [s * f // b for s, f, b in zip(size, self.step, size_below, strict=True)]
        for offset in np.ndindex(*children):
            child = triple(i * c + o for i, c, o in zip(index, children, offset, strict=True))
            child_box = box_of(child, size_below, below.shape)
            if any(part.start >= part.stop for part in child_box):
                continue
            stop = triple(part.stop for part in child_box)
            cover = coverage(self.source.shape, below.factors, stop, self.step)
            part = halve(self._node(below, child), cover, method=self.method)
            at = (c.start // f - b.start for c, f, b in zip(child_box, self.step, box, strict=True))
            block[tuple(slice(a, a + n) for a, n in zip(at, part.shape, strict=True))] = part
        self._store(level, box, block)
        return block

    def _tile(self, index: Triple) -> Array:
        """Read one tile of level 0 and hand it to the writers; at most two are in memory."""
        level = self.levels[0]
        box = box_of(index, self._block(level), level.shape)
        shape = [part.stop - part.start for part in box]
        if len(self._groups) >= TILES:
            self._wait()
        self._groups.append([])
        if len(self._buffers) < TILES:
            nbytes = math.prod(min(b, n) for b, n in zip(self._block(level), level.shape, strict=True))
            self._buffers.append(direct.buffer(nbytes * self.source.dtype.itemsize))
        self._buffers.rotate(1)
        block = self._converted(self.source.read(box, out=self._buffers[0]))
        self._store(level, box, block)
        self._submit(self._measure, box, block)
        self.progress(math.prod(shape))
        return block

    def _store(self, level: Level, box: Box, block: Array) -> None:
        """Hand all chunks of a block to the writers."""
        first = [part.start // c for part, c in zip(box, level.chunks, strict=True)]
        for offset in grid(triple(block.shape), level.chunks):
            piece = block[tuple(slice(o * c, (o + 1) * c) for o, c in zip(offset, level.chunks, strict=True))]
            self._submit(self._chunk, level, triple(f + o for f, o in zip(first, offset, strict=True)), piece)

    def _chunk(self, level: Level, index: Triple, piece: Array) -> None:
        self.zarr.write_chunk(level, index, finished(piece, self.method, self.dtype))

    def _measure(self, box: Box, block: Array) -> None:
        """Write a tile to the MRC file, add it to the statistics and keep its share of the sample."""
        self.mrc.write(box, block)
        measured = moments(block)
        grid = tuple(slice(-part.start % self.stride, None, self.stride) for part in box)
        share = block[grid].ravel().copy()
        with self._lock:
            self._moments.append(((box[0].start, box[1].start, box[2].start), measured))
            self._sample.append(share)

    def _submit(self, function: Callable[..., None], *arguments: object) -> None:
        self._groups[-1].append(self.pool.submit(function, *arguments))

    def _wait(self) -> None:
        """Wait until everything that came out of the oldest tile is written; the first error is raised."""
        for future in self._groups.popleft():
            future.result()

    def _block(self, level: Level) -> Triple:
        """Shape of the blocks in which a level is made: a chunk high and deep, several wide."""
        return self.chunks[0], self.chunks[1], self.widths[level.number]

    def _carried(self) -> np.dtype[Any]:
        """Give the dtype in which coarser levels are carried upwards."""
        return self.dtype if self.method == "mode" else np.dtype(np.float32)

    def _dtype(self) -> np.dtype[Any]:
        """Choose the dtype to store, and note every change."""
        given = self.source.dtype
        if self.recipe.kind == "mask":
            return np.dtype("i1")
        if self.recipe.kind == "labels":
            return given if given.str[1:] in {"i1", "u1", "i2", "u2"} else np.dtype("u2")
        if given.kind == "b":
            return np.dtype("i1")
        if given.str[1:] not in KEPT_DTYPES:
            mrc.storable(given)
            self._note(f"{given} becomes float32: MRC and viewers hold nothing wider.")
            return np.dtype("f4")
        if given.str[1:] == "u1":
            self._note("uint8 stays in OME-Zarr and becomes uint16 in MRC, which has no unsigned bytes.")
        if given.str[1:] == "f2":
            self._note("float16 is kept; viewers that run in a browser may not show it.")
        return given

    def _converted(self, block: Array) -> Array:
        """Bring a tile to the dtype that is stored: masks are extracted, labels checked."""
        if self.recipe.kind == "mask":
            chosen = block >= self.recipe.threshold if self.recipe.threshold is not None else block == self.recipe.label
            return np.asarray(chosen).astype(np.int8)
        converted: Array = block.astype(self.dtype, copy=False)
        if self.recipe.kind == "labels" and converted is not block and not np.array_equal(converted, block):
            raise FormatError(self.source.path, "holds values that are no labels: give whole numbers from 0 to 65535.")
        return converted

    def _layout(self) -> mrc.Layout:
        """Lay out the MRC file; labels, extended header and free bytes of an MRC source are kept."""
        plain = mrc.Layout(
            shape=self.source.shape,
            dtype=mrc.storable(self.dtype),
            voxel_size=self.voxel_size,
            is_stack=self.recipe.kind == "tilt_series",
        )
        if not isinstance(self.source, mrc.Reader):
            return plain
        header = self.source.header
        if any(header.origin):
            self._note("The header's origin is not kept: the first voxel is at 0, for volumes and points alike.")
        if header.byte_order == ">" and not header.nsymbt:
            return replace(plain, labels=header.labels)
        return replace(
            plain,
            byte_order=header.byte_order,
            extended=mrc.read_extended(self.source.path, header),
            exttyp=header.exttyp,
            extra=header.extra,
            labels=header.labels,
        )

    def _twin(self) -> mrc.Twin | None:
        """Give the source if its voxel bytes are those written and memory may still hold them."""
        source = self.source
        if not isinstance(source, mrc.Reader) or source.header.axes != (1, 2, 3) or self.recipe.kind == "mask":
            return None
        same = source.header.dtype == self.mrc.stored and not source.header.trailing
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return mrc.Twin(source.descriptor, source.header.data_offset) if same and self.mrc.size < memory // 2 else None

    def _note(self, text: str) -> None:
        self.notes.append(Finding("note", str(self.source.path), text))

    def _statistics(self, total: Moments) -> Statistics:
        sample = np.concatenate(self._sample).astype(np.float64)
        sample = sample[np.isfinite(sample)]
        p1, p99 = np.percentile(sample, [1, 99]) if sample.size else (0.0, 0.0)
        return Statistics(self.dtype.name, total.minimum, total.maximum, total.mean, float(p1), float(p99))


def _voxel_size(source: mrc.Reader | omezarr.Reader, recipe: Recipe) -> Vector:
    """Take the recipe's voxel size, else the header's; a difference of more than 0.1 % is noted by who compares."""
    size = recipe.voxel_size or source.voxel_size
    if min(size) > 0:
        return size
    if recipe.kind == "tilt_series" and min(size[:2]) > 0:
        return size[0], size[1], size[0]
    raise FormatError(source.path, "has no voxel size in its header: give it in the configuration.")


def _plan_memory(job: _Job) -> tuple[int, list[int]]:
    """Choose the number of workers and how wide the blocks of each level are, so that half the memory is enough."""
    deep, high, wide = job.chunks
    item = max(job.source.dtype.itemsize, 4)
    chunk = 4 * deep * high * wide * item
    cores = job.recipe.workers or len(os.sched_getaffinity(0)) + 1
    workers = max(1, min(cores, job.recipe.memory // 4 // chunk))
    width, longest = wide, job.source.shape[2]
    while width < longest and deep * high * 2 * width * item * (TILES + 2) <= job.recipe.memory // 2 - workers * chunk:
        width *= 2
    return workers, [max(wide, width // level.factors[2]) for level in job.levels]
