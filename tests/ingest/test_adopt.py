"""Somebody else's archive becomes part of ours: made by our own ingest, then stripped of everything that is ours."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tomotheca.catalog import collect
from tomotheca.catalog.build import Indexer
from tomotheca.desk.desk import Desk
from tomotheca.doctor import registry
from tomotheca.doctor.examine import Options as DoctorOptions
from tomotheca.doctor.examine import examine
from tomotheca.errors import FindingsError
from tomotheca.ingest.adopt import Adopted, Adoption, Options, adopt, plan
from tomotheca.schema import SCHEMA
from tomotheca.store import documents, layout, manifest, tree
from tomotheca.store.files import LocalFiles
from tomotheca.store.verify import verify

OURS = ("id", "ids", "schema_version", "provenance", "manifest", "last_updated_at")
NOTE = {"seen by": ["a curator", 2.5, None], "ü": {"deep": True}}
NUMBERS = {f"{entity.kind}_id" for entity in SCHEMA} - {"dataset_id", "deposition_id"}
MODES = ("in place", "copy", "same")


@dataclass
class World:
    """A tree to adopt, and an archive of its own to adopt it into."""

    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "theirs"

    @property
    def archive(self) -> Path:
        return self.folder / "ours"

    @property
    def files(self) -> LocalFiles:
        return LocalFiles(self.archive)

    def options(self, mode: Any, **more: Any) -> Options:
        place = self.archive if mode == "same" else self.source
        return Options(LocalFiles(place), str(place), mode, workers=2, **more)

    def adopt(self, mode: Any = "in place", **more: Any) -> Adopted:
        if mode == "same" and not self.archive.exists():
            shutil.copytree(self.source, self.archive)
        with Desk.open(self.folder / "desk.sqlite") as desk:
            return adopt(self.options(mode, **more), files=self.files, desk=desk)

    def plan(self, mode: Any = "in place", **more: Any) -> Adoption:
        with Desk.open(self.folder / "desk.sqlite") as desk:
            return plan(self.options(mode, **more), self.files, desk)

    def refused(self, mode: Any = "in place", **more: Any) -> str:
        before = snapshot(self.archive)
        with pytest.raises(FindingsError) as caught:
            self.adopt(mode, **more)
        assert snapshot(self.archive) == before
        return "\n".join(str(f) for f in caught.value.findings if f.severity == "error")

    def said(self, done: Adopted | Adoption) -> str:
        return "\n".join(str(f) for f in done.findings)

    def edit(self, key: str, **changes: Any) -> None:
        path = self.source / key
        document = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps({k: v for k, v in document.items() if v is not ...}, indent=4, ensure_ascii=False))

    def index(self) -> tuple[Any, ...]:
        with Desk.open(self.folder / "desk.sqlite") as desk:
            return Indexer(self.files, desk, f"sqlite:///{self.folder / 'catalog.sqlite'}").rebuild().findings

    def doctor(self) -> list[str]:
        with Desk.open(self.folder / "desk.sqlite") as desk:
            marks = desk.high_water()
        found = examine(self.files, DoctorOptions(registry.select(), marks=marks, thorough=True))
        return sorted(f"{p.rule} {p.where}" for p in found.problems if p.rule != "manifest.hashed")


def snapshot(folder: Path) -> dict[str, bytes]:
    if not folder.exists():
        return {}
    found = (p for p in sorted(folder.rglob("*")) if p.is_file() and ".tomotheca" not in p.parts)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def strip(folder: Path) -> None:
    """Make an archive look as if somebody else's program had made it."""
    files = LocalFiles(folder)
    keys = [layout.Deposition(n).document for n in tree.depositions(files)]
    keys += [key for n in tree.datasets(files) for _, key in tree.documents(files, n)]
    shutil.rmtree(folder / layout.INTERNAL)
    for path in [*folder.rglob(layout.MANIFEST)]:
        path.unlink()
    for path in [*folder.rglob(layout.MEMBERS)]:
        shutil.rmtree(path)
    for key in keys:
        document = {k: v for k, v in json.loads((folder / key).read_text()).items() if k not in OURS}
        (folder / key).write_text(json.dumps({**document, "note": NOTE}, indent=4, ensure_ascii=False))


