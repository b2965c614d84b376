"""``/tomograms/<id>/crop.mrc``, ``/annotations/<id>/points.star`` and the like: files that are made while somebody waits."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.routing import Route

from tomotheca.api.blob import Blob, BlobResponse
from tomotheca.api.counting import Counted
from tomotheca.api.files import CORS, INERT, cache_control, disposition, headers_of
from tomotheca.api.linking import links_of
from tomotheca.errors import GoneError, NotFoundError
from tomotheca.export.crops import Crop
from tomotheca.export.derived import Asked, Derived, crop, section_table, table

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.api.portal import Portal

MOST_KEPT = 16

MADE: dict[str, tuple[str, Callable[[Asked], Derived]]] = {
    "/tomograms/{id:int}/crop.mrc": ("tomogram", crop),
    "/annotations/{id:int}/crop.mrc": ("annotation", crop),
    "/annotations/{id:int}/points.csv": ("annotation", lambda asked: table(asked, "csv")),
    "/annotations/{id:int}/points.star": ("annotation", lambda asked: table(asked, "star")),
    "/tilt-series/{id:int}/sections.csv": ("tiltseries", section_table),
}
"""Addresses, with the kind of record and what makes the file."""


class Kept:
    """The last few files that were made, for those who continue one."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Derived] = OrderedDict()

    def get(self, made: Derived) -> Derived:
        """Give a file that is the same as one wanted, whose bytes may be there already."""
        found = self._kept.setdefault(made.tag, made)
        found.made  # noqa: B018 - it is made here, in a thread
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found


def routes(portal: Portal) -> list[Route]:
    """Give the routes of files that are made."""
    kept = Kept()
    return [
        Route(path, _endpoint(portal, kept, kind, make), methods=["GET", "HEAD"]) for path, (kind, make) in MADE.items()
    ]


def _endpoint(portal: Portal, kept: Kept, kind: str, make: Callable[[Asked], Derived]) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Counted:
        viewer = request.state.viewer
        asked = Asked(portal, kind, request.path_params["id"], request.query_params, viewer)
        made = await asyncio.to_thread(lambda: kept.get(_make(portal, asked, make)))
        links = await asyncio.to_thread(links_of, portal, made.folder, viewer)
        named = disposition(made.name, save=True)
        headers = {**CORS, **INERT, **cache_control(viewer), **named, **links}
        size, source = made.made
        tag = made.tag if isinstance(source, Crop) else made.sha256()
        blob = Blob(size, f'"{tag}"', made.media_type, None, source)
        return Counted(BlobResponse(blob, headers_of(request), headers), portal.counts, kind, asked.id)

    return endpoint


def _make(portal: Portal, asked: Asked, make: Callable[[Asked], Derived]) -> Derived:
    try:
        return make(asked)
    except NotFoundError:
        if (grave := portal.desk.tombstone(asked.kind, asked.id)) is None:
            raise
        message = f"{portal.catalog.schema.kinds[asked.kind].prefix}{asked.id} was removed: {grave.title}"
        raise GoneError(message) from None
