"""Layout of the archive: the only module with path templates.

Places give keys (`Run(10900, "TS_001").tilt_series(100).document`), `locate` reads a key back, and `datasets`, `depositions`
and `documents` find what is there by looking into folders, never into array directories.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

INTERNAL = ".tomotheca"
"""Folder of the program's own files; never served."""

IDENTIFIERS = f"{INTERNAL}/identifiers.json"
LOCK = f"{INTERNAL}/lock"
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

SECTIONS = {"TiltSeries": "tiltseries", "Alignments": "alignment"}
SPACED_SECTIONS = {"Tomograms": "tomogram", "Annotations": "annotation"}
DOCUMENT_NAMES = {
    "tiltseries": "tiltseries_metadata.json",
    "alignment": "alignment_metadata.json",
    "tomogram": "tomogram_metadata.json",
}
LOOSE = {"Frames": "frames", "Gains": "gain_file", "IdentifiedObjects": "identified_object"}
"""Folders of a run whose files belong to the run's manifest."""


class _Folder(Protocol):
    """Something with a folder of its own."""

    @property
    def folder(self) -> str:
        """Key of the folder, with its final slash."""

    def file(self, name: str) -> str:
        """Key of any other file in the folder."""
        return self.folder + name


@dataclass(frozen=True, slots=True)
class Deposition(_Folder):
    """Place of a deposition."""

    id: int

    @property
    def folder(self) -> str:
        """Key of the folder."""
        return f"{DEPOSITIONS}/{self.id}/"

    @property
    def document(self) -> str:
        """Key of the document."""
        return self.folder + "deposition_metadata.json"

    def image(self, name: str) -> str:
        """Key of a picture: ``snapshot.png``."""
        return f"{self.folder}{IMAGES}/{name}"


@dataclass(frozen=True, slots=True)
class Dataset(_Folder):
    """Place of a dataset."""

    id: int

    @property
    def folder(self) -> str:
        """Key of the folder."""
        return f"{self.id}/"

    @property
    def document(self) -> str:
        """Key of the document."""
        return self.folder + "dataset_metadata.json"

    def image(self, name: str) -> str:
        """Key of a picture: ``snapshot.png``."""
        return f"{self.folder}{IMAGES}/{name}"

    def run(self, name: str) -> Run:
        """Place of a run by name."""
        return Run(self.id, name)


@dataclass(frozen=True, slots=True)
class Run(_Folder):
    """Place of a run."""

    dataset: int
    name: str

    @property
    def folder(self) -> str:
        """Key of the folder."""
        return f"{self.dataset}/{self.name}/"

    @property
    def document(self) -> str:
        """Key of the document."""
        return self.folder + "run_metadata.json"

    @property
    def frames_document(self) -> str:
        """Key of the document of the frames."""
        return self.folder + "Frames/frames_metadata.json"

    def frame(self, name: str) -> str:
        """Key of a movie or mdoc file by name."""
        return f"{self.folder}Frames/{name}"

    def mdoc(self, stem: str = "") -> str:
        """Key of the mdoc file; a mosaic run has one per tilt series."""
        return f"{self.folder}Frames/{stem or self.name}.mdoc"

    def gain(self, name: str) -> str:
        """Key of a gain reference by name."""
        return f"{self.folder}Gains/{name}"

    @property
    def identified_objects_document(self) -> str:
        """Key of the document of the identified objects."""
        return self.folder + "IdentifiedObjects/identified_objects_metadata.json"

    @property
    def identified_objects(self) -> str:
        """List of the objects, beside its document."""
        return self.folder + "IdentifiedObjects/identified_objects.json"

    def tilt_series(self, number: int) -> TiltSeries:
        """Place of a tilt series by number."""
        return TiltSeries(self, number)

    def alignment(self, number: int) -> Alignment:
        """Place of an alignment by number."""
        return Alignment(self, number)

    def spacing(self, spacing: float) -> Spacing:
        """Place of a voxel spacing, in Å."""
        return Spacing(self, f"{spacing:.3f}")


