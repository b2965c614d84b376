"""How much faster two workers are than one: tomograms of one dataset, taken in by the command, synced and hashed.

Run ``python benchmarks/bench_workers.py [TOMOGRAMS=16] [MIB=64] [ROUNDS=3]``. Both take turns in this run, each round into a new archive; a worker is one
process with one thread. The figures are medians, with the largest process's peak memory. Goal: at least 1.7 times as fast.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
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


def main(count: int, mib: int, rounds: int) -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lab(folder / "source", count, mib << 20)
        content = configuration(0)
        for key in ("tiltseries", "rawtilts", "collection_metadata", "frames", "alignments", "ctfs", "annotations"):
            del content[key]
        (folder / "config.yaml").write_text(yaml.safe_dump(content))
        taken: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
        for _ in range(rounds):
            for workers, found in taken.items():
                found.append(once(folder, workers))
                wall, peak, processor = found[-1]
                print(
                    f"  {workers} workers: {wall:.1f} s, {processor:.1f} s of the processor, {peak:.0f} MiB", flush=True
                )
        one, two = (statistics.median(found[0] for found in taken[n]) for n in (1, 2))
        each = [a[0] / b[0] for a, b in zip(taken[1], taken[2], strict=True)]
        print(
            f"{count} tomograms of {mib} MiB: 1 worker {one:.1f} s, 2 workers {two:.1f} s, {one / two:.2f} times as fast"
        )
        print(
            f"each round: {', '.join(f'{ratio:.2f}' for ratio in each)}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [16, 64, 3][len(given) :]))
