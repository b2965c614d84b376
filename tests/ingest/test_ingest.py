"""A tiny lab goes in by the front door."""

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tomotheca.desk.desk import Desk
from tomotheca.formats import mrc
from tomotheca.ingest.plan import plan
from tomotheca.ingest.run import ingest
from tomotheca.schema import DOCUMENTS
from tomotheca.store import layout, manifest, tree
from tomotheca.store.verify import verify

RUN = "10900/TS_1"
SPACING = f"{RUN}/Reconstructions/VoxelSpacing10.000"


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
        "x_offset": -10,
        "y_offset": 10,
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
    assert names == ["manifest.members", "manifest.ndjson", "ribosome-1.1.json", "ribosome-1.1_point.ndjson"]


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
    monkeypatch.setattr("tomotheca.ingest.workers.WORTH_A_PROCESS", 0)
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


def test_a_picture_of_the_source_is_a_tomograms_key_photo(lab: Any) -> None:
    Image.new("RGB", (40, 30), (10, 200, 10)).save(lab.root / "TS_1.png")
    lab.config["key_images"] = [{"sources": [{"source_glob": {"list_glob": "{run_name}.png"}}]}]
    lab.ingest()
    with Image.open(lab.archive / f"{SPACING}/Images/100/key-photo-snapshot.png") as picture:
        red, green, _ = picture.convert("RGB").getpixel((5, 5))
        assert green > 150 > red


class Told:
    def __init__(self) -> None:
        self.total = self.seen = self.steps = 0
        self.finished = False

    def start(self, steps: int, size: int) -> None:
        self.steps, self.total = steps, size

    def step(self, name: str, since: float) -> None:
        self.named = name

    def done(self, name: str, size: int, seconds: float) -> None:
        self.steps -= 1

    def advance(self, size: int) -> None:
        self.seen += size

    def finish(self) -> None:
        self.finished = True


def test_progress_adds_up(lab: Any) -> None:
    told = Told()
    with Desk.open(lab.folder / "desk.sqlite") as desk:
        ingest(lab.options(), files=lab.files, desk=desk, progress=told)
    assert (told.steps, told.seen, told.finished) == (0, told.total, True)
    assert told.total > 0


def test_findings_are_kept_at_the_desk(lab: Any) -> None:
    (lab.root / "picks/TS_1.csv").write_text("1,2,300\n")
    lab.ingest()
    with Desk.open(lab.folder / "desk.sqlite") as desk:
        assert any("outside" in f.message for f in desk.findings("ingest 10900 config.yaml"))
