"""Controlled words: what is stored, what documents may say instead, and how each code reads to a person."""

from __future__ import annotations

from typing import Annotated, Literal

from tomotheca.schema.markers import Enum

SampleType = Annotated[
    Literal[
        "cell", "cell_line", "in_silico", "in_vitro", "organelle", "organism", "organoid", "other", "primary_cell_culture", "tissue", "virus"
    ],
    Enum("sample_type_enum"),
]  # fmt: skip
MethodType = Annotated[Literal["manual", "automated", "hybrid", "simulated"], Enum("annotation_method_type_enum")]
LinkType = Annotated[
    Literal["documentation", "models_weights", "other", "source_code", "website"],
    Enum("annotation_method_link_type_enum"),
]
ShapeType = Annotated[
    Literal[
        "SegmentationMask", "OrientedPoint", "Point", "InstanceSegmentation", "InstanceSegmentationMask", "Mesh", "GlobalCaption", "AnnotationCaption"
    ],
    Enum("annotation_file_shape_type_enum", {"TriangularMesh": "Mesh", "TriangularMeshGroup": "Mesh", "SemanticSegmentationMask": "SegmentationMask"}),
]  # fmt: skip
FileSource = Annotated[Literal["dataset_author", "community", "portal_standard"], Enum("annotation_file_source_enum")]
AlignmentType = Annotated[Literal["LOCAL", "GLOBAL"], Enum("alignment_type_enum")]
AlignmentMethod = Annotated[
    Literal["projection_matching", "patch_tracking", "fiducial_based", "simulated", "undefined"],
    Enum("alignment_method_type_enum", {"undefined": None}),
]
DepositionKind = Annotated[Literal["annotation", "dataset", "tomogram"], Enum("deposition_types_enum")]
MicroscopeManufacturer = Annotated[
    Literal["FEI", "TFS", "JEOL", "SIMULATED"], Enum("tiltseries_microscope_manufacturer_enum")
]
FiducialStatus = Annotated[Literal["FIDUCIAL", "NON_FIDUCIAL"], Enum("fiducial_alignment_status_enum")]
Processing = Annotated[
    Literal["denoised", "filtered", "raw", "filtered_even", "filtered_odd"], Enum("tomogram_processing_enum")
]
ReconstructionMethod = Annotated[
    Literal["SART", "Fourier Space", "SIRT", "WBP", "Unknown"],
    Enum("tomogram_reconstruction_method_enum", {"Fourier Space": "Fourier_Space"}),
]

QUALITY = {
    5: ("Excellent", "Whole series or reconstruction is fit for publication figures.", "good"),
    4: ("Good", "Whole series or reconstruction is usable for analysis (subtomogram averaging, segmentation).", "good"),
    3: (
        "Medium",
        "A minor part of the projection images was, or must be, discarded before reconstruction and analysis.",
        "fair",
    ),
    2: ("Marginal", "A major part was, or must be, discarded; usable only after heavy manual work.", "fair"),
    1: ("Low", "Not usable with current tools (cannot be aligned); a test case for problematic data only.", "poor"),
}
"""Tilt-series quality: score -> label, meaning, class of the badge. Given by the authors, comparable inside one dataset only."""

LABELS: dict[str, dict[str, str]] = {
    "sample_type_enum": {
        "cell": "Cell", "cell_line": "Cell line", "primary_cell_culture": "Primary cell culture", "organoid": "Organoid", "tissue": "Tissue",
        "organism": "Organism", "organelle": "Intact organelle", "virus": "Virus", "in_vitro": "In-vitro mixture or complex",
        "in_silico": "In-silico synthetic", "other": "Other",
    },
    "annotation_file_shape_type_enum": {
        "SegmentationMask": "Segmentation", "InstanceSegmentation": "Instance segmentation",
        "InstanceSegmentationMask": "Instance segmentation mask", "Point": "Point", "OrientedPoint": "Oriented point", "Mesh": "Mesh",
        "GlobalCaption": "Tomogram caption", "AnnotationCaption": "Annotation caption",
    },
    "tomogram_reconstruction_method_enum": {"WBP": "Weighted back-projection", "Fourier_Space": "Fourier space"},
    "alignment_type_enum": {"GLOBAL": "Global (rigid)", "LOCAL": "Local (non-rigid)"},
    "alignment_method_type_enum": {
        "fiducial_based": "Fiducial-based", "patch_tracking": "Patch tracking", "projection_matching": "Projection matching",
        "simulated": "Simulated",
    },
    "annotation_method_type_enum": {
        "manual": "Manual (by hand)", "automated": "Automated (no supervision)", "hybrid": "Hybrid (both)",
        "simulated": "Simulated (from the phantom)",
    },
    "annotation_method_link_type_enum": {
        "source_code": "Source code", "models_weights": "Model weights", "website": "Website", "documentation": "Documentation", "other": "Other",
    },
    "annotation_file_source_enum": {"dataset_author": "Dataset author", "community": "Community", "portal_standard": "Portal standard"},
    "fiducial_alignment_status_enum": {"FIDUCIAL": "Fiducial", "NON_FIDUCIAL": "Fiducial-less"},
    "tomogram_processing_enum": {
        "raw": "Raw", "denoised": "Denoised", "filtered": "Filtered", "filtered_even": "Filtered, even half", "filtered_odd": "Filtered, odd half",
    },
    "deposition_types_enum": {"annotation": "Annotations", "dataset": "Datasets", "tomogram": "Tomograms"},
}  # fmt: skip


def label(enum: str, code: object) -> str:
    """Give the words for a code; an unknown code prints as it is."""
    return LABELS.get(enum, {}).get(str(code), str(code))
