"""How long a plan takes before anything is read: checking a long configuration, planning many runs of small files.

Run ``python benchmarks/bench_plan.py [RUNS=400] [LINES=4000]``. Each figure is the median of three, in this run; checking stands beside
`yaml.safe_load` of the same text, planning beside a plain walk of the tree that asks every file for its size.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tomotheca.formats import mrc
from tomotheca.ingest.check import load
from tomotheca.ingest.plan import IngestOptions, plan
from tomotheca.store.files import LocalFiles

FRAMES = 10
"""Sections and movies of each run."""

PEOPLE: dict[str, Any] = {
    "authors": [{"name": "Ada Fictional", "primary_author_status": True, "corresponding_author_status": True}],
    "dates": {"deposition_date": "2026-01-10", "release_date": "2026-02-01", "last_modified_date": "2026-02-01"},
}
UNKNOWN = {"name": "unknown", "id": "unknown"}
DATASET: dict[str, Any] = {
    **PEOPLE, "dataset_identifier": 10001, "dataset_title": "Many runs", "dataset_description": "Small files.",
    "sample_type": "in_silico", "assay": UNKNOWN, "development_stage": UNKNOWN, "disease": UNKNOWN,
}  # fmt: skip
DEPOSITION: dict[str, Any] = {
    **PEOPLE, "deposition_identifier": 10300, "deposition_title": "Many runs", "deposition_description": "Small files.",
    "deposition_types": ["dataset"],
}  # fmt: skip
SERIES: dict[str, Any] = {
    "acceleration_voltage": 300000, "camera": {"manufacturer": "Gatan", "model": "K3"}, "microscope": {"manufacturer": "TFS", "model": "Krios"},
    "microscope_optical_setup": {"energy_filter": "GIF"}, "data_acquisition_software": "SerialEM", "is_aligned": False,
    "spherical_aberration_constant": 2.7, "tilt_axis": 84.7, "tilt_range": {"min": -60, "max": 60}, "tilt_step": 3,
    "tilting_scheme": "dose-symmetric", "total_flux": 30, "pixel_spacing": 5.0,
}  # fmt: skip
TOMOGRAM: dict[str, Any] = {
    **PEOPLE, "voxel_spacing": 10.0, "fiducial_alignment_status": False, "reconstruction_method": "WBP", "reconstruction_software": "IMOD",
    "processing": "raw", "tomogram_version": 1, "offset": {"x": 0, "y": 0, "z": 0},
}  # fmt: skip


def glob(pattern: str) -> list[dict[str, Any]]:
    """Give the sources of one pattern."""
    return [{"source_glob": {"list_glob": pattern}}]


def annotation(number: int) -> dict[str, Any]:
    """Describe an annotation from a table of points."""
    metadata = {
        **PEOPLE, "annotation_ingest_id": f"ribosome-{number}", "annotation_object": {"id": "GO:0022626", "name": "ribosome"},
        "annotation_method": "by hand", "method_type": "manual", "version": "1.0",
    }  # fmt: skip
    return {"metadata": metadata, "sources": [{"Point": {"file_format": "csv", "glob_string": "{run_name}/picks.csv"}}]}


def configuration(annotations: int) -> dict[str, Any]:
    """Describe one dataset with everything a run has."""
    return {
        "version": "1.3.0",
        "standardization_config": {"deposition_id": 10300, "source_prefix": "."},
        "depositions": [{"metadata": DEPOSITION, "sources": [{"literal": {"value": [10300]}}]}],
        "datasets": [{"metadata": DATASET, "sources": [{"literal": {"value": ["10001"]}}]}],
        "runs": [{"sources": glob("TS_*")}],
        "voxel_spacings": [{"sources": [{"literal": {"value": [10.0]}}]}],
        "tiltseries": [{"metadata": SERIES, "sources": glob("{run_name}/{run_name}.st")}],
        "rawtilts": [{"sources": glob("{run_name}/*.rawtlt")}],
        "collection_metadata": [{"sources": glob("{run_name}/*.mdoc")}],
        "frames": [
            {"metadata": {"dose_rate": 3, "is_gain_corrected": False}, "sources": glob("{run_name}/frames/*.tif")}
        ],
        "alignments": [
            {
                "metadata": {"format": "IMOD", "method_type": "fiducial_based"},
                "sources": [{"source_multi_glob": {"list_globs": ["{run_name}/*.xf", "{run_name}/*.tlt"]}}],
            }
        ],
        "ctfs": [{"metadata": {"format": "CTFFIND"}, "sources": glob("{run_name}/ctf.txt")}],
        "tomograms": [{"metadata": TOMOGRAM, "sources": glob("{run_name}/{run_name}.rec")}],
        "annotations": [annotation(i) for i in range(annotations)],
    }


def lab(source: Path, runs: int) -> None:
    """Make runs of small files."""
    angles = [-60 + 12.0 * i for i in range(FRAMES)]
    stack = np.zeros((FRAMES, 8, 8), np.int16)
    volume = np.zeros((8, 8, 8), np.float32)
    for number in range(runs):
        folder = source / f"TS_{number:03d}"
        (folder / "frames").mkdir(parents=True)
        mrc.write(folder / f"{folder.name}.st", stack, voxel_size=5.0, stack=True)
        mrc.write(folder / f"{folder.name}.rec", volume, voxel_size=10.0)
        (folder / "a.rawtlt").write_text("".join(f"{a}\n" for a in angles))
        (folder / "a.tlt").write_text("".join(f"{a + 0.5}\n" for a in angles))
        (folder / "a.xf").write_text("1 0 0 1 0 0\n" * FRAMES)
        (folder / "ctf.txt").write_text("".join(f"{i + 1} 20000 19000 0 0 0.1 8\n" for i in range(FRAMES)))
        (folder / "picks.csv").write_text("1,2,3\n" * 20)
        sections = (
            f"[ZValue = {z}]\nTiltAngle = {a}\nExposureDose = 3\nSubFramePath = D:\\f_{z}.tif\n"
            for z, a in enumerate(angles)
        )
        (folder / "a.mdoc").write_text("PixelSpacing = 5\n" + "".join(sections))
        for z in range(FRAMES):
            (folder / "frames" / f"f_{z}.tif").write_bytes(b"II*\0")


def walk(source: Path) -> int:
    """Ask every file of a tree for its size."""
    return sum(os.stat(Path(folder) / name).st_size for folder, _, names in os.walk(source) for name in names)  # noqa: PTH116  # the plain way


def seconds(what: Callable[[], Any]) -> tuple[float, float]:
    """Give the median time of three calls, on the wall and of the processor."""
    taken = []
    for _ in range(3):
        wall, processor = time.perf_counter(), time.process_time()
        what()
        taken.append((time.perf_counter() - wall, time.process_time() - processor))
    walls, processors = zip(*taken, strict=True)
    return statistics.median(walls), statistics.median(processors)


def said(what: str, taken: tuple[float, float], plain: tuple[float, float], beside: str) -> None:
    """Print a figure beside its baseline."""
    times = f"{taken[0]:.2f} s ({taken[1]:.2f} s of processor)"
    base = f"{plain[0]:.2f} s ({plain[1]:.2f} s)"
    print(f"{what}: {times}; {beside} {base}: {taken[1] / plain[1]:.2f} times its processor time")


class NoAliases(yaml.SafeDumper):
    """Writes everything out, as long configurations are."""

    def ignore_aliases(self, data: object) -> bool:
        """Write out what stands twice."""
        del data
        return True


def main() -> None:
    """Print the figures."""
    runs, lines = (int(word) for word in (*sys.argv[1:], "400", "4000")[:2])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        long, short = root / "long.yaml", root / "short.yaml"
        each = len(yaml.dump(annotation(0), Dumper=NoAliases).splitlines())
        long.write_text(yaml.dump(configuration(lines // each + 1), Dumper=NoAliases))
        text = long.read_text()
        plain, fast = (
            seconds(lambda loader=loader: yaml.load(text, Loader=loader))  # both are safe
            for loader in (yaml.SafeLoader, yaml.CSafeLoader)
        )
        checked = seconds(lambda: load(long))
        name = f"check of {len(text.splitlines())} lines"
        said(name, checked, plain, "yaml.safe_load")
        said(name, checked, fast, "the same in C")
        short.write_text(yaml.dump(configuration(1)))
        lab(root / "source", runs)
        options, files = IngestOptions(short, root / "source"), LocalFiles(root / "archive")
        planned = plan(options, files)
        assert not planned.errors, planned.errors[:3]
        walked, taken = seconds(lambda: walk(root / "source")), seconds(lambda: plan(options, files))
        said(f"plan of {runs} runs, {len(planned.steps)} documents", taken, walked, "a plain walk")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
