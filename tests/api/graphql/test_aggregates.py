"""What clients rely on in aggregates, rule by rule. That every number is right is shown by ``test_oracle``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tomotheca.catalog.viewer import ANONYMOUS, CURATOR, Viewer

if TYPE_CHECKING:
    from tomotheca.api.graphql import GraphQL
    from tomotheca.catalog.catalog import Catalog

Ask = Callable[..., Any]


@pytest.fixture
def ask(service: GraphQL) -> Ask:
    def ask(query: str, viewer: Viewer = ANONYMOUS, **variables: Any) -> Any:
        answer = orjson.loads(service.handle({"query": query, "variables": variables}, viewer))
        assert "errors" not in answer, answer
        return answer["data"]

    return ask


@pytest.fixture
def refuse(service: GraphQL) -> Ask:
    def refuse(query: str) -> Any:
        answer = orjson.loads(service.handle({"query": query}, ANONYMOUS))
        assert answer["data"] is None, answer
        return answer["errors"][0]

    return refuse


def test_nothing_is_counted_as_nothing(ask: Ask) -> None:
    found = ask(
        "{ none: runsAggregate(where: {id: {_eq: -1}}) { aggregate { count sum { id } max { name } } }"
        " grouped: runsAggregate(where: {id: {_eq: -1}}) { aggregate { count groupBy { name } } }"
        " runs { tomogramsAggregate(where: {id: {_eq: -1}}) { aggregate { count } } } }"
    )
    assert found["none"] == {"aggregate": [{"count": 0, "sum": {"id": None}, "max": {"name": None}}]}
    assert found["grouped"] == {"aggregate": []}
    assert {str(r["tomogramsAggregate"]) for r in found["runs"]} == {"{'aggregate': []}"}


def test_groups_alone_are_refused(refuse: Ask) -> None:
    error = refuse("{ runsAggregate { a: aggregate { groupBy { name } } } }")
    assert error["message"] == "No aggregate functions selected"
    assert error["path"] == ["runsAggregate", "a"]


def test_counts_with_different_arguments_each_get_their_own_value(ask: Ask, catalog: Catalog) -> None:
    rows = catalog.find("annotation", ANONYMOUS)
    (found,) = ask(
        "{ annotationsAggregate { aggregate { count states: count(columns: objectState) "
        "different: count(columns: objectState, distinct: true) ids: count(columns: id, distinct: true) } } }"
    )["annotationsAggregate"]["aggregate"]
    states = {r["object_state"] for r in rows} - {None}
    assert any(r["object_state"] is None for r in rows)
    assert found == {"count": len(rows), "states": len(rows), "different": len(states), "ids": len(rows)}


def test_groups_of_a_column_keep_nulls_and_come_in_order(ask: Ask, catalog: Catalog) -> None:
    wanted = Counter(r["object_state"] for r in catalog.find("annotation", ANONYMOUS))
    found = ask("{ annotationsAggregate { aggregate { count groupBy { objectState } } } }")
    found = [(g["groupBy"]["objectState"], g["count"]) for g in found["annotationsAggregate"]["aggregate"]]
    names = sorted((n for n in wanted if n is not None), key=str.encode)
    assert None in wanted
    assert found == [(n, wanted[n]) for n in (*names, None)]


def test_groups_over_a_relation_to_many_count_pairs(ask: Ask, catalog: Catalog) -> None:
    annotations = catalog.find("annotation", ANONYMOUS)
    runs = {r["id"]: r for r in catalog.find("run", ANONYMOUS)}
    wanted = Counter((runs[a["run_id"]]["dataset_id"], a["object_name"]) for a in annotations if a["run_id"] in runs)
    found = ask(
        "{ runsAggregate { aggregate { count groupBy { dataset { id __typename } annotations { objectName } } } } }"
    )["runsAggregate"]["aggregate"]
    assert {g["groupBy"]["dataset"]["__typename"] for g in found} == {"DatasetGroupByOptions"}
    given = [(g["groupBy"]["dataset"]["id"], g["groupBy"]["annotations"]["objectName"], g["count"]) for g in found]
    assert given == sorted(((d, o, n) for (d, o), n in wanted.items()), key=lambda g: (g[0], g[1].encode()))


def test_groups_over_an_empty_foreign_key_leave_rows_out(ask: Ask, catalog: Catalog) -> None:
    tomograms = catalog.find("tomogram", CURATOR)
    assert any(t["tomogram_voxel_spacing_id"] is None for t in tomograms)
    found = ask("{ tomogramsAggregate { aggregate { count groupBy { tomogramVoxelSpacing { id } } } } }", CURATOR)
    counts = Counter(t["tomogram_voxel_spacing_id"] for t in tomograms if t["tomogram_voxel_spacing_id"])
    assert {
        g["groupBy"]["tomogramVoxelSpacing"]["id"]: g["count"] for g in found["tomogramsAggregate"]["aggregate"]
    } == counts


def test_values_are_those_of_lists(ask: Ask) -> None:
    listed = ask("{ tiltseries { isAligned microscopeManufacturer tiltSeriesQuality s3MrcFile } }")["tiltseries"]
    grouped = ask(
        "{ tiltseriesAggregate { aggregate { count groupBy { isAligned microscopeManufacturer tiltSeriesQuality s3MrcFile } } } }"
    )["tiltseriesAggregate"]["aggregate"]
    as_text = Counter(orjson.dumps(t) for t in listed)
    assert {orjson.dumps(g["groupBy"]): g["count"] for g in grouped} == as_text


def test_numbers_of_whole_numbers_are_cut_off(ask: Ask, catalog: Catalog) -> None:
    sizes = [t["size_x"] for t in catalog.find("tomogram", ANONYMOUS)]
    assert sum(sizes) % len(sizes), "the mean must not be whole"
    (found,) = ask("{ tomogramsAggregate { aggregate { avg { sizeX voxelSpacing } sum { sizeX } } } }")[
        "tomogramsAggregate"
    ]["aggregate"]
    assert found["avg"]["sizeX"] == sum(sizes) // len(sizes)
    assert isinstance(found["avg"]["voxelSpacing"], float)
    assert found["sum"]["sizeX"] == sum(sizes)


def test_one_value_has_no_deviation(ask: Ask) -> None:
    (found,) = ask(
        "{ tomogramsAggregate(where: {id: {_eq: 7}}) { aggregate { count stddev { id } variance { voxelSpacing } } } }",
        CURATOR,
    )["tomogramsAggregate"]["aggregate"]
    assert found == {"count": 1, "stddev": {"id": None}, "variance": {"voxelSpacing": None}}


@pytest.mark.parametrize(
    ("predicate", "test"),
    [
        ("predicate: {_eq: 0}", lambda n: n == 0),
        ("predicate: {_gt: 1, _lt: 4}", lambda n: 1 < n < 4),
        ("predicate: {_in: [0, 2]}", lambda n: n in {0, 2}),
        ("predicate: {}", lambda _: True),
        ("distinct: false", lambda _: True),
    ],
)
def test_filters_count_the_children_that_pass(
    ask: Ask, catalog: Catalog, predicate: str, test: Callable[[int], bool]
) -> None:
    counts = Counter(t["run_id"] for t in catalog.find("tomogram", ANONYMOUS) if t["size_x"] > 1)
    wanted = [r["id"] for r in catalog.find("run", ANONYMOUS) if test(counts[r["id"]])]
    where = f"{{tomogramsAggregate: {{count: {{filter: {{sizeX: {{_gt: 1}}}}, {predicate}}}}}}}"
    assert [r["id"] for r in ask(f"{{ runs(where: {where}) {{ id }} }}")["runs"]] == wanted


def test_filters_of_counts_nest_and_take_variables(ask: Ask, catalog: Catalog) -> None:
    shapes = Counter(s["annotation_id"] for s in catalog.find("annotation_shape", ANONYMOUS))
    rich = Counter(a["run_id"] for a in catalog.find("annotation", ANONYMOUS) if shapes[a["id"]] >= 2)
    runs = {r["id"]: r["dataset_id"] for r in catalog.find("run", ANONYMOUS)}
    wanted = Counter(d for r, d in runs.items() if rich[r] > 0)
    found = ask(
        "query($n: Int) { datasets { id runsAggregate(where: {annotationsAggregate: {count: {predicate: {_gt: 0}, filter: "
        "{annotationShapesAggregate: {count: {predicate: {_gte: $n}}}}}}}) { aggregate { count } } } }",
        n=2,
    )["datasets"]
    assert {d["id"]: sum(g["count"] for g in d["runsAggregate"]["aggregate"]) for d in found} == {
        d["id"]: wanted[d["id"]] for d in found
    }


def test_different_values_of_no_column_are_refused(refuse: Ask) -> None:
    error = refuse("{ runs(where: {tomogramsAggregate: {count: {distinct: true, predicate: {_gt: 0}}}}) { id } }")
    assert "distinct needs arguments" in error["message"]
    assert error["path"] == ["runs"]


def test_fragments_directives_and_names_work_inside(ask: Ask) -> None:
    found = ask(
        "query($no: Boolean!) { x: runsAggregate { t: __typename a: aggregate { ...F __typename } b: aggregate { n: count } } }"
        " fragment F on RunAggregateFunctions { count @skip(if: $no) groupBy { ... on RunGroupByOptions { d: dataset { id } } } m: max { id } }",
        no=True,
    )["x"]
    assert found["t"] == "RunAggregate"
    assert {tuple(sorted(g)) for g in found["a"]} == {("__typename", "groupBy", "m")}
    assert found["a"][0]["__typename"] == "RunAggregateFunctions"
    assert len(found["b"]) == 1


def test_hidden_rows_are_not_counted(ask: Ask, catalog: Catalog) -> None:
    for kind, root in (("annotation", "annotations"), ("dataset", "datasets"), ("deposition", "depositions")):
        (found,) = ask(f"{{ {root}Aggregate {{ aggregate {{ count }} }} }}")[f"{root}Aggregate"]["aggregate"]
        assert found["count"] == catalog.count(kind, ANONYMOUS) < catalog.count(kind, CURATOR)


def test_addresses_cannot_be_counted(ask: Ask) -> None:
    (found,) = ask(
        "{ annotationAuthorsAggregate { aggregate { count(columns: email, distinct: true) min { email } } } }"
    )["annotationAuthorsAggregate"]["aggregate"]
    assert found == {"count": 0, "min": {"email": None}}
    (group,) = ask("{ annotationAuthorsAggregate { aggregate { count groupBy { email } } } }")[
        "annotationAuthorsAggregate"
    ]["aggregate"]
    assert group["groupBy"] == {"email": None}
