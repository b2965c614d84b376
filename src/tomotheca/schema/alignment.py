"""Alignments: how sections and volume relate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from tomotheca.schema.blocks import Vector
from tomotheca.schema.context import Context, own_key
from tomotheca.schema.core import Document, Entity
from tomotheca.schema.markers import Computed, Derived, Drawer, Flat, Internal, Json, Key, Private, Public, Ref, Rows
from tomotheca.schema.units import Angstrom, Count, Degrees
from tomotheca.schema.vocabulary import AlignmentMethod, AlignmentType


class PerSectionAlignmentParameters(Entity):
    """Where one section lies relative to the volume."""

    kind: ClassVar = "per_section_alignment_parameters"
    root: ClassVar = "perSectionAlignmentParameters"
    title: ClassVar = "Section alignment"
    refs: ClassVar = (Ref("alignment_id", "alignment", "per_section_alignments", nullable=False),)

    z_index: Annotated[Count, Public(nullable=False), Drawer("Sections", "Section")]
    """Index of the section in the stack, from 0."""

    x_offset: Annotated[Angstrom | None, Drawer("Sections", "Shift x")] = None
    """Shift of the projection along x."""

    y_offset: Annotated[Angstrom | None, Drawer("Sections", "Shift y")] = None
    """Shift of the projection along y."""

    volume_x_rotation: Annotated[Degrees | None, Drawer("Sections", "Volume rotation x")] = None
    """Rotation of the volume about x."""

    in_plane_rotation: Annotated[list[list[float]] | None, Json, Drawer("Sections", "In-plane rotation")] = None
    """Rotation of the projection in its plane, a 2 x 2 matrix, row by row."""

    tilt_angle: Annotated[Degrees | None, Drawer("Sections", "Tilt angle")] = None
    """Refined tilt angle."""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside an alignment: the index of the section."""
        return str(item["z_index"])


def find_tiltseries(document: Mapping[str, Any], context: Context) -> int | None:
    """Find the tilt series that was aligned by the key of its document."""
    return context.ids.get(document.get("tiltseries_path") or "")


class Alignment(Document, Entity):
    """Geometric model that relates the sections of a tilt series to a volume."""

    kind: ClassVar = "alignment"
    root: ClassVar = "alignments"
    title: ClassVar = "Alignment"
    prefix: ClassVar = "AL-"
    filename: ClassVar = "alignment_metadata.json"
    refs: ClassVar = (
        Ref("deposition_id", "deposition", "alignments"),
        Ref("tiltseries_id", "tiltseries", "alignments", find=find_tiltseries),
        Ref("run_id", "run", "alignments"),
    )
    derived: ClassVar = (
        Derived(
            "s3_alignment_metadata",
            str | None,
            own_key,
            "Document of the alignment (S3 address).",
            (Key(s3="s3_alignment_metadata"),),
        ),
        Derived(
            "https_alignment_metadata",
            str | None,
            own_key,
            "Document of the alignment (web address).",
            (Key(https="https_alignment_metadata"),),
        ),
    )
    order: ClassVar = (
        "affine_transformation_matrix",
        "s3_alignment_metadata",
        "https_alignment_metadata",
        "is_portal_standard",
    )

    deposition_id: Annotated[int | None, Computed] = None
    """Deposition that brought the alignment."""

    format: Annotated[Literal["IMOD", "ARETOMO3", "WARP", "CETS"] | None, Internal, Drawer("Alignment", "Format")] = (
        None
    )
    """Program whose files describe the alignment."""

    alignment_type: Annotated[AlignmentType | None, Drawer("Alignment", "Type")] = None
    """Whether the model is rigid (GLOBAL) or not (LOCAL)."""

    method_type: Annotated[AlignmentMethod | None, Public("alignment_method"), Drawer("Alignment", "Method")] = None
    """How the alignment was found."""

    volume_dimension: Annotated[Vector | None, Flat("volume", {"x": "volume_x_dimension", "y": "volume_y_dimension", "z": "volume_z_dimension"}),
                                Drawer("Alignment", "Volume dimension")] = None  # fmt: skip
    """Size of the volume in Å."""

    volume_offset: Annotated[Vector | None, Flat("volume", {"x": "volume_x_offset", "y": "volume_y_offset", "z": "volume_z_offset"}),
                             Drawer("Alignment", "Volume offset")] = None  # fmt: skip
    """Shift of the volume in Å."""

    x_rotation_offset: Annotated[Degrees | None, Drawer("Alignment", "Rotation x")] = None
    """Additional rotation of the volume about x."""

    tilt_offset: Annotated[Degrees | None, Drawer("Alignment", "Tilt offset")] = None
    """Additional tilt."""

    affine_transformation_matrix: Annotated[
        list[list[float]] | None,
        Json,
        Public("affine_transformation_matrix"),
        Drawer("Alignment", "Affine transformation matrix"),
    ] = None
    """Affine transformation of the volume, a 4 x 4 matrix, row by row."""

    is_portal_standard: Annotated[bool | None, Drawer("Alignment", "Portal standard")] = False
    """Whether this is the portal's standard alignment."""

    per_section_alignment_parameters: Annotated[
        list[PerSectionAlignmentParameters], Rows("per_section_alignment_parameters"), Computed
    ] = []
    """Where each section lies."""

    alignment_path: Annotated[str | None, Private, Computed] = None
    """File with the transforms."""

    tilt_path: Annotated[str | None, Private, Computed] = None
    """File with the tilt angles."""

    tiltx_path: Annotated[str | None, Private, Computed] = None
    """File with the rotations about x."""

    tiltseries_path: Annotated[str | None, Private, Computed] = None
    """Document of the tilt series that was aligned."""

    files: Annotated[list[str], Private, Computed] = []
    """All files of the alignment."""
