"""A disk that is full and a source that goes away: the old state or the new one, a sentence, and doing it again completes it."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import clean

from tomotheca.desk.desk import Desk
from tomotheca.ingest.progress import Silent
from tomotheca.ingest.run import ingest
from tomotheca.store import documents, layout, manifest, tree
from tomotheca.store.verify import verify


def tomotheca(
    lab: Any, root: Path, *words: str, limit: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "tomotheca",
        "ingest",
        str(lab.save()),
        "--source",
        str(lab.folder / "source"),
        "--root",
        str(root),
        *words,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean(), preexec_fn=limit)


def whole(archive: Path) -> set[str]:
    """Check what is there: every document reads, every file is as its manifest says; give the keys of the documents."""
    from tomotheca.store.files import LocalFiles

    files = LocalFiles(archive)
    found = [key for dataset in tree.datasets(files) for _, key in tree.documents(files, dataset)]
    for key in found:
        assert documents.read(files, key)
    for folder in {layout.manifest_folder(key) for key in found}:
        assert [f for e in manifest.read(files, folder) if (f := verify(files, e, thorough=True))] == []
    return set(found)


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """Check that a command has failed with sentences, and give the last one."""
    assert done.returncode != 0
    assert "Traceback" not in done.stderr, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith(("tomotheca:", "error:"))]
    assert said, done.stderr
    return " ".join(done.stderr.split())


@pytest.fixture
def small(lab: Any) -> Iterator[Path]:
    """A file system of a few mebibytes."""
    place = lab.folder / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here: the limit of file sizes is tested instead")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(place: Path, left: int) -> Path:
    """Leave only so many bytes of a file system."""
    status = os.statvfs(place)
    path = place / "filler"
    path.write_bytes(bytes(status.f_bavail * status.f_frsize - left))
    return path


@pytest.mark.parametrize("left", [90_000, 500_000])
def test_a_disk_that_is_full(lab: Any, small: Path, left: int) -> None:
    filler = fill(small, left)
    assert "disk is full" in sentence(tomotheca(lab, small / "root"))
    if (small / "root/archive").is_dir():
        whole(small / "root/archive")
    filler.unlink()
    done = tomotheca(lab, small / "root")
    assert done.returncode == 0, done.stderr
    assert len(whole(small / "root/archive")) == 1 + 8
    assert not [p for p in (small / "root").rglob("*") if p.name.startswith(".tmp-")]


def test_an_edit_on_a_disk_that_is_full(lab: Any, small: Path) -> None:
    assert tomotheca(lab, small / "root").returncode == 0
    files = [p for p in (small / "root/archive").rglob("*") if p.is_file() and "Annotations" in p.parts]
    before = {p: p.read_bytes() for p in files}
    lab.config["annotations"][0]["metadata"]["version"] = 2.0
    (lab.root / "picks/TS_1.csv").write_text("1,2,3\n" * 200_000)
    filler = fill(small, 300_000)
    assert "disk is full" in sentence(tomotheca(lab, small / "root"))
    assert {p: p.read_bytes() for p in before} == before
    assert len(whole(small / "root/archive")) == 1 + 8
    filler.unlink()


@pytest.mark.parametrize("most", [1, 6000])
def test_files_that_may_not_grow(lab: Any, tmp_path: Path, most: int) -> None:
    """The archive's own notes fit, a volume does not: as where a quota ends."""
    root = tmp_path / "root"
    first = tomotheca(lab, root, "--only", "depositions,datasets")
    assert first.returncode == 0, first.stderr
    said = sentence(
        tomotheca(lab, root, "--no-index", limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    )
    assert said
    whole(root / "archive")
    assert tomotheca(lab, root).returncode == 0
    assert len(whole(root / "archive")) == 1 + 8


@pytest.mark.parametrize(("steps", "count"), [(0, 1), (3, 1), (2, 2)])
def test_a_source_that_goes_away(lab: Any, steps: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomotheca.ingest.workers.WORTH_A_PROCESS", 0)

    class Unmount(Silent):
        """Takes the source away after so many steps."""

        def __init__(self, left: int) -> None:
            self.left = left

        def done(self, name: str, size: int, seconds: float) -> None:
            self.left -= 1
            if self.left == 0:
                (lab.folder / "source").rename(lab.folder / "elsewhere")

        def start(self, steps: int, size: int) -> None:
            if self.left == 0:
                (lab.folder / "source").rename(lab.folder / "elsewhere")

    with Desk.open(lab.folder / "desk.sqlite") as desk:
        result = ingest(lab.options(workers=count), files=lab.files, desk=desk, progress=Unmount(steps))
    errors = [f for f in result.findings if f.severity == "error"]
    assert result.failed
    assert errors
    assert all("\n" not in f.message and "Traceback" not in f.message for f in errors)
    whole(lab.archive)
    (lab.folder / "elsewhere").rename(lab.folder / "source")
    assert not lab.ingest().failed
    assert len(whole(lab.archive)) == 1 + 8
    before = lab.snapshot()
    shutil.move(lab.folder / "source", lab.folder / "elsewhere")
    done = tomotheca(lab, lab.folder, "--no-index")
    assert "is no folder" in sentence(done)
    assert lab.snapshot() == before
