"""What the files of a run say of its tilt series, field by field."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

from tomotheca.ingest.draft import hardware
from tomotheca.ingest.draft.guesses import Guess, likely, sure, unsure

if TYPE_CHECKING:
    from tomotheca.ingest.draft.found import File, Found

Path = tuple[str, ...]
"""Place of a field in the metadata of a tilt series."""

SAME = 0.01
"""Relative difference of pixel sizes that are one."""


def angles_of(run: Found) -> tuple[tuple[float, ...], str]:
    """Give the tilts of a run's stage in the order of the stack, with the file that says them; empty if none does."""
    if run.stage and (file := run.one("rawtilt")):
        return run.stage, file.name
    if run.mdoc and all(s.tilt_angle is not None for s in run.mdoc.images):
        return tuple(s.tilt_angle or 0.0 for s in run.mdoc.images), _name(run, "mdoc")
    if run.tilts is not None and run.of("tomostar"):
        return tuple((run.tilts.tilts + 0.0).tolist()), _name(run, "tomostar")
    if run.aln is not None:
        return tuple(float(t - run.aln.alpha_offset) for t in run.aln.tilts), _name(run, "aln")
    if run.refined:
        return run.refined, _name(run, "tlt")
    return (), ""


def _name(run: Found, part: str) -> str:
    file: File | None = run.one(part)  # type: ignore[arg-type]  # callers name parts
    return file.name if file else part


def pixel(run: Found) -> Guess | None:
    """Å per pixel of the stack: of its header, else of the mdoc file."""
    stack = run.one("tiltseries")
    recorded = run.mdoc.pixel_spacing if run.mdoc else None
    said = stack.spacing if stack else 0.0
    if stack and said > 0 and (said != 1.0 or recorded is None):
        value = round(said, 4)
        if recorded and abs(recorded - said) > SAME * said:
            return unsure(value, f"header of {stack.name}; its mdoc file says {recorded:g}: is the stack binned?")
        if said == 1.0:
            return unsure(value, f"header of {stack.name}; 1 Å is also what programs write that do not know")
        return sure(value, f"header of {stack.name}{', and its mdoc file' if recorded else ''}")
    return sure(round(recorded, 4), f"{_name(run, 'mdoc')} (PixelSpacing)") if recorded else None


def _voltage(run: Found) -> Guess | None:
    if run.mdoc and run.mdoc.voltage:
        return sure(round(run.mdoc.voltage * 1000), f"{_name(run, 'mdoc')} (Voltage)")
    found = hardware.scope(run.mdoc.titles) if run.mdoc else None
    return likely(found.voltage, f"{_name(run, 'mdoc')} names a {found.model}") if found else None


def _of_scope(part: str) -> Callable[[Found], Guess | None]:
    def guess(run: Found) -> Guess | None:
        found = hardware.scope(run.mdoc.titles) if run.mdoc else None
        return likely(getattr(found, part), f"{_name(run, 'mdoc')} names a {found.model}") if found else None

    return guess


def _of_camera(part: str) -> Callable[[Found], Guess | None]:
    def guess(run: Found) -> Guess | None:
        if run.mdoc is None:
            return _eer(run, part)
        name = hardware.camera_name(run.mdoc)
        if found := hardware.detector(name):
            return likely(getattr(found, part), f"{_name(run, 'mdoc')} names the camera {name}")
        if found := hardware.detector_of_size(run.mdoc):
            return unsure(getattr(found, part), f"size and binning of the images in {_name(run, 'mdoc')}")
        return _eer(run, part)

    return guess


def _eer(run: Found, part: str) -> Guess | None:
    movie = next((f for f in run.of("movie") if f.name.lower().endswith(".eer")), None)
    return (
        unsure({"manufacturer": "TFS", "model": "FALCON 4i"}[part], f"{movie.name} is an EER movie") if movie else None
    )


def _filter(run: Found) -> Guess | None:
    if run.mdoc is None:
        return None
    if "gif" in " ".join(run.mdoc.titles).lower():
        return likely("GIF", f"a title of {_name(run, 'mdoc')}")
    if "selectris" in " ".join(run.mdoc.titles).lower():
        return likely("Selectris", f"a title of {_name(run, 'mdoc')}")
    if any("FilterSlitAndLoss" in s.values for s in run.mdoc.images):
        return unsure("energy filter", f"{_name(run, 'mdoc')} has the width of a slit, and no name")
    return None


def _software(run: Found) -> Guess | None:
    if run.mdoc is None:
        return None
    name = hardware.program(run.mdoc.titles)
    return sure(name, f"a title of {_name(run, 'mdoc')}") if name else None


def _aligned(run: Found) -> Guess | None:
    stack = run.one("tiltseries")
    return likely(False, f"{stack.name} is not the aligned series, by its name") if stack else None


def _axis(run: Found) -> Guess | None:
    if run.mdoc and (axis := run.mdoc.tilt_axis) is not None:
        return sure(round(axis, 2), _name(run, "mdoc"))
    if run.aln is not None:
        return likely(round(float(median(run.aln.rotations)), 2), f"ROT of {_name(run, 'aln')}")
    for part, own in (("warp", run.warp), ("tomostar", run.tilts)):
        if own is not None:
            return likely(round(float(median(own.rotations)), 2), f"AxisAngle of {_name(run, part)}")
    if run.transforms is not None and (file := run.one("xf")):
        inverse = -float(median(run.transforms.rotations))
        return likely(round(inverse, 2), f"rotation of the transforms in {file.name}")
    return None


def _lowest(run: Found) -> Guess | None:
    angles, name = angles_of(run)
    return sure(round(min(angles), 1), name) if angles else None


def _highest(run: Found) -> Guess | None:
    angles, name = angles_of(run)
    return sure(round(max(angles), 1), name) if angles else None


