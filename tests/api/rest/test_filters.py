"""Conditions mean what they mean in GraphQL, however they are written; what cannot be meant is refused with a sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.rest.test_lists import at
from tests.api.rest.truth import KINDS, clause, comparison, in_graphql, rows

from tomotheca.api.graphql.wire import type_name
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.schema import SCHEMA

if TYPE_CHECKING:
    import random

    from starlette.testclient import TestClient

    from tomotheca.catalog.catalog import Catalog


def ids(client: TestClient, kind: str, params: Any) -> list[int]:
    answer = client.get(at(kind), params=[*params, ("fields", "id"), ("limit", "1000")])
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["total"] == len(found["items"])
    return [row["id"] for row in found["items"]]


@given(draw=st.randoms(use_true_random=True), curious=st.booleans())
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
def test_random_clauses_give_what_graphql_gives(
    http: TestClient, curator: TestClient, draw: random.Random, curious: bool
) -> None:
    client, kind = (curator if curious else http), draw.choice(KINDS)
    where = clause(draw, kind)
    root = SCHEMA.kinds[kind].root
    query = f"query($w: {type_name(kind)}WhereClause) {{ {root}(where: $w) {{ id }} }}"
    answer = client.post("/graphql", json={"query": query, "variables": {"w": in_graphql(where)}}).json()
    assert "errors" not in answer, (where, answer)
    wanted = [row["id"] for row in answer["data"][root]]
    asked = [("where", json.dumps(where))]
    assert ids(client, kind, asked) == wanted
    whole = client.get(f"{at(kind)}.csv", params=[*asked, ("fields", "id")]).text.split()
    assert [int(line) for line in whole[1:]] == wanted
    assert client.get(f"{at(kind)}/facets", params=asked).json()["total"] == len(wanted)


def written(operator: str, value: Any) -> list[str]:
    """Write what is compared with as parameters."""
    if operator in {"_in", "_nin"}:
        return [",".join(f'"{text.replace(chr(34), chr(34) * 2)}"' if isinstance(v, str) else text for v in value for text in [_text(v)])]  # fmt: skip
    return [_text(value)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


@given(draw=st.randoms(use_true_random=True))
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
def test_parameters_mean_the_same_as_a_clause(http: TestClient, draw: random.Random) -> None:
    kind = draw.choice(KINDS)
    here, path = kind, []
    for _ in range(draw.randrange(4)):
        if relations := list(SCHEMA.relations(here).values()):
            relation = draw.choice(relations)
            path, here = [*path, relation.name], relation.target
    asked, terms = [], {}
    for _ in range(2):
        name, operator, value = comparison(draw, here)
        terms[name] = {operator: value}
        asked = [p for p in asked if not p[0].startswith(f"{'.'.join([*path, name])}._")]
        asked += ((".".join([*path, name, operator]), text) for text in written(operator, value))
    where: Any = terms
    for step in reversed(path):
        where = {step: where}
    assert ids(http, kind, asked) == ids(http, kind, [("where", json.dumps(where))])


def test_a_bare_field_is_equality_and_repeated_it_is_a_choice(http: TestClient) -> None:
    names = [row["name"] for row in http.get("/api/v1/runs?limit=1000").json()["items"]]
    one, other = sorted(set(names))[-2:]
    found = http.get("/api/v1/runs", params=[("name", one), ("name", other), ("limit", "1000")]).json()["items"]
    assert sorted(row["name"] for row in found) == sorted(n for n in names if n in {one, other})
    assert http.get("/api/v1/runs", params=[("name._ilike", "%a%"), ("name._ilike", "%zz%")]).json()["total"] == 0


def test_conditions_on_one_relation_hold_for_one_and_the_same_record(http: TestClient, catalog: Catalog) -> None:
    of_run: dict[int, set[tuple[str, int]]] = {row["id"]: set() for row in rows(catalog, "run", ANONYMOUS)}
    for row in rows(catalog, "tomogram", ANONYMOUS):
        if row["run_id"] in of_run:
            of_run[row["run_id"]].add((row["processing"], row["size_x"]))
    processing, size = next(
        (p, s) for found in of_run.values() for p, _ in sorted(found) for _, s in sorted(found) if (p, s) not in found
    )
    together = ids(http, "run", [("tomograms.processing", processing), ("tomograms.size_x", str(size))])
    assert set(together) == {run for run, found in of_run.items() if (processing, size) in found}
    apart = [{"tomograms": {"processing": {"_eq": processing}}}, {"tomograms": {"size_x": {"_eq": size}}}]
    assert set(together) < set(ids(http, "run", [("where", json.dumps({"_and": apart}))]))


def test_a_plus_that_was_not_encoded_is_still_a_zone(http: TestClient) -> None:
    day = http.get("/api/v1/datasets?limit=1").json()["items"][0]["release_date"]
    assert http.get(f"/api/v1/datasets?release_date={day}").json()["total"] >= 1


REFUSED = [
    ("/api/v1/nothing", 404, "There are no 'nothing' here"),
    ("/api/v1/run", 404, "did you mean runs?"),
    ("/api/v1/runs/DS-1", 404, "'DS-1' is not the identifier of a run."),
    ("/api/v1/runs/99999999999", 404, "is not the identifier of a run."),
    ("/api/v1/runs/1/dataset-authors", 404, "runs have no 'dataset-authors'"),
    ("/api/v1/runs?nmae=x", 400, "there is no parameter 'nmae' for runs; did you mean name?"),
    ("/api/v1/datasets?organsim=x", 400, "did you mean organism?"),
    ("/api/v1/datasets?page=2", 400, "that is of pages: follow `next` instead"),
    ("/api/v1/datasets?_and=x", 400, "there is no parameter '_and'"),
    ("/api/v1/runs?dataset=1", 400, "there is no parameter 'dataset' for runs"),
    ("/api/v1/runs?dataset.titel._eq=1", 400, "dataset has no field 'titel'; did you mean title?"),
    ("/api/v1/runs?datasets.title=1", 400, "run has no relation 'datasets'; did you mean dataset?"),
    ("/api/v1/runs?dataset.deposition=1", 400, "deposition is not a field; compare a field of it, such as deposition.id"),
    ("/api/v1/runs?name._ilik=x", 400, "there is no operator '_ilik' here; did you mean _ilike?"),
    ("/api/v1/runs?id._like=x", 400, "there is no operator '_like' here"),
    ("/api/v1/runs?id=x", 400, "id: 'x' cannot be used; give a whole number"),
    ("/api/v1/runs?id=99999999999", 400, "give a whole number between"),
    ("/api/v1/runs?id._in=1,x", 400, "'x' cannot be used"),
    ("/api/v1/runs?name=%00", 400, "text without null characters"),
    ("/api/v1/tomograms?voxel_spacing=1e999", 400, "give a number"),
    ("/api/v1/tomograms?voxel-spacing=wide", 400, "give a number, >=5, >5, <=5, <5 or 5..10"),
    ("/api/v1/tomograms?processing=cooked", 400, "give one of denoised, filtered"),
    ("/api/v1/tomograms?processing._eq=cooked", 400, "give one of denoised, filtered"),
    ("/api/v1/datasets?runs=99999999999", 400, "give whole numbers"),
    ("/api/v1/datasets?ground_truth=maybe", 400, "give true"),
    ("/api/v1/datasets?release_date._gt=yesterday", 400, "a date: YYYY-MM-DD"),
    ("/api/v1/datasets?release_date._gt=0001-01-01T00:00:00%2B14:00", 400, "a date: YYYY-MM-DD"),
    ("/api/v1/annotations?ground_truth_status=1", 400, "give true or false"),
    ("/api/v1/per-section-alignment-parameters?in_plane_rotation=1", 400, "is a list of lists and cannot be compared"),
    ("/api/v1/per-section-alignment-parameters?sort=in_plane_rotation", 400, "cannot be sorted by"),
    ("/api/v1/runs?name._regex=(", 400, "is not a regular expression this server can run"),
    ("/api/v1/runs?name._regex=(%3F=a)", 400, "is not a regular expression this server can run"),
    ("/api/v1/runs?name._like=%5C", 400, "ends with a backslash"),
    ("/api/v1/runs?limit=0", 400, "limit: '0' cannot be used"),
    ("/api/v1/runs?limit=1001", 400, "a page has at most 1000 items"),
    ("/api/v1/runs?limit=5&limit=6", 400, "limit is there twice"),
    ("/api/v1/runs?total=no", 400, "give true or false"),
    ("/api/v1/runs?fields=", 400, "fields is empty"),
    ("/api/v1/runs?fields=nam", 400, "did you mean name?"),
    ("/api/v1/runs?fields=tomograms.name", 400, "tomograms is a list; ask for it at /api/v1/runs/{id}/tomograms"),
    ("/api/v1/runs?fields=dataset", 400, "dataset is a record; ask for a field of it, such as dataset.id"),
    ("/api/v1/datasets?fields=visibility_state", 400, "dataset has no field 'visibility_state'"),
    ("/api/v1/datasets?visibility_state=private", 400, "there is no parameter 'visibility_state'"),
    ("/api/v1/runs?sort=name," + ",".join(f"-dataset.{'id' if n % 2 else 'title'}" for n in range(9)), 400, "give at most 8 fields"),
    ("/api/v1/runs?where=x", 400, "where is not JSON"),
    ("/api/v1/runs?where=[]", 400, "where must be an object"),
    ('/api/v1/runs?where={"id":1}', 400, "where.id must be an object of comparisons"),
    ('/api/v1/runs?where={"id":{"_eq":true}}', 400, "where.id._eq: 'True' cannot be used; give a whole number"),
    ('/api/v1/runs?where={"id":{"_in":1}}', 400, "give a list"),
    ('/api/v1/runs?where={"id":{"_gt":null}}', 400, "cannot be used"),
    ('/api/v1/runs?where={"_or":[{"_and":[{"naem":{}}]}]}', 400, "where._or[0]._and[0].naem: run has no field 'naem'; did you mean name?"),
    ('/api/v1/runs?where={"tomograms_aggregate":{"sum":1}}', 400, "where.tomograms_aggregate must be"),
    ('/api/v1/runs?where={"tomograms_aggregate":{"count":{"distinct":true}}}', 400, "distinct needs arguments"),
    ("/api/v1/runs?where=" + '{"dataset":{"runs":' * 3 + "{}" + "}}" * 3, 400, "Max filter depth exceeded"),
    ("/api/v1/runs?where=" + '{"_not":' * 60 + "{}" + "}" * 60, 400, "nested more than 12 levels"),
    ("/api/v1/runs?where=" + json.dumps({"_or": [{"id": {"_eq": n}} for n in range(401)]}), 400, "at most 400 comparisons"),
    ("/api/v1/runs?where=" + json.dumps({"_and": [{"dataset": {"id": {"_gt": 0}}}] * 70}), 400, "follow a relation at most"),
    ("/api/v1/runs/1?name=x", 400, "there is no parameter 'name' here; there is fields"),
    ("/api/v1?x=1", 400, "there is no parameter 'x' here"),
]  # fmt: skip


@pytest.mark.parametrize(("address", "status", "sentence"), REFUSED)
def test_what_cannot_be_answered_is_said(http: TestClient, address: str, status: int, sentence: str) -> None:
    answer = http.get(address)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    assert sentence in answer.json()["error"]
    assert answer.headers["access-control-allow-origin"] == "*"


def test_an_address_is_no_way_to_personal_data(http: TestClient, curator: TestClient) -> None:
    for client in (http, curator):
        found = client.get("/api/v1/dataset-authors?limit=1000").json()["items"]
        assert {row["email"] for row in found} == {None}
        assert client.get("/api/v1/dataset-authors?email._is_null=false").json()["total"] == 0
        assert client.get("/api/v1/datasets?authors.email._like=%25").json()["total"] == 0
        plain = [row["id"] for row in found]
        assert [r["id"] for r in client.get("/api/v1/dataset-authors?sort=-email&limit=1000").json()["items"]] == plain


def nested(wraps: list[str]) -> dict[str, Any]:
    """Give a clause that is nested in the ways named, from the inside to the outside."""
    found: dict[str, Any] = {"id": {"_gt": 0}}
    for wrap in wraps:
        if wrap in {"_and", "_or"}:
            found = {wrap: [found, {"id": {"_lt": 0}}]}
        elif wrap.endswith("_aggregate"):
            found = {wrap: {"count": {"filter": found, "predicate": {"_gt": 0}}}}
        else:
            found = {wrap: found}
    return found


DEEPEST = [
    ["_not"] * 12,
    ["_or", "_not"] * 6,
    ["_not", "_not", "tomograms", "_not", "_not", "runs", "_not", "_not", "dataset", "_not", "_not", "run"],
    ["_or", "_not", "tomograms_aggregate", "_or", "_not", "runs_aggregate", "_or", "_not", "dataset", "_not", "_or", "run"],
]  # fmt: skip


@pytest.mark.parametrize("wraps", DEEPEST)
def test_the_deepest_clauses_can_be_answered(http: TestClient, wraps: list[str]) -> None:
    asked = [
        ("where", json.dumps(nested(wraps))),
        ("fields", "id,run.dataset.title"),
        ("sort", "run.dataset.deposition.title"),
    ]
    assert http.get("/api/v1/tomograms", params=asked).status_code == 200
    assert http.get("/api/v1/tomograms.csv", params=asked).status_code == 200
    assert http.get("/api/v1/tomograms/facets", params=asked[:1]).status_code == 200
    assert (
        http.get("/api/v1/tomograms", params=[("where", json.dumps(nested(["_not", *wraps, "_not"])))]).status_code
        == 400
    )


def test_many_relations_can_be_followed(http: TestClient) -> None:
    where = {"_and": [{"dataset": {"id": {"_gt": 0}}}] * 30}
    fields = ",".join(f"dataset.{name}" for name in ("title", "deposition.title"))
    asked = {"where": json.dumps(where), "fields": fields, "sort": "dataset.deposition.id"}
    assert http.get("/api/v1/runs", params=asked).json()["total"] == http.get("/api/v1/runs").json()["total"]


def test_conditions_on_a_matrix_are_counted_as_they_are_listed(http: TestClient) -> None:
    for operator in ("_eq", "_gte", "_lt"):
        asked = [("where", json.dumps({"affine_transformation_matrix": {operator: "[[1, 0], [0, 1]]"}}))]
        answer = http.get(f"{at('alignment')}/facets", params=asked)
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == len(ids(http, "alignment", asked))
