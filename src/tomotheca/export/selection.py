"""Which files of an entity a download takes, as data: whose they are, of what kind, in which format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog.files import FileRow, entries, expand
from tomotheca.catalog.totals import ENDINGS, OWNERS, ends
from tomotheca.errors import QueryError

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog, Row
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.store.files import Files

Term = sa.ColumnElement[bool]

ROLES: Mapping[str, frozenset[str]] = {
    "frames": frozenset({"frame"}),
    "gains": frozenset({"gain"}),
    "mdoc": frozenset({"mdoc"}),
    "tiltseries": frozenset({"tilt_series", "angles", "ctf"}),
    "angles": frozenset({"angles"}),
    "alignments": frozenset({"alignment"}),
    "tomograms": frozenset({"tomogram"}),
    "annotations": frozenset({"annotation"}),
    "points": frozenset({"annotation"}),
    "images": frozenset({"image"}),
    "viewer": frozenset({"viewer"}),
    "metadata": frozenset({"document", "objects"}),
}
"""What ``only`` may name, and the roles of files that it takes. The documents of tilt series, alignments, tomograms and annotations go with them."""

DOCUMENTS = {
    "tiltseries": "tiltseries",
    "alignments": "alignment",
    "tomograms": "tomogram",
    "annotations": "annotation",
    "points": "annotation",
}
FORMATS = {"mrc": ".zarr/", "zarr": ".mrc"}
"""A format, and the ending of the volumes that it leaves out of a tree."""

FORMAT = re.compile(r"[a-z0-9]{1,10}")
VOLUMES = {"tiltseries": "tilt_series", "tomogram": "tomogram", "annotation": "annotation"}
"""Role of the files of a single item that come in several formats."""

DRESSING = ("image", "viewer")
"""Roles that are left out where one format of a single item is wanted."""

OF_THE_RUN = frozenset({"frames", "gains", "mdoc", "alignments"})
"""What belongs to a tilt series and lies elsewhere in its run."""

MOST_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Selection:
    """What a download takes of one entity."""

    kind: str
    id: int
    only: frozenset[str] = frozenset()
    """Names of `ROLES`; empty takes everything."""

    format: str = ""
    dataset: int = 0
    """Of a deposition: only what lies in this dataset."""

    file: int = 0
    """Of an annotation: only this file, by its identifier."""

    def query(self) -> dict[str, str]:
        """Give the parameters that say the same."""
        made = {"only": ",".join(n for n in ROLES if n in self.only), "format": self.format}
        made |= {name: str(value) for name, value in (("dataset", self.dataset), ("file", self.file)) if value}
        return {name: value for name, value in made.items() if value}


@dataclass(frozen=True, slots=True)
class Amount:
    """How much there is."""

    size: int = 0
    files: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.size + other.size, self.files + other.files)


def select(kind: str, number: int, query: Mapping[str, str]) -> Selection:
    """Read a selection from parameters.

    Raises
    ------
    QueryError
        If a parameter names what is not there.
    """
    only = frozenset(part.strip() for part in query.get("only", "").split(",") if part.strip())
    if unknown := sorted(only - ROLES.keys()):
        message = f"only: {unknown[0]!r} is not a kind of file; there are {', '.join(ROLES)}"
        raise QueryError(message)
    form = query.get("format", "")
    if form and (form not in FORMATS if kind not in VOLUMES else not FORMAT.fullmatch(form)):
        message = f"format: {form!r} is not offered; there are {' and '.join(FORMATS)}"
        raise QueryError(message)
    return Selection(kind, number, only, form, number_of(query, "dataset", "DS-"), number_of(query, "file"))


def number_of(query: Mapping[str, str], name: str, prefix: str = "") -> int:
    """Read an identifier; 0 where there is none.

    Raises
    ------
    QueryError
        If it is none.
    """
    text = query.get(name, "").strip().upper().removeprefix(prefix)
    if text and not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        message = f"{name}: {text[:40]!r} is not a number"
        raise QueryError(message)
    return int(text or 0)


def files_of(catalog: Catalog, files: Files, selection: Selection, viewer: Viewer) -> Iterator[FileRow]:
    """Give every file of a selection in byte order of its key, members of array directories included; lazily.

    Raises
    ------
    NotFoundError
        If the viewer sees no such entity (before the first file is asked for).
    """
    prefix, terms = _place(catalog, selection, viewer)
    wanted = (*terms, *_wanted(catalog, selection, catalog.tables.file))
    return (file for entry in entries(catalog, viewer, *wanted, prefix=prefix) for file in expand(files, entry))


def amount(catalog: Catalog, selection: Selection, viewer: Viewer) -> Amount:
    """Sum the files of a selection: what `files_of` gives, to the byte, without listing it. What the viewer does not see is nothing.

    Raises
    ------
    NotFoundError
        If the viewer sees no such tilt series, tomogram or annotation.
    """
    if selection.kind in KEPT:
        return _kept_sums(catalog, selection, viewer)
    f = catalog.tables.file
    _, terms = _place(catalog, selection, viewer)
    return _sum(_summed(catalog, f, viewer, *terms, *_wanted(catalog, selection, f)))


KEPT = frozenset({*OWNERS.values(), "deposition"})
"""Kinds whose files were summed when they were indexed."""


def _kept_sums(catalog: Catalog, selection: Selection, viewer: Viewer) -> Amount:
    """Sum what was summed when the dataset was indexed, and the few files of a deposition itself."""
    f, t, number = catalog.tables.file, catalog.tables.file_total, selection.id
    if selection.kind != "deposition":
        whose = (t.c.owner_kind == selection.kind, t.c.owner_id == number)
        return _sum(_summed(catalog, t, viewer, *whose, *_wanted(catalog, selection, t)))
    of = (*_given_by(t, number), *([t.c.dataset_id == selection.dataset] if selection.dataset else []))
    rows = _summed(catalog, t, viewer, *of, *_wanted(catalog, selection, t))
    if not selection.dataset:
        rows += _summed(catalog, f, viewer, *_own(f, number), *_wanted(catalog, selection, f))
    return _sum(rows)


def _given_by(t: sa.FromClause, deposition: int) -> tuple[Term, ...]:
    """Give the conditions for the sums of what a deposition has in datasets."""
    return t.c._gate == deposition, t.c.owner_kind == "dataset"


def _own(f: sa.FromClause, deposition: int) -> tuple[Term, ...]:
    """Give the conditions for the files of a deposition that are in no dataset."""
    return f.c.kind == "deposition", f.c.entity_id == deposition, f.c.dataset_id.is_(None)


def _summed(catalog: Catalog, f: sa.FromClause, viewer: Viewer, *terms: Term, by: Sequence[str] = ()) -> list[Row]:
    """Sum rows of the file table, or sums of them, that a viewer sees."""
    number = f.c.files if "files" in f.c else sa.func.coalesce(f.c.members, 1)
    columns = [f.c[name] for name in by]
    sums = (sa.func.coalesce(sa.func.sum(column), 0) for column in (f.c.size, number))
    asked = sa.select(*columns, *(s.label(name) for s, name in zip(sums, ("size", "files"), strict=True)))
    return catalog.execute(asked.where(*terms, *catalog.compiler(viewer).visible("file", f)).group_by(*columns))


def amounts(catalog: Catalog, kind: str, number: int, viewer: Viewer) -> dict[str, Amount]:
    """Sum a dataset or run by every name of `ROLES` that is no part of another, in one question; ``""`` is everything."""
    t = catalog.tables.file_total
    return _by_name(_summed(catalog, t, viewer, t.c.owner_kind == kind, t.c.owner_id == number, by=("kind", "role")))


def _by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, Amount]:
    """Sum rows that have kind, role, size and files by every name of `ROLES`."""
    found = {"": _sum(rows)}
    for name, roles in ROLES.items():
        kind = DOCUMENTS.get(name)
        own = [r for r in rows if r["role"] in roles or (r["role"] == "document" and kind and r["kind"] == kind)]
        found[name] = _sum(own)
    return found


def _sum(rows: Iterable[Mapping[str, Any]]) -> Amount:
    return sum((Amount(int(r["size"]), int(r["files"])) for r in rows), Amount())


def amounts_of_deposition(
    catalog: Catalog, number: int, dataset: int, viewer: Viewer
) -> tuple[dict[str, Amount], dict[int, Amount]]:
    """Sum a deposition, or what of it lies in one dataset, by every name of `ROLES`; and all of it by dataset."""
    f, t, by = catalog.tables.file, catalog.tables.file_total, ("dataset_id", "kind", "role")
    rows = _summed(catalog, t, viewer, *_given_by(t, number), by=by)
    rows += _summed(catalog, f, viewer, *_own(f, number), by=by)
    places = sorted({r["dataset_id"] for r in rows} - {None})
    chosen = [r for r in rows if not dataset or r["dataset_id"] == dataset]
    return _by_name(chosen), {p: _sum(r for r in rows if r["dataset_id"] == p) for p in places}


def _place(catalog: Catalog, selection: Selection, viewer: Viewer) -> tuple[str, tuple[Term, ...]]:
    """Give the prefix of an entity's keys, and conditions for its files where it has no folder of its own."""
    f, row = catalog.tables.file, catalog.get(selection.kind, selection.id, viewer)
    own = sa.and_(f.c.kind == selection.kind, f.c.entity_id == selection.id)
    match selection.kind:
        case "dataset" | "run":
            return str(row["s3_prefix"]).removeprefix(catalog.prefixes["s3"]), ()
        case "deposition":
            inside = f.c._gate == selection.id
            if selection.dataset:
                return "", (inside, f.c.dataset_id == selection.dataset)
            return "", (sa.or_(inside, own),)
        case "tiltseries" if selection.only & OF_THE_RUN:
            return "", (sa.or_(own, _of_series(catalog, row)),)
        case _:
            return "", (own,)


