"""Browse objects: what has been annotated, and how much of it there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tomotheca.web import ascode, links
from tomotheca.web import format as formats
from tomotheca.web.address import Address
from tomotheca.web.facets import Scope, carried
from tomotheca.web.page import Asked, Crumb, Moved
from tomotheca.web.pages import listing
from tomotheca.web.pages.common import TABLE, over, unknown
from tomotheca.web.panel import canonical, filtered, make_panel
from tomotheca.web.tables import Column, Table, heads, make_pager, rank, read_order, slice_page
from tomotheca.web.words import label, say

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomotheca.web.filters import Active
    from tomotheca.web.panel import Panel

PATH = "/browse-data/objects"
COLUMNS = (
    Column("Object", "name", style="name", also=(("Object ID", "object-id"),)), Column("Annotations", "annotations", numeric=True, also=(("Ground truth", "ground-truth"),)),
    Column("Instances", "instances", numeric=True), Column("Shape types", "shapes"), Column("Runs", "runs", numeric=True), Column("Datasets", "datasets", numeric=True),
    Column("Organisms", "organisms"), Column("Best precision", "precision", numeric=True, also=(("Best recall", "recall"),)),
)  # fmt: skip
ORDER = (("annotations", True), ("name", False))


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object and what there is of it."""

    id: int
    name: str
    href: str
    object_id: str
    object_href: str
    annotations: int
    ground_truth: int
    instances: int
    shapes: tuple[str, ...]
    runs: int
    datasets: int
    datasets_href: str
    organisms: tuple[str, ...]
    precision: float | None
    recall: float | None


@dataclass(frozen=True, kw_only=True)
class BrowseObjects(listing.Browse):
    """Browse objects."""

    shows_files: ClassVar[bool] = False
    table: Table[ObjectRow]


