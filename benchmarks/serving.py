"""The real server for benchmarks: ours, with hand-written routes beside it as baselines, on SQLite or PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

if TYPE_CHECKING:
    from starlette.requests import Request

RUNS = """
SELECT r.id, r.name FROM run r WHERE r.dataset_id = ? ORDER BY r.name, r.id LIMIT 20"""
QUALITY = "SELECT run_id, count(*), avg(coalesce(tilt_series_quality, 0)) FROM tiltseries WHERE run_id IN ({}) GROUP BY run_id"
OBJECTS = "SELECT run_id, object_name, count(*) FROM annotation WHERE run_id IN ({}) GROUP BY run_id, object_name ORDER BY run_id, object_name"
FIRST = "SELECT run_id, min(id) FROM tomogram WHERE run_id IN ({}) GROUP BY run_id"
PICTURES = "SELECT run_id, id, key_photo_thumbnail_url, neuroglancer_config FROM tomogram WHERE id IN ({})"
TOTAL = "SELECT count(*) FROM run WHERE dataset_id = ?"
GROUPS = (
    ("annotationsAggregate", "objectName", "SELECT object_name, count(*) FROM annotation GROUP BY object_name"),
    ("tiltseriesAggregate", "cameraModel", "SELECT camera_model, count(*) FROM tiltseries GROUP BY camera_model"),
    ("tomogramsAggregate", "reconstructionMethod", "SELECT reconstruction_method, count(*) FROM tomogram GROUP BY reconstruction_method"),
)  # fmt: skip


class Plain:
    """What somebody would write by hand for two of the queries: SQL, dictionaries, orjson, and nothing else."""

    def __init__(self, url: str) -> None:
        from tomotheca.catalog.catalog import connect

        self.mark = "?" if url.startswith("sqlite") else "%s"
        self.pooled = connect(url).connect()
        with self.pooled.begin():  # names mean the live catalogue from now on
            self.connection: Any = self.pooled.connection.driver_connection

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Give the rows of a statement."""
        statement = statement.format(",".join("?" * len(values))) if "{}" in statement else statement
        found: list[tuple[Any, ...]] = self.connection.execute(statement.replace("?", self.mark), values).fetchall()
        return found

    async def runs(self, request: Request) -> Response:
        """Answer the table of runs of a dataset."""
        number = (await request.json())["variables"]["ds"]
        found = self.rows(RUNS, (number,))
        keys = tuple(r[0] for r in found)
        series = {r[0]: r for r in self.rows(QUALITY, keys)}
        objects: dict[int, list[dict[str, Any]]] = {}
        for run, name, count in self.rows(OBJECTS, keys):
            objects.setdefault(run, []).append({"count": count, "groupBy": {"objectName": name}})
        first = tuple(r[1] for r in self.rows(FIRST, keys))
        pictures = {r[0]: r for r in self.rows(PICTURES, first)}
        made = [
            {
                "id": key,
                "name": name,
                "tiltseriesAggregate": {
                    "aggregate": [{"count": series[key][1], "avg": {"tiltSeriesQuality": int(series[key][2])}}]
                },
                "annotationsAggregate": {"aggregate": objects.get(key, [])},
                "tomograms": {
                    "edges": [
                        {
                            "node": {
                                "id": pictures[key][1],
                                "keyPhotoThumbnailUrl": pictures[key][2],
                                "neuroglancerConfig": pictures[key][3],
                            }
                        }
                    ]
                },
            }
            for key, name in found
        ]
        total = self.rows(TOTAL, (number,))[0][0]
        return answer({"runs": made, "runsAggregate": {"aggregate": [{"count": total}]}})

    async def groups(self, request: Request) -> Response:
        """Answer the three counts by value."""
        await request.body()
        made = {
            root: {"aggregate": [{"count": count, "groupBy": {field: value}} for value, count in self.rows(sql)]}
            for root, field, sql in GROUPS
        }
        return answer(made)


def answer(data: Any) -> Response:
    """Give JSON."""
    return Response(orjson.dumps({"data": data}), media_type="application/json")


def application(settings: Any) -> Callable[..., Any]:
    """Make the application of one worker process."""
    from tomotheca.api.app import create_app

    frame, plain = create_app(settings), Plain(settings.catalog_database)
    routes = [
        Route("/plain/runs", plain.runs, methods=["POST"]),
        Route("/plain/groups", plain.groups, methods=["POST"]),
        Mount("/", frame.app),
    ]
    return replace(frame, app=Router(routes))


@contextmanager
def serving(root: Path, settings: dict[str, str], workers: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve a portal until the block ends; give its address and its process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {**settings, "TOMOTHECA_ROOT": str(root), "TOMOTHECA_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    process = subprocess.Popen([sys.executable, __file__, str(port), str(workers)], env=environment)
    try:
        yield _wait(f"http://127.0.0.1:{port}"), process
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str) -> str:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5):
                return url
        except OSError:
            time.sleep(0.1)
    message = "the server does not answer"
    raise TimeoutError(message)


def memory(pid: int) -> list[float]:
    """Give the resident set of each worker in MiB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [_resident(int(child)) for child in children]


def processor(pid: int) -> float:
    """Give the processor time that the workers have used, in seconds."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = os.sysconf("SC_CLK_TCK")
    fields = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in children]
    return sum(int(f[11]) + int(f[12]) for f in fields) / ticks


def _resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def databases() -> Iterator[tuple[str, dict[str, str]]]:
    """Give the databases to measure by name, each with the environment that chooses it."""
    yield "sqlite", dict(os.environ)
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.databases import programs, running

    if programs() is None:
        print("There is no PostgreSQL on this machine: its figures are left out.")
        return
    with running() as server:
        yield "postgresql", {**os.environ, "TOMOTHECA_CATALOG_URL": server.new()}


def main(port: int, workers: int) -> None:
    """Serve, as `tomotheca serve` does."""
    from functools import partial

    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from tomotheca.settings import load

    server = Granian(
        "tomotheca", address="127.0.0.1", port=port, interface=Interfaces.ASGI, workers=workers, websockets=False,
        log_level=LogLevels.warning,
    )  # fmt: skip
    server.serve(target_loader=partial(application, load()), wrap_loader=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
