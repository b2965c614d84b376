"""Where the time of a GraphQL answer goes: text, plan, SQL, nodes, JSON. The same queries as ``bench_api.py``, without HTTP.

Run ``python benchmarks/bench_steps.py [DATASETS=500] [SECONDS=2]``. Processor time of one thread, microseconds a request; "first" is the
first request of its text, which is parsed, checked and planned.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dump_world
from tomotheca.api.graphql import GraphQL, plan
from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.settings import Settings

QUERIES = json.loads((Path(__file__).parent / "queries.json").read_text())


class Clock:
    """Adds up the time spent in functions, each without what it calls of the others."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.inside: list[str] = []
        self.since = 0.0

    def watch(self, name: str, owner: Any, attribute: str) -> None:
        """Put a watch around a function."""
        function: Callable[..., Any] = getattr(owner, attribute)

        def watched(*given: Any, **named: Any) -> Any:
            self.turn()
            self.inside.append(name)
            try:
                return function(*given, **named)
            finally:
                self.turn()
                self.inside.pop()

        setattr(owner, attribute, watched)

    def turn(self) -> None:
        """Book the time since the last turn."""
        now = time.thread_time()
        if self.inside:
            name = self.inside[-1]
            self.spent[name] = self.spent.get(name, 0.0) + now - self.since
        self.since = now


class Watched:
    """A module's ``orjson`` with a watch around what it writes."""

    def __init__(self, dumps: Callable[[Any], bytes]) -> None:
        self.dumps = dumps


def main(datasets: int, seconds: float) -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/catalog.sqlite"
        dump_world.fill(url, datasets)
        catalog = Catalog(url, public_url="http://localhost:8000")
        clock = Clock()
        watched: Any = plan
        watched.orjson = Watched(plan.orjson.dumps)
        clock.watch("JSON", plan.orjson, "dumps")
        clock.watch("SQL", plan.Run, "open")
        clock.watch("SQL", plan.Run, "take")
        clock.watch("nodes", plan.Level, "nodes")
        clock.watch("nodes", plan.Tallied, "fill")
        service = GraphQL(catalog, Settings())
        clock.watch("text", service.documents, "get")
        clock.watch("plan", service, "_prepare")
        clock.watch("rest", service, "handle")
        print(f"{'':24}{'first':>8}{'text':>8}{'plan':>8}{'SQL':>8}{'nodes':>8}{'JSON':>8}{'rest':>8}{'sum':>8}")
        for name, kind in QUERIES.items():
            show(name, kind, service, clock, seconds)
        catalog.engine.dispose()


def show(name: str, kind: dict[str, Any], service: GraphQL, clock: Clock, seconds: float) -> None:
    """Print the line of one query."""
    draw = random.Random(1)

    def once() -> float:
        variables = {name: draw.randint(*bounds) for name, bounds in kind["variables"].items()}
        started = time.thread_time()
        service.handle({"query": kind["query"], "variables": variables}, ANONYMOUS)
        return time.thread_time() - started

    first = once()
    once()
    clock.spent.clear()
    number, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        once()
        number += 1
    steps = [clock.spent.get(step, 0.0) / number for step in ("text", "plan", "SQL", "nodes", "JSON", "rest")]
    print(f"{name:24}" + "".join(f"{value * 1e6:8,.0f}" for value in (first, *steps, sum(steps))))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500, float(sys.argv[2]) if len(sys.argv) > 2 else 2.0)
