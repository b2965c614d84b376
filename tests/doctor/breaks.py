"""For every rule something that breaks it: functions that spoil a good archive."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image
from tests.doctor.conftest import ALIGNMENT, MASK, ORIENTED, POINTS, RUN, SERIES, SPACING, TOMOGRAM, Archive

DATASET, DEPOSITION = "10900/dataset_metadata.json", "depositions_metadata/10400/deposition_metadata.json"
RUN_DOCUMENT, FRAMES = f"{RUN}run_metadata.json", f"{RUN}Frames/frames_metadata.json"
SERIES_DOCUMENT, TOMOGRAM_DOCUMENT = f"{SERIES}tiltseries_metadata.json", f"{TOMOGRAM}tomogram_metadata.json"
ALIGNMENT_DOCUMENT = f"{ALIGNMENT}alignment_metadata.json"
POINTS_DOCUMENT, MASK_DOCUMENT = f"{POINTS}ribosome-1.0.json", f"{MASK}membrane-1.0.json"
ROWS, ORIENTED_ROWS = f"{POINTS}ribosome-1.0_point.ndjson", f"{ORIENTED}spike-1.0_orientedpoint.ndjson"
MRC, ZARR = f"{TOMOGRAM}TS_1.mrc", f"{TOMOGRAM}TS_1.zarr/"
STACK = f"{SERIES}TS_1.mrc"
MASK_MRC, MASK_ZARR = f"{MASK}membrane-1.0_segmentationmask.mrc", f"{MASK}membrane-1.0_segmentationmask.zarr/"
MDOC, RAWTLT = f"{RUN}Frames/TS_1.mdoc", f"{SERIES}TS_1.rawtlt"
PHOTO = f"{SPACING}Images/100/key-photo-snapshot.png"

Break = Callable[[Archive], Any]


def put(key: str, *path: str | int, to: Any) -> Break:
    """Set a value of a document."""

    def change(document: Any) -> None:
        for name in path[:-1]:
            document = document[name]
        document[path[-1]] = to

    return lambda archive: archive.edit(key, change)


def drop(key: str, *path: str | int) -> Break:
    """Take a value out of a document."""

    def change(document: Any) -> None:
        for name in path[:-1]:
            document = document[name]
        del document[path[-1]]

    return lambda archive: archive.edit(key, change)


def words(offset: int, form: str, *given: Any, key: str = MRC) -> Break:
    """Overwrite words of a header."""
    return lambda archive: archive.patch(key, offset, struct.pack("<" + form, *given))


def array(path: str, name: str, to: Any) -> Break:
    """Set a value of an array's metadata."""
    return put(f"{ZARR}{path}/.zarray", name, to=to)


def multiscale(*path: str | int, to: Any) -> Break:
    """Set a value of an image's metadata."""
    return put(f"{ZARR}.zattrs", "multiscales", 0, *path, to=to)


def tiff(width: int, height: int) -> bytes:
    """Make a small picture."""
    out = io.BytesIO()
    Image.fromarray(np.zeros((height, width), np.uint8)).save(out, "TIFF")
    return out.getvalue()


def header(z: int, y: int, x: int, spacing: float) -> bytes:
    """Make an MRC file of zeros."""
    raw = bytearray(1024)
    struct.pack_into("<10i3f", raw, 0, x, y, z, 0, 0, 0, 0, x, y, z, x * spacing, y * spacing, z * spacing)
    raw[208:216] = b"MAP DD\0\0"
    return bytes(raw) + bytes(x * y * z)


def every_series(change: Callable[[Any], Any]) -> Break:
    """Change the tilt series of all runs."""

    def spoil(archive: Archive) -> None:
        for name in ("TS_1", "TS_2", "TS_3"):
            archive.edit(f"10900/{name}/TiltSeries/100/tiltseries_metadata.json", change)

    return spoil


