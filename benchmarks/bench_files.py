"""Files: ranges and chunks beside Starlette's own ``FileResponse`` in the same server, and a dataset of a million files.

Run ``python benchmarks/bench_files.py [FILES=1000000]``. The server has one worker; both ways of sending are routes of one application. The
clients are eight connections of this process (or of wrk, where it is installed), which ask for other ranges and chunks each time.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tomotheca.settings import Settings
from tomotheca.store import documents, layout
from tomotheca.store.files import LocalFiles
from tomotheca.store.manifest import Entry, describe, media_type

FILES = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 1_000_000
PER_RUN = 1000
SMALL, LARGE = 10001, 10002
"""A dataset with bytes, and one with a million lines in manifests."""

VOLUME, CHUNK = 256 << 20, 96 << 10
CHUNKS = 1000
RANGE = 64 << 10
SECONDS, CLIENTS = 4, 8
DATES = {"deposition_date": "2025-01-02", "release_date": "2025-03-04", "last_modified_date": "2025-03-05"}
DIGEST = "5" * 64


def describe_world(root: Path) -> None:
    """Write the archive: documents and manifests, and the bytes of one volume."""
    files = LocalFiles(root / "archive")
    (root / "archive").mkdir(parents=True)
    documents.write(files, layout.Deposition(10300).document, _deposition(), [])
    for number in (SMALL, LARGE):
        documents.write(files, layout.Dataset(number).document, _dataset(number), [])
    run = layout.Run(SMALL, "TS_1")
    tomogram = run.spacing(10.0).tomogram(100)
    documents.write(
        files, run.document, {"id": 1, "run_name": "TS_1", "ids": {"tomogram_voxel_spacing": {"10.000": 1}}}, []
    )
    data = random.Random(1)
    files.write_bytes(tomogram.mrc(), data.randbytes(1 << 20) * (VOLUME >> 20))
    with files.stage(tomogram.zarr()) as folder:
        (folder / "0/0/0").mkdir(parents=True)
        (folder / ".zgroup").write_bytes(b'{"zarr_format": 2}')
        for n in range(CHUNKS):
            (folder / f"0/0/0/{n}").write_bytes(data.randbytes(CHUNK))
    entries = [describe(files, tomogram.mrc(), "tomogram"), describe(files, tomogram.zarr(), "tomogram")]
    documents.write(files, tomogram.document, _tomogram(tomogram), entries)
    for n in range(FILES // PER_RUN):
        place = layout.Run(LARGE, f"TS_{n:05d}")
        keys = (f"{place.folder}Frames/frame_{m:05d}.eer" for m in range(PER_RUN))
        listed = [Entry(key, 1 << 20, DIGEST, media_type(key), "frame") for key in keys]
        documents.write(files, place.document, {"id": 10 + n, "run_name": place.name, "ids": {}}, listed)


def _deposition() -> dict[str, Any]:
    return {
        "id": 10300, "ids": {"deposition_author": {}, "deposition_type": {"dataset": 1}}, "dates": DATES, "deposition_identifier": 10300,
        "deposition_title": "Deposition", "deposition_description": "Words", "deposition_types": ["dataset"], "authors": [],
    }  # fmt: skip


def _dataset(number: int) -> dict[str, Any]:
    return {
        "id": number, "deposition_id": 10300, "ids": {}, "dates": DATES, "dataset_identifier": number, "dataset_title": f"Dataset {number}",
        "dataset_description": "Words", "sample_type": "in_silico", "authors": [],
    }  # fmt: skip


def _tomogram(place: layout.Tomogram) -> dict[str, Any]:
    return {
        "id": 1, "deposition_id": 10300, "ids": {}, "run_name": "TS_1", "authors": [], "dates": DATES, "voxel_spacing": 10.0,
        "size": {"x": 4, "y": 5, "z": 6}, "offset": {"x": 0, "y": 0, "z": 0}, "scales": [{"z": 6, "y": 5, "x": 4}],
        "fiducial_alignment_status": "FIDUCIAL", "reconstruction_method": "WBP", "reconstruction_software": "S", "processing": "raw",
        "mrc_file": place.mrc(), "omezarr_dir": place.zarr().rstrip("/"),
    }  # fmt: skip


def application(root: str) -> Any:
    """Make the application with the other way of sending beside it, without the layers that surround ours."""
    from starlette.applications import Starlette
    from starlette.requests import Request  # noqa: TC002 - of a handler
    from starlette.responses import FileResponse
    from starlette.routing import Route

    from tomotheca.api.app import create_app

    async def send_plain(request: Request) -> FileResponse:
        return FileResponse(Path(root) / "archive" / request.path_params["key"])

    ours = create_app(Settings(root=Path(root), public_url="http://127.0.0.1"))
    plain = Starlette(routes=[Route("/plain/{key:path}", send_plain)])

    async def both(scope: Any, receive: Any, send: Any) -> None:
        await (plain if scope.get("path", "").startswith("/plain/") else ours)(scope, receive, send)

    return both


def serve(root: str, port: int) -> None:
    """Serve with one worker until stopped."""
    from functools import partial

    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    server = Granian(
        "bench",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        workers=1,
        websockets=False,
        log_level=LogLevels.warning,
    )
    server.serve(target_loader=partial(application, root), wrap_loader=False)


@contextmanager
def serving(root: Path) -> Iterator[tuple[str, int]]:
    """Give the address of a running server and its process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with subprocess.Popen([sys.executable, __file__, "serve", str(root), str(port)]) as process:
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
                    break
                except OSError:
                    if time.monotonic() > end or process.poll() is not None:
                        raise
                    time.sleep(0.1)
            yield f"127.0.0.1:{port}", process.pid
        finally:
            process.terminate()


