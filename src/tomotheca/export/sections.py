"""The sections of a tilt series as a table: angle, order, dose and CTF, with every column of the schema."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tomotheca.catalog.catalog import Catalog
    from tomotheca.catalog.viewer import Viewer
    from tomotheca.schema.core import Column

KIND, SHOT = "per_section_parameters", "frame"
LEFT_OUT = frozenset({"id"})


def as_csv(catalog: Catalog, viewer: Viewer, series: int, about: Iterable[str]) -> bytes:
    """Write one line a section in the order of the stack; comments say the unit of each column."""
    sections = catalog.find(KIND, viewer, where={"tiltseries_id": {"_eq": series}}, order=[("z_index", "asc")])
    wanted = [s["frame_id"] for s in sections]
    frames = {f["id"]: f for f in catalog.find(SHOT, viewer, where={"id": {"_in": wanted}})} if wanted else {}
    own = [c for c in catalog.schema.columns(KIND) if _shown(c)]
    own.sort(key=lambda c: c.name != "z_index")
    shot = [c for c in catalog.schema.columns(SHOT) if _shown(c) and c.name not in {o.name for o in own}]
    out = io.StringIO()
    for line in (
        *about,
        *(f"{c.name}: {c.description}" + (f" Unit: {c.unit}." if c.unit else "") for c in (*own, *shot)),
    ):
        out.write(f"# {' '.join(line.split())}\n")
    table = csv.writer(out, lineterminator="\n")
    table.writerow([c.name for c in (*own, *shot)])
    for section in sections:
        frame: Any = frames.get(section["frame_id"], {})
        table.writerow([section[c.name] for c in own] + [frame.get(c.name) for c in shot])
    return out.getvalue().encode()


def _shown(column: Column) -> bool:
    return column.public and column.drawer is not None and column.name not in LEFT_OUT and not column.ref
