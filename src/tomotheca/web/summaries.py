"""What lists say of datasets, runs and depositions: counts and ranges, one statement per question, never one per row."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog.catalog import VALUES
from tomotheca.catalog.totals import OWNERS
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked

FIRST = 3
SMALL, MIDDLE, LARGE = 256, 512, 1024


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the archive, as the pages show it."""

    src: str
    alt: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """An object of a run or dataset."""

    name: str
    ground_truth: bool = False
    annotated: bool = True
    identifier: str = ""


@dataclass(frozen=True, slots=True)
class Objects:
    """Objects, annotated ones first; the first few stand for all in a list."""

    few: tuple[Named, ...] = ()
    more: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class Bytes:
    """Size and number of files."""

    size: int = 0
    files: int = 0


def key_of(asked: Asked, address: str | None) -> str:
    """Give the archive key behind an address that the catalogue made; nothing for an address elsewhere."""
    for prefix in asked.portal.catalog.prefixes.values():
        if address and address.startswith(prefix):
            return address.removeprefix(prefix)
    return ""


def array_entries(asked: Asked, keys: Sequence[str]) -> dict[str, str]:
    """Give the tags of those files and array directories that the viewer sees."""
    wanted = [key for key in keys if key]
    if not wanted:
        return {}
    f, c = asked.portal.catalog.tables.file, asked.portal.catalog.compiler(asked.viewer)
    statement = sa.select(f.c.key, f.c.sha256, f.c.size, f.c.mtime).where(f.c.key.in_(wanted), *c.visible("file", f))
    return {r["key"]: r["sha256"] or f"{r['size']}-{r['mtime']}" for r in asked.portal.catalog.execute(statement)}


def array_entry(asked: Asked, address: str | None) -> tuple[str, str] | None:
    """Give key and tag of the array directory at an address; None where this server has none that the viewer sees."""
    key = key_of(asked, address)
    found = array_entries(asked, [f"{key.rstrip('/')}/"]) if key else {}
    return next(iter(found.items()), None)


def picture(asked: Asked, address: str | None, alt: str, *, width: int = SMALL) -> Picture:
    """Give a picture; without one, a drawing in its place."""
    key = key_of(asked, address)
    return Picture(f"/thumbs/{key}?w={width}", alt) if key else Picture("", say("No picture: {}", alt))


def pictures(asked: Asked, kind: str, rows: Sequence[Row], *, width: int = SMALL) -> dict[int, Picture]:
    """Give the key photo of datasets or depositions; without one, the central slice of a tomogram they hold."""
    own = {r["id"]: r["key_photo_url"] or r["key_photo_thumbnail_url"] for r in rows}
    found = {i: picture(asked, url, say("Key photo of {}", asked.name(kind, i)), width=width) for i, url in own.items()}
    bare = [i for i, url in own.items() if not url]
    column = "_owner" if kind == "dataset" else "deposition_id"
    first = {r["owner"]: r["min_id"] for r in group(asked, "tomogram", column, bare, ("min", "id"))}
    for owner, t in (
        (o, t) for t in find_in_order(asked, "tomogram", list(first.values())) for o, i in first.items() if i == t["id"]
    ):
        found[owner] = picture(
            asked,
            t["key_photo_url"] or t["key_photo_thumbnail_url"],
            say("Central slice of {}, {}", asked.name("tomogram", t["id"]), t["name"]),
            width=width,
        )
    return found


def group(asked: Asked, kind: str, key: str, ids: Sequence[int], *selected: str | tuple[str, str]) -> list[Row]:
    """Read a grouped statement: rows of a kind whose ``key`` is one of the ids, grouped by it and by the plain columns.

    Parameters
    ----------
    selected : str or (str, str)
        A column to group by, or an aggregate as ``(function, column)``; ``("count", "")`` counts rows. The aggregate's value is named
        ``function_column``, the number of rows ``n``.
    """
    if not ids:
        return []
    catalog = asked.portal.catalog

    def make() -> sa.Select[Any]:
        row, visible = catalog.seen(kind, asked.viewer)
        plain = [row.c[s] for s in selected if isinstance(s, str)]
        made = [_aggregate(row, *s) for s in selected if isinstance(s, tuple)]
        owner = row.c[key]
        wanted = (catalog.one_of(owner), *visible)
        return sa.select(owner.label("owner"), *plain, *made).where(*wanted).group_by(owner, *plain)

    statement = catalog.kept(("group", kind, key, selected, asked.viewer.curator), make)
    return catalog.execute(statement, {VALUES: list(ids)})


def _aggregate(row: Any, function: str, name: str) -> sa.ColumnElement[Any]:
    if not name:
        return sa.func.count().label("n")
    inner: sa.ColumnElement[Any] = row.c[name]
    if isinstance(inner.type, sa.Boolean):
        inner = sa.cast(inner, sa.Integer)
    return getattr(sa.func, function)(inner).label(f"{function}_{name}")  # type: ignore[no-any-return]  # functions are made by name


def counts(asked: Asked, kind: str, key: str, ids: Sequence[int]) -> Counter[int]:
    """Count the rows of a kind for each owner."""
    return Counter({r["owner"]: r["n"] for r in group(asked, kind, key, ids, ("count", ""))})


