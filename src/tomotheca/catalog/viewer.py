"""Who is looking, and the one condition that follows from it. Nothing else in the program decides who may see what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from tomotheca.catalog.tables import OWN_DEPOSITION, Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Viewer:
    """A visitor."""

    name: str = ""
    curator: bool = False
    """Sees everything."""


ANONYMOUS = Viewer()
CURATOR = Viewer("curator", curator=True)


def now() -> str:
    """Give the present moment as the catalogue writes moments."""
    return datetime.now(UTC).isoformat(timespec="seconds")


CLOCKS = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now')",
    "postgresql": "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"+00:00\"')",
}
"""SQL of the present moment, as the catalogue writes moments."""


def anything_hidden(tables: Tables, dialect: sa.Dialect) -> str:
    """Give the SQL that asks whether any dataset or deposition is hidden now; it has no parameters."""
    moment = sa.literal_column(CLOCKS[dialect.name], tables.visibility.c.until.type)
    asked = sa.select(sa.exists(sa.select(tables.visibility.c.id).where(_is_hidden(tables, moment))))
    return str(asked.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def visible(
    tables: Tables, kind: str, row: sa.FromClause, viewer: Viewer, *, all_open: bool = False
) -> list[sa.ColumnElement[bool]]:
    """Give the conditions under which a viewer sees a row.

    Parameters
    ----------
    tables : Tables
        The catalogue's tables.
    kind : str
        Kind of entity, or ``file``.
    row : sa.FromClause
        The table or alias that stands for the row; it has the columns ``_owner`` and ``_gate``.
    viewer : Viewer
        Who is looking.
    all_open : bool
        Nothing is hidden while the statement runs (see `anything_hidden`), so that rows need not be asked one by one.

    Returns
    -------
    list of ColumnElement
        Empty for a curator. The present moment is the bound parameter ``now``, so that a compiled statement can be kept.
    """
    if viewer.curator:
        return []
    if all_open and kind not in OWN_DEPOSITION and kind != "file":
        return []
    open_gate = sa.or_(row.c._gate.is_(None), row.c._gate.not_in(_hidden(tables, "deposition")))
    if kind == "file":
        of_dataset = sa.and_(row.c.dataset_id.is_not(None), row.c._owner.not_in(_hidden(tables, "dataset")), open_gate)
        return [sa.or_(of_dataset, sa.and_(row.c.dataset_id.is_(None), *_deposition(tables, row)))]
    if kind in OWN_DEPOSITION:
        return _deposition(tables, row)
    return [row.c._owner.not_in(_hidden(tables, "dataset")), open_gate]


@dataclass(frozen=True, slots=True)
class Hidden:
    """What is hidden at one moment."""

    datasets: frozenset[int] = frozenset()
    depositions: frozenset[int] = frozenset()
    empty: frozenset[int] = frozenset()
    """Depositions that have nothing in any dataset that can be seen."""


def hidden_now(tables: Tables, rows: Callable[[sa.Executable], Sequence[sa.Row[Any]]]) -> Hidden:
    """Ask the catalogue what is hidden now."""
    found = {kind: frozenset(r[0] for r in rows(_hidden(tables, kind))) for kind in ("dataset", "deposition")}
    pair, deposition = tables.deposition_dataset, tables.kinds["deposition"]
    shown = sa.exists().where(
        pair.c.deposition_id == deposition.c.id, pair.c.dataset_id.not_in(_hidden(tables, "dataset"))
    )
    empty = frozenset(r[0] for r in rows(sa.select(deposition.c.id).where(~shown)))
    return Hidden(found["dataset"], found["deposition"], empty)


def seen(
    kind: str, owner: NDArray[np.int64], gate: NDArray[np.int64], viewer: Viewer, hidden: Hidden
) -> NDArray[np.bool_]:
    """Mark the rows of a kind of entity that a viewer sees: what `visible` says, for rows in memory.

    Parameters
    ----------
    owner, gate : array of int64, shape (rows,)
        The columns ``_owner`` and ``_gate``; -1 where there is none.
    """
    if viewer.curator:
        return np.ones(len(owner), bool)
    if kind in OWN_DEPOSITION:
        return ~_among(owner, hidden.depositions | hidden.empty)
    return ~(_among(owner, hidden.datasets) | _among(gate, hidden.depositions))


def _among(numbers: NDArray[np.int64], some: frozenset[int]) -> NDArray[np.bool_]:
    return np.isin(numbers, np.fromiter(some, np.int64, len(some))) if some else np.zeros(len(numbers), bool)


def _deposition(tables: Tables, row: sa.FromClause) -> list[sa.ColumnElement[bool]]:
    """Give the conditions for rows of a deposition: it is not hidden, and something of it can be seen."""
    pair = tables.deposition_dataset
    shown = sa.exists().where(
        pair.c.deposition_id == row.c._owner, pair.c.dataset_id.not_in(_hidden(tables, "dataset"))
    )
    return [row.c._owner.not_in(_hidden(tables, "deposition")), shown]


def _hidden(tables: Tables, kind: str) -> sa.Select[tuple[int]]:
    return sa.select(tables.visibility.c.id).where(tables.visibility.c.kind == kind, _is_hidden(tables))


def _is_hidden(tables: Tables, moment: sa.ColumnElement[str] | None = None) -> sa.ColumnElement[bool]:
    v = tables.visibility
    if moment is None:
        moment = sa.bindparam("now", type_=v.c.until.type, callable_=now)
    embargoed = v.c.until > moment
    return sa.or_(v.c.state == "private", sa.and_(v.c.state == "embargoed", embargoed))
