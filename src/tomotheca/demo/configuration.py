"""The ingest configuration of a simulated study, in the words a curator would use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tomotheca.demo.descriptions import CAMERA, DESCRIPTIONS, LICENCE, THINGS, Description, Thing

if TYPE_CHECKING:
    from tomotheca.demo.people import Json
    from tomotheca.demo.scenes import Study

IDENTITY = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def glob(pattern: str) -> Json:
    """Make a source of one pattern."""
    return {"source_glob": {"list_glob": pattern}}


def literal(*values: object) -> Json:
    """Make a source of fixed names."""
    return {"literal": {"value": list(values)}}


def item(sources: Sequence[Json], metadata: Json | None = None) -> Json:
    """Make one item of a container."""
    return {"metadata": metadata, "sources": list(sources)} if metadata else {"sources": list(sources)}


def write(path: Path, comment: str, content: Json) -> None:
    """Write a configuration with a comment above it; shared blocks become YAML anchors."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    path.write_text(
        head + yaml.safe_dump(dict(content), sort_keys=True, allow_unicode=True, width=120),
        encoding="utf-8",
        newline="\n",
    )


def deposition(study: Study, about: Description, kinds: list[str]) -> Json:
    """Describe the deposition that brings a study."""
    block: dict[str, object] = {
        "deposition_identifier": study.deposition,
        "deposition_title": about.title,
        "deposition_description": about.text,
        "deposition_types": kinds,
        "authors": about.authors,
        "dates": about.dates,
        "licence": LICENCE,
    }
    if about.references:
        block["cross_references"] = about.references
    return {**block, "visibility": {"state": "private"}} if study.private else block


def dataset(study: Study, about: Description) -> Json:
    """Describe the dataset of a study."""
    block: dict[str, object] = {
        "dataset_identifier": study.dataset,
        "dataset_title": about.title,
        "dataset_description": about.text,
        "authors": about.authors,
        "dates": about.dates,
        "licence": LICENCE,
        **about.sample,
    }
    if about.references:
        block["cross_references"] = about.references
    return {**block, "visibility": {"state": "private"}} if study.private else block


def tilt_series(study: Study, about: Description, *, rated: bool) -> Json:
    """Describe tilt series; what differs from run to run stands in the run data map."""
    scope = study.scope
    block: dict[str, object] = {
        **about.hardware,
        "acceleration_voltage": scope.voltage,
        "spherical_aberration_constant": scope.spherical_aberration,
        "camera": CAMERA,
        "data_acquisition_software": "Tomotheca demo (simulated SerialEM)",
        "is_aligned": False,
        "binning_from_frames": study.binning,
        "pixel_spacing": scope.pixel,
        "tilt_alignment_software": "Tomotheca demo",
        "tilt_axis": "float {tilt_axis}",
        "tilt_range": {"min": "float {tilt_min}", "max": "float {tilt_max}"},
        "tilt_step": scope.scheme.step,
        "tilting_scheme": scope.scheme.name,
        "total_flux": "float {total_flux}",
        "frames_count": scope.scheme.angles().size,
    }
    return {**block, "tilt_series_quality": "int {quality}"} if rated else block


def tomogram(study: Study, about: Description, processing: str) -> Json:
    """Describe tomograms of one kind of processing."""
    best = "denoised" if study.denoised else "raw"
    return {
        "voxel_spacing": study.scope.pixel,
        "fiducial_alignment_status": "NON_FIDUCIAL",
        "align_software": "Tomotheca demo",
        "reconstruction_method": "WBP",
        "reconstruction_software": about.software[0],
        "processing": processing,
        "processing_software": about.software[1] if processing != "raw" else None,
        "ctf_corrected": processing != "raw",
        "tomogram_version": 1,
        "is_visualization_default": processing == best,
        "affine_transformation_matrix": IDENTITY,
        "offset": {"x": 0, "y": 0, "z": 0},
        "authors": about.authors,
        "dates": about.dates,
    }


def truth(about: Description, thing: Thing, *, version: float = 1.0) -> Json:
    """Describe an annotation that the simulation itself gives."""
    return {
        "annotation_ingest_id": f"{thing.slug}-1",
        "annotation_object": thing.block(),
        "annotation_method": "Ground truth of the simulation: positions, orientations and surfaces from which the specimen was computed",
        "method_type": "simulated",
        "annotation_software": "Tomotheca demo",
        "ground_truth_status": True,
        "is_curator_recommended": True,
        "version": version,
        "authors": about.authors,
        "dates": about.dates,
    }


