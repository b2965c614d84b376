"""A small archive with its catalogue, and a look at all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from tests.catalog.archive import put_dataset, put_deposition

from tomotheca.catalog.build import Indexer
from tomotheca.catalog.catalog import Catalog
from tomotheca.desk import Desk
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import Database


class World:
    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database = folder, database
        self.files = LocalFiles(folder / "archive")
        self.desk = Desk.open(f"sqlite:///{folder / 'desk.sqlite'}")
        self.url = database.new()
        self.opened: list[Catalog] = []
        self.files.root.mkdir(exist_ok=True)
        put_deposition(self.files, 10300)
        put_deposition(self.files, 10301)
        put_dataset(self.files, 10001, 10300)
        put_dataset(self.files, 10002, 10301, runs=1)

    def indexer(self, url: str | None = None) -> Indexer:
        return Indexer(self.files, self.desk, url or self.url)

    def catalog(self) -> Catalog:
        self.opened.append(Catalog(self.url, public_url="http://h", bucket="b"))
        return self.opened[-1]

    def close(self) -> None:
        self.desk.close()
        for catalog in self.opened:
            catalog.close()


def everything(url: str) -> dict[str, list[Any]]:
    """Every row of every table, but the version, which is never the same."""
    catalog = Catalog(url)
    found = {
        t.name: sorted(map(tuple, catalog.rows(sa.select(t))), key=repr)
        for t in catalog.tables.metadata.tables.values()
    }
    catalog.close()
    found["meta"] = [row for row in found["meta"] if row[0] != "version"]
    return found
