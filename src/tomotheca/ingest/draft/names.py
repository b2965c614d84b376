"""What the names of files say: one table of endings, one of words inside names, read top to bottom.

Sources: the file names of etomo (https://bio3d.colorado.edu/imod/doc/etomoTutorial.html) and of AreTomo2 and AreTomo3
(https://github.com/czimaginginstitute/AreTomo3), of WarpTools (https://warpem.github.io/warp), and SerialEM's
(https://bio3d.colorado.edu/SerialEM).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Role = Literal[
    "mdoc", "rawtilt", "tlt", "xf", "xtilt", "aln", "com", "warp", "tomostar", "ctf", "ctf_imod", "gain", "movie", "points", "volume", "export",
    "helper", "picture", "other",
]  # fmt: skip
"""What a file is for; a volume may turn out to be a tilt series, a tomogram, a mask or a movie."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A form of file names and what it means."""

    role: Role
    form: re.Pattern[str]
    """Must fit the whole name; its group ``stem`` is the name of the run, where it has one."""

    reason: str
    """Why such a file is what it is; for those that are left out, why."""


def _rule(role: Role, form: str, reason: str) -> Rule:
    return Rule(role, re.compile(form, re.IGNORECASE | re.DOTALL), reason)


RULES: tuple[Rule, ...] = (
    _rule("mdoc", r"(?P<stem>.+?)(\.(mrc|mrcs|st|tif|tiff|eer))?\.mdoc", "SerialEM's record of the acquisition"),
    _rule("helper", r".+_(local|nonfid|nogaps|fid|auto|rotation)\.xf|.+_fid\.(tlt|xtilt)", "an intermediate transform of etomo"),
    _rule("aln", r"(?P<stem>.+)\.aln", "alignment of AreTomo"),
    _rule("xf", r"(?P<stem>.+?)(_st)?\.xf", "transforms of IMOD"),
    _rule("rawtilt", r"(?P<stem>.+?)(_st)?\.rawtlt", "angles of the stage"),
    _rule("tlt", r"(?P<stem>.+?)(_st)?\.tlt", "refined angles"),
    _rule("xtilt", r"(?P<stem>.+?)(_st)?\.(xtilt|tltx)", "rotations about x"),
    _rule("com", r"(?:(?P<stem>.+)_)?(tilt|newst)\.com", "command file of IMOD"),
    _rule("tomostar", r"(?P<stem>.+)\.tomostar", "list of tilts of WarpTools"),
    _rule("warp", r"(?P<stem>.+)\.xml", "alignment and CTF of Warp"),
    _rule("helper", r".+_ctf_imod\.txt", "AreTomo's copy of the CTF for IMOD"),
    _rule("ctf", r"(?P<stem>.+?)(_(ctf|ctffind\d?|diagnostic))+\.txt", "CTF of AreTomo or CTFFIND"),
    _rule("ctf_imod", r"(?P<stem>.+)\.defocus", "CTF of IMOD"),
    _rule("helper", r".+_avrot\.txt", "curves of CTFFIND"),
    _rule("gain", r"(.*[_\-. ])?(gain|gainref\w*|superref|countref|gref)(?![a-z]).*\.(dm4|mrc|tif|tiff|gain|raw)|.+\.(gain|dm4)", "gain reference, by its name"),
    _rule("movie", r"(?P<stem>.+)\.(eer|mrc\.bz2)", "movie"),
    _rule("movie", r"(?P<stem>.+)\.tiff?", "movie or picture"),
    _rule("points", r"(?P<stem>.+)\.(star|tbl|csv|tsv|coords)", "table of points"),
    _rule("helper", r".*(rotation|tomopitch|flatten|peak|sirtsetup|midas|patch|_fid|_pt|_seed)\w*\.mod", "an intermediate model of etomo"),
    _rule("points", r"(?P<stem>.+)\.mod", "model of IMOD"),
    _rule("volume", r"(?P<stem>.+)\.(mrc|st|rec|map|ali|mrcs|preali)", "MRC"),
    _rule("picture", r".+\.(png|jpe?g|gif)", "a picture: name it in key_images if it shall stand for a tomogram"),
    _rule("helper", r".+\.(edf|com|log|fid|xyz|resid|prexf|prexg|xg|tltxf|maggrad|ecd|seed|ptrk|matchxf|order|info|adoc|out)~?|.+_(rest|topangles|TLT)\.txt",
          "a working file of IMOD or AreTomo"),
    _rule("helper", r".+\.(settings|source|population)", "a working file of Warp or M"),
    _rule("helper", r"(MdocDone\.txt|.*Session\.json|TiltSeries_(Metrics|TimeStamp)\.csv)", "a record of AreTomo's own"),
    _rule("other", r".*", "no file of a known kind"),
)  # fmt: skip
"""The first that fits decides."""

NEVER_POINTS = re.compile(r"TiltSeries_(Metrics|TimeStamp)\.csv", re.IGNORECASE)

Tag = Literal[
    "tomogram",
    "stack",
    "aligned",
    "even",
    "odd",
    "ctf",
    "denoised",
    "filtered",
    "sirt",
    "sart",
    "wbp",
    "mask",
    "binned",
    "other",
    "spectra",
]


