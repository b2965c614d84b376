"""Rules about the headers of MRC files; source: https://www.ccpem.ac.uk/mrc-format/mrc2014/."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tomotheca.doctor import values
from tomotheca.doctor.core import Rule, Said
from tomotheca.doctor.look import Broken, Mrc
from tomotheca.formats.mrc.header import DTYPES, IMOD_SIGNED

if TYPE_CHECKING:
    from tomotheca.doctor.headers import Words

STAMPS = {"<": {b"\x44\x44\0\0", b"\x44\x41\0\0"}, ">": {b"\x11\x11\0\0"}}
EXTENDED = {"CCP4", "MRCO", "SERI", "AGAR", "FEI1", "FEI2", "HDF5"}
VERSIONS = {20140, 20141}
CLOSE = 0.001
"""Å, absolute, by which a voxel size may differ; a part in a thousand where it is large."""

RIGHT = 0.001
SLACK = 1 << 20
"""Bytes by which the public portal lets a file differ from its header."""


CZ_MASK_MODE, CZ_MODE = 0, 2

WRITTEN = "run the ingest of its run again with --force: the file is written anew"
COPIED = "copy the file again from its source, then run the ingest of its run with --force"


def told(examine: Callable[[Mrc, Words], Iterator[Said]]) -> Callable[[Mrc], Iterator[Said]]:
    """Apply a rule about words to those headers that can be read."""

    def rule(mrc: Mrc) -> Iterator[Said]:
        if not isinstance(mrc.words, Broken):
            yield from examine(mrc, mrc.words)

    rule.__doc__ = examine.__doc__
    return rule


def readable(mrc: Mrc) -> Iterator[Said]:
    """The file is there and has the header of an MRC file."""
    if isinstance(mrc.words, Broken):
        yield f"the file {mrc.words.reason}"


def space_group(mrc: Mrc, words: Words) -> Iterator[Said]:
    """The space group is 0 for a stack of projections, 1 for a volume."""
    wanted, kind = (0, "a tilt series") if mrc.expected.stack else (1, "a volume")
    if words.space_group != wanted:
        yield f"the space group is {words.space_group}, that of {kind} is {wanted}"


def map_id(_: Mrc, words: Words) -> Iterator[Said]:
    """The identifier `MAP ` stands in the header."""
    if words.map_id != b"MAP ":
        yield f"the identifier is {words.map_id!r}, not 'MAP '"


def machine_stamp(_: Mrc, words: Words) -> Iterator[Said]:
    """The machine stamp names the byte order in which the numbers are stored."""
    if words.stamp not in STAMPS[words.order]:
        kind = "little" if words.order == "<" else "big"
        yield f"the machine stamp is {words.stamp.hex(' ')}, the numbers are {kind}-endian"


def mode(_: Mrc, words: Words) -> Iterator[Said]:
    """The mode is one that is read: int8, int16, uint16, float16 or float32."""
    if words.mode not in DTYPES:
        yield f"the mode is {words.mode}; modes {values.some(sorted(DTYPES), 9)} are read"


def byte_sign(_: Mrc, words: Words) -> Iterator[Said]:
    """Eight-bit numbers are signed, and IMOD's stamp and flags say so."""
    if words.mode == 0 and not (words.imod_flags or 0) & IMOD_SIGNED:
        yield "nothing says whether the 8-bit numbers are signed"


def not_negative(_: Mrc, words: Words) -> Iterator[Said]:
    """Sizes, sampling, space group and number of labels are not negative."""
    named = {"mx": words.sampling[0], "my": words.sampling[1], "mz": words.sampling[2]}
    named |= {"ispg": words.space_group, "nlabl": words.labels, "nsymbt": words.nsymbt}
    if low := [f"{name} = {value}" for name, value in named.items() if value < 0]:
        yield f"negative: {', '.join(low)}"


def sampling(mrc: Mrc, words: Words) -> Iterator[Said]:
    """The sampling is the size of the file (mz is 1 for a stack)."""
    z, y, x = words.shape
    wanted = (x, y, 1 if mrc.expected.stack else z)
    if words.sampling != wanted:
        yield f"mx, my, mz are {_triple(words.sampling)}, they should be {_triple(wanted)}"


def cell(_: Mrc, words: Words) -> Iterator[Said]:
    """The cell is finite and larger than 0 along all axes."""
    if not all(math.isfinite(edge) and edge > 0 for edge in words.cell):
        yield f"the cell is {_triple(words.cell)} Å"


def angles(_: Mrc, words: Words) -> Iterator[Said]:
    """The angles of the cell are 90°."""
    if any(not abs(angle - 90) <= RIGHT for angle in words.angles):
        yield f"the angles of the cell are {_triple(words.angles)}°"


def voxel_size(mrc: Mrc, words: Words) -> Iterator[Said]:
    """The voxel size is that of the document or folder, to 0.001 Å."""
    found = words.spacing
    if mrc.expected.spacing is None or found is None:
        return
    axes = found[:2] if mrc.expected.stack else found
    if any(not abs(size - mrc.expected.spacing) <= max(CLOSE, CLOSE * mrc.expected.spacing) for size in axes):
        yield f"the header says {_triple(axes)} Å, the document {mrc.expected.spacing:g} Å"


def axes(_: Mrc, words: Words) -> Iterator[Said]:
    """Columns, rows and sections run along x, y and z."""
    if words.axes != (1, 2, 3):
        yield f"mapc, mapr, maps are {_triple(words.axes)}, they should be 1, 2, 3"


