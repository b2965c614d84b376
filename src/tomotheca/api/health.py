"""Whether the server lives, whether it can answer, and which version of the catalogue it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tomotheca import __version__
from tomotheca.api.files import CORS
from tomotheca.errors import StorageError

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.api.portal import Portal


def routes(portal: Portal) -> list[Route]:
    """Give the routes that machines ask."""

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers={"cache-control": "no-store"})

    def ready(_: Request) -> Response:
        problems = []
        try:
            if not portal.catalog.version:
                problems.append("there is no catalogue yet: run `tomotheca index`")
        except (SQLAlchemyError, StorageError):
            problems.append("the catalogue cannot be read")
        if not _is_readable(portal):
            problems.append("the archive cannot be read")
        body = orjson.dumps({"ready": not problems, "problems": problems})
        return Response(body, 503 if problems else 200, {"cache-control": "no-store"}, "application/json")

    def version(request: Request) -> Response:
        tag = f'"{portal.catalog.stamp(request.state.viewer)}-{__version__}"'
        headers = {**CORS, "etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        body = orjson.dumps({"version": portal.catalog.version, "software": __version__})
        return Response(body, headers=headers, media_type="application/json")

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/catalog/version.json", version)]


def _is_readable(portal: Portal) -> bool:
    try:
        return portal.files.present
    except StorageError:
        return False
