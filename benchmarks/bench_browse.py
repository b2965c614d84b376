"""Server time of pages on a portal-sized catalogue, by a closed-loop load of 8 clients: p50 and p95 per page, with memory.

The baseline in the same run is `/healthz` of the same server: what a request costs that does nothing. Filter values and page numbers are
drawn at random, so that no answer comes from a cache of whole pages.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from dump_world import fill

ORGANISMS = [
    "Homo sapiens",
    "Saccharomyces cerevisiae",
    "Mus musculus",
    "Chlamydomonas reinhardtii",
    "Escherichia coli",
]
SORTS = ["title", "-runs", "organism", "-released", "-annotations", "voxel"]


def pages(datasets: int) -> dict[str, Callable[[random.Random], str]]:
    """Give the pages that are measured, each with what varies in it."""
    return {
        "nothing (/healthz)": lambda _: "/healthz",
        "browse": lambda r: f"/browse-data/datasets?page={r.randint(1, datasets // 20)}&sort={r.choice(SORTS)}",
        "browse, filtered": lambda r: "/browse-data/datasets?" + urlencode(
            {"organism": r.choice(ORGANISMS), "quality_score": r.randint(1, 5), "voxel-spacing": f"..{r.uniform(7, 12):.3f}"}
        ),
        "dataset": lambda r: f"/datasets/{10000 + r.randint(1, datasets)}",
        "run": lambda r: f"/runs/{r.randint(1, datasets * 40)}",
    }  # fmt: skip


def main() -> None:
    """Measure and print one JSON line per page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=500)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "state").mkdir()
        (root / "archive").mkdir()
        fill(f"sqlite:///{root / 'state/catalog.sqlite'}", asked.datasets)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        command = [sys.executable, "-m", "tomotheca", "serve", "--root", str(root), "--port", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _await(port)
            base = 0.0
            for name, make in pages(asked.datasets).items():
                figures = measure(port, make, asked.clients, asked.seconds)
                base = base or figures["p50_ms"]
                print(json.dumps({"page": name, "datasets": asked.datasets, "clients": asked.clients, **figures,
                                  "times_the_baseline": round(figures["p50_ms"] / base, 1)}), flush=True)  # fmt: skip
            print(json.dumps({"resident_mib_of_all_workers": _memory(server.pid)}))
        finally:
            server.terminate()
            server.wait(20)


def measure(port: int, make: Callable[[random.Random], str], clients: int, seconds: float) -> dict[str, float]:
    """Load one kind of page and give its figures; the first second does not count."""
    times: list[float] = []
    errors: list[int] = []
    start = time.monotonic() + 1

    def client(seed: int) -> None:
        draw = random.Random(seed)
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        while (began := time.monotonic()) < start + seconds:
            connection.request("GET", make(draw), headers={"Accept": "text/html"})
            answer = connection.getresponse()
            answer.read()
            if began > start:
                times.append((time.monotonic() - began) * 1000)
                if answer.status != 200:
                    errors.append(answer.status)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cuts = statistics.quantiles(times, n=100)
    return {
        "requests_per_second": round(len(times) / seconds, 1), "p50_ms": round(cuts[49], 1), "p95_ms": round(cuts[94], 1),
        "p99_ms": round(cuts[98], 1), "errors": len(errors),
    }  # fmt: skip


def _await(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    message = "the server did not start"
    raise SystemExit(message)


def _memory(parent: int) -> float:
    """Give the resident memory of a process and its children in MiB."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if str(parent) in {fields.get("Pid", "").strip(), fields.get("PPid", "").strip()} and "VmRSS" in fields:
            total += int(fields["VmRSS"].split()[0])
    return round(total / 1024, 1)


if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    main()
