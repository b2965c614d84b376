"""Archive, desk and indexer as commands use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError, ProgrammingError

from tomotheca.catalog.build import Indexed, Indexer, fingerprint
from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.loaded import Shelf
from tomotheca.desk import Desk, export_marks
from tomotheca.errors import NotFoundError
from tomotheca.ingest import removal
from tomotheca.store import tree
from tomotheca.store.opening import open_files

if TYPE_CHECKING:
    from tomotheca.settings import Settings
    from tomotheca.store.files import Files


@dataclass(frozen=True)
class Opened:
    """An archive that is open for writing, and its desk."""

    settings: Settings
    files: Files
    desk: Desk

    def indexer(self, progress: Callable[[str], None] = lambda _: None) -> Indexer:
        """Give what writes the catalogue."""
        emails = self.settings.privacy_publish_emails
        return Indexer(
            self.files,
            self.desk,
            self.settings.catalog_database,
            publish_emails=emails,
            shelf=self.shelf,
            progress=progress,
            workers=self.settings.workers,
        )

    @property
    def shelf(self) -> Shelf:
        """Loaded dumps."""
        return Shelf(self.settings.loaded_folder.absolute().resolve())

    def has_catalog(self) -> bool:
        """Say whether there is a catalogue that this version of the program reads."""
        if self.settings.catalog_url is None and not (self.settings.state_folder / "catalog.sqlite").is_file():
            return False
        return is_current(self.settings.catalog_database)

    def index(
        self,
        datasets: list[int] | None = None,
        depositions: list[int] | None = None,
        *,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Indexed:
        """Index what was named, or everything, and keep the marks from which a lost desk is made again.

        Hold the archive's lock: what somebody was killed while removing goes first, and its rows with it.
        """
        removal.finish(self.files, self.desk)
        indexer = self.indexer(progress)
        if datasets is None:
            done = indexer.rebuild()
        else:
            d, p = removal.waiting(self.files)
            present, there = set(tree.datasets(self.files)), set(tree.depositions(self.files))
            gone = [("dataset", n) for n in d if n not in present] + [("deposition", n) for n in p if n not in there]
            done = indexer.replace({*datasets, *present.intersection(d)}, {*(depositions or ()), *p}, gone)
        removal.settle(self.files)
        export_marks(self.files, self.desk)
        return done


def is_current(url: str) -> bool:
    """Say whether a catalogue has the tables that this version of the program reads."""
    catalog = Catalog(url)
    meta = catalog.tables.meta
    try:
        found = catalog.execute(meta.select().where(meta.c.name == "schema"))
    except (OperationalError, ProgrammingError):  # no such table
        return False
    finally:
        catalog.engine.dispose()
    return bool(found) and found[0]["value"] == fingerprint(catalog.tables)


@contextmanager
def opened(settings: Settings, *, create: bool = False) -> Iterator[Opened]:
    """Open archive and desk.

    Raises
    ------
    NotFoundError
        If there is no archive yet and none is to be made.
    """
    if create and not settings.archive_is_remote:
        settings.archive_folder.mkdir(parents=True, exist_ok=True)
    files = open_files(settings)
    if not (files.present or (create and settings.archive_is_remote)):
        message = f"there is no archive in {settings.archive_name}; `tomotheca ingest` or `tomotheca demo` makes one, --root names another folder"
        raise NotFoundError(message)
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    with Desk.open(settings.desk_database) as desk:
        yield Opened(settings, files, desk)
