"""Words of the layout: names of folders and files that mean something."""

INTERNAL = ".tomotheca"
"""Folder of the program's own files; never served."""

IDENTIFIERS = f"{INTERNAL}/identifiers.json"
LOCK = f"{INTERNAL}/lock"
REMOVAL = f"{INTERNAL}/removal.json"
"""What is being removed: from its writing on it is decided, and whoever writes next finishes it."""

MANIFEST = "manifest.ndjson"
MEMBERS = "manifest.members"
DEPOSITIONS = "depositions_metadata"
IMAGES = "Images"
SPACING = "VoxelSpacing"
FIRST_NUMBER = 100
"""Number of the first tilt series, alignment, tomogram or annotation of a run."""

PHOTO_SIZES = ("original", "snapshot", "thumbnail", "expanded")
SHAPE_NAMES = {"SemanticSegmentationMask": "segmentationmask", "TriangularMeshGroup": "triangularmesh"}
"""Shapes whose files are not named after themselves in lower case."""

MESHES_AT_POINTS = "OrientedMesh"
"""In the name of the folder that the viewer opens: a surface at every oriented point."""

SECTIONS = {"TiltSeries": "tiltseries", "Alignments": "alignment"}
SPACED_SECTIONS = {"Tomograms": "tomogram", "Annotations": "annotation"}
DOCUMENT_NAMES = {
    "tiltseries": "tiltseries_metadata.json",
    "alignment": "alignment_metadata.json",
    "tomogram": "tomogram_metadata.json",
}
LOOSE = {"Frames": "frames", "Gains": "gain_file", "IdentifiedObjects": "identified_object"}
"""Folders of a run whose files belong to the run's manifest."""

RESERVED_RUN_NAMES = {IMAGES, MANIFEST, MEMBERS, "dataset_metadata.json"}
"""Names in a dataset's folder that are not those of runs."""
