"""``/api/v1``: every kind of record as lists, items, related records and counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import orjson
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tomotheca.api.files import CORS, PREFLIGHT, disposition
from tomotheca.api.rest.facets import Facets
from tomotheca.api.rest.formats import LISTS, negotiated
from tomotheca.api.rest.lists import Lists, Stream
from tomotheca.api.rest.names import Names, kebab, quoted
from tomotheca.api.rest.openapi import document
from tomotheca.api.rest.plans import Plans
from tomotheca.api.rest.query import CONTROLS, Query, Reader, found_in
from tomotheca.catalog.lanes import Lanes
from tomotheca.catalog.writers import WRITERS
from tomotheca.errors import NotFoundError, QueryError
from tomotheca.web.address import Address
from tomotheca.web.page import Asked
from tomotheca.web.pages.common import prefixed
from tomotheca.web.portal import Memory

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.catalog.masks import Masks
    from tomotheca.catalog.query import Clause
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.web.portal import Portal

ROOT = "/api/v1"
TOTALS = 4096
"""Numbers of rows that are kept until the catalogue changes."""

METHODS = ["GET", "HEAD", "OPTIONS"]
JSON = WRITERS["json"].media_type
ONLY_JSON = ("json",)

Handler = Callable[["Request"], Response]


@dataclass(frozen=True)
class Rest:
    """The handlers of one portal."""

    site: Portal
    reader: Reader
    lists: Lists
    facets: Facets
    description: bytes
    """The description of all this for programs."""

    @property
    def names(self) -> Names:
        """Names in addresses."""
        return self.reader.names

    def index(self, request: Request) -> Response:
        """List the kinds of records."""
        negotiated(request, ONLY_JSON)
        _only(request)
        base = self._base(request)
        kinds = [
            {
                "name": name, "kind": kind, "title": self.names.schema.kinds[kind].title, "href": f"{base}{ROOT}/{name}", "facets": f"{base}{ROOT}/{name}/facets",
                "fields": list(self.names.columns(kind)), "relations": {kebab(r.name): self.names.in_addresses[r.target] for r in self.names.schema.relations(kind).values()},
            }
            for name, kind in self.names.kinds.items()
        ]  # fmt: skip
        return _json(request, {"kinds": kinds, "openapi": f"{base}/openapi.json", "documentation": f"{base}/docs/api"})

    def list(self, request: Request) -> Response:
        """Give a list of a kind."""
        return self._listed(request, self.names.kind(request.path_params["kinds"]), None)

    def counts(self, request: Request) -> Response:
        """Count the values of a list."""
        negotiated(request, ONLY_JSON)
        viewer = request.state.viewer
        query = self.reader.read(self.names.kind(request.path_params["kinds"]), _pairs(request), ("where",))
        query = found_in(query, self._masks(viewer), self.site.settings.completeness)
        total = self.lists.total(query, viewer)
        return _json(request, {"facets": self.facets.count(query, viewer), "total": total})

    def item(self, request: Request) -> Response:
        """Give one record."""
        negotiated(request, ONLY_JSON)
        kind = self.names.kind(request.path_params["kinds"])
        return self._item(request, kind, self._number(request, kind))

    def related(self, request: Request) -> Response:
        """Give the related records of one, or the one related record."""
        kind = self.names.kind(request.path_params["kinds"])
        number = self._number(request, kind)
        relation = self.names.relation(kind, request.path_params["relation"])
        viewer = request.state.viewer
        if relation.many:
            self._get(request, kind, number)
            return self._listed(request, relation.target, {relation.ref.column: {"_eq": number}})
        negotiated(request, ONLY_JSON)
        other = self._get(request, kind, number)[relation.ref.column]
        if other is None or not self.site.catalog.count(relation.target, viewer, {"id": {"_eq": other}}):
            message = f"{self.names.in_addresses[kind]}/{number} has no {relation.name}."
            raise NotFoundError(message)
        return self._item(request, relation.target, other)

    def _masks(self, viewer: Viewer) -> Masks:
        return self.site.catalog.masks(viewer, self.site.catalog.watch.stamp(viewer))

    def _listed(self, request: Request, kind: str, base: Clause | None) -> Response:
        form = request.path_params.get("format") or negotiated(request)
        controls = CONTROLS if form == "json" else tuple(c for c in CONTROLS if c != "total")
        viewer = request.state.viewer
        read = self.reader.read(kind, _pairs(request), controls, base)
        query = found_in(read, self._masks(viewer), self.site.settings.completeness)
        if form != "json":
            return self._stream(request, query, viewer, form)
        page = self.lists.page(query, viewer)
        following = self._next(request, page.cursor) if page.cursor else None
        body = {"items": page.items, "next": following, **({"total": page.total} if query.total else {})}
        return _json(request, body, {"link": f'<{following}>; rel="next"'} if following else {})

    def _stream(self, request: Request, query: Query, viewer: Viewer, form: str) -> Response:
        writer = WRITERS[form]
        name = self.names.in_addresses[query.kind] + writer.extension
        headers = {**_headers(request), **disposition(name, save=form != "ndjson")}
        media_type = f"{writer.media_type}; charset=utf-8" if form == "csv" else writer.media_type
        if request.method == "HEAD":
            self.lists.check(query, viewer)
            return Response(headers=headers, media_type=media_type)
        return StreamingResponse(_sent(self.lists.stream(query, viewer, form)), headers=headers, media_type=media_type)

    def _item(self, request: Request, kind: str, number: int) -> Response:
        _only(request, "fields")
        query = self.reader.read(kind, _pairs(request), ("fields",), {"id": {"_eq": number}})
        try:
            found = self.lists.item(query, request.state.viewer)
        except NotFoundError:
            self._get(request, kind, number)
            raise
        return _json(request, found)

    def _get(self, request: Request, kind: str, number: int) -> Any:
        """Give a record, or say that it is not there, or not any more."""
        return self._asked(request).get(kind, number)

    def _asked(self, request: Request) -> Asked:
        return Asked(self.site, Address(request.url.path), request.state.viewer)

    def _number(self, request: Request, kind: str) -> int:
        given = request.path_params["id"]
        found = prefixed(self._asked(request), kind, given)
        if found is None:
            message = f"{quoted(given)} is not the identifier of a {self.names.schema.kinds[kind].title.lower()}."
            raise NotFoundError(message)
        return found

    def _base(self, request: Request) -> str:
        return self.site.catalog.public_url or str(request.base_url).rstrip("/")

    def _next(self, request: Request, cursor: str) -> str:
        pairs = tuple(p for p in _pairs(request) if p[0] != "cursor")
        return self._base(request) + str(Address(request.url.path, (*pairs, ("cursor", cursor))))

    def openapi(self, request: Request) -> Response:
        """Describe all this for programs."""
        negotiated(request, ONLY_JSON)
        _only(request)
        return Response(self.description, headers=_headers(request), media_type=JSON)


def _pairs(request: Request) -> list[tuple[str, str]]:
    return request.query_params.multi_items()


def _only(request: Request, *names: str) -> None:
    """Refuse other parameters.

    Raises
    ------
    QueryError
        If there is one.
    """
    for name in request.query_params:
        if name not in names:
            message = (
                f"there is no parameter {quoted(name)} here; {f'there is {names[0]}' if names else 'there are none'}"
            )
            raise QueryError(message)


def _headers(request: Request) -> dict[str, str]:
    return {
        **CORS, "vary": "Accept, Authorization, Cookie",
        "cache-control": "private, no-store" if request.state.viewer.curator else "no-cache",
    }  # fmt: skip


def _json(request: Request, body: Any, more: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), headers={**_headers(request), **(more or {})}, media_type=JSON)


async def _sent(stream: Stream) -> AsyncIterator[bytes]:
    """Send a stream; whatever happens to the client, the transaction ends."""
    try:
        async for piece in iterate_in_threadpool(stream.pieces()):
            yield piece
    finally:
        with anyio.CancelScope(shield=True):
            await run_in_threadpool(stream.close)


def _handled(handler: Handler) -> Handler:
    def handle(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=PREFLIGHT)
        return handler(request)

    return handle


def _in_format(handler: Handler, form: str) -> Handler:
    def handle(request: Request) -> Response:
        request.path_params["format"] = form
        return handler(request)

    return handle


def routes(site: Portal) -> list[Route]:
    """Give the routes; those of files below ``/api/v1`` come before them."""
    reader = Reader(Names(site.catalog.schema))
    plans = Plans(site.catalog, emails=site.settings.privacy_publish_emails)
    description = orjson.dumps(document(reader, site.catalog.public_url))
    lists = Lists(plans, site.settings.max_rows, Memory(TOTALS) if site.settings.response_cache else None)
    rest = Rest(site, reader, lists, Facets(site, plans, reader), description)
    kinds, item, related = f"{ROOT}/{{kinds}}", f"{ROOT}/{{kinds}}/{{id}}", f"{ROOT}/{{kinds}}/{{id}}/{{relation}}"
    found: list[tuple[str, Handler]] = [("/openapi.json", rest.openapi), (ROOT, rest.index), (ROOT + "/", rest.index)]
    found += ((kinds + WRITERS[form].extension, _in_format(rest.list, form)) for form in LISTS)
    found += [
        (kinds, rest.list),
        (f"{kinds}/facets", rest.counts),
        (item + WRITERS["json"].extension, rest.item),
        (item, rest.item),
    ]
    found += ((related + WRITERS[form].extension, _in_format(rest.related, form)) for form in LISTS)
    found.append((related, rest.related))
    lanes = Lanes("rest", near=site.catalog.watch.near)
    return [Route(path, lanes.taking(_handled(handler)), methods=METHODS) for path, handler in found]