def _of_series(catalog: Catalog, row: Mapping[str, Any]) -> Term:
    """Give the condition for what belongs to a tilt series and lies elsewhere in its run."""
    t = catalog.tables
    f, section, frame, alignment = t.file, t.kinds["per_section_parameters"], t.kinds["frame"], t.kinds["alignment"]
    shot = sa.select(section.c.frame_id).where(section.c.tiltseries_id == row["id"])
    frames = sa.select(frame.c.s3_frame_path).where(frame.c.id.in_(shot))
    aligned = sa.select(alignment.c.id).where(alignment.c.tiltseries_id == row["id"])
    return sa.or_(
        sa.and_(f.c.run_id == row["run_id"], f.c.role.in_(("mdoc", "gain"))),
        sa.and_(f.c.run_id == row["run_id"], f.c.role == "frame", f.c.key.in_(frames)),
        sa.and_(f.c.kind == "alignment", f.c.entity_id.in_(aligned)),
    )


def _wanted(catalog: Catalog, selection: Selection, f: sa.FromClause) -> Iterator[Term]:
    """Give the conditions that leave out what is not wanted, for the file table or the sums of it."""
    if selection.only:
        yield sa.or_(*(_named(f, name) for name in sorted(selection.only)))
    if selection.format:
        yield _in_format(f, selection)
    if selection.file:
        one = catalog.tables.kinds["annotation_file"]
        paths = sa.select(one.c.s3_path).where(one.c.id == selection.file)
        folders = sa.select(one.c.s3_path + "/").where(one.c.id == selection.file)
        yield sa.or_(f.c.role.not_in(("annotation", *DRESSING)), f.c.key.in_(paths), f.c.key.in_(folders))


def _named(f: sa.FromClause, name: str) -> Term:
    """Give the condition for what one name of ``only`` takes."""
    taken: Term = f.c.role.in_(sorted(ROLES[name]))
    if name == "points":
        taken = sa.and_(taken, *(sa.not_(_ends(f, ending)) for ending in ENDINGS))
    if name in DOCUMENTS:
        return sa.or_(taken, sa.and_(f.c.role == "document", f.c.kind == DOCUMENTS[name]))
    return taken


def _in_format(f: sa.FromClause, selection: Selection) -> Term:
    if selection.kind not in VOLUMES:
        return sa.or_(f.c.role == "viewer", sa.not_(_ends(f, FORMATS[selection.format])))
    role = VOLUMES[selection.kind]
    right = sa.or_(_ends(f, f".{selection.format}"), _ends(f, f".{selection.format}/"))
    return sa.or_(sa.and_(f.c.role == role, right), f.c.role.not_in((role, *DRESSING)))


def _ends(f: sa.FromClause, ending: str) -> Term:
    return f.c.ending == ending if "ending" in f.c else ends(f.c.key, ending)
