"""How fast the catalogue is built: from a dump, and from an archive with large manifests. See docs/benchmarks.md.

    python benchmarks/bench_index.py [--datasets 500] [--archive-datasets 500] [--catalog-url postgresql://...]

The baseline reads the same dump with `json` and puts its rows into untyped SQLite tables with `executemany`, without a check, an index or
an owner for any row. Both are timed in processes of their own, and memory is the peak of the process and of its workers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import make_archive
import make_dump


def baseline(folder: Path, database: Path) -> int:
    """Put a dump into SQLite as a short script would."""
    count = 0
    connection = sqlite3.connect(database)
    for path in sorted(folder.glob("*.ndjson")):
        rows: list[dict[str, Any]] = [json.loads(line) for line in path.open(encoding="utf-8")]
        names = list(dict.fromkeys(name for row in rows for name in row))
        connection.execute(f"CREATE TABLE {path.stem} ({', '.join(names)})")
        marks = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO {path.stem} VALUES ({marks})", [[r.get(n) for n in names] for r in rows])
        count += len(rows)
    connection.commit()
    connection.close()
    return count


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    seconds: float
    cpu: float
    """Seconds of the process itself; those of processes that it starts for reading documents are not among them."""

    memory: int
    said: str


def measured(*words: str | Path, **environment: str) -> Cost:
    """Run a command in a process of its own."""
    before, cpu = time.perf_counter(), spent()
    command = [sys.executable, Path(__file__).resolve(), "--inside", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    said, _, memory = done.stdout.rpartition("memory ")
    return Cost(time.perf_counter() - before, spent() - cpu, int(memory), said)


def spent() -> float:
    """Give the processor time of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def inside(words: list[str]) -> None:
    """Run one command in this process, and say its peak memory last."""
    if words[0] == "baseline":
        print(json.dumps({"rows": baseline(Path(words[1]), Path(words[2]))}))
    else:
        from tomotheca.cli.run import run

        if run(words):
            sys.exit(1)
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"memory {peak * 1024}\n")


def line(what: str, cost: Cost, rows: int, against: Cost | None = None) -> None:
    """Print one line of the table."""
    ratios = ""
    if against:
        pairs = ((cost.seconds, against.seconds), (cost.cpu, against.cpu), (cost.memory, against.memory))
        ratios = " ".join(f"{a / b:5.2f}x" for a, b in pairs)
    print(
        f"{what:<52} {cost.seconds:7.1f} s {cost.cpu:6.1f} s CPU {rows / cost.seconds:9,.0f} rows/s {cost.memory / 1e6:6.0f} MB  {ratios}",
        flush=True,
    )


def main() -> None:
    """Make the data, build the catalogues, print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--datasets", type=int, default=500)
    parser.add_argument("--archive-datasets", type=int, default=500)
    parser.add_argument("--catalog-url", default="")
    given = parser.parse_args()
    environment = {"TOMOTHECA_CATALOG_URL": given.catalog_url} if given.catalog_url else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{os.cpu_count()} cores; the last columns are time, CPU and memory against the baseline")
        if given.datasets:
            bench_dump(folder, given.datasets, environment)
        if given.archive_datasets:
            bench_archive(folder, given.archive_datasets, environment)


def bench_dump(folder: Path, datasets: int, environment: dict[str, str]) -> None:
    """Load a dump and index it again."""
    make_dump.main(folder / "dump", datasets, 40)
    rows = sum(path.read_bytes().count(b"\n") for path in (folder / "dump").iterdir())
    base = measured("baseline", folder / "dump", folder / "baseline.sqlite")
    line(f"baseline: {rows:,} rows, json and sqlite3", base, rows)
    root = folder / "portal"
    for what, words in (
        ("tomotheca load", ["load", folder / "dump"]),
        ("tomotheca index", ["index"]),
        ("tomotheca dump", ["dump", folder / "out"]),
    ):
        line(what, measured(*words, "--root", root, **environment), rows, base)


def bench_archive(folder: Path, datasets: int, environment: dict[str, str]) -> None:
    """Index an archive whose manifests stand for 1,200 files a run."""
    root = folder / "archive-portal"
    make_archive.main(root / "archive", datasets, 40)
    words = ["index", "--root", root, "--json"]
    for what in ("tomotheca index, first", "tomotheca index, again"):
        cost = measured(*words, **environment)
        told = json.loads(cost.said[cost.said.index("{") : cost.said.rindex("}") + 1])
        members = datasets * 40 * 1200
        line(f"{what}: {datasets * 40:,} runs, {members:,} files", cost, told["rows"] + told["files"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2:])
    else:
        main()
