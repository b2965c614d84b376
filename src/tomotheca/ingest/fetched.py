"""The few chunks of a volume of the archive that a picture is made from, on this machine."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tomotheca.errors import NotFoundError
from tomotheca.ingest import render

if TYPE_CHECKING:
    from tomotheca.store.files import Files

METADATA = (".zgroup", ".zattrs", ".zarray")


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
    levels = files.scan(zarr).folders
    yield from (zarr + name for name in METADATA[:2])
    yield from (f"{zarr}{level}/{METADATA[2]}" for level in levels)
    first = json.loads(files.read_bytes(f"{zarr}0/{METADATA[2]}"))
    level, factor = render.level(*first["shape"][-2:])
    array = json.loads(files.read_bytes(f"{zarr}{level}/{METADATA[2]}"))
    planes, (deep, *across) = array["shape"][0], array["chunks"]
    thick = min(planes, max(1, round(render.SLAB / factor)) + 1)
    start = (planes - thick) // 2
    counts = [math.ceil(n / c) for n, c in zip(array["shape"][1:], across, strict=True)]
    for z in range(start // deep, (start + thick) // deep + 1):
        yield from (f"{zarr}{level}/{z}/{y}/{x}" for y in range(counts[0]) for x in range(counts[1]))
