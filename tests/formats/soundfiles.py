"""What sound files of every format hold, small."""

import json
import struct
from collections.abc import Mapping, Sequence
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


def warp_grid(name: str, values: Sequence[float], **sizes: int) -> str:
    """A grid of Warp with its nodes along z."""
    size = {"Width": 1, "Height": 1, "Depth": len(values), **sizes}
    head = " ".join(f'{key}="{value}"' for key, value in size.items())
    nodes = "".join(f'<Node X="0" Y="0" Z="{z}" Value="{value:g}" />' for z, value in enumerate(values))
    return f"\t<{name} {head}>{nodes}</{name}>\n"


def warp_series(columns: Mapping[str, Sequence[object]], *more: str, **attributes: str) -> str:
    """The XML of a tilt series of Warp."""
    said = "".join(f' {key}="{value}"' for key, value in attributes.items())
    lines = "".join(f"\t<{name}>{chr(10).join(map(str, values))}</{name}>\n" for name, values in columns.items())
    return f'<?xml version="1.0" encoding="utf-8"?>\n<TiltSeries{said}>\n{lines}{"".join(more)}</TiltSeries>\n'


WARP = warp_series(
    {
        "Angles": (3.01, 0, -2.99),
        "Dose": (6, 0, 3),
        "UseTilt": ("True", "True", "False"),
        "AxisAngle": (84.5, 84.5, 84.5),
        "AxisOffsetX": (1.5, 0, 2),
        "AxisOffsetY": (-2.5, 0, 3),
        "MoviePath": ("../a_002.tif", "../a_000.tif", "../a_001.tif"),
    },
    '\t<TiltPS1D ID="0">0|7.5;0.5|2</TiltPS1D>\n',
    '\t<CTF><Param Name="PixelSize" Value="1.5" /></CTF>\n',
    warp_grid("GridCTF", (2.1, 2.2, 2.3)),
    warp_grid("GridCTFDefocusDelta", (0.1, 0.2, -0.1)),
    warp_grid("GridCTFDefocusAngle", (10, 20, 30)),
    warp_grid("GridCTFPhase", (0.5, 0, 0)),
    warp_grid("GridMovementX", (0.25,)),
    warp_grid("GridVolumeWarpX", (4,), Duration=1),
    LevelAngleX="1.5",
    LevelAngleY="-2",
    CTFResolutionEstimate="4.8",
)
TOMOSTAR = """
data_

loop_
_wrpMovieName #1
_wrpAngleTilt #2
_wrpAxisAngle #3
_wrpDose #4
_wrpAverageIntensity #5
_wrpMaskedFraction #6
  ../frames/a_002.tif   3.01  84.500  6  14.586  0.000
  ../frames/a_000.tif   0.00  84.500  0  15.289  0.000
  ../frames/a_001.tif  -2.99  84.500  3  15.914  0.000
"""


def cets_image(size: Sequence[int], spacing: float, **more: object) -> dict[str, object]:
    """An image of CETS, with its systems."""
    steps = [
        {"transformation_type": "translation", "name": "center_array_origin", "translation": [-(n // 2) for n in size]},
        {"transformation_type": "scale", "name": "scale_to_physical", "scale": [spacing] * len(size)},
    ]
    ways = {"transformation_type": "sequence", "name": "array_to_physical", "input": "array", "output": "physical"}
    sizes = dict(zip(("width", "height", "depth"), size, strict=False))
    return {**more, **sizes, "coordinate_transformations": [{**ways, "sequence": steps}]}


def cets_projection(image: str, *steps: Mapping[str, object]) -> dict[str, object]:
    """What aligns an image of CETS."""
    ways = {"name": "tomogram_to_projection", "input": "physical", "output": "physical"}
    return {"tilt_image_id": image, "transformation_type": "projection_alignment", **ways, "sequence": list(steps)}


def cets_region(name: str, **parts: object) -> dict[str, object]:
    """A region of CETS with one tilt series of three images and one tomogram."""
    images = [cets_image((16, 12), 5.0, id=f"{name}_{z}", section=z) for z in range(3)]
    tomogram = cets_image((16, 12, 8), 10.0, id=f"{name}_rec", tilt_series_id=name)
    return {"id": name, "tilt_series": [{"id": name, "images": images}], "tomograms": [tomogram], **parts}


TURNED = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
CETS = json.dumps(
    {
        "name": "a dataset",
        "regions": [
            cets_region(
                "TS_1",
                alignments=[
                    {
                        "tilt_series_id": "TS_1",
                        "projection_alignments": [
                            cets_projection(
                                f"TS_1_{z}",
                                {"transformation_type": "affine", "affine": TURNED},
                                {"transformation_type": "translation", "translation": [1.5, -2.0]},
                            )
                            for z in (0, 2)
                        ],
                    }
                ],
            )
        ],
    }
)
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
