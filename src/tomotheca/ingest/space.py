"""Room for what an ingest brings: asked for before anything is written."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.errors import Finding, StorageError
from tomotheca.ingest.inplace import InPlace
from tomotheca.ingest.transfer import Copy, Volume
from tomotheca.store.files import LocalFiles

if TYPE_CHECKING:
    from tomotheca.ingest.work import Step
    from tomotheca.store.files import Files

GIB = 1 << 30
KEPT = ("tomogram", "tilt_series")
"""Volumes whose numbers keep their type; masks become bytes."""

MRC = (".mrc", ".rec", ".st", ".ali", ".map")
"""Endings of sources that become MRC files of the same size; packed ones become larger, those of doubles smaller."""


def ask(files: Files, steps: Iterable[Step]) -> list[Finding]:
    """Compare the bytes that steps will bring with what the disks of the archive have free; buckets have no such end.

    Files that are copied, and MRC files, are as large as their sources: less room than for them is an error. An OME-Zarr image is about
    as large as its MRC file: less room than for both is a warning, for it may also be much smaller.

    Raises
    ------
    StorageError
        If a disk cannot hold what is copied to it.
    """
    if not isinstance(files, LocalFiles):
        return []
    needed: dict[Path, int] = defaultdict(int)
    images: dict[Path, int] = defaultdict(int)
    places: dict[str, Path] = {}
    brought = {key: (size, is_volume) for step in steps for key, size, is_volume in _brought(step.work)}
    for key, (size, is_volume) in brought.items():
        if files.exists(key) and files.stat(key).size == size:  # it may be kept as it is
            continue
        folder = "/".join(key.split("/")[:2])
        disk = places.setdefault(folder, _existing(files.root / folder))
        needed[disk] += size
        images[disk] += size * is_volume
    return list(_compared(needed, images))


def _compared(needed: dict[Path, int], images: dict[Path, int]) -> Iterator[Finding]:
    disks: dict[int, list[Path]] = defaultdict(list)
    for place in needed:
        disks[place.stat().st_dev].append(place)
    for places in disks.values():
        free = shutil.disk_usage(places[0]).free
        least = sum(needed[place] for place in places)
        likely = least + sum(images[place] for place in places)
        said = f"{free / GIB:.2f} GiB are free, and {{}} {(least if least > free else likely) / GIB:.2f} GiB are needed"
        advice = "make room, or take in less at once with --run or --only"
        if least > free:
            message = f"{places[0]}: {said.format('at least')}: {advice}"
            raise StorageError(message)
        if likely > free:
            yield Finding("warning", str(places[0]), f"{said.format('about')}: {advice}.")


def _brought(work: Any) -> Iterator[tuple[str, int, bool]]:
    """Give every file that a step brings: its key, its bytes, and whether an image is made of it as well."""
    if isinstance(work, Volume):
        if not isinstance(work, InPlace) and work.kind in KEPT and work.source.path.lower().endswith(MRC):
            yield work.mrc, work.source.size, True
    elif isinstance(work, Copy):
        yield work.key, work.source.size, False
    elif isinstance(work, tuple):
        for each in work:
            yield from _brought(each)
    elif is_dataclass(work):
        for one in fields(work):
            yield from _brought(getattr(work, one.name))


def _existing(path: Path) -> Path:
    """Give a folder, or the nearest one above it that is there."""
    return next(place for place in (path, *path.parents) if place.exists())
