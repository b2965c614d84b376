"""Room is asked for before anything is written; files with holes stand for what no disk here holds."""

import os
import shutil
from typing import Any

import numpy as np
import pytest

from tomotheca.errors import StorageError
from tomotheca.formats import mrc
from tomotheca.ingest import space
from tomotheca.ingest.plan import plan


def grow(lab: Any, size: int) -> None:
    """Make the movies of the first run as large together; their holes take no room."""
    movies = sorted((lab.root / "TS_1/frames").glob("*.tif"))
    for movie in movies:
        os.truncate(movie, size // len(movies))


def room(lab: Any) -> int:
    return shutil.disk_usage(lab.root).free


def test_what_does_not_fit_is_said_before_anything_is_written(lab: Any) -> None:
    grow(lab, room(lab) + (4 << 30))
    with pytest.raises(StorageError, match=r"GiB are free, and at least [\d.]+ GiB are needed: make room") as caught:
        lab.ingest()
    assert "\n" not in str(caught.value)
    assert not [p for p in lab.archive.rglob("*") if p.is_file() and p.name != "lock" and ".tomotheca" not in p.parts]


def test_what_has_changed_needs_room_again(lab: Any) -> None:
    lab.ingest()
    before = lab.snapshot()
    grow(lab, room(lab) + (4 << 30))
    with pytest.raises(StorageError, match="make room"):
        lab.ingest()
    assert lab.snapshot() == before


def test_an_image_beside_its_mrc_file_may_not_fit(lab: Any) -> None:
    """Half of the room for an MRC file and more: its image may be smaller, so it is tried."""
    path = lab.root / "tomograms/TS_1.rec"
    header = mrc.read_header(path)
    assert header.voxel_size[0] > 0
    free = room(lab)
    edge = int((free * 0.6 / 4 / 1024) ** 0.5)
    raw = bytearray(path.read_bytes()[:1024])
    raw[:12] = np.array([edge, edge, 1024], "<i4").tobytes()
    raw[28:40] = raw[:12]
    raw[40:52] = (10.0 * np.array([edge, edge, 1024], "<f4")).tobytes()
    path.write_bytes(raw[:1024])
    os.truncate(path, 1024 + header.nsymbt + 4 * edge * edge * 1024)
    steps = plan(lab.options(), lab.files).steps
    (finding,) = space.ask(lab.files, steps)
    assert finding.severity == "warning"
    assert "about" in finding.message