def movie(name: str, data: bytes) -> Break:
    """Add a movie."""
    return lambda archive: archive.add(RUN, f"{RUN}Frames/{name}", data, "frame")


def gain(name: str, data: bytes) -> Break:
    """Add a gain reference."""
    return lambda archive: archive.add(RUN, f"{RUN}Gains/{name}", data, "gain")


def both(*breaks: Break) -> Break:
    """Do several things."""
    return lambda archive: [spoil(archive) for spoil in breaks]


def no_gain(archive: Archive) -> None:
    archive.entries(RUN, lambda found: [found.remove(e) for e in list(found) if "/Gains/" in e["key"]])


def no_authors(key: str) -> Break:
    return put(key, "authors", to=[])


def many_sections(archive: Archive) -> None:
    archive.text(MDOC, lambda text: text + "".join(f"[ZValue = {z}]\nTiltAngle = {z}.37\n" for z in range(10, 19)))


def second_series(archive: Archive) -> None:
    archive.write(f"{RUN}TiltSeries/101/tiltseries_metadata.json", archive.path(SERIES_DOCUMENT).read_bytes())


def copied_run(archive: Archive) -> None:
    """Give a run the number of another."""
    archive.edit(RUN_DOCUMENT, lambda d: d.update(id=archive_id(archive, "10900/TS_2/run_metadata.json")))


def archive_id(archive: Archive, key: str) -> int:
    import json

    return int(json.loads((archive.root / key).read_text())["id"])


def empty_run(archive: Archive) -> None:
    archive.write("10900/TS_9/run_metadata.json", b'{"run_name": "TS_9"}')


def instance_labels(archive: Archive) -> None:
    archive.edit(
        f"{MASK_ZARR}.zattrs", lambda d: d["image-label"].update(colors=[{"label-value": 3}, {"label-value": 3}])
    )
    archive.edit(MASK_DOCUMENT, lambda d: [f.update(shape="InstanceSegmentationMask") for f in d["files"]])


def turned(angle: list[list[float]]) -> Break:
    """Turn every image of the alignment, with an mdoc file that knows the tilt axis."""

    def spoil(archive: Archive) -> None:
        archive.text(MDOC, lambda text: "[T = Tilt axis angle = 5.0]\n" + text)
        archive.edit(
            ALIGNMENT_DOCUMENT,
            lambda d: [s.update(in_plane_rotation=angle) for s in d["per_section_alignment_parameters"]],
        )

    return spoil


MATRIX = b'"xyz_rotation_matrix":[[2,0,0],[0,1,0],[0,0,1]]'
ONE_ORIENTED = b'{"type":"orientedPoint","location":{"x":4,"y":5,"z":6},' + MATRIX + b"}\n"