@pytest.fixture
def made(lab: Any) -> Any:
    lab.add("TS_2")
    lab.ingest()
    return lab


@pytest.fixture
def world(made: Any, tmp_path: Path) -> World:
    found = World(tmp_path / "world")
    shutil.copytree(made.archive, found.source)
    strip(found.source)
    return found


def rows(files: LocalFiles, *, numbers: bool = False) -> dict[str, list[Any]]:
    """Give the rows of everything; without the identifiers that were given here, and sizes that count documents, unless asked for."""
    units = [collect.dataset(SCHEMA, files, n) for n in tree.datasets(files)]
    units += [collect.deposition(SCHEMA, files, n) for n in tree.depositions(files)]
    found: dict[str, list[Any]] = {}
    for unit in units:
        assert unit.findings == ()
        for kind, some in unit.rows.items():
            own = {"dataset": {"file_size"}, "deposition": set[str]()}.get(kind, {"id"})
            found.setdefault(kind, []).extend(
                {k: v for k, v in row.items() if numbers or k not in NUMBERS | own} for row in some
            )
    return found


def listed(files: LocalFiles) -> dict[str, tuple[Any, ...]]:
    folders = {layout.manifest_folder(k) for n in tree.datasets(files) for _, k in tree.documents(files, n)}
    found = (e for folder in folders for e in manifest.read(files, folder))
    return {e.key: (e.size, e.sha256, e.media_type, e.role, e.members, e.deposition) for e in found}


@pytest.mark.parametrize("mode", MODES)
def test_rows_and_files_are_those_of_the_archive_that_it_was(made: Any, world: World, mode: str) -> None:
    before = snapshot(world.source)
    done = world.adopt(mode)
    assert done.findings == ()
    assert done.written == len(made.documents())
    assert snapshot(world.source) == before
    assert rows(world.files) == rows(made.files)
    assert listed(world.files) == listed(made.files)
    for key, entry in (
        (k, e) for k in listed(world.files) for e in manifest.read(world.files, layout.manifest_folder(k))
    ):
        assert verify(world.files, entry, thorough=True) is None, key
    for name in before:
        if name.endswith(".json") and ".zarr" not in name and (world.archive / name).exists():
            theirs, ours = json.loads(before[name]), json.loads((world.archive / name).read_text())
            assert ours == theirs or {k: v for k, v in ours.items() if k not in OURS} == theirs
    assert world.index() == ()
    problems = examine(made.files, DoctorOptions(registry.select(), thorough=True)).problems
    assert world.doctor() == sorted(f"{p.rule} {p.where}" for p in problems if p.rule != "identifier.mark")
    copied = {p.suffix for p in world.archive.rglob("*") if p.is_file() and p.suffix in {".mrc", ".tif"}}
    assert copied == (set() if mode == "in place" else {".mrc", ".tif"})


@pytest.mark.parametrize("mode", MODES)
def test_a_second_time_nothing_is_written(world: World, mode: str) -> None:
    world.adopt(mode)
    before = {p: p.stat().st_mtime_ns for p in world.archive.rglob("*") if p.is_file() and p.name != "lock"}
    again = world.adopt(mode)
    assert (again.written, again.copied) == (0, 0)
    assert {p: p.stat().st_mtime_ns for p in world.archive.rglob("*") if p.is_file() and p.name != "lock"} == before


@pytest.mark.parametrize("mode", ["copy", "same"])
def test_with_identifiers_documents_stay_byte_for_byte(made: Any, tmp_path: Path, mode: str) -> None:
    world = World(tmp_path / "world")
    shutil.copytree(made.archive, world.source)
    done = world.adopt(mode)
    assert done.findings == ()
    assert snapshot(world.archive) == snapshot(world.source)
    assert rows(world.files, numbers=True) == rows(made.files, numbers=True)
    assert world.adopt(mode).written == 0
    with Desk.open(world.folder / "desk.sqlite") as desk:
        highest = documents.highest_ids(made.files)
        assert all(
            desk.reserve(kind)[0] > number for kind, number in highest.items() if kind not in {"dataset", "deposition"}
        )


