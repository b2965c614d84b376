"""A lab with one or two runs of tiny files, its configuration, and an archive to take them into."""

import copy
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tomotheca.desk.desk import Desk
from tomotheca.errors import ConfigurationError
from tomotheca.formats import mrc
from tomotheca.ingest.plan import IngestOptions
from tomotheca.ingest.run import IngestResult, ingest
from tomotheca.store.files import LocalFiles

ANGLES = (-60.0, -30.0, 0.0, 30.0, 60.0)
ORDER = (3, 1, 0, 2, 4)
"""Acquisition order of each section: dose-symmetric."""

AUTHORS = [
    {
        "name": "Ada Example",
        "ORCID": "0000-0002-1825-0097",
        "primary_author_status": True,
        "corresponding_author_status": True,
    }
]
DATES = {"deposition_date": "2024-01-01", "release_date": "2024-02-01", "last_modified_date": "2024-02-01"}

TILTSERIES = {
    "acceleration_voltage": 300000,
    "camera": {"manufacturer": "Gatan", "model": "K3"},
    "microscope": {"manufacturer": "TFS", "model": "Krios"},
    "microscope_optical_setup": {"energy_filter": "GIF"},
    "data_acquisition_software": "SerialEM",
    "is_aligned": False,
    "spherical_aberration_constant": 2.7,
    "tilt_axis": 84.7,
    "tilt_range": {"min": -60, "max": 60},
    "tilt_step": 30,
    "tilting_scheme": "dose-symmetric",
    "total_flux": 15,
    "pixel_spacing": 5.0,
}
TOMOGRAM = {
    "voxel_spacing": 10.0,
    "fiducial_alignment_status": False,
    "reconstruction_method": "WBP",
    "reconstruction_software": "IMOD",
    "processing": "raw",
    "tomogram_version": 1,
    "offset": {"x": 0, "y": 0, "z": 0},
    "authors": AUTHORS,
    "dates": DATES,
}


def annotation(ingest_id: str, name: str, sources: list[dict[str, Any]]) -> dict[str, Any]:
    metadata = {
        "annotation_ingest_id": ingest_id,
        "annotation_object": {"id": "GO:0022626", "name": name},
        "annotation_method": "by hand",
        "method_type": "manual",
        "version": 1.0,
        "authors": AUTHORS,
        "dates": DATES,
    }
    return {"metadata": metadata, "sources": sources}


def configuration() -> dict[str, Any]:
    def glob(pattern: str, **more: Any) -> dict[str, Any]:
        return {"source_glob": {"list_glob": pattern, **more}}

    def literal(*values: Any) -> dict[str, Any]:
        return {"literal": {"value": list(values)}}

    dataset = {
        "dataset_identifier": 10900,
        "dataset_title": "Simulated yeast lamellae, dose-symmetric",
        "dataset_description": "A description",
        "authors": AUTHORS,
        "dates": DATES,
        "sample_type": "in_silico",
        "assay": {"name": "microscopy assay", "id": "EFO:0002909"},
        "development_stage": {"name": "unknown", "id": "unknown"},
        "disease": {"name": "normal", "id": "PATO:0000461"},
    }
    deposition = {
        "deposition_identifier": 10400,
        "deposition_title": "A deposition",
        "deposition_description": "What it is",
        "deposition_types": ["dataset", "annotation"],
        "authors": AUTHORS,
        "dates": DATES,
    }
    point = {"file_format": "csv", "glob_string": "picks/{run_name}.csv", "is_visualization_default": True}
    star = {"file_format": "relion4_star", "glob_string": "picks/all.star", "filter_value": "{run_name}"}
    mask = {"file_format": "mrc", "glob_string": "masks/{run_name}.mrc"}
    return copy.deepcopy(
        {
            "version": "1.3.0",
            "standardization_config": {"deposition_id": 10400, "source_prefix": "lab"},
            "depositions": [{"metadata": deposition, "sources": [literal(10400)]}],
            "datasets": [{"metadata": dataset, "sources": [literal("10900")]}],
            "runs": [{"sources": [glob("TS_*")]}],
            "voxel_spacings": [{"sources": [literal(10.0)]}],
            "tiltseries": [{"metadata": TILTSERIES, "sources": [glob("{run_name}/*.st")]}],
            "rawtilts": [{"sources": [glob("{run_name}/*.rawtlt")]}],
            "collection_metadata": [{"sources": [glob("{run_name}/*.mdoc")]}],
            "frames": [
                {
                    "metadata": {"dose_rate": 6.0, "is_gain_corrected": False},
                    "sources": [glob("{run_name}/frames/*.tif")],
                }
            ],
            "gains": [{"sources": [glob("{run_name}/frames/*.gain")]}],
            "alignments": [
                {
                    "metadata": {"format": "IMOD", "method_type": "fiducial_based"},
                    "sources": [
                        {"source_multi_glob": {"list_globs": ["{run_name}/{run_name}.xf", "{run_name}/{run_name}.tlt"]}}
                    ],
                }
            ],
            "tomograms": [{"metadata": TOMOGRAM, "sources": [glob("tomograms/{run_name}.rec")]}],
            "annotations": [
                annotation("ribosome-1", "Ribosome", [{"Point": point}]),
                annotation("spike-1", "spike", [{"OrientedPoint": star}]),
                annotation("membrane-1", "membrane", [{"SemanticSegmentationMask": mask}]),
            ],
        }
    )


