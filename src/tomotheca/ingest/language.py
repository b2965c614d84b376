"""The words of an ingest configuration: containers, finders, shapes, and which of them this release carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator

from tomotheca.formats.meshes import READERS as MESHES
from tomotheca.formats.registry import READERS
from tomotheca.ingest import expressions
from tomotheca.ingest.language_shapes import (
    AnnotationCaptionShape,
    GlobalCaptionShape,
    InstanceSegmentationMaskShape,
    InstanceSegmentationShape,
    OrientedPointShape,
    PointShape,
    SegmentationMaskShape,
    SemanticSegmentationMaskShape,
    TriangularMeshGroupShape,
    TriangularMeshShape,
)
from tomotheca.schema import Alignment, Annotation, Dataset, Deposition, Frames, TiltSeries, Tomogram
from tomotheca.schema.configuration import Strict, configuration

VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")


def compiles(pattern: str) -> str:
    """Check that a regular expression can be used."""
    expressions.check(pattern)
    return pattern


def captures(pattern: str) -> str:
    """Check that a regular expression has the group that gives the name."""
    if not expressions.check(pattern).groups:
        message = "has no group; put what is the name into parentheses"
        raise ValueError(message)
    return pattern


Regex = Annotated[str, AfterValidator(compiles)]
NameRegex = Annotated[str, AfterValidator(captures)]


class Standardization(Strict):
    """What holds for the whole configuration."""

    deposition_id: int
    source_prefix: str
    run_data_map_file: str | None = None
    run_to_frame_map_csv: str | None = None
    run_to_tomo_map_csv: str | None = None
    run_to_ts_map_csv: str | None = None


# --- finders ------------------------------------------------------------------------------------------------------------


class SourceGlob(Strict):
    """One pattern below the source; the name comes from the file's name."""

    list_glob: str
    match_regex: Regex = ".*"
    name_regex: NameRegex = "(.*)"


class SourceMultiGlob(Strict):
    """Several patterns below the source; the name is the path."""

    list_globs: Annotated[list[str], Field(min_length=1)]


class DestinationGlob(SourceGlob):
    """One pattern below the archive; what it finds is referred to, not taken in."""


class DestinationCondition(Strict):
    """A key of a document and the value it must have."""

    key: list[str | int]
    value: Any


class DestinationFilter(Strict):
    """Documents of the archive whose keys have given values."""

    filters: Annotated[list[DestinationCondition], Field(min_length=1)]


class Literally(Strict):
    """Names as they are; pictures as a mapping."""

    value: list[str | int | float] | dict[str, str | None]


class TomogramHeader(Strict):
    """Voxel spacings read from the headers of volumes."""

    list_glob: str
    match_regex: Regex = ".*"
    header_key: Literal["voxel_size"] = "voxel_size"


FINDERS: Mapping[str, type[Strict]] = {
    "source_glob": SourceGlob,
    "source_multi_glob": SourceMultiGlob,
    "destination_glob": DestinationGlob,
    "destination_filter": DestinationFilter,
    "literal": Literally,
    "tomogram_header": TomogramHeader,
}


class Filters(Strict):
    """Regular expressions that names of parents must, or must not, match; `alignment` is ours."""

    deposition: list[Regex] = []
    dataset: list[Regex] = []
    run: list[Regex] = []
    voxel_spacing: list[Regex] = []
    tomogram: list[Regex] = []
    alignment: list[Regex] = []


class ParentFilters(Strict):
    """Which parents a source is for."""

    include: Filters = Filters()
    exclude: Filters = Filters()


class Source(Strict):
    """One way to find items: exactly one finder."""

    source_glob: SourceGlob | None = None
    source_multi_glob: SourceMultiGlob | None = None
    destination_glob: DestinationGlob | None = None
    destination_filter: DestinationFilter | None = None
    literal: Literally | None = None
    tomogram_header: TomogramHeader | None = None
    parent_filters: ParentFilters = ParentFilters()
    exclude: list[Regex] = []

    @model_validator(mode="after")
    def one_finder(self) -> Source:
        """Check that there is exactly one."""
        given = [name for name in FINDERS if getattr(self, name) is not None]
        if len(given) != 1:
            message = f"has {' and '.join(given) or 'no finder'}: give exactly one of {', '.join(FINDERS)}"
            raise ValueError(message)
        return self


# --- shapes of annotations ------------------------------------------------------------------------------------------------


