"""Queries that would make too many nodes are refused before anything is read, and the others are not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import pytest
from tests.api.many import LIMIT, PARENTS
from tests.api.serving import TOKEN

from tomotheca.api.graphql import GraphQL
from tomotheca.catalog.build import note
from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.reading import Reading
from tomotheca.catalog.viewer import ANONYMOUS, CURATOR
from tomotheca.settings import load

if TYPE_CHECKING:
    from tests.api.serving import Running


def ask(server: Running, query: str, **headers: str) -> dict[str, Any]:
    told = httpx.post(f"{server.url}/graphql", json={"query": query}, headers=headers)
    assert told.status_code == 200
    return dict(told.json())


def sentence(server: Running, query: str, **headers: str) -> str:
    """Give the sentence of a refusal."""
    told = ask(server, query, **headers)
    assert told["data"] is None
    return str(told["errors"][0]["message"])


ALL = "{ runs { id tomograms { edges { node { id run { dataset { runs { edges { node { id } } } } } } } } } }"
"""60 runs, 1,200 tomograms, for each its run, its dataset and 60 runs of that."""


def test_a_query_that_would_make_too_much(small: Running) -> None:
    told = ask(small, ALL)
    (error,) = told["errors"]
    assert error["message"].startswith(
        "The query would make about 76,000 nodes, 72,000 of them at runs.tomograms.edges.node.run.dataset.runs; "
    )
    assert "at most 3,000 are answered" in error["message"]
    assert "limitOffset at runs" in error["message"]
    assert error["path"] == ["runs", "tomograms", "edges", "node", "run", "dataset", "runs"]
    assert error["locations"]


def test_it_is_refused_before_anything_is_read(small: Running) -> None:
    ask(small, ALL)
    cheap, dear = [], []
    for number in range(15):
        for query, times in (("{ runs(limitOffset: {limit: 1}) { id } }", cheap), (ALL, dear)):
            started = time.perf_counter()
            ask(small, query.replace("id ", f"x{number}: id "))
            times.append(time.perf_counter() - started)
    assert min(dear) < 20 * min(cheap)


@pytest.mark.parametrize(
    "query",
    [
        "{ tomograms { id name voxelSpacing } }",
        "{ runs { id tomograms { edges { node { id } } } } }",
        "{ runs(limitOffset: {limit: 2}) { id tomograms { edges { node { run { dataset { runs { edges { node { id } } } } } } } } } }",
        "{ runs(where: {id: {_in: [1, 2]}}) { tomograms { edges { node { run { dataset { runs { edges { node { id } } } } } } } } } }",
        "{ runs { id tomograms(first: 1) { edges { node { id run { dataset { runs(first: 10) { edges { node { id } } } } } } } } } }",
        "{ runs { id tomograms(where: {id: {_lt: 10}}) { edges { node { id run { dataset { runs { edges { node { id } } } } } } } } } }",
    ],
)  # fmt: skip
def test_what_fits_is_answered(small: Running, query: str) -> None:
    told = ask(small, query)
    assert "errors" not in told


def test_variables_count_too(small: Running) -> None:
    query = "query Q($n: Int, $f: Int) { runs(limitOffset: {limit: $n}) { tomograms(first: $f) { edges { node { run { dataset { runs { edges { node { id } } } } } } } } } }"
    for number, first, fits in ((1, 20, True), (60, 20, False), (60, 0, True), (0, 20, False), (1, 20, True)):
        told = httpx.post(f"{small.url}/graphql", json={"query": query, "variables": {"n": number, "f": first}}).json()
        assert ("errors" not in told) == fits


@pytest.mark.parametrize(
    "query",
    [
        "{ " + " ".join(f"a{n}: tomograms {{ id }}" for n in range(3)) + " }",
        "{ ...A ...B } fragment A on Query { a: tomograms { id } b: tomograms { id } } fragment B on Query { c: tomograms { id } }",
        "{ runs { a: tomograms { edges { node { id } } } b: tomograms { edges { node { id } } } c: tomograms { edges { node { id } } } } }",
        "{ runs { tomograms { edges { a: node { id } b: node { id } c: node { id } } } } }",
    ],
)
def test_aliases_and_fragments_count_each_time(small: Running, query: str) -> None:
    assert "The query would make about 3,6" in sentence(small, query) or "about 3,7" in sentence(small, query)


def test_aggregates_count_as_their_groups(small: Running) -> None:
    told = ask(
        small,
        "{ runs { tomogramsAggregate { aggregate { count groupBy { name } } } } tomogramsAggregate { aggregate { count groupBy { id } } } }",
    )
    assert "errors" not in told
    many = " ".join(f"a{n}: tomogramsAggregate {{ aggregate {{ count groupBy {{ id }} }} }}" for n in range(3))
    assert "1,200 of them at runs.a0.aggregate" in sentence(small, f"{{ runs {{ {many} }} }}")
    assert "errors" not in ask(small, "{ runs { " + many.replace(" groupBy { id }", "") + " } }")


def test_hidden_rows_are_not_told_by_an_estimate(small: Running) -> None:
    """60 runs are public and 500 are not: a visitor's estimate knows of 60."""
    query = "{ " + " ".join(f"r{n}: runs {{ id }}" for n in range(6)) + " }"
    assert len(ask(small, query)["data"]["r5"]) == PARENTS
    assert "about 3,400 nodes, 560 of them at r0" in sentence(small, query, authorization=f"Bearer {TOKEN}")
    assert "about 3,100 nodes, 60 of them" in sentence(
        small, "{ " + " ".join(f"r{n}: runs {{ id }}" for n in range(51)) + " }"
    )


