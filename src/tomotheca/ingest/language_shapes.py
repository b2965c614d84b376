"""The words of an ingest configuration for the shapes of annotations: what each says of its source."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tomotheca.schema.configuration import Strict


class Shape(Strict):
    """What every shape of an annotation says."""

    file_format: str
    glob_string: str | None = None
    glob_strings: list[str] | None = None
    is_visualization_default: bool = False
    is_portal_standard: bool = False

    @model_validator(mode="after")
    def one_glob(self) -> Shape:
        """Check that the file is named one way."""
        if (self.glob_string is None) == (self.glob_strings is None):
            message = "needs glob_string or glob_strings, and not both"
            raise ValueError(message)
        return self

    @property
    def globs(self) -> tuple[str, ...]:
        """The patterns."""
        return (self.glob_string,) if self.glob_string is not None else tuple(self.glob_strings or ())


Origin = float | Annotated[list[float], Field(min_length=3, max_length=3)]


class PlacedShape(Shape):
    """What files of coordinates have in common; `origin` is ours."""

    origin: Origin = 0
    """Coordinates, in the file's units, of the centre of the first voxel: 1 where voxels are counted from 1."""

    @property
    def first_voxel(self) -> tuple[float, float, float]:
        """The origin as x, y, z."""
        x, y, z = self.origin if isinstance(self.origin, list) else [self.origin] * 3
        return x, y, z


class LocatedShape(PlacedShape):
    """What files of positions have in common."""

    binning: Annotated[float, Field(gt=0)] = 1
    filter_value: str | None = None

    @property
    def axes(self) -> Literal["xyz", "zyx"]:
        """Order of the coordinates in the file, under whatever name the shape says it."""
        return "zyx" if "zyx" in {getattr(self, "columns", ""), getattr(self, "order", "")} else "xyz"


class PointShape(LocatedShape):
    """Positions; `relion5_star`, `stopgap_star`, `dynamo_tbl` and `cets` are ours."""

    file_format: Literal[
        "csv", "csv_with_header", "tsv", "mod", "relion3_star", "relion4_star", "tomoman_relion_star", "copick",
        "relion5_star", "stopgap_star", "dynamo_tbl", "cets",
    ]  # fmt: skip
    columns: Literal["xyz", "zyx"] = "xyz"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","


class OrientedPointShape(LocatedShape):
    """Positions with rotations; `relion5_star`, `dynamo_tbl` and `cets` are ours."""

    file_format: Literal[
        "relion3_star", "relion4_star", "tomoman_relion_star", "stopgap_star", "mod", "copick",
        "relion5_star", "dynamo_tbl", "cets",
    ]  # fmt: skip
    order: Literal["xyz", "zyx"] = "xyz"
    mesh_source_path: str | None = None


class InstanceSegmentationShape(LocatedShape):
    """Positions that belong to numbered instances."""

    file_format: Literal["tardis", "copick"]
    order: Literal["xyz", "zyx"] = "xyz"


class SegmentationMaskShape(Shape):
    """A mask, the older form."""

    file_format: Literal["mrc", "zarr"]
    mask_label: int = 1
    threshold: float | None = None
    rescale: bool = False


class SemanticSegmentationMaskShape(SegmentationMaskShape):
    """A mask: the voxels of one label, or from a threshold on."""

    @model_validator(mode="after")
    def one_rule(self) -> SemanticSegmentationMaskShape:
        """Check that label and threshold do not both choose."""
        if self.threshold is not None and self.mask_label != 1:
            message = "has mask_label and threshold: keep one"
            raise ValueError(message)
        return self


class InstanceSegmentationMaskShape(Shape):
    """A label image."""

    file_format: Literal["mrc", "zarr"]
    rescale: bool = False


class MeshShape(PlacedShape):
    """What files of surfaces have in common."""

    scale_factor: float = 1
    """Å per unit of the file."""

    @model_validator(mode="after")
    def has_size(self) -> MeshShape:
        """Check that the factor leaves something."""
        if not (self.scale_factor and math.isfinite(self.scale_factor)):
            message = "needs a scale_factor that is not 0: how many Å one unit of the file is"
            raise ValueError(message)
        return self


class TriangularMeshShape(MeshShape):
    """A surface."""

    file_format: Literal["obj", "stl", "vtk", "glb"]


class TriangularMeshGroupShape(MeshShape):
    """Surfaces of a segmentation file; the name picks one."""

    file_format: Literal["hff"]
    name: str


class GlobalCaptionShape(Shape):
    """A description of the tomogram."""

    file_format: Literal["saber"]


class AnnotationCaptionShape(Shape):
    """A description of an annotation."""

    file_format: Literal["saber"]
    companion_shape: str
