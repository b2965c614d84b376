"""Annotations: labels for one kind of object in a tomogram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from tomotheca.schema.blocks import Author, Dates
from tomotheca.schema.context import Context, own_key
from tomotheca.schema.core import Block, Document, Entity, unwrap
from tomotheca.schema.markers import (
    Computed,
    Counted,
    Derived,
    Drawer,
    Enum,
    Facet,
    Flat,
    Key,
    Listed,
    Ontology,
    Private,
    Public,
    Ref,
    Rows,
    Search,
)
from tomotheca.schema.units import Count, Percent
from tomotheca.schema.vocabulary import FileSource, LinkType, MethodType, ShapeType


class AnnotationAuthor(Author):
    """An author of an annotation."""

    kind: ClassVar = "annotation_author"
    root: ClassVar = "annotationAuthors"
    title: ClassVar = "Annotation author"
    refs: ClassVar = (Ref("annotation_id", "annotation", "authors"),)


class AnnotationMethodLink(Entity):
    """A link to what describes the method of an annotation."""

    kind: ClassVar = "annotation_method_link"
    root: ClassVar = "annotationMethodLinks"
    title: ClassVar = "Method link"
    refs: ClassVar = (Ref("annotation_id", "annotation", "method_links"),)

    link_type: Annotated[LinkType, Public(nullable=False), Drawer("Overview", "Link type")]
    """Type of the link."""

    custom_name: Annotated[str | None, Public("name"), Drawer("Overview", "Link name"), Search("software")] = None
    """Name of the link."""

    link: Annotated[str, Public(nullable=False), Drawer("Overview", "Link")]
    """Address."""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside an annotation: the address."""
        return str(item["link"])


class AnnotationShape(Entity):
    """A shape in which an annotation is given."""

    kind: ClassVar = "annotation_shape"
    root: ClassVar = "annotationShapes"
    title: ClassVar = "Annotation shape"
    refs: ClassVar = (Ref("annotation_id", "annotation", "annotation_shapes"),)
    derived: ClassVar = (
        Derived("shape_type", ShapeType | None, lambda item, _: item["shape"], "Shape of the annotation.",
                (Drawer("Object", "Shape type"), Facet("Shape type", "object_shape", "Annotation", "F27"))),
    )  # fmt: skip

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside an annotation: the shape."""
        return public_shape(item["shape"])


SHAPE_CODES = next(m for m in unwrap(ShapeType)[1] if isinstance(m, Enum)).translations


def public_shape(name: str) -> str:
    """Give the public code of a shape named in a document (``TriangularMesh`` -> ``Mesh``)."""
    return SHAPE_CODES.get(name, name) or name


def file_source(item: Mapping[str, Any], context: Context) -> str:
    """Who made the file: the dataset's authors, the portal, or somebody else."""
    if context.document.get("deposition_id") == context.dataset_deposition:
        return "dataset_author"
    return "portal_standard" if item.get("is_portal_standard") else "community"


