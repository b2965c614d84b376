"""Bring files into the archive: copies and converted volumes, with the entries of the manifest that describe them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tomotheca.errors import Finding, FormatError, TomothecaError
from tomotheca.formats.omezarr import DEFAULT, Form
from tomotheca.ingest import pyramid
from tomotheca.store import documents, layout, manifest
from tomotheca.store.manifest import Entry
from tomotheca.store.members import Member, digest

if TYPE_CHECKING:
    from tomotheca.formats.files import Member as Written
    from tomotheca.ingest.work import Context, Input
    from tomotheca.store.files import Files

BLOCK = 4 << 20


@dataclass(frozen=True, slots=True)
class Copy:
    """A file to copy as it is, or what was made from it."""

    source: Input
    key: str
    role: str
    text: str | None = None
    """What is written in its place; None for the file's own bytes."""


@dataclass(frozen=True, slots=True)
class Brought:
    """Files that are in their places."""

    entries: tuple[Entry, ...]
    written: int = 0
    """Bytes that had to be written."""


class Past:
    """What an earlier ingest left under a document's key: its document and manifest, if they can be relied on."""

    def __init__(self, context: Context, key: str) -> None:
        self.document: Mapping[str, Any] = {}
        self._entries: dict[str, Entry] = {}
        files = self._files = context.files
        if context.force or not files.exists(key):
            return
        try:
            self.document = documents.read(files, key)
            self._entries = {e.key: e for e in manifest.read(files, layout.manifest_folder(key))}
        except TomothecaError:
            self.document = {}

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where the document came from."""
        found = self.document.get("provenance")
        return found if isinstance(found, dict) else {}

    def hashes(self) -> dict[tuple[str, int, int], str]:
        """Give the hashes of sources by path, size and time."""
        return {
            (s["path"], s["size"], s["mtime"]): s["sha256"]
            for s in self.provenance.get("sources", ())
            if s.get("sha256")
        }

    def unchanged(self, inputs: Iterable[Input]) -> bool:
        """Whether these sources are what the document was made from."""
        known = {(s["path"], s["size"], s["mtime"]) for s in self.provenance.get("sources", ())}
        return all((i.path, i.size, i.mtime) in known for i in inputs)

    def entries(self) -> tuple[Entry, ...]:
        """Give the entries of the manifest as they stand."""
        return tuple(self._entries.values())

    def entry(self, key: str) -> Entry | None:
        """Give the entry of a file that is there with the size it should have."""
        entry = self._entries.get(key)
        if entry is not None and entry.source is not None and entry.members is None:
            return entry if _is_still(entry) else None
        if entry is None or not self._files.exists(key):
            return None
        if entry.members is None:
            return entry if self._files.stat(key).size == entry.size else None
        listing = layout.members_key(key)
        return entry if self._files.exists(listing) and digest(self._files, listing)[1] == entry.sha256 else None


def _is_still(entry: Entry) -> bool:
    """Whether a file that stays in its place is the one that the manifest means."""
    try:
        found = Path(entry.source or "").stat()
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) == (entry.size, entry.mtime)


def hashed(inputs: Iterable[Input], past: Past) -> list[dict[str, Any]]:
    """Record sources with their hashes; those known from before are not read again."""
    known = past.hashes()
    return [i.record(known.get((i.path, i.size, i.mtime)) or sha256(i.local)) for i in inputs]


def sha256(path: Path) -> str:
    """Hash a file, or a directory as the digest of its sorted members."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    members = [
        Member(p.relative_to(path).as_posix(), p.stat().st_size, sha256(p)) for p in path.rglob("*") if p.is_file()
    ]
    return manifest.tree_digest(members)


def copy(context: Context, copies: Sequence[Copy], past: Past) -> Brought:
    """Copy files byte for byte; one that is there from the same source is left."""
    entries: list[Entry] = []
    written = 0
    for one in copies:
        if one.text is not None:
            made = put(context.files, {one.key: one.text.encode()}, one.role)
            entries += made.entries
            written += made.written
            continue
        entry = past.entry(one.key) if past.unchanged([one.source]) else None
        if entry is None:
            entry = _copy(context.files, one)
            written += entry.size
        entries.append(entry)
        if context.progress:
            context.progress(one.source.size)
    return Brought(tuple(entries), written)


def _copy(files: Files, one: Copy) -> Entry:
    try:
        source = one.source.local.open("rb")
    except OSError as error:
        raise FormatError(one.source.local, f"cannot be read: {error.strerror or error}.") from error
    state = hashlib.sha256()
    size = 0
    with source, files.writer(one.key) as target:
        while block := source.read(BLOCK):
            state.update(block)
            target.write(block)
            size += len(block)
    return Entry(one.key, size, state.hexdigest(), manifest.media_type(one.key), one.role)