async def _client(host: str, asks: list[bytes], until: float) -> tuple[int, int]:
    reader, writer = await asyncio.open_connection(*host.split(":"), limit=1 << 21)
    done = size = 0
    while time.perf_counter() < until:
        writer.write(asks[done % len(asks)])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]  # ours always has one
        if head[9:10] != b"2":
            raise RuntimeError(head.decode())
        await reader.readexactly(length)
        done, size = done + 1, size + length
    writer.close()
    return done, size


def _asked(host: str, asks: list[tuple[str, str]]) -> list[bytes]:
    return [f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode() for path, extra in asks]


def _with_wrk(host: str, asks: list[tuple[str, str]]) -> float:
    lines = ",".join(f'{{"{path}","{extra.partition(": ")[2].strip()}"}}' for path, extra in asks)
    script = (
        f"local asks = {{{lines}}}\nlocal n = math.random(#asks)\n"
        "request = function() n = n % #asks + 1\n local range = asks[n][2]\n"
        ' return wrk.format("GET", asks[n][1], range ~= "" and {["Range"] = range} or nil) end\n'
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        words = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "--timeout", "30s", "-s", file.name, f"http://{host}/"]
        text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    if wrong := re.search(r"(Non-2xx.*|Socket errors.*)", text):
        raise RuntimeError(wrong[1])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])  # type: ignore[index]  # wrk always says it


def rate(host: str, asks: list[tuple[str, str]]) -> float:
    """Give requests per second."""
    if shutil.which("wrk"):
        return _with_wrk(host, asks)

    async def run() -> float:
        encoded, started = _asked(host, asks), time.perf_counter()
        found = await asyncio.gather(*(_client(host, encoded[n::CLIENTS], started + SECONDS) for n in range(CLIENTS)))
        return sum(done for done, _ in found) / (time.perf_counter() - started)

    return asyncio.run(run())


def ranges(host: str, pid: int) -> None:
    """Compare ranges and chunks with Starlette's way."""
    place = layout.Run(SMALL, "TS_1").spacing(10.0).tomogram(100)
    chance = random.Random(2)
    starts = [chance.randrange(VOLUME - RANGE) for _ in range(2000)]
    asks = [(place.mrc(), f"Range: bytes={s}-{s + RANGE - 1}\r\n") for s in starts]
    chunks = [(f"{place.zarr()}0/0/0/{chance.randrange(CHUNKS)}", "") for _ in range(2000)]
    for name, wanted in (("64 KiB ranges", asks), ("96 KiB chunks", chunks)):
        ours, theirs = [], []
        for _ in range(3):
            theirs.append(rate(host, [(f"/plain/{key}", extra) for key, extra in wanted]))
            ours.append(rate(host, [(f"/files/{key}", extra) for key, extra in wanted]))
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{name}: {a:,.0f} requests/s; FileResponse {b:,.0f}: {a / b:.1f} times")
    whole = rate(host, [(f"/files/{place.mrc()}", "")]) * VOLUME / 1e9
    print(
        f"whole volume, {CLIENTS} clients: {whole:.1f} GB/s; FileResponse {rate(host, [(f'/plain/{place.mrc()}', '')]) * VOLUME / 1e9:.1f} GB/s"
    )
    print(f"memory of the worker afterwards: {_resident(pid)} MiB")


def _resident(pid: int) -> int:
    """Give the peak memory of the one child of a process, in MiB."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    text = "".join(Path(f"/proc/{child}/status").read_text() for child in children)
    return max(int(kb) for kb in re.findall(r"VmHWM:\s+(\d+)", text)) >> 10


def million(host: str) -> None:
    """Time what must not depend on the number of files."""
    prefix = layout.Dataset(LARGE).folder
    bucket = f"/s3/{Settings().bucket}?list-type=2"
    asked = {
        "healthz (baseline)": "/healthz",
        "first 1,000 keys": f"{bucket}&prefix={prefix}&encoding-type=url",
        "1,000 keys from the middle": f"{bucket}&prefix={prefix}&start-after={prefix}TS_{FILES // PER_RUN // 2:05d}/",
        "1,000 folders": f"{bucket}&prefix={prefix}&delimiter=/",
        "1,000 keys below two datasets' folders, folded": f"{bucket}&delimiter=/",
        "page of the dataset": f"/datasets/{LARGE}",
        "page of the dataset, download dialog": f"/datasets/{LARGE}?dl=DS-{LARGE}",
    }
    for name, path in asked.items():
        times = []
        for _ in range(12):
            started = time.perf_counter()
            with urllib.request.urlopen(f"http://{host}{path}", timeout=60) as answer:
                size = len(answer.read())
            times.append((time.perf_counter() - started) * 1000)
        print(f"{name}: first {times[0]:.1f} ms, then {statistics.median(times[1:]):.1f} ms ({size:,} bytes)")


def main() -> None:
    """Build, index, serve, measure."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        describe_world(root)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "tomotheca", "index", "--root", str(root)], check=True)
        print(f"{FILES:,} files indexed in {time.perf_counter() - started:.1f} s")
        with serving(root) as (host, pid):
            million(host)
            ranges(host, pid)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        main()
