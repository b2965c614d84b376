"""Search on a portal-sized catalogue: times of queries, beside the same words by `LIKE '%word%'`; size of the process; cost of writing the index.

`bench_search.py [DATASETS=500]`; 2,500 datasets are 100,000 runs. Queries are drawn at random; each is asked once to warm the frame's postings, as
a running server has them, and then measured, in processor time, which a busy machine does not change much, and on the wall. The baseline asks the columns
that a listing's search box used to ask, of datasets and of runs.
"""

from __future__ import annotations

import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import sqlalchemy as sa

from dump_world import fill
from tomotheca.catalog import swap
from tomotheca.catalog.catalog import Catalog
from tomotheca.catalog.viewer import ANONYMOUS
from tomotheca.schema import SCHEMA
from tomotheca.search.library import library, matching
from tomotheca.search.writing import Writer

ROUNDS = 200
ORGANISMS = ["fission yeast", "human", "mouse", "Chlamydomonas", "E. coli", "baker's yeast", "Homo sapiens"]
OBJECTS = ["ribosome", "membrane", "microtubule", "80S ribosome", "GO:0016020"]


def draw(number: random.Random, datasets: int) -> str:
    """Give a query as people write them."""
    one = number.randint(1, datasets)
    return number.choice([
        number.choice(ORGANISMS), number.choice(OBJECTS), f"{number.choice(ORGANISMS)} {number.choice(OBJECTS)}", f"DS-{10000 + one}", f"sample {one}",
        f"TS_{number.randint(1, 40):03d}", f"EMPIAR-1{one}", '"tomograms of sample"', "ribosme", "microtubul membrane", f"Author {number.randint(1, 6)} of ds {10000 + one}",
        "dolor -mouse", f"TS_{number.randint(1, 40):03d} yeast",
    ])  # fmt: skip


def measure(queries: list[str], answer: Callable[[str], object]) -> tuple[float, float, float]:
    """Give p50 and p95 of processor time and p95 on the wall, in ms."""
    busy, wall = [], []
    for query in queries:
        began, worked = time.perf_counter(), time.process_time()
        answer(query)
        busy.append(1e3 * (time.process_time() - worked))
        wall.append(1e3 * (time.perf_counter() - began))
    return statistics.median(busy), statistics.quantiles(busy, n=20)[-1], statistics.quantiles(wall, n=20)[-1]


def like(catalog: Catalog, text: str) -> int:
    """Count the datasets and runs in which every word stands anywhere in a few columns."""
    d, r = catalog.tables.kinds["dataset"], catalog.tables.kinds["run"]
    columns = (
        d.c.title,
        d.c.description,
        d.c.organism_name,
        d.c.related_database_entries,
        d.c.cell_name,
        d.c.cell_component_name,
        d.c.sample_preparation,
    )
    words = [w for w in text.replace('"', " ").split() if not w.startswith("-")]
    in_datasets = [sa.or_(*(c.ilike(f"%{w}%") for c in columns)) for w in words]
    in_runs = [sa.or_(r.c.name.ilike(f"%{w}%"), *(c.ilike(f"%{w}%") for c in columns)) for w in words]
    found = catalog.rows(sa.select(sa.func.count()).select_from(d).where(*in_datasets))[0][0]
    return int(
        found
        + catalog.rows(sa.select(sa.func.count()).select_from(r.join(d, r.c.dataset_id == d.c.id)).where(*in_runs))[0][
            0
        ]
    )


def rewrite(catalog: Catalog) -> float:
    """Give the processor time of writing the whole index."""
    with swap.writing(catalog.engine, catalog.tables, whole=False) as connection:
        began = time.process_time()
        Writer(connection, catalog.tables, SCHEMA, swap.insert).write()
        return time.process_time() - began


def rewrite_one(catalog: Catalog) -> float:
    """Give the processor time of writing one dataset's part of the index."""
    with swap.writing(catalog.engine, catalog.tables, whole=False) as connection:
        began = time.process_time()
        Writer(connection, catalog.tables, SCHEMA, swap.insert).write([10001])
        return time.process_time() - began


def main(url: str, datasets: int) -> None:
    """Measure and print."""
    catalog = Catalog(url)
    number = random.Random(7)
    queries = [draw(number, datasets) for _ in range(ROUNDS)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.process_time()
    library(catalog).answer("zzzq", ANONYMOUS)
    print(f"first query: {time.process_time() - began:.2f} s of the processor")
    cold = measure(queries, lambda q: library(catalog).answer(q, ANONYMOUS))
    ours = measure(queries, lambda q: library(catalog).answer(q, ANONYMOUS))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    listing = measure(queries, lambda q: matching(catalog, "dataset", q, ANONYMOUS))
    theirs = measure(queries, lambda q: like(catalog, q))
    print("p50 and p95 of processor time, p95 on the wall, ms")
    for name, times in (
        ("search, first time", cold),
        ("search", ours),
        ("listing's search=", listing),
        ("LIKE '%word%'", theirs),
    ):
        print(f"{name:20} {times[0]:8.1f} {times[1]:8.1f} {times[2]:8.1f}")
    print(f"LIKE by search, p95: {theirs[1] / ours[1]:.1f}; p50: {theirs[0] / ours[0]:.1f}")
    print(f"memory: {before:.0f} MiB before, {memory:.0f} MiB with everything kept")
    print(f"writing the index: {rewrite(catalog):.1f} s of the processor; of one dataset {rewrite_one(catalog):.2f} s")


if __name__ == "__main__":
    given = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    if len(sys.argv) > 2:
        main(sys.argv[2], given)
    else:
        with tempfile.TemporaryDirectory() as folder:
            address = f"sqlite:///{folder}/catalog.sqlite"
            fill(address, given)
            main(address, given)
