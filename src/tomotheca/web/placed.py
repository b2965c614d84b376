"""Where the annotations of a run lie: under which alignments each was made, and under which of them it can be drawn on slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomotheca.web.page import Asked

DRAWABLE: Mapping[str, frozenset[str]] = {
    "ndjson": frozenset({"Point", "OrientedPoint", "InstanceSegmentation"}),
    "zarr": frozenset({"SegmentationMask", "InstanceSegmentationMask"}),
}
"""Shapes that are drawn on slices, by the format that they are read from."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An annotation of a run."""

    id: int
    object_name: str
    ground_truth: bool
    alignments: frozenset[int | None]
    drawn: frozenset[int | None]
    """Alignments of those of its files that can be drawn."""

    def fits(self, alignment: int | None) -> bool:
        """Say whether it lies where it should on a tomogram of an alignment; what names none fits all."""
        return bool(self.alignments & {None, alignment})


def placed(asked: Asked, run: int) -> tuple[Placed, ...]:
    """Give the annotations of a run in the order of their identifiers; asked for once while the catalogue is the same."""

    def answer() -> tuple[Placed, ...]:
        catalog = asked.portal.catalog
        rows = catalog.find("annotation", asked.viewer, where={"run_id": {"_eq": run}}, order=[("id", "asc")])
        if not rows:
            return ()
        shapes = catalog.find(
            "annotation_shape", asked.viewer, where={"annotation_id": {"_in": [a["id"] for a in rows]}}
        )
        kinds = {s["id"]: s for s in shapes}
        files = catalog.find("annotation_file", asked.viewer, where={"annotation_shape_id": {"_in": list(kinds)}})
        made: dict[int, set[int | None]] = {a["id"]: set() for a in rows}
        drawn: dict[int, set[int | None]] = {a["id"]: set() for a in rows}
        for f in files:
            shape = kinds[f["annotation_shape_id"]]
            made[shape["annotation_id"]].add(f["alignment_id"])
            if shape["shape_type"] in DRAWABLE.get(f["format"], ()):
                drawn[shape["annotation_id"]].add(f["alignment_id"])
        return tuple(
            Placed(
                a["id"],
                a["object_name"],
                bool(a["ground_truth_status"]),
                frozenset(made[a["id"]]),
                frozenset(drawn[a["id"]]),
            )
            for a in rows
        )

    return asked.portal.memory.get(("placed", run, asked.viewer, asked.version), answer)
