"""Counts of requests in the text format of Prometheus, for all server processes together."""

from __future__ import annotations

import mmap
import os
import shutil
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from tomotheca import __version__
from tomotheca.catalog.viewer import ANONYMOUS

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.api.portal import Portal

DOORS = ("graphql", "rest", "files", "s3", "catalogue", "pages")
BEGINNINGS = (
    ("/graphql", "graphql"), ("/api/", "rest"), ("/openapi.json", "rest"), ("/files/", "files"), ("/s3", "s3"), ("/catalog/", "catalogue"),
)  # fmt: skip
PLACES = {name: place for place, name in enumerate(DOORS)}
STATUSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper ends of the classes of durations, in seconds; one more class is for all that take longer."""

FOLDER = "metrics"
WIDTH = len(STATUSES) + len(BOUNDS) + 3
"""Numbers kept of each door: answers by status, answers by duration, seconds, bytes."""

TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What this process has answered, in a file that every process of the server can read.

    A process writes to its own file only, so that no lock is needed; what a process that has ended counted stays counted.
    Where no file can be written, each process tells what it has answered itself.

    Parameters
    ----------
    folder : Path
        Folder of the files, which are all of one server.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        size = len(DOORS) * WIDTH * 8
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"{os.getpid()}").open("w+b") as file:
                file.truncate(size)
                self._map = mmap.mmap(file.fileno(), size)
            self._shared = True
        except OSError:
            self._map, self._shared = mmap.mmap(-1, size), False
        self._numbers = memoryview(self._map).cast("d")

    def note(self, path: str, status: int, size: int, seconds: float) -> None:
        """Count one answer."""
        start = PLACES[door(path)] * WIDTH
        numbers = self._numbers
        numbers[start + max(status // 100, 1) - 1] += 1
        numbers[start + len(STATUSES) + bisect_left(BOUNDS, seconds)] += 1
        numbers[start + WIDTH - 2] += seconds
        numbers[start + WIDTH - 1] += size

    def sums(self) -> list[float]:
        """Give the numbers of all processes, added up."""
        if not self._shared:
            return list(map(float, self._numbers))
        total = [0.0] * (len(DOORS) * WIDTH)
        for path in self.folder.iterdir():
            found = memoryview(path.read_bytes())
            if len(found) == len(total) * 8:
                total = [a + b for a, b in zip(total, found.cast("d"), strict=True)]
        return total

    def text(self) -> Iterator[str]:
        """Give the lines that Prometheus reads."""
        total = self.sums()
        yield from _about("tomotheca_requests_total", "counter", "Answers by door and status.")
        for name, own in _doors(total):
            for status, number in zip(STATUSES, own, strict=False):
                yield f'tomotheca_requests_total{{door="{name}",status="{status}"}} {number:.0f}'
        yield from _about("tomotheca_response_bytes_total", "counter", "Bytes of answers by door.")
        for name, own in _doors(total):
            yield f'tomotheca_response_bytes_total{{door="{name}"}} {own[-1]:.0f}'
        yield from _about("tomotheca_request_seconds", "histogram", "Time from a request to the end of its answer.")
        for name, own in _doors(total):
            yield from _histogram(name, own)


def door(path: str) -> str:
    """Give the part of the server that answers an address."""
    return next((name for beginning, name in BEGINNINGS if path.startswith(beginning)), "pages")


def _doors(total: list[float]) -> Iterator[tuple[str, list[float]]]:
    return ((name, total[place * WIDTH : (place + 1) * WIDTH]) for place, name in enumerate(DOORS))


def _histogram(name: str, own: list[float]) -> Iterator[str]:
    running = 0.0
    for bound, number in zip((*map(str, BOUNDS), "+Inf"), own[len(STATUSES) :], strict=False):
        running += number
        yield f'tomotheca_request_seconds_bucket{{door="{name}",le="{bound}"}} {running:.0f}'
    yield f'tomotheca_request_seconds_sum{{door="{name}"}} {own[-2]:.6f}'
    yield f'tomotheca_request_seconds_count{{door="{name}"}} {running:.0f}'


def _about(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def begin(folder: Path) -> None:
    """Forget what an earlier server counted."""
    shutil.rmtree(folder, ignore_errors=True)


def routes(portal: Portal, metrics: Metrics) -> list[Route]:
    """Give ``/metrics``. It says nothing of what is hidden."""

    def answered(_: Request) -> Response:
        catalog = portal.catalog
        lines = [
            *metrics.text(),
            *_about("tomotheca_catalogue_version", "gauge", "Version of the catalogue."),
            f"tomotheca_catalogue_version {catalog.version}",
            *_about("tomotheca_datasets", "gauge", "Datasets that anybody may see."),
            f"tomotheca_datasets {catalog.count('dataset', ANONYMOUS)}",
            *_about("tomotheca_info", "gauge", "Version of the program."),
            f'tomotheca_info{{version="{__version__}"}} 1',
        ]
        return Response("\n".join(lines) + "\n", headers={"cache-control": "no-store"}, media_type=TYPE)

    return [Route("/metrics", answered)]
