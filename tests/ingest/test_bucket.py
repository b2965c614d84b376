"""Ingest into a real object store gives the archive that ingest into a folder gives, and nothing of a volume is on this disk."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import seaweed

from tomotheca.catalog.build import Indexer
from tomotheca.desk.desk import Desk
from tomotheca.doctor import registry
from tomotheca.doctor.examine import Options, examine
from tomotheca.errors import StorageError
from tomotheca.formats import mrc
from tomotheca.ingest import adopt
from tomotheca.ingest.run import IngestResult, ingest
from tomotheca.store import layout, manifest, tree
from tomotheca.store.files import LocalFiles
from tomotheca.store.objects import ObjectFiles
from tomotheca.store.verify import verify


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweed.Seaweed]:
    with seaweed.running(tmp_path_factory.mktemp("seaweed")) as found:
        yield found


@pytest.fixture
def bucket(store: seaweed.Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectFiles:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    name = f"b{abs(hash(str(tmp_path))) % 10**9}"
    store.client.create_bucket(Bucket=name)
    return ObjectFiles(f"s3://{name}/an archive", endpoint=store.endpoint, lock_folder=tmp_path / "state")


def take_in(lab: Any, files: ObjectFiles, **more: Any) -> IngestResult:
    with Desk.open(lab.folder / "far.sqlite") as desk:
        return ingest(lab.options(**more), files=files, desk=desk)


def content(files: Any) -> dict[str, Any]:
    """Give everything that is there; of documents what does not depend on the moment."""
    found: dict[str, Any] = {}
    for key, _ in files.stats():
        data = files.read_bytes(key)
        if key.endswith(".json") and not layout.array_key(key) and b'"last_updated_at"' in data:
            found[key] = {**json.loads(data), "last_updated_at": None}
        else:
            found[key] = data
    return found


def test_the_same_archive_as_in_a_folder(lab: Any, bucket: ObjectFiles) -> None:
    lab.add("TS_2")
    lab.ingest()
    done = take_in(lab, bucket)
    assert not done.failed
    assert content(bucket) == content(lab.files)
    assert not list((lab.folder / "state" / "staging").glob("*"))
    before = dict(bucket.stats())
    again = take_in(lab, bucket)
    assert (again.written, again.bytes) == (0, 0)
    assert dict(bucket.stats()) == before
    for folder in {layout.manifest_folder(k) for _, k in tree.documents(bucket, 10900)}:
        assert [f for e in manifest.read(bucket, folder) if (f := verify(bucket, e, thorough=True))] == []
    rules = registry.select()
    assert examine(bucket, Options(rules)).problems == examine(lab.files, Options(rules)).problems


def test_an_edit_and_a_removal(lab: Any, bucket: ObjectFiles) -> None:
    take_in(lab, bucket)
    lab.config["annotations"] = lab.config["annotations"][:1]
    lab.config["tomograms"][0]["metadata"]["tomogram_version"] = 2
    done = take_in(lab, bucket)
    assert not done.failed
    assert done.removed.documents == 2
    assert done.written > 0
    lab.ingest()
    mine = {k: v for k, v in content(bucket).items() if not isinstance(v, dict)}
    assert {k for k, v in content(lab.files).items() if not isinstance(v, dict)} == set(mine)
    with Desk.open(lab.folder / "far.sqlite") as desk:
        url = f"sqlite:///{lab.folder / 'far-catalog.sqlite'}"
        assert Indexer(bucket, desk, url).rebuild().findings == ()


def test_several_processes(lab: Any, bucket: ObjectFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    from tomotheca.ingest import workers

    lab.add("TS_2")
    monkeypatch.setattr(workers, "WORTH_A_PROCESS", 0, raising=False)
    assert not take_in(lab, bucket, workers=2).failed
    lab.ingest()
    assert set(content(bucket)) == set(content(lab.files))
    assert pickle.loads(pickle.dumps(bucket)).read_bytes("10900/dataset_metadata.json")


def test_a_volume_larger_than_the_memory(lab: Any, bucket: ObjectFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels and MRC file are sent in pieces: the file has several parts, and the sum of them is right."""
    from tomotheca.store import objects

    monkeypatch.setattr(objects, "PART", 5 << 20)
    volume = np.random.default_rng(3).normal(0, 1, (40, 260, 300)).astype(np.float32)
    mrc.write(lab.root / "tomograms" / "TS_1.rec", volume, voxel_size=10.0)
    lab.config["annotations"] = []
    assert not take_in(lab, bucket, memory=64 << 20).failed
    lab.ingest(memory=64 << 20)
    assert content(bucket) == content(lab.files)


def test_a_store_that_refuses(lab: Any, bucket: ObjectFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    refused = ObjectFiles(bucket.url, endpoint=bucket.endpoint, lock_folder=lab.folder / "state")
    with pytest.raises(StorageError, match=r"403|refuses"):
        take_in(lab, refused)


def test_adopt_in_the_bucket_and_into_it(lab: Any, bucket: ObjectFiles) -> None:
    from tests.ingest.test_adopt import strip

    lab.ingest()
    strip(lab.archive)
    source = LocalFiles(lab.archive)
    options = adopt.Options(source, str(lab.archive), "copy", workers=2)
    with Desk.open(lab.folder / "far.sqlite") as desk:
        done = adopt.adopt(options, files=bucket, desk=desk)
        assert done.findings == ()
        assert adopt.adopt(options, files=bucket, desk=desk).written == 0
        for key, _ in list(bucket.stats()):
            if key.endswith(layout.MANIFEST):
                bucket.remove(key)
        same = adopt.Options(bucket, bucket.url, "same")
        assert adopt.adopt(same, files=bucket, desk=desk).findings == ()
        url = f"sqlite:///{lab.folder / 'far-catalog.sqlite'}"
        assert Indexer(bucket, desk, url).rebuild().findings == ()
    for folder in {layout.manifest_folder(k) for _, k in tree.documents(bucket, 10900)}:
        assert [f for e in manifest.read(bucket, folder) if (f := verify(bucket, e, thorough=True))] == []
