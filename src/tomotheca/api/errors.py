"""From our errors to answers: a status and one sentence, as a page for browsers and as JSON for programs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tomotheca.errors import (
    AccessError,
    ChangedSourceError,
    ConflictError,
    FindingsError,
    FormatError,
    GoneError,
    MissingExtraError,
    NotFoundError,
    QueryError,
    SettingsError,
    StorageError,
    TomothecaError,
    UnsafePathError,
)  # fmt: skip
from tomotheca.web.errors import error_page

if TYPE_CHECKING:
    from starlette.requests import Request

problems = logging.getLogger("tomotheca.problems")

UNAUTHORIZED, SERVER = 401, 500

ERROR_STATUS: dict[type[Exception], int] = {
    GoneError: 410,
    NotFoundError: 404,
    UnsafePathError: 404,
    AccessError: 403,
    QueryError: 400,
    FindingsError: 400,
    FormatError: 422,
    ConflictError: 409,
    MissingExtraError: 406,
    SettingsError: 500,
    ChangedSourceError: 409,
    StorageError: 503,
    TomothecaError: 500,
}
"""Status of each error; the first class in an error's ancestry counts."""

SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take that kind of request.",
    413: "The request is too large.",
}


PRIVATE = "/contribute/"
"""Beginning of addresses of which the rest is a secret."""


def told(path: str) -> str:
    """Give a path as logs may have it: the secret part of an address stays out."""
    return f"{PRIVATE}…" if path.startswith(PRIVATE) else path


def status_of(error: Exception) -> int:
    """Give the status that an error is answered with."""
    return next((ERROR_STATUS[kind] for kind in type(error).__mro__ if kind in ERROR_STATUS), 500)


async def on_error(request: Request, error: Exception) -> Response:
    """Answer one of our errors."""
    status = status_of(error)
    if status >= SERVER or isinstance(error, ChangedSourceError):
        problems.error("request %s: %s", request.state.request_id, told(request.url.path), exc_info=error)
    return answer(request, status, str(error))


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses."""
    if not isinstance(error, HTTPException):
        raise error
    response = answer(request, error.status_code, SENTENCES.get(error.status_code, error.detail))
    response.headers.update(error.headers or {})
    return response


def answer(request: Request, status: int, sentence: str) -> Response:
    """Answer with a sentence, in the form that the caller reads."""
    if wants_page(request):
        try:
            return error_page(request, status, sentence)
        except Exception as error:  # noqa: BLE001 - a page that cannot be drawn must not hide what it was to say
            problems.error("request %s: the error page cannot be drawn", request.state.request_id, exc_info=error)
    headers = {"access-control-allow-origin": "*", "cache-control": "no-store"}
    if status == UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="tomotheca"'
    return Response(orjson.dumps({"error": sentence}), status, headers, "application/json")


def wants_page(request: Request) -> bool:
    """Say whether a browser waits for a page."""
    path: str = request.scope["path"]
    program = path.startswith(("/api/", "/graphql", "/s3", "/healthz", "/readyz")) or path.endswith(".json")
    return not program and "text/html" in request.headers.get("accept", "")
