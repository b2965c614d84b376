"""What the design decided: pairing, alignments, visibility, pictures, what is kept and left out."""

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tomotheca.formats import mrc

RUN = "10900/TS_1"
SPACING = f"{RUN}/Reconstructions/VoxelSpacing10.000"


def test_a_tomogram_without_alignment_gets_identity(lab: Any) -> None:
    del lab.config["alignments"]
    lab.ingest()
    alignment = lab.read(f"{RUN}/Alignments/100/alignment_metadata.json")
    assert (alignment["alignment_type"], alignment.get("format"), alignment["per_section_alignment_parameters"]) == (
        "GLOBAL",
        None,
        [],
    )
    assert alignment["affine_transformation_matrix"][0] == [1, 0, 0, 0]
    before = lab.snapshot()
    assert lab.ingest().written == 0
    assert lab.snapshot() == before


def test_a_section_without_an_exposure_has_a_frame_without_a_movie(lab: Any) -> None:
    mdoc = lab.root / "TS_1/TS_1.mdoc"
    mdoc.write_text(mdoc.read_text().split("[ZValue = 4]")[0])
    result = lab.ingest()
    assert any("not in the mdoc" in f.message for f in result.findings)
    frames = lab.read(f"{RUN}/Frames/frames_metadata.json")["frames"]
    assert [(f["acquisition_order"], f["path"] is None) for f in frames] == [
        (0, False),
        (1, False),
        (2, False),
        (3, False),
        (4, True),
    ]


def test_raw_tilts_need_no_mdoc(lab: Any) -> None:
    del lab.config["collection_metadata"], lab.config["frames"], lab.config["gains"]
    lab.ingest()
    series = lab.read(f"{RUN}/TiltSeries/100/tiltseries_metadata.json")
    assert [s["frame_acquisition_order"] for s in series["per_section_parameter"]] == [0, 1, 2, 3, 4]
    assert len(lab.read(f"{RUN}/Frames/frames_metadata.json")["frames"]) == 5


def make_mosaic(lab: Any) -> None:
    folder = lab.root / "TS_1"
    for path in folder.glob("TS_1.*"):
        path.rename(folder / path.name.replace("TS_1.", "left."))
    from_left = folder / "left.mdoc"
    from_left.write_text(from_left.read_text().replace("TS_1", "left"))
    for suffix in ("st", "rawtlt", "mdoc", "xf", "tlt"):
        content = (folder / f"left.{suffix}").read_bytes()
        (folder / f"right.{suffix}").write_bytes(content.replace(b"left", b"right") if suffix == "mdoc" else content)


def test_a_mosaic_pairs_by_stem_and_counts_exposures_on(lab: Any) -> None:
    make_mosaic(lab)
    files = {"source_multi_glob": {"list_globs": ["{run_name}/left.xf", "{run_name}/left.tlt"]}}
    lab.config["alignments"][0]["sources"] = [files]
    lab.config["frames"][0]["sources"] = [{"literal": {"value": ["default"]}}]
    lab.ingest()
    right = lab.read(f"{RUN}/TiltSeries/101/tiltseries_metadata.json")
    assert [s["frame_acquisition_order"] for s in right["per_section_parameter"]] == [8, 6, 5, 7, 9]
    frames = lab.read(f"{RUN}/Frames/frames_metadata.json")
    assert frames["frames_acquisition_files"] == [f"{RUN}/Frames/left.mdoc", f"{RUN}/Frames/right.mdoc"]
    assert set(frames["ids"]["frame_acquisition_file"]) == {"left.mdoc", "right.mdoc"}
    alignment = lab.read(f"{RUN}/Alignments/100/alignment_metadata.json")
    assert alignment["tiltseries_path"] == f"{RUN}/TiltSeries/100/tiltseries_metadata.json"


