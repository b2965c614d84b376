"""``/files/<key>``: every file of the archive over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tomotheca.api import linking
from tomotheca.api.blob import Blob, BlobResponse, blob_of
from tomotheca.api.counting import Counted

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from tomotheca.api.portal import Portal
    from tomotheca.catalog.viewer import Viewer

CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Last-Modified, Link, X-Request-Id",
}
PREFLIGHT = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "Authorization, If-Match, If-None-Match, If-Modified-Since, If-Range, Range, X-Request-Id",
    "access-control-max-age": "86400",
}
INERT = {"content-security-policy": "default-src 'none'; sandbox", "cross-origin-resource-policy": "cross-origin"}
"""A file of the archive is data: should a browser take it for a page, it can do nothing."""

SHOWN = ("image/png", "image/jpeg", "image/webp", "image/gif", "application/json", "text/plain", "text/csv")
"""Media types that a browser shows; the others it saves."""


def cache_control(viewer: Viewer) -> dict[str, str]:
    """Say who may keep an answer: anyone for a while what anyone may see, nobody what only a curator may."""
    return {"cache-control": "private, no-store" if viewer.curator else "public, max-age=300"}


def disposition(name: str, *, save: bool) -> dict[str, str]:
    """Name the file; RFC 6266, with an ASCII stand-in for old clients."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    star = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return {"content-disposition": f'{"attachment" if save else "inline"}; filename="{plain}"{star}'}


def headers_of(request: Request) -> Mapping[str, str]:
    """Give the request's headers as a plain dictionary."""
    found: Mapping[str, str] = request.scope["state"]["headers"]
    return found


def key_of(scope: Scope, prefix: str) -> str:
    """Give the key that a path names, to its last character: a pattern would let a line break at the end go."""
    return str(scope["path"]).partition(prefix)[2]


def elsewhere(portal: Portal, key: str, blob: Blob) -> str:
    """Give the address under which a proxy finds the bytes itself; empty where there is none that may."""
    prefix = portal.settings.accel_prefix
    if prefix is None or not blob.in_archive or portal.settings.archive_is_remote:
        return ""
    return f"{prefix.rstrip('/')}/{quote(key, safe='/')}"


class FileDoor:
    """Answers GET, HEAD and OPTIONS for keys."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a key."""
        if scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=PREFLIGHT)(scope, receive, send)
            return
        request = Request(scope)
        key, viewer = key_of(scope, "/files/"), request.state.viewer
        file = await self.portal.lookup.find(key, viewer)
        save = b"download=1" in scope["query_string"] or file.media_type.partition(";")[0] not in SHOWN
        named, links = disposition(key.rpartition("/")[2], save=save), linking.links_of(self.portal, key, viewer)
        headers = {**CORS, **INERT, **cache_control(viewer), **named, **links}
        blob = await blob_of(file, self.portal.files)
        answer = BlobResponse(blob, headers_of(request), headers, elsewhere=elsewhere(self.portal, key, blob))
        place = linking.place_of(key) if b"download=1" in scope["query_string"] else None
        counted = Counted(answer, self.portal.counts, *place) if place else answer
        await counted(scope, receive, send)


def routes(portal: Portal) -> list[Route]:
    """Give the route of the archive's files."""
    return [Route("/files/{key:path}", FileDoor(portal), methods=["GET", "HEAD", "OPTIONS"])]
