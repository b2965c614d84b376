"""Time and memory of taking in many particles of a star file, beside starfile and a loop with json in the same run.

Ours reads the file and writes rows as an ingest does; once more with the precomputed annotations that the viewer opens. The other way reads it with starfile, turns angles with scipy and writes
one ``json.dumps`` a row. Run ``python benchmarks/bench_points.py --help``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COLUMNS = ("CoordinateX", "CoordinateY", "CoordinateZ", "OriginXAngst", "OriginYAngst", "OriginZAngst")
ANGLES = ("AngleRot", "AngleTilt", "AnglePsi")
PIXEL = 2.0


def make_input(path: Path, count: int) -> None:
    """Write a RELION 4 file of so many particles in one tomogram."""
    generator = np.random.default_rng(0)
    names = ("TomoName", *COLUMNS, *ANGLES, "OpticsGroup")
    with path.open("w") as file:
        file.write(f"data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnImagePixelSize #2\n1 {PIXEL}\n\n")
        file.write("data_particles\n\nloop_\n")
        file.writelines(f"_rln{name} #{number}\n" for number, name in enumerate(names, start=1))
        for start in range(0, count, 10_000):
            values = generator.uniform(-180, 1000, (min(10_000, count - start), 9))
            file.writelines(f"TS_1 {' '.join(f'{value:.6f}' for value in row)} 1\n" for row in values)


def ours(source: Path, out: Path) -> None:
    """Take the file in as the program does."""
    from tomotheca.formats import ndjson
    from tomotheca.formats.points import Options
    from tomotheca.formats.registry import read_points

    points = read_points(source, "relion4_star", Options(filter_value="TS_1"), shape="OrientedPoint")
    ndjson.write(out, points, row_type="orientedPoint")


def shown(source: Path, out: Path) -> None:
    """Take the file in as the program does, and write what the viewer opens."""
    from tomotheca.formats import ndjson, precomputed
    from tomotheca.formats.points import Options
    from tomotheca.formats.registry import read_points

    points = read_points(source, "relion4_star", Options(filter_value="TS_1"), shape="OrientedPoint")
    ndjson.write(out, points, row_type="orientedPoint")
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        precomputed.write(Path(folder), points, precomputed.Frame(10.0, (1000, 1000, 1000)), kind="orientedPoint")


def usual(source: Path, out: Path) -> None:
    """Take the file in with starfile, scipy and json."""
    import starfile
    from scipy.spatial.transform import Rotation

    table = starfile.read(source)["particles"]
    table = table[table["rlnTomoName"] == "TS_1"]
    names = [f"rln{name}" for name in COLUMNS]
    places = table[names[:3]].to_numpy() - table[names[3:]].to_numpy() / PIXEL
    angles = table[[f"rln{name}" for name in ANGLES]].to_numpy()
    matrices = Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_matrix()
    with out.open("w") as file:
        for (x, y, z), matrix in zip(places.tolist(), matrices.tolist(), strict=True):
            row = {"type": "orientedPoint", "location": {"x": x, "y": y, "z": z}, "xyz_rotation_matrix": matrix}
            file.write(json.dumps(row) + "\n")


WAYS = {"ours": ours, "ours with precomputed": shown, "starfile": usual}


def measure(way: str, source: Path, out: Path) -> dict[str, float]:
    """Run one way in a process of its own; seconds of wall time and of CPU, bytes of maximum resident set."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, __file__, "--way", way, str(source), str(out)])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{way} failed")
    cpu = round(usage.ru_utime + usage.ru_stime, 2)
    return {"seconds": round(seconds, 2), "cpu_seconds": cpu, "maxrss": usage.ru_maxrss * 1024}


def same(one: Path, other: Path) -> None:
    """Check that both ways wrote the same points."""
    with one.open("rb") as first, other.open("rb") as second:
        for index, (a, b) in enumerate(zip(first, second, strict=True)):
            if index % 997:
                continue
            left, right = json.loads(a), json.loads(b)
            for key in ("location", "xyz_rotation_matrix"):
                if not np.allclose(*(np.array(list(_flat(row[key]))) for row in (left, right)), atol=1e-9):
                    raise SystemExit(f"row {index + 1} differs: {a!r} {b!r}")


def _flat(value: object) -> list[float]:
    if isinstance(value, dict):
        return list(value.values())
    return np.ravel(value).tolist()  # type: ignore[call-overload,no-any-return]  # a matrix


def main() -> None:
    """Measure both ways and print a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="particles (default: a million)")
    parser.add_argument("--repeat", type=int, default=3, help="times each way is run; the medians are printed")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        WAYS[options.way](*options.paths)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        make_input(folder / "particles.star", options.count)
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(options.repeat):
            for way in WAYS:
                runs[way].append(measure(way, folder / "particles.star", folder / f"{way}.ndjson"))
        same(folder / "ours.ndjson", folder / "starfile.ndjson")
    report(runs, options.count)


def report(runs: dict[str, list[dict[str, float]]], count: int) -> None:
    """Print what was measured."""
    seconds = {way: float(np.median([run["seconds"] for run in results])) for way, results in runs.items()}
    cpu = {way: float(np.median([run["cpu_seconds"] for run in results])) for way, results in runs.items()}
    memory = {way: max(run["maxrss"] for run in results) for way, results in runs.items()}
    for way in runs:
        print(f"{way:22} {seconds[way]:8.2f} s  {cpu[way]:8.2f} s of CPU  {memory[way] / 2**20:8.0f} MiB resident")
    ratio = seconds["starfile"] / seconds["ours"]
    print(f"{count} particles: {ratio:.2f} times faster, {memory['starfile'] / memory['ours']:.1f} times less memory")
    print(json.dumps({"benchmark": "points", "count": count, "ratio": round(ratio, 2), "ways": runs}))


if __name__ == "__main__":
    main()
