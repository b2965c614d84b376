"""Pages on portal-sized catalogues, one beside another five times as large, on SQLite and PostgreSQL.

For each page: p50, p95 and p99 as a client sees them with 1 and with 20 clients, time between a request's arrival in the application and its answer, processor
time of the server, and the most SQL statements that one page sent. Identifiers, filter values, page numbers and words differ on every request, so that no answer
comes from what was kept. Then facets for filter sets never seen before and searches, in this process. The baseline is `/healthz` of the same server.

`bench_browse.py [--datasets 500,2500] [--clients 1,20] [--seconds 8] [--databases sqlite,postgresql]`; a machine that does other things at the same time is
judged by `cpu_ms`. `--catalogue URL`, once for each number of datasets, takes catalogues that `dump_world.py` has filled.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from bench_search import draw
from serving import databases, memory, processor

ORGANISMS = (
    "Homo sapiens",
    "Saccharomyces cerevisiae",
    "Mus musculus",
    "Chlamydomonas reinhardtii",
    "Escherichia coli",
)
OBJECTS = ("cytosolic ribosome", "membrane", "microtubule")
SORTS = ("title", "-runs", "organism", "-released", "-annotations", "voxel")
STATEMENTS, SECONDS = "x-bench-statements", "x-bench-ms"
WARM = 1.0
"""Seconds of each load that do not count."""

LEAST = 20
"""Requests that a figure is made of, however long they take."""

Draw = Callable[[random.Random], str]


def three(r: random.Random) -> dict[str, str]:
    """Give three filters that nobody has asked for together."""
    return {
        "organism": r.choice(ORGANISMS), "object": r.choice(OBJECTS), "voxel-spacing": f"{r.uniform(4, 7):.4f}..{r.uniform(8, 13):.4f}",
    }  # fmt: skip


def pages(datasets: int) -> dict[str, Draw]:
    """Give the pages that are measured, each with what varies in it."""
    return {
        "nothing (/healthz)": lambda _: "/healthz",
        "browse datasets": lambda r: (
            f"/browse-data/datasets?page={r.randint(1, datasets // 20)}&sort={r.choice(SORTS)}"
        ),
        "browse datasets, filtered": lambda r: f"/browse-data/datasets?{urlencode(three(r))}",
        "browse runs, three filters": lambda r: f"/browse-data/runs?{urlencode(three(r))}",
        "dataset": lambda r: f"/datasets/{10000 + r.randint(1, datasets)}?page={r.randint(1, 2)}",
        "run": lambda r: f"/runs/{r.randint(1, datasets * 40)}",
        "search": lambda r: f"/search?{urlencode({'q': draw(r, datasets)})}",
    }


def application(settings: Any) -> Any:
    """Make the application of a worker, which says of each answer how many statements it took, and how long."""
    from tomotheca.cli.serve import application as served

    frame, noted = served(settings, access_log=False), ContextVar[list[int]]("noted")

    def note(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if (numbers := noted.get(None)) is not None and not text.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            numbers[0] += 1

    sa.event.listen(frame.state["portal"].catalog.engine, "before_cursor_execute", note)

    async def measured(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await frame.app(scope, receive, send)
            return
        numbers, began = [0], time.perf_counter()
        noted.set(numbers)

        async def told(message: Any) -> None:
            if message["type"] == "http.response.start":
                spent = (time.perf_counter() - began) * 1e3
                more = ((STATEMENTS, str(numbers[0])), (SECONDS, f"{spent:.3f}"))
                message = {**message, "headers": [*message["headers"], *((k.encode(), v.encode()) for k, v in more)]}
            await send(message)

        await frame.app(scope, receive, told)

    return replace(frame, app=measured)


def serve(port: int) -> None:
    """Serve with two workers until stopped, as `tomotheca serve` does."""
    from functools import partial

    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from tomotheca.settings import load

    server = Granian(
        "tomotheca", address="127.0.0.1", port=port, interface=Interfaces.ASGI, workers=2, websockets=False, log_level=LogLevels.warning, workers_kill_timeout=20,
    )  # fmt: skip
    server.serve(target_loader=partial(application, load()), wrap_loader=False)


@contextmanager
def serving(root: Path, url: str) -> Iterator[tuple[int, int]]:
    """Serve a catalogue; gives the port and the process."""
    for name in ("state", "archive"):
        (root / name).mkdir(exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {
        **os.environ, "TOMOTHECA_ROOT": str(root), "TOMOTHECA_CATALOG_URL": url, "TOMOTHECA_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    with subprocess.Popen([sys.executable, __file__, "--serve", str(port)], env=environment) as server:
        try:
            _await(port)
            yield port, server.pid
        finally:
            server.terminate()
            server.wait(20)


def _await(port: int) -> None:
    for _ in range(300):
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    message = "the server did not start"
    raise SystemExit(message)


def load(server: tuple[int, int], make: Draw, clients: int, seconds: float) -> dict[str, float]:
    """Ask for one kind of page without a pause, and give its figures; the first second does not count."""
    port, pid = server
    times: list[float] = []
    inside: list[float] = []
    statements: list[int] = []
    errors: list[int] = []
    start = time.monotonic() + WARM
    numbers = count(SEEDS.setdefault("next", 0))
    SEEDS["next"] += clients

    def client(seed: int) -> None:
        drawn = random.Random(seed)
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        while (began := time.monotonic()) < start + seconds or len(times) < LEAST:
            connection.request("GET", make(drawn), headers={"Accept": "text/html"})
            answer = connection.getresponse()
            answer.read()
            if began > start:
                times.append((time.monotonic() - began) * 1e3)
                inside.append(float(answer.headers[SECONDS]))
                statements.append(int(answer.headers[STATEMENTS]))
                if answer.status != 200:
                    errors.append(answer.status)

    threads = [threading.Thread(target=client, args=(next(numbers),)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, start - time.monotonic()))
    worked = processor(pid)
    for thread in threads:
        thread.join()
    worked, lasted = processor(pid) - worked, time.monotonic() - start
    cuts, served = statistics.quantiles(times, n=100), statistics.quantiles(inside, n=100)
    return {
        "requests_per_second": round(len(times) / lasted, 1), "p50_ms": round(cuts[49], 1), "p95_ms": round(cuts[94], 1), "p99_ms": round(cuts[98], 1),
        "server_p50_ms": round(served[49], 1), "server_p95_ms": round(served[94], 1), "cpu_ms": round(worked / len(times) * 1e3, 1),
        "statements": max(statements), "errors": len(errors),
    }  # fmt: skip


SEEDS: dict[str, int] = {}
"""Number of the next client: no two draw the same."""


def first_after_a_change(root: Path, url: str) -> Iterator[dict[str, Any]]:
    """Give the statements and processor time of the first listing and of the first statistics of a new process."""
    from starlette.testclient import TestClient

    from tomotheca.settings import Settings

    client = TestClient(application(Settings(root=root, catalog_url=url, public_url="http://bench")))
    for path in ("/docs", "/browse-data/datasets", "/browse-data/runs", "/statistics"):
        began = time.process_time()
        answer = client.get(path, headers={"Accept": "text/html"})
        spent = (time.process_time() - began) * 1e3
        yield {"first": path, "statements": int(answer.headers[STATEMENTS]), "cpu_ms": round(spent, 1)}


def inside(url: str, datasets: int) -> Iterator[dict[str, Any]]:
    """Measure facets for filter sets never seen before, and searches, without what surrounds them."""
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.viewer import ANONYMOUS
    from tomotheca.search.library import library
    from tomotheca.settings import Settings
    from tomotheca.web.address import Address
    from tomotheca.web.facets import Scope, count_options
    from tomotheca.web.panel import filtered
    from tomotheca.web.portal import Portal

    catalog, r = Catalog(url, public_url="http://bench"), random.Random(11)
    portal, version = Portal(catalog, Settings()), catalog.stamp(ANONYMOUS)

    def facets(kind: str) -> None:
        found = filtered(kind, Address("/", tuple(three(r).items())), catalog.schema)
        count_options(Scope(portal, kind, ANONYMOUS, version), found.filters, found.active)

    asked: dict[str, Callable[[], object]] = {
        "facets of datasets": lambda: facets("dataset"), "facets of runs": lambda: facets("run"),
        "search": lambda: library(catalog).answer(draw(r, datasets), ANONYMOUS),
    }  # fmt: skip
    for name, ask in asked.items():
        for _ in range(20):
            ask()
        busy, wall = [], []
        for _ in range(200):
            began, worked = time.perf_counter(), time.process_time()
            ask()
            busy.append((time.process_time() - worked) * 1e3)
            wall.append((time.perf_counter() - began) * 1e3)
        cuts = [statistics.quantiles(values, n=20) for values in (busy, wall)]
        yield {
            "inside": name,
            "cpu_p50_ms": round(statistics.median(busy), 1),
            "cpu_p95_ms": round(cuts[0][18], 1),
            "p95_ms": round(cuts[1][18], 1),
        }
    catalog.close()


def measure(
    root: Path, url: str, about: dict[str, Any], asked: argparse.Namespace
) -> dict[tuple[str, int], dict[str, float]]:
    """Print the figures of one catalogue, one JSON object a line, and give those of pages."""
    datasets, found = about["datasets"], {}
    for line in (*first_after_a_change(root, url), *inside(url, datasets)):
        print(json.dumps({**about, **line}), flush=True)
    with serving(root, url) as server:
        for clients in asked.clients:
            for name, make in pages(datasets).items():
                figures = load(server, make, clients, asked.seconds)
                found[name, clients] = figures
                print(json.dumps({**about, "page": name, "clients": clients, **figures}), flush=True)
        print(json.dumps({**about, "resident_mib_of_workers": [round(m) for m in memory(server[1])]}), flush=True)
    return found


def compare(name: str, found: list[dict[tuple[str, int], dict[str, float]]]) -> None:
    """Print how much slower the last catalogue is than the first."""
    small, large = found[0], found[-1]
    for (page, clients), figures in large.items():
        ratios = {
            f"{k}_ratio": round(figures[k] / max(small[page, clients][k], 0.1), 2)
            for k in ("p50_ms", "p95_ms", "cpu_ms")
        }
        print(json.dumps({"database": name, "page": page, "clients": clients, **ratios}), flush=True)


def numbers(text: str) -> list[int]:
    """Read numbers between commas."""
    return [int(part) for part in text.split(",")]


def main() -> None:
    """Measure and print."""
    from dump_world import fill

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=numbers, default=[500, 2500])
    parser.add_argument("--clients", type=numbers, default=[1, 20])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--catalogue", action="append", default=[])
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        if asked.catalogue:
            pairs = list(zip(asked.catalogue, asked.datasets, strict=True))
            name = asked.catalogue[0].partition(":")[0]
            compare(name, [measure(_root(folder), url, {"database": name, "datasets": n}, asked) for url, n in pairs])
            return
        for name, environment in databases():
            if name not in asked.databases.split(","):
                continue
            found = []
            for n in asked.datasets:
                root = _root(folder)
                base = environment.get("TOMOTHECA_CATALOG_URL") if name != "sqlite" else None
                url = base or f"sqlite:///{root / 'catalog.sqlite'}"
                fill(url, n)
                found.append(measure(root, url, {"database": name, "datasets": n}, asked))
            compare(name, found)


def _root(folder: str) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


if __name__ == "__main__":
    main()
