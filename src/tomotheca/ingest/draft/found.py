"""A folder that was looked at: files with what each is for, runs with what their files say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tomotheca.formats import aretomo, imod, mdoc
    from tomotheca.formats.warp import TiltSeries
    from tomotheca.ingest.draft.names import Said, Tag
    from tomotheca.ingest.listing import Listing

Part = Literal[
    "tiltseries", "tomogram", "mask", "movie", "gain", "mdoc", "rawtilt", "tlt", "xf", "xtilt", "aln", "com", "warp", "tomostar", "ctf", "ctf_imod",
    "points", "left",
]  # fmt: skip

FEWEST = 3
"""Images of a tilt series; an mdoc file with fewer is one of a movie or a map."""


@dataclass(slots=True)
class File:
    """One file of the folder."""

    path: str
    said: Said = field(repr=False)
    part: Part = "left"
    run: str = ""
    reason: str = ""
    """Why it is what it is; of a file that is left out, why it is."""

    shape: tuple[int, int, int] = (0, 0, 0)
    """Of a volume: z, y, x."""

    spacing: float = 0.0
    """Å, of x; 0 where the header does not say."""

    stack: bool = False
    certain: bool = True
    """Whether name or header leave no doubt."""

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def tags(self) -> tuple[Tag, ...]:
        """What the words of the name say."""
        return self.said.tags

    def leave(self, reason: str) -> None:
        """Take it out, and say why."""
        self.part, self.reason = "left", reason


@dataclass(slots=True)
class Found:
    """What the files of one run say, as far as they can be read."""

    name: str
    files: list[File] = field(default_factory=list)
    mdoc: mdoc.Mdoc | None = None
    aln: aretomo.Aln | None = None
    transforms: imod.Transforms | None = None
    com: str = ""
    """Text of IMOD's command files."""

    warp: TiltSeries | None = None
    """What the XML of Warp says."""

    tilts: TiltSeries | None = None
    """What the list of tilts of Warp says."""

    stage: tuple[float, ...] = ()
    """Angles of the stage, from rawtlt."""

    refined: tuple[float, ...] = ()
    """Refined angles, from tlt."""

    def of(self, part: Part) -> list[File]:
        """Give the files that are for one thing, sorted by path."""
        return sorted((f for f in self.files if f.part == part), key=lambda f: f.path)

    def one(self, part: Part) -> File | None:
        """Give the file that is for one thing."""
        return next(iter(self.of(part)), None)

    @property
    def counts(self) -> set[int]:
        """Numbers of sections that some file gives the tilt series."""
        said = [len(self.mdoc.images) if self.mdoc else 0, len(self.stage), len(self.refined)]
        said += [self.aln.size[2] if self.aln else 0, len(self.transforms) if self.transforms else 0]
        said += [count for own in (self.warp, self.tilts) if own for count in (len(own), int(own.used.sum()))]
        return {count for count in said if count >= FEWEST}


@dataclass(slots=True)
class Survey:
    """A folder that was looked at."""

    root: Path
    listing: Listing
    files: dict[str, File]
    runs: dict[str, Found]
    layout: tuple[str, ...]
    """What the folder looks like, in words."""

    @property
    def left(self) -> list[File]:
        """Files that are not taken, sorted by path."""
        return sorted((f for f in self.files.values() if f.part == "left"), key=lambda f: f.path)


def by_run(survey: Survey, part: Part) -> Mapping[str, tuple[str, ...]]:
    """Give the paths of the files that are for one thing, by run."""
    return {name: tuple(f.path for f in found) for name, run in survey.runs.items() if (found := run.of(part))}
