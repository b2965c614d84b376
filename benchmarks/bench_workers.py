"""How much faster two workers are than one: tomograms of one dataset, taken in by the command, synced and hashed.

Run ``python benchmarks/bench_workers.py [TOMOGRAMS=16] [MIB=64] [ROUNDS=3] [FOLDER ...]``. Both take turns in this run, each round into a new archive; a worker is one
process that computes on one core. The figures are medians, with the largest process's peak memory. Goal: at least 1.7 times as fast.

Everything is measured in each folder: left out, that for temporary files (a disk) and ``/dev/shm`` (memory), which shows the processor's part. Each round also
has two processes that only count beside one that does: so many times one core is what the machine had for two at that moment.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import yaml

from bench_plan import configuration
from tomotheca.formats import mrc

PLANE = 512


def lab(source: Path, count: int, size: int) -> None:
    """Make tomograms of so many bytes."""
    sections = size // (PLANE * PLANE * 4)
    volume = np.random.default_rng(1).normal(0, 1, (sections, PLANE, PLANE)).astype(np.float32)
    for number in range(count):
        folder = source / f"TS_{number:03d}"
        folder.mkdir(parents=True)
        mrc.write(folder / f"{folder.name}.rec", volume, voxel_size=10.0)


def settled() -> None:
    """Wait until what others have written is on the disk."""
    subprocess.run(["sync"], check=True)


def once(folder: Path, workers: int) -> tuple[float, float, float]:
    """Take everything in with so many workers; give seconds, MiB of the largest process, seconds of the processor of all of them."""
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    settled()
    words = [
        sys.executable,
        "-m",
        "tomotheca",
        "ingest",
        folder / "config.yaml",
        "--source",
        folder / "source",
        "--root",
        root,
    ]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*map(str, words), "--workers", str(workers), "--no-index"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        message = f"ingest ended with {process.returncode}"
        raise RuntimeError(message)
    return seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def count(_: int = 0) -> float:
    """Keep a core busy with as much as always; give the seconds."""
    began = time.perf_counter()
    sum(number & 7 for number in range(20_000_000))
    return time.perf_counter() - began


def cores(pool: ProcessPoolExecutor) -> float:
    """Say how many cores' worth two processes get that only count."""
    (one,) = pool.map(count, range(1))
    began = time.perf_counter()
    list(pool.map(count, range(2)))
    return 2 * one / (time.perf_counter() - began)


def main(count_: int, mib: int, rounds: int, folders: Sequence[str]) -> None:
    """Measure in every folder."""
    for where in folders or [tempfile.gettempdir(), "/dev/shm"]:
        print(f"{where}:")
        measure(count_, mib, rounds, where)


def measure(count: int, mib: int, rounds: int, where: str) -> None:
    """Measure in one."""
    with tempfile.TemporaryDirectory(dir=where) as name, ProcessPoolExecutor(2) as pool:
        folder = Path(name)
        lab(folder / "source", count, mib << 20)
        content = configuration(0)
        for key in ("tiltseries", "rawtilts", "collection_metadata", "frames", "alignments", "ctfs", "annotations"):
            del content[key]
        (folder / "config.yaml").write_text(yaml.safe_dump(content))
        taken: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
        given = []
        for _ in range(rounds):
            given.append(cores(pool))
            for workers, found in taken.items():
                found.append(once(folder, workers))
                wall, peak, processor = found[-1]
                print(
                    f"  {workers} workers: {wall:.1f} s, {processor:.1f} s of the processor ({processor / wall:.2f} cores), {peak:.0f} MiB",
                    flush=True,
                )
        one, two = (statistics.median(found[0] for found in taken[n]) for n in (1, 2))
        each = [a[0] / b[0] for a, b in zip(taken[1], taken[2], strict=True)]
        print(
            f"{count} tomograms of {mib} MiB: 1 worker {one:.1f} s, 2 workers {two:.1f} s, {one / two:.2f} times as fast"
        )
        print(f"two processes that only count: {statistics.median(given):.2f} times what one does")
        print(
            f"each round: {', '.join(f'{ratio:.2f}' for ratio in each)}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    first, second, third = (numbers + [16, 64, 3][len(numbers) :])[:3]
    main(first, second, third, [word for word in sys.argv[1:] if not word.isdecimal()])
