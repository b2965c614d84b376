"""A portal-sized catalogue for benchmarks: the dump of `make_dump.py`, loaded as `tomotheca load` does."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import make_dump
from tomotheca.catalog import build, swap
from tomotheca.catalog.database import connect
from tomotheca.catalog.loaded import About, Dump
from tomotheca.catalog.replay import Replay
from tomotheca.catalog.tables import build as build_tables
from tomotheca.schema import SCHEMA

PREFIXES = ("s3://tomotheca/", "http://localhost:8000/files/")


def fill(url: str, datasets: int = 500, runs: int = 40) -> None:
    """Fill a catalogue with a simulated portal: 500 datasets give 20,000 runs and 60,000 annotations. Addresses become keys."""
    tables = build_tables(SCHEMA)
    engine = connect(url)
    with tempfile.TemporaryDirectory() as name, swap.writing(engine, tables, whole=True) as connection:
        folder = Path(name)
        make_dump.IDS.clear()
        make_dump.main(folder, datasets, runs)
        dump = Dump(folder, About("benchmark", loaded_at="", prefixes=PREFIXES), folder)
        Replay(connection, tables, SCHEMA, dump, swap.insert).run()
        build.complete(connection, tables)
        build.note(connection, tables, version="1", schema=build.fingerprint(tables))
    swap.tidy(engine, tables, whole=True)
    engine.dispose()


if __name__ == "__main__":
    fill(f"sqlite:///{sys.argv[1]}", int(sys.argv[2]) if len(sys.argv) > 2 else 500)