def objects(asked: Asked, key: str, ids: Sequence[int]) -> dict[int, Objects]:
    """Give the annotated and identified objects of each owner."""
    found: dict[int, dict[str, Named]] = defaultdict(dict)
    for r in group(asked, "annotation", key, ids, "object_name", ("max", "ground_truth_status"), ("max", "object_id")):
        found[r["owner"]][r["object_name"]] = Named(
            r["object_name"], bool(r["max_ground_truth_status"]), identifier=r["max_object_id"]
        )
    for r in group(asked, "identified_object", key, ids, "object_name", ("max", "object_id")):
        found[r["owner"]].setdefault(
            r["object_name"], Named(r["object_name"], annotated=False, identifier=r["max_object_id"])
        )
    return {owner: _ordered(named.values()) for owner, named in found.items()}


def objects_of_deposition(asked: Asked, ids: Sequence[int]) -> dict[int, Objects]:
    """Give the objects that each deposition annotates."""
    found: dict[int, list[Named]] = defaultdict(list)
    for r in group(
        asked, "annotation", "deposition_id", ids, "object_name", ("max", "ground_truth_status"), ("max", "object_id")
    ):
        found[r["owner"]].append(
            Named(r["object_name"], bool(r["max_ground_truth_status"]), identifier=r["max_object_id"])
        )
    return {owner: _ordered(named) for owner, named in found.items()}


def _ordered(named: Iterable[Named]) -> Objects:
    ordered = sorted(named, key=lambda n: (not n.annotated, n.name.lower()))
    return Objects(tuple(ordered[:FIRST]), tuple(ordered[FIRST:]))


def scores(asked: Asked, key: str, ids: Sequence[int]) -> dict[int, dict[int | None, int]]:
    """Count the tilt series of each owner by quality."""
    found: dict[int, dict[int | None, int]] = defaultdict(dict)
    for r in group(asked, "tiltseries", key, ids, "tilt_series_quality", ("count", "")):
        score = r["tilt_series_quality"] or None
        found[r["owner"]][score] = found[r["owner"]].get(score, 0) + r["n"]
    return found


def file_sizes(asked: Asked, key: str, ids: Sequence[int]) -> dict[int, Bytes]:
    """Sum the files of each owner: ``run_id`` or ``dataset_id``."""
    return {
        owner: Bytes(sum(b.size for b in roles.values()), sum(b.files for b in roles.values()))
        for owner, roles in file_roles(asked, key, ids).items()
    }


def file_roles(asked: Asked, key: str, ids: Sequence[int]) -> dict[int, dict[str, Bytes]]:
    """Sum the files of each owner by what they are for."""
    catalog = asked.portal.catalog

    def make() -> sa.Select[Any]:
        t, visible = catalog.tables.file_total, catalog.compiler(asked.viewer).visible
        sums = sa.func.sum(t.c.size).label("size"), sa.func.sum(t.c.files).label("files")
        return (
            sa.select(t.c.owner_id.label("owner"), t.c.role, *sums)
            .where(t.c.owner_kind == OWNERS[key], catalog.one_of(t.c.owner_id), *visible("file", t))
            .group_by(t.c.owner_id, t.c.role)
        )

    found: dict[int, dict[str, Bytes]] = defaultdict(dict)
    statement = catalog.kept(("file roles", key, asked.viewer.curator), make)
    for r in catalog.execute(statement, {VALUES: list(ids)}) if ids else []:
        found[r["owner"]][r["role"]] = Bytes(int(r["size"]), int(r["files"]))
    return found


def by_id(rows: Iterable[Row]) -> dict[int, Row]:
    """Index rows by their id."""
    return {r["id"]: r for r in rows}


def find_in_order(asked: Asked, kind: str, ids: Sequence[int]) -> list[Row]:
    """Give rows by id, in the order of the ids."""
    if not ids:
        return []
    found = by_id(asked.portal.catalog.find(kind, asked.viewer, where={"id": {"_in": list(ids)}}))
    return [found[i] for i in ids if i in found]


CHOSEN_BY = (
    "id",
    "run_id",
    "name",
    "voxel_spacing",
    "is_visualization_default",
    "is_portal_standard",
    "is_author_submitted",
    "key_photo_thumbnail_url",
    "key_photo_url",
)
"""What is read of tomograms to choose one, and to show it."""


def best_tomograms(asked: Asked, runs: Sequence[int]) -> dict[int, Row]:
    """Give the tomogram that stands for each run: default, portal standard, author's, smallest voxel, lowest id."""
    catalog = asked.portal.catalog

    def make() -> sa.Select[Any]:
        row, visible = catalog.seen("tomogram", asked.viewer)
        return sa.select(*(row.c[n] for n in CHOSEN_BY)).where(catalog.one_of(row.c.run_id), *visible)

    found: dict[int, Row] = {}
    statement = catalog.kept(("best tomograms", asked.viewer.curator), make)
    for r in catalog.execute(statement, {VALUES: list(runs)}) if runs else []:
        shown = catalog.shown("tomogram", _padded(r, asked))
        if r["run_id"] not in found or preference(shown) < preference(found[r["run_id"]]):
            found[r["run_id"]] = shown
    return found


def _padded(row: Mapping[str, Any], asked: Asked) -> Row:
    return {c.name: row.get(c.name) for c in asked.portal.catalog.schema.columns("tomogram") if c.name in row}


def preference(tomogram: Row) -> tuple[Any, ...]:
    """Order tomograms so that the one a viewer should open comes first."""
    flags = ("is_visualization_default", "is_portal_standard", "is_author_submitted")
    return (*(not tomogram[f] for f in flags), tomogram["voxel_spacing"], tomogram["id"])
