"""`--verify` reads everything again; without it size and time are believed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tomotheca.store import documents, layout, manifest, tree
from tomotheca.store.verify import verify


def spoil(path: Path) -> None:
    """Change one byte in the middle, and nothing that a listing shows."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def whole(lab: Any) -> bool:
    folders = {layout.manifest_folder(k) for _, k in tree.documents(lab.files, 10900)}
    return all(verify(lab.files, e, thorough=True) is None for f in folders for e in manifest.read(lab.files, f))


def test_nothing_is_written_when_all_is_as_it_was(lab: Any) -> None:
    lab.ingest()
    before = lab.snapshot()
    done = lab.ingest(verify=True)
    assert (done.written, done.bytes, done.findings) == (0, 0, lab.ingest().findings)
    assert lab.snapshot() == before


@pytest.mark.parametrize(
    "found",
    ["TiltSeries/100/TS_1.mrc", "Reconstructions/*/Tomograms/100/TS_1.zarr/0/0/0/0", "Reconstructions/*/Annotations/100/*.ndjson", "Frames/TS_1_0.tif", "Alignments/100/TS_1.xf"],
)  # fmt: skip
def test_a_spoilt_file_of_the_archive_is_made_again(lab: Any, found: str) -> None:
    lab.ingest()
    before = lab.snapshot()
    path = next((lab.archive / "10900/TS_1").glob(found))
    spoil(path)
    assert lab.ingest().bytes == 0
    assert not whole(lab)
    done = lab.ingest(verify=True, workers=2)
    assert any(
        path.relative_to(lab.archive).as_posix() in f.where and "it is done again" in f.message for f in done.findings
    )
    assert not done.failed
    assert done.bytes > 0
    assert whole(lab)
    assert {k: v[1] for k, v in lab.snapshot().items()} == {k: v[1] for k, v in before.items()}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("tomograms/TS_1.rec", "Tomograms"),
        ("picks/TS_1.csv", "Annotations"),
        ("TS_1/frames/TS_1_0.tif", "run_metadata"),
    ],
)
def test_a_source_that_changed_secretly_is_taken_in_again(lab: Any, name: str, key: str) -> None:
    lab.ingest()
    path = lab.root / name
    before = path.stat()
    data = path.read_bytes()
    path.write_bytes(data[:-2] + (b"9\n" if data.endswith(b"\n") else b"\1\2"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert lab.ingest().written == 0
    done = lab.ingest(verify=True)
    assert done.written >= 1
    assert [f.where for f in done.findings if "other content" in f.message] == [str(path)]
    written = [k for _, k in tree.documents(lab.files, 10900) if key in k]
    assert any(name in str(documents.read(lab.files, k)["provenance"]) for k in written)
    assert whole(lab)
    assert lab.ingest(verify=True).written == 0


def test_identifiers_stay(lab: Any) -> None:
    lab.ingest()
    before = lab.identifiers()
    spoil(next(lab.archive.rglob("Tomograms/100/TS_1.mrc")))
    lab.ingest(verify=True)
    assert lab.identifiers() == before
