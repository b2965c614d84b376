"""What surrounds every request, without a framework: an id, the viewer, security headers, the log, the last resort."""

from __future__ import annotations

import json
import logging
import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.datastructures import State
from starlette.requests import Request

from tomotheca.api.errors import SERVER, UNAUTHORIZED, answer, problems, status_of, told
from tomotheca.errors import AccessError, TomothecaError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tomotheca.api.limit import RateLimit
    from tomotheca.api.metrics import Metrics
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

PROTECTED = frozenset(name for name, _ in SECURITY_HEADERS)
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass(frozen=True)
class Frame:
    """The outermost layer of the application, and what a server calls."""

    app: ASGIApp
    identity: Identity
    limit: RateLimit
    metrics: Metrics
    state: State = field(default_factory=State)
    """What error pages look up through ``request.app``."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and see it through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, headers, peer = time.perf_counter(), _headers(scope["headers"]), scope.get("client")
        given = headers.get("x-request-id", "")
        request_id = given if given and GIVEN_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
        scope["app"] = self
        scope["state"] = {**scope.get("state", {}), "request_id": request_id, "headers": headers}
        sent = _Sent(send, request_id.encode())
        try:
            if wait := self.limit.wait(scope["path"], peer, headers):
                await _refused(scope, wait)(scope, receive, sent)
                return
            scope["state"]["viewer"] = self.identity.viewer(headers, peer)
            await self.app(scope, receive, sent)
        except Exception as error:
            failed = _failed(scope, error, sent)
            if failed is None:
                raise  # half an answer is out: only breaking the connection says that the rest is missing
            await failed(scope, receive, sent)
        finally:
            self.metrics.note(scope["path"], sent.status, sent.size, time.perf_counter() - started)
            if access.isEnabledFor(logging.INFO):
                _log(scope, sent, request_id, time.perf_counter() - started)


class _Sent:
    """Sends an answer on, completed, and knows what has been sent."""

    __slots__ = ("request_id", "send", "size", "status")

    def __init__(self, send: Send, request_id: bytes) -> None:
        self.send, self.request_id, self.status, self.size = send, request_id, 0, 0

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = _completed(message["headers"], self.request_id)
        elif "path" in message:  # a file that the server sends itself
            self.size += Path(message["path"]).stat().st_size
        else:
            self.size += len(message.get("body", b""))
        return self.send(message)


def _refused(scope: Scope, wait: int) -> Response:
    unit = "second" if wait == 1 else "seconds"
    response = answer(Request(scope), 429, f"Too many requests; try again in {wait} {unit}.")
    response.headers["retry-after"] = str(wait)
    return response


def _failed(scope: Scope, error: Exception, sent: _Sent) -> Response | None:
    """Give the answer to an error that no route has answered; None when one has begun already."""
    request_id, expected = scope["state"]["request_id"], isinstance(error, TomothecaError)
    status = UNAUTHORIZED if isinstance(error, AccessError) else status_of(error)  # a wrong token, before any route
    if status >= SERVER:
        problems.error("request %s: %s %s", request_id, scope["method"], told(scope["path"]), exc_info=error)
    if sent.status:
        return None
    sentence = (
        str(error)
        if expected
        else f"Something went wrong here. Tell the operator of this server the number {request_id}."
    )
    return answer(Request(scope), status, sentence)


def _headers(given: Any) -> dict[str, str]:
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in given}
    if len(found) == len(given):
        return found
    found.clear()
    for name, value in given:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]}{'; ' if key == 'cookie' else ', '}{text}" if key in found else text
    return found


def _completed(headers: Any, request_id: bytes) -> list[tuple[bytes, bytes]]:
    names = {name for name, _ in headers}
    if PROTECTED.isdisjoint(names):
        return [*headers, *SECURITY_HEADERS, (b"x-request-id", request_id)]
    return [*headers, *(pair for pair in SECURITY_HEADERS if pair[0] not in names), (b"x-request-id", request_id)]


def _log(scope: Scope, sent: _Sent, request_id: str, seconds: float) -> None:
    """Log one request; without its query and headers, where secrets are."""
    client = scope.get("client")
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "id": request_id, "client": client[0] if client else "",
        "method": scope["method"], "path": told(scope["path"]), "status": sent.status, "bytes": sent.size, "ms": round(seconds * 1000, 2),
    }  # fmt: skip
    access.info(json.dumps(line, ensure_ascii=False))
