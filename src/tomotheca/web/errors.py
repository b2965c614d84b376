"""Error pages that look like the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.settings import Settings
from tomotheca.web.page import Context, Shell, guard, to_html

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

HEADINGS = {
    400: "That address cannot be read", 401: "Please sign in", 403: "Not for everyone", 404: "Nothing here", 405: "Not that way", 410: "Withdrawn",
    422: "This file cannot be read", 429: "Too many requests", 500: "Our mistake", 503: "Not available just now",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Failure(Context):
    """What went wrong, and what to do now."""

    status: int
    message: str
    asked_for: str = ""
    """Last part of the address, to search for."""


def error_page(request: Request, status: int, message: str) -> Response:
    """Give the styled page of an error."""
    path = request.url.path
    portal = getattr(getattr(request.scope.get("app"), "state", None), "portal", None)
    settings = portal.settings if portal else Settings()
    last = path.rstrip("/").rpartition("/")[2][:100]
    failure = Failure(title=HEADINGS.get(status, "Error"), status=status, message=message, asked_for=last, noindex=True)
    frame = Shell(settings.site_name, settings.tagline, "", "", curator=False, path=path)
    response = guard(to_html("error.html", failure, frame, status))
    response.headers["cache-control"] = "no-store"
    return response
