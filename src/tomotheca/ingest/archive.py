"""What the archive holds already: documents found by natural key keep their folder and their identifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tomotheca.schema import Alignment, Annotation, TiltSeries, Tomogram
from tomotheca.store import documents, layout, tree

if TYPE_CHECKING:
    from tomotheca.schema.core import Document
    from tomotheca.store.files import Files

Natural = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Existing:
    """One document of the archive."""

    key: str
    number: int
    document: Mapping[str, Any] = field(repr=False)


class RunArchive:
    """The documents of one run, read once."""

    def __init__(self, files: Files, place: layout.Run) -> None:
        self.place = place
        self._found: dict[type[Document], list[Existing]] = {}
        if not files.scan(place.folder).folders:
            return
        for model, key in tree.run_documents(files, place):
            if files.exists(key):
                number = layout.locate(key).number or 0
                self._found.setdefault(model, []).append(Existing(key, number, documents.read(files, key)))

    def of(self, model: type[Document], below: str = "") -> Iterator[Existing]:
        """Give the documents of a kind, those in a folder only if one is named."""
        return (e for e in self._found.get(model, ()) if e.key.startswith(below))

    def all(self) -> Iterator[tuple[type[Document], Existing]]:
        """Give every document with its model."""
        return ((model, found) for model, several in self._found.items() for found in several)


class Numbers:
    """Numbers of the folders of one kind: a found document keeps its own, others follow the highest, from 100."""

    def __init__(self, existing: Iterator[Existing], natural: Callable[[Mapping[str, Any]], Natural]) -> None:
        self._taken: dict[Natural, int] = {}
        self._keys: dict[Natural, str] = {}
        numbers = []
        for found in existing:
            key = natural(found.document)
            self._taken.setdefault(key, found.number)
            self._keys.setdefault(key, found.key)
            numbers.append(found.number)
        self._next = max(numbers, default=layout.FIRST_NUMBER - 1) + 1

    def of(self, natural: Natural) -> int:
        """Give the number of a natural key."""
        if natural not in self._taken:
            self._taken[natural] = self._next
            self._next += 1
        return self._taken[natural]

    def document(self, natural: Natural) -> str:
        """Give the key of the document that has a natural key already; empty if there is none."""
        return self._keys.get(natural, "")


def tilt_series(document: Mapping[str, Any]) -> Natural:
    """Natural key inside a run: deposition and source."""
    return document.get("deposition_id"), document.get("source")


def alignment(document: Mapping[str, Any]) -> Natural:
    """Natural key inside a run: deposition, format, method, and the series where a run has several."""
    return (
        document.get("deposition_id"),
        document.get("format"),
        document.get("method_type"),
        document.get("tiltseries_path"),
    )


def tomogram(document: Mapping[str, Any]) -> Natural:
    """Natural key inside a voxel spacing."""
    software = document.get("reconstruction_software"), document.get("processing_software")
    made = document.get("reconstruction_method"), document.get("processing"), *software
    return document.get("alignment_metadata_path"), *made, document.get("deposition_id")


def annotation(document: Mapping[str, Any]) -> Natural:
    """Natural key inside a voxel spacing."""
    return document.get("deposition_id"), document.get("alignment_metadata_path"), document.get("annotation_ingest_id")


NATURAL: Mapping[type[Document], Callable[[Mapping[str, Any]], Natural]] = {
    TiltSeries: tilt_series,
    Alignment: alignment,
    Tomogram: tomogram,
    Annotation: annotation,
}


def words(natural: Natural) -> str:
    """Say a natural key for people."""
    return ", ".join(str(part) for part in natural if part is not None)
