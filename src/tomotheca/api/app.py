"""The web application: what is open, every route, and what surrounds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Router

from tomotheca.api import (
    catalog_files,
    citations,
    contributing,
    derived,
    files,
    graphql,
    health,
    login,
    manifests,
    rest,
    s3,
    slices,
    thumbs,
    zips,
)
from tomotheca.api.errors import ERROR_STATUS, on_error, on_http_error
from tomotheca.api.frame import Frame
from tomotheca.api.fresh import fresh
from tomotheca.api.limit import RateLimit
from tomotheca.api.metrics import FOLDER, Metrics
from tomotheca.api.metrics import routes as measures
from tomotheca.api.portal import Portal, open_portal
from tomotheca.api.reach import Reach, Watched
from tomotheca.api.who import Identity
from tomotheca.errors import TomothecaError
from tomotheca.web import routes as web
from tomotheca.web.portal import Memory
from tomotheca.web.portal import Portal as Site

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tomotheca.settings import Settings

__all__ = ["ERROR_STATUS", "create_app"]


def create_app(settings: Settings) -> Frame:
    """Open the portal and give the application that serves it.

    Raises
    ------
    SettingsError
        If a setting cannot be used.
    """
    portal, identity = open_portal(settings), Identity(settings)
    memory = Memory()
    reach = Reach(portal.files, memory.clear)
    site = Site(portal.catalog, settings, Watched(portal.files, reach), portal.desk, memory=memory)
    door = graphql.Door(portal)
    metrics = Metrics(settings.state_folder / FOLDER)
    router = Router([*all_routes(portal, identity, site, door), *measures(portal, metrics)])
    routed = ExceptionMiddleware(router, {TomothecaError: on_error, HTTPException: on_http_error})
    limit = RateLimit(settings.rate_limit, settings.state_folder / "rate-limit", identity.proxies)
    inner = Short(door, fresh(routed, portal.catalog.watch, settings, reach))
    return Frame(inner, identity, limit, metrics, State({"portal": site}))


@dataclass(frozen=True)
class Short:
    """The short way for what programs ask most: a GraphQL query that is posted, which has no tag and needs no router."""

    door: ASGIApp
    app: ASGIApp

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on."""
        posted = scope.get("path") == graphql.PATH and scope["method"] == "POST"
        return (self.door if posted else self.app)(scope, receive, send)


def all_routes(portal: Portal, identity: Identity, site: Site, door: ASGIApp) -> list[BaseRoute]:
    """Give every route, those of pages last."""
    return [
        *files.routes(portal), *s3.routes(portal, identity), *graphql.door_routes(door), *thumbs.routes(portal), *slices.routes(portal, site),
        *manifests.routes(portal), *zips.routes(portal), *derived.routes(portal), *citations.routes(portal),
        *health.routes(portal), *catalog_files.routes(portal, site), *login.routes(portal, identity), *contributing.routes(portal, site, identity), *web.routes(site), *rest.routes(site),
    ]  # fmt: skip
