"""Frames: the raw movies of one run, one per tilt angle, and the file that describes their acquisition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from tomotheca.schema.blocks import Voxels
from tomotheca.schema.context import Context
from tomotheca.schema.core import Document, Entity
from tomotheca.schema.markers import Computed, Drawer, Key, Private, Ref, Rows
from tomotheca.schema.units import Count, Dose, DoseRate


class Frame(Entity):
    """A raw movie taken at one tilt angle."""

    kind: ClassVar = "frame"
    root: ClassVar = "frames"
    title: ClassVar = "Frame"
    refs: ClassVar = (
        Ref("deposition_id", "deposition", "frames", nullable=False, find=lambda _, c: c.document.get("deposition_id")),
        Ref("run_id", "run", "frames", nullable=False),
    )

    acquisition_order: Annotated[Count | None, Drawer("Frames", "Order")] = None
    """Place in the order of acquisition, from 0."""

    accumulated_dose: Annotated[Dose | None, Drawer("Frames", "Accumulated dose")] = None
    """Dose on the specimen before this exposure."""

    exposure_dose: Annotated[Dose | None, Drawer("Frames", "Dose")] = None
    """Dose of this exposure."""

    is_gain_corrected: Annotated[bool | None, Drawer("Frames", "Gain corrected")] = None
    """Whether the gain has been applied."""

    path: Annotated[str | None, Key(s3="s3_frame_path", https="https_frame_path", size="file_size")] = None
    """Movie file"""

    size: Annotated[Voxels | None, Private] = None
    """Width, height and number of images of the movie, from its header."""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside a run: the order of acquisition."""
        return str(item["acquisition_order"])


class FrameAcquisitionFile(Entity):
    """An mdoc file that describes the acquisition."""

    kind: ClassVar = "frame_acquisition_file"
    root: ClassVar = "frameAcquisitionFiles"
    title: ClassVar = "Acquisition file"
    refs: ClassVar = (Ref("run_id", "run", "frame_acquisition_files"),)

    path: Annotated[str, Key(s3="s3_mdoc_path", https="https_mdoc_path")]
    """File written by the acquisition software"""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside a run: the file name."""
        return str(item["path"]).rpartition("/")[2]


def acquisition_files(document: Mapping[str, Any], _: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """One row per acquisition file; a mosaic run has several."""
    named = document.get("frames_acquisition_files") or [document.get("frames_acquisition_file")]
    for path in named:
        if path:
            yield "frame_acquisition_file", {"path": path}


class Frames(Document):
    """Raw movies of one run."""

    filename: ClassVar = "frames_metadata.json"

    deposition_id: Annotated[int | None, Private, Computed] = None
    """Deposition that brought the frames."""

    dose_rate: Annotated[DoseRate | None, Private] = None
    """Dose rate at the specimen."""

    is_gain_corrected: Annotated[bool, Private]
    """Whether the gain has been applied to the movies."""

    frames: Annotated[list[Frame], Rows("frame"), Computed] = []
    """Movies in the order of acquisition."""

    frames_acquisition_file: Annotated[str | None, Rows("frame_acquisition_file", acquisition_files), Computed] = None
    """File that describes the acquisition, the first where there are several."""

    frames_acquisition_files: Annotated[list[str], Private, Computed] = []
    """All files that describe the acquisition, one per tilt series of a mosaic run."""
