"""One particle, written by hand in every format of points: what readers must give back for all of them is the same.

The formulas are other ones than the readers': angles come from scipy, or from the code of the program that defines them.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation
from tests.formats import soundfiles

from tomotheca.formats.registry import READERS

Floats = npt.NDArray[np.float64]

SPACING = 10.0
SIZE = (16, 12, 8)
"""Voxels of the tomogram, x, y, z."""

CENTRED = ("rlnCenteredCoordinateXAngst", "rlnCenteredCoordinateYAngst", "rlnCenteredCoordinateZAngst")
COORDINATES = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
SUBTOMOGRAM = ("rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi")


def loop(name: str, columns: Mapping[str, Any]) -> str:
    """One row of a STAR file."""
    head = "".join(f"_{column} #{number}\n" for number, column in enumerate(columns, start=1))
    return f"data_{name}\n\nloop_\n{head}{' '.join(map(str, columns.values()))}\n\n"


def relion_angles(matrix: Floats) -> tuple[float, float, float]:
    """Angles of RELION from a matrix, as ``tomoman_angles_sg2relion.m`` finds them."""
    if abs(matrix[2, 2]) > 1 - 1e-7:
        return 0.0, 0.0 if matrix[2, 2] > 0 else 180.0, float(np.degrees(np.arctan2(matrix[0, 1], matrix[1, 1])))
    rot = np.arctan2(matrix[2, 1], matrix[2, 0])
    tilt = np.arccos(np.clip(matrix[2, 2], -1, 1))
    psi = np.arctan2(matrix[1, 2], -matrix[0, 2])
    return float(np.degrees(rot)), float(np.degrees(tilt)), float(np.degrees(psi))


def relion3(place: Floats, matrix: Floats) -> str:
    named = dict(zip((*COORDINATES, *ANGLES), (*np.add(place, [1, -2, 3]), *relion_angles(matrix)), strict=True))
    origins = {"rlnOriginX": 1, "rlnOriginY": -2, "rlnOriginZ": 3}
    return loop("", {"rlnMicrographName": "tomograms/TS_1", **named, **origins})


def relion4(place: Floats, matrix: Floats) -> str:
    named = dict(zip((*COORDINATES, *ANGLES), (*np.add(place, [1, -2, 3]), *relion_angles(matrix)), strict=True))
    origins = {"rlnOriginXAngst": 2, "rlnOriginYAngst": -4, "rlnOriginZAngst": 6}
    optics = loop("optics", {"rlnOpticsGroup": 1, "rlnImagePixelSize": 2})
    return optics + loop("particles", {"rlnTomoName": "TS_1", **named, **origins, "rlnOpticsGroup": 1})


def relion5(place: Floats, matrix: Floats) -> str:
    """A particle that was turned when it was cut out, with an origin: what RELION multiplies is undone here."""
    cut = Rotation.from_euler("xyz", [20, -30, 40], degrees=True).as_matrix()
    centred = (place - np.array(SIZE) / 2) * SPACING + cut @ [3, -4, 5]
    columns: dict[str, Any] = {"rlnTomoName": "TS_1", **dict(zip(CENTRED, centred, strict=True))}
    columns |= dict(zip(SUBTOMOGRAM, relion_angles(cut), strict=True))
    columns |= dict(zip(ANGLES, relion_angles(cut.T @ matrix), strict=True))
    return loop("particles", {**columns, "rlnOriginXAngst": 3, "rlnOriginYAngst": -4, "rlnOriginZAngst": 5})


def tomoman(place: Floats, matrix: Floats) -> str:
    named = dict(zip((*COORDINATES, *ANGLES), (*np.add(place, [0.5, 0, 0]), *relion_angles(matrix)), strict=True))
    return loop("", {"rlnTomoName": "TS_1", **named, "rlnOriginX": 0.5, "rlnOriginY": 0, "rlnOriginZ": 0})


def stopgap(place: Floats, matrix: Floats) -> str:
    phi, the, psi = Rotation.from_matrix(matrix).as_euler("zxz", degrees=True)
    x, y, z = place - [0.25, -0.5, 0]
    shifts = {"x_shift": 0.25, "y_shift": -0.5, "z_shift": 0}
    angles = {"phi": phi, "psi": psi, "the": the}
    row = {"motl_idx": 1, "tomo_num": 1, "halfset": "A", "orig_x": x, "orig_y": y, "orig_z": z, **shifts, **angles}
    return loop("stopgap_motivelist", row)


def dynamo(place: Floats, matrix: Floats) -> str:
    """``dynamo_euler2matrix`` is the rotation about fixed axes that takes the particle to the template."""
    angles = Rotation.from_matrix(matrix.T).as_euler("zxz", degrees=True)
    row = ["0"] * 41
    for first, values in ((4, [0.25, -0.5, 0]), (7, angles), (24, place - [0.25, -0.5, 0])):
        row[first - 1 : first + 2] = [str(float(value)) for value in values]
    row[19], row[30] = "1", "NaN"
    return " ".join(row) + "\n"


def copick(place: Floats, matrix: Floats, *, instance: int = 0) -> str:
    transformation = np.eye(4)
    transformation[:3, :3], transformation[:3, 3] = matrix, [1, 2, -3]
    x, y, z = place * SPACING - [1, 2, -3]
    point = {
        "location": {"x": x, "y": y, "z": z}, "transformation_": transformation.tolist(), "instance_id": instance, "score": 1.0,
    }  # fmt: skip
    head = {"pickable_object_name": "ribosome", "user_id": "me", "session_id": "0", "run_name": "TS_1"}
    return json.dumps({**head, "voxel_spacing": SPACING, "unit": "angstrom", "points": [point]})


def cets(place: Floats, matrix: Floats) -> str:
    """A set that was turned and moved before it came to its tomogram: what its transformation does is undone here."""
    turn, shift = Rotation.from_euler("xyz", [20, -30, 40], degrees=True).as_matrix(), np.array([1.0, 2, -3])
    own = turn.T @ ((place - np.array(SIZE) // 2) * SPACING - shift)
    homogeneous = np.block([[turn, shift[:, None]], [np.eye(4)[3]]])
    way = {"name": "annotation_to_tomogram", "input": "physical", "output": "physical", "affine": homogeneous.tolist()}
    points = {
        "id": "TS_1_rec_ann_1", "annotation_type": "point_matrix_set_3D", "name": "ribosomes", "source_tomogram_id": "TS_1_rec",
        "origin3D": [own.tolist()], "matrix3D": [(turn.T @ matrix).tolist()],
        "coordinate_transformations": [{"transformation_type": "affine", **way}],
    }  # fmt: skip
    tomogram = soundfiles.cets_image(SIZE, SPACING, id="TS_1_rec", tilt_series_id="TS_1")
    return json.dumps(
        {"name": "a dataset", "regions": [{"id": "TS_1", "tomograms": [tomogram], "annotations": [points]}]}
    )


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack(">i", len(body)) + body


def contour(points: Any) -> bytes:
    points = np.array(points, ">f4").reshape(-1, 3)
    return b"CONT" + struct.pack(">iIii", len(points), 0, 0, 0) + points.tobytes()


def slicer(place: Floats, angles: Any) -> bytes:
    return chunk(b"SLAN", struct.pack(">i6f32s", 1, *angles, *place, b"label"))


def model(*parts: bytes, flags: int = 1 << 14) -> bytes:
    """A model of one object."""
    header = struct.pack(">128s4iI", b"", *(*SIZE, 1), flags)
    return b"IMODV1.2" + header.ljust(232, b"\0") + b"OBJT" + bytes(176) + b"".join(parts) + b"IEOF"


def mod(place: Floats, matrix: Floats) -> bytes:
    """Slicer's angles turn the volume by z, y, x; its axes are turned by the inverse."""
    x, y, z = -Rotation.from_matrix(matrix).as_euler("xyz", degrees=True)
    return model(contour(place), slicer(place, (x, y, z)))


