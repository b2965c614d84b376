"""Which tables, models and masks are annotations: what shape and format they have, and how they are binned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tomotheca.errors import FormatError
from tomotheca.formats.points import Options
from tomotheca.formats.registry import read_points
from tomotheca.formats.text import read_text
from tomotheca.ingest.draft.guesses import Guess, likely, unsure
from tomotheca.ingest.draft.names import BREAK
from tomotheca.ingest.draft.patterns import template
from tomotheca.ingest.draft.series import pixel
from tomotheca.ingest.draft.volumes import DEFAULT, Kind

if TYPE_CHECKING:
    from tomotheca.ingest.draft.found import File, Found, Survey

LARGEST = 256 << 20
"""Bytes of a table that is looked into."""

HEAD = 100_000
"""Characters in which the columns of a star file are looked for."""

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("_rlnCenteredCoordinateXAngst", "relion5_star", "centred coordinates of RELION 5"),
    ("_rlnOriginXAngst", "relion4_star", "shifts in Å, as RELION 4 writes them"),
    ("_rlnOriginX ", "relion3_star", "shifts in pixels, as RELION 3 writes them"),
    ("_rlnCoordinateX", "relion4_star", "coordinates of RELION without shifts"),
    ("_orig_x", "stopgap_star", "columns of STOPGAP"),
)
"""A column, the format it belongs to, and why; the first that is there decides."""

ORIENTED = re.compile(r"_rlnAngle(Rot|Tilt|Psi)|_phi\b")
DELIMITERS = (",", "\t", ";", " ")
GENERIC = {
    "particles",
    "particle",
    "points",
    "point",
    "picks",
    "coords",
    "coordinates",
    "annotations",
    "all",
    "models",
    "model",
    "run",
    "data",
}
"""Words that name no object."""


@dataclass(slots=True)
class Pick:
    """One annotation: its files by run, and how they are read."""

    shape: str
    values: dict[str, Any]
    """What the shape says, the pattern left out."""

    paths: dict[str, str] = field(default_factory=dict)
    """File by run."""

    spacings: set[str] = field(default_factory=set)
    name: str = ""
    """Of the object, as far as the file's name has one."""

    reason: str = ""


def picks(survey: Survey, kinds: Mapping[str, list[Kind]]) -> list[Pick]:
    """Find the annotations of a folder; files that are none are left out, with their reason."""
    found: dict[tuple[str, ...], Pick] = {}
    for file in sorted((f for f in survey.files.values() if f.part in {"points", "mask"}), key=lambda f: f.path):
        for run, pick in _of(survey, file, kinds):
            key = (template(file.path, run), pick.shape, repr(sorted((k, str(v)) for k, v in pick.values.items())))
            kept = found.setdefault(key, pick)
            kept.paths[run] = file.path
            kept.spacings |= pick.spacings
    return list(found.values())


def _of(survey: Survey, file: File, kinds: Mapping[str, list[Kind]]) -> Iterator[tuple[str, Pick]]:
    """Give the annotations that one file makes, by run."""
    runs = [file.run] if file.run else list(survey.runs)
    described = [r for r in runs if _opened(kinds.get(r, []))]
    if not described:
        file.leave("there is no tomogram that it could belong to")
        return
    if file.part == "mask":
        form = "zarr" if file.name.endswith(".zarr") else "mrc"
        shown = _opened(kinds[file.run]) if file.run else None
        if shown is None:
            file.leave("a mask that belongs to no run by its name")
            return
        values = {"file_format": form, "mask_label": unsure(1, "voxels of this value are taken")}
        yield file.run, _pick(file, "SemanticSegmentationMask", values, shown)
        return
    made = False
    problem = "no table of points that is known here"
    for run in described:
        shown = _opened(kinds[run])
        try:
            pick = _points(survey, file, survey.runs[run], shown) if shown else None
        except FormatError as error:
            problem = f"cannot be read as points: {error.reason}"
            continue
        if pick is not None:
            made = True
            yield run, pick
    if not made:
        file.leave(problem)


def _opened(kinds: list[Kind]) -> Kind | None:
    """Give the tomogram that the viewer opens, if its voxel spacing is known."""
    return next((k for k in kinds if k.value(DEFAULT) == "True" and k.spacing), None)


def _pick(file: File, shape: str, values: dict[str, Any], shown: Kind) -> Pick:
    return Pick(shape, values, spacings={f"{shown.spacing:.3f}"}, name=_name(file), reason=file.reason)


