"""How much faster two workers are than one: tomograms of one dataset, taken in by the command, synced and hashed.

Run ``python benchmarks/bench_workers.py [TOMOGRAMS=16] [MIB=256] [ROUNDS=3] [FOLDER ...]``. Both take turns in this run, each round into a new archive; a worker is one
process that computes on one core. The figures are medians, with the largest process's peak memory. Goal: at least 1.7 times as fast.

Everything is measured in each folder: left out, that for temporary files (a disk) and ``/dev/shm`` (memory), which shows the processor's part. Each round also
has two commands with one worker each, side by side, that take in half of the tomograms each: nothing that two workers share can hold these back, so they are as fast as the machine lets two processes be,
and twice their start-up.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
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


def started(folder: Path, source: str, workers: int) -> subprocess.Popen[bytes]:
    """Begin to take a folder in."""
    words = [sys.executable, "-m", "tomotheca", "ingest", folder / "config.yaml", "--source", folder / source]
    more = ["--root", folder / f"root-{source}", "--workers", workers, "--no-index"]
    return subprocess.Popen(list(map(str, [*words, *more])), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def once(folder: Path, workers: int, *sources: str) -> tuple[float, float, float]:
    """Take folders in side by side, each with so many workers; give seconds, MiB of the largest process, seconds of the processor of what was waited for."""
    for source in sources:
        shutil.rmtree(folder / f"root-{source}", ignore_errors=True)
    settled()
    began = time.perf_counter()
    peak = processor = 0.0
    for process in [started(folder, source, workers) for source in sources]:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            message = f"ingest ended with {process.returncode}"
            raise RuntimeError(message)
        peak, processor = max(peak, usage.ru_maxrss / 1024), processor + usage.ru_utime + usage.ru_stime
    return time.perf_counter() - began, peak, processor


def main(count: int, mib: int, rounds: int, folders: Sequence[str]) -> None:
    """Measure in every folder."""
    for where in folders or [tempfile.gettempdir(), "/dev/shm"]:
        print(f"{where}:")
        measure(count, mib, rounds, where)


def halves(folder: Path) -> None:
    """Make two folders of one, each with half of the tomograms: the same files under other names."""
    for number, series in enumerate(sorted((folder / "source").iterdir())):
        half = folder / f"half{number % 2}" / series.name
        half.mkdir(parents=True)
        for file in series.iterdir():
            (half / file.name).hardlink_to(file)


def measure(count: int, mib: int, rounds: int, where: str) -> None:
    """Measure in one."""
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        maker = multiprocessing.get_context("spawn").Process(target=lab, args=(folder / "source", count, mib << 20))
        maker.start()  # elsewhere: what is started from here counts the memory that this process has had as its own
        maker.join()
        content = configuration(0)
        for key in ("tiltseries", "rawtilts", "collection_metadata", "frames", "alignments", "ctfs", "annotations"):
            del content[key]
        (folder / "config.yaml").write_text(yaml.safe_dump(content))
        halves(folder)
        taken: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
        apart = []
        for _ in range(rounds):
            for workers, found in taken.items():
                found.append(once(folder, workers, "source"))
                wall, peak, processor = found[-1]
                print(
                    f"  {workers} workers: {wall:.1f} s, {processor:.1f} s of the processor ({processor / wall:.2f} cores), {peak:.0f} MiB",
                    flush=True,
                )
            apart.append(once(folder, 1, "half0", "half1")[0])
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
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    first, second, third = (numbers + [16, 256, 3][len(numbers) :])[:3]
    main(first, second, third, [word for word in sys.argv[1:] if not word.isdecimal()])
