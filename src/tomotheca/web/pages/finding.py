"""From any identifier to its page, the feed of releases, and what crawlers read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tomotheca.web.address import Address
from tomotheca.web.links import PATHS, page
from tomotheca.web.page import Asked, ask, guard
from tomotheca.web.pages.common import prefixed

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.catalog.catalog import Row
    from tomotheca.web.portal import Portal

NEWEST = 30
MOST_DIGITS = 10
LONGEST_NAME = 200


def resolve(asked: Asked, given: str) -> str:
    """Give the page of whatever an identifier names; a search where it names nothing."""
    text = re.sub(r"^https?://[^/]+", "", given.strip())
    for kind, path in PATHS.items():
        if found := re.fullmatch(rf"{path}/(\d{{1,10}})/?", text):
            return page(kind, int(found[1]))
    for kind in PATHS:
        number = None if text.isdigit() else prefixed(asked, kind, text)
        if number is not None:
            return page(kind, number)
    if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS:
        here = [
            kind
            for kind in PATHS
            if abs(int(text)) < 1 << 31 and asked.portal.catalog.count(kind, asked.viewer, {"id": {"_eq": int(text)}})
        ]
        if here:
            return page("dataset" if "dataset" in here else here[0], int(text))
    runs = (
        asked.portal.catalog.find("run", asked.viewer, where={"name": {"_eq": text}}, limit=2)
        if len(text) <= LONGEST_NAME
        else []
    )
    if len(runs) == 1:
        return page("run", runs[0]["id"])
    return str(Address("/browse-data/datasets", (("search", text),) if text else ()))


def routes(portal: Portal) -> list[Route]:
    """Give the routes of resolver, feed and crawler files."""

    def resolver(request: Request) -> Response:
        given = request.path_params["given"] if "given" in request.path_params else request.query_params.get("q", "")
        return guard(RedirectResponse(resolve(ask(portal, request), given), 302))

    def robots(_: Request) -> Response:
        return PlainTextResponse(
            "User-agent: *\nDisallow: /api/\nDisallow: /files/\nDisallow: /s3/\nDisallow: /viewer/\nDisallow: /view/\n"
        )

    def feed(request: Request) -> Response:
        return guard(Response(_feed(ask(portal, request)), media_type="application/atom+xml"))

    return [
        Route("/id", resolver),
        Route("/id/{given:path}", resolver),
        Route("/robots.txt", robots),
        Route("/feed.atom", feed),
    ]


def _feed(asked: Asked) -> str:
    found = asked.portal.catalog.find(
        "dataset", asked.viewer, order=[("release_date", "desc"), ("id", "desc")], limit=NEWEST
    )
    site = escape(asked.portal.settings.site_name)
    updated = max((d["last_modified_date"] for d in found), default="1970-01-01T00:00:00+00:00")
    entries = "".join(_entry(asked, d) for d in found)
    own = quoteattr(f"{asked.origin}/feed.atom")
    return (
        f'<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><id>{escape(asked.origin)}/</id><title>{site}: new datasets</title>'
        f'<link rel="self" href={own}/><updated>{updated}</updated><author><name>{site}</name></author>{entries}</feed>'
    )


def _entry(asked: Asked, d: Row) -> str:
    address = f"{asked.origin}{page('dataset', d['id'])}"
    return (
        f"<entry><id>{escape(address)}</id><title>{escape(d['title'])}</title><link href={quoteattr(address)}/><published>{d['release_date']}</published>"
        f"<updated>{d['last_modified_date']}</updated><summary>{escape(d['description'])}</summary></entry>"
    )
