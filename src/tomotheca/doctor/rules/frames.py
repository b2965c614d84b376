"""Rules about movies, gain references, mdoc files and lists of angles, in an archive and in a source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tomotheca.doctor import values
from tomotheca.doctor.core import At, Rule, Said
from tomotheca.doctor.look import Broken
from tomotheca.doctor.subjects import Acquisition, Movies, Series
from tomotheca.formats.mdoc import bare_name

KINDS = (".mrc", ".tif", ".tiff", ".eer", ".mrc.bz2")
GAINS = (*KINDS, ".gain", ".dm4")
STEEPEST = 90.0
DECIMALS = 2
CLOSE = 0.6 * 10**-DECIMALS
SQUARE = 1e-3
"""Relative difference of pixel sizes that headers make by rounding."""


def extension(movies: Movies) -> Iterator[Said]:
    """A movie is a .mrc, .tif, .tiff, .eer or .mrc.bz2 file."""
    odd = [key for key in movies.movies if not key.lower().endswith(KINDS)]
    if odd:
        yield f"{len(odd)} files are none that is known as a movie: {values.some([_name(k) for k in odd])}"


def gain_extension(movies: Movies) -> Iterator[Said]:
    """A gain reference is a .gain, .dm4, .mrc, .tif, .tiff or .eer file."""
    odd = [key for key in movies.gains if not key.lower().endswith(GAINS)]
    if odd:
        yield f"{len(odd)} files are none that is known as a gain reference: {values.some([_name(k) for k in odd])}"


def readable(movies: Movies) -> Iterator[Said]:
    """Movies have headers that can be read."""
    for key, found in movies.movies.items():
        if isinstance(found, Broken):
            yield At(f"the movie {found.reason}", where=key)


def same_size(movies: Movies) -> Iterator[Said]:
    """All movies of a run, and all their pages, have one size."""
    good = movies.good(movies.movies)
    for key, movie in good.items():
        if not movie.equal:
            yield At("its pages have different sizes", where=key)
    sizes = Counter((m.width, m.height) for m in good.values())
    if len(sizes) > 1:
        (usual, _), *others = sizes.most_common()
        odd = [_name(k) for k, m in good.items() if (m.width, m.height) != usual]
        yield f"{len(odd)} movies have not the {usual[0]} x {usual[1]} pixels of the others ({values.some(odd)}): {len(others) + 1} sizes"


def same_spacing(movies: Movies) -> Iterator[Said]:
    """All movies of a run have one pixel size, the same along x and y."""
    found = {key: m.spacing for key, m in movies.good(movies.movies).items() if m.spacing is not None}
    odd = [_name(k) for k, (x, y) in found.items() if abs(x - y) > SQUARE * max(x, y)]
    if odd:
        yield f"the pixels of {len(odd)} movies are no squares ({values.some(odd)})"
    sizes = [x for x, _ in found.values()]
    if sizes and max(sizes) - min(sizes) > SQUARE * max(sizes):
        yield f"the movies have pixels from {min(sizes):g} to {max(sizes):g} Å"


def gain_present(movies: Movies) -> Iterator[Said]:
    """Movies that are not gain-corrected come with a gain reference."""
    if movies.movies and movies.data.get("is_gain_corrected") is False and not movies.gains:
        yield At("the movies are not gain-corrected and the run has no gain reference", path="is_gain_corrected")


def gain_size(movies: Movies) -> Iterator[Said]:
    """A gain reference has one section, of the size of the movies."""
    good = list(movies.good(movies.movies).values())
    for key, gain in movies.good(movies.gains).items():
        if gain.pages != 1:
            yield At(f"the gain reference has {gain.pages} sections", where=key)
        if good and {gain.width, gain.height} != {good[0].width, good[0].height}:
            yield At(
                f"the gain reference has {gain.width} x {gain.height} pixels, the movies {good[0].width} x {good[0].height}",
                where=key,
            )


def order(movies: Movies) -> Iterator[Said]:
    """Orders of acquisition are 0, 1, 2 ..., each once."""
    given = [values.whole(frame, "acquisition_order") for frame in movies.frames]
    found = [n for n in given if n is not None]
    if twice := [n for n, count in Counter(found).items() if count > 1]:
        yield At(f"the orders {values.some(sorted(twice))} stand there twice", path="frames")
    if found and (max(found) > len(given) - 1 or min(found) < 0):
        yield At(f"the orders go from {min(found)} to {max(found)} for {len(given)} frames", path="frames")


def dose_order(movies: Movies) -> Iterator[Said]:
    """The accumulated dose grows in the order of acquisition, from tilt series to tilt series of a run."""
    known = [
        (n, dose)
        for frame in movies.frames
        if (n := values.whole(frame, "acquisition_order")) is not None
        and (dose := values.number(frame, "accumulated_dose")) is not None
    ]
    known.sort(key=lambda item: item[0])
    falls = [later[0] for earlier, later in pairwise(known) if later[1] < earlier[1]]
    if len(falls) >= movies.series and min(dose for _, dose in known) < max(dose for _, dose in known):
        yield At(f"the dose falls at the frames {values.some(falls)}", path="frames")


def paths(movies: Movies) -> Iterator[Said]:
    """Every movie that the document names is listed in the run's manifest."""
    lost = [p for frame in movies.frames if (p := values.text(frame, "path")) and p not in movies.movies]
    if lost:
        yield At(f"{len(lost)} movies are in no manifest ({values.some([_name(k) for k in lost])})", path="frames")


