"""What the files of a run say of its tomograms and of its alignment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tomotheca.ingest.draft.guesses import Guess, Todo, likely, sure, unsure
from tomotheca.ingest.draft.series import SAME, pixel

if TYPE_CHECKING:
    from tomotheca.ingest.draft.found import File, Found

BINNED = re.compile(r"^\s*(BinByFactor|IMAGEBINNED)\s+(\d+)", re.IGNORECASE | re.MULTILINE)
RANK = ("denoised", "filtered", "raw", "filtered_even", "filtered_odd")
"""Which of several tomograms the viewer opens."""

SPACING = "voxel_spacing"
DEFAULT = "is_visualization_default"


@dataclass(slots=True)
class Kind:
    """What the files of a run say of one of its tomograms."""

    file: File
    values: dict[str, Guess | Todo] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """Tell kinds of tomograms apart: those of one key are described once for all runs."""
        return tuple(repr(v.value) if isinstance(v, Guess) else "" for v in self.values.values())

    @property
    def spacing(self) -> float | None:
        """Å; None where it is still to be given."""
        said = self.values[SPACING]
        return float(said.value) if isinstance(said, Guess) else None

    def value(self, name: str) -> str:
        """Give a guess as text."""
        said = self.values.get(name)
        return str(said.value) if isinstance(said, Guess) else ""


def tomograms(run: Found) -> list[Kind]:
    """Describe the tomograms of a run; a second of one kind is left out, with its reason."""
    made: dict[tuple[str, ...], Kind] = {}
    for file in sorted(run.of("tomogram"), key=lambda f: (len(f.path), f.path)):
        kind = Kind(file, _values(run, file))
        if kind.key in made:
            other = made[kind.key].file.path
            file.leave(f"a tomogram of the same kind as {other}: to take both in, give one another processing_software")
            continue
        made[kind.key] = kind
    kinds = list(made.values())
    if kinds:
        best = min(kinds, key=lambda k: (RANK.index(k.value("processing")), k.spacing or 0, k.file.path))
        for kind in kinds:
            kind.values[DEFAULT] = likely(kind is best, "the most processed one opens in the viewer")
    return kinds


def _values(run: Found, file: File) -> dict[str, Guess | Todo]:
    found: dict[str, Guess | Todo | None] = {
        SPACING: spacing(run, file) or Todo("edge of one voxel in Å; the header does not say it"),
        "fiducial_alignment_status": _fiducial(run),
        "reconstruction_method": _method(run, file),
        "reconstruction_software": _software(run, file),
        "processing": _processing(file),
        "ctf_corrected": likely(True, f"a word of {_generic(file, run)}") if "ctf" in file.tags else None,
        "align_software": _align(run),
    }
    return {name: value for name, value in found.items() if value is not None}


def _generic(file: File, run: Found) -> str:
    """Name a file in words that fit all runs."""
    return file.name.replace(run.name, "*")


def spacing(run: Found, file: File) -> Guess | None:
    """Voxel spacing in Å: of the header, else of the pixel size and the binning; None if nothing says it."""
    own = pixel(run)
    base = float(own.value) if own else 0.0
    if file.spacing > 0 and (file.spacing != 1.0 or abs(base - 1.0) < SAME or not base):
        doubt = file.spacing == 1.0
        value = round(file.spacing, 3)
        return (
            unsure(value, "1 Å, as programs write that do not know it")
            if doubt
            else sure(value, f"headers of {_generic(file, run)}")
        )
    if not base:
        return None
    if match := BINNED.search(run.com):
        return likely(round(base * int(match[2]), 3), f"pixel size times {match[1]} of IMOD's command file")
    stack = run.one("tiltseries")
    if stack and stack.shape[2] and file.shape[2]:
        ratio = stack.shape[2] / file.shape[2]
        if abs(ratio - round(ratio)) < SAME * ratio and round(ratio) >= 1:
            return unsure(
                round(base * round(ratio), 3), "pixel size times the ratio of the widths of tilt series and tomogram"
            )
    return None


def _fiducial(run: Found) -> Guess:
    if any(f.name.lower().endswith(".fid") and not f.name.lower().endswith("_pt.fid") for f in run.files):
        return likely("FIDUCIAL", "there is a model of fiducials (.fid)")
    if run.aln is not None:
        return sure("NON_FIDUCIAL", "AreTomo aligns without fiducials")
    return unsure("NON_FIDUCIAL", "there is no model of fiducials (.fid)")


def _method(run: Found, file: File) -> Guess:
    for tag, method in (("sirt", "SIRT"), ("sart", "SART"), ("wbp", "WBP")):
        if tag in file.tags:
            return likely(method, f"a word of {_generic(file, run)}")
    if run.aln is not None:
        return unsure("SART", "AreTomo's own; with -Wbp 1 it is WBP")
    if run.com:
        return likely("WBP", "IMOD's tilt.com")
    return unsure("Unknown", "no file says it")


def _software(run: Found, file: File) -> Guess | Todo:
    if run.aln is not None:
        return likely("AreTomo", f"{_part(run, 'aln')} lies beside it")
    if run.com:
        return likely("IMOD", "its command files lie beside it")
    if run.warp is not None:
        return likely("WarpTools", f"{_part(run, 'warp')} has its alignment or its CTF")
    if run.transforms is not None:
        return unsure("IMOD", "IMOD's transforms lie beside it")
    if file.name.lower().endswith((".rec", "_rec.mrc")):
        return unsure("IMOD", "etomo names its tomograms so")
    return Todo("software that made the reconstruction")


def _part(run: Found, part: str) -> str:
    file = run.one(part)  # type: ignore[arg-type]  # callers name parts
    return _generic(file, run) if file else ""


def _align(run: Found) -> Guess | None:
    if run.aln is not None:
        return sure("AreTomo", _part(run, "aln"))
    if run.warp is not None and run.warp.offsets.any():
        return unsure("WarpTools", f"{_part(run, 'warp')}: it may have been imported from another program")
    return likely("IMOD", _part(run, "xf")) if run.transforms is not None else None


def _processing(file: File) -> Guess:
    if "denoised" in file.tags:
        return likely("denoised", "a word of the name")
    if "filtered" in file.tags:
        return likely("filtered", "a word of the name")
    for tag in ("even", "odd"):
        if tag in file.tags:
            return likely(f"filtered_{tag}", f"a word of the name: from the {tag} frames alone")
    return likely("raw", "no word of the name says otherwise") if file.certain else unsure("raw", file.reason)


def alignment(run: Found) -> tuple[tuple[str, ...], dict[str, Guess]]:
    """Give the files of a run's alignment, and what they say; nothing where there is none."""
    names = " ".join(f.name.lower() for f in run.files)
    if run.aln is not None:
        kind = "LOCAL" if run.aln.patches else "GLOBAL"
        return tuple(f.path for f in run.of("aln")), {
            "format": sure("ARETOMO3", "its .aln file"),
            "alignment_type": sure(kind, f"NumPatches = {run.aln.patches}" if run.aln.patches else "no patches"),
            "method_type": sure("projection_matching", "so AreTomo aligns"),
        }
    if run.warp is not None and run.warp.offsets.any():
        kind = "LOCAL" if run.warp.is_local else "GLOBAL"
        return tuple(f.path for f in run.of("warp")), {
            "format": sure("WARP", "its .xml file"),
            "alignment_type": sure(
                kind, "its grids of movements" if run.warp.is_local else "no part of an image moves by itself"
            ),
            "method_type": unsure("undefined", "the file does not say how the alignment began"),
        }
    if run.transforms is None:
        return (), {}
    local = "local.xf" in names
    method = unsure("undefined", "neither fiducials nor patches are there")
    if "_pt.fid" in names or "xcorr_pt.com" in names:
        method = likely("patch_tracking", "etomo's files of tracked patches")
    elif ".fid" in names:
        method = likely("fiducial_based", "there is a model of fiducials (.fid)")
    return tuple(_imod(run)), {
        "format": sure("IMOD", "its .xf file"),
        "alignment_type": likely("LOCAL" if local else "GLOBAL", "local.xf is there" if local else "no local.xf"),
        "method_type": method,
    }


def _imod(run: Found) -> Iterator[str]:
    for part in ("xf", "tlt", "xtilt", "com"):
        yield from (f.path for f in run.of(part))
