"""A deposition that annotates another's dataset: automatic picks with honest precision and recall."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from tomotheca.demo import configuration
from tomotheca.demo.descriptions import LICENCE, THINGS
from tomotheca.demo.files import star_rows, write_points, write_star
from tomotheca.demo.lab import Deposition, Written, everything
from tomotheca.demo.people import Json, authors, dates
from tomotheca.demo.phantom import Picks
from tomotheca.demo.simulate import random_source

if TYPE_CHECKING:
    from tomotheca.demo.geometry import Doubles
    from tomotheca.demo.scenes import Study

NAME = "community_picks"

REACH = 8.0
"""A pick is right when it lies within this many voxels of a true particle that no other pick has."""


def guess(true: Picks, shape: tuple[int, int, int], rng: np.random.Generator, *, wanted: float, wrong: float) -> Picks:
    """Make the picks of an imperfect program.

    Parameters
    ----------
    true
        Where the particles are.
    shape
        Of the tomogram: z, y, x.
    rng
        Source of randomness.
    wanted, wrong
        Fraction of the particles that it finds, and number of false picks as a fraction of the particles.
    """
    found = rng.random(len(true.positions)) < wanted
    positions = true.positions[found] + rng.normal(0, 0.8, (int(found.sum()), 3))
    tilt = Rotation.from_rotvec(rng.normal(0, 0.12, positions.shape)).as_matrix()
    count = max(1, round(wrong * len(true.positions)))
    stray = rng.uniform(0.15, 0.85, (count, 3)) * np.array(shape[::-1])
    rotations = np.concatenate([tilt @ true.rotations[found], Rotation.random(count, random_state=rng).as_matrix()])
    limit = np.array(shape[::-1]) - 1.0
    return Picks(np.clip(np.concatenate([positions, stray]), 0, limit), rotations)


def hits(true: Doubles, picked: Doubles) -> int:
    """Count picks that match a particle, each particle at most once, nearest first; positions in voxels."""
    distance, nearest = KDTree(true).query(picked, distance_upper_bound=REACH)
    return len({int(particle) for particle, d in zip(nearest, distance, strict=True) if np.isfinite(d)})


def score(true: dict[str, Picks], picked: dict[str, Picks]) -> Json:
    """Measure precision and recall in percent over all runs, as the block ``confidence``."""
    right = sum(hits(true[run].positions, picked[run].positions) for run in picked)
    made, there = (sum(len(picks.positions) for picks in group.values()) for group in (picked, true))
    return {
        "precision": round(100 * right / made, 1),
        "recall": round(100 * right / there, 1),
        "ground_truth_used": f"Positions of the simulation, matched within {REACH:g} voxels",
    }


def describe(species: str, people: list[Json], days: Json, confidence: Json) -> Json:
    """Describe automatic picks of a species."""
    thing = THINGS[species]
    return {
        "annotation_ingest_id": f"{thing.slug}-picks-1",
        "annotation_object": thing.block(),
        "annotation_method": "Pretended neural network: true positions with particles left out, false ones added, and coordinates blurred",
        "method_type": "automated",
        "method_links": [
            {
                "link": "https://example.org/pretend-picker",
                "link_type": "source_code",
                "custom_name": "Pretend picker (an example, not a program)",
            },
            {
                "link": "https://example.org/pretend-picker/weights",
                "link_type": "models_weights",
                "custom_name": "Pretended weights",
            },
        ],
        "annotation_software": "Pretend picker 0.3",
        "ground_truth_status": False,
        "is_curator_recommended": False,
        "confidence": confidence,
        "version": 1.0,
        "authors": people,
        "dates": days,
    }


def build(out: Path, study: Study, written: list[Written], *, number: int, seed: int) -> Deposition | None:
    """Write a deposition that annotates the runs of a study.

    Parameters
    ----------
    out
        Where configurations lie.
    study
        The dataset that is annotated.
    written
        Its runs.
    number
        Identifier of the deposition.
    seed
        Same seed, same picks.

    Returns
    -------
    Deposition or None
        None when the runs have no particles to find.
    """
    people, days = authors("petrov", "okonjo"), dates("2026-01-20", "2026-02-10")
    annotations = []
    for species, wanted, wrong in (("ribosome", 0.88, 0.12), ("fatty_acid_synthase", 0.71, 0.25)):
        true = everything(written, species)
        if not true:
            continue
        rng = random_source(seed, NAME, species)
        picked = {run: guess(picks, study.shape, rng, wanted=wanted, wrong=wrong) for run, picks in true.items()}
        source = write_picks(out / NAME, study, species, picked)
        annotations.append(configuration.item([source], describe(species, people, days, score(true, picked))))
    if not annotations:
        return None
    for run in written:
        (out / NAME / run.run.name).mkdir(parents=True, exist_ok=True)
    title = "Automatic particle picks in simulated fission yeast cytosol"
    write_configuration(
        out, study, number, {"title": title, "authors": people, "dates": days, "annotations": annotations}
    )
    return Deposition(out / f"{NAME}.yaml", out, private=False, title=title)


def write_picks(folder: Path, study: Study, species: str, picked: dict[str, Picks]) -> Json:
    """Write the picks of a species into a folder for each run, and give the source that finds them."""
    thing = THINGS[species]
    for run, picks in picked.items():
        if thing.oriented:
            rows = star_rows(run, picks, 1, study.scope.pixel)
            write_star(folder / run / f"{thing.slug}.star", rows, study.scope.pixel, study.scope)
        else:
            write_points(folder / run / f"{thing.slug}.csv", picks.positions)
    if thing.oriented:
        return {
            "OrientedPoint": {
                "file_format": "relion4_star",
                "glob_string": f"{{run_name}}/{thing.slug}.star",
                "binning": 1,
                "order": "xyz",
            }
        }
    return {"Point": {"file_format": "csv", "glob_string": f"{{run_name}}/{thing.slug}.csv", "columns": "xyz"}}


def write_configuration(out: Path, study: Study, number: int, parts: Json) -> None:
    """Write the configuration; ``parts`` has title, authors, dates and annotations."""
    text = (
        f"Picks of ribosomes and fatty acid synthase in the tomograms of dataset {study.dataset}, which other authors deposited, with precision and recall"
        " measured against the positions from which the data were simulated. The program and the authors are fictional."
    )
    about = {
        "deposition_identifier": number,
        "deposition_title": parts["title"],
        "deposition_description": text,
        "deposition_types": ["annotation"],
        "tag": "demoCommunity",
        "authors": parts["authors"],
        "dates": parts["dates"],
        "licence": LICENCE,
    }
    content = {
        "version": "1.3.0",
        "standardization_config": {"deposition_id": number, "source_prefix": f"{NAME}/"},
        "depositions": [configuration.item([configuration.literal(number)], about)],
        "datasets": [configuration.item([configuration.literal(str(study.dataset))])],
        "runs": [configuration.item([configuration.glob("*")])],
        "voxel_spacings": [configuration.item([configuration.literal(study.scope.pixel)])],
        "annotations": parts["annotations"],
    }
    comment = (
        f"{parts['title']}.\nAnnotates dataset {study.dataset}, which another deposition brought: no metadata of the dataset here, and the names\n"
        "of the runs are those of its runs."
    )
    configuration.write(out / f"{NAME}.yaml", comment, content)