def _step(run: Found) -> Guess | None:
    angles, name = angles_of(run)
    ordered = sorted(angles)
    steps = [b - a for a, b in itertools.pairwise(ordered) if b - a > 0.05]  # noqa: PLR2004  # ° of a repeated tilt
    return sure(round(median(steps), 1), f"between the angles of {name}") if steps else None


def _scheme(run: Found) -> Guess | None:
    if run.mdoc is None:
        return _scheme_by_dose(run)
    sections = [s for s in run.mdoc.images if s.tilt_angle is not None]
    times = [s.date_time for s in sections]
    if all(times):
        sections = [s for _, s in sorted(zip(times, sections, strict=True), key=lambda pair: pair[0] or 0)]
    words = scheme([s.tilt_angle or 0.0 for s in sections])
    how = "times" if all(times) else "order"
    return likely(words, f"{how} of the sections of {_name(run, 'mdoc')}") if words else None


def _scheme_by_dose(run: Found) -> Guess | None:
    """Order the tilts by the dose before each, which Warp writes."""
    if run.tilts is None or run.tilts.doses is None:
        return None
    order = run.tilts.doses.argsort(kind="stable")
    words = scheme(run.tilts.tilts[order].tolist())
    return likely(words, f"doses of {_name(run, 'tomostar')}") if words else None


def scheme(angles: Sequence[float]) -> str:
    """Name the scheme by which tilts follow each other in time; empty where it has no name.

    Parameters
    ----------
    angles
        Degrees, in the order of acquisition.
    """
    if len(angles) < 3:  # noqa: PLR2004  # no scheme can be seen in fewer
        return ""
    moves = [b - a for a, b in itertools.pairwise(angles)]
    if all(m > 0 for m in moves) or all(m < 0 for m in moves):
        return f"unidirectional from {angles[0]:.0f} to {angles[-1]:.0f} degrees"
    start = angles[0]
    largest = 1.6 * median(abs(b - a) for a, b in zip(sorted(angles), sorted(angles)[1:], strict=False))
    away = [abs(a - start) for a in angles]
    if all(later >= earlier - largest for earlier, later in itertools.pairwise(away)):
        return "dose-symmetric"
    turn = max(range(len(moves)), key=lambda i: abs(moves[i]))
    first, second = moves[:turn], moves[turn + 1 :]
    if (
        first
        and second
        and {m > 0 for m in first} != {m > 0 for m in second}
        and all(len({m > 0 for m in part}) == 1 for part in (first, second))
    ):
        return f"bidirectional from {start:.0f} degrees"
    return ""


def doses(run: Found) -> tuple[tuple[float, ...], str]:
    """Give the dose of each image in e/Å², with what says it; empty if nothing does for all of them."""
    if run.mdoc is None:
        return (), ""
    recorded = tuple(s.exposure_dose or 0.0 for s in run.mdoc.images)
    if recorded and all(recorded):
        return recorded, f"{_name(run, 'mdoc')} (ExposureDose)"
    frames = tuple(_of_frames(s.values.get("FrameDosesAndNumber", "")) for s in run.mdoc.images)
    return (frames, f"{_name(run, 'mdoc')} (FrameDosesAndNumber)") if frames and all(frames) else ((), "")


def _of_frames(text: str) -> float:
    """Add up doses and numbers of frames, ``0.5 10 0.2 2``; 0 if it is something else."""
    words = text.split()
    try:
        return sum(float(dose) * int(count) for dose, count in zip(words[::2], words[1::2], strict=True))
    except ValueError:
        return 0.0


def _flux(run: Found) -> Guess | None:
    found, reason = doses(run)
    return sure(round(sum(found), 2), f"sum of {reason}") if found else None


def rate(run: Found) -> Guess | None:
    """E/Å²/s, of doses and exposure times."""
    found, reason = doses(run)
    times = [s.exposure_time or 0.0 for s in run.mdoc.images] if run.mdoc else []
    if not found or not all(times):
        return None
    return likely(round(median(d / t for d, t in zip(found, times, strict=True)), 3), f"{reason} by ExposureTime")


def _alignment_software(run: Found) -> Guess | None:
    if run.aln is not None:
        return sure("AreTomo", _name(run, "aln"))
    if run.warp is not None and run.warp.offsets.any():
        return unsure("WarpTools", f"{_name(run, 'warp')}: it may have been imported from another program")
    return likely("IMOD", _name(run, "xf")) if run.transforms is not None else None


FIELDS: Mapping[Path, Callable[[Found], Guess | None]] = {
    ("microscope", "manufacturer"): _of_scope("manufacturer"),
    ("microscope", "model"): _of_scope("model"),
    ("microscope_optical_setup", "energy_filter"): _filter,
    ("acceleration_voltage",): _voltage,
    ("spherical_aberration_constant",): _of_scope("aberration"),
    ("camera", "manufacturer"): _of_camera("manufacturer"),
    ("camera", "model"): _of_camera("model"),
    ("data_acquisition_software",): _software,
    ("pixel_spacing",): pixel,
    ("tilt_axis",): _axis,
    ("tilt_range", "min"): _lowest,
    ("tilt_range", "max"): _highest,
    ("tilt_step",): _step,
    ("tilting_scheme",): _scheme,
    ("total_flux",): _flux,
    ("is_aligned",): _aligned,
    ("tilt_alignment_software",): _alignment_software,
}
"""What computes which field; a field of the schema that is not here is left out, or a TODO where it is required."""


def guesses(run: Found) -> Iterator[tuple[Path, Guess | None]]:
    """Guess every field of a run's tilt series; None where its files do not say."""
    return ((path, guess(run)) for path, guess in FIELDS.items())
