"""Datasets: one sample type, prepared and imaged one way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from tomotheca.schema.blocks import Author, CrossReferences, Dates, KeyPhotos, NamedTerm, Organism, Term, Visibility
from tomotheca.schema.context import folder_prefix
from tomotheca.schema.core import Document, Entity
from tomotheca.schema.markers import (
    Computed,
    Derived,
    Drawer,
    Facet,
    Flat,
    Internal,
    Key,
    Listed,
    Public,
    Ref,
    Rows,
    Search,
)
from tomotheca.schema.vocabulary import SampleType

SAMPLE = "Sample and experiment"


class DatasetAuthor(Author):
    """An author of a dataset."""

    kind: ClassVar = "dataset_author"
    root: ClassVar = "datasetAuthors"
    title: ClassVar = "Dataset author"
    refs: ClassVar = (Ref("dataset_id", "dataset", "authors"),)


class DatasetFunding(Entity):
    """A grant that paid for a dataset."""

    kind: ClassVar = "dataset_funding"
    root: ClassVar = "datasetFunding"
    title: ClassVar = "Funding"
    refs: ClassVar = (Ref("dataset_id", "dataset", "funding_sources"),)

    funding_agency_name: Annotated[str | None, Drawer("Dataset", "Funding agency"), Search("description")] = None
    """Name of the funding agency."""

    grant_id: Annotated[str | None, Drawer("Dataset", "Grant ID"), Search("description")] = None
    """Identifier of the grant."""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside a dataset: agency and grant."""
        return f"{item.get('funding_agency_name') or ''}|{item.get('grant_id') or ''}"


class Dataset(Document, Entity):
    """Runs of one sample type, prepared and imaged one way."""

    kind: ClassVar = "dataset"
    root: ClassVar = "datasets"
    title: ClassVar = "Dataset"
    prefix: ClassVar = "DS-"
    filename: ClassVar = "dataset_metadata.json"
    refs: ClassVar = (Ref("deposition_id", "deposition", "datasets", nullable=False),)
    derived: ClassVar = (
        Derived(
            "s3_prefix",
            str,
            folder_prefix,
            "Folder of the dataset (S3 address).",
            (Key(s3="s3_prefix"), Drawer("Dataset", "Storage path")),
        ),
        Derived(
            "https_prefix", str, folder_prefix, "Folder of the dataset (web address).", (Key(https="https_prefix"),)
        ),
        Derived(
            "file_size",
            float | None,
            lambda _, c: c.sizes.get(""),
            "Size of all files of the dataset in bytes.",
            (Listed,),
        ),
    )
    order: ClassVar = (
        "title", "description", "assay_label", "assay_ontology_id", "development_stage_name", "development_stage_ontology_id", "disease_name",
        "disease_ontology_id", "organism_name", "organism_taxid", "tissue_name", "tissue_id", "cell_name", "cell_type_id", "cell_strain_name",
        "cell_strain_id", "sample_type", "sample_preparation", "grid_preparation", "other_setup", "key_photo_url", "key_photo_thumbnail_url",
        "cell_component_name", "cell_component_id", "deposition_date", "release_date", "last_modified_date", "dataset_publications",
        "related_database_entries", "s3_prefix", "https_prefix", "file_size",
    )  # fmt: skip

    deposition_id: Annotated[int | None, Computed] = None
    """Deposition that brought the dataset."""

    dataset_identifier: Annotated[int, Public("id")]
    """Identifier of the dataset."""

    dataset_title: Annotated[str, Public("title", nullable=False), Drawer("Dataset", "Title"), Search("title"), Listed]
    """Title that sums up the experiment."""

    dataset_description: Annotated[
        str, Public("description", nullable=False), Drawer("Dataset", "Description"), Search("description")
    ]
    """Short description of the experiment."""

    dates: Annotated[Dates, Flat(""), Drawer("Dataset")]
    """Dates of the dataset."""

    cross_references: Annotated[
        CrossReferences | None, Flat("", {"publications": "dataset_publications"}), Drawer("Dataset")
    ] = None
    """Publications and related entries."""

    licence: Annotated[str | None, Drawer("Dataset", "Licence"), Facet("Licence", "licence", "Other", "F50")] = None
    """Licence of the data, an SPDX identifier."""

    sample_type: Annotated[
        SampleType,
        Public(nullable=True),
        Drawer(SAMPLE, "Sample type"),
        Search("sample"),
        Facet("Sample type", "sample-type", "Sample", "F19"),
    ]
    """Kind of sample."""

    organism: Annotated[
        Organism | None,
        Flat("organism", {"taxonomy_id": "organism_taxid"}),
        Drawer(SAMPLE, "Organism"),
        Search("sample"),
    ] = None
    """Species the sample comes from."""

    tissue: Annotated[Term | None, Drawer(SAMPLE, "Tissue"), Search("sample")] = None
    """Tissue the sample comes from."""

    cell_type: Annotated[
        Term | None, Flat("cell", {"id": "cell_type_id"}), Drawer(SAMPLE, "Cell"), Search("sample")
    ] = None
    """Cell type the sample comes from."""

    cell_strain: Annotated[Term | None, Drawer(SAMPLE, "Cell line or strain"), Search("sample")] = None
    """Cell line or strain of the sample."""

    cell_component: Annotated[Term | None, Drawer(SAMPLE, "Cellular component"), Search("sample")] = None
    """Cellular component that was imaged."""

    assay: Annotated[
        NamedTerm,
        Flat("assay", {"name": "assay_label", "id": "assay_ontology_id"}),
        Drawer(SAMPLE, "Assay"),
        Search("sample"),
    ]
    """Experiment that was done."""

    development_stage: Annotated[
        NamedTerm,
        Flat("development_stage", {"id": "development_stage_ontology_id"}),
        Drawer(SAMPLE, "Development stage"),
        Search("sample"),
    ]
    """Development stage of the organism."""

    disease: Annotated[
        NamedTerm, Flat("disease", {"id": "disease_ontology_id"}), Drawer(SAMPLE, "Disease"), Search("sample")
    ]
    """Disease or normal state of the organism."""

    sample_preparation: Annotated[str | None, Drawer(SAMPLE, "Sample preparation"), Search("preparation")] = None
    """How the sample was prepared."""

    grid_preparation: Annotated[str | None, Drawer(SAMPLE, "Grid preparation"), Search("preparation")] = None
    """How the grid was prepared."""

    other_setup: Annotated[str | None, Drawer(SAMPLE, "Other setup"), Search("preparation")] = None
    """Other set-up that matters for the data."""

    key_photos: Annotated[KeyPhotos | None, Flat(""), Computed] = None
    """Pictures of the dataset."""

    authors: Annotated[list[DatasetAuthor], Rows("dataset_author")]
    """People credited, in order."""

    funding: Annotated[list[DatasetFunding], Rows("dataset_funding")] = []
    """Grants that paid for the data."""

    visibility: Annotated[Visibility | None, Flat("visibility"), Internal] = None
    """Who may see the dataset."""
