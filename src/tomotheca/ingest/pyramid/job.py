"""One conversion while it runs.

The volume is walked as a tree: a block of a coarse level is made from the eight blocks below it, down to tiles of level
0 that are read with ``pread``. So at any time there are a few tiles and one block of each level in memory. One thread
reads and makes coarser, the others measure, compress and write; at most so many of them compute at once as the recipe has workers.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import fields
from typing import Any, Self

import numpy as np

from tomotheca.errors import Finding
from tomotheca.formats import direct, mrc, omezarr
from tomotheca.formats.files import sync_tree
from tomotheca.formats.omezarr.levels import BLOCK, SECTION, Box, Level, Triple, box_of, grid, plan_levels, triple
from tomotheca.formats.reduce import Array, coverage, finished, halve
from tomotheca.formats.resample import Resampled
from tomotheca.formats.statistics import Moments, moments
from tomotheca.ingest.pyramid import choices
from tomotheca.ingest.pyramid.choices import TILES, Source
from tomotheca.ingest.pyramid.recipe import METHODS, Conversion, LevelSize, Pyramid, Recipe, Statistics, Target
from tomotheca.ingest.pyramid.turns import Turns

SAMPLE = 2_000_000
"""Voxels, about, from which the percentiles are taken: every n-th along each axis."""

LARGE = 64 << 20
"""Bytes from which the disk is made to write while the MRC file is finished: the caller's sync is then short."""