@dataclass(frozen=True, slots=True)
class TiltSeries(_Folder):
    """Place of a tilt series."""

    run: Run
    number: int

    @property
    def folder(self) -> str:
        """Key of the folder."""
        return f"{self.run.folder}TiltSeries/{self.number}/"

    @property
    def document(self) -> str:
        """Key of the document."""
        return self.folder + DOCUMENT_NAMES["tiltseries"]

    def mrc(self, stem: str = "") -> str:
        """Key of the MRC file; named after the run unless a stem is given."""
        return f"{self.folder}{stem or self.run.name}.mrc"

    def zarr(self, stem: str = "") -> str:
        """Key of the OME-Zarr directory."""
        return f"{self.folder}{stem or self.run.name}.zarr/"

    def rawtilt(self, stem: str = "") -> str:
        """Key of the list of tilt angles."""
        return f"{self.folder}{stem or self.run.name}.rawtlt"

    def ctf(self, format_: str, stem: str = "") -> str:
        """Key of the CTF parameters: ``TS_001_CTFFIND_ctf.txt``."""
        return f"{self.folder}{stem or self.run.name}_{format_}_ctf.txt"


@dataclass(frozen=True, slots=True)
class Alignment(_Folder):
    """Place of an alignment."""

    run: Run
    number: int

    @property
    def folder(self) -> str:
        """Key of the folder."""
        return f"{self.run.folder}Alignments/{self.number}/"

    @property
    def document(self) -> str:
        """Key of the document."""
        return self.folder + DOCUMENT_NAMES["alignment"]

    def renamed(self, suffix: str) -> str:
        """Key of a file that takes the run's name: ``.xf``, ``.tlt``, ``.aln``."""
        return f"{self.folder}{self.run.name}{suffix}"


@dataclass(frozen=True, slots=True)
class Spacing(_Folder):
    """Place of a voxel spacing; `spacing` has three decimals, as in the folder's name."""

    run: Run
    spacing: str

    @property
    def folder(self) -> str:
        """Key of the folder."""
        return f"{self.run.folder}Reconstructions/{SPACING}{self.spacing}/"

    @property
    def viewer(self) -> str:
        """Folder of everything made for the viewer."""
        return self.folder + "NeuroglancerPrecompute/"

    def tomogram(self, number: int) -> Tomogram:
        """Place of a tomogram by number."""
        return Tomogram(self, number)

    def annotation(self, number: int) -> Annotation:
        """Place of an annotation by number."""
        return Annotation(self, number)


@dataclass(frozen=True, slots=True)
class Tomogram(_Folder):
    """Place of a tomogram."""

    spacing: Spacing
    number: int

    @property
    def folder(self) -> str:
        """Key of the folder."""
        return f"{self.spacing.folder}Tomograms/{self.number}/"

    @property
    def document(self) -> str:
        """Key of the document."""
        return self.folder + DOCUMENT_NAMES["tomogram"]

    def mrc(self, stem: str = "") -> str:
        """Key of the MRC file; named after the run unless a stem is given."""
        return f"{self.folder}{stem or self.spacing.run.name}.mrc"

    def zarr(self, stem: str = "") -> str:
        """Key of the OME-Zarr directory."""
        return f"{self.folder}{stem or self.spacing.run.name}.zarr/"

    def key_photo(self, size: str) -> str:
        """Key of a key photo; see `PHOTO_SIZES`."""
        return f"{self.spacing.folder}{IMAGES}/{self.number}/key-photo-{size}.png"

    @property
    def viewer_config(self) -> str:
        """Key of the state that the viewer opens with."""
        return f"{self.spacing.viewer}{self.number}-neuroglancer_config.json"


@dataclass(frozen=True, slots=True)
class Annotation(_Folder):
    """Place of an annotation; `stem` comes from `annotation_stem`."""

    spacing: Spacing
    number: int

    @property
    def folder(self) -> str:
        """Key of the folder."""
        return f"{self.spacing.folder}Annotations/{self.number}/"

    def document(self, stem: str) -> str:
        """Key of the document, which is named after the object."""
        return f"{self.folder}{stem}.json"

    def shape(self, stem: str, shape: str, suffix: str) -> str:
        """Key of a file of one shape: ``("membrane-1.0", "SegmentationMask", ".zarr/")``."""
        return f"{self.folder}{stem}_{shape_name(shape)}{suffix}"

    def precomputed(self, stem: str, shape: str) -> str:
        """Key of the directory that the viewer reads."""
        return f"{self.spacing.viewer}{self.number}-{stem}_{shape_name(shape)}/"


def shape_name(shape: str) -> str:
    """Give a shape as it stands in file names."""
    return SHAPE_NAMES.get(shape, shape.lower())


RESERVED_RUN_NAMES = {IMAGES, MANIFEST, MEMBERS, "dataset_metadata.json"}
"""Names in a dataset's folder that are not those of runs."""