def test_a_mosaic_pairs_by_the_name_in_the_pattern(lab: Any) -> None:
    make_mosaic(lab)
    (lab.root / "TS_1/left.rawtlt").rename(lab.root / "TS_1/angles_of_left.txt")
    (lab.root / "TS_1/right.rawtlt").rename(lab.root / "TS_1/angles_of_right.txt")
    lab.config["tiltseries"][0]["sources"][0]["source_glob"]["name_regex"] = r"(.*)\.st"
    lab.config["rawtilts"][0]["sources"][0]["source_glob"]["list_glob"] = "{run_name}/angles_of_{tiltseries_name}.txt"
    lab.config["alignments"][0]["sources"][0]["source_multi_glob"]["list_globs"] = [
        "{run_name}/{tiltseries_name}.xf",
        "{run_name}/{tiltseries_name}.tlt",
    ]
    lab.config["frames"][0]["sources"] = [{"literal": {"value": ["default"]}}]
    lab.ingest()
    assert (
        lab.read(f"{RUN}/Alignments/101/alignment_metadata.json")["tiltseries_path"]
        == f"{RUN}/TiltSeries/101/tiltseries_metadata.json"
    )


def test_what_fits_no_series_of_a_mosaic_is_refused(lab: Any) -> None:
    make_mosaic(lab)
    (lab.root / "TS_1/left.rawtlt").rename(lab.root / "TS_1/other.rawtlt")
    assert "TS_1/other.rawtlt belongs to none of the tilt series left, right" in lab.refused()


def second_alignment(lab: Any) -> None:
    for suffix in ("xf", "tlt"):
        (lab.root / f"TS_1/again.{suffix}").write_bytes((lab.root / f"TS_1/TS_1.{suffix}").read_bytes())
    (lab.root / "tomograms/TS_1_again.rec").write_bytes((lab.root / "tomograms/TS_1.rec").read_bytes())
    files = {"source_multi_glob": {"list_globs": ["{run_name}/again.xf", "{run_name}/again.tlt"]}}
    lab.config["alignments"].append(
        {"metadata": {"format": "IMOD", "method_type": "patch_tracking"}, "sources": [files]}
    )
    metadata = lab.config["tomograms"][0]["metadata"]
    source = {
        "source_glob": {"list_glob": "tomograms/{run_name}_again.rec"},
        "parent_filters": {"include": {"alignment": ["patch_tracking"]}},
    }
    lab.config["tomograms"].append({"metadata": metadata, "sources": [source]})


def test_parent_filters_choose_the_alignment(lab: Any) -> None:
    second_alignment(lab)
    lab.ingest()
    paths = {
        n: lab.read(f"{SPACING}/Tomograms/{n}/tomogram_metadata.json")["alignment_metadata_path"] for n in (100, 101)
    }
    assert paths == {
        100: f"{RUN}/Alignments/100/alignment_metadata.json",
        101: f"{RUN}/Alignments/101/alignment_metadata.json",
    }


def test_filters_that_let_no_alignment_through_are_refused(lab: Any) -> None:
    second_alignment(lab)
    lab.config["tomograms"][1]["sources"][0]["parent_filters"]["include"]["alignment"] = ["projection"]
    assert "let none of the alignments through (fiducial_based IMOD TS_1; patch_tracking IMOD again)" in lab.refused()


def test_somebody_elses_annotations_join_the_runs_alignment(lab: Any) -> None:
    lab.ingest()
    before = lab.snapshot()
    lab.config["depositions"][0]["metadata"]["deposition_identifier"] = 10401
    lab.config["depositions"][0]["sources"] = [{"literal": {"value": [10401]}}]
    lab.config["standardization_config"]["deposition_id"] = 10401
    del lab.config["datasets"][0]["metadata"]
    for container in ("tiltseries", "rawtilts", "collection_metadata", "frames", "gains", "alignments", "tomograms"):
        del lab.config[container]
    assert not lab.ingest().failed
    theirs = lab.read(f"{SPACING}/Annotations/103/ribosome-1.0.json")
    assert theirs["deposition_id"] == 10401
    assert theirs["alignment_metadata_path"] == f"{RUN}/Alignments/100/alignment_metadata.json"
    after = lab.snapshot()
    assert {k for k in before if before[k] != after[k]} == set()
    photo = lab.read("depositions_metadata/10401/deposition_metadata.json")["key_photos"]
    assert photo["snapshot"] == "depositions_metadata/10401/Images/snapshot.png"


