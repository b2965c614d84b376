"""One level of the tree of keys: files, and folders that stand for all below them, found by leaping from one to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from tomotheca.catalog.files import BEHIND, FileRow, file_row, holding, list_files, members_of

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.store.files import Files

Item = tuple[str, FileRow | None]
"""A key and its file, or a folder and None."""

SLASH = "/"


@dataclass(frozen=True)
class Level:
    """What is listed: keys with a prefix, those with a delimiter behind it folded into one."""

    catalog: Catalog
    files: Files
    viewer: Viewer
    prefix: str
    delimiter: str = ""

    def items(self, *, after: str = "", most: int = 1000) -> Iterator[Item]:
        """Give keys and folders in byte order.

        Parameters
        ----------
        after : str
            Give only what sorts behind this key or folder.
        most : int
            How many are wanted, so that they are read at once; more may come.
        """
        folded = bool(after) and after.startswith(self.prefix) and self.common(after) == after
        start = after + BEHIND if folded else after
        if not self.delimiter:
            for file in list_files(self.catalog, self.files, self.prefix, self.viewer, after=start, page=most):
                yield file.key, file
        elif self._leaps(start):
            yield from self._rows(start, most)
        else:
            yield from self._folded(start)

    def common(self, key: str) -> str:
        """Give the folder that a key is folded into; empty for one that stands for itself."""
        if not self.delimiter:
            return ""
        head, found, _ = key[len(self.prefix) :].partition(self.delimiter)
        return self.prefix + head + found if found else ""

    def _leaps(self, after: str) -> bool:
        """Whether the table alone can answer: array directories are folders, and we begin in none of them."""
        inside = after.startswith(self.prefix) and self.common(after) and not after.endswith(BEHIND)
        return self.delimiter == SLASH and not inside and not holding(self.catalog, self.prefix, self.viewer)

    def _rows(self, after: str, most: int) -> Iterator[Item]:
        """Read the level in one statement that leaps over what is folded."""
        prefix = self.prefix
        while True:
            given = {"after": max(after, prefix), "end": prefix + BEHIND, "length": len(prefix), "most": most}
            with self.catalog.engine.begin() as connection:
                statement = _leaping(self.catalog, self.viewer, at_prefix=after < prefix)
                found = connection.execute(statement, given).all()
            for row in found:
                folder = self.common(row.place)
                yield (folder, None) if folder else (row.place, file_row(row))
            if len(found) < most:
                return
            last = found[-1].place
            after = (self.common(last) + BEHIND) if self.common(last) else last

    def _folded(self, after: str) -> Iterator[Item]:
        """Read keys one after the other, and begin anew behind each folder."""
        jump = True
        while jump:
            jump = False
            for file in self._below(after):
                folder = self.common(file.key)
                if not folder:
                    yield file.key, file
                    continue
                yield folder, None
                after, jump = folder + BEHIND, True
                break

    def _below(self, after: str) -> Iterator[FileRow]:
        inside = holding(self.catalog, self.prefix, self.viewer)
        if inside:
            return members_of(self.files, inside[0], self.prefix, after)
        return list_files(self.catalog, self.files, self.prefix, self.viewer, after=after)


def _leaping(catalog: Catalog, viewer: Viewer, *, at_prefix: bool) -> sa.Select[Any]:
    """Give the statement for a level; it is made once for each sort of viewer, since making it takes longer than running it."""
    made = _MADE.setdefault(catalog, {})
    if (viewer.curator, at_prefix) not in made:
        made[viewer.curator, at_prefix] = _statement(catalog, viewer, at_prefix=at_prefix)
    return made[viewer.curator, at_prefix]


_MADE: WeakKeyDictionary[Catalog, dict[tuple[bool, bool], sa.Select[Any]]] = WeakKeyDictionary()


def _statement(catalog: Catalog, viewer: Viewer, *, at_prefix: bool) -> sa.Select[Any]:
    """Select the first key of each item: each step of the recursion is one look into the index of keys."""
    f, after = catalog.tables.file, sa.bindparam("after", type_=sa.Text)
    key = f.alias()
    first = _next(catalog, viewer, key, key.c.key >= after if at_prefix else key.c.key > after)
    walk = sa.select(first.label("place"), sa.literal(1).label("number")).cte("walk", recursive=True)
    key = f.alias()
    leap = sa.select(_next(catalog, viewer, key, key.c.key > _behind(catalog, walk.c.place)), walk.c.number + 1)
    walk = walk.union_all(leap.where(walk.c.place.is_not(None), walk.c.number < sa.bindparam("most", type_=sa.Integer)))
    return sa.select(walk.c.place, f).join(f, f.c.key == walk.c.place).order_by(walk.c.number)


def _next(catalog: Catalog, viewer: Viewer, f: sa.FromClause, start: sa.ColumnElement[bool]) -> sa.ScalarSelect[str]:
    """Give the first visible key from a start on."""
    terms = catalog.compiler(viewer).visible("file", f)
    end = f.c.key < sa.bindparam("end", type_=sa.Text)
    return sa.select(f.c.key).where(start, end, *terms).order_by(f.c.key).limit(1).scalar_subquery()


def _behind(catalog: Catalog, key: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """Give what sorts behind a key and all that is folded with it."""
    length = sa.bindparam("length", type_=sa.Integer)
    find = sa.func.strpos if catalog.engine.dialect.name == "postgresql" else sa.func.instr
    at = find(sa.func.substr(key, length + 1), SLASH)
    folder = sa.func.substr(key, 1, at + length)
    return sa.case((at > 0, folder.concat(sa.literal(BEHIND))), else_=key)
