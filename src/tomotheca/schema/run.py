"""Runs: one physical location each, and what belongs to the location as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from tomotheca.schema.context import Context, folder_prefix
from tomotheca.schema.core import Document, Entity
from tomotheca.schema.markers import Computed, Derived, Drawer, Facet, Key, Private, Public, Ref, Rows, Search
from tomotheca.schema.units import Spacing


class TomogramVoxelSpacing(Entity):
    """A voxel spacing at which a run has tomograms."""

    kind: ClassVar = "tomogram_voxel_spacing"
    root: ClassVar = "tomogramVoxelSpacings"
    title: ClassVar = "Voxel spacing"
    refs: ClassVar = (Ref("run_id", "run", "tomogram_voxel_spacings"),)
    derived: ClassVar = (
        Derived(
            "s3_prefix",
            str,
            lambda item, _: item["prefix"],
            "Folder of the spacing (S3 address).",
            (Key(s3="s3_prefix"),),
        ),
        Derived(
            "https_prefix",
            str,
            lambda item, _: item["prefix"],
            "Folder of the spacing (web address).",
            (Key(https="https_prefix"),),
        ),
    )

    voxel_spacing: Annotated[Spacing, Public(nullable=False), Drawer("Tomograms", "Voxel spacing")]
    """Edge of one voxel."""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside a run: the spacing with three decimals."""
        return f"{item['voxel_spacing']:.3f}"


class GainFile(Entity):
    """A gain reference of the camera."""

    kind: ClassVar = "gain_file"
    root: ClassVar = "gainFiles"
    title: ClassVar = "Gain reference"
    refs: ClassVar = (Ref("run_id", "run", "gain_files", nullable=False),)

    path: Annotated[str, Key(s3="s3_file_path", https="https_file_path")]
    """Gain reference file"""

    @staticmethod
    def natural(item: Mapping[str, Any]) -> str:
        """Natural key inside a run: the file name."""
        return str(item["path"]).rpartition("/")[2]


def spacing_rows(document: Mapping[str, Any], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """One row per voxel spacing that the run document has an identifier for."""
    for name in sorted(document.get("ids", {}).get("tomogram_voxel_spacing", {}), key=float):
        yield (
            "tomogram_voxel_spacing",
            {"voxel_spacing": float(name), "prefix": f"{context.folder}/Reconstructions/VoxelSpacing{name}/"},
        )


def gain_rows(document: Mapping[str, Any], context: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """One row per gain file, whatever its name."""
    for name in sorted(document.get("ids", {}).get("gain_file", {})):
        yield "gain_file", {"path": f"{context.folder}/Gains/{name}"}


class Run(Document, Entity):
    """One physical location of the sample, normally with one tilt series."""

    kind: ClassVar = "run"
    root: ClassVar = "runs"
    title: ClassVar = "Run"
    prefix: ClassVar = "RN-"
    filename: ClassVar = "run_metadata.json"
    refs: ClassVar = (Ref("dataset_id", "dataset", "runs", nullable=False),)
    derived: ClassVar = (
        Derived("s3_prefix", str, folder_prefix, "Folder of the run (S3 address).", (Key(s3="s3_prefix"),)),
        Derived("https_prefix", str, folder_prefix, "Folder of the run (web address).", (Key(https="https_prefix"),)),
    )

    run_name: Annotated[
        str,
        Public("name", nullable=False),
        Drawer("Run", "Name"),
        Search("name"),
        Facet("Run name", "run-name", "Name/ID", "F13"),
    ]
    """Name given by the authors."""

    voxel_spacings: Annotated[
        list[TomogramVoxelSpacing], Rows("tomogram_voxel_spacing", spacing_rows), Computed, Private
    ] = []
    """Voxel spacings with tomograms; they follow from the folders."""

    gains: Annotated[list[GainFile], Rows("gain_file", gain_rows), Computed, Private] = []
    """Gain references; they follow from the folder."""

    additions: Annotated[dict[str, dict[str, list[str]]], Computed, Private] = {}
    """Names of what other depositions have added, by deposition and kind; never served, since they may be hidden."""
