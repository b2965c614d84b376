"""How much faster two workers are than one: tomograms of one dataset, taken in by the command, synced and hashed.

Run ``python benchmarks/bench_workers.py [TOMOGRAMS=16] [MIB] [ROUNDS=3] [cold] [FOLDER ...]``. Both take turns in this run, each round into a new archive; a worker is one
process that computes on one core. The figures are medians, with the largest process's peak memory. Goal: at least 1.7 times as fast.

Everything is measured in each folder: left out, that for temporary files (a disk; 512 MiB each) and ``/dev/shm`` (memory, which has no room for more than 256 MiB each), which shows the
processor's part. Before each command the sources are read once, so that all find them in the page cache alike; with ``cold``, none does. Each round also
has two commands with one worker each, side by side, that take in half of the tomograms each: nothing that two workers share can hold these back, so they are as fast as the machine lets two processes be,
and twice their start-up.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from bench_plan import configuration
from tomotheca.formats import mrc

if TYPE_CHECKING:
    import resource

PLANE = 512

TO_US = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""

MEMORY = "/dev/shm"
MIB = 512
"""Of a tomogram on a disk; those that are published have 0.2 to 4 GiB."""

LESS = 256
"""Of a tomogram in memory."""


def lab(source: Path, count: int, size: int) -> None:
    """Make tomograms of so many bytes."""
    sections = size // (PLANE * PLANE * 4)
    volume = np.random.default_rng(1).normal(0, 1, (sections, PLANE, PLANE)).astype(np.float32)
    for number in range(count):
        folder = source / f"TS_{number:03d}"
        folder.mkdir(parents=True)
        mrc.write(folder / f"{folder.name}.rec", volume, voxel_size=10.0)


def configure(folder: Path) -> None:
    """Write a configuration that takes the tomograms in and nothing else."""
    content = configuration(0)
    for key in ("tiltseries", "rawtilts", "collection_metadata", "frames", "alignments", "ctfs", "annotations"):
        del content[key]
    (folder / "config.yaml").write_text(yaml.safe_dump(content))


def settled(source: Path, *, cold: bool) -> None:
    """Wait until what others have written is on the disk; leave sources in the page cache, or take them out."""
    subprocess.run(["sync"], check=True)
    memory = bytearray(4 << 20)
    for path in source.rglob("*.rec"):
        with path.open("rb", buffering=0) as file:
            if cold:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while not cold and file.readinto(memory):
                pass


def started(folder: Path, source: str, workers: int) -> subprocess.Popen[bytes]:
    """Begin to take a folder in."""
    words = [sys.executable, "-m", "tomotheca", "ingest", folder / "config.yaml", "--source", folder / source]
    more = ["--root", folder / f"root-{source}", "--workers", workers, "--no-index"]
    return subprocess.Popen(list(map(str, [*words, *more])), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def once(folder: Path, workers: int, *sources: str, cold: bool) -> tuple[float, float, float]:
    """Take folders in side by side, each with so many workers; give seconds, MiB of the largest process, seconds of the processor."""
    settled(folder / "source", cold=cold)
    began = time.perf_counter()
    processes = [started(folder, source, workers) for source in sources]
    usages = [waited(process) for process in processes]
    wall = time.perf_counter() - began
    usages += left_over()
    for source in sources:
        shutil.rmtree(folder / f"root-{source}")
    peak = max(usage.ru_maxrss for usage in usages) / 1024
    return wall, peak, sum(usage.ru_utime + usage.ru_stime for usage in usages)


def waited(process: subprocess.Popen[bytes]) -> resource.struct_rusage:
    """Wait for a command."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = f"ingest ended with {process.returncode}"
        raise RuntimeError(message)
    return usage


def left_over() -> list[resource.struct_rusage]:
    """Wait for what a command has left to end by itself: the process whose copies its workers were."""
    usages = []
    with suppress(ChildProcessError):
        while True:
            usages.append(os.wait4(-1, 0)[2])
    return usages


def main(count: int, mib: int | None, rounds: int, folders: Sequence[str], *, cold: bool) -> None:
    """Measure in every folder."""
    if ctypes.CDLL(None).prctl(TO_US, 1, 0, 0, 0):
        message = "processes that lose their parent do not come to this one: it cannot say what workers used"
        raise RuntimeError(message)
    for where in folders or [tempfile.gettempdir(), MEMORY]:
        size = mib or (LESS if where == MEMORY else MIB)
        print(f"{where}, {size} MiB each, {'not ' if cold else ''}in the page cache:")
        measure(count, size, rounds, where, cold=cold)


def halves(folder: Path) -> None:
    """Make two folders of one, each with half of the tomograms: the same files under other names."""
    for number, series in enumerate(sorted((folder / "source").iterdir())):
        half = folder / f"half{number % 2}" / series.name
        half.mkdir(parents=True)
        for file in series.iterdir():
            (half / file.name).hardlink_to(file)


def measure(count: int, mib: int, rounds: int, where: str, *, cold: bool) -> None:
    """Measure in one."""
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        maker = multiprocessing.get_context("fork").Process(target=lab, args=(folder / "source", count, mib << 20))
        maker.start()  # elsewhere: what is started from here counts the memory that this process has had as its own
        maker.join()
        configure(folder)
        halves(folder)
        taken: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
        apart = []
        for _ in range(rounds):
            for workers, found in taken.items():
                found.append(once(folder, workers, "source", cold=cold))
                wall, peak, processor = found[-1]
                print(
                    f"  {workers} workers: {wall:.1f} s, {processor:.1f} s of the processor ({processor / wall:.2f} cores), {peak:.0f} MiB",
                    flush=True,
                )
            apart.append(once(folder, 1, "half0", "half1", cold=cold)[0])
            print(f"  two commands, a worker each: {apart[-1]:.1f} s", flush=True)
        one, two = (statistics.median(found[0] for found in taken[n]) for n in (1, 2))
        each = [a[0] / b[0] for a, b in zip(taken[1], taken[2], strict=True)]
        print(
            f"{count} tomograms of {mib} MiB: 1 worker {one:.1f} s, 2 workers {two:.1f} s, {one / two:.2f} times as fast"
        )
        print(
            f"two commands side by side, a worker and half of the tomograms each: {statistics.median(apart):.1f} s, {one / statistics.median(apart):.2f} times as fast"
        )
        print(
            f"each round: {', '.join(f'{ratio:.2f}' for ratio in each)}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )


if __name__ == "__main__":
    numbers = dict(enumerate(int(word) for word in sys.argv[1:] if word.isdecimal()))
    words = [word for word in sys.argv[1:] if not word.isdecimal()]
    main(
        numbers.get(0, 16),
        numbers.get(1),
        numbers.get(2, 3),
        [word for word in words if word != "cold"],
        cold="cold" in words,
    )
