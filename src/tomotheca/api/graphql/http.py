"""GraphQL over HTTP, and a page to try queries on."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tomotheca.api.errors import SENTENCES, answer
from tomotheca.api.fresh import stamp_of
from tomotheca.api.graphql.answer import Ready
from tomotheca.api.graphql.asked import BadRequestError, in_address, is_text, is_whole, posted, rest_of
from tomotheca.api.graphql.kept import LARGEST, Answers, Key
from tomotheca.api.graphql.service import GraphQL
from tomotheca.catalog.lanes import NEW, Lanes
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.errors import QueryTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tomotheca.api.graphql.answer import Answer
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.settings import Settings

PATH = "/graphql"
METHODS = "GET, HEAD, OPTIONS, POST"
Headers = tuple[tuple[bytes, bytes], ...]
CORS: Headers = ((b"access-control-allow-origin", b"*"),)
PREFLIGHT = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": METHODS,
    "access-control-allow-headers": "Authorization, Content-Type, If-None-Match, X-Request-Id",
    "access-control-max-age": "86400",
}
JSON = (b"content-type", b"application/json")
HIT, MISS = (b"x-cache", b"hit"), (b"x-cache", b"miss")

AT_ONCE = 1 << 16
"""Bytes of a request or of an answer that are worked on without a thread."""

AT_ONCE_SECONDS = 0.01
"""Seconds after which what was begun without a thread is begun again in one."""

PARTS = ("ide.css", "ide.js", "ide-complete.js", "ide-examples.js", "ide-schema.js")
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
POLICY = {"content-security-policy": "default-src 'self'", "cache-control": "no-cache"}


class Open(Protocol):
    """What a server process has open, as far as GraphQL needs it."""

    @property
    def catalog(self) -> Catalog:
        """The catalogue."""

    @property
    def settings(self) -> Settings:
        """The settings."""


class Door:
    """Answers requests at ``/graphql``. The viewer is in the request's state, put there by whoever surrounds this."""

    def __init__(self, portal: Open, service: GraphQL | None = None) -> None:
        settings = portal.settings
        self.service = service or GraphQL(portal.catalog, settings)
        self.watch = portal.catalog.watch
        self.lanes = Lanes("graphql", near=self.watch.near)
        self.answers = Answers(settings.response_cache_bytes if settings.response_cache else 0)
        self._under_way: dict[Key, asyncio.Future[bytes | None]] = {}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a request."""
        if scope["method"] == "POST":
            return self._post(scope, receive, send)
        if scope["method"] in {"GET", "HEAD"}:
            return self._get(scope, receive, send)
        response = Response(status_code=204, headers=PREFLIGHT)
        if scope["method"] != "OPTIONS":
            response = answer(Request(scope), 405, SENTENCES[405])
            response.headers["allow"] = METHODS
        return response(scope, receive, send)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        form = "text" if is_text(_header(scope, "content-type")) else "json"
        try:
            if message.get("more_body") and not is_whole(message, _header(scope, "content-length")):
                message = await rest_of(message, receive)
            if message["type"] == "http.request":  # else the client has gone
                await self._answer(scope, send, form, message.get("body", b""))
        except BadRequestError as error:
            await _send(scope, send, _error(error), status=error.status)

    async def _get(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"]
        if b"query=" not in query and "text/html" in _header(scope, "accept"):
            await _page("ide.html")(scope, receive, send)
            return
        try:
            await self._answer(scope, send, "address", query)
        except BadRequestError as error:
            await _send(scope, send, _error(error), status=error.status)

    async def _answer(self, scope: Scope, send: Send, form: str, request: bytes) -> None:
        viewer: Viewer = scope.get("state", {}).get("viewer", ANONYMOUS)
        if not self.answers.most:
            await self._deliver(scope, send, await self._begin(form, request, viewer))
            return
        stamp = self.watch.known(viewer) or await stamp_of(self.watch, viewer)
        key = self.answers.key(stamp, form, request)
        kept = self.answers.get(key)
        if kept is None and (others := self._under_way.get(key)) is not None:
            kept = await asyncio.shield(others)
        if kept is not None:
            await _send(scope, send, kept, HIT)
            return
        told = self._under_way[key] = asyncio.get_running_loop().create_future()
        body = None
        try:
            found = await self._begin(form, request, viewer)
            body = found.whole
        finally:
            self._under_way.pop(key, None)
            told.set_result(body)
        if body is not None:
            self.answers.put(key, body)
        await self._deliver(scope, send, found, MISS)

    async def _deliver(self, scope: Scope, send: Send, found: Answer, *headers: tuple[bytes, bytes]) -> None:
        if found.done:
            await _send(scope, send, found.take(), *headers)
        else:
            await self._stream(send, found, *headers, *_cors(scope))

    async def _begin(self, form: str, request: bytes, viewer: Viewer) -> Answer:
        """Make the answer, or the beginning of a long one: at once where that is known to be quick, else in a thread."""
        service, lanes = self.service, self.lanes
        if len(request) > AT_ONCE:
            return await lanes.run(NEW, lambda: service.begin(Ready(_read(form, request), viewer), size=LARGEST))
        ready = service.ready(_read(form, request), viewer)
        if not (ready.quick and self.watch.near):
            pace = ready.planned.pace if ready.planned else NEW
            return await lanes.run(pace, partial(service.begin, ready, size=LARGEST))
        ready.seconds = AT_ONCE_SECONDS
        try:
            answer = service.begin(ready, size=AT_ONCE)
        except QueryTimeoutError:
            ready.relax()
            return await lanes.run(NEW, partial(service.begin, ready, size=LARGEST))
        if not answer.done:
            ready.relax()
            await lanes.run(NEW, partial(answer.fill, LARGEST))
        return answer

    async def _stream(self, send: Send, answer: Answer, *headers: tuple[bytes, bytes]) -> None:
        """Send a long answer piece by piece."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [JSON, *headers]})
            while not answer.done:
                await send({"type": "http.response.body", "body": answer.take(), "more_body": True})
                await self.lanes.run(answer.pace, partial(answer.fill, LARGEST))
            await send({"type": "http.response.body", "body": answer.take()})
        finally:
            if not answer.done:
                await self.lanes.run(answer.pace, answer.close)


