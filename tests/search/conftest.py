"""The catalogue of the queries behind a test client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient
from tests.search.world import build
from tests.web.conftest import AsCurator, Site, make_app

if TYPE_CHECKING:
    from tests.databases import Database


@pytest.fixture(scope="session")
def shelf(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return database.keep("search", lambda: make_app(*build(tmp_path_factory.mktemp("search"), database.new())))


@pytest.fixture
def http(shelf: Site) -> Iterator[TestClient]:
    with TestClient(shelf.app, base_url="http://portal.test") as client:
        yield client


@pytest.fixture
def curator(shelf: Site) -> Iterator[TestClient]:
    with TestClient(AsCurator(shelf.app), base_url="http://portal.test") as client:
        yield client
