"""Write simulated runs as a lab would have them: folders of files, and a configuration that says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tomotheca.demo import configuration
from tomotheca.demo.descriptions import DESCRIPTIONS, LICENCE, THINGS
from tomotheca.demo.files import (
    star_rows,
    write_alignment,
    write_points,
    write_series,
    write_star,
    write_text,
    write_volume,
)
from tomotheca.demo.people import authors, dates
from tomotheca.demo.simulate import Recording, random_source, realign, simulate, tomogram_shape

if TYPE_CHECKING:
    from tomotheca.demo.phantom import Picks
    from tomotheca.demo.scenes import Run, Study

REALIGNED = "realigned"
"""Folder and configuration of the deposition that reconstructs the first run of the first study anew."""

TURN = 4.0
"""Degrees about y by which that deposition turns the volume."""


@dataclass(frozen=True, slots=True)
class Deposition:
    """A configuration that is ready to be ingested, and where its files are."""

    config: Path
    """The YAML file."""

    source: Path
    """What to give as ``--source``: patterns are looked for below its ``source_prefix``."""

    private: bool
    """Whether it is hidden until published."""

    title: str


@dataclass(frozen=True, slots=True)
class Written:
    """What is known of a run after its files were written."""

    study: Study
    run: Run
    picks: dict[str, Picks]
    row: tuple[str, ...]
    """Its row of the run data map, see `COLUMNS`."""


COLUMNS = ("run_name", "quality", "tilt_axis", "tilt_min", "tilt_max", "total_flux")


@dataclass(frozen=True, slots=True)
class Job:
    """One run to be simulated, with where to write it."""

    out: Path
    study: Study
    run: Run
    index: int
    """Place in the study: decides the date."""

    seed: int
    again: bool
    """Whether to write a second alignment and reconstruction as well."""


def perform(job: Job) -> Written:
    """Simulate a run and write its files; meant to run in a process of its own."""
    study, run = job.study, job.run
    folder = job.out / study.name
    recording = simulate(study, run, job.seed)
    begin = DESCRIPTIONS[study.name].begin + timedelta(minutes=47 * job.index)
    for number, tile in enumerate(recording.tiles):
        write_series(folder / run.name, tile, begin + timedelta(minutes=22 * number))
    for processing, volume in recording.tomograms.items():
        write_volume(folder / "tomograms" / f"{run.name}_{processing}.mrc", volume, study.scope.pixel)
    picks = recording.truth.picks if run.annotated else {}
    if run.annotated:
        write_truth(folder, study, run, recording)
    if job.again:
        write_again(job, recording)
    return Written(study, run, picks, data_row(study, run, recording))


def write_truth(folder: Path, study: Study, run: Run, recording: Recording) -> None:
    """Write the bilayer mask, and as csv the picks of species without orientations."""
    bilayer = THINGS[DESCRIPTIONS[study.name].bilayer]
    write_volume(
        folder / "segmentation" / f"{run.name}_{bilayer.slug}.mrc", recording.truth.membranes(), study.scope.pixel
    )
    for name, picks in recording.truth.picks.items():
        if not THINGS[name].oriented and picks.positions.size:
            write_points(folder / "particles" / f"{run.name}_{THINGS[name].slug}.csv", picks.positions)


def write_again(job: Job, recording: Recording) -> None:
    """Write what the second group made of the same tilt series."""
    run = job.run
    rng = random_source(job.seed, REALIGNED, run.name)
    alignment, volume = realign(recording.tiles[0], tomogram_shape(job.study, run), turn=TURN, rng=rng)
    folder = job.out / REALIGNED / run.name
    write_volume(folder / f"{run.name}_bin2.rec", volume, 2 * job.study.scope.pixel)
    write_alignment(folder, run.name, alignment)


def data_row(study: Study, run: Run, recording: Recording) -> tuple[str, ...]:
    """Give the run's row of the run data map."""
    angles, scope = recording.tiles[0].raw_angles, study.scope
    flux = scope.dose * angles.size
    quality = "" if run.quality is None else str(run.quality)
    return run.name, quality, f"{scope.axis:g}", f"{angles.min():.2f}", f"{angles.max():.2f}", f"{flux:g}"


