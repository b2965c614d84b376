"""The open catalogue: the database, its tables, and questions about it. It never writes; `build` does."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tomotheca.catalog import tables as _tables
from tomotheca.catalog.database import connect
from tomotheca.catalog.masks import Masks
from tomotheca.catalog.query import Clause, Compiler
from tomotheca.catalog.reading import Reading, reading
from tomotheca.catalog.together import shared_by, together
from tomotheca.catalog.vectors import World
from tomotheca.catalog.viewer import Viewer, anything_hidden, hidden_now, now
from tomotheca.catalog.watch import Watch
from tomotheca.errors import NotFoundError
from tomotheca.schema import SCHEMA, Schema

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["Catalog", "Row", "connect"]

Row = dict[str, Any]

VALUES = "values"
"""Parameter of statements that find rows by values of a column."""

MANY = 500
"""Values above which they travel as one."""

BEYOND = 1 << 31
"""First whole number that no identifier can be."""


class Catalog:
    """A catalogue that is open for reading.

    Parameters
    ----------
    url : str
        Database address.
    public_url : str
        Address of the server, without a slash at the end; web addresses of files are made with it.
    bucket : str
        Name of the S3 bucket.
    query_seconds : float
        Time that the database may work on one answer; 0 is no limit.
    """

    def __init__(
        self, url: str, *, public_url: str = "", bucket: str = "tomotheca", schema: Schema = SCHEMA, query_seconds: float = 0
    ) -> None:  # fmt: skip
        self.url, self.public_url, self.bucket, self.schema = url, public_url, bucket, schema
        self.query_seconds = query_seconds
        self._world: World | None = None
        self._statements: dict[Hashable, sa.Select[Any]] = {}
        self._seen: dict[tuple[str, bool], tuple[sa.FromClause, Sequence[sa.ColumnElement[bool]]]] = {}
        self.tables = _tables.build(schema)
        self.prefixes = {"s3": f"s3://{bucket}/", "https": f"{public_url}/files/"}

    @cached_property
    def engine(self) -> sa.Engine:
        """Connections to the database, opened at the first question."""
        return connect(self.url, seconds=self.query_seconds)

    @cached_property
    def watch(self) -> Watch:
        """What tells quickly whether the catalogue has changed."""
        return Watch(self)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()

    def compiler(self, viewer: Viewer) -> Compiler:
        """Give the compiler of clauses for a viewer."""
        return Compiler(self.schema, self.tables, viewer, self.prefixes)

    def reading(self, *, seconds: float | None = None) -> AbstractContextManager[Reading]:
        """Open a transaction that sees one state of the catalogue and has a time limit; the driver runs its statements.

        Parameters
        ----------
        seconds : float, optional
            A shorter limit than the catalogue's.
        """
        return reading(self.engine, self.query_seconds, self._hidden, shorter=seconds)

    @cached_property
    def _hidden(self) -> str:
        return anything_hidden(self.tables, self.engine.dialect)

    def masks(self, viewer: Viewer, stamp: str) -> Masks:
        """Give the catalogue as arrays, in the state that a stamp names.

        Raises
        ------
        ChangedError
            If a column is asked for and the catalogue is in another state by then.
        """
        world, version = self._world, int(stamp.partition(".")[0])
        if world is None or world.version != version:
            world = self._world = World(self, version)
        hidden = world.keep(("hidden", stamp.removesuffix("c")), lambda: hidden_now(self.tables, self.rows))
        return Masks(world, viewer, hidden)

    def together(self) -> AbstractContextManager[None]:
        """Let every statement of a block, in this thread, see one state of the catalogue."""
        return together(self.engine)

    def rows(self, statement: sa.Executable, values: Mapping[str, Any] | None = None) -> Sequence[sa.Row[Any]]:
        """Run one statement, with values for its parameters, and give its rows.

        Raises
        ------
        QueryTimeoutError
            If it takes too long.
        """
        if (shared := shared_by(self.engine)) is not None:
            return shared.rows(statement, values)
        with (
            self.engine.begin() as connection
        ):  # the end is a commit: after a rollback the driver forgets prepared statements
            return connection.execute(statement, values).all()

    def execute(self, statement: sa.Executable, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one statement, with values for its parameters, and give its rows as dictionaries."""
        rows = self.rows(statement, values)
        names = rows[0]._fields if rows else ()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def kept(self, name: Hashable, make: Callable[[], sa.Select[Any]]) -> sa.Select[Any]:
        """Give a statement that is asked often, made once: making it takes as long as running it."""
        if (found := self._statements.get(name)) is None:
            found = self._statements[name] = make()
        return found

    def one_of(self, column: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Give the condition that a whole number is one of the `VALUES` of a kept statement."""
        if self.engine.dialect.name == "postgresql":
            # one text, and so one prepared statement, for lists of every length
            return column == sa.any_(sa.bindparam(VALUES, type_=sa.ARRAY(column.type)))
        return column.in_(sa.bindparam(VALUES, expanding=True))

    def seen(self, kind: str, viewer: Viewer) -> tuple[sa.FromClause, Sequence[sa.ColumnElement[bool]]]:
        """Give a kind's table under a name of its own, and the conditions under which the viewer sees a row; both are made once."""
        if (kind, viewer.curator) not in self._seen:
            c = self.compiler(viewer)
            row = c.table(kind)
            self._seen[kind, viewer.curator] = row, tuple(c.visible(kind, row))
        return self._seen[kind, viewer.curator]

    def find(  # noqa: PLR0913 - limit and offset are the two halves of a page
        self, kind: str, viewer: Viewer, *, where: Clause | None = None, order: Sequence[tuple[str, str]] = (), limit: int | None = None, offset: int = 0
    ) -> list[Row]:  # fmt: skip
        """Give the rows of a kind that a viewer sees and for which the clause holds, addresses filled in."""
        c = self.compiler(viewer)
        row, visible = self.seen(kind, viewer)

        def found(*terms: sa.ColumnElement[bool]) -> sa.Select[Any]:
            return sa.select(row).where(*visible, *terms).order_by(*c.order(kind, row, order))

        if not (order or offset) and limit is None and (named := self._named(kind, where)) is not None:
            name, values = named
            statement = self.kept(("find", kind, name, viewer.curator), lambda: found(self.one_of(row.c[name])))
            return [self.shown(kind, r) for r in self.execute(statement, {VALUES: values})]
        statement = found(*c.joined(kind, row, where)).limit(limit).offset(offset or None)
        return [self.shown(kind, r) for r in self.execute(statement)]

    def _named(self, kind: str, where: Clause | None) -> tuple[str, list[int]] | None:
        """Give column and values of a clause that names whole numbers of one column and nothing else."""
        if not where or len(where) > 1:
            return None
        ((name, test),) = where.items()
        column = self.tables.kinds[kind].c.get(name)
        if column is None or not isinstance(column.type, sa.Integer) or not isinstance(test, Mapping) or len(test) != 1:
            return None
        ((operator, given),) = test.items()
        values = [given] if operator == "_eq" else given if operator == "_in" else None
        if not isinstance(values, list) or len(values) > MANY:
            return None
        if not all(type(v) is int and abs(v) < BEYOND for v in values):
            return None
        return name, values

    def count(self, kind: str, viewer: Viewer, where: Clause | None = None) -> int:
        """Count the rows of a kind that a viewer sees and for which the clause holds."""
        row, visible = self.seen(kind, viewer)

        def counted(*terms: sa.ColumnElement[bool]) -> sa.Select[Any]:
            return sa.select(sa.func.count()).select_from(row).where(*visible, *terms)

        if (named := self._named(kind, where)) is not None:
            name, values = named
            statement = self.kept(("count", kind, name, viewer.curator), lambda: counted(self.one_of(row.c[name])))
            return int(self.rows(statement, {VALUES: values})[0][0])
        return int(self.rows(counted(*self.compiler(viewer).joined(kind, row, where)))[0][0])

    def get(self, kind: str, identifier: int, viewer: Viewer) -> Row:
        """Give one row.

        Raises
        ------
        NotFoundError
            If there is none that the viewer sees.
        """
        found = self.find(kind, viewer, where={"id": {"_eq": identifier}}) if abs(identifier) < BEYOND else []
        if not found:
            message = (
                f"There is no {self.schema.kinds[kind].title.lower()} {self.schema.kinds[kind].prefix}{identifier}."
            )
            raise NotFoundError(message)
        return found[0]

    def shown(self, kind: str, row: Mapping[str, Any]) -> Row:
        """Turn stored keys into addresses and leave the internal columns out."""
        out = {k: v for k, v in row.items() if k not in {"_owner", "_gate"}}
        for name, location in self._locations[kind]:
            if (value := out.get(name)) is not None:
                out[name] = value if "://" in value else self.prefixes[location] + value
        return out

    @cached_property
    def _locations(self) -> dict[str, list[tuple[str, str]]]:
        return {e.kind: [(c.name, c.location) for c in self.schema.columns(e.kind) if c.location] for e in self.schema}

    def stamp(self, viewer: Viewer) -> str:
        """Give a word that changes whenever what this viewer sees changes, the end of an embargo included."""
        v = self.tables.visibility
        ended = sa.select(sa.func.count()).select_from(v).where(v.c.until <= now()).scalar_subquery()
        value = sa.select(self.tables.meta.c.value).where(self.tables.meta.c.name == "version").scalar_subquery()
        row = self.execute(sa.select(value.label("version"), ended.label("ended")))[0]
        return f"{row['version'] or 0}.{row['ended']}{'c' if viewer.curator else ''}"

    @property
    def version(self) -> int:
        """Version of the catalogue; it rises whenever what visitors see changes."""
        found = self.execute(sa.select(self.tables.meta.c.value).where(self.tables.meta.c.name == "version"))
        return int(found[0]["value"]) if found else 0
