"""What sound files of every format hold, small."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tomotheca.formats import mrc, omezarr

MDOC = """PixelSpacing = 2.5
Voltage = 300
ImageFile = a.mrc

[T = SerialEM: Acquired on Krios]
[T =     Tilt axis angle = 84.7, binning = 1  spot = 8  camera = 0]

[ZValue = 0]
TiltAngle = -3.01
ExposureDose = 2.9
ExposureTime = 0.5
NumSubFrames = 8
RotationAngle = 174.7
SubFramePath = D:\\x\\a_000.tif
DateTime = 04-May-24  13:29:32

[ZValue = 1]
TiltAngle = 0.0
SubFramePath = D:\\x\\a_001.tif
"""

ALN = """# AreTomo Alignment / Priims bprmMn
# RawSize = 100 90 3
# NumPatches = 1
# DarkFrame =     2    2   60.00
# AlphaOffset = 1.5
# BetaOffset = 0.5
# Thickness = 300
# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT
 0 30.0 1.0 0.5 -2.0 1.0 1.0 1.0 0.0 -3.00
 1 30.0 1.0 1.5 -2.0 1.0 1.0 1.0 0.0 0.00
# Local Alignment
 0 0 1.0 2.0 0.1 0.2 1.0
 1 0 1.0 2.0 0.1 0.2 1.0
"""

TILT_COM = """# tilt
$tilt -StandardInput
OFFSET 1.5
XAXISTILT -2.25
EXCLUDELIST2 1-3,7
XTILTFILE a.xtilt
"""
CTFFIND = "# Columns: #1 - micrograph number\n" + "".join(f"{i} 20000.5 19000.0 10.0 0.0 0.1 8.5\n" for i in (1, 2, 3))
CTFFIND_5 = CTFFIND.replace("8.5\n", "8.5 84.0 0.0 200.0\n")
GCTF = "".join(f"{i} 20000.5 19000.0 10.0 0.2 8.5\n" for i in (1, 2, 3))
DEFOCUS = "13 0 0 0 0 3\n1 1 -3.0 -3.0 2000.5 1900.5 0.5 0.1\n2 3 0.0 3.0 2100.5 1950.5 0.5 0.1\n"
PLAIN_DEFOCUS = "1 1 -3.0 -3.0 2000.5 2\n2 2 0.0 0.0 2000.5\n"
STAR = """# version 30001

data_optics
_rlnOpticsGroup 1
_rlnName 'a b'

data_particles

loop_
_rlnCoordinateX #1
_rlnMicrographName #2
1.5 "a b"
2.5
;text
more
;

data_
"""
ROWS = {
    "point": '{"type":"point","location":{"x":1.5,"y":2,"z":3}}\n{"type":"point","location":{"x":2,"y":2,"z":3}}\n',
    "oriented": '{"type":"orientedPoint","location":{"x":1.5,"y":2,"z":3},"xyz_rotation_matrix":[[1,0,0],[0,1,0],[0,0,1.0]]}\n',
    "instance": '{"type":"instancePoint","location":{"x":1.5,"y":2,"z":3},"instance_id":7}\n',
}
RUN = {"id": 1, "name": "TS_1", "dataset_id": 1, "s3_prefix": "s3://a/b/", "https_prefix": "https://a/b/"}
ENTRY = {"key": "10001/TS_1/a.txt", "size": 3, "sha256": "ab" * 32, "media_type": "text/plain", "role": "frame"}


def tiff(*, order: str = "<", big: bool = False, pages: int = 2) -> bytes:
    """Directories of a TIFF or BigTIFF with nothing but the sizes of its images."""
    mark = b"II" if order == "<" else b"MM"
    offset, count = ("Q", "Q") if big else ("I", "H")
    data = mark + (struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if big else struct.pack(f"{order}HI", 42, 8))
    for page in range(pages):
        tags = b"".join(
            struct.pack(f"{order}HH{offset}{offset}", tag, 4 if not big else 16, 1, n)
            for tag, n in ((256, 9), (257, 6))
        )
        body = struct.pack(f"{order}{count}", 2) + tags
        end = len(data) + len(body) + struct.calcsize(f"<{offset}")
        data += body + struct.pack(f"{order}{offset}", end if page + 1 < pages else 0)
    return data.ljust(16, b"\0")


def volume(folder: Path, dtype: str = "f4", *, extended: bytes = b"") -> bytes:
    """A small MRC file."""
    data = np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(dtype)
    mrc.write(folder / "sound.mrc", data, voxel_size=10.0)
    raw = bytearray((folder / "sound.mrc").read_bytes())
    raw[92:96] = struct.pack("<i", len(extended))
    return bytes(raw[:1024]) + extended + bytes(raw[1024:])


def image(folder: Path, form: omezarr.Form = omezarr.DEFAULT) -> Mapping[str, bytes]:
    """The files of a small OME-Zarr image; first the one that describes it."""
    path = folder / f"{len(list(folder.iterdir()))}.zarr"
    omezarr.write(path, np.arange(4 * 5 * 40).reshape(4, 5, 40).astype("f4"), spacing=(10.0,) * 3, form=form)
    found = sorted(p for p in path.rglob("*") if p.is_file())
    files = {p.relative_to(path).as_posix(): p.read_bytes() for p in found}
    return dict(sorted(files.items(), key=lambda item: (not item[0].startswith((".", "zarr.json")), item[0])))
