"""``/api/v1/<kinds>/<id>/manifest.{json,curl,sha256}``: every file of an entity, for programs that download it whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tomotheca.api.files import CORS, cache_control
from tomotheca.catalog.writers import gathered
from tomotheca.errors import GoneError, NotFoundError
from tomotheca.export import derived
from tomotheca.export.citing import cite
from tomotheca.export.derived import Derived, derive
from tomotheca.export.selection import select
from tomotheca.export.texts import TEXTS
from tomotheca.export.tree import SUMS, Tree, sum_line

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.api.portal import Portal
    from tomotheca.catalog.files import FileRow

KINDS = {
    "datasets": "dataset", "runs": "run", "tiltseries": "tiltseries", "tilt-series": "tiltseries", "tomograms": "tomogram",
    "annotations": "annotation", "alignments": "alignment", "depositions": "deposition",
}  # fmt: skip
"""Kinds in addresses that have files."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a manifest."""

    path: str
    """Where a download puts it; for files of the archive, their key."""

    size: int
    sha256: str | None
    url: str


@dataclass(frozen=True)
class Asked:
    """A manifest that was asked for."""

    portal: Portal
    tree: Tree
    address: str = ""
    """Where the digests of the same list are."""

    made: Derived | None = None
    """What is made for the occasion, in the place of files of the archive."""

    def items(self) -> Iterator[Item]:
        """Give the files of the archive, or what is made of them, then the texts that go with them."""
        base, made = self.portal.catalog.public_url, self.made
        found: Iterator[Item] = (_item(base, file) for file in self.tree.files())
        if made is not None:
            found = iter([Item(made.folder + made.name, made.size, made.sha256(), base + made.address)])
        texts = (Item(text.path, len(text.data), text.sha256, text.url) for text in self.tree.texts)
        return chain(found, texts)


def _item(base: str, file: FileRow) -> Item:
    return Item(file.key, file.size, file.sha256, f"{base}/files/{quote(file.key, safe='/')}")


def as_json(asked: Asked) -> Iterator[bytes]:
    """Write an object with one file per line, and the totals at the end."""
    entity = asked.portal.catalog.schema.kinds[asked.tree.selection.kind]
    head = {
        "id": f"{entity.prefix}{asked.tree.selection.id}",
        "kind": entity.kind,
        "server": asked.portal.catalog.public_url,
    }
    yield orjson.dumps(head)[:-1] + b',"files":['
    count = size = 0
    for item in asked.items():
        line = orjson.dumps({"path": item.path, "size": item.size, "sha256": item.sha256, "url": item.url})
        yield (b",\n" if count else b"\n") + line
        count, size = count + 1, size + item.size
    yield b'\n],"count":%d,"bytes":%d}\n' % (count, size)


def as_sha256(asked: Asked) -> Iterator[bytes]:
    """Write what ``sha256sum -c`` reads; a name with a backslash or a line break is escaped as it wants it."""
    for item in asked.items():
        if item.sha256:
            yield sum_line(item.sha256, item.path).encode()


def as_curl(asked: Asked) -> Iterator[bytes]:
    """Write a configuration for ``curl --parallel -fL -K -`` that continues what is there.

    The digests come last and are always brought anew. A curator's commands carry the token themselves, which curl
    forgets after ``next``: those lists have no digests.
    """
    yield b'create-dirs\ncontinue-at = "-"\n'
    for item in asked.items():
        yield f'url = "{_curl(item.url)}"\noutput = "{_curl(item.path)}"\n'.encode()
    if not asked.tree.viewer.curator:
        yield f'next\nfail\nlocation\nurl = "{_curl(asked.address)}"\noutput = "{SUMS}"\n'.encode()


def _curl(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


WRITERS: dict[str, tuple[str, Callable[[Asked], Iterator[bytes]]]] = {
    "json": ("application/json", as_json),
    "curl": ("text/plain; charset=utf-8", as_curl),
    "sha256": ("text/plain; charset=utf-8", as_sha256),
}


def routes(portal: Portal) -> list[Route]:
    """Give the routes of manifests and of the texts in them."""

    def manifest(request: Request) -> Response:
        kind, number = entity_of(portal, request)
        media_type, write = WRITERS[request.path_params["form"]]
        query, viewer = request.query_params, request.state.viewer
        made = derive(derived.Asked(portal, kind, number, query, viewer))
        words = f"?{request.url.query}" if request.url.query else ""
        path = f"/api/v1/{request.path_params['kinds']}/{number}/manifest.sha256{words}"
        asked = Asked(portal, Tree(portal, select(kind, number, query), viewer), portal.catalog.public_url + path, made)
        blocks = gathered(write(asked))
        first = next(blocks, b"")  # an error is an answer of its own, not half a list
        headers = {**CORS, "cache-control": "private, no-store" if asked.tree.viewer.curator else "no-cache"}
        return StreamingResponse(chain([first], blocks), headers=headers, media_type=media_type)

    def text(request: Request) -> Response:
        kind, number = entity_of(portal, request)
        write = TEXTS.get(request.path_params["name"]) if kind in {"dataset", "deposition"} else None
        if write is None:
            message = "There is no such text."
            raise NotFoundError(message)
        data = write(cite(portal, kind, number, request.state.viewer)).encode()
        headers = {**CORS, **cache_control(request.state.viewer), "etag": f'"{hashlib.sha256(data).hexdigest()}"'}
        return Response(data, headers=headers, media_type="text/plain; charset=utf-8")

    forms = [
        Route(f"/api/v1/{{kinds}}/{{id:int}}/manifest.{form}", _formed(manifest, form), name=f"manifest.{form}")
        for form in WRITERS
    ]
    return [*forms, Route("/api/v1/{kinds}/{id:int}/texts/{name}", text)]


def _formed(handler: Callable[[Request], Response], form: str) -> Callable[[Request], Response]:
    def handle(request: Request) -> Response:
        request.path_params["form"] = form
        return handler(request)

    return handle


def entity_of(portal: Portal, request: Request) -> tuple[str, int]:
    """Give kind and number of what the address names.

    Raises
    ------
    NotFoundError
        If the kind has no files, or there is no such entity for this viewer.
    GoneError
        If it was there once.
    """
    kind, number = KINDS.get(request.path_params["kinds"]), request.path_params["id"]
    if kind is None:
        message = f"{request.path_params['kinds']} have no files of their own; there are {', '.join(KINDS)}."
        raise NotFoundError(message)
    try:
        portal.catalog.get(kind, number, request.state.viewer)
    except NotFoundError:
        if portal.desk.tombstone(kind, number) is not None:
            message = f"{portal.catalog.schema.kinds[kind].prefix}{number} was removed; its number is not given again."
            raise GoneError(message) from None
        raise
    return kind, number
