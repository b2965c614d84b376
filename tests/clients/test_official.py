"""The public Python client, unchanged, against a running server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cryoet_data_portal as portal
import pytest
from cryoet_data_portal._gql_base import Model
from tests.api.serving import HIDDEN, HIDDEN_KEYS, MRC, PUBLIC, RECONSTRUCTIONS, RUN, TOKEN, Running, World
from tests.clients.recipes import read
from tests.clients.trees import check

ENDPOINTS = ("BOTO_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
"""Variables in which the client looks for the address of S3, the first one its own."""


@pytest.fixture(scope="module")
def parsed(server: Running) -> Any:
    """Give one client for all tests: it reads its schema for a second."""
    return portal.Client(url=f"{server.url}/graphql")


@pytest.fixture(params=ENDPOINTS)
def client(parsed: Any, server: Running, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    for name in ("AWS_ENDPOINT_URL", "BOTO_SIGNATURE_VERSION", *ENDPOINTS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(request.param, server.s3)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return parsed


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


def test_s26_a_whole_run_in_one_call(client: Any, world: World, tmp_path: Path) -> None:
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


def test_hidden_data_with_a_password_file(
    parsed: Any, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert portal.Dataset.get_by_id(parsed, HIDDEN) is None
    netrc = tmp_path / "netrc"
    netrc.write_text(f'machine 127.0.0.1 login curator password "{TOKEN}"\n')
    monkeypatch.setenv("NETRC", str(netrc))
    assert portal.Dataset.get_by_id(parsed, HIDDEN).id == HIDDEN
    portal.Tomogram.find(parsed, [portal.Tomogram.run.dataset.id == HIDDEN])[0].download_mrcfile(str(tmp_path))
    assert (tmp_path / "TS_1.mrc").read_bytes() == world.bytes_of(HIDDEN_KEYS[0])


def test_every_download_is_on_the_page() -> None:
    (recipe,) = (recipe for recipe in read() if recipe.name == "portal-download")
    methods = {name for model in Model.__subclasses__() for name in vars(model) if name.startswith("download")}
    missing = {name for name in methods if f".{name}(" not in recipe.text}
    assert missing == {"download_alignment_file"}
    assert "https_alignment_file" not in portal.TiltSeries._get_scalar_fields(), "it can be downloaded now"
