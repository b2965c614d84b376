"""Sections of tilt series that were left out of the reconstruction: those marked so, and those that the alignment does not place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tomotheca.web import format as formats
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked

MOST_ANGLES = 12


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is known of one tilt series."""

    sections: tuple[Row, ...]
    """Those left out, in the order of the stack."""

    total: int

    @property
    def words(self) -> str:
        """Say which, by their angles."""
        if not self.sections:
            return say("None")
        angles = [formats.quantity(s["raw_angle"], "°") for s in self.sections]
        more = [say("{} more", formats.count(len(angles) - MOST_ANGLES))] if len(angles) > MOST_ANGLES else []
        which = ", ".join([*angles[:MOST_ANGLES], *more])
        return say("{} of {}: {}", formats.count(len(angles)), formats.plural(self.total, "section"), which)


def first_alignment(found: Sequence[Row]) -> Row | None:
    """Give the alignment that speaks for a tilt series: the portal's standard before others."""
    return min(found, key=lambda a: (not a["is_portal_standard"], a["id"]), default=None)


def marked(sections: Sequence[Row], placed: Collection[int]) -> list[Row]:
    """Give the sections of a series with ``excluded`` as far as it is known; `placed` are those that its alignment has."""
    if not placed and not any(s["excluded"] for s in sections):
        return list(sections)
    return [s | {"excluded": bool(s["excluded"] or (placed and s["z_index"] not in placed))} for s in sections]


def left_out(asked: Asked, run: int, alignments: Sequence[Row]) -> dict[int, LeftOut]:
    """Give what was left out of the tilt series of a run; those of which nothing is known are not there."""
    catalog = asked.portal.catalog
    sections = catalog.find(
        "per_section_parameters", asked.viewer, where={"run_id": {"_eq": run}}, order=[("z_index", "asc")]
    )
    of: dict[int, list[Row]] = {}
    for section in sections:
        of.setdefault(section["tiltseries_id"], []).append(section)
    firsts = {i: first_alignment([a for a in alignments if a["tiltseries_id"] == i]) for i in of}
    wanted = [a["id"] for a in firsts.values() if a]
    kind, placed = "per_section_alignment_parameters", dict[int, set[int]]()
    for row in catalog.find(kind, asked.viewer, where={"alignment_id": {"_in": wanted}}) if wanted else ():
        placed.setdefault(row["alignment_id"], set()).add(row["z_index"])
    found = {}
    for series, rows in of.items():
        first = firsts[series]
        known = marked(rows, placed.get(first["id"], ()) if first else ())
        if known[0]["excluded"] is not None:
            found[series] = LeftOut(tuple(s for s in known if s["excluded"]), len(known))
    return found
