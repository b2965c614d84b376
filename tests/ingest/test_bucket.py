"""Ingest into a real object store gives the archive that ingest into a folder gives, and nothing of a volume is on this disk."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import seaweed

from tomotheca.catalog.build import Indexer
from tomotheca.desk.desk import Desk
from tomotheca.doctor import registry
from tomotheca.doctor.examine import Options, examine
from tomotheca.errors import ConfigurationError, FormatError, SettingsError, StorageError
from tomotheca.formats import mrc, omezarr
from tomotheca.ingest import adopt
from tomotheca.ingest.far import at, files
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


def test_zarr_0_5_and_back(lab: Any, bucket: ObjectFiles) -> None:
    volume = np.random.default_rng(3).normal(0, 1, (20, 700, 140)).astype(np.float32)
    mrc.write(lab.root / "tomograms" / "TS_1.rec", volume, voxel_size=10.0)
    for form in (omezarr.Form("0.5"), omezarr.DEFAULT):
        assert not take_in(lab, bucket, form=form).failed
        lab.ingest(form=form)
        found = content(bucket)
        assert found == content(lab.files)
        kinds = {key.rpartition("/")[2] for key in found} & {"zarr.json", ".zattrs"}
        assert kinds == ({"zarr.json"} if form.version == "0.5" else {".zattrs"})


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


# --- sources in a bucket ---------------------------------------------------------------------------------------------


@pytest.fixture
def far(lab: Any, store: seaweed.Seaweed, bucket: ObjectFiles) -> Any:
    """Give the lab's source as it lies in a bucket."""
    lab.add("TS_2")
    images = np.random.default_rng(5).normal(0, 1, (8, 12, 16)).astype(np.float32)
    omezarr.write(lab.root / "tomograms" / "TS_2.zarr", images, spacing=(10.0, 10.0, 10.0))
    (lab.root / "tomograms" / "TS_2.rec").unlink()
    lab.config["tomograms"][0]["sources"].append(
        {"source_glob": {"list_glob": "tomograms/{run_name}.zarr"}, "parent_filters": {"include": {"run": ["TS_2"]}}}
    )
    lab.config["tomograms"][0]["sources"][0]["parent_filters"] = {"include": {"run": ["TS_1"]}}
    name = f"{bucket.url.split('/')[2]}-source"
    store.upload(lab.folder / "source", name, "some where/")
    return at(f"s3://{name}/some where", bucket.endpoint)


def from_far(lab: Any, far: Any, **more: Any) -> IngestResult:
    with Desk.open(lab.folder / "far.sqlite") as desk:
        options = replace(lab.options(**more), source=far)
        return ingest(options, files=LocalFiles(lab.folder / "from-far"), desk=desk)


def timeless(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out what depends on when a source was written, and on which process was first."""
    moment = {"provenance", "id", "ids"}
    return {
        key: {k: v for k, v in value.items() if k not in moment} if isinstance(value, dict) else value
        for key, value in found.items()
    }


def test_a_source_in_a_bucket(lab: Any, far: Any) -> None:
    done = from_far(lab, far)
    assert not done.failed
    assert not lab.ingest().failed
    files = LocalFiles(lab.folder / "from-far")
    assert timeless(content(files)) == timeless(content(lab.files))
    for document in content(files).values():
        if isinstance(document, dict):
            assert all(s["sha256"] for s in (document.get("provenance") or {}).get("sources") or ())
    again = from_far(lab, far)
    assert (again.written, again.bytes) == (0, 0)
    assert from_far(lab, far, verify=True).written == 0


def test_from_a_bucket_into_a_bucket(lab: Any, far: Any, bucket: ObjectFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    from tomotheca.ingest import workers

    monkeypatch.setattr(workers, "WORTH_A_PROCESS", 0)
    with Desk.open(lab.folder / "far.sqlite") as desk:
        done = ingest(replace(lab.options(workers=2), source=far), files=bucket, desk=desk)
    assert not done.failed
    lab.ingest()
    assert timeless(content(bucket)) == timeless(content(lab.files))


def test_a_source_that_changes_while_it_is_read(lab: Any, far: Any, store: seaweed.Seaweed) -> None:
    path = next(p for p in files(far).values() if p.key.endswith("TS_1.rec"))
    with mrc.Reader(path) as volume:
        store.client.put_object(
            Bucket=far.url.split("/")[2], Key=f"some where/{path.key}", Body=b"\0" * (path.size or 0)
        )
        with pytest.raises(FormatError, match="changed while it was read"):
            volume.read((slice(0, 8), slice(0, 12), slice(0, 16)))
    with pytest.raises(FormatError, match="copy it there"):
        np.load(path)


def test_reading_by_stretches(far: Any, lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tomotheca.ingest import far as module

    monkeypatch.setattr(module, "PIECE", 100)
    path = next(p for p in files(far).values() if p.key.endswith("TS_1.rec"))
    data = (lab.folder / "source" / path.key).read_bytes()
    with path.open() as file:
        assert file.read() == data
        file.seek(-7, 2)
        assert file.read(100) == data[-7:]
        assert file.seek(5) == 5
        assert file.read(3) == data[5:8]
    assert (far / "nothing").exists() is False
    with pytest.raises(FileNotFoundError):
        (far / "nothing").open()


def test_what_a_source_in_a_bucket_lacks_is_said(lab: Any, far: Any) -> None:
    lab.config["standardization_config"]["source_prefix"] = "elsewhere"
    with pytest.raises(ConfigurationError, match="is no folder: correct the source or source_prefix"):
        from_far(lab, far)
    for wrong in ("gs://some/where", "s3://"):
        with pytest.raises(SettingsError, match="a source is a folder or s3://bucket/prefix"):
            at(wrong)