def test_identifiers_stay_when_the_tree_changes(world: World) -> None:
    world.adopt()
    before = rows(world.files, numbers=True)
    key = next(k for _, k in tree.documents(world.files, 10900) if "Annotations" in k)
    world.edit(key, annotation_method="by eye")
    volume = next(world.source.rglob("Tomograms/100/*.mrc"))
    volume.write_bytes(volume.read_bytes() + b"more")
    done = world.adopt()
    assert done.written == 2
    after = rows(world.files, numbers=True)
    assert [r["id"] for r in after["annotation"]] == [r["id"] for r in before["annotation"]]
    assert "by eye" in {r["annotation_method"] for r in after["annotation"]}
    assert world.index() == ()


def test_a_plan_writes_nothing(world: World) -> None:
    planned = world.plan()
    assert (planned.datasets, planned.depositions) == ((10900,), (10400,))
    assert planned.given["run"] == 2
    assert planned.files > 20
    assert not world.archive.exists()
    assert planned.given == {k: v for k, v in planned.given.items() if v}


def test_what_does_not_fit_is_named_and_left_out(world: World) -> None:
    (world.source / "10901").mkdir()
    (world.source / "10901" / "readme.txt").write_text("nothing")
    (world.source / "notes.txt").write_text("mine")
    run = world.source / "10900" / "TS_1"
    next(run.glob("TiltSeries/100/*.mrc")).unlink()
    broken = next(run.rglob("Annotations/101/*.json"))
    broken.write_text("{")
    (run / "Reconstructions/VoxelSpacing10.000/Annotations/100").joinpath("leads_out").symlink_to(world.folder)
    (run / "Alignments/200").mkdir()
    (run / "Alignments/200/TS_1.xf").write_text("1 0 0 1 0 0\n")
    (world.source / "10900/TS_2/run_metadata.json").unlink()
    said = world.said(world.adopt())
    assert "10901/: left out: there is no 10901/dataset_metadata.json" in said
    assert "notes.txt" in said
    assert "it names 10900/TS_1/TiltSeries/100/TS_1.mrc, which is not there" in said
    assert f"{broken.relative_to(world.source)}: left out: not JSON" in said
    assert "10900/TS_1/Alignments/200/TS_1.xf: left out: there is no document in 10900/TS_1/Alignments/200/" in said
    assert "10900/TS_2/" in said
    assert "no document in 10900/TS_2/" in said
    assert world.index() == ()
    assert [run.name for run in tree.runs(world.files, 10900)] == ["TS_1"]


def test_rows_that_cannot_be_made(world: World) -> None:
    run = "10900/TS_1/"
    key = next(k for _, k in tree.documents(LocalFiles(world.source), 10900) if k.startswith(run) and "Tomograms" in k)
    authors = json.loads((world.source / key).read_text())["authors"]
    world.edit(key, authors=[*authors, *authors])
    note = next(
        k for _, k in tree.documents(LocalFiles(world.source), 10900) if k.startswith(run) and "Annotations/100" in k
    )
    world.edit(note, annotation_object=...)
    said = world.said(world.adopt())
    assert f"{key}: left out: tomogram author '0000-0002-1825-0097' stands twice in it" in said
    assert f"{note}: left out: " in said
    assert world.index() == ()


def test_sections_without_frames_have_them_made(world: World) -> None:
    shutil.rmtree(world.source / "10900/TS_1/Frames")
    world.edit("10900/TS_2/Frames/frames_metadata.json", frames=[])
    assert world.adopt().findings == ()
    assert world.index() == ()
    found = rows(world.files)
    assert len(found["frame"]) == 10
    assert {row["s3_frame_path"] for row in found["frame"]} == {None}
    assert world.adopt().written == 0


def test_numbers_that_are_taken(made: Any, world: World) -> None:
    shutil.copytree(made.archive, world.archive)
    world.edit("10900/dataset_metadata.json", dataset_title="Something else")
    said = world.refused()
    assert "10900/dataset_metadata.json" in said
    assert "the archive has another dataset 10900" in said
    assert "tomotheca remove DS-10900" in said


def test_one_number_for_two_things(made: Any, world: World) -> None:
    keys = [k for _, k in tree.documents(LocalFiles(world.source), 10900) if "Tomograms" in k]
    for key in keys:
        world.edit(key, id=7)
    said = world.refused()
    assert f"{keys[1]}: tomogram 7 is the number of something in {keys[0]} too" in said
    world.edit(keys[1], id=8)
    world.adopt()
    assert [row["id"] for row in rows(world.files, numbers=True)["tomogram"]] == [7, 8]
    world.edit(keys[1], id=9)
    assert f"it gives its row the number 9, and the archive's {keys[1]} has 8 for it" in world.refused()
    world.edit(keys[1], id="nine")
    assert "identifier 'nine', which is no number" in world.said(world.adopt())


