"""What documents say of who may see datasets and depositions -> the rows of the table `visibility`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from tomotheca.catalog.tables import Tables

HIDING = frozenset({"embargoed", "private"})


def what_is_hidden(connection: sa.Connection, tables: Tables) -> Iterator[dict[str, Any]]:
    """List what is not simply public; a dataset is hidden as strictly as its deposition."""
    d, p = tables.kinds["dataset"], tables.kinds["deposition"]
    depositions = {
        r.id: (r.visibility_state, r.visibility_until)
        for r in connection.execute(sa.select(p.c.id, p.c.visibility_state, p.c.visibility_until).order_by(p.c.id))
        if r.visibility_state in HIDING
    }
    for number, (state, until) in depositions.items():
        yield {"kind": "deposition", "id": number, "state": state, "until": until}
    listed = sa.select(d.c.id, d.c.deposition_id, d.c.visibility_state, d.c.visibility_until).order_by(d.c.id)
    for r in connection.execute(listed):
        both = ((r.visibility_state, r.visibility_until), depositions.get(r.deposition_id))
        states = [s for s in both if s and s[0] in HIDING]
        if not states:
            continue
        closed = any(state == "private" or not until for state, until in states)
        until = None if closed else max(str(u) for _, u in states)
        yield {"kind": "dataset", "id": r.id, "state": "private" if closed else "embargoed", "until": until}
