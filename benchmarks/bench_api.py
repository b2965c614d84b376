"""Five page-like GraphQL queries over HTTP, beside hand-written SQL in the same server: requests/s, latencies, memory.

Run ``python benchmarks/bench_api.py [DATASETS=500] [SECONDS=5] [CLIENTS=8]``. Variables are drawn at random for every request; the
response cache is off. With PostgreSQL's programs on the machine the same is done there. ``DATASETS=5000`` gives ten times the rows.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

import make_dump
from load import load
from serving import databases, memory, processor, serving

QUERIES = json.loads((Path(__file__).parent / "queries.json").read_text())
PLAIN = {"q4_aggregate_groupby": "/plain/groups", "q5_runs_table": "/plain/runs"}
WANTED = {"q4_aggregate_groupby": 100, "q0_typename": 0}
"""Requests per second, where they are not 300."""

STREAM = (
    "{ annotations { id objectName objectId annotationMethod depositionDate run { id name } deposition { id title } } }"
)
MANY = 10_000


def main(datasets: int, seconds: float, clients: int) -> None:
    """Print the figures, database by database."""
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "dump"
        make_dump.main(dump, datasets, 40)
        for name, settings in databases():
            print(f"== {name}, {datasets} datasets", flush=True)
            root = Path(folder) / name
            load_dump(dump, root, settings)
            with served(root, settings) as (url, server):
                asyncio.run(measure(url, server, seconds, clients))


def load_dump(dump: Path, root: Path, settings: dict[str, str]) -> None:
    """Load the dump with the program itself."""
    words = [sys.executable, "-m", "tomotheca", "load", str(dump), "--root", str(root), "--json"]
    done = subprocess.run(words, check=True, capture_output=True, env=settings)
    answer = json.loads(done.stdout)
    print(f"load: {answer['rows']:,} rows in {answer['seconds']:.1f} s", flush=True)


@contextmanager
def served(root: Path, settings: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve with two workers, the hand-written routes beside ours."""
    with serving(root, {**settings, "TOMOTHECA_RESPONSE_CACHE": "0"}, workers=2) as found:
        yield found


async def measure(url: str, server: subprocess.Popen[bytes], seconds: float, clients: int) -> None:
    """Print requests per second of every query, and of the hand-written routes."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=clients)) as session:

        async def loaded(address: str, kind: dict[str, Any]) -> dict[str, Any]:
            await load(session, address, kind, clients, 1)
            before = processor(server.pid)
            found: dict[str, Any] = await load(session, address, kind, clients, seconds)
            return {**found, "cpu": (processor(server.pid) - before) / (found["rps"] * seconds) * 1e3}

        for name, kind in QUERIES.items():
            found = await loaded(f"{url}/graphql", kind)
            print(f"{name}: {said(found)} (at least {WANTED.get(name, 300)}/s)")
            if name in PLAIN:
                plain = await loaded(url + PLAIN[name], kind)
                ratio, cpu = found["rps"] / plain["rps"], plain["cpu"] / found["cpu"]
                print(
                    f"  hand-written SQL: {said(plain)}: ours is {ratio:.2f} of it, {cpu:.2f} by processor time (at least 0.5)"
                )
            sys.stdout.flush()
        print(f"memory of the workers: {', '.join(f'{m:.0f}' for m in memory(server.pid))} MiB (each below 200)")
        await single(session, f"{url}/graphql")
        print(f"memory of the workers after it: {', '.join(f'{m:.0f}' for m in memory(server.pid))} MiB", flush=True)


def said(found: dict[str, Any]) -> str:
    """Put a measurement into words."""
    return (
        f"{found['rps']:,.0f}/s, p50 {found['p50_ms']}, p99 {found['p99_ms']} ms, {found['cpu']:.2f} ms of processor time, "
        f"{found['bytes']:,} bytes, {found['errors']} errors"
    )


async def single(session: aiohttp.ClientSession, url: str) -> None:
    """Time one long list of identifiers, and the whole list of annotations."""
    ids = list(range(1, MANY + 1))
    body: dict[str, Any] = {
        "query": "query($i: [Int!]) { annotations(where: {id: {_in: $i}}, limitOffset: {limit: 100}) { id objectName } }",
        "variables": {"i": ids},
    }
    times = []
    for turn in range(10):
        body["variables"]["i"] = [i + turn for i in ids]
        started = time.perf_counter()
        async with session.post(url, json=body) as answer:
            await answer.read()
        times.append((time.perf_counter() - started) * 1e3)
    print(f"_in with {MANY:,} identifiers: {sorted(times)[5]:.1f} ms (below 100)")
    started, size = time.perf_counter(), 0
    async with session.post(url, json={"query": STREAM}) as answer:
        async for piece in answer.content.iter_any():
            size += len(piece)
    print(f"all annotations: {size / 1e6:.1f} MB in {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    given = [*sys.argv[1:], *["500", "5", "8"][len(sys.argv) - 1 :]]
    main(int(given[0]), float(given[1]), int(given[2]))
