"""Rules about runs, datasets and depositions as wholes: what makes good data to use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tomotheca.doctor import values
from tomotheca.doctor.core import At, Rule, Said
from tomotheca.doctor.rules.volumes import lacking_authors
from tomotheca.doctor.subjects import Collection, Submission, Whole

SHORTEST_TITLE = 20
PREPARATION = (
    "lamell", "fib", "mill", "plunge", "vitrif", "frozen", "freez", "section", "cemovis", "purified", "isolated", "in vitro", "in situ",
    "in cell", "single particle", "single-particle", "whole cell", "grid", "simulat", "synthetic", "phantom", "silico", "reconstitut",
    "lysate", "extract", "biopsy", "lift-out", "waffle",
)  # fmt: skip
"""Beginnings of words that name how a sample was made."""

TERMS = ("organism", "tissue", "cell_type", "cell_strain", "cell_component")
SENTENCES = ("sample_preparation", "grid_preparation", "other_setup")
SAID_NOTHING = {"not_reported", "unknown", "other", "normal", "none"}
LETTERS = 4
SCORED = 3
"""Tilt series from which on equal scores are worth a hint."""

SPACING = 0.01
"""Relative difference of pixel sizes that calibrations make."""


def title_problem(data: Mapping[str, Any]) -> str:
    """Say what is wrong with the title of a dataset, in a few words; empty when nothing is."""
    title = values.text(data, "dataset_title").strip()
    identifier = data.get("dataset_identifier")
    bare = re.sub(r"^(DS-|CZCDP-|EMPIAR-|EMD-)", "", title, flags=re.IGNORECASE)
    if title and (bare.isdigit() or title == str(identifier)):
        return f"the title {title!r} is an identifier"
    if len(title) < SHORTEST_TITLE:
        return f"the title {title!r} has {len(title)} characters, {SHORTEST_TITLE} are little for a summary"
    if not _names_sample(title, data):
        return f"the title {title!r} names neither organism nor preparation"[:200]
    return ""


def _names_sample(title: str, data: Mapping[str, Any]) -> bool:
    lowered = title.lower()
    if any(word in lowered for word in PREPARATION):
        return True
    given = [values.text(data, name, "name") for name in TERMS] + [values.text(data, name) for name in SENTENCES]
    known = {
        word
        for sentence in given
        if sentence.lower() not in SAID_NOTHING
        for word in re.findall(r"[^\W_]+", sentence.lower())
        if len(word) >= LETTERS
    }
    return any(word[:-1] in lowered or word in lowered for word in known) or not known


def title(collection: Collection) -> Iterator[Said]:
    """The title of a dataset sums up the experiment: 20 characters, no identifier, organism or preparation."""
    if problem := title_problem(collection.data):
        yield At(problem, path="dataset_title")


def described(collection: Collection) -> Iterator[Said]:
    """A dataset has a description."""
    if not values.text(collection.data, "dataset_description").strip():
        yield At("there is no description", path="dataset_description")


def dataset_authors(collection: Collection) -> Iterator[Said]:
    """A dataset has an author, a primary one and a corresponding one among them."""
    yield from lacking_authors(collection.data)


def has_runs(collection: Collection) -> Iterator[Said]:
    """A dataset has at least one run."""
    if not collection.runs:
        yield "the dataset has no run"


def same_conditions(collection: Collection) -> Iterator[Said]:
    """The tilt series of a dataset have one microscope, camera, voltage and pixel size."""
    for what, path in (
        ("microscope", ("microscope", "model")),
        ("camera", ("camera", "model")),
        ("acceleration voltage", ("acceleration_voltage",)),
    ):
        found = _by_value([(key, values.dig(data, *path)) for key, data in collection.series])
        if len(found) > 1:
            yield At(f"there are {len(found)} values of {what}: {_examples(found)}", path=".".join(path))
    sizes = [(key, s) for key, data in collection.series if (s := values.number(data, "pixel_spacing"))]
    found = _by_value([(key, f"{_near(size, [s for _, s in sizes]):g}") for key, size in sizes])
    if len(found) > 1:
        yield At(f"there are {len(found)} pixel sizes: {_examples(found)}", path="pixel_spacing")


def _by_value(items: Sequence[tuple[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in items:
        if isinstance(value, str | int | float):
            found.setdefault(str(value)[:60], []).append(key)
    return found


def _near(size: float, others: Sequence[float]) -> float:
    """Give the smallest size that is the same by calibration."""
    return min(other for other in others if abs(other - size) <= SPACING * size)


def _examples(found: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{value} in {len(keys)} tilt series ({_run(keys[0])})" for value, keys in list(found.items())[:4])


def _run(key: str) -> str:
    return key.split("/")[1] if key.count("/") > 1 else key


def quality(collection: Collection) -> Iterator[Said]:
    """The tilt series of a dataset do not all have one and the same quality score."""
    scores = [values.whole(data, "tilt_series_quality") for _, data in collection.series]
    known = [s for s in scores if s is not None]
    if len(known) >= SCORED and len(set(known)) == 1:
        yield f"all {len(known)} tilt series have the score {known[0]}: perhaps nobody scored them"


def annotated(whole: Whole) -> Iterator[Said]:
    """Every tomogram has at least one annotation of its alignment, at this or another voxel spacing."""
    known = {values.text(annotation, "alignment_metadata_path") for annotation in whole.annotations.values()}
    for key, data in whole.tomograms.items():
        if not known & {"", values.text(data, "alignment_metadata_path")}:
            yield At("the tomogram has no annotation", where=key)


def contents(whole: Whole) -> Iterator[Said]:
    """A run has frames, a tilt series or a tomogram."""
    if not (whole.series or whole.tomograms or whole.frames):
        yield "the run has neither frames nor a tilt series nor a tomogram"


def cz_one_series(whole: Whole) -> Iterator[Said]:
    """A run has one tilt series (here several of one run make a mosaic)."""
    if whole.series > 1:
        yield f"the run has {whole.series} tilt series"


def deposition_title(submission: Submission) -> Iterator[Said]:
    """A deposition has a title and a description."""
    for name in ("deposition_title", "deposition_description"):
        if not values.text(submission.data, name).strip():
            yield At(f"there is no {name.removeprefix('deposition_')}", path=name)


def deposition_authors(submission: Submission) -> Iterator[Said]:
    """A deposition has an author, a primary one and a corresponding one among them."""
    yield from lacking_authors(submission.data)


METADATA = "correct the metadata in the configuration and ingest it again"
RULES: tuple[Rule, ...] = (
    Rule("run.annotation_per_tomogram", "warning", Whole, annotated, "add an annotation, your own or a deposition's; or turn the rule off with the setting annotation_per_tomogram"),
    Rule("run.contents", "warning", Whole, contents, "correct the sources of the run, or remove it"),
    Rule("cz.run.one_tilt_series", "warning", Whole, cz_one_series, "make a run of each tilt series", "cz"),
    Rule("dataset.title", "warning", Collection, title, "write a title such as: S. pombe cryo-FIB lamellae acquired with defocus-only"),
    Rule("dataset.description", "warning", Collection, described, METADATA),
    Rule("dataset.authors", "warning", Collection, dataset_authors, METADATA),
    Rule("dataset.runs", "warning", Collection, has_runs, "correct the sources of runs, or remove the dataset"),
    Rule("dataset.same_conditions", "warning", Collection, same_conditions, "make a dataset of each set of conditions"),
    Rule("dataset.quality", "note", Collection, quality, "score each tilt series, or leave tilt_series_quality out"),
    Rule("deposition.title", "warning", Submission, deposition_title, METADATA),
    Rule("deposition.authors", "warning", Submission, deposition_authors, METADATA),
)  # fmt: skip
