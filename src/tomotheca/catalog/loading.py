"""From the folder of a dump to a loaded dump: copied, checked, indexed, and in its place only when all of that worked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.catalog.dumpread import SUFFIX, Findings, Reader
from tomotheca.catalog.loaded import About, Dump, Shelf, checked_name, require_free, write_about
from tomotheca.desk.desk import now
from tomotheca.errors import FindingsError, NotFoundError

if TYPE_CHECKING:
    from tomotheca.catalog.build import Indexed, Indexer


@dataclass(frozen=True)
class Loading:
    """One dump on its way in."""

    shelf: Shelf
    indexer: Indexer
    source: Path
    name: str
    origin: str = ""

    def run(self, *, force: bool = False) -> Indexed:
        """Copy the dump and index it; nothing is changed when that fails.

        Raises
        ------
        NotFoundError
            If there is no such folder.
        FindingsError
            If the dump breaks the schema.
        ConflictError
            If other data uses its identifiers, or another dump its name.
        """
        self._require(force=force)
        with self.shelf.stage(self.name) as staged:
            self._copy(staged)
            about = About(self.name, now(), self.origin or self.source.as_uri())
            write_about(staged, about)
            return self.indexer.load(Dump(staged, about), partial(self.shelf.place, staged, self.name))

    def _require(self, *, force: bool) -> None:
        checked_name(self.name)
        if not self.source.is_dir():
            message = f"{self.source}: there is no such folder; name the folder of a dump"
            raise NotFoundError(message)
        reader = Reader(self.indexer.schema, self.source, Findings())
        reader.check_names()
        if reader.findings.found:
            raise FindingsError(reader.findings.found)
        if not force:
            require_free(self.indexer.schema, self.shelf, self.name, self.source)

    def _copy(self, staged: Path) -> None:
        for kind in self.indexer.schema.kinds:
            path = self.source / f"{kind}{SUFFIX}"
            if path.is_file():
                shutil.copyfile(path, staged / path.name)