def _word(form: str, *tags: Tag) -> tuple[re.Pattern[str], tuple[Tag, ...]]:
    return re.compile(form, re.IGNORECASE), tags


WORDS: tuple[tuple[re.Pattern[str], tuple[Tag, ...]], ...] = (
    _word(r"rec|vol|full|tomo|tomogram|2nd", "tomogram"),
    _word(r"ali|aligned|preali|aln", "aligned"),
    _word(r"st|raw|stack|newstack", "stack"),
    _word(r"evn|even|half1", "even"),
    _word(r"odd|half2", "odd"),
    _word(r"3?d?ctf|ctfcorr|ctfcorrected|dctf", "ctf"),
    _word(r"denoised?|denoise|den|cryocare|n2n|noise2noise|topaz|ddw|deepdewedge|dn", "denoised", "tomogram"),
    _word(r"isonet|filtered|filt|nad|deconv|lowpass|lp\d*|gauss\w*|bpf?", "filtered", "tomogram"),
    _word(r"sirt\d*", "sirt", "tomogram"),
    _word(r"sart\d*", "sart", "tomogram"),
    _word(r"wbp|fbp", "wbp", "tomogram"),
    _word(r"mask|masks|seg|segmentation|label|labels|membrane|membranes|memseg|tardis|membrain", "mask"),
    _word(r"bin\d+|b\d+|\d+(\.\d+)?(apx|a|px)", "binned"),
    _word(r"flip|rotx|rot|trim|yz|xyz|corrected|corr", "other"),
)
"""Words of names, as they stand between ``_``, ``-`` and blanks: they say what a volume is and are no part of the run's name."""

OF_FRAMES = frozenset({"average", "powerspectrum"})
"""Folders in which Warp keeps what it made of movies, under their names."""

BY_FOLDER: dict[str, tuple[Tag, ...]] = {"even": ("even",), "odd": ("odd",), "deconv": ("filtered", "tomogram")}
"""Folders in which Warp keeps other versions of its tomograms, under the same names."""

BREAK = re.compile(r"[_\- ]+")
BY_ENDING: dict[str, tuple[Tag, ...]] = {
    ".rec": ("tomogram",), ".st": ("stack",), ".mrcs": ("stack",), ".ali": ("aligned",), ".preali": ("aligned",), ".map": ("tomogram",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """What the name of a file says."""

    role: Role
    reason: str
    stem: str = ""
    """What may be the name of the run; empty where the name has none."""

    tags: tuple[Tag, ...] = ()
    long: str = ""
    """The same with the words at its beginning: ``rec_TS_01``."""


def say(path: str) -> Said:
    """Say what a file is by its name and folders."""
    name = path.rpartition("/")[2]
    if any(part.lower().endswith("_imod") for part in path.split("/")[:-1]):
        return Said("export", "AreTomo's copy of its alignment for IMOD: the .aln file is taken")
    folders = path.lower().split("/")[:-1]
    if OF_FRAMES & {*folders}:
        return Said("helper", "what Warp made of a movie")
    if name.lower().endswith(".zarr"):
        stem, long, tags = words(name[: -len(".zarr")])
        return Said("volume", "OME-Zarr", stem, tags, long)
    if NEVER_POINTS.fullmatch(name):
        return Said("helper", "a record of AreTomo's own")
    for rule in RULES:
        if (match := rule.form.fullmatch(name)) is None:
            continue
        stem = match.groupdict().get("stem") or ""
        if rule.role != "volume":
            return Said(rule.role, rule.reason, stem, long=stem)
        stem, long, tags = words(stem)
        ending = BY_ENDING.get(name[name.rindex(".") :].lower(), ())
        around = BY_FOLDER.get(folders[-1], ()) if folders else ()
        return Said("volume", rule.reason, stem, tuple(dict.fromkeys([*ending, *tags, *around])), long)
    raise AssertionError  # the last rule fits everything


def words(stem: str) -> tuple[str, str, tuple[Tag, ...]]:
    """Take the words that say what a volume is off a name: ``TS_01_EVN_Vol`` -> ``TS_01``, even and tomogram.

    Words at the beginning count where a name is left: ``rec_TS_01``. A name that consists of them is kept.

    Returns
    -------
    str
        The name without any of them.
    str
        The name with those at its beginning.
    tuple of str
        What the words say, each once.
    """
    found: list[Tag] = []
    while (parts := BREAK.split(stem)) and len(parts) > 1 and (tags := _tags(parts[-1])):
        found += tags
        stem = stem[: len(stem) - len(parts[-1])].rstrip("_- ")
    long = stem
    while (parts := BREAK.split(stem)) and len(parts) > 1 and (tags := _tags(parts[0])) and "binned" not in tags:
        found += tags
        stem = stem[len(parts[0]) :].lstrip("_- ")
    return stem, long, tuple(dict.fromkeys(found))


def _tags(word: str) -> tuple[Tag, ...]:
    return next((tags for form, tags in WORDS if form.fullmatch(word)), ())
