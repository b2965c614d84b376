"""The commands doctor and check as a user types them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.doctor import breaks
from tests.doctor.conftest import TOMOGRAM, real_movies
from tests.ingest.conftest import Lab

from tomotheca.cli.run import run
from tomotheca.desk.desk import Desk
from tomotheca.doctor.hashing import fill
from tomotheca.store import manifest
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.doctor.conftest import Archive

TITLE = "10900/dataset_metadata.json"


@pytest.fixture
def portal(taken_in: Archive, lab_folder: Lab, tmp_path: Path) -> Path:
    """Give a portal of its own."""
    shutil.copytree(taken_in.root, tmp_path / "archive")
    (tmp_path / "state").mkdir()
    with Desk.open(lab_folder.folder / "desk.sqlite") as desk:
        desk.backup(tmp_path / "state" / "desk.sqlite")
    return tmp_path


def edit(portal: Path, key: str, **changes: Any) -> None:
    path = portal / "archive" / key
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


class Typed:
    """Commands about one portal, and what they print."""

    def __init__(self, portal: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.portal, self.capsys = portal, capsys

    def __call__(self, *words: str) -> tuple[int, str]:
        code = run(["doctor", *words, "--root", str(self.portal)])
        out = self.capsys.readouterr()
        return code, out.out + out.err

    def data(self, *words: str) -> Any:
        return json.loads(self(*words, "--json")[1])


@pytest.fixture
def doctor(portal: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(portal, capsys)


def test_a_clean_archive_says_so(doctor: Typed) -> None:
    code, said = doctor()
    assert code == 0
    assert "0 errors, 0 warnings, 0 notes in 3 runs" in said


def test_a_report_groups_by_rule_and_says_how_to_mend(doctor: Typed, portal: Path) -> None:
    edit(portal, TITLE, dataset_title="A title")
    code, said = doctor("DS-10900")
    assert code == 0
    assert "warning dataset.title: 1" in said
    assert "Must be so: The title of a dataset sums up" in said
    assert "To mend: write a title such as" in said
    assert doctor("--strict")[0] == 1
    assert doctor("--severity", "error", "--strict")[0] == 0
    edit(portal, breaks.TOMOGRAM_DOCUMENT, voxel_spacing=12.0)
    assert doctor()[0] == 1
    assert doctor("--rule", "dataset.*")[0] == 0


def test_findings_are_kept_from_the_first_time_to_the_last(doctor: Typed, portal: Path) -> None:
    good = json.loads((portal / "archive" / TITLE).read_text())["dataset_title"]
    edit(portal, TITLE, dataset_title="A title")
    first = doctor.data()
    assert (first["new"], first["resolved"]) == (1, 0)
    again = doctor.data()
    assert (again["new"], again["findings"]) == (0, first["findings"])
    other_rules = doctor.data("--rule", "mrc.*")
    assert (other_rules["findings"], other_rules["resolved"]) == ([], 0)
    edit(portal, TITLE, dataset_title=good)
    assert doctor.data()["resolved"] == 1
    (past,) = doctor.data("--history")["history"]
    assert (past["state"], past["rule"], past["where"]) == ("resolved", "dataset.title", TITLE)
    assert past["first_seen"] <= past["last_seen"] <= past["resolved_at"]
    edit(portal, TITLE, dataset_title="A title")
    assert doctor.data()["new"] == 1
    assert "open " in doctor("--history")[1]


def test_what_is_ignored_does_not_count_and_its_reason_stays(doctor: Typed, portal: Path) -> None:
    edit(portal, TITLE, dataset_title="A title")
    assert doctor("--ignore", "dataset.title", "10900/", "--reason", "the paper's")[0] == 0
    code, said = doctor("--strict")
    assert code == 0
    assert "1 ignored" in said
    found = doctor.data("--strict")
    assert found["findings"] == []
    assert [(f["rule"], f["reason"]) for f in found["ignored"]] == [("dataset.title", "the paper's")]
    assert doctor.data("--history")["history"][0]["reason"] == "the paper's"
    assert doctor("--heed", "dataset.title", "10900/")[0] == 0
    assert doctor("--strict")[0] == 1


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["DS-77"], 3, "no dataset 77"),
        (["elephants"], 2, "not a dataset"),
        (["--rule", "mrc.sise"], 3, "did you mean mrc.size"),
        (["--ignore", "mrc.size", "10900/"], 2, "--reason"),
        (["--ignore", "mrc.sise", "10900/", "--reason", "x"], 3, "did you mean"),
        (["--heed", "mrc.size", "10900/"], 3, "is not ignored"),
        (["--profile", "strict"], 2, "profile"),
    ],
)
def test_mistakes_give_one_sentence(doctor: Typed, words: list[str], code: int, sentence: str) -> None:
    got, said = doctor(*words)
    assert got == code
    assert sentence in said
    assert "Traceback" not in said


def test_a_setting_decides_about_tomograms_without_annotation(
    doctor: Typed, portal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(portal / "archive/10900/TS_1/Reconstructions/VoxelSpacing10.000/Annotations")
    assert doctor.data("--rule", "run.*")["warning"] == 1
    assert doctor("--rule", "run.*")[0] == 0
    monkeypatch.setenv("TOMOTHECA_ANNOTATION_PER_TOMOGRAM", "error")
    assert doctor("--rule", "run.*")[0] == 1
    monkeypatch.setenv("TOMOTHECA_ANNOTATION_PER_TOMOGRAM", "off")
    assert doctor.data("--rule", "run.*")["findings"] == []


def test_hash_notes_the_digest_of_files_that_stay_in_their_place(doctor: Typed, portal: Path, tmp_path: Path) -> None:
    files = LocalFiles(portal / "archive")
    source = tmp_path / "lab.mrc"
    (portal / "archive" / breaks.MRC).rename(source)
    entries = [json.loads(line) for line in files.read_bytes(f"{TOMOGRAM}manifest.ndjson").splitlines()]
    known = next(e["sha256"] for e in entries if e["key"] == breaks.MRC)
    for entry in entries:
        if entry["key"] == breaks.MRC:
            entry.update(sha256=None, source=str(source), mtime=source.stat().st_mtime_ns)
    (portal / "archive" / TOMOGRAM / "manifest.ndjson").write_text("".join(json.dumps(e) + "\n" for e in entries))
    assert {f["rule"] for f in doctor.data()["findings"]} == {"manifest.hashed", "document.manifest"}
    code, said = doctor("--hash")
    assert code == 0, said
    assert "Noted the SHA-256 of 1 files" in said
    (entry,) = [e for e in manifest.read(files, TOMOGRAM) if e.key == breaks.MRC]
    assert entry.sha256 == known
    assert doctor.data("--hash")["findings"] == []
    source.write_bytes(source.read_bytes()[:-1] + b"x")
    changed, unlike = doctor.data("--hash")["findings"]
    assert "sha256 differs" in changed["message"]
    assert (unlike["rule"], unlike["where"]) == ("source.unchanged", breaks.MRC)
    assert "is not served" in unlike["message"]


def test_a_source_that_changed_is_not_hashed(archive: Archive, tmp_path: Path) -> None:
    source = tmp_path / "lab.mrc"
    source.write_bytes(b"another")
    archive.entries(TOMOGRAM, lambda found: found[0].update(sha256=None, source=str(source), size=7, mtime=1))
    done = fill(archive.files, [10900])
    assert (done.files, done.datasets, len(done.left)) == (0, (), 1)


# --- check ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path)
    lab.root.mkdir(parents=True)
    lab.add("TS_1")
    real_movies(lab.root, "TS_1")
    return lab


def checked(lab: Lab, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, str]]]:
    lab.save()
    code = run(["check", str(lab.path), "--json", *words])
    return code, json.loads(capsys.readouterr().out)["findings"]


def test_a_good_source_is_clean(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checked(lab, capsys, "--source", str(lab.folder / "source"), "--strict")
    assert code == 0
    assert [f for f in found if f["severity"] != "note"] == []


def test_the_files_of_a_source_are_checked_by_the_doctors_rules(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    folder = lab.root / "TS_1"
    (folder / "frames/TS_1_0.tif").write_bytes(breaks.tiff(9, 6))
    (folder / "frames/TS_1_4.tif").unlink()
    (folder / "TS_1.mdoc").write_text("[T = Tilt axis angle = 5.0]\n" + (folder / "TS_1.mdoc").read_text())
    (folder / "frames/camera.gain").unlink()
    lab.config["gains"] = []
    lab.config["tiltseries"][0]["metadata"]["tilt_range"]["max"] = 45
    code, found = checked(lab, capsys, "--source", str(lab.folder / "source"))
    said = " ".join(f["message"] for f in found)
    assert code == 0
    for rule in ("frames.same_size", "frames.mdoc", "frames.gain", "tiltseries.axis", "tiltseries.tilt_range"):
        assert f"({rule})" in said
    assert all(f["where"].startswith(str(lab.root)) for f in found if "frames." in f["message"])
    assert checked(lab, capsys, "--source", str(lab.folder / "source"), "--strict")[0] == 1
    assert checked(lab, capsys, "--source", str(lab.folder / "source"), "--syntax-only", "--strict") == (0, [])


def test_s24_s31_titles_and_conditions_are_checked_in_the_text(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.config["datasets"][0]["metadata"]["dataset_title"] = "Data"
    other = yaml.safe_load(yaml.safe_dump(lab.config["tiltseries"][0]))
    other["metadata"]["microscope"]["model"] = "Glacios"
    lab.config["tiltseries"].append(other)
    code, found = checked(lab, capsys)
    said = " ".join(f["message"] for f in found)
    assert code == 0
    assert "characters" in said
    assert "2 values of microscope" in said
    assert {f["severity"] for f in found} == {"warning"}


def test_mistakes_of_the_text_are_all_named_with_line_and_path(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    metadata = lab.config["tomograms"][0]["metadata"]
    metadata["procesing"] = metadata.pop("processing")
    metadata["voxel_spacing"] = -3
    code, found = checked(lab, capsys)
    errors = [f for f in found if f["severity"] == "error"]
    assert code == 1
    assert any("did you mean processing" in f["message"] for f in errors)
    assert {"tomograms[0].metadata.voxel_spacing"} <= {f["path"] for f in errors}
    assert all(f["where"].startswith(f"{lab.path}:") for f in errors)
