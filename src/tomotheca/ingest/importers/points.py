"""Points of annotations as the configuration describes their files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tomotheca.formats.points import Options, Order, Points
from tomotheca.formats.registry import read_points
from tomotheca.ingest.language import OrientedPointShape, PointShape

if TYPE_CHECKING:
    from tomotheca.ingest.work import Input


@dataclass(frozen=True, slots=True)
class PointFile:
    """A file of points and how to read it."""

    source: Input
    file_format: str
    binning: float
    order: Order
    filter_value: str = ""
    delimiter: str = ""

    def read(self) -> Points:
        """Read the points, in voxels of the spacing.

        Raises
        ------
        FormatError
            If the file is not what its format says.
        """
        options = Options(
            binning=self.binning, order=self.order, filter_value=self.filter_value, delimiter=self.delimiter
        )
        return read_points(self.source.local, self.file_format, options)


def point_file(source: Input, shape: PointShape | OrientedPointShape, filter_value: str) -> PointFile:
    """Say how to read a file of a shape."""
    if isinstance(shape, OrientedPointShape):
        return PointFile(source, shape.file_format, shape.binning, shape.order, filter_value)
    delimiter = shape.delimiter if "delimiter" in shape.model_fields_set else "\t" if shape.file_format == "tsv" else ""
    return PointFile(source, shape.file_format, shape.binning, shape.columns, filter_value, delimiter)


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