class AnnotationSource(Strict):
    """One shape of an annotation."""

    Point: PointShape | None = None
    OrientedPoint: OrientedPointShape | None = None
    InstanceSegmentation: InstanceSegmentationShape | None = None
    SegmentationMask: SegmentationMaskShape | None = None
    SemanticSegmentationMask: SemanticSegmentationMaskShape | None = None
    InstanceSegmentationMask: InstanceSegmentationMaskShape | None = None
    TriangularMesh: TriangularMeshShape | None = None
    TriangularMeshGroup: TriangularMeshGroupShape | None = None
    GlobalCaption: GlobalCaptionShape | None = None
    AnnotationCaption: AnnotationCaptionShape | None = None
    parent_filters: ParentFilters = ParentFilters()
    exclude: list[Regex] = []

    @model_validator(mode="after")
    def one_shape(self) -> AnnotationSource:
        """Check that there is exactly one."""
        given = [name for name in SHAPES if getattr(self, name) is not None]
        if len(given) != 1:
            message = f"has {' and '.join(given) or 'no shape'}: give exactly one of {', '.join(SHAPES)}"
            raise ValueError(message)
        return self


SHAPES: tuple[str, ...] = tuple(
    name for name in AnnotationSource.model_fields if name not in {"parent_filters", "exclude"}
)


# --- containers -----------------------------------------------------------------------------------------------------------


class CtfMetadata(Strict):
    """Program that estimated the CTF; `WARP` is ours."""

    format: Literal["CTFFIND", "Gctf", "IMOD", "WARP"]


class IdentifiedObjectMetadata(Strict):
    """Run whose rows are taken."""

    filter_value: str | None = None


class Nothing(Strict):
    """No metadata."""


@dataclass(frozen=True, slots=True)
class Container:
    """A list of the configuration."""

    kind: str
    """Name of one item in format variables and filters."""

    metadata: type[BaseModel]
    parent: str = ""
    """Container whose items its items belong to."""

    required: bool = False
    optional_metadata: bool = True
    """Whether an entry may leave its metadata out."""

    templated: bool = False
    """Whether its metadata may name columns of the run data map."""

    grouped: bool = False
    """Whether all files of a source are one item."""

    per_series: bool = False
    """Whether its patterns may name `{tiltseries_name}`."""


CONTAINERS: Mapping[str, Container] = {
    "depositions": Container("deposition", configuration(Deposition), required=True),
    "deposition_keyphotos": Container("deposition_keyphoto", Nothing, "depositions"),
    "datasets": Container("dataset", configuration(Dataset), "depositions", required=True),
    "dataset_keyphotos": Container("dataset_keyphoto", Nothing, "datasets"),
    "runs": Container("run", Nothing, "datasets", required=True),
    "tiltseries": Container("tiltseries", configuration(TiltSeries), "runs", optional_metadata=False, templated=True),
    "rawtilts": Container("rawtilt", Nothing, "runs", per_series=True),
    "collection_metadata": Container("collection_metadata", Nothing, "runs", per_series=True),
    "frames": Container("frame", configuration(Frames), "runs", optional_metadata=False, templated=True, grouped=True),
    "gains": Container("gain", Nothing, "runs"),
    "ctfs": Container("ctf", CtfMetadata, "runs", optional_metadata=False, per_series=True),
    "alignments": Container("alignment", configuration(Alignment), "runs", grouped=True, per_series=True),
    "identified_objects": Container("identified_object", IdentifiedObjectMetadata, "runs"),
    "voxel_spacings": Container("voxel_spacing", Nothing, "runs", required=True),
    "tomograms": Container(
        "tomogram", configuration(Tomogram), "voxel_spacings", optional_metadata=False, templated=True
    ),
    "annotations": Container(
        "annotation", configuration(Annotation), "voxel_spacings", optional_metadata=False, grouped=True
    ),
    "key_images": Container("key_image", Nothing, "tomograms"),
}
"""Every list, parents before children, in the order in which items are found."""


# --- what is carried out ----------------------------------------------------------------------------------------------------

CARRIED_FORMATS: Mapping[str, frozenset[str]] = {
    **{shape: frozenset(readers) for shape, readers in READERS.items()},
    **dict.fromkeys(
        ("SegmentationMask", "SemanticSegmentationMask", "InstanceSegmentationMask"), frozenset({"mrc", "zarr"})
    ),
    "TriangularMesh": frozenset(MESHES),
    "TriangularMeshGroup": frozenset({"hff"}),
    **dict.fromkeys(("GlobalCaption", "AnnotationCaption"), frozenset({"saber"})),
}
"""Shapes and source formats that this release reads."""
