"""What exists: 23 kinds of entity, declared field by field, and the one object that hands them to everybody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tomotheca.schema import rows as _rows
from tomotheca.schema.alignment import Alignment, PerSectionAlignmentParameters
from tomotheca.schema.annotation import (
    Annotation,
    AnnotationAuthor,
    AnnotationFile,
    AnnotationMethodLink,
    AnnotationShape,
)
from tomotheca.schema.context import Context
from tomotheca.schema.core import Column, Document, Entity
from tomotheca.schema.dataset import Dataset, DatasetAuthor, DatasetFunding
from tomotheca.schema.deposition import Deposition, DepositionAuthor, DepositionType
from tomotheca.schema.frames import Frame, FrameAcquisitionFile, Frames
from tomotheca.schema.identified_object import IdentifiedObject, IdentifiedObjects
from tomotheca.schema.markers import Ref
from tomotheca.schema.run import GainFile, Run, TomogramVoxelSpacing
from tomotheca.schema.tiltseries import PerSectionParameters, TiltSeries
from tomotheca.schema.tomogram import Tomogram, TomogramAuthor

__all__ = [
    "DOCUMENTS",
    "ENTITIES",
    "SCHEMA",
    "Alignment",
    "Annotation",
    "AnnotationAuthor",
    "AnnotationFile",
    "AnnotationMethodLink",
    "AnnotationShape",
    "Column",
    "Context",
    "Dataset",
    "DatasetAuthor",
    "DatasetFunding",
    "Deposition",
    "DepositionAuthor",
    "DepositionType",
    "Document",
    "Entity",
    "Frame",
    "FrameAcquisitionFile",
    "Frames",
    "GainFile",
    "IdentifiedObject",
    "IdentifiedObjects",
    "PerSectionAlignmentParameters",
    "PerSectionParameters",
    "Ref",
    "Relation",
    "Run",
    "Schema",
    "TiltSeries",
    "Tomogram",
    "TomogramAuthor",
    "TomogramVoxelSpacing",
]

ENTITIES: tuple[type[Entity], ...] = (
    Deposition,
    DepositionAuthor,
    DepositionType,
    Dataset,
    DatasetAuthor,
    DatasetFunding,
    Run,
    TomogramVoxelSpacing,
    GainFile,
    Frame,
    FrameAcquisitionFile,
    TiltSeries,
    PerSectionParameters,
    Alignment,
    PerSectionAlignmentParameters,
    IdentifiedObject,
    Tomogram,
    TomogramAuthor,
    Annotation,
    AnnotationAuthor,
    AnnotationMethodLink,
    AnnotationShape,
    AnnotationFile,
)
"""Every kind of row, parents first."""

DOCUMENTS: tuple[type[Document], ...] = (
    Deposition,
    Dataset,
    Run,
    Frames,
    TiltSeries,
    Alignment,
    IdentifiedObjects,
    Tomogram,
    Annotation,
)
"""Every kind of JSON document in the archive, in the order in which they are indexed."""


@dataclass(frozen=True, slots=True)
class Relation:
    """How rows of one kind find rows of another."""

    name: str
    source: str
    target: str
    many: bool
    ref: Ref
    """The foreign key: on the source when to-one, on the target when to-many."""


class Schema:
    """A set of entities with their columns and relations, made once and read by every consumer."""

    def __init__(self, entities: Iterable[type[Entity]]) -> None:
        self.kinds: Mapping[str, type[Entity]] = {e.kind: e for e in entities}

    def __iter__(self) -> Iterator[type[Entity]]:
        return iter(self.kinds.values())

    def columns(self, kind: str) -> tuple[Column, ...]:
        """Give id, foreign keys and scalars of a kind, in public order."""
        return _rows.cached_columns(self.kinds[kind])

    def column(self, kind: str, name: str) -> Column:
        """Give one column of a kind."""
        return self.by_name[kind][name]

    @cached_property
    def by_name(self) -> dict[str, dict[str, Column]]:
        """Columns by kind and name."""
        return {kind: {c.name: c for c in self.columns(kind)} for kind in self.kinds}

    @cached_property
    def personal(self) -> frozenset[str]:
        """Names of columns, the same as in documents, that are published only where the site says so."""
        return frozenset(c.name for kind in self.kinds for c in self.columns(kind) if c.personal)

    def relations(self, kind: str) -> dict[str, Relation]:
        """Give the relations of a kind by name, to-one before to-many."""
        return self._relations[kind]

    @cached_property
    def _relations(self) -> dict[str, dict[str, Relation]]:
        found: dict[str, dict[str, Relation]] = {kind: {} for kind in self.kinds}
        for entity in self:
            for ref in entity.refs:
                found[entity.kind][ref.forward] = Relation(ref.forward, entity.kind, ref.kind, many=False, ref=ref)
        for entity in self:
            for ref in entity.refs:
                if ref.kind in found:
                    found[ref.kind][ref.reverse] = Relation(ref.reverse, ref.kind, entity.kind, many=True, ref=ref)
        return found

    def rows(
        self, model: type[Document], document: Mapping[str, Any], context: Context
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give every row that comes out of one document; see `tomotheca.schema.rows.rows`."""
        return _rows.rows(model, document, context, self.kinds)


SCHEMA = Schema(ENTITIES)
"""The schema of the portal."""
