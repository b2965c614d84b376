"""Alignments of AreTomo and IMOD and CTF parameters, from the lab's files to the documents."""

import math
from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import run_cli
from tests.ingest.conftest import write_series

RUN = "10900/TS_1"
ALN = """# AreTomo Alignment / Priims bprmMn
# RawSize = 16 12 5
# NumPatches = {patches}
# DarkFrame =     0    0   -60.00
# AlphaOffset =     2.00
# BetaOffset =     0.50
# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT
    1    90.0000    1.00000      1.000     -2.000     1.00     1.00     1.00     0.00    -28.00
    2    90.0000    1.00000      0.000      0.000     1.00     1.00     1.00     0.00      2.00
    3    90.0000    1.00000      0.000      0.000     1.00     1.00     1.00     0.00     32.00
    4    90.0000    1.00000      3.000      4.000     1.00     1.00     1.00     0.00     62.00
"""
LOCAL = "# Local Alignment\n   0   0  -5.00   3.00   0.50    0.25   1.0\n"
CTFFIND = "# Columns: #1 micrograph number; #2 - defocus 1 [A]\n" + "".join(
    f"{i + 1} {20000 + i} {19000 + i} {10 * i}.5 0.25 0.1 {8 + i}.5\n" for i in range(5)
)


def aretomo(lab: Any, *, patches: int = 0, text: str = "") -> None:
    (lab.root / "TS_1" / "TS_1.aln").write_text((text or ALN).format(patches=patches) + (LOCAL if patches else ""))
    lab.config["alignments"] = [
        {
            "metadata": {"format": "ARETOMO3", "method_type": "projection_matching"},
            "sources": [{"source_glob": {"list_glob": "{run_name}/{run_name}.aln"}}],
        }
    ]


def ctf(lab: Any, form: str, text: str) -> None:
    (lab.root / "TS_1" / "TS_1.ctf").write_text(text)
    source = {"source_glob": {"list_glob": "{run_name}/*.ctf"}}
    lab.config["ctfs"] = [{"metadata": {"format": form}, "sources": [source]}]


def errors(lab: Any) -> str:
    refused: str = lab.refused()
    return refused


@pytest.mark.parametrize("patches", [0, 1])
def test_an_alignment_of_aretomo(lab: Any, patches: int) -> None:
    aretomo(lab, patches=patches)
    lab.ingest()
    document = lab.read(f"{RUN}/Alignments/100/alignment_metadata.json")
    assert document["alignment_type"] == ("LOCAL" if patches else "GLOBAL")
    assert (document["tilt_offset"], document["x_rotation_offset"]) == (2.0, 0.5)
    assert document["alignment_path"] == f"{RUN}/Alignments/100/TS_1.aln"
    assert document["files"] == [document["alignment_path"]]
    assert document["volume_dimension"] == {"x": 160.0, "y": 120.0, "z": 80.0}
    first, *_, last = document["per_section_alignment_parameters"]
    assert first == {
        "z_index": 1,
        "tilt_angle": -28.0,
        "volume_x_rotation": 0.0,
        "in_plane_rotation": [[0.0, -1.0], [1.0, 0.0]],
        "x_offset": 5.0,
        "y_offset": -10.0,
    }
    assert (last["z_index"], last["tilt_angle"], last["x_offset"], last["y_offset"]) == (4, 62.0, 15.0, 20.0)
    sections = lab.read(f"{RUN}/TiltSeries/100/tiltseries_metadata.json")["per_section_parameter"]
    assert [s.get("excluded", False) for s in sections] == [True, False, False, False, False]
    assert (lab.archive / document["alignment_path"]).read_bytes() == (lab.root / "TS_1/TS_1.aln").read_bytes()
    before = lab.snapshot()
    assert lab.ingest().written == 0
    assert lab.snapshot() == before


def test_what_the_configuration_says_goes_before_the_file(lab: Any) -> None:
    aretomo(lab, patches=1)
    lab.config["alignments"][0]["metadata"] |= {"alignment_type": "GLOBAL", "tilt_offset": 7.0}
    lab.ingest()
    document = lab.read(f"{RUN}/Alignments/100/alignment_metadata.json")
    said = document["alignment_type"], document["tilt_offset"], document["x_rotation_offset"]
    assert said == ("GLOBAL", 7.0, 0.5)


