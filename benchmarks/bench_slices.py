"""Pictures of slices of a 2 GiB tomogram through the real server: the first of each axis, those after it, and the memory of the worker.

The baseline in the same run is what a script would do with the zarr library: read the whole level, cut the plane out of it, draw it with
Pillow. Every picture is of another slice, so that none is answered from what is kept. Run ``python benchmarks/bench_slices.py [--quick]``,
with ``--zarr 0.5`` for files of several chunks.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
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

from bench_convert import VOXEL, make_input
from serving import processor
from tomotheca.catalog.build import Indexer
from tomotheca.desk import Desk
from tomotheca.formats.files import sync_tree
from tomotheca.formats.omezarr import Form
from tomotheca.ingest.pyramid import Recipe, Target, convert
from tomotheca.settings import Settings
from tomotheca.store import documents, layout, manifest
from tomotheca.store.files import LocalFiles

DATASET, RUN, TOMOGRAM = 10001, "TS_1", 7
DATES = {"deposition_date": "2025-01-02", "release_date": "2025-03-04", "last_modified_date": "2025-03-05"}
PEOPLE = [{"name": "Ada Fictional", "primary_author_status": True}]
LEVEL = 1
"""Level that the server chooses for a tomogram of this size."""


def build(root: Path, shape: tuple[int, int, int], form: Form) -> Path:
    """Write an archive of one dataset with one tomogram, and index it; gives the tomogram's directory."""
    files = LocalFiles(root / "archive")
    (root / "archive").mkdir()
    dataset, run = layout.Dataset(DATASET), layout.Run(DATASET, RUN)
    place, alignment = run.spacing(VOXEL[0]).tomogram(100), run.alignment(100)
    documents.write(files, layout.Deposition(1).document, {
        "id": 1, "ids": {"deposition_author": {"Ada Fictional": 1}}, "dates": DATES, "deposition_identifier": 1, "deposition_title": "D",
        "deposition_description": "D", "deposition_types": ["dataset"], "authors": PEOPLE,
    }, [])  # fmt: skip
    documents.write(files, dataset.document, {
        "id": DATASET, "deposition_id": 1, "ids": {"dataset_author": {"Ada Fictional": 1}}, "dates": DATES, "dataset_identifier": DATASET,
        "dataset_title": "D", "dataset_description": "D", "sample_type": "in_silico", "authors": PEOPLE,
    }, [])  # fmt: skip
    documents.write(
        files, run.document, {"id": 1, "run_name": RUN, "ids": {"tomogram_voxel_spacing": {"10.000": 1}}}, []
    )
    documents.write(files, alignment.document, {"id": 1, "deposition_id": 1, "alignment_type": "GLOBAL"}, [])
    source = root / "source.mrc"
    make_input(source, shape)
    mrc, zarr = (root / "archive" / key for key in (place.mrc(RUN), place.zarr(RUN).rstrip("/")))
    mrc.parent.mkdir(parents=True, exist_ok=True)
    made = convert(source, Target(mrc, zarr), Recipe(voxel_size=VOXEL, form=form))
    source.unlink()
    sync_tree(zarr)
    z, y, x = shape
    entries = [
        manifest.describe(files, place.mrc(RUN), "tomogram"),
        manifest.describe(files, place.zarr(RUN), "tomogram"),
    ]
    documents.write(files, place.document, {
        "id": TOMOGRAM, "deposition_id": 1, "ids": {"tomogram_author": {"Ada Fictional": 1}}, "run_name": RUN, "authors": PEOPLE, "dates": DATES,
        "voxel_spacing": VOXEL[0], "size": {"x": x, "y": y, "z": z}, "offset": {"x": 0, "y": 0, "z": 0}, "scales": [], "fiducial_alignment_status": "FIDUCIAL",
        "reconstruction_method": "WBP", "reconstruction_software": "S", "processing": "raw", "alignment_metadata_path": alignment.document,
        "mrc_file": place.mrc(RUN), "omezarr_dir": place.zarr(RUN).rstrip("/"),
        "statistics": {"dtype": "float32", "min": made.statistics.min, "max": made.statistics.max, "mean": made.statistics.mean, "p1": made.statistics.p1, "p99": made.statistics.p99},
    }, entries)  # fmt: skip
    settings = Settings(root=root)
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    with Desk.open(settings.desk_database) as desk:
        Indexer(files, desk, settings.catalog_database).rebuild()
    return zarr


