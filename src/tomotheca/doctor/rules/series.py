"""Rules about tilt series and alignments."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from tomotheca.doctor import values
from tomotheca.doctor.core import At, Rule, Said
from tomotheca.doctor.look import Broken
from tomotheca.doctor.rules.frames import recorded_angles, unmatched
from tomotheca.doctor.subjects import Aligned, Data, Series

AXIS = 10.0
"""Degrees by which the tilt axis may differ between mdoc, document and alignment."""

FLUX = 1.0
"""Electrons per Å² by which the sum of all doses may differ from the total."""

ROUNDED = 0.05
"""Degrees that one decimal loses."""

STEPS = 4
"""Gaps between neighbouring angles that may differ from the tilt step: sections that were left out."""

HALF_STEP = 0.5
TWO_PI = 2 * math.pi
WHOLE = 0.01
"""How far the binning may be from a whole number of halves."""


def optics(series: Series) -> Iterator[Said]:
    """Voltage, spherical aberration and total flux are larger than 0."""
    for name in ("acceleration_voltage", "spherical_aberration_constant", "total_flux"):
        found = values.number(series.data, name)
        if found is not None and found <= 0:
            yield At(f"{name.replace('_', ' ')} is {found:g}", path=name)


def scheme(series: Series) -> Iterator[Said]:
    """The tilting scheme is said."""
    if not values.text(series.data, "tilting_scheme").strip():
        yield At("nothing says in which order the angles were taken", path="tilting_scheme")


def run_name(series: Series) -> Iterator[Said]:
    """The tilt series names its run."""
    if series.data.get("run_name") not in {None, series.run}:
        yield At(f"the document says {series.data.get('run_name')!r}, the run is {series.run}"[:200], path="run_name")


def recorded(series: Series) -> Iterator[Said]:
    """The mdoc file has at least as many sections as the tilt series."""
    if series.mdoc and series.depth is not None and len(series.mdoc.images) < series.depth:
        yield f"the mdoc file has {len(series.mdoc.images)} sections, the tilt series {series.depth}"


def tilt_range(series: Series) -> Iterator[Said]:
    """Lowest and highest angle of the document are those of the mdoc file or of the list of angles, to 0.1°."""
    known = recorded_angles(series)
    own = list(series.angles) if series.angles and not isinstance(series.angles, Broken) else []
    for name, pick in (("min", min), ("max", max)):
        said = values.number(series.data, "tilt_range", name)
        near = [pick(found) for found in (known, own) if found]
        if said is not None and near and all(abs(round(a, 1) - said) > 2 * ROUNDED + 1e-9 for a in near):
            yield At(f"the document says {said:g}°, the recorded angles {near[0]:.2f}°", path=f"tilt_range.{name}")


def tilt_step(series: Series) -> Iterator[Said]:
    """Neighbouring angles differ by the tilt step, but for a few gaps."""
    step = values.number(series.data, "tilt_step")
    found = sorted(recorded_angles(series))
    if not step or len(found) < 3:  # noqa: PLR2004 - two gaps
        return
    gaps = [b - a for a, b in pairwise(found)]
    odd = [gap for gap in gaps if abs(gap - step) > HALF_STEP * step]
    if len(odd) > STEPS:
        yield At(f"{len(odd)} of {len(gaps)} gaps between recorded angles are not {step:g}°", path="tilt_step")


def flux(series: Series) -> Iterator[Said]:
    """The doses of all frames add up to the total flux, to 1 e⁻/Å²."""
    said = values.number(series.data, "total_flux")
    doses = [values.number(frame, "exposure_dose") for frame in series.frames]
    if said is None or not series.alone or not doses or any(d is None for d in doses):
        return
    total = sum(d for d in doses if d is not None)
    if total > 0 and abs(total - said) > FLUX:
        yield At(
            f"the document says {said:g}, the doses of {len(doses)} frames add up to {total:.2f}", path="total_flux"
        )


def section_frames(series: Series) -> Iterator[Said]:
    """Every section has a frame."""
    known = {values.whole(frame, "acquisition_order") for frame in series.frames}
    lost = [s.get("z_index") for s in series.sections if values.whole(s, "frame_acquisition_order") not in known]
    if lost:
        yield At(f"no frame for the sections {values.some(lost)}", path="per_section_parameter")


def section_places(series: Series) -> Iterator[Said]:
    """The indices of sections are those of the stack, each once."""
    found = [values.whole(s, "z_index") for s in series.sections]
    depth = series.depth
    odd = [z for z in found if z is None or z < 0 or (depth is not None and z >= depth)]
    if odd or len(set(found)) < len(found):
        words = f"sections {values.some(odd)} lie outside the stack" if odd else "an index stands there twice"
        yield At(words, path="per_section_parameter")


def section_ctf(series: Series) -> Iterator[Said]:
    """Astigmatic angles are within ±180°, phase shifts from 0 to 2π, resolutions not negative."""
    bounds = {"astigmatic_angle": (-180.0, 180.0), "phase_shift": (0.0, TWO_PI), "max_resolution": (0.0, math.inf)}
    for name, (low, high) in bounds.items():
        odd = [i for i, found in values.numbered(series.sections, name) if not low <= found <= high]
        if odd:
            yield At(f"{name.replace('_', ' ')} is out of bounds at the sections {values.some(odd)}", path=name)


def section_angles(series: Series) -> Iterator[Said]:
    """The angles of sections are those of the mdoc file, to 0.01°."""
    own = [found for _, found in values.numbered(series.sections, "raw_angle")]
    known = recorded_angles(series)
    if known and (lost := unmatched(own, known)):
        yield At(
            f"{len(lost)} angles are not in the mdoc file ({values.some([f'{a:g}' for a in lost])})",
            path="per_section_parameter",
        )


def axis(series: Series) -> Iterator[Said]:
    """The tilt axis is within 10° of that of the mdoc file."""
    said = values.number(series.data, "tilt_axis")
    known = series.mdoc.tilt_axis if series.mdoc else None
    if said is not None and known is not None and (apart := between(said, known)) > AXIS:
        yield At(f"the document says {said:g}°, the mdoc file {known:g}°: {apart:.0f}° apart", path="tilt_axis")


def between(one: float, other: float) -> float:
    """Give the angle between two axes, which have no direction: 0 to 90 degrees."""
    apart = abs(one - other) % 180
    return min(apart, 180 - apart)


def binning(series: Series) -> Iterator[Said]:
    """The pixels of the tilt series are a whole number of the movies' pixels, or of their halves."""
    own = values.number(series.data, "pixel_spacing")
    if own is None or not series.frame_spacing:
        return
    factor = own / series.frame_spacing
    if factor <= 0 or abs(2 * factor - round(2 * factor)) > 2 * WHOLE * max(1.0, factor):
        yield At(f"{own:g} Å is {factor:.3f} times the {series.frame_spacing:g} Å of the movies", path="pixel_spacing")


