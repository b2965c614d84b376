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
from tomotheca.api.selection import Selection, files_of, select
from tomotheca.api.texts import TEXTS, subject
from tomotheca.catalog.writers import gathered
from tomotheca.errors import GoneError, NotFoundError
from tomotheca.store import layout

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.api.portal import Portal
    from tomotheca.catalog.files import FileRow
    from tomotheca.catalog.viewer import Viewer

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
    selection: Selection
    viewer: Viewer

    def items(self) -> Iterator[Item]:
        """Give the files of the archive, then the texts that go with them."""
        base = self.portal.catalog.public_url
        found = files_of(self.portal, self.selection, self.viewer)
        return chain((_item(base, file) for file in found), self._texts())

    def _texts(self) -> Iterator[Item]:
        kind, number, folder = self._about()
        about, base = subject(self.portal, kind, number, self.viewer), self.portal.catalog.public_url
        for name, write in TEXTS.items():
            data = write(about).encode()
            yield Item(
                folder + name,
                len(data),
                hashlib.sha256(data).hexdigest(),
                f"{base}/api/v1/{kind}s/{number}/texts/{name}",
            )

    def _about(self) -> tuple[str, int, str]:
        """Give the dataset that an entity lies in, or the deposition, and its folder."""
        if self.selection.kind == "deposition":
            return "deposition", self.selection.id, layout.Deposition(self.selection.id).folder
        number = self.selection.id
        if self.selection.kind != "dataset":
            kind, run = self.selection.kind, self.selection.id
            if kind != "run":
                run = self.portal.catalog.get(kind, number, self.viewer)["run_id"]
            number = self.portal.catalog.get("run", run, self.viewer)["dataset_id"]
        return "dataset", number, layout.Dataset(number).folder


def _item(base: str, file: FileRow) -> Item:
    return Item(file.key, file.size, file.sha256, f"{base}/files/{quote(file.key, safe='/')}")


def as_json(asked: Asked) -> Iterator[bytes]:
    """Write an object with one file per line, and the totals at the end."""
    entity = asked.portal.catalog.schema.kinds[asked.selection.kind]
    head = {
        "id": f"{entity.prefix}{asked.selection.id}",
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


def sum_line(sha256: str, path: str) -> str:
    """Write one line of SHA256SUMS."""
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n")
    mark = "\\" if escaped != path else ""
    return f"{mark}{sha256}  {escaped}\n"


def as_curl(asked: Asked) -> Iterator[bytes]:
    """Write a configuration for ``curl --parallel -fL -K -`` that continues what is there."""
    yield b'create-dirs\ncontinue-at = "-"\n'
    for item in asked.items():
        yield f'url = "{_curl(item.url)}"\noutput = "{_curl(item.path)}"\n'.encode()


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
        kind, number = _entity(portal, request)
        media_type, write = WRITERS[request.path_params["form"]]
        asked = Asked(portal, select(kind, number, request.query_params), request.state.viewer)
        blocks = gathered(write(asked))
        first = next(blocks, b"")  # an error is an answer of its own, not half a list
        headers = {**CORS, "cache-control": "private, no-store" if asked.viewer.curator else "no-cache"}
        return StreamingResponse(chain([first], blocks), headers=headers, media_type=media_type)

    def text(request: Request) -> Response:
        kind, number = _entity(portal, request)
        write = TEXTS.get(request.path_params["name"]) if kind in {"dataset", "deposition"} else None
        if write is None:
            message = "There is no such text."
            raise NotFoundError(message)
        about = subject(portal, kind, number, request.state.viewer)
        data = write(about).encode()
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


def _entity(portal: Portal, request: Request) -> tuple[str, int]:
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