BREAKS: Mapping[str, Break] = {
    "document.readable": lambda a: a.write(SERIES_DOCUMENT, b"{"),
    "document.fields": drop(SERIES_DOCUMENT, "camera"),
    "document.bounds": put(SERIES_DOCUMENT, "acceleration_voltage", to=12),
    "document.names": put(RUN_DOCUMENT, "run_name", to="TS_7"),
    "document.deposition": put(TOMOGRAM_DOCUMENT, "deposition_id", to=77),
    "document.manifest": put(TOMOGRAM_DOCUMENT, "manifest", to="0" * 64),
    "manifest.readable": lambda a: a.write(f"{TOMOGRAM}manifest.ndjson", b'{"key": 3}\n'),
    "manifest.files": lambda a: a.remove(RAWTLT),
    "manifest.keys": lambda a: a.entries(TOMOGRAM, lambda found: found.append({**found[0], "key": f"{RUN}other"})),
    "manifest.hashed": lambda a: a.entries(TOMOGRAM, lambda found: found[0].update(sha256=None)),
    "source.unchanged": lambda a: a.entries(
        TOMOGRAM, lambda found: found[0].update(source=str(a.root / found[0]["key"]), mtime=1)
    ),
    "manifest.unlisted": lambda a: a.write(f"{RUN}notes.txt", b"mine"),
    "manifest.unfinished": lambda a: a.write(f"{RUN}TiltSeries/107/TS_1.mrc", b"half"),
    "identifier.given": drop(TOMOGRAM_DOCUMENT, "id"),
    "identifier.unique": copied_run,
    "identifier.mark": put(TOMOGRAM_DOCUMENT, "id", to=99999),
    "identifier.buried": put(TOMOGRAM_DOCUMENT, "id", to=4321),
    "run.annotation_per_tomogram": put(TOMOGRAM_DOCUMENT, "alignment_metadata_path", to="another"),
    "run.contents": empty_run,
    "cz.run.one_tilt_series": second_series,
    "dataset.title": put(DATASET, "dataset_title", to="A title"),
    "dataset.description": put(DATASET, "dataset_description", to=" "),
    "dataset.authors": no_authors(DATASET),
    "dataset.runs": lambda a: a.write("10901/dataset_metadata.json", b'{"dataset_identifier": 10901}'),
    "dataset.same_conditions": put(SERIES_DOCUMENT, "pixel_spacing", to=2.5),
    "dataset.quality": every_series(lambda d: d.update(tilt_series_quality=4)),
    "deposition.title": put(DEPOSITION, "deposition_title", to=""),
    "deposition.authors": put(DEPOSITION, "authors", 0, "primary_author_status", to=False),
    "frames.extension": movie("notes.docx", b"x"),
    "frames.readable": lambda a: a.write(f"{RUN}Frames/TS_1_0.tif", b"II*\0" + bytes(3)),
    "frames.same_size": lambda a: a.write(f"{RUN}Frames/TS_1_0.tif", tiff(9, 6)),
    "frames.same_spacing": both(movie("a.mrc", header(1, 6, 8, 1.0)), movie("b.mrc", header(1, 6, 8, 2.0))),
    "frames.gain": no_gain,
    "frames.order": put(FRAMES, "frames", 0, "acquisition_order", to=40),
    "frames.dose_order": put(FRAMES, "frames", 0, "accumulated_dose", to=90.0),
    "frames.paths": put(FRAMES, "frames", 0, "path", to=f"{RUN}Frames/gone.tif"),
    "frames.mdoc": lambda a: a.text(MDOC, lambda text: text.replace("TS_1_3.tif", "other.tif")),
    "frames.spare": movie("spare.tif", tiff(8, 6)),
    "frames.sub_frames": lambda a: a.text(MDOC, lambda text: text + "NumSubFrames = 40\n"),
    "gain.extension": gain("gain.docx", b"x"),
    "gain.size": gain("gain.mrc", header(2, 6, 8, 1.0)),
    "mdoc.readable": lambda a: a.write(MDOC, b"nothing"),
    "mdoc.tilt_angle": lambda a: a.text(MDOC, lambda text: text.replace("TiltAngle = -59", "TiltAngle = -159")),
    "mdoc.count": many_sections,
    "mdoc.sub_frame_path": lambda a: a.text(MDOC, lambda text: text.replace("SubFramePath", "Other", 1)),
    "angles.readable": lambda a: a.write(RAWTLT, b"one\n"),
    "angles.range": lambda a: a.text(RAWTLT, lambda text: text.replace("60.0", "160.0")),
    "angles.count": lambda a: a.text(RAWTLT, lambda text: text + "61.0\n"),
    "angles.recorded": lambda a: a.text(RAWTLT, lambda text: text.replace("-30.0", "-31.5")),
    "tiltseries.optics": put(SERIES_DOCUMENT, "total_flux", to=0),
    "tiltseries.scheme": put(SERIES_DOCUMENT, "tilting_scheme", to=""),
    "tiltseries.run_name": put(SERIES_DOCUMENT, "run_name", to="TS_7"),
    "tiltseries.recorded": lambda a: a.write(MDOC, b"[ZValue = 0]\nTiltAngle = 0\n"),
    "tiltseries.tilt_range": put(SERIES_DOCUMENT, "tilt_range", "max", to=40),
    "tiltseries.tilt_step": many_sections,
    "tiltseries.flux": put(SERIES_DOCUMENT, "total_flux", to=120),
    "tiltseries.angles_file": lambda a: a.remove(RAWTLT),
    "tiltseries.section_frames": put(SERIES_DOCUMENT, "per_section_parameter", 0, "frame_acquisition_order", to=30),
    "tiltseries.sections": put(SERIES_DOCUMENT, "per_section_parameter", 0, "z_index", to=30),
    "tiltseries.ctf": put(SERIES_DOCUMENT, "per_section_parameter", 0, "phase_shift", to=-3.0),
    "tiltseries.section_angles": put(SERIES_DOCUMENT, "per_section_parameter", 0, "raw_angle", to=17.0),
    "tiltseries.axis": lambda a: a.text(MDOC, lambda text: "[T = Tilt axis angle = 5.0]\n" + text),
    "tiltseries.binning": movie("c.mrc", header(1, 6, 8, 3.1)),
    "alignment.files": put(ALIGNMENT_DOCUMENT, "files", to=[f"{ALIGNMENT}gone.xf"]),
    "alignment.tilts_readable": lambda a: a.write(f"{ALIGNMENT}TS_1.tlt", b"one\n"),
    "alignment.tilts_range": put(ALIGNMENT_DOCUMENT, "per_section_alignment_parameters", 0, "tilt_angle", to=120.0),
    "alignment.tilts_count": put(ALIGNMENT_DOCUMENT, "per_section_alignment_parameters", 0, "z_index", to=40),
    "alignment.rotation": turned([[0.7071, -0.7071], [0.7071, 0.7071]]),
    "alignment.dimension": put(ALIGNMENT_DOCUMENT, "volume_dimension", to={"x": 0, "y": 1, "z": 1}),
    "alignment.tiltseries": put(ALIGNMENT_DOCUMENT, "tiltseries_path", to="gone"),
    "spacing.name": lambda a: a.write(f"{RUN}Reconstructions/VoxelSpacing7/x", b""),
    "spacing.known": put(RUN_DOCUMENT, "ids", to={}),
    "cz.spacing": lambda a: a.write(f"{RUN}Reconstructions/VoxelSpacing70.500/x", b""),
    "tomogram.authors": no_authors(TOMOGRAM_DOCUMENT),
    "tomogram.spacing": put(TOMOGRAM_DOCUMENT, "voxel_spacing", to=12.0),
    "tomogram.run_name": put(TOMOGRAM_DOCUMENT, "run_name", to="TS_7"),
    "tomogram.alignment": put(TOMOGRAM_DOCUMENT, "alignment_metadata_path", to="gone"),
    "tomogram.size": put(TOMOGRAM_DOCUMENT, "size", "x", to=0),
    "annotation.authors": no_authors(POINTS_DOCUMENT),
    "annotation.alignment": put(POINTS_DOCUMENT, "alignment_metadata_path", to=None),
    "annotation.object": put(POINTS_DOCUMENT, "annotation_object", "id", to=""),
    "annotation.count_given": put(POINTS_DOCUMENT, "object_count", to=-1),
    "annotation.count": put(POINTS_DOCUMENT, "object_count", to=7),
    "annotation.files": put(POINTS_DOCUMENT, "files", 0, "path", to=f"{POINTS}gone.ndjson"),
    "annotation.readable": lambda a: a.write(ROWS, b'{"type":"point","location":{"x":1}}\n'),
    "annotation.inside": lambda a: a.write(ROWS, b'{"type":"point","location":{"x":16,"y":0,"z":0}}\n'),
    "annotation.rotations": lambda a: a.write(ORIENTED_ROWS, ONE_ORIENTED),
    "annotation.mask_size": words(0, "i", 15, key=MASK_MRC),
    "annotation.image_label": instance_labels,
    "picture.readable": lambda a: a.write(PHOTO, b"no picture"),
    "cz.picture.size": lambda a: Image.new("L", (40, 30)).save(a.path(PHOTO)),
    "viewer.layers": both(
        lambda a: a.write(f"{SPACING}state.json", b'{"layers": []}'),
        put(TOMOGRAM_DOCUMENT, "neuroglancer_config_path", to=f"{SPACING}state.json"),
    ),
    "zarr.readable": lambda a: a.remove(f"{ZARR}1/.zarray"),
    "zarr.axes": multiscale("axes", 0, "name", to="t"),
    "zarr.levels": lambda a: a.edit(f"{ZARR}.zattrs", lambda d: d["multiscales"][0]["datasets"].pop()),
    "zarr.halving": array("1", "shape", [5, 6, 8]),
    "zarr.dtype": array("1", "dtype", "<f8"),
    "zarr.chunks": array("1", "dimension_separator", "."),
    "zarr.scale": multiscale("datasets", 1, "coordinateTransformations", 0, "scale", to=[10, 10, 10]),
    "zarr.translation": multiscale("datasets", 1, "coordinateTransformations", 1, "translation", to=[0, 0, 0]),
    "zarr.children": lambda a: a.write(f"{ZARR}backup.txt", b""),
    "zarr.shape": array("0", "shape", [8, 12, 17]),
    "cz.zarr.levels": lambda a: a.edit(f"{ZARR}.zattrs", lambda d: d["multiscales"][0]["datasets"].pop()),
    "cz.zarr.children": lambda a: a.write(f"{ZARR}3/.zarray", b"{}"),
    "cz.zarr.dtype": array("0", "dtype", "<i2"),
    "volume.both_forms": put(TOMOGRAM_DOCUMENT, "mrc_file", to=None),
    "volume.same_shape": array("0", "shape", [8, 12, 17]),
    "volume.same_dtype": array("0", "dtype", "<i2"),
    "volume.names": put(TOMOGRAM_DOCUMENT, "mrc_file", to=f"{TOMOGRAM}other.mrc"),
    "volume.scales": put(TOMOGRAM_DOCUMENT, "scales", 1, "x", to=7),
    "mrc.readable": lambda a: a.write(MRC, b"short"),
    "mrc.space_group": words(88, "i", 1, key=STACK),
    "mrc.map_id": words(208, "4s", b"map "),
    "mrc.machine_stamp": words(212, "4s", b"\x11\x11\0\0"),
    "mrc.mode": words(12, "i", 4),
    "mrc.byte_sign": words(152, "2i", 0, 0, key=MASK_MRC),
    "mrc.not_negative": words(220, "i", -1),
    "mrc.sampling": words(28, "i", 17),
    "mrc.cell": words(40, "f", -1.0),
    "mrc.angles": words(52, "f", 60.0),
    "mrc.voxel_size": words(40, "f", 16 * 11.0),
    "mrc.axes": words(64, "3i", 3, 2, 1),
    "mrc.origin": words(196, "f", 5.0),
    "mrc.start": words(16, "i", -8),
    "mrc.labels": words(220, "i", 4),
    "mrc.version": words(108, "i", 0),
    "mrc.size": lambda a: a.write(MRC, a.path(MRC).read_bytes()[:-10]),
    "mrc.trailing": lambda a: a.write(MRC, a.path(MRC).read_bytes() + b"tail"),
    "mrc.shape": words(0, "i", 15),
    "cz.mrc.mode": words(12, "i", 1),
    "cz.mrc.extended_header": words(92, "i", 8),
    "cz.mrc.size": lambda a: a.write(MRC, a.path(MRC).read_bytes() + bytes(2 << 20)),
    "cz.mrc.labels": words(220, "i", 0),
}
