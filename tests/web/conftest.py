"""The invented world behind a test client, as visitors and as the curator see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from tests.web.whole import whole
from tests.web.world import World, build

from tomotheca.api.fresh import fresh
from tomotheca.catalog.viewer import ANONYMOUS, CURATOR
from tomotheca.errors import TomothecaError
from tomotheca.store.files import LocalFiles
from tomotheca.web import error_page
from tomotheca.web.portal import Portal
from tomotheca.web.routes import routes

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send
    from tests.databases import Database

    from tomotheca.api.frame import Frame
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.settings import Settings


@dataclass(frozen=True)
class Site:
    """Everything a test may want to look at."""

    settings: Settings
    catalog: Catalog
    world: World
    portal: Portal
    app: ASGIApp

    def close(self) -> None:
        self.catalog.close()


class AsAnyone:
    """Notes of every request what the frame of the application notes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode("latin-1") for name, value in scope.get("headers", ())}
        scope["state"] = {"viewer": ANONYMOUS, **scope.get("state", {}), "headers": headers}
        await self.app(scope, receive, send)


class AsCurator:
    """Marks every request as the curator's."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["viewer"] = CURATOR
        await self.app(scope, receive, send)


async def on_error(request: Request, error: Exception) -> Response:
    return error_page(request, error.status_code if isinstance(error, HTTPException) else 404, str(error))


@pytest.fixture(scope="session")
def site(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return database.keep("site", lambda: make_site(tmp_path_factory.mktemp("world"), database.new()))


def make_site(folder: Path, url: str) -> Site:
    return make_app(*build(folder, catalog_url=url))


def make_app(settings: Settings, catalog: Catalog, world: World) -> Site:
    portal = Portal(catalog, settings, LocalFiles(settings.archive_folder))
    app = Starlette(routes=[*routes(portal)], exception_handlers={TomothecaError: on_error, HTTPException: on_error})
    app.state.portal = portal
    return Site(settings, catalog, world, portal, AsAnyone(fresh(app, catalog.watch, settings)))


@pytest.fixture
def http(site: Site) -> Iterator[TestClient]:
    with TestClient(site.app, base_url="http://portal.test") as client:
        yield client


@pytest.fixture
def curator(site: Site) -> Iterator[TestClient]:
    with TestClient(AsCurator(site.app), base_url="http://portal.test") as client:
        yield client


@pytest.fixture(scope="session")
def app(site: Site, database: Database) -> Frame:
    """Return the whole application over the site, as the server opens it."""

    class Kept:
        """The application, closed with the database."""

        app = whole(site)

        def close(self) -> None:
            self.app.state["portal"].catalog.close()

    found: Frame = database.keep("whole", Kept).app
    return found


@pytest.fixture
def door(app: Frame) -> Iterator[TestClient]:
    """Return a client of the whole application."""
    with TestClient(app, base_url="http://portal.test", headers={"accept": "text/html,*/*"}) as client:
        yield client


Fetch = Callable[..., Any]


@pytest.fixture
def page(http: TestClient) -> Fetch:
    """Fetch a page and give its HTML; it must be there."""

    def fetch(path: str, **params: Any) -> str:
        answer = http.get(path, params=params or None)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    return fetch


@pytest.fixture
def twin(http: TestClient) -> Fetch:
    """Fetch the JSON twin of a page."""

    def fetch(path: str, **params: Any) -> Any:
        head, mark, query = path.partition("?")
        answer = http.get((head if head != "/" else "/index") + ".json" + mark + query, params=params or None)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.json()

    return fetch


def words(html: str) -> str:
    """Give the text of a page, without tags and with single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(script|style).*?</\1>", " ", html)).split())
