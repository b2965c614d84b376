"""Copies of one surface at many places, coarse enough to be opened together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tomotheca.formats.meshes.mesh import Mesh

FINEST = 1024
"""Cells along the longest side of a surface in the finest grid that is tried."""

COARSER = 2**0.5
"""How much larger the cells of each next grid are."""

FEWEST = 56
"""Triangles that the coarsest grid, of two cells a side, leaves at most."""


def placed(mesh: Mesh, locations: npt.NDArray[np.float64], rotations: npt.NDArray[np.float64]) -> Mesh:
    """Put a copy of a surface at every place: turned about its origin, then moved.

    Parameters
    ----------
    locations
        ``(n, 3)``, x, y, z, in the unit of the surface.
    rotations
        ``(n, 3, 3)``, acting on columns ``(x, y, z)``.
    """
    count, size = len(locations), len(mesh.vertices)
    vertices = np.einsum("nij,vj->nvi", rotations, mesh.vertices) + locations[:, None, :]
    triangles = mesh.triangles[None, :, :] + (np.arange(count) * size)[:, None, None]
    return Mesh(vertices.reshape(-1, 3), triangles.reshape(-1, 3))


def coarsened(mesh: Mesh, most: int) -> Mesh:
    """Give a surface with about as many triangles as are wanted at most, itself where it has no more.

    All vertices in one cell of a grid become their mean. Of the grids tried it is the finest that leaves few enough triangles, or the
    coarsest that leaves any.
    """
    if len(mesh.triangles) <= most:
        return mesh
    found, cells = mesh, float(FINEST)
    while len(found.triangles) > most and cells >= 2:
        made = _clustered(mesh, int(cells))
        if not len(made.triangles):
            break
        found, cells = made, cells / COARSER
    return found


def _clustered(mesh: Mesh, cells: int) -> Mesh:
    """Make one vertex of all that lie in a cell; triangles that become lines or points, or twins, go."""
    low = mesh.vertices.min(axis=0)
    side = float((mesh.vertices.max(axis=0) - low).max()) or 1.0
    index = np.minimum((mesh.vertices - low) * (cells / side), cells - 1).astype(np.int64)
    _, cluster = np.unique(index @ np.array([cells * cells, cells, 1]), return_inverse=True)
    counts = np.bincount(cluster)
    vertices = np.stack([np.bincount(cluster, mesh.vertices[:, axis]) / counts for axis in range(3)], axis=1)
    corners = cluster[mesh.triangles]
    flat = (corners == np.roll(corners, 1, axis=1)).any(axis=1)
    corners = corners[~flat]
    _, first = np.unique(np.sort(corners, axis=1), axis=0, return_index=True)
    return Mesh(vertices, corners[np.sort(first)])
