"""The server that the tests of this folder share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests import seaweed
from tests.api import many
from tests.api.serving import TOKEN, Running, World, build, run_cli, serving

from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from tests.databases import Database
    from tests.seaweed import Seaweed


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("portal")
    return build(folder / "root")


@pytest.fixture(scope="session")
def server(world: World) -> Iterator[Running]:
    with serving(world) as running:
        yield running


@pytest.fixture
def http(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture
def curator(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        yield client


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """Return a real object store."""
    with seaweed.running(tmp_path_factory.mktemp("seaweed")) as found:
        yield found


@pytest.fixture(scope="session")
def bucket_server(world: World, store: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return a server of the same archive, in an object store."""
    store.upload(world.root / "archive", "archive", "some where/")
    root = tmp_path_factory.mktemp("bucket-portal")
    names = {**store.environment, "TOMOTHECA_ARCHIVE": "s3://archive/some where"}
    run_cli("index", "--root", root, check=True, **names)
    with serving(World(root, world.files), **names) as running:
        yield running


@pytest.fixture(scope="session")
def folder_server(world: World) -> Iterator[Running]:
    """Return another server of the archive in a folder, for modules whose ``server`` is both."""
    with serving(world) as running:
        yield running


@pytest.fixture(scope="session", params=["folder", "bucket"])
def each_server(request: pytest.FixtureRequest) -> Running:
    """Return servers of the same archive, once in a folder and once in an object store."""
    found: Running = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def moving(tmp_path: Path, world: World) -> Iterator[Running]:
    """Give a server on a portal that a test may change."""
    shutil.copytree(world.root, tmp_path / "own")
    with serving(World(tmp_path / "own", LocalFiles(tmp_path / "own/archive"))) as running:
        yield running


@pytest.fixture(scope="session")
def small(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a server with many rows and a small limit."""
    root, url = tmp_path_factory.mktemp("many") / "root", database.new()
    many.fill(root, url)
    (root / "tomotheca.toml").write_text(f"catalog_url = {url!r}\n")
    world = World(root, LocalFiles(root / "archive"))
    with serving(world, TOMOTHECA_MAX_ROWS=str(many.LIMIT)) as running:
        yield running
