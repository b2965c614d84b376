"""From the folder of a dump to a loaded dump: copied, checked, indexed, and in its place only when all of that worked."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tomotheca.catalog.addresses import Addresses, Detector, addresses_of
from tomotheca.catalog.dumpread import SUFFIX, Findings, Reader
from tomotheca.catalog.files import ancestors
from tomotheca.catalog.loaded import FILES, About, Dump, Shelf, checked_name, write_about
from tomotheca.catalog.renumber import Renumbering, known
from tomotheca.catalog.trees import Tree
from tomotheca.desk.desk import now
from tomotheca.errors import ConflictError, FindingsError, NotFoundError
from tomotheca.store.manifest import encode

if TYPE_CHECKING:
    from tomotheca.catalog.build import Indexed, Indexer
    from tomotheca.errors import Finding
    from tomotheca.schema import Schema


@dataclass(frozen=True)
class Beside:
    """A folder of files that belong to a dump."""

    folder: Path
    prefixes: tuple[str, ...] = ()
    """What stands before a key in the addresses of rows; found out when not given."""

    digests: Callable[[str], str | None] = lambda _: None

    def register(self, indexer: Indexer, staged: Path, about: About, findings: list[Finding]) -> About:
        """List the files for a dump that is being loaded, and give what is then known of it.

        Raises
        ------
        ConflictError
            If no address of the dump leads to anything in the folder.
        """
        indexer.progress(f"files in {self.folder}")
        named = named_addresses(indexer.schema, staged)
        prefixes = self.prefixes or Detector(self.folder).prefixes(named)
        keys = {key for address in named if (key := Addresses(indexer.schema, prefixes).key(address))}
        if not keys:
            message = f"no address of the dump leads to anything in {self.folder}; say with --prefix what stands before the keys in addresses"
            raise ConflictError(message)
        folders = {k for k in keys if k.endswith("/")}
        above = {folder for key in keys for folder in ancestors(key.rstrip("/"))}

        def covered(folder: str) -> bool:
            return folder in above or folder[:-1] in keys or not folders.isdisjoint([folder, *ancestors(folder[:-1])])

        tree = Tree(self.folder, staged, keys - folders, covered, self.digests, publish_emails=indexer.publish_emails)
        with (staged / FILES).open("wb") as out:
            for entry in tree.entries():
                out.write(encode([entry]))
        findings.extend(tree.findings())
        return replace(about, tree=str(self.folder), prefixes=prefixes)


def named_addresses(schema: Schema, folder: Path) -> list[str]:
    """Give every address in a dump once, in order.

    Raises
    ------
    FindingsError
        If the dump breaks the schema.
    """
    reader = Reader(schema, folder, Findings())
    found = sorted({a for kind in schema.kinds for block in reader.blocks(kind) for a in addresses_of(schema, block)})
    if reader.findings.errors:
        raise FindingsError(reader.findings.found)
    return found


@dataclass(frozen=True)
class Loading:
    """One dump on its way in."""

    shelf: Shelf
    indexer: Indexer
    source: Path
    name: str
    origin: str = ""
    tree: Beside | None = None
    """Files that are served in place."""

    renumber: bool = False
    """Give the rows new identifiers."""

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
            if self.renumber:
                old = self.shelf.find(self.name)
                Renumbering(self.indexer.schema, self.indexer.desk, staged, about.origin).run(old.home if old else None)
            found: list[Finding] = []
            if self.tree:
                about = self.tree.register(self.indexer, staged, about, found)
            write_about(staged, about)
            dump = Dump(staged, about, self.shelf.root / self.name)
            done = self.indexer.load(dump, partial(self.shelf.place, staged, self.name))
            return replace(done, findings=(*found, *done.findings))

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
            self._require_free()

    def _require_free(self) -> None:
        """See that the name is new, or that of a dump with some of the same datasets: another dump is not replaced by mistake."""
        old, kind = self.shelf.find(self.name), "dataset"
        if old is None or not (before := {*old.ids(kind), *known(old.home).get(kind, {})}):
            return
        if before.isdisjoint(Dump(self.source, old.about, self.source).ids(kind)):
            message = f"loaded/{self.name} holds other datasets than {self.source}; give another name with --name, or replace it with --force"
            raise ConflictError(message)

    def _copy(self, staged: Path) -> None:
        for kind in self.indexer.schema.kinds:
            path = self.source / f"{kind}{SUFFIX}"
            if path.is_file():
                shutil.copyfile(path, staged / path.name)
