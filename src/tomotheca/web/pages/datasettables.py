"""The other tables of a dataset's page: its objects, who contributed what, its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tomotheca.web import format as formats
from tomotheca.web import links, summaries
from tomotheca.web.address import Address
from tomotheca.web.pages import objects
from tomotheca.web.pages.plaintables import Cells, Made, Tab, plain_table
from tomotheca.web.pages.runparts import kind_of_file, size_cell
from tomotheca.web.recordparts import to
from tomotheca.web.tables import Column
from tomotheca.web.values import MISSING, Value, plain
from tomotheca.web.words import say

if TYPE_CHECKING:
    from tomotheca.catalog.catalog import Row
    from tomotheca.web.page import Asked

OBJECT_TAB = Tab("objects", "Objects", "", (("annotations", True), ("name", False)))
DEPOSITION_TAB = Tab("depositions", "Depositions", "", (("annotations", True), ("id", False)))
FILE_TAB = Tab("files", "Files", "", (("kind", False),))


def _amount(name: str, key: str, value: str) -> tuple[Column, Callable[[Asked, Row], Value], Callable[[Row], int]]:
    return Column(name, key, numeric=True), lambda _, r: plain(formats.count(r[value])), lambda r: r[value]


def of_objects(asked: Asked, dataset: int) -> Made:
    """Make the table of the objects that are annotated or identified."""
    annotated = {o.name: o for o in objects.of_dataset(asked, dataset)}
    named = summaries.objects(asked, "_owner", [dataset]).get(dataset, summaries.Objects())
    rows: list[Row] = []
    for place, o in enumerate((*named.few, *named.more)):
        a = annotated.get(o.name)
        rows.append({
            "id": place, "name": o.name, "object_id": o.identifier, "shapes": ", ".join(a.shapes) if a else None,
            "annotations": a.annotations if a else 0, "truth": a.ground_truth if a else 0, "runs": a.runs if a else 0, "instances": a.instances if a else 0,
        })  # fmt: skip
    here = f"{links.page('dataset', dataset)}"
    cells: Cells = [
        (Column("Object", "name", style="name"), lambda _, r: plain(r["name"], href=str(Address(here, (("object", r["name"]),)))), lambda r: r["name"]),
        (Column("Object ID", "object-id"), lambda _, r: _term(r["object_id"]), lambda r: r["object_id"]),
        _amount("Annotations", "annotations", "annotations"), _amount("Ground truth", "ground-truth", "truth"), _amount("Instances", "instances", "instances"),
        (Column("Shape types", "shapes"), lambda _, r: plain(r["shapes"]) if r["shapes"] else plain("Identified, not annotated", style="missing"), lambda r: r["shapes"]),
        _amount("Runs", "runs", "runs"),
    ]  # fmt: skip
    return plain_table(asked, OBJECT_TAB, rows, cells)


def _term(identifier: str) -> Value:
    target = links.ontology(identifier)
    return plain(identifier, href=target, external=bool(target)) if identifier else MISSING


PARTS = {"annotation": "Annotations", "tomogram": "Tomograms", "alignment": "Alignments", "tiltseries": "Tilt series"}


def of_depositions(asked: Asked, dataset: int) -> Made:
    """Make the table of the depositions that brought parts of a dataset."""
    parts = {kind: _brought(asked, kind, dataset) for kind in PARTS}
    own = asked.get("dataset", dataset)["deposition_id"]
    ids = sorted({i for counts in parts.values() for i in counts} | ({own} if own else set()))
    rows: list[Row] = [
        {"id": d["id"], "title": d["title"], "date": d["deposition_date"], "own": d["id"] == own} | {kind: parts[kind].get(d["id"], 0) for kind in PARTS}
        for d in summaries.find_in_order(asked, "deposition", ids)
    ]  # fmt: skip
    here = links.page("dataset", dataset)
    cells: Cells = [
        (Column("Deposition", "title", style="name"), lambda a, r: to(a, "deposition", r["id"], r["title"]), lambda r: r["title"]),
        (Column("Brought the dataset", "dataset"), lambda _, r: plain(formats.boolean(r["own"])), lambda r: r["own"]),
        *(_amount(text, text.lower().replace(" ", "-"), kind) for kind, text in PARTS.items()),
        (Column("Deposition date", "deposition-date"), lambda _, r: plain(formats.date(r["date"])), lambda r: r["date"]),
        (Column("Runs"), lambda a, r: plain(say("Runs with its data"), href=str(Address(here, (("deposition-id", a.name("deposition", r["id"])),)))), lambda r: r["id"]),
    ]  # fmt: skip
    return plain_table(asked, DEPOSITION_TAB, rows, cells)


def _brought(asked: Asked, kind: str, dataset: int) -> dict[int, int]:
    """Count the rows of a kind in a dataset by deposition."""
    found = summaries.group(asked, kind, "_owner", [dataset], "deposition_id", ("count", ""))
    return {r["deposition_id"]: r["n"] for r in found if r["deposition_id"] is not None}


def of_files(asked: Asked, dataset: int) -> Made:
    """Make the table of the kinds of files, with how many there are and their bytes."""
    roles = summaries.file_roles(asked, "dataset_id", [dataset]).get(dataset, {})
    rows = [{"id": n, "role": role, "files": b.files, "size": b.size} for n, (role, b) in enumerate(sorted(roles.items()))]  # fmt: skip
    cells: Cells = [
        (Column("Kind", "kind", style="name"), lambda _, r: plain(kind_of_file(r["role"])), lambda r: r["role"]),
        _amount("Files", "files", "files"), size_cell(),
    ]  # fmt: skip
    return plain_table(asked, FILE_TAB, rows, cells)


MAKERS: Mapping[str, Callable[[Asked, int], Made]] = {
    "objects": of_objects,
    "depositions": of_depositions,
    "files": of_files,
}
"""By tab: what makes its table."""
