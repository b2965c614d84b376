"""Many clients at once, each with one request every two seconds, pages and API mixed; then more of them, up to five times as many.

Seven of ten requests are pages (listings with filters and pages, datasets, runs, searches), two are GraphQL (the queries of `queries.json`), one is REST;
identifiers, filters and words differ on every request, so that no answer comes from what was kept. A client has one request under way and one open connection;
a time is that from the moment a request was due to the last byte of its answer. For each number of clients one JSON line: requests a second as they were due and
as they were answered (200), shares of answers, of 429 with `Retry-After` and of anything else, p50, p95 and p99, resident memory of the workers at the beginning,
at the end and at most. The last lines hold the figures against what is wanted: at the first number of clients at least 99 % answered, at most 1 % 429, nothing
else, and p99 below 1 s; at the last one a throughput of at least 80 % of the best, and no more memory at the end than at the beginning.

`bench_load.py [--clients 500] [--every 2] [--seconds 60] [--times 1,2,3,5] [--datasets 500] [--workers 2] [--rate-limit 0] [--database sqlite]`; `--url` loads a server
that runs elsewhere, with a catalogue of as many datasets made by `make_dump.py`, and says nothing of its memory. Clients and server share the machine unless
`--url` is given: a client that is held up makes times longer, never shorter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench_browse import pages
from bench_search import draw
from serving import databases, memory, serving

WANTED = {"answered": 0.99, "refused": 0.01, "p99": 1.0, "throughput": 0.8, "memory": 1.1}
QUERIES = Path(__file__).parent / "queries.json"
RUNS = 40
"""Runs of each dataset that `make_dump.py` writes."""

SLOWEST = 30.0
"""Seconds after which a client gives up."""

WARM = 5.0
"""Seconds of a quarter of the load before the first figure, so that every worker has read the catalogue."""

Request = tuple[str, bytes]
"""Address, and what is posted; nothing is a GET."""


@dataclass
class Noted:
    """What the clients saw."""

    times: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    due: int = 0


def drawn(datasets: int) -> Callable[[random.Random], Request]:
    """Give what draws the next request of a client."""
    shown = [make for name, make in pages(datasets).items() if not name.startswith("nothing")]
    queries = [kind for name, kind in json.loads(QUERIES.read_text()).items() if name != "q0_typename"]

    def page(r: random.Random) -> Request:
        return r.choice(shown)(r), b""

    def graphql(r: random.Random) -> Request:
        kind = r.choice(queries)
        values = {name: _within(r, name, ends, datasets) for name, ends in kind["variables"].items()}
        return "/graphql", json.dumps({"query": kind["query"], "variables": values}).encode()

    def rest(r: random.Random) -> Request:
        return r.choice([
            f"/api/v1/runs/{r.randint(1, datasets * RUNS)}",
            f"/api/v1/datasets/{10000 + r.randint(1, datasets)}/runs?limit=20",
            f"/api/v1/annotations?{urlencode({'object': 'membrane', 'limit': r.randint(10, 60)})}",
            f"/api/v1/datasets?{urlencode({'search': draw(r, datasets), 'limit': 20})}",
        ]), b""  # fmt: skip

    kinds = [page] * 7 + [graphql] * 2 + [rest]
    return lambda r: r.choice(kinds)(r)


def _within(r: random.Random, name: str, ends: list[int], datasets: int) -> int:
    """Draw a value of a query; the ranges of the file are those of 500 datasets."""
    most = {"id": datasets * RUNS, "ds": 10000 + datasets, "offset": max(0, datasets - 30)}.get(name, ends[1])
    return r.randint(ends[0], max(ends[0], most))


@dataclass
class Client:
    """One of many: a connection that is kept open."""

    host: str
    port: int
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Request) -> str:
        """Make a request and read its answer whole; give the status, or what went wrong."""
        path, body = request
        head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nhost: {self.host}\r\naccept: text/html,*/*\r\n"
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        try:
            async with asyncio.timeout(SLOWEST):
                if self.streams is None:
                    self.streams = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
                reader, writer = self.streams
                writer.write(head.encode() + b"\r\n" + body)
                return await self._answer(reader)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self.close()
            return type(error).__name__

    async def _answer(self, reader: asyncio.StreamReader) -> str:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().splitlines()
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        if "chunked" in headers.get("transfer-encoding", ""):
            while size := int(await reader.readline(), 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        else:
            await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        status = first.split()[1]
        return "429 without Retry-After" if status == "429" and "retry-after" not in headers else status

    def close(self) -> None:
        """Close the connection."""
        if self.streams:
            self.streams[1].close()
        self.streams = None


async def load(url: str, make: Callable[[random.Random], Request], clients: int, every: float, seconds: float) -> Noted:
    """Let clients ask, each at its own moments, until the time is over."""
    parts, noted, begin = urlsplit(url), Noted(), time.monotonic()
    seed = random.randrange(1 << 30)

    async def one(number: int) -> None:
        r, client = random.Random(seed + number), Client(parts.hostname or "", parts.port or 80)
        due = begin + every * number / clients
        while due < begin + seconds:
            await asyncio.sleep(due - time.monotonic())
            noted.due += 1
            noted.statuses[await client.ask(make(r))] += 1
            now = time.monotonic()
            noted.times.append(now - due)
            due = max(due + every, now)
        client.close()

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(one(number))
    return noted


@contextmanager
def watched(pid: int | None) -> Iterator[list[float]]:
    """Note the resident memory of all workers together every second, in MiB."""
    found: list[float] = []

    async def note() -> None:
        while True:
            with suppress(OSError, StopIteration):
                found.append(sum(memory(pid)) if pid else 0.0)
            await asyncio.sleep(1)

    task = asyncio.get_running_loop().create_task(note())
    try:
        yield found
    finally:
        task.cancel()


async def step(url: str, pid: int | None, make: Callable[[random.Random], Request], clients: int, asked: argparse.Namespace) -> dict[str, Any]:  # fmt: skip
    """Load with one number of clients and give the figures."""
    began = time.monotonic()
    with watched(pid) as resident:
        noted = await load(url, make, clients, asked.every, asked.seconds)
        if pid:
            resident.append(sum(memory(pid)))
    lasted, total = time.monotonic() - began, sum(noted.statuses.values())
    cuts = statistics.quantiles(noted.times, n=100)
    good, refused = noted.statuses["200"] + noted.statuses["304"], noted.statuses["429"]
    return {
        "clients": clients, "offered_per_second": round(clients / asked.every, 1), "answered_per_second": round(good / lasted, 1), "requests": total,
        "answered": round(good / total, 4), "refused": round(refused / total, 4), "else": {k: n for k, n in noted.statuses.items() if k not in {"200", "304", "429"}},
        "p50_ms": round(cuts[49] * 1e3), "p95_ms": round(cuts[94] * 1e3), "p99_ms": round(cuts[98] * 1e3),
        **({"mib_begin": round(resident[0]), "mib_end": round(resident[-1]), "mib_most": round(max(resident))} if pid else {}),
    }  # fmt: skip


async def measure(url: str, pid: int | None, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Print the figures of every number of clients."""
    make, found = drawn(asked.datasets), []
    await load(url, make, max(1, asked.clients // 4), asked.every, WARM)
    for times in asked.times:
        figures = await step(url, pid, make, math.ceil(asked.clients * times), asked)
        print(json.dumps(figures), flush=True)
        found.append(figures)
    return found


def judge(found: list[dict[str, Any]]) -> None:
    """Print the figures against what is wanted."""
    first, last = found[0], found[-1]
    best = max(f["answered_per_second"] for f in found)
    lines = [
        ("answered", first["answered"], first["answered"] >= WANTED["answered"]),
        ("429", first["refused"], first["refused"] <= WANTED["refused"]),
        ("anything else", first["else"], not first["else"]),
        ("p99 in s", first["p99_ms"] / 1e3, first["p99_ms"] / 1e3 < WANTED["p99"]),
    ]
    if len(found) > 1:
        share = last["answered_per_second"] / best
        lines.append((f"throughput at {last['clients']} clients against the best", round(share, 2), share >= WANTED["throughput"]))  # fmt: skip
    if len(found) > 1 and "mib_end" in last:
        ratio = last["mib_end"] / last["mib_begin"]
        lines.append((f"memory at {last['clients']} clients, end against beginning", round(ratio, 2), ratio <= WANTED["memory"]))  # fmt: skip
    for name, value, good in lines:
        print(json.dumps({"goal": name, "found": value, "reached": good}), flush=True)


def numbers(text: str) -> list[float]:
    """Read numbers between commas."""
    return [float(part) for part in text.split(",")]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--every", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--times", type=numbers, default=[1, 2, 3, 5])
    parser.add_argument("--datasets", type=int, default=500)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rate-limit", type=int, default=0)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--url", default="")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = arguments()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each client has a connection, here and in the server
    if asked.url:
        judge(asyncio.run(measure(asked.url, None, asked)))
        return
    from dump_world import fill

    for name, environment in databases():
        if name != asked.database:
            continue
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for part in ("state", "archive"):
                (root / part).mkdir()
            (root / "archive" / "something").touch()  # one with nothing in it is one that cannot be reached
            fill(
                environment.get("TOMOTHECA_CATALOG_URL") or f"sqlite:///{root / 'state/catalog.sqlite'}", asked.datasets
            )
            given = {**environment, "TOMOTHECA_RATE_LIMIT": str(asked.rate_limit)}
            print(json.dumps({"database": name, "datasets": asked.datasets, "workers": asked.workers, "processors": os.cpu_count()}), flush=True)  # fmt: skip
            with serving(root, given, asked.workers) as (url, process):
                judge(asyncio.run(measure(url, process.pid, asked)))
        return
    sys.exit(f"There is no {asked.database} on this machine.")


if __name__ == "__main__":
    main()
