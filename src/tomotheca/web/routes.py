"""Every page of the site, top to bottom."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response
from starlette.routing import Route

from tomotheca.errors import NotFoundError
from tomotheca.web import assets, export
from tomotheca.web.page import Crumb, Page
from tomotheca.web.pages import (
    browse,
    contribute,
    dataset,
    deposition,
    docs,
    finding,
    home,
    leaf,
    listing,
    objects,
    run,
    search,
    statistics,
    viewing,
)
from tomotheca.web.portal import Served, portal_of

if TYPE_CHECKING:
    from starlette.requests import Request

DOCS = Crumb("Docs", "/docs")
TYPES = {
    ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html", ".json": "application/json",
    ".png": "image/png", ".wasm": "application/wasm", ".ico": "image/x-icon", ".txt": "text/plain",
}  # fmt: skip
SQUEEZED = frozenset({".css", ".js", ".mjs", ".svg", ".json"})
"""Endings of files that are sent compressed to whoever reads that."""

FOREVER = "public, max-age=31536000, immutable"

PAGES = (
    Page("/", home.home, "home.html", "/index.json"),
    Page("/browse-data", browse.browse, "home.html"),
    Page("/browse-data/datasets", browse.datasets, "browse_datasets.html"),
    Page("/browse-data/depositions", browse.depositions, "browse_depositions.html"),
    Page("/browse-data/runs", browse.runs, "browse_runs.html"),
    Page("/browse-data/objects", objects.objects, "browse_objects.html"),
    Page("/datasets/{id}", dataset.dataset, "dataset.html"),
    Page("/runs/{id}", run.run, "run.html"),
    Page("/depositions/{id}", deposition.deposition, "deposition.html"),
    Page("/tilt-series/{id}", leaf.leaf("tiltseries"), "leaf.html"),
    Page("/tomograms/{id}", leaf.leaf("tomogram"), "leaf.html"),
    Page("/annotations/{id}", leaf.leaf("annotation"), "leaf.html"),
    Page("/alignments/{id}", leaf.leaf("alignment"), "leaf.html"),
    Page("/view/runs/{id}", viewing.view_run, "view.html"),
    Page("/view/tomograms/{id}", viewing.view_tomogram, "view.html"),
    Page("/search", search.search, "search.html"),
    Page(statistics.PATH, statistics.statistics, "statistics.html"),
    Page("/docs", docs.text("Docs", "Documentation of this site."), "docs.html"),
    Page("/docs/data-schema", docs.data_schema, "data_schema.html"),
    Page("/docs/download", docs.text("Download guide", "Every way to take data with you.", DOCS), "docs_download.html"),
    Page("/docs/api", docs.text("API guide", "GraphQL, files and the S3 endpoint.", DOCS), "docs_api.html"),
    Page("/about", docs.text("About", "What this site is."), "about.html"),
    Page("/contribute", contribute.contribute, "contribute.html"),
    Page("/login", docs.text("Sign in", "For curators."), "login.html"),
)
"""Pages by path, with the function that answers and the template that draws."""

TABLES: Mapping[str, export.Rows] = {
    browse.DATASETS.path: lambda asked: listing.rows(asked, browse.DATASETS),
    browse.DEPOSITIONS.path: lambda asked: listing.rows(asked, browse.DEPOSITIONS),
    browse.RUNS.path: lambda asked: listing.rows(asked, browse.RUNS),
    objects.PATH: objects.rows,
    statistics.PATH: statistics.rows,
    "/datasets/{id}": dataset.rows,
    "/runs/{id}": run.rows,
    "/depositions/{id}": deposition.rows,
}
"""Tables of pages that can be taken away as CSV and TSV."""


def routes(served: Served) -> list[Route]:
    """Give every route of the pages, their twins, generated states and static files."""
    portal = portal_of(served)
    pages = [route for page in PAGES for route in page.routes(portal)]
    pages = [*(route for path, rows in TABLES.items() for route in export.routes(portal, path, rows)), *pages]
    return [
        *static_routes(),
        *viewing.state_routes(portal),
        *docs.schema_routes(),
        *finding.routes(portal),
        *leaf.table_routes(portal),
        *search.routes(portal, PAGES),
        *pages,
    ]


def static_routes() -> list[Route]:
    """Give the routes of static files and of the built viewer."""

    def static(request: Request) -> Response:
        path = _below(assets.STATIC, request.path_params["name"])
        headers = {
            "cache-control": FOREVER if "v" in request.query_params else "public, max-age=3600",
            "x-content-type-options": "nosniff",
            "vary": "accept-encoding",
        }
        kind = TYPES.get(path.suffix, "application/octet-stream")
        if path.suffix in SQUEEZED and "gzip" in request.headers.get("accept-encoding", ""):
            data = squeezed(path, path.stat().st_mtime_ns)
            return Response(data, headers={**headers, "content-encoding": "gzip"}, media_type=kind)
        return FileResponse(path, headers=headers, media_type=kind)

    def viewer(request: Request) -> Response:
        path = _below(assets.VIEWER, request.path_params["name"] or "index.html")
        headers = {"content-security-policy": assets.VIEWER_CSP, "x-content-type-options": "nosniff"}
        headers["cache-control"] = FOREVER if path.parent.name == "assets" else "no-cache"
        return FileResponse(path, headers=headers, media_type=TYPES.get(path.suffix, "application/octet-stream"))

    def favicon(_: Request) -> Response:
        return FileResponse(
            assets.STATIC / "favicon.svg",
            media_type="image/svg+xml",
            headers={"cache-control": "public, max-age=86400"},
        )

    return [
        Route(assets.STATIC_URL + "{name:path}", static),
        Route(assets.VIEWER_URL + "{name:path}", viewer),
        Route("/favicon.ico", favicon),
    ]


@lru_cache(maxsize=64)
def squeezed(path: Path, _mtime: int) -> bytes:
    """Give the bytes of a small static file compressed."""
    return gzip.compress(path.read_bytes(), mtime=0)


def _below(folder: Path, name: str) -> Path:
    """Give a file below a folder.

    Raises
    ------
    NotFoundError
        If there is none, or the name leads out of the folder.
    """
    path = (folder / name).resolve() if "\x00" not in name else folder
    if not path.is_file() or not path.is_relative_to(folder.resolve()):
        message = f"There is no file {name}."
        raise NotFoundError(message)
    return path
