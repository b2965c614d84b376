"""One level of the tree of keys: files, and folders that stand for all below them, found by leaping from one to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tomotheca.catalog.files import BEHIND, FileRow, below, entry_row, holding, list_files, members_of

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Catalog, Row
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
        while True:
            found = self.catalog.execute(self._statement(after, most))
            for row in found:
                folder = self.common(row["place"])
                yield (folder, None) if folder else (row["place"], entry_row(row))
            if len(found) < most:
                return
            last = found[-1]["place"]
            after = (self.common(last) + BEHIND) if self.common(last) else last

    def _statement(self, after: str, most: int) -> sa.Select[tuple[Row]]:
        """Select the first key of each item: each step of the recursion is one look into the index of keys."""
        f = self.catalog.tables.file
        first = self._next(sa.literal(after))
        walk = sa.select(first.label("place"), sa.literal(1).label("number")).cte("walk", recursive=True)
        leap = sa.select(self._next(self._behind(walk.c.place)), walk.c.number + 1)
        walk = walk.union_all(leap.where(walk.c.place.is_not(None), walk.c.number < most))
        return sa.select(walk.c.place, f).join(f, f.c.key == walk.c.place).order_by(walk.c.number)

    def _next(self, after: sa.ColumnElement[str]) -> sa.ScalarSelect[str]:
        """Give the first visible key behind another."""
        f = self.catalog.tables.file.alias()
        terms = self.catalog.compiler(self.viewer).visible("file", f)
        return (
            sa.select(f.c.key)
            .where(f.c.key > after, below(f, self.prefix), *terms)
            .order_by(f.c.key)
            .limit(1)
            .scalar_subquery()
        )

    def _behind(self, key: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
        """Give what sorts behind a key and all that is folded with it."""
        length = len(self.prefix)
        find = sa.func.strpos if self.catalog.engine.dialect.name == "postgresql" else sa.func.instr
        at = find(sa.func.substr(key, length + 1), SLASH)
        folder = sa.func.substr(key, 1, at + length)
        return sa.case((at > 0, folder.concat(sa.literal(BEHIND))), else_=key)

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