def write_series(folder: Path, stem: str, *, seed: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(seed).normal(100, 10, (5, 12, 16)).astype(np.int16)
    mrc.write(folder / f"{stem}.st", images, voxel_size=5.0, stack=True)
    (folder / f"{stem}.rawtlt").write_text("".join(f"{a}\n" for a in ANGLES))
    sections = sorted(zip(ORDER, ANGLES, strict=True))
    lines = [f"PixelSpacing = 5\nImageFile = {stem}.st\n"]
    lines += [
        f"[ZValue = {z}]\nTiltAngle = {a + 0.001}\nExposureDose = 3\nSubFramePath = D:\\x\\{stem}_{z}.tif\n"
        for z, a in sections
    ]
    (folder / f"{stem}.mdoc").write_text("\n".join(lines))
    (folder / f"{stem}.xf").write_text("".join(f"1 0 0 1 {i} -{i}\n" for i in range(5)))
    (folder / f"{stem}.tlt").write_text("".join(f"{a + 0.5}\n" for a in ANGLES))


def write_run(root: Path, name: str, *, seed: int = 1) -> None:
    write_series(root / name, name, seed=seed)
    (root / name / "frames").mkdir()
    for z in range(5):
        (root / name / "frames" / f"{name}_{z}.tif").write_bytes(b"II*\0" + bytes([z]))
    (root / name / "frames" / "camera.gain").write_bytes(b"gain")
    for folder in ("tomograms", "picks", "masks"):
        (root / folder).mkdir(exist_ok=True)
    volume = np.random.default_rng(seed).normal(0, 1, (8, 12, 16)).astype(np.float32)
    mrc.write(root / "tomograms" / f"{name}.rec", volume, voxel_size=10.0)
    (root / "picks" / f"{name}.csv").write_text("1,2,3\n15,11,7\n")
    membrane = np.zeros((8, 12, 16), np.int8)
    membrane[4, :, 8] = 1
    mrc.write(root / "masks" / f"{name}.mrc", membrane, voxel_size=10.0)


def write_star(root: Path, names: list[str]) -> None:
    columns = "".join(
        f"_rln{c} #{i}\n"
        for i, c in enumerate(
            ("TomoName", "CoordinateX", "CoordinateY", "CoordinateZ", "AngleRot", "AngleTilt", "AnglePsi"), 1
        )
    )
    rows = "".join(f"{n} 4 5 6 10 20 30\n" for n in names)
    (root / "picks" / "all.star").write_text(f"data_particles\n\nloop_\n{columns}{rows}\n")


@dataclass
class Lab:
    """A source, a configuration, an archive and a desk."""

    folder: Path
    config: dict[str, Any] = field(default_factory=configuration)
    names: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "source" / "lab"

    @property
    def path(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def files(self) -> LocalFiles:
        return LocalFiles(self.archive)

    def add(self, *names: str) -> "Lab":
        for name in names:
            write_run(self.root, name, seed=len(self.names) + 1)
            self.names.append(name)
        write_star(self.root, self.names)
        return self

    def save(self) -> Path:
        self.path.write_text(yaml.safe_dump(self.config, sort_keys=False))
        return self.path

    def options(self, **more: Any) -> IngestOptions:
        return IngestOptions(self.save(), self.folder / "source", **more)

    def ingest(self, **more: Any) -> IngestResult:
        with Desk.open(self.folder / "desk.sqlite") as desk:
            return ingest(self.options(**more), files=self.files, desk=desk)

    def refused(self, **more: Any) -> str:
        """Ingest what must be refused; give the sentences, after checking that nothing was written."""
        before = self.snapshot() if self.archive.exists() else {}
        with pytest.raises(ConfigurationError) as caught:
            self.ingest(**more)
        assert (self.snapshot() if self.archive.exists() else {}) == before
        return "\n".join(str(f) for f in caught.value.findings if f.severity == "error")

    def read(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.archive / key).read_text())
        return found

    def documents(self) -> dict[str, dict[str, Any]]:
        found = (p for p in self.archive.rglob("*.json") if p.name != "identified_objects.json")
        keys = (p.relative_to(self.archive).as_posix() for p in found)
        return {key: self.read(key) for key in sorted(keys) if not key.startswith(".") and ".zarr" not in key}

    def snapshot(self) -> dict[str, tuple[int, str]]:
        """Time and digest of every file of the archive."""
        return {
            p.relative_to(self.archive).as_posix(): (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest())
            for p in sorted(self.archive.rglob("*"))
            if p.is_file() and ".tomotheca" not in p.parts
        }

    def identifiers(self) -> dict[str, Any]:
        return {key: (d.get("id"), d.get("ids")) for key, d in self.documents().items()}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    made = Lab(tmp_path)
    made.root.mkdir(parents=True)
    return made.add("TS_1")
