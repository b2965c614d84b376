"""Patterns by which clients of the bucket take a part of a folder: what `tomotheca.export.selection` takes, as names of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tomotheca.export.selection import Selection


@dataclass(frozen=True, slots=True)
class Patterns:
    """Folders that are taken, at whatever depth, and endings of paths that are left out; without folders, all are taken."""

    folders: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Below the folders; ``**`` stands for any path."""

    endings: tuple[str, ...] = ()
    """Taken wherever they are, in the place of folders."""

    def aws(self) -> str:
        """Write options of ``aws s3 sync``: the last that matches decides, and ``*`` matches slashes too."""
        taken = [p for f in self.folders for p in (f"{f}/*", f"*/{f}/*")] + [f"*{e}" for e in self.endings]
        words = ['--exclude "*"'] * bool(taken) + [f'--include "{p}"' for p in taken]
        words += [f'--exclude "{p.replace("**", "*")}"' for p in self.without]
        return "".join(f" {w}" for w in words)

    def rclone(self) -> str:
        """Write options of ``rclone copy``: the first that matches decides, and ``*`` matches no slash."""
        taken = [p for f in self.folders for p in (f"{f}/**", f"**/{f}/**")] + [f"*{e}" for e in self.endings]
        words = [f'--filter "- {p.removeprefix("**/") if "/" not in p[3:] else p}"' for p in self.without]
        words += [f'--filter "+ {p}"' for p in taken] + ['--filter "- **"'] * bool(taken)
        return "".join(f" {w}" for w in words)


PARTS: Mapping[str, Patterns] = {
    "": Patterns(),
    "frames": Patterns(("Frames",), ("**.mdoc", "**/frames_metadata.json")),
    "gains": Patterns(("Gains",)),
    "mdoc": Patterns(endings=(".mdoc",)),
    "tiltseries": Patterns(("TiltSeries",)),
    "alignments": Patterns(("Alignments",)),
    "tomograms": Patterns(("Tomograms",)),
    "annotations": Patterns(("Annotations",)),
    "tomograms,points": Patterns(
        ("Tomograms", "Annotations"),
        ("**/Annotations/**.mrc", "**/Annotations/**.zarr/**", "**/Annotations/**.glb"),
    ),
    "images": Patterns(("Images",)),
}
"""By the parameter ``only``. What is not here is no matter of folders."""

OTHER = {"mrc": "**.zarr/**", "zarr": "**.mrc"}
"""What a format leaves out."""


def patterns_of(selection: Selection) -> Patterns | None:
    """Give the patterns of a part of a dataset or run; None where there are none."""
    found = PARTS.get(selection.query().get("only", ""))
    if found is None or selection.kind not in {"dataset", "run"}:
        return None
    if not selection.format:
        return found
    return Patterns(found.folders, (*found.without, OTHER[selection.format]), found.endings)
