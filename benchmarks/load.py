"""Closed-loop load on a GraphQL endpoint: load.py URL [CLIENTS=8] [SECONDS=5] [QUERIES=queries.json].

Every request draws its variables at random from the ranges in the file, so that answers cannot come from a cache of
repeated bodies. Prints one JSON line a query: requests/s, p50/p90/p99 in ms, errors, mean bytes. Needs aiohttp.
It shares the machine with the server and tops out near 4,500 requests/s: for faster answers use wrk.
"""

import asyncio
import json
import random
import sys
import time
from pathlib import Path

import aiohttp


async def load(session: aiohttp.ClientSession, url: str, kind: dict, clients: int, seconds: float) -> dict:
    draw = random.Random(1)
    latencies: list[float] = []
    errors = size = 0
    end = time.perf_counter() + seconds

    async def client() -> None:
        nonlocal errors, size
        while (start := time.perf_counter()) < end:
            variables = {name: draw.randint(*bounds) for name, bounds in kind["variables"].items()}
            async with session.post(url, json={"query": kind["query"], "variables": variables}) as answer:
                body = await answer.read()
            latencies.append((time.perf_counter() - start) * 1e3)
            size += len(body)
            errors += answer.status != 200 or b'"errors"' in body[-2000:] or body.startswith(b'{"data":null')

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - started
    latencies.sort()
    at = lambda share: round(latencies[min(len(latencies) - 1, int(share * len(latencies)))], 1)  # noqa: E731
    return {
        "rps": round(len(latencies) / elapsed, 1),
        "p50_ms": at(0.5),
        "p90_ms": at(0.9),
        "p99_ms": at(0.99),
        "errors": errors,
        "bytes": size // max(1, len(latencies)),
    }


async def main(url: str, clients: int, seconds: float, queries: Path) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=clients)) as session:
        for name, kind in json.loads(queries.read_text()).items():
            await load(session, url, kind, clients, 0.5)
            print(
                json.dumps({"kind": name, "clients": clients, **await load(session, url, kind, clients, seconds)}),
                flush=True,
            )


if __name__ == "__main__":
    arg = dict(enumerate(sys.argv))
    here = Path(__file__).parent / "queries.json"
    asyncio.run(main(arg[1], int(arg.get(2, 8)), float(arg.get(3, 5)), Path(arg.get(4, here))))