def whole_level(zarr_folder: Path, index: int) -> None:
    """Draw one slice by reading the whole level: prints seconds and the maximum resident set."""
    import resource

    import numpy as np
    import zarr
    from PIL import Image

    start = time.perf_counter()
    values: Any = zarr.open_group(zarr_folder, mode="r")[str(LEVEL)]
    plane = values[:][index // 2**LEVEL]
    low, high = np.percentile(plane, [1, 99])
    grey = np.clip((plane - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    Image.fromarray(grey).convert("RGB").save(io.BytesIO(), "WEBP", quality=82, method=2)
    seconds = time.perf_counter() - start
    print(json.dumps({"ms": seconds * 1e3, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def main() -> None:
    """Build, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="128 x 512 x 512 voxels instead of 512 x 1024 x 1024")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--zarr", choices=("0.4", "0.5"), default="0.4", help="version of OME-Zarr")
    parser.add_argument("--baseline", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.baseline:
        whole_level(Path(asked.baseline[0]), int(asked.baseline[1]))
        return
    shape = (128, 512, 512) if asked.quick else (512, 1024, 1024)
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        root = Path(name)
        zarr = build(root, shape, Form(asked.zarr))
        words = [sys.executable, __file__, "--baseline", str(zarr), str(shape[0] // 2)]
        runs = [json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout) for _ in range(3)]
        base = {key: statistics.median(r[key] for r in runs) for key in ("ms", "mib")}
        print(f"whole level by zarr: {base['ms']:.0f} ms, {base['mib']:.0f} MiB resident")
        report(root, shape, base)


@contextmanager
def serving(root: Path, *options: str) -> Iterator[tuple[str, int]]:
    """Serve a folder; gives the address and the process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = [sys.executable, "-m", "tomotheca", "serve", "--root", str(root), "--port", str(port), *options]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(20)


def report(root: Path, shape: tuple[int, int, int], base: dict[str, float]) -> None:
    """Ask a new server for pictures."""
    with serving(root, "--workers", "1") as (url, pid):
        until(f"{url}/tomograms/{TOMOGRAM}")
        idle, draw, found = memory(pid), random.Random(1), {}
        for axis, length in zip("zyx", shape, strict=True):
            indices = [length // 2, *draw.sample(range(length), 40)]
            times = [timed(f"{url}/tomograms/{TOMOGRAM}/slice.webp?axis={axis}&index={i}") for i in indices]
            worked = processor(pid)
            near = [
                timed(f"{url}/tomograms/{TOMOGRAM}/slice.webp?axis={axis}&index={i}&contrast=soft")
                for i in range(length // 2, length // 2 + 40, 2)
            ]
            worked = processor(pid) - worked
            rest = sorted(times[1:])
            found[axis] = {
                "first_ms": round(times[0], 1), "anywhere_p50_ms": round(statistics.median(rest), 1), "anywhere_p95_ms": round(rest[int(0.95 * len(rest))], 1),
                "next_p50_ms": round(statistics.median(near[1:]), 1), "next_cpu_ms": round(worked / len(near) * 1e3, 1), "times_faster_than_zarr": round(base["ms"] / statistics.median(rest), 1),
            }  # fmt: skip
            print(axis, json.dumps(found[axis]), flush=True)
        print(
            json.dumps(
                {
                    "benchmark": "slices",
                    "shape": shape,
                    "whole_level": base,
                    "axes": found,
                    "idle_mib": idle,
                    "peak_mib": memory(pid, "VmHWM"),
                }
            )
        )


def timed(address: str) -> float:
    """Fetch a picture; milliseconds."""
    start = time.perf_counter()
    with urllib.request.urlopen(address, timeout=60) as answer:
        answer.read()
    return (time.perf_counter() - start) * 1e3


def until(address: str) -> None:
    """Wait until a page answers: a server that has answered nothing yet is still importing."""
    for _ in range(200):
        try:
            timed(address)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(address)


def memory(process: int, what: str = "VmRSS") -> int:
    """Give MiB of the workers of a server."""
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False
    ).stdout.split()
    found = 0
    for pid in [*children, str(process)]:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines() if os.path.exists(f"/proc/{pid}/status") else []  # noqa: PTH110 - a process may end
        found += next((int(line.split()[1]) for line in lines if line.startswith(what)), 0)
    return found >> 10


if __name__ == "__main__":
    main()
