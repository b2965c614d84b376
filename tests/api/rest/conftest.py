"""The catalogue of the GraphQL tests, behind the doors of a whole application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient
from tests.api.graphql.conftest import filled
from tests.api.serving import TOKEN, Running, World, serving

from tomotheca.api.app import create_app
from tomotheca.catalog.build import fingerprint
from tomotheca.settings import Settings
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from tests.databases import Database

    from tomotheca.catalog.catalog import Catalog

ADDRESS = "http://portal.test"


class Client(TestClient):
    """A client of an application of its own."""

    def close(self) -> None:
        """Close the client and the application's catalogue."""
        super().close()
        self.app.state.portal.catalog.close()


def application(url: str, root: Path, **settings: object) -> Client:
    """Open the application over a catalogue."""
    for name in ("archive", "state"):
        (root / name).mkdir(parents=True, exist_ok=True)
    given = {
        "root": root,
        "catalog_url": url,
        "public_url": ADDRESS,
        "bucket": "lab",
        "curator_token": TOKEN,
        **settings,
    }
    return Client(create_app(Settings.model_validate(given)), base_url=ADDRESS)


def marked(catalog: Catalog) -> Catalog:
    """Write into a catalogue which program can read it."""
    marks = {"schema": fingerprint(catalog.tables), "version": "1"}
    with catalog.engine.begin() as connection:
        connection.execute(catalog.tables.meta.insert(), [{"name": k, "value": v} for k, v in marks.items()])
    return catalog


@pytest.fixture
def catalog(database: Database) -> Catalog:
    found: Catalog = database.keep("graphql", lambda: filled(database.new()))
    return found


@pytest.fixture
def http(database: Database, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Client:
    found: Client = database.keep("rest", lambda: application(catalog.url, tmp_path_factory.mktemp("rest")))
    return found


@pytest.fixture
def curator(database: Database, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Client:
    def make() -> Client:
        client = application(catalog.url, tmp_path_factory.mktemp("curator"))
        client.headers["authorization"] = f"Bearer {TOKEN}"
        return client

    found: Client = database.keep("rest curator", make)
    return found


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A real server, over SQLite."""
    root: Path = tmp_path_factory.mktemp("server")
    for name in ("archive", "state"):
        (root / name).mkdir()
    marked(filled(f"sqlite:///{root / 'state' / 'catalog.sqlite'}"))
    with serving(World(root, LocalFiles(root / "archive"))) as running:
        yield running