def test_a_few_rows_of_a_large_catalogue_cost_no_count_of_all(small: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all rows would exceed and one row does not: only that row is counted, whatever the request's values are."""
    asked = list[str]()
    execute = Reading.execute

    def listening(reading: Reading, text: str, parameters: Any = ()) -> Any:
        asked.append(text)
        return execute(reading, text, parameters)

    monkeypatch.setattr(Reading, "execute", listening)
    settings = load(root=small.world.root).model_copy(update={"max_rows": LIMIT})
    catalog = Catalog(settings.catalog_database)
    service = GraphQL(catalog, settings)
    query = "query Q($id: Int) { runs(where: {id: {_eq: $id}}) { tomograms { edges { node { run { dataset { runs { edges { node { id } } } } } } } } } }"
    for number in (1, 2, 3):
        asked.clear()
        told = service.handle({"query": query, "variables": {"id": number}}, ANONYMOUS)
        assert "errors" not in orjson.loads(told)
    counts = [text for text in asked if "count(" in text]
    assert len(counts) == 1
    assert "WHERE" in counts[0]
    catalog.close()


def test_counts_follow_the_catalogue(small: Running) -> None:
    query = "{ " + " ".join(f"r{n}: runs {{ id }}" for n in range(45)) + " }"
    assert "errors" not in ask(small, query)
    catalog = Catalog(load(root=small.world.root).catalog_database)
    assert catalog.count("run", ANONYMOUS) < catalog.count("run", CURATOR)
    with catalog.engine.begin() as connection:
        runs, visibility = catalog.tables.kinds["run"], catalog.tables.visibility
        connection.execute(visibility.delete())
        note(connection, catalog.tables, version="2")
        assert connection.execute(runs.select()).first()
    try:
        time.sleep(0.2)
        assert "about 25,000 nodes" in sentence(small, query)
    finally:
        with catalog.engine.begin() as connection:
            connection.execute(visibility.insert(), [{"kind": "dataset", "id": 2, "state": "private", "until": None}])
            note(connection, catalog.tables, version="3")
        catalog.engine.dispose()
        time.sleep(0.2)
