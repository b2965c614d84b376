"""One dataset with everything that is taken in, each shape of annotation on the one bright voxel; another deposition adds to it.

What is new in the language becomes a line of `ANNOTATIONS`, `FRAMES` or `whole`.
"""

import bz2
import copy
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tests.formats import picks, soundfiles
from tests.ingest import surfaces
from tests.ingest.conftest import AUTHORS, DATES, TOMOGRAM, Lab, annotation

from tomotheca.formats import mrc, omezarr

PLACE = (9, 5, 4)
"""Of the bright voxel and of everything that annotates it; x, y, z."""

RUNS = ("TS_1", "TS_2", "TS_3")
"""Aligned with IMOD, AreTomo and IMOD; CTF by CTFFIND, Gctf and IMOD. All annotations are of the first, one of the others too."""

COUNT_OF_OTHERS = len(RUNS) - 1 + 2
"""Annotations of the other runs, and of the other deposition."""

FIRST, SECOND = 10400, 10401
"""Depositions: of the dataset, and the one that adds."""

DATASET = 10900
SIZE = (8, 12, 16)

ALN = """# AreTomo Alignment / Priims bprmMn
# RawSize = 16 12 5
# NumPatches = 1
# AlphaOffset =     0.00
# BetaOffset =     0.50
# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT
""" + "".join(f"{i + 1} 84.7 1.0 {i}.0 -2.0 1.0 1.0 1.0 0.0 {30 * i - 60}.0\n" for i in range(5))
LOCAL = "# Local Alignment\n   0   0  -5.00   3.00   0.50    0.25   1.0\n"
CTFFIND = "".join(f"{i} 20000.5 19000.0 10.0 0.0 0.1 8.5\n" for i in range(1, 6))
GCTF = "".join(f"{i} 20000.5 19000.0 10.0 0.2 8.5\n" for i in range(1, 6))
DEFOCUS = "1 1 -60.0 -60.0 2000.5 2\n" + "".join(f"{i} {i} 0.0 0.0 {2000 + i}\n" for i in range(2, 6))
OBJECTS = "run_name,object_id,object_name\nTS_1,GO:0005840,ribosome\nTS_2,GO:0005739,mitochondrion\n"


def _bright(value: float, dtype: str, scale: int = 1) -> np.ndarray:
    volume = np.zeros([scale * n for n in SIZE], dtype)
    volume[tuple(slice(scale * i, scale * i + scale) for i in PLACE[::-1])] = value
    return volume


def _mask(dtype: str, value: float = 1, *, scale: int = 1) -> Callable[[Path], None]:
    return lambda path: mrc.write(path, _bright(value, dtype, scale), voxel_size=10.0 / scale) and None


def _zarr(dtype: str, value: float = 1) -> Callable[[Path], None]:
    return lambda path: omezarr.write(path, _bright(value, dtype), spacing=(10.0,) * 3, method="mode") and None


