"""Time and memory of converting a large MRC file, and of taking it in where it lies, beside the whole-array way in the same run.

The whole-array way reads everything with mrcfile, makes the levels with ``skimage.measure.block_reduce``, writes the
OME-Zarr arrays with the zarr library and the MRC with mrcfile: same levels, chunks and codec. ``dd`` writes as many bytes as the
conversion. The source is in the page cache before each, and all are synced before the clock stops. ``--grow 1,2,4,8`` measures
our ways with volumes of so many GiB, to see whether memory grows. Run ``python benchmarks/bench_convert.py --help``.
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
from tomotheca.formats.omezarr import Form
from tomotheca.formats.statistics import Moments, moments
from tomotheca.ingest.pyramid import Recipe, Target, coarsen, convert

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


def sharded(source: Path, out: Path) -> None:
    """Convert as the program does with ``--zarr 0.5``."""
    convert(source, Target(out / "o.mrc", out / "o.zarr"), Recipe(voxel_size=VOXEL, form=Form("0.5")))
    sync_tree(out)


def in_place(source: Path, out: Path) -> None:
    """Write the coarse levels alone, as ``tomotheca ingest --in-place`` does."""
    coarsen(source, out / "o.zarr", Recipe(voxel_size=VOXEL))
    sync_tree(out)


def whole_array(source: Path, out: Path) -> None:
    """Convert with everything in memory, by the usual libraries."""
    import mrcfile
    import zarr
    from skimage.measure import block_reduce

    from tomotheca.formats.omezarr.levels import plan_levels

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
            compressors=Form().compressor(values.dtype),
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )
        array[:] = values
    with mrcfile.new(out / "o.mrc") as file:
        file.set_data(data)
        file.voxel_size = VOXEL[0]
    sync_tree(out)


WAYS = {"streaming": streaming, "sharded": sharded, "in-place": in_place, "whole-array": whole_array}
OURS = ("streaming", "sharded", "in-place")
BLOCK = 16 << 20


def read_through(path: Path) -> None:
    """Have a file in the page cache."""
    with path.open("rb", buffering=0) as file:
        while file.read(BLOCK):
            pass


def plain_copy(source: Path, target: Path, nbytes: int) -> float:
    """Give the seconds that ``dd`` takes to write so many bytes of a file, again and again where it is shorter, and to sync them."""
    count = -(-nbytes // BLOCK)
    words = ["dd", f"of={target}", f"bs={BLOCK}", f"count={count}", "iflag=fullblock", "conv=fdatasync", "status=none"]
    start = time.perf_counter()
    with subprocess.Popen(["cat", source, source], stdout=subprocess.PIPE) as cat:
        subprocess.run(words, stdin=cat.stdout, check=True)
    seconds = time.perf_counter() - start
    target.unlink()
    return seconds


def measure(way: str, source: Path, folder: Path) -> dict[str, float]:
    """Run one way in a process of its own; seconds of wall time, bytes of maximum resident set."""
    out = folder / "out"
    out.mkdir()
    sync_tree(folder)
    read_through(source)
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
    parser.add_argument(
        "--grow", default="", help="GiB of volumes, with commas, that our ways are run with for their memory"
    )
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        WAYS[options.way](*options.paths)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        if options.grow:
            grow(Path(name), [float(size) for size in options.grow.split(",")])
            return
    z, y, x = (int(n) for n in ("128,512,512" if options.quick else options.shape).split(","))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        make_input(folder / "source.mrc", (z, y, x))
        rounds = range(options.repeat)
        turns = [{way: measure(way, folder / "source.mrc", folder) for way in WAYS} for _ in rounds]
        runs = {way: [turn[way] for turn in turns] for way in WAYS}
        wrote = (folder / "source.mrc").stat().st_size + int(runs["streaming"][0]["zarr_bytes"])
        copied = [plain_copy(folder / "source.mrc", folder / "copy", wrote) for _ in rounds]
    report(runs, (z, y, x), float(np.median(copied)))


def grow(folder: Path, sizes: list[float]) -> None:
    """Measure our ways with volumes of different sizes, given in GiB."""
    print(f"{'GiB':>6}" + "".join(f"{way:>26}" for way in OURS))
    for size in sizes:
        make_input(folder / "source.mrc", (round(size * 256), 1024, 1024))
        found = [measure(way, folder / "source.mrc", folder) for way in OURS]
        words = (f"{r['seconds']:8.2f} s {r['maxrss'] / 2**20:8.0f} MiB" for r in found)
        print(f"{size:6g}" + "".join(f"{word:>26}" for word in words), flush=True)
        print(json.dumps({"benchmark": "convert-memory", "gib": size, "ways": dict(zip(OURS, found, strict=True))}))
        (folder / "source.mrc").unlink()


def report(runs: dict[str, list[dict[str, float]]], shape: tuple[int, int, int], copied: float) -> None:
    """Print what was measured."""
    seconds = {way: float(np.median([run["seconds"] for run in results])) for way, results in runs.items()}
    memory = {way: max(run["maxrss"] for run in results) for way, results in runs.items()}
    cpu = {way: float(np.median([run["cpu_seconds"] for run in results])) for way, results in runs.items()}
    for way in runs:
        stored = runs[way][0]["zarr_bytes"] / 1e6
        print(
            f"{way:12} {seconds[way]:8.2f} s  {cpu[way]:8.2f} s of CPU  {memory[way] / 2**20:8.0f} MiB resident  {stored:8.0f} MB of OME-Zarr"
        )
    ratios = {way: round(seconds["whole-array"] / seconds[way], 2) for way in OURS}
    smaller = {way: round(memory["whole-array"] / memory[way], 1) for way in OURS}
    print(
        f"dd of as many bytes as streaming writes {copied:.2f} s: streaming takes {seconds['streaming'] / copied:.2f} of it"
    )
    print(", ".join(f"{way}: {ratios[way]:.2f} times faster, {smaller[way]:.1f} times less memory" for way in OURS))
    figures = {"shape": shape, "ratio": ratios, "memory": smaller, "dd": round(copied, 2), "ways": runs}
    print(json.dumps({"benchmark": "convert", **figures}))


if __name__ == "__main__":
    main()