# --- from a key back to its place --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """What a key belongs to."""

    kind: str
    """Name as in the schema (``tomogram``), or ``frames`` and ``image`` where no row is meant; empty for what is not ours."""

    dataset: int | None = None
    deposition: int | None = None
    run: str = ""
    spacing: str = ""
    number: int | None = None
    """Number of the tilt series, alignment, tomogram or annotation."""

    rest: str = ""
    """What follows in the folder that the kind has."""

    @property
    def folder(self) -> str:
        """Folder whose manifest lists the key: that of the tomogram for its key photo, of the run for its frames."""
        if self.deposition is not None:
            return Deposition(self.deposition).folder
        if self.dataset is None:
            return ""
        if not self.run:
            return Dataset(self.dataset).folder
        run = Run(self.dataset, self.run)
        if self.number is None:
            return run.folder
        section = next((s for s, kind in (SECTIONS | SPACED_SECTIONS).items() if kind == self.kind), "")
        base = f"{run.folder}Reconstructions/{SPACING}{self.spacing}/" if self.spacing else run.folder
        return f"{base}{section}/{self.number}/"


def locate(key: str) -> Place:
    """Say what a key belongs to: ``10001/TS_1/Frames/a.tif`` to the frames of run TS_1 of dataset 10001."""
    head, _, rest = key.partition("/")
    if head == DEPOSITIONS:
        number, _, rest = rest.partition("/")
        return Place("deposition", deposition=int(number), rest=rest) if _is_number(number) else Place("", rest=key)
    if not _is_number(head):
        return Place("", rest=key)
    dataset = int(head)
    name, slash, inside = rest.partition("/")
    if not slash or name in RESERVED_RUN_NAMES:
        return Place("dataset", dataset, rest=rest)
    return _in_run(dataset, name, inside)


def _in_run(dataset: int, run: str, rest: str) -> Place:
    section, _, inside = rest.partition("/")
    if section in LOOSE and inside:
        return Place(LOOSE[section], dataset, run=run, rest=inside)
    number, slash, below = inside.partition("/")
    if section in SECTIONS and slash and _is_number(number):
        return Place(SECTIONS[section], dataset, run=run, number=int(number), rest=below)
    spacing, slash, below = inside.partition("/")
    if section == "Reconstructions" and slash and spacing.startswith(SPACING):
        return _in_spacing(Place("run", dataset, run=run, spacing=spacing.removeprefix(SPACING), rest=rest), below)
    return Place("run", dataset, run=run, rest=rest)


def _in_spacing(run: Place, inside: str) -> Place:
    section, _, below = inside.partition("/")
    number, slash, rest = below.partition("/")
    kind = SPACED_SECTIONS.get(section) or ("tomogram" if section == IMAGES else "")
    if section == "NeuroglancerPrecompute" and (match := re.match(r"(\d+)-(.*)", below, re.DOTALL)):
        number, rest, slash = match[1], below, "/"
        kind = "tomogram" if match[2] == "neuroglancer_config.json" else "annotation"
    if not (kind and slash and _is_number(number)):
        return run
    return Place(kind, run.dataset, run=run.run, spacing=run.spacing, number=int(number), rest=rest)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and str(int(text)) == text


def manifest_folder(key: str) -> str:
    """Folder whose manifest lists a key; empty for what no manifest lists."""
    return locate(key).folder


def members_key(key: str) -> str:
    """Key of the list of members of an array directory."""
    return f"{manifest_folder(key)}{MEMBERS}/{key.rstrip('/').rpartition('/')[2]}"


def is_array(folder: str) -> bool:
    """Say whether a folder is an array directory, which is one entry and is never looked into."""
    parent, _, name = folder.rstrip("/").rpartition("/")
    if parent.endswith("/NeuroglancerPrecompute"):
        return True
    return name.endswith(".zarr") and parent.count("/") > 1


def array_key(key: str) -> str | None:
    """Key of the array directory that a file lies in, or None: ``…/TS_1.zarr/0/1/2/3`` lies in ``…/TS_1.zarr/``."""
    parts = key.split("/")
    folders = ("/".join(parts[:end]) + "/" for end in range(1, len(parts)))
    return next((folder for folder in folders if is_array(folder)), None)


def is_private(key: str) -> bool:
    """Say whether a key is for the program alone: manifests, lists of members, everything in ``.tomotheca/``."""
    parts = key.split("/")
    return parts[0] == INTERNAL or parts[-1] == MANIFEST or MEMBERS in parts