def named(movies: Movies) -> Iterator[Said]:
    """Every movie that an mdoc file names is there, under its name or converted or packed since."""
    present = {name for key in movies.movies for name in (_name(key), bare_name(_name(key)))}
    if present and (lost := sorted(n for n in movies.mdoc_frames if not present & {n, bare_name(n)})):
        yield f"{len(lost)} movies of the mdoc file are not there ({values.some(lost)})"


def spare(movies: Movies) -> Iterator[Said]:
    """Every movie is named by an mdoc file, whatever its endings."""
    known = {name for frame in movies.mdoc_frames for name in (frame, bare_name(frame))}
    found = sorted(n for n in {_name(key) for key in movies.movies} if not known & {n, bare_name(n)})
    if movies.mdoc_frames and found:
        yield f"{len(found)} movies are in no mdoc file ({values.some(found)})"


def sub_frames(movies: Movies) -> Iterator[Said]:
    """NumSubFrames of the mdoc file is the number of pages of the movie (not for .eer, which is counted otherwise)."""
    odd = [
        f"{_name(key)}: {movie.pages} pages, {wanted} in the mdoc file"
        for key, movie in movies.good(movies.movies).items()
        if not key.lower().endswith(".eer")
        and (wanted := movies.pages.get(_name(key))) is not None
        and wanted != movie.pages
    ]
    if odd:
        yield f"{len(odd)} movies have another number of frames ({values.some(odd, 1)})"


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def mdoc_readable(acquisition: Acquisition) -> Iterator[Said]:
    """An mdoc file is there and has sections."""
    if isinstance(acquisition.mdoc, Broken):
        yield f"the mdoc file {acquisition.mdoc.reason}"


def mdoc_angles(acquisition: Acquisition) -> Iterator[Said]:
    """Every section of an mdoc file has a tilt angle between -90° and 90°."""
    if isinstance(acquisition.mdoc, Broken):
        return
    odd = [s.number for s in acquisition.mdoc.images if s.tilt_angle is None or not abs(s.tilt_angle) <= STEEPEST]
    if odd:
        yield f"the sections {values.some(odd)} have no tilt angle between -90° and 90°"


def mdoc_count(acquisition: Acquisition) -> Iterator[Said]:
    """An mdoc file has as many sections as the document has frames."""
    if isinstance(acquisition.mdoc, Broken) or acquisition.frames is None:
        return
    if len(acquisition.mdoc.images) > acquisition.frames:
        yield f"the mdoc file has {len(acquisition.mdoc.images)} sections, the document {acquisition.frames} frames"


def mdoc_paths(acquisition: Acquisition) -> Iterator[Said]:
    """Every section of an mdoc file names its movie (SubFramePath), where there are movies."""
    if isinstance(acquisition.mdoc, Broken) or not acquisition.movies:
        return
    odd = [s.number for s in acquisition.mdoc.images if not s.frame_name]
    if odd:
        yield f"the sections {values.some(odd)} name no movie"


def angles_readable(series: Series) -> Iterator[Said]:
    """A list of tilt angles has one number a line, and at least one."""
    if isinstance(series.angles, Broken):
        yield At(f"the list of angles {series.angles.reason}", where=series.angles_where)


