"""Volumes that stay where they are: which can, and what is written for one that does.

The MRC file is served under its key from where it lies, and is level 0 of the OME-Zarr image: chunks of one section, plain numbers, each a
stretch of the file (`store.stretches`). Only the coarse levels are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.errors import Finding, FormatError
from tomotheca.formats import mrc
from tomotheca.ingest import pyramid
from tomotheca.ingest.transfer import Brought, Converted, Past, Volume, convert, facts, formed, hashed, kept
from tomotheca.store import manifest
from tomotheca.store.manifest import Entry
from tomotheca.store.members import Member
from tomotheca.store.stretches import HERE, Stretch, sections

if TYPE_CHECKING:
    from tomotheca.ingest.discover import Item
    from tomotheca.ingest.headers import Look
    from tomotheca.ingest.scene import RunScene
    from tomotheca.ingest.work import Context

REMAINS = "volumes that stay in their place remain OME-Zarr 0.4: their level 0 is the source, cut into sections."
TOLERANCE = 0.005
"""Relative difference of voxel sizes that headers make by rounding."""


@dataclass(frozen=True, slots=True)
class InPlace(Volume):
    """A volume that stays where it is."""


@dataclass(frozen=True, slots=True)
class Staying:
    """The wish that volumes stay where they are."""

    apart: tuple[Path, ...] = ()
    """Folders of the portal itself: what lies there may change or go at any time."""


def placed(run: RunScene, item: Item, volume: Volume, seen: Look) -> Volume:
    """Give a volume that stays where it is if that is wanted and can be; else one that is copied, with a finding that says why."""
    copied = formed(volume, run.scene.form)
    staying = run.scene.staying
    if staying is None:
        return copied
    if not isinstance(volume.source.local, Path):
        run.add("note", item, f"{item.path} is copied and does not stay in its place: it does not lie on this machine.")
        return copied
    if problem := _refusal(run, volume, staying):
        run.add("error", item, f"{item.path} {problem}")
        return copied
    if seen.hindrance:
        run.add("note", item, f"{item.path} is copied and does not stay in its place: {seen.hindrance}.")
        return copied
    said = seen.spacing[: 2 if volume.kind == "tilt_series" else 3]
    if any(abs(s - w) > TOLERANCE * w for s, w in zip(said, volume.spacing, strict=False)):
        words = "gives no voxel size" if min(said) <= 0 else f"goes on saying {said[0]:g} Å"
        run.add(
            "warning",
            item,
            f"{item.path} stays as it is, so whoever opens the MRC file finds a header that {words}; take it in without --in-place to have it corrected.",
        )
    if run.scene.form.version == "0.5":
        run.scene.findings.append(Finding("note", "--zarr", REMAINS))
    return InPlace(**{name: getattr(volume, name) for name in volume.__dataclass_fields__})


def _refusal(run: RunScene, volume: Volume, staying: Staying) -> str:
    """Say why a file must not be served from where it lies; empty where it may."""
    local = volume.source.local
    real = local.resolve()
    if real != run.scene.listing.root.resolve() / volume.source.path:
        return "is a link, or lies below one: name the folder that it leads to as the source, or take it in without --in-place."
    if inside := next((folder for folder in staying.apart if real.is_relative_to(folder.resolve())), None):
        return f"lies in {inside}, which belongs to this portal: keep data elsewhere, or take it in without --in-place."
    return ""


def outputs(volume: Volume) -> tuple[str, ...]:
    """Give the keys of what a volume becomes in the archive."""
    return (volume.zarr,) if isinstance(volume, InPlace) else (volume.mrc, volume.zarr)


def bring(context: Context, past: Past, volume: Volume, recipe: str) -> Converted:
    """Take a volume in, copied or in place; what an earlier ingest made of the same source in the same way is left.

    Raises
    ------
    FormatError
        If the source is broken, or changed while it was read.
    StorageError
        If the disk refuses.
    """
    found = kept(context, past, volume, recipe)
    if found is not None and (not isinstance(volume, InPlace) or _at(found) == {str(volume.source.local.resolve())}):
        return found
    return _keep(context, volume) if isinstance(volume, InPlace) else convert(context, volume)


def _at(found: Converted) -> set[str | None]:
    """Give the paths from which a volume was served; a source that was moved is served from where it lies now."""
    return {entry.source for entry in found.brought.entries}


def recorded(volume: Volume, past: Past, converted: Converted) -> list[dict[str, Any]]:
    """Record the source of a volume; one that stays in its place, or was hashed on the way, is not read again for its hash."""
    source = volume.source
    if converted.source_sha256:
        return [source.record(converted.source_sha256)]
    if not isinstance(volume, InPlace):
        return hashed([source], past)
    return [source.record(past.hashes().get((source.path, source.size, source.mtime)))]


def _keep(context: Context, volume: InPlace) -> Converted:
    """Write the coarse levels; they are in their place when this returns."""
    files, local = context.files, volume.source.local
    recipe = pyramid.Recipe(
        kind=volume.kind, voxel_size=volume.spacing, name=volume.zarr.rstrip("/").rpartition("/")[2].removesuffix(".zarr"),
        memory=context.memory, workers=context.threads,
    )  # fmt: skip
    with files.stage(volume.zarr) as zarr:
        zarr.rmdir()
        header = mrc.read_header(local)
        made = pyramid.coarsen(local, zarr, recipe, progress=_bytes(context, volume, header))
        now = local.stat()
        if (now.st_size, now.st_mtime_ns) != (volume.source.size, volume.source.mtime):
            raise FormatError(local, "changed while it was taken in: keep it still and run again.")
    array = manifest.describe_members(files, volume.zarr, volume.role, _members(made, header, volume))
    file = Entry(volume.mrc, header.size, None, manifest.media_type(volume.mrc), volume.role)
    path, mtime = str(local.resolve()), volume.source.mtime
    entries = tuple(replace(entry, source=path, mtime=mtime) for entry in (file, array))
    written = sum(member.size for member in made.zarr)
    return Converted(Brought(entries, written), facts(volume, made), made.notes)


def _members(made: pyramid.Pyramid, header: mrc.Header, volume: InPlace) -> Iterator[Member]:
    """Give the files of the OME-Zarr directory and the sections of level 0, in byte order of their paths."""
    count, rows, columns = header.file_shape
    begins = Stretch(header.data_offset, volume.source.size, volume.source.mtime)
    level = made.levels[0].path
    chunks = sections(level, count, rows * columns * header.dtype.itemsize, begins)
    written = (Member(m.path, m.size, f"{HERE}{m.sha256}") for m in made.zarr)
    yield from sorted([*written, *chunks], key=lambda m: m.path.encode())


def _bytes(context: Context, volume: InPlace, header: mrc.Header) -> Any:
    """Turn voxels read into bytes of the source, for whoever wants to know."""
    tell = context.progress
    return (lambda voxels: tell(voxels * header.dtype.itemsize)) if tell else None
