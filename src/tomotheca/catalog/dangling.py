"""What the rows name and nobody has described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tomotheca.errors import Finding

if TYPE_CHECKING:
    from tomotheca.catalog.tables import Tables


def dangling(connection: sa.Connection, tables: Tables) -> Iterator[Finding]:
    """Report depositions that data name and nobody has described."""
    pair, p = tables.deposition_dataset, tables.kinds["deposition"]
    missing = sa.select(pair).where(pair.c.deposition_id.not_in(sa.select(p.c.id))).order_by(pair.c.deposition_id)
    for r in connection.execute(missing):
        message = f"deposition {r.deposition_id} is named but has no document: ingest a configuration that describes it"
        yield Finding("warning", f"{r.dataset_id}/", message)
