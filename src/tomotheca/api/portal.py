"""What one server process has open, handed to every route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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


def open_portal(settings: Settings) -> Portal:
    """Open catalogue, archive and desk for serving."""
    catalog = Catalog(
        settings.catalog_database, public_url=(settings.public_url or "").rstrip("/"), bucket=settings.bucket,
        query_seconds=settings.query_seconds,
    )  # fmt: skip
    files = open_files(settings)
    return Portal(settings, catalog, files, Desk.open(settings.desk_database), Lookup(catalog, files))
