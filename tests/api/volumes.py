"""A small archive with a real tomogram, points and a mask, for what cuts planes out of volumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from tests.catalog.archive import put_dataset, put_deposition

from tomotheca.catalog.build import Indexer
from tomotheca.desk import Desk
from tomotheca.formats import omezarr
from tomotheca.formats.omezarr.levels import SECTION
from tomotheca.settings import Settings
from tomotheca.store import documents, layout, manifest
from tomotheca.store.files import LocalFiles

Array = npt.NDArray[Any]

DATASET, RUN = 10001, "TS_1"
TOMOGRAM = ANNOTATION = 100011
HIDDEN = 100021
MASK = 100012
"""Annotations and tomograms have the number of their run in this archive; the mask has its own."""

SERIES, SECTIONS = 31, 5
SHAPE = (40, 144, 200)
SPACING = 10.0
POINTS = ((100.0, 70.0, 20.0), (30.0, 100.0, 20.0), (150.0, 30.0, 39.0))
"""x, y, z in voxels."""

BOX = (slice(10, 30), slice(20, 60), slice(40, 120))
"""Where the mask is set."""


def volume() -> Array:
    """Give the tomogram: a ramp along every axis, so that each plane is unlike the others."""
    z, y, x = np.ogrid[tuple(slice(0, n) for n in SHAPE)]
    return np.asarray(12 * z + 2 * y + 3 * x, np.int16)


def build(root: Path) -> LocalFiles:
    """Write the archive, and index it: a public dataset, and a private one with the same volume."""
    files = LocalFiles(root / "archive")
    files.root.mkdir(parents=True)
    private = {"visibility": {"state": "private", "until": None}}
    put_deposition(files, 10300)
    put_deposition(files, 10301, **private)
    put_dataset(files, DATASET, 10300, runs=1)
    put_dataset(files, DATASET + 1, 10301, runs=1, **private)
    for dataset in (DATASET, DATASET + 1):
        put_volume(files, layout.Run(dataset, RUN))
    put_annotations(files, layout.Run(DATASET, RUN))
    put_series(files, layout.Run(DATASET, RUN))
    settings = Settings(root=root)
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    with Desk.open(settings.desk_database) as desk:
        Indexer(files, desk, settings.catalog_database).rebuild()
    return files


def put_volume(files: LocalFiles, run: layout.Run) -> None:
    """Put the tomogram in the place of the one that is there."""
    place, (z, y, x) = run.spacing(SPACING).tomogram(100), SHAPE
    with files.stage(place.zarr()) as folder:
        folder.rmdir()
        omezarr.write(folder, volume(), spacing=(SPACING,) * 3)
    document = documents.read(files, place.document)
    levels = omezarr.plan_levels(SHAPE, (SPACING,) * 3)
    document |= {
        "size": {"x": x, "y": y, "z": z},
        "levels": [{"path": v.path, "size": dict(zip("zyx", v.shape, strict=True)), "spacing": dict(zip("zyx", v.scale, strict=True)), "bytes": 1} for v in levels],
        "statistics": {"dtype": "int16", "min": 0.0, "max": 1351.0, "mean": 600.0, "p1": 100.0, "p99": 1200.0},
    }  # fmt: skip
    entries = [manifest.describe(files, place.mrc(), "tomogram"), manifest.describe(files, place.zarr(), "tomogram")]
    documents.write(files, place.document, document, entries)


def put_annotations(files: LocalFiles, run: layout.Run) -> None:
    """Put points in the annotation that is there, and an annotation that is a mask beside it."""
    first, second = (run.spacing(SPACING).annotation(n) for n in (100, 101))
    path = first.shape("membrane-1.0", "Point", ".ndjson")
    lines = [json.dumps({"type": "point", "location": dict(zip("xyz", p, strict=True))}) for p in POINTS]
    files.write_bytes(path, "\n".join(lines).encode() + b"\n")
    document = documents.read(files, first.document("membrane-1.0"))
    documents.write(
        files,
        first.document("membrane-1.0"),
        {**document, "object_count": 3},
        [manifest.describe(files, path, "annotation")],
    )
    mask = np.zeros(SHAPE, np.int8)
    mask[BOX] = 1
    key = second.shape("shell-1.0", "SegmentationMask", ".zarr/")
    with files.stage(key) as folder:
        folder.rmdir()
        omezarr.write(folder, mask, spacing=(SPACING,) * 3, method="majority")
    made = {
        **document, "id": MASK, "annotation_ingest_id": "shell-1", "annotation_object": {"id": "GO:0005575", "name": "shell"}, "ground_truth_status": False,
        "files": [{"shape": "SegmentationMask", "format": "zarr", "path": key.rstrip("/"), "is_visualization_default": False}],
        "ids": {
            "annotation_author": {"Ada Fictional": MASK}, "annotation_shape": {"SegmentationMask": MASK},
            "annotation_file": {key.rstrip("/").rpartition("/")[2]: MASK},
        },
    }  # fmt: skip
    documents.write(files, second.document("shell-1.0"), made, [manifest.describe(files, key, "annotation")])


def series() -> Array:
    """Give the tilt series: gradients that turn from section to section, each brighter than the one before."""
    y, x = np.mgrid[0:64, 0:96]
    return np.stack([1000 * n + (x if n % 2 else y) for n in range(SECTIONS)]).astype(np.int16)


def put_series(files: LocalFiles, run: layout.Run) -> None:
    """Put a tilt series in, one chunk for each section."""
    place, values = run.tilt_series(100), series()
    levels = omezarr.plan_levels((SECTIONS, 64, 96), (SPACING,) * 3, step=SECTION, chunks=(1, 1024, 1024))
    with files.stage(place.zarr(RUN)) as folder:
        folder.rmdir()
        writer = omezarr.Writer(folder, levels, values.dtype)
        for level in levels:
            for n in range(SECTIONS):
                writer.write_chunk(level, (n, 0, 0), values[n : n + 1, :: 2**level.number, :: 2**level.number])
        writer.finish(RUN, "mean")
    document = {
        "id": SERIES, "deposition_id": 10300, "run_name": RUN, "acceleration_voltage": 300000, "spherical_aberration_constant": 2.7, "is_aligned": False,
        "microscope": {"manufacturer": "SIMULATED", "model": "M"}, "microscope_optical_setup": {"energy_filter": "none"}, "camera": {"manufacturer": "simulated", "model": "C"},
        "data_acquisition_software": "S", "pixel_spacing": SPACING, "tilt_axis": 84.7, "tilt_range": {"min": -6.0, "max": 6.0}, "tilt_step": 3.0, "tilting_scheme": "dose-symmetric",
        "total_flux": 120.0, "size": {"x": 96, "y": 64, "z": SECTIONS}, "omezarr_dir": place.zarr(RUN).rstrip("/"), "ids": {},
    }  # fmt: skip
    documents.write(files, place.document, document, [manifest.describe(files, place.zarr(RUN), "tilt_series")])


def write_image(folder: Path, values: Array, **options: Any) -> None:
    """Write an image of one level with the zarr library, as other programs do."""
    group = zarr.create_group(str(folder), zarr_format=options.get("zarr_format", 2))
    array = group.create_array(
        "0", shape=values.shape, dtype=values.dtype, **{k: v for k, v in options.items() if k != "zarr_format"}
    )
    array[...] = values
    axes: Any = [{"name": axis, "type": "space", "unit": "angstrom"} for axis in "zyx"]
    scale: Any = [{"type": "scale", "scale": [SPACING] * 3}]
    multiscales: Any = [
        {"version": "0.4", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    ]
    group.attrs["multiscales" if options.get("zarr_format", 2) == 2 else "ome"] = (
        multiscales if options.get("zarr_format", 2) == 2 else {"multiscales": multiscales}
    )
