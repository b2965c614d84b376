"""From any identifier to its page, the feed of releases, and what crawlers read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tomotheca.web.links import page
from tomotheca.web.page import Asked, ask, guard
from tomotheca.web.resolving import resolve

if TYPE_CHECKING:
    from starlette.requests import Request

    from tomotheca.catalog.catalog import Row
    from tomotheca.web.portal import Portal

NEWEST = 30


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
