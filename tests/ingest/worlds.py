"""A source tree made from a configuration's own patterns: whatever it looks for is there, small and well-formed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from tomotheca.formats import mrc
from tomotheca.ingest.config import Configuration, Entry, Source, read
from tomotheca.ingest.discover import allowed
from tomotheca.ingest.language import SourceGlob
from tomotheca.ingest.language_shapes import Shape
from tomotheca.ingest.template import fill, named

SIZE = (4, 6, 8)
SECTIONS = 5
ANGLES = (-60.0, -30.0, 0.0, 30.0, 60.0)
COLUMNS = {
    "tomo-fiducial_alignment_status": "FIDUCIAL",
    "tomo-reconstruction_method": "WBP",
    "mapped_tomo_name": "{run}.rec",
    "mapped_tilt_series_name": "series_{run}",
    "gain_file": "gain_{run}.tif",
}
"""Columns of map files that are no numbers."""

NUMBER = "3"
ENDINGS = ("", ".mrc", ".st", ".rec", ".tif", ".star", ".mdoc", ".csv")


class Parent:
    """Stands for an item in filters of parents."""

    def __init__(self, **names: str) -> None:
        self.names = names

    def line(self) -> Iterator[Any]:
        for kind, name in self.names.items():
            yield type("Item", (), {"kind": kind, "name": name})


def build(path: Path, source: Path, runs: Sequence[str]) -> Configuration:
    """Make everything that a configuration looks for, for runs of these names."""
    configuration = read(path)
    assert configuration.standard is not None
    root = source.joinpath(*[p for p in configuration.standard.source_prefix.split("/") if p])
    root.mkdir(parents=True)
    for run in runs:
        values = {**columns(configuration, run), "run_name": run}
        for dataset in names_of(configuration, "datasets"):
            for entry in (e for entries in configuration.entries.values() for e in entries):
                for one in entry.sources:
                    if allowed(one, Parent(dataset=dataset, run=run)):  # type: ignore[arg-type]  # has the same line
                        write_source(root, entry, one, values)
    write_maps(configuration, root, runs)
    return configuration


def names_of(configuration: Configuration, container: str) -> list[str]:
    sources = (s for e in configuration.of(container) for s in e.sources)
    return [str(v) for s in sources for v in getattr(s.finder, "value", ())]


def columns(configuration: Configuration, run: str) -> dict[str, str]:
    """Give a value to every column that a configuration names."""
    known = {f"{kind}_{part}" for kind in ("run", "dataset", "deposition") for part in ("name", "path", "output_path")}
    found = {name for name in named(configuration.path.read_text()) if re.fullmatch(r"[\w-]+", name)} - known
    return {name: COLUMNS.get(name, NUMBER).replace("{run}", run) for name in sorted(found)}


def write_maps(configuration: Configuration, root: Path, runs: Sequence[str]) -> None:
    standard = configuration.standard
    assert standard is not None
    rows = {run: columns(configuration, run) for run in runs}
    if name := standard.run_data_map_file:
        separator = "\t" if name.endswith("tsv") else ","
        table = [["run_name", *rows[runs[0]]], *([run, *row.values()] for run, row in rows.items())]
        write(root / name, "".join(separator.join(cells) + "\n" for cells in table))
    for key, column in (("tomo", "mapped_tomo_name"), ("frame", "mapped_frame_name"), ("ts", "mapped_ts_name")):
        if name := getattr(standard, f"run_to_{key}_map_csv"):
            write(root / name, "".join(f"{run},{row.get(column, NUMBER)}\n" for run, row in rows.items()))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_source(root: Path, entry: Entry, source: Source, values: Mapping[str, str]) -> None:
    for pattern in source.globs:
        if pattern.startswith("{run_output_path}"):
            continue
        name = instance(fill(pattern, values), entry, source, values["run_name"])
        make = WRITERS.get(entry.name, write_bytes)
        target = root / name
        if target.exists() and entry.name != "annotations":
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.name == "runs":
            write_run(target)
        elif isinstance(source.finder, Shape):
            write_shape(target, source, values)
        else:
            make(target, entry, values)


def instance(pattern: str, entry: Entry, source: Source, run: str) -> str:
    """Replace the stars of a pattern so that its expressions match; that of a run gives its name."""
    finder = source.finder
    folder, _, last = pattern.rpartition("/")
    for ending in ENDINGS:
        if entry.name == "runs":
            name = run if fnmatch(run, last) else run + last.rpartition("*")[2]
        else:
            name = last.replace("*", run + ending)
        path = f"{folder.replace('*', run)}/{name}".lstrip("/")
        if not isinstance(finder, SourceGlob):
            return path
        if re.search(finder.match_regex, f"/{path}") and re.match(finder.name_regex, name):
            return path
    message = f"nothing fits {pattern}"
    raise AssertionError(message)


# --- what the files hold ----------------------------------------------------------------------------------------------


def write_bytes(path: Path, *_: object) -> None:
    path.write_bytes(b"II*\0")


def write_run(path: Path) -> None:
    if path.suffix == ".rec":
        write_volume(path)
    elif path.suffix == ".st":
        write_stack(path)
    else:
        path.mkdir(exist_ok=True)


def write_volume(path: Path, *_: object) -> None:
    if not path.is_dir():
        mrc.write(path, np.random.default_rng(1).normal(0, 1, SIZE).astype(np.float32), voxel_size=float(NUMBER))


def write_stack(path: Path, *_: object) -> None:
    images = np.random.default_rng(1).normal(100, 9, (SECTIONS, *SIZE[1:])).astype(np.int16)
    mrc.write(path, images, voxel_size=float(NUMBER), stack=True)


def write_angles(path: Path, *_: object) -> None:
    path.write_text("".join(f"{a}\n" for a in ANGLES))


def write_mdoc(path: Path, _: object, values: Mapping[str, str]) -> None:
    sections = (
        f"[ZValue = {z}]\nTiltAngle = {a}\nExposureDose = 3\nSubFramePath = D:\\{values['run_name']}_{z}.tif\n"
        for z, a in enumerate(ANGLES)
    )
    path.write_text("PixelSpacing = 3\n" + "".join(sections))


def write_alignment(path: Path, *_: object) -> None:
    lines = {".xf": "1 0 0 1 2 3\n" * SECTIONS, ".tlt": "".join(f"{a}\n" for a in ANGLES)}
    path.write_text(lines.get(path.suffix, "0\n" * SECTIONS))


def write_ctf(path: Path, *_: object) -> None:
    path.write_text("# Columns\n" + "".join(f"{i + 1} 20000 19000 10 0 0.1 8\n" for i in range(SECTIONS)))


def write_objects(path: Path, _: object, values: Mapping[str, str]) -> None:
    path.write_text(f"run_name,object_id,object_name\n{values['run_name']},GO:1,thing\n")


WRITERS: Mapping[str, Callable[..., None]] = {
    "tiltseries": write_stack,
    "tomograms": write_volume,
    "voxel_spacings": write_volume,
    "rawtilts": write_angles,
    "collection_metadata": write_mdoc,
    "alignments": write_alignment,
    "ctfs": write_ctf,
    "identified_objects": write_objects,
}

STOPGAP = ("motl_idx", "tomo_num", "object", "subtomo_num", "halfset", "orig_x", "orig_y", "orig_z", "score", "x_shift", "y_shift", "z_shift", "phi", "psi", "the", "class")  # fmt: skip
RELION = ("TomoName", "CoordinateX", "CoordinateY", "CoordinateZ", "AngleRot", "AngleTilt", "AnglePsi")


def write_shape(path: Path, source: Source, values: Mapping[str, str]) -> None:
    finder: Any = source.finder
    wanted = fill(getattr(finder, "filter_value", "") or "", values) or values["run_name"]
    match finder.file_format:
        case "csv":
            path.write_text("1,2,3\n4,5,2\n")
        case "relion4_star":
            write_star(path, "data_particles", [f"_rln{c}" for c in RELION], f"{wanted} 1 2 3 10 20 30")
        case "stopgap_star":
            write_star(path, "data_stopgap_motivelist", [f"_{c}" for c in STOPGAP], f"1 {wanted} 1 1 A 1 2 3 0.5 0 0 0 10 20 30 1")  # fmt: skip
        case "copick":
            location = {"location": {"x": 10.0, "y": 20.0, "z": 15.0}, "instance_id": 0}
            path.write_text(json.dumps({"points": [location]}))
        case "mrc":
            labels = np.indices(SIZE).sum(axis=0).astype(np.int8)
            mrc.write(path, labels, voxel_size=float(NUMBER))
        case other:
            message = f"nothing is written for {other}"
            raise AssertionError(message)


def write_star(path: Path, block: str, labels: Sequence[str], row: str) -> None:
    """Begin a table, or add a row to the one that another run began."""
    if not path.exists():
        head = "".join(f"{label} #{i}\n" for i, label in enumerate(labels, 1))
        path.write_text(f"{block}\n\nloop_\n{head}")
    path.write_text(path.read_text().rstrip("\n") + f"\n{row}\n")
