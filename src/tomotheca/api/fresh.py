"""Answers that a client already has: entity tags known before anything is looked up, and 304."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca import __version__
from tomotheca.web.page import drawn
from tomotheca.web.words import choose, varied

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tomotheca.api.reach import Reach
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.catalog.watch import Watch
    from tomotheca.settings import Settings

OWN = (
    "/files/", "/s3", "/thumbs/", "/catalog/", "/static/", "/viewer/", "/graphql/", "/favicon.ico", "/healthz", "/readyz", "/metrics", "/contribute",
)  # fmt: skip
"""Beginnings of addresses that do not answer from the catalogue's rows, or have tags of their own."""

READING = {"GET", "HEAD"}
OK = 200
UNKEPT = b"no-store"
"""How an answer that depends on more than the catalogue says that nobody may keep it."""

HEADERS = {b"etag", b"cache-control", b"vary"}


@dataclass(frozen=True)
class Fresh:
    """The layer around every route that answers from the catalogue.

    A tag is a digest of everything such an answer depends on, none of it a row: the catalogue's stamp, which the end of an embargo
    changes too, what the server is (software, settings, templates), the address, what the client accepts and who is looking.
    """

    app: ASGIApp
    watch: Watch
    basis: bytes
    """Digest of the software and the settings."""

    by_host: bool
    """Answers name the address they were asked at, because the site's own is not set."""

    vary: bytes
    settings: Settings
    reach: Reach | None = None
    """Whether the storage of the archive can be reached: pages say so."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 304 to a client that has the answer, else pass the request on and tag what comes back."""
        if scope["type"] != "http" or scope["method"] not in READING or scope["path"].startswith(OWN):
            await self.app(scope, receive, send)
            return
        headers, viewer = scope["state"]["headers"], scope["state"]["viewer"]
        scope["state"]["away"] = self.reach is not None and self.reach.away
        tag = self._tag(scope, viewer, await stamp_of(self.watch, viewer))
        added = [(b"etag", tag), (b"cache-control", cache_control(viewer)), (b"vary", self.vary)]
        if tag in headers.get("if-none-match", "").encode("latin-1"):
            await send({"type": "http.response.start", "status": 304, "headers": added})
            await send({"type": "http.response.body", "body": b""})
            return

        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == OK:
                given = message["headers"]
                if all(name != b"etag" and value != UNKEPT for name, value in given):
                    message["headers"] = [*(pair for pair in given if pair[0] not in HEADERS), *added]
            await send(message)

        await self.app(scope, receive, tagged)

    def _tag(self, scope: Scope, viewer: Viewer, stamp: str) -> bytes:
        headers = scope["state"]["headers"]
        origin = f"{scope.get('scheme')}://{headers.get('host')}" if self.by_host else ""
        path = scope["path"]  # last: the only part that can hold a zero byte
        spoken = choose(self.settings, headers.get("accept-language", "")).language
        parts = "\0".join(
            (
                stamp,
                headers.get("accept", ""),
                spoken,
                viewer.name,
                "c" if viewer.curator else "",
                "a" if scope["state"]["away"] else "",
                origin,
                path,
            )
        )
        told = self.basis + scope["query_string"] + b"\0" + parts.encode("utf-8", "surrogatepass")
        return b'"%s"' % hashlib.blake2b(told, digest_size=16).hexdigest().encode()


def fresh(app: ASGIApp, watch: Watch, settings: Settings, reach: Reach | None = None) -> Fresh:
    """Put the layer around an application."""
    told = f"{__version__} {drawn()} {settings.model_dump_json()}"
    basis = hashlib.blake2b(told.encode(), digest_size=16).digest()
    names = ", ".join(filter(None, ["Accept", "Authorization", "Cookie", settings.trusted_header, varied(settings)]))
    return Fresh(app, watch, basis, not settings.public_url, names.encode("latin-1"), settings, reach)


async def stamp_of(watch: Watch, viewer: Viewer) -> str:
    """Give the catalogue's stamp without holding up other requests."""
    found = watch.known(viewer)
    if found is None:
        found = watch.stamp(viewer) if watch.near else await asyncio.to_thread(watch.stamp, viewer)
    return found


def cache_control(viewer: Viewer) -> bytes:
    """Say who may keep an answer: anyone who asks again each time, nobody what only a curator may see."""
    return b"private, no-store" if viewer.curator else b"no-cache"
