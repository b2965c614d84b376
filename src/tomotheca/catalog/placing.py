"""The files of a loaded dump -> rows of the file table: whose each one is follows from the rows that name it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.catalog.addresses import Addresses
from tomotheca.catalog.files import ancestors
from tomotheca.catalog.loaded import FILES
from tomotheca.catalog.trees import list_name
from tomotheca.errors import Finding
from tomotheca.store import layout, manifest

if TYPE_CHECKING:
    from tomotheca.catalog.dumpread import Block
    from tomotheca.catalog.homes import Home
    from tomotheca.catalog.loaded import Dump
    from tomotheca.schema import Schema

ROLES = {
    "frame": "frame", "gain_file": "gain", "frame_acquisition_file": "mdoc", "tiltseries": "tilt_series", "alignment": "alignment",
    "tomogram": "tomogram", "annotation_file": "annotation", "identified_object": "objects",
}  # fmt: skip
"""Role of a file that a row of a kind names."""

PHOTOS = ("image/png", "image/jpeg", "image/webp", "image/gif")
ANGLES = (".rawtlt", ".tlt")


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose a key is."""

    kind: str
    home: Home


@dataclass
class Placing:
    """Gathers which rows name which keys, then gives the file table."""

    schema: Schema
    dump: Dump
    named: dict[str, Owned] = field(default_factory=dict)
    folders: dict[str, Owned] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    @property
    def listing(self) -> Path:
        """List of the files of the tree."""
        return self.dump.folder / FILES

    def entries(self) -> Iterator[manifest.Entry]:
        """Give the files of the tree, line by line: there may be a million."""
        if self.listing.is_file():
            with self.listing.open("rb") as lines:
                for line in lines:
                    yield from manifest.decode(line, where=FILES)

    @cached_property
    def addresses(self) -> Addresses:
        """Addresses that are keys here: those of files there are, or, without a list of files, all with the right beginning."""
        if not self.listing.is_file():
            return Addresses(self.schema, self.dump.about.prefixes)
        known: set[str] = set()
        for entry in self.entries():
            known.add(entry.key.rstrip("/"))
            known.update(folder[:-1] for folder in ancestors(entry.key.rstrip("/")))
        return Addresses(self.schema, self.dump.about.prefixes, known)

    def take(self, block: Block, homes: Sequence[Home | None]) -> None:
        """Put keys in the place of addresses and remember whose they are."""
        if not self.dump.about.prefixes:
            return
        for keys in self.addresses.localise(block).values():
            for key, home in zip(keys, homes, strict=True):
                if not key or home is None:
                    continue
                where = self.folders if key.endswith("/") else self.named
                where.setdefault(key, Owned(block.kind, home))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give the rows of the file table."""
        by_folder = {
            place.folder: owned for key, owned in self.named.items() if (place := layout.locate(key)).number is not None
        }
        for entry in self.entries():
            owned = self._owner(entry.key, by_folder)
            if owned is None:
                self.left_out[entry.key.partition("/")[0]] += 1
                self.first.setdefault("", entry.key)
            else:
                yield self._row(entry, owned)

    def findings(self) -> Iterator[Finding]:
        """Say what is not served, and why."""
        if total := self.left_out.total():
            message = f"not served, because no row of the dump has anything to do with it ({total} in all)"
            yield Finding("note", self.first[""], message)

    def _owner(self, key: str, by_folder: dict[str, Owned]) -> Owned | None:
        """Find whose a key is: of the row that names it, of a row that names something in its folder, of the run or dataset."""
        if found := self.named.get(key.rstrip("/")):
            return found
        place = layout.locate(key)
        if place.number is not None:
            return by_folder.get(place.folder)
        return next((self.folders[f] for f in reversed(ancestors(key.rstrip("/"))) if f in self.folders), None)

    def _row(self, entry: manifest.Entry, owned: Owned) -> dict[str, Any]:
        home = owned.home
        kind, identifier = home.document
        source = entry.source or ""
        return {
            "key": entry.key, "size": entry.size, "sha256": entry.sha256, "stored_size": entry.size, "stored_sha256": entry.sha256,
            "media_type": entry.media_type, "role": self._role(entry, owned), "members": entry.members,
            "source": source if source.startswith("/") else str(self.dump.home / source),
            "listing": None if entry.members is None else str(self.dump.home / list_name(entry.key)),
            "mtime": (entry.mtime or 0) / 1e9, "kind": kind, "entity_id": identifier, "run_id": home.run,
            "dataset_id": None if kind == "deposition" else home.owner, "_owner": home.owner, "_gate": None if kind == "deposition" else home.gate,
        }  # fmt: skip

    def _role(self, entry: manifest.Entry, owned: Owned) -> str:
        if "/NeuroglancerPrecompute/" in entry.key:
            return "viewer"
        if owned.kind != "frame" and entry.media_type in PHOTOS:
            return "image"
        if entry.media_type == "application/json":
            return "document"
        if entry.key.endswith(ANGLES) and owned.kind == "tiltseries":
            return "angles"
        return ROLES.get(owned.kind) or layout.locate(entry.key).kind or "other"