def finish(out: Path, study: Study, written: list[Written]) -> Deposition:
    """Write what is common to the runs of a study: star files, run data map, configuration."""
    folder, about = out / study.name, DESCRIPTIONS[study.name]
    names = list(dict.fromkeys(name for run in written for name in run.picks))
    picked = [name for name in names if any(name in run.picks and run.picks[name].positions.size for run in written)]
    camera_pixel = study.scope.pixel / study.binning
    for name in picked:
        if THINGS[name].oriented:
            rows = [
                row for run in written if name in run.picks
                for row in star_rows(run.run.name, run.picks[name], study.binning, camera_pixel)
            ]  # fmt: skip
            write_star(folder / "particles" / f"{THINGS[name].slug}.star", rows, camera_pixel, study.scope)
    write_text(folder / "run_data_map.tsv", ["\t".join(row) for row in (COLUMNS, *(run.row for run in written))])
    config = out / f"{study.name}.yaml"
    comment = f"{about.title}: {len(written)} runs.\nWritten by `tomotheca demo`. All of it is simulated; the people are fictional."
    if study.private:
        comment += "\nNot released: hidden until `tomotheca publish`."
    configuration.write(config, comment, configuration.compose(study, picked))
    return Deposition(config, out, study.private, about.title)


def finish_again(out: Path, study: Study, runs: list[Run], number: int) -> Deposition:
    """Write the configuration of the deposition that reconstructs runs of a dataset anew; ``number`` is its identifier."""
    title = "Re-aligned tomograms of simulated fission yeast cytosol at half the resolution"
    people, days = authors("achterberg", "vasquez"), dates("2025-11-03", "2025-12-01")
    tomogram = {
        **configuration.tomogram(study, DESCRIPTIONS[study.name], "denoised"),
        "voxel_spacing": round(2 * study.scope.pixel, 3),
        "is_visualization_default": False,
        "authors": people,
        "dates": days,
    }
    alignment = {
        "format": "IMOD",
        "alignment_type": "GLOBAL",
        "method_type": "patch_tracking",
        "tilt_offset": TURN,
        "is_portal_standard": False,
    }
    about = {
        "deposition_identifier": number,
        "deposition_title": title,
        "deposition_description": "The tilt series was aligned independently, the volume turned by 4 degrees about the tilt axis to level the lamella,"
        f" and reconstructed with voxels twice as large from {len(runs)} run of the simulated dataset {study.dataset}. The authors are fictional.",
        "deposition_types": ["tomogram"],
        "authors": people,
        "dates": days,
        "licence": LICENCE,
    }
    files = {"source_multi_glob": {"list_globs": ["{run_name}/{run_name}.xf", "{run_name}/{run_name}.tlt"]}}
    content = {
        "version": "1.3.0",
        "standardization_config": {"deposition_id": number, "source_prefix": f"{REALIGNED}/"},
        "depositions": [configuration.item([configuration.literal(number)], about)],
        "datasets": [configuration.item([configuration.literal(str(study.dataset))])],
        "runs": [configuration.item([configuration.glob("*")])],
        "voxel_spacings": [configuration.item([configuration.literal(round(2 * study.scope.pixel, 3))])],
        "alignments": [configuration.item([files], alignment)],
        "tomograms": [configuration.item([configuration.glob("{run_name}/{run_name}_bin2.rec")], tomogram)],
    }
    config = out / f"{REALIGNED}.yaml"
    comment = f"{title}.\nAdds to dataset {study.dataset}, which another deposition brought: no metadata of the dataset here, and the names\nof the runs are those of its runs."
    configuration.write(config, comment, content)
    return Deposition(config, out, private=False, title=title)


def everything(written: list[Written], species: str) -> dict[str, Picks]:
    """Collect the true picks of a species by run name."""
    return {
        run.run.name: run.picks[species]
        for run in written
        if species in run.picks and np.size(run.picks[species].positions)
    }
