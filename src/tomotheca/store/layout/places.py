"""Places of the archive, and the keys of everything that lies there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tomotheca.store.layout.words import DEPOSITIONS, DOCUMENT_NAMES, IMAGES, SHAPE_NAMES, SPACING


class _Folder(Protocol):
    """Something with a folder of its own."""

    @property
    def folder(self) -> str:
        """Key of the folder, with its final slash."""

    def file(self, name: str) -> str:
        """Key of any other file in the folder."""
        return self.folder + name


class _Volume(_Folder, Protocol):
    """A folder with one volume as MRC file and OME-Zarr directory, named after the run unless a stem is given."""

    @property
    def name(self) -> str:
        """Name of the run."""

    def mrc(self, stem: str = "") -> str:
        """Key of the MRC file."""
        return f"{self.folder}{stem or self.name}.mrc"

    def zarr(self, stem: str = "") -> str:
        """Key of the OME-Zarr directory."""
        return f"{self.folder}{stem or self.name}.zarr/"


class _Pictured(_Folder, Protocol):
    """A folder with pictures."""

    def image(self, name: str) -> str:
        """Key of a picture: ``snapshot.png``."""
        return f"{self.folder}{IMAGES}/{name}"


@dataclass(frozen=True, slots=True)
class Deposition(_Pictured):
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


@dataclass(frozen=True, slots=True)
class Dataset(_Pictured):
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
class TiltSeries(_Volume):
    """Place of a tilt series."""

    run: Run
    number: int

    @property
    def folder(self) -> str:
        """Key of the folder."""
        return f"{self.run.folder}TiltSeries/{self.number}/"

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.run.name

    @property
    def document(self) -> str:
        """Key of the document."""
        return self.folder + DOCUMENT_NAMES["tiltseries"]

    def rawtilt(self, stem: str = "") -> str:
        """Key of the list of tilt angles."""
        return f"{self.folder}{stem or self.name}.rawtlt"

    def ctf(self, format_: str, stem: str = "", suffix: str = ".txt") -> str:
        """Key of the CTF parameters: ``TS_001_CTFFIND_ctf.txt``."""
        return f"{self.folder}{stem or self.name}_{format_}_ctf{suffix}"


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
class Tomogram(_Volume):
    """Place of a tomogram."""

    spacing: Spacing
    number: int

    @property
    def folder(self) -> str:
        """Key of the folder."""
        return f"{self.spacing.folder}Tomograms/{self.number}/"

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.spacing.run.name

    @property
    def document(self) -> str:
        """Key of the document."""
        return self.folder + DOCUMENT_NAMES["tomogram"]

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
