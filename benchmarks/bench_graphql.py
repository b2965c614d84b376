"""GraphQL: our executor beside graphql-core's own `execute`, in one process, on one SQLite catalogue.

Run ``python benchmarks/bench_graphql.py [DATASETS=50]``. graphql-core gets a document that is already parsed and validated, plain
dictionaries and the default resolver, and reads its rows with one hand-written statement for each list.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from graphql import GraphQLResolveInfo, execute_sync, parse, validate

from tomotheca.api.graphql import GraphQL
from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.schema import SCHEMA
from tomotheca.settings import Settings

if TYPE_CHECKING:
    from tomotheca.schema.core import Column

DATASETS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
RUNS = 40
CHILDREN = {
    "tiltseries": 1,
    "tomogram_voxel_spacing": 1,
    "alignment": 1,
    "tomogram": 2,
    "annotation": 3,
    "annotation_shape": 3,
    "annotation_file": 3,
    "annotation_author": 6,
}
WANTED = 20

LIST = "{ runs(limitOffset: {limit: 100}) { id name datasetId s3Prefix httpsPrefix __typename dataset { id title organismName } } }"
"""100 runs, ten fields each."""

PAGES = {
    "flat list: 100 runs x 5 scalars": ("{ runs(limitOffset: {limit: 100}) { id name datasetId s3Prefix httpsPrefix } }", {}),
    "browse datasets": (
        "query B($o: Int) { datasets(limitOffset: {limit: 20, offset: $o}, orderBy: [{releaseDate: desc}]) { id title organismName releaseDate "
        "runs(first: 1) { edges { node { tomogramVoxelSpacings(first: 1) { edges { node { id } } } } } } } }",
        {"o": DATASETS // 3},
    ),
    "one run, five levels": (
        "query R($id: Int) { runs(where: {id: {_eq: $id}}) { id name dataset { id title } tiltseries { edges { node { id tiltMin tiltMax } } } "
        "tomogramVoxelSpacings { edges { node { id tomograms { edges { node { id name sizeX } } } annotations { edges { node { id objectName "
        "authors { edges { node { name } } } annotationShapes { edges { node { shapeType annotationFiles { edges { node { format httpsPath } } } } } } } } } } } } } }",
        {"id": DATASETS * RUNS // 2},
    ),
    "annotations of a dataset": (
        'query A($ds: Int) { annotations(where: {run: {datasetId: {_eq: $ds}}, objectName: {_ilike: "%1%"}}, limitOffset: {limit: 20}) { id objectName '
        "run { id name } deposition { id title } authors { edges { node { name } } } annotationShapes { edges { node { shapeType } } } } }",
        {"ds": DATASETS // 2},
    ),
    "one get_by_id of the official client": ("{ runs(where: {id: {_eq: 77}}) { id name datasetId s3Prefix httpsPrefix } }", {}),
    "a list of 10,000 identifiers": (
        "{ annotations(where: {id: {_in: [" + ", ".join(map(str, range(1, 10_001))) + "]}}, limitOffset: {limit: 100}) { id objectName } }", {},
    ),
}  # fmt: skip


def value(column: Column, number: int) -> Any:
    """Give a value for a column."""
    if column.choices:
        return column.choices[number % len(column.choices)]
    if column.location:
        return f"10/{column.name}/{number}.mrc"
    if column.type is datetime:
        return f"2024-01-{1 + number % 28:02d}T00:00:00+00:00"
    return {int: number % 100, float: number / 7, bool: number % 2 == 0, list: "[[1.0, 0.0], [0.0, 1.0]]"}.get(
        column.type, f"{column.name} {number}"
    )


def fill(catalog: Catalog) -> int:
    """Write the catalogue; give the number of rows."""
    counts = {"deposition": 1, "dataset": DATASETS, "run": DATASETS * RUNS} | {
        k: n * DATASETS * RUNS for k, n in CHILDREN.items()
    }
    tables, total = catalog.tables, 0
    with catalog.engine.begin() as connection:
        tables.metadata.create_all(connection)
        for kind, count in counts.items():
            columns = SCHEMA.columns(kind)[1:]
            rows = []
            for number in range(1, count + 1):
                row: dict[str, Any] = {
                    "id": number,
                    "_gate": None,
                    "_owner": 1 if kind == "deposition" else 1 + (number - 1) * DATASETS // count,
                }
                for column in columns:
                    of = counts.get(column.ref.kind) if column.ref else None
                    row[column.name] = (
                        value(column, number) if column.ref is None else of and 1 + (number - 1) * of // count
                    )
                rows.append(row)
            connection.execute(tables.kinds[kind].insert(), rows)
            total += count
        connection.execute(
            sa.insert(tables.deposition_dataset),
            [{"deposition_id": 1, "dataset_id": n} for n in range(1, DATASETS + 1)],
        )
    return total


def best(function: Callable[[], Any], *, seconds: float = 1.0) -> float:
    """Give the median time of a call in milliseconds."""
    function()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


RUNS_SQL = """
SELECT id, name, dataset_id AS "datasetId", 's3://tomotheca/' || s3_prefix AS "s3Prefix",
       'http://localhost:8000/files/' || https_prefix AS "httpsPrefix"
FROM run ORDER BY id LIMIT 100"""
DATASETS_SQL = 'SELECT id, title, organism_name AS "organismName" FROM dataset WHERE id IN'


def plain(catalog: Catalog, service: GraphQL) -> Callable[[], bytes]:
    """Give the function that answers the list with graphql-core's `execute`."""
    document = parse(LIST)
    if errors := validate(service.schema, document):
        raise errors[0]
    connection = catalog.engine.raw_connection().driver_connection
    if connection is None:
        raise ConnectionError

    def dictionaries(statement: str) -> list[dict[str, Any]]:
        cursor = connection.execute(statement)
        names = [d[0] for d in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def runs(_: GraphQLResolveInfo, **__: Any) -> list[dict[str, Any]]:
        found = dictionaries(RUNS_SQL)
        wanted = ",".join({str(r["datasetId"]) for r in found})
        datasets = {d["id"]: d for d in dictionaries(f"{DATASETS_SQL} ({wanted})")}
        for row in found:
            row["dataset"] = datasets[row["datasetId"]]
        return found

    def answer() -> bytes:
        result = execute_sync(service.schema, document, {"runs": runs})
        if result.errors:
            raise result.errors[0]
        return orjson.dumps({"data": result.data})

    return answer


def main() -> None:
    """Print the figures; fail if the list is not fast enough."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(f"sqlite:///{Path(folder) / 'catalog.sqlite'}", public_url="http://localhost:8000")
        print(f"{fill(catalog):,} rows in the catalogue")
        service = GraphQL(catalog, Settings())
        theirs = plain(catalog, service)
        ours = best(lambda: service.handle({"query": LIST}, ANONYMOUS))
        other = best(theirs)
        if orjson.loads(theirs()) != orjson.loads(service.handle({"query": LIST}, ANONYMOUS)):
            message = "the answers differ"
            raise SystemExit(message)
        print(
            f"100 runs x 10 fields: ours {ours:.3f} ms, graphql-core's execute {other:.2f} ms: {other / ours:.1f}x (at least {WANTED}x)"
        )
        for name, (query, variables) in PAGES.items():
            request = {"query": query, "variables": variables}
            size = len(service.handle(request, ANONYMOUS))
            print(f"{name}: {best(lambda request=request: service.handle(request, ANONYMOUS)):.3f} ms, {size:,} bytes")
        print(f"maximum resident set {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
        catalog.engine.dispose()
    if other / ours < WANTED:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
