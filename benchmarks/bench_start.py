"""What a command costs before and after its work: an ingest of nothing new, with the collector of garbage as `tomotheca.cli.main` sets it and as Python does.

Run ``python benchmarks/bench_start.py [ROUNDS=15]``. Both ways take turns; medians, with peak memory.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_workers import configure, lab, waited

WAYS = {
    "as tomotheca starts": "from tomotheca.cli import main; main()",
    "as Python collects": "from tomotheca.cli.run import run; raise SystemExit(run())",
}


def once(code: str, folder: Path) -> tuple[float, float]:
    """Run the command; give seconds and MiB."""
    words = ["ingest", folder / "config.yaml", "--source", folder / "source", "--root", folder / "root", "--no-index"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    usage = waited(process)
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main(rounds: int) -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lab(folder / "source", 1, 1 << 20)
        configure(folder)
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for number in range(rounds + 1):
            for way, code in WAYS.items():
                measured = once(code, folder)
                if number:  # the first takes something in
                    found[way].append(measured)
        ours, plain = (statistics.median(seconds for seconds, _ in found[way]) for way in WAYS)
        for way, each in found.items():
            print(
                f"{way}: {statistics.median(s for s, _ in each):.2f} s, fastest {min(each)[0]:.2f} s, {max(m for _, m in each):.0f} MiB"
            )
        print(f"an ingest of nothing new takes {ours / plain:.2f} of the time")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
