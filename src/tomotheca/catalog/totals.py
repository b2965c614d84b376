"""Sums that are kept because they are asked for often and cost much.

Sizes and numbers of files of each dataset and run, of which a dataset may have a million, by all that a download may take or leave, and how
often each value of a column that is `counted` stands in the rows of each dataset.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tomotheca.catalog.tables import OWN_DEPOSITION

if TYPE_CHECKING:
    from tomotheca.catalog.tables import Tables

OWNERS = {"dataset_id": "dataset", "run_id": "run"}
"""Columns of the file table by which there are sums, and the kind each names."""

ENDINGS = (".mrc", ".zarr/", ".glb")
"""Endings of keys that are summed apart: those of volumes, by their format, and of meshes."""


def ends(key: sa.ColumnElement[str], ending: str) -> sa.ColumnElement[bool]:
    """Give the condition that a key has an ending."""
    return sa.func.substr(key, sa.func.length(key) - len(ending) + 1) == ending


def refill(connection: sa.Connection, tables: Tables, datasets: Collection[int] | None) -> None:
    """Add up the files of some datasets, or of all."""
    f, t = tables.file, tables.file_total
    gone, wanted = t.delete(), f.c.dataset_id.is_not(None)
    if datasets is not None:
        gone, wanted = gone.where(t.c.dataset_id.in_(datasets)), f.c.dataset_id.in_(datasets)
    connection.execute(gone)
    shared = (f.c.dataset_id, f.c._owner, f.c._gate, f.c.kind, f.c.role)
    ending = sa.case(*((ends(f.c.key, e), e) for e in ENDINGS), else_="").label("ending")
    sums = (sa.func.sum(f.c.size), sa.func.sum(sa.func.coalesce(f.c.members, 1)))
    for column, kind in OWNERS.items():
        owner = f.c[column]
        found = (
            sa.select(sa.literal(kind), owner, *shared, ending, *sums)
            .where(wanted, owner.is_not(None))
            .group_by(owner, *shared, "ending")
            .order_by(owner)
        )
        names = ["owner_kind", "owner_id", *(c.name for c in shared), ending.name, "size", "files"]
        connection.execute(t.insert().from_select(names, found))


def recount(
    connection: sa.Connection, tables: Tables, datasets: Collection[int] | None, depositions: Collection[int] = ()
) -> None:
    """Count the values in the rows of some datasets and depositions, or of all."""
    for (kind, name), t in tables.value_counts.items():
        source = tables.kinds[kind]
        gone = t.delete()
        shared = (source.c[name], source.c._owner, source.c._gate)
        found = sa.select(*shared, sa.func.count()).group_by(*shared).order_by(*shared)
        if datasets is not None:
            owners = depositions if kind in OWN_DEPOSITION else datasets
            gone, found = gone.where(t.c._owner.in_(owners)), found.where(source.c._owner.in_(owners))
        connection.execute(gone)
        connection.execute(t.insert().from_select([c.name for c in t.columns], found))