class AnnotationFile(Entity):
    """A file of an annotation."""

    kind: ClassVar = "annotation_file"
    root: ClassVar = "annotationFiles"
    title: ClassVar = "Annotation file"
    refs: ClassVar = (
        Ref(
            "alignment_id",
            "alignment",
            "annotation_files",
            find=lambda _, c: c.ids.get(c.document.get("alignment_metadata_path") or ""),
        ),
        Ref("annotation_shape_id", "annotation_shape", "annotation_files"),
        Ref("tomogram_voxel_spacing_id", "tomogram_voxel_spacing", "annotation_files"),
    )
    derived: ClassVar = (
        Derived("source", FileSource | None, file_source, "Who made the file.", (Drawer("Files", "Source"),)),
    )
    order: ClassVar = ("format", "s3_path", "file_size", "https_path", "is_visualization_default")

    format: Annotated[str, Public(nullable=False), Drawer("Files", "Format")]
    """Format of the file: ndjson, mrc, zarr, glb, json."""

    path: Annotated[str, Key("s3_path", "https_path", "file_size")]
    """File or folder"""

    is_visualization_default: Annotated[bool | None, Drawer("Files", "Default in viewer")] = False
    """Whether the viewer shows this file from the start."""

    is_portal_standard: Annotated[bool | None, Private] = False
    """Whether the portal made the file by its standard."""

    shape: Annotated[str, Private]
    """Shape that the file holds."""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside an annotation: the file name."""
        return str(item["path"]).rstrip("/").rpartition("/")[2]


def shapes_and_files(document: Mapping[str, Any], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """One row per shape, and one per file below its shape."""
    shapes: dict[str, int] = {}
    for item in document.get("files") or []:
        shape = public_shape(item["shape"])
        if shape not in shapes:
            shapes[shape] = context.child_id("annotation_shape", shape)
            yield "annotation_shape", item
        yield "annotation_file", {**item, "annotation_shape_id": shapes[shape]}


class AnnotatedObject(Block):
    """What is labelled."""

    id: Annotated[str, Public("object_id"), Drawer("Object", "Object ID"), Search("terms"), Ontology(), Listed]
    """Identifier of the object in an ontology."""

    name: Annotated[str, Public("object_name"), Drawer("Object", "Name"), Search("objects"), Counted]
    """Name of the object."""

    description: Annotated[
        str | None, Public("object_description"), Drawer("Object", "Description"), Search("description")
    ] = None
    """Description of the object."""

    state: Annotated[
        str | None,
        Public("object_state"),
        Drawer("Object", "State"),
        Search("objects"),
        Facet("Object state", "object-state", "Object", "F26"),
    ] = None
    """State of the object, such as its conformation."""


class Confidence(Block):
    """How right and how complete the annotation is, against a ground truth."""

    precision: Annotated[Percent | None, Drawer("Confidence", "Precision"), Listed] = None
    """Share of the labels that are right."""

    recall: Annotated[Percent | None, Drawer("Confidence", "Recall"), Listed] = None
    """Share of the objects that were found."""

    ground_truth_used: Annotated[str | None, Public("ground_truth_used"), Drawer("Confidence", "Ground truth used")] = (
        None
    )
    """Annotation that precision and recall were measured against."""


class Annotation(Document, Entity):
    """Labels for one kind of object in a tomogram."""

    kind: ClassVar = "annotation"
    root: ClassVar = "annotations"
    title: ClassVar = "Annotation"
    prefix: ClassVar = "AN-"
    filename: ClassVar = ".json"
    """Annotations are named after their object; the others have fixed names."""

    refs: ClassVar = (
        Ref("run_id", "run", "annotations"),
        Ref("deposition_id", "deposition", "annotations"),
        Ref("tomogram_voxel_spacing_id", "tomogram_voxel_spacing", "annotations"),
    )
    derived: ClassVar = (
        Derived(
            "s3_metadata_path", str, own_key, "Document of the annotation (S3 address).", (Key(s3="s3_metadata_path"),)
        ),
        Derived(
            "https_metadata_path",
            str,
            own_key,
            "Document of the annotation (web address).",
            (Key(https="https_metadata_path"),),
        ),
    )
    order: ClassVar = (
        "s3_metadata_path", "https_metadata_path", "annotation_publication", "annotation_method", "annotation_ingest_id", "ground_truth_status",
        "object_id", "object_name", "object_description", "object_state", "object_count", "confidence_precision", "confidence_recall",
        "ground_truth_used", "annotation_software", "is_curator_recommended", "method_type", "deposition_date", "release_date",
        "last_modified_date",
    )  # fmt: skip

    deposition_id: Annotated[int | None, Computed] = None
    """Deposition that brought the annotation."""

    annotation_publications: Annotated[
        str | None, Public("annotation_publication"), Drawer("Overview", "Publication")
    ] = None
    """Publications about the annotation, a comma list."""

    dates: Annotated[Dates, Flat(""), Drawer("Overview")]
    """Dates of the annotation."""

    method_type: Annotated[
        MethodType, Drawer("Overview", "Method type"), Facet("Method type", "method-type", "Annotation", "F28")
    ]
    """Kind of method."""

    annotation_method: Annotated[str, Drawer("Overview", "Annotation method"), Search("methods")]
    """How the annotation was made."""

    annotation_software: Annotated[
        str | None,
        Drawer("Overview", "Annotation software"),
        Search("software"),
        Facet("Annotation software", "annotation-software", "Annotation", "F29"),
    ] = None
    """Software that made the annotation."""

    annotation_ingest_id: Annotated[str, Drawer("Overview", "Ingest ID")]
    """Name of the annotation in its configuration."""

    is_curator_recommended: Annotated[
        bool | None,
        Drawer("Overview", "Curator recommended"),
        Facet("Curator recommended", "recommended", "Annotation", "F31"),
    ] = False
    """Whether a curator recommends the annotation."""

    annotation_object: Annotated[AnnotatedObject, Flat("object")]
    """What is labelled."""

    object_count: Annotated[
        Count | None, Drawer("Object", "Count"), Facet("Instances", "object-count", "Object", "F25")
    ] = None
    """Number of labelled objects."""

    ground_truth_status: Annotated[bool | None, Drawer("Confidence", "Ground truth status"), Listed] = False
    """Whether the authors endorse the annotation for training and validation."""

    confidence: Annotated[Confidence | None, Flat("confidence")] = None
    """How right and how complete the annotation is."""

    version: Annotated[str | float | None, Private] = "1.0"
    """Version of the annotation, part of its file names."""

    alignment_metadata_path: Annotated[str | None, Private, Computed] = None
    """Document of the alignment the annotation was made on."""

    method_links: Annotated[list[AnnotationMethodLink], Rows("annotation_method_link")] = []
    """Links to code, weights and documentation."""

    files: Annotated[list[AnnotationFile], Rows("annotation_file", shapes_and_files), Computed] = []
    """Files of the annotation."""

    authors: Annotated[list[AnnotationAuthor], Rows("annotation_author")]
    """People credited, in order."""
