"""Tomograms: the reconstructed volumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from tomotheca.schema.blocks import Author, CrossReferences, KeyPhotos, Statistics, TomogramDates, Voxels
from tomotheca.schema.context import Context
from tomotheca.schema.core import Document, Entity
from tomotheca.schema.markers import (
    Computed,
    Derived,
    Drawer,
    Facet,
    Flat,
    Internal,
    Json,
    Key,
    Listed,
    Private,
    Public,
    Ref,
    Rows,
    Search,
)
from tomotheca.schema.units import Spacing
from tomotheca.schema.vocabulary import FiducialStatus, Processing, ReconstructionMethod

RECONSTRUCTION = "Reconstruction and processing"


class TomogramAuthor(Author):
    """An author of a tomogram."""

    kind: ClassVar = "tomogram_author"
    root: ClassVar = "tomogramAuthors"
    title: ClassVar = "Tomogram author"
    refs: ClassVar = (Ref("tomogram_id", "tomogram", "authors"),)


def scale(level: int) -> Callable[[Mapping[str, Any], Context], str | None]:
    """Size of one pyramid level as ``x,y,z``."""

    def dimensions(document: Mapping[str, Any], _: Context) -> str | None:
        scales = document.get("scales") or []
        return "{x},{y},{z}".format(**scales[level]) if level < len(scales) else None

    return dimensions


def author_submitted(document: Mapping[str, Any], context: Context) -> bool:
    """Say whether the dataset's own deposition brought the tomogram."""
    return document.get("deposition_id") == context.dataset_deposition


def portal_standard(document: Mapping[str, Any], context: Context) -> bool:
    """Say whether the tomogram was made under the portal's standard alignment."""
    return document.get("alignment_metadata_path") in context.standard_alignments


def find_alignment(document: Mapping[str, Any], context: Context) -> int | None:
    """Find the alignment by the key of its document."""
    return context.ids.get(document.get("alignment_metadata_path") or "")