def test_what_was_removed_does_not_come_back(world: World) -> None:
    with Desk.open(world.folder / "desk.sqlite") as desk:
        desk.bury("tomogram", 7, "a tomogram", "wrong")
        desk.bury("dataset", 10900, "a dataset", "wrong")
    key = next(k for _, k in tree.documents(LocalFiles(world.source), 10900) if "Tomograms" in k)
    assert "dataset 10900 was removed" in world.refused()
    with Desk.open(world.folder / "other.sqlite") as desk:
        desk.bury("tomogram", 7, "a tomogram", "wrong")
    (world.folder / "other.sqlite").rename(world.folder / "desk.sqlite")
    for path in world.folder.glob("desk.sqlite-*"):
        path.unlink()
    world.edit(key, id=7)
    assert f"{key}: tomogram 7 was removed" in world.refused()


def test_a_loaded_dump_with_the_same_numbers(world: World) -> None:
    key = next(k for _, k in tree.documents(LocalFiles(world.source), 10900) if "Tomograms" in k)
    world.edit(key, id=7)
    said = world.refused(loaded={"dataset": {10900}, "tomogram": {7}})
    assert "dataset 10900 is that of a loaded dump too" in said
    assert "tomogram 7 is the number of something in a loaded dump too" in world.refused(loaded={"tomogram": {7}})


@pytest.mark.parametrize("mode", ["copy", "same"])
def test_files_that_are_not_what_their_manifest_says(made: Any, tmp_path: Path, mode: str) -> None:
    world = World(tmp_path / "world")
    shutil.copytree(made.archive, world.source)
    volume = next(world.source.rglob("TS_1/Reconstructions/*/Tomograms/100/*.mrc"))
    volume.write_bytes(b"\0" * (volume.stat().st_size + 1))
    done = world.adopt(mode)
    key = volume.relative_to(world.source).as_posix()
    assert f"not adopted: {key} is not what the manifest beside it says" in world.said(done)
    assert done.failed


def test_killed_at_random_moments(world: World) -> None:
    script = f"""
from pathlib import Path
from tests.ingest.test_adopt import World
print("go", flush=True)
World(Path({str(world.folder)!r})).adopt("copy")
"""
    moments = random.Random(seed := random.randrange(1 << 32))
    for _ in range(int(os.environ.get("TOMOTHECA_KILLS", "5"))):
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(moments.uniform(0, 0.6))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert world.index() == (), f"seed {seed}"
    done = world.adopt("copy")
    assert done.findings == ()
    assert not list(world.archive.rglob(".tmp-*"))
    assert world.index() == ()
    assert world.adopt("copy").written == 0
    numbers = [row["id"] for row in rows(world.files, numbers=True)["annotation"]]
    assert len(set(numbers)) == len(numbers) == 6


def test_a_deposition_that_nobody_describes(world: World) -> None:
    shutil.rmtree(world.source / "depositions_metadata")
    done = world.adopt()
    assert "it names deposition 10400, which has no document here" in world.said(done)
    assert done.datasets == (10900,)


def test_two_trees_with_one_deposition(world: World) -> None:
    other = replace(world, folder=world.folder)
    world.adopt()
    second = world.folder / "second"
    shutil.copytree(world.source / "depositions_metadata", second / "depositions_metadata")
    options = Options(LocalFiles(second), str(second), "in place")
    with Desk.open(other.folder / "desk.sqlite") as desk:
        assert adopt(options, files=world.files, desk=desk).findings == ()
    path = second / "depositions_metadata/10400/deposition_metadata.json"
    path.write_text(path.read_text().replace("A deposition", "Another"))
    third = world.folder / "third"
    shutil.copytree(second, third)
    with (
        Desk.open(other.folder / "desk.sqlite") as desk,
        pytest.raises(FindingsError, match="another deposition 10400"),
    ):
        adopt(Options(LocalFiles(third), str(third), "in place"), files=world.files, desk=desk)
