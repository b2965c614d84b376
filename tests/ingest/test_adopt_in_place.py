"""Adopted files that stay in their place: hashed now or later, and compared with what was written down of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.ingest.test_adopt import World, listed, rows, strip
from tests.ingest.test_objects_and_additions import objects

from tomotheca.doctor.hashing import fill
from tomotheca.ingest.inplace import Staying
from tomotheca.store import documents, layout, manifest
from tomotheca.store.verify import verify

RUN = "10900/TS_1/Reconstructions/VoxelSpacing10.000/"


@pytest.fixture
def world(lab: Any, tmp_path: Path) -> World:
    objects(lab)
    lab.ingest()
    found = World(tmp_path / "world")
    shutil.copytree(lab.archive, found.source)
    strip(found.source)
    return found


def test_without_hashing_the_doctor_does_it_later(world: World) -> None:
    done = world.adopt(hashed=False)
    assert done.findings == ()
    bare = [k for k, found in listed(world.files).items() if found[1] is None]
    assert any(k.endswith(".mrc") for k in bare)
    assert any(k.endswith(".zarr/") for k in bare)
    assert world.adopt(hashed=False).written == 0
    assert world.index() == ()
    before = world.doctor()
    done_later = fill(world.files, [10900])
    assert done_later.left == ()
    hashed = listed(world.files)
    assert not [k for k, found in hashed.items() if found[1] is None]
    assert world.doctor() == before
    full = world.adopt()
    assert full.findings == ()
    assert listed(world.files) == hashed


def test_volumes_that_stay_are_compared_with_their_lists(world: World) -> None:
    world.adopt()
    chunk = next(world.source.rglob("Tomograms/100/TS_1.zarr/0/0/0/0"))
    [array] = [e for e in manifest.read(world.files, f"{RUN}Tomograms/100/") if e.members is not None]
    assert verify(world.files, array, thorough=True) is None
    state, data = chunk.stat(), chunk.read_bytes()
    chunk.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(chunk, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert verify(world.files, array) is None
    assert "sha256 differs" in str(verify(world.files, array, thorough=True))
    chunk.write_bytes(data[:-1])
    assert "size differs" in str(verify(world.files, array))
    chunk.unlink()
    assert "missing" in str(verify(world.files, array))


def test_lists_of_objects_come_with_their_documents(lab: Any, world: World) -> None:
    world.adopt()
    assert rows(world.files)["identified_object"] == rows(lab.files)["identified_object"]
    key = layout.Run(10900, "TS_1").identified_objects
    assert world.files.read_bytes(key) == (world.source / key).read_bytes()


def test_volumes_that_stay_where_they_are_go_on_doing_so(lab: Any, tmp_path: Path) -> None:
    """An archive with volumes in place is adopted where it is; elsewhere it is only half of what is needed."""
    assert not lab.ingest(staying=Staying()).failed
    world = World(tmp_path / "world")
    shutil.copytree(lab.archive, world.archive)
    before = listed(world.files)
    assert world.adopt("same").findings == ()
    assert listed(world.files) == before
    assert world.index() == ()
    shutil.copytree(lab.archive, world.source)
    other = World(tmp_path / "other")
    shutil.copytree(lab.archive, other.source)
    done = other.adopt("copy")
    assert "are not all in the folder but in" in other.said(done)
    assert done.failed
    assert other.index() == ()


def test_a_document_of_ours_that_lost_its_identifiers(lab: Any, tmp_path: Path) -> None:
    """Where half of the documents have identifiers, the others get new ones."""
    lab.add("TS_2").ingest()
    world = World(tmp_path / "world")
    shutil.copytree(lab.archive, world.source)
    key = f"{RUN}Tomograms/100/tomogram_metadata.json"
    taken = lab.read(key)["id"]
    world.edit(key, id=..., ids=...)
    world.adopt()
    again = documents.read(world.files, key)
    assert again["id"] > max(row["id"] for row in rows(lab.files, numbers=True)["tomogram"])
    assert again["id"] != taken
    assert world.index() == ()