def origin(_: Mrc, words: Words) -> Iterator[Said]:
    """The origin is 0, as points and pyramids have it."""
    if any(words.origin):
        yield f"the origin is {_triple(words.origin)}"


def start(_: Mrc, words: Words) -> Iterator[Said]:
    """The first column, row and section are number 0."""
    if any(words.start):
        yield f"nxstart, nystart, nzstart are {_triple(words.start)}"


def labels(_: Mrc, words: Words) -> Iterator[Said]:
    """The number of labels is that of the labels that are not blank."""
    given = sum(bool(text) for text in words.texts)
    if words.labels != given:
        yield f"nlabl is {words.labels}, {given} labels are not blank"


def version(_: Mrc, words: Words) -> Iterator[Said]:
    """The version is that of MRC2014: 20140 or 20141."""
    if words.version not in VERSIONS:
        yield f"the version is {words.version}"


def size(mrc: Mrc, words: Words) -> Iterator[Said]:
    """The file is not shorter than its header says."""
    if words.size is not None and mrc.size < words.size:
        yield f"the file is truncated: {words.size - mrc.size} of {words.size} bytes are missing"


def trailing(mrc: Mrc, words: Words) -> Iterator[Said]:
    """Nothing follows the last voxel."""
    if words.size is not None and mrc.size > words.size:
        yield f"{mrc.size - words.size} bytes follow the last voxel"


def shape(mrc: Mrc, words: Words) -> Iterator[Said]:
    """The size is that of the document."""
    if mrc.expected.shape is not None and words.shape != mrc.expected.shape:
        yield f"the file has {values.times(words.shape)} voxels, the document says {values.times(mrc.expected.shape)}"


def cz_mode(mrc: Mrc, words: Words) -> Iterator[Said]:
    """Tilt series and tomograms are float32, masks int8, instance masks uint16."""
    wanted = {CZ_MASK_MODE, 6} if mrc.expected.label else {CZ_MODE}
    if words.mode not in wanted:
        yield f"the mode is {words.mode}, the public portal has {values.some(sorted(wanted))}"


def cz_extended(_: Mrc, words: Words) -> Iterator[Said]:
    """The type of an extended header is one that the standard names."""
    if words.nsymbt > 0 and words.exttyp not in EXTENDED:
        yield f"an extended header of {words.nsymbt} bytes has the type {words.exttyp!r}"


def cz_size(mrc: Mrc, words: Words) -> Iterator[Said]:
    """The size of the file is within 1 MiB of what its header says."""
    if words.size is not None and abs(mrc.size - words.size) > SLACK:
        yield f"the file has {mrc.size} bytes, its header speaks of {words.size}"


def cz_labels(_: Mrc, words: Words) -> Iterator[Said]:
    """There is at least one label."""
    if words.labels < 1:
        yield "there is no label"


def _triple(items: tuple[float, ...]) -> str:
    return ", ".join(f"{item:g}" for item in items)


RULES: tuple[Rule, ...] = (
    Rule("mrc.readable", "error", Mrc, readable, COPIED),
    Rule("mrc.space_group", "error", Mrc, told(space_group), WRITTEN, written=True),
    Rule("mrc.map_id", "error", Mrc, told(map_id), WRITTEN, written=True),
    Rule("mrc.machine_stamp", "error", Mrc, told(machine_stamp), WRITTEN, written=True),
    Rule("mrc.mode", "error", Mrc, told(mode), "convert the source to one of these and ingest it again"),
    Rule("mrc.byte_sign", "warning", Mrc, told(byte_sign), WRITTEN, written=True),
    Rule("mrc.not_negative", "error", Mrc, told(not_negative), WRITTEN),
    Rule("mrc.sampling", "error", Mrc, told(sampling), WRITTEN, written=True),
    Rule("mrc.cell", "error", Mrc, told(cell), WRITTEN, written=True),
    Rule("mrc.angles", "warning", Mrc, told(angles), WRITTEN, written=True),
    Rule("mrc.voxel_size", "warning", Mrc, told(voxel_size), "correct the voxel size of the configuration, or of the source"),
    Rule("mrc.axes", "error", Mrc, told(axes), WRITTEN, written=True),
    Rule("mrc.origin", "warning", Mrc, told(origin), WRITTEN, written=True),
    Rule("mrc.start", "warning", Mrc, told(start), WRITTEN, written=True),
    Rule("mrc.labels", "warning", Mrc, told(labels), WRITTEN, written=True),
    Rule("mrc.version", "warning", Mrc, told(version), WRITTEN, written=True),
    Rule("mrc.size", "error", Mrc, told(size), COPIED),
    Rule("mrc.trailing", "warning", Mrc, told(trailing), WRITTEN, written=True),
    Rule("mrc.shape", "error", Mrc, told(shape), WRITTEN),
    Rule("cz.mrc.mode", "warning", Mrc, told(cz_mode), "convert the source and ingest it again", "cz"),
    Rule("cz.mrc.extended_header", "warning", Mrc, told(cz_extended), "name the type, or leave the extended header out, in the source", "cz"),
    Rule("cz.mrc.size", "error", Mrc, told(cz_size), COPIED, "cz"),
    Rule("cz.mrc.labels", "warning", Mrc, told(cz_labels), WRITTEN, "cz"),
)  # fmt: skip
