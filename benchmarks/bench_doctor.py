"""How fast the doctor looks at headers, beside opening each file with mrcfile.

Run ``python benchmarks/bench_doctor.py [RUNS=500] [WORKERS=1]``. An archive of small tomograms (one of each run, as MRC and as OME-Zarr) is
made by the store's own writers; the rules ``mrc.*``, ``zarr.*`` and ``volume.*`` are applied to it. A file is an MRC file or an OME-Zarr
image, with all its levels. The page cache is warm for both; medians of five rounds.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
from mrcfile.validator import validate

from tomotheca.doctor import registry
from tomotheca.doctor.examine import Options, examine
from tomotheca.formats import mrc, omezarr
from tomotheca.store import documents, layout, manifest
from tomotheca.store.files import LocalFiles
from tomotheca.store.manifest import Entry

ROUNDS = 5
SHAPE, SPACING = (24, 32, 40), 10.0
DATASET = 10001


def build(root: Path, runs: int) -> LocalFiles:
    """Make the archive: one volume is written, the others are copies of it; nothing is synced."""
    files = LocalFiles(root / "archive")
    first = root / "volume.mrc"
    volume = np.random.default_rng(1).normal(0, 1, SHAPE).astype(np.float32)
    file = mrc.write(first, volume, voxel_size=SPACING)
    members = omezarr.write(root / "volume.zarr", volume, spacing=(SPACING, SPACING, SPACING))
    size = sum(member.size for member in members)
    write(files, layout.Dataset(DATASET).document, {"dataset_identifier": DATASET}, [])
    for number in range(runs):
        run = layout.Run(DATASET, f"TS_{number:04d}")
        place = run.spacing(SPACING).tomogram(100)
        (files.root / place.folder).mkdir(parents=True)
        shutil.copy(first, files.root / place.mrc())
        shutil.copytree(root / "volume.zarr", files.root / place.zarr())
        entries = [
            Entry(place.mrc(), file.size, file.sha256, "", "tomogram"),
            Entry(place.zarr(), size, "0" * 64, "", "tomogram", members=len(members)),
        ]
        z, y, x = SHAPE
        said = {"mrc_file": place.mrc(), "omezarr_dir": place.zarr().rstrip("/"), "voxel_spacing": SPACING}
        write(files, place.document, {**said, "size": {"x": x, "y": y, "z": z}, "run_name": run.name}, entries)
        write(files, run.document, {"run_name": run.name}, [])
    return files


def write(files: LocalFiles, key: str, document: dict[str, object], entries: list[Entry]) -> None:
    """Write a document and its manifest."""
    path = files.root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(documents.encode(document))
    (path.parent / layout.MANIFEST).write_bytes(manifest.encode(entries))


def clock(work: Callable[[], object]) -> float:
    """Give the median time of a piece of work."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def opened(paths: list[Path]) -> None:
    """Open every file with mrcfile, header only."""
    for path in paths:
        with mrcfile.open(path, header_only=True) as file:
            _ = file.voxel_size


def main() -> int:
    """Measure and print."""
    runs, workers = (*map(int, sys.argv[1:]), 500, 1)[:2] if len(sys.argv) < 3 else map(int, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        files = build(Path(folder), runs)
        paths = sorted(files.root.rglob("*.mrc"))
        rules = registry.select(["mrc.*", "zarr.*", "volume.*"])
        headers = registry.select(["mrc.*"])
        found = examine(files, Options(rules, workers=workers))
        if found.problems:
            print(*found.problems[:5], sep="\n")
            return 1
        both = clock(lambda: examine(files, Options(rules, workers=workers)))
        only = clock(lambda: examine(files, Options(headers, workers=workers)))
        other = clock(lambda: opened(paths))
        warnings.simplefilter("ignore")
        valid = clock(lambda: [validate(path, print_file=open("/dev/null", "w")) for path in paths[:50]]) * runs / 50  # noqa: PTH123, SIM115
    print(f"{runs} tomograms, {len(rules)} rules, {workers} workers; medians of {ROUNDS} rounds")
    print(f"MRC and OME-Zarr headers: {2 * runs / both:8,.0f} files/s  ({both:.2f} s)")
    print(f"MRC headers alone:        {runs / only:8,.0f} files/s  ({only:.2f} s)")
    print(
        f"mrcfile, header_only:     {runs / other:8,.0f} files/s  ({other:.2f} s): {other / only:.2f}x the time of the doctor"
    )
    print(
        f"mrcfile.validate:         {runs / valid:8,.0f} files/s  ({valid:.2f} s): {valid / only:.2f}x the time of the doctor"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