class Job:
    """One conversion while it runs."""

    def __init__(self, source: Source, target: Target, recipe: Recipe) -> None:
        self.source, self.target, self.recipe = source, target, recipe
        self.method = METHODS[recipe.kind]
        self.voxel_size = choices.voxel_size(source, recipe)
        self.dtype, dtype_notes = choices.stored_dtype(source, recipe)
        self.layout, layout_notes = choices.mrc_layout(source, recipe, self.dtype)
        self.notes = [*source.notes, *dtype_notes, *layout_notes]
        self.step = SECTION if recipe.kind == "tilt_series" else BLOCK
        self.chunks = choices.chunks(recipe)
        x, y, z = self.voxel_size
        self.levels = plan_levels(source.shape, (z, y, x), step=self.step, chunks=self.chunks)
        self.workers, self.widths = choices.plan_memory(source, recipe, self.levels)
        self.turns = Turns(recipe.workers)
        self.stride = max(1, round((math.prod(source.shape) / SAMPLE) ** (1 / 3)))
        self._lock = threading.Lock()
        self._moments: list[tuple[tuple[int, int, int], Moments]] = []
        self._sample: list[Array] = []
        self._seen = np.zeros(choices.LABELS if recipe.kind == "labels" else 0, bool)
        self._groups: deque[list[Future[None]]] = deque()
        self._buffers: deque[memoryview] = deque()
        self._coming: Iterator[Box] = iter(())
        self._open = ExitStack()
        self._lent = self._open.enter_context(ExitStack())

    def __enter__(self) -> Self:
        self.pool = self._threads()
        whole_rows = self.widths[0] >= self.source.shape[2]
        twin = choices.twin(self.source, self.recipe, self.layout)
        self.mrc = mrc.Writer(self.target.mrc, self.layout, rows=self.chunks[1] if whole_rows else 0, twin=twin)
        self.zarr = omezarr.Writer(self.target.zarr, self.levels, self.dtype, form=self.recipe.form)
        self.mrc.aside = self.zarr.aside = self.turns.waiting
        self.mrc.computing = self.turns.computing
        self._lent.callback(self.mrc.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _threads(self) -> ThreadPoolExecutor:
        """Start the threads; they have ended before the memory that they use is given back."""
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="pyramid")
        self._open.callback(pool.shutdown, wait=True, cancel_futures=True)
        return pool

    def run(self, progress: Callable[[int], None]) -> Conversion:
        """Walk the whole tree and finish both files."""
        total = self._walk(progress)
        finishing = self.pool.submit(self.turns.call, self.mrc.finish, total)
        made = self._pyramid(total)
        if self.mrc.size >= LARGE:
            sync_tree(self.target.zarr)
        member = finishing.result()
        if isinstance(self.source, mrc.Reader):
            self.source.check_unchanged()
        known = {f.name: getattr(made, f.name) for f in fields(made)}
        return Conversion(**known, mrc=member, source_sha256=self.mrc.twin_sha256)

    def _walk(self, progress: Callable[[int], None]) -> Moments:
        """Read every voxel once and write every chunk; what is known of all voxels comes out."""
        self.progress = progress
        top = self.levels[-1]
        read = self.source.source if isinstance(self.source, Resampled) else self.source
        file = read if isinstance(read, mrc.Reader) else None
        blocks = list(grid(top.shape, self._block(top)))
        self._coming = (box for index in blocks for box in self._tiles(top, index))
        self._look_ahead()
        with self.turns.computing(), file.giving(self.turns.waiting) if file else nullcontext():
            for index in blocks:
                self._node(top, index)
            while self._groups:
                self._wait()
        total = sum((moment for _, moment in sorted(self._moments, key=lambda item: item[0])), Moments())
        if total.skipped:
            text = f"{total.skipped} voxels are not finite; the statistics leave them out."
            self.notes.append(Finding("warning", str(self.source.path), text))
        if file:
            file.check_unchanged()
        return total

    def _pyramid(self, total: Moments) -> Pyramid:
        """Finish the OME-Zarr directory and say what it is."""
        with self.turns.computing():
            return self._finished(total)

    def _finished(self, total: Moments) -> Pyramid:
        stored = [self.zarr.stored_bytes(level) for level in self.levels]
        name = self.recipe.name or self.target.zarr.stem
        labels = tuple((np.flatnonzero(self._seen[1:]) + 1).tolist())
        members = self.zarr.finish(name, self.method, is_label=self.method != "mean", labels=labels)
        return Pyramid(
            zarr=members,
            levels=tuple(
                LevelSize(level.path, level.shape, level.scale, level.translation, size)
                for level, size in zip(self.levels, stored, strict=True)
            ),
            statistics=self._statistics(total),
            dtype=self.dtype.name,
            shape=self.source.shape,
            voxel_size=self.voxel_size,
            notes=tuple(self.notes),
            labels=tuple(int(label) for label in labels),
        )

    def _node(self, level: Level, index: Triple) -> Array:
        """Make one block of a level from the blocks below it, hand it to the writers and return it."""
        if level.number == 0:
            return self._tile(index)
        below = self.levels[level.number - 1]
        box = box_of(index, self._block(level), level.shape)
        block = np.empty([part.stop - part.start for part in box], self._carried())
        for child, child_box in self._children(level, index):
            stop = triple(part.stop for part in child_box)
            cover = coverage(self.source.shape, below.factors, stop, self.step)
            part = halve(self._node(below, child), cover, method=self.method)
            at = (c.start // f - b.start for c, f, b in zip(child_box, self.step, box, strict=True))
            block[tuple(slice(a, a + n) for a, n in zip(at, part.shape, strict=True))] = part
        self._store(level, box, block)
        return block

    def _children(self, level: Level, index: Triple) -> Iterator[tuple[Triple, Box]]:
        """Give the blocks, with their boxes, of the level below that one is made from."""
        below = self.levels[level.number - 1]
        size, size_below = self._block(level), self._block(below)
        children = [s * f // b for s, f, b in zip(size, self.step, size_below, strict=True)]
        for offset in np.ndindex(*children):
            child = triple(i * c + o for i, c, o in zip(index, children, offset, strict=True))
            box = box_of(child, size_below, below.shape)
            if all(part.start < part.stop for part in box):
                yield child, box

    def _tiles(self, level: Level, index: Triple) -> Iterator[Box]:
        """Give the tiles that a block is made from, in the order in which they are read."""
        if level.number == 0:
            yield box_of(index, self._block(level), level.shape)
            return
        for child, _ in self._children(level, index):
            yield from self._tiles(self.levels[level.number - 1], child)

    def _look_ahead(self) -> None:
        """Have the disk read the next tile while another is worked on."""
        box = next(self._coming, None)
        if box and isinstance(self.source, mrc.Reader):
            self.source.expect(box)

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
            self._buffers.append(self._lent.enter_context(direct.lent(nbytes * self.source.dtype.itemsize)))
        self._buffers.rotate(1)
        block = self.source.read(box, out=self._buffers[0])
        self._look_ahead()
        block = choices.converted(block, self.source, self.recipe, self.dtype)
        self._submit(self._measure, box, block)  # first: its long write goes on while chunks are compressed
        self._store(level, box, block)
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
        self._keep(box, block)
        measured = moments(block)
        if len(self._seen) and measured.maximum > 0:
            self._seen[block] = True
        grid = tuple(slice(-part.start % self.stride, None, self.stride) for part in box)
        share = block[grid].ravel().copy()
        with self._lock:
            self._moments.append(((box[0].start, box[1].start, box[2].start), measured))
            self._sample.append(share)

    def _keep(self, box: Box, block: Array) -> None:
        """Write a tile of level 0 to the MRC file, unless all its voxels are copied afterwards."""
        if self.mrc.twin is None:
            self.mrc.write(box, block)

    def _submit(self, function: Callable[..., None], *arguments: object) -> None:
        self._groups[-1].append(self.pool.submit(self.turns.call, function, *arguments))

    def _wait(self) -> None:
        """Wait until everything that came out of the oldest tile is written; the first error is raised."""
        with self.turns.waiting():
            for future in self._groups.popleft():
                future.result()

    def _block(self, level: Level) -> Triple:
        """Shape of the blocks in which a level is made: a chunk high and deep, several wide."""
        return self.chunks[0], self.chunks[1], self.widths[level.number]

    def _carried(self) -> np.dtype[Any]:
        """Give the dtype in which coarser levels are carried upwards."""
        return self.dtype if self.method == "mode" else np.dtype(np.float32)

    def _statistics(self, total: Moments) -> Statistics:
        sample = np.concatenate(self._sample).astype(np.float64)
        sample = sample[np.isfinite(sample)]
        p1, p99 = np.percentile(sample, [1, 99]) if sample.size else (0.0, 0.0)
        return Statistics(self.dtype.name, total.minimum, total.maximum, total.mean, float(p1), float(p99))