ORIENTED: Mapping[str, Any] = {
    "relion3_star": relion3,
    "relion4_star": relion4,
    "relion5_star": relion5,
    "tomoman_relion_star": tomoman,
    "stopgap_star": stopgap,
    "dynamo_tbl": dynamo,
    "copick": copick,
    "cets": cets,
    "mod": mod,
}
"""Formats with rotations, and what writes the particle in them."""

FILTERS = {"stopgap_star": "1", "dynamo_tbl": "1"}
"""Values of filter_value where tomograms have numbers."""

PLACE = np.array([4.5, 7.25, 2.0])
OTHER = np.array([1.0, 2.0, 3.0])
MATRIX: Floats = Rotation.from_euler("xyz", [10, 50, -120], degrees=True).as_matrix()

TABLES = {
    "csv": "4.5,7.25,2\n",
    "csv_with_header": "score;Z;Y;X\n0.5;2;7.25;4.5\n",
    "tsv": "4.5\t7.25\t2\n",
    "tardis": "IDs,X [A],Y [A],Z [A]\n3,45,72.5,20\n3,10,20,30\n5,10,20,30\n",
}
CASES = [(shape, file_format) for shape, readers in READERS.items() for file_format in readers]


def content(shape: str, file_format: str) -> str | bytes:
    """A file with the particle at ``PLACE``; where tomograms have numbers, with one of another tomogram too."""
    if file_format in TABLES:
        return TABLES[file_format]
    if shape == "InstanceSegmentation":
        return copick(PLACE, MATRIX, instance=3)
    made: str | bytes = ORIENTED[file_format](PLACE, MATRIX)
    if file_format in FILTERS and isinstance(made, str):
        row = ORIENTED[file_format](OTHER, MATRIX).rstrip().split("\n")[-1].split(" ")
        row[1 if file_format == "stopgap_star" else 19] = "17"
        return f"{made.rstrip()}\n{' '.join(row)}\n"
    return made


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