def angles_range(series: Series) -> Iterator[Said]:
    """Tilt angles are between -90° and 90°."""
    odd = [a for a in _angles(series) if not abs(a) <= STEEPEST]
    if odd:
        yield At(
            f"{len(odd)} angles are beyond 90° ({values.some([f'{a:g}' for a in odd])})", where=series.angles_where
        )


def angles_count(series: Series) -> Iterator[Said]:
    """There are as many tilt angles as sections in the tilt series."""
    found = _angles(series)
    if found and series.depth is not None and len(found) != series.depth:
        yield At(f"there are {len(found)} angles for {series.depth} sections", where=series.angles_where)


def angles_recorded(series: Series) -> Iterator[Said]:
    """Each tilt angle is one of the mdoc file, to 0.01°, and no two are the same one."""
    found, recorded = _angles(series), recorded_angles(series)
    if not found or not recorded:
        return
    if len(found) > len(recorded):
        yield At(
            f"there are {len(found)} angles, the mdoc file has {len(recorded)} sections", where=series.angles_where
        )
    lost = unmatched(found, recorded)
    if lost:
        yield At(
            f"{len(lost)} angles are not in the mdoc file ({values.some([f'{a:g}' for a in lost])})",
            where=series.angles_where,
        )


def recorded_angles(series: Series) -> list[float]:
    """Give the angles of the mdoc file."""
    return [s.tilt_angle for s in series.mdoc.images if s.tilt_angle is not None] if series.mdoc else []


def unmatched(wanted: list[float], recorded: list[float]) -> list[float]:
    """Give the angles for which no recorded one is left that agrees to two decimals."""
    left, lost = sorted(recorded), []
    for angle in wanted:
        match = next((r for r in left if round(r, DECIMALS) == round(angle, DECIMALS) or abs(r - angle) <= CLOSE), None)
        if match is None:
            lost.append(angle)
        else:
            left.remove(match)
    return lost


def _angles(series: Series) -> list[float]:
    return [] if series.angles is None or isinstance(series.angles, Broken) else list(series.angles)


MDOC = "name the mdoc file of this run in collection_metadata, or mend it"
FRAMES = "correct the sources of frames and gains, then run the ingest again"
RULES: tuple[Rule, ...] = (
    Rule("frames.extension", "warning", Movies, extension, FRAMES, source=True),
    Rule("frames.readable", "warning", Movies, readable, "copy the movie again from its source", source=True),
    Rule("frames.same_size", "warning", Movies, same_size, "give each run its own movies only", source=True),
    Rule("frames.same_spacing", "warning", Movies, same_spacing, "give each run its own movies only", source=True),
    Rule("frames.gain", "warning", Movies, gain_present, "add the gain reference to gains, or say that the movies are gain-corrected", source=True),
    Rule("frames.order", "warning", Movies, order, MDOC),
    Rule("frames.dose_order", "warning", Movies, dose_order, MDOC),
    Rule("frames.paths", "error", Movies, paths, FRAMES),
    Rule("frames.mdoc", "warning", Movies, named, FRAMES, source=True),
    Rule("frames.spare", "warning", Movies, spare, FRAMES),
    Rule("frames.sub_frames", "warning", Movies, sub_frames, FRAMES, source=True),
    Rule("gain.extension", "warning", Movies, gain_extension, FRAMES, source=True),
    Rule("gain.size", "warning", Movies, gain_size, "give the gain reference of this camera and this kind of movie", source=True),
    Rule("mdoc.readable", "warning", Acquisition, mdoc_readable, MDOC),
    Rule("mdoc.tilt_angle", "warning", Acquisition, mdoc_angles, MDOC, source=True),
    Rule("mdoc.count", "warning", Acquisition, mdoc_count, "run the ingest again"),
    Rule("mdoc.sub_frame_path", "warning", Acquisition, mdoc_paths, MDOC, source=True),
    Rule("angles.readable", "error", Series, angles_readable, "correct the list of angles"),
    Rule("angles.range", "warning", Series, angles_range, "correct the list of angles", source=True),
    Rule("angles.count", "warning", Series, angles_count, "give the list of angles of this tilt series"),
    Rule("angles.recorded", "warning", Series, angles_recorded, "give the mdoc file of this tilt series, or its own list of angles"),
)  # fmt: skip