def angles_file(series: Series) -> Iterator[Said]:
    """The file of angles that the document names is there."""
    named = values.text(series.data, "raw_tlt_path")
    if named and series.angles is None:
        yield At(f"{named} is not there", path="raw_tlt_path")


def has_tilts(aligned: Aligned) -> Iterator[Said]:
    """The files of an alignment are listed in its manifest."""
    lost = [p for p in values.array(aligned.data, "files") if isinstance(p, str) and p not in aligned.listed]
    if lost:
        yield At(
            f"{len(lost)} files are in no manifest ({values.some([p.rpartition('/')[2] for p in lost])})", path="files"
        )


def tilts_readable(aligned: Aligned) -> Iterator[Said]:
    """The refined tilt angles can be read."""
    if isinstance(aligned.tilts, Broken):
        yield At(f"the list of refined angles {aligned.tilts.reason}", path="tilt_path")


def tilts_range(aligned: Aligned) -> Iterator[Said]:
    """Refined tilt angles are between -90° and 90°."""
    own = values.blocks(aligned.data, "per_section_alignment_parameters")
    odd = [i for i, found in values.numbered(own, "tilt_angle") if abs(found) > 90]  # noqa: PLR2004 - degrees
    if odd:
        yield At(f"angles beyond 90° at the sections {values.some(odd)}", path="per_section_alignment_parameters")


def tilts_count(aligned: Aligned) -> Iterator[Said]:
    """An alignment has no more sections than its tilt series and its mdoc file, each once and inside the stack."""
    own = values.blocks(aligned.data, "per_section_alignment_parameters")
    places = [values.whole(item, "z_index") for item in own]
    size = values.zyx(aligned.series, "size")
    path = "per_section_alignment_parameters"
    if len(set(places)) < len(places):
        yield At("a section stands there twice", path=path)
    if size is not None and any(z is None or not 0 <= z < size[0] for z in places):
        yield At(f"sections lie outside the {size[0]} of the tilt series", path=path)
    if aligned.mdoc is not None and len(own) > len(aligned.mdoc.images):
        yield At(f"{len(own)} sections, the mdoc file has {len(aligned.mdoc.images)}", path=path)
    tilts = aligned.tilts
    if tilts is not None and not isinstance(tilts, Broken) and own and len(own) > len(tilts):
        yield At(f"{len(own)} sections, the list of refined angles has {len(tilts)}", path=path)


