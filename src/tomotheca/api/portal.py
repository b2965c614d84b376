"""What one server process has open, handed to every route."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tomotheca.api.counting import Counts
from tomotheca.api.lookup import Lookup
from tomotheca.catalog.catalog import Catalog
from tomotheca.desk import Desk
from tomotheca.store.opening import open_files

if TYPE_CHECKING:
    from tomotheca.settings import Settings
    from tomotheca.store.files import Files


@dataclass(frozen=True)
class Portal:
    """Settings, catalogue, files and desk of a running server."""

    settings: Settings
    catalog: Catalog
    files: Files
    desk: Desk
    lookup: Lookup
    counts: Counts
    links: dict[tuple[str, int, str], str] = field(default_factory=dict)
    """What is said in the headers of files, by what they belong to and the catalogue's stamp."""


def open_portal(settings: Settings) -> Portal:
    """Open catalogue, archive and desk for serving."""
    catalog = Catalog(
        settings.catalog_database, public_url=(settings.public_url or "").rstrip("/"), bucket=settings.bucket,
        query_seconds=settings.query_seconds,
    )  # fmt: skip
    files = open_files(settings)
    desk = Desk.open(settings.desk_database)
    return Portal(settings, catalog, files, desk, Lookup(catalog, files), Counts(desk))
