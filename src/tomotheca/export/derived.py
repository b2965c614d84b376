"""Files that are made of the archive's when somebody asks for them: boxes and levels of volumes, points as tables, tables of sections."""

from __future__ import annotations

import hashlib
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

import sqlalchemy as sa

from tomotheca.errors import NotFoundError, QueryError
from tomotheca.export import points, sections
from tomotheca.export.crops import Crop, parse_box
from tomotheca.export.reading import read_lines
from tomotheca.export.selection import number_of
from tomotheca.export.volumes import MrcVolume, Volume, ZarrVolume
from tomotheca.store.sources import FileSource, MemorySource, Source

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog, Row
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.formats.points import Points
    from tomotheca.settings import Settings

TABLES: Mapping[str, tuple[str, Callable[[Iterable[Points], points.Setting], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", points.as_csv),
    "star": ("text/plain; charset=utf-8", points.as_star),
}
"""Forms of tables of points, with media type and writer."""

IN_MEMORY = 8 << 20
"""Longest table that is kept in memory."""

HASHED = 64 << 20
"""Bytes of the largest box that is read for its digest."""

PATHS = {"tiltseries": "tilt-series", "tomogram": "tomograms", "annotation": "annotations"}
KILO = 1000


class Site(Protocol):
    """What a running server has open."""

    @property
    def catalog(self) -> Catalog:
        """The catalogue."""

    @property
    def settings(self) -> Settings:
        """The settings."""

    @property
    def files(self) -> Any:
        """The archive."""


@dataclass(frozen=True)
class Derived:
    """A file that is not in the archive."""

    kind: str
    id: int
    name: str
    folder: str
    """Archive folder of what it is made of, ending in a slash."""

    address: str
    """Path and query below the site's address."""

    media_type: str
    tag: str
    make: Callable[[], tuple[int, Source]]
    """Gives size and bytes."""

    @cached_property
    def made(self) -> tuple[int, Source]:
        """Size and bytes."""
        return self.make()

    @property
    def size(self) -> int:
        """Bytes."""
        return self.made[0]

    def sha256(self, most: int = HASHED) -> str | None:
        """Give the digest, if the file has at most so many bytes or is there already: voxels are read for it."""
        source = self.made[1]
        if isinstance(source, MemorySource):
            return hashlib.sha256(source.data).hexdigest()
        if isinstance(source, _Spool):
            return source.digest
        return source.sha256() if isinstance(source, Crop) and self.size <= most else None


@dataclass(frozen=True)
class Asked:
    """What somebody wants made, of which record."""

    site: Site
    kind: str
    id: int
    query: Mapping[str, str]
    viewer: Viewer

    @cached_property
    def row(self) -> Row:
        """The record; NotFoundError if the viewer sees none."""
        return self.site.catalog.get(self.kind, self.id, self.viewer)

    def find(self, kind: str, **where: Any) -> list[Row]:
        """Find rows by the values of columns."""
        clause = {name: {"_eq": value} for name, value in where.items()}
        return self.site.catalog.find(kind, self.viewer, where=clause, order=[("id", "asc")])

    def entries(self, *terms: sa.ColumnElement[bool]) -> list[Row]:
        """Give entries of the file table that the viewer sees."""
        f = self.site.catalog.tables.file
        seen = self.site.catalog.compiler(self.viewer).visible("file", f)
        own = (f.c.kind == self.kind, f.c.entity_id == self.id)
        return self.site.catalog.execute(sa.select(f).where(*own, *terms, *seen).order_by(f.c.key))

    def about(self, *more: str) -> tuple[str, ...]:
        """Say where the data are from and what one may do with them."""
        catalog, run = self.site.catalog, self.find("run", id=self.row["run_id"])[0]
        dataset = self.find("dataset", id=run["dataset_id"])[0]
        name = f"{catalog.schema.kinds[self.kind].prefix}{self.id}"
        licence = dataset["licence"] or "no licence stated"
        return (
            f"{name} of run {run['name']}, dataset {dataset['id']}: {catalog.public_url}/{PATHS[self.kind]}/{self.id}",
            *more,
            f"Licence: {licence}",
        )

    def address(self, name: str, **query: object) -> str:
        """Give the address of what is made."""
        words = urlencode({k: v for k, v in query.items() if v not in {"", None}}, safe=":,")
        return f"/{PATHS[self.kind]}/{self.id}/{quote(name)}{'?' + words if words else ''}"


def derive(asked: Asked) -> Derived | None:
    """Give what parameters of a list of files ask to be made; None if they ask for files of the archive.

    Raises
    ------
    QueryError
        If a parameter says what cannot be.
    NotFoundError
        If there is nothing to make it of.
    """
    form, query = asked.query.get("format", ""), asked.query
    if asked.kind in {"tomogram", "annotation"} and (query.get("box") or query.get("level")):
        return crop(asked)
    if asked.kind == "annotation" and form in TABLES:
        return table(asked, form)
    if asked.kind == "tiltseries" and form == "csv":
        return section_table(asked)
    if query.get("box") or query.get("level") or query.get("frame"):
        message = "box and level are of a tomogram or a mask, frame is of points as csv or star"
        raise QueryError(message)
    return None


def section_table(asked: Asked) -> Derived:
    """Make the table of sections of a tilt series."""
    run, held = asked.find("run", id=asked.row["run_id"])[0], asked.entries()
    folder = held[0]["key"].rpartition("/")[0] + "/" if held else f"{run['dataset_id']}/{run['name']}/"
    data = sections.as_csv(asked.site.catalog, asked.viewer, asked.id, asked.about())
    tag = hashlib.sha256(data).hexdigest()
    name = f"{run['name']}.sections.csv"
    return Derived(
        asked.kind, asked.id, name, folder, asked.address("sections.csv"), TABLES["csv"][0], tag, lambda: (len(data), MemorySource(data))
    )  # fmt: skip


# --- points -----------------------------------------------------------------------------------------------------------


def point_file(asked: Asked) -> tuple[Row, Row]:
    """Give the annotation file with points that is asked for, else one of the same shape, and its entry in the file table.

    Without a wish it is the first.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    return _annotation_file(asked, {"ndjson"}, "points")


def _annotation_file(asked: Asked, formats: set[str], what: str) -> tuple[Row, Row]:
    wanted, prefix = number_of(asked.query, "file"), asked.site.catalog.prefixes["s3"]
    clause = {"annotation_shape": {"annotation_id": {"_eq": asked.row["id"]}}}
    found = asked.site.catalog.find("annotation_file", asked.viewer, where=clause, order=[("id", "asc")])
    listed = {e["key"].rstrip("/"): e for e in asked.entries()}
    shape = next((one["annotation_shape_id"] for one in found if one["id"] == wanted), None)
    found.sort(key=lambda one: one["id"] != wanted)
    for one in found:
        entry = listed.get(str(one["s3_path"]).removeprefix(prefix).rstrip("/"))
        if entry is not None and one["format"] in formats and (not wanted or one["annotation_shape_id"] == shape):
            return one, entry
    message = f"AN-{asked.id} has no file with {what}" + (f" and the number {wanted}" if wanted else "")
    raise NotFoundError(message)


def tomogram_of(asked: Asked, file: Row) -> Row | None:
    """Give a tomogram in which the points of a file lie: of the same alignment and voxel spacing."""
    if file["alignment_id"] is None or file["tomogram_voxel_spacing_id"] is None:
        return None
    place = {name: file[name] for name in ("alignment_id", "tomogram_voxel_spacing_id")}
    return next(iter(asked.find("tomogram", **place)), None)


def table(asked: Asked, form: str) -> Derived:
    """Make a table of points."""
    file, entry = point_file(asked)
    tomogram, frame = tomogram_of(asked, file), asked.query.get("frame") or "voxel"
    size = (tomogram["size_x"], tomogram["size_y"], tomogram["size_z"]) if tomogram else None
    points.setting_allowed(frame, size)
    media_type, write = TABLES[form]
    setting = _setting(asked, file, frame, size)
    stem = entry["key"].rpartition("/")[2].removesuffix(".ndjson")
    tag = hashlib.sha256(f"{entry['sha256'] or entry['mtime']} {form} {setting}".encode()).hexdigest()

    def make() -> tuple[int, Source]:
        return _spooled(entry["key"], write(points.parsed(entry["key"], read_lines(asked.site.files, entry)), setting))

    return Derived(
        asked.kind, asked.id, f"{stem}.{frame}.{form}", entry["key"].rpartition("/")[0] + "/",
        asked.address(f"points.{form}", frame=frame, file=file["id"]), media_type, tag, make,
    )  # fmt: skip


def _setting(asked: Asked, file: Row, frame: str, size: tuple[int, int, int] | None) -> points.Setting:
    run = asked.find("run", id=asked.row["run_id"])[0]
    spacing = asked.find("tomogram_voxel_spacing", id=file["tomogram_voxel_spacing_id"])
    if not spacing:
        message = f"AN-{asked.id} does not say which voxel spacing its points have"
        raise NotFoundError(message)
    alignment = asked.find("alignment", id=file["alignment_id"]) if file["alignment_id"] else []
    series = asked.find("tiltseries", id=alignment[0]["tiltseries_id"]) if alignment else []
    object_ = f"{asked.row['object_name']} ({asked.row['object_id']})"
    made = f"{object_}, made on AL-{file['alignment_id']}" if alignment else object_
    return points.Setting(
        frame=frame, spacing=float(spacing[0]["voxel_spacing"]), size=size, run=str(run["name"]),
        about=asked.about(made), optics=_optics(series[0]) if series else None,
    )  # fmt: skip


def _optics(series: Row) -> dict[str, float]:
    volts = series["acceleration_voltage"]
    known = {
        "rlnTomoTiltSeriesPixelSize": series["pixel_spacing"],
        "rlnVoltage": volts / KILO if volts else None,
        "rlnSphericalAberration": series["spherical_aberration_constant"],
    }
    return {name: float(value) for name, value in known.items() if value}


@dataclass(frozen=True)
class _Spool(FileSource):
    """A long table in a file without a name, gone when nobody has it any more."""

    digest: str = ""


class _Held:
    """A file without a name that is closed when nobody has it any more."""

    def __init__(self) -> None:
        self.spool = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - it is handed on
        self.close = weakref.finalize(self, self.spool.close)

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Give its descriptor."""
        self.spool.flush()
        yield self.spool.fileno()


def _spooled(key: str, pieces: Iterable[bytes]) -> tuple[int, Source]:
    """Keep what is written: short tables in memory, long ones on the disk."""
    digest, held = hashlib.sha256(), _Held()
    try:
        for piece in pieces:
            digest.update(piece)
            held.spool.write(piece)
        size = held.spool.tell()
        if size > IN_MEMORY:
            return size, _Spool(key, held.opened, by_path=False, digest=digest.hexdigest())
        held.spool.seek(0)
        data = held.spool.read()
    except BaseException:
        held.close()
        raise
    held.close()
    return size, MemorySource(data)


# --- boxes and levels of volumes --------------------------------------------------------------------------------------


def volume_of(asked: Asked, level: int = 0) -> tuple[Volume, Row]:
    """Open the volume of a tomogram, or a mask; MRC for level 0, the OME-Zarr image for the others.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    if asked.kind == "annotation":
        formats = {"mrc", "zarr"} if level == 0 else {"zarr"}
        file, entry = _annotation_file(asked, formats, "voxels" if level == 0 else "levels")
        spacing = asked.find("tomogram_voxel_spacing", id=file["tomogram_voxel_spacing_id"])
        return _open(asked, entry, float(spacing[0]["voxel_spacing"]) if spacing else None), entry
    row, f = asked.row, asked.site.catalog.tables.file
    held = {("zarr" if e["members"] is not None else "mrc"): e for e in asked.entries(f.c.role == "tomogram")}
    found = (held.get("mrc") if level == 0 else None) or held.get("zarr")
    if found is None:
        message = f"TM-{asked.id} has no level {level}" if held else f"TM-{asked.id} has no volume"
        raise NotFoundError(message)
    return _open(asked, found, float(row["voxel_spacing"])), found


def _open(asked: Asked, entry: Row, spacing: float | None) -> Volume:
    if entry["members"] is None:
        return MrcVolume(asked.site.files, entry, spacing)
    return ZarrVolume(asked.site.files, entry, spacing)


def crop(asked: Asked) -> Derived:
    """Make a box of a level of a volume."""
    level = number_of(asked.query, "level")
    volume, entry = volume_of(asked, level)
    if level >= len(volume.levels):
        message = f"level: there are the levels 0 to {len(volume.levels) - 1}"
        raise QueryError(message)
    box = parse_box(asked.query.get("box", ""), volume.levels[0].size)
    labels = tuple(line.encode("ascii", "replace").decode()[:80] for line in asked.about())
    made = Crop(volume, volume.levels[level], box, labels)
    stem = entry["key"].rstrip("/").rpartition("/")[2].rpartition(".")[0]
    whole = box.start == (0, 0, 0) and box.stop == volume.levels[0].size
    part = "" if whole else "." + str(box).replace(":", "-").replace(",", "_")
    address = asked.address(
        "crop.mrc", box="" if whole else box, level=level, file=number_of(asked.query, "file") or ""
    )
    return Derived(
        asked.kind, asked.id, f"{stem}.level{level}{part}.mrc", entry["key"].rstrip("/").rpartition("/")[0] + "/", address,
        "application/octet-stream", made.tag, lambda: (made.size, made),
    )  # fmt: skip