def rotation(aligned: Aligned) -> Iterator[Said]:
    """The in-plane rotation is within 10° of the tilt axis of the mdoc file."""
    known = aligned.mdoc.tilt_axis if aligned.mdoc else None
    found = [
        turned
        for item in values.blocks(aligned.data, "per_section_alignment_parameters")
        if (turned := _turn(item)) is not None
    ]
    if known is None or not found or all(turned == 0 for turned in found):
        return
    middle = sorted(found)[len(found) // 2]
    if min(between(middle, known), between(-middle, known)) > AXIS:
        yield At(
            f"the images are turned by {middle:.1f}°, the tilt axis of the mdoc file is {known:g}°",
            path="per_section_alignment_parameters",
        )


def _turn(item: Data) -> float | None:
    """Degrees of a 2 x 2 rotation; None where there is none."""
    rows = values.array(item, "in_plane_rotation")
    flat = [values.number(v) for row in rows for v in (row if isinstance(row, list) else ())]
    if len(flat) != 4 or flat[0] is None or flat[2] is None:  # noqa: PLR2004 - two rows of two
        return None
    return math.degrees(math.atan2(flat[2], flat[0]))


def dimension(aligned: Aligned) -> Iterator[Said]:
    """The size of the aligned volume is larger than 0 along all axes."""
    given = values.mapping(aligned.data, "volume_dimension")
    odd = [axis for axis in "xyz" if (found := values.number(given, axis)) is not None and found <= 0]
    if odd:
        yield At(f"the volume has no extent along {', '.join(odd)}", path="volume_dimension")


def of_series(aligned: Aligned) -> Iterator[Said]:
    """The tilt series that was aligned has a document."""
    if values.text(aligned.data, "tiltseries_path") and not aligned.series:
        yield At("the tilt series that was aligned has no document", path="tiltseries_path")


METADATA = "correct the metadata of tiltseries in the configuration and ingest it again"
MDOC = "give the mdoc file of this tilt series, or correct the metadata"
ALIGNED = "correct the sources of alignments and ingest them again"
RULES: tuple[Rule, ...] = (
    Rule("tiltseries.optics", "warning", Series, optics, METADATA, source=True),
    Rule("tiltseries.scheme", "warning", Series, scheme, METADATA, source=True),
    Rule("tiltseries.run_name", "error", Series, run_name, METADATA),
    Rule("tiltseries.recorded", "warning", Series, recorded, MDOC, source=True),
    Rule("tiltseries.tilt_range", "warning", Series, tilt_range, METADATA, source=True),
    Rule("tiltseries.tilt_step", "warning", Series, tilt_step, METADATA, source=True),
    Rule("tiltseries.flux", "warning", Series, flux, METADATA),
    Rule("tiltseries.angles_file", "error", Series, angles_file, "run the ingest again"),
    Rule("tiltseries.section_frames", "error", Series, section_frames, "run the ingest again"),
    Rule("tiltseries.sections", "error", Series, section_places, "run the ingest again"),
    Rule("tiltseries.ctf", "warning", Series, section_ctf, "correct the sources of ctfs and ingest them again"),
    Rule("tiltseries.section_angles", "warning", Series, section_angles, MDOC),
    Rule("tiltseries.axis", "warning", Series, axis, METADATA, source=True),
    Rule("tiltseries.binning", "warning", Series, binning, METADATA, source=True),
    Rule("alignment.files", "error", Aligned, has_tilts, "run the ingest again"),
    Rule("alignment.tilts_readable", "warning", Aligned, tilts_readable, ALIGNED),
    Rule("alignment.tilts_range", "warning", Aligned, tilts_range, ALIGNED),
    Rule("alignment.tilts_count", "warning", Aligned, tilts_count, ALIGNED),
    Rule("alignment.rotation", "warning", Aligned, rotation, ALIGNED),
    Rule("alignment.dimension", "warning", Aligned, dimension, "give volume_dimension, or a tomogram with a voxel size"),
    Rule("alignment.tiltseries", "error", Aligned, of_series, "run the ingest again"),
)  # fmt: skip
