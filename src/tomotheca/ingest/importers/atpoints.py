"""A surface at every oriented point, for the viewer: `mesh_source_path` of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomotheca.errors import FormatError
from tomotheca.formats import meshes
from tomotheca.formats.precomputed.meshes import VERSION, write_mesh
from tomotheca.ingest.importers.meshes import MeshFile
from tomotheca.ingest.importers.shown import ROLE
from tomotheca.ingest.listing import segments_of
from tomotheca.store import manifest
from tomotheca.store.members import Member

if TYPE_CHECKING:
    from tomotheca.formats.meshes import Mesh
    from tomotheca.formats.points import Points
    from tomotheca.ingest.importers.points import PointFile
    from tomotheca.ingest.importers.shapes import Bench, Setting
    from tomotheca.store.manifest import Entry

MOST = 2_000_000
"""Triangles of all copies together: they are opened in one request of 18 bytes for each."""


def plan(setting: Setting, path: str, count: int) -> MeshFile | None:
    """Read the surface once; None, with a finding, where there is none that can be shown at so many points."""
    if not path:
        return None
    run, item = setting.run, setting.item
    try:
        found = "/".join(segments_of(path))
    except ValueError as error:
        run.add("error", item, f"mesh_source_path: {error}.")
        return None
    file_format = found.rpartition(".")[2].lower()
    if file_format not in meshes.READERS:
        known = ", ".join(f".{name}" for name in meshes.READERS)
        run.add("error", item, f"mesh_source_path {path}: meshes at points are read from {known}.")
        return None
    if not run.scene.listing.exists(found) or run.scene.listing.is_folder(found):
        run.add("error", item, f"mesh_source_path {path} is no file below the source prefix.")
        return None
    source = run.scene.input(found)
    if source is None:
        return None
    made = MeshFile(source, file_format, 1.0)
    try:
        mesh = made.read(run.scene.memory)
    except FormatError as error:
        run.about("error", source.local, error.reason)
        return None
    return made if _fits(setting, made, mesh, count) else None


def _fits(setting: Setting, file: MeshFile, mesh: Mesh, count: int) -> bool:
    """Warn of too many points, of a surface that is not around its origin, or far smaller than a voxel."""
    if count > MOST // meshes.FEWEST:
        words = f"{count} points are too many for meshes, which are shown at {MOST // meshes.FEWEST} at most: they are shown as arrows alone."
        setting.run.add("warning", setting.item, words)
        return False
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    if (low > 0).any() or (high < 0).any():
        words = "the mesh does not lie around 0, 0, 0, which is put on the point: it is shown beside it."
        setting.run.about("warning", file.source.local, words)
    elif (high - low).max() < setting.spacing:
        words = f"the mesh is {(high - low).max():.3g} Å large, less than a voxel: its coordinates should be in Å."
        setting.run.about("warning", file.source.local, words)
    return True


def make(bench: Bench, key: str, file: PointFile, points: Points) -> tuple[Entry, int]:
    """Write what the viewer opens, unless it is there from the same points and surface; its entry, and the bytes written."""
    mesh = file.mesh
    if mesh is None or points.rotations is None:
        message = "meshes are planned at points that have rotations"
        raise TypeError(message)
    recipe = bench.recipes.note(key, [file.recipe, mesh.recipe, MOST, VERSION])
    if entry := bench.known(key, recipe, file.source, mesh.source):
        return entry, 0
    one = meshes.coarsened(mesh.read(bench.context.memory), MOST // len(points))
    placed = meshes.placed(one, points.locations * file.frame.spacing, points.rotations)
    with bench.context.files.stage(key) as folder:
        members = [Member(m.path, m.size, m.sha256) for m in write_mesh(folder, placed)]
    entry = manifest.describe_members(bench.context.files, key, ROLE, members)
    return entry, entry.size
