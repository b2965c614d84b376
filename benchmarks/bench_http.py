"""Repeated answers over HTTP as shares of a constant answer of the same server, which passes the same outermost layer.

Constant answer to GET and to POST, 304 to GET, the kept answer to POST, and for comparison answers that are worked out: `{__typename}` and
one run by its identifier. One server process; `wrk` if it is installed, else a small client of our own. Each figure is the best of five
turns, taken in turns, because other work on the machine only ever takes away. Processor time of the server is given too: on a busy machine
it says more than requests per second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from dump_world import fill

CLIENTS = 8
TURNS = 5
SMALL = "{ runs(where: {id: {_eq: 77}}) { id name datasetId } }"
PAGE = "{ datasets(limitOffset: {limit: 20}) { id title } }"
CONSTANT = "/constant"
CUTS = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Call:
    """One request that is made again and again."""

    name: str
    path: str = "/graphql"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    baseline: str = ""
    """Name of the call it is compared with."""

    @property
    def body(self) -> str:
        """What is posted; nothing is a GET."""
        return json.dumps({"query": self.query}) if self.query else ""


def application(root: Path, *, kept: bool) -> Any:
    """Make the application with one more address, below the outermost layer."""
    from tomotheca.api.app import create_app
    from tomotheca.settings import Settings

    made = create_app(Settings(root=root, public_url="http://127.0.0.1", response_cache=kept))
    answer = (
        b'{"data":{"datasets":[' + b",".join(b'{"id":%d,"title":"A title like others"}' % n for n in range(20)) + b"]}}"
    )

    async def around(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != CONSTANT:
            await made.app(scope, receive, send)
            return
        if scope["method"] == "POST":
            await receive()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return replace(made, app=around)


def serve(root: Path, port: int, kept: bool) -> None:
    """Serve until stopped."""
    import gc

    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    server = Granian(
        "bench",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.warning,
    )
    gc.freeze()
    server.serve(target_loader=partial(application, root, kept=kept), wrap_loader=False)


@dataclass(frozen=True)
class Server:
    """A server of one process."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def worker(self) -> int:
        """Number of the process that answers."""
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[-1])

    def seconds(self) -> float:
        """Give the processor time of the worker."""
        fields = Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> float:
        """Give the resident memory of the worker in MiB."""
        return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.worker}/status").read_text())[0]) / 1024

    def ask(self, call: Call) -> Any:
        """Make a call once and give the answer's headers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{call.path}", call.body.encode() or None)
        request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
            return answer.headers


def start(root: Path, *, kept: bool) -> Server:
    """Start a server and wait until it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = [sys.executable, __file__, "--serve", str(root), "--port", str(port), *(["--kept"] if kept else [])]
    server = Server(port, subprocess.Popen(words))
    for _ in range(300):
        try:
            server.ask(Call("", CONSTANT))
        except OSError:
            time.sleep(0.1)
        else:
            return server
    message = "the server did not start"
    raise SystemExit(message)


def measure(server: Server, call: Call, seconds: float) -> tuple[float, float]:
    """Load a call; give requests per second and microseconds of processor time for each."""
    before, began = server.seconds(), time.perf_counter()
    count = (
        with_wrk(server.port, call, seconds)
        if shutil.which("wrk")
        else asyncio.run(by_hand(server.port, call, seconds))
    )
    elapsed = time.perf_counter() - began
    return count / elapsed, (server.seconds() - before) / count * 1e6


def with_wrk(port: int, call: Call, seconds: float) -> int:
    """Load with wrk; give the number of answers."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        lines = [f'wrk.method = "{"POST" if call.body else "GET"}"', 'wrk.headers["content-type"] = "application/json"']
        lines += [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in call.headers]
        script.write("\n".join([*lines, f"wrk.body = {json.dumps(call.body)}" if call.body else ""]))
        script.flush()
        command = [
            "wrk",
            "-t1",
            f"-c{CLIENTS}",
            f"-d{max(1, round(seconds))}s",
            "-s",
            script.name,
            f"http://127.0.0.1:{port}{call.path}",
        ]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told and "304" not in call.name:
        raise SystemExit(f"{call.name}: {told}")
    return int(re.findall(r"(\d+) requests in", told)[0])


async def by_hand(port: int, call: Call, seconds: float) -> int:
    """Load with open connections and ready bytes; give the number of answers."""
    head = [
        f"{'POST' if call.body else 'GET'} {call.path} HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
    ]
    head += [f"{name}: {value}" for name, value in (*call.headers, ("content-length", str(len(call.body))))]
    request = ("\r\n".join(head) + "\r\n\r\n" + call.body).encode()
    end = time.perf_counter() + seconds

    async def client() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        while time.perf_counter() < end:
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            if found := CUTS.search(answer):
                await reader.readexactly(int(found[1]))
            count += 1
        writer.close()
        return count

    return sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))


def calls(tag: str) -> tuple[list[Call], list[Call]]:
    """Give the calls of a server that keeps answers, and those of one that does not."""
    address = "/graphql?query=%7B%20datasets%20%7B%20id%20%7D%20%7D"
    kept = [
        Call("constant GET", CONSTANT),
        Call("304 to GET", address, headers=(("if-none-match", tag),), baseline="constant GET"),
        Call("constant POST", CONSTANT, query=PAGE),
        Call("kept answer to POST", query=PAGE, baseline="constant POST"),
    ]
    return kept, [
        Call("constant POST, nothing kept", CONSTANT, query=PAGE),
        Call("{__typename}", query="{__typename}", baseline="constant POST, nothing kept"),
        Call("one run by id", query=SMALL, baseline="constant POST, nothing kept"),
        Call("20 datasets", query=PAGE, baseline="constant POST, nothing kept"),
    ]


def main() -> None:
    """Print one JSON line per call."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--kept", action="store_true")
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve, asked.port, asked.kept)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("state", "archive"):
            (root / name).mkdir()
        fill(f"sqlite:///{root / 'state/catalog.sqlite'}", asked.datasets)
        for kept in (True, False):
            server = start(root, kept=kept)
            try:
                tag = server.ask(Call("", "/graphql?query=%7B%20datasets%20%7B%20id%20%7D%20%7D"))["etag"]
                compare(server, calls(tag)[0 if kept else 1], asked.seconds)
            finally:
                server.process.terminate()
                server.process.wait(20)


def compare(server: Server, listed: list[Call], seconds: float) -> None:
    """Measure the calls in turns and print them."""
    best: dict[str, tuple[float, float]] = {}
    for call in listed:
        measure(server, call, 1)
    for _ in range(TURNS):
        for call in listed:
            rate, cost = measure(server, call, seconds)
            known = best.get(call.name, (0.0, float("inf")))
            best[call.name] = max(rate, known[0]), min(cost, known[1])
    for call in listed:
        rate, cost = best[call.name]
        base = best[call.baseline] if call.baseline else (rate, cost)
        line = {
            "answer": call.name, "requests_per_second": round(rate), "share_of_constant": round(rate / base[0], 2),
            "server_us": round(cost, 1), "share_by_processor_time": round(base[1] / cost, 2), "resident_mib": round(server.resident()),
        }  # fmt: skip
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent)
    main()
