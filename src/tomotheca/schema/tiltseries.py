"""Tilt series: projections of one area at successive tilt angles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le

from tomotheca.schema.blocks import Statistics, Voxels
from tomotheca.schema.context import Context
from tomotheca.schema.core import Block, Document, Entity
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
from tomotheca.schema.units import (
    Angstrom,
    AxisAngle,
    Binning,
    Count,
    Degrees,
    Dose,
    Millimetres,
    PixelSpacing,
    Radians,
    TiltAngle,
    TiltStep,
    Volts,
)
from tomotheca.schema.vocabulary import MicroscopeManufacturer


class Camera(Block):
    """The camera."""

    manufacturer: Annotated[
        str,
        Drawer("Camera", "Camera manufacturer"),
        Facet("Camera manufacturer", "camera_manufacturer", "Hardware", "F32"),
    ]
    """Maker of the camera."""

    model: Annotated[
        str, Drawer("Camera", "Camera model"), Search("methods"), Facet("Camera model", "camera", "Hardware", "F32")
    ]
    """Model of the camera."""

    acquire_mode: Annotated[Literal["counting", "superresolution", "linear", "cds"] | None, Private] = None
    """How the camera was read out."""


class Microscope(Block):
    """The microscope."""

    manufacturer: Annotated[
        MicroscopeManufacturer,
        Drawer("Microscope", "Microscope manufacturer"),
        Facet("Microscope manufacturer", "microscope-manufacturer", "Hardware", "F33"),
    ]
    """Maker of the microscope."""

    model: Annotated[
        str,
        Drawer("Microscope", "Microscope model"),
        Search("methods"),
        Facet("Microscope model", "microscope", "Hardware", "F33"),
    ]
    """Model of the microscope."""

    additional_info: Annotated[str | None, Drawer("Microscope", "Additional optical setup")] = None
    """Other optical set-up."""


class OpticalSetup(Block):
    """Filter, plate and corrector of the microscope."""

    energy_filter: Annotated[str, Drawer("Microscope", "Energy filter")]
    """Energy filter."""

    phase_plate: Annotated[str | None, Drawer("Microscope", "Phase plate")] = None
    """Phase plate."""

    image_corrector: Annotated[str | None, Drawer("Microscope", "Image corrector")] = None
    """Image corrector."""


class TiltRange(Block):
    """Lowest and highest tilt angle."""

    min: Annotated[TiltAngle, Drawer("Geometry", "Lowest tilt angle")]
    """Lowest tilt angle."""

    max: Annotated[TiltAngle, Drawer("Geometry", "Highest tilt angle")]
    """Highest tilt angle."""


class PerSectionParameters(Entity):
    """What is known of one section of a tilt series."""

    kind: ClassVar = "per_section_parameters"
    root: ClassVar = "perSectionParameters"
    title: ClassVar = "Section"
    refs: ClassVar = (
        Ref(
            "frame_id",
            "frame",
            "per_section_parameters",
            nullable=False,
            find=lambda item, c: c.frames.get(item["frame_acquisition_order"]),
        ),
        Ref("run_id", "run", "per_section_parameters", nullable=False),
        Ref("tiltseries_id", "tiltseries", "per_section_parameters", nullable=False),
    )

    astigmatic_angle: Annotated[Degrees | None, Drawer("Sections", "Astigmatic angle")] = None
    """Angle of the astigmatism."""

    frame_acquisition_order: Annotated[Count, Private]
    """Order of acquisition of the section's frame."""

    cross_correlation: Annotated[float | None, Private] = None
    """Quality of the CTF fit."""

    excluded: Annotated[bool | None, Internal, Drawer("Sections", "Left out")] = None
    """Whether the section was left out of the reconstruction."""

    major_defocus: Annotated[Angstrom | None, Drawer("Sections", "Major defocus")] = None
    """Defocus along the major axis, underfocus positive."""

    max_resolution: Annotated[Angstrom | None, Drawer("Sections", "Maximum resolution")] = None
    """Resolution up to which the CTF fits."""

    minor_defocus: Annotated[Angstrom | None, Drawer("Sections", "Minor defocus")] = None
    """Defocus along the minor axis, underfocus positive."""

    phase_shift: Annotated[Radians | None, Drawer("Sections", "Phase shift")] = None
    """Phase shift."""

    raw_angle: Annotated[Degrees, Public(nullable=False), Drawer("Sections", "Angle")]
    """Tilt angle of the stage."""

    z_index: Annotated[Count, Public(nullable=False), Drawer("Sections", "Section")]
    """Index of the section in the stack, from 0."""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside a tilt series: the index of the section."""
        return str(item["z_index"])


def tilt_range(document: Mapping[str, Any], _: Context) -> float:
    """Extent between lowest and highest tilt angle, in degrees."""
    angles = document["tilt_range"]
    return abs(float(angles["max"]) - float(angles["min"]))


class TiltSeries(Document, Entity):
    """Projections of one area at successive tilt angles."""

    kind: ClassVar = "tiltseries"
    root: ClassVar = "tiltseries"
    title: ClassVar = "Tilt series"
    prefix: ClassVar = "TS-"
    filename: ClassVar = "tiltseries_metadata.json"
    refs: ClassVar = (
        Ref("run_id", "run", "tiltseries", nullable=False),
        Ref("deposition_id", "deposition", "tiltseries"),
    )
    derived: ClassVar = (
        Derived(
            "tilt_range", Degrees, tilt_range, "Extent between lowest and highest tilt angle.",
            (Drawer("Geometry", "Tilt range"), Listed),
        ),
    )  # fmt: skip
    order: ClassVar = (
        "s3_omezarr_dir", "file_size_omezarr", "s3_mrc_file", "file_size_mrc", "https_omezarr_dir", "https_mrc_file", "s3_angle_list",
        "https_angle_list", "acceleration_voltage", "spherical_aberration_constant", "microscope_manufacturer", "microscope_model",
        "microscope_energy_filter", "microscope_phase_plate", "microscope_image_corrector", "microscope_additional_info", "camera_manufacturer",
        "camera_model", "tilt_min", "tilt_max", "tilt_range", "tilt_step", "tilting_scheme", "tilt_axis", "total_flux",
        "data_acquisition_software", "related_empiar_entry", "binning_from_frames", "tilt_series_quality", "is_aligned", "pixel_spacing",
        "aligned_tiltseries_binning",
    )  # fmt: skip

    deposition_id: Annotated[int | None, Computed] = None
    """Deposition that brought the tilt series."""

    run_name: Annotated[str | None, Private, Computed] = None
    """Name of the run."""

    tilt_series_quality: Annotated[
        int | None,
        Ge(1),
        Le(5),
        Public(missing=0),
        Drawer("Overview", "Quality"),
        Facet("Quality score", "quality_score", "Tilt series", "F35"),
    ] = None
    """Quality given by the authors, 1 (low) to 5 (excellent), to compare inside one dataset."""

    related_empiar_entry: Annotated[str | None, Drawer("Overview", "Related EMPIAR entry")] = None
    """Entry of the tilt series in EMPIAR."""

    microscope: Microscope
    """Microscope."""

    microscope_optical_setup: Annotated[OpticalSetup, Flat("microscope")]
    """Filter, plate and corrector."""

    acceleration_voltage: Annotated[Volts, Drawer("Microscope", "Acceleration voltage")]
    """Acceleration voltage."""

    spherical_aberration_constant: Annotated[Millimetres, Drawer("Microscope", "Spherical aberration")]
    """Spherical aberration of the objective lens."""

    camera: Camera
    """Camera."""

    data_acquisition_software: Annotated[str, Drawer("Camera", "Data acquisition software"), Search("software")]
    """Software that collected the data."""

    pixel_spacing: Annotated[
        PixelSpacing,
        Drawer("Geometry", "Pixel spacing"),
        Facet("Pixel size (Å/px)", "pixel-size", "Tilt series", "F37"),
    ]
    """Edge of one pixel at the specimen."""

    tilt_axis: Annotated[AxisAngle, Drawer("Geometry", "Tilt axis")]
    """Rotation of the tilt axis in the image."""

    tilt_range: Annotated[TiltRange, Flat("tilt")]
    """Lowest and highest tilt angle."""

    tilt_step: Annotated[TiltStep, Drawer("Geometry", "Tilt step"), Listed]
    """Angle between neighbouring tilts."""

    tilting_scheme: Annotated[
        str, Drawer("Geometry", "Tilting scheme"), Facet("Tilting scheme", "tilt-scheme", "Tilt series", "F39")
    ]
    """Order of the tilt angles in time."""

    size: Annotated[Voxels | None, Flat("size"), Computed, Drawer("Geometry", "Size")] = None
    """Width, height and number of sections."""

    total_flux: Annotated[
        Dose, Drawer("Exposure", "Total flux"), Facet("Total dose (e⁻/Å²)", "dose", "Tilt series", "F38")
    ]
    """Electrons that reached the specimen in the whole series."""

    binning_from_frames: Annotated[Binning | None, Drawer("Processing", "Binning from frames")] = None
    """Binning from movies to the series."""

    is_aligned: Annotated[bool, Drawer("Processing", "Series is aligned")]
    """Whether the images have been aligned."""

    aligned_tiltseries_binning: Annotated[int | None, Drawer("Processing", "Aligned tilt series binning")] = None
    """Binning of the aligned series."""

    tilt_alignment_software: Annotated[str | None, Private] = None
    """Software that aligned the series."""

    frames_count: Annotated[int | None, Private] = None
    """Number of movies."""

    omezarr_dir: Annotated[str | None, Key("s3_omezarr_dir", "https_omezarr_dir", "file_size_omezarr"), Computed] = None
    """Tilt series as OME-Zarr"""

    mrc_file: Annotated[str | None, Key("s3_mrc_file", "https_mrc_file", "file_size_mrc"), Computed] = None
    """Tilt series as MRC"""

    raw_tlt_path: Annotated[str | None, Key("s3_angle_list", "https_angle_list"), Computed] = None
    """List of tilt angles"""

    ctf_path: Annotated[str | None, Private, Computed] = None
    """File with CTF parameters."""

    scales: Annotated[list[dict[str, int]], Private, Computed] = []
    """Size of each pyramid level."""

    levels: Annotated[list[dict[str, Any]] | None, Internal, Json, Computed] = None
    """Pyramid levels: size, spacing, bytes."""

    statistics: Annotated[Statistics | None, Flat("statistics"), Internal, Computed] = None
    """What the values are like."""

    source: Annotated[str | None, Private, Computed] = None
    """Path of the source below the configuration's prefix: the natural key."""

    per_section_parameter: Annotated[list[PerSectionParameters], Rows("per_section_parameters"), Computed] = []
    """What is known of each section."""