def put(files: Files, made: Mapping[str, bytes], role: str) -> Brought:
    """Write small files that were made here, by key; those that are there with the same bytes are left."""
    entries, written = [], 0
    for key, data in made.items():
        if not (files.exists(key) and files.stat(key).size == len(data) and files.read_bytes(key) == data):
            files.write_bytes(key, data)
            written += len(data)
        entries.append(Entry(key, len(data), hashlib.sha256(data).hexdigest(), manifest.media_type(key), role))
    return Brought(tuple(entries), written)


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume to convert."""

    source: Input
    mrc: str
    """Key of the MRC file."""

    zarr: str
    """Key of the OME-Zarr directory, with its final slash."""

    role: str
    spacing: tuple[float, float, float]
    """Å, order x, y, z."""

    kind: pyramid.Kind = "tomogram"
    label: int = 1
    threshold: float | None = None
    size: tuple[int, int, int] | None = None
    """Voxels z, y, x that a mask is brought to; None keeps those of the source."""


@dataclass(frozen=True, slots=True)
class Formed(Volume):
    """A volume to convert to OME-Zarr in another form than the default. A class of its own: the recipes of the others stay what they were."""

    form: Form = DEFAULT


def formed(volume: Volume, form: Form) -> Volume:
    """Give a volume that is converted in a form."""
    if form == DEFAULT:
        return volume
    return Formed(**{name: getattr(volume, name) for name in Volume.__dataclass_fields__}, form=form)


@dataclass(frozen=True, slots=True)
class Converted:
    """A volume in its place, and what is known of it."""

    brought: Brought
    facts: Mapping[str, Any]
    """Fields of the document: size, scales, levels, statistics, omezarr_dir, mrc_file."""

    findings: tuple[Finding, ...] = ()
    labels: int | None = None
    """How many labels a label image has, where it was converted now."""

    source_sha256: str = ""
    """Of the source, where it was hashed on the way."""


def convert(context: Context, volume: Volume) -> Converted:
    """Convert a volume; the files are in their places when this returns.

    Raises
    ------
    FormatError
        If the source is broken.
    StorageError
        If the disk refuses.
    """
    files = context.files
    recipe = pyramid.Recipe(
        kind=volume.kind, voxel_size=volume.spacing, label=volume.label, threshold=volume.threshold, size=volume.size,
        name=volume.zarr.rstrip("/").rpartition("/")[2].removesuffix(".zarr"), memory=context.memory, workers=context.threads,
        form=volume.form if isinstance(volume, Formed) else DEFAULT,
    )  # fmt: skip
    seen = _Bytes(context, volume)
    if files.local_path(volume.mrc) is None:
        return _convert_far(files, volume, recipe, seen)
    with ExitStack() as stack:
        mrc, zarr = (stack.enter_context(files.stage(key)) for key in (volume.mrc, volume.zarr))
        zarr.rmdir()
        made = pyramid.convert(volume.source.local, pyramid.Target(mrc, zarr), recipe, progress=seen)
        if volume.kind in {"mask", "labels"} and not made.statistics.max:
            raise EmptyMaskError(volume.source.path)
    return replace(_converted(files, volume, made, made.mrc), source_sha256=made.source_sha256)


def _convert_far(files: Files, volume: Volume, recipe: pyramid.Recipe, seen: Callable[[int], None]) -> Converted:
    """Convert a volume into a store that is not on this machine; see `pyramid.Far`."""
    with (
        pyramid.opened(volume.source.local, recipe) as (source, settled),
        files.branch(volume.zarr) as branch,
        pyramid.Far(source, branch.write_bytes, settled) as job,
    ):
        made = job.pyramid(seen)
        if volume.kind in {"mask", "labels"} and not made.statistics.max:
            raise EmptyMaskError(volume.source.path)
        with files.writer(volume.mrc) as stream:
            file = job.write_mrc(stream, volume.mrc)
    return _converted(files, volume, made, file)


def _converted(files: Files, volume: Volume, made: pyramid.Pyramid, mrc: Written) -> Converted:
    members = [Member(m.path, m.size, m.sha256) for m in sorted(made.zarr, key=lambda m: m.path.encode())]
    array = manifest.describe_members(files, volume.zarr, volume.role, members)
    file = Entry(volume.mrc, mrc.size, mrc.sha256, manifest.media_type(volume.mrc), volume.role)
    brought = Brought((file, array), file.size + array.size)
    return Converted(brought, facts(volume, made), made.notes, len(made.labels))


class EmptyMaskError(Exception):
    """A mask has no voxel of the label that was asked for, or a label image no label."""


class _Bytes:
    """Turns voxels read into bytes of the source."""

    def __init__(self, context: Context, volume: Volume) -> None:
        self.context, self.source = context, volume.source
        self._voxels = math.prod(volume.size) if volume.size else None

    def __call__(self, voxels: int) -> None:
        if not self.context.progress:
            return
        if self._voxels is None:
            opened = pyramid.open_source(self.source.local)
            z, y, x = opened.shape
            opened.close()
            self._voxels = z * y * x
        self.context.progress(self.source.size * voxels // self._voxels)


def facts(volume: Volume, made: pyramid.Pyramid) -> dict[str, Any]:
    """Say of a conversion what documents keep."""

    def xyz(values: Sequence[float]) -> dict[str, Any]:
        z, y, x = values
        return {"x": x, "y": y, "z": z}

    statistics = made.statistics
    return {
        "size": xyz(made.shape),
        "scales": [{"z": level.shape[0], "y": level.shape[1], "x": level.shape[2]} for level in made.levels],
        "levels": [
            {"path": level.path, "size": xyz(level.shape), "spacing": xyz(level.scale), "translation": xyz(level.translation), "bytes": level.bytes}
            for level in made.levels
        ],
        "statistics": {name: getattr(statistics, name) for name in ("dtype", "min", "max", "mean", "p1", "p99")},
        "omezarr_dir": volume.zarr.rstrip("/"),
        "mrc_file": volume.mrc,
    }  # fmt: skip


FACTS = ("size", "scales", "levels", "statistics", "omezarr_dir", "mrc_file")


def kept(context: Context, past: Past, volume: Volume, recipe: str) -> Converted | None:
    """Give what an earlier ingest made of the same source in the same way; None if that must be done (again)."""
    if past.provenance.get("recipes", {}).get(volume.mrc) != recipe or not past.unchanged([volume.source]):
        return None
    entries = [past.entry(key) for key in (volume.mrc, volume.zarr)]
    if any(e is None for e in entries):
        return None
    if context.progress:
        context.progress(volume.source.size)
    return Converted(
        Brought(tuple(e for e in entries if e is not None)), {name: past.document.get(name) for name in FACTS}
    )
