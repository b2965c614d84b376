"""What an edit of a configuration no longer produces goes; what a missing source no longer gives stays."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tomotheca.catalog.build import Indexer
from tomotheca.desk.desk import Desk
from tomotheca.ingest import removal
from tomotheca.ingest.plan import plan
from tomotheca.ingest.run import ingest
from tomotheca.store import documents, layout, tree
from tomotheca.store.files import LocalFiles

ANNOTATIONS = "10900/TS_1/Reconstructions/VoxelSpacing10.000/Annotations/"


class DeathError(Exception):
    """The process ends here."""


class Mortal(LocalFiles):
    """An archive whose process dies at a given change of a file or folder, before or in the middle of it."""

    def __init__(self, root: Path, life: int) -> None:
        super().__init__(root)
        self.life = life

    def _lives(self) -> None:
        self.life -= 1
        if self.life < 0:
            raise DeathError

    @contextmanager
    def stage(self, key: str) -> Iterator[Path]:
        self._lives()
        with super().stage(key) as path:
            yield path

    def remove(self, key: str) -> None:
        self._lives()
        super().remove(key)


STRIDE = int(os.environ.get("TOMOTHECA_STRIDE", "6"))
"""Every how many steps a removal dies; 1 tries them all."""


def findings(lab: Any) -> tuple[Any, ...]:
    with Desk.open(lab.folder / "desk.sqlite") as desk:
        return Indexer(lab.files, desk, f"sqlite:///{lab.folder / 'catalog.sqlite'}").rebuild().findings


def test_an_annotation_that_is_taken_out_goes_with_its_files(lab: Any) -> None:
    lab.ingest()
    before = lab.identifiers()
    gone = lab.config["annotations"].pop(0)
    assert gone["metadata"]["annotation_ingest_id"] == "ribosome-1"
    planned = plan(lab.options(), lab.files)
    assert [g.kind for g in planned.stale.goes] == ["annotation"]
    assert planned.stale.goes[0].files > 0
    assert lab.identifiers() == before, "planning writes nothing"

    assert lab.ingest(keep=True).removed.documents == 0
    result = lab.ingest()
    assert result.removed.documents == 1
    after = lab.identifiers()
    lost = set(before) - set(after)
    assert len(lost) == 1
    assert all(after[key] == before[key] for key in after if "/Annotations/" in key or "/Tomograms/" in key)
    folder = next(iter(lost)).rpartition("/")[0]
    assert not (lab.archive / folder).exists()
    with Desk.open(lab.folder / "desk.sqlite") as desk:
        grave = desk.tombstone("annotation", before[next(iter(lost))][0])
        assert grave is not None
        assert "config.yaml" in grave.reason
        actions = [d.action for d in desk.audit.all("dataset", 10900)]
    assert actions.count("remove") == 1
    assert findings(lab) == ()
    snapshot = lab.snapshot()
    again = lab.ingest()
    assert (again.written, again.removed.documents) == (0, 0)
    assert lab.snapshot() == snapshot
    lab.config["annotations"].insert(0, gone)
    lab.ingest()
    assert before[next(iter(lost))][0] not in {n for k, (n, _) in lab.identifiers().items() if "/Annotations/" in k}


def test_an_excluded_run_goes_and_a_missing_one_stays(lab: Any) -> None:
    lab.add("TS_2", "TS_3")
    lab.ingest()
    shutil.move(lab.root / "TS_3", lab.folder / "away")
    lab.config["runs"][0]["sources"][0]["exclude"] = ["TS_2"]
    result = lab.ingest()
    assert [r.name for r in tree.runs(lab.files, 10900)] == ["TS_1", "TS_3"]
    assert not (lab.archive / "10900/TS_2").exists()
    assert any("TS_3" in f.message and "missing" in f.message for f in result.findings if f.severity == "warning")
    assert findings(lab) == ()


def test_a_missing_file_removes_nothing(lab: Any) -> None:
    lab.add("TS_2")
    lab.ingest()
    before = set(lab.documents())
    (lab.root / "picks" / "TS_2.csv").unlink()
    (lab.root / "tomograms" / "TS_2.rec").unlink()
    result = lab.ingest()
    assert result.removed.documents == 0
    assert set(lab.documents()) >= before


def test_the_last_of_a_voxel_spacing_takes_it_along(lab: Any) -> None:
    lab.ingest()
    del lab.config["annotations"]
    del lab.config["tomograms"]
    lab.config["voxel_spacings"] = [{"sources": [{"literal": {"value": [10.0]}}]}]
    result = lab.ingest()
    assert result.removed.documents >= 4
    assert not (lab.archive / "10900/TS_1/Reconstructions").exists()
    assert "tomogram_voxel_spacing" not in lab.read(layout.Run(10900, "TS_1").document)["ids"]
    assert findings(lab) == ()
    assert lab.ingest().written == 0


def test_another_configuration_of_the_deposition_is_left_alone(lab: Any) -> None:
    lab.ingest()
    before = set(lab.documents())
    first = lab.path.read_text()
    other = lab.folder / "other.yaml"
    lab.config["annotations"] = lab.config["annotations"][:1]
    lab.config["annotations"][0]["metadata"]["annotation_ingest_id"] = "another-9"
    lab.save()
    shutil.move(lab.path, other)
    lab.path.write_text(first)

    options = replace(lab.options(), config=other)
    lab.path.write_text(first)
    with Desk.open(lab.folder / "desk.sqlite") as desk:
        assert ingest(options, files=lab.files, desk=desk).removed.documents == 0
    assert set(lab.documents()) > before


def test_folders_that_are_not_mounted_leave_their_run_alone(lab: Any) -> None:
    lab.add("TS_2")
    lab.ingest()
    before = {k: v for k, v in lab.snapshot().items() if "/TS_2/" in k}
    shutil.move(lab.root / "TS_2" / "frames", lab.folder / "away")
    result = lab.ingest()
    assert any("TS_2" in f.message and "mount" in f.message for f in result.findings)
    assert {k: v for k, v in lab.snapshot().items() if "/TS_2/" in k} == before
    shutil.move(lab.folder / "away", lab.root / "TS_2" / "frames")
    assert lab.ingest().written == 0
    shutil.rmtree(lab.root / "TS_2" / "frames")
    assert lab.ingest(force=True).written > 0
    assert not list((lab.archive / "10900/TS_2/Frames").glob("*.tif"))


def test_an_annotation_that_has_nothing_now_goes(lab: Any) -> None:
    lab.ingest()
    membrane = next(k for k, d in lab.documents().items() if d.get("annotation_ingest_id") == "membrane-1")
    lab.config["annotations"][2]["sources"][0]["SemanticSegmentationMask"]["mask_label"] = 7
    lab.ingest(keep=True)
    assert (lab.archive / membrane).exists()
    assert lab.ingest().removed.documents == 1
    assert not (lab.archive / membrane).parent.exists()
    assert findings(lab) == ()


def test_dying_at_every_single_step(lab: Any) -> None:
    lab.add("TS_2")
    lab.ingest()
    whole, desk_file = lab.folder / "whole", lab.folder / "whole.sqlite"
    shutil.copytree(lab.archive, whole)
    shutil.copy(lab.folder / "desk.sqlite", desk_file)
    finished: dict[str, Any] = {}
    for life in range(0, 200, STRIDE):
        shutil.rmtree(lab.archive)
        shutil.copytree(whole, lab.archive)
        shutil.copy(desk_file, lab.folder / "desk.sqlite")
        files = Mortal(lab.archive, life)
        tomograms = [
            p for p in removal.read(files, tree.documents(files, 10900)) if p.kind in {"tomogram", "annotation"}
        ]
        gone = [*(p for p in tomograms if p.place.run == "TS_2"), *_run(files, "TS_1")]
        with Desk.open(lab.folder / "desk.sqlite") as desk:
            try:
                removal.remove(files, desk, gone, removal.Why("remove", "a test"))
            except DeathError:
                pass
            else:
                assert life > 8
                assert set(lab.documents()) == set(finished)
                assert [r.name for r in tree.runs(lab.files, 10900)] == ["TS_2"]
                assert not (lab.archive / "10900/TS_2/Reconstructions").exists()
                assert findings(lab) == ()
                assert len(desk.tombstones()) == 7 + 4 + 2
                return
        assert [f for f in findings(lab) if f.severity == "error"] == [], f"dead after {life} steps"
        decided = (
            bool(documents.read(files, layout.REMOVAL).get("documents")) if files.exists(layout.REMOVAL) else False
        )
        with Desk.open(lab.folder / "desk.sqlite") as desk:
            removal.finish(lab.files, desk)
        now = lab.documents()
        if decided:
            finished = now
            assert not list(lab.archive.rglob(".tmp-*"))
        else:
            assert len(now) == 18 or set(now) == set(finished)
    pytest.fail("a removal has less than two hundred steps")


def _run(files: LocalFiles, name: str) -> list[removal.Paper]:
    return list(removal.read(files, tree.run_documents(files, layout.Run(10900, name))))