def test_a_binned_series_scales_the_shifts(lab: Any) -> None:
    aretomo(lab, text=ALN.replace("RawSize = 16 12 5", "RawSize = 32 24 5"))
    found = lab.ingest().findings
    assert any("32 x 24 pixels were aligned, the tilt series has 16 x 12" in f.message for f in found)
    first = lab.read(f"{RUN}/Alignments/100/alignment_metadata.json")["per_section_alignment_parameters"][0]
    assert (first["x_offset"], first["y_offset"]) == (2.5, -5.0)


def test_two_alignments_leave_out_only_what_both_do(lab: Any) -> None:
    imod = lab.config["alignments"]
    aretomo(lab)
    lab.config["alignments"] += imod
    (lab.root / "TS_1/tilt.com").write_text("EXCLUDELIST2 1,5\nXAXISTILT 1.5\n")
    imod[0]["sources"][0]["source_multi_glob"]["list_globs"].append("{run_name}/tilt.com")
    lab.ingest()
    second = lab.read(f"{RUN}/Alignments/101/alignment_metadata.json")
    assert second["format"] == "IMOD"
    assert [s["z_index"] for s in second["per_section_alignment_parameters"]] == [1, 2, 3]
    assert second["x_rotation_offset"] == 1.5
    sections = lab.read(f"{RUN}/TiltSeries/100/tiltseries_metadata.json")["per_section_parameter"]
    assert [s.get("excluded", False) for s in sections] == [True, False, False, False, False]


def test_a_literal_alignment_keeps_its_metadata(lab: Any) -> None:
    metadata = {"format": "IMOD", "method_type": "undefined", "volume_offset": {"x": 1, "y": 2, "z": 3}}
    lab.config["alignments"] = [{"metadata": metadata, "sources": [{"literal": {"value": ["default"]}}]}]
    lab.ingest()
    document = lab.read(f"{RUN}/Alignments/100/alignment_metadata.json")
    assert document["volume_offset"] == {"x": 1.0, "y": 2.0, "z": 3.0}
    assert document["per_section_alignment_parameters"] == []
    assert document["tiltseries_path"] == f"{RUN}/TiltSeries/100/tiltseries_metadata.json"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("TS_1.aln", "hello\n", "does not begin with '# AreTomo Alignment'"),
        ("TS_1.aln", ALN.replace("DarkFrame", "Dark"), "has 4 sections, the tilt series has 5 and the tilts do not"),
        ("TS_1.aln", ALN.replace("RawSize", "Raw"), "has no line '# RawSize"),
    ],
)
def test_a_broken_aln_is_refused(lab: Any, name: str, text: str, words: str) -> None:
    aretomo(lab)
    text = text.replace("{patches}", "0").replace("-28.00", "-11.00") if "Dark " in text else text
    (lab.root / "TS_1" / name).write_text(text.replace("{patches}", "0"))
    assert words in errors(lab)


@pytest.mark.parametrize(
    ("form", "pattern", "words"),
    [
        ("ARETOMO3", "{run_name}/{run_name}.xf", "has no .aln file: name it, or correct the format"),
        ("IMOD", "{run_name}/{run_name}.aln", "has neither a .xf nor a .tlt file"),
    ],
)
def test_files_of_another_format_are_refused_with_the_line(lab: Any, form: str, pattern: str, words: str) -> None:
    aretomo(lab)
    lab.config["alignments"][0]["metadata"]["format"] = form
    lab.config["alignments"][0]["sources"] = [{"source_glob": {"list_glob": pattern}}]
    said = errors(lab)
    assert words in said
    assert "config.yaml:" in said


# --- CTF ----------------------------------------------------------------------------------------------------------------


def test_ctf_parameters_are_those_of_their_sections(lab: Any) -> None:
    ctf(lab, "CTFFIND", CTFFIND)
    lab.ingest()
    document = lab.read(f"{RUN}/TiltSeries/100/tiltseries_metadata.json")
    assert document["ctf_path"] == f"{RUN}/TiltSeries/100/TS_1_CTFFIND_ctf.txt"
    assert (lab.archive / document["ctf_path"]).read_text() == CTFFIND
    assert document["per_section_parameter"][2] == {
        "z_index": 2,
        "raw_angle": 0.0,
        "frame_acquisition_order": 0,
        "major_defocus": 20002.0,
        "minor_defocus": 19002.0,
        "astigmatic_angle": 20.5,
        "phase_shift": 0.25,
        "cross_correlation": 0.1,
        "max_resolution": 10.5,
    }
    assert lab.ingest().written == 0


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("Gctf", "1 21000 20000 12.5 90 0.11 6.5\n", (21000.0, 20000.0, 12.5, math.pi / 2, 6.5)),
        ("IMOD", "7 0 0. 0. 0. 3\n1 1 -60 -60 2100 2000 0.5 180\n", (21000.0, 20000.0, math.degrees(0.5), math.pi, None)),
    ],
)  # fmt: skip
def test_ctf_units(lab: Any, form: str, text: str, expected: tuple[float | None, ...]) -> None:
    ctf(lab, form, text)
    found = lab.ingest().findings
    assert any("has 1 of the 5 sections" in f.message and f.severity == "note" for f in found)
    document = lab.read(f"{RUN}/TiltSeries/100/tiltseries_metadata.json")
    assert document["ctf_path"].endswith(f"TS_1_{form}_ctf.txt")
    names = ("major_defocus", "minor_defocus", "astigmatic_angle", "phase_shift", "max_resolution")
    assert tuple(document["per_section_parameter"][0].get(n) for n in names) == expected
    assert "major_defocus" not in document["per_section_parameter"][1]