def _text(text: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(text) and None


def _particle(file_format: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        made = picks.ORIENTED[file_format](np.array(PLACE, float), picks.MATRIX)
        path.write_bytes(made if isinstance(made, bytes) else made.encode())

    return write


def _annotations() -> Iterator[tuple[str, str, Callable[[Path], None], dict[str, Any]]]:
    """Shape, format, what writes the file, and what else the source says."""
    x, y, z = PLACE
    yield "Point", "csv", _text(f"{x},{y},{z}\n"), {}
    yield "Point", "csv_with_header", _text(f"score;Z;Y;X\n1;{z};{y};{x}\n"), {"delimiter": ";"}
    yield "Point", "tsv", _text(f"{x}\t{y}\t{z}\n"), {}
    for file_format in picks.ORIENTED:
        more = {"filter_value": picks.FILTERS.get(file_format, "TS_1")} if file_format not in {"copick", "mod"} else {}
        yield "Point", file_format, _particle(file_format), more
        shown = {"mesh_source_path": "{run_name}/particle.obj"} if file_format == "copick" else {}
        yield "OrientedPoint", file_format, _particle(file_format), more | shown
    traced = f"IDs,X [A],Y [A],Z [A]\n1,10,10,0\n2,{10 * x},{10 * y},{10 * z}\n"
    yield "InstanceSegmentation", "tardis", _text(traced), {}
    yield "InstanceSegmentation", "copick", _particle("copick"), {}
    yield "SegmentationMask", "mrc", _mask("i1"), {}
    yield "SemanticSegmentationMask", "mrc", _mask("f4", 0.75), {"threshold": 0.5}
    yield "SemanticSegmentationMask", "zarr", _zarr("u1", 3), {"mask_label": 3}
    yield "SemanticSegmentationMask", "mrc", _mask("i2", scale=2), {"rescale": True}
    yield "InstanceSegmentationMask", "mrc", _mask("u2", 300), {}
    yield "InstanceSegmentationMask", "zarr", _zarr("u2", 301), {}
    for file_format, write in (
        ("obj", surfaces.obj),
        ("stl", surfaces.stl),
        ("vtk", surfaces.vtk),
        ("glb", surfaces.glb),
    ):
        yield "TriangularMesh", file_format, write, {"scale_factor": 10.0}
    if importlib.util.find_spec("h5py"):
        yield "TriangularMeshGroup", "hff", surfaces.hff, {"name": "membrane", "scale_factor": 10.0}


ANNOTATIONS = tuple(_annotations())


def _tiff(path: Path) -> None:
    images = [Image.fromarray(np.full((6, 9), i, np.uint16)) for i in range(3)]
    images[0].save(path, format="TIFF", save_all=True, append_images=images[1:])


def _movie(path: Path) -> None:
    mrc.write(path, np.zeros((3, 6, 9), np.int16), voxel_size=2.5, stack=True)


def _packed(path: Path) -> None:
    _movie(path.with_name("unpacked"))
    path.write_bytes(bz2.compress(path.with_name("unpacked").read_bytes()))
    path.with_name("unpacked").unlink()


def _eer(path: Path) -> None:
    path.write_bytes(soundfiles.tiff(big=True, pages=3))


FRAMES: tuple[tuple[str, Callable[[Path], None]], ...] = (
    ("TS_1_0.tif", _tiff), ("TS_1_1.eer", _eer), ("TS_1_2.mrc", _movie), ("TS_1_3.mrc.bz2", _packed), ("TS_1_4.tiff", _tiff),
)  # fmt: skip
"""Of the first run, one for each section."""


def _glob(pattern: str, **more: Any) -> dict[str, Any]:
    return {"source_glob": {"list_glob": pattern}, **more}


def _only(run: str) -> dict[str, Any]:
    return {"parent_filters": {"include": {"run": [f"^{run}$"]}}}


def whole(folder: Path) -> Lab:
    """Make the lab; its configuration is that of the first deposition."""
    lab = Lab(folder)
    lab.root.mkdir(parents=True)
    lab.add(*RUNS)
    _files(lab.root)
    config = lab.config
    config["frames"][0]["sources"] = [_glob("{run_name}/frames/TS_*")]
    config["gains"] = [{"sources": [_glob("{run_name}/frames/*gain*")]}]
    imod = config["alignments"][0]
    imod["sources"][0] |= {"parent_filters": {"include": {"run": ["^TS_[13]$"]}}}
    aretomo = {"format": "ARETOMO3", "method_type": "projection_matching"}
    config["alignments"] = [imod, {"metadata": aretomo, "sources": [_glob("{run_name}/*.aln", **_only("TS_2"))]}]
    forms = {"TS_1": "CTFFIND", "TS_2": "Gctf", "TS_3": "IMOD"}
    config["ctfs"] = [
        {"metadata": {"format": form}, "sources": [_glob("{run_name}/*.ctf", **_only(run))]}
        for run, form in forms.items()
    ]
    denoised = {
        **TOMOGRAM,
        "processing": "denoised",
        "processing_software": "cryoCARE",
        "is_visualization_default": False,
    }
    config["tomograms"] += [{"metadata": denoised, "sources": [_glob("tomograms/{run_name}.zarr")]}]
    config["identified_objects"] = [{"sources": [_glob("objects.csv")]}]
    config["dataset_keyphotos"] = [
        {"sources": [{"literal": {"value": {"snapshot": "photo.png", "thumbnail": "photo.png"}}}]}
    ]
    config["deposition_keyphotos"] = copy.deepcopy(config["dataset_keyphotos"])
    config["annotations"] = _of_first(lab.root)
    return lab


def _of_first(root: Path) -> list[dict[str, Any]]:
    """Write every annotation, and give the entries; the first has captions."""
    found = []
    (root / "shapes").mkdir()
    for number, (shape, file_format, write, more) in enumerate(ANNOTATIONS):
        name = f"shapes/{number}_{{run_name}}.{file_format}"
        for run in RUNS if number == 0 else RUNS[:1]:
            write(root / name.format(run_name=run))
        source = {"file_format": file_format, "glob_string": name, "is_visualization_default": number == 0, **more}
        found.append(annotation(f"{shape.lower()}-{number}", f"{shape} {number}", [{shape: source}]))
    (root / "all_TS_1.json").write_text('{"caption": "A lamella"}')
    (root / "own_TS_1.json").write_text('[{"label": 1, "caption": "A point"}]')
    own = {"file_format": "saber", "glob_string": "own_{run_name}.json", "companion_shape": "Point"}
    found[0]["sources"] += [
        {"GlobalCaption": {"file_format": "saber", "glob_string": "all_{run_name}.json"}}, {"AnnotationCaption": own},
    ]  # fmt: skip
    return found


def _files(root: Path) -> None:
    for file in (root / "TS_1/frames").glob("TS_1_*"):
        file.unlink()
    for name, write in FRAMES:
        write(root / "TS_1/frames" / name)
    for run in RUNS[1:]:
        for z in range(5):
            _tiff(root / f"{run}/frames/{run}_{z}.tif")
    for run, text in zip(RUNS, (CTFFIND, GCTF, DEFOCUS), strict=True):
        mrc.write(root / f"{run}/frames/gain.mrc", np.ones((1, 6, 9), np.float32), voxel_size=2.5, stack=True)
        (root / f"{run}/{run}.ctf").write_text(text)
        volume = np.random.default_rng(1).normal(0, 1, SIZE).astype(np.float32) if run != "TS_1" else _bright(100, "f4")
        mrc.write(root / f"tomograms/{run}.rec", volume, voxel_size=10.0)
        omezarr.write(root / f"tomograms/{run}.zarr", volume, spacing=(10.0,) * 3)
    (root / "TS_2/TS_2.aln").write_text(ALN + LOCAL)
    (root / "objects.csv").write_text(OBJECTS)
    (root / "TS_1/particle.obj").write_text(
        "v -5 -5 -5\nv 9 0 0\nv 0 9 0\nv 0 0 9\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
    )
    Image.linear_gradient("L").resize((640, 480)).save(root / "photo.png")


def addition(lab: Lab) -> dict[str, Any]:
    """The configuration of a deposition that adds points, and a tomogram with an alignment of its own, to two runs of the first one's dataset."""
    deposition = {
        **copy.deepcopy(lab.config["depositions"][0]["metadata"]), "deposition_identifier": SECOND, "deposition_types": ["annotation", "tomogram"],
        "deposition_title": "More of the same", "authors": AUTHORS, "dates": DATES,
    }  # fmt: skip
    runs = {"list_glob": "{dataset_output_path}/*", "name_regex": "(TS_[12])$"}
    spacings = {"list_glob": "{run_output_path}/Reconstructions/VoxelSpacing*", "name_regex": "VoxelSpacing(.*)"}
    alignment = {"list_glob": "{run_output_path}/Alignments/100/alignment_metadata.json"}
    x, y, z = PLACE
    for run in RUNS[:2]:
        (lab.root / f"picks/more_{run}.csv").write_text(f"{x},{y},{z}\n1,1,1\n")
        mrc.write(lab.root / f"tomograms/{run}_more.mrc", _bright(50, "i2"), voxel_size=10.0)
    filtered = {
        **TOMOGRAM,
        "processing": "filtered",
        "reconstruction_method": "SIRT",
        "is_visualization_default": False,
    }
    points = {"file_format": "csv", "glob_string": "picks/more_{run_name}.csv"}
    return {
        "version": "1.3.0",
        "standardization_config": {"deposition_id": SECOND, "source_prefix": "lab"},
        "depositions": [{"metadata": deposition, "sources": [{"literal": {"value": [SECOND]}}]}],
        "datasets": [{"sources": [{"literal": {"value": [str(DATASET)]}}]}],
        "runs": [{"sources": [{"destination_glob": runs}]}],
        "voxel_spacings": [{"sources": [{"destination_glob": spacings}]}],
        "alignments": [{"sources": [{"destination_glob": alignment}]}],
        "tomograms": [{"metadata": filtered, "sources": [_glob("tomograms/{run_name}_more.mrc")]}],
        "annotations": [annotation("more-1", "more", [{"Point": points}])],
    }


def written(path: Path, config: dict[str, Any]) -> Path:
    """Write a configuration as JSON, which is YAML too."""
    path.write_text(json.dumps(config, indent=1))
    return path
