"""The web application: what is open, every route, and what surrounds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from tomotheca.api import files, graphql, health, login, manifests, s3, thumbs
from tomotheca.api.errors import ERROR_STATUS, on_error, on_http_error
from tomotheca.api.frame import Frame
from tomotheca.api.limit import RateLimit
from tomotheca.api.portal import Portal, open_portal
from tomotheca.api.who import Identity
from tomotheca.errors import TomothecaError
from tomotheca.web import routes as web
from tomotheca.web.portal import Portal as Site

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from tomotheca.settings import Settings

__all__ = ["ERROR_STATUS", "create_app"]


def create_app(settings: Settings) -> Starlette:
    """Open the portal and give the application that serves it.

    Raises
    ------
    SettingsError
        If a setting cannot be used.
    """
    portal, identity = open_portal(settings), Identity(settings)
    site = Site(portal.catalog, settings, portal.files)
    app = Starlette(
        routes=all_routes(portal, identity, site),
        middleware=[Middleware(Frame, identity=identity, limit=RateLimit(settings.rate_limit))],
        exception_handlers={TomothecaError: on_error, HTTPException: on_http_error},
    )
    app.state.portal = site
    return app


def all_routes(portal: Portal, identity: Identity, site: Site) -> list[BaseRoute]:
    """Give every route, those of pages last."""
    return [
        *files.routes(portal), *s3.routes(portal, identity), *graphql.routes(portal), *thumbs.routes(portal), *manifests.routes(portal),
        *health.routes(portal), *login.routes(portal, identity), *web.routes(site),
    ]  # fmt: skip