def test_a_broken_ctf_is_refused_with_its_line(lab: Any) -> None:
    ctf(lab, "CTFFIND", "1 2 3\n")
    assert f"{lab.root}/TS_1/TS_1.ctf: line 1 has 3 values" in errors(lab)


def test_ctfs_reach_the_catalogue_through_the_command(lab: Any) -> None:
    ctf(lab, "CTFFIND", CTFFIND)
    aretomo(lab)
    root = lab.folder / "portal"
    run_cli("ingest", lab.save(), "--source", lab.folder / "source", "--root", root, check=True)
    dump = lab.folder / "dump"
    run_cli("dump", dump, "--root", root, check=True)
    rows = (dump / "per_section_parameters.ndjson").read_text()
    assert '"major_defocus":20004.0' in rows.replace(" ", "")
    sections = (dump / "per_section_alignment_parameters.ndjson").read_text().splitlines()
    assert len(sections) == 4
    assert Path(root / "archive" / RUN / "Alignments/100/TS_1.aln").is_file()


# --- several series in a run ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
def test_a_mosaic_pairs_alignments_and_ctfs(lab: Any, named: bool) -> None:
    """By the name of the series in the pattern, else by equal stems."""
    folder = lab.root / "TS_1"
    write_series(folder, "left", seed=2)
    write_series(folder, "right", seed=3)
    for name in ("TS_1.st", "TS_1.rawtlt", "TS_1.mdoc", "TS_1.xf", "TS_1.tlt"):
        (folder / name).unlink()
    for stem, defocus in (("left", 20000), ("right", 30000)):
        (folder / f"{stem}.aln").write_text(ALN.format(patches=0).replace("1.000     -2.000", f"{defocus}.0 0.0"))
        (folder / f"{stem}.ctf").write_text(f"1 {defocus} {defocus} 0 0 0.1 8\n")
    glob = lab.config["tiltseries"][0]["sources"][0]["source_glob"]
    glob |= {"list_glob": "{run_name}/*.st", "name_regex": r"(.*)\.st"}
    stem = "{tiltseries_name}" if named else "*"
    lab.config["ctfs"] = [
        {"metadata": {"format": "CTFFIND"}, "sources": [{"source_glob": {"list_glob": "{run_name}/" + stem + ".ctf"}}]}
    ]
    patterns = ["{run_name}/{tiltseries_name}.aln"] if named else ["{run_name}/left.aln", "{run_name}/right.aln"]
    lab.config["alignments"] = [
        {"metadata": {"format": "ARETOMO3", "method_type": "projection_matching"}, "sources": [{"source_glob": {"list_glob": p}}]}
        for p in patterns
    ]  # fmt: skip
    lab.ingest()
    found = {}
    for number in (100, 101):
        series = lab.read(f"{RUN}/TiltSeries/{number}/tiltseries_metadata.json")
        found[f"{RUN}/TiltSeries/{number}/tiltseries_metadata.json"] = series["per_section_parameter"][0][
            "major_defocus"
        ]
        assert series["ctf_path"] == f"{RUN}/TiltSeries/{number}/TS_1_CTFFIND_ctf.txt"
    assert sorted(found.values()) == [20000.0, 30000.0]
    for number in (100, 101):
        alignment = lab.read(f"{RUN}/Alignments/{number}/alignment_metadata.json")
        shift = alignment["per_section_alignment_parameters"][0]["x_offset"]
        assert shift == 5 * found[alignment["tiltseries_path"]]
    assert lab.ingest().written == 0
