"""Write an archive of many runs without volumes: make_archive.py DIR [N_DATASETS=500] [RUNS_PER_DATASET=40].

Documents and manifests as ingest leaves them. Each run has a tilt series, an alignment, a tomogram and an annotation; its manifests stand
for 1,200 files, most of them members of array directories. Lists of members of one length are one file under many names.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from tomotheca.store import layout, manifest

DATES = {"deposition_date": "2025-01-02", "release_date": "2025-03-04", "last_modified_date": "2025-03-05"}
AUTHORS = [
    {"name": f"Author {n} Fictional", "email": f"author{n}@example.org", "primary_author_status": n == 1}
    for n in (1, 2)
]
DIGEST = hashlib.sha256(b"benchmark").hexdigest()
SERIES_MEMBERS, TOMOGRAM_MEMBERS = 450, 745


class Writer:
    """Writes documents with their manifests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lists: dict[int, Path] = {}

    def document(self, key: str, document: dict[str, Any], entries: list[manifest.Entry] | None = None) -> None:
        """Write a document and the manifest of its folder."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = None
        if entries is not None:
            data = manifest.encode(entries)
            (path.parent / layout.MANIFEST).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
        whole = {**document, "manifest": digest, "last_updated_at": 1760000000.0}
        path.write_text(json.dumps(whole, indent=2) + "\n")

    def array(self, key: str, count: int) -> manifest.Entry:
        """Give the entry of an array directory, and write its list of members."""
        target = self.root / layout.members_key(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        if count not in self.lists:
            paths = sorted(f"{n % 3}/{n // 100}/{n % 100}" for n in range(count))
            target.write_text("".join(f"{path} 2097152 {DIGEST}\n" for path in paths))
            self.lists[count] = target
        else:
            target.hardlink_to(self.lists[count])
        return manifest.Entry(key, 2097152 * count, DIGEST, manifest.media_type(key), "tomogram", members=count)

    def file(self, key: str, role: str) -> manifest.Entry:
        """Give the entry of a file."""
        return manifest.Entry(key, 1_000_000, DIGEST, manifest.media_type(key), role)


def ids(kind: str, number: int) -> dict[str, dict[str, int]]:
    """Give the identifiers of a document's authors."""
    return {kind: {a["name"]: number * 2 + place for place, a in enumerate(AUTHORS)}}  # type: ignore[misc]


def main(root: Path, datasets: int = 500, runs: int = 40) -> None:
    """Write the archive."""
    writer = Writer(root)
    depositions = max(datasets // 10, 1)
    for n in range(depositions):
        number = 10300 + n
        writer.document(
            layout.Deposition(number).document,
            {
                "id": number, "ids": {**ids("deposition_author", n), "deposition_type": {"dataset": n + 1}}, "dates": DATES,
                "deposition_identifier": number, "deposition_title": f"Deposition {number}", "deposition_description": "Words " * 40,
                "deposition_types": ["dataset"], "authors": AUTHORS,
            },
            [],
        )  # fmt: skip
    for n in range(datasets):
        dataset(writer, 20000 + n, 10300 + n % depositions, n, runs)


def dataset(writer: Writer, number: int, deposition: int, n: int, runs: int) -> None:
    """Write one dataset."""
    place = layout.Dataset(number)
    writer.document(
        place.document,
        {
            "id": number, "deposition_id": deposition, "ids": ids("dataset_author", n), "dates": DATES, "dataset_identifier": number,
            "dataset_title": f"Dataset {number}", "dataset_description": "Words " * 40, "sample_type": "organism",
            "organism": {"name": "Mus musculus", "taxonomy_id": 10090}, "assay": {"name": "assay", "id": "EFO:1"},
            "authors": AUTHORS, "development_stage": {"name": "unknown"}, "disease": {"name": "normal"},
        },
        [writer.file(place.image("snapshot.png"), "image")],
    )  # fmt: skip
    for k in range(1, runs + 1):
        run(writer, layout.Run(number, f"TS_{k:03d}"), n * runs + k, deposition)


def run(writer: Writer, place: layout.Run, number: int, deposition: int) -> None:
    """Write one run."""
    spacing, series, alignment = place.spacing(10.0), place.tilt_series(100), place.alignment(100)
    writer.document(
        place.document,
        {"id": number, "run_name": place.name, "ids": {"tomogram_voxel_spacing": {"10.000": number}}},
        [],
    )
    writer.document(
        series.document,
        {
            "id": number, "deposition_id": deposition, "acceleration_voltage": 300000, "spherical_aberration_constant": 2.7,
            "microscope": {"manufacturer": "TFS", "model": "Krios"}, "microscope_optical_setup": {"energy_filter": "GIF"},
            "camera": {"manufacturer": "Gatan", "model": "K3"}, "tilt_range": {"min": -60.0, "max": 60.0}, "tilt_step": 3.0,
            "tilting_scheme": "dose-symmetric", "tilt_axis": 85.0, "total_flux": 120.0, "data_acquisition_software": "SerialEM",
            "tilt_series_quality": 4, "is_aligned": False, "pixel_spacing": 1.5, "size": {"x": 4096, "y": 4096, "z": 41},
            "mrc_file": series.mrc(), "omezarr_dir": series.zarr().rstrip("/"),
        },
        [writer.file(series.mrc(), "tilt_series"), writer.file(series.rawtilt(), "angles"), writer.array(series.zarr(), SERIES_MEMBERS)],
    )  # fmt: skip
    writer.document(
        alignment.document,
        {
            "id": number, "deposition_id": deposition, "alignment_type": "GLOBAL", "is_portal_standard": True,
            "tiltseries_path": series.document,
        },
        [writer.file(alignment.renamed(".xf"), "alignment")],
    )  # fmt: skip
    tomogram = spacing.tomogram(100)
    writer.document(
        tomogram.document,
        {
            "id": number, "deposition_id": deposition, "ids": ids("tomogram_author", number), "run_name": place.name, "authors": AUTHORS,
            "dates": DATES, "voxel_spacing": 10.0, "size": {"x": 960, "y": 928, "z": 500}, "offset": {"x": 0, "y": 0, "z": 0},
            "scales": [{"z": 500, "y": 928, "x": 960}], "fiducial_alignment_status": "FIDUCIAL", "reconstruction_method": "WBP",
            "reconstruction_software": "IMOD", "processing": "raw", "alignment_metadata_path": alignment.document,
            "mrc_file": tomogram.mrc(), "omezarr_dir": tomogram.zarr().rstrip("/"),
        },
        [writer.file(tomogram.mrc(), "tomogram"), writer.array(tomogram.zarr(), TOMOGRAM_MEMBERS)],
    )  # fmt: skip
    annotation = spacing.annotation(100)
    path = annotation.shape("ribosome-1.0", "Point", ".ndjson")
    writer.document(
        annotation.document("ribosome-1.0"),
        {
            "id": number, "deposition_id": deposition, "dates": DATES, "method_type": "manual", "annotation_method": "by hand",
            "annotation_ingest_id": "ribosome-1", "annotation_object": {"id": "GO:0022626", "name": "cytosolic ribosome"},
            "authors": AUTHORS, "object_count": 100, "alignment_metadata_path": alignment.document, "ground_truth_status": True,
            "files": [{"shape": "Point", "format": "ndjson", "path": path, "is_visualization_default": True}],
            "ids": {
                **ids("annotation_author", number), "annotation_shape": {"Point": number},
                "annotation_file": {path.rpartition("/")[2]: number},
            },
        },
        [writer.file(path, "annotation")],
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
