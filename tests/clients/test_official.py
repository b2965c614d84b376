"""The public Python client, unchanged, against a running server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import HIDDEN, MRC, PUBLIC, RECONSTRUCTIONS, RUN, Running, World
from tests.clients.trees import check

portal = pytest.importorskip("cryoet_data_portal")


@pytest.fixture
def client(server: Running, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "BOTO_SIGNATURE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BOTO_ENDPOINT_URL", server.s3)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return portal.Client(url=f"{server.url}/graphql")


def test_find_and_get(client: Any) -> None:
    assert [d.id for d in portal.Dataset.find(client)] == [PUBLIC]
    assert portal.Dataset.get_by_id(client, HIDDEN) is None
    run = portal.Run.get_by_id(client, RUN)
    assert run.name == "TS_1"
    assert run.dataset.title == f"Dataset {PUBLIC}"
    assert [r.name for r in portal.Run.find(client, [portal.Run.name == "TS_2", portal.Run.dataset.id == PUBLIC])] == [
        "TS_2"
    ]
    assert {a.object_name for a in run.annotations} == {"membrane"}


def test_relations(client: Any) -> None:
    for tomogram in portal.Tomogram.find(client, [portal.Tomogram.voxel_spacing <= 10.0]):
        assert tomogram.tomogram_voxel_spacing.run.id == tomogram.run.id
        assert tomogram.alignment.run_id == tomogram.run_id
        assert [a.name for a in tomogram.authors] == ["Ada Fictional"]
        assert tomogram.authors[0].email is None
        assert tomogram.deposition.id == 10300


def test_a_whole_run(client: Any, world: World, tmp_path: Path) -> None:
    portal.Run.get_by_id(client, RUN).download_everything(dest_path=str(tmp_path))
    check(world, f"{PUBLIC}/TS_1/", tmp_path, f"{PUBLIC}/")


def test_a_whole_dataset(client: Any, world: World, tmp_path: Path) -> None:
    portal.Dataset.get_by_id(client, PUBLIC).download_everything(dest_path=str(tmp_path))
    check(world, f"{PUBLIC}/", tmp_path, "")


def test_single_volumes(client: Any, world: World, tmp_path: Path) -> None:
    tomogram = portal.Tomogram.get_by_id(client, RUN)
    tomogram.download_mrcfile(dest_path=str(tmp_path / "mrc"))
    assert (tmp_path / "mrc/TS_1.mrc").read_bytes() == world.bytes_of(MRC)
    tomogram.download_omezarr(dest_path=str(tmp_path / "zarr"))
    check(world, f"{RECONSTRUCTIONS}/Tomograms/100/TS_1.zarr/", tmp_path / "zarr", f"{RECONSTRUCTIONS}/Tomograms/100/")


def test_annotations(client: Any, world: World, tmp_path: Path) -> None:
    portal.Annotation.get_by_id(client, RUN).download(dest_path=str(tmp_path), format="ndjson")
    check(world, f"{RECONSTRUCTIONS}/Annotations/100/", tmp_path, f"{RECONSTRUCTIONS}/Annotations/100/")


def test_voxel_spacing(client: Any, world: World, tmp_path: Path) -> None:
    portal.TomogramVoxelSpacing.get_by_id(client, RUN).download_everything(dest_path=str(tmp_path))
    check(world, f"{RECONSTRUCTIONS}/", tmp_path, f"{PUBLIC}/TS_1/")
