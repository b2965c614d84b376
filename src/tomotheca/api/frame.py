"""What surrounds every request, without a framework: an id, the viewer, security headers, the log, the last resort."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from tomotheca.api.errors import SERVER, UNAUTHORIZED, answer, problems, status_of
from tomotheca.errors import AccessError, TomothecaError

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tomotheca.api.limit import RateLimit
    from tomotheca.api.who import Identity

access = logging.getLogger("tomotheca.access")

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'self'; form-action 'self'; base-uri 'self'"),
)
"""Sent unless the answer has its own."""

GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass(frozen=True)
class Frame:
    """The outermost layer of the application."""

    app: ASGIApp
    identity: Identity
    limit: RateLimit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and see it through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, headers = time.perf_counter(), _headers(scope)
        given = headers.get("x-request-id", "")
        request_id = given if GIVEN_ID.fullmatch(given) else secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"], state["headers"] = request_id, headers
        seen = _Seen()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                message = {**message, "headers": _completed(message["headers"], request_id)}
            else:
                seen.size += len(message.get("body", b""))
            await send(message)

        try:
            if wait := self.limit.wait(scope.get("client")):
                response = answer(Request(scope), 429, f"Too many requests; try again in {wait} seconds.")
                response.headers["retry-after"] = str(wait)
                await response(scope, receive, sent)
                return
            state["viewer"] = self.identity.viewer(headers, scope.get("client"))
            await self.app(scope, receive, sent)
        except Exception as error:
            failed = _failed(scope, error, seen)
            if failed is None:
                raise  # half an answer is out: only breaking the connection says that the rest is missing
            await failed(scope, receive, sent)
        finally:
            if access.isEnabledFor(logging.INFO):
                _log(scope, seen, request_id, time.perf_counter() - started)


@dataclass
class _Seen:
    """What has been answered so far."""

    status: int = 0
    size: int = 0


def _failed(scope: Scope, error: Exception, seen: _Seen) -> Response | None:
    """Give the answer to an error that no route has answered; None when one has begun already."""
    request_id, expected = scope["state"]["request_id"], isinstance(error, TomothecaError)
    status = UNAUTHORIZED if isinstance(error, AccessError) else status_of(error)  # a wrong token, before any route
    if status >= SERVER:
        problems.error("request %s: %s %s", request_id, scope["method"], scope["path"], exc_info=error)
    if seen.status:
        return None
    sentence = (
        str(error)
        if expected
        else f"Something went wrong here. Tell the operator of this server the number {request_id}."
    )
    return answer(Request(scope), status, sentence)


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1")
        text = value.decode("latin-1")
        found[key] = f"{found[key]}{'; ' if key == 'cookie' else ', '}{text}" if key in found else text
    return found


def _completed(headers: Any, request_id: str) -> list[tuple[bytes, bytes]]:
    out = list(headers)
    names = {name.lower() for name, _ in out}
    out.extend(pair for pair in SECURITY_HEADERS if pair[0] not in names)
    out.append((b"x-request-id", request_id.encode()))
    return out


def _log(scope: Scope, seen: _Seen, request_id: str, seconds: float) -> None:
    """Log one request; without its query and headers, where secrets are."""
    client = scope.get("client")
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "id": request_id, "client": client[0] if client else "",
        "method": scope["method"], "path": scope["path"], "status": seen.status, "bytes": seen.size, "ms": round(seconds * 1000, 2),
    }  # fmt: skip
    access.info(json.dumps(line, ensure_ascii=False))
