"""Many runs of small files: planning, the first ingest, and a second one in which nothing has changed.

Run ``python benchmarks/bench_ingest.py [RUNS=400]``. Everything happens in this run, in this process; what the second ingest has written is seen
by comparing time and size of every file of the archive. Goals: a plan below 5 s, the second ingest below 10 s and 0 bytes written.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from bench_plan import configuration, lab
from tomotheca.desk.desk import Desk
from tomotheca.ingest.plan import IngestOptions, plan
from tomotheca.ingest.run import IngestResult, ingest
from tomotheca.store.files import LocalFiles


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Give time and size of every file of the archive."""
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*") if p.is_file()}


def timed(what: str, function: Callable[[], Any]) -> Any:
    """Call a function, print how long it took on the wall and the processor, give its answer."""
    wall, processor = time.perf_counter(), time.process_time()
    answer = function()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    words = f"{time.perf_counter() - wall:.1f} s on the wall, {time.process_time() - processor:.1f} s of the processor"
    print(f"{what}: {words}, at most {peak:.0f} MiB so far", flush=True)
    return answer


def main(runs: int) -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lab(folder / "source", runs)
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump(configuration(1)))
        options = IngestOptions(config, folder / "source", workers=2)
        files = LocalFiles(folder / "archive")
        timed(f"plan of {runs} runs", lambda: plan(options, files))

        def once() -> IngestResult:
            with Desk.open(folder / "desk.sqlite") as desk:
                return ingest(options, files=files, desk=desk)

        first = timed("first ingest", once)
        print(f"  {first.written} documents, {first.bytes / 1e6:.0f} MB of files")
        before = stamps(folder / "archive")
        again = timed("second ingest, nothing changed", once)
        after = stamps(folder / "archive")
        changed = sum(after[path][1] for path in after if after[path] != before.get(path))
        print(f"  {again.written} documents, {changed} bytes written in {len(after)} files of the archive")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
