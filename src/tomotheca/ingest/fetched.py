"""The few chunks of a volume of the archive that a picture is made from, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tomotheca.errors import NotFoundError
from tomotheca.formats.omezarr import grid as grids
from tomotheca.ingest import render

if TYPE_CHECKING:
    from tomotheca.store.files import Files

GROUPS = (".zgroup", "zarr.json")
"""What makes a folder a group: version 2, version 3."""


@contextmanager
def middle(files: Files, zarr: str) -> Iterator[Path]:
    """Give the path of an OME-Zarr directory in which the central chunks along z of the level for pictures can be read.

    It is the directory itself where that is on this machine; else a temporary one, with these chunks and all metadata.
    """
    local = files.local_path(zarr)
    if local is not None:
        yield local
        return
    with TemporaryDirectory(prefix="tomotheca-picture-") as folder:
        path = Path(folder) / zarr.rstrip("/").rpartition("/")[2]
        for key in _needed(files, zarr):
            try:
                data = files.read_bytes(key)
            except NotFoundError:
                continue  # a chunk of zeros is not stored
            target = path / key.removeprefix(zarr)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        yield path


def _needed(files: Files, zarr: str) -> Iterator[str]:
    """Give the keys of all metadata and of those files of chunks; not all of these need be there."""
    version = int(files.exists(zarr + grids.GROUPS[1]))
    image, array = grids.GROUPS[version], grids.ARRAYS[version]
    yield from (zarr + name for name in dict.fromkeys((GROUPS[version], image)))
    paths = grids.read_levels(files.read_bytes(zarr + image))
    yield from (f"{zarr}{path}/{array}" for path in paths)
    finest = grids.read_grid(paths[0], files.read_bytes(f"{zarr}{paths[0]}/{array}"))
    level, factor = render.level(*finest.shape[1:])
    grid = grids.read_grid(paths[level], files.read_bytes(f"{zarr}{paths[level]}/{array}"))
    planes, deep = grid.shape[0], grid.chunks[0]
    thick = min(planes, max(1, round(render.SLAB / factor)) + 1)
    start = (planes - thick) // 2
    wanted = range(start // deep, (start + thick) // deep + 1)
    yield from dict.fromkeys(zarr + grid.key(index) for index in grid.every() if index[0] in wanted)