class Tomogram(Document, Entity):
    """A volume reconstructed from a tilt series."""

    kind: ClassVar = "tomogram"
    root: ClassVar = "tomograms"
    title: ClassVar = "Tomogram"
    prefix: ClassVar = "TM-"
    filename: ClassVar = "tomogram_metadata.json"
    refs: ClassVar = (
        Ref("alignment_id", "alignment", "tomograms", find=find_alignment),
        Ref("deposition_id", "deposition", "tomograms", nullable=False),
        Ref("run_id", "run", "tomograms"),
        Ref("tomogram_voxel_spacing_id", "tomogram_voxel_spacing", "tomograms"),
    )
    derived: ClassVar = (
        Derived(
            "is_portal_standard",
            bool | None,
            portal_standard,
            "Whether its alignment is the portal's standard.",
            (Drawer(RECONSTRUCTION, "Portal standard"),),
        ),
        Derived(
            "is_author_submitted",
            bool | None,
            author_submitted,
            "Whether the dataset's authors submitted it.",
            (Drawer(RECONSTRUCTION, "Submitted by dataset author"),),
        ),
        Derived("scale_0_dimensions", str | None, scale(0), "Size of pyramid level 0 (x,y,z)."),
        Derived("scale_1_dimensions", str | None, scale(1), "Size of pyramid level 1 (x,y,z)."),
        Derived("scale_2_dimensions", str | None, scale(2), "Size of pyramid level 2 (x,y,z)."),
    )
    order: ClassVar = (
        "name", "size_x", "size_y", "size_z", "voxel_spacing", "fiducial_alignment_status", "reconstruction_method", "processing",
        "tomogram_version", "processing_software", "reconstruction_software", "is_portal_standard", "is_author_submitted",
        "is_visualization_default", "s3_omezarr_dir", "https_omezarr_dir", "file_size_omezarr", "s3_mrc_file", "https_mrc_file",
        "file_size_mrc", "scale_0_dimensions", "scale_1_dimensions", "scale_2_dimensions", "ctf_corrected", "offset_x", "offset_y", "offset_z",
        "key_photo_url", "key_photo_thumbnail_url", "neuroglancer_config", "publications", "related_database_entries", "deposition_date",
        "release_date", "last_modified_date",
    )  # fmt: skip

    deposition_id: Annotated[int | None, Computed] = None
    """Deposition that brought the tomogram."""

    run_name: Annotated[str | None, Public("name", nullable=True), Computed, Drawer("Overview", "Name")] = None
    """Short name of the tomogram, that of its run."""

    cross_references: Annotated[CrossReferences | None, Flat(""), Drawer("Overview")] = None
    """Publications and related entries."""

    dates: Annotated[TomogramDates | None, Flat(""), Drawer("Overview")] = None
    """Dates of the tomogram."""

    is_visualization_default: Annotated[bool | None, Drawer(RECONSTRUCTION, "Default in viewer")] = True
    """Whether the viewer opens this tomogram of the run."""

    reconstruction_software: Annotated[str, Drawer(RECONSTRUCTION, "Reconstruction software"), Search("software"),
                                       Facet("Reconstruction software", "reconstruction_software", "Tomogram", "F46")]  # fmt: skip
    """Software that made the reconstruction."""

    reconstruction_method: Annotated[ReconstructionMethod, Drawer(RECONSTRUCTION, "Reconstruction method"),
                                     Facet("Reconstruction method", "reconstruction_method", "Tomogram", "F45")]  # fmt: skip
    """Algorithm of the reconstruction."""

    processing: Annotated[
        Processing, Drawer(RECONSTRUCTION, "Processing"), Facet("Processing", "processing", "Tomogram", "F42")
    ]
    """What was done to the reconstruction."""

    processing_software: Annotated[str | None, Drawer(RECONSTRUCTION, "Processing software"), Search("software")] = None
    """Software that processed the reconstruction."""

    tomogram_version: Annotated[float | None, Drawer(RECONSTRUCTION, "Version")] = None
    """Version of the tomogram."""

    voxel_spacing: Annotated[
        Spacing, Drawer(RECONSTRUCTION, "Voxel spacing"), Facet("Voxel spacing (Å)", "voxel-spacing", "Tomogram", "F41")
    ]
    """Edge of one voxel, equal along all axes."""

    size: Annotated[Voxels, Flat("size"), Computed, Drawer(RECONSTRUCTION, "Size")]
    """Number of voxels along x, y and z."""

    offset: Annotated[Voxels, Flat("offset"), Drawer(RECONSTRUCTION, "Offset")]
    """Shift of the volume relative to the canonical one, in voxels."""

    fiducial_alignment_status: Annotated[FiducialStatus, Drawer(RECONSTRUCTION, "Fiducial alignment status"), Listed]
    """Whether fiducials were used for the alignment."""

    ctf_corrected: Annotated[bool | None, Drawer(RECONSTRUCTION, "CTF corrected"), Listed] = None
    """Whether the CTF was corrected."""

    affine_transformation_matrix: Annotated[list[list[float]] | None, Private] = None
    """Affine transformation of the volume, a 4 x 4 matrix (kept from the configuration)."""

    align_software: Annotated[str | None, Private] = None
    """Software that aligned the tilt series."""

    omezarr_dir: Annotated[str | None, Key("s3_omezarr_dir", "https_omezarr_dir", "file_size_omezarr"), Computed] = None
    """Tomogram as OME-Zarr"""

    mrc_file: Annotated[str | None, Key("s3_mrc_file", "https_mrc_file", "file_size_mrc"), Computed] = None
    """Tomogram as MRC"""

    scales: Annotated[list[dict[str, int]], Private, Computed] = []
    """Size of each pyramid level."""

    levels: Annotated[list[dict[str, Any]] | None, Internal, Json, Computed] = None
    """Pyramid levels: size, spacing, bytes."""

    statistics: Annotated[Statistics | None, Flat("statistics"), Internal, Computed] = None
    """What the values are like."""

    key_photo: Annotated[KeyPhotos | None, Flat(""), Computed] = None
    """Pictures of the central slab."""

    neuroglancer_config: Annotated[str | None, Computed] = None
    """Stored viewer state as JSON text; none where the state is generated."""

    neuroglancer_config_path: Annotated[str | None, Private, Computed] = None
    """File of the stored viewer state."""

    alignment_metadata_path: Annotated[str | None, Private, Computed] = None
    """Document of the alignment the tomogram was made under."""

    authors: Annotated[list[TomogramAuthor], Rows("tomogram_author")]
    """People credited, in order."""
