"""Queries that would make too many nodes are refused before anything is read, and the others are not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.api.serving import Running, World, serving

from tomotheca.catalog.build import fingerprint, note
from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.viewer import ANONYMOUS, CURATOR
from tomotheca.schema import SCHEMA
from tomotheca.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

PARENTS, CHILDREN, HIDDEN_RUNS = 60, 20, 500
LIMIT = 3000
TOKEN = "a curator's own secret"


def fill(root: Path) -> None:
    """Write a catalogue of a public dataset with runs and tomograms, and a private one with many runs."""
    (root / "archive").mkdir()
    (root / "state").mkdir()
    catalog = Catalog(Settings(root=root).catalog_database)
    tables = catalog.tables

    def row(kind: str, number: int, owner: int, **values: Any) -> dict[str, Any]:
        empty = {
            c.name: None
            if c.nullable
            else {int: 0, float: 0.0, bool: False}.get(
                c.type, "2024-01-01T00:00:00+00:00" if c.type is not str else "x"
            )
            for c in SCHEMA.columns(kind)
        }
        choices = {c.name: c.choices[0] for c in SCHEMA.columns(kind) if c.choices and not c.nullable}
        return {**empty, **choices, **values, "id": number, "_owner": owner, "_gate": None}

    with catalog.engine.begin() as connection:
        tables.metadata.create_all(connection)
        datasets = [row("dataset", number, number, deposition_id=1, title=f"Dataset {number}") for number in (1, 2)]
        runs = [row("run", n, 1, dataset_id=1, name=f"r{n}") for n in range(1, PARENTS + 1)]
        runs += [row("run", 10_000 + n, 2, dataset_id=2, name="hidden") for n in range(HIDDEN_RUNS)]
        tomograms = [
            row("tomogram", n, 1, run_id=1 + n % PARENTS, deposition_id=1) for n in range(1, PARENTS * CHILDREN + 1)
        ]
        for kind, rows in (("dataset", datasets), ("run", runs), ("tomogram", tomograms)):
            connection.execute(tables.kinds[kind].insert(), rows)
        connection.execute(
            tables.visibility.insert(), [{"kind": "dataset", "id": 2, "state": "private", "until": None}]
        )
        note(connection, tables, version="1", schema=fingerprint(tables))
    catalog.engine.dispose()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("cost")
    fill(root)
    with serving(World(root, None), TOMOTHECA_MAX_ROWS=str(LIMIT), TOMOTHECA_CURATOR_TOKEN=TOKEN) as server:  # type: ignore[arg-type]  # no files are asked for
        yield server


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


def test_counts_follow_the_catalogue(small: Running) -> None:
    query = "{ " + " ".join(f"r{n}: runs {{ id }}" for n in range(45)) + " }"
    assert "errors" not in ask(small, query)
    catalog = Catalog(Settings(root=small.world.root).catalog_database)
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
