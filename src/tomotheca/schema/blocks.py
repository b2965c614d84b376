"""Blocks that several documents share: people, dates, references, sample terms, visibility."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge
from pydantic import Field

from tomotheca.schema.context import Context
from tomotheca.schema.core import Block, Entity
from tomotheca.schema.markers import (
    Derived,
    Drawer,
    Facet,
    Indexed,
    Key,
    Listed,
    Ontology,
    Personal,
    Private,
    Public,
    Search,
)


def author_order(_: Mapping[str, Any], context: Context) -> int:
    """Give the place of an author in the list, from 1."""
    return context.position + 1


class Author(Entity):
    """A person credited with the data."""

    derived: ClassVar[tuple[Derived, ...]] = (
        Derived(
            "author_list_order", int, author_order, "Place in the list of authors, from 1.", (Public(nullable=False),)
        ),
    )
    order: ClassVar[tuple[str, ...]] = (
        "author_list_order", "orcid", "kaggle_id", "name", "email", "affiliation_name", "affiliation_address", "affiliation_identifier",
        "corresponding_author_status", "primary_author_status",
    )  # fmt: skip

    name: Annotated[str, Drawer("Author"), Search("authors"), Indexed]
    """Full name as it should be cited."""

    orcid: Annotated[
        str | None, Field(alias="ORCID"), Drawer("Author", "ORCID"), Ontology("orcid:"), Search("authors"), Indexed
    ] = None
    """ORCID of the person."""

    kaggle_id: Annotated[str | None, Drawer("Author"), Search("authors")] = None
    """User name at Kaggle."""

    email: Annotated[str | None, Personal] = None
    """E-mail address; never published unless the site says so."""

    affiliation_name: Annotated[str | None, Drawer("Author"), Search("description")] = None
    """Institutions, separated by commas."""

    affiliation_address: str | None = None
    """Address of the institution."""

    affiliation_identifier: Annotated[str | None, Ontology("ROR:")] = None
    """Identifier of the institution in the Research Organization Registry."""

    corresponding_author_status: bool | None = False
    """Whether this person answers questions about the data."""

    primary_author_status: bool | None = False
    """Whether this person did most of the work."""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key of an author inside a document: ORCID, else name."""
        return str(item.get("ORCID") or item["name"])


class Dates(Block):
    """When something was deposited, released and last changed."""

    deposition_date: Annotated[date, Public(nullable=False), Listed]
    """Date of deposition."""

    release_date: Annotated[date, Public(nullable=False), Indexed]
    """Date of release."""

    last_modified_date: Annotated[date, Public(nullable=False), Listed]
    """Date of the last change."""


class TomogramDates(Dates):
    """Dates of a tomogram, which may be missing on the wire."""

    deposition_date: Annotated[date, Public(nullable=True), Listed]
    """Date of deposition."""

    release_date: Annotated[date, Public(nullable=True), Indexed]
    """Date of release."""

    last_modified_date: Annotated[date, Public(nullable=True), Listed]
    """Date of the last change."""


class CrossReferences(Block):
    """Publications and entries of other databases, as comma lists."""

    publications: Annotated[str | None, Search("methods")] = None
    """Publications, a comma list of DOIs."""

    related_database_entries: Annotated[str | None, Search("ids")] = None
    """Entries of other databases: EMPIAR-n, EMD-n, PDB-x, a comma list."""

    related_database_links: Annotated[str | None, Private] = None
    """Links to other databases (older configurations)."""

    dataset_citations: Annotated[str | None, Private] = None
    """Citations of the dataset (older configurations)."""


class KeyPhotos(Block):
    """Pictures that stand for a dataset, deposition or tomogram."""

    snapshot: Annotated[str | None, Key(https="key_photo_url")] = None
    """Picture for the page."""

    thumbnail: Annotated[str | None, Key(https="key_photo_thumbnail_url")] = None
    """Small picture for lists."""


class Term(Block):
    """A name with its identifier in an ontology."""

    name: Annotated[str | None, Listed] = None
    """Name."""

    id: Annotated[str | None, Ontology(), Listed] = None
    """Ontology identifier."""


class NamedTerm(Term):
    """A term whose name must be given."""

    name: Annotated[str, Public(nullable=True)]
    """Name."""


class Organism(Block):
    """The species the sample comes from."""

    name: Annotated[str, Public(nullable=True), Facet("Organism name", "organism", "Sample", "F17")]
    """Scientific name of the organism."""

    taxonomy_id: Annotated[int | None, Ge(1), Ontology("NCBITaxon:")] = None
    """NCBI taxonomy identifier."""


class Visibility(Block):
    """Who may see a dataset or deposition."""

    state: Literal["public", "embargoed", "private"] = "public"
    """Visible to everyone, to everyone from a date on, or to nobody without a grant."""

    until: date | None = None
    """End of the embargo."""


class Vector(Block):
    """Three numbers, x, y and z."""

    x: float
    """Along x, the fast axis."""

    y: float
    """Along y."""

    z: float
    """Along z, the slow axis."""


class Voxels(Block):
    """Three whole numbers, x, y and z, in voxels."""

    x: int
    """Along x, the fast axis."""

    y: int
    """Along y."""

    z: Annotated[int, Listed]
    """Along z, the slow axis."""


class Statistics(Block):
    """What the values of a volume are like, measured at ingest."""

    dtype: str
    """Data type of the file."""

    min: float
    """Smallest value."""

    max: float
    """Largest value."""

    mean: float
    """Mean value."""

    p1: float
    """First percentile."""

    p99: float
    """Ninety-ninth percentile."""
