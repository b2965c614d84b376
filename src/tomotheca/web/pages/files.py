"""The page that lists the catalogue's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tomotheca.web.page import Context, Crumb, Page, ask, attending, guard, shell, to_html
from tomotheca.web.words import say

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tomotheca.web.portal import Portal


class Listed(Protocol):
    """A file as the page shows it."""

    @property
    def name(self) -> str:
        """Name of the file."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def sha256(self) -> str:
        """Its digest."""


@dataclass(frozen=True, kw_only=True)
class CatalogueFiles(Context):
    """Everything on the page."""

    origin: str
    version: str
    files: Sequence[Listed]


def catalogue_files(portal: Portal, request: Request, files: Sequence[Listed], version: str) -> Response:
    """Draw the page.

    Parameters
    ----------
    portal : Portal
        The site.
    request : Request
        What was asked.
    files : sequence
        The files there are.
    version : str
        State of the catalogue that they hold.
    """
    asked = ask(portal, request)
    with attending(portal, request):
        context = CatalogueFiles(
            title=say("The catalogue as files"),
            description=say("Everything that can be seen here as SQLite, Parquet and NDJSON."),
            crumbs=(Crumb(say("Docs"), "/docs"), Crumb(say("The catalogue as files"))),
            origin=asked.origin,
            version=version,
            files=files,
        )
        page = Page("/catalog/", lambda _: context, "catalogue_files.html", twin="/catalog/version.json")
        return guard(to_html(page.template, context, shell(asked, page)))
