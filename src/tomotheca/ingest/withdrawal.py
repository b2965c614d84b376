"""What a deposition has added to runs of other datasets, and how it goes when the deposition does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomotheca.errors import InvalidDocumentError, NotFoundError
from tomotheca.schema.run import TomogramVoxelSpacing
from tomotheca.store import documents, layout, manifest, tree

if TYPE_CHECKING:
    from tomotheca.store.files import Files


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Files and names that a deposition has in somebody else's run."""

    key: str
    """Document of the run."""

    deposition: int
    files: tuple[str, ...]
    """Keys that go."""

    members: int = 0
    """How many files these are, those of array directories counted."""

    bytes: int = 0

    @property
    def name(self) -> str:
        """Say what it is."""
        place = layout.locate(self.key)
        return f"additions of deposition {self.deposition} to run {place.run}, dataset {place.dataset}"

    def plain(self) -> dict[str, Any]:
        """Give what is written down before anything goes."""
        return {"key": self.key, "deposition": self.deposition, "files": list(self.files)}


def find(files: Files, deposition: int) -> Iterator[Withdrawn]:
    """Look through all runs for what a deposition has added to them."""
    for dataset in tree.datasets(files):
        for run in tree.runs(files, dataset):
            try:
                entries = [e for e in manifest.read(files, run.folder) if e.deposition == deposition]
                added = documents.read(files, run.document).get(documents.ADDITIONS) or {}
            except InvalidDocumentError:
                continue  # the doctor says so
            if entries or str(deposition) in added:
                there = [e for e in entries if e.source is None]
                count, size = sum(e.members or 1 for e in there), sum(e.size for e in there)
                yield Withdrawn(run.document, deposition, tuple(e.key for e in there), count, size)


def withdraw(files: Files, told: Sequence[Mapping[str, Any]]) -> None:
    """Take additions out of manifests and documents of runs, then remove the files; it may be done again and again."""
    for one in told:
        with suppress(NotFoundError):  # the run may have gone since
            _strike(files, str(one["key"]), int(one["deposition"]))
        for key in one["files"]:
            files.remove(key)


def _strike(files: Files, key: str, deposition: int) -> None:
    document = documents.read(files, key)
    entries = manifest.read(files, layout.manifest_folder(key))
    added = dict(document.get(documents.ADDITIONS) or {})
    mine = {(kind, name) for kind, names in added.pop(str(deposition), {}).items() for name in names}
    mine = {(kind, name) for kind, name in mine if kind != TomogramVoxelSpacing.kind}  # these go with what lies in them
    ids = {k: {n: i for n, i in v.items() if (k, n) not in mine} for k, v in (document.get("ids") or {}).items()}
    content = {**document, "ids": {k: v for k, v in ids.items() if v}, documents.ADDITIONS: added}
    if not added:
        del content[documents.ADDITIONS]
    if said := document.get("provenance"):
        sources = [s for s in said.get("sources") or () if s.get("deposition") != deposition]
        content["provenance"] = {**said, "sources": sources}
    documents.write(files, key, content, [e for e in entries if e.deposition != deposition])


def datasets(told: Sequence[Withdrawn]) -> set[int]:
    """Give the datasets whose runs lose something."""
    return {number for one in told if (number := layout.locate(one.key).dataset) is not None}