def _name(file: File) -> str:
    """Give what the name of a file says of the object: ``TS_01_ribosome.csv`` -> ``ribosome``."""
    stem = file.name.rsplit(".", 1)[0]
    rest = template(stem, file.run).replace("{run_name}", " ") if file.run else stem
    words = [w for w in BREAK.split(rest.strip("_- ")) if w and w.lower() not in GENERIC and not w.isdigit()]
    return " ".join(words)


def _points(survey: Survey, file: File, run: Found, shown: Kind) -> Pick | None:
    local = survey.listing.local(file.path)
    if local.stat().st_size > LARGEST:
        raise FormatError(local, "is too large to be looked into: describe it by hand.")
    ending = file.name.rsplit(".", 1)[1].lower()
    if ending == "star":
        return _star(survey, file, run, shown)
    if ending == "mod":
        return _read(survey, file, shown, run, "Point", {"file_format": "mod"})
    if ending == "tbl":
        if not file.run:
            raise FormatError(local, "numbers its tomograms: name the number of each run in filter_value.")
        return _read(survey, file, shown, run, "OrientedPoint", {"file_format": "dynamo_tbl"})
    return _table(survey, file, run, shown) if file.run else None


def _star(survey: Survey, file: File, run: Found, shown: Kind) -> Pick | None:
    text = read_text(survey.listing.local(file.path))
    head = text[:HEAD]
    found = next(((form, why) for column, form, why in COLUMNS if column in head), None)
    if found is None:
        raise FormatError(file.path, "has no coordinates of particles.")
    shape = "OrientedPoint" if ORIENTED.search(head) else "Point"
    values: dict[str, Any] = {"file_format": likely(found[0], found[1])}
    if (named := _named(text, run.name)) is not None:
        values["filter_value"] = named
    elif not file.run:
        return None
    return _read(survey, file, shown, run, shape, values)


def _named(text: str, run: str) -> str | None:
    """Find how a star file names a run: ``TS_1`` or ``TS_1.tomostar``; None if it does not."""
    form = re.compile(rf"(?<!\S)(\S*?(?<![A-Za-z0-9])|){re.escape(run)}((?![A-Za-z0-9])\S*)?(?!\S)")
    for match in form.finditer(text):
        word = match[0].strip("\"'")
        if "/" not in word:
            return template(word, run)
    return None


def _table(survey: Survey, file: File, run: Found, shown: Kind) -> Pick | None:
    lines = read_text(survey.listing.local(file.path)).split("\n")
    first = next((line for line in lines if line.strip()), "")
    delimiter = next((d for d in DELIMITERS if len(first.split(d)) > 2), None)  # noqa: PLR2004  # x, y, z
    if delimiter is None:
        raise FormatError(file.path, "has fewer than three columns.")
    header = not all(_is_number(word) for word in first.split(delimiter)[:3] if word.strip())
    values: dict[str, Any] = {"file_format": "csv_with_header" if header else "csv"}
    if delimiter != ",":
        values["delimiter"] = delimiter
    return _read(survey, file, shown, run, "Point", values)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _read(survey: Survey, file: File, shown: Kind, run: Found, shape: str, values: dict[str, Any]) -> Pick | None:  # noqa: PLR0913, PLR0917  # all belong to one read
    """Read a file as it would be taken in, and see by its extent how it is binned; None if it has no points of the run."""
    form = values["file_format"].value if isinstance(values["file_format"], Guess) else values["file_format"]
    z, y, x = shown.file.shape
    filter_value = str(values.get("filter_value", "")).replace("{run_name}", run.name)
    options = Options(
        filter_value=filter_value,
        delimiter=values.get("delimiter", ""),
        spacing=shown.spacing,
        size=(x, y, z),
        rotations=False,
    )
    points = read_points(survey.listing.local(file.path), form, options, shape=shape)
    if not len(points):
        return None
    binning = (
        None if form == "relion5_star" else _binning(points.locations.max(axis=0), np.array([x, y, z]), run, shown)
    )
    if binning is not None:
        values = {**values, "binning": binning}
    return _pick(file, shape, {**values, "is_visualization_default": True}, shown)


def _binning(furthest: Any, size: Any, run: Found, shown: Kind) -> Guess:
    if (furthest <= size).all():
        return likely(1, f"all points lie in the tomogram of {shown.spacing:g} Å")
    own = pixel(run)
    factor = round(float(shown.spacing or 0) / float(own.value), 3) if own and shown.spacing else 0.0
    if factor > 1 and (furthest / factor <= size).all():
        return likely(factor, "in voxels of the tilt series' pixel size all points lie in the tomogram")
    return unsure(1, "points lie outside of the tomogram: is it another one?")
