"""How fast the doctor looks at headers, beside opening each file with mrcfile.

Run ``python benchmarks/bench_doctor.py [RUNS=250] [WORKERS=1]``. An archive of small tomograms (four of each run, as MRC and as OME-Zarr) is
made by our own writers; the rules ``mrc.*``, ``zarr.*`` and ``volume.*`` are applied to it. A file is an MRC file or an OME-Zarr
image, with all its levels. It reads the
document and the manifest of each tomogram too. The page cache is warm.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
from mrcfile.validator import validate

from tomotheca.doctor import registry
from tomotheca.doctor.examine import Options, examine
from tomotheca.formats import mrc, omezarr
from tomotheca.store import documents, layout, manifest
from tomotheca.store.files import LocalFiles
from tomotheca.store.manifest import Entry

if TYPE_CHECKING:
    from tomotheca.formats.files import Member

ROUNDS = 5
SHAPE, SPACING = (24, 32, 40), 10.0
DATASET = 10001
VOLUMES = 4
"""Tomograms of each run."""


def build(root: Path, runs: int) -> LocalFiles:
    """Make the archive: one volume is written, the others are copies of it; nothing is synced."""
    files = LocalFiles(root / "archive")
    volume = np.random.default_rng(1).normal(0, 1, SHAPE).astype(np.float32)
    file = mrc.write(root / "volume.mrc", volume, voxel_size=SPACING)
    members = omezarr.write(root / "volume.zarr", volume, spacing=(SPACING, SPACING, SPACING))
    write(files, layout.Dataset(DATASET).document, {"dataset_identifier": DATASET}, [])
    for number in range(runs):
        run = layout.Run(DATASET, f"TS_{number:04d}")
        for volume_number in range(100, 100 + VOLUMES):
            put(files, run.spacing(SPACING).tomogram(volume_number), root, (file, members))
        write(files, run.document, {"run_name": run.name}, [])
    return files


def put(files: LocalFiles, place: layout.Tomogram, root: Path, made: tuple[Member, tuple[Member, ...]]) -> None:
    """Copy the volume to the place of a tomogram, with document and manifest."""
    file, members = made
    (files.root / place.folder).mkdir(parents=True)
    shutil.copy(root / "volume.mrc", files.root / place.mrc())
    shutil.copytree(root / "volume.zarr", files.root / place.zarr())
    size = sum(member.size for member in members)
    entries = [
        Entry(place.mrc(), file.size, file.sha256, "", "tomogram"),
        Entry(place.zarr(), size, "0" * 64, "", "tomogram", members=len(members)),
    ]
    z, y, x = SHAPE
    said = {"mrc_file": place.mrc(), "omezarr_dir": place.zarr().rstrip("/"), "voxel_spacing": SPACING}
    write(files, place.document, {**said, "size": {"x": x, "y": y, "z": z}, "run_name": place.name}, entries)


def write(files: LocalFiles, key: str, document: dict[str, object], entries: list[Entry]) -> None:
    """Write a document and its manifest."""
    path = files.root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(documents.encode(document))
    (path.parent / layout.MANIFEST).write_bytes(manifest.encode(entries))


def clock(work: Callable[[], object]) -> tuple[float, float]:
    """Give the median time of a piece of work, and that of the processor alone, in seconds."""
    taken, busy = [], []
    for _ in range(ROUNDS):
        began, working = time.perf_counter(), time.process_time()
        work()
        taken.append(time.perf_counter() - began)
        busy.append(time.process_time() - working)
    return statistics.median(taken), statistics.median(busy)


def opened(paths: list[Path]) -> None:
    """Open every file with mrcfile, header only."""
    for path in paths:
        with mrcfile.open(path, header_only=True) as file:
            _ = file.voxel_size


def validated(paths: list[Path]) -> None:
    """Let mrcfile validate every file."""
    with Path(os.devnull).open("w") as nowhere:
        for path in paths:
            validate(path, print_file=nowhere)


def main() -> int:
    """Measure and print."""
    runs, workers = ([int(word) for word in sys.argv[1:]] + [250, 1][len(sys.argv) - 1 :])[:2]
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        files = build(Path(folder), runs)
        paths = sorted(files.root.rglob("*.mrc"))
        rules, headers = registry.select(["mrc.*", "zarr.*", "volume.*"]), registry.select(["mrc.*"])
        found = examine(files, Options(rules, workers=workers))
        if found.problems:
            print(*found.problems[:5], sep="\n")
            return 1
        both = clock(lambda: examine(files, Options(rules, workers=workers)))
        only = clock(lambda: examine(files, Options(headers, workers=workers)))
        other = clock(lambda: opened(paths))
        valid = clock(lambda: validated(paths))
    count = len(paths)
    print(
        f"{count} tomograms, {len(rules)} rules, workers: {workers}; medians of {ROUNDS} rounds: wall clock, processor"
    )
    for name, files_, (wall, busy) in (
        ("doctor, MRC and OME-Zarr", 2 * count, both),
        ("doctor, MRC alone", count, only),
        ("mrcfile.open, header_only", count, other),
        ("mrcfile.validate", count, valid),
    ):
        print(f"{name:<26} {files_ / wall:8,.0f} files/s {files_ / busy:8,.0f} files/s of one core")
    print(
        f"The doctor takes {only[1] / other[1]:.1f} times the processor time of mrcfile.open, {only[1] / valid[1]:.1f} times that of validate."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
