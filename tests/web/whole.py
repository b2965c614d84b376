"""The whole application over the invented world, every layer and door of it, and what is worth trying on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin, urlsplit

from tomotheca.api.app import create_app
from tomotheca.schema import SCHEMA
from tomotheca.web import downloads, drawers
from tomotheca.web.filters import registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx
    from starlette.routing import Route
    from tests.web.conftest import Site

    from tomotheca.api.frame import Frame

__all__ = ["Links", "crawl", "names", "paths", "whole"]

LISTINGS = ("dataset", "run", "deposition")
TABLES = {
    "page",
    "sort",
    "per-page",
    "cols",
    "table-tab",
    "deposition-tab",
    "group-by",
    "search",
    "q",
    "kind",
    "object-mode",
}
VIEWER = {"tomogram", "annotation", "deposition", "layout", "pos", "axis", "index", "size", "level", "limit", "offset", "fields", "order", "where"}  # fmt: skip


def whole(site: Site) -> Frame:
    """Open the application as the server does, over the site's folder and database."""
    return create_app(site.settings)


def paths(app: Frame) -> list[str]:
    """Give the path of every route that reads."""
    layer = app.app
    while not hasattr(layer, "routes"):
        layer = layer.app  # type: ignore[attr-defined]  # every layer has the next one
    routes: Sequence[Route] = layer.routes
    return sorted({route.path for route in routes if "GET" in (route.methods or {"GET"})})


def names() -> list[str]:
    """Give every parameter that a page of the site reads."""
    filters = {f.parameter for listing in LISTINGS for f in registry(SCHEMA, listing)}
    dialogs = drawers.PARAMETERS | downloads.PARAMETERS
    return sorted({*filters, *(f"{name}.from" for name in filters), *dialogs, *TABLES, *VIEWER})


@dataclass(frozen=True)
class Link:
    """An address that a page leads to."""

    page: str
    address: str
    fragment: str


class Links(HTMLParser):
    """Collects what a page links to, and the anchors it has."""

    def __init__(self, page: str, html: str) -> None:
        super().__init__()
        self.page, self.anchors, self.found = page, {""}, list[Link]()
        self.feed(html)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and the anchor of a tag."""
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if name in {"href", "src", "action"} and value:
                address, fragment = urldefrag(urljoin(self.page, value))
                self.found.append(Link(self.page, address, fragment))
            if name == "srcset" and value:
                self.found.extend(Link(self.page, urljoin(self.page, one.split()[0]), "") for one in value.split(","))


def _shape(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    asked = sorted({pair.partition("=")[0] for pair in parts.query.split("&")})
    plain = len(asked) == 1 and not parts.path.endswith((".json", ".csv", ".tsv"))
    return re.sub(r"\d+", "N", parts.path), asked[0] if plain else "several"


def crawl(http: httpx.Client, *starts: str, each: int = 1, leave: str = r"^$") -> Iterator[tuple[Link, httpx.Response]]:
    """Follow the links of a site, and give each with its answer; of links alike but for numbers and values, a few.

    Yields
    ------
    tuple of Link and httpx.Response
        Redirections are followed. Addresses of other origins and those that match `leave` are not asked for.
    """
    origin = str(http.base_url).rstrip("/")
    waiting = [Link("", urljoin(origin, start), "") for start in starts]
    seen: dict[tuple[str, str], set[str]] = {}
    while waiting:
        link = waiting.pop(0)
        alike = seen.setdefault(_shape(link.address), set())
        if link.address in alike or len(alike) >= each or not link.address.startswith(f"{origin}/"):
            continue
        if re.search(leave, urlsplit(link.address).path):
            continue
        alike.add(link.address)
        answer = http.get(link.address)
        yield link, answer
        if answer.headers.get("content-type", "").startswith("text/html"):
            waiting += Links(str(answer.url), answer.text).found
