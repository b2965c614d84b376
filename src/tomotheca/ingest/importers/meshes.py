"""Meshes of annotations: read, brought to Å, written as binary glTF and for the viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomotheca.errors import FormatError
from tomotheca.formats import meshes
from tomotheca.formats.precomputed.meshes import VERSION, write_mesh
from tomotheca.ingest.importers.shapes import ShapeMade
from tomotheca.ingest.importers.shown import ROLE
from tomotheca.ingest.transfer import put
from tomotheca.store import manifest
from tomotheca.store.members import Member

if TYPE_CHECKING:
    from tomotheca.formats.meshes import Mesh
    from tomotheca.ingest.importers.shapes import Bench, Setting, ShapeWork
    from tomotheca.ingest.language_shapes import MeshShape
    from tomotheca.ingest.work import Input


@dataclass(frozen=True, slots=True)
class MeshFile:
    """A file of a surface and how to read it."""

    source: Input
    file_format: str
    scale: float
    """Å per unit of the file."""

    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Centre of the first voxel, x, y, z, in units of the file."""

    name: str = ""
    """Segment of an hff file."""

    @property
    def recipe(self) -> list[Any]:
        """What the mesh depends on besides the file."""
        return [self.file_format, self.scale, self.origin, self.name, VERSION]

    def read(self, memory: int) -> Mesh:
        """Read the mesh, in Å from the centre of the first voxel.

        Raises
        ------
        FormatError
            If the file is not what its format says.
        """
        found = meshes.read(self.source.local, self.file_format, name=self.name, memory=memory)
        return meshes.checked(self.source.local, found.moved(self.origin, self.scale))


def plan(setting: Setting, shape: MeshShape) -> MeshFile | None:
    """Read a mesh once; None, with a finding, if it cannot be."""
    run = setting.run
    source = run.scene.input(setting.item.path)
    if source is None:
        return None
    made = MeshFile(source, shape.file_format, shape.scale_factor, shape.first_voxel, getattr(shape, "name", ""))
    try:
        mesh = made.read(run.scene.memory)
    except FormatError as error:
        run.about("error", source.local, error.reason)
        return None
    _check_place(setting, mesh)
    return made


def _check_place(setting: Setting, mesh: Mesh) -> None:
    """Warn of a surface that lies outside of the volume altogether, or is far smaller than a voxel."""
    if setting.volume is None:
        return
    low, high = mesh.vertices.min(axis=0) / setting.spacing, mesh.vertices.max(axis=0) / setting.spacing
    z, y, x = setting.volume
    words = f"the mesh reaches from {_words(low)} to {_words(high)} voxels"
    size = f"the volume has {x} x {y} x {z}"
    hint = "check that scale_factor brings it to Å."
    if (high < -0.5).any() or (low > [x - 0.5, y - 0.5, z - 0.5]).any():  # noqa: PLR2004 - half a voxel
        setting.run.about("warning", setting.item.path, f"{words}, {size}: it lies outside; {hint}")
    elif (high - low).max() < 1:
        setting.run.about("warning", setting.item.path, f"{words}, {size}: it is smaller than a voxel; {hint}")


def _words(place: Any) -> str:
    return ", ".join(f"{value:.1f}" for value in place)


def make(bench: Bench, work: ShapeWork, file: MeshFile) -> ShapeMade:
    """Write the mesh and what the viewer opens, unless both are there from the same source."""
    key = work.keys[0]
    recipes = [bench.recipes.note(k, file.recipe) for k in (key, work.shown)]
    known = [bench.known(k, r, file.source) for k, r in zip((key, work.shown), recipes, strict=True)]
    if bench.context.progress:
        bench.context.progress(file.source.size)
    if known[0] and known[1]:
        return ShapeMade((known[0], known[1]), 0)
    mesh = file.read(bench.context.memory)
    brought = put(bench.context.files, {key: meshes.encode(mesh)}, "annotation")
    with bench.context.files.stage(work.shown) as folder:
        members = [Member(m.path, m.size, m.sha256) for m in write_mesh(folder, mesh)]
    shown = manifest.describe_members(bench.context.files, work.shown, ROLE, members)
    return ShapeMade((*brought.entries, shown), brought.written + shown.size)