def particle_source(study: Study, thing: Thing) -> Json:
    """Say where the picks of a species lie: oriented ones in one star file for all runs, others in a csv for each run."""
    if thing.oriented:
        return {
            "OrientedPoint": {
                "file_format": "relion4_star",
                "glob_string": f"particles/{thing.slug}.star",
                "binning": study.binning,
                "order": "xyz",
                "filter_value": "{run_name}",
                "is_visualization_default": True,
            }
        }
    pattern = f"particles/{{run_name}}_{thing.slug}.csv"
    return {"Point": {"file_format": "csv", "glob_string": pattern, "columns": "xyz", "is_visualization_default": True}}


def mask_source(thing: Thing) -> Json:
    """Say where the mask of the bilayers lies."""
    pattern = f"segmentation/{{run_name}}_{thing.slug}.mrc"
    return {
        "SemanticSegmentationMask": {
            "file_format": "mrc",
            "glob_string": pattern,
            "mask_label": 1,
            "is_visualization_default": True,
        }
    }


def stems(study: Study) -> list[tuple[str, Json]]:
    """Give the pattern of a rated series' stem, of plain runs and of montages (the left one), with the filter of its runs."""
    montages = [f"^{run.name}$" for run in study.runs if run.tiles == 2]
    if not montages:
        return [("{run_name}", {})]
    left: tuple[str, Json] = ("{run_name}_left", {"parent_filters": {"include": {"run": montages}}})
    if len(montages) == len(study.runs):
        return [left]
    return [("{run_name}", {"parent_filters": {"exclude": {"run": montages}}}), left]


def series(study: Study, about: Description) -> list[Json]:
    """Give the tilt series; the right ones of montages are not rated."""
    rated = [{**glob(f"{{run_name}}/{stem}.st"), **runs} for stem, runs in stems(study)]
    found = [item(rated, tilt_series(study, about, rated=True))]
    if not any(run.tiles == 2 for run in study.runs):
        return found
    right = {**glob("{run_name}/{run_name}_right.st"), **stems(study)[-1][1]}
    return [*found, item([right], tilt_series(study, about, rated=False))]


def alignments(study: Study) -> list[Json]:
    """Give one alignment for each tilt series; the right tile of a montage is brought into the frame of the left one."""

    def files(stem: str, runs: Json) -> Json:
        return {"source_multi_glob": {"list_globs": [f"{{run_name}}/{stem}.xf", f"{{run_name}}/{stem}.tlt"]}, **runs}

    common = {"format": "IMOD", "alignment_type": "GLOBAL", "is_portal_standard": False}
    found = [item([files(stem, runs) for stem, runs in stems(study)], {**common, "method_type": "simulated"})]
    if not any(run.tiles == 2 for run in study.runs):
        return found
    right = files("{run_name}_right", stems(study)[-1][1])
    return [*found, item([right], {**common, "method_type": "projection_matching"})]


def compose(study: Study, picked: list[str]) -> Json:
    """Make the whole configuration of a study.

    Parameters
    ----------
    study
        The study.
    picked
        Species that were found in at least one annotated run; bilayers are always there.
    """
    about = DESCRIPTIONS[study.name]
    annotated = any(run.annotated for run in study.runs)
    kinds = ["dataset", "annotation"] if annotated else ["dataset"]
    things = [THINGS[name] for name in picked]
    annotations = [item([particle_source(study, thing)], truth(about, thing)) for thing in things]
    bilayer = THINGS[about.bilayer]
    annotations.append(item([mask_source(bilayer)], truth(about, bilayer)))
    processings = ["raw", "denoised"] if study.denoised else ["raw"]
    content: dict[str, object] = {
        "version": "1.3.0",
        "standardization_config": {
            "deposition_id": study.deposition,
            "source_prefix": f"{study.name}/",
            "run_data_map_file": "run_data_map.tsv",
        },
        "depositions": [item([literal(study.deposition)], deposition(study, about, kinds))],
        "datasets": [item([literal(str(study.dataset))], dataset(study, about))],
        "runs": [item([glob(study.runs[0].name.rsplit("_", 1)[0] + "_*")])],
        "voxel_spacings": [item([literal(study.scope.pixel)])],
        "tiltseries": series(study, about),
        "rawtilts": [item([glob("{run_name}/*.rawtlt")])],
        "collection_metadata": [item([glob("{run_name}/*.mdoc")])],
        "frames": [item([literal("default")], {"dose_rate": scope_rate(study), "is_gain_corrected": True})],
        "ctfs": [item([glob("{run_name}/*_ctf.txt")], {"format": "CTFFIND"})],
        "alignments": alignments(study),
        "tomograms": [
            item([glob(f"tomograms/{{run_name}}_{kind}.mrc")], tomogram(study, about, kind)) for kind in processings
        ],
    }
    return {**content, "annotations": annotations} if annotated else content


def scope_rate(study: Study) -> float:
    """Give the dose rate of a study in e/Å²/s: every section is exposed for half a second."""
    return round(2 * study.scope.dose, 6)
