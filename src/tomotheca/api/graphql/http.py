"""GraphQL over HTTP, and a page to try queries on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tomotheca.api.graphql.service import GraphQL
from tomotheca.catalog.viewer import ANONYMOUS

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.catalog.catalog import Catalog
    from tomotheca.settings import Settings

MAX_BODY = 8 << 20
"""Most bytes of a request: clients send lists of thousands of identifiers."""

JSON = "application/json"


class Open(Protocol):
    """What a server process has open, as far as GraphQL needs it."""

    @property
    def catalog(self) -> Catalog:
        """The catalogue."""

    @property
    def settings(self) -> Settings:
        """The settings."""


class _BadRequestError(Exception):
    """A request that is not one."""

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


def routes(portal: Open) -> list[Route]:
    """Give the routes of the endpoint and of its page. The viewer is `request.state.viewer`, set by whoever mounts them."""
    service = GraphQL(portal.catalog, portal.settings)
    return service_routes(service)


def service_routes(service: GraphQL) -> list[Route]:
    """Give the routes of a service."""

    async def endpoint(request: Request) -> Response:
        if (
            request.method == "GET"
            and "query" not in request.query_params
            and "text/html" in request.headers.get("accept", "")
        ):
            return _page("ide.html", "text/html")
        try:
            asked = await _posted(request) if request.method == "POST" else _in_address(request)
        except _BadRequestError as error:
            return JSONResponse({"data": None, "errors": [{"message": str(error)}]}, error.status)
        return await _respond(service.stream(asked, getattr(request.state, "viewer", ANONYMOUS)))

    return [
        Route("/graphql", endpoint, methods=["GET", "POST"]),
        Route("/graphql/ide.js", partial(_asset, "ide.js", "text/javascript"), methods=["GET"]),
        Route("/graphql/ide.css", partial(_asset, "ide.css", "text/css"), methods=["GET"]),
    ]


async def _respond(pieces: Iterator[bytes]) -> Response:
    """Answer whole when it is short, else piece by piece."""
    start = await run_in_threadpool(lambda: [piece for _, piece in zip(range(2), pieces, strict=False)])
    if len(start) == 1:
        return Response(start[0], media_type=JSON)

    async def rest() -> AsyncIterator[bytes]:
        for piece in start:
            yield piece
        async for piece in iterate_in_threadpool(pieces):
            yield piece

    return StreamingResponse(rest(), media_type=JSON)


async def _posted(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            message = f"the request is longer than {MAX_BODY} bytes"
            raise _BadRequestError(message, 413)
    if request.headers.get("content-type", "").startswith("application/graphql") and not request.headers[
        "content-type"
    ].startswith("application/graphql+json"):
        return _checked({"query": _text(bytes(body))})
    try:
        return _checked(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        message = f"the request is not JSON: {error}"
        raise _BadRequestError(message) from error


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        message = f"the request is not UTF-8: {error}"
        raise _BadRequestError(message) from error


def _in_address(request: Request) -> dict[str, Any]:
    asked: dict[str, Any] = {k: v for k, v in request.query_params.items() if k in {"query", "operationName"} and v}
    if given := request.query_params.get("variables"):
        try:
            asked["variables"] = orjson.loads(given)
        except orjson.JSONDecodeError as error:
            message = f"variables are not JSON: {error}"
            raise _BadRequestError(message) from error
    return _checked(asked)


def _checked(asked: Any) -> dict[str, Any]:
    """Check the parts of a request.

    Raises
    ------
    _BadRequestError
        If one is missing or of the wrong type.
    """
    if isinstance(asked, list):
        message = "one query per request, please: batches are not supported"
        raise _BadRequestError(message)
    if not isinstance(asked, Mapping) or not isinstance(asked.get("query"), str) or not asked["query"].strip():
        message = "there is no query in the request"
        raise _BadRequestError(message)
    variables, name = asked.get("variables"), asked.get("operationName")
    if not isinstance(variables, dict | None) or not isinstance(name, str | None):
        message = "variables must be an object and operationName a string"
        raise _BadRequestError(message)
    return {"query": asked["query"], "variables": variables, "operationName": name}


async def _asset(name: str, media_type: str, _: Request) -> Response:
    return _page(name, media_type)


def _page(name: str, media_type: str) -> Response:
    content = (files("tomotheca.api.graphql") / "static" / name).read_bytes()
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Security-Policy": "default-src 'self'", "Cache-Control": "no-cache"},
    )
