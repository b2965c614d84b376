"""Signing in and out as the curator, with a cookie."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tomotheca.api.who import COOKIE, LASTS, Identity
from tomotheca.errors import AccessError, QueryError

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.api.portal import Portal

LONGEST_BODY, MOST_FIELDS = 10_000, 20
SLOW_DOWN = 0.5
"""Seconds that a wrong token costs."""


def routes(portal: Portal, identity: Identity) -> list[Route]:
    """Give ``POST /login`` and ``POST /logout``; the form is a page."""
    secure = (portal.settings.public_url or "").startswith("https:")

    async def login(request: Request) -> Response:
        same_origin(request)
        fields = dict(await form(request, LONGEST_BODY, MOST_FIELDS))
        if not identity.is_token(fields.get("token", "").strip()):
            await asyncio.sleep(SLOW_DOWN)
            message = "This token is not valid here."
            raise AccessError(message)
        response = RedirectResponse(_inside(fields.get("next", "/")), 303)
        flags = {"max_age": LASTS, "path": "/", "httponly": True, "secure": secure or request.url.scheme == "https"}
        response.set_cookie(COOKIE, identity.cookie(), samesite="lax", **flags)  # type: ignore[arg-type]  # a mixed dict
        return response

    async def logout(request: Request) -> Response:
        same_origin(request)
        response = RedirectResponse("/", 303)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return response

    return [Route("/login", login, methods=["POST"]), Route("/logout", logout, methods=["POST"])]


def same_origin(request: Request) -> None:
    """Refuse a form that another site sends.

    Raises
    ------
    AccessError
        If the browser says that the request comes from elsewhere.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site not in {None, "same-origin", "none"}
    if site is None and origin is not None:
        foreign = urlsplit(origin).netloc != request.headers.get("host")
    if foreign:
        message = "This form was sent from another site; open this server's own page."
        raise AccessError(message)


async def form(request: Request, longest: int, most: int) -> list[tuple[str, str]]:
    """Read a form that was sent.

    Raises
    ------
    QueryError
        If it has more bytes than `longest`, or more fields than `most`.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > longest:
            message = "The form is too long."
            raise QueryError(message)
    try:
        return parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=most)
    except ValueError as error:
        message = "The form has too many fields."
        raise QueryError(message) from error


def _inside(address: str) -> str:
    """Give the address when it lies on this server, else the home page."""
    parts = urlsplit(address.replace("\\", "/"))
    safe = not parts.scheme and not parts.netloc and address.startswith("/") and not address.startswith("//")
    return address if safe and address.isprintable() and "\\" not in address else "/"