@pytest.mark.parametrize(
    ("released", "private", "given", "expected"),
    [
        ("2024-02-01", False, None, {"state": "public", "until": None}),
        ("2999-02-01", False, None, {"state": "embargoed", "until": "2999-02-01"}),
        ("2024-02-01", True, None, {"state": "private", "until": None}),
        ("2999-02-01", False, "public", {"state": "public", "until": None}),
    ],
)
def test_visibility(lab: Any, released: str, private: bool, given: str | None, expected: dict[str, Any]) -> None:
    metadata = lab.config["datasets"][0]["metadata"]
    metadata["dates"]["release_date"] = released
    if given:
        metadata["visibility"] = given
    lab.ingest(private=private)
    assert lab.read("10900/dataset_metadata.json")["visibility"] == expected


def test_what_was_published_or_hidden_stays_so(lab: Any) -> None:
    lab.ingest(private=True)
    lab.ingest()
    assert lab.read("10900/dataset_metadata.json")["visibility"]["state"] == "private"
    path = lab.archive / "10900/dataset_metadata.json"
    document = json.loads(path.read_text())
    document["visibility"] = {"state": "public", "until": None}
    path.write_text(json.dumps(document))
    lab.config["datasets"][0]["metadata"]["dates"]["release_date"] = "2999-01-01"
    lab.ingest()
    assert lab.read("10900/dataset_metadata.json")["visibility"]["state"] == "public"


def test_key_photos_have_their_sizes(lab: Any) -> None:
    lab.ingest()
    sizes = {}
    for name in ("snapshot", "thumbnail", "expanded"):
        with Image.open(lab.archive / f"{SPACING}/Images/100/key-photo-{name}.png") as picture:
            sizes[name] = picture.size
    assert sizes == {"snapshot": (512, 384), "thumbnail": (134, 100), "expanded": (1024, 768)}


def test_a_picture_of_the_source_is_the_datasets_key_photo(lab: Any) -> None:
    Image.new("RGB", (40, 30), (200, 10, 10)).save(lab.root / "photo.jpg")
    lab.config["dataset_keyphotos"] = [
        {"sources": [{"literal": {"value": {"snapshot": "lab/photo.jpg", "thumbnail": None}}}]}
    ]
    lab.config["deposition_keyphotos"] = [
        {"sources": [{"literal": {"value": {"snapshot": "https://example.org/x.png", "thumbnail": None}}}]}
    ]
    result = lab.ingest()
    with Image.open(lab.archive / "10900/Images/snapshot.png") as picture:
        red, green, _ = picture.convert("RGB").getpixel((5, 5))
        assert red > 150 > green
    assert any("https://example.org/x.png" in f.message and f.severity == "note" for f in result.findings)


def test_a_mask_without_its_label_is_left_out_with_a_note(lab: Any) -> None:
    lab.config["annotations"][2]["sources"][0]["SemanticSegmentationMask"]["mask_label"] = 7
    result = lab.ingest()
    assert any("no voxel of its label" in f.message for f in result.findings)
    assert not (lab.archive / SPACING / "Annotations/102").exists()
    assert lab.ingest().written == 0


def test_points_outside_are_kept_with_a_warning(lab: Any) -> None:
    (lab.root / "picks/TS_1.csv").write_text("1,2,3\n99,2,3\n5,5,5\n-4,0,0\n")
    result = lab.ingest()
    where, message = next((f.where, f.message) for f in result.findings if "outside" in f.message)
    assert where == f"{lab.root / 'picks/TS_1.csv'}:2"
    assert (
        "2 of 4 points are outside the volume of 16 x 12 x 8 voxels, the first is point 2 at 99.0, 2.0, 3.0" in message
    )
    assert lab.read(f"{SPACING}/Annotations/100/ribosome-1.0.json")["object_count"] == 4


def test_the_configuration_wins_over_a_header_with_a_warning(lab: Any) -> None:
    volume = np.zeros((8, 12, 16), np.float32)
    volume[3, 4, 5] = 1
    mrc.write(lab.root / "tomograms/TS_1.rec", volume, voxel_size=13.5)
    result = lab.ingest()
    assert any(
        "the header says 13.5 Å, the configuration 10 Å" in f.message and f.severity == "warning"
        for f in result.findings
    )