async def _send(scope: Scope, send: Send, body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    length = (b"content-length", b"%d" % len(body))
    given = [JSON, length, *headers, *_cors(scope)]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})


def _cors(scope: Scope) -> Headers:
    """Let pages of other sites read an answer."""
    return CORS if _header(scope, "origin") else ()


def _read(form: str, request: bytes) -> dict[str, Any]:
    return in_address(request) if form == "address" else posted(request, text=form == "text")


def _error(error: BadRequestError) -> bytes:
    return orjson.dumps({"data": None, "errors": [{"message": str(error)}]})


def _header(scope: Scope, name: str) -> str:
    headers = scope.get("state", {}).get("headers")
    return (Request(scope).headers if headers is None else headers).get(name, "")


def routes(portal: Open) -> list[Route]:
    """Give the routes of the endpoint and of its page."""
    return door_routes(Door(portal))


def service_routes(service: GraphQL) -> list[Route]:
    """Give the routes of a service."""
    return door_routes(Door(service, service))


def door_routes(door: ASGIApp) -> list[Route]:
    """Give the routes of a door, and of what its page is made of."""
    return [Route(PATH, door), *(Route(f"{PATH}/{name}", partial(_asset, name)) for name in PARTS)]


async def _asset(name: str, _: Request) -> Response:
    return _page(name)


def _page(name: str) -> Response:
    content = (files("tomotheca.api.graphql") / "static" / name).read_bytes()
    return Response(content, media_type=TYPES[name.rpartition(".")[2]], headers=POLICY)
