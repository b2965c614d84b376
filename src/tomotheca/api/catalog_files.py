"""``/catalog/``: the whole public catalogue as files, for programs that would otherwise ask a million questions."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tomotheca.api.blob import Blob, BlobResponse
from tomotheca.api.files import CORS, PREFLIGHT, disposition, headers_of
from tomotheca.catalog.publishing import Published, Wanted, names
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.errors import MissingExtraError, NotFoundError, StorageError
from tomotheca.store.sources import at_path
from tomotheca.web.pages.files import catalogue_files

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from tomotheca.api.portal import Portal
    from tomotheca.web.portal import Portal as Site

HEADERS = {**CORS, "cache-control": "no-cache", "cross-origin-resource-policy": "cross-origin"}
"""Whoever keeps a file asks each time whether it is still the one: data that has been hidden must not live on."""

VERSION = "version.json"
METHODS = ["GET", "HEAD", "OPTIONS"]


class CatalogFiles:
    """Gives the files, and has them made when the catalogue has changed. They hold what anybody may see, whoever asks."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self._making: dict[str, asyncio.Task[None]] = {}

    async def listed(self) -> tuple[Wanted, Mapping[str, Published]]:
        """Give the files of the present state of the catalogue.

        Raises
        ------
        StorageError
            If they cannot be made.
        """
        settings, catalog = self.portal.settings, self.portal.catalog
        stamp = await asyncio.to_thread(catalog.stamp, ANONYMOUS)
        root = str(settings.state_folder.absolute() / "catalog-files")
        wanted = Wanted(settings.catalog_database, catalog.public_url, catalog.bucket, stamp, root)
        found = wanted.listed()
        if found is None:
            await self._made(wanted)
            found = wanted.listed()
        if found is None:
            message = "the catalogue's files could not be made; ask again, or tell the operator of this server"
            raise StorageError(message)
        return wanted, found

    async def _made(self, wanted: Wanted) -> None:
        """Wait until the files are made, together with all others who wait for them here."""
        task = self._making.get(wanted.stamp)
        if task is None:
            task = self._making[wanted.stamp] = asyncio.create_task(_make(wanted))
            task.add_done_callback(lambda _: self._making.pop(wanted.stamp, None))
        await asyncio.shield(task)

    async def find(self, name: str) -> Blob:
        """Give one file.

        Raises
        ------
        NotFoundError
            If there is none of that name.
        MissingExtraError
            If this server cannot write its format.
        """
        if name not in names():
            message = f"There is no file {name} of the catalogue; /catalog/ lists them."
            raise NotFoundError(message)
        wanted, found = await self.listed()
        file = found.get(name)
        if file is None:
            message = f"{name} cannot be made here: pyarrow is not installed; take the .ndjson, or ask the operator for tomotheca[parquet]."
            raise MissingExtraError(message)
        path = wanted.folder / name
        return Blob(file.size, f'"{file.sha256}"', file.media_type, path.stat().st_mtime, at_path(name, path))


async def _make(wanted: Wanted) -> None:
    words = [sys.executable, "-m", "tomotheca.catalog.publishing"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL)
    told, _ = await process.communicate(json.dumps(asdict(wanted)).encode())
    if process.returncode:
        reason = told.decode(errors="replace") or f"its program ended with code {process.returncode}"
        message = f"the catalogue's files cannot be made: {reason}"
        raise StorageError(message)


class FileDoor:
    """Answers GET, HEAD and OPTIONS for one file."""

    def __init__(self, files: CatalogFiles) -> None:
        self.files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=PREFLIGHT)(scope, receive, send)
            return
        name = str(scope["path"]).partition("/catalog/")[2]
        blob = await self.files.find(name)
        headers = {**HEADERS, **disposition(name, save=True)}
        await BlobResponse(blob, scope["state"]["headers"], headers)(scope, receive, send)


def routes(portal: Portal, site: Site) -> list[Route]:
    """Give the routes of the catalogue's files; that of its version comes before them."""
    files = CatalogFiles(portal)

    async def listing(request: Request) -> Response:
        wanted, found = await files.listed()
        as_page = "text/html" in headers_of(request).get("accept", "")
        tag = f'"{wanted.folder.name}{"-page" if as_page else ""}"'
        headers = {**HEADERS, "etag": tag, "vary": "accept"}
        if headers_of(request).get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        if as_page:
            response = await asyncio.to_thread(catalogue_files, site, request, list(found.values()), wanted.stamp)
            response.headers.update(headers)
            return response
        listed = [{**asdict(f), "url": f"{portal.catalog.public_url}/catalog/{f.name}"} for f in found.values()]
        body = orjson.dumps({"version": wanted.stamp, "files": listed}, option=orjson.OPT_INDENT_2)
        return Response(body, headers=headers, media_type="application/json")

    async def slash(_: Request) -> Response:
        return RedirectResponse("/catalog/", status_code=308)

    return [
        Route("/catalog", slash),
        Route("/catalog/", listing),
        Route("/catalog/{name}", FileDoor(files), methods=METHODS),
    ]
