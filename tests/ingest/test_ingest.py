"""A tiny lab goes in by the front door."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tomotheca.errors import ConfigurationError
from tomotheca.formats import mrc
from tomotheca.ingest import plan
from tomotheca.schema import DOCUMENTS
from tomotheca.store import layout, manifest, tree
from tomotheca.store.verify import verify

RUN = "10900/TS_1"
SPACING = f"{RUN}/Reconstructions/VoxelSpacing10.000"


def refused(lab: Any, **more: Any) -> str:
    """Ingest what must be refused; the sentences, after checking that nothing was written."""
    before = lab.snapshot() if lab.archive.exists() else {}
    with pytest.raises(ConfigurationError) as caught:
        lab.ingest(**more)
    assert (lab.snapshot() if lab.archive.exists() else {}) == before
    return "\n".join(str(f) for f in caught.value.findings if f.severity == "error")


def test_everything_is_there_and_is_what_the_manifests_say(lab: Any) -> None:
    result = lab.ingest()
    assert not result.failed
    assert result.datasets == (10900,)
    found = [(m, k) for m, k in tree.documents(lab.files, 10900)]
    assert [m.__name__ for m, _ in found] == [
        "Dataset",
        "Run",
        "Frames",
        "TiltSeries",
        "Alignment",
        "Tomogram",
        *["Annotation"] * 3,
    ]
    for model, key in [*found, (DOCUMENTS[0], layout.Deposition(10400).document)]:
        model.model_validate(lab.read(key))
    folders = {layout.manifest_folder(k) for _, k in found}
    entries = [e for folder in folders for e in manifest.read(lab.files, folder)]
    assert [f for e in entries if (f := verify(lab.files, e, thorough=True))] == []
    names = {e.key for e in entries}
    for expected in (
        f"{RUN}/TiltSeries/100/TS_1.mrc", f"{RUN}/TiltSeries/100/TS_1.zarr/", f"{RUN}/TiltSeries/100/TS_1.rawtlt", f"{RUN}/Frames/TS_1.mdoc",
        f"{RUN}/Frames/TS_1_0.tif", f"{RUN}/Gains/camera.gain", f"{RUN}/Alignments/100/TS_1.xf", f"{RUN}/Alignments/100/TS_1.tlt",
        f"{SPACING}/Tomograms/100/TS_1.mrc", f"{SPACING}/Tomograms/100/TS_1.zarr/", f"{SPACING}/Images/100/key-photo-expanded.png",
        f"{SPACING}/Annotations/100/ribosome-1.0_point.ndjson", f"{SPACING}/Annotations/101/spike-1.0_orientedpoint.ndjson",
        f"{SPACING}/Annotations/102/membrane-1.0_segmentationmask.mrc", f"{SPACING}/Annotations/102/membrane-1.0_segmentationmask.zarr/",
        "10900/Images/snapshot.png",
    ):  # fmt: skip
        assert expected in names


def test_sections_join_angles_frames_and_dose(lab: Any) -> None:
    lab.ingest()
    series = lab.read(f"{RUN}/TiltSeries/100/tiltseries_metadata.json")
    assert [s["frame_acquisition_order"] for s in series["per_section_parameter"]] == [3, 1, 0, 2, 4]
    assert [s["raw_angle"] for s in series["per_section_parameter"]] == [-60, -30, 0, 30, 60]
    assert series["size"] == {"x": 16, "y": 12, "z": 5}
    assert series["source"] == "TS_1/TS_1.st"
    frames = lab.read(f"{RUN}/Frames/frames_metadata.json")
    assert [f["accumulated_dose"] for f in frames["frames"]] == [0, 3, 6, 9, 12]
    assert frames["frames"][2]["path"] == f"{RUN}/Frames/TS_1_2.tif"
    assert set(frames["ids"]["frame"]) == {"0", "1", "2", "3", "4"}
    run = lab.read(f"{RUN}/run_metadata.json")
    assert set(run["ids"]["tomogram_voxel_spacing"]) == {"10.000"}
    assert set(run["ids"]["gain_file"]) == {"camera.gain"}


def test_alignment_has_the_files_geometry(lab: Any) -> None:
    lab.ingest()
    alignment = lab.read(f"{RUN}/Alignments/100/alignment_metadata.json")
    section = alignment["per_section_alignment_parameters"][2]
    assert section == {
        "z_index": 2,
        "tilt_angle": 0.5,
        "volume_x_rotation": 0.0,
        "in_plane_rotation": [[1, 0], [0, 1]],
        "x_offset": 10,
        "y_offset": -10,
    }
    assert alignment["volume_dimension"] == {"x": 160, "y": 120, "z": 80}
    assert alignment["tiltseries_path"] == f"{RUN}/TiltSeries/100/tiltseries_metadata.json"
    tomogram = lab.read(f"{SPACING}/Tomograms/100/tomogram_metadata.json")
    assert tomogram["alignment_metadata_path"] == f"{RUN}/Alignments/100/alignment_metadata.json"
    assert tomogram["fiducial_alignment_status"] == "NON_FIDUCIAL"


def test_points_and_masks_are_where_the_source_has_them(lab: Any) -> None:
    lab.ingest()
    folder = lab.archive / SPACING / "Annotations"
    rows = [json.loads(line) for line in (folder / "100/ribosome-1.0_point.ndjson").read_text().splitlines()]
    assert [r["location"] for r in rows] == [{"x": 1, "y": 2, "z": 3}, {"x": 15, "y": 11, "z": 7}]
    with mrc.Reader(folder / "102/membrane-1.0_segmentationmask.mrc") as mask:
        assert np.argwhere(next(mask.slabs(8)))[0].tolist() == [4, 0, 8]
    assert lab.read(f"{SPACING}/Annotations/100/ribosome-1.0.json")["object_count"] == 2


def test_a_second_run_writes_nothing(lab: Any) -> None:
    lab.ingest()
    before = lab.snapshot()
    again = lab.ingest()
    assert (again.written, again.bytes) == (0, 0)
    assert lab.snapshot() == before


@pytest.mark.parametrize("how", ["lost desk", "force"])
def test_doing_it_again_keeps_every_identifier_and_document(lab: Any, how: str) -> None:
    lab.ingest()
    before, identifiers = lab.snapshot(), lab.identifiers()
    if how == "lost desk":
        for path in lab.folder.glob("desk.sqlite*"):
            path.unlink()
    again = lab.ingest(force=how == "force")
    assert again.written == 0
    assert lab.identifiers() == identifiers
    assert {k: v[1] for k, v in lab.snapshot().items()} == {k: v[1] for k, v in before.items()}
    lab.add("TS_2").ingest()
    every = [d["id"] for k, d in lab.documents().items() if k.endswith("tomogram_metadata.json")]
    assert len(set(every)) == len(every) == 2


def test_an_edit_of_metadata_rewrites_documents_and_no_volume(lab: Any) -> None:
    lab.ingest()
    before, identifiers = lab.snapshot(), lab.identifiers()
    lab.config["tomograms"][0]["metadata"]["ctf_corrected"] = True
    assert lab.ingest().written == 1
    after = lab.snapshot()
    assert {k for k in after if after[k] != before[k]} == {f"{SPACING}/Tomograms/100/tomogram_metadata.json"}
    assert lab.identifiers() == identifiers


def test_a_new_version_of_an_annotation_takes_the_old_ones_place(lab: Any) -> None:
    lab.ingest()
    old = lab.read(f"{SPACING}/Annotations/100/ribosome-1.0.json")
    lab.config["annotations"][0]["metadata"]["version"] = "1.1"
    lab.ingest()
    new = lab.read(f"{SPACING}/Annotations/100/ribosome-1.1.json")
    assert new["id"] == old["id"]
    assert new["ids"]["annotation_author"] == old["ids"]["annotation_author"]
    names = sorted(p.name for p in (lab.archive / SPACING / "Annotations/100").iterdir())
    assert names == ["manifest.ndjson", "ribosome-1.1.json", "ribosome-1.1_point.ndjson"]


def test_a_changed_source_is_converted_again(lab: Any) -> None:
    lab.ingest()
    (lab.root / "picks/TS_1.csv").write_text("1,2,3\n")
    lab.ingest()
    assert lab.read(f"{SPACING}/Annotations/100/ribosome-1.0.json")["object_count"] == 1


def test_a_deleted_file_of_the_archive_comes_back(lab: Any) -> None:
    lab.ingest()
    path = lab.archive / f"{RUN}/TiltSeries/100/TS_1.mrc"
    content = path.read_bytes()
    path.unlink()
    lab.ingest()
    assert path.read_bytes() == content


def test_workers_make_the_same_archive(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomotheca.ingest.run.WORTH_A_PROCESS", 0)
    result = lab.add("TS_2").ingest(workers=2)
    assert not result.failed
    before = lab.snapshot()
    assert lab.ingest().written == 0
    assert lab.snapshot() == before
    assert len([m for m, _ in tree.documents(lab.files, 10900)]) == 17


def test_only_and_run_choose_what_is_done(lab: Any) -> None:
    lab.add("TS_2").ingest(only=("tomograms",), run="_2$")
    kinds = [m.__name__ for m, _ in tree.documents(lab.files, 10900)]
    assert kinds == ["Dataset", "Run", "Frames", "Tomogram"]
    assert (lab.archive / "10900/TS_2").exists()
    assert not (lab.archive / RUN).exists()


# --- what decisions say --------------------------------------------------------------------------------------------


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
    assert "TS_1/other.rawtlt belongs to none of the tilt series left, right" in refused(lab)


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
    assert "let none of the alignments through (fiducial_based IMOD TS_1; patch_tracking IMOD again)" in refused(lab)


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
    message = next(f.message for f in result.findings if "outside" in f.message)
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


# --- bad input: a sentence, and nothing written --------------------------------------------------------------------


def test_a_truncated_volume(lab: Any) -> None:
    path = lab.root / "tomograms/TS_1.rec"
    os.truncate(path, path.stat().st_size - 10)
    text = refused(lab)
    assert str(path) in text
    assert "is truncated: 10 of" in text


def test_an_unreadable_header(lab: Any) -> None:
    (lab.root / "TS_1/TS_1.st").write_bytes(b"nothing" * 400)
    assert "is not an MRC file" in refused(lab)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("TS_1/TS_1.rawtlt", "abc\n", "'abc' is not a number"),
        ("TS_1/TS_1.mdoc", "no sections\n", "no [ZValue"),
        ("TS_1/TS_1.xf", "1 0 0 1 0\n", "line 1 has 5 values"),
        ("TS_1/TS_1.tlt", "1\n2\n", "different numbers of sections"),
        ("picks/TS_1.csv", "1,2\n", "line 1 has 1 columns"),
        ("picks/all.star", "data_x\n\nloop_\n_a #1\n1\n", "rlnCoordinateX"),
    ],
)
def test_a_broken_text_file(lab: Any, name: str, content: str, words: str) -> None:
    (lab.root / name).write_text(content)
    text = refused(lab)
    assert words in text
    assert name in text


def test_a_source_that_matches_nothing(lab: Any) -> None:
    lab.config["tomograms"][0]["sources"][0]["source_glob"]["list_glob"] = "tomogramme/{run_name}.rec"
    text = refused(lab)
    assert "tomogramme/{run_name}.rec matches nothing" in text
    assert f"{lab.path}:" in text


def test_a_file_that_is_missing_in_one_run_is_a_note(lab: Any) -> None:
    lab.add("TS_2")
    (lab.root / "picks/TS_2.csv").unlink()
    result = lab.ingest()
    assert any(
        "nothing found for voxel_spacing 10.000 of run TS_2" in f.message and f.severity == "note"
        for f in result.findings
    )


def test_two_sources_for_one_tomogram(lab: Any) -> None:
    (lab.root / "tomograms/TS_1_copy.rec").write_bytes((lab.root / "tomograms/TS_1.rec").read_bytes())
    lab.config["tomograms"][0]["sources"][0]["source_glob"]["list_glob"] = "tomograms/{run_name}*.rec"
    text = refused(lab)
    assert "tomograms/TS_1.rec and tomograms/TS_1_copy.rec are one tomogram" in text


def test_two_sources_for_one_annotation(lab: Any) -> None:
    (lab.root / "picks/TS_1b.csv").write_text("1,2,3\n")
    lab.config["annotations"][0]["sources"][0]["Point"]["glob_string"] = "picks/{run_name}*.csv"
    assert "picks/TS_1.csv and picks/TS_1b.csv both match one shape" in refused(lab)


def test_two_rawtilts_for_one_series(lab: Any) -> None:
    (lab.root / "TS_1/more.rawtlt").write_text("1\n")
    assert "TS_1/TS_1.rawtlt and TS_1/more.rawtlt are both rawtilts" in refused(lab)


def test_an_unknown_dataset(lab: Any) -> None:
    del lab.config["datasets"][0]["metadata"]
    assert "dataset 10900 has no metadata here and is not in the archive" in refused(lab)


def test_a_link_that_leaves_the_source_is_not_followed(lab: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("1,2,3\n")
    (lab.root / "picks/TS_1.csv").unlink()
    (lab.root / "picks/TS_1.csv").symlink_to(secret)
    assert "matches nothing" in refused(lab)


def test_an_error_leaves_the_rest_of_the_archive(lab: Any) -> None:
    lab.ingest()
    os.truncate(lab.root / "tomograms/TS_1.rec", 500)
    assert "500 bytes" in refused(lab)


def test_the_source_is_not_touched(lab: Any) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in lab.root.rglob("*")}

    before = state()
    lab.ingest()
    assert state() == before


def test_a_plan_says_everything_and_writes_nothing(lab: Any) -> None:
    (lab.root / "notes.txt").write_text("left over")
    planned = plan(lab.options(), lab.files)
    assert not lab.archive.exists()
    assert [s.kind for s in planned.steps] == [
        "tiltseries",
        "alignment",
        "tomogram",
        *["annotation"] * 3,
        "run",
        "dataset",
        "deposition",
    ]
    assert planned.unmatched == ("notes.txt",)
    tomogram = next(s for s in planned.steps if s.kind == "tomogram")
    assert tomogram.inputs[0].path == "tomograms/TS_1.rec"
    assert f"{SPACING}/Tomograms/100/TS_1.zarr/" in tomogram.outputs
