"""Pieces of what can be downloaded: single files, tables of points, levels and boxes of volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tomotheca.errors import TomothecaError
from tomotheca.export import derived
from tomotheca.export.points import FRAMES
from tomotheca.export.selection import Amount, Selection
from tomotheca.web import format as formats
from tomotheca.web.snippets import Want
from tomotheca.web.summaries import key_of
from tomotheca.web.words import current, label, say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.offers import Made
    from tomotheca.web.page import Asked

QUICK = 4 << 20
"""Bytes of a file that is read to know the exact size and digest of what is made of it."""

TABLES = {"csv": "CSV", "star": "RELION 5 STAR"}
MASKS = ("mrc", "zarr")
Levels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pick:
    """Something that can be chosen."""

    value: str
    label: str
    detail: str = ""
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """One question of the dialog."""

    name: str
    legend: str
    picks: tuple[Pick, ...]


@dataclass(frozen=True)
class File:
    """A file (or array directory) that can be taken by itself."""

    key: str
    size: int
    members: int | None
    sha256: str

    @property
    def amount(self) -> Amount:
        """How much it is."""
        return Amount(self.size, 1 if self.members is None else self.members)


def detail(found: Amount) -> str:
    """Say how much something is."""
    return f"{formats.size(found.size)}, {formats.plural(found.files, 'file')}"


def files_of(asked: Asked, *conditions: sa.ColumnElement[bool]) -> list[File]:
    """Give entries of the file table that the viewer sees."""
    f = asked.portal.catalog.tables.file
    c = asked.portal.catalog.compiler(asked.viewer)
    rows = asked.portal.catalog.execute(sa.select(f).where(*conditions, *c.visible("file", f)).order_by(f.c.key))
    return [File(r["key"], int(r["size"]), r["members"], r["sha256"] or "") for r in rows]


@dataclass(frozen=True)
class Shape:
    """A file of an annotation, as it is or as a table."""

    asked: Asked
    row: Row
    file: File
    id: int
    shape: str
    format: str
    alignment: int | None
    spacing: float | None
    table: str = ""
    """Form of the table that is made of it."""

    is_one_of_many: bool = False
    """Whether the annotation has other files of this format."""

    @property
    def value(self) -> str:
        """Value of the parameter that chooses it."""
        return f"{self.shape}.{self.table or self.format}.{self.id}"

    @property
    def label(self) -> str:
        """Words for it."""
        form = TABLES.get(self.table) or ("OME-Zarr" if self.format == "zarr" else self.format)
        return f"{label('annotation_file_shape_type_enum', self.shape)} – {form}"

    @property
    def is_mask(self) -> bool:
        """Whether it has voxels."""
        return self.format in MASKS

    def as_table(self, made: Made) -> Made:
        """Want the table, in the frame that is asked for."""
        frame = self.asked.address.first("dl-frame", "centred-angstrom" if self.table == "star" else "voxel")
        wanted = derived.Asked(
            self.asked.portal, "annotation", self.row["id"], {"file": str(self.id)}, self.asked.viewer
        )
        held, _ = derived.point_file(wanted)
        sized = derived.tomogram_of(wanted, held) is not None
        allowed = [f for f in FRAMES if sized or f != "centred-angstrom"]
        frame = frame if frame in allowed else allowed[0]
        picks = tuple(Pick(f, say(FRAMES[f]), "", f == frame) for f in allowed)
        query = {"format": self.table, "frame": frame} | ({"file": str(self.id)} if self.is_one_of_many else {})
        made = replace(made, groups=(*made.groups, Group("dl-frame", say("Coordinates"), picks)))
        return made_instead(self.asked, made, query, known=self.file.size <= QUICK)


def points_of(asked: Asked, row: Row) -> list[Shape]:
    """Give every shape and format of an annotation, and the tables that can be made of points."""
    catalog, where = asked.portal.catalog, {"annotation_id": {"_eq": row["id"]}}
    shapes = {s["id"]: s["shape_type"] for s in catalog.find("annotation_shape", asked.viewer, where=where)}
    spacings = {
        s["id"]: s["voxel_spacing"]
        for s in catalog.find("tomogram_voxel_spacing", asked.viewer, where={"run_id": {"_eq": row["run_id"]}})
    }
    f = catalog.tables.file
    listed = {x.key.rstrip("/"): x for x in files_of(asked, f.c.kind == "annotation", f.c.entity_id == row["id"])}
    clause = {"annotation_shape_id": {"_in": list(shapes)}}
    held = catalog.find("annotation_file", asked.viewer, where=clause, order=[("id", "asc")]) if shapes else []
    found: list[Shape] = []
    for one in held:
        if (file := listed.get(key_of(asked, one["s3_path"]).rstrip("/"))) is None:
            continue
        many = sum(other["format"] == one["format"] for other in held) > 1
        shape = Shape(
            asked, row, file, one["id"], shapes[one["annotation_shape_id"]], one["format"], one["alignment_id"],
            spacings.get(one["tomogram_voxel_spacing_id"]), is_one_of_many=many,
        )  # fmt: skip
        tables = TABLES if one["format"] == "ndjson" and shape.spacing else ()
        found += [shape, *(replace(shape, table=table) for table in tables)]
    return found


def made_instead(asked: Asked, made: Made, query: Mapping[str, str], *, known: bool = True) -> Made:
    """Want a file that is made, in the place of one of the archive; what cannot be made is a problem that is told."""
    portal, kind, number = asked.portal, made.want.kind, made.want.selection.id
    try:
        found = derived.derive(derived.Asked(portal, kind, number, query, asked.viewer))
        if found is None or portal.files is None:
            return made
        size, sha256 = (0, "")
        if known:
            question = ("made", found.tag, asked.viewer)
            size, sha256 = portal.memory.get(question, lambda: (found.size, found.sha256(QUICK) or ""))
    except TomothecaError as error:
        return replace(made, problem=str(error))
    except OSError as error:
        return replace(made, problem=say("The file cannot be made: {}.", error.strerror or error))
    want = Want(asked, Selection(kind, number), Amount(size, 1), query, made=found, sha256=sha256)
    return replace(made, want=want, known=known)


def add_boxes(asked: Asked, made: Made, query: Mapping[str, str]) -> Made:
    """Offer levels and boxes of a volume, where its levels can be read."""
    if asked.portal.files is None or not made.want.key:
        return made
    levels = _levels(asked, made, query)
    if not levels:
        return made
    given, box = asked.address.first("dl-level"), asked.address.first("dl-box")
    number = int(given) if given.isdigit() and int(given[:3]) < len(levels) else 0
    picks = tuple(
        Pick(str(n), say("Full") if not n else say("Level {}, as MRC", n), words, n == number)
        for n, (_, words) in enumerate(levels)
    )
    asks = (*made.groups, Group("dl-level", say("Resolution"), picks))
    made = replace(
        made,
        groups=asks,
        boxed=say("x, y and z from:to in voxels of the full resolution, {}; comes as MRC", levels[0][0]),
    )
    if not number and not box:
        return made
    words = {**({"box": box} if box else {}), "level": str(number), **query}
    if not made.want.query.get("file"):
        words.pop("file", None)
    return made_instead(asked, made, words)


def _levels(asked: Asked, made: Made, query: Mapping[str, str]) -> Levels:
    """Describe the levels of a volume: size, spacing and bytes as MRC."""
    question = ("levels", current().language, asked.version, asked.viewer, made.want.key)
    return asked.portal.memory.get(question, lambda: _read_levels(asked, made, query))


def _read_levels(asked: Asked, made: Made, query: Mapping[str, str]) -> Levels:
    found: Levels = ()
    for level in (1, 0):
        wanted = derived.Asked(asked.portal, made.want.kind, made.want.selection.id, query, asked.viewer)
        try:
            volume, _ = derived.volume_of(wanted, level)
            if len(found) < len(volume.levels):
                found = tuple(_describe(wanted, n) for n in range(len(volume.levels)))
        except (TomothecaError, OSError, ValueError, KeyError):
            continue
        if found:
            return found
    return found


def _describe(wanted: derived.Asked, level: int) -> tuple[str, str]:
    """Give the size of a level, and that with spacing and bytes."""
    made = derived.crop(replace(wanted, query={**wanted.query, "level": str(level)}))
    crop = made.made[1]
    size, spacing = crop.level.size, crop.level.spacing  # type: ignore[attr-defined]  # a crop is its own source
    words, voxels = " × ".join(dict.fromkeys(formats.quantity(s, "Å") for s in spacing)), formats.vector(size, "px")
    return voxels, f"{voxels}, {words}, {formats.size(made.size)}"