@dataclass(frozen=True)
class Chosen:
    """The annotations that are counted."""

    scope: Scope
    marked: NDArray[np.bool_]

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """Number of the object of each annotation."""
        return self.scope.masks.world.column("annotation", "object_name").codes[self.marked].astype(np.int64)

    @property
    def names(self) -> Sequence[str]:
        """Names of the objects, by number."""
        return self.scope.masks.world.column("annotation", "object_name").values

    def number(self, weights: Any = None) -> NDArray[Any]:
        """Count the annotations of each object, or add something up."""
        return np.bincount(self.codes, weights=weights, minlength=len(self.names))

    def floats(self, name: str) -> NDArray[np.float64]:
        """Give a column of numbers."""
        coded = self.scope.masks.world.column("annotation", name)
        values = np.array([np.nan if v is None else float(v) for v in coded.values] or [np.nan])
        found: NDArray[np.float64] = values[coded.codes[self.marked]]
        return found

    def best(self, name: str) -> NDArray[np.float64]:
        """Give the largest value for each object; what is recorded of a ground truth, which is compared with nothing, does not count."""
        values = self.floats(name)
        found, known = np.full(len(self.names), -np.inf), ~np.isnan(values) & (self.floats("ground_truth_status") != 1)
        np.maximum.at(found, self.codes[known], values[known])
        return found

    def distinct(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the different numbers that the annotations of each object have."""
        wide = int(numbers.max(initial=0)) + 1
        pairs = np.unique(self.codes * wide + numbers)
        return np.bincount(pairs // wide, minlength=len(self.names))

    def words(self, codes: NDArray[Any], values: Sequence[Any], owners: NDArray[np.int64]) -> dict[int, list[Any]]:
        """Give the different values that each object has."""
        found: dict[int, list[Any]] = {}
        wide = max(len(values), 1)
        for pair in np.unique(owners * wide + codes).tolist():
            if values[pair % wide] is not None:
                found.setdefault(pair // wide, []).append(values[pair % wide])
        return found


def objects(asked: Asked) -> BrowseObjects | Moved:
    """Make Browse objects."""
    found = filtered("annotation", asked.address, asked.portal.catalog.schema)
    if (address := canonical(asked.address, found.filters)) != asked.address:
        return Moved(str(address))
    order = read_order(asked.address, COLUMNS, ORDER)
    total = int((_chosen(asked, ()).number() > 0).sum())
    counted = {r.id: r for r in _counted(_chosen(asked, found.active))}
    pager = make_pager(asked.address, len(counted))
    if pager.past:
        return Moved(pager.past)
    ranked = [r["id"] for r in rank([_sortable(r) for r in counted.values()], order)]
    shown = tuple(counted[i] for i in slice_page(ranked, asked.address))
    table = Table("Objects", heads(asked.address, COLUMNS, order), shown, len(counted), total, pager)
    overlay, ignored = over(asked)
    scope = Scope(asked.portal, "annotation", asked.viewer, asked.version, counts="object_name")
    panel = make_panel(scope, found, asked.address)
    return BrowseObjects(
        title=say("Browse objects"), description=say("{} annotated objects.", formats.count(len(counted))), crumbs=(Crumb(say("Home"), "/"), Crumb(say("All objects"))), overlay=overlay,
        ignored=(*found.ignored, *ignored, *unknown(asked.address, {*TABLE, *found.parameters})), noindex=bool(asked.address.pairs), canonical=asked.origin + PATH,
        listing=_listing(asked, panel, len(counted), total), table=table, code=ascode.of_table(asked),
    )  # fmt: skip


def rows(asked: Asked) -> Iterator[ObjectRow]:
    """Give every object that the filters leave."""
    found = filtered("annotation", asked.address, asked.portal.catalog.schema)
    order = read_order(asked.address, COLUMNS, ORDER)
    counted = {r.id: r for r in _counted(_chosen(asked, found.active))}
    return (counted[r["id"]] for r in rank([_sortable(r) for r in counted.values()], order))


def of_dataset(asked: Asked, dataset: int) -> Iterator[ObjectRow]:
    """Give every object that is annotated in a dataset."""
    scope = Scope(asked.portal, "annotation", asked.viewer, asked.version)
    marked = scope.masks.visible("annotation") & (scope.masks.world.numbers("annotation", "_owner") == dataset)
    return _counted(Chosen(scope, marked))


def _listing(asked: Asked, panel: Panel, shown: int, total: int) -> listing.Listing:
    return listing.Listing(listing.tabs_of(asked, PATH, shown), panel, asked.portal.settings.filter_side, (), not total)


def _chosen(asked: Asked, active: Sequence[Active]) -> Chosen:
    scope = Scope(asked.portal, "annotation", asked.viewer, asked.version)
    clause = {"_and": [a.filter.clause(a.values) for a in active if a.filter.widget != "mode"]}
    return Chosen(scope, scope.masks.where("annotation", clause))


def _counted(chosen: Chosen) -> Iterator[ObjectRow]:
    world, masks = chosen.scope.masks.world, chosen.scope.masks
    run = world.places("annotation", "run_id", "run")[chosen.marked]
    dataset = carried(world.places("run", "dataset_id", "dataset"), run)
    organism = world.column("dataset", "organism_name")
    of_shape = carried(chosen.marked, world.places("annotation_shape", "annotation_id", "annotation"))
    of_shape &= masks.visible("annotation_shape")
    names = world.column("annotation", "object_name").codes.astype(np.int64)
    owners = names[world.places("annotation_shape", "annotation_id", "annotation")[of_shape]]
    shape = world.column("annotation_shape", "shape_type")
    shapes = chosen.words(shape.codes[of_shape], shape.values, owners)
    organisms = chosen.words(organism.codes[dataset], organism.values, chosen.codes)
    identifiers = _identifiers(chosen)
    truth, best = (
        np.nan_to_num(chosen.floats("ground_truth_status")),
        {n: chosen.best(f"confidence_{n}") for n in ("precision", "recall")},
    )
    columns = (chosen.number(), chosen.number(truth), chosen.number(np.nan_to_num(chosen.floats("object_count"))), chosen.distinct(run), chosen.distinct(dataset))  # fmt: skip
    for place, name in enumerate(chosen.names):
        number, true, instances, runs, datasets = (int(c[place]) for c in columns)
        if number:
            kinds = tuple(sorted(label("annotation_file_shape_type_enum", s) for s in shapes.get(place, ())))
            identifier = identifiers.get(place, "")
            link = (("object", name),)
            yield ObjectRow(
                place, name, str(Address("/browse-data/runs", link)), identifier, links.ontology(identifier), number, true, instances, kinds, runs, datasets,
                str(Address("/browse-data/datasets", link)), tuple(sorted(organisms.get(place, ()))), _finite(best["precision"][place]), _finite(best["recall"][place]),
            )  # fmt: skip


def _identifiers(chosen: Chosen) -> Mapping[int, str]:
    """Give the ontology identifier that each object has most often."""
    coded = chosen.scope.masks.world.column("annotation", "object_id")
    wide = max(len(coded.values), 1)
    pairs, counts = np.unique(chosen.codes * wide + coded.codes[chosen.marked], return_counts=True)
    ordered = pairs[np.argsort(counts, kind="stable")].tolist()
    return {pair // wide: coded.values[pair % wide] or "" for pair in ordered}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _sortable(r: ObjectRow) -> dict[str, Any]:
    return {
        "id": r.id, "name": r.name, "object-id": r.object_id or None, "annotations": r.annotations, "ground-truth": r.ground_truth, "instances": r.instances,
        "shapes": ", ".join(r.shapes) or None, "runs": r.runs, "datasets": r.datasets, "organisms": ", ".join(r.organisms) or None, "precision": r.precision, "recall": r.recall,
    }  # fmt: skip
