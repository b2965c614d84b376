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


def measured(*words: str | Path, **environment: str) -> tuple[float, int, str]:
    """Run a command and give its seconds, peak memory in bytes, and what it said."""
    before = time.perf_counter()
    command = [sys.executable, Path(__file__).resolve(), "--inside", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    said, _, memory = done.stdout.rpartition("memory ")
    return time.perf_counter() - before, int(memory), said


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


def line(what: str, seconds: float, rows: int, memory: int, against: tuple[float, int] | None = None) -> None:
    """Print one line of the table."""
    ratios = f"{seconds / against[0]:5.2f}x {memory / against[1]:5.2f}x" if against else f"{'':13}"
    print(f"{what:<44} {seconds:7.1f} s {rows / seconds:9,.0f} rows/s {memory / 1e6:7.0f} MB  {ratios}", flush=True)


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
        print(f"{os.cpu_count()} cores; the last columns are time and memory against the baseline")
        if given.datasets:
            bench_dump(folder, given.datasets, environment)
        if given.archive_datasets:
            bench_archive(folder, given.archive_datasets, environment)


def bench_dump(folder: Path, datasets: int, environment: dict[str, str]) -> None:
    """Load a dump and index it again."""
    make_dump.main(folder / "dump", datasets, 40)
    rows = sum(path.read_bytes().count(b"\n") for path in (folder / "dump").iterdir())
    seconds, memory, _ = measured("baseline", folder / "dump", folder / "baseline.sqlite")
    base = (seconds, memory)
    line(f"baseline: {rows:,} rows, json and sqlite3", seconds, rows, memory)
    root = folder / "portal"
    for what, words in (
        ("tomotheca load", ["load", folder / "dump"]),
        ("tomotheca index", ["index"]),
        ("tomotheca dump", ["dump", folder / "out"]),
    ):
        seconds, memory, _ = measured(*words, "--root", root, **environment)
        line(what, seconds, rows, memory, base)


def bench_archive(folder: Path, datasets: int, environment: dict[str, str]) -> None:
    """Index an archive whose manifests stand for 1,200 files a run."""
    root = folder / "archive-portal"
    make_archive.main(root / "archive", datasets, 40)
    words = ["index", "--root", root, "--json"]
    for what in ("tomotheca index, first", "tomotheca index, again"):
        seconds, memory, said = measured(*words, **environment)
        told = json.loads(said[said.index("{") : said.rindex("}") + 1])
        members = datasets * 40 * 1200
        line(f"{what}: {datasets * 40:,} runs, {members:,} files", seconds, told["rows"] + told["files"], memory)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2:])
    else:
        main()
