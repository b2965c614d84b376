"""Sums of sizes and numbers of files, kept for each dataset and run: pages show them, and a dataset may have a million files."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from tomotheca.catalog.tables import Tables

OWNERS = {"dataset_id": "dataset", "run_id": "run"}
"""Columns of the file table by which there are sums, and the kind each names."""


def refill(connection: sa.Connection, tables: Tables, datasets: Collection[int] | None) -> None:
    """Add up the files of some datasets, or of all."""
    f, t = tables.file, tables.file_total
    gone, wanted = t.delete(), f.c.dataset_id.is_not(None)
    if datasets is not None:
        gone, wanted = gone.where(t.c.dataset_id.in_(datasets)), f.c.dataset_id.in_(datasets)
    connection.execute(gone)
    shared = (f.c.dataset_id, f.c._owner, f.c._gate, f.c.kind, f.c.role)
    sums = (sa.func.sum(f.c.size), sa.func.sum(sa.func.coalesce(f.c.members, 1)))
    for column, kind in OWNERS.items():
        owner = f.c[column]
        found = (
            sa.select(sa.literal(kind), owner, *shared, *sums)
            .where(wanted, owner.is_not(None))
            .group_by(owner, *shared)
            .order_by(owner)
        )
        names = ["owner_kind", "owner_id", *(c.name for c in shared), "size", "files"]
        connection.execute(t.insert().from_select(names, found))
