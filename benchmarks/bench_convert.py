"""Time and memory of converting a large MRC file, beside the whole-array way in the same run.

The whole-array way reads everything with mrcfile, makes the levels with ``skimage.measure.block_reduce``, writes the
OME-Zarr arrays with the zarr library and the MRC with mrcfile: same levels, chunks and codec. Both are synced before the clock
stops. Run ``python benchmarks/bench_convert.py --help``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tomotheca.formats import mrc
from tomotheca.formats.files import sync_tree
from tomotheca.formats.statistics import Moments, moments
from tomotheca.ingest.pyramid import Recipe, Target, convert

VOXEL = (10.0, 10.0, 10.0)


def make_input(path: Path, shape: tuple[int, int, int]) -> None:
    """Write noise with slow structure, as noisy as a tomogram, plane by plane."""
    z, y, x = shape
    generator = np.random.default_rng(0)
    layout = mrc.Layout(shape=shape, dtype=np.dtype("f4"), voxel_size=VOXEL)
    writer, total = mrc.Writer(path, layout), Moments()
    waves = np.add.outer(np.sin(np.arange(y) / 40), np.cos(np.arange(x) / 55)).astype(np.float32)
    for i in range(0, z, 16):
        part = generator.standard_normal((min(16, z - i), y, x), dtype=np.float32) + waves
        writer.write((slice(i, i + len(part)), slice(0, y), slice(0, x)), part)
        total += moments(part)
    writer.finish(total)


def streaming(source: Path, out: Path) -> None:
    """Convert as the program does."""
    convert(source, Target(out / "o.mrc", out / "o.zarr"), Recipe(voxel_size=VOXEL))
    sync_tree(out)


def whole_array(source: Path, out: Path) -> None:
    """Convert with everything in memory, by the usual libraries."""
    import mrcfile
    import zarr
    from skimage.measure import block_reduce

    from tomotheca.formats.omezarr.levels import plan_levels
    from tomotheca.formats.omezarr.writer import codec

    data = mrcfile.read(source)
    group = zarr.open_group(out / "o.zarr", mode="w", zarr_format=2)
    values = data
    for level in plan_levels(data.shape, VOXEL):
        if level.number:
            values = block_reduce(values, (2, 2, 2), np.mean).astype(np.float32)
        array = group.create_array(
            level.path,
            shape=values.shape,
            chunks=level.chunks,
            dtype=values.dtype,
            compressors=codec(values.dtype),
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
        array[:] = values
    with mrcfile.new(out / "o.mrc") as file:
        file.set_data(data)
        file.voxel_size = VOXEL[0]
    sync_tree(out)


WAYS = {"streaming": streaming, "whole-array": whole_array}


def measure(way: str, source: Path, folder: Path) -> dict[str, float]:
    """Run one way in a process of its own; seconds of wall time, bytes of maximum resident set."""
    out = folder / "out"
    out.mkdir()
    sync_tree(folder)
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, __file__, "--way", way, str(source), str(out)])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{way} failed")
    stored = sum(path.stat().st_size for path in (out / "o.zarr").rglob("*") if path.is_file())
    shutil.rmtree(out)
    cpu = round(usage.ru_utime + usage.ru_stime, 2)
    return {"seconds": round(seconds, 2), "cpu_seconds": cpu, "maxrss": usage.ru_maxrss * 1024, "zarr_bytes": stored}


def main() -> None:
    """Measure both ways and print a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", default="512,1024,1024", help="z,y,x of the float32 input (default: 2 GiB)")
    parser.add_argument("--quick", action="store_true", help="a small input, 128 x 512 x 512")
    parser.add_argument("--repeat", type=int, default=1, help="times each way is run; the medians are printed")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        WAYS[options.way](*options.paths)
        return
    z, y, x = (int(n) for n in ("128,512,512" if options.quick else options.shape).split(","))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        make_input(folder / "source.mrc", (z, y, x))
        runs = {way: [measure(way, folder / "source.mrc", folder) for _ in range(options.repeat)] for way in WAYS}
    report(runs, (z, y, x))


def report(runs: dict[str, list[dict[str, float]]], shape: tuple[int, int, int]) -> None:
    """Print what was measured."""
    seconds = {way: float(np.median([run["seconds"] for run in results])) for way, results in runs.items()}
    memory = {way: max(run["maxrss"] for run in results) for way, results in runs.items()}
    cpu = {way: float(np.median([run["cpu_seconds"] for run in results])) for way, results in runs.items()}
    for way in runs:
        stored = runs[way][0]["zarr_bytes"] / 1e6
        print(
            f"{way:12} {seconds[way]:8.2f} s  {cpu[way]:8.2f} s of CPU  {memory[way] / 2**20:8.0f} MiB resident  {stored:8.0f} MB of OME-Zarr"
        )
    ratio = seconds["whole-array"] / seconds["streaming"]
    print(f"{ratio:.2f} times faster, {memory['whole-array'] / memory['streaming']:.1f} times less memory")
    print(json.dumps({"benchmark": "convert", "shape": shape, "ratio": round(ratio, 2), "ways": runs}))


if __name__ == "__main__":
    main()
