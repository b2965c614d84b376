"""Error pages that look like the others, and say what there is instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.settings import Settings
from tomotheca.web import links
from tomotheca.web.page import Context, Crumb, Shell, guard, identify, to_html
from tomotheca.web.words import choose, say, speaking

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tomotheca.catalog.viewer import Viewer
    from tomotheca.web.portal import Portal

HEADINGS = {
    400: "That address cannot be read", 401: "Please sign in", 403: "Not for everyone", 404: "Nothing here", 405: "Not that way", 410: "Withdrawn",
    422: "This file cannot be read", 429: "Too many requests", 500: "Our mistake", 503: "Not available just now",
}  # fmt: skip
MISSING, GONE = 404, 410
NEAR = 2
"""Neighbours that are offered on either side of an identifier."""

MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Grave:
    """What is known of a record that was withdrawn."""

    identifier: str
    title: str
    reason: str
    date: str


@dataclass(frozen=True, kw_only=True)
class Failure(Context):
    """What went wrong, and what to do now."""

    status: int
    message: str
    asked_for: str = ""
    """Last part of the address, to search for."""

    grave: Grave | None = None
    near: tuple[Crumb, ...] = ()
    """Records of the same kind whose identifiers are next to the one that was asked for."""

    request_id: str = ""


def error_page(request: Request, status: int, message: str) -> Response:
    """Give the styled page of an error."""
    path = request.url.path
    portal: Portal | None = getattr(getattr(request.scope.get("app"), "state", None), "portal", None)
    settings = portal.settings if portal else Settings()
    state = request.scope.get("state", {})
    kind, number = subject(path)
    grave: Grave | None = None
    near: tuple[Crumb, ...] = ()
    if portal is not None and kind and status in {MISSING, GONE}:
        grave = _grave(portal, kind, number) if status == GONE else None
        near = _near(portal, state.get("viewer", ANONYMOUS), kind, number)
    last = path.rstrip("/").rpartition("/")[2][:100]
    with speaking(choose(settings, request.headers.get("accept-language", ""))):
        failure = Failure(
            title=say(HEADINGS.get(status, "Error")), status=status, message=message, asked_for=identify(settings, kind, number) if kind else last, noindex=True, grave=grave,
            near=near, request_id=str(state.get("request_id", "")),
        )  # fmt: skip
        frame = Shell(
            settings.site_name, settings.tagline, "", "", curator=False, path=path, contribute=settings.contribute_link
        )
        response = guard(to_html("error.html", failure, frame, status))
    response.headers["cache-control"] = "no-store"
    return response


def subject(path: str) -> tuple[str, int]:
    """Give the kind and number of the record that an address names; nothing for any other address."""
    head, _, rest = path.removeprefix("/view").removeprefix("/").partition("/")
    digits = rest.partition("/")[0].partition(".")[0]
    kind = next((k for k, p in links.PATHS.items() if p == f"/{head}"), "")
    return (
        (kind, int(digits))
        if kind and digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS
        else ("", 0)
    )


def _grave(portal: Portal, kind: str, number: int) -> Grave | None:
    stone = portal.desk.tombstone(kind, number) if portal.desk else None
    return (
        Grave(identify(portal.settings, kind, number), stone.title, stone.reason, str(stone.buried_at)[:10])
        if stone
        else None
    )


def _near(portal: Portal, viewer: Viewer, kind: str, number: int) -> tuple[Crumb, ...]:
    """Give the records that the viewer sees on both sides of an identifier."""
    c = portal.catalog.compiler(viewer)
    row = c.table(kind)
    seen = sa.select(row.c.id).where(*c.visible(kind, row))
    below = portal.catalog.execute(seen.where(row.c.id < number).order_by(row.c.id.desc()).limit(NEAR))
    above = portal.catalog.execute(seen.where(row.c.id > number).order_by(row.c.id).limit(NEAR))
    found = sorted(r["id"] for r in (*below, *above))
    return tuple(Crumb(identify(portal.settings, kind, i), links.page(kind, i)) for i in found)
