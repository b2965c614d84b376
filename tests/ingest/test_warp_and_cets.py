"""Alignments, CTF, angles and doses of WarpTools, alignments of CETS: from the lab's files to the documents."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from scipy.spatial.transform import Rotation
from tests.formats.soundfiles import cets_image, cets_projection, warp_grid, warp_series
from tests.ingest.conftest import ANGLES, ORDER, Lab

from tomotheca.ingest.check import check

RUN = "10900/TS_1"
SERIES = f"{RUN}/TiltSeries/100/tiltseries_metadata.json"
ALIGNMENT = f"{RUN}/Alignments/100/alignment_metadata.json"
DOSES = [3.0 * order for order in ORDER]
MOVIES = [f"../frames/TS_1_{order}.tif" for order in ORDER]
HEAD = "data_\n\nloop_\n_wrpMovieName #1\n_wrpAngleTilt #2\n_wrpAxisAngle #3\n_wrpDose #4\n"
COLUMNS: Mapping[str, Sequence[object]] = {
    "Angles": [-angle + 1.5 for angle in ANGLES],  # less the brightest tilt, as ts_import does
    "Dose": DOSES,
    "UseTilt": ["False", "True", "True", "True", "True"],
    "AxisAngle": [90] * 5,
    "AxisOffsetX": [9, 5, 0, 0, 15],
    "AxisOffsetY": [9, -10, 0, 0, 20],
    "MoviePath": MOVIES,
}
GRIDS = (
    warp_grid("GridCTF", [2.0, 2.1, 2.2, 2.3, 2.4]),
    warp_grid("GridCTFDefocusDelta", [0.1] * 5),
    warp_grid("GridCTFDefocusAngle", [17] * 5),
)


def glob(pattern: str) -> list[dict[str, Any]]:
    return [{"source_glob": {"list_glob": pattern}}]


def warp(lab: Lab, *, columns: Mapping[str, Sequence[object]] = COLUMNS, grids: Sequence[str] = GRIDS) -> None:
    """What WarpTools leaves of a series: a list of tilts, and an XML with alignment and CTF."""
    folder = lab.root / "TS_1"
    rows = zip(MOVIES, ANGLES, DOSES, strict=True)
    (folder / "TS_1.tomostar").write_text(HEAD + "".join(f" {m} {-a + 1.5:.2f} 90.0 {d:g}\n" for m, a, d in rows))
    (folder / "TS_1.xml").write_text(warp_series(columns, *grids, LevelAngleX="0.5", LevelAngleY="-2"))
    metadata = {"format": "WARP", "method_type": "patch_tracking"}
    lab.config["alignments"] = [{"metadata": metadata, "sources": glob("{run_name}/*.xml")}]
    lab.config["ctfs"] = [{"metadata": {"format": "WARP"}, "sources": glob("{run_name}/*.xml")}]
    lab.config["rawtilts"] = [{"sources": glob("{run_name}/*.tomostar")}]


@pytest.mark.parametrize("order", [1, -1])
def test_a_series_of_warptools(lab: Lab, order: int) -> None:
    """Whatever order the rows have: the movies say which section each is of."""
    warp(
        lab,
        columns={name: list(values)[::order] for name, values in COLUMNS.items()},
        grids=GRIDS if order == 1 else (),
    )
    if order == -1:
        del lab.config["ctfs"]
    lab.ingest()
    document = lab.read(ALIGNMENT)
    assert (document["format"], document["alignment_type"], document["tilt_offset"]) == ("WARP", "GLOBAL", 2.0)
    assert document["files"] == [document["alignment_path"]] == [f"{RUN}/Alignments/100/TS_1.xml"]
    first, *_, last = document["per_section_alignment_parameters"]
    assert first == {
        "z_index": 1,
        "tilt_angle": -29.5,
        "volume_x_rotation": 0.5,
        "in_plane_rotation": [[0.0, -1.0], [1.0, 0.0]],
        "x_offset": 5.0,
        "y_offset": -10.0,
    }
    assert (last["z_index"], last["tilt_angle"], last["x_offset"], last["y_offset"]) == (4, 60.5, 15.0, 20.0)
    series = lab.read(SERIES)
    sections = series["per_section_parameter"]
    assert [s.get("excluded", False) for s in sections] == [True, False, False, False, False]
    assert [s["frame_acquisition_order"] for s in sections] == list(ORDER)
    assert [s["raw_angle"] for s in sections] == pytest.approx([a + 0.001 for a in ANGLES])  # the mdoc file's own
    angles = (lab.archive / series["raw_tlt_path"]).read_text().split()
    assert series["raw_tlt_path"] == f"{RUN}/TiltSeries/100/TS_1.rawtlt"
    assert [float(a) for a in angles] == pytest.approx([a + 0.001 for a in ANGLES])
    if order == 1:
        assert series["ctf_path"] == f"{RUN}/TiltSeries/100/TS_1_WARP_ctf.xml"
        keys = ("major_defocus", "minor_defocus", "astigmatic_angle")
        assert [sections[2].get(key) for key in keys] == [22500.0, 21500.0, 17.0]
        assert "major_defocus" not in sections[0]
    before = lab.snapshot()
    assert lab.ingest().written == 0
    assert lab.snapshot() == before
    assert [f for f in check(lab.save(), lab.folder / "source") if f.severity == "error"] == []


def test_without_an_mdoc_file_the_tomostar_has_doses_and_movies(lab: Lab) -> None:
    warp(lab)
    del lab.config["collection_metadata"]
    assert not any("orders of acquisition will be missing" in f.message for f in lab.ingest().findings)
    frames = lab.read(f"{RUN}/Frames/frames_metadata.json")["frames"]
    doses = [(f["acquisition_order"], f["accumulated_dose"], f["exposure_dose"]) for f in frames]
    assert doses == [(n, 3.0 * n, 3.0) for n in range(5)]
    assert [f["path"] for f in frames] == [f"{RUN}/Frames/TS_1_{n}.tif" for n in range(5)]
    sections = lab.read(SERIES)["per_section_parameter"]
    assert [s["frame_acquisition_order"] for s in sections] == list(ORDER)
    assert [s["raw_angle"] for s in sections] == [a - 1.5 for a in ANGLES]
    assert [p["z_index"] for p in lab.read(ALIGNMENT)["per_section_alignment_parameters"]] == [1, 2, 3, 4]


def test_an_edited_mdoc_file_changes_the_angles_that_were_written(lab: Lab) -> None:
    warp(lab)
    lab.ingest()
    path = lab.root / "TS_1/TS_1.mdoc"
    path.write_text(path.read_text().replace("TiltAngle = 60.001", "TiltAngle = 59.5"))
    lab.ingest()
    assert (lab.archive / RUN / "TiltSeries/100/TS_1.rawtlt").read_text().split()[-1] == "59.5"


def test_a_tomostar_alone_is_the_alignment_of_the_import(lab: Lab) -> None:
    warp(lab)
    lab.config["alignments"][0]["sources"] = glob("{run_name}/*.tomostar")
    del lab.config["ctfs"]
    lab.ingest()
    document = lab.read(ALIGNMENT)
    assert document["alignment_path"] == f"{RUN}/Alignments/100/TS_1.tomostar"
    assert [p["tilt_angle"] for p in document["per_section_alignment_parameters"]] == [a - 1.5 for a in ANGLES]


def test_tilts_that_fit_with_either_sign_are_a_warning(lab: Lab) -> None:
    warp(
        lab,
        columns={name: v for name, v in COLUMNS.items() if name not in {"MoviePath", "Angles"}}
        | {"Angles": [-a for a in ANGLES]},
    )
    assert any("fit with either sign" in f.message for f in lab.ingest().findings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"collection_metadata": [{"sources": glob("{run_name}/*.tomostar")}]}, "is Warp's list of tilts and no mdoc file: name it in rawtilts"),
        ({"alignments": [{"metadata": {"format": "WARP"}, "sources": glob("{run_name}/*.xf")}]}, "has neither a .xml nor a .tomostar file of Warp"),
        ({"alignments": [{"metadata": {"format": "CETS"}, "sources": glob("{run_name}/*.xf")}]}, "has no .json file of CETS"),
    ],
)  # fmt: skip
def test_configurations_that_name_the_wrong_file(lab: Lab, change: dict[str, Any], words: str) -> None:
    warp(lab)
    lab.config |= change
    assert words in lab.refused()


def test_files_that_do_not_fit_are_refused(lab: Lab) -> None:
    short = {name: list(values)[:3] for name, values in COLUMNS.items() if name != "MoviePath"}
    warp(lab, columns=short | {"Angles": [1, 2, 3]}, grids=[warp_grid("GridCTF", [1, 2, 3])])
    (lab.root / "TS_1/TS_1.tomostar").write_text(f"{HEAD} a.tif 0 90 0\n")
    said = lab.refused()
    assert "TS_1.tomostar: has 1 angles, the tilt series TS_1/TS_1.st 5 sections: name the rawtlt file" in said
    unplaced = (
        "has 3 tilts, 2 of them in use, the tilt series 5 sections, and neither movies nor tilts tell which is which"
    )
    assert said.count(unplaced) == 2
    warp(lab, grids=())
    assert "TS_1.xml: has no CTF: WarpTools' ts_ctf writes it" in lab.refused()


# --- CETS ---------------------------------------------------------------------------------------------------------------------


def test_an_alignment_of_cets(lab: Lab) -> None:
    matrix = Rotation.from_euler("ZYX", [90, -30, 1.5], degrees=True).as_matrix()
    steps = (
        {"transformation_type": "affine", "affine": matrix.tolist()},
        {"transformation_type": "translation", "translation": [5.0, -10.0]},
    )
    region = {
        "id": "TS_1",
        "tilt_series": [{"id": "TS_1", "images": [cets_image((16, 12), 5.0, id=f"TS_1_{z}", section=z) for z in range(5)]}],
        "tomograms": [cets_image((16, 12, 8), 10.0, id="rec", tilt_series_id="TS_1")],
        "alignments": [{"tilt_series_id": "TS_1", "projection_alignments": [cets_projection(f"TS_1_{z}", *steps) for z in (1, 3)]}],
    }  # fmt: skip
    other = json.loads(json.dumps(region).replace("TS_1", "TS_2"))
    (lab.root / "all.cets.json").write_text(json.dumps({"name": "a dataset", "regions": [other, region]}))
    lab.config["alignments"] = [{"metadata": {"format": "CETS"}, "sources": glob("all.cets.json")}]
    lab.ingest()
    document = lab.read(ALIGNMENT)
    assert (document["format"], document["alignment_path"]) == ("CETS", f"{RUN}/Alignments/100/TS_1.cets.json")
    first, second = document["per_section_alignment_parameters"]
    assert first == {
        "z_index": 1,
        "tilt_angle": -30.0,
        "volume_x_rotation": 1.5,
        "in_plane_rotation": [[0.0, -1.0], [1.0, 0.0]],
        "x_offset": 5.0,
        "y_offset": -10.0,
    }
    assert second == {**first, "z_index": 3}
    sections = lab.read(SERIES)["per_section_parameter"]
    assert [s.get("excluded", False) for s in sections] == [True, False, True, False, True]
    assert lab.ingest().written == 0
    del region["tilt_series"][0]["images"][3]["section"]  # type: ignore[index]  # a list of documents
    (lab.root / "all.cets.json").write_text(json.dumps(region))
    assert "projection 2 names the tilt image 'TS_1_3', of which no section is known" in lab.refused()
