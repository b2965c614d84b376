"""A portal-sized catalogue for benchmarks: the rows of `make_dump.py` put straight into the tables."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import make_dump
from tomotheca.catalog import build, swap
from tomotheca.catalog.catalog import connect
from tomotheca.catalog.tables import OWN_DEPOSITION
from tomotheca.catalog.tables import build as build_tables
from tomotheca.schema import SCHEMA

PREFIXES = ("s3://tomotheca/", "http://localhost:8000/files/")


def fill(url: str, datasets: int = 500, runs: int = 40) -> None:
    """Fill an empty catalogue with a simulated portal: 500 datasets give 20,000 runs and 60,000 annotations."""
    tables = build_tables(SCHEMA)
    engine = connect(url)
    with tempfile.TemporaryDirectory() as folder, swap.writing(engine, tables, whole=True) as connection:
        make_dump.IDS.clear()
        make_dump.main(Path(folder), datasets, runs)
        owners: dict[tuple[str, int], tuple[int, int | None]] = {}
        for entity in SCHEMA:
            rows = list(_rows(Path(folder), entity.kind, owners))
            build.insert(connection, tables.kinds[entity.kind], rows)
        build.make_indexes(connection, tables)
        build.derive(connection, tables)
        build.note(connection, tables, version="1", schema=build.fingerprint(tables))
    swap.tidy(engine, tables, whole=True)
    engine.dispose()


def _rows(folder: Path, kind: str, owners: dict[tuple[str, int], tuple[int, int | None]]) -> Iterator[dict[str, Any]]:
    path = folder / f"{kind}.ndjson"
    columns = {c.name: None for c in SCHEMA.columns(kind)}
    for line in path.open() if path.exists() else ():
        row = {**columns, **json.loads(line)}
        for name, value in row.items():
            for prefix in PREFIXES:
                if isinstance(value, str) and value.startswith(prefix):
                    row[name] = value.removeprefix(prefix)
        owner, gate = row["id"], row.get("deposition_id")
        if kind not in {"dataset", "deposition"}:
            parents = (
                ref
                for ref in SCHEMA.kinds[kind].refs
                if row.get(ref.column) and (ref.kind != "deposition" or kind in OWN_DEPOSITION)
            )
            owner, inherited = next(owners[ref.kind, row[ref.column]] for ref in parents)
            gate = gate or (inherited if kind not in {"run"} else None)
        owners[kind, row["id"]] = (owner, None if kind in {"deposition", "dataset", "run"} else gate)
        yield {**row, "_owner": owner, "_gate": gate if kind not in OWN_DEPOSITION else None}


if __name__ == "__main__":
    fill(f"sqlite:///{sys.argv[1]}", int(sys.argv[2]) if len(sys.argv) > 2 else 500)
