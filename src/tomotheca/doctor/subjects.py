"""What rules are about: each a plain collection of what was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tomotheca.doctor import values
from tomotheca.doctor.look import Broken, Image, Mrc

if TYPE_CHECKING:
    from tomotheca.doctor.headers import Movie
    from tomotheca.doctor.points import Points
    from tomotheca.formats.mdoc import Mdoc
    from tomotheca.schema.core import Document
    from tomotheca.store.files import Files
    from tomotheca.store.layout import Place
    from tomotheca.store.manifest import Entry

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Paper:
    """One document."""

    where: str
    model: type[Document]
    data: Data | Broken
    place: Place
    depositions: frozenset[int]
    """Depositions that have a document."""

    manifest: str | None
    """SHA-256 of the manifest beside it; None where there is none, empty where the document needs none."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One manifest, and what lies in its folder."""

    where: str
    entries: tuple[Entry, ...] | Broken
    files: Files
    thorough: bool
    """Whether to read every file and compare its digest."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """Everything that lies in the folder of a run or dataset."""

    where: str
    unlisted: tuple[str, ...]
    """Files that no manifest lists."""

    unfinished: tuple[str, ...]
    """Folders with files and without a document."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume as MRC file and OME-Zarr image, with the fields of its document."""

    where: str
    data: Data
    name: str
    """Of the run, or stem of the annotation."""

    mrc: Mrc | None
    image: Image | None
    stack: bool = False
    listed: frozenset[str] = frozenset()
    """Keys of the manifest."""


@dataclass(frozen=True, slots=True)
class Movies:
    """The frames and gain references of a run."""

    where: str
    data: Data
    movies: Mapping[str, Movie | Broken | None]
    """By key; None for a format whose header is not read."""

    gains: Mapping[str, Movie | Broken | None]
    mdoc_frames: frozenset[str]
    """Names of movies that mdoc files give."""

    pages: Mapping[str, int] = field(default_factory=dict)
    """Frames in the movie as mdoc files have them, by name."""

    series: int = 1
    """Tilt series of the run."""

    @property
    def frames(self) -> list[Data]:
        """Frames of the document."""
        return values.blocks(self.data, "frames")

    def good(self, which: Mapping[str, Movie | Broken | None]) -> dict[str, Movie]:
        """Give those whose header could be read."""
        return {key: m for key, m in which.items() if m is not None and not isinstance(m, Broken)}


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One mdoc file."""

    where: str
    mdoc: Mdoc | Broken
    frames: int | None
    """Frames of the document with this file; None where nobody counts them."""

    movies: frozenset[str]
    """Names of the movies of the run."""


@dataclass(frozen=True, slots=True)
class Series:
    """One tilt series with its files."""

    where: str
    data: Data
    run: str
    mrc: Mrc | None
    angles: tuple[float, ...] | Broken | None
    angles_where: str
    mdoc: Mdoc | None
    frames: Sequence[Data] = ()
    """Frames of the run's document."""

    frame_spacing: float | None = None
    """Å per pixel of the movies."""

    alone: bool = True
    """Whether it is the run's only one, so that all frames are its own."""

    @property
    def sections(self) -> list[Data]:
        """What the document says of each section."""
        return values.blocks(self.data, "per_section_parameter")

    @property
    def depth(self) -> int | None:
        """Number of sections: of the header, else of the document."""
        if self.mrc is not None and not isinstance(self.mrc.words, Broken):
            return self.mrc.words.shape[0]
        size = values.zyx(self.data, "size")
        return size[0] if size else None


@dataclass(frozen=True, slots=True)
class Aligned:
    """One alignment with the tilt series it is of."""

    where: str
    data: Data
    tilts: tuple[float, ...] | Broken | None
    series: Data
    """Document of the tilt series; empty where there is none."""

    mdoc: Mdoc | None
    listed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Spaced:
    """The folder of one voxel spacing."""

    where: str
    name: str
    known: bool
    """Whether the run's document has an identifier for it."""

    empty: bool
    """Whether there is neither a tomogram nor an annotation."""


@dataclass(frozen=True, slots=True)
class Reconstructed:
    """One tomogram."""

    where: str
    data: Data
    spacing: str
    run: str
    alignments: frozenset[str]
    """Keys of the run's alignment documents."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One annotation with its files."""

    where: str
    data: Data
    alignments: frozenset[str]
    tomograms: Sequence[values.Triple]
    """Sizes of the tomograms of the same spacing and alignment, z, y, x."""

    points: Mapping[str, Points | Broken]
    """By key."""

    masks: Sequence[Mrc | Image]
    others: Mapping[str, Broken | None]
    """Meshes and captions by key; None for one that can be read."""

    listed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures that a document names."""

    where: str
    named: Mapping[str, str]
    """Key by size: snapshot, thumbnail."""

    sizes: Mapping[str, tuple[int, int] | Broken]
    """Width and height by key."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A stored viewer state."""

    where: str
    state: Any


@dataclass(frozen=True, slots=True)
class Whole:
    """A run as a whole."""

    where: str
    name: str
    data: Data
    series: int
    tomograms: Mapping[str, Data]
    """Documents by key."""

    annotations: Mapping[str, Data]
    frames: bool
    """Whether there is a document of frames."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A dataset as a whole, with facts of its tilt series."""

    where: str
    data: Data
    runs: int
    series: Sequence[tuple[str, Data]]
    """Key and document of every tilt series that was read, as far as rules of datasets need it."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A deposition as a whole."""

    where: str
    data: Data


@dataclass(frozen=True, slots=True)
class Numbers:
    """All identifiers that were seen."""

    where: str
    given: Iterable[tuple[str, int, str]]
    """Kind, number and key of the document."""

    marks: Mapping[str, int]
    """Highest number given, by kind."""

    buried: frozenset[tuple[str, int]]


Subject = (
    Paper | Listed | Shelved | Volume | Movies | Acquisition | Series | Aligned | Spaced | Reconstructed | Labelled
    | Pictures | Scene | Whole | Collection | Submission | Numbers | Mrc | Image
)  # fmt: skip
