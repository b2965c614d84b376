"""Points of annotations as the configuration describes their files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tomotheca.formats.points import Options, Order, Points
from tomotheca.formats.registry import read_points
from tomotheca.ingest.language_shapes import LocatedShape, PointShape

if TYPE_CHECKING:
    from tomotheca.ingest.headers import Triple
    from tomotheca.ingest.importers.meshes import MeshFile
    from tomotheca.ingest.work import Input


@dataclass(frozen=True, slots=True)
class Frame:
    """The tomogram that points lie in, as far as it is known."""

    spacing: float
    """Å."""

    shape: Triple | None = None
    """z, y, x."""


@dataclass(frozen=True, slots=True)
class PointFile:
    """A file of points and how to read it."""

    source: Input
    shape: str
    """Of the annotation, such as ``OrientedPoint``."""

    file_format: str
    frame: Frame
    binning: float | None = None
    """None where the configuration says nothing."""

    order: Order = "xyz"
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    filter_value: str = ""
    delimiter: str = ""
    mesh: MeshFile | None = None
    """A surface that the viewer shows at every point."""

    @property
    def recipe(self) -> list[Any]:
        """What the points depend on besides the file; the mesh is not of them."""
        said = [self.shape, self.file_format, self.binning, self.order, self.origin, self.filter_value, self.delimiter]
        return [*said, self.frame.spacing, self.frame.shape]

    def read(self, *, memory: int = 1 << 30, bare: bool = False) -> Points:
        """Read the points, in voxels of the spacing; ``bare`` leaves the rotations out.

        Raises
        ------
        FormatError
            If the file is not what its format says.
        """
        options = Options(
            binning=self.binning,
            order=self.order,
            origin=self.origin,
            filter_value=self.filter_value,
            delimiter=self.delimiter,
            spacing=self.frame.spacing,
            size=(self.frame.shape[2], self.frame.shape[1], self.frame.shape[0]) if self.frame.shape else None,
            memory=memory,
            rotations=self.shape == "OrientedPoint" and not bare,
        )
        return read_points(self.source.local, self.file_format, options, shape=self.shape)


def point_file(source: Input, name: str, shape: LocatedShape, filter_value: str, frame: Frame) -> PointFile:
    """Say how to read a file of a shape; ``name`` is the shape's."""
    given = shape.model_fields_set
    delimiter = ""
    if isinstance(shape, PointShape):
        delimiter = shape.delimiter if "delimiter" in given else "\t" if shape.file_format == "tsv" else ""
    return PointFile(
        source,
        name,
        shape.file_format,
        frame,
        shape.binning if "binning" in given else None,
        shape.axes,
        shape.first_voxel,
        filter_value,
        delimiter,
    )


def outside(locations: npt.NDArray[np.float64], shape: tuple[int, int, int]) -> npt.NDArray[np.intp]:
    """Give the rows of points that lie outside a volume.

    Parameters
    ----------
    locations
        ``(n, 3)``, x, y, z in voxels; a voxel reaches half a voxel to all sides of its index.
    shape
        z, y, x.
    """
    limit = np.array(shape[::-1]) - 0.5
    return np.flatnonzero(((locations < -0.5) | (locations > limit)).any(axis=1))  # noqa: PLR2004  # half a voxel
