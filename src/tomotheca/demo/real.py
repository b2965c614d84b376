"""The dataset of real files: small maps that come with the source of the mrcfile library, fetched with pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

from tomotheca.demo import configuration
from tomotheca.demo.descriptions import LICENCE
from tomotheca.demo.lab import Deposition
from tomotheca.demo.people import Json, authors, dates
from tomotheca.formats import mrc

NAME = "real_maps"
PACKAGE = "mrcfile==1.5.4"
ARCHIVE = "mrcfile-1.5.4.tar.gz"
MAPS = {
    "EMD-3197": "sub-tomogram average of a vesicle-forming membrane",
    "EMD-3001": "MicroED structure of a peptide of alpha-synuclein",
}
TITLE = "Small real density maps from EMDB, shipped with the mrcfile library"
PATIENCE = 90
"""Seconds that pip may take."""

TEXT = (
    "Not tomograms: two density maps of the Electron Microscopy Data Bank that show how the portal treats files it did not simulate. EMD-3197 (20 x 20 x 20"
    " voxels) is the smallest map of the EMDB, a sub-tomogram average of a vesicle-forming membrane; EMD-3001 is a crystal map with three different voxel"
    " edges and columns, rows and sections that are not x, y, z. Protein is bright in both. The files are taken unchanged from the test data of the source"
    " distribution of mrcfile 1.5.4 (BSD 3-clause licence), which took them from the EMDB, whose maps are released"
    " under CC0-1.0. The real authors are those of the EMDB entries; the people named here are fictional and stand for the demo."
)


class UnavailableError(Exception):
    """The files could not be fetched; the text says why."""


def fetch(cache: Path) -> Path:
    """Get the source distribution, from the cache or with pip.

    Returns
    -------
    Path
        The archive in ``cache``.

    Raises
    ------
    UnavailableError
        Without pip, network or the file; nothing is left half done.
    """
    archive = cache / ARCHIVE
    if archive.is_file():
        return archive
    pip = [sys.executable, "-m", "pip"] if find_spec("pip") else [found] if (found := shutil.which("pip")) else None
    if pip is None:
        message = "pip is not installed"
        raise UnavailableError(message)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        options = [
            "--no-deps",
            "--no-binary",
            ":all:",
            "--disable-pip-version-check",
            "--quiet",
            "--retries",
            "1",
            "--timeout",
            "10",
        ]
        command = [*pip, "download", *options, "--dest", str(cache), PACKAGE]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        message = f"pip took more than {PATIENCE} seconds"
        raise UnavailableError(message) from error
    except (OSError, subprocess.CalledProcessError) as error:
        message = "pip could not download it"
        raise UnavailableError(message) from error
    if not archive.is_file():
        message = f"pip did not leave {ARCHIVE}"
        raise UnavailableError(message)
    return archive


def unpack(archive: Path, folder: Path) -> None:
    """Copy the maps out of the archive, each to a folder for its run.

    Raises
    ------
    UnavailableError
        If the archive is damaged or does not hold them.
    """
    try:
        with tarfile.open(archive) as tar:
            for name in MAPS:
                member = tar.extractfile(f"{ARCHIVE.removesuffix('.tar.gz')}/tests/test_data/{name}.map")
                if member is None:
                    message = f"{ARCHIVE} does not hold {name}.map"
                    raise UnavailableError(message)
                (folder / name).mkdir(parents=True, exist_ok=True)
                (folder / name / f"{name}.map").write_bytes(member.read())
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        message = f"{archive} cannot be read; delete it to fetch it again"
        raise UnavailableError(message) from error


def build(out: Path, cache: Path | None, *, dataset: int, deposition: int) -> Deposition | str:
    """Write the dataset of real files.

    Parameters
    ----------
    out
        Where configurations lie.
    cache
        Folder that keeps the downloaded archive; None leaves the dataset out.
    dataset, deposition
        Identifiers.

    Returns
    -------
    Deposition or str
        A sentence that says why it was left out, when the files cannot be had.
    """
    if cache is None:
        return "The dataset of real files was left out: no cache folder was given."
    try:
        unpack(fetch(cache), out / NAME)
    except UnavailableError as error:
        return f"The dataset of real files was left out: {error}."
    spacings = {name: round(mrc.read_header(out / NAME / name / f"{name}.map").voxel_size[0], 3) for name in MAPS}
    rows = ["run_name\tvoxel_spacing", *(f"{name}\t{spacing:.3f}" for name, spacing in spacings.items())]
    (out / NAME / "run_data_map.tsv").write_text(os.linesep.join(rows) + os.linesep, encoding="utf-8", newline="")
    comment = f"{TITLE}.\nReal data, unchanged: two runs with one volume each and no tilt series. Fetched by `tomotheca demo` with pip."
    configuration.write(out / f"{NAME}.yaml", comment, content(dataset, deposition))
    return Deposition(out / f"{NAME}.yaml", out, private=False, title=TITLE)


def sample() -> Json:
    """Describe what was imaged, as far as this dataset knows."""
    return {
        "sample_type": "other",
        "assay": {"name": "microscopy assay", "id": "EFO:0002909"},
        "development_stage": {"name": "unknown", "id": "unknown"},
        "disease": {"name": "normal", "id": "PATO:0000461"},
        "sample_preparation": "; ".join(f"{name}: {what}" for name, what in MAPS.items()) + ". See the EMDB entries.",
        "grid_preparation": "See the EMDB entries.",
    }


def tomogram(people: list[Json], days: Json) -> Json:
    """Describe the maps as volumes."""
    return {
        "voxel_spacing": "float {voxel_spacing}",
        "fiducial_alignment_status": "NON_FIDUCIAL",
        "reconstruction_method": "Unknown",
        "reconstruction_software": "see the EMDB entry",
        "processing": "filtered",
        "tomogram_version": 1,
        "is_visualization_default": True,
        "affine_transformation_matrix": configuration.IDENTITY,
        "offset": {"x": 0, "y": 0, "z": 0},
        "authors": people,
        "dates": days,
    }


def content(dataset: int, deposition: int) -> Json:
    """Make the configuration."""
    people, days = authors("haldane", "petrov"), dates("2025-06-12", "2025-07-01")
    references = {"related_database_entries": ", ".join(MAPS)}
    common = {"authors": people, "dates": days, "licence": LICENCE, "cross_references": references}
    brings = {"deposition_identifier": deposition, "deposition_title": TITLE, "deposition_description": TEXT}
    about = {"dataset_identifier": dataset, "dataset_title": TITLE, "dataset_description": TEXT, **common, **sample()}
    standard = {
        "deposition_id": deposition,
        "source_prefix": f"{NAME}/",
        "run_data_map_file": "run_data_map.tsv",
    }
    item, literal, glob = configuration.item, configuration.literal, configuration.glob
    return {
        "version": "1.3.0",
        "standardization_config": standard,
        "depositions": [item([literal(deposition)], {**brings, "deposition_types": ["dataset"], **common})],
        "datasets": [item([literal(str(dataset))], about)],
        "runs": [item([glob("EMD-*")])],
        "voxel_spacings": [item([literal("float {voxel_spacing}")])],
        "tomograms": [item([glob("{run_name}/{run_name}.map")], tomogram(people, days))],
    }
