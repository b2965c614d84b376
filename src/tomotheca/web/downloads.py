"""The download dialog: what can be taken, exactly how much it is, and every way to take it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog.totals import OWNERS
from tomotheca.errors import NotFoundError
from tomotheca.schema.vocabulary import label
from tomotheca.web import format as formats
from tomotheca.web import snippets
from tomotheca.web.page import Asked, Crumb
from tomotheca.web.snippets import Snippet, Want
from tomotheca.web.summaries import Bytes, key_of, preference

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.address import Pairs

PARAMETERS = frozenset(
    {"dl", "dl-step", "dl-what", "dl-format", "dl-shape", "dl-tomogram", "dl-level", "dl-box", "dl-tab"}
)
MOST_DIGITS = 10
PREFIXES = {"DS": "dataset", "RN": "run", "TS": "tiltseries", "TM": "tomogram", "AN": "annotation"}

PARTS: Mapping[str, tuple[str, frozenset[str], str]] = {
    "tiltseries": ("All tilt series", frozenset({"tilt_series", "angles", "ctf"}), "tiltseries"),
    "tomograms": ("All tomograms", frozenset({"tomogram"}), "tomogram"),
    "annotations": ("All annotations", frozenset({"annotation"}), "annotation"),
    "frames": ("Raw frames", frozenset({"frame"}), ""),
}
"""Parts of a tree: name -> label, roles of files, kind whose documents go with them."""


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


@dataclass(frozen=True, slots=True)
class Download:
    """The open dialog."""

    kind: str
    identifier: str
    title: str
    lines: tuple[str, ...]
    groups: tuple[Group, ...]
    hidden: Pairs
    action: str
    size: int
    files: int
    sha256: str
    tabs: tuple[Crumb, ...]
    tab: str
    snippet: Snippet
    note: str
    licence: str
    close: str
    form: str = "download"


@dataclass(frozen=True)
class Made:
    """What one kind of target has to offer."""

    title: str
    lines: tuple[str, ...]
    groups: tuple[Group, ...]
    want: Want
    dataset: Row
    note: str = ""


@dataclass(frozen=True)
class File:
    """A file (or array directory) that can be taken by itself."""

    key: str
    size: int
    members: int | None
    sha256: str
    words: str = ""
    identifier: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


def link(asked: Asked, kind: str, identifier: int, **choices: str) -> str:
    """Give the address of this page with the dialog open."""
    base = asked.address.without({*PARAMETERS, "metadata", "metadata-id", "tab"})
    return str(base.set({"dl": asked.name(kind, identifier), **{f"dl-{k}": v for k, v in choices.items()}}))


def open_download(asked: Asked) -> tuple[Download | None, tuple[str, ...]]:
    """Give the dialog that the address asks for, and what of it could not be understood."""
    given = asked.address.first("dl").upper()
    if not given:
        return None, ()
    kind, digits = PREFIXES.get(given[:2]), given[2:].lstrip("-")
    if kind is None or not digits.isascii() or not digits.isdigit() or len(digits) > MOST_DIGITS:
        return None, (f"dl={given}"[:80],)
    try:
        return _dialog(asked, kind, OFFERS[kind](asked, asked.get(kind, int(digits)))), ()
    except NotFoundError:
        return None, (f"dl={given}"[:80],)


def _dialog(asked: Asked, kind: str, made: Made) -> Download:
    a, chosen = asked.address, asked.address.first("dl-tab", "cli")
    tab = chosen if chosen in snippets.TABS else "cli"
    tabs = tuple(
        Crumb(text, str(a.set({"dl-tab": name if name != "cli" else None}))) for name, text in snippets.TABS.items()
    )
    hidden = tuple(p for p in a.pairs if p[0] not in {*(g.name for g in made.groups), "metadata", "metadata-id", "tab"})
    entity = asked.portal.catalog.schema.kinds[kind]
    licence = made.dataset["licence"] or ""
    return Download(
        entity.title, a.first("dl").upper(), made.title, made.lines, made.groups, hidden, a.path, made.want.size, made.want.files, made.want.sha256,
        tabs, snippets.TABS[tab], snippets.WRITERS[tab](made.want), made.note, licence, str(a.without(PARAMETERS)),
    )  # fmt: skip


def _files(asked: Asked, *conditions: sa.ColumnElement[bool]) -> list[File]:
    f = asked.portal.catalog.tables.file
    c = asked.portal.catalog.compiler(asked.viewer)
    rows = asked.portal.catalog.execute(sa.select(f).where(*conditions, *c.visible("file", f)).order_by(f.c.key))
    return [File(r["key"], int(r["size"]), r["members"], r["sha256"] or "") for r in rows]


def total(asked: Asked, column: str, identifier: int, part: str = "") -> Bytes:
    """Sum the files of a dataset (``dataset_id``) or run (``run_id``), all or one part; what is delivered, to the byte."""
    t = asked.portal.catalog.tables.file_total
    c = asked.portal.catalog.compiler(asked.viewer)
    terms = [t.c.owner_kind == OWNERS[column], t.c.owner_id == identifier, *c.visible("file", t)]
    if part:
        _, roles, kind = PARTS[part]
        terms.append(sa.or_(t.c.role.in_(roles), sa.and_(t.c.role == "document", t.c.kind == kind)))
    summed = sa.select(sa.func.sum(t.c.size).label("size"), sa.func.sum(t.c.files).label("files"))
    found = asked.portal.catalog.execute(summed.where(*terms))[0]
    return Bytes(int(found["size"] or 0), int(found["files"] or 0))


def _parts(asked: Asked, column: str, identifier: int, names: Iterable[str]) -> dict[str, Bytes]:
    found = {"": total(asked, column, identifier)}
    for name in names:
        if (part := total(asked, column, identifier, name)).files:
            found[name] = part
    return found


def _detail(found: Bytes) -> str:
    return f"{formats.size(found.size)}, {formats.plural(found.files, 'file')}"


def _tree(asked: Asked, kind: str, row: Row, parts: Mapping[str, Bytes]) -> tuple[Group, Want]:
    what = asked.address.first("dl-what")
    part = what if what in parts else ""
    words = {"": f"Everything in this {kind}"} | {name: PARTS[name][0] for name in parts if name}
    picks = tuple(
        Pick(name or "everything", words[name], _detail(found), name == part) for name, found in parts.items()
    )
    folder = key_of(asked, row["s3_prefix"]).rstrip("/")
    want = Want(asked, kind, row["id"], parts[part].size, parts[part].files, folder=folder, part=part)
    return Group("dl-what", "What", picks), want


def _dataset(asked: Asked, row: Row) -> Made:
    group, want = _tree(asked, "dataset", row, _parts(asked, "dataset_id", row["id"], PARTS))
    return Made(
        row["title"], (f"Folder {row['id']}/ with one sub-folder per run",), (group,), want, row, snippets.TREE_NOTE
    )


def _run(asked: Asked, row: Row) -> Made:
    dataset = asked.get("dataset", row["dataset_id"])
    tomograms = asked.portal.catalog.find("tomogram", asked.viewer, where={"run_id": {"_eq": row["id"]}})
    parts = _parts(asked, "run_id", row["id"], ("annotations", "tiltseries", "frames"))
    group, want = _tree(asked, "run", row, parts)
    lines = (
        f"Dataset {asked.name('dataset', dataset['id'])}: {dataset['title']}",
        f"Run {row['name']} ({asked.name('run', row['id'])})",
    )
    one = Pick(
        "tomogram", "One tomogram", f"choose from {len(tomograms)}", asked.address.first("dl-what") == "tomogram"
    )
    if not tomograms:
        return Made(row["name"], lines, (group,), want, dataset, snippets.TREE_NOTE)
    if not one.checked:
        return Made(
            row["name"], lines, (Group("dl-what", "What", (one, *group.picks)),), want, dataset, snippets.TREE_NOTE
        )
    group = Group("dl-what", "What", (one, *(Pick(p.value, p.label, p.detail) for p in group.picks)))
    tomograms.sort(key=preference)
    given = asked.address.first("dl-tomogram")
    best = next((t for t in tomograms if asked.name("tomogram", t["id"]) == given), tomograms[0])
    choice = Group(
        "dl-tomogram", "Voxel spacing and processing", tuple(_pick_tomogram(asked, t, best) for t in tomograms)
    )
    made = _tomogram(asked, best)
    return Made(row["name"], (*lines, *made.lines[-2:]), (group, choice, *made.groups), made.want, dataset, made.note)


def _pick_tomogram(asked: Asked, t: Row, best: Row) -> Pick:
    words = f"{formats.quantity(t['voxel_spacing'], 'Å')} · {label('tomogram_processing_enum', t['processing'])}"
    detail = f"{asked.name('tomogram', t['id'])}, {label('tomogram_reconstruction_method_enum', t['reconstruction_method'])}, {_extent(t)}"
    return Pick(asked.name("tomogram", t["id"]), words, detail, t is best)


def _extent(t: Row) -> str:
    return formats.vector((t["size_x"], t["size_y"], t["size_z"]), "px")


def _volume(asked: Asked, kind: str, row: Row) -> tuple[Group, Want]:
    """Offer MRC and OME-Zarr of a tomogram or tilt series."""
    f = asked.portal.catalog.tables.file
    role = "tilt_series" if kind == "tiltseries" else "tomogram"
    found = {
        ("zarr" if x.members is not None else "mrc"): x
        for x in _files(asked, f.c.kind == kind, f.c.entity_id == row["id"], f.c.role == role)
    }
    given = asked.address.first("dl-format")
    form = given if given in found else next(iter(sorted(found)), "")
    names = {"mrc": "MRC", "zarr": "OME-Zarr"}
    picks = tuple(
        Pick(n, names[n], _detail(Bytes(x.size, x.members or 1)), n == form) for n, x in sorted(found.items())
    )
    return Group("dl-format", "Format", picks), _single(asked, kind, row["id"], found.get(form), form)


def _single(asked: Asked, kind: str, identifier: int, file: File | None, form: str) -> Want:
    if file is None:
        return Want(asked, kind, identifier, 0, 0)
    return Want(
        asked,
        kind,
        identifier,
        file.size,
        file.members or 1,
        key=file.key,
        form=form,
        sha256=file.sha256 if file.members is None else "",
    )


def _tomogram(asked: Asked, row: Row) -> Made:
    run = asked.get("run", row["run_id"])
    dataset = asked.get("dataset", run["dataset_id"])
    group, want = _volume(asked, "tomogram", row)
    lines = (
        f"Dataset {asked.name('dataset', dataset['id'])}: {dataset['title']}", f"Run {run['name']} ({asked.name('run', run['id'])})",
        f"Voxel spacing {formats.quantity(row['voxel_spacing'], 'Å')}, size {_extent(row)}",
        f"{label('tomogram_reconstruction_method_enum', row['reconstruction_method'])}, {label('tomogram_processing_enum', row['processing']).lower()}"
        + (f", alignment {asked.name('alignment', row['alignment_id'])}" if row["alignment_id"] else ""),
    )  # fmt: skip
    return Made(f"{asked.name('tomogram', row['id'])} of {run['name']}", lines, (group,), want, dataset)


def _tiltseries(asked: Asked, row: Row) -> Made:
    run = asked.get("run", row["run_id"])
    dataset = asked.get("dataset", run["dataset_id"])
    group, want = _volume(asked, "tiltseries", row)
    lines = (
        f"Run {run['name']} ({asked.name('run', run['id'])})",
        formats.tilt_range(row["tilt_range"], row["tilt_min"], row["tilt_max"]),
    )
    return Made(f"{asked.name('tiltseries', row['id'])} of {run['name']}", lines, (group,), want, dataset)


def _annotation(asked: Asked, row: Row) -> Made:
    run = asked.get("run", row["run_id"])
    dataset = asked.get("dataset", run["dataset_id"])
    offered = list(_annotation_files(asked, row))
    given = asked.address.first("dl-what")
    chosen = next((o for o in offered if o.words == given), offered[0] if offered else None)
    picks = tuple(Pick(o.words, o.extra["label"], _detail(Bytes(o.size, o.members or 1)), o is chosen) for o in offered)
    want = _single(asked, "annotation", row["id"], chosen, chosen.extra["format"] if chosen else "")
    lines = [f"Run {run['name']} ({asked.name('run', run['id'])})", f"{row['object_name']} ({row['object_id']})"]
    if chosen and chosen.extra["alignment"]:
        lines.append(
            f"Made on {asked.name('alignment', chosen.extra['alignment'])}: points under another alignment are misplaced"
        )
    if chosen and chosen.extra["spacing"]:
        lines.append(
            f"Coordinates in voxels of {formats.quantity(chosen.extra['spacing'], 'Å')}; a voxel is centred on its index"
        )
    return Made(
        f"{asked.name('annotation', row['id'])} · {row['object_name']}",
        tuple(lines),
        (Group("dl-what", "Shape and format", picks),),
        want,
        dataset,
    )


def _annotation_files(asked: Asked, row: Row) -> Iterable[File]:
    catalog = asked.portal.catalog
    shapes = {
        s["id"]: s["shape_type"]
        for s in catalog.find("annotation_shape", asked.viewer, where={"annotation_id": {"_eq": row["id"]}})
    }
    spacings = {
        s["id"]: s["voxel_spacing"]
        for s in catalog.find("tomogram_voxel_spacing", asked.viewer, where={"run_id": {"_eq": row["run_id"]}})
    }
    f = catalog.tables.file
    listed = {x.key.rstrip("/"): x for x in _files(asked, f.c.kind == "annotation", f.c.entity_id == row["id"])}
    for one in (
        catalog.find("annotation_file", asked.viewer, where={"annotation_shape_id": {"_in": list(shapes)}})
        if shapes
        else []
    ):
        key = key_of(asked, one["s3_path"])
        if (found := listed.get(key.rstrip("/"))) is None:
            continue
        shape, spacing = shapes[one["annotation_shape_id"]], spacings.get(one["tomogram_voxel_spacing_id"])
        words = f"{label('annotation_file_shape_type_enum', shape)} – {'OME-Zarr' if one['format'] == 'zarr' else one['format']}"
        extra = {"label": words, "format": one["format"], "alignment": one["alignment_id"], "spacing": spacing}
        yield File(
            found.key, found.size, found.members, found.sha256, f"{shape}.{one['format']}.{one['id']}", one["id"], extra
        )


OFFERS: Mapping[str, Callable[[Asked, Row], Made]] = {
    "dataset": _dataset, "run": _run, "tomogram": _tomogram, "tiltseries": _tiltseries, "annotation": _annotation,
}  # fmt: skip


def overlay(asked: Asked, drawer: Any, ignored: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
    """Give what lies over the page: the download dialog, else the drawer."""
    found, more = open_download(asked)
    return found or drawer, (*ignored, *more)
