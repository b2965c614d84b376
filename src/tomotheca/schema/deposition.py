"""Depositions: everything one group submitted together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from tomotheca.schema.blocks import Author, CrossReferences, Dates, KeyPhotos, Visibility
from tomotheca.schema.core import Document, Entity
from tomotheca.schema.markers import Computed, Derived, Drawer, Facet, Flat, Internal, Listed, Public, Ref, Rows, Search
from tomotheca.schema.vocabulary import DepositionKind


class DepositionAuthor(Author):
    """An author of a deposition."""

    kind: ClassVar = "deposition_author"
    root: ClassVar = "depositionAuthors"
    title: ClassVar = "Deposition author"
    refs: ClassVar = (Ref("deposition_id", "deposition", "authors", nullable=False),)


class DepositionType(Entity):
    """A type of data that a deposition brings."""

    kind: ClassVar = "deposition_type"
    root: ClassVar = "depositionTypes"
    title: ClassVar = "Deposition type"
    refs: ClassVar = (Ref("deposition_id", "deposition", "deposition_types", nullable=False),)
    derived: ClassVar = (
        Derived(
            "type",
            DepositionKind | None,
            lambda item, _: item["value"],
            "Type of the data.",
            (Facet("Type", "type", "Other", "F50"),),
        ),
    )

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside a deposition: the type."""
        return str(item["value"])


class Deposition(Document, Entity):
    """Everything one group submitted together; it may span datasets it does not own."""

    kind: ClassVar = "deposition"
    root: ClassVar = "depositions"
    title: ClassVar = "Deposition"
    prefix: ClassVar = "DEP-"
    filename: ClassVar = "deposition_metadata.json"

    deposition_identifier: Annotated[int, Public("id")]
    """Identifier of the deposition."""

    deposition_title: Annotated[
        str, Public("title", nullable=False), Drawer("Overview", "Title"), Search("title"), Listed
    ]
    """Title of the deposition."""

    deposition_description: Annotated[
        str, Public("description", nullable=False), Drawer("Overview", "Description"), Search("description")
    ]
    """Abstract of the deposition."""

    tag: Annotated[str | None, Drawer("Overview", "Tag"), Search("methods")] = None
    """Word that groups depositions."""

    cross_references: Annotated[
        CrossReferences | None, Flat("", {"publications": "deposition_publications"}), Drawer("Overview")
    ] = None
    """Publications and related entries."""

    dates: Annotated[Dates, Flat(""), Drawer("Overview")]
    """Dates of the deposition."""

    key_photos: Annotated[KeyPhotos | None, Flat(""), Computed] = None
    """Pictures of the deposition."""

    deposition_types: Annotated[list[DepositionKind], Rows("deposition_type")]
    """Types of data in the deposition."""

    authors: Annotated[list[DepositionAuthor], Rows("deposition_author")]
    """People credited, in order."""

    licence: Annotated[str | None, Drawer("Overview", "Licence"), Facet("Licence", "licence", "Other", "F50")] = None
    """Licence of the data, an SPDX identifier."""

    visibility: Annotated[Visibility | None, Flat("visibility"), Internal] = None
    """Who may see the deposition."""
